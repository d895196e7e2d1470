"""Errors of samples: how probable observations are around predictions, and observations drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.pytensorf import compile

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.decision.trial.population import reseed
from qsp_bayes.errors import DecisionError


@dataclass(frozen=True, eq=False)
class SampleError:
    """The error model of one output, for many populations at once.

    Attributes
    ----------
    names : list of str
        Variables of the error model that are not fixed.
    """

    names: list[str]
    density: Callable[..., np.ndarray]
    draw: Callable[..., np.ndarray]

    @classmethod
    def of(cls, calibration: Calibration, output: str) -> SampleError:
        """Compile the error model of an output."""
        inputs: dict[str, Any] = {}

        def variable(name: str) -> Any:
            if name in calibration.fix:
                return pt.constant(calibration.fix[name])
            return inputs.setdefault(name, pt.tensor(name, dtype="float64", shape=(None, 1)))

        prediction, observed = pt.dmatrix("prediction"), pt.dvector("observed")
        law = calibration.error[output].noise(output, prediction, variable).draw()
        arguments = [prediction, *inputs.values()]
        density = compile([observed, *arguments], pm.logp(law, observed[None, :] + pt.zeros_like(prediction)))
        return cls(list(inputs), density, compile(arguments, law))

    def log_density(
        self, observed: np.ndarray, prediction: np.ndarray, values: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Log density of each observation, (population, observation); -inf where the prediction failed."""
        with np.errstate(all="ignore"):
            found = self.density(observed, prediction, *(values[name][:, None] for name in self.names))
        return np.where(np.isnan(found), -np.inf, found)

    def observations(
        self, prediction: np.ndarray, values: Mapping[str, np.ndarray], random_seed: int
    ) -> np.ndarray:
        """Draw observations around predictions, (population, observation)."""
        if not np.isfinite(prediction).all():
            raise DecisionError("A simulated individual cannot be solved: no observations can be drawn.")
        reseed(self.draw, random_seed)
        return self.draw(prediction, *(values[name][:, None] for name in self.names))
