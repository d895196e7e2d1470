"""How doses reach the states: the dosing inputs of an engine, as graphs of events and parameters."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.records import NO_STATE, UNKNOWN_STATE
from qsp_bayes.ode.rows import stack
from qsp_bayes.systems.known import known_value
from qsp_bayes.systems.parameter_table import ParameterTable
from qsp_bayes.systems.solution import ABSENT, evaluate
from qsp_bayes.systems.symbolic import Delivery, SymbolicSystem

DOSING = (1, 4)
"""EVID of the records that give a dose."""


def delivery_states(symbolic: SymbolicSystem, position: np.ndarray, events: Events) -> Variable:
    """Solver position of the state that each record delivers into, (route, record)."""
    names = list(symbolic.states)
    n_routes = max((len(routes) for routes in symbolic.deliveries.values()), default=1)
    target = np.full((n_routes, len(events.compartments) + 1), NO_STATE, np.int64)
    target[0] = UNKNOWN_STATE
    for c, name in enumerate(events.compartments):
        for k, route in enumerate(symbolic.deliveries.get(name, ())):
            target[k, c] = position[names.index(route.state)]
    compartment, evid = known_value(events.compartment), known_value(events.evid)
    if compartment is not None and evid is not None:
        dosed: list[int] = np.unique(compartment[np.isin(evid, DOSING)]).tolist()
        refused = [
            events.compartments[c] if c >= 0 else "(none)" for c in dosed if target[0, c] == UNKNOWN_STATE
        ]
        if refused:
            raise SolverError(
                f"the data give doses into {', '.join(refused)}, but the system takes doses into "
                f"{', '.join(symbolic.deliveries) or 'no compartment'}. Name the compartments at reading "
                '(compartments={1: "depot"}), or declare the dose in the system (doses={"depot": DoseInto()}).'
            )
    return pt.constant(target)[:, pt.as_tensor_variable(events.compartment)]


def deliveries(
    symbolic: SymbolicSystem, position: np.ndarray, events: Events, table: ParameterTable
) -> dict[str, Variable]:
    """Times, amounts, and how each route shapes the dose: the float inputs of the solver that come before A."""
    n_routes = max((len(routes) for routes in symbolic.deliveries.values()), default=1)
    compartment = pt.as_tensor_variable(events.compartment)
    code, stated = pt.as_tensor_variable(events.rate), pt.as_tensor_variable(events.duration)
    at_record = table.at()

    def shaped(field: str, absent: float) -> list[Variable | None]:
        """By route, the value of a delivery's field at every record; None where no compartment declares it."""
        rows: list[Variable | None] = []
        for k in range(n_routes):
            row = None
            for c, name in enumerate(events.compartments):
                routes: tuple[Delivery, ...] = symbolic.deliveries.get(name, ())
                graph = getattr(routes[k], field) if k < len(routes) else None
                if graph is not None:
                    value = evaluate(graph, symbolic, at_record)
                    row = pt.where(pt.eq(compartment, c), value, absent if row is None else row)
            rows.append(row)
        return rows

    def table_of(rows: list[Variable | None], absent: float) -> Variable:
        if all(row is None for row in rows):
            return pt.as_tensor_variable(ABSENT)
        return stack(*(absent if row is None else row for row in rows))

    check_modelled(symbolic, events)
    plain = pt.eq(code, 0.0) & pt.eq(stated, 0.0)
    rates: list[Variable | None] = []
    durations: list[Variable | None] = []
    for rate, duration in zip(shaped("rate", 0.0), shaped("duration", 0.0), strict=True):
        given = pt.maximum(code, 0.0)
        rates.append(given if rate is None else pt.where(plain | pt.eq(code, -1.0), rate, given))
        durations.append(
            stated if duration is None else pt.where(plain | pt.eq(code, -2.0), duration, stated)
        )
    return {
        "time": pt.as_tensor_variable(events.time),
        "amount": pt.as_tensor_variable(events.amount),
        "bioavailability": table_of(shaped("F", 1.0), 1.0),
        "lag": table_of(shaped("lag", 0.0), 0.0),
        "rate": table_of(rates, 0.0),
        "duration": table_of(durations, 0.0),
        "interval": pt.as_tensor_variable(events.interval),
    }


def check_modelled(symbolic: SymbolicSystem, events: Events) -> None:
    """Refuse RATE = -1 or -2 where the compartment declares no rate or duration."""
    code, compartment = known_value(events.rate), known_value(events.compartment)
    if code is None or compartment is None:
        return
    for number, field in ((-1, "rate"), (-2, "duration")):
        for c in np.unique(compartment[code == number]):
            name = events.compartments[c]
            if not any(getattr(route, field) is not None for route in symbolic.deliveries.get(name, ())):
                raise SolverError(
                    f"the data ask for a modelled {field} (RATE = {number}) of doses into {name!r}, but the system "
                    f'declares none: write doses={{"{name}": DoseInto({field}=lambda s: s.{field})}}.'
                )


def steady_doses(symbolic: SymbolicSystem, events: Events) -> tuple[set[str], bool]:
    """Find the states that a steady state (SS) feeds, and whether any replaces the state, where the data are known."""
    evid, steady_state = known_value(events.evid), known_value(events.steady_state)
    compartment = known_value(events.compartment)
    if evid is None or steady_state is None or compartment is None:
        return set(), False
    steady = np.isin(evid, DOSING) & (steady_state > 0)
    fed = {
        route.state
        for c in np.unique(compartment[steady]).tolist()
        if c >= 0
        for route in symbolic.deliveries.get(events.compartments[c], ())
    }
    return fed, bool((steady & (steady_state == 1)).any())
