"""Point: random values of all unknowns, modulo a prime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


class SingularStart(Exception):
    """A piece starts where one of its quantities has no power series: a division by 0, or a root or power of 0."""


class UnluckyPoint(Exception):
    """A number that is no square at this point; another point will do."""


@dataclass(eq=False)
class Point:
    """Values of the unknowns; those of what is known, and of functions such as exp, are drawn when first asked for.

    Parameters
    ----------
    prime : int
    unknowns : sequence of str
        What tangents are taken by; everything else is known.
    seed : int
    """

    prime: int
    unknowns: Sequence[str]
    seed: int
    values: dict[object, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng([self.prime, self.seed])
        for name in self.unknowns:
            self.value(name)
        self.column = {name: k for k, name in enumerate(self.unknowns, start=1)}

    @property
    def width(self) -> int:
        """Length of a value with its tangents."""
        return len(self.unknowns) + 1

    def draw(self) -> int:
        """Return a random residue other than 0."""
        return int(self.random.integers(1, self.prime))

    def value(self, key: object) -> int:
        """Return the value of a name, or of a function at a value; always the same one."""
        if key not in self.values:
            self.values[key] = self.draw()
        return self.values[key]

    def dual(self, name: str) -> np.ndarray:
        """Return the value of a name with its tangents."""
        dual = np.zeros(self.width, np.int64)
        dual[0] = self.value(name)
        if name in self.column:
            dual[self.column[name]] = 1
        return dual

    def multiplied(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Multiply values with tangents, row by row."""
        p = self.prime
        product = (first[..., :1] * second % p + second[..., :1] * first % p) % p
        product[..., 0] = first[..., 0] * second[..., 0] % p
        return product

    def inverted(self, dual: np.ndarray) -> np.ndarray:
        """Return the reciprocal of a value with its tangents.

        Raises
        ------
        SingularStart
            If the value is 0.
        """
        if dual[0] == 0:
            raise SingularStart
        inverse = pow(int(dual[0]), -1, self.prime)
        result = -dual * (inverse * inverse % self.prime) % self.prime
        result[0] = inverse
        return result
