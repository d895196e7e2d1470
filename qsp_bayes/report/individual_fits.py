"""Individual fits: the observations of each subject, the individual prediction and the population's."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.report.blocks import Block, Figure, Key, Section, Text
from qsp_bayes.report.contents import LIKELIHOOD, Observations, draws, observations, outputs, require_output
from qsp_bayes.report.style import BLUE, INK, ORANGE, SMALL, NotebookFigure, Panel, arrange, picture

MOST_SUBJECTS = 48
KEY = (
    Key("observed", "point", INK),
    Key("individual prediction (median)", "line", BLUE),
    Key("90 % predictive interval", "band", BLUE),
    Key("population prediction (median)", "dashes", ORANGE),
)


def plot_individual_fits(
    fit: xr.DataTree, output: str | None = None, subjects: list[str] | None = None
) -> NotebookFigure:
    """Draw the observations of each subject with the individual and the population prediction.

    Predictions stand at the times of the observations; lines between them only guide the eye.

    Parameters
    ----------
    fit : DataTree
    output : str, optional
        By default the first.
    subjects : list of str, optional
        By default all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        If the output is not observed in this fit.
    """
    return arrange(panels(fit, require_output(fit, output), subjects), 4, KEY)


def panels(fit: xr.DataTree, output: str, subjects: list[str] | None = None) -> list[Panel]:
    """Give one panel for each subject, all on the same axes."""
    data = observations(fit, output)
    curves = {
        "individual": summarised(draws(fit, "posterior", output), [50]),
        "interval": summarised(draws(fit, "posterior_predictive", LIKELIHOOD + output), [5, 95]),
        "population": summarised(draws(fit, "population_predictive", LIKELIHOOD + output), [50]),
    }
    highest = max([data.value.max(), *(np.max(curve) for curve in curves.values())])
    lowest = min(0.0, data.value.min())
    return [
        Panel(
            f"Subject {subject}",
            f"Observed {output} of subject {subject} against time with individual and population prediction.",
            partial(draw_subject, subject=subject, data=data, curves=curves, ylim=(lowest, 1.05 * highest)),
            SMALL,
        )
        for subject in subjects or dict.fromkeys(data.subject)
    ]


def summarised(values: np.ndarray | None, percentiles: list[int]) -> np.ndarray:
    """Give percentiles over the draws; none where there are no draws."""
    return np.full((1, 1), -np.inf) if values is None else np.percentile(values, percentiles, axis=0)


def draw_subject(
    axes: Axes, subject: str, data: Observations, curves: dict[str, np.ndarray], ylim: tuple[float, float]
) -> None:
    """Draw one subject."""
    rows = np.flatnonzero(data.subject == subject)
    rows = rows[np.argsort(data.time[rows], kind="stable")]
    time = data.time[rows]
    if len(curves["interval"]) > 1:
        axes.fill_between(time, *curves["interval"][:, rows], color=BLUE, alpha=0.2)
    for name, line, colour in (("population", "--", ORANGE), ("individual", "-", BLUE)):
        if curves[name].shape[1] > 1:
            axes.plot(time, curves[name][0, rows], line, color=colour)
    quantified = data.censoring[rows] == 0
    axes.plot(time[quantified], data.value[rows][quantified], "o", color=INK)
    for side, marker in ((1, "v"), (-1, "^")):
        censored = data.censoring[rows] == side
        axes.plot(time[censored], data.value[rows][censored], marker, color=INK, markerfacecolor="none")
    margin = 0.03 * np.ptp(data.time)
    axes.set(
        xlabel=data.time_label,
        ylabel=data.value_label,
        ylim=ylim,
        xlim=(data.time.min() - margin, data.time.max() + margin),
    )


def section(fit: xr.DataTree) -> Section:
    """Show each subject, as far as the page stays light."""
    blocks: list[Block] = []
    for output in outputs(fit):
        shown = panels(fit, output)
        if len(shown) > MOST_SUBJECTS:
            blocks.append(
                Text(
                    f"The first {MOST_SUBJECTS} of {len(shown)} subjects are shown; "
                    f"plot_individual_fits(fit, {output!r}, subjects=[...]) draws the others."
                )
            )
        absent = [
            f"{what} (group {group})"
            for what, group, name in (
                ("individual predictions", "posterior", output),
                ("predictive intervals", "posterior_predictive", LIKELIHOOD + output),
                ("population predictions", "population_predictive", LIKELIHOOD + output),
            )
            if draws(fit, group, name) is None
        ]
        if absent:
            blocks.append(
                Text(f"The fit holds no {' and no '.join(absent)} of {output}; they are not drawn.", "absent")
            )
        censored = (
            " Triangles mark observations beyond a limit of quantification."
            if observations(fit, output).censoring.any()
            else ""
        )
        caption = f"Observed and predicted {output} of each subject, all on the same axes.{censored}"
        blocks.append(Figure(caption, list(map(picture, shown[:MOST_SUBJECTS])), KEY, "small"))
    return Section("individuals", "Individual fits", blocks)
