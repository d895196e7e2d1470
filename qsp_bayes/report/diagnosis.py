"""Whether the sampler did its work: the numbers, the limits they are held to, and a verdict in words."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import fixed, significant
from qsp_bayes.report.blocks import Block, Column, Section, Table, Text, Tone
from qsp_bayes.report.checks import (
    ESS_LIMIT,
    RHAT_LIMIT,
    Check,
    Level,
    chains_check,
    ess_check,
    rhat_check,
    sampler_checks,
)
from qsp_bayes.report.contents import metadata, population, sampled, variables, varying_entries
from qsp_bayes.report.failures import failure_block, failure_checks, failure_table

SHOWN_INDIVIDUAL = 12


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What the sampling diagnostics say of a fit, as made by :func:`diagnose`.

    Attributes
    ----------
    table : DataFrame
        By parameter ``rhat``, ``ess_bulk`` and ``ess_tail``, the worst first.
    checks : tuple of Check
    failures : DataFrame
        What could not be solved, while sampling and in the prior: by subject, state and reason how often, when, and
        how often near the posterior. Empty where everything was solved.
    """

    table: pd.DataFrame
    checks: tuple[Check, ...]
    failures: pd.DataFrame = field(default_factory=pd.DataFrame)

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
            f"{self.failures.to_html(index=False) if len(self.failures) else ''}"
            f"{self.table.head(10).to_html()}"
        )

    def __repr__(self) -> str:
        lines = [f"{check.name}: {check.value} ({check.limit})" for check in self.checks]
        worst = self.table.head(10).to_string(float_format="{:.4g}".format)
        failed = ["", self.failures.to_string(index=False)] if len(self.failures) else []
        return "\n".join([self.verdict, "", *lines, *failed, "", worst])


def diagnose(fit: xr.DataTree) -> Diagnosis:
    """Judge the sampling of a fit.

    Rank-normalised split R-hat, bulk and tail effective sample size (ESS) of every sampled quantity, and of
    the sampler's own statistics the divergent transitions, the tree depth and the energy's Bayesian fraction
    of missing information (E-BFMI). What is computed for every observation is left out: it follows from the
    parameters.

    Divergences that come from a system that could not be solved are told from those of the posterior's geometry,
    by subject, state and time; the verdict says loudly where solves fail near the posterior, which is where no
    coordinate of the sampler's space lies farther from its median than twice the central 99 % interval reaches. Draws
    of posterior and prior that cannot be solved are counted too.

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
    failures = failure_table(fit)
    posterior = variables(fit, "posterior")
    checks = [
        chains_check(posterior.sizes["chain"], posterior.sizes["draw"]),
        rhat_check(table),
        *(ess_check(table, kind) for kind in ("bulk", "tail")),
        *sampler_checks(statistics, variables(fit, "divergences")),
        *failure_checks(fit, failures),
    ]
    return Diagnosis(table, tuple(checks), failures)


def parameter_table(posterior: xr.Dataset) -> pd.DataFrame:
    """Compute R-hat and the effective sample sizes of every scalar entry, the worst first."""
    rows = {
        label: {
            "rhat": float(arviz_stats.rhat(values)) if values.sizes["chain"] > 1 else np.nan,
            "ess_bulk": float(arviz_stats.ess(values, method="bulk")),
            "ess_tail": float(arviz_stats.ess(values, method="tail")),
        }
        for label, values in varying_entries(posterior).items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["rhat", "ess_bulk", "ess_tail"])
    if table.empty:
        return table
    fewest = table[["ess_bulk", "ess_tail"]].min(axis="columns")
    badness = np.maximum(table["rhat"].fillna(1) - 1, 0) / (RHAT_LIMIT - 1) + ESS_LIMIT / fewest
    return table.loc[badness.fillna(np.inf).sort_values(ascending=False, kind="stable").index]


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
    blocks += failure_block(fit, diagnosis.failures)
    if not len(variables(fit, "sample_stats")):
        blocks.append(
            Text("Divergences, tree depth and energy are not shown: the fit holds no sample_stats.", "absent")
        )
    of_population = set(varying_entries(population(variables(fit, "posterior"))))
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
