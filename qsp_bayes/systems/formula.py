"""Formula: a rate as a tree of numbers, names and functions, and its value in PyTensor.

Text becomes a tree in `formula_text`, MathML in `sbml.mathematics`; nothing is ever handed to Python to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple

import pytensor.tensor as pt

from qsp_bayes.errors import MechanismError

ANY = 99
"""The largest number of arguments of a function that takes any number of them."""


@dataclass(frozen=True)
class Number:
    """A number, which has no unit."""

    value: float


@dataclass(frozen=True)
class Name:
    """The name of a quantity; `position` counts the characters of the text before it."""

    name: str
    position: int = field(default=-1, compare=False)


@dataclass(frozen=True)
class Call:
    """A function or an operator of `FUNCTIONS`, or a rate law, of arguments."""

    function: str
    arguments: tuple[Formula, ...]
    position: int = field(default=-1, compare=False)


Formula = Number | Name | Call


class Function(NamedTuple):
    """How many arguments a function takes, and what it makes of them."""

    least: int
    most: int
    apply: Callable[..., Any]


def folded(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Let a function of two arguments take any number of them."""
    return lambda *values: reduce(operation, values)


def chosen(*values: Any) -> Any:
    """Return the first value whose condition holds, and the last one where none does."""
    *pairs, otherwise = values
    for value, condition in reversed(list(zip(pairs[::2], pairs[1::2], strict=True))):
        otherwise = pt.switch(condition, value, otherwise)
    return otherwise


def function(count: int, apply: Callable[..., Any]) -> Function:
    """Describe a function of a known number of arguments."""
    return Function(count, count, apply)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "+": Function(1, ANY, folded(lambda a, b: a + b)),
        "-": Function(1, 2, lambda a, *b: a - b[0] if b else -a),
        "*": Function(1, ANY, folded(lambda a, b: a * b)),
        "/": function(2, lambda a, b: a / b),
        "^": function(2, lambda a, b: a**b),
        "<": function(2, pt.lt),
        "<=": function(2, pt.le),
        ">": function(2, pt.gt),
        ">=": function(2, pt.ge),
        "==": function(2, pt.eq),
        "!=": function(2, pt.neq),
        "&&": Function(1, ANY, folded(pt.and_)),
        "||": Function(1, ANY, folded(pt.or_)),
        "!": function(1, pt.invert),
        "piecewise": Function(3, ANY, chosen),
        "min": Function(1, ANY, folded(pt.minimum)),
        "max": Function(1, ANY, folded(pt.maximum)),
        "abs": function(1, pt.abs),
        "sqrt": function(1, pt.sqrt),
        "exp": function(1, pt.exp),
        "log": function(1, pt.log),
        "ln": function(1, pt.log),
        "log10": function(1, pt.log10),
        "floor": function(1, pt.floor),
        "ceil": function(1, pt.ceil),
        "sin": function(1, pt.sin),
        "cos": function(1, pt.cos),
        "tan": function(1, pt.tan),
        "asin": function(1, pt.arcsin),
        "acos": function(1, pt.arccos),
        "atan": function(1, pt.arctan),
        "sinh": function(1, pt.sinh),
        "cosh": function(1, pt.cosh),
        "tanh": function(1, pt.tanh),
    }
)
"""What a formula may call. Conditions are truth values, and stand in `piecewise(value, condition, otherwise)` only."""

COMPARISONS = ("<", "<=", ">", ">=")


def evaluate(formula: Formula, s: Any) -> Any:
    """Return the value of a formula with the names of a system.

    Raises
    ------
    MechanismError
        For a function that does not exist.

    Examples
    --------
    >>> ratio = Call("/", (Name("A"), Call("+", (Name("A"), Number(2.0)))))
    >>> evaluate(ratio, {"A": 3.0})
    0.6
    """
    match formula:
        case Number(value):
            return value
        case Name(name):
            return s[name]
        case Call(name, arguments):
            check_call(formula)
            return FUNCTIONS[name].apply(*(evaluate(argument, s) for argument in arguments))


def check_call(call: Call) -> None:
    """Raise unless a function exists and takes so many arguments.

    Raises
    ------
    MechanismError
        Naming the function, and what there is.
    """
    if call.function not in FUNCTIONS:
        words = ", ".join(name for name in FUNCTIONS if name.isidentifier())
        raise MechanismError(f"there is no function {call.function!r} here. Functions are {words}.")
    row, count = FUNCTIONS[call.function], len(call.arguments)
    if not row.least <= count <= row.most or (call.function == "piecewise" and count % 2 == 0):
        raise MechanismError(f"function {call.function!r} does not take {count} arguments.")


def quantity(formula: Formula) -> Callable[[Any], Any]:
    """Return a formula as a function of `s`, as `Process`, `Output` and `Switch` take it."""
    return lambda s: evaluate(formula, s)


def parts(formula: Formula) -> Iterator[Formula]:
    """Go through a formula and everything in it."""
    yield formula
    if isinstance(formula, Call):
        for argument in formula.arguments:
            yield from parts(argument)


def names(formula: Formula) -> dict[str, int]:
    """Return the names in a formula, with the position of the first of each."""
    found: dict[str, int] = {}
    for part in parts(formula):
        if isinstance(part, Name):
            found.setdefault(part.name, part.position)
    return found


def substitute(formula: Formula, meanings: Mapping[str, Formula]) -> Formula:
    """Put formulas in the place of names.

    Examples
    --------
    >>> substitute(Call("*", (Name("k"), Name("A"))), {"k": Number(2.0)})
    Call(function='*', arguments=(Number(value=2.0), Name(name='A', position=-1)), position=-1)
    """
    match formula:
        case Name(name):
            return meanings.get(name, formula)
        case Call(function, arguments, position):
            return Call(function, tuple(substitute(a, meanings) for a in arguments), position)
    return formula
