"""Choices: the side of each comparison on which a piece starts, and exact roots there."""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from qsp_bayes.identifiability.structural.point import Point
from qsp_bayes.identifiability.structural.tape import Tape

RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}


class Choices:
    """The value of each slot where a piece starts, in fractions of positive numbers as long as it has one.

    A comparison goes to the side on which the piece starts; on the border, or where a value is unknown, as if the
    first of the two were larger.
    """

    def __init__(self, tape: Tape, start: Mapping[str, int], point: Point) -> None:
        self.tape, self.start, self.point = tape, start, point
        self.values: dict[int, Any] = {}
        self.taken: dict[int, int] = {}

    def value(self, slot: int) -> Any:
        """Return the value of a slot where the piece starts, or None where it has none."""
        if slot not in self.values:
            try:
                self.values[slot] = self.computed(slot)
            except (ArithmeticError, ValueError, TypeError):
                self.values[slot] = None
        return self.values[slot]

    def computed(self, slot: int) -> Any:
        """Do one operation."""
        kind, *arguments = self.tape.instructions[slot]
        match kind:
            case "number":
                return arguments[0]
            case "unknown" | "known" | "varying":
                return Fraction(self.point.value(arguments[0] if kind != "varying" else (arguments[0], 0)))
            case "time":
                return Fraction(self.point.value(("time", arguments[0])))
            case "state":
                return self.value(self.start[arguments[0]])
            case "compare":
                first, second = (self.value(a) for a in arguments[1:])
                if first is None or second is None or first == second:
                    return arguments[0] in (">", ">=", "!=")
                return RELATIONS[arguments[0]](first, second)
            case "and" | "or":
                holds = [bool(self.value(a)) for a in arguments]
                return all(holds) if kind == "and" else any(holds)
            case "invert":
                return not self.value(arguments[0])
            case "choose":
                self.taken[slot] = arguments[1] if self.value(arguments[0]) else arguments[2]
                return self.value(self.taken[slot])
            case "sqrt":
                return root_of(self.value(arguments[0]))
        values = [self.value(a) for a in arguments]
        if any(value is None for value in values):
            return None
        return (
            ARITHMETIC[kind](*values) if kind in ARITHMETIC else float(getattr(cmath, kind)(values[0]).real)
        )


def root_of(square: Any) -> Any:
    """Return the root of a number, as a fraction where it is one.

    Examples
    --------
    >>> root_of(Fraction(9, 4)), root_of(Fraction(2))
    (Fraction(3, 2), 1.4142135623730951)
    """
    if isinstance(square, Fraction) and square >= 0:
        root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
        if root * root == square:
            return root
    return math.sqrt(square)
