"""Tables of a patient: the parameters against the population, and the levels against their prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration import Calibration
from qsp_bayes.calibration.individual.course import individual_course
from qsp_bayes.data.continued import continued_study

if TYPE_CHECKING:
    from qsp_bayes.decision.patient.patient import Patient

INTERVAL = (0.05, 0.5, 0.95)


def parameter_table(calibration: Calibration, prior: xr.DataTree, posterior: xr.DataTree) -> pd.DataFrame:
    r"""Compare the parameters of a person with those of the population.

    Columns: ``unit``; ``typical``, the median for this person's covariates before any level, with ``typical_q05`` and
    ``typical_q95``; ``median``, ``q05`` and ``q95`` of the person; ``contraction``,
    :math:`1 - \operatorname{var}_\mathrm{posterior} / \operatorname{var}_\mathrm{prior}` on the parameter's scale: 0
    where the levels said nothing of it, 1 where they said all. Of a parameter that changes between occasions or with
    covariates, the last value is shown.
    """
    rows = {}
    for name, unit in calibration.system.parameters.items():
        before, after = (latest(group.to_dataset()[name]) for group in (prior, posterior))
        scale = SCALES[calibration.system.scales[name]]
        spread = np.var(scale(before)) if np.ptp(before) > 0 else 0.0
        rows[name] = {
            "unit": unit,
            "typical": np.median(before),
            "typical_q05": np.quantile(before, 0.05),
            "typical_q95": np.quantile(before, 0.95),
            "median": np.median(after),
            "q05": np.quantile(after, 0.05),
            "q95": np.quantile(after, 0.95),
            "contraction": 1 - np.var(scale(after)) / spread if spread > 0 else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log,
    "logit": lambda p: np.log(p) - np.log1p(-p),
    "identity": lambda x: x,
}


def latest(values: xr.DataArray) -> np.ndarray:
    """Give the draws of a parameter at the last occasion or record."""
    values = values.transpose("chain", "draw", ...)
    return values.to_numpy().reshape(values.sizes["chain"] * values.sizes["draw"], -1)[:, -1]


def level_table(patient: Patient, random_seed: int = 0) -> pd.DataFrame:
    """Compare the levels of a patient with what the patient's own posterior and the population predict for them.

    Columns: ``time``, ``output``, ``observed``, ``censored`` (1 below, -1 above the limit that `observed` then holds);
    ``median``, ``q05`` and ``q95`` of the patient; ``population_median``, ``population_q05``, ``population_q95``
    before any level; ``tail_probability``, twice the smaller share of the population's predictions on either side of
    the level. All predictions have residual error.
    """
    columns = [
        *("time", "output", "observed", "censored", "median", "q05", "q95"),
        *("population_median", "population_q05", "population_q95", "tail_probability"),
    ]
    if not patient.facts["levels"]:
        return pd.DataFrame(columns=columns)
    history, rows = patient.history, []
    for output in (name for name, places in history.rows.items() if len(places)):
        records = history.table.iloc[history.rows[output]]
        times = np.unique(records["TIME"])
        plan = continued_study(
            history,
            times,
            outputs=patient.units_of([output]),
            compartments=list(patient.calibration.system.doses),
        )
        place = np.searchsorted(times, records["TIME"])
        own, before = (
            individual_course(
                patient.calibration, draws.to_dataset(), plan, residual=True, random_seed=random_seed
            )[output]
            for draws in (patient.posterior, patient.prior)
        )
        for record, at in zip(records.itertuples(), place, strict=True):
            q05, median, q95 = np.quantile(own[..., at], INTERVAL)
            low, middle, high = np.quantile(before[..., at], INTERVAL)
            below = float(np.mean(before[..., at] <= record.DV))
            above = float(np.mean(before[..., at] >= record.DV))
            tail = {1: below, -1: above}.get(record.CENS, 2 * min(below, above, 0.5))
            values = (record.TIME, output, record.DV, record.CENS, median, q05, q95, low, middle, high, tail)
            rows.append(dict(zip(columns, (*values[:7], middle, low, high, tail), strict=True)))
    return pd.DataFrame(rows, columns=columns)
