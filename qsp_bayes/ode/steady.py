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
from numba import njit

from qsp_bayes.ode.decomposition import invert
from qsp_bayes.ode.taylor import propagate, propagate_adjoint
from qsp_bayes.ode.timeline import STEADY_BOLUS, STEADY_CONSTANT, STEADY_INFUSION, STEADY_PARTIAL

SERIES_BELOW = 0.25


@njit(cache=True)
def phi(x):  # type: ignore[no-untyped-def]
    """(exp(x) - 1) / x, by its series near 0."""
    if abs(x) < SERIES_BELOW:
        total = 0.0 * x
        for k in range(13, 0, -1):
            total = (1.0 + total) * x / (k + 1)
        return 1.0 + total
    return (np.exp(x) - 1.0) / x


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def period_map(A, interval):  # type: ignore[no-untyped-def]
    """Return (I - exp(A interval))^-1; NaN where it does not exist."""
    n = A.shape[0]
    difference = np.zeros((n, n), A.dtype)
    none = np.zeros(n, A.dtype)
    column = np.zeros(n, A.dtype)
    for j in range(n):
        column[:] = 0.0
        column[j] = 1.0
        propagate(A, none, interval, column)
        for i in range(n):
            difference[i, j] = -column[i]
        difference[j, j] += 1.0
    inverse = np.empty((n, n), A.dtype)
    if not invert(difference, inverse):
        inverse[:] = np.nan
    return inverse


@njit(cache=True)
def product(A, x):  # type: ignore[no-untyped-def]
    """A x."""
    result = np.zeros_like(x)
    for i in range(x.size):
        for j in range(x.size):
            result[i] += A[i, j] * x[j]
    return result


@njit(cache=True)
def steady(kind, A, source, age, duration, interval):  # type: ignore[no-untyped-def]
    """f(A) source, without eigenvalues."""
    none = np.zeros_like(source)
    x = np.zeros_like(source)
    if kind == STEADY_PARTIAL:
        propagate(A, source, age, x)
        return x
    if kind == STEADY_CONSTANT:
        copy = A.copy()
        inverse = np.empty_like(copy)
        if not invert(copy, inverse):
            x[:] = np.nan
            return x
        return -product(inverse, source)
    inverse = period_map(A, interval)
    if kind == STEADY_BOLUS:
        x = product(inverse, source)
        propagate(A, none, age, x)
        return x
    propagate(A, source, duration, x)
    x = product(inverse, x)
    propagate(A, none, age - duration, x)
    return x


@njit(cache=True)
def steady_adjoint(kind, A, source, age, duration, interval, bar, A_bar, source_bar):  # type: ignore[no-untyped-def]
    """Add the adjoints of A and source for `steady`, given that of its result; return those of age, duration, interval."""
    none = np.zeros_like(source)
    unused = np.zeros_like(source)
    adjoint = bar.copy()
    n = source.size
    if kind == STEADY_PARTIAL:
        x = steady(kind, A, source, age, duration, interval)
        age_bar = np.sum(bar * (product(A, x) + source)).real
        propagate_adjoint(A, source, age, none, adjoint, A_bar, source_bar)
        return age_bar, 0.0, 0.0
    if kind == STEADY_CONSTANT:
        x = steady(kind, A, source, age, duration, interval)
        copy = A.copy()
        inverse = np.empty_like(copy)
        invert(copy, inverse)
        y = -product(inverse.T, bar)
        for i in range(n):
            source_bar[i] += y[i]
            for j in range(n):
                A_bar[i, j] += y[i] * x[j]
        return 0.0, 0.0, 0.0
    inverse = period_map(A, interval)
    given = source.copy()
    wait = age
    if kind == STEADY_INFUSION:
        given[:] = 0.0
        propagate(A, source, duration, given)
        wait = age - duration
    y = product(inverse, given)
    x = y.copy()
    propagate(A, none, wait, x)
    wait_bar = np.sum(bar * product(A, x)).real
    propagate_adjoint(A, none, wait, y, adjoint, A_bar, unused)
    adjoint = product(inverse.T, adjoint)
    later = y.copy()
    propagate(A, none, interval, later)
    interval_bar = np.sum(adjoint * product(A, later)).real
    around = adjoint.copy()
    propagate_adjoint(A, none, interval, y, around, A_bar, unused)
    if kind == STEADY_BOLUS:
        source_bar += adjoint
        return wait_bar, 0.0, interval_bar
    duration_bar = np.sum(adjoint * (product(A, given) + source)).real - wait_bar
    propagate_adjoint(A, source, duration, none, adjoint, A_bar, source_bar)
    return wait_bar, duration_bar, interval_bar
