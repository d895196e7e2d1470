"""Value of information: what is worth learning before the regimen is chosen, against the most there is."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from qsp_bayes.decision import ValueOfInformation
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREEN, GREY, INK, LARGE, ORANGE, WIDE, NotebookFigure, Panel, arrange

COLOURS = (BLUE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK)
MOST_BARS = 20
BOUND = Key("everything known (EVPI)", "dashes", ORANGE)
FLOOR = Key("noise floor: seems worth this by chance", "point", GREY)
INTERVAL = Key("95 % interval of the Monte Carlo error", "line", INK)


def plot_value_of_information(found: ValueOfInformation) -> NotebookFigure:
    """Draw what each piece of information is worth, as bars, or over the size of the cohort where sizes vary.

    Parameters
    ----------
    found : ValueOfInformation
        From `evpi`, `evppi` or `evsi`. Of many parameters the twenty most valuable are drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = found.table
    if "subjects" in table and table["subjects"].nunique() > 1:
        designs = list(dict.fromkeys(map(design_of, table.index)))
        size = (WIDE[0], LARGE[1])
        key = [Key(name, "line", COLOURS[k % len(COLOURS)]) for k, name in enumerate(designs)]
        draw = partial(draw_sizes, found=found, designs=designs)
    else:
        shown = table.iloc[:MOST_BARS]
        size = (WIDE[0], 0.8 + 0.28 * len(shown))
        key = [INTERVAL, *([FLOOR] if "noise_floor" in table else [])]
        draw = partial(draw_bars, found=found, table=shown)
    return arrange([Panel("", found.summary(), draw, size)], 1, [*key, BOUND])


def design_of(label: str) -> str:
    """Give the name of a design without the number of its subjects.

    Examples
    --------
    >>> design_of("rich, n = 12")
    'rich'
    """
    return str(label).rpartition(", n = ")[0] or str(label)


def draw_bars(axes: Axes, found: ValueOfInformation, table: pd.DataFrame) -> None:
    """Draw one bar for each piece of information, the first on top."""
    place = np.arange(len(table))[::-1]
    value = table["value"].to_numpy()
    axes.barh(place, value, height=0.65, color=BLUE, alpha=0.7)
    axes.hlines(place, table["low"], table["high"], color=INK, linewidth=0.9)
    if "noise_floor" in table:
        axes.plot(table["noise_floor"], place, "o", color=GREY, markeredgewidth=0)
    draw_bound(axes, found, "v")
    axes.set_yticks(place, [str(label) for label in table.index])
    axes.set(xlabel=labelled(found), ylim=(-0.7, len(table) - 0.3))
    axes.set_xlim(min(0.0, float(value.min())), None)
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GREY, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)


def draw_sizes(axes: Axes, found: ValueOfInformation, designs: list[str]) -> None:
    """Draw the value of each design over the number of subjects, with its interval."""
    table = found.table
    names = np.array([design_of(label) for label in table.index])
    for position, name in enumerate(designs):
        one = table[names == name]
        colour = COLOURS[position % len(COLOURS)]
        axes.fill_between(one["subjects"], one["low"], one["high"], color=colour, alpha=0.1, linewidth=0)
        axes.plot(one["subjects"], one["value"], "o-", color=colour)
    draw_bound(axes, found, "h")
    axes.set(xlabel="Subjects", ylabel=labelled(found), xlim=(0, None), ylim=(0, None))


def draw_bound(axes: Axes, found: ValueOfInformation, way: str) -> None:
    """Draw what knowing everything would be worth."""
    about = found.metadata
    low, high = about["evpi"] - 1.96 * about["evpi_mcse"], about["evpi"] + 1.96 * about["evpi_mcse"]
    line, span = (axes.axvline, axes.axvspan) if way == "v" else (axes.axhline, axes.axhspan)
    span(max(low, 0.0), high, color=ORANGE, alpha=0.1, linewidth=0)
    line(about["evpi"], color=ORANGE, linestyle="--", linewidth=1.0)


def labelled(found: ValueOfInformation) -> str:
    """Name the axis of the values."""
    unit = found.metadata["unit"]
    return f"Value for each treated ({unit or 'units of utility'})"
