"""The rows that the tables of both engines have in common: the records, and the derivatives with respect to them."""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode.jit import allocating_kernel, inlined_kernel, kernel
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.table import allocate_cleared, float_table, floats, integer_table, integers

RECORD_FLOATS = ("time", "amount", "bioavailability", "lag", "rate", "duration", "interval")
"""The first inputs; they have derivatives."""
RECORD_INTEGERS = ("subject", "row", "evid", "state", "additional", "steady_state")

TIME, AMOUNT, BIOAVAILABILITY, LAG, RATE, DURATION, INTERVAL = range(len(RECORD_FLOATS))
FIRST_OTHER = len(RECORD_FLOATS)
"""First of the three rows between the two: other inputs of float64, which differ between the engines."""
FIRST_INTEGER = FIRST_OTHER + 3
SUBJECT, ROW, EVID, STATE, ADDITIONAL, STEADY_STATE = range(
    FIRST_INTEGER, FIRST_INTEGER + len(RECORD_INTEGERS)
)
AFTER_RECORDS = STEADY_STATE + 1
"""First row after them."""

NOWHERE = np.int64(0)
"""Arrays carved from here are never read: they end where others, carved from the start of memory, need it to end."""


@inlined_kernel()
def records_of(address, locf, superposed):  # type: ignore[no-untyped-def]
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
        locf,
        superposed,
    )


@inlined_kernel()
def adjoints_of(address, first, values, affine, initial):  # type: ignore[no-untyped-def]
    """Return the derivatives of a table, whose rows begin at `first`, together with those that the engines add."""
    return Adjoints(
        floats(address, first + TIME),
        floats(address, first + AMOUNT),
        float_table(address, first + BIOAVAILABILITY),
        float_table(address, first + LAG),
        float_table(address, first + RATE),
        float_table(address, first + DURATION),
        floats(address, first + INTERVAL),
        values,
        affine,
        initial,
    )


@allocating_kernel()
def make_room_for_record_adjoints(address, first, records):  # type: ignore[no-untyped-def]
    """Enter in a table, from row `first` on, the derivatives with respect to the records."""
    allocate_cleared(address, first + TIME, records.time.shape)
    allocate_cleared(address, first + AMOUNT, records.amount.shape)
    allocate_cleared(address, first + BIOAVAILABILITY, records.bioavailability.shape)
    allocate_cleared(address, first + LAG, records.lag.shape)
    allocate_cleared(address, first + RATE, records.rate.shape)
    allocate_cleared(address, first + DURATION, records.duration.shape)
    allocate_cleared(address, first + INTERVAL, records.interval.shape)


@kernel()
def number_of_subjects(records):  # type: ignore[no-untyped-def]
    """Return how many subjects the records are of."""
    count = np.int64(0)
    for k in range(records.subject.size):
        count = max(count, records.subject[k] + 1)
    return count
