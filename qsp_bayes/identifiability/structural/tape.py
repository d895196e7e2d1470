"""Tape: the graphs of a system as a list of exact scalar operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import pytensor.scalar as ps
from pytensor.graph.basic import Apply
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.operations import Operation, fold

FLOOR = 1e-8
"""A literal smaller than this in a maximum keeps a solver from 0 and means nothing."""

BINARY = {ps.Add: "add", ps.Sub: "sub", ps.Mul: "mul", ps.TrueDiv: "div"}
COMPARISONS = {ps.LT: "<", ps.LE: "<=", ps.GT: ">", ps.GE: ">=", ps.EQ: "==", ps.NEQ: "!="}
LARGER, SMALLER = (ps.Maximum, ps.ScalarMaximum), (ps.Minimum, ps.ScalarMinimum)

Instruction = tuple[Any, ...]


class Tape:
    """Operations in the order in which they are done; equal ones are written once.

    Leaves are ``("unknown", name)``, ``("known", name)``, ``("state", name)``, ``("varying", name)`` and
    ``("time", when)``.
    Choices (`switch`, maximum, ...) are kept, and taken where the values are known: see `choices.Choices`.

    Parameters
    ----------
    squares : bool
        Whether powers that are not whole are written as squares, which have a power series where their base is 0.
    """

    def __init__(self, squares: bool = False) -> None:
        self.squares = squares
        self.exponents: set[int] = set()
        self.instructions: list[Instruction] = []
        self.slots: dict[Instruction, int] = {}
        self.moving: list[bool] = []
        self.known: dict[TensorVariable, int] = {}

    def slot(self, kind: str, *arguments: Any) -> int:
        """Write an operation, or find where it stands."""
        instruction = (kind, *arguments)
        if instruction not in self.slots:
            self.slots[instruction] = len(self.instructions)
            self.instructions.append(instruction)
            changes = kind in ("state", "varying", "time")
            self.moving.append(changes or any(self.moving[a] for a in self.arguments(instruction)))
        return self.slots[instruction]

    @staticmethod
    def arguments(instruction: Instruction) -> tuple[int, ...]:
        """Return the slots that an operation reads."""
        if instruction[0] in ("number", "unknown", "known", "state", "varying", "time"):
            return ()
        return tuple(a for a in instruction[1:] if isinstance(a, int))

    def number(self, value: Any) -> int:
        """Write a number; decimals are what they read."""
        return self.slot("number", value if isinstance(value, Fraction) else Fraction(str(value)))

    def value(self, slot: int) -> Fraction | None:
        """Return the number in a slot, if it holds one."""
        instruction = self.instructions[slot]
        return instruction[1] if instruction[0] == "number" else None

    def add(self, first: int, second: int) -> int:
        """Write a sum."""
        if self.value(first) == 0:
            return second
        return first if self.value(second) == 0 else self.slot("add", first, second)

    def mul(self, first: int, second: int) -> int:
        """Write a product."""
        for one, other in ((first, second), (second, first)):
            if self.value(one) in (0, 1):
                return one if self.value(one) == 0 else other
        return self.slot("mul", first, second)

    def power(self, base: int, exponent: int) -> int:
        """Write a power: products where the exponent is whole, a root where it is 1/2, else exp(exponent log(base))."""
        number = self.value(exponent)
        if number is None or number.denominator not in (1, 2):
            self.exponents.add(exponent)
            number = Fraction(2) if self.squares else number
        if number is not None and number.denominator == 1 and abs(number) <= 64:
            result, square, left = self.number(1), base, abs(int(number))
            while left:
                if left & 1:
                    result = self.mul(result, square)
                left >>= 1
                square = self.mul(square, square) if left else square
            return result if number >= 0 else self.slot("div", self.number(1), result)
        if number is not None and abs(number) == Fraction(1, 2):
            root = self.slot("sqrt", base)
            return root if number > 0 else self.slot("div", self.number(1), root)
        return self.slot("exp", self.mul(exponent, self.slot("log", base)))

    def write(self, graph: TensorVariable, where: str) -> int:
        """Write a graph and return the slot of its value.

        Raises
        ------
        MechanismError
            For an operation that exact arithmetic does not have, naming it and `where` it stands.
        """

        def apply(row: Operation, arguments: list[int], node: Apply) -> int:
            return self.operation(row, arguments, type(node.op.scalar_op), where)

        return fold(graph, self.known, self.number, apply)

    def operation(self, row: Operation, arguments: list[int], kind: type, where: str) -> int:
        """Write one operation of a graph."""
        first = arguments[0]
        if kind in (ps.Add, ps.Mul):
            for other in arguments[1:]:
                first = self.add(first, other) if kind is ps.Add else self.mul(first, other)
            return first
        if kind in BINARY:
            return self.slot(BINARY[kind], *arguments)
        if kind in COMPARISONS:
            return self.slot("compare", COMPARISONS[kind], *arguments)
        if kind in LARGER:
            for one, other in (arguments, arguments[::-1]):
                number = self.value(one)
                if number is not None and abs(number) < FLOOR:
                    return other
            return self.choice(">=", arguments, arguments)
        if kind in SMALLER:
            return self.choice("<=", arguments, arguments)
        match row.form:
            case "itself":
                return first
            case "negative":
                return self.slot("sub", self.number(0), first)
            case "square":
                return self.mul(first, first)
            case "reciprocal":
                return self.slot("div", self.number(1), first)
            case "root":
                return self.slot("sqrt", first)
            case "power":
                return self.power(*arguments)
            case "choice":
                return self.slot("choose", *arguments)
        return self.function(row.symbol, arguments, where)

    def choice(self, relation: str, compared: Iterable[int], options: Iterable[int]) -> int:
        """Write the choice between two values by a comparison."""
        return self.slot("choose", self.slot("compare", relation, *compared), *options)

    def function(self, name: str, arguments: list[int], where: str) -> int:
        """Write a function in terms of exp, log, sine and cosine."""
        first, one = arguments[0], self.number(1)
        match name:
            case "exp" | "log":
                return self.slot(name, first)
            case "sin" | "cos":
                return {each: self.slot(each, first) for each in ("sin", "cos")}[name]
            case "abs":
                return self.choice(
                    ">=", (first, self.number(0)), (first, self.slot("sub", self.number(0), first))
                )
            case "log10":
                return self.mul(self.slot("known", "1/log(10)"), self.slot("log", first))
            case "expm1":
                return self.slot("sub", self.slot("exp", first), one)
            case "log1p":
                return self.slot("log", self.add(one, first))
            case "sigmoid":
                grown = self.slot("exp", first)
                return self.slot("div", grown, self.add(one, grown))
            case "log1pexp":
                return self.slot("log", self.add(one, self.slot("exp", first)))
            case "cosh" | "sinh" | "tanh":
                grown = self.slot("exp", first)
                fallen = self.slot("div", one, grown)
                total, difference = self.add(grown, fallen), self.slot("sub", grown, fallen)
                if name == "tanh":
                    return self.slot("div", difference, total)
                return self.mul(self.number(Fraction(1, 2)), total if name == "cosh" else difference)
            case "and" | "or" | "invert":
                return self.slot(name, *arguments)
        raise MechanismError(
            f"{where} uses {name!r}, which exact arithmetic of power series does not have. Write it with + - * /, "
            "powers, exp, log, sin and cos, or give it to the system as an input."
        )

    def needed(self, slots: Iterable[int], taken: Mapping[int, int] | None = None) -> list[int]:
        """Return the slots that some slots rest on, in order; `taken` gives the option of each choice."""
        taken = taken or {}
        seen: set[int] = set()
        stack = list(slots)
        while stack:
            slot = stack.pop()
            if slot not in seen:
                seen.add(slot)
                stack += [taken[slot]] if slot in taken else self.arguments(self.instructions[slot])
        return sorted(seen)
