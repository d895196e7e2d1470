"""What the table of the nonlinear engine's callbacks holds, and where (see `problem`)."""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import nonlinear
from qsp_bayes.ode.field import FUNCTIONS, SWITCH_FUNCTIONS, Field
from qsp_bayes.ode.integration import AUTONOMOUS, FIRST_DIRECTION, LOCF, N_FACTORS
from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.path import carve_path, carve_room
from qsp_bayes.ode.record_table import (
    AFTER_RECORDS,
    FIRST_INTEGER,
    FIRST_OTHER,
    NOWHERE,
    RECORD_FLOATS,
    RECORD_INTEGERS,
    adjoints_of,
    records_of,
)
from qsp_bayes.ode.switching import carve_switch_room
from qsp_bayes.ode.table import carve, float_table, floats, integers, start
from qsp_bayes.ode.timeline import INPUTS as STEP_INPUTS
from qsp_bayes.ode.timeline import N_COLUMNS

FLOAT_INPUTS = (*RECORD_FLOATS, "values", "initial")
"""Inputs with derivatives."""
STRUCTURE_INPUTS = ("observed", "rows", "columns", "dynamic", "options")
INPUTS = (*FLOAT_INPUTS, "tolerances", *RECORD_INTEGERS, *STRUCTURE_INPUTS)

# Rows of the table, besides those of `record_table`.
VALUES, INITIAL, TOLERANCES = range(FIRST_OTHER, FIRST_INTEGER)
OBSERVED, JACOBIAN_ROWS, JACOBIAN_COLUMNS, DYNAMIC, OPTIONS = range(AFTER_RECORDS, AFTER_RECORDS + 5)
STATES, SUBJECTS, TIMELINE, PATH = range(OPTIONS + 1, OPTIONS + 5)
"""What the forward walk returns and the backward one is given (with the adjoint of the states in their place)."""
SCRATCH, LARGER, FIRST_FUNCTION = range(PATH + 1, PATH + 4)
FIRST_SWITCH_FUNCTION = FIRST_FUNCTION + len(FUNCTIONS)
FIRST_ADJOINT = FIRST_SWITCH_FUNCTION + len(SWITCH_FUNCTIONS)
N_ROWS = FIRST_ADJOINT + len(FLOAT_INPUTS)

FIRST_CAPACITY = 64
"""Steps of the integration that there is room for at first, for each subject."""
CAPACITY = 2
"""Entry of the sizes: after the numbers of subjects and of steps, that of rows of the path."""


@inlined_kernel()
def read_records(address):  # type: ignore[no-untyped-def]
    """Return the records of a table."""
    return records_of(address, integers(address, OPTIONS)[LOCF] > 0, False)


@inlined_kernel()
def read_adjoints(address):  # type: ignore[no-untyped-def]
    """Return the derivatives of a table (those that only the backward walk has; empty before)."""
    affine, _ = carve(NOWHERE, (0, 0), np.float64)
    return adjoints_of(
        address,
        FIRST_ADJOINT,
        float_table(address, FIRST_ADJOINT + VALUES),
        affine,
        float_table(address, FIRST_ADJOINT + INITIAL),
    )


@inlined_kernel()
def read_field(address):  # type: ignore[no-untyped-def]
    """Return the system of a table."""
    return Field(
        start(address, FIRST_FUNCTION),
        start(address, FIRST_FUNCTION + 1),
        start(address, FIRST_FUNCTION + 2),
        start(address, FIRST_FUNCTION + 3),
        start(address, FIRST_FUNCTION + 4),
        start(address, FIRST_FUNCTION + 5),
        start(address, FIRST_FUNCTION + 6),
        start(address, FIRST_FUNCTION + 7),
        start(address, FIRST_FUNCTION + 8),
        start(address, FIRST_FUNCTION + 9),
        start(address, FIRST_FUNCTION + 10),
        integers(address, JACOBIAN_ROWS),
        integers(address, JACOBIAN_COLUMNS),
        integers(address, OPTIONS)[AUTONOMOUS],
        start(address, FIRST_SWITCH_FUNCTION),
        start(address, FIRST_SWITCH_FUNCTION + 1),
        start(address, FIRST_SWITCH_FUNCTION + 2),
        start(address, FIRST_SWITCH_FUNCTION + 3),
        start(address, FIRST_SWITCH_FUNCTION + 4),
    )


@inlined_kernel()
def carve_subjects(at, n_subjects):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `SUBJECTS`, which begins at `at`, and where they end."""
    sizes, at = carve(at, (3,), np.int64)
    progress, at = carve(at, (3,), np.int64)
    subjects, at = carve(at, (n_subjects + 1, 3), np.int64)
    failures, at = carve(at, (n_subjects, 3), np.float64)
    return sizes, progress, subjects, failures, at


@inlined_kernel()
def carve_timeline(at, n_steps, n):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `TIMELINE`, which begins at `at`, and where they end."""
    steps, at = carve(at, (n_steps, STEP_INPUTS + n), np.float64)
    codes, at = carve(at, (n_steps, N_COLUMNS), np.int64)
    arrivals, at = carve(at, (n_steps, n), np.float64)
    spans, at = carve(at, (n_steps, 6), np.int64)
    return steps, codes, arrivals, spans, at


@inlined_kernel()
def carve_scratch(at, n_steps, n, n_parameters, n_entries, n_factors, n_switches):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `SCRATCH`, which begins at `at`, and where they end."""
    room, at = carve_room(at, n, n_parameters + n_switches, n_entries, n_factors)
    switch_room, at = carve_switch_room(at, n, n_switches)
    waiting_steps, at = carve(at, (n_steps, STEP_INPUTS), np.float64)
    waiting_codes, at = carve(at, (n_steps, N_COLUMNS), np.int64)
    return room, switch_room, waiting_steps, waiting_codes, at


@inlined_kernel()
def scratch_of(address, at, n_steps):  # type: ignore[no-untyped-def]
    """Carve the row `SCRATCH` in the sizes of a table's system."""
    return carve_scratch(
        at,
        n_steps,
        floats(address, TOLERANCES).size - 1,
        float_table(address, VALUES).shape[0],
        integers(address, JACOBIAN_ROWS).size,
        integers(address, OPTIONS)[N_FACTORS],
        integers(address, OPTIONS).size - FIRST_DIRECTION,
    )


@inlined_kernel()
def read_problem(address):  # type: ignore[no-untyped-def]
    """Return all that a table holds."""
    n = floats(address, TOLERANCES).size - 1
    n_subjects = integers(address, SUBJECTS)[0]
    sizes, progress, subjects, failures, _ = carve_subjects(start(address, SUBJECTS), n_subjects)
    steps, codes, arrivals, spans, _ = carve_timeline(start(address, TIMELINE), sizes[1], n)
    path, _ = carve_path(start(address, PATH), sizes[CAPACITY], n)
    room, switch_room, waiting_steps, waiting_codes, _ = scratch_of(
        address, start(address, SCRATCH), sizes[1]
    )
    return nonlinear.Problem(
        address,
        read_field(address),
        read_records(address),
        integers(address, OBSERVED),
        integers(address, DYNAMIC),
        floats(address, TOLERANCES),
        integers(address, OPTIONS),
        float_table(address, VALUES),
        float_table(address, INITIAL),
        steps,
        codes,
        arrivals,
        spans,
        subjects,
        failures,
        progress,
        path,
        room,
        float_table(address, STATES),
        read_adjoints(address),
        waiting_steps,
        waiting_codes,
        switch_room,
    )
