"""The data as they are: one line for each subject, where they come from, and what was left out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.formatting import alike, count, interval
from qsp_bayes.report.blocks import Block, Column, Facts, Figure, Key, Section, Table, Text
from qsp_bayes.report.contents import Observations, metadata, observations, outputs, variables
from qsp_bayes.report.style import BLUE, DENSE, GREY, INK, WIDE, NotebookFigure, Panel, arrange, picture

KEY = (Key("one subject", "line", BLUE), Key("observation", "point", INK))


def plot_study(study_or_fit: Any) -> NotebookFigure:
    """Draw the observations of each subject against time, one panel for each output.

    Parameters
    ----------
    study_or_fit : Study or DataTree

    Returns
    -------
    matplotlib.figure.Figure
    """
    if isinstance(study_or_fit, xr.DataTree):
        observed = [observations(study_or_fit, output) for output in outputs(study_or_fit)]
    else:
        observed = [of_study(study_or_fit, output) for output in study_or_fit.outputs]
    return arrange([panel(data) for data in observed], 1, KEY)


def of_study(study: Any, output: str) -> Observations:
    """Give the observations of one output of a study."""
    records = study.records.iloc[study.rows[output]]
    return Observations(
        output=output,
        unit=study.units.outputs[output],
        time_unit=study.units.time,
        subject=records["ID"].to_numpy(str),
        time=records["TIME"].to_numpy(float),
        value=records["DV"].to_numpy(float),
        censoring=records["CENS"].to_numpy(int),
    )


def panel(data: Observations) -> Panel:
    """Give the panel of one output."""
    subjects = count(len(set(data.subject)), "subject")
    alt = f"{data.output} against time, {count(data.value.size, 'observation')}, {subjects}."
    return Panel("", alt, partial(draw_subjects, data=data), WIDE)


def draw_subjects(axes: Axes, data: Observations) -> None:
    """Draw one line for each subject, paler where there are many."""
    many = data.value.size > DENSE
    for subject in dict.fromkeys(data.subject):
        rows = np.flatnonzero(data.subject == subject)
        rows = rows[np.argsort(data.time[rows], kind="stable")]
        axes.plot(
            data.time[rows], data.value[rows], "-o", color=BLUE, alpha=0.25 if many else 0.55, linewidth=0.8,
            markersize=2 if many else 3, markerfacecolor=INK, markeredgewidth=0, rasterized=many,
        )  # fmt: skip
    lower, upper = data.limits
    for limit in (lower, upper):
        if np.isfinite(limit):
            axes.axhline(limit, color=GREY, linewidth=0.8)
    axes.set(xlabel=data.time_label, ylabel=data.value_label)


def section(fit: xr.DataTree) -> Section:
    """Print where the data come from, how many there are, and draw them."""
    study = metadata(fit).get("study", {})
    facts = [
        (title, study[key])
        for title, key in (
            ("Study", "title"),
            ("Source", "source"),
            ("Numbers taken from", "package"),
            ("Route", "route"),
            ("Caveats", "caveats"),
            ("Assumed, not reported", "assumed"),
            ("Left out", "excluded"),
            ("Notes", "notes"),
            ("License", "license"),
        )
        if study.get(key)
    ]
    blocks: list[Block] = (
        [Facts(facts)] if facts else [Text("The fit does not say where the data come from.", "absent")]
    )
    observed = [observations(fit, output) for output in outputs(fit)]
    blocks.append(
        Table(
            "Observations by output",
            [
                Column("Output"),
                *(Column(title, True) for title in ("Subjects", "Observations", "Censored")),
                *(Column(title, True) for title in ("Smallest", "Median", "Largest")),
                Column("Times"),
            ],
            [
                (
                    data.value_label,
                    str(len(set(data.subject))),
                    str(data.value.size),
                    str(np.count_nonzero(data.censoring)),
                    *alike(np.percentile(data.value, (0, 50, 100)), 4),
                    f"{interval(data.time.min(), data.time.max())} {data.time_unit}",
                )
                for data in observed
            ],
        )
    )  # fmt: skip
    covariates = covariate_rows(fit)
    if covariates:
        blocks.append(
            Table(
                "Covariates by subject",
                [Column("Covariate"), *(Column(title, True) for title in ("Smallest", "Median", "Largest"))],
                covariates,
            )
        )
    for data in observed:
        blocks.append(
            Figure(f"Observed {data.output}, one line for each subject", [picture(panel(data))], KEY)
        )
    return Section("data", "Data", blocks)


def covariate_rows(fit: xr.DataTree) -> list[tuple[str, ...]]:
    """Give the range of each numeric covariate of the subjects."""
    units = metadata(fit).get("study", {}).get("units", {}).get("covariates", {})
    rows = []
    for name, values in variables(fit, "constant_data").data_vars.items():
        if values.dims == ("subject",) and values.dtype.kind in "if":
            unit = units.get(name, "")
            rows.append(
                (f"{name} ({unit})" if unit else str(name), *alike(np.percentile(values, (0, 50, 100))))
            )
    return rows
