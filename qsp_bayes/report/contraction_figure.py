"""Contraction: prior and posterior of every population variable, on one axis of prior standard deviations."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.formatting import percent
from qsp_bayes.identifiability import Contraction, contraction
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREEN, GREY, INK, ORANGE, WIDE, NotebookFigure, Panel, arrange

COLOURS = {"informed": BLUE, "partly": GREEN, "not informed": ORANGE}
KEY = (
    Key("prior, 90 %", "band", GREY),
    *(Key(f"posterior, 90 %: {word}", "line", colour) for word, colour in COLOURS.items()),
    Key("posterior median", "point", INK),
)
WIDEST = 4.0


def plot_contraction(found: xr.DataTree | Contraction) -> NotebookFigure:
    """Draw what the data made of each prior, the most informed variable on top.

    Every variable is on its own scale (log where positive), in prior standard deviations from the prior's mean. A
    posterior as wide as the grey band has learnt nothing; a narrow one in the middle confirms the prior; one beside the
    band contradicts it. The number is the contraction.

    Parameters
    ----------
    found : DataTree or Contraction
        A fit, or what `contraction` says of it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    told = found if isinstance(found, Contraction) else contraction(found)
    return arrange([panel(told)], 1, KEY)


def panel(told: Contraction) -> Panel:
    """Give the panel."""
    number = len(told.table)
    alt = f"Prior and posterior of {number} variables in prior standard deviations. {told.summary()}"
    return Panel("", alt, partial(draw_intervals, told=told), (WIDE[0], 0.8 + 0.24 * number))


def draw_intervals(axes: Axes, told: Contraction) -> None:
    """Draw one line for each variable."""
    table = told.table.sort_values("contraction", ascending=False, kind="stable")
    intervals = told.intervals.loc[table.index]
    edge = max(WIDEST, 1.1 * float(np.abs(intervals.filter(like="q")).to_numpy().max()))
    for place, (name, row) in zip(range(len(table))[::-1], intervals.iterrows(), strict=True):
        colour = COLOURS[str(table.at[name, "verdict"])]
        axes.fill_between(
            [row["prior_q05"], row["prior_q95"]], place - 0.32, place + 0.32, color=GREY, alpha=0.25
        )
        axes.plot([row["posterior_q05"], row["posterior_q95"]], [place, place], color=colour, linewidth=2.4)
        axes.plot(row["posterior_median"], place, "o", color=INK)
        share = percent(max(0.0, float(table.at[name, "contraction"])))
        axes.annotate(share, (edge, place), ha="right", va="center", color=colour)
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.set_yticks(range(len(table))[::-1], [str(name) for name in table.index])
    axes.set(
        xlabel="Prior standard deviations from the prior mean (right: contraction)",
        xlim=(-edge, edge),
        ylim=(-0.7, len(table) - 0.3),
    )
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
