"""The callbacks of the nonlinear engine: they take the address of a table of arrays, make room, and run kernels."""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import crossing, cutting, nonlinear, periodic
from qsp_bayes.ode.crew import LINE, assemble, crew_size, serve, table_of, work
from qsp_bayes.ode.effort import ROWS, STEPS
from qsp_bayes.ode.integration import FIRST_DIRECTION, KEEP, cut_step, pass_back
from qsp_bayes.ode.jit import allocating_kernel, kernel
from qsp_bayes.ode.nonlinear import ALL_STEPS, END_ROW, END_STEP, NEXT_ROW
from qsp_bayes.ode.nonlinear_problem import (
    CAPACITY,
    CREW,
    EFFORT,
    FIRST_ADJOINT,
    FREE,
    INITIAL,
    LARGER,
    LONGEST,
    N_ROWS,
    OBSERVED,
    OPTIONS,
    OWN_OPTIONS,
    PATH,
    ROWS_TAKEN,
    SCRATCH,
    SHARED,
    STATES,
    STEP_COUNT,
    STEPS_TAKEN,
    SUBJECT_COUNT,
    SUBJECTS,
    TIMELINE,
    TOLERANCES,
    VALUES,
    carve_scratch,
    carve_subjects,
    carve_timeline,
    carve_waiting,
    read_problem,
    read_records,
    read_subjects,
)
from qsp_bayes.ode.path import carve_path
from qsp_bayes.ode.record_table import (
    NOWHERE,
    STEADY_STATE,
    make_room_for_record_adjoints,
    number_of_subjects,
)
from qsp_bayes.ode.table import (
    COLUMNS,
    WORD,
    allocate,
    allocate_cleared,
    carve,
    float_table,
    floats,
    integers,
    move,
    release,
    start,
)
from qsp_bayes.ode.timeline import FIRST_STEP, count_all

FORWARD, BACKWARD = 70.0, 110.0
"""About the time for a step and state, in ns."""


@allocating_kernel()
def make_room(address):  # type: ignore[no-untyped-def]
    """Enter in a table what the forward walk returns, but for the path; the number of steps is counted."""
    records = read_records(address)
    n = floats(address, TOLERANCES).size - 1
    n_subjects = number_of_subjects(records)
    allocate_cleared(address, STATES, (integers(address, OBSERVED).size, records.time.size))
    _, _, _, end = carve_subjects(NOWHERE, n_subjects)
    allocate_cleared(address, SUBJECTS, (end // WORD,))
    sizes, subjects, _, _ = carve_subjects(start(address, SUBJECTS), n_subjects)
    sizes[SUBJECT_COUNT], sizes[STEP_COUNT] = n_subjects, count_all(records, subjects)
    for i in range(n_subjects):
        subjects[i, END_STEP] = -1
        sizes[LONGEST] = max(sizes[LONGEST], subjects[i + 1, FIRST_STEP] - subjects[i, FIRST_STEP])
    _, _, _, _, end = carve_timeline(NOWHERE, sizes[STEP_COUNT], n)
    allocate(address, TIMELINE, (end // WORD,))


@kernel()
def rows_for(address, n_subjects, size):  # type: ignore[no-untyped-def]
    """Rows of the path for so many subjects and threads, each of which may use its own part.

    Rows that are not used cost nothing: the system gives no memory for them.
    """
    if integers(address, OPTIONS)[KEEP] == 0:
        return LINE * size if size > 1 else np.int64(1)  # one each, apart from those of the others
    effort, _ = carve(start(address, EFFORT), (2,), np.int64)
    return size + n_subjects * (effort[ROWS] + 1) * (8 if size > 1 else 5) // 4


@allocating_kernel()
def extend_path(address, more):  # type: ignore[no-untyped-def]
    """Make room for more rows in the path, which keeps those that threads have had."""
    n = floats(address, TOLERANCES).size - 1
    sizes, _ = read_subjects(address)
    capacity = sizes[FREE] + max(more, 2 * sizes[CAPACITY])  # twice as much: one subject may need it all
    _, end = carve_path(NOWHERE, capacity, n)
    allocate(address, LARGER, (end // WORD,))
    old, _ = carve_path(start(address, PATH), sizes[CAPACITY], n)
    new, _ = carve_path(start(address, LARGER), capacity, n)
    for r in range(sizes[FREE]):
        new.methods[r] = old.methods[r]
        for k in range(2):
            new.times[r, k] = old.times[r, k]
        for i in range(n):
            new.states[r, i] = old.states[r, i]
            for j in range(new.stages.shape[1]):
                new.stages[r, j, i] = old.stages[r, j, i]
    if sizes[CAPACITY] > 0:
        release(address, PATH)
    move(address, LARGER, PATH)
    sizes[CAPACITY] = capacity


@kernel()
def has_steady_states(address):  # type: ignore[no-untyped-def]
    """Whether any record asks for a steady state."""
    steady_state = integers(address, STEADY_STATE)
    for k in range(steady_state.size):
        if steady_state[k] > 0:
            return True
    return False


@kernel()
def ready_to_solve(address):  # type: ignore[no-untyped-def]
    """Compile what `nonlinear.forward` calls late; whether that works.

    What is not compiled yet calls Python, whose lock the calling thread may hold while it waits for its helpers: it has
    to be there before they start.
    """
    ready = True
    if has_steady_states(address):
        ready = nonlinear.find_steady_state(NOWHERE, NOWHERE, NOWHERE) >= 0
    if integers(address, OPTIONS).size > FIRST_DIRECTION:
        ready = cut_step(NOWHERE, NOWHERE, NOWHERE) >= 0 and ready
        ready = nonlinear.settle(NOWHERE, NOWHERE, NOWHERE) >= 0 and ready
    return ready


@kernel()
def ready_to_gather(address):  # type: ignore[no-untyped-def]
    """Compile what `nonlinear.backward` calls late; whether that works."""
    ready = True
    if has_steady_states(address):
        ready = nonlinear.find_steady_state_adjoint(NOWHERE, NOWHERE, NOWHERE) >= 0
    if integers(address, OPTIONS).size > FIRST_DIRECTION:
        ready = pass_back(NOWHERE, NOWHERE, NOWHERE) >= 0 and ready
    return ready


@allocating_kernel()
def solve_those_left(address, n_left):  # type: ignore[no-untyped-def]
    """Solve the subjects that are left, as far as the path has room; return how many are still left."""
    sizes, subjects = read_subjects(address)
    n, n_subjects = floats(address, TOLERANCES).size - 1, sizes[SUBJECT_COUNT]
    effort, _ = carve(start(address, EFFORT), (2,), np.int64)
    size = crew_size(FORWARD * n * effort[STEPS] * n_left, n_left)
    if size > 1 and not ready_to_solve(address):
        size = np.int64(1)
    extend_path(address, rows_for(address, n_left, size))
    _, _, _, _, end = carve_scratch(address, NOWHERE)
    _, _, end = carve_waiting(end, sizes[LONGEST])
    own_words = end // WORD
    assemble(address, size, own_words)
    part = (sizes[CAPACITY] - sizes[FREE]) // size
    for k in range(size):
        progress, _, _, _, _ = carve_scratch(address, start(table_of(address, k, own_words), SCRATCH))
        progress[NEXT_ROW] = sizes[FREE] + k * part
        progress[END_ROW] = progress[NEXT_ROW] + part
    work(address, size, own_words)
    for k in range(size):
        progress, _, _, _, _ = carve_scratch(address, start(table_of(address, k, own_words), SCRATCH))
        sizes[ROWS_TAKEN] += progress[NEXT_ROW] - (progress[END_ROW] - part)
        sizes[STEPS_TAKEN] += progress[ALL_STEPS]
        sizes[FREE] = progress[NEXT_ROW] if size == 1 else progress[END_ROW]
    release(address, CREW)
    n_left = np.int64(0)
    for i in range(n_subjects):
        n_left += subjects[i, END_STEP] < 0
    return n_left


@kernel()
def remember_effort(address):  # type: ignore[no-untyped-def]
    """Leave to the next solve what this one has cost for each subject."""
    sizes, _ = read_subjects(address)
    effort, _ = carve(start(address, EFFORT), (2,), np.int64)
    n_subjects = max(sizes[SUBJECT_COUNT], 1)
    effort[STEPS] = sizes[STEPS_TAKEN] // n_subjects + 1
    if integers(address, OPTIONS)[KEEP] != 0:
        effort[ROWS] = sizes[ROWS_TAKEN] // n_subjects + 1


@allocating_kernel()
def keep_path_for_steady_states(address):  # type: ignore[no-untyped-def]
    """Have the path kept where a steady state is asked for: the search for it walks back. Tell whether that is so."""
    given = integers(address, OPTIONS)
    if given[KEEP] != 0 or not has_steady_states(address):
        return False
    allocate(address, OWN_OPTIONS, (given.size,))
    own = integers(address, OWN_OPTIONS)
    for k in range(given.size):
        own[k] = given[k]
    own[KEEP] = 1
    table, _ = carve(address, (N_ROWS, COLUMNS), np.int64)
    table[OPTIONS, 0] = start(address, OWN_OPTIONS)
    return True


def solve_nonlinear(address: int) -> int:
    """Solve a nonlinear system."""
    own_options = keep_path_for_steady_states(address)
    make_room(address)
    left = solve_those_left(address, integers(address, SUBJECTS)[SUBJECT_COUNT])
    while left > 0:
        left = solve_those_left(address, left)
    remember_effort(address)
    if own_options:
        release(address, OWN_OPTIONS)
    return 0


def solve_subjects(address: int) -> int:
    """Solve subjects: what each thread does."""
    nonlinear.forward(read_problem(address))
    return 0


@kernel()
def any_shared(records):  # type: ignore[no-untyped-def]
    """Whether subjects may share rows: false where the rows of each come after all of those of the subjects before."""
    before, largest = np.int64(-1), np.int64(-1)
    for n in range(records.row.size):
        if n > 0 and records.subject[n] != records.subject[n - 1]:
            before = largest
        if records.row[n] <= before:
            return True
        largest = max(largest, records.row[n])
    return False


@allocating_kernel()
def make_room_for_adjoints(address):  # type: ignore[no-untyped-def]
    """Enter in a table what the backward walk returns, and what subjects set apart."""
    records = read_records(address)
    values, initial = float_table(address, VALUES), float_table(address, INITIAL)
    make_room_for_record_adjoints(address, FIRST_ADJOINT, records)
    allocate_cleared(address, FIRST_ADJOINT + VALUES, values.shape)
    allocate_cleared(address, FIRST_ADJOINT + INITIAL, initial.shape)
    if any_shared(records):
        allocate(address, SHARED, (records.row.size, values.shape[0] + initial.shape[0]))


@allocating_kernel()
def gather_all(address):  # type: ignore[no-untyped-def]
    """Gather derivatives, in the room that was made."""
    sizes, _ = read_subjects(address)
    n = floats(address, TOLERANCES).size - 1
    values = float_table(address, FIRST_ADJOINT + VALUES)
    initial = float_table(address, FIRST_ADJOINT + INITIAL)
    shared = float_table(address, SHARED)
    size = crew_size(BACKWARD * n * sizes[ROWS_TAKEN], sizes[SUBJECT_COUNT])
    if size > 1 and not ready_to_gather(address):
        size = np.int64(1)
    _, _, _, _, end = carve_scratch(address, NOWHERE)
    own_words = end // WORD + (values.size + initial.size if shared.size > 0 else 0)
    assemble(address, size, own_words)
    if shared.size > 0:
        for k in range(size):
            own = table_of(address, k, own_words)
            rows, _ = carve(own, (N_ROWS, COLUMNS), np.int64)
            _, _, _, _, end = carve_scratch(address, start(own, SCRATCH))
            rows[FIRST_ADJOINT + VALUES, 0], rows[FIRST_ADJOINT + INITIAL, 0] = end, end + values.size * WORD
    work(address, size, own_words)
    release(address, CREW)
    if shared.size > 0:
        nonlinear.add_shared(read_records(address), shared, values, initial)
        release(address, SHARED)


def gather_nonlinear(address: int) -> int:
    """Gather derivatives after `solve_nonlinear`."""
    make_room_for_adjoints(address)
    gather_all(address)
    return 0


def gather_subjects(address: int) -> int:
    """Gather the derivatives of subjects: what each thread does."""
    nonlinear.backward(read_problem(address))
    return 0


def serve_solves(slot: int) -> int:
    """Be a helper of solves: what a thread runs."""
    serve(slot)
    return 0


def steady_state_nonlinear(address: int, step: int, row: int) -> int:
    """Apply a steady state (see `nonlinear.find_steady_state`), or do nothing, at an address of 0, but be there."""
    return 0 if address == NOWHERE else periodic.steady_state(read_problem(address), step, row)


def steady_state_nonlinear_adjoint(address: int, step: int, row: int) -> int:
    """Adjoint of `steady_state_nonlinear`."""
    if address != NOWHERE:
        periodic.steady_state_adjoint(read_problem(address), step)
    return 0


def cut_step_nonlinear(address: int, step: int, row: int) -> int:
    """Shorten a step to end at a switch (see `integration.advance`)."""
    return 0 if address == NOWHERE else cutting.cut_step(read_problem(address), step, row)


def settle_nonlinear(address: int, step: int, row: int) -> int:
    """Take the state across switches (see `nonlinear.walk`)."""
    return 0 if address == NOWHERE else crossing.settle(read_problem(address), step, row)


def pass_back_nonlinear(address: int, step: int, row: int) -> int:
    """Adjoint of a crossing (see `integration.retreat`)."""
    if address != NOWHERE:
        crossing.pass_back(read_problem(address), step, row)
    return 0
