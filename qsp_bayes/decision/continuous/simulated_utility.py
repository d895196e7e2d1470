"""SimulatedUtility: a utility that only arrays can evaluate, by simulation on a grid of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.decision.continuous.expected_utility import Evaluation
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.decision.utilities.utility import Utility

N_TIMES = 241
NUMBERS = 20_000_000
"""Values of paths that are held at a time, about."""


@dataclass(frozen=True, eq=False)
class SimulatedUtility:
    """A function from points to evaluations, by `Calibration.simulate`."""

    calibration: Calibration
    fit: xr.DataTree
    regimen: FreeRegimen
    subjects: Subjects
    utility: Utility
    limited: tuple[Utility, ...]
    span: tuple[float, float]
    draws: int
    random_seed: int

    def __call__(self, points: list[np.ndarray]) -> list[Evaluation]:
        """Evaluate at some points, a few regimens at a time."""
        each = N_TIMES * self.draws * len(self.subjects) * len(self.calibration.system.outputs)
        size = max(1, NUMBERS // each)
        return [
            found
            for first in range(0, len(points), size)
            for found in self.evaluated(points[first : first + size])
        ]

    def evaluated(self, points: list[np.ndarray]) -> list[Evaluation]:
        """Simulate all points together."""
        future = self.calibration.simulate(
            self.fit,
            {str(k): self.regimen.at(point) for k, point in enumerate(points)},
            self.subjects,
            np.linspace(*self.span, N_TIMES),
            draws=self.draws,
            random_seed=self.random_seed,
        )
        utility, *limited = (
            function(future)
            .transpose("regimen", "chain", "draw", "subject")
            .to_numpy()
            .reshape(len(points), -1)
            for function in (self.utility, *self.limited)
        )
        return [
            Evaluation(
                point,
                utility[k],
                None,
                0.0,
                np.array([values[k] for values in limited]).reshape(-1, utility.shape[1]),
            )
            for k, point in enumerate(points)
        ]
