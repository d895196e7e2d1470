"""Solutions of polynomial equations over a prime field, counted by a Groebner basis."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence

import numpy as np

from qsp_bayes.identifiability.structural.modular import reduced
from qsp_bayes.identifiability.structural.polynomial import Monomial, Polynomial, compressed


class TimeIsUp(Exception):
    """What was asked for was not found in the time that was given."""


class Endless(Exception):
    """The equations have infinitely many solutions."""


def divides(first: Monomial, second: Monomial) -> bool:
    """Say whether one monomial divides another."""
    return all(map(int.__le__, first, second))


class Basis:
    """A Groebner basis that grows pair by pair: Buchberger's algorithm with the criteria of Gebauer and Moeller.

    Parameters
    ----------
    prime : int
    deadline : float
        On the monotonic clock.
    weights : sequence of int
        Degree of each variable; monomials are ordered by degree, then by the last variables (reverse lexicographic).
    """

    def __init__(self, prime: int, deadline: float, weights: Sequence[int]) -> None:
        self.prime, self.deadline, self.weights = prime, deadline, tuple(weights)
        self.members: list[list[tuple[Monomial, int]]] = []
        self.leading: list[Monomial] = []
        self.active: list[int] = []
        self.pairs: list[tuple[tuple, Monomial, int, int]] = []

    def degree(self, monomial: Monomial) -> int:
        """Return the weighted degree of a monomial."""
        return sum(map(int.__mul__, monomial, self.weights))

    def key(self, monomial: Monomial) -> tuple:
        """Return what orders monomials."""
        return (self.degree(monomial), tuple([-exponent for exponent in reversed(monomial)]))

    def reversed_key(self, monomial: Monomial) -> tuple:
        """Return what orders monomials the other way, for heaps that give the smallest first."""
        return (-self.degree(monomial), monomial[::-1])

    def reduce(self, polynomial: Polynomial) -> Polynomial:
        """Return the remainder of a polynomial by the basis."""
        p, rest = self.prime, dict(polynomial)
        heap = [(self.reversed_key(m), m) for m in rest]
        heapq.heapify(heap)
        remainder: Polynomial = {}
        steps = 0
        while heap:
            _, monomial = heapq.heappop(heap)
            value = rest.pop(monomial, 0)
            if not value:
                continue
            steps += 1
            if steps % 64 == 0 and time.monotonic() > self.deadline:
                raise TimeIsUp
            for k in self.active:
                if divides(self.leading[k], monomial):
                    shift = tuple(map(int.__sub__, monomial, self.leading[k]))
                    for other, coefficient in self.members[k][1:]:
                        new = tuple(map(int.__add__, other, shift))
                        if new not in rest:
                            heapq.heappush(heap, (self.reversed_key(new), new))
                            rest[new] = -value * coefficient % p
                        else:
                            rest[new] = (rest[new] - value * coefficient) % p
                    break
            else:
                remainder[monomial] = value
        return remainder

    def insert(self, polynomial: Polynomial) -> None:
        """Add a remainder to the basis, with the pairs that it makes necessary."""
        terms = sorted(polynomial.items(), key=lambda term: self.key(term[0]), reverse=True)
        inverse = pow(terms[0][1], -1, self.prime)
        new, lead = len(self.members), terms[0][0]
        self.members.append([(m, v * inverse % self.prime) for m, v in terms])
        self.leading.append(lead)
        least = {k: tuple(map(max, lead, self.leading[k])) for k in self.active}
        self.pairs = [
            pair
            for pair in self.pairs
            if not divides(lead, pair[1])
            or tuple(map(max, lead, self.leading[pair[2]])) == pair[1]
            or tuple(map(max, lead, self.leading[pair[3]])) == pair[1]
        ]
        kept: dict[Monomial, int] = {}
        for k, common in sorted(least.items(), key=lambda item: self.key(item[1])):
            if not any(divides(other, common) for other in kept):
                kept[common] = k
        for common, k in kept.items():
            coprime = any(c == common and not any(map(min, lead, self.leading[j])) for j, c in least.items())
            if not coprime:
                self.pairs.append((self.key(common), common, k, new))
        heapq.heapify(self.pairs)
        self.active = [k for k in self.active if not divides(lead, self.leading[k])] + [new]

    def difference(self, first: int, second: int) -> Polynomial:
        """Return the S-polynomial of two members."""
        common = tuple(map(max, self.leading[first], self.leading[second]))
        result: Polynomial = {}
        for k, sign in ((first, 1), (second, -1)):
            shift = tuple(map(int.__sub__, common, self.leading[k]))
            for monomial, value in self.members[k][1:]:
                moved = tuple(map(int.__add__, monomial, shift))
                result[moved] = (result.get(moved, 0) + sign * value) % self.prime
        return {monomial: value for monomial, value in result.items() if value}

    def fill(self, polynomials: Sequence[Polynomial]) -> None:
        """Make a basis of the ideal of some polynomials."""
        waiting = sorted(
            ((max(map(self.key, f)), len(f), k) for k, f in enumerate(polynomials) if f), reverse=True
        )
        while waiting or self.pairs:
            if time.monotonic() > self.deadline:
                raise TimeIsUp
            if waiting and (not self.pairs or waiting[-1][0] <= self.pairs[0][0]):
                candidate = polynomials[waiting.pop()[2]]
            else:
                _, _, first, second = heapq.heappop(self.pairs)
                candidate = self.difference(first, second)
            remainder = self.reduce(candidate)
            if remainder:
                self.insert(remainder)

    def settles(self, at: int) -> bool:
        """Say whether a member gives one variable a number."""
        return any(
            all(m == self.leading[k] or not any(m) for m, _ in self.members[k])
            for k in self.active
            if sum(self.leading[k]) == self.leading[k][at] == 1
        )

    def standard(self, width: int) -> list[Monomial]:
        """Return the monomials that no leading one divides.

        Raises
        ------
        Endless
            If there are infinitely many.
        """
        leading = [self.leading[k] for k in self.active]
        powers = {at for m in leading for at in range(width) if m[at] and sum(m) == m[at]}
        if len(powers) < width and not any(sum(m) == 0 for m in leading):
            raise Endless
        found, frontier = [], [(0,) * width]
        while frontier:
            monomial = frontier.pop()
            if any(divides(lead, monomial) for lead in leading):
                continue
            found.append(monomial)
            # Each monomial is reached once: exponents grow from the last variable that has one on.
            last = max((at for at in range(width) if monomial[at]), default=0)
            frontier += [(*monomial[:at], monomial[at] + 1, *monomial[at + 1 :]) for at in range(last, width)]
        return found


def distinct_values(
    polynomials: Sequence[Polynomial],
    wanted: Mapping[str, int],
    prime: int,
    seconds: float,
    first: int = 0,
) -> dict[str, int]:
    """Count the values that variables take in the solutions over the algebraic closure.

    Parameters
    ----------
    polynomials : sequence of Polynomial
        Equations = 0.
    wanted : mapping of str to int
        Position of each variable of interest.
    prime : int
    seconds : float
        How long the search may take.
    first : int
        Position from which on variables are auxiliary: they are eliminated before the others, with weight 2.

    Raises
    ------
    TimeIsUp
        If the basis is not found in time, with what is known until then: the variables that have one value.
    Endless
        If there are infinitely many solutions.

    Examples
    --------
    >>> x2_is_4 = {(2, 0): 1, (0, 0): -4 % 101}
    >>> y_is_x2 = {(0, 1): 1, (2, 0): 100}
    >>> distinct_values([x2_is_4, y_is_x2], {"x": 0, "y": 1}, 101, 10.0)
    {'x': 2, 'y': 1}
    """
    equations, used = compressed(polynomials, first)
    basis = Basis(prime, time.monotonic() + seconds, [1 + (at >= first > 0) for at in used])
    width = len(used)
    try:
        basis.fill(equations)
    except TimeIsUp as error:
        raise TimeIsUp(
            {name: 1 for name, at in wanted.items() if at in used and basis.settles(used.index(at))}
        ) from error
    index = {monomial: k for k, monomial in enumerate(basis.standard(width))}
    counts = {}
    for name, at in wanted.items():
        if at not in used:
            raise Endless
        place = used.index(at)
        variable = tuple(int(k == place) for k in range(width))
        counts[name] = distinct_roots(minimal_polynomial(basis, index, variable), prime)
    return counts


def minimal_polynomial(basis: Basis, index: Mapping[Monomial, int], variable: Monomial) -> list[int]:
    """Return the coefficients, lowest first, of the least polynomial of a variable that vanishes on all solutions."""
    power: Polynomial = {(0,) * len(variable): 1}
    columns: list[np.ndarray] = []
    for _ in range(len(index) + 1):
        power = basis.reduce(power)
        column = np.zeros(len(index), np.int64)
        for monomial, value in power.items():
            column[index[monomial]] = value
        columns.append(column)
        matrix, pivots = reduced(np.array(columns).T, basis.prime)
        if len(pivots) < len(columns):
            last = len(columns) - 1
            coefficients = [0] * len(columns)
            coefficients[last] = 1
            for row, pivot in zip(matrix, pivots, strict=True):
                coefficients[pivot] = int(-row[last]) % basis.prime
            return coefficients
        power = {tuple(map(int.__add__, monomial, variable)): value for monomial, value in power.items()}
    raise ArithmeticError("a matrix of full rank has no minimal polynomial")


def distinct_roots(coefficients: Sequence[int], prime: int) -> int:
    """Count the distinct roots of a polynomial, lowest coefficient first.

    Examples
    --------
    >>> distinct_roots([1, 99, 1], 101)
    1
    """
    slope = [k * value % prime for k, value in enumerate(coefficients)][1:]
    return len(coefficients) - len(common_divisor(coefficients, slope, prime))


def common_divisor(first: Sequence[int], second: Sequence[int], prime: int) -> list[int]:
    """Return the greatest common divisor of two polynomials, with 1 as its last coefficient.

    Examples
    --------
    >>> common_divisor([6, 96, 1], [99, 1], 101)
    [99, 1]
    """
    a, b = trimmed(first, prime), trimmed(second, prime)
    while b:
        a, b = b, remainder(a, b, prime)
    inverse = pow(a[-1], -1, prime)
    return [value * inverse % prime for value in a]


def trimmed(coefficients: Sequence[int], prime: int) -> list[int]:
    """Drop the last coefficients that are 0."""
    values = [value % prime for value in coefficients]
    while values and values[-1] == 0:
        values.pop()
    return values


def remainder(first: Sequence[int], second: Sequence[int], prime: int) -> list[int]:
    """Return the remainder of a polynomial by another."""
    rest, inverse = list(first), pow(second[-1], -1, prime)
    while len(rest) >= len(second):
        factor, shift = rest[-1] * inverse % prime, len(rest) - len(second)
        for k, value in enumerate(second):
            rest[shift + k] = (rest[shift + k] - factor * value) % prime
        rest = trimmed(rest[:-1], prime)
    return trimmed(rest, prime)


def quotient(first: Sequence[int], second: Sequence[int], prime: int) -> list[int]:
    """Divide a polynomial by one that divides it.

    Examples
    --------
    >>> quotient([6, 96, 1], [99, 1], 101)
    [98, 1]
    """
    rest, inverse = list(first), pow(second[-1], -1, prime)
    result = [0] * (len(first) - len(second) + 1)
    for shift in range(len(result) - 1, -1, -1):
        result[shift] = rest[shift + len(second) - 1] * inverse % prime
        for k, value in enumerate(second):
            rest[shift + k] = (rest[shift + k] - result[shift] * value) % prime
    return result
