"""Recognise a linear system, dx/dt = A(p) x + b(p), and read A and b off its graphs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable, equal_computations
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors

from qsp_bayes.ode import LinearStructure
from qsp_bayes.systems.symbolic import SymbolicSystem


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A and b of a linear system.

    Attributes
    ----------
    structure : LinearStructure
        Which entries of A there are, in the order of the system's states.
    values : tuple of 0-d variables
        The entries of A, aligned with ``structure.entries``.
    affine : dict of int to 0-d variable
        The entries of b that are not zero, by position of the state.
    """

    structure: LinearStructure
    values: tuple[Variable, ...]
    affine: dict[int, Variable]

    @functools.cached_property
    def series_would_be_slow(self) -> bool:
        """Whether equal rates in a row rule out eigenvectors, beside states that circulate and so may be stiff.

        A chain of equal transit compartments has no eigenvectors for any values. The exact engine then sums a series,
        whose cost grows with the fastest rate: nothing for a drug in two compartments, but a thousand times that of
        anything else where blood fills the smallest organ in seconds.
        """
        structure = self.structure
        if not structure.general:
            return False
        losses = {
            int(structure.position[i]): rate
            for (i, j), rate in zip(structure.entries, self.values, strict=True)
            if i == j
        }
        return any(
            i != j and structure.reachable[i, j] and equal_computations([losses[i]], [losses[j]])
            for i in losses
            for j in losses
            if structure.block_of[i] != structure.block_of[j]
        )


def simplify(graphs: Sequence[Variable]) -> list[Variable]:
    """Canonical form of some graphs, in which a structural zero is the constant 0."""
    if not graphs:
        return []
    # On a clone: the rewrites would change the graphs of the system, where a constant with a unit may become a number.
    return list(rewrite_graph(list(graphs), include=("canonicalize", "stabilize"), clone=True))


def is_zero(graph: Variable) -> bool:
    """Whether a graph is the constant 0."""
    return isinstance(graph, Constant) and bool((graph.data == 0).all())


@functools.lru_cache(maxsize=128)
def linear_form(symbolic: SymbolicSystem) -> LinearForm | None:
    """Return A and b, or None where the Jacobian depends on the states or on time, or there are switches or releases.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> linear_form(qb.one_compartment(absorption="first-order").symbolic()).structure.entries
    ((0, 0), (1, 0), (1, 1))
    """
    if symbolic.switches or symbolic.releases:
        return None
    states = list(symbolic.states.values())
    moving = {symbolic.time, *states}
    entries, slopes = [], []
    for i, derivative in enumerate(symbolic.derivatives.values()):
        reached = set(ancestors([derivative]))
        columns = [j for j, state in enumerate(states) if state in reached]
        if columns:
            entries += [(i, j) for j in columns]
            slopes += pt.grad(derivative, [states[j] for j in columns])
    slopes = simplify(slopes)
    if moving & set(ancestors(slopes)):
        return None
    # Only now: a rate that is no sum of states, such as k / x, may have no value where they are 0.
    at_zero = clone_replace(
        list(symbolic.derivatives.values()),
        {state: pt.constant(0.0) for state in states},
        rebuild_strict=False,
    )
    at_zero = simplify(at_zero)
    if moving & set(ancestors(at_zero)):
        return None
    kept = [(entry, slope) for entry, slope in zip(entries, slopes, strict=True) if not is_zero(slope)]
    position = {name: i for i, name in enumerate(symbolic.states)}
    return LinearForm(
        structure=LinearStructure(
            len(states),
            tuple(entry for entry, _ in kept),
            tuple(position[name] for name in symbolic.accumulators),
        ),
        values=tuple(slope for _, slope in kept),
        affine={i: b for i, b in enumerate(at_zero) if not is_zero(b)},
    )
