"""Right-hand sides as compiled straight-line code, for peers that are called from compiled code.

A field is traced once with `Expression` in place of numbers; equal expressions are one object, so that common
subexpressions are computed once, and derivatives follow the rules of calculus. Shares no code with qsp_bayes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from benchmarks.problems import Problem

COMPILED: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"contract", "arcp", "nsz", "reassoc", "afn"},
}
"""How numba compiles: free to reorder arithmetic, yet NaN and infinity keep their meaning."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A leaf, whose operation is its name, or an operation on two arguments (numbers or expressions)."""

    operation: str
    arguments: tuple[Any, ...] = ()

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(other, self)

    def __sub__(self, other: Any) -> Any:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return divide(other, self)

    def __neg__(self) -> Any:
        return multiply(-1.0, self)


node = functools.cache(Expression)
"""The one expression of an operation and its arguments."""


def numbers(*arguments: Any) -> bool:
    return not any(isinstance(argument, Expression) for argument in arguments)


def is_number(argument: Any, value: float) -> bool:
    return numbers(argument) and argument == value


def add(a: Any, b: Any) -> Any:
    if numbers(a, b):
        return a + b
    if is_number(a, 0.0):
        return b
    return a if is_number(b, 0.0) else node("+", (a, b))


def subtract(a: Any, b: Any) -> Any:
    if numbers(a, b):
        return a - b
    if is_number(b, 0.0):
        return a
    return multiply(-1.0, b) if is_number(a, 0.0) else node("-", (a, b))


def multiply(a: Any, b: Any) -> Any:
    if numbers(a, b):
        return a * b
    if is_number(a, 0.0) or is_number(b, 0.0):
        return 0.0
    if is_number(a, 1.0):
        return b
    return a if is_number(b, 1.0) else node("*", (a, b))


def divide(a: Any, b: Any) -> Any:
    if numbers(a, b):
        return a / b
    if is_number(a, 0.0):
        return 0.0
    return a if is_number(b, 1.0) else node("/", (a, b))


@functools.cache
def derivative(expression: Any, by: Expression) -> Any:
    """Derivative of an expression by a leaf."""
    if expression is by:
        return 1.0
    if numbers(expression) or not expression.arguments:
        return 0.0
    a, b = expression.arguments
    da, db = derivative(a, by), derivative(b, by)
    match expression.operation:
        case "+":
            return add(da, db)
        case "-":
            return subtract(da, db)
        case "*":
            return add(multiply(da, b), multiply(a, db))
        case _:
            return divide(subtract(da, multiply(expression, db)), b)


def code(name: str, outputs: dict[str, list[Any]]) -> str:
    """Source of a function of (t, y, p, ...) that fills the named arrays."""
    lines: list[str] = []
    known: dict[Expression, str] = {}

    def term(expression: Any) -> str:
        if numbers(expression):
            return repr(float(expression))
        if not expression.arguments:
            return expression.operation
        if expression not in known:
            left, right = map(term, expression.arguments)
            known[expression] = f"x{len(known)}"
            lines.append(f"{known[expression]} = {left} {expression.operation} {right}")
        return known[expression]

    for array, entries in outputs.items():
        for position, entry in enumerate(entries):
            value = term(entry)
            lines.append(f"{array}[{position}] = {value}")
    return "\n    ".join([f"def {name}(t, y, p, {', '.join(outputs)}):", *lines])


@dataclass(frozen=True)
class Compiled:
    """Compiled functions of a problem.

    Parameters
    ----------
    rates : callable
        ``rates(t, y, p, dy)`` fills the derivatives of the states.
    slopes : callable
        ``slopes(t, y, p, J, F)`` fills the entries of the derivatives by states and by parameters that are not 0.
    start : callable
        ``start(t, y, p, y0, s0)`` fills the initial state and all its derivatives by parameters, by state.
    by_state, by_parameter : numpy.ndarray
        Where those entries belong: (entry, 2), row and column.
    """

    rates: Any
    slopes: Any
    start: Any
    by_state: np.ndarray
    by_parameter: np.ndarray


def straight_line(problem: Problem) -> Compiled:
    """Trace and compile the right-hand side of a problem, its derivatives and its initial state."""
    y = [node(f"y[{i}]") for i in range(len(problem.states))]
    p = [node(f"p[{j}]") for j in range(len(problem.parameters))]
    field, start = problem.field(node("t"), y, p), problem.start(p)

    def entries(leaves: list[Any]) -> dict[tuple[int, int], Any]:
        table = {(i, j): derivative(f, leaf) for i, f in enumerate(field) for j, leaf in enumerate(leaves)}
        return {place: entry for place, entry in table.items() if not is_number(entry, 0.0)}

    by_state, by_parameter = entries(y), entries(p)
    initial_slopes = [derivative(x, leaf) for x in start for leaf in p]

    def compiled(name: str, **outputs: list[Any]) -> Any:
        namespace: dict[str, Any] = {}
        exec(code(name, outputs), namespace)
        return numba.njit(namespace[name], **COMPILED)

    return Compiled(
        rates=compiled("rates", dy=field),
        slopes=compiled("slopes", J=list(by_state.values()), F=list(by_parameter.values())),
        start=compiled("start", y0=start, s0=initial_slopes),
        by_state=np.array(list(by_state)).reshape(-1, 2),
        by_parameter=np.array(list(by_parameter)).reshape(-1, 2),
    )
