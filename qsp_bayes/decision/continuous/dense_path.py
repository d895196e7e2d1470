"""DensePath: the path of an output as smooth pieces between doses, a graph that can be differentiated by the doses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.decision.continuous.chebyshev import N_NODES, WEIGHTS
from qsp_bayes.decision.continuous.piece_ops import Largest, TimeBelow, ValueAt
from qsp_bayes.decision.measures.path import Path
from qsp_bayes.errors import DecisionError
from qsp_bayes.units import require_same_unit


@dataclass(frozen=True, eq=False)
class DensePath(Path):
    r"""Path of an output for a batch of individuals: polynomial pieces between doses and ends of infusions.

    The measures are exact for the pieces, and so are their derivatives: the time :math:`t^*` at which the path crosses
    a level moves by :math:`-\partial_d x(t^*) / \partial_t x(t^*)` with a quantity d (implicit function theorem), and
    an extremum by :math:`\partial_d x(t^*)` (envelope theorem). At a tangency a duration has no derivative. Both sides
    of a jump count: the trough before a dose and the peak after it. Before the first dose the path has one value more,
    `start`.

    Arithmetic with numbers, with values by individual, and with other paths at the same pieces gives paths.

    Parameters
    ----------
    values : variable
        (individual, piece, node), at the nodes of `chebyshev.NODES`.
    edges : variable
        Ends of the pieces, ascending, (individual, piece + 1). A piece may have no length; it then does not count.
    start : variable
        Value at the first edge before a dose given then, (individual,).
    span : tuple of float
        First and last edge.
    description : str
        What errors call it.
    unit : str, optional
        Against which that of a threshold is checked; kept by arithmetic with numbers, unknown after other.

    Examples
    --------
    >>> from qsp_bayes.decision.continuous.chebyshev import NODES
    >>> decay = np.exp(-(NODES + 1) / 2)[None, None, :]  # exp(-t) from 0 to 1, one individual, one piece
    >>> path = DensePath(pt.constant(decay), pt.constant([[0.0, 1.0]]), pt.constant([0.0]), (0.0, 1.0))
    >>> path.time_within(0.5, 2.0).eval().round(8), np.log(2).round(8)
    (array([0.69314718]), np.float64(0.69314718))
    """

    values: Variable
    edges: Variable
    start: Variable
    span: tuple[float, float]
    description: str = "path"
    unit: str | None = None

    # NumPy would otherwise take the elements of ``array * path`` one by one.
    __array_ufunc__ = None

    def require_unit(self, unit: str, where: str) -> None:
        """Require the unit that a threshold is given in.

        Raises
        ------
        DecisionError
            If the path has no unit to check it against.
        UnitsError
            If it has another.
        """
        if self.unit is None:
            raise DecisionError(
                f"The {where} is in {unit!r}, but the unit of {self.description} is not known after this arithmetic. "
                "Leave unit out."
            )
        require_same_unit(unit, self.unit, f"{where} of {self.description}")

    @property
    def lengths(self) -> Variable:
        """Lengths of the pieces, (individual, piece)."""
        return self.edges[:, 1:] - self.edges[:, :-1]

    def duration(self) -> float:
        """Give the span of time."""
        return self.span[1] - self.span[0]

    def time_within(self, low: Any, high: Any) -> Variable:
        """Give the time between two bounds, each a number, infinite ones included, or one value by individual."""
        before = 0.0 if is_infinite(low) else self.time_below(low, strict=True)
        after = self.duration() if is_infinite(high) else self.time_below(high, strict=False)
        return self.named("time_within", after - before)

    def time_below(self, level: Any, *, strict: bool) -> Variable:
        """Give the time below a level, where `strict` without the time at the level."""
        return TimeBelow(strict)(self.values, self.lengths, self.by_individual(level))[0]

    def auc(self) -> Variable:
        """Give the area, by the quadrature that is exact for the pieces."""
        return self.named("auc", 0.5 * pt.sum(self.lengths * pt.sum(self.values * WEIGHTS, axis=2), axis=1))

    def cmax(self) -> Variable:
        """Give the largest value, both sides of a jump included."""
        return self.named("cmax", pt.maximum(Largest()(self.values, self.lengths)[0], self.start))

    def cmin(self) -> Variable:
        """Give the smallest value, both sides of a jump included."""
        return self.named("cmin", -pt.maximum(Largest()(-self.values, self.lengths)[0], -self.start))

    def value_at(self, time: float | None) -> Variable:
        """Give the value before a dose given at the time, by default at the end.

        Raises
        ------
        DecisionError
            If the time lies outside the span.
        """
        at = self.span[1] if time is None else float(time)
        if not self.span[0] <= at <= self.span[1]:
            raise DecisionError(
                f"trough: time {at:g} lies outside the simulated times, {self.span[0]:g} to {self.span[1]:g}."
            )
        if at == self.span[0]:
            return self.start
        return self.named("trough", ValueAt()(self.values, self.edges, self.by_individual(at))[0])

    def named(self, measure: str, value: Any) -> Any:
        """Name a measure, for errors that speak of it."""
        if isinstance(value, Variable):
            value.name = f"{measure}({self.description})"
        return value

    def by_individual(self, value: Any) -> Variable:
        """Give a number, or values by individual, as a value for each individual."""
        return pt.alloc(pt.as_tensor_variable(value, dtype="float64"), self.values.shape[0])

    def combined(self, other: Any, operation: Any) -> DensePath:
        """Apply an elementwise operation at every node."""
        if isinstance(other, DensePath):
            if other.edges is not self.edges:
                raise DecisionError(
                    f"{self.description} and {other.description} are paths of different pieces."
                )
            values, start = other.values, other.start
        else:
            start = pt.as_tensor_variable(other)
            if start.ndim > 1:
                raise DecisionError(
                    f"{self.description}: a path is combined with a number, one value by individual or another path, "
                    f"not with {start.ndim} dimensions."
                )
            values = start[:, None, None] if start.ndim else start
        kept = self.unit if np.ndim(other) == 0 and not isinstance(other, DensePath | Variable) else None
        return replace(
            self, values=operation(self.values, values), start=operation(self.start, start), unit=kept
        )

    def __add__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> DensePath:
        return self.combined(other, lambda a, b: a / b)

    def __neg__(self) -> DensePath:
        return replace(self, values=-self.values, start=-self.start)


def is_infinite(bound: Any) -> bool:
    """Tell whether a bound is an infinite number."""
    return not isinstance(bound, Variable) and np.ndim(bound) == 0 and bool(np.isinf(bound))


def pieces_of(values: Variable, n_individuals: Variable) -> Variable:
    """Shape values at the nodes of all pieces, individual by individual, as (individual, piece, node)."""
    return values.reshape((n_individuals, -1, N_NODES))
