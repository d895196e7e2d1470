"""The callbacks of the nonlinear engine: they take the address of a table of arrays, make room, and run kernels."""

from __future__ import annotations

from qsp_bayes.ode import crossing, cutting, nonlinear, periodic
from qsp_bayes.ode.integration import KEEP
from qsp_bayes.ode.jit import allocating_kernel, kernel
from qsp_bayes.ode.nonlinear_problem import (
    CAPACITY,
    FIRST_ADJOINT,
    FIRST_CAPACITY,
    INITIAL,
    LARGER,
    OBSERVED,
    OPTIONS,
    PATH,
    SCRATCH,
    STATES,
    SUBJECTS,
    TIMELINE,
    TOLERANCES,
    VALUES,
    carve_subjects,
    carve_timeline,
    read_problem,
    read_records,
    scratch_of,
)
from qsp_bayes.ode.path import carve_path
from qsp_bayes.ode.record_table import NOWHERE, make_room_for_record_adjoints, number_of_subjects
from qsp_bayes.ode.table import (
    WORD,
    allocate,
    allocate_cleared,
    float_table,
    floats,
    integers,
    move,
    release,
    start,
)
from qsp_bayes.ode.timeline import count_all


@allocating_kernel()
def make_room(address):  # type: ignore[no-untyped-def]
    """Enter in a table what the forward walk returns and works on, the number of steps counted."""
    records = read_records(address)
    n = floats(address, TOLERANCES).size - 1
    n_subjects = number_of_subjects(records)
    allocate_cleared(address, STATES, (integers(address, OBSERVED).size, records.time.size))
    _, _, _, _, end = carve_subjects(NOWHERE, n_subjects)
    allocate_cleared(address, SUBJECTS, (end // WORD,))
    sizes, _, subjects, _, _ = carve_subjects(start(address, SUBJECTS), n_subjects)
    n_steps = count_all(records, subjects)
    capacity = FIRST_CAPACITY * n_subjects if integers(address, OPTIONS)[KEEP] else 1
    sizes[0], sizes[1], sizes[CAPACITY] = n_subjects, n_steps, capacity
    _, _, _, _, end = carve_timeline(NOWHERE, n_steps, n)
    allocate(address, TIMELINE, (end // WORD,))
    _, end = carve_path(NOWHERE, capacity, n)
    allocate(address, PATH, (end // WORD,))
    _, _, _, _, end = scratch_of(address, NOWHERE, n_steps)
    allocate_cleared(address, SCRATCH, (end // WORD,))


@allocating_kernel()
def enlarge_path(address):  # type: ignore[no-untyped-def]
    """Double the room for the path; keep the rows of the subjects that are done."""
    n = floats(address, TOLERANCES).size - 1
    sizes, progress, _, _, _ = carve_subjects(start(address, SUBJECTS), integers(address, SUBJECTS)[0])
    capacity = 2 * sizes[CAPACITY]
    _, end = carve_path(NOWHERE, capacity, n)
    allocate(address, LARGER, (end // WORD,))
    old, _ = carve_path(start(address, PATH), sizes[CAPACITY], n)
    new, _ = carve_path(start(address, LARGER), capacity, n)
    for r in range(progress[1]):
        new.methods[r] = old.methods[r]
        for k in range(2):
            new.times[r, k] = old.times[r, k]
        for i in range(n):
            new.states[r, i] = old.states[r, i]
            for j in range(new.stages.shape[1]):
                new.stages[r, j, i] = old.stages[r, j, i]
    release(address, PATH)
    move(address, LARGER, PATH)
    sizes[CAPACITY] = capacity


@allocating_kernel()
def make_room_for_adjoints(address):  # type: ignore[no-untyped-def]
    """Enter in a table what the backward walk returns and works on."""
    records = read_records(address)
    make_room_for_record_adjoints(address, FIRST_ADJOINT, records)
    allocate_cleared(address, FIRST_ADJOINT + VALUES, float_table(address, VALUES).shape)
    allocate_cleared(address, FIRST_ADJOINT + INITIAL, float_table(address, INITIAL).shape)
    _, _, _, _, end = scratch_of(address, NOWHERE, integers(address, SUBJECTS)[1])
    allocate_cleared(address, SCRATCH, (end // WORD,))


@kernel()
def walk(address):  # type: ignore[no-untyped-def]
    """Solve the subjects that are left, in the room that there is; False where it is too small."""
    return nonlinear.forward(read_problem(address))


@kernel()
def walk_back(address):  # type: ignore[no-untyped-def]
    """Gather derivatives, in the room that was made."""
    nonlinear.backward(read_problem(address))


def solve_nonlinear(address: int) -> int:
    """Solve a nonlinear system."""
    make_room(address)
    while not walk(address):
        enlarge_path(address)
    release(address, SCRATCH)
    return 0


def gather_nonlinear(address: int) -> int:
    """Gather derivatives after `solve_nonlinear`."""
    make_room_for_adjoints(address)
    walk_back(address)
    release(address, SCRATCH)
    return 0


def steady_state_nonlinear(address: int, step: int, row: int) -> int:
    """Apply a steady state (see `nonlinear.find_steady_state`)."""
    return periodic.steady_state(read_problem(address), step, row)


def steady_state_nonlinear_adjoint(address: int, step: int, row: int) -> int:
    """Adjoint of `steady_state_nonlinear`."""
    periodic.steady_state_adjoint(read_problem(address), step)
    return 0


def cut_step_nonlinear(address: int, step: int, row: int) -> int:
    """Shorten a step to end at a switch (see `integration.advance`)."""
    return cutting.cut_step(read_problem(address), step, row)


def settle_nonlinear(address: int, step: int, row: int) -> int:
    """Take the state across switches (see `nonlinear.walk`)."""
    return crossing.settle(read_problem(address), step, row)


def pass_back_nonlinear(address: int, step: int, row: int) -> int:
    """Adjoint of a crossing (see `integration.retreat`)."""
    crossing.pass_back(read_problem(address), step, row)
    return 0
