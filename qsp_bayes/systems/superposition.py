"""Releases by superposition: what solvers integrate in the place of a rate that follows from the doses.

Each dose of a subject has a slot: the time of its arrival, its amount and, where they change within a subject, the
quantities of the profile. The slots are parameters of the subject, so that derivatives with respect to all that they
are made of are exact. The dose still goes to its state, so that the integrator stops where it arrives.

A profile gives the amount released as a part in closed form, E(t), and the integral of a rate, both sums over the
slots. Integrated are source + E and target - E, whose exchange has that rate: it is finite, and E is continuous, where
the rate of release itself may be infinite or jump at an arrival.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.rows import unstack
from qsp_bayes.systems.deliveries import DOSING, steady_doses
from qsp_bayes.systems.interpolation import unlike
from qsp_bayes.systems.known import known_value
from qsp_bayes.systems.parameter_table import Level, ParameterTable, level_of
from qsp_bayes.systems.release import Released
from qsp_bayes.systems.scope import double_precision
from qsp_bayes.systems.solution import evaluate
from qsp_bayes.systems.symbolic import Delivery, SymbolicSystem

RESETS = 3
"""EVID from which on a record resets the system."""


@dataclass(frozen=True)
class Route:
    """One way of doses into the source of a release: the compartment that the data name, and its delivery."""

    release: str
    compartment: str
    delivery: Delivery


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of the doses that take a route.

    Attributes
    ----------
    record : (slot, subject) int
        The record that wrote the dose.
    repeat : (slot, subject) int
        0 for the dose of the record itself, then its additional ones.
    used : (slot, subject) bool
    complete : (subject) bool
        Whether there are slots for all doses of the subject.
    """

    record: Variable
    repeat: Variable
    used: Variable
    complete: Variable


def with_releases(
    symbolic: SymbolicSystem, events: Events, values: Mapping[str, Any], levels: Mapping[str, Level]
) -> tuple[SymbolicSystem, dict[str, Any], dict[str, Level]]:
    """Return the system that is solved, its values and their levels: those of slots are added.

    Raises
    ------
    SolverError
        For a steady state (SS) or an infusion through a release, and for a design that is not known yet.
    """
    more, more_levels = dict(values), dict(levels)
    if not symbolic.releases:
        return symbolic, more, more_levels
    check_doses(symbolic, events)
    routes = routes_of(symbolic)
    numbers = tuple(number_of_slots(events, route.compartment) for route in routes)
    table = ParameterTable.build(events, values, levels)
    own = tuple(varies(symbolic.releases[route.release], symbolic, values, levels) for route in routes)
    changed, names = superposed(symbolic, numbers, own)
    at_record = table.at()
    record_of = pt.zeros_like(pt.as_tensor_variable(events.subject), dtype="float64")
    evid = pt.as_tensor_variable(events.evid)
    cancelled = bool((np.asarray(known_value(events.evid)) >= RESETS).any())
    for route, number, of_route in zip(routes, numbers, names, strict=True):
        if not number:
            continue
        release, delivery = symbolic.releases[route.release], route.delivery
        slots = slots_of(events, route.compartment, number)

        def at(graph: Variable | None, absent: float, slots: Slots = slots) -> Variable:
            value = pt.constant(absent) if graph is None else evaluate(graph, symbolic, at_record)
            return (record_of + value)[slots.record]

        quantities = [at(graph, 0.0) for graph in release.quantities]
        possible = release.profile.possible(*quantities) & slots.complete
        if not cancelled:  # a reset that comes with new data has no place in this graph
            possible &= pt.all(evid < RESETS)
        amount = pt.as_tensor_variable(events.amount)[slots.record] * at(delivery.F, 1.0)
        amount = pt.where(slots.used, pt.where(possible, amount, np.nan), 0.0)
        arrival = pt.as_tensor_variable(events.time)[slots.record] + at(delivery.lag, 0.0)
        arrival += slots.repeat * pt.as_tensor_variable(events.interval)[slots.record]
        # Whatever stands in a slot that is not used is multiplied by 0 and must be finite.
        quantities = [pt.where(slots.used, quantity, 1.0) for quantity in quantities]
        if cancelled:  # by record, beside the times by subject
            subject = pt.as_tensor_variable(events.subject)
            amount = pt.where(standing(events, slots.record), amount[:, subject], 0.0)
        fields = (amount, arrival, *quantities)[: len(of_route[0])]
        for position, field in enumerate(fields):
            level: Level = "record" if cancelled and position == 0 else "subject"
            for slot, row in zip(of_route, unstack(field, number), strict=True):
                more[slot[position]], more_levels[slot[position]] = row, level
    return changed, more, more_levels


def varies(
    release: Released, symbolic: SymbolicSystem, values: Mapping[str, Any], levels: Mapping[str, Level]
) -> bool:
    """Tell whether the profile of a release may change within a subject."""
    reached = set(ancestors(release.quantities))
    used = [name for name, root in {**symbolic.parameters, **symbolic.inputs}.items() if root in reached]
    found = [level_of(name, pt.as_tensor_variable(values[name], dtype="float64"), levels) for name in used]
    return not {"scalar", "subject"}.issuperset(found)


def standing(events: Events, record: Variable) -> Variable:
    """Tell, (slot, record), whether a dose that another record of the subject wrote stands, or a reset has ended it."""
    reset = pt.cast(pt.as_tensor_variable(events.evid) >= RESETS, "int64")
    resets = pt.cumsum(reset)
    # The row of a record holds on the way to it, otherwise from it on.
    before = resets - reset if events.carry == "nocb" else resets
    return pt.eq(before, resets[record][:, pt.as_tensor_variable(events.subject)])


def routes_of(symbolic: SymbolicSystem) -> list[Route]:
    """List the routes of doses into the sources of releases."""
    return [
        Route(name, compartment, delivery)
        for name, release in symbolic.releases.items()
        for compartment, deliveries in symbolic.deliveries.items()
        for delivery in deliveries
        if delivery.state == release.source
    ]


def check_doses(symbolic: SymbolicSystem, events: Events) -> None:
    """Refuse doses that a release cannot move on."""
    fed, _ = steady_doses(symbolic, events)
    for name, release in symbolic.releases.items():
        if release.source in fed:
            raise SolverError(
                f"the data ask for a steady state (SS) of doses into {release.source!r}, which release {name!r} moves "
                "on by the time since each dose: none is found. Give the doses that led to it one by one (ADDL, II)."
            )
    arrays = (events.rate, events.duration, events.compartment, events.evid)
    rate, duration, compartment, evid = map(known_value, arrays)
    for route in routes_of(symbolic):
        if rate is None or duration is None or compartment is None or evid is None:
            continue
        dosed = taken_by(events, route.compartment, compartment, evid)
        if (dosed & ((rate != 0) | (duration != 0))).any():
            raise SolverError(
                f"the data infuse into {route.compartment!r}, which release {route.release!r} moves on by the time "
                "since each dose. Give these doses as boluses, or into another compartment."
            )


def taken_by(events: Events, compartment: str, given: Any, evid: Any) -> Any:
    """Tell which records give a dose into a compartment."""
    position = events.compartments.index(compartment) if compartment in events.compartments else -2
    equal = pt.eq if isinstance(given, Variable) else np.equal
    return equal(given, position) & (equal(evid, DOSING[0]) | equal(evid, DOSING[1]))


def number_of_slots(events: Events, compartment: str) -> int:
    """Count the doses of the subject that has the most of them, additional ones included."""
    arrays = (events.subject, events.compartment, events.evid, events.additional)
    subject, given, evid, additional = map(known_value, arrays)
    if subject is None or given is None or evid is None or additional is None:
        raise SolverError(
            "a system with releases has a term for each dose, and the records are not known yet. Solve it for the "
            "events of a study, as numbers or as `pm.Data`; times, amounts and parameters may be graphs."
        )
    doses = np.where(taken_by(events, compartment, given, evid), additional + 1, 0)
    return int(np.bincount(subject.astype(np.int64), doses).max(initial=0))


def slots_of(events: Events, compartment: str, number: int) -> Slots:
    """Assign the doses of each subject to slots, in the order of their records.

    All shapes are known beforehand, and new data go through the same graph.
    """
    n_subjects = len(events.subjects)
    arrays = (events.subject, events.compartment, events.evid, events.additional)
    subject, given, evid, additional = map(pt.as_tensor_variable, arrays)
    dosed = taken_by(events, compartment, given, evid)
    doses = pt.where(dosed, additional + 1, 0)
    of_subject = pt.zeros(n_subjects, dtype="int64")[subject].inc(doses)
    begin = (pt.cumsum(of_subject) - of_subject)[subject]
    first = pt.cumsum(doses) - doses - begin  # the slot of the dose of the record itself
    kept = dosed & (first < number)
    beyond = n_subjects * number
    marks = pt.zeros(beyond + 1, dtype="int64")
    marks = marks[pt.where(kept, subject * number + first, beyond)].inc(pt.where(kept, 1, 0))
    order = pt.maximum(pt.cumsum(marks[:beyond]) - 1, 0)
    n_records = subject.shape[0]
    ordinal = pt.where(kept, pt.cumsum(pt.cast(kept, "int64")) - 1, n_records)
    records = pt.zeros(n_records + 1, dtype="int64")[ordinal].set(pt.arange(n_records, dtype="int64"))
    record = records[order].reshape((n_subjects, number)).T
    slot = pt.arange(number, dtype="int64")[:, None]
    return Slots(record, slot - first[record], slot < of_subject, of_subject <= number)


@functools.lru_cache(maxsize=128)
def superposed(
    symbolic: SymbolicSystem, numbers: tuple[int, ...], own: tuple[bool, ...]
) -> tuple[SymbolicSystem, tuple[tuple[tuple[str, ...], ...], ...]]:
    """Put the sums over slots in the place of releases.

    Parameters
    ----------
    symbolic : SymbolicSystem
    numbers : tuple of int
        How many slots each of the `routes_of` the system has.
    own : tuple of bool
        Whether the slots have their own quantities of the profile, or those of the system.

    Returns
    -------
    SymbolicSystem
        With the slots among its inputs.
    tuple
        By route and slot, the names of these inputs: amount, arrival, and the quantities of the profile if it has them.
    """
    taken = {
        *symbolic.states, *symbolic.parameters, *symbolic.inputs, *symbolic.constants, *symbolic.switches
    }  # fmt: skip
    more: dict[str, Variable] = {}
    nothing = pt.constant(0.0, dtype="float64")
    rates, shifts = dict.fromkeys(symbolic.releases, nothing), dict.fromkeys(symbolic.states, nothing)
    names = []
    for route, number, apart in zip(routes_of(symbolic), numbers, own, strict=True):
        release, of_route = symbolic.releases[route.release], []
        fields = ("amount", "arrival", *(release.profile.dimensions if apart else ()))
        for k in range(number):
            slot = tuple(unlike(taken, f"{release.source}_{field}{k + 1}") for field in fields)
            more |= {name: pt.dscalar(name) for name in slot}
            of_route.append(slot)
            amount, arrival, *quantities = (more[name] for name in slot)
            closed, rate = released(
                release, symbolic.time, amount, arrival, *(quantities if apart else release.quantities)
            )
            rates[route.release] += rate
            shifts[release.source] -= closed
            shifts[release.into] += closed
        names.append(tuple(of_route))
    replaced = {release.rate: rates[name] for name, release in symbolic.releases.items()}
    replaced |= {
        symbolic.states[name]: symbolic.states[name] + shift
        for name, shift in shifts.items()
        if shift is not nothing
    }
    graphs = [
        *symbolic.derivatives.values(),
        *symbolic.outputs.values(),
        *(graph for switch in symbolic.switches.values() for graph in switch.graphs),
    ]
    rewritten = iter(clone_replace(graphs, replaced, rebuild_strict=False))
    derivatives = {name: next(rewritten) for name in symbolic.derivatives}
    outputs = {name: next(rewritten) for name in symbolic.outputs}
    switches = {}
    for name, switch in symbolic.switches.items():
        found = switch.with_graphs(rewritten)
        change = {
            state: graph if shifts[state] is nothing else graph - shifts[state]
            for state, graph in found.change.items()
        }
        switches[name] = dataclasses.replace(found, change=change)
    changed = dataclasses.replace(
        symbolic,
        derivatives=derivatives,
        outputs=outputs,
        switches=switches,
        inputs={**symbolic.inputs, **more},
        deliveries=with_stops(symbolic),
    )
    return changed, tuple(names)


def released(
    release: Released, time: Variable, amount: Variable, arrival: Variable, *quantities: Variable
) -> tuple[Variable, Variable]:
    """Return what a dose has released until a time, the part in closed form, and the rate of the rest."""
    with double_precision():
        elapsed = time - arrival
        arrived = pt.gt(elapsed, 0.0)
        # Both sides of a choice are worked out, with their derivatives: the other side must be finite.
        since = pt.switch(arrived, elapsed, 1.0)
        closed, rate = (
            pt.switch(arrived, amount * part(since, *quantities), 0.0)
            for part in (release.profile.closed, release.profile.rate)
        )
    return closed, rate


def with_stops(symbolic: SymbolicSystem) -> dict[str, tuple[Delivery, ...]]:
    """Add to the deliveries one of nothing when about half of each dose is released.

    Before a delayed release all rates are 0 and an integrator, which stops at deliveries only, would go on past it.
    """
    deliveries = {name: list(routes) for name, routes in symbolic.deliveries.items()}
    with double_precision():
        for route in routes_of(symbolic):
            release = symbolic.releases[route.release]
            middle = release.profile.middle(*release.quantities)
            lag = middle if route.delivery.lag is None else route.delivery.lag + middle
            nothing = pt.constant(0.0, dtype="float64")
            deliveries[route.compartment].append(Delivery(release.source, F=nothing, lag=lag))
    return {name: tuple(routes) for name, routes in deliveries.items()}
