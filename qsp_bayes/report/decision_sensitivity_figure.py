"""Whether a recommendation moves: what another regimen would gain under each variation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from qsp_bayes.decision import DecisionSensitivity
from qsp_bayes.formatting import alike, fixed, percent
from qsp_bayes.report.blocks import Block, Column, Figure, Key, Table, Text
from qsp_bayes.report.contents import labelled
from qsp_bayes.report.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    WIDE,
    NotebookFigure,
    Panel,
    arrange,
    picture,
)

COLOURS = {"stays best": BLUE, "moved": ORANGE, "not told apart": GREY}
KEY = (
    Key("recommended stays best", "point", BLUE),
    Key("another is better", "point", ORANGE),
    Key("not told apart", "point", GREY),
    Key("two Monte Carlo standard errors", "line", GREY),
)
POWER = " to the power "


def plot_decision_sensitivity(sensitivity: DecisionSensitivity) -> NotebookFigure:
    """Draw what another regimen would gain over the recommended one under each variation.

    To the right of zero the gain is the regret of keeping the recommendation; to the left, what the recommended
    regimen is still ahead by. Bars are two Monte Carlo standard errors. The smallest difference that matters is
    shaded from where it begins, where it was stated; a dotted line marks the expected regret of the decision itself.
    Both powers of a prior or of the data share a row; the marker of a variation of the utility is hollow, for its
    unit is its own.

    Parameters
    ----------
    sensitivity : DecisionSensitivity
        From `decision_sensitivity`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return arrange([panel(sensitivity)], 1, KEY)


def panel(sensitivity: DecisionSensitivity) -> Panel:
    """Give the panel."""
    rows = len(rows_of(sensitivity.table))
    alt = f"Gain of another regimen over {sensitivity.recommended} under {rows} variations. {sensitivity.summary()}"
    return Panel("", alt, partial(draw, sensitivity=sensitivity), (WIDE[0], 0.8 + 0.27 * max(rows, 2)))


def rows_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Put the powers of one part in one row.

    Examples
    --------
    >>> table = pd.DataFrame(index=["data to the power 0.8", "data to the power 1.25", "WT 50 to 60"])
    >>> list(rows_of(table))
    ['data', 'WT 50 to 60']
    """
    what = [str(label).partition(POWER)[0] for label in table.index]
    return {str(name): part for name, part in table.groupby(what, sort=False)}


def least_favourable(table: pd.DataFrame) -> pd.DataFrame:
    """Keep, of the powers of one part, the one that leaves the recommended regimen least ahead."""
    return pd.concat([part.loc[[part["difference"].idxmin()]] for part in rows_of(table).values()])


def draw(axes: Axes, sensitivity: DecisionSensitivity) -> None:
    """Draw a row for each variation."""
    facts, rows = sensitivity.metadata, rows_of(sensitivity.table)
    places = range(len(rows))[::-1]
    for place, part in zip(places, rows.values(), strict=True):
        offsets = np.linspace(-0.14, 0.14, len(part)) if len(part) > 1 else [0.0]
        for offset, (_, row) in zip(offsets, part.iterrows(), strict=True):
            draw_point(axes, row, place - offset)
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.axvline(facts["expected_regret"], color=INK, linewidth=0.7, linestyle=":")
    if facts["matters"] is not None:
        right = max(axes.get_xlim()[1], 1.15 * facts["matters"])
        axes.set_xlim(axes.get_xlim()[0], right)
        axes.axvspan(facts["matters"], right, color=ORANGE, alpha=0.1, linewidth=0)
    axes.set_yticks(list(places), list(rows))
    unit = facts["unit"]
    axes.set(
        xlabel=labelled(f"Gain of the best other regimen over {facts['recommended']}", unit or "utility"),
        ylim=(-0.6, len(rows) - 0.4),
    )
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GREY, alpha=0.2, linewidth=0.6)


def draw_point(axes: Axes, row: pd.Series, place: float) -> None:
    """Draw a gain with its error, and name the regimen that takes over."""
    gain, colour = -row["difference"], COLOURS[row["verdict"]]
    if not np.isfinite(gain):
        axes.text(
            0, place, f" {row['best']}: the recommended one is not admissible", va="center", color=colour
        )
        return
    axes.plot([gain - 2 * row["mcse"], gain + 2 * row["mcse"]], [place, place], color=colour, alpha=0.6)
    face = "white" if row["kind"] == "utility" else colour
    axes.plot([gain], [place], "o", color=colour, markerfacecolor=face, markersize=4.5)
    if row["verdict"] == "moved":
        axes.annotate(
            str(row["best"]), (gain, place), (0, 4), textcoords="offset points", ha="center", fontsize=7, color=colour
        )  # fmt: skip


def blocks(sensitivity: DecisionSensitivity) -> list[Block]:
    """Print the verdict, the figure and the table."""
    table = sensitivity.table
    tone = "good" if len(table) and (table["verdict"] == "stays best").all() else "caution"
    found: list[Block] = [Text(sensitivity.summary(), tone)]  # type: ignore[arg-type]
    if table.empty:
        return found
    unit = sensitivity.metadata["unit"]
    table = least_favourable(table)
    return [
        *found,
        Figure(
            f"What the best other regimen would gain over {sensitivity.recommended} under each variation: left of zero "
            "the recommendation is ahead; right of zero lies the regret of keeping it. Dotted: its expected regret",
            [picture(panel(sensitivity))],
            KEY,
        ),
        Table(
            f"The choice under other assumptions, {sensitivity.recommended} being recommended",
            [
                Column("Variation"),
                Column("Best"),
                *(
                    Column(title, True)
                    for title in (
                        labelled("Regret of keeping", unit),
                        "Ahead by",
                        "MCSE",
                        "P(best)",
                        "Pareto k",
                    )
                ),
                Column("Verdict"),
                Column("Note"),
            ],
            list(
                zip(
                    map(str, table.index),
                    map(str, table["best"]),
                    alike(table["regret"]),
                    alike(table["difference"]),
                    alike(table["mcse"], 2),
                    map(percent, table["p_best"]),
                    (fixed(k, 2) if np.isfinite(k) else "–" for k in table["pareto_k"]),
                    map(str, table["verdict"]),
                    (note or "–" for note in table["note"]),
                    strict=True,
                )
            ),
            marked=[place for place, verdict in enumerate(table["verdict"]) if verdict == "moved"],
            note="Regret of keeping: expected utility lost by staying with the recommended regimen. Ahead by: its "
            "expected utility minus that of the best other regimen. MCSE: Monte Carlo standard error of both. P(best): "
            "of the recommended regimen. Verdict: a difference within two standard errors, or weights with a Pareto k "
            "beyond the limit, tell no regimen from another. Of several powers of a prior or of the data, the one "
            "least favourable to the recommended regimen is shown.",
        ),
    ]
