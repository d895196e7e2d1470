"""Polynomials in many variables over a prime field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Monomial = tuple[int, ...]
Polynomial = dict[Monomial, int]
"""Coefficient of each monomial, a tuple of exponents; none is 0."""


@dataclass(eq=False)
class Ring:
    """Polynomials in named variables; a variable stands for the reciprocal of each divisor that comes up.

    Parameters
    ----------
    prime : int
    names : list of str
    spare : int
        How many variables there may be beside those named.

    Examples
    --------
    >>> ring = Ring(7, ["x"])
    >>> x = ring.variable("x")
    >>> ring.multiply(x, ring.divide(ring.number(1), x)) == ring.multiply(x, ring.variable("spare 0"))
    True
    >>> len(ring.relations)
    1
    """

    prime: int
    names: list[str]
    spare: int = 24
    used: int = 0
    relations: list[Polynomial] = field(default_factory=list)
    reciprocals: dict[frozenset, Polynomial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = [*self.names, *(f"spare {k}" for k in range(self.spare))]
        self.position = {name: k for k, name in enumerate(self.names)}
        self.one = (0,) * len(self.names)

    def number(self, value: int) -> Polynomial:
        """Return a constant."""
        return {self.one: value % self.prime} if value % self.prime else {}

    def variable(self, name: str) -> Polynomial:
        """Return a variable."""
        at = self.position[name]
        return {(*self.one[:at], 1, *self.one[at + 1 :]): 1}

    def add(self, first: Polynomial, second: Polynomial, factor: int = 1) -> Polynomial:
        """Return the first polynomial and a multiple of the second."""
        total = dict(first)
        for monomial, value in second.items():
            new = (total.get(monomial, 0) + factor * value) % self.prime
            if new:
                total[monomial] = new
            else:
                total.pop(monomial, None)
        return total

    def multiply(self, first: Polynomial, second: Polynomial) -> Polynomial:
        """Return a product."""
        if len(first) > len(second):
            first, second = second, first
        p = self.prime
        product: Polynomial = {}
        for a, x in first.items():
            for b, y in second.items():
                monomial = tuple(map(int.__add__, a, b))
                product[monomial] = (product.get(monomial, 0) + x * y) % p
        return {monomial: value for monomial, value in product.items() if value}

    def divide(self, above: Polynomial, below: Polynomial) -> Polynomial:
        """Return a quotient, with reciprocals of variables and sums as variables of their own.

        Raises
        ------
        ZeroDivisionError
            If the divisor is 0.
        OverflowError
            If no spare variable is left.
        """
        if not below:
            raise ZeroDivisionError
        if len(below) == 1:
            ((monomial, value),) = below.items()
            result = {m: v * pow(value, -1, self.prime) % self.prime for m, v in above.items()}
            for at, exponent in enumerate(monomial):
                for _ in range(exponent):
                    result = self.multiply(result, self.reciprocal(self.variable(self.names[at])))
            return result
        return self.multiply(above, self.reciprocal(below))

    def reciprocal(self, divisor: Polynomial) -> Polynomial:
        """Return the variable that stands for the reciprocal of a divisor."""
        key = frozenset(divisor.items())
        if key not in self.reciprocals:
            self.reciprocals[key] = self.spared()
            relation = self.multiply(self.reciprocals[key], divisor)
            self.relations.append(self.add(relation, self.number(1), -1))
        return self.reciprocals[key]

    def spared(self) -> Polynomial:
        """Return a variable that nothing uses yet.

        Raises
        ------
        OverflowError
            If there is none left.
        """
        if self.used == self.spare:
            raise OverflowError("more divisors and coefficients than variables for them")
        self.used += 1
        return self.variable(f"spare {self.used - 1}")

    def value(self, polynomial: Polynomial, values: Mapping[int, int]) -> int:
        """Return the value of a polynomial, where the variables that it has are known by position."""
        total = 0
        for monomial, coefficient in polynomial.items():
            for at, exponent in enumerate(monomial):
                if exponent:
                    coefficient = coefficient * pow(values[at], exponent, self.prime) % self.prime
            total += coefficient
        return total % self.prime


def compressed(polynomials: Sequence[Polynomial], first: int = 0) -> tuple[list[Polynomial], list[int]]:
    """Drop variables that no polynomial has, and return the positions of those that stay, from `first` on first.

    Examples
    --------
    >>> compressed([{(0, 2, 0): 1}])
    ([{(2,): 1}], [1])
    """
    present = {at for f in polynomials for monomial in f for at, exponent in enumerate(monomial) if exponent}
    used = sorted(present, key=lambda at: (at < first, at))
    return [{tuple(m[at] for at in used): v for m, v in f.items()} for f in polynomials], used
