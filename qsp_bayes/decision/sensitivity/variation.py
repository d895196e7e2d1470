"""Variation: what becomes of a recommended regimen when one thing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice.choose import shared_wins
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.simulation_error import SAMPLE, standard_error

Verdict = Literal["stays best", "moved", "not told apart"]
SEPARATED = 2.0
"""Monte Carlo standard errors by which a difference must exceed zero to count as one."""


@dataclass(frozen=True)
class Variation:
    r"""One change, and how the recommended regimen compares with the others under it.

    With :math:`EU` the expected utility under the change, :math:`d_0` the recommended regimen and :math:`d_1` the
    best of the others,

    .. math:: \text{difference} = EU(d_0) - EU(d_1), \qquad \text{regret} = \max(0, -\text{difference}),

    the regret being what is lost by keeping :math:`d_0`. A difference within two Monte Carlo standard errors of zero
    tells neither regimen from the other.

    Attributes
    ----------
    kind : str
        What is changed: ``"priors"``, ``"prior"``, ``"data"``, ``"calibration"``, ``"average"``, ``"group"``,
        ``"solver"``, ``"utility"``.
    label : str
        The change, in words.
    best : str
        Regimen with the highest expected utility under the change.
    rival : str
        The best of the other regimens.
    difference, mcse : float
        In the unit of the utility, with the Monte Carlo standard error.
    p_best : float
        Probability of the recommended regimen to be the best, over what is not known of the population.
    pareto_k, limit : float
        Shape of the importance weights that stand in for a new fit, and up to where they can; NaN where there are
        none.
    note : str
    """

    kind: str
    label: str
    best: str
    rival: str
    difference: float
    mcse: float
    p_best: float
    pareto_k: float = np.nan
    limit: float = np.nan
    note: str = ""

    @property
    def regret(self) -> float:
        """What is lost by keeping the recommended regimen."""
        return max(0.0, -self.difference)

    @property
    def is_reliable(self) -> bool:
        """Whether the draws cover the change, so that weights can stand in for a new fit."""
        return np.isnan(self.limit) or self.pareto_k <= self.limit

    @property
    def verdict(self) -> Verdict:
        """Whether the recommendation stays the best, has moved, or cannot be told from another regimen.

        Examples
        --------
        >>> Variation("group", "women", "b", "b", difference=-0.3, mcse=0.1, p_best=0.0).verdict
        'moved'
        >>> Variation("group", "men", "b", "b", difference=-0.1, mcse=0.1, p_best=0.3).verdict
        'not told apart'
        """
        if not self.is_reliable or abs(self.difference) <= SEPARATED * self.mcse:
            return "not told apart"
        return "stays best" if self.difference > 0 else "moved"


def from_decision(kind: str, label: str, kept: str, decision: Decision, note: str = "") -> Variation:
    """Read the variation off a decision made under the change."""
    table = decision.table
    if kept not in decision.admissible:
        best = decision.best
        gain = table["expected_utility"][best] - table["expected_utility"][kept]
        note = "; ".join(filter(None, [note, f"{kept} breaks a constraint; it would gain {-gain:.3g}"]))
        return Variation(kind, label, best, best, -np.inf, 0.0, 0.0, note=note)
    others = table.loc[decision.admissible].drop(index=kept)
    rival = str(others["expected_utility"].idxmax())
    behind = kept if decision.best != kept else rival
    mcse = float(table["difference_mcse"][behind])
    difference = float(table["expected_utility"][kept] - table["expected_utility"][rival])
    return Variation(
        kind, label, decision.best, rival, difference, mcse, float(table["p_best"][kept]), note=note
    )


def from_draws(
    kind: str, label: str, kept: str, parts: list[tuple[xr.DataArray, xr.DataArray]], **more: float | str
) -> Variation:
    r"""Weigh the draws of one simulation, or of several that together make a mixture.

    With weights :math:`w_s` of mean one and :math:`\Delta_{si}` the utility of individual :math:`i` under the kept
    regimen minus that under another, the estimate is :math:`\bar\Delta = \operatorname{mean}_{si} w_s \Delta_{si}`,
    and its Monte Carlo standard error that of the mean of :math:`w_s (\Delta_{si} - \bar\Delta)`, which counts both
    the uncertainty of the draws and that of the weights, whose sum is not fixed.

    Parameters
    ----------
    parts : list of (DataArray, DataArray)
        Utilities (chain, draw, regimen, subject) and weights (chain, draw), for each member of the mixture; the sum
        of the weights over all draws of a member is its share of the mixture.
    """
    share = [float(weights.sum()) for _, weights in parts]
    normalised = [weights / total for (_, weights), total in zip(parts, share, strict=True)]
    expected = sum(
        part * (weights * u.mean("subject")).sum(SAMPLE)
        for part, weights, (u, _) in zip(share, normalised, parts, strict=True)
    ) / sum(share)
    rival = str(expected.drop_sel(regimen=kept).idxmax("regimen").item())  # type: ignore[union-attr]
    scores, wins = [], 0.0
    for part, weights, (u, _) in zip(share, normalised, parts, strict=True):
        lead = u.sel(regimen=kept, drop=True) - u.sel(regimen=rival, drop=True)
        centre = (weights * lead.mean("subject")).sum(SAMPLE)
        size = weights.size * len(parts) * part / sum(share)
        scores.append(size * weights * (lead - centre))
        won = shared_wins(u.mean("subject")).sel(regimen=kept)
        wins += part / sum(share) * float((weights * won).sum())
    difference = float(expected.sel(regimen=kept) - expected.sel(regimen=rival))  # type: ignore[union-attr]
    return Variation(
        kind,
        label,
        kept if difference >= 0 else rival,
        rival,
        difference,
        float(standard_error(stacked(scores))),
        wins,
        **more,  # type: ignore[arg-type]
    )


def stacked(scores: list[xr.DataArray]) -> xr.DataArray:
    """Put the members of a mixture after each other as chains; their individuals stay the same."""
    if len(scores) == 1:
        return scores[0]
    bare = [
        values.drop_vars([name for name in ("chain", "draw") if name in values.coords]) for values in scores
    ]
    return xr.concat(bare, dim="chain", join="exact")
