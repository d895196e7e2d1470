r"""Prolongation: the parameters of any rational system that give the same power series, as polynomial equations.

The coefficients of the states are unknowns beside the parameters, tied by :math:`(k + 1)\,x_{k+1} = f_k`, and those of
what is observed equal their true values (Hong, Ovchinnikov, Pogudin & Yap 2020). States that are observed as they are,
or times or over a parameter, are known from the start, which is what keeps the equations small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.polynomial import Polynomial
from qsp_bayes.identifiability.structural.rational import NotRational, Rational
from qsp_bayes.identifiability.structural.series import Piece, observed

LONGEST = 2
"""A coefficient with more terms than this is a variable of its own."""


def equations(design: Design, rational: Rational, order: int) -> list[Polynomial]:
    """Return the polynomials that vanish where parameters give the true coefficients up to an order.

    Raises
    ------
    NotRational
        For functions, choices, time, and roots.
    """
    found: list[Polynomial] = []
    for number, piece in enumerate(design.pieces):
        found += Prolongation(design, rational, piece, number, order).found
    return [*found, *rational.ring.relations]


class Prolongation:
    """The coefficients of one piece as polynomials, order by order."""

    def __init__(self, design: Design, rational: Rational, piece: Piece, number: int, order: int) -> None:
        self.tape, self.rational, self.piece = design.tape, rational, piece
        self.ring, self.number = rational.ring, number
        self.true = observed(design.tape, piece, rational.point, order, piece.watched.values())
        self.found: list[Polynomial] = []
        self.series: dict[int, list[Polynomial]] = {}
        self.inverse: dict[int, Polynomial] = {}
        self.live = self.closure()
        self.direct = self.observed_states()
        self.states = {
            design.tape.instructions[slot][1]: slot
            for slot in self.live
            if design.tape.instructions[slot][0] == "state"
        }
        self.run(order)

    def closure(self) -> list[int]:
        """Return the slots that what is watched needs."""
        wanted, size = set(self.piece.watched.values()), -1
        while size != len(wanted):
            size = len(wanted)
            wanted |= set(self.tape.needed(wanted))
            for slot in list(wanted):
                kind, *arguments = self.tape.instructions[slot]
                if kind == "state":
                    wanted |= {self.piece.start[arguments[0]], self.piece.derivative[arguments[0]]}
        return sorted(wanted)

    def observed_states(self) -> dict[int, tuple[str, int | None, bool]]:
        """Return, for states that an output shows, the output and what it multiplies or divides them by."""
        direct: dict[int, tuple[str, int | None, bool]] = {}
        for name, slot in self.piece.watched.items():
            kind, *arguments = self.tape.instructions[slot]
            if kind == "state":
                direct.setdefault(slot, (name, None, False))
            elif kind in ("mul", "div"):
                for state, factor in ((arguments[0], arguments[1]), (arguments[1], arguments[0])):
                    fits = self.tape.instructions[state][0] == "state" and not self.tape.moving[factor]
                    if fits and (kind == "mul" or state == arguments[0]):
                        direct.setdefault(state, (name, factor, kind == "mul"))
        return direct

    def shown(self, slot: int, order: int) -> Polynomial | None:
        """Return a coefficient of a state from the output that shows it."""
        if slot not in self.direct:
            return None
        name, factor, multiplied = self.direct[slot]
        value = self.ring.number(int(self.true[self.piece.watched[name]][order, 0]))
        if factor is None:
            return value
        scale = self.rational.polynomial(factor)
        return self.ring.divide(value, scale) if multiplied else self.ring.multiply(value, scale)

    def run(self, order: int) -> None:
        """Fill the coefficients and collect the equations."""
        ring, moving = self.ring, self.tape.moving
        for slot in self.live:
            if not moving[slot]:
                self.series[slot] = [self.rational.polynomial(slot)]
        for name, slot in self.states.items():
            self.series[slot] = [self.settled(slot, 0, self.rational.polynomial(self.piece.start[name]))]
        for k in range(order + 1):
            for slot in self.live:
                if moving[slot] and slot not in self.states.values():
                    self.rational.hurry()
                    coefficient = self.coefficient(slot, k)
                    if self.tape.instructions[slot][0] == "div":
                        coefficient = self.settled(slot, k, coefficient)
                    self.series.setdefault(slot, []).append(coefficient)
            if k < order:
                inverse = pow(k + 1, -1, ring.prime)
                for name, slot in self.states.items():
                    slope = self.at(self.piece.derivative[name], k)
                    value = {m: v * inverse % ring.prime for m, v in slope.items()}
                    self.series[slot].append(self.settled(slot, k + 1, value))
        for slot in self.piece.watched.values():
            for k, row in enumerate(self.true[slot]):
                difference = ring.add(self.at(slot, k), ring.number(int(row[0])), -1)
                if difference:
                    self.found.append(difference)

    def settled(self, slot: int, k: int, value: Polynomial) -> Polynomial:
        """Return a coefficient as an output shows it, as a new variable where it is long, or as it is."""
        known = self.shown(slot, k)
        if known is None and len(value) <= LONGEST and all(sum(monomial) <= 2 for monomial in value):
            return value
        if known is None:
            known = self.ring.spared()
        self.found.append(self.ring.add(value, known, -1))
        return known

    def at(self, slot: int, k: int) -> Polynomial:
        """Return a coefficient."""
        series = self.series[slot]
        return series[k] if k < len(series) else {}

    def coefficient(self, slot: int, k: int) -> Polynomial:
        """Return coefficient k of an operation."""
        ring = self.ring
        kind, *arguments = self.tape.instructions[slot]
        match kind:
            case "varying":
                return ring.number(self.rational.point.value((arguments[0], k)))
            case "add" | "sub":
                first, second = (self.at(a, k) for a in arguments)
                return ring.add(first, second, 1 if kind == "add" else -1)
            case "mul":
                return self.convolved(arguments[0], arguments[1], range(k + 1), k)
            case "div":
                above, below = arguments
                if k == 0:
                    self.inverse[slot] = ring.divide(ring.number(1), self.at(below, 0))
                rest = ring.add(self.at(above, k), self.convolved(slot, below, range(k), k), -1)
                return ring.multiply(rest, self.inverse[slot])
        raise NotRational

    def convolved(self, first: int, second: int, places: Sequence[int] | range, k: int) -> Polynomial:
        """Sum the products of coefficients j and k - j."""
        total: Polynomial = {}
        for j in places:
            a, b = self.at(first, j), self.at(second, k - j)
            if a and b:
                total = self.ring.add(total, self.ring.multiply(a, b))
        return total


def substituted(
    equations: Sequence[Polynomial], prime: int, wanted: Mapping[str, int]
) -> tuple[list[Polynomial], dict[str, int]]:
    """Put in what single equations say of single variables, ``c x + d = 0``, and return which wanted ones they settle.

    Examples
    --------
    >>> substituted([{(1, 0): 1, (0, 0): 99}, {(1, 1): 1, (0, 0): 97}], 101, {"x": 0, "y": 1})
    ([], {'x': 1, 'y': 1})
    """
    rest, known = list(equations), dict[int, int]()
    while True:
        found: dict[int, int] = {}
        for f in rest:
            variables = [m for m in f if any(m)]
            if len(variables) == 1 and sum(variables[0]) == 1:
                constant = next((v for m, v in f.items() if not any(m)), 0)
                value = -constant * pow(f[variables[0]], -1, prime) % prime
                found.setdefault(variables[0].index(1), value)
        if not found:
            break
        known |= found
        rest = [g for f in rest if (g := put_in(f, found, prime))]
    return rest, {name: 1 for name, at in wanted.items() if at in known}


def put_in(polynomial: Polynomial, values: Mapping[int, int], prime: int) -> Polynomial:
    """Put numbers in the place of variables."""
    result: Polynomial = {}
    for monomial, coefficient in polynomial.items():
        exponents = list(monomial)
        for at, value in values.items():
            if exponents[at]:
                coefficient = coefficient * pow(value, exponents[at], prime) % prime
                exponents[at] = 0
        key = tuple(exponents)
        result[key] = (result.get(key, 0) + coefficient) % prime
    return {monomial: value for monomial, value in result.items() if value}
