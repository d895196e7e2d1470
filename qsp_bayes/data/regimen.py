"""Regimen: planned doses."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import DataError, UnitsError
from qsp_bayes.units import parse_unit, require_same_unit


@dataclass(frozen=True, repr=False)
class Regimen:
    r"""Planned doses: at times :math:`t_k = t_0 + k\tau`, with ``a + b`` for one regimen beside another.

    Parameters
    ----------
    amount : float
        Amount of each dose, 0 or more, in `unit`; with `per`, the amount for each unit of that covariate.
    unit : str
        Unit of `amount`: the study's unit of amounts, or with `per` one such as ``"mg/kg"``.
    every : float, optional
        Interval between doses; without it there is a single dose.
    until : float, optional
        Doses are given at times before this one (``until=72`` with ``every=24``: at 0, 24 and 48).
    doses : int, optional
        Number of doses, instead of `until`.
    into : str
        Compartment that is dosed.
    start : float
        Time of the first dose.
    rate : float, optional
        Infusion rate, in the study's unit of amounts per time.
    duration : float, optional
        Infusion duration, instead of `rate`.
    steady_state : bool
        Whether the first dose finds the steady state of doses `every` so often.
    per : str, optional
        Covariate that scales the amount, such as ``"WT"``.
    time_unit : str, optional
        Unit of `every`, `until`, `start` and `duration`. By default that of the study the regimen is planned
        for; when stated it is checked.
    beside : tuple of Regimen
        Regimens joined to this one by ``+``.

    Raises
    ------
    DataError
        If the parts contradict each other.
    UnitsError
        If a unit is unknown.

    Examples
    --------
    >>> loading = Regimen(300, unit="mg")
    >>> maintenance = Regimen(100, unit="mg", every=8, until=24, start=8)
    >>> loading + maintenance
    Regimen(amount=300) + Regimen(amount=100, every=8, until=24, start=8)
    >>> print(loading + maintenance)
    300 mg into depot at 0 + 100 mg every 8 into depot from 8 until 24
    >>> (loading + maintenance).dose_times()
    array([ 0.,  8., 16.])
    >>> print(Regimen(5, unit="mg/kg", per="WT", duration=0.5, into="central"))
    5 mg/kg per WT into central over 0.5 at 0
    """

    amount: float
    unit: str = "mg"
    every: float | None = None
    until: float | None = None
    doses: int | None = None
    into: str = "depot"
    start: float = 0.0
    rate: float | None = None
    duration: float | None = None
    steady_state: bool = False
    per: str | None = None
    time_unit: str | None = None
    beside: tuple[Regimen, ...] = ()

    def __post_init__(self) -> None:
        parse_unit(self.unit, "Regimen")
        parse_unit(self.time_unit or "", "Regimen")
        for name in ("amount", "start", "every", "until", "rate", "duration"):
            value, may_be_zero = getattr(self, name), name in ("amount", "start")
            if value is not None and not (
                math.isfinite(value) and (value > 0 or (value == 0 and may_be_zero))
            ):
                expected = "0 or a positive number" if may_be_zero else "a positive number"
                raise DataError(f"Regimen: {name} is {value!r}", expected, f"correct {name}")
        repeated, until, doses = self.every is not None, self.until is not None, self.doses is not None
        contradictions = (
            (
                self.rate is not None and self.duration is not None,
                "rate and duration are both given",
                "one of them",
            ),
            (until and doses, "until and doses are both given", "one of them"),
            (not repeated and until, "until without an interval", "every=..."),
            (not repeated and doses, "doses without an interval", "every=..."),
            (not repeated and self.steady_state, "a steady state without an interval", "every=..."),
            (
                repeated and not (until or doses or self.steady_state),
                "every without an end",
                "until=... (doses at times before it) or doses=...",
            ),
            (
                self.until is not None and self.until <= self.start,
                f"until is {self.until}, not after start {self.start:g}",
                "a time after the first dose",
            ),
            (
                self.doses is not None and (self.doses < 1 or self.doses != int(self.doses)),
                f"doses is {self.doses!r}",
                "a whole number of at least 1",
            ),
        )
        for broken, problem, expected in contradictions:
            if broken:
                raise DataError(f"Regimen: {problem}", expected, "see the parameters of Regimen")

    def __add__(self, other: Regimen) -> Regimen:
        if not isinstance(other, Regimen):
            return NotImplemented
        return dataclasses.replace(self, beside=(*self.beside, *other.courses))

    @property
    def courses(self) -> tuple[Regimen, ...]:
        """The joined regimens one by one."""
        return (dataclasses.replace(self, beside=()), *self.beside)

    @property
    def compartments(self) -> tuple[str, ...]:
        """Compartments that are dosed."""
        return tuple(dict.fromkeys(course.into for course in self.courses))

    @property
    def n_doses(self) -> int:
        """Number of doses, all courses together."""
        return sum(doses_in_course(course) for course in self.courses)

    def dose_times(self) -> np.ndarray:
        """Times of all doses, sorted."""
        return self.records()["TIME"].to_numpy()

    def amounts(self, covariates: pd.DataFrame) -> np.ndarray:
        """Amount of one dose of this course for each row (subject) of `covariates`.

        Raises
        ------
        DataError
            If the covariate that scales the amount is not there.
        """
        if self.per is None:
            return np.full(len(covariates), float(self.amount))
        if self.per not in covariates:
            raise DataError(
                f"the amount is per {self.per} and the subjects have no such covariate",
                f"one of {', '.join(map(str, covariates))}",
                "correct per=, or give the subjects that covariate",
            )
        return self.amount * covariates[self.per].to_numpy(dtype=np.float64)

    def check_units(self, units: StudyUnits) -> None:
        """Raise unless amounts and times are in the units of a study.

        Raises
        ------
        UnitsError
            Naming both units.
        """
        for course in self.courses:
            amount = course.unit or "1"
            if course.per is not None:
                if course.per not in units.covariates:
                    raise UnitsError(f"regimen {course}: covariate {course.per} has no unit in the study.")
                amount = f"({amount})*({units.covariates[course.per] or '1'})"
            require_same_unit(amount, units.amount, f"regimen {course}")
            if course.time_unit is not None:
                require_same_unit(course.time_unit, units.time, f"times of regimen {course}")

    def records(self) -> pd.DataFrame:
        """Dose records, sorted by time: ``TIME AMT RATE DUR II ADDL SS COMPARTMENT`` and `course`.

        Every dose is a record of its own, so that an observation at the same time can stand before it. AMT is
        the amount before scaling by `per`; `course` is the position in `courses`. A steady state adds to what
        joined courses gave before (SS=2); only the very first dose may replace the state (SS=1).
        """
        frames = []
        for position, course in enumerate(self.courses):
            count = doses_in_course(course)
            first = np.arange(count) == 0
            frames.append(
                pd.DataFrame(
                    {
                        "TIME": course.start + np.arange(count) * (course.every or 0.0),
                        "AMT": float(course.amount),
                        # A placebo (amount 0) infused at a rate has no duration: it is written as a bolus.
                        "RATE": (course.rate or 0.0) if course.amount else 0.0,
                        "DUR": course.duration or 0.0,
                        "II": np.where(first & course.steady_state, course.every or 0.0, 0.0),
                        "ADDL": 0,
                        "SS": np.where(first & course.steady_state, 1, 0),
                        "COMPARTMENT": course.into,
                        "course": position,
                    }
                )
            )
        doses = pd.concat(frames, ignore_index=True).sort_values("TIME", kind="stable", ignore_index=True)
        return doses.assign(SS=np.where((doses["SS"] == 1) & (doses.index > 0), 2, doses["SS"]))

    def __repr__(self) -> str:
        """Give the expression that makes this regimen, without what is at its default."""
        return " + ".join(
            "Regimen("
            + ", ".join(
                f"{item.name}={getattr(course, item.name)!r}"
                for item in dataclasses.fields(course)
                if getattr(course, item.name) != item.default
            )
            + ")"
            for course in self.courses
        )

    def __str__(self) -> str:
        return " + ".join(course.describe() for course in self.courses)

    def describe(self) -> str:
        """Words for this course alone."""
        unit = f" {self.unit}" if self.unit else ""
        words = [f"{self.amount:g}{unit}"]
        if self.per is not None:
            words.append(f"per {self.per}")
        if self.every is not None:
            words.append(f"every {self.every:g}{f' {self.time_unit}' if self.time_unit else ''}")
        words.append(f"into {self.into}")
        if self.rate is not None:
            words.append(f"at rate {self.rate:g}")
        if self.duration is not None:
            words.append(f"over {self.duration:g}")
        if self.every is None:
            words.append(f"at {self.start:g}")
        else:
            if self.start:
                words.append(f"from {self.start:g}")
            if self.doses is not None:
                words.append(f"for {self.doses} doses")
            elif self.until is not None:
                words.append(f"until {self.until:g}")
        if self.steady_state:
            words.append("at steady state")
        return " ".join(words)


def doses_in_course(course: Regimen) -> int:
    """Count the doses of one course."""
    if course.doses is not None:
        return int(course.doses)
    if course.every is None or course.until is None:
        return 1
    return doses_before(course.until, course.start, course.every)


def doses_before(until: float, start: float, every: float) -> int:
    """Count the doses before a time, at least the first.

    A dose that falls on that time by rounding (11 x 0.1 against 1.1) is not before it.

    Examples
    --------
    >>> doses_before(1.1, 0.0, 0.1), doses_before(72.0, 0.0, 8.0)
    (11, 9)
    """
    return max(1, math.ceil((until - start) / every * (1 - 1e-12) - 1e-12))
