"""Checks of the sampler: a number, the limit it is held to, and what it means where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import arviz_stats
import pandas as pd
import xarray as xr

from qsp_bayes.formatting import count, fixed, join, significant

RHAT_LIMIT, RHAT_FAILURE = 1.01, 1.05
ESS_LIMIT, ESS_FAILURE = 400, 100
DIVERGENT_FAILURE = 0.01
BFMI_LIMIT = 0.3

Level = Literal["good", "caution", "bad"]


@dataclass(frozen=True)
class Check:
    """One number against its limit.

    Attributes
    ----------
    name, value, limit : str
        What is checked, what was found and what is asked, printed.
    level : {"good", "caution", "bad"}
    meaning : str
        What is wrong and what to do; empty where nothing is.
    """

    name: str
    value: str
    limit: str
    level: Level = "good"
    meaning: str = ""


def chains_check(n_chains: int, n_draws: int) -> Check:
    """Ask for more than one chain."""
    found = f"{count(n_chains, 'chain')} of {count(n_draws, 'draw')}"
    if n_chains > 1:
        return Check("Chains", found, "at least 2, better 4")
    meaning = "A single chain cannot show that it missed a part of the posterior: run at least four."
    return Check("Chains", found, "at least 2, better 4", "caution", meaning)


def rhat_check(table: pd.DataFrame) -> Check:
    """Ask that the chains agree. Draws that are not numbers make R-hat undefined, which is a failure."""
    limit = f"below {RHAT_LIMIT}"
    if table[["ess_bulk", "ess_tail"]].isna().any(axis=None):
        missing = table.index[table[["ess_bulk", "ess_tail"]].isna().any(axis="columns")]
        meaning = f"Draws of {named(missing)} are not finite, or too few to judge: run longer, or fit again."
        return Check("Largest R-hat", "undefined", limit, "bad", meaning)
    if table["rhat"].isna().all():
        return Check("Largest R-hat", "not defined for one chain", limit)
    worst = table["rhat"].max()
    found = f"{fixed(worst, 3)} ({table['rhat'].idxmax()})"
    if worst <= RHAT_LIMIT:
        return Check("Largest R-hat", found, limit)
    over = table.index[table["rhat"] > RHAT_LIMIT]
    meaning = (
        f"The chains disagree on {named(over)} (R-hat up to {fixed(worst, 3)}): run longer; if that does "
        "not help, the posterior may have several modes, or data and priors may leave these quantities "
        "undetermined."
    )
    return Check("Largest R-hat", found, limit, "bad" if worst > RHAT_FAILURE else "caution", meaning)


def ess_check(table: pd.DataFrame, kind: Literal["bulk", "tail"]) -> Check:
    """Ask for enough independent draws for medians (bulk) or for the ends of intervals (tail)."""
    size = table[f"ess_{kind}"]
    name, limit = f"Smallest {kind} ESS", f"at least {ESS_LIMIT}"
    if size.isna().any():
        return Check(name, "undefined", limit, "bad")
    found = f"{size.min():.0f} ({size.idxmin()})"
    if size.min() >= ESS_LIMIT:
        return Check(name, found, limit)
    what = {"bulk": "means and medians", "tail": "the ends of the intervals"}[kind]
    meaning = (
        f"There are too few independent draws of {named(size.index[size < ESS_LIMIT])} for precise {what} "
        f"({kind} ESS down to {size.min():.0f}): draw more."
    )
    return Check(name, found, limit, "bad" if size.min() < ESS_FAILURE else "caution", meaning)


def sampler_checks(statistics: xr.Dataset, divergences: xr.Dataset | None = None) -> Iterator[Check]:
    """Judge divergences (see `calibration.divergences`), tree depth and energy, each as far as the fit holds it."""
    if "diverging" in statistics:
        divergent = int(statistics["diverging"].sum())
        share = divergent / statistics["diverging"].size
        ours, causes = attributed(divergences)
        opening = f"{count(divergent, 'divergent transition')} ({significant(100 * share, 2)} % of the draws{causes}): "
        meaning = opening + (
            "the sampler could not follow the posterior everywhere, and the results may be biased. "
            "Raise target_accept, check the priors of the standard deviations, or change between the centred and "
            "the non-centred form."
            if ours < divergent
            else "every one of them comes from a solve that failed, and none from the geometry of the posterior."
        )
        level: Level = "good" if divergent == 0 else "bad" if share > DIVERGENT_FAILURE else "caution"
        found = str(divergent) + causes.replace("; ", " (", 1) + (")" if causes else "")
        yield Check("Divergent transitions", found, "none", level, meaning if divergent else "")
    if "reached_max_treedepth" in statistics:
        deepest = int(statistics["reached_max_treedepth"].sum())
        meaning = (
            f"{count(deepest, 'trajectory').replace('trajectorys', 'trajectories')} stopped at the maximum "
            "tree depth: the results hold, but sampling is slow; rescale or reparametrise, or raise the "
            "maximum."
        )
        level = "good" if deepest == 0 else "caution"
        yield Check(
            "Trajectories at maximum tree depth", str(deepest), "none", level, meaning if deepest else ""
        )
    if "energy" in statistics:
        smallest = float(arviz_stats.bfmi(statistics)["energy"].min())
        meaning = (
            f"E-BFMI is {fixed(smallest, 2)}: the sampler moves slowly between energy levels, which points "
            "to heavy tails or to standard deviations near zero. Tighten their priors or change the "
            "parametrisation."
        )
        low = smallest < BFMI_LIMIT
        yield Check(
            "Smallest E-BFMI",
            fixed(smallest, 2),
            f"at least {BFMI_LIMIT}",
            "caution" if low else "good",
            meaning if low else "",
        )


def attributed(divergences: xr.Dataset | None) -> tuple[int, str]:
    """Count the divergences that are the solver's, and print how many are of which kind.

    Examples
    --------
    >>> kinds = ["solver", "solver", "geometry"]
    >>> attributed(xr.Dataset({"attribution": ("divergence", kinds)}))
    (2, '; solver 2, geometry 1')
    """
    if divergences is None or "attribution" not in divergences:
        return 0, ""
    kinds = pd.Series(divergences["attribution"].to_numpy().astype(object)).value_counts()
    return int(kinds.get("solver", 0)), "; " + ", ".join(f"{kind} {n}" for kind, n in kinds.items())


def named(labels: pd.Index, most: int = 3) -> str:
    """Name the first few and count the others."""
    shown = list(labels[:most])
    return join([*shown, f"{len(labels) - most} more"] if len(labels) > most else shown)
