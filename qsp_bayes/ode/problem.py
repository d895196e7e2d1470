"""What the table of the linear engine's callbacks holds, and where.

The rows of a table are, in this order: the float inputs; the integer inputs; the structure; then what the callback
needs or returns besides. The names below are the rows.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import linear
from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.record_table import (
    AFTER_RECORDS,
    FIRST_INTEGER,
    FIRST_OTHER,
    RECORD_FLOATS,
    RECORD_INTEGERS,
    adjoints_of,
    records_of,
)
from qsp_bayes.ode.table import carve, float_table, integer_table, integers, start
from qsp_bayes.ode.timeline import INPUTS as STEP_INPUTS
from qsp_bayes.ode.timeline import N_COLUMNS
from qsp_bayes.ode.work import carve_work

FLOAT_INPUTS = (*RECORD_FLOATS, "values", "affine", "initial")
"""Inputs with derivatives."""
STRUCTURE_INPUTS = ("pattern", "reachable", "blocks", "block_of", "parents", "observed", "options")
INPUTS = (*FLOAT_INPUTS, *RECORD_INTEGERS, *STRUCTURE_INPUTS)
N_DYNAMIC, LOCF = range(2)
"""Entries of the `options` input."""

N_STEP_BARS = 4
"""Derivatives that a special step returns: of its value, lag, duration and interval."""

# Rows of the table, besides those of `record_table`.
VALUES, AFFINE, INITIAL = range(FIRST_OTHER, FIRST_INTEGER)
PATTERN, REACHABLE, BLOCKS, BLOCK_OF, PARENTS, OBSERVED, OPTIONS = range(AFTER_RECORDS, AFTER_RECORDS + 7)
STATES, MODES, TRACE = range(OPTIONS + 1, OPTIONS + 4)
"""What the forward walk returns and the backward one is given (with the adjoint of the states in their place)."""
SCRATCH, FIRST_ADJOINT = TRACE + 1, TRACE + 2
N_ROWS = FIRST_ADJOINT + len(FLOAT_INPUTS)


@inlined_kernel()
def read_records(address):  # type: ignore[no-untyped-def]
    """Return the records of a table."""
    return records_of(address, integers(address, OPTIONS)[LOCF] > 0, True)


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
    return adjoints_of(
        address,
        FIRST_ADJOINT,
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
