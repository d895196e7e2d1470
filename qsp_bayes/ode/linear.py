"""The exact engine for dx/dt = A x + b + u(t), over a ragged batch of subjects, with its adjoint.

Forward, each subject's timeline is walked once; the state is kept in the eigenvectors' coordinates z = V^-1 x, so that an
interval costs one exponential per state. Backward, the adjoint L = V^T dJ/dx is walked the other way. Over an interval

    d(L_a z_b)/dt = (w_b - w_a) L_a z_b + L_a g_b,        g = V^-1 (b + u),

so the derivative with respect to A, the integral of L_a z_b, needs no exponentials beyond those of the forward walk. The
derivative with respect to the time of a step is the jump of the Hamiltonian H = L . dz/dt across it.
Cost and memory do not depend on the number of parameters.

Rows of the parameter table whose eigenvectors are unusable are walked in the system's own coordinates (V = I) with Taylor
series in place of exponentials; everything else is the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from qsp_bayes.ode import taylor
from qsp_bayes.ode.decomposition import EIGEN, INVALID, assemble
from qsp_bayes.ode.records import Records
from qsp_bayes.ode.steady import phi, phi_prime, product, steady, steady_adjoint, weight
from qsp_bayes.ode.timeline import (
    ANCHOR,
    AT_RECORD,
    AT_STOP,
    BOLUS,
    EQUILIBRIUM,
    KIND,
    N_COLUMNS,
    OBSERVE,
    RATE,
    RECORD,
    REPEAT,
    RESET,
    ROUTE,
    ROW,
    STATE,
    STEADY_CONSTANT,
    count_steps,
    delivery,
    expand,
    optional,
)

# Second axis of `Trace.modes`.
BEFORE, AFTER, DECAY, INTEGRAL = range(4)


class Matrix(NamedTuple):
    """The system by row of the parameter table: entries of A, b and initial state (the last two may have size 0).

    `n_dynamic` states come first; the others are accumulators.
    """

    pattern: np.ndarray
    reachable: np.ndarray
    n_dynamic: int
    values: np.ndarray
    affine: np.ndarray
    initial: np.ndarray


class Modes(NamedTuple):
    """Eigenvalues, eigenvectors, their inverse, and which propagator each row uses."""

    w: np.ndarray
    V: np.ndarray
    inverse: np.ndarray
    mode: np.ndarray


class Trace(NamedTuple):
    """What the forward walk leaves for the backward one.

    `bounds` and `offsets` hold where the records and the steps of each subject begin, `failed` which subjects could not be
    solved.
    """

    times: np.ndarray
    values: np.ndarray
    codes: np.ndarray
    modes: np.ndarray
    inputs: np.ndarray
    bounds: np.ndarray
    offsets: np.ndarray
    failed: np.ndarray


class Adjoints(NamedTuple):
    """Derivatives with respect to the inputs, in the shapes of the inputs."""

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


@njit(cache=True)
def subject_bounds(subject: np.ndarray) -> np.ndarray:
    """First record of each subject, and the end."""
    count = 0
    for n in range(subject.size):
        if n == 0 or subject[n] != subject[n - 1]:
            count += 1
    bounds = np.empty(count + 1, np.int64)
    bounds[count] = subject.size
    count = 0
    for n in range(subject.size):
        if n == 0 or subject[n] != subject[n - 1]:
            bounds[count] = n
            count += 1
    return bounds


@njit(cache=True)
def to_states(V, z, x):  # type: ignore[no-untyped-def]
    """X = real(V z)."""
    for i in range(x.size):
        total = V[i, 0] * z[0]
        for a in range(1, x.size):
            total += V[i, a] * z[a]
        x[i] = total.real


@njit(cache=True)
def to_modes(inverse, x, z):  # type: ignore[no-untyped-def]
    """Z = V^-1 x."""
    for a in range(x.size):
        total = inverse[a, 0] * x[0]
        for i in range(1, x.size):
            total += inverse[a, i] * x[i]
        z[a] = total


@njit(cache=True)
def adjoint_to_modes(V, x_bar, lam):  # type: ignore[no-untyped-def]
    """L = V^T x_bar."""
    for a in range(x_bar.size):
        total = V[0, a] * x_bar[0]
        for i in range(1, x_bar.size):
            total += V[i, a] * x_bar[i]
        lam[a] = total


@njit(cache=True)
def adjoint_to_states(inverse, lam, x_bar):  # type: ignore[no-untyped-def]
    """x_bar = real(V^-T L)."""
    for i in range(x_bar.size):
        total = inverse[0, i] * lam[0]
        for a in range(1, x_bar.size):
            total += inverse[a, i] * lam[a]
        x_bar[i] = total.real


@njit(cache=True)
def is_driven(affine, values, codes, first, last):  # type: ignore[no-untyped-def]
    """Whether b or an infusion acts on the subject at any time."""
    if affine.size > 0:
        return True
    for s in range(first, last):
        if codes[s, KIND] == RATE:
            return True
    return False


@njit(cache=True)
def total_input(matrix, row, inputs, total):  # type: ignore[no-untyped-def]
    """b + u."""
    for i in range(total.size):
        total[i] = inputs[i]
        if matrix.affine.size > 0:
            total[i] += matrix.affine[i, row]


@njit(cache=True)
def dynamic_part(A, n_dynamic, dtype_like):  # type: ignore[no-untyped-def]
    """The block of A over the states that are not accumulators, in the kernel's number type."""
    part = np.zeros((n_dynamic, n_dynamic), dtype_like.dtype)
    for i in range(n_dynamic):
        for j in range(n_dynamic):
            part[i, j] = A[i, j]
    return part


@njit(cache=True)
def steady_arguments(records, code):  # type: ignore[no-untyped-def]
    """Age, duration and interval of a steady-state step."""
    k, n = code[ROUTE], code[RECORD]
    _, _, duration = delivery(records, k, n)
    interval = records.interval[n]
    return -code[REPEAT] * interval - optional(records.lag, k, n, 0.0), duration, interval


@njit(cache=True)
def add_steady(kind, matrix, modes, A, row, source, age, duration, interval, z):  # type: ignore[no-untyped-def]
    """Add f(A) source to the dynamic states; accumulators stay as they are."""
    n, d = z.size, matrix.n_dynamic
    if modes.mode[row] != EIGEN:
        z[:d] += steady(kind, dynamic_part(A, d, z), source[:d].astype(z.dtype), age, duration, interval)
        return
    V, inverse = modes.V[row], modes.inverse[row]
    for a in range(d):
        s = inverse[a, 0] * source[0]
        for i in range(1, d):
            s += inverse[a, i] * source[i]
        if s == 0.0:
            continue
        f, _, _, _, _ = weight(kind, modes.w[row, a], age, duration, interval)
        z[a] += f * s
        for i in range(d, n):
            z[i] -= V[i, a] * f * s


@njit(cache=True)
def clear_dynamic(matrix, modes, row, z):  # type: ignore[no-untyped-def]
    """Set the dynamic states to 0; accumulators stay as they are."""
    d = matrix.n_dynamic
    if modes.mode[row] == EIGEN:
        for a in range(d):
            for i in range(d, z.size):
                z[i] += modes.V[row, i, a] * z[a]
    z[:d] = 0.0


@njit(cache=True)
def walk(matrix, modes, records, observed, trace, first, last, out):  # type: ignore[no-untyped-def]
    """Walk one subject's steps forward, fill its trace and its rows of `out`; False where the state is not finite."""
    n = modes.w.shape[1]
    z = np.zeros(n, modes.w.dtype)
    x = np.zeros(n)
    g = np.zeros(n, modes.w.dtype)
    inputs = np.zeros(n)
    total = np.zeros(n)
    A = np.zeros((n, n))
    driven = is_driven(matrix.affine, trace.values, trace.codes, first, last)
    row = trace.codes[first, ROW]
    now = min(0.0, trace.times[first])
    if modes.mode[row] == INVALID:
        return False
    if matrix.initial.size > 0:
        x[:] = matrix.initial[:, row]
        to_modes(modes.inverse[row], x, z)
    assembled = -1
    refresh = True
    for s in range(first, last):
        code = trace.codes[s]
        kind = code[KIND]
        if code[ROW] != row:
            to_states(modes.V[row], z, x)
            row = code[ROW]
            if modes.mode[row] == INVALID:
                return False
            to_modes(modes.inverse[row], x, z)
            refresh = True
        V, inverse, w = modes.V[row], modes.inverse[row], modes.w[row]
        if driven:
            if refresh:
                total_input(matrix, row, inputs, total)
                to_modes(inverse, total, g)
                refresh = False
            trace.inputs[s] = inputs
        if assembled != row and (modes.mode[row] != EIGEN or kind >= EQUILIBRIUM):
            assemble(matrix.pattern, matrix.values, row, A)
            assembled = row
        dt = trace.times[s] - now
        now = trace.times[s]
        if dt > 0.0:
            if modes.mode[row] == EIGEN:
                for a in range(n):
                    decay = np.exp(w[a] * dt)
                    trace.modes[s, DECAY, a] = decay
                    z[a] *= decay
                if driven:
                    for a in range(n):
                        integral = dt * phi(w[a] * dt)
                        trace.modes[s, INTEGRAL, a] = integral
                        z[a] += integral * g[a]
            else:
                taylor.propagate(A, g, dt, z)
        trace.modes[s, BEFORE] = z
        if kind == OBSERVE:
            for q in range(observed.size):
                i = observed[q]
                value = V[i, 0] * z[0]
                for a in range(1, n):
                    value += V[i, a] * z[a]
                out[code[RECORD], q] = value.real
        elif kind == BOLUS:
            for a in range(n):
                z[a] += inverse[a, code[STATE]] * trace.values[s]
        elif kind == RATE:
            inputs[code[STATE]] += trace.values[s]
            refresh = True
        elif kind == RESET:
            x[:] = 0.0
            if matrix.initial.size > 0:
                x[:] = matrix.initial[:, row]
            to_modes(inverse, x, z)
            inputs[:] = 0.0
            refresh = True
        else:
            total[:] = 0.0
            if kind == EQUILIBRIUM:
                clear_dynamic(matrix, modes, row, z)
                inputs[:] = 0.0
                refresh = True
                if matrix.affine.size > 0:
                    total[:] = matrix.affine[:, row]
                    add_steady(STEADY_CONSTANT, matrix, modes, A, row, total, 0.0, 0.0, 0.0, z)
            else:
                total[code[STATE]] = trace.values[s]
                age, duration, interval = steady_arguments(records, code)
                add_steady(kind, matrix, modes, A, row, total, age, duration, interval, z)
        trace.modes[s, AFTER] = z
    finite = True
    for a in range(n):
        finite = finite and np.isfinite(z[a].real)
    return finite


@njit(cache=True)
def forward(matrix, modes, records, observed):  # type: ignore[no-untyped-def]
    """Solve every subject.

    Returns
    -------
    out : (record, observed state) float
        States at the observation records; 0 at other records, NaN for a subject that cannot be solved.
    trace : Trace
    """
    bounds = subject_bounds(records.subject)
    n_subjects = bounds.size - 1
    n = modes.w.shape[1]
    offsets = np.zeros(n_subjects + 1, np.int64)
    capacity = 0
    largest = 0
    for i in range(n_subjects):
        count = count_steps(records, bounds[i], bounds[i + 1])
        capacity += max(count, 0)
        largest = max(largest, count)
    trace = Trace(
        np.empty(capacity),
        np.empty(capacity),
        np.empty((capacity, N_COLUMNS), np.int64),
        np.empty((capacity, 4, n), modes.w.dtype),
        np.empty((capacity, n)),
        bounds,
        offsets,
        np.zeros(n_subjects, np.bool_),
    )
    pending = (np.empty(largest), np.empty(largest), np.empty((largest, N_COLUMNS), np.int64))
    out = np.zeros((records.time.size, observed.size))
    start = 0
    for i in range(n_subjects):
        count = count_steps(records, bounds[i], bounds[i + 1])
        good = count >= 0
        stop = start
        if good:
            stop = start + expand(
                records, bounds[i], bounds[i + 1], trace.times, trace.values, trace.codes, start, pending
            )
            good = stop == start or walk(matrix, modes, records, observed, trace, start, stop, out)
        if not good:
            trace.failed[i] = True
            for q in range(bounds[i], bounds[i + 1]):
                out[q] = np.nan
        start = stop
        offsets[i + 1] = stop
    return out, trace


@njit(cache=True)
def flush(matrix, modes, row, M, bar):  # type: ignore[no-untyped-def]
    """Turn what was gathered in the modes' coordinates into derivatives of the entries of A, and clear it."""
    n = M.shape[0]
    if modes.mode[row] == EIGEN:
        w, V, inverse = modes.w[row], modes.V[row], modes.inverse[row]
        for a in range(n):
            for b in range(n):
                if a != b and matrix.reachable[a, b]:
                    M[a, b] /= w[b] - w[a]
        T = np.zeros_like(M)
        for i in range(n):
            for a in range(n):
                v = inverse[a, i]
                if v != 0.0:
                    for b in range(n):
                        T[i, b] += v * M[a, b]
        for k in range(matrix.pattern.shape[0]):
            i, j = matrix.pattern[k, 0], matrix.pattern[k, 1]
            total = T[i, 0] * V[j, 0]
            for b in range(1, n):
                total += T[i, b] * V[j, b]
            bar.values[k, row] += total.real
    else:
        for k in range(matrix.pattern.shape[0]):
            bar.values[k, row] += M[matrix.pattern[k, 0], matrix.pattern[k, 1]].real
    M[:] = 0.0


@njit(cache=True)
def add_steady_adjoint(kind, matrix, modes, A, row, source, age, duration, interval, lam, M, source_bar):  # type: ignore[no-untyped-def]
    """Adjoint of `add_steady`: gather in M and `source_bar`; return the derivatives of age, duration and interval."""
    n, d = lam.size, matrix.n_dynamic
    if modes.mode[row] != EIGEN:
        A_bar = np.zeros((d, d), lam.dtype)
        s_bar = np.zeros(d, lam.dtype)
        result = steady_adjoint(
            kind,
            dynamic_part(A, d, lam),
            source[:d].astype(lam.dtype),
            age,
            duration,
            interval,
            lam[:d].copy(),
            A_bar,
            s_bar,
        )
        M[:d, :d] += A_bar
        for i in range(d):
            source_bar[i] += s_bar[i].real
        return result
    V, inverse, w = modes.V[row], modes.inverse[row], modes.w[row]
    s = np.zeros(d, lam.dtype)
    f = np.zeros(d, lam.dtype)
    seen = np.zeros(d, lam.dtype)  # the adjoint as the dynamic states alone see it
    age_bar, duration_bar, interval_bar = 0.0, 0.0, 0.0
    for a in range(d):
        seen[a] = lam[a]
        for i in range(d, n):
            seen[a] -= V[i, a] * lam[i]
        for i in range(d):
            s[a] += inverse[a, i] * source[i]
        # A mode that the source does not reach contributes nothing, decaying or not.
        if s[a] == 0.0 and not w[a].real < 0.0:
            continue
        value, slope, by_age, by_duration, by_interval = weight(kind, w[a], age, duration, interval)
        f[a] = value
        M[a, a] += slope * seen[a] * s[a]
        age_bar += (by_age * seen[a] * s[a]).real
        duration_bar += (by_duration * seen[a] * s[a]).real
        interval_bar += (by_interval * seen[a] * s[a]).real
    for a in range(d):
        for b in range(d):
            if a != b and matrix.reachable[a, b]:
                M[a, b] += (f[b] - f[a]) * seen[a] * s[b]
    for i in range(d):
        total = inverse[0, i] * (f[0] * seen[0])
        for a in range(1, d):
            total += inverse[a, i] * (f[a] * seen[a])
        source_bar[i] += total.real
    return age_bar, duration_bar, interval_bar


@njit(cache=True)
def clear_dynamic_adjoint(matrix, modes, row, lam):  # type: ignore[no-untyped-def]
    """Adjoint of `clear_dynamic`."""
    d = matrix.n_dynamic
    for a in range(d):
        lam[a] = 0.0
        if modes.mode[row] == EIGEN:
            for i in range(d, lam.size):
                lam[a] += modes.V[row, i, a] * lam[i]


@njit(cache=True)
def share_among_inputs(records, bar, k, n, amount_bar, rate_bar, duration_bar):  # type: ignore[no-untyped-def]
    """Pass derivatives of a delivery's amount, rate and duration on to AMT, F, rate and duration as they were given."""
    amount, rate, duration = delivery(records, k, n)
    F = optional(records.bioavailability, k, n, 1.0)
    if rate > 0.0:
        if optional(records.rate, k, n, 0.0) > 0.0:  # duration = amount / rate
            amount_bar += duration_bar / rate
            bar.rate[k, n] += rate_bar - duration_bar * duration / rate
        else:  # rate = amount / duration
            amount_bar += rate_bar / duration
            bar.duration[k, n] += duration_bar - rate_bar * rate / duration
    bar.amount[n] += amount_bar * F
    if bar.bioavailability.size > 0:
        bar.bioavailability[k, n] += amount_bar * records.amount[n]


@njit(cache=True)
def walk_back(matrix, modes, records, observed, trace, first, last, out_bar, bar):  # type: ignore[no-untyped-def]
    """Walk one subject's steps backward and add to the derivatives."""
    n = modes.w.shape[1]
    lam = np.zeros(n, modes.w.dtype)
    back = np.zeros(n, modes.w.dtype)
    g = np.zeros(n, modes.w.dtype)
    area = np.zeros(n, modes.w.dtype)
    M = np.zeros((n, n), modes.w.dtype)
    x = np.zeros(n)
    x_bar = np.zeros(n)
    total = np.zeros(n)
    source_bar = np.zeros(n)
    input_bar = np.zeros(n)
    A = np.zeros((n, n))
    driven = is_driven(matrix.affine, trace.values, trace.codes, first, last)
    row = trace.codes[last - 1, ROW]
    assembled = -1
    hamiltonian = 0.0
    for s in range(last - 1, first - 1, -1):
        code = trace.codes[s]
        kind = code[KIND]
        k, n_record = code[ROUTE], code[RECORD]
        if code[ROW] != row:
            flush(matrix, modes, row, M, bar)
            adjoint_to_states(modes.inverse[row], lam, x_bar)
            row = code[ROW]
            adjoint_to_modes(modes.V[row], x_bar, lam)
        V, inverse, w = modes.V[row], modes.inverse[row], modes.w[row]
        if assembled != row and (modes.mode[row] != EIGEN or kind >= EQUILIBRIUM):
            assemble(matrix.pattern, matrix.values, row, A)
            assembled = row
        amount_bar, rate_bar, duration_bar, lag_bar, interval_bar = 0.0, 0.0, 0.0, 0.0, 0.0
        if kind == OBSERVE:
            for q in range(observed.size):
                for a in range(n):
                    lam[a] += V[observed[q], a] * out_bar[n_record, q]
        elif kind == BOLUS:
            for a in range(n):
                amount_bar += (inverse[a, code[STATE]] * lam[a]).real
        elif kind == RATE:
            rate_bar = input_bar[code[STATE]] if code[ANCHOR] != AT_STOP else -input_bar[code[STATE]]
        elif kind == RESET:
            if matrix.initial.size > 0:
                adjoint_to_states(inverse, lam, x_bar)
                for i in range(n):
                    bar.initial[i, row] += x_bar[i]
            lam[:] = 0.0
            input_bar[:] = 0.0
        else:
            total[:] = 0.0
            source_bar[:] = 0.0
            if kind == EQUILIBRIUM:
                if matrix.affine.size > 0:
                    total[:] = matrix.affine[:, row]
                    add_steady_adjoint(
                        STEADY_CONSTANT, matrix, modes, A, row, total, 0.0, 0.0, 0.0, lam, M, source_bar
                    )  # fmt: skip
                    for i in range(n):
                        bar.affine[i, row] += source_bar[i]
                clear_dynamic_adjoint(matrix, modes, row, lam)
                input_bar[:] = 0.0
            else:
                total[code[STATE]] = trace.values[s]
                age, duration, interval = steady_arguments(records, code)
                age_bar, duration_bar, interval_bar = add_steady_adjoint(
                    kind, matrix, modes, A, row, total, age, duration, interval, lam, M, source_bar
                )
                lag_bar -= age_bar
                interval_bar -= code[REPEAT] * age_bar
                _, rate, _ = delivery(records, k, n_record)
                if rate > 0.0:
                    rate_bar = source_bar[code[STATE]]
                elif kind == STEADY_CONSTANT:
                    rate_bar = 0.0
                else:
                    amount_bar = source_bar[code[STATE]]

        # The interval before the step.
        start = trace.times[s - 1] if s > first else min(0.0, trace.times[first])
        dt = trace.times[s] - start
        if driven:
            total_input(matrix, row, trace.inputs[s], total)
            to_modes(inverse, total, g)
        end = trace.modes[s, BEFORE]
        before = 0.0
        if modes.mode[row] == EIGEN:
            for a in range(n):
                before += (lam[a] * (w[a] * end[a] + g[a])).real
        else:
            slope = product(A, end)
            for a in range(n):
                before += (lam[a] * (slope[a] + g[a])).real
        time_bar = before - hamiltonian
        hamiltonian = before

        bar.time[n_record] += time_bar
        if kind != OBSERVE and kind != RESET and kind != EQUILIBRIUM:
            if code[ANCHOR] != AT_RECORD:
                lag_bar += time_bar
                interval_bar += code[REPEAT] * time_bar
                if code[ANCHOR] == AT_STOP:
                    duration_bar += time_bar
            if bar.lag.size > 0:
                bar.lag[k, n_record] += lag_bar
            bar.interval[n_record] += interval_bar
            share_among_inputs(records, bar, k, n_record, amount_bar, rate_bar, duration_bar)

        if dt > 0.0:
            area[:] = 0.0
            if modes.mode[row] == EIGEN:
                for a in range(n):
                    back[a] = lam[a] * trace.modes[s, DECAY, a]
                if s > first and code[ROW] == trace.codes[s - 1, ROW]:
                    z = trace.modes[s - 1, AFTER]
                else:
                    state_at_start(matrix, modes, trace, s, first, row, x, area)
                    z = area.copy()
                    area[:] = 0.0
                if driven:
                    for a in range(n):
                        area[a] = trace.modes[s, INTEGRAL, a] * lam[a]
                        M[a, a] += g[a] * dt * dt * phi_prime(w[a] * dt) * lam[a]
                for a in range(n):
                    M[a, a] += dt * back[a] * z[a]
                    for b in range(n):
                        if a != b and matrix.reachable[a, b]:
                            M[a, b] += lam[a] * end[b] - back[a] * z[b] - g[b] * area[a]
                lam[:] = back
            else:
                z = np.empty_like(lam)
                state_at_start(matrix, modes, trace, s, first, row, x, z)
                taylor.propagate_adjoint(A, g, dt, z, lam, M, area)
            if driven:
                adjoint_to_states(inverse, area, x_bar)
                for i in range(n):
                    input_bar[i] += x_bar[i]
                if matrix.affine.size > 0:
                    for i in range(n):
                        bar.affine[i, row] += x_bar[i]
    flush(matrix, modes, row, M, bar)
    if matrix.initial.size > 0:
        adjoint_to_states(modes.inverse[row], lam, x_bar)
        for i in range(n):
            bar.initial[i, row] += x_bar[i]


@njit(cache=True)
def state_at_start(matrix, modes, trace, s, first, row, x, z):  # type: ignore[no-untyped-def]
    """State at the start of the interval before step s, in the coordinates of that interval's row."""
    x[:] = 0.0
    if s > first:
        to_states(modes.V[trace.codes[s - 1, ROW]], trace.modes[s - 1, AFTER], x)
    elif matrix.initial.size > 0:
        x[:] = matrix.initial[:, row]
    to_modes(modes.inverse[row], x, z)


@njit(cache=True)
def backward(matrix, modes, records, observed, trace, out_bar):  # type: ignore[no-untyped-def]
    """Derivatives of sum(out_bar * out) with respect to every input of `forward`; NaN for a subject that failed."""
    bar = Adjoints(
        np.zeros_like(records.time),
        np.zeros_like(records.amount),
        np.zeros_like(records.bioavailability),
        np.zeros_like(records.lag),
        np.zeros_like(records.rate),
        np.zeros_like(records.duration),
        np.zeros_like(records.interval),
        np.zeros_like(matrix.values),
        np.zeros_like(matrix.affine),
        np.zeros_like(matrix.initial),
    )
    for i in range(trace.bounds.size - 1):
        first, last = trace.offsets[i], trace.offsets[i + 1]
        if not trace.failed[i]:
            if last > first:
                walk_back(matrix, modes, records, observed, trace, first, last, out_bar, bar)
        else:
            for n in range(trace.bounds[i], trace.bounds[i + 1]):
                bar.values[:, records.row[n]] = np.nan
    return bar
