"""The engine for dx/dt = f(t, x, p) + u(t), over a ragged batch of subjects, with its adjoint.

Each subject's timeline (`timeline`, shared with the linear engine) is walked once. Between the steps of the timeline
at which something happens the system is integrated (`integration`); observations do not stop the integration, they
are read off its dense output. Backward, the adjoint of the discrete scheme is taken over the same steps, lengths
given; the derivative with respect to the time of an event is the jump of the Hamiltonian lam . dx/dt across it, and
that with respect to an input rate the integral of lam. Cost and memory do not depend on the number of parameters.
Systems may have switches, at which the integration stops as well (`switching`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.delivery import dose_adjoint
from qsp_bayes.ode.field import Field, at, slopes
from qsp_bayes.ode.integration import (
    AUTOMATIC,
    CHATTERING,
    FINE,
    FIRST_DIRECTION,
    FULL,
    METHOD,
    NO_STEADY_STATE,
    NOT_FINITE,
    STIFF,
    SWITCHED,
    advance,
    culprit,
    pass_back,
    retreat,
)
from qsp_bayes.ode.jit import inlined_kernel, kernel, zero
from qsp_bayes.ode.lazy import late
from qsp_bayes.ode.path import START, Path, Room
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.status import HOW, WHEN, WHICH
from qsp_bayes.ode.switching import (
    FOLLOWING,
    SETTLED,
    SwitchRoom,
    load_sides,
    note_sides,
    read_sides,
)
from qsp_bayes.ode.switching import WHICH as WHICH_SWITCH
from qsp_bayes.ode.threads import take_next
from qsp_bayes.ode.timeline import (
    ANCHOR,
    AT_STOP,
    BOLUS,
    FAILED,
    FIRST_RECORD,
    FIRST_STEP,
    INPUTS,
    KIND,
    OBSERVE,
    PERIODIC,
    RATE,
    RECORD,
    RESET,
    ROW,
    STATE,
    TIME,
    VALUE,
    expand,
)


class Problem(NamedTuple):
    """What a callback works on.

    Attributes
    ----------
    address : int
        Of the table that all this comes from.
    field : Field
    records : Records
    observed : (observed state,) int
    dynamic : (n,) int
        1 for a state that takes part in steady states, 0 for an accumulator.
    tolerances : (1 + n,) float
        rtol, then atol by state.
    options : (6 + switch,) int
        See `integration`.
    values, initial : (parameter, row), (state, row)
    steps, codes : (step, 2 + n) float, (step, 7) int
        The timeline; input rates before each step follow its time and value.
    arrivals : (step, n)
        State just before each step at which something happens.
    spans : (step, 6) int
        Rows of the path that lead to such a step, end exclusive, and those of the periods of a steady state; or the
        row that holds an observation in between. Where there are switches the last columns are theirs: see `switching`.
    subjects : (subject + 1, 4) int
        Where the records and the steps of each subject begin, how its integration ended, and where its steps end
        (-1 until it is solved).
    failures : (subject, 3) float
        Again how it ended; for a failure also when, and because of which state (see `status`).
    queue : int
        Address of the number of the next subject that a thread takes.
    progress : (4,) int
        Of this thread: row of the path to go on from, end of the rows that it may use, steps of the integration of the
        subject so far, and of all subjects.
    rooms : vector
        All of the two rooms.
    out : (observed state, record)
        Results, or their cotangents on the way back.
    shared : (record, parameter + state) float
        Derivatives by values and initial states that each subject adds to rows that it shares with others, at the first
        record that names the row; empty where none are shared.
    """

    address: int
    field: Field
    records: Records
    observed: np.ndarray
    dynamic: np.ndarray
    tolerances: np.ndarray
    options: np.ndarray
    values: np.ndarray
    initial: np.ndarray
    steps: np.ndarray
    codes: np.ndarray
    arrivals: np.ndarray
    spans: np.ndarray
    subjects: np.ndarray
    failures: np.ndarray
    queue: int
    progress: np.ndarray
    path: Path
    rooms: np.ndarray
    room: Room
    out: np.ndarray
    bar: Adjoints
    shared: np.ndarray
    waiting_steps: np.ndarray
    waiting_codes: np.ndarray
    switch_room: SwitchRoom


NEXT_ROW, END_ROW, STEPS, ALL_STEPS = range(4)
"""Entries of the progress."""

END_STEP = 3
"""Column of the subjects, after those of `timeline`."""

# Few timelines have steady states, and few systems switches: see `periodic` and `crossing`, whose callbacks are
# compiled when first called.
find_steady_state = late("steady_state_nonlinear")
find_steady_state_adjoint = late("steady_state_nonlinear_adjoint")
settle = late("settle_nonlinear")


INSTANT = 1e-12
"""Share of the time between two crossings of switches below which they count as in a row."""
MAX_IN_A_ROW = 50
"""More of them than this are taken to have no end."""


@inlined_kernel()
def use_row(problem, row):  # type: ignore[no-untyped-def]
    """Load the parameters of a row."""
    for k in range(problem.values.shape[0]):
        problem.room.p[k] = problem.values[k, row]


@inlined_kernel()
def start_state(problem, row, r):  # type: ignore[no-untyped-def]
    """Set row r of the path to the initial state."""
    states, initial = problem.path.states, problem.initial
    for i in range(states.shape[1]):
        states[r, i] = initial[i, row] if initial.size > 0 else 0.0


@inlined_kernel()
def arrive(problem, s, r):  # type: ignore[no-untyped-def]
    """Note the state and the input rates just before a step of the timeline."""
    for i in range(problem.room.u.size):
        problem.steps[s, INPUTS + i] = problem.room.u[i]
        problem.arrivals[s, i] = problem.path.states[r, i]


@inlined_kernel()
def leave(problem, r):  # type: ignore[no-untyped-def]
    """Take the state after a step of the timeline into the scale of the states; tell whether it is finite."""
    states, scale, total = problem.path.states, problem.room.scale, 0.0
    for i in range(states.shape[1]):
        scale[i] = max(scale[i], abs(states[r, i]))
        total += states[r, i]
    return np.isfinite(total)


@inlined_kernel()
def last_of_segment(codes, s, last):  # type: ignore[no-untyped-def]
    """First step from s on at which the integration must stop: anything but an observation, or other parameters."""
    while codes[s, KIND] == OBSERVE and s + 1 < last and codes[s + 1, ROW] == codes[s, ROW]:
        s += 1
    return s


@inlined_kernel()
def first_of_segment(codes, stop, first):  # type: ignore[no-untyped-def]
    """First of the observations on the way to a step at which the integration stops, or that step."""
    s = stop
    while s > first and codes[s - 1, KIND] == OBSERVE and codes[s - 1, ROW] == codes[s, ROW]:
        s -= 1
    return s


@inlined_kernel()
def observe(problem, s, r):  # type: ignore[no-untyped-def]
    """Report the state at a step of the timeline."""
    for q in range(problem.observed.size):
        problem.out[q, problem.codes[s, RECORD]] = problem.path.states[r, problem.observed[q]]


@inlined_kernel()
def apply(problem, s, r):  # type: ignore[no-untyped-def]
    """Apply a step of the timeline to row r of the path."""
    steps, codes = problem.steps, problem.codes
    kind, u = codes[s, KIND], problem.room.u
    if kind == OBSERVE:
        observe(problem, s, r)
    elif kind == BOLUS:
        problem.path.states[r, codes[s, STATE]] += steps[s, VALUE]
    elif kind == RATE:
        u[codes[s, STATE]] += steps[s, VALUE]
    elif kind == RESET:
        start_state(problem, codes[s, ROW], r)
        zero(u)


@kernel()
def walk(problem, first, last, r):  # type: ignore[no-untyped-def]
    """Walk one subject's steps forward from row r of the path on; return the row it ends at, and how it ended."""
    steps, codes, room = problem.steps, problem.codes, problem.room
    zero(room.u)
    zero(room.scale)
    problem.progress[STEPS] = 0
    method = problem.options[METHOD]
    if method == AUTOMATIC:
        method = STIFF
    if r >= problem.path.methods.size:
        return r, FULL
    t = min(0.0, steps[first, TIME])
    problem.path.times[r, START] = t
    start_state(problem, codes[first, ROW], r)
    if not leave(problem, r):
        return r, NOT_FINITE
    s, switching, in_a_row = first, problem.options.size > FIRST_DIRECTION, 0
    if switching:
        use_row(problem, codes[first, ROW])
        read_sides(problem, t, at(problem.path.states, r))
    while s < last:
        stop = last_of_segment(codes, s, last)
        use_row(problem, codes[stop, ROW])
        if switching:
            problem.spans[stop, 0] = r
            problem.spans[stop, WHICH_SWITCH] = -1
            result = settle(problem.address, stop, r)
            if result < 0:
                return r, -result
            r = result
            problem.spans[stop, SETTLED] = r
        while s < stop and steps[s, TIME] <= t:
            observe(problem, s, r)
            problem.spans[s, 0] = -1
            s += 1
        if not switching:
            problem.spans[stop, 0] = r
        while steps[stop, TIME] > t:
            r, method, status = advance(problem, s, stop, r, t, steps[stop, TIME], method)
            if status == SWITCHED:
                before, t = t, problem.path.times[r, START]
                in_a_row = in_a_row + 1 if t - before <= INSTANT * max(abs(t), abs(before)) else 0
                if in_a_row > MAX_IN_A_ROW:
                    return r, CHATTERING
                while s < stop and steps[s, TIME] <= t:
                    s += 1
                result = settle(problem.address, stop, r)
                if result < 0:
                    return r, -result
                r = result
            elif status != FINE:
                return r, status
            else:
                t = steps[stop, TIME]
        if switching:
            note_sides(problem, stop)
        problem.spans[stop, 1] = r
        problem.path.times[r, START] = t
        arrive(problem, stop, r)
        if codes[stop, KIND] == PERIODIC:
            # what data that are known do not have, `pm.set_data` may bring in
            result = -NO_STEADY_STATE if switching else find_steady_state(problem.address, stop, r)
            if result < 0:
                return r, -result
            r = result
        else:
            apply(problem, stop, r)
        if not leave(problem, r):
            return r, NOT_FINITE
        if switching and codes[stop, KIND] == RESET:
            read_sides(problem, t, at(problem.path.states, r))
        s = stop + 1
    return r, FINE


@inlined_kernel()
def note_failure(problem, i, r, status):  # type: ignore[no-untyped-def]
    """Note when a subject's integration failed, at row r of the path, and because of which state."""
    problem.subjects[i, FAILED] = status
    problem.failures[i, WHEN] = problem.path.times[r, START]
    nobody = status == NO_STEADY_STATE or status == CHATTERING
    problem.failures[i, WHICH] = -1 if nobody else culprit(problem, r, status)


@inlined_kernel()
def solve_subject(problem, i):  # type: ignore[no-untyped-def]
    """Solve a subject; False where the thread has no more room in the path, and the subject is left unsolved.

    What it finds depends on nothing that other subjects have left in the room.
    """
    records, subjects, progress = problem.records, problem.subjects, problem.progress
    first, last, start = subjects[i, FIRST_RECORD], subjects[i + 1, FIRST_RECORD], subjects[i, FIRST_STEP]
    stop = start
    zero(problem.rooms)
    if subjects[i, FAILED] == FINE:
        stop = expand(
            records,
            first,
            last,
            problem.steps,
            problem.codes,
            start,
            problem.waiting_steps,
            problem.waiting_codes,
        )
        if stop > start:
            r, status = walk(problem, start, stop, progress[NEXT_ROW])
            if status == FULL:
                return False
            if status == FINE:
                progress[NEXT_ROW] = r
            else:
                note_failure(problem, i, r, status)
            progress[ALL_STEPS] += progress[STEPS]
    else:
        problem.failures[i, WHEN] = records.time[first]
        problem.failures[i, WHICH] = -1
    if subjects[i, FAILED] != FINE:
        problem.failures[i, HOW] = subjects[i, FAILED]
        for n in range(first, last):
            for q in range(problem.observed.size):
                problem.out[q, n] = np.nan
    subjects[i, END_STEP] = stop
    return True


@inlined_kernel()
def forward(problem):  # type: ignore[no-untyped-def]
    """Solve subjects until none is left to take, or the path has no more room.

    `problem.out` gets the states at the observation records; NaN for a subject that cannot be solved.
    """
    i = take_next(problem.queue)
    while i < problem.subjects.shape[0] - 1:
        if problem.subjects[i, END_STEP] < 0 and not solve_subject(problem, i):
            return
        i = take_next(problem.queue)


@inlined_kernel()
def hamiltonian(problem, t, y):  # type: ignore[no-untyped-def]
    """Lam . dx/dt for the state at an address."""
    room, total = problem.room, 0.0
    slopes(problem.field, t, y, room.p, room.u, address(room.F))
    for i in range(room.F.size):
        total += room.lam[i] * room.F[i]
    return total


@inlined_kernel()
def flush(problem, row):  # type: ignore[no-untyped-def]
    """Add the derivatives of the parameters of a row to the results, and clear them."""
    for k in range(problem.values.shape[0]):
        problem.bar.values[k, row] += problem.room.p_bar[k]
    zero(problem.room.p_bar)


@inlined_kernel()
def start_adjoint(problem, row):  # type: ignore[no-untyped-def]
    """Pass the adjoint on to the initial state."""
    if problem.initial.size > 0:
        for i in range(problem.room.lam.size):
            problem.bar.initial[i, row] += problem.room.lam[i]


@inlined_kernel()
def observe_adjoint(problem, s):  # type: ignore[no-untyped-def]
    """Adjoint of `observe`."""
    for q in range(problem.observed.size):
        problem.room.lam[problem.observed[q]] += problem.out[q, problem.codes[s, RECORD]]


@inlined_kernel()
def apply_adjoint(problem, s):  # type: ignore[no-untyped-def]
    """Take the adjoint back through a step of the timeline; return that of the step's value."""
    codes, room = problem.codes, problem.room
    kind, value_bar = codes[s, KIND], 0.0
    if kind == OBSERVE:
        observe_adjoint(problem, s)
    elif kind == BOLUS:
        value_bar = room.lam[codes[s, STATE]]
    elif kind == RATE:
        value_bar = room.u_bar[codes[s, STATE]]
        if codes[s, ANCHOR] == AT_STOP:
            value_bar = -value_bar
    elif kind == RESET:
        start_adjoint(problem, codes[s, ROW])
        zero(room.lam)
        zero(room.u_bar)
    return value_bar


@kernel()
def walk_back(problem, first, last):  # type: ignore[no-untyped-def]
    """Walk one subject's steps backward and add to the derivatives; False where a callback could not be compiled."""
    steps, codes, spans, room = problem.steps, problem.codes, problem.spans, problem.room
    zero(room.lam)
    zero(room.u_bar)
    zero(room.p_bar)
    following = 0.0  # lam . dx/dt at the start of what comes after a step
    stop, worked, switching = last - 1, True, problem.options.size > FIRST_DIRECTION
    while stop >= first:
        start = first_of_segment(codes, stop, first)
        use_row(problem, codes[stop, ROW])
        if switching:
            load_sides(problem, stop)
        kind, record, t = codes[stop, KIND], codes[stop, RECORD], steps[stop, TIME]
        value_bar = 0.0
        if kind == PERIODIC:
            worked = find_steady_state_adjoint(problem.address, stop, 0) == 0 and worked
        else:
            value_bar = apply_adjoint(problem, stop)
        for i in range(room.u.size):
            room.u[i] = steps[stop, INPUTS + i]
        before = hamiltonian(problem, t, at(problem.arrivals, stop))
        problem.bar.time[record] += before - following
        if kind == BOLUS or kind == RATE:
            dose_adjoint(
                problem.records, problem.bar, codes, stop, before - following, value_bar, 0.0, 0.0, 0.0
            )
        begin, end = spans[stop, 0], spans[stop, 1]
        caused = begin
        if switching:
            begin = spans[stop, SETTLED]
        inside = start
        while inside < stop and spans[inside, 0] < 0:
            inside += 1
        following = before
        y = at(problem.arrivals, stop)
        if end > begin:
            retreat(problem, inside, stop, begin, end)
            t, y = problem.path.times[begin, START], at(problem.path.states, begin)
            following = hamiltonian(problem, t, y)
        for s in range(inside - 1, start - 1, -1):
            observe_adjoint(problem, s)
            before = hamiltonian(problem, t, y)
            problem.bar.time[codes[s, RECORD]] += before - following
            following = before
        if begin > caused:
            problem.switch_room.clock[FOLLOWING] = following
            for r in range(begin - 1, caused - 1, -1):
                worked = pass_back(problem.address, stop, r) == 0 and worked
            following = problem.switch_room.clock[FOLLOWING]
        flush(problem, codes[stop, ROW])
        stop = start - 1
    start_adjoint(problem, codes[first, ROW])
    return worked


@inlined_kernel()
def set_apart(problem, first, last):  # type: ignore[no-untyped-def]
    """Move what a subject, of records `first` to `last`, has added to rows that it shares to its own part of `shared`.

    `bar.values` and `bar.initial` are the thread's own, then, and 0 again for its next subject.
    """
    rows, values, initial, n = (
        problem.records.row,
        problem.bar.values,
        problem.bar.initial,
        problem.values.shape[0],
    )
    for record in range(first, last):
        row = rows[record]
        if record > first and row == rows[record - 1]:
            continue
        for k in range(n):
            problem.shared[record, k], values[k, row] = values[k, row], 0.0
        for i in range(initial.shape[0]):
            problem.shared[record, n + i], initial[i, row] = initial[i, row], 0.0


@inlined_kernel()
def add_shared(records, shared, values, initial):  # type: ignore[no-untyped-def]
    """Add up what subjects have set apart, in their order: the sums depend on no thread."""
    n = values.shape[0]
    for record in range(shared.shape[0]):
        row = records.row[record]
        if (
            record > 0
            and row == records.row[record - 1]
            and records.subject[record] == records.subject[record - 1]
        ):
            continue
        for k in range(n):
            values[k, row] += shared[record, k]
        for i in range(initial.shape[0]):
            initial[i, row] += shared[record, n + i]


@inlined_kernel()
def backward(problem):  # type: ignore[no-untyped-def]
    """Add the derivatives of sum(cotangent * states) to `bar`, subject by subject until none is left to take.

    They are NaN for the rows of a subject that failed.
    """
    subjects, bar, records = problem.subjects, problem.bar, problem.records
    i = take_next(problem.queue)
    while i < subjects.shape[0] - 1:
        zero(problem.rooms)
        first, last = subjects[i, FIRST_RECORD], subjects[i + 1, FIRST_RECORD]
        solved = subjects[i, FAILED] == FINE
        if solved and subjects[i, END_STEP] > subjects[i, FIRST_STEP]:
            solved = walk_back(problem, subjects[i, FIRST_STEP], subjects[i, END_STEP])
        if not solved:
            for n in range(first, last):
                for k in range(bar.values.shape[0]):
                    bar.values[k, records.row[n]] = np.nan
        if problem.shared.size > 0:
            set_apart(problem, first, last)
        i = take_next(problem.queue)
