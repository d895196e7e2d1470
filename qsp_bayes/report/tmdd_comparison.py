"""Target-mediated disposition and its approximations: where the curves part, and when the errors matter."""

from __future__ import annotations

from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from qsp_bayes.models.tmdd import TMDDComparison
from qsp_bayes.report.contents import labelled
from qsp_bayes.report.style import BLUE, GREEN, GREY, INK, LOOK, ORANGE, NotebookFigure, Panel, arrange

# The other of Okabe and Ito's colours; neighbours in the list also differ in their dashes.
LINES: dict[str, tuple[str, Any]] = {
    "QE": ("#56B4E9", "-"),
    "QSS": (BLUE, "--"),
    "Wagner": (GREEN, "-."),
    "Michaelis-Menten": (ORANGE, "--"),
    "irreversible": ("#CC79A7", "-"),
    "constant target": ("#E69F00", ":"),
}
SIZE = (2.9, 1.95)
SMALLEST_ERROR, DECADES = 1e-5, 5


def plot_tmdd_comparison(comparison: TMDDComparison) -> NotebookFigure:
    """Draw the full model and its approximations: free drug, total target, occupancy, and the error of free drug.

    One column for each regimen. The full model is the wide grey line beneath; the last row has the relative error of
    the free drug with a logarithmic axis of time, which shows the binding phase, and the tolerance as a dashed line.

    Parameters
    ----------
    comparison : TMDDComparison
        From `compare_tmdd`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    regimens = comparison.data["regimen"].values.tolist()
    rows = [
        ("Cc", "free drug", True),
        ("Rtot", "total target", False),
        ("RO", "occupancy", False),
    ]
    panels = [
        Panel(
            str(regimen) if output == "Cc" else "",
            f"{words} under {regimen} by model.",
            partial(draw_courses, data=comparison.data, output=output, regimen=regimen, log=log),
            SIZE,
        )
        for output, words, log in rows
        for regimen in regimens
    ]
    panels += [
        Panel(
            "",
            f"Relative error of free drug under {regimen} by approximation.",
            partial(draw_errors, comparison=comparison, regimen=regimen),
            SIZE,
        )
        for regimen in regimens
    ]
    figure = arrange(panels, len(regimens))
    add_lines_legend(figure, comparison.data["model"].values.tolist())
    return figure


def add_lines_legend(figure: NotebookFigure, models: list[str]) -> None:
    """Put the legend above the panels: colours and dashes."""
    handles = [Line2D([], [], color=GREY, linewidth=4, alpha=0.5, label="full model")]
    handles += [
        Line2D([], [], color=LINES[name][0], linestyle=LINES[name][1], label=name)
        for name in models
        if name != "full"
    ]
    for columns in range(len(handles), 0, -1):
        with mpl.rc_context(LOOK):
            legend = figure.legend(
                handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.2
            )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + legend.get_window_extent().height / figure.dpi)


def draw_courses(axes: Axes, data: xr.Dataset, output: str, regimen: str, log: bool) -> None:
    """Draw one output of all models under one regimen."""
    chosen = data[output].sel(regimen=regimen)
    time = data["time"].values
    for name in chosen["model"].values.tolist():
        values = chosen.sel(model=name).values
        values = np.where(values > 0, values, np.nan) if log else values
        if name == "full":
            axes.plot(time, values, color=GREY, linewidth=4, alpha=0.5)
        else:
            axes.plot(time, values, color=LINES[name][0], linestyle=LINES[name][1])
    unit = data[output].attrs["units"]
    axes.set(xlabel=labelled("Time", data["time"].attrs["units"]))
    axes.set_ylabel(labelled({"Cc": "Free drug", "Rtot": "Total target", "RO": "Occupancy"}[output], unit))
    if log:
        full = data[output].sel(model="full")
        highest = float(full.max())
        axes.set(
            yscale="log", ylim=(max(highest * 10**-DECADES, float(full.where(full > 0).min())), 2 * highest)
        )
        plain(axes)
    else:
        axes.set_ylim(0, 1.05 if output == "RO" else 1.05 * float(data[output].max()))


def draw_errors(axes: Axes, comparison: TMDDComparison, regimen: str) -> None:
    """Draw the error of the free drug against the logarithm of time."""
    errors = comparison.errors["Cc"].sel(regimen=regimen)
    time = errors["time"].values
    later = time > 0
    for name in errors["model"].values.tolist():
        colour, dashes = LINES[name]
        values = np.maximum(errors.sel(model=name).values, SMALLEST_ERROR)
        axes.plot(time[later], values[later], color=colour, linestyle=dashes)
    axes.axhline(comparison.tolerance, color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set(xscale="log", yscale="log", ylim=(SMALLEST_ERROR, 100))
    plain(axes)
    axes.set_xlabel(labelled("Time", errors["time"].attrs["units"]))
    axes.set_ylabel("Error of free drug")


def plain(axes: Axes) -> None:
    """Write plain numbers at the decades of logarithmic axes, and nothing between."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(numticks=6))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
