"""The timeline for engines written in Python: the functions of `timeline` and `delivery`, in one call for a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.core.compiler_lock import global_compiler_lock

from qsp_bayes.ode.delivery import dose_adjoint
from qsp_bayes.ode.jit import kernel_settings
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.timeline import (
    BOLUS,
    FAILED,
    FIRST_RECORD,
    FIRST_STEP,
    INPUTS,
    KIND,
    N_COLUMNS,
    RATE,
    count_all,
    expand,
)


def count_steps(records, subjects):  # type: ignore[no-untyped-def]
    """Find where the records of each subject begin and which cannot be expanded; return a bound of the steps."""
    return count_all(records, subjects)


def expand_subjects(records, subjects, steps, codes, waiting_steps, waiting_codes):  # type: ignore[no-untyped-def]
    """Write the steps of every subject that can be expanded, and where they begin."""
    at = np.int64(0)
    for i in range(subjects.shape[0] - 1):
        subjects[i, FIRST_STEP] = at
        if subjects[i, FAILED] == 0:
            at = expand(
                records,
                subjects[i, FIRST_RECORD],
                subjects[i + 1, FIRST_RECORD],
                steps,
                codes,
                at,
                waiting_steps,
                waiting_codes,
            )
    subjects[-1, FIRST_STEP] = at
    return at


def share_among_doses(records, bar, codes, time_bar, value_bar):  # type: ignore[no-untyped-def]
    """Pass the derivatives by the times and values of dosing steps on to the inputs that they came from."""
    for s in range(codes.shape[0]):
        if codes[s, KIND] == BOLUS or codes[s, KIND] == RATE:
            dose_adjoint(records, bar, codes, s, time_bar[s], value_bar[s], 0.0, 0.0, 0.0)


@functools.cache
def for_python(function: Callable[..., Any]) -> Any:
    """Compile a function of this module, or load it from numba's cache."""
    with kernel_settings():
        compiled = njit(function, cache=True, error_model="numpy")

    def call(*arguments: Any) -> Any:
        with global_compiler_lock, kernel_settings():
            return compiled(*arguments)

    return call


def expanded(records: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expand the records of a batch.

    Returns
    -------
    subjects : (subject + 1, 3) int
        Where the records and the steps of each subject begin, and whether it cannot be expanded.
    steps, codes : (step, 2) float, (step, 7) int
    """
    n_subjects = int(records.subject.max(initial=-1)) + 1
    subjects = np.zeros((n_subjects + 1, 3), np.int64)
    capacity = for_python(count_steps)(records, subjects)
    steps, waiting_steps = (np.zeros((capacity, INPUTS)) for _ in range(2))
    codes, waiting_codes = (np.zeros((capacity, N_COLUMNS), np.int64) for _ in range(2))
    count = for_python(expand_subjects)(records, subjects, steps, codes, waiting_steps, waiting_codes)
    return subjects, steps[:count], codes[:count]


def add_doses(
    records: Records, bar: Adjoints, codes: np.ndarray, time_bar: np.ndarray, value_bar: np.ndarray
) -> None:
    """Add to `bar` the derivatives by what the dosing steps came from, given those by their times and values."""
    for_python(share_among_doses)(records, bar, np.ascontiguousarray(codes), time_bar, value_bar)
