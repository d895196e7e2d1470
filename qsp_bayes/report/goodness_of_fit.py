"""Goodness of fit: observations against predictions, and quantile residuals against time and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy.stats import binom, kstest, kstwo, norm

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Figure, Key, Section, Text
from qsp_bayes.report.contents import (
    LIKELIHOOD,
    Observations,
    draws,
    labelled,
    observations,
    require_output,
)
from qsp_bayes.report.cross_validation import CrossValidation, cross_validate
from qsp_bayes.report.formatting import percent
from qsp_bayes.report.integral_transform import probability_integral_transform
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
from qsp_bayes.report.vpc import time_bins

WIDE_RANGE = 30
BAND = 0.95
KEY = (
    Key("observations", "point", INK),
    Key("identity or zero", "line", GREY),
    Key("median of the points in bins", "line", ORANGE),
    Key("95 % band where the model holds", "band", BLUE),
)
PREDICTIVE = {"population_predictive": "population", "posterior_predictive": "individual"}


@dataclass(frozen=True)
class Fitted:
    """Observations with the predictive draws of one kind.

    Attributes
    ----------
    kind : {"population", "individual"}
        For new individuals, or for the individuals observed.
    data : Observations
    prediction : array (obs)
        Median of the predictive draws.
    pit : array (obs)
        Randomised probability integral transform.
    left_out : bool
        Whether each observation is judged by the posterior without it.
    """

    kind: str
    data: Observations
    prediction: np.ndarray
    pit: np.ndarray
    left_out: bool = False

    @property
    def residual(self) -> np.ndarray:
        """Quantile residuals: the probability integral transform on the scale of a standard normal."""
        return norm.ppf(self.pit)

    @property
    def coverage(self) -> float:
        """Share of the observations within their central 90 % predictive interval."""
        return float(np.mean((self.pit >= 0.05) & (self.pit <= 0.95)))

    @property
    def caution(self) -> str:
        """What to bear in mind when reading the residuals."""
        if self.kind == "population":
            return (
                "Observations of one subject rise and fall together, so that the band of the calibration is "
                "narrower than it should be."
            )
        if self.left_out:
            return "Residuals and calibration judge each observation by the posterior without it (PSIS-LOO)."
        return (
            "The same observations served to fit: residuals look smaller than those of new data would "
            "(the fit holds no log_likelihood to leave each out in turn)."
        )

    @property
    def is_adequate(self) -> bool:
        """Whether the interval holds as many observations as it should.

        Asked of individual predictions alone: observations of one subject stand or fall together under those
        for new individuals, which the visual predictive check judges.
        """
        number = self.data.value.size
        return self.kind == "population" or self.coverage * number >= binom.ppf(0.005, number, 0.9)

    @property
    def is_calibrated(self) -> bool:
        """Whether the transform is uniform by the test of Kolmogorov, asked of individual predictions alone."""
        return self.kind == "population" or kstest(self.pit, "uniform").pvalue > 1 - BAND

    @property
    def verdict(self) -> str:
        """How many observations their predictive interval holds, and what speaks against the error model."""
        whose = {"population": "for new individuals", "individual": "of their own individual"}[self.kind]
        sentence = (
            f"{percent(self.coverage)} of the {self.data.value.size} observations of {self.data.output} lie "
            f"within the 90 % predictive intervals {whose}."
        )
        if not self.is_adequate:
            return (
                f"{sentence} These are too few: curves or error model do not fit the individuals; look where."
            )
        if not self.is_calibrated:
            return (
                f"{sentence} Their residuals are not distributed as the error model says: look for trends "
                "below, and compare with another error model, such as Student-t."
            )
        return sentence


def fitted(fit: xr.DataTree, output: str, left_out: CrossValidation | None) -> list[Fitted]:
    """Give the predictive checks that the fit allows, population first.

    Individual predictions are judged by the posterior without the observation, where that is known.
    """
    data = observations(fit, output)
    found = []
    for group, kind in PREDICTIVE.items():
        predictive = draws(fit, group, LIKELIHOOD + output)
        if predictive is not None:
            without = left_out if kind == "individual" else None
            pit = probability_integral_transform(data, predictive, without.weights if without else None)
            found.append(Fitted(kind, data, np.median(predictive, axis=0), pit, without is not None))
    return found


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
