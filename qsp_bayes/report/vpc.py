"""Visual predictive check: the percentiles of the data within bands of those of replicates."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Figure, Key, Section, Text
from qsp_bayes.report.contents import (
    LIKELIHOOD,
    draws,
    labelled,
    outputs,
)
from qsp_bayes.report.percentiles import PredictiveCheck, predictive_check
from qsp_bayes.report.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    WIDE,
    NotebookFigure,
    Panel,
    arrange,
    picture,
    scatter,
)

PERCENTILE_COLOURS = (BLUE, ORANGE, BLUE)
KEY = (
    Key("observations", "point", GREY),
    Key("observed median", "line", INK),
    Key("observed 5th and 95th percentiles", "dashes", INK),
    Key("simulated median, 90 % interval", "band", ORANGE),
    Key("simulated 5th and 95th percentiles, 90 % intervals", "band", BLUE),
)


def plot_vpc(
    fit: xr.DataTree, output: str | None = None, prediction_corrected: bool = False
) -> NotebookFigure:
    """Draw the visual predictive check of an output.

    Parameters
    ----------
    fit : DataTree
    output : str, optional
        By default the first.
    prediction_corrected : bool
        See :func:`predictive_check`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        See :func:`predictive_check`.
    """
    return arrange(panels(predictive_check(fit, output, prediction_corrected), prediction_corrected), 1, KEY)


def panels(check: PredictiveCheck, prediction_corrected: bool = False) -> list[Panel]:
    """Give the panel of the percentiles and, where data are censored, that of the share below the limit."""
    name = (
        "prediction-corrected visual predictive check" if prediction_corrected else "visual predictive check"
    )
    shown = [
        Panel(
            "",
            f"{name.capitalize()} of {check.data.output} against time in {check.time.size} bins. "
            f"{check.verdict}",
            lambda axes: draw_percentiles(axes, check, prediction_corrected),
            (WIDE[0], 3.6),
        )
    ]
    if check.below.any():
        alt = f"Share of {check.data.output} below the limit of quantification, observed and simulated."
        shown.append(
            Panel("Below the limit of quantification", alt, lambda axes: draw_below(axes, check), WIDE)
        )
    return shown


def draw_percentiles(axes: Axes, check: PredictiveCheck, prediction_corrected: bool) -> None:
    """Draw bands of simulated percentiles under the observed ones."""
    for (low, middle, high), colour in zip(check.simulated, PERCENTILE_COLOURS, strict=True):
        axes.fill_between(check.time, low, high, color=colour, alpha=0.22)
        axes.plot(check.time, middle, color=colour, linewidth=0.8)
    quantified = check.data.censoring == 0
    scatter(axes, check.data.time[quantified], check.data.value[quantified], GREY)
    for values, line in zip(check.observed, ("--", "-", "--"), strict=True):
        axes.plot(check.time, values, line, color=INK)
    lower = check.data.limits[0]
    if np.isfinite(lower) and not prediction_corrected:
        axes.axhline(lower, color=GREEN, linewidth=0.8)
        axes.text(1.01, lower, "LLOQ", transform=axes.get_yaxis_transform(), color=GREEN, va="center")
    label = labelled(f"prediction-corrected {check.data.output}", check.data.unit)
    axes.set(xlabel=check.data.time_label, ylabel=label if prediction_corrected else check.data.value_label)


def draw_below(axes: Axes, check: PredictiveCheck) -> None:
    """Draw the share of observations below the limit of quantification."""
    low, middle, high = check.below_simulated
    axes.fill_between(check.time, low, high, color=BLUE, alpha=0.22)
    axes.plot(check.time, middle, color=BLUE, linewidth=0.8)
    axes.plot(check.time, check.below, "-", color=INK)
    axes.set(xlabel=check.data.time_label, ylabel="Share below the limit", ylim=(-0.02, 1.02))


def section(fit: xr.DataTree) -> Section:
    """Show the check of every output, with and, where possible, prediction-corrected."""
    blocks: list[Block] = [
        Text(
            "The study was replicated with its own doses, times and covariates, and with new individuals "
            "for every posterior draw. A model that describes the population puts the observed percentiles "
            "within the bands of the replicates, about nine times in ten."
        )
    ]
    for output in outputs(fit):
        if draws(fit, "population_predictive", LIKELIHOOD + output) is None:
            blocks.append(
                Text(
                    f"The visual predictive check of {output} is not shown: the fit holds no replicates "
                    "with new individuals (group population_predictive).",
                    "absent",
                )
            )
            continue
        check = predictive_check(fit, output)
        caption = f"Visual predictive check of {output}"
        if check.below.any():
            caption += "; LLOQ, lower limit of quantification, where all below it is drawn"
        blocks += [Text(check.verdict), Figure(caption, list(map(picture, panels(check))), KEY)]
        try:
            corrected = predictive_check(fit, output, prediction_corrected=True)
        except CalibrationError as reason:
            blocks.append(Text(str(reason), "absent"))
            continue
        blocks.append(
            Figure(
                f"Prediction-corrected visual predictive check of {output}: differences of dose and "
                "covariates within a bin are taken out",
                [picture(panels(corrected, True)[0])],
                KEY,
            )
        )
    return Section("vpc", "Visual predictive check", blocks)
