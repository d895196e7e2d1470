"""The path of an integration: what each of its steps leaves for dense output and for the walk back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qsp_bayes.ode.jit import allocating_kernel

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
    v: Any
    Y_bar: Any
    y_bar: Any
    u_bar: Any
    p_bar: Any
    lam: Any
    stages_bar: Any


VECTORS = ("u", "T", "Y", "F", "b", "new", "scale", "error", "tau", "v", "Y_bar", "y_bar", "u_bar", "lam")
"""Names in `Room` of the vectors over the states."""


@allocating_kernel()
def name_room(vectors, stages_bar, p, p_bar, J, M, W):  # type: ignore[no-untyped-def]
    """Name the vectors over the states (14, n), and the other working arrays."""
    v = vectors
    return Room(
        p, v[0], J, W, v[1], v[2], v[3], v[4], v[5], v[6], v[7], M, v[8], v[9], v[10], v[11], v[12], p_bar, v[13],
        stages_bar,
    )  # fmt: skip
