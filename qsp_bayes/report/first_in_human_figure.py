"""First doses in humans: how probably each passes its limits, and what each is worth."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from qsp_bayes.decision.first_dose.first_doses import ANY, FirstInHuman
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.contents import SAMPLE, labelled
from qsp_bayes.report.style import BLUE, GREEN, GREY, INK, ORANGE, NotebookFigure, Panel, arrange

SIZE = (3.5, 2.7)
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00")


def plot_first_in_human(found: FirstInHuman) -> NotebookFigure:
    """Draw the probability of each limit by dose, the share of individuals beyond, and the expected utility.

    First panel: the probability, over the uncertainty of the population, that more than the tolerated share of
    individuals pass a limit; the dashed line is alpha. Second: the share of individuals beyond any limit, its mean
    and 90 % interval. Third: the mean utility over individuals, with its 90 % interval; the best dose is marked. A
    vertical line stands at the highest dose allowed.

    Parameters
    ----------
    found : FirstInHuman
        From `first_in_human`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [str(name) for name in found.data["limit"].values if name != ANY]
    tolerated = found.settings["tolerated"]
    panels = [
        Panel(
            f"P(over {tolerated:.0%} of individuals pass a limit)",
            found.summary(),
            partial(draw_probabilities, found=found, names=names),
            SIZE,
        ),
        Panel("individuals who pass any limit", found.summary(), partial(draw_shares, found=found), SIZE),
        Panel(
            "mean utility over individuals",
            found.decision.summary(),
            partial(draw_utility, found=found),
            SIZE,
        ),
    ]
    key = [Key(name, "line", colour) for name, colour in zip(names, COLOURS, strict=False)]
    return arrange(panels, 3, [*key, Key(ANY, "line", INK), Key("highest dose allowed", "dashes", GREY)])


def draw_probabilities(axes: Axes, found: FirstInHuman, names: list[str]) -> None:
    """Draw the probability of passing each limit against dose."""
    data = found.data.sortby("dose")
    for name, colour in zip([*names, ANY], [*COLOURS[: len(names)], INK], strict=False):
        width = 2.2 if name == ANY else 1.4
        values = data["probability"].sel(limit=name)
        axes.plot(
            data["dose"], values, color=colour, linewidth=width, marker="o", zorder=1 if name == ANY else 2
        )
    axes.axhline(found.settings["alpha"], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set(ylim=(-0.03, 1.03), ylabel="Probability")
    finish(axes, found)


def draw_shares(axes: Axes, found: FirstInHuman) -> None:
    """Draw the share of individuals beyond any limit against dose."""
    data = found.data.sortby("dose")
    share = data["share"].sel(limit=ANY)
    low, high = 100 * share.quantile([0.05, 0.95], SAMPLE).values
    axes.fill_between(data["dose"], low, high, color=INK, alpha=0.2, linewidth=0)
    axes.plot(data["dose"], 100 * data["expected_share"].sel(limit=ANY), color=INK, marker="o")
    axes.axhline(100 * found.settings["tolerated"], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set(ylim=(-3, 103), ylabel="Individuals (%)")
    finish(axes, found)


def draw_utility(axes: Axes, found: FirstInHuman) -> None:
    """Draw the mean utility against dose, its uncertainty, and the best dose."""
    dose = found.data["dose"].sortby(found.data["dose"])
    utility = found.decision.utility.sel(regimen=dose["regimen"])
    low, high = utility.quantile([0.05, 0.95], SAMPLE).values
    mean = utility.mean(SAMPLE)
    axes.fill_between(dose, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(dose, mean, color=BLUE, marker="o")
    best = dose["regimen"].values.tolist().index(found.best)
    axes.plot(dose[best], mean[best], "o", color=ORANGE, markersize=7)
    axes.set_ylabel("Utility")
    finish(axes, found)


def finish(axes: Axes, found: FirstInHuman) -> None:
    """Mark the highest dose allowed, and label the doses."""
    data = found.data.sortby("dose")
    if (highest := found.highest()) is not None:
        axes.axvline(float(data["dose"].sel(regimen=highest)), color=GREY, linestyle="--", zorder=0)
    doses = data["dose"].values
    axes.set_xscale("log")
    # A tick at each dose that has room for its number.
    shown: list[float] = []
    last = -np.inf
    for dose in doses:
        if np.log(dose) - last >= 0.08 * np.log(doses[-1] / doses[0]):
            shown, last = [*shown, dose], np.log(dose)
    axes.set_xticks(shown)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(labelled("Dose", found.settings["unit"]))
