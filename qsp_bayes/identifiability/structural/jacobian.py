"""Jacobian: the derivatives of all that is observed by all unknowns, at random points modulo a prime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.modular import null_space, rank
from qsp_bayes.identifiability.structural.point import Point, UnluckyPoint
from qsp_bayes.identifiability.structural.series import observed

ATTEMPTS = 60


@dataclass(frozen=True, eq=False)
class Jacobian:
    """Derivatives of the coefficients of everything observed, at one point.

    Attributes
    ----------
    prime : int
    values : array of int
        Of the unknowns.
    rows : array of int, (row, unknown)
    orders : array of int
        Order of the coefficient in each row.
    added : dict of str to array of int
        Rows that other outputs and states would add.
    """

    prime: int
    values: np.ndarray
    rows: np.ndarray
    orders: np.ndarray
    added: dict[str, np.ndarray]

    def null(self) -> np.ndarray:
        """Return a basis of the directions in which nothing observed changes."""
        return null_space(self.rows, self.prime)

    def settled(self) -> int:
        """Return the order from which on the rank grows no more."""
        full = rank(self.rows, self.prime)
        low, high = 0, int(self.orders.max(initial=0))
        while low < high:
            middle = (low + high) // 2
            if rank(self.rows[self.orders <= middle], self.prime) == full:
                high = middle
            else:
                low = middle + 1
        return low


def jacobian(design: Design, prime: int, seed: int, order: int, others: bool = False) -> Jacobian:
    """Differentiate what is observed at a random point.

    Parameters
    ----------
    others : bool
        Whether also outputs and states that are not observed.
    """
    for attempt in range(ATTEMPTS):
        point = Point(prime, design.unknowns, seed + 1000 * attempt)
        try:
            return at_point(design, point, order, others)
        except UnluckyPoint:
            continue
    raise MechanismError(
        f"system {design.system.name!r}: a square root of its equations exists at none of {ATTEMPTS} random points."
    )


def at_point(design: Design, point: Point, order: int, others: bool) -> Jacobian:
    """Differentiate what is observed at a point."""
    rows, orders = [np.zeros((0, len(design.unknowns)), np.int64)], [np.zeros(0, np.int64)]
    added: dict[str, list[np.ndarray]] = {}
    for piece, rest in zip(design.pieces, design.others, strict=True):
        slots = [*piece.watched.values(), *(rest.values() if others else ())]
        found = observed(design.tape, piece, point, order, slots)
        for slot in piece.watched.values():
            rows.append(found[slot][:, 1:])
            orders.append(np.arange(len(found[slot])))
        for name, slot in rest.items() if others else ():
            added.setdefault(name, []).append(found[slot][:, 1:])
    values = np.array([point.value(name) for name in design.unknowns], np.int64)
    return Jacobian(
        point.prime,
        values,
        np.vstack(rows),
        np.concatenate(orders),
        {name: np.vstack(parts) for name, parts in added.items()},
    )


def identified(null: np.ndarray, count: int) -> Sequence[bool]:
    """Say which of the first unknowns no direction of a null space moves."""
    return [not null[:, k].any() for k in range(count)]
