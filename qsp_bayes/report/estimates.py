"""Population estimates by role, with their units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp_bayes.formatting import alike, percent
from qsp_bayes.report.blocks import Block, Column, Section, Table
from qsp_bayes.report.contents import metadata
from qsp_bayes.report.parameters import KINDS, NO_UNIT, Parameter, parameters, shrinkage


def section(fit: xr.DataTree) -> Section:
    """Print the population estimates by role."""
    found = parameters(fit)
    blocks: list[Block] = []
    for kind, caption, _ in KINDS:
        of_kind = [parameter for parameter in found if parameter.kind == kind]
        if of_kind:
            blocks.append(
                variability_table(fit, of_kind, caption)
                if kind == "variability"
                else estimate_table(of_kind, caption)
            )
    return Section("estimates", "Population estimates", blocks)


def estimate_table(found: list[Parameter], caption: str) -> Table:
    """Print medians and 90 % intervals."""
    return Table(
        caption,
        [
            Column("Parameter"),
            Column("Unit"),
            *(Column(title, True) for title in ("Median", "5 %", "95 %", "Relative sd")),
        ],
        [
            (
                parameter.name,
                parameter.unit or NO_UNIT,
                *alike(parameter.posterior[[1, 0, 2]]),
                percent(parameter.relative_sd),
            )
            for parameter in found
        ],
    )


def variability_table(fit: xr.DataTree, found: list[Parameter], caption: str) -> Table:
    """Print standard deviations on the scale of the random effects, and as coefficients of variation."""
    scales = metadata(fit).get("system", {}).get("scales", {})
    rows = []
    for parameter in found:
        varying = parameter.name.split("_", 1)[1]
        scale = scales.get(varying, "log")
        quantiles = parameter.posterior[[1, 0, 2]]
        variation = np.sqrt(np.expm1(quantiles**2)) if scale == "log" else np.full(3, np.nan)
        rows.append(
            (
                parameter.name,
                scale,
                *alike(quantiles),
                *map(percent, variation),
                percent(shrinkage(fit, parameter.name)),
            )
        )
    numbers = ("sd, median", "5 %", "95 %", "CV, median", "5 %", "95 %", "Shrinkage")
    return Table(
        caption,
        [Column("Parameter"), Column("Scale"), *(Column(title, True) for title in numbers)],
        rows,
        note="sd: standard deviation of the random effects on the scale of the parameter. CV: coefficient of "
        "variation of a log-normal parameter, √(exp(sd²) − 1). Shrinkage: how far the individual estimates "
        "are drawn to the population, 0 % where each subject is known exactly.",
    )
