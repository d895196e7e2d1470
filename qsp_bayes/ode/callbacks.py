"""The callbacks of the linear engine: tables of arrays in, kernels run.

The rows of a table are, in this order: the float inputs; the integer inputs; the structure; then what the callback
needs or returns besides. The names below are the rows.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import linear
from qsp_bayes.ode.decomposition import decompose_general, decompose_trees
from qsp_bayes.ode.jit import allocating_kernel, inlined_kernel, kernel
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.table import (
    WORD,
    allocate,
    allocate_cleared,
    carve,
    float_table,
    floats,
    integer_table,
    integers,
    release,
    start,
)
from qsp_bayes.ode.timeline import INPUTS as STEP_INPUTS
from qsp_bayes.ode.timeline import N_COLUMNS, count_all
from qsp_bayes.ode.work import carve_work

FLOAT_INPUTS = (
    "time",
    "amount",
    "bioavailability",
    "lag",
    "rate",
    "duration",
    "interval",
    "values",
    "affine",
    "initial",
)
"""Inputs with derivatives."""
INTEGER_INPUTS = ("subject", "row", "evid", "state", "additional", "steady_state")
STRUCTURE_INPUTS = ("pattern", "reachable", "blocks", "block_of", "parents", "observed", "options")
INPUTS = (*FLOAT_INPUTS, *INTEGER_INPUTS, *STRUCTURE_INPUTS)
N_DYNAMIC, LOCF = range(2)
"""Entries of the `options` input."""

N_STEP_BARS = 4
"""Derivatives that a special step returns: of its value, lag, duration and interval."""

NOWHERE = np.int64(0)
"""Arrays carved from here are never read: they end where others, carved from the start of memory, need it to end."""

# Rows of the table.
TIME, AMOUNT, BIOAVAILABILITY, LAG, RATE, DURATION, INTERVAL, VALUES, AFFINE, INITIAL = range(10)
SUBJECT, ROW, EVID, STATE, ADDITIONAL, STEADY_STATE = range(10, 16)
PATTERN, REACHABLE, BLOCKS, BLOCK_OF, PARENTS, OBSERVED, OPTIONS = range(16, 23)
STATES, MODES, TRACE = range(23, 26)
"""What the forward walk returns and the backward one is given (with the adjoint of the states in their place)."""
SCRATCH, FIRST_ADJOINT = 26, 27
N_ROWS = FIRST_ADJOINT + len(FLOAT_INPUTS)


@inlined_kernel()
def read_records(address):  # type: ignore[no-untyped-def]
    """Return the records of a table."""
    return Records(
        integers(address, SUBJECT),
        integers(address, ROW),
        floats(address, TIME),
        integers(address, EVID),
        integer_table(address, STATE),
        floats(address, AMOUNT),
        float_table(address, BIOAVAILABILITY),
        float_table(address, LAG),
        float_table(address, RATE),
        float_table(address, DURATION),
        floats(address, INTERVAL),
        integers(address, ADDITIONAL),
        integers(address, STEADY_STATE),
        integers(address, OPTIONS)[LOCF] > 0,
    )


@inlined_kernel()
def read_matrix(address):  # type: ignore[no-untyped-def]
    """Return the system of a table."""
    return linear.Matrix(
        integer_table(address, PATTERN),
        integer_table(address, REACHABLE),
        integers(address, BLOCKS),
        integers(address, BLOCK_OF),
        integers(address, PARENTS),
        integers(address, OPTIONS)[N_DYNAMIC],
        float_table(address, VALUES),
        float_table(address, AFFINE),
        float_table(address, INITIAL),
    )


@inlined_kernel()
def read_adjoints(address):  # type: ignore[no-untyped-def]
    """Return the derivatives of a table (those that only the backward walk has; empty before)."""
    return Adjoints(
        floats(address, FIRST_ADJOINT + TIME),
        floats(address, FIRST_ADJOINT + AMOUNT),
        float_table(address, FIRST_ADJOINT + BIOAVAILABILITY),
        float_table(address, FIRST_ADJOINT + LAG),
        float_table(address, FIRST_ADJOINT + RATE),
        float_table(address, FIRST_ADJOINT + DURATION),
        floats(address, FIRST_ADJOINT + INTERVAL),
        float_table(address, FIRST_ADJOINT + VALUES),
        float_table(address, FIRST_ADJOINT + AFFINE),
        float_table(address, FIRST_ADJOINT + INITIAL),
    )


@inlined_kernel()
def carve_modes(at, n_subjects, n_rows, n, number):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `MODES`, which begins at `at`, and where they end.

    They are the numbers of subjects and of steps that there is room for, the table of subjects (needed before that
    room is known), and the eigen-decomposition.
    """
    sizes, at = carve(at, (2,), np.int64)
    subjects, at = carve(at, (n_subjects + 1, 3), np.int64)
    w, at = carve(at, (n_rows, n), number)
    V, at = carve(at, (n_rows, n, n), number)
    inverse, at = carve(at, (n_rows, n, n), number)
    mode, at = carve(at, (n_rows,), np.int64)
    return sizes, subjects, linear.Modes(w, V, inverse, mode), at


@inlined_kernel()
def carve_trace(at, capacity, n, number):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `TRACE`, which begins at `at`, and where they end."""
    steps, at = carve(at, (capacity, STEP_INPUTS + n), np.float64)
    codes, at = carve(at, (capacity, N_COLUMNS), np.int64)
    along, at = carve(at, (capacity, 4, n), number)
    return steps, codes, along, at


@inlined_kernel()
def carve_scratch(at, capacity, n, number):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `SCRATCH`, which begins at `at`, and where they end."""
    work, at = carve_work(at, n, number)
    step_bars, at = carve(at, (N_STEP_BARS,), np.float64)
    waiting_steps, at = carve(at, (capacity, STEP_INPUTS), np.float64)
    waiting_codes, at = carve(at, (capacity, N_COLUMNS), np.int64)
    return work, step_bars, waiting_steps, waiting_codes, at


@inlined_kernel()
def read_problem(address, number):  # type: ignore[no-untyped-def]
    """Return all that a table holds."""
    matrix, sizes = read_matrix(address), integers(address, MODES)
    n_rows, n = matrix.values.shape[1], matrix.parents.size
    n_subjects, capacity = sizes[0], sizes[1]
    _, subjects, modes, _ = carve_modes(start(address, MODES), n_subjects, n_rows, n, number)
    steps, codes, along, _ = carve_trace(start(address, TRACE), capacity, n, number)
    work, step_bars, waiting_steps, waiting_codes, _ = carve_scratch(
        start(address, SCRATCH), capacity, n, number
    )
    return linear.Problem(
        address,
        matrix,
        modes,
        read_records(address),
        integers(address, OBSERVED),
        linear.Trace(steps, codes, along, subjects),
        work,
        float_table(address, STATES),
        read_adjoints(address),
        step_bars,
        waiting_steps,
        waiting_codes,
    )


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
    n_subjects = np.int64(0)
    for subject in records.subject:
        n_subjects = max(n_subjects, subject + 1)
    allocate_cleared(address, STATES, (records.time.size, integers(address, OBSERVED).size))
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
    allocate_cleared(address, FIRST_ADJOINT + TIME, records.time.shape)
    allocate_cleared(address, FIRST_ADJOINT + AMOUNT, records.amount.shape)
    allocate_cleared(address, FIRST_ADJOINT + BIOAVAILABILITY, records.bioavailability.shape)
    allocate_cleared(address, FIRST_ADJOINT + LAG, records.lag.shape)
    allocate_cleared(address, FIRST_ADJOINT + RATE, records.rate.shape)
    allocate_cleared(address, FIRST_ADJOINT + DURATION, records.duration.shape)
    allocate_cleared(address, FIRST_ADJOINT + INTERVAL, records.interval.shape)
    allocate_cleared(address, FIRST_ADJOINT + VALUES, matrix.values.shape)
    allocate_cleared(address, FIRST_ADJOINT + AFFINE, matrix.affine.shape)
    allocate_cleared(address, FIRST_ADJOINT + INITIAL, matrix.initial.shape)
    _, _, _, _, end = carve_scratch(NOWHERE, 0, matrix.parents.size, number)
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
