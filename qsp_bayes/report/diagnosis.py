"""Whether the sampler did its work: the numbers, the limits they are held to, and a verdict in words."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Column, Section, Table, Text, Tone
from qsp_bayes.report.contents import metadata, population, sampled, scalars, variables
from qsp_bayes.report.formatting import count, fixed, join, significant

RHAT_LIMIT, RHAT_FAILURE = 1.01, 1.05
ESS_LIMIT, ESS_FAILURE = 400, 100
DIVERGENT_FAILURE = 0.01
BFMI_LIMIT = 0.3
SHOWN_INDIVIDUAL = 12

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


@dataclass(frozen=True)
class Diagnosis:
    """What the sampling diagnostics say of a fit, as made by :func:`diagnose`.

    Attributes
    ----------
    table : DataFrame
        By parameter ``rhat``, ``ess_bulk`` and ``ess_tail``, the worst first.
    checks : tuple of Check
    """

    table: pd.DataFrame
    checks: tuple[Check, ...]

    @property
    def level(self) -> Level:
        """The worst level of all checks."""
        return max((check.level for check in self.checks), key=("good", "caution", "bad").index)

    @property
    def verdict(self) -> str:
        """Whether the posterior can be used, and if not, what is wrong and what to do."""
        opening = {
            "good": "The chains agree; nothing here speaks against using the posterior.",
            "caution": "Use this posterior with caution.",
            "bad": "Do not use this posterior.",
        }[self.level]
        return " ".join([opening, *(check.meaning for check in self.checks if check.meaning)])

    def _repr_html_(self) -> str:
        cells = [(check.name, check.value, check.limit) for check in self.checks]
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in cells
        )
        return (
            f"<p><strong>{html.escape(self.verdict)}</strong></p>"
            f"<table><tr><th>check</th><th>found</th><th>asked</th></tr>{rows}</table>"
            f"{self.table.head(10).to_html()}"
        )

    def __str__(self) -> str:
        """Print the verdict, the checks and the ten worst parameters."""
        lines = [f"{check.name}: {check.value} ({check.limit})" for check in self.checks]
        worst = self.table.head(10).to_string(float_format="{:.4g}".format)
        return "\n".join([self.verdict, "", *lines, "", worst])


def diagnose(fit: xr.DataTree) -> Diagnosis:
    """Judge the sampling of a fit.

    Rank-normalised split R-hat, bulk and tail effective sample size (ESS) of every sampled quantity, and of
    the sampler's own statistics the divergent transitions, the tree depth and the energy's Bayesian fraction
    of missing information (E-BFMI). What is computed for every observation is left out: it follows from the
    parameters.

    Parameters
    ----------
    fit : DataTree
        With a group ``posterior`` and, as far as available, ``sample_stats``.

    Returns
    -------
    Diagnosis

    Raises
    ------
    CalibrationError
        If there is no posterior.

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner PC. Rank-normalization, folding, and localization: an
    improved R-hat for assessing convergence of MCMC. Bayesian Analysis 16 (2021) 667-718. Betancourt M. A
    conceptual introduction to Hamiltonian Monte Carlo. arXiv 1701.02434 (2018).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> draws = xr.Dataset({"TVCL": (("chain", "draw"), rng.normal(size=(4, 500)))})
    >>> diagnose(xr.DataTree.from_dict({"posterior": draws})).verdict
    'The chains agree; nothing here speaks against using the posterior.'
    >>> apart = draws + xr.DataArray([0.0, 0.0, 0.0, 3.0], dims="chain")
    >>> diagnose(xr.DataTree.from_dict({"posterior": apart})).level
    'bad'
    """
    table = parameter_table(sampled(fit))
    if table.empty:
        raise CalibrationError(
            "The fit holds no posterior draws: expected a group 'posterior' with dimensions chain and draw. "
            "Fit again with Calibration.fit."
        )
    statistics = variables(fit, "sample_stats")
    posterior = variables(fit, "posterior")
    checks = [
        chains_check(posterior.sizes["chain"], posterior.sizes["draw"]),
        rhat_check(table),
        *(ess_check(table, kind) for kind in ("bulk", "tail")),
        *sampler_checks(statistics),
    ]
    return Diagnosis(table, tuple(checks))


def parameter_table(posterior: xr.Dataset) -> pd.DataFrame:
    """Compute R-hat and the effective sample sizes of every scalar entry, the worst first."""
    rows = {
        label: {
            "rhat": float(arviz_stats.rhat(values)) if values.sizes["chain"] > 1 else np.nan,
            "ess_bulk": float(arviz_stats.ess(values, method="bulk")),
            "ess_tail": float(arviz_stats.ess(values, method="tail")),
        }
        for label, values in scalars(posterior).items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["rhat", "ess_bulk", "ess_tail"])
    if table.empty:
        return table
    fewest = table[["ess_bulk", "ess_tail"]].min(axis="columns")
    badness = np.maximum(table["rhat"].fillna(1) - 1, 0) / (RHAT_LIMIT - 1) + ESS_LIMIT / fewest
    return table.loc[badness.fillna(np.inf).sort_values(ascending=False, kind="stable").index]


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


def sampler_checks(statistics: xr.Dataset) -> Iterator[Check]:
    """Judge divergences, tree depth and energy, each as far as the fit holds it."""
    if "diverging" in statistics:
        divergent = int(statistics["diverging"].sum())
        share = divergent / statistics["diverging"].size
        meaning = (
            f"{count(divergent, 'divergent transition')} ({significant(100 * share, 2)} % of the draws): "
            "the sampler could not follow the posterior everywhere, and the results may be biased. Raise "
            "target_accept, check the priors of the standard deviations, or change between the centred and "
            "the non-centred form."
        )
        level: Level = "good" if divergent == 0 else "bad" if share > DIVERGENT_FAILURE else "caution"
        yield Check("Divergent transitions", str(divergent), "none", level, meaning if divergent else "")
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


def named(labels: pd.Index, most: int = 3) -> str:
    """Name the first few and count the others."""
    shown = list(labels[:most])
    return join([*shown, f"{len(labels) - most} more"] if len(labels) > most else shown)


def section(fit: xr.DataTree, diagnosis: Diagnosis) -> Section:
    """Print the verdict, the checks, and the parameters, worst first."""
    tone: Tone = diagnosis.level
    words = {"good": "passed", "caution": "caution", "bad": "failed"}
    blocks: list[Block] = [
        Text(diagnosis.verdict, tone),
        Table(
            "Sampling diagnostics and the limits they are held to",
            [Column("Check"), Column("Found"), Column("Asked"), Column("Result")],
            [(check.name, check.value, check.limit, words[check.level]) for check in diagnosis.checks],
            marked=[row for row, check in enumerate(diagnosis.checks) if check.level != "good"],
        ),
    ]
    if not len(variables(fit, "sample_stats")):
        blocks.append(
            Text("Divergences, tree depth and energy are not shown: the fit holds no sample_stats.", "absent")
        )
    of_population = set(scalars(population(variables(fit, "posterior"))))
    is_population = diagnosis.table.index.isin(of_population)
    blocks.append(
        parameter_block(
            diagnosis.table[is_population], "Convergence of the population parameters, worst first"
        )
    )
    individual = diagnosis.table[~is_population]
    if len(individual):
        caption = (
            f"Convergence of the individual quantities, the {SHOWN_INDIVIDUAL} worst of {len(individual)}"
        )
        if len(individual) <= SHOWN_INDIVIDUAL:
            caption = "Convergence of the individual quantities, worst first"
        blocks.append(parameter_block(individual[:SHOWN_INDIVIDUAL], caption))
    seconds = metadata(fit).get("sampling", {}).get("seconds")
    if seconds:
        fewest = diagnosis.table["ess_bulk"].min()
        blocks.append(
            Text(
                f"Sampling took {significant(seconds, 2)} s; the slowest quantity gained "
                f"{significant(fewest / seconds, 2)} independent draws (bulk ESS) per second."
            )
        )
    return Section("diagnostics", "Sampling diagnostics", blocks)


def parameter_block(table: pd.DataFrame, caption: str) -> Table:
    """Print R-hat and effective sample sizes."""
    return Table(
        caption,
        [Column("Parameter"), Column("R-hat", True), Column("Bulk ESS", True), Column("Tail ESS", True)],
        [
            (str(label), fixed(row["rhat"], 3), fixed(row["ess_bulk"], 0), fixed(row["ess_tail"], 0))
            for label, row in table.iterrows()
        ],
    )
