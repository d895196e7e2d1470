"""The decision: which regimen, how sure, and what each candidate is expected to do."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.decision import Decision
from qsp_bayes.formatting import alike, percent
from qsp_bayes.report.blocks import Block, Column, Facts, Figure, Key, Section, Table, Text
from qsp_bayes.report.contents import SAMPLE, labelled, output_unit
from qsp_bayes.report.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SMALL,
    WIDE,
    NotebookFigure,
    Panel,
    arrange,
    picture,
)

KEY = (
    Key("recommended", "band", ORANGE),
    Key("other candidates", "band", BLUE),
    Key("expected utility", "point", INK),
)
PROFILE_KEY = (Key("median individual", "line", BLUE), Key("90 % of individuals", "band", BLUE))
PATIENT_KEY = (Key("median", "line", BLUE), Key("90 % interval", "band", BLUE))
MOST_DRAWS = 50
OF_UTILITY = ["expected_utility", "mcse", "p_best", "expected_regret", "share_best_served"]


def plot_decision(decision: Decision) -> NotebookFigure:
    """Draw the distribution of the mean utility under each regimen over the uncertainty of the population.

    Parameters
    ----------
    decision : Decision

    Returns
    -------
    matplotlib.figure.Figure
    """
    return arrange([panel(decision)], 1, key_of(decision))


def key_of(decision: Decision) -> tuple[Key, ...]:
    """Give the legend: regimens that a constraint rules out are grey, where there are any."""
    ruled_out = len(decision.admissible) < len(decision.table)
    return (*KEY, Key("not admissible", "band", GREY)) if ruled_out else KEY


def panel(decision: Decision) -> Panel:
    """Give the panel of the utilities."""
    regimens = decision.table.index
    alt = f"Mean utility under {len(regimens)} regimens; {decision.best} has the highest expected utility."
    return Panel("", alt, partial(draw_utilities, decision=decision), (WIDE[0], 0.7 + 0.36 * len(regimens)))


def draw_utilities(axes: Axes, decision: Decision) -> None:
    """Draw one violin for each regimen, with its expected utility and 90 % interval."""
    table, admissible = decision.table, decision.admissible
    utility = decision.utility.stack(sample=SAMPLE).transpose("regimen", "sample").values
    place = np.arange(len(table))[::-1]
    for position, label, draws in zip(place, table.index, utility, strict=True):
        colour = ORANGE if label == decision.best else BLUE if label in admissible else GREY
        if np.ptp(draws) > 0:
            violin: Any = axes.violinplot(
                [draws], [position], orientation="horizontal", widths=0.8, showextrema=False
            )
            for body in violin["bodies"]:
                body.set(facecolor=colour, alpha=0.3, linewidth=0)
        axes.plot(np.quantile(draws, (0.05, 0.95)), [position, position], color=colour)
    functional = decision.metadata.get("individuals", "mean")
    axis = "Mean utility over individuals"
    if functional != "mean":
        axis = f"Utility, {functional} over individuals"
    axes.plot(table["expected_utility"], place, "o", color=INK)
    axes.set_yticks(place, [str(label) for label in table.index])
    axes.set(xlabel=labelled(axis, unit_of(decision)), ylim=(-0.7, len(table) - 0.3))
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GREY, alpha=0.2, linewidth=0.6)


def unit_of(decision: Decision) -> str:
    """Unit of the utility, for axes and headings: empty for a pure number, and where it is not known."""
    return "" if decision.unit in (None, "1") else str(decision.unit)


def section(decision: Decision | None, future: xr.DataTree | None) -> Section:
    """Print the recommendation, the table of the candidates, and what each is expected to do."""
    blocks: list[Block] = []
    if decision is None:
        blocks.append(Text("No decision was given to this report: it describes the fit alone.", "absent"))
    else:
        blocks += decision_blocks(decision)
    if future is not None:
        blocks += profile_blocks(future)
    return Section("decision", "Decision", blocks)


def decision_blocks(decision: Decision) -> list[Block]:
    """Print the recommendation, what stands against it, and the candidates."""
    table = decision.table
    return [
        Text(decision.summary(), "caution" if decision.cautions else "good"),
        Facts([("Utility", labelled(decision.description, unit_of(decision)))]),
        Table(
            "Candidate regimens",
            [Column("Regimen"), *(Column(title, True) for title in
             ("Expected utility", "MCSE", "5 %", "95 %", "P(best)", "Expected regret", "Share best served"))],
            list(
                zip(
                    map(str, table.index),
                    alike(table["expected_utility"]),
                    alike(table["mcse"], 2),
                    alike(table["q05"]),
                    alike(table["q95"]),
                    map(percent, table["p_best"]),
                    alike(table["expected_regret"]),
                    map(percent, table["share_best_served"]),
                    strict=True,
                )
            ),
            marked=[position for position, label in enumerate(table.index) if label == decision.best],
            note="Expected utility: mean over new individuals and over the posterior of the population. "
            "MCSE: its Monte Carlo standard error. 5 % to 95 %, P(best) and regret: over what is not known "
            "of the population. Share best served: individuals whom the regimen serves better than any "
            "other candidate.",
        ),
        *limit_blocks(decision),
        *attribute_blocks(decision),
        Figure(
            "Mean utility over individuals: its distribution over the uncertainty of the population, "
            "with 90 % intervals",
            [picture(panel(decision))],
            key_of(decision),
        ),
    ]  # fmt: skip


def limit_blocks(decision: Decision) -> list[Block]:
    """Print what constraints and targets say of each regimen, where there are any."""
    shown = decision.shown.drop(columns=decision.shown.columns.intersection(OF_UTILITY))
    if not len(shown.columns):
        return []
    columns = [
        ["yes" if value else "no" for value in shown[name]] if name == "admissible" else alike(shown[name])
        for name in shown
    ]
    return [
        Table(
            "Constraints and targets",
            [Column("Regimen"), *(Column(f"{str(name)[:1].upper()}{str(name)[1:]}", True) for name in shown)],
            list(zip(map(str, shown.index), *columns, strict=True)),
            marked=[position for position, label in enumerate(shown.index) if label == decision.best],
            note="Probability of each event or target, or mean of each measure, over new individuals and the "
            "posterior of the population. The choice, P(best), regret and the share best served are among the "
            "admissible regimens.",
        )
    ]


def attribute_blocks(decision: Decision) -> list[Block]:
    """Print what each attribute of a clinical utility index adds, where the utility is one."""
    if "attribute" not in decision.data.dims:
        return []
    figures = decision.attributes["desirability"].unstack("attribute").loc[decision.table.index]
    weights = decision.data["attribute_weight"].to_series()
    names = list(weights.index)
    return [
        Table(
            "Attributes of the clinical utility index",
            [Column("Regimen"), *(Column(f"{name} (weight {weights[name]:.2g})", True) for name in names)],
            list(zip(map(str, figures.index), *(alike(figures[name]) for name in names), strict=True)),
            marked=[position for position, label in enumerate(figures.index) if label == decision.best],
            note="Expected desirability of each attribute, from 0 (of no use) to 1.",
        )
    ]


def profile_blocks(future: xr.DataTree) -> list[Block]:
    """Draw the predicted course of each output under each regimen."""
    if "predictions" not in future.children:
        return [Text("Courses are not shown: the simulation kept measures of exposure, not paths.", "absent")]
    predictions = future["predictions"].to_dataset()
    attributes = future.attrs.get("qsp_bayes") or predictions.attrs.get("qsp_bayes", "{}")
    units = json.loads(attributes).get("units", {})
    step = max(1, predictions.sizes["draw"] // MOST_DRAWS)
    blocks: list[Block] = []
    for output, values in predictions.isel(draw=slice(None, None, step)).data_vars.items():
        if "time" not in values.dims:
            continue
        bands = values.quantile((0.05, 0.5, 0.95), (*SAMPLE, "subject"))
        top = float(bands.max())
        axis = (
            labelled("Time", str(units.get("time", ""))),
            labelled(str(output), output_unit(units, str(output))),
        )
        one = predictions.sizes.get("subject", 0) == 1
        shown = [
            Panel(
                str(regimen),
                f"Predicted {output} under {regimen}: median and {'90 % interval' if one else '90 % of individuals'} "
                "against time.",
                partial(draw_profile, bands=bands.sel(regimen=regimen), labels=axis, top=top),
                SMALL,
            )
            for regimen in bands["regimen"].values
        ]
        blocks.append(
            Figure(
                f"Predicted {output} of {'the patient' if one else 'new individuals'} under each regimen",
                list(map(picture, shown)),
                PATIENT_KEY if one else PROFILE_KEY,
                "small",
            )
        )
    return blocks


def draw_profile(axes: Axes, bands: xr.DataArray, labels: tuple[str, str], top: float) -> None:
    """Draw the course of the median and of 90 % of the individuals."""
    time = bands["time"].values
    low, middle, high = bands.values
    axes.fill_between(time, low, high, color=BLUE, alpha=0.2)
    axes.plot(time, middle, color=BLUE)
    axes.set(xlabel=labels[0], ylabel=labels[1], ylim=(min(0.0, float(bands.min())), 1.05 * top))
