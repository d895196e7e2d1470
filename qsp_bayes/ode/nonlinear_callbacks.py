"""The callbacks of the nonlinear engine: tables of arrays in, kernels run (see `callbacks`)."""

from __future__ import annotations

from qsp_bayes.ode import nonlinear
from qsp_bayes.ode.field import Field
from qsp_bayes.ode.integration import LOCF
from qsp_bayes.ode.jit import (
    allocating_kernel,
    float_block,
    float_table,
    floats,
    integer_table,
    integers,
    open_table,
)
from qsp_bayes.ode.path import Path, name_room
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.timeline import count_all

FLOAT_INPUTS = (
    "time",
    "amount",
    "bioavailability",
    "lag",
    "rate",
    "duration",
    "interval",
    "values",
    "initial",
)
"""Inputs with derivatives."""
OTHER_INPUTS = (
    "tolerances",
    "subject",
    "row",
    "evid",
    "state",
    "additional",
    "steady_state",
    "observed",
    "rows",
    "columns",
    "options",
)
INPUTS = (*FLOAT_INPUTS, *OTHER_INPUTS)
TIMELINE = ("steps", "codes", "arrivals", "spans", "subjects", "progress")
PATH = ("times", "methods", "states", "stages")
WORK = (
    "functions",
    "vectors",
    "stages_bar",
    "parameters",
    "entries",
    "factors",
    "waiting_steps",
    "waiting_codes",
)

ROWS = ("rows", *INPUTS, *TIMELINE, *PATH, *WORK, "out", *(f"{name}_bar" for name in FLOAT_INPUTS))
"""What the rows of a table hold; the first one the number of rows."""
N_ROWS = len(ROWS)
ROW_OF = {name: k for k, name in enumerate(ROWS)}

(
    TIME, AMOUNT, BIOAVAILABILITY, LAG, RATE, DURATION, INTERVAL, VALUES, INITIAL,
    TOLERANCES, SUBJECT, ROW, EVID, STATE, ADDITIONAL, STEADY_STATE, OBSERVED, JACOBIAN_ROWS, JACOBIAN_COLUMNS, OPTIONS,
    STEPS, CODES, ARRIVALS, SPANS, SUBJECTS, PROGRESS,
    TIMES, METHODS, STATES, STAGES,
    FUNCTIONS, VECTORS, STAGES_BAR, PARAMETERS, ENTRIES, FACTORS, WAITING_STEPS, WAITING_CODES,
    OUT, FIRST_BAR,
) = range(1, N_ROWS - len(FLOAT_INPUTS) + 1)  # fmt: skip
AUTONOMOUS = 4
"""Entry of the options that the kernels of `integration` do not read."""


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
def read_problem(address):  # type: ignore[no-untyped-def]
    """Return all that a table holds."""
    table = open_table(address)
    parameters, entries = float_table(table, PARAMETERS), float_table(table, ENTRIES)
    return nonlinear.Problem(
        Field(
            integers(table, FUNCTIONS),
            integers(table, JACOBIAN_ROWS),
            integers(table, JACOBIAN_COLUMNS),
            integers(table, OPTIONS)[AUTONOMOUS],
        ),
        read_records(table),
        integers(table, OBSERVED),
        floats(table, TOLERANCES),
        integers(table, OPTIONS),
        float_table(table, VALUES),
        float_table(table, INITIAL),
        float_table(table, STEPS),
        integer_table(table, CODES),
        float_table(table, ARRIVALS),
        integer_table(table, SPANS),
        integer_table(table, SUBJECTS),
        integers(table, PROGRESS),
        Path(
            float_table(table, TIMES),
            integers(table, METHODS),
            float_table(table, STATES),
            float_block(table, STAGES),
        ),
        name_room(
            float_table(table, VECTORS),
            float_table(table, STAGES_BAR),
            parameters[0],
            parameters[1],
            entries[0],
            entries[1],
            floats(table, FACTORS),
        ),
        float_table(table, OUT),
        Adjoints(
            floats(table, FIRST_BAR),
            floats(table, FIRST_BAR + 1),
            float_table(table, FIRST_BAR + 2),
            float_table(table, FIRST_BAR + 3),
            float_table(table, FIRST_BAR + 4),
            float_table(table, FIRST_BAR + 5),
            floats(table, FIRST_BAR + 6),
            float_table(table, FIRST_BAR + 7),
            float_table(table, FIRST_BAR + 7),  # there is no affine part
            float_table(table, FIRST_BAR + 8),
        ),
        float_table(table, WAITING_STEPS),
        integer_table(table, WAITING_CODES),
    )


def count_nonlinear(address: int) -> int:
    """Fill the first and last column of `subjects`; return how many steps to make room for."""
    table = open_table(address)
    return count_all(read_records(table), integer_table(table, SUBJECTS))


def solve_nonlinear(address: int) -> int:
    """Solve the subjects that are left; return 1 where the path needs more room."""
    return 0 if nonlinear.forward(read_problem(address)) else 1


def gather_nonlinear(address: int) -> int:
    """Gather derivatives after `solve_nonlinear`."""
    nonlinear.backward(read_problem(address))
    return 0
