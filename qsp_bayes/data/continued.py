"""A continued study: what a person has received so far, and what is planned from now on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from qsp_bayes.data.planned import NOTHING
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.words import close_names
from qsp_bayes.errors import DataError

GIVEN = (1, 3, 4)
"""EVID of records that change the state: doses and resets."""
# Order of records at one time.
SETS_STEADY_STATE, OBSERVATION, OLD_RECORD, BORDER, NEW_DOSE = range(5)


def continued_study(
    history: Study,
    times: Iterable[float],
    *,
    outputs: Mapping[str, str],
    regimen: Regimen | None = None,
    covariates: Mapping[str, float] | None = None,
    occasions: Sequence[float] = (),
    drop_later_doses: bool = False,
    compartments: Sequence[str] | None = None,
) -> Study:
    """Plan observations of one person, and doses that follow those already given.

    The doses of the history stay, so that the person enters the new regimen with what is still in the body. The
    regimen's `start` is a time on the person's own clock. From then on covariates keep their last values unless they
    are given, and a new occasion begins.

    An observation at the time of a recorded dose stands before it (a trough), one at the time of a dose that sets a
    steady state after it. A dose written by ADDL acts before an observation at its time.

    Parameters
    ----------
    history : Study
        Of one subject. Its own observations are kept as records, without being predicted.
    times : iterable of float
        Increasing times of observation, on the person's clock; the past is allowed.
    outputs : mapping of str to str
        What is observed, with its unit.
    regimen : Regimen, optional
        Without it the history alone goes on.
    covariates : mapping of str to float, optional
        New values from the start of the regimen.
    occasions : sequence of float
        Times after the start at which further occasions begin.
    drop_later_doses : bool
        Whether to leave out what the history gives from the start of the regimen on.
    compartments : sequence of str, optional
        What may be dosed; that of history and regimen where left out.

    Returns
    -------
    Study
        With ``is_planned`` true.

    Raises
    ------
    DataError, UnitsError
        For a regimen that starts no later than the last dose, a steady state (which forgets the history), unordered
        times, unknown covariates, and units that do not match.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> baby = load_dataset("phenobarbital").subset(["1"])
    >>> more = Regimen(5, unit="mg", every=12, until=144, start=120, into="central")
    >>> plan = continued_study(baby, [120, 132, 144], outputs={"Cc": "mg/L"}, regimen=more)
    >>> plan.records.tail(6)[["TIME", "EVID", "AMT", "OUTPUT", "OCC"]]
         TIME  EVID  AMT OUTPUT  OCC
    12  120.0     0  0.0     Cc    1
    13  120.0     2  0.0           1
    14  120.0     1  5.0           2
    15  132.0     0  0.0     Cc    2
    16  132.0     1  5.0           2
    17  144.0     0  0.0     Cc    2
    """
    if history.n_subjects != 1:
        raise DataError(
            f"the history has {history.n_subjects} subjects", "one person", "choose one by study.subset"
        )
    grid = np.asarray(list(times), dtype=np.float64)
    if grid.size == 0 or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise DataError("times of the plan", "at least one time, increasing", "correct times")
    covariates = dict(covariates or {})
    for name, value in covariates.items():
        if name not in history.covariates:
            raise DataError(
                f"there is no covariate {name!r}{close_names(name, history.covariates)}",
                f"one of {', '.join(history.covariates) or 'none'}",
                "correct covariates",
            )
        if not np.isfinite(value):
            raise DataError(f"covariate {name} is {value!r}", "a finite number", f"correct {name}")
    if regimen is None and (covariates or len(occasions) or drop_later_doses):
        raise DataError(
            "covariates, occasions or drop_later_doses without a regimen", "a regimen", "give regimen=..."
        )
    start, past = np.inf, history.table.assign(MDV=1)
    pieces = []
    if regimen is not None:
        regimen.check_units(history.units)
        start = float(regimen.dose_times()[0])
        past = until_start(past, history, regimen, start, drop_later_doses)
        # Under NOCB values apply back to the record before: this one keeps the new ones from reaching into the past.
        border = {**past.iloc[-1], **NOTHING, "TIME": start, "EVID": 2, "MDV": 1}
        doses = planned_doses(past.iloc[-1], regimen, covariates)
        pieces = [pd.DataFrame([border]).assign(order=BORDER), doses.assign(order=NEW_DOSE)]
    planned = pd.DataFrame(
        {"TIME": np.tile(grid, len(outputs)), "OUTPUT": np.repeat(list(outputs), len(grid))}
    )
    planned = planned.assign(**{name: value for name, value in NOTHING.items() if name != "OUTPUT"})
    pieces = [past.assign(order=places_of(past)), planned.assign(order=OBSERVATION), *pieces]
    table = pd.concat(pieces, ignore_index=True).sort_values(
        ["TIME", "order"], kind="stable", ignore_index=True
    )
    # An observation has the covariates and the occasion that hold at its time; the last ones hold from then on.
    known = ["ID", "OCC", "FILE_ROW", *history.covariates]
    filled = table[known].bfill().ffill() if history.carry == "nocb" else table[known].ffill().bfill()
    table[known] = filled
    table["OCC"] = numbered_occasions(table, start, int(past["OCC"].max()), occasions)
    plan = f"{history.subjects[0]} under {regimen}" if regimen is not None else history.subjects[0]
    used = history.compartments if regimen is None else (*history.compartments, *regimen.compartments)
    return Study(
        name=history.name,
        title=plan,
        table=table[[*history.table.columns]].astype(dict(history.table.dtypes)),
        units=dataclasses.replace(history.units, outputs=dict(outputs)),
        compartments=tuple(dict.fromkeys(compartments or used)),
        outputs=tuple(outputs),
        covariates=history.covariates,
        carry=history.carry,
        provenance=Provenance(notes=(f"history and plan of {plan}",)),
    )


def until_start(
    past: pd.DataFrame, history: Study, regimen: Regimen, start: float, drop_later_doses: bool
) -> pd.DataFrame:
    """Give the records before a regimen starts; what is given later is refused, or dropped where that is asked for."""
    if any(course.steady_state for course in regimen.courses):
        raise DataError(
            f"regimen {regimen}: a steady state forgets what the person has received",
            "doses one by one",
            "leave steady_state out",
        )
    given = past["EVID"].isin(GIVEN)
    last = (past["TIME"] + past["ADDL"] * past["II"])[given].max() if given.any() else -np.inf
    if last >= start and not drop_later_doses:
        raise DataError(
            f"the regimen starts at {start:g}, and subject {history.subjects[0]} has received a dose at {last:g}",
            f"a start after {last:g}, on the person's clock",
            f"give Regimen(..., start=...), or drop_later_doses=True to leave out what is given from {start:g} on",
        )
    kept = past[(past["TIME"] < start) | ((past["TIME"] == start) & ~given)]
    if kept.empty:
        raise DataError(
            f"the regimen starts at {start:g}, before the first record of subject {history.subjects[0]}",
            "a start after the first record",
            "correct start, or simulate a new individual instead",
        )
    # Of the doses that ADDL adds, those before the start.
    interval = kept["II"].where(kept["ADDL"] > 0, np.inf)
    before = np.ceil((start - kept["TIME"]) / interval * (1 - 1e-12) - 1e-12) - 1
    return kept.assign(ADDL=np.minimum(kept["ADDL"], before.clip(lower=0)).astype("int64"))


def planned_doses(last: pd.Series, regimen: Regimen, covariates: Mapping[str, float]) -> pd.DataFrame:
    """Give the doses of a regimen as records of the person, with the covariates that hold from now on."""
    doses = regimen.records()
    now = pd.DataFrame([{**last, **covariates}])
    amounts = np.array([course.amounts(now)[0] for course in regimen.courses])
    course = doses["course"].to_numpy()
    values = {**last, **NOTHING, **covariates, "EVID": 1, "MDV": 1}
    own = doses.drop(columns="course").assign(AMT=amounts[course])
    return own.assign(**{name: value for name, value in values.items() if name not in own})


def places_of(past: pd.DataFrame) -> np.ndarray:
    """Say whether records stand before or behind a planned observation of their time."""
    steady = past["SS"].gt(0)[::-1]
    followed = steady.groupby(past["TIME"][::-1]).cummax()[::-1]
    return np.where(followed, SETS_STEADY_STATE, OLD_RECORD)


def numbered_occasions(
    table: pd.DataFrame, start: float, last: int, occasions: Sequence[float]
) -> np.ndarray:
    """Number the occasions: those of the history, and new ones from the start of the regimen on.

    A dose at the time at which an occasion begins belongs to it, an observation there to the one before.
    """
    begins = np.asarray([start, *occasions], dtype=np.float64)
    if len(occasions) and not (np.isfinite(begins).all() and (np.diff(begins) > 0).all()):
        raise DataError(
            f"occasions {list(occasions)}", f"increasing times after {start:g}", "correct occasions"
        )
    time, order = table["TIME"].to_numpy(), table["order"].to_numpy()
    begun = np.where(
        order == NEW_DOSE,
        np.searchsorted(begins, time, side="right"),
        np.searchsorted(begins, time, side="left"),
    )
    return np.where(begun > 0, last + begun, table["OCC"]).astype("int64")
