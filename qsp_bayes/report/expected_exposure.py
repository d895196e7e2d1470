"""What regimens are expected to lead to: exposure of the simulated individuals, with 90 % intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from qsp_bayes.decision import average, cmax, trough
from qsp_bayes.formatting import interval, significant
from qsp_bayes.report.blocks import Column, Table
from qsp_bayes.report.contents import SAMPLE, labelled

MEASURES = {"Peak": cmax, "Average": average, "At the end": trough}
QUANTILES = (0.05, 0.5, 0.95)


def exposure_table(future: xr.DataTree, regimens: Sequence[str]) -> Table | None:
    """Print what some regimens lead to; None where the simulation holds neither paths nor measures.

    Each cell is the median, with the interval of 90 %, over the individuals and the uncertainty of the population
    together: where the exposure of one new individual is expected to lie.
    """
    found = dict(measured(future))
    rows = [
        (name, *(cell(values.sel(regimen=regimen)) for regimen in regimens)) for name, values in found.items()
    ]
    if not rows:
        return None
    over = "what is not known"
    one = all(values.sizes["subject"] == 1 for values in found.values())
    if not one:
        over += ", and the differences between individuals"
    return Table(
        "What to expect of the patient: median, and the interval of 90 % probability"
        if one
        else "What to expect of a new individual: median, and where 9 of 10 will lie",
        [Column(""), *(Column(regimen, True) for regimen in regimens)],
        rows,
        note=f"Over {over}. Without residual error unless the simulation added it.",
    )


def measured(future: xr.DataTree) -> Iterator[tuple[str, xr.DataArray]]:
    """Give every measure, (chain, draw, regimen, subject): those that were kept, or the usual ones of each path."""
    if "measures" in future.children:
        for name, values in future.children["measures"].to_dataset().data_vars.items():
            if {*SAMPLE, "regimen", "subject"} <= set(values.dims):
                yield labelled(str(name), str(values.attrs.get("units", ""))), values
    if "predictions" not in future.children:
        return
    predictions = future.children["predictions"].to_dataset()
    units = json.loads(future.attrs.get("qsp_bayes", "{}")).get("units", {})
    for output, path in predictions.data_vars.items():
        if "time" not in path.dims or path.sizes["time"] < 2:
            continue
        unit = str(path.attrs.get("units", units.get(str(output), "")))
        for name, measure in MEASURES.items():
            label = f"{output} at the end" if name == "At the end" else f"{name} {output}"
            yield labelled(label, unit), measure(path)


def cell(values: xr.DataArray) -> str:
    """Print the median and the interval of 90 %."""
    low, middle, high = np.quantile(values.to_numpy().astype(float), QUANTILES)
    return f"{significant(middle)} ({interval(low, high)})"
