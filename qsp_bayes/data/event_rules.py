"""The rules that the records of a study must obey, one row each.

They follow NONMEM's event records. What NONMEM allows and this package does not support is refused by name
rather than read differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qsp_bayes.data.cells import Cells
from qsp_bayes.data.record_columns import RecordColumns


@dataclass(frozen=True)
class Rule:
    """One thing that must not be; `broken` marks the records where it is."""

    column: str
    broken: Callable[[RecordColumns], np.ndarray]
    problem: str
    expected: str
    cure: str


def not_one_of(column: str, *values: int) -> Callable[[RecordColumns], np.ndarray]:
    """Records whose `column` holds something else."""
    return lambda r: ~np.isin(getattr(r, column), values)


def disagree(r: RecordColumns) -> np.ndarray:
    """Doses whose AMT is not RATE times DUR, to one part in a thousand."""
    both = r.dose & (r.RATE > 0) & (r.DUR > 0)
    return both & ~np.isclose(r.AMT, r.RATE * r.DUR, rtol=1e-3, atol=0.0)


NO_DOSE = "dosing information on a record that gives no dose, {cell}"
DOSE_ONLY = "AMT, RATE, DUR, ADDL and SS only on records with EVID 1 or 4"
NO_DOSE_CURE = "set EVID to 1, or the cell to '.'"

RULES = (
    Rule("TIME", lambda r: np.isnan(r.TIME), "TIME is missing", "a number", "state the time of every record"),
    Rule(
        "TIME",
        lambda r: r.TIME < 0,
        "negative time, {cell}",
        "times from 0 upwards",
        "shift the times of the subject so that the first record is at 0",
    ),
    Rule(
        "TIME",
        lambda r: r.going_back & (r.EVID >= 3),
        "time goes back at a reset, {cell}",
        "times that do not decrease within a subject, resets included",
        "let TIME continue after the reset",
    ),
    Rule(
        "TIME",
        lambda r: r.going_back,
        "times are not sorted: {cell} comes after a later record of the same subject",
        "times that do not decrease within a subject",
        "sort the file by ID and TIME",
    ),
    Rule(
        "EVID",
        not_one_of("EVID", 0, 1, 2, 3, 4),
        "unknown event, {cell}",
        "0 observation, 1 dose, 2 other, 3 reset or 4 reset and dose",
        "correct the cell",
    ),
    Rule("MDV", not_one_of("MDV", 0, 1), "unknown value, {cell}", "0 or 1", "correct the cell"),
    Rule(
        "SS",
        not_one_of("SS", 0, 1, 2),
        "unknown or unsupported value, {cell}",
        "0, 1 (replaces the state by the steady state) or 2 (adds the steady state)",
        "correct the cell",
    ),
    Rule(
        "CENS",
        not_one_of("CENS", -1, 0, 1),
        "unknown value, {cell}",
        "0, 1 (DV is the lower limit of quantification) or -1 (DV is the upper limit)",
        "correct the cell",
    ),
    Rule("AMT", lambda r: ~r.dose & (np.nan_to_num(r.AMT) != 0), NO_DOSE, DOSE_ONLY, NO_DOSE_CURE),
    Rule("RATE", lambda r: ~r.dose & (r.RATE != 0), NO_DOSE, DOSE_ONLY, NO_DOSE_CURE),
    Rule("DUR", lambda r: ~r.dose & (r.DUR != 0), NO_DOSE, DOSE_ONLY, NO_DOSE_CURE),
    Rule("ADDL", lambda r: ~r.dose & (r.ADDL != 0), NO_DOSE, DOSE_ONLY, NO_DOSE_CURE),
    Rule("SS", lambda r: ~r.dose & (r.SS != 0), NO_DOSE, DOSE_ONLY, NO_DOSE_CURE),
    Rule(
        "AMT",
        lambda r: r.dose & np.isnan(r.AMT),
        "a dose record (EVID 1 or 4) without amount",
        "a number, 0 for a placebo dose",
        "state the amount, or set EVID to 2",
    ),
    Rule("AMT", lambda r: r.AMT < 0, "negative amount, {cell}", "0 or more", "correct the cell"),
    Rule(
        "RATE",
        lambda r: (r.RATE < 0) & ~np.isin(r.RATE, (-1, -2)),
        "negative rate, {cell}",
        "0 (bolus), a positive rate, -1 (rate is modelled) or -2 (duration is modelled)",
        "correct the cell",
    ),
    Rule("DUR", lambda r: r.DUR < 0, "negative duration, {cell}", "0 or more", "correct the cell"),
    Rule(
        "DUR",
        lambda r: (r.RATE < 0) & (r.DUR > 0),
        "DUR is {cell} although RATE says that rate or duration is modelled",
        "one of the two",
        "set RATE to '.' to use DUR, or DUR to '.' to model it",
    ),
    Rule(
        "RATE",
        lambda r: r.dose & (r.AMT == 0) & (r.RATE > 0) & (r.SS == 2),
        "a constant infusion at steady state with SS=2",
        "SS=1 for AMT=0, RATE>0, II=0",
        "set SS to 1",
    ),
    Rule(
        "AMT",
        lambda r: r.dose & (r.AMT == 0) & (r.RATE > 0) & ~r.constant_infusion,
        "an infusion (RATE > 0) of amount 0",
        "a positive amount; AMT=0 only with SS=1, RATE>0 and II=0 (an infusion that has always run)",
        "state the amount, or remove RATE",
    ),
    Rule(
        "DUR",
        disagree,
        "AMT, RATE and DUR contradict each other (DUR is {cell})",
        "AMT = RATE x DUR to one part in a thousand",
        "correct one of the three, or leave RATE or DUR out",
    ),
    Rule("II", lambda r: r.II < 0, "negative interval, {cell}", "a positive interval", "correct the cell"),
    Rule("ADDL", lambda r: r.ADDL < 0, "negative number of doses, {cell}", "0 or more", "correct the cell"),
    Rule(
        "II",
        lambda r: (r.ADDL > 0) & (r.II <= 0),
        "ADDL asks for additional doses and II is {cell}",
        "the interval between the doses, above 0",
        "state II, or set ADDL to 0",
    ),
    Rule(
        "II",
        lambda r: (r.SS > 0) & (r.II <= 0) & ~r.constant_infusion,
        "SS asks for a steady state and II is {cell}",
        "the dosing interval, above 0 (II=0 only with SS=1, AMT=0 and RATE>0)",
        "state II, or set SS to 0",
    ),
    Rule(
        "MDV",
        lambda r: (r.EVID != 0) & (r.MDV_given == 0),
        "a record with EVID 1 to 4 is marked as an observation (MDV 0)",
        "MDV 1 wherever EVID is not 0",
        "set MDV to 1, and write an observation made at that time as a record of its own",
    ),
    Rule(
        "DV",
        lambda r: r.observed & np.isnan(r.DV) & (r.CENS != 0),
        "a censored observation without its limit",
        "the limit of quantification in DV (or in a column LLOQ) where CENS is not 0",
        "write the limit in DV",
    ),
    Rule(
        "DV",
        lambda r: r.observed & np.isnan(r.DV),
        "an observation (MDV 0) without value",
        "a number",
        "state the value, or set MDV to 1",
    ),
    Rule(
        "LIMIT",
        lambda r: r.observed & (((r.CENS == 1) & (r.LIMIT >= r.DV)) | ((r.CENS == -1) & (r.LIMIT <= r.DV))),
        "LIMIT is {cell}, on the wrong side of DV",
        "LIMIT below DV where CENS is 1, above DV where CENS is -1",
        "exchange DV and LIMIT, or correct CENS",
    ),
)


def check_records(cells: Cells, columns: RecordColumns) -> None:
    """Raise a `DataError` for the first rule that a record breaks."""
    for rule in RULES:
        cells.refuse(rule.broken(columns), rule.column, rule.problem, rule.expected, rule.cure)
