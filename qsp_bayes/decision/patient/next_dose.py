"""Next dose: the regimen chosen for one patient, and the exposure that each candidate would give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.wording import with_unit
from qsp_bayes.decision.measures.exposure import average, cmax, cmin, trough
from qsp_bayes.decision.utilities.utility import predictions_of
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

INTERVAL = (0.05, 0.5, 0.95)
MEASURES = {"peak": cmax, "lowest": cmin, "average": average, "trough": trough}
"""The trough is the value at the last time, when the next dose would be due."""


@dataclass(frozen=True, repr=False)
class NextDose(Result):
    """A choice for one patient, as made by `Patient.next_dose`.

    Attributes
    ----------
    decision : Decision
        The choice by expected utility over what is not known of the patient.
    exposure : DataFrame
        By regimen and output: median, ``q05`` and ``q95`` of each measure of exposure; see :func:`exposures`.
    future : DataTree
        The simulation.
    """

    decision: Decision
    exposure: pd.DataFrame
    future: xr.DataTree = field(repr=False)

    @property
    def best(self) -> str:
        """Label of the regimen with the highest expected utility."""
        return self.decision.best

    @property
    def table(self) -> pd.DataFrame:
        """Expected utility and probability of being best, beside the exposure of the first output."""
        first = self.exposure.index.get_level_values("output")[0]
        chosen = self.decision.table[["expected_utility", "mcse", "p_best"]]
        return chosen.join(self.exposure.xs(first, level="output"))

    @property
    def title(self) -> str:
        """The utility, in words."""
        return f"Utility: {self.decision.description}"

    @property
    def column_units(self) -> Mapping[str, str]:
        """Units of the utility and of the exposure, in the heads of their columns."""
        units = json.loads(self.future.attrs.get("qsp_bayes", "{}")).get("units", {})
        output = str(self.exposure.index.get_level_values("output")[0])
        measured = [name for name in self.exposure.columns if units.get(output)]
        return {**self.decision.column_units, **dict.fromkeys(measured, units.get(output, ""))}

    @property
    def marked(self) -> list[str]:
        """The regimen chosen."""
        return [self.best]

    def summary(self) -> str:
        """Sentences that state the choice and the exposure that it would give."""
        units = json.loads(self.future.attrs["qsp_bayes"])["units"]
        chosen = self.decision.table.loc[self.best]
        among = len(self.decision.admissible)
        worth = with_unit(self.decision, rounded(chosen["expected_utility"]))
        sentences = [
            f"{self.best} has the highest expected utility for this patient, {worth} (Monte Carlo standard error "
            f"{rounded(chosen['mcse'], 1)}); it is the best of the {among} regimens with probability "
            f"{self.decision.probability(chosen['p_best'])}."
        ]
        for output, row in self.exposure.loc[self.best].iterrows():
            unit = f" {units[output]}" if units.get(output) else ""
            peak, last = (
                f"{name} {rounded(row[name])}{unit} (90 % interval {rounded(row[f'{name}_q05'])} to "
                f"{rounded(row[f'{name}_q95'])})"
                for name in ("peak", "trough")
            )
            sentences.append(f"{output}: {peak}, {last}.")
        return " ".join([*sentences, *self.decision.cautions])


def exposures(future: xr.DataTree) -> pd.DataFrame:
    """Measure the exposure under each regimen, with its uncertainty.

    Parameters
    ----------
    future : DataTree
        From `Patient.simulate`.

    Returns
    -------
    DataFrame
        One row for each regimen and output; columns ``peak``, ``lowest``, ``average`` and ``trough`` (the value at
        the last time), each a median with ``_q05`` and ``_q95``, over the simulated times.

    Examples
    --------
    >>> path = xr.DataArray(
    ...     [1.0, 3.0, 2.0], dims="time", coords={"time": [0.0, 6.0, 12.0]}
    ... ).expand_dims(chain=[0], draw=[0], regimen=["5 mg"], subject=["P"])
    >>> future = xr.DataTree.from_dict({"predictions": path.to_dataset(name="Cc")})
    >>> exposures(future).loc[("5 mg", "Cc"), ["peak", "average", "trough"]].tolist()
    [3.0, 2.25, 2.0]
    """
    predictions = predictions_of(future)
    paths = {str(name): path for name, path in predictions.data_vars.items() if "time" in path.dims}
    rows = {}
    for regimen in predictions["regimen"].to_numpy():
        for output, path in paths.items():
            row: dict[str, float] = {}
            for name, measure in MEASURES.items():
                low, median, high = np.quantile(measure(path.sel(regimen=regimen)), INTERVAL)
                row |= {name: median, f"{name}_q05": low, f"{name}_q95": high}
            rows[str(regimen), output] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["regimen", "output"])
