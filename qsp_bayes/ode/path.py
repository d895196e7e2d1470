"""The path of an integration: what each of its steps leaves for dense output and for the walk back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.table import carve

N_STAGES = 8
"""Stages that there is room for."""

START, LENGTH = range(2)
"""Columns of `Path.times`."""


class Path(NamedTuple):
    """Steps of an integration, one row each; the row after the last holds the current state.

    Attributes
    ----------
    times : (capacity, 2) float
        Where each step starts, and its length.
    methods : (capacity,) int
    states : (capacity, n) float
        State at the start.
    stages : (capacity, 8, n) float
    """

    times: np.ndarray
    methods: np.ndarray
    states: np.ndarray
    stages: np.ndarray


class Room(NamedTuple):
    """Working arrays: vectors over the states unless said otherwise.

    `p` are the parameters of the current row, `u` input rates, `J` and `M` have one entry for each non-zero of the
    Jacobian, `W` one for each of its factors, `T` is df/dt; `new` is the state at the end of a step, `scale` the
    largest size of each state so far. `stages_bar` (8, n) and the other bars are adjoints.
    """

    p: Any
    u: Any
    J: Any
    W: Any
    T: Any
    Y: Any
    F: Any
    b: Any
    new: Any
    scale: Any
    error: Any
    M: Any
    tau: Any
    Y_bar: Any
    y_bar: Any
    u_bar: Any
    p_bar: Any
    lam: Any
    stages_bar: Any


@inlined_kernel()
def carve_path(at, capacity, n):  # type: ignore[no-untyped-def]
    """Return the path that begins at `at`, and where it ends."""
    times, at = carve(at, (capacity, 2), np.float64)
    methods, at = carve(at, (capacity,), np.int64)
    states, at = carve(at, (capacity, n), np.float64)
    stages, at = carve(at, (capacity, N_STAGES, n), np.float64)
    return Path(times, methods, states, stages), at


@inlined_kernel()
def shortened(path, rows):  # type: ignore[no-untyped-def]
    """Return the path as if it ended after so many rows."""
    methods, _ = carve(address(path.methods), (rows,), np.int64)
    return Path(path.times, methods, path.states, path.stages)


@inlined_kernel()
def carve_room(at, n, n_parameters, n_entries, n_factors):  # type: ignore[no-untyped-def]
    """Return the working arrays that begin at `at`, and where they end."""
    v, at = carve(at, (13, n), np.float64)
    stages_bar, at = carve(at, (N_STAGES, n), np.float64)
    p, at = carve(at, (2, n_parameters), np.float64)
    entries, at = carve(at, (2, n_entries), np.float64)
    W, at = carve(at, (n_factors,), np.float64)
    room = Room(
        p[0], v[0], entries[0], W, v[1], v[2], v[3], v[4], v[5], v[6], v[7], entries[1], v[8], v[9], v[10], v[11],
        p[1], v[12], stages_bar,
    )  # fmt: skip
    return room, at
