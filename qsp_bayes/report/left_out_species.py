"""Species left out in turn: their data within what the other species predict, and predicted over observed exposure."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from qsp_bayes.calibration.left_out_species import LeftOutSpecies
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.contents import labelled
from qsp_bayes.report.style import BLUE, GREY, INK, ORANGE, NotebookFigure, Panel, arrange

SIZE = (2.7, 2.4)
KEY = (
    Key("predicted from the other species, median", "line", BLUE),
    Key("90 % of new individuals' observations", "band", BLUE),
    Key("observed", "point", INK),
)
OUTLYING = Key("species that does not follow", "band", ORANGE)


def plot_leave_one_species_out(found: LeftOutSpecies) -> NotebookFigure:
    """Draw each left-out species with its prediction, and the ratio of predicted to observed exposure.

    One panel for each species and output, and one with the ratios: their medians and 90 % intervals, against the line
    of equality and the band of twofold error.

    Parameters
    ----------
    found : LeftOutSpecies
        From `leave_one_species_out`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    outputs = found.table.index.get_level_values("output").unique()
    panels = [
        Panel(
            species if len(outputs) == 1 else f"{species}, {output}",
            f"{output} of the {species}, observed and as predicted from the other species.",
            partial(draw_species, found=found, species=species, output=output),
            SIZE,
        )
        for species, output in found.table.index
    ]
    ratios = Panel(
        "predicted / observed exposure",
        found.verdict,
        partial(draw_ratios, table=found.table),
        SIZE,
    )
    key = [*KEY, OUTLYING] if found.surprising else KEY
    return arrange([*panels, ratios], 2 if len(panels) in (1, 3) else 3, key)


def draw_species(axes: Axes, found: LeftOutSpecies, species: str, output: str) -> None:
    """Draw the observations of a species within their predictive intervals."""
    rows = found.observations
    rows = rows[(rows["species"] == species) & (rows["output"] == output)].sort_values("time")
    # Individuals differ in dose and covariates: what is drawn at a time is the mean over them, on the log scale.
    band = rows.groupby("time")[["low", "median", "high"]].agg(geometric_mean)
    colour = ORANGE if species in found.surprising else BLUE
    axes.fill_between(band.index, band["low"], band["high"], color=colour, alpha=0.25, linewidth=0)
    axes.plot(band.index, band["median"], color=colour)
    axes.plot(rows["time"], rows["observed"], "o", color=INK, alpha=0.6, markersize=2.6, markeredgewidth=0)
    if (rows[["observed", "low"]] > 0).to_numpy().all():
        axes.set_yscale("log")
    axes.set_xlabel(labelled("Time", found.units["time"]))
    axes.set_ylabel(labelled(output, found.units[output]))


def draw_ratios(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the ratios of predicted to observed exposure."""
    names = table.index.get_level_values("species")
    several = table.index.get_level_values("output").nunique() > 1
    labels = [f"{species}, {output}" for species, output in table.index] if several else list(names)
    place = np.arange(len(table))[::-1]
    axes.axvspan(0.5, 2, color=GREY, alpha=0.15, linewidth=0)
    axes.axvline(1, color=GREY, linewidth=0.8)
    for position, (_, row) in zip(place, table.iterrows(), strict=True):
        colour = ORANGE if row["tail_probability"] < 0.05 else BLUE
        axes.plot([row["ratio_low"], row["ratio_high"]], [position, position], color=colour)
        axes.plot([row["ratio"]], [position], "o", color=colour)
    axes.set(xscale="log", ylim=(-0.6, len(table) - 0.4))
    axes.set_yticks(place, labels)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Ratio (grey: within twofold)")


def geometric_mean(values: pd.Series) -> float:
    """Give the geometric mean, or the mean where a value is not positive."""
    return float(np.exp(np.log(values).mean())) if (values > 0).all() else float(values.mean())
