"""What doses repeated for ever have left in a linear system.

Every contribution is a function f(A) applied to the dose's unit vector; on eigenvalues f is one of

=====================  =============================================================
boluses                exp(w age) / (1 - exp(w II))
infusions, all ended   phi(w, D) exp(w (age - D)) / (1 - exp(w II))
one still running      phi(w, age)
constant infusion      -1 / w
=====================  =============================================================

with phi(w, t) = (exp(w t) - 1) / w, D the infusion's duration, and `age` the time since the last (or the running) one
started. A mode that is excited but does not decay has no steady state: the result is NaN.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode.decomposition import invert
from qsp_bayes.ode.jit import allocating_kernel, assign, kernel, zero
from qsp_bayes.ode.taylor import propagate, propagate_adjoint
from qsp_bayes.ode.timeline import STEADY_BOLUS, STEADY_CONSTANT, STEADY_INFUSION, STEADY_PARTIAL

SERIES_BELOW = 0.25


@kernel()
def phi(x):  # type: ignore[no-untyped-def]
    """(exp(x) - 1) / x, by its series near 0."""
    if abs(x) < SERIES_BELOW:
        total = 0.0 * x
        for k in range(13, 0, -1):
            total = (1.0 + total) * x / (k + 1)
        return 1.0 + total
    return (np.exp(x) - 1.0) / x


@kernel()
def phi_prime(x):  # type: ignore[no-untyped-def]
    """Return the derivative of `phi`, (exp(x) - phi(x)) / x, by its series near 0."""
    if abs(x) < SERIES_BELOW:
        total = 0.0 * x
        term = 0.5 + 0.0 * x
        for k in range(1, 15):
            total += term
            term *= x * (k + 1) / (k * (k + 2))
        return total
    return (np.exp(x) - phi(x)) / x


@kernel()
def weight(kind, w, age, duration, interval):  # type: ignore[no-untyped-def]
    """Return f(w) and its derivatives with respect to w, age, duration and interval."""
    zero = 0.0 * w
    if kind == STEADY_PARTIAL:
        x = w * age
        return age * phi(x), age * age * phi_prime(x), np.exp(x), zero, zero
    if not w.real < 0.0:
        nan = zero + np.nan
        return nan, nan, nan, nan, nan
    if kind == STEADY_CONSTANT:
        return -1.0 / w, 1.0 / (w * w), zero, zero, zero
    period = np.exp(w * interval)
    geometric = -1.0 / (w * interval * phi(w * interval))
    if kind == STEADY_BOLUS:
        f = np.exp(w * age) * geometric
        return f, f * (age + interval * period * geometric), w * f, zero, w * period * geometric * f
    x = w * duration
    tail = np.exp(w * (age - duration)) * geometric
    f = duration * phi(x) * tail
    f_w = duration * duration * phi_prime(x) * tail + f * (age - duration + interval * period * geometric)
    return f, f_w, w * f, np.exp(x) * tail - w * f, w * period * geometric * f


@allocating_kernel()
def period_map(A, interval, inverse):  # type: ignore[no-untyped-def]
    """Set inverse = (I - exp(A interval))^-1; NaN where it does not exist."""
    n = A.shape[0]
    difference = np.zeros((n, n), A.dtype)
    none = np.zeros(n, A.dtype)
    column = np.zeros(n, A.dtype)
    for j in range(n):
        zero(column)
        column[j] = 1.0
        propagate(A, none, interval, column)
        for i in range(n):
            difference[i, j] = -column[i]
        difference[j, j] += 1.0
    if not invert(difference, inverse):
        for i in range(n):
            for j in range(n):
                inverse[i, j] = np.nan


@allocating_kernel()
def minus_inverse(A, inverse):  # type: ignore[no-untyped-def]
    """Set inverse = -A^-1; NaN where it does not exist."""
    n = A.shape[0]
    negative = np.zeros((n, n), A.dtype)
    for i in range(n):
        for j in range(n):
            negative[i, j] = -A[i, j]
    if not invert(negative, inverse):
        for i in range(n):
            for j in range(n):
                inverse[i, j] = np.nan


@kernel()
def multiply(A, x, result):  # type: ignore[no-untyped-def]
    """Set result = A x."""
    for i in range(x.size):
        total = A[i, 0] * x[0]
        for j in range(1, x.size):
            total += A[i, j] * x[j]
        result[i] = total


@kernel()
def multiply_transposed(A, x, result):  # type: ignore[no-untyped-def]
    """Set result = A^T x."""
    for j in range(x.size):
        total = A[0, j] * x[0]
        for i in range(1, x.size):
            total += A[i, j] * x[i]
        result[j] = total


@kernel()
def slope_product(bar, A, x, source):  # type: ignore[no-untyped-def]
    """Real part of bar . (A x + source): the derivative along the flow."""
    total = 0.0
    for i in range(x.size):
        slope = source[i]
        for j in range(x.size):
            slope += A[i, j] * x[j]
        total += (bar[i] * slope).real
    return total


@allocating_kernel()
def last_dose(kind, A, source, age, duration, given):  # type: ignore[no-untyped-def]
    """Set `given` (0 on entry) to what one dose leaves at its end; return the time from then on."""
    if kind == STEADY_INFUSION:
        propagate(A, source, duration, given)
        return age - duration
    assign(given, source)
    return age


@allocating_kernel()
def steady(kind, A, source, age, duration, interval, x):  # type: ignore[no-untyped-def]
    """Set x = f(A) source, without eigenvalues."""
    n = source.size
    none = np.zeros(n, source.dtype)
    inverse = np.zeros((n, n), source.dtype)
    given = np.zeros(n, source.dtype)
    zero(x)
    if kind == STEADY_PARTIAL:
        propagate(A, source, age, x)
        return
    if kind == STEADY_CONSTANT:
        minus_inverse(A, inverse)
        multiply(inverse, source, x)
        return
    wait = last_dose(kind, A, source, age, duration, given)
    period_map(A, interval, inverse)
    multiply(inverse, given, x)
    propagate(A, none, wait, x)


@allocating_kernel()
def steady_adjoint(kind, A, source, age, duration, interval, bar, A_bar, source_bar):  # type: ignore[no-untyped-def]
    """Add the adjoints of A and source for `steady`, given that of its result; return those of the times."""
    n = source.size
    none = np.zeros(n, source.dtype)
    unused = np.zeros(n, source.dtype)
    inverse = np.zeros((n, n), source.dtype)
    x = np.zeros(n, source.dtype)
    y = np.zeros(n, source.dtype)
    given = np.zeros(n, source.dtype)
    adjoint = np.zeros(n, source.dtype)
    around = np.zeros(n, source.dtype)
    assign(adjoint, bar)
    if kind == STEADY_PARTIAL:
        propagate(A, source, age, x)
        age_bar = slope_product(bar, A, x, source)
        propagate_adjoint(A, source, age, none, adjoint, A_bar, source_bar)
        return age_bar, 0.0, 0.0
    if kind == STEADY_CONSTANT:
        minus_inverse(A, inverse)
        multiply(inverse, source, x)
        multiply_transposed(inverse, bar, y)
        for i in range(n):
            source_bar[i] += y[i]
            for j in range(n):
                A_bar[i, j] += y[i] * x[j]
        return 0.0, 0.0, 0.0
    wait = last_dose(kind, A, source, age, duration, given)
    period_map(A, interval, inverse)
    multiply(inverse, given, y)
    assign(x, y)
    propagate(A, none, wait, x)
    wait_bar = slope_product(bar, A, x, none)
    propagate_adjoint(A, none, wait, y, adjoint, A_bar, unused)
    multiply_transposed(inverse, adjoint, around)
    assign(adjoint, around)  # with respect to `given`
    assign(x, y)
    propagate(A, none, interval, x)
    interval_bar = slope_product(adjoint, A, x, none)
    propagate_adjoint(A, none, interval, y, around, A_bar, unused)
    if kind == STEADY_BOLUS:
        for i in range(n):
            source_bar[i] += adjoint[i]
        return wait_bar, 0.0, interval_bar
    duration_bar = slope_product(adjoint, A, given, source) - wait_bar
    propagate_adjoint(A, source, duration, none, adjoint, A_bar, source_bar)
    return wait_bar, duration_bar, interval_bar
