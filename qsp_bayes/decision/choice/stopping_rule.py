"""StoppingRule: when a simulation is large enough to choose by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import t

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.errors import DecisionError


@dataclass(frozen=True)
class Stop:
    """Why a search stops.

    Attributes
    ----------
    reason : str
    sufficient : bool
        Whether an aim of the rule was reached.
    separated : bool
        Whether the best is told apart from every rival.
    """

    reason: str
    sufficient: bool = False
    separated: bool = False


@dataclass(frozen=True)
class StoppingRule:
    r"""When to stop: the first of these that is reached.

    The best is separated from all rivals: with K looks at most and R regimens, every difference exceeds z Monte Carlo
    standard errors,

    .. math:: z = t_\nu^{-1}\left(1 - \frac{\epsilon}{K (R - 1)}\right).

    The degrees of freedom :math:`\nu` of Student's t are Satterthwaite's: a variance that few individuals make up is
    itself not well known.

    A rule that looks again and again until it sees a difference of two errors claims one too often; dividing the error
    rate by the number of comparisons (Bonferroni) keeps the probability of naming a regimen that is not the best at
    about :math:`\epsilon` or less, up to that approximation. It is worst where the first look is small: for two equal
    regimens, from 32 draws of 8 individuals on, 11 % of 120 searches named the one and 17 % the other at
    :math:`\epsilon = 0.1`. Begin with a hundred of each.

    Parameters
    ----------
    error : float
        :math:`\epsilon`, the probability of a false claim of separation in the whole search.
    difference : float, optional
        Tolerance for the Monte Carlo standard error of the difference between best and runner-up, in the unit of the
        utility: where regimens are equally good, no simulation separates them, and this one stops the search.
    regret : float, optional
        Tolerance for the Monte Carlo standard error of the expected regret of the best.
    most_draws, most_subjects : int
        Largest simulation.

    Raises
    ------
    DecisionError
        If a number is out of its range.

    References
    ----------
    Kim SH, Nelson BL. A fully sequential procedure for indifference-zone selection in simulation. ACM Trans Model
    Comput Simul 2001;11:251-273 (error rates over looks). Satterthwaite FE. An approximate distribution of estimates of
    variance components. Biometrics Bull 1946;2:110-114.

    Examples
    --------
    >>> round(StoppingRule(error=0.05).separation(looks=5, regimens=3), 2)
    2.58
    """

    error: float = 0.05
    difference: float | None = None
    regret: float | None = None
    most_draws: int = 2000
    most_subjects: int = 2000

    def __post_init__(self) -> None:
        if not 0 < self.error < 0.5:
            raise DecisionError(f"StoppingRule: error is {self.error}; it must lie between 0 and 0.5.")
        for name in ("difference", "regret"):
            tolerance = getattr(self, name)
            if tolerance is not None and not tolerance > 0:
                raise DecisionError(f"StoppingRule: {name} is {tolerance}; a tolerance must be positive.")
        if self.most_draws < 4 or self.most_subjects < 1:
            raise DecisionError("StoppingRule: most_draws must be at least 4 and most_subjects at least 1.")

    def looks(self, draws: int, subjects: int) -> int:
        """Largest number of looks that doubling draws or individuals from a first size leads to."""
        doublings = (
            max(0, math.ceil(math.log2(self.most_draws / draws))),
            max(0, math.ceil(math.log2(self.most_subjects / subjects))),
        )
        return 1 + sum(doublings)

    def separation(self, looks: int, regimens: int, freedom: float = np.inf) -> float:
        """Monte Carlo standard errors, z, that a difference must exceed."""
        return float(t.isf(self.error / (looks * max(1, regimens - 1)), freedom))

    def judge(self, decision: Decision, looks: int) -> Stop | None:
        """Say why to stop after a look, or None to go on."""
        table = decision.table.loc[decision.admissible]
        rivals = table.drop(index=decision.best)
        if not len(rivals):
            return Stop("there is one admissible regimen", sufficient=True)
        needed = [
            self.separation(looks, len(table), degrees_of_freedom(decision, str(label)))
            for label in rivals.index
        ]
        if (-rivals["difference"] > needed * rivals["difference_mcse"]).all():
            z = max(needed)
            reason = (
                f"the best is separated from every rival by more than {z:.3g} Monte Carlo standard errors"
            )
            return Stop(reason, sufficient=True, separated=True)
        second = rivals["expected_utility"].idxmax()
        if self.difference is not None and rivals.loc[second, "difference_mcse"] <= self.difference:
            return Stop(
                "the Monte Carlo standard error of the difference between the best and the runner-up is within "
                f"{self.difference:g}",
                sufficient=True,
            )
        if self.regret is not None and table.loc[decision.best, "expected_regret_mcse"] <= self.regret:
            return Stop(
                f"the Monte Carlo standard error of the expected regret is within {self.regret:g}",
                sufficient=True,
            )
        return None


def degrees_of_freedom(decision: Decision, rival: str) -> float:
    """Degrees of freedom of the variance of the difference to a rival, by Satterthwaite's approximation."""
    parts: xr.DataArray = decision.data["difference_variance"].sel(regimen=rival)
    of_individuals = float(parts.sel(component="individuals"))
    of_draws = float(parts.sum("component")) - of_individuals
    n_draws = decision.utility.sizes["chain"] * decision.utility.sizes["draw"]
    n_subjects = decision.metadata["n_subjects"]
    spread = of_draws**2 / (n_draws - 1) + of_individuals**2 / max(1, n_subjects - 1)
    return (of_draws + of_individuals) ** 2 / spread if spread > 0 else np.inf
