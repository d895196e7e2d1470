"""Reduction: states that conservation laws determine become expressions of totals and the other states."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pytensor.graph.traversal import ancestors

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.conservation import columns_of, null_space
from qsp_bayes.systems.declarations import Constant, Process, Quantity
from qsp_bayes.systems.interpolation import unlike
from qsp_bayes.systems.scope import unknown_name
from qsp_bayes.systems.symbolic import SymbolicSystem, symbolic, weighted_sum

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

Law = dict[str, Fraction]


def reduce(system: System, removed: Sequence[str]) -> System:
    """Remove dependent states (see `System.reduce`)."""
    for state in removed:
        if state not in system.states:
            raise unknown_name(state, {"states": system.states}, f"reduce of {system.name!r}")
    laws = closed_laws(system, removed)
    open_to = unbalanced(system)
    for state in removed:
        if state not in laws:
            raise MechanismError(
                f"reduce of {system.name!r}: {state!r} cannot be removed. "
                + (
                    "No conservation law beside those used already holds it. "
                    if not open_to
                    else f"No conservation law holds it that nothing else changes: {'; '.join(open_to.values())}. "
                )
                + "Leave it, or remove another state."
            )
    if removed:
        laws = {state: laws[state] for state in removed}
    if not laws:
        reasons = f" of what nothing else changes ({'; '.join(open_to.values())})" if open_to else ""
        raise MechanismError(
            f"reduce of {system.name!r}: there is no conservation law{reasons}, so no state depends on the others."
        )
    return without(system, laws)


def unbalanced(system: System) -> dict[str, str]:
    """Return the states that something beside the processes changes, with what does so."""
    found = {name: f"{name!r} belongs to another system as well (`shared`)" for name in system.shared}
    for accumulator in system.accumulators:
        found[accumulator] = f"{accumulator!r} is an accumulator"
    for switch in system.switches:
        found |= {state: f"switch {switch.name!r} changes {state!r}" for state in switch.change}
    for compartment, routes in system.doses.items():
        found |= {str(route.state): f"doses into {compartment!r} reach {route.state!r}" for route in routes}
    return found


def closed_laws(system: System, first: Sequence[str]) -> dict[str, Law]:
    """Solve the conservation laws of pools that only processes change, each for a state of its own.

    The states named `first` are solved for wherever this is possible.
    """
    order = [*first, *(state for state in system.states if state not in first)]
    laws = null_space(columns_of(system, unbalanced(system), order), len(order))
    found: dict[str, Law] = {}
    for law in laws:
        weights = {state: weight for state, weight in zip(order, law, strict=True) if weight}
        # `null_space` gives each vector a free entry, 1 in it and 0 in all others.
        state = next(
            name
            for i, name in enumerate(order)
            if law[i] == 1 and all(other is law or not other[i] for other in laws)
        )
        found[state] = weights
    return found


def without(system: System, laws: dict[str, Law]) -> System:
    """Turn states into expressions of totals and the other states."""
    taken = {name for names in system.names().values() for name in names} | {"t"}
    expressions, constants = dict(system.expressions), dict(system.constants)
    graphs = symbolic(system)
    members = {state for law in laws.values() for state in law}
    starts: dict[str, Quantity] = {}
    for state in (name for name in system.states if name in members and name in system.initial):
        value = system.initial[state]
        if callable(value):
            refuse_inputs(system, state, graphs)
            starts[state] = value
        elif value:
            name = unlike(taken, f"{state}_start")
            constants[name] = Constant(float(value), system.states[state])
            starts[state] = operator.itemgetter(name)
    for state, law in laws.items():
        total = None
        if any(member in starts for member in law):
            total = unlike(taken, f"{state}_total")
            expressions[total] = weighted({n: w for n, w in law.items() if n in starts}, starts)
        others = {name: -weight for name, weight in law.items() if name != state}
        expressions[state] = remainder(total, others)
    return dataclasses.replace(
        system,
        states={name: unit for name, unit in system.states.items() if name not in laws},
        processes=tuple(
            Process(p.name, {s: c for s, c in p.stoichiometry.items() if s not in laws}, p.rate)
            for p in system.processes
        ),
        expressions=expressions,
        constants=constants,
        initial={name: value for name, value in system.initial.items() if name not in laws},
        closed=tuple(
            dict.fromkeys([*system.closed, *(s for s in system.states if s in members - laws.keys())])
        ),
    )


def refuse_inputs(system: System, state: str, graphs: SymbolicSystem) -> None:
    """Raise where the start of a state depends on an input: a total must not change with the records."""
    below = set(ancestors([graphs.initial[state]]))
    moving = [name for name, variable in graphs.inputs.items() if variable in below]
    if moving:
        raise MechanismError(
            f"reduce of {system.name!r}: {state!r} starts at a value of input {', '.join(moving)}, which may change "
            "with the records, and a total may not. Make it a parameter, or leave the pool as it is."
        )


def weighted(weights: Law, quantities: dict[str, Quantity]) -> Quantity:
    """Return the function that gives the sum of quantities, each times its weight."""
    return lambda s: weighted_sum([(weight, quantities[name](s)) for name, weight in weights.items()])


def remainder(total: str | None, others: Law) -> Quantity:
    """Return the function that gives what a total leaves for a state."""

    def value(s: Any) -> Any:
        terms = [] if total is None else [(Fraction(1), s[total])]
        terms += [(weight, s[name]) for name, weight in others.items()]
        return weighted_sum(terms) if terms else 0.0

    return value
