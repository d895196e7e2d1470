"""Combinations: what is known together of parameters that are not known one by one, and how they move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from qsp_bayes.identifiability.structural.jacobian import Jacobian
from qsp_bayes.identifiability.structural.modular import (
    as_fractions,
    intersection,
    null_space,
    rank,
    reduced,
    whole,
)

LARGEST = 12
"""Exponents and coefficients larger than this, or with such a denominator, are no constants of a symmetry."""


@dataclass(frozen=True)
class Symmetries:
    """What data leave open, and what they tell all the same.

    Attributes
    ----------
    combinations : tuple of str
        Products and sums that data determine, of parameters that they do not.
    scalings : tuple of dict of str to Fraction
        Exponents w: multiplying each parameter by ``c**w`` changes nothing observed, whatever c is.
    shifts : tuple of dict of str to Fraction
        Adding ``c*w`` to each parameter changes nothing observed.
    together : tuple of tuple of str
        Parameters and initial values that can only move together.
    complete : bool
        Whether the combinations are all there is to know: they are as many as data determine.
    """

    combinations: tuple[str, ...] = ()
    scalings: tuple[dict[str, Fraction], ...] = ()
    shifts: tuple[dict[str, Fraction], ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    complete: bool = True


def known_directions(jacobian: Jacobian, asked: int) -> np.ndarray:
    """Return gradients of all that data determine about the unknowns that are asked for, at one point."""
    # Reduced with the rest first, rows whose pivot lies among what is asked for are free of the rest.
    order = [*range(asked, jacobian.rows.shape[1]), *range(asked)]
    rows, pivots = reduced(jacobian.rows[:, order], jacobian.prime)
    hidden = len(order) - asked
    return rows[[k for k, pivot in enumerate(pivots) if pivot >= hidden]][:, hidden:]


def symmetries(
    jacobians: Sequence[Jacobian],
    check: Jacobian,
    names: Sequence[str],
    open_: Sequence[int],
    first: Sequence[int],
    *,
    linked: bool = True,
) -> Symmetries:
    """Find the combinations, scalings and shifts that hold at every point.

    Parameters
    ----------
    jacobians : sequence of Jacobian
        At some points modulo one prime.
    check : Jacobian
        At another point, modulo another prime: what is found must hold there too.
    names : sequence of str
        The unknowns that are asked for.
    open_ : sequence of int
        Positions of those that are not identifiable.
    first : sequence of int
        The same positions in the order in which they should be expressed by those after them.
    linked : bool
        Whether the points know all that data tell.
    """
    if not open_:
        return Symmetries()
    columns = list(first)
    labels = [names[k] for k in columns]
    known = [known_directions(j, len(names))[:, columns] for j in jacobians]
    values = [j.values[columns] for j in jacobians]
    prime = jacobians[0].prime
    inverses = [np.array([pow(int(v), -1, prime) for v in value]) for value in values]
    checked = known_directions(check, len(names))[:, columns]
    products = constants([k * v % prime for k, v in zip(known, values, strict=True)], prime)
    sums = constants(known, prime)
    products = [
        row for row in products if holds(row, checked * check.values[columns] % check.prime, check.prime)
    ]
    sums = [row for row in sums if sum(map(bool, row)) > 1 and holds(row, checked, check.prime)]
    gradients = np.array(
        [*([int(e) * int(i) % prime for e, i in zip(whole(row), inverses[0], strict=True)] for row in products),
         *([value % prime for value in whole(row)] for row in sums)], dtype=np.int64,
    ).reshape(-1, len(columns))  # fmt: skip
    null = [null_space(k, prime) for k in known]
    scalings = constants([n * i % prime for n, i in zip(null, inverses, strict=True)], prime)
    shifts = constants(null, prime)
    return Symmetries(
        combinations=(
            *(product_text(row, labels) for row in products),
            *(sum_text(row, labels) for row in sums),
        ),
        scalings=tuple(named(row, labels) for row in scalings),
        shifts=tuple(named(row, labels) for row in shifts),
        together=groups(null[0], labels, names),
        complete=linked and rank(gradients, prime) == rank(known[0], prime),
    )


def constants(spaces: Sequence[np.ndarray], prime: int) -> list[list[Fraction]]:
    """Return rows of small fractions that all spaces have in common."""
    common = intersection(spaces, prime)
    rows = [as_fractions(row[None], prime, LARGEST) for row in common]
    return [row[0] for row in rows if row is not None]


def holds(row: Sequence[Fraction], space: np.ndarray, prime: int) -> bool:
    """Say whether a row lies in a row space."""
    vector = np.array([[value % prime for value in whole(row)]], dtype=np.int64)
    return rank(np.vstack([space, vector]), prime) == rank(space, prime)


def named(row: Sequence[Fraction], labels: Sequence[str]) -> dict[str, Fraction]:
    """Give whole numbers their names, without zeros."""
    return {label: Fraction(value) for label, value in zip(labels, whole(row), strict=True) if value}


def product_text(row: Sequence[Fraction], labels: Sequence[str]) -> str:
    """Write a product of powers.

    Examples
    --------
    >>> product_text([Fraction(1), Fraction(2), Fraction(-1)], ["CL", "k", "F"])
    'CL*k^2/F'
    """
    above: list[str] = []
    below: list[str] = []
    for label, power in zip(labels, whole(row), strict=True):
        if power:
            text = label if abs(power) == 1 else f"{label}^{abs(power)}"
            (above if power > 0 else below).append(text)
    bottom = "*".join(below)
    top = "*".join(above) or "1"
    return top if not below else f"{top}/{bottom}" if len(below) == 1 else f"{top}/({bottom})"


def sum_text(row: Sequence[Fraction], labels: Sequence[str]) -> str:
    """Write a sum.

    Examples
    --------
    >>> sum_text([Fraction(1), Fraction(-2)], ["a", "b"])
    'a - 2*b'
    """
    text = ""
    for label, value in zip(labels, whole(row), strict=True):
        if value:
            term = label if abs(value) == 1 else f"{abs(value)}*{label}"
            text += (" + " if value > 0 else " - ") + term if text else term if value > 0 else f"-{term}"
    return text


def groups(null: np.ndarray, labels: Sequence[str], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the names that directions move together, in the order of the unknowns."""
    parts: list[set[str]] = []
    for row in null:
        moved = {label for label, value in zip(labels, row, strict=True) if value}
        joined = [part for part in parts if part & moved]
        parts = [part for part in parts if not part & moved] + [moved.union(*joined)]
    return tuple(tuple(name for name in names if name in part) for part in parts)
