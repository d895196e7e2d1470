"""The Pareto front: what each regimen does against what it costs in harm."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from qsp_bayes.decision import ParetoFront
from qsp_bayes.formatting import percent
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.contents import labelled
from qsp_bayes.report.style import BLUE, GREY, INK, ORANGE, NotebookFigure, Panel, arrange

FONT = 7.5
KEY = (
    Key("on the front", "point", ORANGE),
    Key("dominated", "point", BLUE),
    Key("front", "dashes", ORANGE),
    Key("90 % interval", "line", GREY),
)


def plot_pareto(front: ParetoFront) -> NotebookFigure:
    """Draw expected efficacy against expected toxicity of every regimen, and the front.

    The intervals are those of the means over individuals, over what is not known of the population. The probability of
    being on the front is printed in brackets where it is not certain. Where names would stand on each other only the
    first is written, those on the front before others, and of higher efficacy before lower.

    Parameters
    ----------
    front : ParetoFront

    Returns
    -------
    matplotlib.figure.Figure
    """
    alt = f"Efficacy against toxicity of {len(front.table)} regimens; on the front: {', '.join(front.front)}."
    return arrange([Panel("", alt, partial(draw_front, front=front), (6.4, 4.2))], 1, KEY)


def draw_front(axes: Axes, front: ParetoFront) -> None:
    """Draw the regimens with their intervals, and a line through those on the front."""
    table, facts = front.table, front.metadata
    line = table.loc[front.front]
    axes.plot(line["expected_toxicity"], line["expected_efficacy"], "--", color=ORANGE, linewidth=1, zorder=1)
    for label, row in table.iterrows():
        draws = front.data.sel(regimen=label)
        colour = ORANGE if row["on_front"] else BLUE
        x, y = row["expected_toxicity"], row["expected_efficacy"]
        low, high = np.quantile(draws["toxicity"].values, (0.05, 0.95))
        axes.plot([low, high], [y, y], color=GREY, linewidth=0.8, alpha=0.7, zorder=2)
        low, high = np.quantile(draws["efficacy"].values, (0.05, 0.95))
        axes.plot([x, x], [low, high], color=GREY, linewidth=0.8, alpha=0.7, zorder=2)
        axes.plot(x, y, "o", color=colour, markersize=5, zorder=3)
    axes.set(
        xlabel=labelled(f"Toxicity: {facts['toxicity']}", shown_unit(facts["toxicity_unit"])),
        ylabel=labelled(f"Efficacy: {facts['efficacy']}", shown_unit(facts["efficacy_unit"])),
    )
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + 0.22 * (right - left))  # room for the last label
    axes.grid(color=GREY, alpha=0.2, linewidth=0.6)
    name_points(axes, table.sort_values(["on_front", "expected_efficacy"], ascending=False))


def name_points(axes: Axes, table: pd.DataFrame) -> None:
    """Write names beside the points, and how sure their places on the front are, as long as there is room."""
    points_per_pixel = 72 / axes.figure.dpi
    taken: list[tuple[float, float, float]] = []
    for label, row in table.iterrows():
        sure = row["p_on_front"] in (0.0, 1.0)
        text = str(label) if sure else f"{label} ({percent(row['p_on_front'])})"
        at = row["expected_toxicity"], row["expected_efficacy"]
        left, top = axes.transData.transform(at) * points_per_pixel
        right = left + 0.6 * FONT * len(text)
        if any(abs(top - y) < 1.3 * FONT and left < end and right > begin for begin, end, y in taken):
            continue
        taken.append((left, right, top))
        axes.annotate(
            text,
            at,
            xytext=(6, -3),
            textcoords="offset points",
            va="top",
            fontsize=FONT,
            color=INK,
            zorder=4,
        )


def shown_unit(unit: str | None) -> str:
    """Unit for an axis: none for a pure number, and where it is not known."""
    return "" if unit in (None, "1") else str(unit)
