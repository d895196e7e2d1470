"""The callbacks of the linear engine: tables of arrays in, kernels run.

The rows of a table are, in this order: its own length; the float inputs; the integer inputs; the structure; then
what the callback needs besides. The names below are the rows.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import linear
from qsp_bayes.ode.decomposition import decompose_general, decompose_trees
from qsp_bayes.ode.jit import (
    allocating_kernel,
    float_block,
    float_table,
    floats,
    integer_table,
    integers,
    kernel,
    number_block,
    number_table,
    open_table,
)
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.timeline import count_all
from qsp_bayes.ode.work import name_arrays

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
TRACE = ("steps", "codes", "modes", "subjects")
MODES = ("w", "V", "inverse", "mode")
WORK = ("vectors", "matrices", "real_vectors", "real_matrices")

N_DYNAMIC, LOCF = range(2)
"""Entries of the `options` input."""

FIRST_INPUT = 1
FIRST_TRACE = FIRST_INPUT + len(INPUTS)
TIME, AMOUNT, BIOAVAILABILITY, LAG, RATE, DURATION, INTERVAL, VALUES, AFFINE, INITIAL = range(
    FIRST_INPUT, FIRST_INPUT + len(FLOAT_INPUTS)
)
SUBJECT, ROW, EVID, STATE, ADDITIONAL, STEADY_STATE = range(INITIAL + 1, INITIAL + 1 + len(INTEGER_INPUTS))
PATTERN, REACHABLE, BLOCKS, BLOCK_OF, PARENTS, OBSERVED, OPTIONS = range(STEADY_STATE + 1, FIRST_TRACE)
STEPS, CODES, ALONG, SUBJECTS = range(FIRST_TRACE, FIRST_TRACE + len(TRACE))
FIRST_MODES = FIRST_TRACE + len(TRACE)
STATES = FIRST_MODES + len(MODES)
FIRST_WORK = STATES + 1
FIRST_WAITING = FIRST_WORK + len(WORK)
FIRST_ADJOINT = FIRST_WAITING + 2
STEP_BARS = FIRST_ADJOINT + len(FLOAT_INPUTS)
N_ROWS = STEP_BARS + 1
N_STEP_BARS = 4
"""Derivatives that a special step returns: of its value, lag, duration and interval."""


@allocating_kernel()
def read_records(table):  # type: ignore[no-untyped-def]
    """Return the records of a table."""
    return Records(
        integers(table, SUBJECT),
        integers(table, ROW),
        floats(table, TIME),
        integers(table, EVID),
        integer_table(table, STATE),
        floats(table, AMOUNT),
        float_table(table, BIOAVAILABILITY),
        float_table(table, LAG),
        float_table(table, RATE),
        float_table(table, DURATION),
        floats(table, INTERVAL),
        integers(table, ADDITIONAL),
        integers(table, STEADY_STATE),
        integers(table, OPTIONS)[LOCF] > 0,
    )


@allocating_kernel()
def read_matrix(table):  # type: ignore[no-untyped-def]
    """Return the system of a table."""
    return linear.Matrix(
        integer_table(table, PATTERN),
        integer_table(table, REACHABLE),
        integers(table, BLOCKS),
        integers(table, BLOCK_OF),
        integers(table, PARENTS),
        integers(table, OPTIONS)[N_DYNAMIC],
        float_table(table, VALUES),
        float_table(table, AFFINE),
        float_table(table, INITIAL),
    )


@allocating_kernel()
def read_trace(table, number):  # type: ignore[no-untyped-def]
    """Return the trace of a table."""
    return linear.Trace(
        float_table(table, STEPS),
        integer_table(table, CODES),
        number_block(table, ALONG, number),
        integer_table(table, SUBJECTS),
    )


@allocating_kernel()
def read_modes(table, number):  # type: ignore[no-untyped-def]
    """Return the eigen-decomposition of a table."""
    return linear.Modes(
        number_table(table, FIRST_MODES, number),
        number_block(table, FIRST_MODES + 1, number),
        number_block(table, FIRST_MODES + 2, number),
        integers(table, FIRST_MODES + 3),
    )


def count(address: int) -> int:
    """Fill the first and last column of `subjects`; return how many steps to make room for."""
    table = open_table(address)
    return count_all(read_records(table), integer_table(table, SUBJECTS))


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
def read_adjoints(table):  # type: ignore[no-untyped-def]
    """Return the derivatives of a table (those that only the backward walk has; empty before)."""
    return Adjoints(
        floats(table, FIRST_ADJOINT),
        floats(table, FIRST_ADJOINT + 1),
        float_table(table, FIRST_ADJOINT + 2),
        float_table(table, FIRST_ADJOINT + 3),
        float_table(table, FIRST_ADJOINT + 4),
        float_table(table, FIRST_ADJOINT + 5),
        floats(table, FIRST_ADJOINT + 6),
        float_table(table, FIRST_ADJOINT + 7),
        float_table(table, FIRST_ADJOINT + 8),
        float_table(table, FIRST_ADJOINT + 9),
    )


@allocating_kernel()
def read_problem(address, number):  # type: ignore[no-untyped-def]
    """Return all that a table holds."""
    table = open_table(address)
    return linear.Problem(
        address,
        read_matrix(table),
        read_modes(table, number),
        read_records(table),
        integers(table, OBSERVED),
        read_trace(table, number),
        name_arrays(
            number_table(table, FIRST_WORK, number),
            number_block(table, FIRST_WORK + 1, number),
            float_table(table, FIRST_WORK + 2),
            float_block(table, FIRST_WORK + 3),
        ),
        float_table(table, STATES),
        read_adjoints(table),
        floats(table, STEP_BARS),
        float_table(table, FIRST_WAITING),
        integer_table(table, FIRST_WAITING + 1),
    )


def solve_trees(address: int) -> int:
    """Solve a system whose blocks are all trees."""
    problem = read_problem(address, np.float64)
    decompose_trees(problem.matrix, horizon(problem.records.time), problem.work, problem.modes)
    linear.forward(problem)
    return 0


def solve_general(address: int) -> int:
    """Solve any system."""
    problem = read_problem(address, np.complex128)
    decompose_general(problem.matrix, horizon(problem.records.time), problem.work, problem.modes)
    linear.forward(problem)
    return 0


def gather_trees(address: int) -> int:
    """Gather derivatives after `solve_trees`."""
    linear.backward(read_problem(address, np.float64))
    return 0


def gather_general(address: int) -> int:
    """Gather derivatives after `solve_general`."""
    linear.backward(read_problem(address, np.complex128))
    return 0


# What the walks call: see `linear.special_step` and the three names after it.


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
