r"""Series: what is observed in one piece of an experiment as a truncated power series, with tangents by all unknowns.

The solution of :math:`\dot x = f(x, \theta)` is found coefficient by coefficient,
:math:`(k + 1)\,x_{k+1} = f_k(x_0, \ldots, x_k)`. All numbers are residues modulo a prime. Functions beyond + - * / are
known by their own differential equations, :math:`u = e^f: \dot u = u \dot f`, and :math:`\ell = \log f: \dot \ell =
\dot f / f`. Their value at the start is a random number, one for each argument, and tangents follow from the same
equations, :math:`du = u\,df`, so that no unknown is added: an exponential of parameters is tied to them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from qsp_bayes.identifiability.structural.choices import Choices
from qsp_bayes.identifiability.structural.modular import residue, square_root
from qsp_bayes.identifiability.structural.point import Point, SingularStart, UnluckyPoint
from qsp_bayes.identifiability.structural.tape import Tape


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of an experiment without an event: where it starts, how it moves, and what is watched.

    Attributes
    ----------
    label : str
    start, derivative : mapping of str to int
        Slots of each state's initial value and derivative.
    watched : mapping of str to int
        Slots of what is observed.
    """

    label: str
    start: Mapping[str, int]
    derivative: Mapping[str, int]
    watched: Mapping[str, int] = field(default_factory=dict)


class Evaluation:
    """The values of a tape along one piece, order by order."""

    def __init__(self, tape: Tape, piece: Piece, point: Point, order: int, watched: Collection[int]) -> None:
        self.tape, self.piece, self.point, self.order = tape, piece, point, order
        self.choices = Choices(tape, piece.start, point)
        self.live = self.closure(watched)
        shape = (order + 1, point.width)
        self.series = {
            slot: np.zeros(shape if tape.moving[slot] else point.width, np.int64) for slot in self.live
        }
        self.inverse: dict[int, np.ndarray] = {}
        self.states = {
            tape.instructions[slot][1]: slot for slot in self.live if tape.instructions[slot][0] == "state"
        }
        self.moving = [slot for slot in self.live if tape.moving[slot] and slot not in self.states.values()]
        self.run()

    def closure(self, watched: Collection[int]) -> list[int]:
        """Return all slots that the watched ones need, through the states they follow."""
        wanted, size = set(watched), -1
        while size != len(wanted):
            size = len(wanted)
            for slot in list(wanted):
                if self.tape.instructions[slot][0] in ("choose", "sqrt"):
                    self.choices.value(slot)
            wanted |= set(self.tape.needed(wanted, self.choices.taken))
            for slot in list(wanted):
                kind, *arguments = self.tape.instructions[slot]
                if kind == "state":
                    wanted |= {self.piece.start[arguments[0]], self.piece.derivative[arguments[0]]}
                elif kind in ("sin", "cos"):
                    wanted.add(self.partner(slot))
        # Conditions have served their purpose once the options are taken.
        return [
            s
            for s in sorted(wanted)
            if self.tape.instructions[s][0] not in ("compare", "and", "or", "invert")
        ]

    def run(self) -> None:
        """Fill the series."""
        for slot in self.live:
            if not self.tape.moving[slot]:
                self.series[slot][:] = self.first(slot)
        for name, slot in self.states.items():
            self.series[slot][0] = self.series[self.piece.start[name]]
        for order in range(self.order + 1):
            for slot in self.moving:
                self.series[slot][order] = self.first(slot) if order == 0 else self.coefficient(slot, order)
            if order < self.order:
                divisor = pow(order + 1, -1, self.point.prime)
                for name, slot in self.states.items():
                    self.series[slot][order + 1] = self.at(self.piece.derivative[name], order) * divisor
                    self.series[slot][order + 1] %= self.point.prime

    def at(self, slot: int, order: int) -> np.ndarray:
        """Return a coefficient; what does not move has only the first one."""
        series = self.series[slot]
        if self.tape.moving[slot]:
            return series[order]
        return series if order == 0 else np.zeros_like(series)

    def first(self, slot: int) -> np.ndarray:
        """Return the value of a slot at the start."""
        p, point = self.point.prime, self.point
        kind, *arguments = self.tape.instructions[slot]
        match kind:
            case "number":
                return self.plain(residue(arguments[0], p))
            case "unknown" | "known":
                return point.dual(arguments[0])
            case "varying":
                return self.plain(point.value((arguments[0], 0)))
            case "time":
                return self.plain(point.value(("time", arguments[0])))
            case "choose":
                return self.at(self.choices.taken[slot], 0)
        a = self.at(arguments[0], 0)
        b = self.at(arguments[1], 0) if len(arguments) > 1 else a
        match kind:
            case "add":
                return (a + b) % p
            case "sub":
                return (a - b) % p
            case "mul":
                return point.multiplied(a, b)
            case "div":
                self.inverse[slot] = point.inverted(b)
                return point.multiplied(a, self.inverse[slot])
            case "sqrt":
                return self.root(slot, a)
            case "log":
                self.inverse[slot] = point.inverted(a)
                return self.known_by_derivative(
                    0 if a[0] == 1 else point.value(("log", int(a[0]))), a, self.inverse[slot]
                )
            case "exp":
                value = 1 if a[0] == 0 else point.value(("exp", int(a[0])))
                return self.known_by_derivative(value, a, self.plain(value))
        sine, cosine = self.circle(int(a[0]))
        value, slope = (sine, cosine) if kind == "sin" else (cosine, p - sine)
        return self.known_by_derivative(value, a, self.plain(slope))

    def plain(self, value: int) -> np.ndarray:
        """Return a number that depends on no unknown."""
        dual = np.zeros(self.point.width, np.int64)
        dual[0] = value
        return dual

    def known_by_derivative(self, value: int, argument: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return a function's value with its tangents, slope times those of the argument."""
        dual = int(slope[0]) * argument % self.point.prime
        dual[0] = value
        return dual

    def root(self, slot: int, square: np.ndarray) -> np.ndarray:
        """Return the root of a value: the positive one where it is a fraction."""
        p = self.point.prime
        if square[0] == 0:
            raise SingularStart
        exact = self.choices.value(slot)
        value = residue(exact, p) if isinstance(exact, Fraction) else square_root(int(square[0]), p)
        if value is None:
            raise UnluckyPoint
        self.inverse[slot] = self.point.inverted(
            2 * self.known_by_derivative(value, square, self.plain(pow(2 * value, -1, p))) % p
        )
        return self.known_by_derivative(value, square, self.plain(pow(2 * value, -1, p)))

    def circle(self, argument: int) -> tuple[int, int]:
        """Return sine and cosine of an argument: a random point of the circle."""
        p = self.point.prime
        if argument == 0:
            return 0, 1
        t = self.point.value(("circle", argument))
        if (1 + t * t) % p == 0:
            raise UnluckyPoint
        scale = pow(1 + t * t, -1, p)
        return 2 * t * scale % p, (1 - t * t) * scale % p

    def coefficient(self, slot: int, k: int) -> np.ndarray:
        """Return coefficient k of a slot, from lower ones and those of its arguments up to k."""
        p, point = self.point.prime, self.point
        kind, *arguments = self.tape.instructions[slot]
        match kind:
            case "time":
                return self.plain(int(k == 1))
            case "varying":
                return self.plain(point.value((arguments[0], k)))
            case "choose":
                return self.at(self.choices.taken[slot], k)
            case "add":
                return (self.at(arguments[0], k) + self.at(arguments[1], k)) % p
            case "sub":
                return (self.at(arguments[0], k) - self.at(arguments[1], k)) % p
            case "mul":
                return self.product(arguments[0], arguments[1], k)
            case "div":
                above, below = arguments
                rest = self.at(above, k)
                if self.tape.moving[below]:
                    rest = (rest - self.convolved(self.series[slot][:k], self.series[below][k:0:-1])) % p
                return point.multiplied(rest, self.inverse[slot])
            case "sqrt":
                own = self.series[slot]
                rest = (self.at(arguments[0], k) - self.convolved(own[1:k], own[k - 1 : 0 : -1])) % p
                return point.multiplied(rest, self.inverse[slot])
        argument, steps = self.series[arguments[0]], np.arange(1, k + 1)[:, None]
        inverse = pow(k, -1, p)
        if kind == "log":
            own = steps[:-1] * self.series[slot][1:k] % p
            rest = (argument[k] - self.convolved(own, argument[k - 1 : 0 : -1]) * inverse) % p
            return point.multiplied(rest, self.inverse[slot])
        slope = self.series[slot if kind == "exp" else self.partner(slot)]
        result = self.convolved(steps * argument[1 : k + 1] % p, slope[k - 1 :: -1][:k]) * inverse % p
        return -result % p if kind == "cos" else result

    def partner(self, slot: int) -> int:
        """Return the cosine that belongs to a sine, or the sine to a cosine."""
        kind, argument = self.tape.instructions[slot]
        return self.tape.slots["cos" if kind == "sin" else "sin", argument]

    def product(self, first: int, second: int, k: int) -> np.ndarray:
        """Return coefficient k of a product."""
        if not self.tape.moving[first]:
            return self.point.multiplied(self.series[first], self.series[second][k])
        if not self.tape.moving[second]:
            return self.point.multiplied(self.series[second], self.series[first][k])
        return self.convolved(self.series[first][: k + 1], self.series[second][k::-1][: k + 1])

    def convolved(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Sum the products of two rows of coefficients with tangents."""
        return self.point.multiplied(first, second).sum(axis=0) % self.point.prime


def observed(
    tape: Tape, piece: Piece, point: Point, order: int, slots: Collection[int]
) -> dict[int, np.ndarray]:
    """Return the series of slots in a piece, (order + 1, 1 + unknowns), value first; one row of what does not move.

    Raises
    ------
    SingularStart
        If one of them has no power series where the piece starts.
    UnluckyPoint
        If a root does not exist at this point.
    """
    series = Evaluation(tape, piece, point, order, slots).series
    return {slot: series[slot] if tape.moving[slot] else series[slot][None] for slot in slots}
