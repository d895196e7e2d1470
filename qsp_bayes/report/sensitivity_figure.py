"""Global sensitivity: which inputs an output depends on, over time or as bars."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREEN, GREY, INK, LARGE, ORANGE, NotebookFigure, Panel, arrange

# Okabe and Ito's colours; inputs beyond them share the grey.
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK)
SHOWN = {
    "sobol": (("first_order", "Share of variance, alone"), ("total_order", "Share of variance, in all")),
    "morris": (("mean_absolute_effect", "Mean absolute effect"),),
    "rank": (("partial_rank_correlation", "Partial rank correlation"),),
}


def plot_sensitivity(found: xr.Dataset) -> NotebookFigure:
    """Draw sensitivity indices: over time where the output has times, otherwise as bars with their intervals.

    With Sobol's method the left panel is first order and the right one total order: what is higher on the right comes
    from interactions. With Morris's method and a single number, the standard deviation of the effects is drawn against
    their mean absolute value.

    Parameters
    ----------
    found : xarray.Dataset
        From `global_sensitivity` or `sensitivity_indices`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        If the output has other dimensions than ``output`` and ``time``.
    """
    dims = set(found[SHOWN[found.attrs["method"]][0][0]].dims) - {"input"}
    if not dims <= {"output", "time"}:
        raise CalibrationError(
            f"the indices have the dimensions {', '.join(map(str, dims))}; what can be drawn has output and time only. "
            "Select with found.sel(...) first."
        )
    order = ranked(found)
    outputs = [str(name) for name in found["output"].values] if "output" in dims else [""]
    panels = []
    for output in outputs:
        one = found.sel(output=output) if output else found
        for name, words in SHOWN[found.attrs["method"]]:
            title = f"{output}: {words[0].lower()}{words[1:]}" if output else words
            draw = draw_times if "time" in dims else draw_bars
            panels.append(Panel(title, f"{title}.", partial(draw, found=one, name=name, order=order), LARGE))
        if "time" not in dims and found.attrs["method"] == "morris":
            panels.append(
                Panel("Curvature and interactions", "Effects.", partial(draw_effects, found=one), LARGE)
            )
    key = [Key(name, "line", colour_of(order, name)) for name in order] if "time" in dims else ()
    return arrange(panels, 2, key)


def ranked(found: xr.Dataset) -> list[str]:
    """Name the inputs, those with the largest index anywhere first."""
    size = abs(found[SHOWN[found.attrs["method"]][-1][0]])
    largest = size.max([dim for dim in size.dims if dim != "input"]).fillna(0.0)
    return [str(name) for name in found["input"].values[np.argsort(-largest.values, kind="stable")]]


def colour_of(order: list[str], name: str) -> str:
    """Give the colour of an input."""
    position = order.index(name)
    return COLOURS[position] if position < len(COLOURS) else GREY


def draw_times(axes: Axes, found: xr.Dataset, name: str, order: list[str]) -> None:
    """Draw one index of all inputs over time, with its interval."""
    time = found["time"].values
    for one in reversed(order):
        colour = colour_of(order, one)
        centre = found[name].sel(input=one).values
        axes.plot(time, centre, color=colour)
        if f"{name}_error" in found:
            half = found[f"{name}_error"].sel(input=one).values
            axes.fill_between(time, centre - half, centre + half, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.7)
    axes.set_xlabel("Time")
    limit(axes, found.attrs["method"])


def draw_bars(axes: Axes, found: xr.Dataset, name: str, order: list[str]) -> None:
    """Draw one index of all inputs as bars, the largest at the top."""
    one = found.sel(input=order[::-1])
    error = one[f"{name}_error"].values if f"{name}_error" in found else None
    axes.barh(
        order[::-1],
        one[name].values,
        xerr=error,
        color=BLUE,
        alpha=0.7,
        ecolor=INK,
        error_kw={"linewidth": 0.8},
    )
    axes.axvline(0, color=GREY, linewidth=0.7)
    axes.tick_params(axis="y", length=0)


def draw_effects(axes: Axes, found: xr.Dataset) -> None:
    """Draw the standard deviation of elementary effects against their mean absolute value."""
    x, y = found["mean_absolute_effect"].values, found["sd_of_effects"].values
    axes.plot(x, y, "o", color=BLUE)
    for name, a, b in zip(found["input"].values, x, y, strict=True):
        axes.annotate(str(name), (a, b), xytext=(3, 3), textcoords="offset points", color=INK)
    highest = float(max(x.max(), y.max()))
    axes.plot([0, highest], [0, highest], color=GREY, linewidth=0.8, linestyle="--")
    axes.set(xlabel="Mean absolute effect", ylabel="SD of effects", xlim=(0, 1.15 * x.max()), ylim=(0, None))


def limit(axes: Axes, method: str) -> None:
    """Fix the axis of what lies between known bounds."""
    if method == "sobol":
        axes.set_ylim(-0.05, 1.05)
    elif method == "rank":
        axes.set_ylim(-1.05, 1.05)
