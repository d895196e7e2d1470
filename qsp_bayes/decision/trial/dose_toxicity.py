"""DoseToxicity: what is known of the probability of a toxicity at each dose, and thus of the MTD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from qsp_bayes.errors import DecisionError


@dataclass(frozen=True, eq=False)
class DoseToxicity:
    r"""Probability of a dose-limiting toxicity by dose, under every draw of the population.

    With :math:`p_d(\theta)` the mean over individuals of P(DLT) at dose d, the maximum tolerated dose (MTD) is the
    highest dose of the ladder up to which no probability exceeds the target:

    .. math::
        \mathrm{MTD}(\theta) = \max\{d : p_{d'}(\theta) \le \text{target for all } d' \le d\},

    and below the ladder where not even the lowest dose is tolerated. A dose is above the MTD where it, or a lower one,
    has a probability above the target.

    Parameters
    ----------
    doses : sequence of str
        Labels, from the lowest dose up.
    probability : array, (draw, dose)
    target : float

    Examples
    --------
    >>> known = DoseToxicity(["low", "high"], np.array([[0.1, 0.2], [0.1, 0.4], [0.3, 0.5], [0.1, 0.3]]), 0.25)
    >>> known.above.tolist(), known.is_mtd.tolist()
    ([0.25, 0.75], [0.5, 0.25])
    """

    doses: Sequence[str]
    probability: np.ndarray
    target: float

    def __post_init__(self) -> None:
        if self.probability.ndim != 2 or self.probability.shape[1] != len(self.doses):
            raise DecisionError(
                f"probability has shape {self.probability.shape}; expected (draw, {len(self.doses)})."
            )
        if not np.isfinite(self.probability).all():
            first = self.doses[int(np.argmin(np.isfinite(self.probability).all(axis=0)))]
            raise DecisionError(
                f"The probability of a toxicity at {first} is not a number under "
                f"{int((~np.isfinite(self.probability)).any(axis=1).sum())} of {len(self.probability)} draws: the "
                "system cannot be solved for some individuals. Narrow the priors, or correct the mechanism."
            )

    @cached_property
    def mtd(self) -> np.ndarray:
        """Position of the MTD under each draw, -1 where the lowest dose is above it."""
        return (np.maximum.accumulate(self.probability, axis=1) <= self.target).sum(axis=1) - 1

    @cached_property
    def above(self) -> np.ndarray:
        """P(dose > MTD) by dose."""
        return (np.arange(len(self.doses)) > self.mtd[:, None]).mean(axis=0)

    @cached_property
    def is_mtd(self) -> np.ndarray:
        """P(dose = MTD) by dose; what is missing to 1 is the probability that the lowest dose is above it."""
        return (np.arange(len(self.doses)) == self.mtd[:, None]).mean(axis=0)

    def exceeding(self, level: float) -> np.ndarray:
        """P(P(DLT) > level) by dose."""
        return (self.probability > level).mean(axis=0)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each dose: mean and 90 % interval of P(DLT), P(dose = MTD) and P(dose > MTD)."""
        low, high = np.quantile(self.probability, [0.05, 0.95], axis=0)
        return pd.DataFrame(
            {
                "p_dlt": self.probability.mean(axis=0),
                "q05": low,
                "q95": high,
                "p_mtd": self.is_mtd,
                "p_above_mtd": self.above,
            },
            index=pd.Index(list(self.doses), name="dose"),
        )
