"""What the table of the nonlinear engine's callbacks holds, and where (see `problem`)."""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode import nonlinear
from qsp_bayes.ode.field import FUNCTIONS, SWITCH_FUNCTIONS, Field
from qsp_bayes.ode.integration import AUTONOMOUS, FIRST_DIRECTION, LOCF, N_FACTORS
from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.path import carve_path, carve_room, shortened
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
from qsp_bayes.ode.table import WORD, carve, float_table, floats, integers, start
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
CREW, QUEUE, SCRATCH, LARGER, SHARED, OWN_OPTIONS = range(PATH + 1, PATH + 7)
EFFORT, WORKER, SERVE, FIRST_FUNCTION = range(OWN_OPTIONS + 1, OWN_OPTIONS + 5)
"""What the threads work on (see `crew`), and the addresses of the `effort` and of what each thread does."""
FIRST_SWITCH_FUNCTION = FIRST_FUNCTION + len(FUNCTIONS)
FIRST_ADJOINT = FIRST_SWITCH_FUNCTION + len(SWITCH_FUNCTIONS)
N_ROWS = FIRST_ADJOINT + len(FLOAT_INPUTS)

SUBJECT_COUNT, STEP_COUNT, LONGEST, CAPACITY, FREE, ROWS_TAKEN, STEPS_TAKEN = range(7)
"""Entries of the sizes: subjects; steps of the timeline, of all and of the subject with most; rows of the path, and the
first that no thread has had; rows and steps of the integration that the subjects took."""


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
    sizes, at = carve(at, (7,), np.int64)
    subjects, at = carve(at, (n_subjects + 1, 4), np.int64)
    failures, at = carve(at, (n_subjects, 3), np.float64)
    return sizes, subjects, failures, at


@inlined_kernel()
def read_subjects(address):  # type: ignore[no-untyped-def]
    """Return the sizes and the subjects of a table."""
    n_subjects = integers(address, SUBJECTS)[SUBJECT_COUNT]
    sizes, subjects, _, _ = carve_subjects(start(address, SUBJECTS), n_subjects)
    return sizes, subjects


@inlined_kernel()
def carve_timeline(at, n_steps, n):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `TIMELINE`, which begins at `at`, and where they end."""
    steps, at = carve(at, (n_steps, STEP_INPUTS + n), np.float64)
    codes, at = carve(at, (n_steps, N_COLUMNS), np.int64)
    arrivals, at = carve(at, (n_steps, n), np.float64)
    spans, at = carve(at, (n_steps, 6), np.int64)
    return steps, codes, arrivals, spans, at


@inlined_kernel()
def carve_scratch(address, at):  # type: ignore[no-untyped-def]
    """Return the arrays in the row `SCRATCH`, which begins at `at`, and where they end.

    They are the progress, both rooms as one vector, the room, and that of the switches.
    """
    n, n_switches = floats(address, TOLERANCES).size - 1, integers(address, OPTIONS).size - FIRST_DIRECTION
    progress, at = carve(at, (4,), np.int64)
    room, end = carve_room(
        at,
        n,
        float_table(address, VALUES).shape[0] + n_switches,
        integers(address, JACOBIAN_ROWS).size,
        integers(address, OPTIONS)[N_FACTORS],
    )
    switch_room, end = carve_switch_room(end, n, n_switches)
    rooms, _ = carve(at, ((end - at) // WORD,), np.float64)
    return progress, rooms, room, switch_room, end


@inlined_kernel()
def carve_waiting(at, longest):  # type: ignore[no-untyped-def]
    """Return the two `waiting` arrays of `timeline.expand`, which begin at `at`, and where they end."""
    waiting_steps, at = carve(at, (longest, STEP_INPUTS), np.float64)
    waiting_codes, at = carve(at, (longest, N_COLUMNS), np.int64)
    return waiting_steps, waiting_codes, at


@inlined_kernel()
def read_problem(address):  # type: ignore[no-untyped-def]
    """Return all that a table holds."""
    n = floats(address, TOLERANCES).size - 1
    n_subjects = integers(address, SUBJECTS)[SUBJECT_COUNT]
    sizes, subjects, failures, _ = carve_subjects(start(address, SUBJECTS), n_subjects)
    steps, codes, arrivals, spans, _ = carve_timeline(start(address, TIMELINE), sizes[STEP_COUNT], n)
    progress, rooms, room, switch_room, end = carve_scratch(address, start(address, SCRATCH))
    path, _ = carve_path(start(address, PATH), sizes[CAPACITY], n)
    waiting_steps, waiting_codes, _ = carve_waiting(end, sizes[LONGEST])
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
        start(address, QUEUE),
        progress,
        shortened(path, progress[nonlinear.END_ROW]),
        rooms,
        room,
        float_table(address, STATES),
        read_adjoints(address),
        float_table(address, SHARED),
        waiting_steps,
        waiting_codes,
        switch_room,
    )
