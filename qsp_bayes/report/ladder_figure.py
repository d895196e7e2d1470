"""The ladder of identifiability: a figure with a row for each variable, and the section of the report."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from qsp_bayes.formatting import percent
from qsp_bayes.identifiability.ladder import Ladder
from qsp_bayes.report.blocks import Block, Column, Figure, Key, Section, Table, Text
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
)

COLOURS = {
    "known": BLUE,
    "known in part": GREEN,
    "known by its prior": GREY,
    "not known": ORANGE,
    "cannot be known": ORANGE,
}
KEY = (
    Key("known", "band", BLUE),
    Key("in part", "band", GREEN),
    Key("not", "band", ORANGE),
    Key("by its prior", "band", GREY),
)
RUNGS = ("in principle", "by this design", "by this fit")
SHADE = 0.35


def plot_identifiability(ladder: Ladder) -> NotebookFigure:
    """Draw what mechanism, design and data each say of every variable.

    A row for each variable; the columns are the rungs: whether perfect data would determine it, the contraction of its
    prior that the design promises, and the one that the fit has brought, where there is a fit. The verdict stands at
    the right.

    Parameters
    ----------
    ladder : Ladder
        From `identifiability`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return arrange([panel(ladder.table, ladder.summary())], 1, KEY)


def panel(table: pd.DataFrame, summary: str) -> Panel:
    """Give the panel."""
    alt = f"Identifiability of {len(table)} variables by mechanism, design and fit. {summary}"
    return Panel("", alt, partial(draw, table=table), (WIDE[0], 0.7 + 0.27 * len(table)))


def draw(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a cell for each variable and rung."""
    rows = len(table)
    rungs = RUNGS if table["contraction"].notna().any() else RUNGS[:2]
    for place, (name, row) in zip(range(rows)[::-1], table.iterrows(), strict=True):
        for column, (text, colour) in enumerate(cells(row)):
            if text:
                axes.add_patch(
                    Rectangle((column + 0.04, place - 0.4), 0.92, 0.8, color=colour, alpha=SHADE, linewidth=0)
                )
                axes.text(column + 0.5, place, text, ha="center", va="center", fontsize=8, color=INK)
        axes.text(
            len(rungs) + 0.08, place, row["verdict"], va="center", fontsize=8, color=COLOURS[row["verdict"]]
        )
        axes.text(-0.06, place, str(name), ha="right", va="center", fontsize=8, color=INK)
    axes.set(xlim=(-0.02, len(rungs) + 1.1), ylim=(-0.6, rows - 0.2), yticks=[])
    axes.set_xticks(np.arange(len(rungs)) + 0.5, rungs)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)


def cells(row: pd.Series) -> list[tuple[str, str]]:
    """Return text and colour of the three rungs of a variable."""
    structural = str(row["structural"])
    short = structural.replace(" identifiable", "").replace("identifiable", "")
    colour = ORANGE if structural == "not identifiable" else BLUE
    return [(short, colour), *(share(row[name]) for name in ("expected_contraction", "contraction"))]


def share(value: float) -> tuple[str, str]:
    """Return a contraction as text, and its colour."""
    if not np.isfinite(value):
        return "", GREY
    colour = BLUE if value >= 0.8 else ORANGE if value < 0.2 else GREEN
    return percent(max(0.0, value)), colour


def section(fit: xr.DataTree) -> Section:
    """Print the ladder that the fit holds, or say how to add it."""
    if "identifiability" not in fit.children:
        hint = (
            "The ladder of identifiability is not shown: the fit does not hold it. Add it with "
            'fit["identifiability"] = qb.identifiability(calibration, study, fit).group().'
        )
        return Section("identifiability", "What can be known", [Text(hint, "absent")])
    group = fit["identifiability"].to_dataset()
    table = group.to_dataframe()
    facts = json.loads(group.attrs["qsp_bayes"])
    summary = str(group.attrs["summary"])
    bad = table["verdict"].isin(["cannot be known", "not known"])
    blocks: list[Block] = [
        Text(summary, "caution" if bad.any() else "good"),
        Figure("Identifiability by mechanism, design and fit", [picture(panel(table, summary))], KEY),
        Table(
            "Verdicts and reasons",
            [Column("Variable"), Column("Verdict"), Column("Why"), Column("What would change it")],
            [
                (str(name), row["verdict"], row["reason"], row["advice"] or "–")
                for name, row in table.iterrows()
            ],
            note="In principle: perfect data of one individual, in the arms of the study, by exact arithmetic. By this "
            "design: share of the prior variance that the expected information would take away. By this fit: share "
            "that it did take away.",
        ),
    ]
    structural = facts["structural"]
    if structural and structural["conditions"]:
        blocks.append(Text(" ".join(structural["conditions"])))
    return Section("identifiability", "What can be known", blocks)
