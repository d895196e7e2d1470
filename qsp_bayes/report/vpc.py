"""Visual predictive check: percentiles of the data against those of replicates with new individuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Figure, Key, Section, Text
from qsp_bayes.report.contents import (
    LIKELIHOOD,
    Observations,
    draws,
    labelled,
    observations,
    outputs,
    require_output,
)
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

PERCENTILES = (5, 50, 95)
PERCENTILE_COLOURS = (BLUE, ORANGE, BLUE)
LOWEST_PER_BIN = 5
FEWEST_BINS, MOST_BINS = 6, 15
ADEQUATE = 0.75
KEY = (
    Key("observations", "point", GREY),
    Key("observed median", "line", INK),
    Key("observed 5th and 95th percentiles", "dashes", INK),
    Key("simulated median, 90 % interval", "band", ORANGE),
    Key("simulated 5th and 95th percentiles, 90 % intervals", "band", BLUE),
)


@dataclass(frozen=True)
class PredictiveCheck:
    """Binned percentiles of the data and of replicates.

    Attributes
    ----------
    data : Observations
        With the values that are drawn, prediction-corrected where asked.
    bins : array of int
        Bin of each observation, numbered by time.
    time : array (bin)
        Median time of the observations of the bin.
    observed : array (percentile, bin)
    simulated : array (percentile, bound, bin)
        5th, 50th and 95th percentile over replicates of each percentile.
    below : array (bin), below_simulated : array (bound, bin)
        Share of observations below the lower limit of quantification, observed and simulated.
    """

    data: Observations
    bins: np.ndarray
    time: np.ndarray
    observed: np.ndarray
    simulated: np.ndarray
    below: np.ndarray
    below_simulated: np.ndarray

    @property
    def share_within(self) -> float:
        """Share of the observed percentiles within the 90 % interval of their replicates."""
        low, _, high = np.moveaxis(self.simulated, 1, 0)
        return float(np.mean((low <= self.observed) & (self.observed <= high)))

    @property
    def median_outside(self) -> tuple[float, float]:
        """Share of the bins where the observed median lies below, and where it lies above, the interval."""
        low, _, high = self.simulated[1]
        return float(np.mean(self.observed[1] < low)), float(np.mean(self.observed[1] > high))

    @property
    def is_adequate(self) -> bool:
        """Whether three in four of all percentiles, and of the medians, lie within their intervals."""
        return self.share_within >= ADEQUATE and sum(self.median_outside) <= 1 - ADEQUATE

    @property
    def verdict(self) -> str:
        """How the data compare with the replicates, in words."""
        inside, total = round(self.share_within * self.observed.size), self.observed.size
        low, high = self.median_outside
        if self.is_adequate:
            meaning = "The model reproduces the typical course and the spread of the data."
        elif low + high > 1 - ADEQUATE:
            side = "below" if low > high else "above"
            meaning = f"The observed median runs {side} the model's in part of the study: look where."
        else:
            meaning = (
                "The model does not reproduce the spread of the data: look at variability and error model."
            )
        return (
            f"{inside} of {total} observed percentiles lie within the 90 % intervals of replicates. {meaning}"
        )


def predictive_check(
    fit: xr.DataTree, output: str | None = None, prediction_corrected: bool = False
) -> PredictiveCheck:
    r"""Compare percentiles of the data with those of replicates of the study.

    Replicates have the study's design and new individuals for every posterior draw (group
    ``population_predictive``). Times are binned at their natural clusters (see :func:`time_bins`). What lies
    beyond a limit of quantification is set at that limit in the data and in the replicates. With prediction
    correction

    .. math:: y_i^{pc} = y_i \, \frac{\operatorname{median}_{j \in bin(i)} \hat y_j}{\hat y_i},

    where :math:`\hat y_i` is the median of the replicates of observation i: doses, covariates and times that
    differ within a bin no longer widen the bands.

    Parameters
    ----------
    fit : DataTree
    output : str, optional
        By default the first.
    prediction_corrected : bool

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    CalibrationError
        If the fit holds no population predictions, or some are not positive where they are to be corrected.

    References
    ----------
    Bergstrand M, Hooker AC, Wallin JE, Karlsson MO. Prediction-corrected visual predictive checks for
    diagnosing nonlinear mixed-effects models. AAPS J 13 (2011) 143-151.
    """
    output = require_output(fit, output)
    data = observations(fit, output)
    replicates = draws(fit, "population_predictive", LIKELIHOOD + output)
    if replicates is None:
        raise CalibrationError(
            f"The fit holds no population predictions of {output!r}: expected the group "
            "'population_predictive', replicates of the study with new individuals. Fit with "
            "Calibration.fit, which adds it."
        )
    bins = time_bins(data.time, data.subject)
    lower = data.limits[0]
    below = np.isfinite(lower) & (data.censoring == 1)
    below_simulated = np.isfinite(lower) & (replicates <= lower)
    value, replicates = data.quantified(data.value), data.quantified(replicates)
    if prediction_corrected:
        factor = correction(np.median(replicates, axis=0), bins, output)
        value, replicates = value * factor, replicates * factor
    members = [np.flatnonzero(bins == number) for number in range(bins.max() + 1)]
    percentiles = np.stack(
        [np.percentile(replicates[:, rows], PERCENTILES, axis=1) for rows in members], axis=-1
    )
    shares = np.stack([below_simulated[:, rows].mean(axis=1) for rows in members], axis=-1)
    return PredictiveCheck(
        data=Observations(output, data.unit, data.time_unit, data.subject, data.time, value, data.censoring),
        bins=bins,
        time=np.array([np.median(data.time[rows]) for rows in members]),
        observed=np.stack([np.percentile(value[rows], PERCENTILES) for rows in members], axis=-1),
        simulated=np.percentile(percentiles, PERCENTILES, axis=1).swapaxes(0, 1),
        below=np.array([below[rows].mean() for rows in members]),
        below_simulated=np.percentile(shares, PERCENTILES, axis=0),
    )


def correction(prediction: np.ndarray, bins: np.ndarray, output: str) -> np.ndarray:
    """Give the factor that moves each observation to the median prediction of its bin."""
    if not (prediction > 0).all():
        raise CalibrationError(
            f"Prediction correction divides by the median prediction of {output!r}, and "
            f"{np.sum(prediction <= 0)} of {len(prediction)} are not positive. Draw the check without "
            "correction."
        )
    centre = np.array([np.median(prediction[bins == number]) for number in range(bins.max() + 1)])
    return centre[bins] / prediction


def time_bins(time: np.ndarray, subject: np.ndarray) -> np.ndarray:
    r"""Bin times at their natural clusters: actual times return to the nominal times they were planned for.

    The partition of the ordered times into k intervals of at least five observations with the smallest sum of
    squares around the interval means of :math:`\sqrt t`, found exactly by dynamic programming. Early times,
    which are planned closer together, count more on that scale. k is the median number of observations of a
    subject, at least 6 and at most 15, as far as the number of observations and of distinct times allows.

    Returns
    -------
    array of int
        Bin of each observation, numbered by time.

    References
    ----------
    Fisher WD. On grouping for maximum homogeneity. JASA 53 (1958) 789-798. Lavielle M, Bleakley K. Automatic
    data binning for improved visual diagnosis of pharmacometric models. J Pharmacokinet Pharmacodyn 38 (2011)
    861-871.

    Examples
    --------
    >>> planned, late = np.tile([1.0, 4.0, 24.0], 5), np.linspace(0.0, 0.5, 15)
    >>> time_bins(planned + late, np.repeat(list("abcde"), 3))
    array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    """
    distinct, inverse, size = np.unique(time, return_inverse=True, return_counts=True)
    typical = int(np.median(np.unique(subject, return_counts=True)[1]))
    wanted = max(1, min(max(typical, FEWEST_BINS), MOST_BINS, len(distinct), len(time) // LOWEST_PER_BIN))
    lowest = min(LOWEST_PER_BIN, len(time))
    scale = np.sqrt(distinct - distinct[0])
    total, first, second = (np.r_[0.0, np.cumsum(size * scale**power)] for power in (0, 1, 2))

    def costs(best: np.ndarray, end: int) -> np.ndarray:
        """Give the cost of the best partition of the times before `end` by the start of its last bin."""
        number = total[end] - total[:end]
        spread = second[end] - second[:end] - (first[end] - first[:end]) ** 2 / number
        return best[:end] + np.where(number >= lowest, spread, np.inf)

    ends = range(1, len(distinct) + 1)
    best = np.r_[0.0, np.full(len(distinct), np.inf)]
    cuts, feasible = [], 0
    for number in range(1, wanted + 1):
        found = [costs(best, end) for end in ends]
        cuts.append([0, *(int(cost.argmin()) for cost in found)])
        best = np.r_[np.inf, [cost.min() for cost in found]]
        feasible = number if np.isfinite(best[-1]) else feasible
    starts = [len(distinct)]
    for cut in reversed(cuts[:feasible]):
        starts.append(cut[starts[-1]])
    return np.searchsorted(starts[:0:-1], inverse, side="right") - 1


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
