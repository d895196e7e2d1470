"""Propagation of dx/dt = A x + g by scaled Taylor series: exact for any A, defective and singular ones included.

Over a substep h, with q = max(0, max_i -A_ii), the series of exp(h [[A, g], [0, 0]] + h q I) applied to (x, 1) has only
positive terms where A is the matrix of a compartmental system, so nothing cancels and every component comes out to
rounding precision relative to itself; the factor exp(-q h) is taken out at the end. Substeps keep the series short;
where A has negative off-diagonal entries they are small enough that cancellation costs less than a digit.

The adjoint is the exact derivative of the very series that was summed.

Reference: J. Xue and Q. Ye (2013), Computing exponentials of essentially non-negative matrices entrywise to high
relative accuracy, Math. Comp. 82:1577-1596.
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode.jit import allocating_kernel, assign, kernel

MAX_TERMS = 160
MAX_SUBSTEPS = 1_000_000
"""More substeps than this is taken for an impossible draw: the result is NaN."""


@kernel()
def plan(A, dt):  # type: ignore[no-untyped-def]
    """Shift q and number of substeps (0 where dt is 0, -1 where there would be too many)."""
    n = A.shape[0]
    shift, norm, positive = 0.0, 0.0, True
    for i in range(n):
        shift = max(shift, -A[i, i].real)
        total = 0.0
        for j in range(n):
            total += abs(A[j, i])
            positive = positive and (i == j or A[i, j].real >= 0.0)
        norm = max(norm, total)
    reach = 16.0 if positive else 1.0
    steps = (norm + shift) * dt / reach
    if not steps < MAX_SUBSTEPS:
        return shift, -1
    if dt <= 0.0:
        return shift, 0
    return shift, int(steps) + 1


@kernel()
def series(A, g, shift, h, x, terms):  # type: ignore[no-untyped-def]
    """Advance x by one substep; keep the terms of the series in `terms` and return how many there are."""
    n = x.size
    for i in range(n):
        terms[0, i] = x[i]
    norm = shift  # bounds the terms of the adjoint series too, which may be long where this one is short
    for j in range(n):
        total = shift
        for i in range(n):
            total += abs(A[i, j])
        norm = max(norm, total)
    bound = 1.0
    constant = 1.0
    k = 0
    small = 0
    while k < MAX_TERMS - 1 and small < 2:
        factor = h / (k + 1)
        bound *= norm * factor
        negligible = k >= n and bound <= 1e-18
        for i in range(n):
            total = shift * terms[k, i] + g[i] * constant
            for j in range(n):
                total += A[i, j] * terms[k, j]
            term = factor * total
            terms[k + 1, i] = term
            x[i] += term
            negligible = negligible and abs(term) <= 1e-18 * abs(x[i])
        constant *= shift * factor
        k += 1
        small = small + 1 if negligible else 0
    scale = math.exp(-shift * h)
    for i in range(n):
        x[i] *= scale
    return k


@allocating_kernel()
def propagate(A, g, dt, x):  # type: ignore[no-untyped-def]
    """Advance x in place over dt."""
    shift, steps = plan(A, dt)
    if steps < 0:
        for i in range(x.size):
            x[i] = np.nan
        return
    terms = np.empty((MAX_TERMS, x.size), x.dtype)
    for _ in range(steps):
        series(A, g, shift, dt / steps, x, terms)


@allocating_kernel()
def propagate_adjoint(A, g, dt, start, adjoint, A_bar, g_bar):  # type: ignore[no-untyped-def]
    """Take `adjoint` from the end of an interval back to its start; add to the adjoints of A and g.

    Parameters
    ----------
    start : (n,)
        State at the start of the interval.
    adjoint : (n,)
        Derivative of the objective with respect to the state at the end; changed in place to that at the start.
    A_bar : (n, n), g_bar : (n,)
        Derivatives with respect to A and g are added here.
    """
    n = start.size
    shift, steps = plan(A, dt)
    if steps < 0:
        for i in range(n):
            adjoint[i] = np.nan
        return
    h = dt / max(steps, 1)
    scale = math.exp(-shift * h)
    terms = np.empty((MAX_TERMS, n), start.dtype)
    constants = np.empty(MAX_TERMS)
    constants[0] = 1.0
    for k in range(1, MAX_TERMS):
        constants[k] = constants[k - 1] * shift * h / k
    starts = np.empty((steps + 1, n), start.dtype)
    x = np.empty(n, start.dtype)
    assign(x, start)
    for s in range(steps):
        for i in range(n):
            starts[s, i] = x[i]
        series(A, g, shift, h, x, terms)
    bar = np.empty(n, start.dtype)
    last = np.empty(n, start.dtype)
    next_bar = np.empty(n, start.dtype)
    for s in range(steps - 1, -1, -1):
        for i in range(n):
            x[i] = starts[s, i]
            last[i] = scale * adjoint[i]
            bar[i] = last[i]
        count = series(A, g, shift, h, x, terms)
        for k in range(count - 1, -1, -1):
            factor = h / (k + 1)
            for j in range(n):
                next_bar[j] = last[j] + factor * shift * bar[j]
            for i in range(n):
                weight = factor * bar[i]
                g_bar[i] += weight * constants[k]
                for j in range(n):
                    A_bar[i, j] += weight * terms[k, j]
                    next_bar[j] += weight * A[i, j]
            assign(bar, next_bar)
        assign(adjoint, bar)
