"""The working arrays of the kernels, which allocate none of their own: vectors and matrices over the states."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.table import carve


class Work(NamedTuple):
    """Working arrays by name.

    In the modes' type of numbers: the state `z` and its adjoint `lam`, what b and the infusions add (`g`), and the
    integral `M` of L_a z_b, all in the modes' coordinates. In real numbers: the state `x` and its adjoint, input rates
    (or their adjoints), and the system `A` of a row that is walked without eigenvectors. The others hold
    intermediate results of one function.
    """

    z: Any
    lam: Any
    g: Any
    area: Any
    s: Any
    f: Any
    seen: Any
    L: Any
    T: Any
    X: Any
    Y: Any
    M: Any
    x: Any
    x_bar: Any
    total: Any
    inputs: Any
    scale: Any
    A: Any
    loss: Any
    base: Any


@inlined_kernel()
def carve_work(at, n, number):  # type: ignore[no-untyped-def]
    """Return the working arrays that begin at `at`, and where they end."""
    v, at = carve(at, (7, n), number)
    m, at = carve(at, (5, n, n), number)
    r, at = carve(at, (5, n), np.float64)
    q, at = carve(at, (3, n, n), np.float64)
    work = Work(
        v[0], v[1], v[2], v[3], v[4], v[5], v[6], m[0], m[1], m[2], m[3], m[4], r[0], r[1], r[2], r[3], r[4],
        q[0], q[1], q[2],
    )  # fmt: skip
    return work, at
