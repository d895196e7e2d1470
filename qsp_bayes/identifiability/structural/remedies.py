"""Remedies: which parameters to fix, or what else to observe, so that the others become identifiable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from math import comb

import numpy as np

from qsp_bayes.identifiability.structural.jacobian import Jacobian
from qsp_bayes.identifiability.structural.modular import null_space, rank, reduced

MOST = 6
TRIED = 2000


@dataclass(frozen=True)
class Remedies:
    """What would make parameters identifiable.

    Attributes
    ----------
    fix : tuple of tuple of str
        Sets of parameters: with all of one set known, every other parameter is identifiable.
    observe : mapping of str to tuple of str
        Outputs and states that are not observed, and the parameters that observing each makes identifiable.
    fix_for, observe_for : mapping of str to tuple of str
        For each parameter, the single ones to fix instead, and what to observe.
    """

    fix: tuple[tuple[str, ...], ...] = ()
    observe: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fix_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    observe_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def remedies(jacobian: Jacobian, check: Jacobian, names: Sequence[str], open_: Sequence[int]) -> Remedies:
    """Find remedies by the rank, each of them at two points modulo two primes.

    Parameters
    ----------
    jacobian, check : Jacobian
        The first with the rows that other outputs would add.
    names : sequence of str
        The unknowns; their first entries are the parameters.
    open_ : sequence of int
        Positions of the parameters that are not identifiable.
    """
    if not open_:
        return Remedies()
    nulls = [(j.null(), j.prime) for j in (jacobian, check)]
    size = rank(nulls[0][0][:, open_], nulls[0][1])
    fix = islice(
        dict.fromkeys(
            tuple(names[k] for k in chosen)
            for chosen in candidates(nulls[0][0], nulls[0][1], open_, size)
            if all(rank(null[:, chosen], p) == rank(null[:, open_], p) for null, p in nulls)
        ),
        MOST,
    )
    fix_for = {
        names[k]: tuple(
            names[j] for j in open_ if j != k and all(frees(null, p, [j], k) for null, p in nulls)
        )
        for k in open_
    }
    observe = {}
    for name, added in jacobian.added.items():
        null = null_space(np.vstack([jacobian.rows, added]), jacobian.prime)
        settled = tuple(names[k] for k in open_ if not null[:, k].any())
        if settled:
            observe[name] = settled
    return Remedies(
        tuple(fix),
        observe,
        fix_for,
        {names[k]: tuple(name for name, settled in observe.items() if names[k] in settled) for k in open_},
    )


def candidates(null: np.ndarray, prime: int, open_: Sequence[int], size: int) -> Iterator[list[int]]:
    """Return sets of parameters to try: all of the size that is needed, or where they are too many, some that do."""
    if comb(len(open_), size) <= TRIED:
        yield from map(list, combinations(open_, size))
        return
    for turn in range(len(open_)):
        order = [*open_[turn:], *open_[:turn]]
        yield sorted(order[pivot] for pivot in reduced(null[:, order], prime)[1])


def frees(null: np.ndarray, prime: int, fixed: Sequence[int], wanted: int) -> bool:
    """Say whether knowing some unknowns leaves no direction that moves another."""
    with_it = rank(null[:, [*fixed, wanted]], prime)
    return with_it == rank(null[:, list(fixed)], prime)
