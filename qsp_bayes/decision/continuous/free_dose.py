"""What of a regimen is free: `Between` bounds one quantity of one course, `FreeRegimen` holds them all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from qsp_bayes.data.regimen import Regimen, doses_before
from qsp_bayes.errors import DataError, DecisionError

QUANTITIES = ("amount", "every", "duration", "rate", "start")
"""Quantities of a course that can be free; `amount` and `start` may be 0."""


@dataclass(frozen=True)
class Between:
    """A quantity of a regimen that is free between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of the regimen.
    of : {"amount", "every", "duration", "rate", "start"}
        The quantity.
    course : int
        Which of the joined courses: 0 is the first, 1 what was added to it by ``+``.

    Raises
    ------
    DecisionError
        For bounds that are not in order or not possible, and an unknown quantity.

    Examples
    --------
    >>> Between(50, 600, of="amount")
    Between(low=50, high=600, of='amount', course=0)
    """

    low: float
    high: float
    of: str
    course: int = 0

    def __post_init__(self) -> None:
        if self.of not in QUANTITIES:
            raise DecisionError(f"Between: of is {self.of!r}; it must be one of {', '.join(QUANTITIES)}.")
        least = 0.0 if self.of in ("amount", "start") else math.ulp(0.0)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and least <= self.low < self.high):
            raise DecisionError(
                f"Between: the bounds of {self.of} are {self.low} and {self.high}; expected "
                f"{'0' if least == 0 else 'a positive number'} or more, and less than the upper one."
            )


@dataclass(frozen=True)
class DoseLayout:
    """Which doses there are within the simulated time: all that does not change smoothly with what is free.

    Attributes
    ----------
    course, index : (dose,) int
        Which course each dose belongs to, and its number within the course, from 0.
    steady_state : (dose,) int
        0, 1 or 2, as in a record. Doses that set a steady state come first.
    """

    course: np.ndarray
    index: np.ndarray
    steady_state: np.ndarray

    @property
    def key(self) -> tuple[bytes, ...]:
        """What tells layouts apart."""
        return self.course.tobytes(), self.index.tobytes(), self.steady_state.tobytes()


@dataclass(frozen=True)
class FreeRegimen:
    """A regimen of which some quantities are free.

    Parameters
    ----------
    regimen : Regimen
        Fixes everything else.
    free : mapping of str to Between
        By names of the user's own.

    Raises
    ------
    DecisionError
        For a course or a quantity that the regimen does not have, and one that is free twice.

    Examples
    --------
    >>> once = FreeRegimen(Regimen(100, every=12, until=24), {"dose": Between(50, 600, of="amount")})
    >>> print(once.at([300.0]))
    300 mg every 12 into depot until 24
    >>> once.layout([300.0], end=72.0).index.tolist()
    [0, 1]
    """

    regimen: Regimen
    free: Mapping[str, Between]

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", MappingProxyType(dict(self.free)))
        if not self.free:
            raise DecisionError(
                'Nothing is free. Give for example free={"dose": Between(50, 600, of="amount")}.'
            )
        courses, taken = self.regimen.courses, set()
        for name, bounds in self.free.items():
            if not isinstance(bounds, Between):
                raise DecisionError(f"free[{name!r}] is {bounds!r}; expected Between(low, high, of=...).")
            if not 0 <= bounds.course < len(courses):
                raise DecisionError(
                    f"free[{name!r}]: the regimen has {len(courses)} courses, counted from 0, and no course "
                    f"{bounds.course}."
                )
            if getattr(courses[bounds.course], bounds.of) is None:
                raise DecisionError(
                    f"free[{name!r}]: course {bounds.course} ({courses[bounds.course]}) has no {bounds.of}. Give the "
                    f"regimen one, from which the search may start: {bounds.of}=..."
                )
            if (bounds.of, bounds.course) in taken:
                raise DecisionError(
                    f"free[{name!r}]: the {bounds.of} of course {bounds.course} is free twice."
                )
            taken.add((bounds.of, bounds.course))
        for corner in (self.low, self.high):
            self.at(corner)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is free."""
        return tuple(self.free)

    @property
    def low(self) -> np.ndarray:
        """Lower bounds."""
        return np.array([bounds.low for bounds in self.free.values()], dtype=float)

    @property
    def high(self) -> np.ndarray:
        """Upper bounds."""
        return np.array([bounds.high for bounds in self.free.values()], dtype=float)

    @property
    def given(self) -> np.ndarray:
        """Values of the regimen as it was given, moved within the bounds."""
        values = [getattr(self.regimen.courses[b.course], b.of) for b in self.free.values()]
        return np.clip(np.array(values, dtype=float), self.low, self.high)

    def position(self, of: str, course: int) -> int | None:
        """Position among what is free of a quantity of a course; None where it is fixed."""
        for position, bounds in enumerate(self.free.values()):
            if (bounds.of, bounds.course) == (of, course):
                return position
        return None

    def unit(self, name: str, time_unit: str) -> str:
        """Unit of what is free under a name."""
        bounds = self.free[name]
        amount = self.regimen.courses[bounds.course].unit
        return {"amount": amount, "rate": f"{amount}/{time_unit}"}.get(bounds.of, time_unit)

    def at(self, point: np.ndarray | list[float]) -> Regimen:
        """Give the regimen with values for what is free.

        Raises
        ------
        DecisionError
            If there is no such regimen.
        """
        courses = list(self.regimen.courses)
        change: Any
        for (name, bounds), value in zip(self.free.items(), point, strict=True):
            try:
                change = {bounds.of: float(value)}
                courses[bounds.course] = dataclasses.replace(courses[bounds.course], **change)
            except DataError as error:
                raise DecisionError(f"free[{name!r}] at {value:g}: {error}") from error
        first, *others = courses
        for course in others:
            first = first + course
        return first

    def layout(self, point: np.ndarray | list[float], end: float) -> DoseLayout:
        """Give the doses before the end of the simulated time: those of `Regimen.records`, without tables."""
        given = [self.course_at(number, point) for number in range(len(self.regimen.courses))]
        course = np.concatenate([np.full(index.size, c) for c, (_, index, _) in enumerate(given)])
        times, index, steady = (np.concatenate(parts) for parts in zip(*given, strict=True))
        order = np.argsort(times, kind="stable")
        # A steady state adds to what was given before; only the very first dose may replace the state.
        steady_state = np.where(steady[order], np.where(np.arange(order.size) > 0, 2, 1), 0)
        # A dose that falls on the end by rounding is not before it, as for `until`.
        kept = times[order] < end - 1e-12 * max(1.0, abs(end))
        order, steady_state = order[kept], steady_state[kept]
        first = np.argsort(steady_state == 0, kind="stable")
        order = order[first]
        return DoseLayout(course[order], index[order], steady_state[first])

    def course_at(
        self, number: int, point: np.ndarray | list[float]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give times and numbers of the doses of a course, and which of them sets a steady state."""
        course = self.courses[number]

        def quantity(of: str) -> Any:
            position = self.position(of, number)
            return getattr(course, of) if position is None else float(point[position])

        start, every, n = quantity("start"), quantity("every"), course.doses or 1
        if course.doses is None and every is not None and course.until is not None:
            n = doses_before(course.until, start, every)
        index = np.arange(int(n), dtype=np.int64)
        return start + index * (every or 0.0), index, (index == 0) & course.steady_state

    @cached_property
    def courses(self) -> tuple[Regimen, ...]:
        """Courses of the regimen as it was given."""
        return self.regimen.courses
