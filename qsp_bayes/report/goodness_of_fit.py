"""Goodness of fit: observations against predictions, and quantile residuals against time and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy.stats import kstwo

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Figure, Key, Section, Text
from qsp_bayes.report.contents import (
    labelled,
    require_output,
)
from qsp_bayes.report.cross_validation import cross_validate
from qsp_bayes.report.fitted import BAND, PREDICTIVE, Fitted, fitted
from qsp_bayes.report.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    NotebookFigure,
    Panel,
    arrange,
    logarithmic,
    picture,
    scatter,
)
from qsp_bayes.report.time_bins import time_bins

WIDE_RANGE = 30
KEY = (
    Key("observations", "point", INK),
    Key("identity or zero", "line", GREY),
    Key("median of the points in bins", "line", ORANGE),
    Key("95 % band where the model holds", "band", BLUE),
)


def plot_goodness_of_fit(fit: xr.DataTree, output: str | None = None) -> NotebookFigure:
    """Draw observations against predictions, quantile residuals against both, and their calibration.

    One row for predictions of new individuals, one for predictions of the individuals observed.

    Parameters
    ----------
    fit : DataTree
        With the group ``population_predictive``, ``posterior_predictive`` or both.
    output : str, optional
        By default the first.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        If the fit holds no predictions of the output.
    """
    output = require_output(fit, output)
    rows = fitted(fit, output, cross_validate(fit, output))
    if not rows:
        raise CalibrationError(
            f"The fit holds no predictions of {output!r}: expected the groups 'population_predictive' or "
            "'posterior_predictive'. Fit with Calibration.fit, which adds them."
        )
    return arrange([panel for row in rows for panel in panels(row)], 4, KEY)


def panels(row: Fitted) -> list[Panel]:
    """Give the four panels of one kind of prediction."""
    data, kind = row.data, row.kind.capitalize()
    what = f"of {data.output}, {row.kind} predictions"
    predicted = labelled(f"{kind} prediction", data.unit)
    return [
        Panel(
            f"{kind}: observed, predicted",
            f"Observations {what}, against the prediction. {row.verdict}",
            partial(draw_observed, row=row, label=predicted),
        ),
        Panel(
            f"{kind}: residual, time",
            f"Quantile residuals {what}, against time.",
            partial(draw_residuals, x=data.time, row=row, label=data.time_label),
        ),
        Panel(
            f"{kind}: residual, prediction",
            f"Quantile residuals {what}, against the prediction.",
            partial(draw_residuals, x=row.prediction, row=row, label=predicted),
        ),
        Panel(
            f"{kind}: calibration",
            f"Difference of the empirical distribution of the probability integral transform {what}, from "
            "uniform.",
            partial(draw_calibration, row=row),
        ),
    ]


def draw_observed(axes: Axes, row: Fitted, label: str) -> None:
    """Draw observations against predictions with the line of identity."""
    both = np.r_[row.prediction, row.data.value]
    if both.min() > 0 and both.max() / both.min() > WIDE_RANGE:
        logarithmic(axes)
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    scatter(axes, row.prediction, row.data.value)
    axes.set(xlabel=label, ylabel=labelled("Observed", row.data.unit))


def draw_residuals(axes: Axes, x: np.ndarray, row: Fitted, label: str) -> None:
    """Draw quantile residuals with their median in bins."""
    axes.axhspan(-1.96, 1.96, color=BLUE, alpha=0.1)
    axes.axhline(0, color=GREY, linewidth=1)
    scatter(axes, x, row.residual)
    bins = time_bins(x, row.data.subject)
    members = [bins == number for number in range(bins.max() + 1)]
    axes.plot(
        *np.transpose([(np.median(x[rows]), np.median(row.residual[rows])) for rows in members]), color=ORANGE
    )
    extent = max(3.2, 1.05 * np.abs(row.residual).max())
    axes.set(xlabel=label, ylabel="Quantile residual", ylim=(-extent, extent))


def draw_calibration(axes: Axes, row: Fitted) -> None:
    """Draw the distribution of the probability integral transform less the uniform, in its band."""
    number = row.pit.size
    place = np.repeat(np.sort(row.pit), 2)
    excess = np.repeat(np.arange(number + 1), 2)[1:-1] / number - place
    half = kstwo.ppf(BAND, number)
    axes.axhspan(-half, half, color=BLUE, alpha=0.1)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(np.r_[0, place, 1], np.r_[0, excess, 0], color=INK, linewidth=1)
    extent = 1.15 * max(half, np.abs(excess).max())
    axes.set(
        xlabel="Probability integral transform",
        ylabel="Excess of its distribution",
        ylim=(-extent, extent),
        xlim=(0, 1),
    )


def section(compared: Mapping[str, Sequence[Fitted]]) -> Section:
    """Show both kinds of prediction of every output."""
    blocks: list[Block] = [
        Text(
            "A quantile residual says where an observation stands among its predictive draws, on the scale "
            "of a standard normal: where the model holds, nineteen in twenty lie between −1.96 and 1.96, "
            "without trend. Censored observations are spread over the probability of being censored."
        )
    ]
    for output, rows in compared.items():
        for row in rows:
            title = f"Goodness of fit of {output}, {row.kind} predictions. {row.caution}"
            blocks += [
                Text(row.verdict, "plain" if row.is_adequate and row.is_calibrated else "caution"),
                Figure(title, list(map(picture, panels(row))), KEY, "large"),
            ]
        for group, kind in PREDICTIVE.items():
            if kind not in {row.kind for row in rows}:
                blocks.append(
                    Text(
                        f"The {kind} predictions of {output} are not shown: the fit holds no group {group}.",
                        "absent",
                    )
                )
    return Section("goodness-of-fit", "Goodness of fit", blocks)
