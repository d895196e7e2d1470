"""Profiles of the likelihood: what the data alone say of each variable of the population."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.formatting import interval
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREY, INK, ORANGE, SMALL, NotebookFigure, Panel, arrange

KEY = (
    Key("profile", "line", BLUE),
    Key("as normal with the standard error", "dashes", GREY),
    Key("limit of the interval", "point", ORANGE),
)
HIGHEST = 1.6
"""Of the axis, in thresholds."""
MARGIN = 0.05
WIDEST_LINEAR = 8.0
"""Ratio of the ends of a positive axis from which it is logarithmic."""


def plot_profiles(profiles: xr.Dataset) -> NotebookFigure:
    """Draw the deviance along each profile, the threshold, and the limits of the intervals.

    A profile that stays below the threshold is open to that side: the data set no limit there. The dashed line is what
    Wald's interval takes the profile for, a parabola on the unconstrained scale.

    Parameters
    ----------
    profiles : xarray.Dataset
        From `profile_likelihood`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [
        Panel(
            str(name),
            f"Profile of {name}: {profiles.verdict.sel(variable=name).item()}; interval "
            f"{interval(profiles.lower.sel(variable=name).item(), profiles.upper.sel(variable=name).item())}.",
            partial(draw_profile, profile=profiles.sel(variable=name), threshold=profiles.attrs["threshold"]),
            SMALL,
        )
        for name in profiles["variable"].values
    ]
    return arrange(panels, 4, KEY)


def draw_profile(axes: Axes, profile: xr.Dataset, threshold: float) -> None:
    """Draw one profile."""
    value, deviance = profile.value.values, profile.deviance.values
    known = np.isfinite(value) & np.isfinite(deviance)
    value, deviance = value[known], deviance[known]
    shown = deviance < HIGHEST * threshold
    if (value[shown] > 0).all() and value[shown].max() > WIDEST_LINEAR * value[shown].min():
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.plot(value, profile.parabola.values[known], color=GREY, linestyle="--", linewidth=0.9)
    axes.plot(value, deviance, color=BLUE)
    axes.axhline(threshold, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
    limits = [float(profile[end]) for end in ("lower", "upper")]
    closed = [x for x in limits if np.isfinite(x) and value.min() <= x <= value.max()]
    axes.plot(closed, [threshold] * len(closed), "o", color=ORANGE)
    low, high = value[shown].min(), value[shown].max()
    if axes.get_xscale() == "log":
        axes.set_xlim(low * (low / high) ** MARGIN, high * (high / low) ** MARGIN)
    else:
        axes.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
    axes.set_ylim(0, HIGHEST * threshold)
    axes.set_ylabel("Deviance")
    if "open" in (words := str(profile.verdict.item())) or "flat" in words:
        axes.set_xlabel(words.split(":")[0], color=ORANGE)
