"""TrialModel: what a trial learns about, and what it observes of each subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.censored import Censored
from qsp_bayes.calibration.iov import IOV
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.decision.trial.toxicity import DoseLimitingToxicity
from qsp_bayes.errors import DecisionError


@dataclass(frozen=True, eq=False)
class TrialModel:
    """A calibration, what toxicity follows from exposure, and what is measured in each subject.

    Parameters
    ----------
    calibration : Calibration
        System, priors, variability between individuals, and errors of the samples. Its priors are those of the trial:
        each decision is made under them and the data so far.
    toxicity : DoseLimitingToxicity
    times : iterable of float
        Increasing times from which the exposure is measured, from 0 to the end of the DLT window.
    samples : mapping of str to iterable of float
        For each output observed, the times of its samples in every subject. Without samples, trials learn from
        toxicities alone.
    subjects : Subjects, optional
        Whom the trial recruits from, at random: needed where the calibration uses covariates or doses are given per
        covariate.

    Raises
    ------
    DecisionError
        For what a trial cannot follow: variability between occasions, limits of quantification, systems with
        covariates as inputs, times out of order.

    Examples
    --------
    ::

        model = qb.TrialModel(
            calibration, toxicity, times=[0, 0.5, 1, 2, 4, 8, 12, 24], samples={"Cc": [1, 4, 24]}
        )
    """

    calibration: Calibration
    toxicity: DoseLimitingToxicity
    times: Any
    samples: Mapping[str, Any] = field(default_factory=dict)
    subjects: Subjects | None = None

    def __post_init__(self) -> None:
        system = self.calibration.system
        if not isinstance(self.toxicity, DoseLimitingToxicity):
            raise DecisionError(f"toxicity must be a DoseLimitingToxicity; got {self.toxicity!r}.")
        object.__setattr__(self, "times", increasing("times", self.times))
        samples = {name: increasing(f"samples of {name}", times) for name, times in self.samples.items()}
        object.__setattr__(self, "samples", MappingProxyType(samples))
        for what, names, known in (
            ("samples", samples, self.calibration.error),
            ("outputs of the toxicity", self.toxicity.outputs or (), system.outputs),
        ):
            for name in names:
                if name not in known:
                    raise DecisionError(f"{what}: {name!r} is not one of {', '.join(known)}.")
        refused = [
            *(f"{part}: each subject has one occasion; use IIV alone" for part in self.calibration.individual
              if isinstance(part, IOV)),
            *(f"error of {name}: limits of quantification are not simulated; use its error model without Censored"
              for name in samples if isinstance(self.calibration.error[name], Censored)),
            *(f"input {name} of the system: bind it to a system that gives it" for name in system.inputs),
        ]  # fmt: skip
        if refused:
            raise DecisionError(f"A trial cannot follow {'; '.join(refused)}.")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that the measure of exposure reads."""
        return self.toxicity.outputs or tuple(self.calibration.system.outputs)

    @property
    def recruits(self) -> Subjects:
        """Whom the trial recruits from."""
        if self.subjects is not None:
            return self.subjects
        return Subjects(pd.DataFrame(index=["anyone"]), {}, "individuals without covariates")


def increasing(what: str, times: Any) -> np.ndarray:
    """Require increasing times from 0 upwards."""
    grid = np.asarray(list(times), float)
    if not grid.size or not np.isfinite(grid).all() or grid[0] < 0 or (np.diff(grid) <= 0).any():
        raise DecisionError(f"{what}: expected increasing times from 0 upwards; got {grid.tolist()}.")
    return grid
