"""The dose and observation records of a batch of subjects, as the solvers see them.

Every array is flat over the records of all subjects, subject by subject in file order. Arrays with a leading route axis
have one row for each delivery route that a dose record can feed (parallel absorption feeds two). An optional array that
is absent has size 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NO_STATE, UNKNOWN_STATE = -1, -2
"""Entries of `state`: the route is not used; the compartment takes no doses (the subject cannot be solved)."""


class Records(NamedTuple):
    """Flat record arrays.

    Attributes
    ----------
    subject, row : (record,) int
        Position of the subject, and the row of the parameter table that holds at this record.
    time : (record,) float
    evid : (record,) int
        0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose.
    state : (route, record) int
        The state that each route delivers into, `NO_STATE` or `UNKNOWN_STATE`.
    amount : (record,) float
    bioavailability, lag, rate, duration : (route, record) float, or size 0
        A positive rate makes the dose an infusion of duration F amount / rate; otherwise a positive duration makes
        it an infusion at the rate F amount / duration; otherwise it is a bolus.
    interval, additional, steady_state : (record,)
        II, ADDL, SS.
    locf : bool
        Whether parameters at a record hold from it on (last observation carried forward) instead of back to the record
        before (next observation carried backward).
    superposed : bool
        Whether a steady state is the sum of what each dose leaves (a linear system), or one orbit of all of them.
    """

    subject: np.ndarray
    row: np.ndarray
    time: np.ndarray
    evid: np.ndarray
    state: np.ndarray
    amount: np.ndarray
    bioavailability: np.ndarray
    lag: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    interval: np.ndarray
    additional: np.ndarray
    steady_state: np.ndarray
    locf: bool
    superposed: bool


class Adjoints(NamedTuple):
    """Derivatives with respect to the inputs of a solver, in the shapes of the inputs.

    `affine` is empty for the nonlinear engine, whose `values` are the parameters themselves.
    """

    time: np.ndarray
    amount: np.ndarray
    bioavailability: np.ndarray
    lag: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    interval: np.ndarray
    values: np.ndarray
    affine: np.ndarray
    initial: np.ndarray
