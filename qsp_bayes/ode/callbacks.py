"""The callbacks of the linear engine: they take the address of a table of arrays, make room, and run kernels."""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import linear
from qsp_bayes.ode.decomposition import decompose_general, decompose_trees
from qsp_bayes.ode.jit import allocating_kernel, kernel
from qsp_bayes.ode.problem import (
    AFFINE,
    FIRST_ADJOINT,
    INITIAL,
    MODES,
    OBSERVED,
    SCRATCH,
    STATES,
    TRACE,
    VALUES,
    carve_modes,
    carve_scratch,
    carve_trace,
    read_matrix,
    read_problem,
    read_records,
)
from qsp_bayes.ode.record_table import NOWHERE, make_room_for_record_adjoints, number_of_subjects
from qsp_bayes.ode.table import WORD, allocate, allocate_cleared, integers, release, start
from qsp_bayes.ode.timeline import count_all


@kernel()
def horizon(time):  # type: ignore[no-untyped-def]
    """Return the longest time over which any subject can be integrated."""
    earliest, latest = 0.0, 0.0
    for n in range(time.size):
        if time[n] > latest:
            latest = time[n]
        elif time[n] < earliest:
            earliest = time[n]
    return latest - earliest


@allocating_kernel()
def make_room(address, number):  # type: ignore[no-untyped-def]
    """Enter in a table what the forward walk returns and works on, the number of steps counted."""
    records, matrix = read_records(address), read_matrix(address)
    n_rows, n = matrix.values.shape[1], matrix.parents.size
    n_subjects = number_of_subjects(records)
    allocate_cleared(address, STATES, (integers(address, OBSERVED).size, records.time.size))
    _, _, _, end = carve_modes(NOWHERE, n_subjects, n_rows, n, number)
    allocate_cleared(address, MODES, (end // WORD,))
    sizes, subjects, _, _ = carve_modes(start(address, MODES), n_subjects, n_rows, n, number)
    capacity = count_all(records, subjects)
    sizes[0], sizes[1] = n_subjects, capacity
    _, _, _, end = carve_trace(NOWHERE, capacity, n, number)
    allocate(address, TRACE, (end // WORD,))
    _, _, _, _, end = carve_scratch(NOWHERE, capacity, n, number)
    allocate_cleared(address, SCRATCH, (end // WORD,))


@allocating_kernel()
def make_room_for_adjoints(address, number):  # type: ignore[no-untyped-def]
    """Enter in a table what the backward walk returns and works on."""
    records, matrix = read_records(address), read_matrix(address)
    make_room_for_record_adjoints(address, FIRST_ADJOINT, records)
    allocate_cleared(address, FIRST_ADJOINT + VALUES, matrix.values.shape)
    allocate_cleared(address, FIRST_ADJOINT + AFFINE, matrix.affine.shape)
    allocate_cleared(address, FIRST_ADJOINT + INITIAL, matrix.initial.shape)
    _, _, _, _, end = carve_scratch(NOWHERE, np.int64(0), matrix.parents.size, number)
    allocate_cleared(address, SCRATCH, (end // WORD,))


@kernel()
def walk_trees(address):  # type: ignore[no-untyped-def]
    """Solve a system whose blocks are all trees, in the room that was made."""
    problem = read_problem(address, np.float64)
    decompose_trees(problem.matrix, horizon(problem.records.time), problem.work, problem.modes)
    linear.forward(problem)


@kernel()
def walk_general(address):  # type: ignore[no-untyped-def]
    """Solve any system, in the room that was made."""
    problem = read_problem(address, np.complex128)
    decompose_general(problem.matrix, horizon(problem.records.time), problem.work, problem.modes)
    linear.forward(problem)


@kernel()
def walk_back(address, number):  # type: ignore[no-untyped-def]
    """Gather derivatives, in the room that was made."""
    linear.backward(read_problem(address, number))


def solve_trees(address: int) -> int:
    """Solve a system whose blocks are all trees."""
    make_room(address, np.float64)
    walk_trees(address)
    release(address, SCRATCH)
    return 0


def solve_general(address: int) -> int:
    """Solve any system."""
    make_room(address, np.complex128)
    walk_general(address)
    release(address, SCRATCH)
    return 0


def gather_trees(address: int) -> int:
    """Gather derivatives after `solve_trees`."""
    make_room_for_adjoints(address, np.float64)
    walk_back(address, np.float64)
    release(address, SCRATCH)
    return 0


def gather_general(address: int) -> int:
    """Gather derivatives after `solve_general`."""
    make_room_for_adjoints(address, np.complex128)
    walk_back(address, np.complex128)
    release(address, SCRATCH)
    return 0


# What the walks call late: see `linear.special_step` and the three names after it.


def special_trees(address: int, step: int, row: int) -> int:
    """Apply a reset or a steady state."""
    linear.apply_special(read_problem(address, np.float64), step, row)
    return 0


def special_general(address: int, step: int, row: int) -> int:
    """Apply a reset or a steady state."""
    linear.apply_special(read_problem(address, np.complex128), step, row)
    return 0


def special_adjoint_trees(address: int, step: int, row: int) -> int:
    """Adjoint of `special_trees`."""
    linear.apply_special_adjoint(read_problem(address, np.float64), step, row)
    return 0


def special_adjoint_general(address: int, step: int, row: int) -> int:
    """Adjoint of `special_general`."""
    linear.apply_special_adjoint(read_problem(address, np.complex128), step, row)
    return 0


def coast_trees(address: int, step: int, first: int) -> int:
    """Propagate by Taylor series over the interval before a step."""
    linear.coast(read_problem(address, np.float64), step, first)
    return 0


def coast_general(address: int, step: int, first: int) -> int:
    """Propagate by Taylor series over the interval before a step."""
    linear.coast(read_problem(address, np.complex128), step, first)
    return 0


def coast_adjoint_trees(address: int, step: int, first: int) -> int:
    """Adjoint of `coast_trees`."""
    linear.coast_adjoint(read_problem(address, np.float64), step, first)
    return 0


def coast_adjoint_general(address: int, step: int, first: int) -> int:
    """Adjoint of `coast_general`."""
    linear.coast_adjoint(read_problem(address, np.complex128), step, first)
    return 0
