"""Priors with their provenance, and what the data made of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import alike, fixed, join, percent, significant
from qsp_bayes.report.blocks import Block, Column, Figure, Key, Section, Table, Text
from qsp_bayes.report.contents import variables
from qsp_bayes.report.parameters import NO_UNIT, Parameter, parameters, sensitivity
from qsp_bayes.report.style import BLUE, GREY, SMALL, NotebookFigure, Panel, arrange, picture

SENSITIVE = 0.05
KEY = (Key("prior", "line", GREY), Key("posterior", "band", BLUE))


def plot_prior_posterior(fit: xr.DataTree) -> NotebookFigure:
    """Draw the prior and posterior densities of the population parameters.

    Parameters
    ----------
    fit : DataTree

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        If the fit holds no prior draws.
    """
    shown = panels(parameters(fit))
    if not shown:
        raise CalibrationError(
            "The fit holds no prior draws: expected a group 'prior'. Fit with Calibration.fit, which adds it."
        )
    return arrange(shown, 4, KEY)


def panels(found: list[Parameter]) -> list[Panel]:
    """Give one panel for each parameter that has draws of its prior."""
    return [
        Panel(
            parameter.name,
            f"Prior and posterior density of {parameter.name}; posterior median "
            f"{significant(parameter.posterior[1])} {parameter.unit}.",
            partial(draw_densities, before=parameter.before, after=parameter.after, unit=parameter.unit),
            SMALL,
        )
        for parameter in found
        if parameter.before is not None
    ]


def draw_densities(axes: Axes, before: np.ndarray, after: np.ndarray, unit: str) -> None:
    """Draw both densities over the range where either has weight."""
    positive = before.min() >= 0
    low = min(after.min(), before.min() if positive else np.quantile(before, 0.02))
    high = max(after.max(), np.quantile(before, 0.98))
    for draws, is_posterior in ((before, False), (after, True)):
        inside = draws[(draws >= low) & (draws <= high)]
        kde = arviz_stats.kde(xr.DataArray(inside[None, :], dims=("chain", "draw")))
        grid, density = kde.sel(plot_axis="x").values[::4], kde.sel(plot_axis="y").values[::4]
        density = density * inside.size / draws.size
        if is_posterior:
            axes.fill_between(grid, density, color=BLUE, alpha=0.25)
        axes.plot(grid, density, color=BLUE if is_posterior else GREY)
    axes.set(xlabel=unit, xlim=(0 if positive and low < 0.3 * high else low, high))
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def section(fit: xr.DataTree) -> Section:
    """Print where each prior comes from, and what the data changed."""
    found = [parameter for parameter in parameters(fit) if parameter.prior or parameter.before is not None]
    if not found:
        return Section(
            "priors",
            "Priors and posteriors",
            [Text("Priors are not shown: the fit holds neither their table nor draws.", "absent")],
        )
    blocks: list[Block] = [
        Table(
            "Priors and where they come from",
            [*(Column(title) for title in ("Parameter", "Unit", "Prior")),
             *(Column(title, True) for title in ("Median", "5 %", "95 %")), Column("Source")],
            [
                (
                    parameter.name,
                    parameter.unit or NO_UNIT,
                    (parameter.prior or {}).get("distribution", "–"),
                    *alike(parameter.prior_quantiles[[1, 0, 2]]),
                    source_of(parameter.prior or {}),
                )
                for parameter in found
            ],
        )
    ]  # fmt: skip
    weights = sensitivity(fit, [p.name for p in found if p.name in variables(fit, "posterior")])
    leaning = [name for name, (prior, _) in weights.items() if prior >= SENSITIVE]
    if leaning:
        blocks.append(
            Text(
                f"The posterior of {join(leaning)} depends noticeably on the priors (sensitivity "
                f"{SENSITIVE} or more): the source of these priors matters for the conclusions.",
                "caution",
            )
        )
    elif weights:
        blocks.append(
            Text(f"No posterior depends noticeably on the priors (sensitivity below {SENSITIVE}).", "good")
        )
    else:
        blocks.append(
            Text(
                "Sensitivity to the priors is not shown: the fit holds no log_prior or no log_likelihood.",
                "absent",
            )
        )
    blocks.append(
        Table(
            "What the data changed",
            [Column("Parameter"), Column("Unit"),
             *(Column(title, True) for title in ("Prior median", "Posterior median", "5 %", "95 %",
                                                 "Contraction", "Sensitivity to priors", "to data"))],
            [
                (
                    parameter.name,
                    parameter.unit or NO_UNIT,
                    significant(parameter.prior_quantiles[1]),
                    *alike(parameter.posterior[[1, 0, 2]]),
                    percent(max(0.0, parameter.contraction)),
                    *(fixed(value, 2) for value in weights.get(parameter.name, (np.nan, np.nan))),
                )
                for parameter in found
            ],
            note="Contraction: share of the prior variance that the data took away, on the log scale where "
            "positive. Sensitivity: change of the posterior when the population priors, or the likelihood, "
            "are raised to a power near one; below 0.05 it hardly changes.",
        )
    )  # fmt: skip
    shown = panels(found)
    if shown:
        blocks.append(Figure("Prior and posterior densities", list(map(picture, shown)), KEY, "small"))
    else:
        blocks.append(Text("Densities are not drawn: the fit holds no prior draws (group prior).", "absent"))
    return Section("priors", "Priors and posteriors", blocks)


def source_of(prior: dict[str, Any]) -> str:
    """Print the source of a prior, and whether it is informative."""
    source = str(prior.get("source") or "not stated")
    return f"{source} (informative)" if prior.get("informative") else source
