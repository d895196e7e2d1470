"""Steady states of nonlinear systems: the orbit that doses repeated for ever lead to.

Let P(x) be the state one interval later, all doses of the record given on the way. The steady state is x* = P(x*),
found by Newton's method on P(x) - x, whose Jacobian M - I comes from the adjoint of one period for each state. With
the adjoint lam of x*, the derivatives with respect to all else are those of one period for the cotangent
(I - M^T)^-1 lam (the implicit function theorem).

A constant infusion (no interval) is the same with any period, and so is the steady state without doses; accumulators
take no part.
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.decomposition import invert
from qsp_bayes.ode.delivery import share_among_inputs
from qsp_bayes.ode.field import at, jacobian
from qsp_bayes.ode.integration import (
    AUTOMATIC,
    FINE,
    METHOD,
    NO_STEADY_STATE,
    STIFF,
    advance,
    jacobian_norm,
    overall_size,
    retreat,
    tolerance,
)
from qsp_bayes.ode.jit import allocating_kernel, kernel, zero
from qsp_bayes.ode.nonlinear import flush, hamiltonian, start_state, use_row
from qsp_bayes.ode.path import START
from qsp_bayes.ode.timeline import INPUTS, RECORD, ROW, TIME, delivery, optional, repeats_before

PLAIN_PERIODS, MAX_PERIODS = 3, 200
"""Periods that are walked before Newton's method begins, and before it is given up."""

OFFSET, STATE, ROUTE, JUMP, RATE, TURNS = range(6)
"""Columns of the events of a period: when after its start, into which state, by which route, what is added to the
state and to the input rate, and how many intervals before the record's own dose (or its end) this one lies."""

ORBIT, REST = 2, 4
"""First columns of `Problem.spans` that tell the rows of the period, and of that without doses."""

UNHURRIED = 10.0
"""Period of a constant infusion, in units of the shortest time constant."""


@allocating_kernel()
def copied(x):  # type: ignore[no-untyped-def]
    """Return a copy of a vector, in memory of its own."""
    copy = np.empty(x.size)
    for i in range(x.size):
        copy[i] = x[i]
    return copy


@kernel()
def within(offset, interval):  # type: ignore[no-untyped-def]
    """Return how many intervals lie before an offset in (0, interval], or 0 for an offset of 0."""
    turns = math.ceil(offset / interval) - 1.0
    return max(turns, 0.0)


@kernel()
def add_event(events, count, offset, interval, state, route, jump, rate):  # type: ignore[no-untyped-def]
    """Insert an event in order of time; return the new count."""
    turns = within(offset, interval)
    offset -= turns * interval
    place = count
    while place > 0 and events[place - 1, OFFSET] > offset:
        for c in range(events.shape[1]):
            events[place, c] = events[place - 1, c]
        place -= 1
    events[place, OFFSET], events[place, STATE], events[place, ROUTE] = offset, state, route
    events[place, JUMP], events[place, RATE], events[place, TURNS] = jump, rate, turns
    return count + 1


@kernel()
def plan_period(problem, record, interval, events, running):  # type: ignore[no-untyped-def]
    """List the events of a period that ends at a record, and how many infusions run at its start, by route."""
    records, count = problem.records, 0
    for k in range(records.state.shape[0]):
        running[k] = 0
        state = records.state[k, record]
        if state < 0:
            continue
        amount, rate, duration = delivery(records, k, record)
        lag = optional(records.lag, k, record, 0.0)
        if records.interval[record] <= 0.0:
            running[k] = 1
        elif rate > 0.0:
            back = repeats_before(lag, interval)
            while back * interval - lag < duration:
                running[k] += 1
                back += 1
            count = add_event(events, count, lag, interval, state, k, 0.0, rate)
            count = add_event(events, count, lag + duration, interval, state, k, 0.0, -rate)
        else:
            count = add_event(events, count, lag, interval, state, k, amount, 0.0)
    return count


@kernel()
def load_running(problem, record, running):  # type: ignore[no-untyped-def]
    """Add the rates of the infusions that run at the start of a period to the input rates."""
    records = problem.records
    for k in range(running.size):
        if running[k] > 0:
            _, rate, _ = delivery(records, k, record)
            problem.room.u[records.state[k, record]] += running[k] * rate


@kernel()
def walk_period(problem, record, events, count, running, start, end, r):  # type: ignore[no-untyped-def]
    """Walk one period from row r of the path; return the row at its end, and how it ended."""
    states, u, t = problem.path.states, problem.room.u, start
    method = problem.options[METHOD]
    if method == AUTOMATIC:
        method = STIFF
    zero(u)
    load_running(problem, record, running)
    for e in range(count + 1):
        until = start + events[e, OFFSET] if e < count else end
        until = min(until, end)
        if until > t:
            r, method, status = advance(problem, 0, 0, r, t, until, method)
            if status != FINE:
                return r, status
            t = until
        if e < count:
            states[r, np.int64(events[e, STATE])] += events[e, JUMP]
            u[np.int64(events[e, STATE])] += events[e, RATE]
    return r, FINE


@kernel()
def walk_period_back(problem, events, count, start, begin, end, here, bars):  # type: ignore[no-untyped-def]
    """Take the adjoint back over a period, and return lam . dx/dt at its start.

    The columns of `bars` are the adjoints of each event's jump, rate and time; `here` is a working vector.
    """
    room, path, last = problem.room, problem.path, end
    for i in range(here.size):
        here[i] = path.states[begin, i]  # which is where the period ends, too
    following = hamiltonian(problem, start, address(here))
    for e in range(count, -1, -1):
        since, first = start + events[e - 1, OFFSET] if e > 0 else start, last
        while first > begin and path.times[first - 1, START] >= since:
            first -= 1
        if last > first:
            retreat(problem, 0, 0, first, last)
            for i in range(here.size):
                here[i] = path.states[first, i]
            following = hamiltonian(problem, path.times[first, START], address(here))
        last = first
        if e > 0:
            state = np.int64(events[e - 1, STATE])
            bars[e - 1, 0], bars[e - 1, 1] = room.lam[state], room.u_bar[state]
            here[state] -= events[e - 1, JUMP]
            room.u[state] -= events[e - 1, RATE]
            before = hamiltonian(problem, since, address(here))
            bars[e - 1, 2] = before - following
            following = before
    return following


@allocating_kernel()
def monodromy(problem, events, count, start, begin, end):  # type: ignore[no-untyped-def]
    """Return (I - M)^-1, M the derivative of the state after a period; accumulators left out. False if singular."""
    room, n = problem.room, problem.room.lam.size
    here, bars = np.zeros(n), np.zeros((events.shape[0], 3))
    difference, inverse = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        difference[i, i] = 1.0
        if problem.dynamic[i] == 0:
            continue
        zero(room.lam)
        room.lam[i] = 1.0
        walk_period_back(problem, events, count, start, begin, end, here, bars)
        for j in range(n):
            if problem.dynamic[j] != 0:
                difference[i, j] -= room.lam[j]
    return invert(difference, inverse), inverse


@kernel()
def unhurried(problem, row, t, r):  # type: ignore[no-untyped-def]
    """Period over which to look at a constant infusion, or at no dose at all; uses row r of the path."""
    field, room = problem.field, problem.room
    start_state(problem, row, r)
    jacobian(field, t, at(problem.path.states, r), room.p, room.J, room.T)
    return UNHURRIED / max(jacobian_norm(field, room), 1e-300)


@kernel()
def apart(problem, x, orbit, overall):  # type: ignore[no-untyped-def]
    """Largest distance from an orbit, in units of the tolerance; accumulators left out."""
    distance = 0.0
    for i in range(x.size):
        if problem.dynamic[i] != 0:
            allowed = tolerance(i, abs(orbit[i]), problem.tolerances, problem.room, overall)
            far = abs(x[i] - orbit[i]) / allowed
            distance = far if not far <= distance else distance
    return distance


@allocating_kernel()
def find_orbit(problem, record, row, start, now, events, count, running, r):  # type: ignore[no-untyped-def]
    """Find the state that a period leads back to; its last walk starts at row r of the path.

    Returns the row that holds the result and how it ended. Accumulators are 0 at the start of the period. A period that
    changes little is not enough, for a system may forget slowly: what is left to go must be small as well.
    """
    room, states, n = problem.room, problem.path.states, problem.room.lam.size
    orbit, before, plain, end = np.zeros(n), np.inf, np.inf, r
    start_state(problem, row, r)
    for period in range(MAX_PERIODS):
        for i in range(n):
            orbit[i] = states[r, i] = states[r, i] if problem.dynamic[i] != 0 else 0.0
        end, status = walk_period(problem, record, events, count, running, start, now, r)
        if status != FINE:
            return end, status
        overall = overall_size(problem.field, room, problem.path, end, now, now)
        distance = apart(problem, states[end], orbit, overall)
        if not math.isfinite(distance):
            return end, NO_STEADY_STATE
        target, usable = copied(states[end]), period >= PLAIN_PERIODS and distance < before
        if usable:
            usable, inverse = monodromy(problem, events, count, start, r, end)
        if usable:
            for i in range(n):
                for j in range(n):
                    target[i] += (inverse[i, j] - (i == j)) * (states[end, j] - orbit[j])
                usable = usable and (target[i] >= 0.0 or states[end, i] < 0.0) and math.isfinite(target[i])
        # What is left to go: the Newton step, or the sum of the periods to come if they keep shrinking as they do.
        left = distance * distance / (plain - distance) if distance < plain < np.inf else np.inf
        if usable or distance == 0.0:
            left = apart(problem, target, orbit, overall)
        if max(distance, left) <= 1.0:
            return end, FINE
        for i in range(n):
            states[r, i] = target[i] if usable else states[end, i]
        before, plain = (distance, np.inf) if usable else (np.inf, distance)
    return end, NO_STEADY_STATE


@allocating_kernel()
def steady_state(problem, s, r):  # type: ignore[no-untyped-def]
    """Apply the steady state of a record to row r of the path; return the row of the result, or minus the status.

    What is added to the states (SS = 2) is the difference from the steady state without doses, as in a linear system.
    The rows before the result hold the last periods, which the backward walk needs.
    """
    records, room, states = problem.records, problem.room, problem.path.states
    record, row, now = problem.codes[s, RECORD], problem.codes[s, ROW], problem.steps[s, TIME]
    n, n_routes = room.lam.size, records.state.shape[0]
    events, running, rest = np.zeros((2 * n_routes, 6)), np.zeros(n_routes, np.int64), np.zeros(n)
    added = records.steady_state[record] != 1
    use_row(problem, row)
    problem.spans[s, REST], problem.spans[s, REST + 1] = r, r
    if added:
        begin, start = r, now - unhurried(problem, row, now, r)
        r, status = find_orbit(problem, record, row, start, now, events, 0, running, begin)
        if status != FINE:
            return -status
        problem.spans[s, REST], problem.spans[s, REST + 1] = begin, r
        for i in range(n):
            rest[i] = states[r, i]
    interval = records.interval[record]
    if interval <= 0.0:
        interval = unhurried(problem, row, now, r)
    count = plan_period(problem, record, interval, events, running)
    end, status = find_orbit(problem, record, row, now - interval, now, events, count, running, r)
    if status != FINE:
        return -status
    problem.spans[s, ORBIT], problem.spans[s, ORBIT + 1] = r, end
    for i in range(n):
        room.u[i] = problem.steps[s, INPUTS + i] if added else 0.0
        kept = problem.arrivals[s, i] if added or problem.dynamic[i] == 0 else 0.0
        states[end, i] = kept + (states[end, i] - rest[i] if problem.dynamic[i] != 0 else 0.0)
    return end


@allocating_kernel()
def orbit_adjoint(problem, row, start, begin, end, events, count, bars, lam):  # type: ignore[no-untyped-def]
    """Pass the adjoint `lam` of an orbit on to the parameters of a row; return lam . dx/dt at its start."""
    room, n = problem.room, lam.size
    usable, inverse = monodromy(problem, events, count, start, begin, end)
    zero(room.p_bar)
    zero(room.u_bar)
    for i in range(n):
        room.lam[i] = 0.0
        for j in range(n):
            if problem.dynamic[i] != 0 and problem.dynamic[j] != 0:
                room.lam[i] += inverse[j, i] * lam[j] if usable else np.nan
    following = walk_period_back(problem, events, count, start, begin, end, np.zeros(n), bars)
    flush(problem, row)
    return following


@allocating_kernel()
def steady_state_adjoint(problem, s):  # type: ignore[no-untyped-def]
    """Adjoint of `steady_state`."""
    records, room, times, spans = problem.records, problem.room, problem.path.times, problem.spans
    record, row, now = problem.codes[s, RECORD], problem.codes[s, ROW], problem.steps[s, TIME]
    n, n_routes = room.lam.size, records.state.shape[0]
    events, running, bars = (
        np.zeros((2 * n_routes, 6)),
        np.zeros(n_routes, np.int64),
        np.zeros((2 * n_routes, 3)),
    )
    lam, u_bar = copied(room.lam), copied(room.u_bar)
    use_row(problem, row)
    if spans[s, REST + 1] > spans[s, REST]:
        zero(room.u)
        start = times[spans[s, REST], START]
        orbit_adjoint(problem, row, start, spans[s, REST], spans[s, REST + 1], events, 0, bars, -lam)
    start, interval = times[spans[s, ORBIT], START], records.interval[record]
    count = plan_period(problem, record, now - start if interval <= 0.0 else interval, events, running)
    zero(room.u)
    load_running(problem, record, running)
    following = orbit_adjoint(
        problem, row, start, spans[s, ORBIT], spans[s, ORBIT + 1], events, count, bars, lam
    )
    if interval > 0.0:
        problem.bar.interval[record] += following
    pass_to_doses(problem, record, events, count, running, bars)
    added = records.steady_state[record] != 1
    for i in range(n):
        room.lam[i] = lam[i] if added or problem.dynamic[i] == 0 else 0.0
        room.u_bar[i] = u_bar[i] if added else 0.0


@kernel()
def pass_to_doses(problem, record, events, count, running, bars):  # type: ignore[no-untyped-def]
    """Pass the adjoints of the events of a period on to the dose record that they came from."""
    records, bar = problem.records, problem.bar
    for k in range(running.size):
        state = records.state[k, record]
        if state < 0:
            continue
        value_bar, duration_bar = running[k] * problem.room.u_bar[state], 0.0
        for e in range(count):
            if np.int64(events[e, ROUTE]) != k:
                continue
            if events[e, RATE] == 0.0:
                value_bar += bars[e, 0]
            elif events[e, RATE] > 0.0:
                value_bar += bars[e, 1]
            else:
                value_bar -= bars[e, 1]
                duration_bar += bars[e, 2]
            if bar.lag.size > 0:
                bar.lag[k, record] += bars[e, 2]
            bar.interval[record] -= (1.0 + events[e, TURNS]) * bars[e, 2]
        share_among_inputs(records, bar, k, record, value_bar, duration_bar)
