"""Simulated trials: which dose each scenario ends with, where subjects are treated, and how often too high."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from qsp_bayes.decision.trial import OperatingCharacteristics
from qsp_bayes.decision.trial.operating_characteristics import NONE
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREY, INK, ORANGE, NotebookFigure, Panel, arrange

SIZE = (3.3, 2.5)
KEY = (
    Key("trials that recommend the dose", "band", BLUE),
    Key("the true MTD", "band", ORANGE),
    Key("share of subjects treated there", "point", INK),
    Key("true P(DLT)", "line", GREY),
    Key("its target", "dashes", GREY),
)


def plot_operating_characteristics(found: OperatingCharacteristics) -> NotebookFigure:
    """Draw, for each scenario, the doses recommended and the subjects treated at each dose.

    Bars: share of trials that recommend the dose, with 95 % Monte Carlo intervals; orange where the dose is the true
    MTD of a fixed scenario ("none": every dose is above it). Points: share of all subjects treated at the dose. Line:
    the true probability of a toxicity, its mean where truth is drawn from the prior; dashes: the target.

    Parameters
    ----------
    found : OperatingCharacteristics
        From `simulate_trials`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [
        Panel(
            f"{scenario} ({found.table.loc[scenario, 'trials']:.0f} trials)",
            found.summary(),
            partial(draw_scenario, found=found, scenario=scenario),
            SIZE,
        )
        for scenario in found.scenarios
    ]
    return arrange(panels, 2, KEY)


def draw_scenario(axes: Axes, found: OperatingCharacteristics, scenario: str) -> None:
    """Draw one scenario."""
    table = found.by_dose.loc[scenario]
    place = np.arange(len(table))
    certain = table["is_mtd"] == 1.0
    axes.bar(
        place,
        100 * table["recommended"],
        color=[ORANGE if mtd else BLUE for mtd in certain],
        alpha=0.35,
        width=0.75,
    )
    axes.errorbar(
        place,
        100 * table["recommended"],
        yerr=196 * table["recommended_mcse"].fillna(0.0),
        fmt="none",
        ecolor=INK,
        elinewidth=0.8,
    )
    real = table.index != NONE
    axes.plot(
        place[real], 100 * table["subjects"][real] / table["subjects"].sum(), "o", color=INK, markersize=4
    )
    axes.plot(place[real], 100 * table["p_dlt"][real], color=GREY)
    axes.axhline(100 * found.target, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_xticks(place, [str(label) for label in table.index], rotation=30, ha="right")
    axes.set(ylim=(0, 103), ylabel="%")
