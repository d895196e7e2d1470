"""Participant: one treated subject of a trial, and what was seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qsp_bayes.decision.trial.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Participant:
    """A treated subject.

    Attributes
    ----------
    label : str
    dose : str
        Label of the dose level.
    schedule : Schedule
        Doses and times of observation.
    covariates : array
        In the order of the trial's subjects.
    samples : dict of str to array
        Observed values of each output.
    dlt : float
        1 for a dose-limiting toxicity, 0 for none, NaN where the window is not over.
    backfill : bool
        Whether the subject was added below the dose that drives escalation.
    """

    label: str
    dose: str
    schedule: Schedule
    covariates: np.ndarray
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    dlt: float = np.nan
    backfill: bool = False


@dataclass(frozen=True, eq=False)
class Evidence:
    """The participants of a trial so far, as arrays."""

    participants: Sequence[Participant]

    def __len__(self) -> int:
        return len(self.participants)

    @cached_property
    def covariates(self) -> np.ndarray:
        """Covariates, (participant, covariate)."""
        return np.array([p.covariates for p in self.participants], float).reshape(len(self), -1)

    @cached_property
    def dlt(self) -> np.ndarray:
        """Outcomes, (participant,)."""
        return np.array([p.dlt for p in self.participants], float)

    @cached_property
    def schedules(self) -> list[Schedule]:
        """Schedules of all participants."""
        return [p.schedule for p in self.participants]

    @cached_property
    def outputs(self) -> list[str]:
        """Outputs of which there are samples."""
        return list(dict.fromkeys(name for p in self.participants for name, y in p.samples.items() if len(y)))

    @cached_property
    def owner(self) -> dict[str, np.ndarray]:
        """For each output, the position of the participant whom each sample is of."""
        return {
            name: np.repeat(np.arange(len(self)), [len(p.samples.get(name, ())) for p in self.participants])
            for name in self.outputs
        }

    @cached_property
    def observed(self) -> dict[str, np.ndarray]:
        """For each output, the values of all samples."""
        return {
            name: np.concatenate([np.asarray(p.samples.get(name, ()), float) for p in self.participants])
            for name in self.outputs
        }

    def joined(self, participants: Sequence[Participant]) -> Evidence:
        """Give the evidence with more participants."""
        return Evidence([*self.participants, *participants])
