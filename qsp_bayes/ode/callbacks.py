"""The callbacks of the linear engine: tables of arrays in, kernels run.

The rows of a table are, in this order: its own length; the float inputs; the integer inputs; the structure; then
what the callback needs besides. The names below are the rows.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import linear
from qsp_bayes.ode.decomposition import decompose_general, decompose_trees
from qsp_bayes.ode.jit import (
    float_table,
    floats,
    integer_table,
    integers,
    kernel,
    number_block,
    number_table,
    open_table,
)
from qsp_bayes.ode.records import Records

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
STRUCTURE_INPUTS = ("pattern", "reachable", "blocks", "parents", "observed", "options")
INPUTS = (*FLOAT_INPUTS, *INTEGER_INPUTS, *STRUCTURE_INPUTS)
TRACE = ("steps", "codes", "modes", "subjects")
MODES = ("w", "V", "inverse", "mode")

N_DYNAMIC, LOCF = range(2)
"""Entries of the `options` input."""

FIRST_INPUT = 1
FIRST_TRACE = FIRST_INPUT + len(INPUTS)
TIME, AMOUNT, BIOAVAILABILITY, LAG, RATE, DURATION, INTERVAL, VALUES, AFFINE, INITIAL = range(
    FIRST_INPUT, FIRST_INPUT + len(FLOAT_INPUTS)
)
SUBJECT, ROW, EVID, STATE, ADDITIONAL, STEADY_STATE = range(INITIAL + 1, INITIAL + 1 + len(INTEGER_INPUTS))
PATTERN, REACHABLE, BLOCKS, PARENTS, OBSERVED, OPTIONS = range(STEADY_STATE + 1, FIRST_TRACE)
STEPS, CODES, ALONG, SUBJECTS = range(FIRST_TRACE, FIRST_TRACE + len(TRACE))
FIRST_MODES = FIRST_TRACE + len(TRACE)
STATES = FIRST_MODES + len(MODES)
FIRST_ADJOINT = STATES + 1
N_ROWS = FIRST_ADJOINT + len(FLOAT_INPUTS)


@kernel()
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


@kernel()
def read_matrix(table):  # type: ignore[no-untyped-def]
    """Return the system of a table."""
    return linear.Matrix(
        integer_table(table, PATTERN),
        integer_table(table, REACHABLE),
        integers(table, OPTIONS)[N_DYNAMIC],
        float_table(table, VALUES),
        float_table(table, AFFINE),
        float_table(table, INITIAL),
    )


@kernel()
def read_trace(table, number):  # type: ignore[no-untyped-def]
    """Return the trace of a table."""
    return linear.Trace(
        float_table(table, STEPS),
        integer_table(table, CODES),
        number_block(table, ALONG, number),
        integer_table(table, SUBJECTS),
    )


@kernel()
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
    return linear.count_all(read_records(table), integer_table(table, SUBJECTS))


@kernel()
def horizon(time):  # type: ignore[no-untyped-def]
    """Return the longest time over which any subject can be integrated."""
    earliest, latest = 0.0, 0.0
    for n in range(time.size):
        earliest, latest = min(earliest, time[n]), max(latest, time[n])
    return latest - earliest


@kernel()
def run_back(table, number):  # type: ignore[no-untyped-def]
    """Gather derivatives."""
    bar = linear.Adjoints(
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
    linear.backward(
        read_matrix(table), read_modes(table, number), read_records(table), integers(table, OBSERVED),
        read_trace(table, number), float_table(table, STATES), bar,
    )  # fmt: skip
    return 0


def solve_trees(address: int) -> int:
    """Solve a system whose blocks are all trees."""
    table = open_table(address)
    matrix, modes, trace = read_matrix(table), read_modes(table, np.float64), read_trace(table, np.float64)
    decompose_trees(
        matrix.pattern, integers(table, BLOCKS), integers(table, PARENTS), matrix.reachable, matrix.values,
        horizon(floats(table, TIME)), modes.w, modes.V, modes.inverse, modes.mode,
    )  # fmt: skip
    linear.forward(
        matrix, modes, read_records(table), integers(table, OBSERVED), trace, float_table(table, STATES)
    )
    return 0


def solve_general(address: int) -> int:
    """Solve any system."""
    table = open_table(address)
    matrix, modes, trace = (
        read_matrix(table),
        read_modes(table, np.complex128),
        read_trace(table, np.complex128),
    )
    decompose_general(
        matrix.pattern, integers(table, BLOCKS), integers(table, PARENTS), matrix.reachable, matrix.values,
        horizon(floats(table, TIME)), modes.w, modes.V, modes.inverse, modes.mode,
    )  # fmt: skip
    linear.forward(
        matrix, modes, read_records(table), integers(table, OBSERVED), trace, float_table(table, STATES)
    )
    return 0


def gather_trees(address: int) -> int:
    """Gather derivatives after `solve_trees`."""
    return run_back(open_table(address), np.float64)


def gather_general(address: int) -> int:
    """Gather derivatives after `solve_general`."""
    return run_back(open_table(address), np.complex128)
