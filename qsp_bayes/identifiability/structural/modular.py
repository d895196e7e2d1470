"""Exact linear algebra over a prime field: ranks, null spaces and the way back to fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

PRIMES = (2147483647, 2147483587, 2147483579, 2147483563)
"""Primes below 2^31 that leave 3 when divided by 4: products of residues fit int64, and roots are powers."""


def residue(number: Fraction | int, prime: int) -> int:
    """Return a rational number modulo a prime.

    Raises
    ------
    ZeroDivisionError
        If the prime divides the denominator.

    Examples
    --------
    >>> residue(Fraction(1, 2), 7)
    4
    """
    fraction = Fraction(number)
    denominator = fraction.denominator % prime
    if denominator == 0:
        raise ZeroDivisionError(f"{prime} divides the denominator of {fraction}")
    return fraction.numerator % prime * pow(denominator, -1, prime) % prime


def square_root(number: int, prime: int) -> int | None:
    """Return a root of a square modulo a prime that leaves 3 when divided by 4, or None.

    Examples
    --------
    >>> square_root(2, 7), square_root(3, 7)
    (4, None)
    """
    root = pow(number, (prime + 1) // 4, prime)
    return root if root * root % prime == number % prime else None


def reduced(matrix: np.ndarray, prime: int) -> tuple[np.ndarray, list[int]]:
    """Return the reduced row echelon form without zero rows, and the columns of its pivots.

    Examples
    --------
    >>> rows, pivots = reduced(np.array([[1, 2], [2, 4]]), 7)
    >>> rows.tolist(), pivots
    ([[1, 2]], [0])
    """
    rows = np.array(matrix, dtype=np.int64) % prime
    pivots: list[int] = []
    for column in range(rows.shape[1] if rows.size else 0):
        at = len(pivots)
        found = np.flatnonzero(rows[at:, column])
        if not found.size:
            continue
        pivot = at + int(found[0])
        if pivot != at:
            rows[[at, pivot]] = rows[[pivot, at]]
        rows[at] = rows[at] * pow(int(rows[at, column]), -1, prime) % prime
        others = np.flatnonzero(rows[:, column])
        others = others[others != at]
        rows[others] = (rows[others] - rows[others, column, None] * rows[at] % prime) % prime
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows[: len(pivots)], pivots


def rank(matrix: np.ndarray, prime: int) -> int:
    """Return the rank of a matrix modulo a prime.

    Examples
    --------
    >>> rank(np.array([[1, 2], [3, 13]]), 7)
    1
    """
    return len(reduced(matrix, prime)[1])


def null_space(matrix: np.ndarray, prime: int) -> np.ndarray:
    """Return a basis of the vectors v with ``matrix @ v = 0``, one in each row.

    Examples
    --------
    >>> null_space(np.array([[1, 2, 0]]), 7).tolist()
    [[5, 1, 0], [0, 0, 1]]
    """
    rows, pivots = reduced(matrix, prime)
    free = [column for column in range(matrix.shape[1]) if column not in pivots]
    basis = np.zeros((len(free), matrix.shape[1]), np.int64)
    for k, column in enumerate(free):
        basis[k, column] = 1
        basis[k, pivots] = -rows[:, column] % prime
    return basis


def intersection(spaces: Iterable[np.ndarray], prime: int) -> np.ndarray:
    """Return a basis of the vectors that all row spaces have in common.

    Examples
    --------
    >>> intersection([np.array([[1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 0], [0, 0, 1]])], 7).tolist()
    [[0, 1, 0]]
    """
    conditions = [null_space(space, prime) for space in spaces]
    return reduced(null_space(np.vstack(conditions), prime), prime)[0]


def as_fraction(value: int, prime: int) -> Fraction | None:
    """Return the small fraction that a residue stands for, or None if there is none.

    Examples
    --------
    >>> as_fraction(residue(Fraction(-3, 4), 2147483647), 2147483647)
    Fraction(-3, 4)
    """
    bound = math.isqrt(prime // 2)
    before, now = (prime, 0), (value % prime, 1)
    while now[0] > bound:
        quotient = before[0] // now[0]
        before, now = now, (before[0] - quotient * now[0], before[1] - quotient * now[1])
    if now[1] == 0 or abs(now[1]) > bound:
        return None
    return Fraction(now[0], now[1])


def as_fractions(rows: np.ndarray, prime: int, largest: int = 1000) -> list[list[Fraction]] | None:
    """Return rows as fractions with numerators and denominators of up to `largest`, or None.

    A residue that stands for no such fraction is no constant of a symmetry.
    """
    table: list[list[Fraction]] = []
    for row in rows.tolist():
        fractions = [as_fraction(value, prime) for value in row]
        if any(f is None or max(abs(f.numerator), f.denominator) > largest for f in fractions):
            return None
        table.append([f for f in fractions if f is not None])
    return table


def whole(row: Sequence[Fraction]) -> list[int]:
    """Scale fractions to the smallest whole numbers, the first of them positive.

    Examples
    --------
    >>> whole([Fraction(-1, 2), Fraction(1, 3)])
    [3, -2]
    """
    scale = math.lcm(*(value.denominator for value in row))
    numbers = [int(value * scale) for value in row]
    divisor = math.gcd(*numbers) or 1
    first = next((number for number in numbers if number), 1)
    return [number // divisor * (1 if first > 0 else -1) for number in numbers]
