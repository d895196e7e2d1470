"""Rational functions of a tape as polynomials, with reciprocals as variables of their own."""

from __future__ import annotations

import time
from collections.abc import Collection

from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.groebner import TimeIsUp
from qsp_bayes.identifiability.structural.modular import residue
from qsp_bayes.identifiability.structural.point import Point
from qsp_bayes.identifiability.structural.polynomial import Polynomial, Ring


class NotRational(Exception):
    """A quantity that is no rational function of parameters, states and inputs."""


class Rational:
    """The slots of a design as polynomials in its unknowns, states and inputs.

    Parameters
    ----------
    design : Design
    point : Point
        Gives what is known, and the values of `fixed`.
    fixed : collection of str
        Unknowns that stand for their value.
    deadline : float
        On the monotonic clock.
    spare : int
        How many more variables the equations may need.
    """

    def __init__(
        self, design: Design, point: Point, fixed: Collection[str], deadline: float, spare: int = 24
    ) -> None:
        tape = design.tape
        self.tape, self.point, self.fixed, self.deadline = tape, point, fixed, deadline
        self.free = [name for name in design.unknowns if name not in fixed]
        self.leaves = {
            slot: f"{kind} {rest[0]}"
            for slot, (kind, *rest) in enumerate(tape.instructions)
            if kind in ("state", "varying")
        }
        self.ring = Ring(point.prime, [*self.free, *self.leaves.values()], spare)
        self.slots: dict[int, Polynomial] = {}

    def hurry(self) -> None:
        """Raise where the time is up."""
        if time.monotonic() > self.deadline:
            raise TimeIsUp

    def polynomial(self, slot: int) -> Polynomial:
        """Return the polynomial of a slot.

        Raises
        ------
        NotRational
            For functions, choices and time.
        """
        for each in self.tape.needed([slot]):
            if each not in self.slots:
                self.hurry()
                self.slots[each] = self.operation(each)
        return self.slots[slot]

    def operation(self, slot: int) -> Polynomial:
        """Do one operation."""
        ring = self.ring
        kind, *arguments = self.tape.instructions[slot]
        match kind:
            case "number":
                return ring.number(residue(arguments[0], ring.prime))
            case "unknown" if arguments[0] not in self.fixed:
                return ring.variable(arguments[0])
            case "unknown" | "known":
                return ring.number(self.point.value(arguments[0]))
            case "state" | "varying":
                return ring.variable(self.leaves[slot])
            case "add" | "sub" | "mul" | "div":
                first, second = (self.slots[a] for a in arguments)
                if kind in ("add", "sub"):
                    return ring.add(first, second, 1 if kind == "add" else -1)
                return ring.multiply(first, second) if kind == "mul" else ring.divide(first, second)
        raise NotRational

    def linear(self, slot: int) -> tuple[dict[str, Polynomial], Polynomial]:
        """Split a slot into what multiplies each state or input, and the rest.

        Raises
        ------
        NotRational
            If the slot is not linear in the states and inputs.
        """
        ring, polynomial = self.ring, self.polynomial(slot)
        moving = [ring.position[name] for name in self.leaves.values()]
        hidden = {
            position
            for divisor, variable in ring.reciprocals.items()
            if any(monomial[at] for monomial, _ in divisor for at in moving)
            for position in [next(iter(variable)).index(1)]
        }
        parts: dict[str, Polynomial] = {}
        rest: Polynomial = {}
        for monomial, value in polynomial.items():
            present = [at for at in moving if monomial[at]]
            if (
                len(present) > 1
                or any(monomial[at] > 1 for at in present)
                or any(monomial[at] for at in hidden)
            ):
                raise NotRational
            if present:
                at = present[0]
                without = (*monomial[:at], 0, *monomial[at + 1 :])
                parts.setdefault(ring.names[at], {})[without] = value
            else:
                rest[monomial] = value
        return parts, rest

    def values(self) -> dict[int, int]:
        """Return the values of the variables at the point, those of reciprocals included."""
        ring, p = self.ring, self.ring.prime
        values = {ring.position[name]: self.point.value(name) for name in self.free}
        for divisor, variable in ring.reciprocals.items():
            position = next(iter(variable)).index(1)
            if all(values.get(at) is not None for m, _ in divisor for at, e in enumerate(m) if e):
                values[position] = pow(ring.value(dict(divisor), values), -1, p)
        return values
