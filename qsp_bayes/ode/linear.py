"""The exact engine for dx/dt = A x + b + u(t), over a ragged batch of subjects, with its adjoint.

Forward, each subject's timeline is walked once; the state is kept in the eigenvectors' coordinates z = V^-1 x, so
that an interval costs one exponential per state. Backward, the adjoint L = V^T dJ/dx is walked the other way. Over
an interval

    d(L_a z_b)/dt = (w_b - w_a) L_a z_b + L_a g_b,        g = V^-1 (b + u),

so the derivative with respect to A, the integral of L_a z_b, needs no exponentials beyond those of the forward
walk. The derivative with respect to the time of a step is the jump of the Hamiltonian H = L . dz/dt across it.
Cost and memory do not depend on the number of parameters.

Rows of the parameter table whose eigenvectors are unusable are walked in the system's own coordinates (V = I) with
Taylor series in place of exponentials; everything else is the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsp_bayes.ode import taylor
from qsp_bayes.ode.decomposition import EIGEN, INVALID, assemble
from qsp_bayes.ode.delivery import dose_adjoint
from qsp_bayes.ode.jit import allocating_kernel, inlined_kernel, kernel, zero
from qsp_bayes.ode.lazy import late_by_number
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.steady import phi, phi_prime, slope_product, steady, steady_adjoint, weight
from qsp_bayes.ode.timeline import (
    ANCHOR,
    AT_STOP,
    BOLUS,
    EQUILIBRIUM,
    FAILED,
    FIRST_RECORD,
    FIRST_STEP,
    INPUTS,
    KIND,
    OBSERVE,
    PASS,
    RATE,
    RECORD,
    REPEAT,
    RESET,
    ROUTE,
    ROW,
    STATE,
    STEADY_CONSTANT,
    TIME,
    VALUE,
    delivery,
    expand,
    optional,
)
from qsp_bayes.ode.work import Work

# Second axis of `Trace.modes`.
BEFORE, AFTER, DECAY, INTEGRAL = range(4)


class Matrix(NamedTuple):
    """The system by row of the parameter table: entries of A, b and initial state (the last two may have size 0).

    `n_dynamic` states come first; the others are accumulators. What comes before is the structure (see `structure`).
    """

    pattern: np.ndarray
    reachable: np.ndarray
    blocks: np.ndarray
    block_of: np.ndarray
    parents: np.ndarray
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

    Attributes
    ----------
    steps : (step, 2 + n) float
        Time, value, and the input rates before the step.
    codes : (step, 7) int
    modes : (step, 4, n)
        State before and after the step, and decay and integral factors of the interval before it.
    subjects : (subject + 1, 3) int
        Where the records and the steps of each subject begin, and whether it could not be solved.
    """

    steps: np.ndarray
    codes: np.ndarray
    modes: np.ndarray
    subjects: np.ndarray


class Problem(NamedTuple):
    """What a callback works on.

    `out` holds the observed states by record (forward) or their adjoints (backward); `step_bars` the derivatives of
    one special step's value, lag, duration and interval. The two `waiting` arrays have room for all steps.
    """

    address: int
    matrix: Matrix
    modes: Modes
    records: Records
    observed: np.ndarray
    trace: Trace
    work: Work
    out: np.ndarray
    bar: Adjoints
    step_bars: np.ndarray
    waiting_steps: np.ndarray
    waiting_codes: np.ndarray


# Steps that few timelines have, and intervals without eigenvectors, are callbacks of their own (see `callbacks`),
# compiled when first called: the walks stay small, which makes them faster and several times quicker to compile.
special_step = late_by_number("special")
special_step_adjoint = late_by_number("special_adjoint")
coast_by_series = late_by_number("coast")
coast_by_series_adjoint = late_by_number("coast_adjoint")


@kernel()
def to_states(V, row, z, x):  # type: ignore[no-untyped-def]
    """Set x = real(V z)."""
    for i in range(x.size):
        total = V[row, i, 0] * z[0]
        for a in range(1, x.size):
            total += V[row, i, a] * z[a]
        x[i] = total.real


@kernel()
def to_modes(inverse, row, x, z):  # type: ignore[no-untyped-def]
    """Set z = V^-1 x."""
    for a in range(x.size):
        total = inverse[row, a, 0] * x[0]
        for i in range(1, x.size):
            total += inverse[row, a, i] * x[i]
        z[a] = total


@kernel()
def adjoint_to_modes(V, row, x_bar, lam):  # type: ignore[no-untyped-def]
    """Set L = V^T x_bar."""
    for a in range(x_bar.size):
        total = V[row, 0, a] * x_bar[0]
        for i in range(1, x_bar.size):
            total += V[row, i, a] * x_bar[i]
        lam[a] = total


@kernel()
def adjoint_to_states(inverse, row, lam, x_bar):  # type: ignore[no-untyped-def]
    """Set x_bar = real(V^-T L)."""
    for i in range(x_bar.size):
        total = inverse[row, 0, i] * lam[0]
        for a in range(1, x_bar.size):
            total += inverse[row, a, i] * lam[a]
        x_bar[i] = total.real


@kernel()
def is_driven(affine, codes, first, last):  # type: ignore[no-untyped-def]
    """Whether b or an infusion acts on the subject at any time."""
    if affine.size > 0:
        return True
    for s in range(first, last):
        if codes[s, KIND] == RATE:
            return True
    return False


@inlined_kernel()
def load_initial(matrix, row, x):  # type: ignore[no-untyped-def]
    """Set x to the initial state."""
    zero(x)
    if matrix.initial.size > 0:
        for i in range(x.size):
            x[i] = matrix.initial[i, row]


@inlined_kernel()
def load_affine(matrix, row, x):  # type: ignore[no-untyped-def]
    """Set x = b."""
    zero(x)
    if matrix.affine.size > 0:
        for i in range(x.size):
            x[i] = matrix.affine[i, row]


@allocating_kernel()
def dynamic_part(A, n_dynamic, like):  # type: ignore[no-untyped-def]
    """Return the block of A over the states that are not accumulators, in the type of numbers of `like`."""
    part = np.zeros((n_dynamic, n_dynamic), like.dtype)
    for i in range(n_dynamic):
        for j in range(n_dynamic):
            part[i, j] = A[i, j]
    return part


@allocating_kernel()
def head(x, size, like):  # type: ignore[no-untyped-def]
    """Copy of the first entries of a vector, in the type of numbers of `like`."""
    part = np.zeros(size, like.dtype)
    for i in range(size):
        part[i] = x[i]
    return part


@kernel()
def steady_arguments(records, k, n, repeat):  # type: ignore[no-untyped-def]
    """Age, duration and interval of a steady-state step."""
    _, _, duration = delivery(records, k, n)
    interval = records.interval[n]
    return -repeat * interval - optional(records.lag, k, n, 0.0), duration, interval


@allocating_kernel()
def add_steady(kind, matrix, modes, row, work, age, duration, interval):  # type: ignore[no-untyped-def]
    """Add f(A) `work.total` to the dynamic states; accumulators stay as they are."""
    z, n, d = work.z, work.z.size, matrix.n_dynamic
    if modes.mode[row] != EIGEN:
        part = np.zeros(d, z.dtype)
        steady(kind, dynamic_part(work.A, d, z), head(work.total, d, z), age, duration, interval, part)
        for a in range(d):
            z[a] += part[a]
        return
    for a in range(d):
        s = 0.0 * z[a]
        for i in range(d):
            s += modes.inverse[row, a, i] * work.total[i]
        if s == 0.0:
            continue
        f, _, _, _, _ = weight(kind, modes.w[row, a], age, duration, interval)
        z[a] += f * s
        for i in range(d, n):
            z[i] -= modes.V[row, i, a] * f * s


@allocating_kernel()
def apply_special(problem, s, row):  # type: ignore[no-untyped-def]
    """Apply a reset or a steady-state step to z."""
    _, matrix, modes, records, _, trace, work, _, _, _, _, _ = problem
    kind, z = trace.codes[s, KIND], work.z
    if kind == RESET:
        load_initial(matrix, row, work.x)
        to_modes(modes.inverse, row, work.x, z)
        return
    if kind == EQUILIBRIUM:
        d = matrix.n_dynamic
        for a in range(d):
            if modes.mode[row] == EIGEN:
                for i in range(d, z.size):
                    z[i] += modes.V[row, i, a] * z[a]
            z[a] = 0.0
        if matrix.affine.size > 0:
            load_affine(matrix, row, work.total)
            add_steady(STEADY_CONSTANT, matrix, modes, row, work, 0.0, 0.0, 0.0)
        return
    zero(work.total)
    work.total[trace.codes[s, STATE]] = trace.steps[s, VALUE]
    age, duration, interval = steady_arguments(
        records, trace.codes[s, ROUTE], trace.codes[s, RECORD], trace.codes[s, REPEAT]
    )
    add_steady(kind, matrix, modes, row, work, age, duration, interval)


@inlined_kernel()
def use_row(matrix, mode, row, work):  # type: ignore[no-untyped-def]
    """Tell whether a row has eigenvectors; put the system of one that has none in `work.A`."""
    if mode[row] == EIGEN:
        return True
    assemble(matrix.pattern, matrix.values, row, work.A)
    return False


@inlined_kernel()
def interval_before(steps, s, first):  # type: ignore[no-untyped-def]
    """Time from the step before (from time 0, or the first step where that is earlier) to step s."""
    return steps[s, TIME] - (steps[s - 1, TIME] if s > first else min(0.0, steps[first, TIME]))


@inlined_kernel()
def walk(problem, first, last):  # type: ignore[no-untyped-def]
    """Walk one subject's steps forward and fill its trace and columns of `out`; False where the state is not finite."""
    address, matrix, modes, _, observed, trace, work, out, _, _, _, _ = problem
    w, V, inverse, mode = modes.w, modes.V, modes.inverse, modes.mode
    steps, codes, along = trace.steps, trace.codes, trace.modes
    z, g, inputs = work.z, work.g, work.inputs
    n, n_observed = w.shape[1], observed.size
    zero(inputs)
    zero(g)
    driven = is_driven(matrix.affine, codes, first, last)
    row = codes[first, ROW]
    if mode[row] == INVALID:
        return False
    load_initial(matrix, row, work.x)
    to_modes(inverse, row, work.x, z)
    stale = driven
    eigen = use_row(matrix, mode, row, work)
    for s in range(first, last):
        kind = codes[s, KIND]
        if codes[s, ROW] != row:
            to_states(V, row, z, work.x)
            row = codes[s, ROW]
            if mode[row] == INVALID:
                return False
            to_modes(inverse, row, work.x, z)
            stale = driven
            eigen = use_row(matrix, mode, row, work)
        if stale:
            load_affine(matrix, row, work.total)
            for i in range(n):
                work.total[i] += inputs[i]
            to_modes(inverse, row, work.total, g)
            stale = False
        if driven:
            for i in range(n):
                steps[s, INPUTS + i] = inputs[i]
        dt = interval_before(steps, s, first)
        if dt > 0.0:
            if not eigen:
                if coast_by_series(address, s, first, z) < 0:
                    return False
            elif driven:
                for a in range(n):
                    decay = np.exp(w[row, a] * dt)
                    integral = dt * phi(w[row, a] * dt)
                    along[s, DECAY, a] = decay
                    along[s, INTEGRAL, a] = integral
                    z[a] = z[a] * decay + integral * g[a]
            else:
                for a in range(n):
                    decay = np.exp(w[row, a] * dt)
                    along[s, DECAY, a] = decay
                    z[a] *= decay
        for a in range(n):
            along[s, BEFORE, a] = z[a]
        if kind == OBSERVE:
            for q in range(n_observed):
                i = observed[q]
                value = V[row, i, 0] * z[0]
                for a in range(1, n):
                    value += V[row, i, a] * z[a]
                out[q, codes[s, RECORD]] = value.real
        if kind <= OBSERVE:
            continue
        if kind == BOLUS:
            for a in range(n):
                z[a] += inverse[row, a, codes[s, STATE]] * steps[s, VALUE]
        elif kind == RATE:
            inputs[codes[s, STATE]] += steps[s, VALUE]
            stale = True
        else:
            if special_step(address, s, row, z) < 0:
                return False
            if kind == RESET or kind == EQUILIBRIUM:
                zero(inputs)
                stale = driven
        for a in range(n):
            along[s, AFTER, a] = z[a]
    finite = 0.0
    for a in range(n):
        finite += abs(z[a])
    return np.isfinite(finite)


@inlined_kernel()
def forward(problem):  # type: ignore[no-untyped-def]
    """Solve every subject.

    `problem.out`, (observed state, record), comes filled with 0 and gets the states at the observation records; NaN
    for a subject that cannot be solved.
    """
    records, trace, out = problem.records, problem.trace, problem.out
    waiting_steps, waiting_codes = problem.waiting_steps, problem.waiting_codes
    subjects = trace.subjects
    start = np.int64(0)
    for i in range(subjects.shape[0] - 1):
        first, last = subjects[i, FIRST_RECORD], subjects[i + 1, FIRST_RECORD]
        subjects[i, FIRST_STEP] = start
        stop = start
        if subjects[i, FAILED] == 0:
            stop = expand(records, first, last, trace.steps, trace.codes, start, waiting_steps, waiting_codes)
            if stop > start:
                subjects[i, FAILED] = not walk(problem, start, stop)
        if subjects[i, FAILED] != 0:
            for n in range(first, last):
                for q in range(problem.observed.size):
                    out[q, n] = np.nan
        start = stop
        subjects[i + 1, FIRST_STEP] = stop


@inlined_kernel()
def flush(matrix, modes, row, work, bar_values):  # type: ignore[no-untyped-def]
    """Turn what was gathered in the modes' coordinates into derivatives of the entries of A, and clear it."""
    w, V, inverse, pattern, M, T = modes.w, modes.V, modes.inverse, matrix.pattern, work.M, work.T
    n = w.shape[1]
    if modes.mode[row] == EIGEN:
        for a in range(n):
            for b in range(n):
                T[a, b] = 0.0
                if a != b and matrix.reachable[a, b]:
                    M[a, b] /= w[row, b] - w[row, a]
        for i in range(n):
            for a in range(n):
                for b in range(n):
                    T[i, b] += inverse[row, a, i] * M[a, b]
        for k in range(pattern.shape[0]):
            total = T[pattern[k, 0], 0] * V[row, pattern[k, 1], 0]
            for b in range(1, n):
                total += T[pattern[k, 0], b] * V[row, pattern[k, 1], b]
            bar_values[k, row] += total.real
    else:
        for k in range(pattern.shape[0]):
            bar_values[k, row] += M[pattern[k, 0], pattern[k, 1]].real
    for a in range(n):
        for b in range(n):
            M[a, b] = 0.0


@allocating_kernel()
def add_steady_adjoint(kind, matrix, modes, row, work, age, duration, interval):  # type: ignore[no-untyped-def]
    """Adjoint of `add_steady`: gather in `work.M` and `work.x_bar`; return those of age, duration and interval."""
    lam, M, n, d = work.lam, work.M, work.lam.size, matrix.n_dynamic
    zero(work.x_bar)
    if modes.mode[row] != EIGEN:
        A_bar = np.zeros((d, d), lam.dtype)
        source_bar = np.zeros(d, lam.dtype)
        age_bar, duration_bar, interval_bar = steady_adjoint(
            kind, dynamic_part(work.A, d, lam), head(work.total, d, lam), age, duration, interval,
            head(lam, d, lam), A_bar, source_bar,
        )  # fmt: skip
        for i in range(d):
            work.x_bar[i] = source_bar[i].real
            for j in range(d):
                M[i, j] += A_bar[i, j]
        return age_bar, duration_bar, interval_bar
    s, f, seen = work.s, work.f, work.seen
    age_bar, duration_bar, interval_bar = 0.0, 0.0, 0.0
    for a in range(d):
        s[a] = 0.0
        f[a] = 0.0
        seen[a] = lam[a]  # the adjoint as the dynamic states alone see it
        for i in range(d, n):
            seen[a] -= modes.V[row, i, a] * lam[i]
        for i in range(d):
            s[a] += modes.inverse[row, a, i] * work.total[i]
        if s[a] == 0.0 and not modes.w[row, a].real < 0.0:
            continue  # not excited: it contributes nothing, decaying or not
        value, slope, by_age, by_duration, by_interval = weight(
            kind, modes.w[row, a], age, duration, interval
        )
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
        for a in range(d):
            work.x_bar[i] += (modes.inverse[row, a, i] * f[a] * seen[a]).real
    return age_bar, duration_bar, interval_bar


@allocating_kernel()
def apply_special_adjoint(problem, s, row):  # type: ignore[no-untyped-def]
    """Adjoint of `apply_special`; sets the derivatives of the step's value, lag, duration and interval."""
    _, matrix, modes, records, _, trace, work, _, bar, step_bars, _, _ = problem
    kind, lam = trace.codes[s, KIND], work.lam
    zero(step_bars)
    if kind == RESET:
        if matrix.initial.size > 0:
            adjoint_to_states(modes.inverse, row, lam, work.x_bar)
            for i in range(lam.size):
                bar.initial[i, row] += work.x_bar[i]
        zero(lam)
        return
    if kind == EQUILIBRIUM:
        if matrix.affine.size > 0:
            load_affine(matrix, row, work.total)
            add_steady_adjoint(STEADY_CONSTANT, matrix, modes, row, work, 0.0, 0.0, 0.0)
            for i in range(lam.size):
                bar.affine[i, row] += work.x_bar[i]
        d = matrix.n_dynamic
        for a in range(d):
            lam[a] = 0.0
            if modes.mode[row] == EIGEN:
                for i in range(d, lam.size):
                    lam[a] += modes.V[row, i, a] * lam[i]
        return
    state, repeat = trace.codes[s, STATE], trace.codes[s, REPEAT]
    zero(work.total)
    work.total[state] = trace.steps[s, VALUE]
    age, duration, interval = steady_arguments(records, trace.codes[s, ROUTE], trace.codes[s, RECORD], repeat)
    age_bar, duration_bar, interval_bar = add_steady_adjoint(
        kind, matrix, modes, row, work, age, duration, interval
    )
    step_bars[0], step_bars[1] = work.x_bar[state], -age_bar
    step_bars[2], step_bars[3] = duration_bar, interval_bar - repeat * age_bar


@kernel()
def after(codes, s):  # type: ignore[no-untyped-def]
    """Where `Trace.modes` holds the state after step s: an observation leaves it as it was."""
    return BEFORE if codes[s, KIND] <= OBSERVE else AFTER


@inlined_kernel()
def state_at_start(problem, s, first, row):  # type: ignore[no-untyped-def]
    """Set `work.z` to the state at the start of the interval before step s, in the coordinates of its row."""
    _, matrix, modes, _, _, trace, work, _, _, _, _, _ = problem
    if s == first:
        load_initial(matrix, row, work.x)
        to_modes(modes.inverse, row, work.x, work.z)
        return
    side = after(trace.codes, s - 1)
    for a in range(work.z.size):
        work.z[a] = trace.modes[s - 1, side, a]
    if trace.codes[s - 1, ROW] != row:
        to_states(modes.V, trace.codes[s - 1, ROW], work.z, work.x)
        to_modes(modes.inverse, row, work.x, work.z)


@inlined_kernel()
def walk_back(problem, first, last):  # type: ignore[no-untyped-def]
    """Walk one subject's steps backward and add to the derivatives; False where a callback could not be compiled."""
    address, matrix, modes, records, observed, trace, work, out_bar, bar, step_bars, _, _ = problem
    w, V, inverse, mode, reachable = modes.w, modes.V, modes.inverse, modes.mode, matrix.reachable
    steps, codes, along = trace.steps, trace.codes, trace.modes
    bar_time, bar_values, bar_affine = bar.time, bar.values, bar.affine
    z, g, lam, area, M, input_bar = work.z, work.g, work.lam, work.area, work.M, work.inputs
    n, n_observed = w.shape[1], observed.size
    zero(lam)
    zero(input_bar)
    zero(g)
    driven = is_driven(matrix.affine, codes, first, last)
    row = codes[last - 1, ROW]
    eigen = use_row(matrix, mode, row, work)
    hamiltonian, worked = 0.0, True
    for s in range(last - 1, first - 1, -1):
        kind = codes[s, KIND]
        if codes[s, ROW] != row:
            flush(matrix, modes, row, work, bar_values)
            adjoint_to_states(inverse, row, lam, work.x_bar)
            row = codes[s, ROW]
            adjoint_to_modes(V, row, work.x_bar, lam)
            eigen = use_row(matrix, mode, row, work)

        # The step itself.
        value_bar, lag_bar, duration_bar, interval_bar = 0.0, 0.0, 0.0, 0.0
        if kind == OBSERVE:
            for q in range(n_observed):
                cotangent = out_bar[q, codes[s, RECORD]]
                for a in range(n):
                    lam[a] += V[row, observed[q], a] * cotangent
        elif kind == BOLUS:
            for a in range(n):
                value_bar += (inverse[row, a, codes[s, STATE]] * lam[a]).real
        elif kind == RATE:
            value_bar = input_bar[codes[s, STATE]]
            if codes[s, ANCHOR] == AT_STOP:
                value_bar = -value_bar
        elif kind != PASS:
            worked = special_step_adjoint(address, s, row, lam) == 0 and worked
            value_bar, lag_bar = step_bars[0], step_bars[1]
            duration_bar, interval_bar = step_bars[2], step_bars[3]
            if kind == RESET or kind == EQUILIBRIUM:
                zero(input_bar)

        # Its time: the jump of the Hamiltonian, which is constant over the interval before it.
        if driven:
            load_affine(matrix, row, work.total)
            for i in range(n):
                work.total[i] += steps[s, INPUTS + i]
            to_modes(inverse, row, work.total, g)
        before = 0.0
        if eigen:
            for a in range(n):
                before += (lam[a] * (w[row, a] * along[s, BEFORE, a] + g[a])).real
        else:
            before = slope_product(lam, work.A, along[s, BEFORE], g)
        time_bar = before - hamiltonian
        hamiltonian = before
        bar_time[codes[s, RECORD]] += time_bar
        if kind == BOLUS or kind == RATE or kind > EQUILIBRIUM:
            dose_adjoint(records, bar, codes, s, time_bar, value_bar, lag_bar, duration_bar, interval_bar)

        # The interval before it.
        dt = interval_before(steps, s, first)
        if dt > 0.0:
            state_at_start(problem, s, first, row)
            if not eigen:
                worked = coast_by_series_adjoint(address, s, first, lam) == 0 and worked
            elif driven:
                for a in range(n):
                    end_a = lam[a]
                    start_a = end_a * along[s, DECAY, a]
                    area[a] = along[s, INTEGRAL, a] * end_a
                    M[a, a] += dt * start_a * z[a] + g[a] * dt * dt * phi_prime(w[row, a] * dt) * end_a
                    for b in range(n):
                        if a != b and reachable[a, b]:
                            M[a, b] += end_a * along[s, BEFORE, b] - start_a * z[b] - g[b] * area[a]
                    lam[a] = start_a
            else:
                for a in range(n):
                    end_a = lam[a]
                    start_a = end_a * along[s, DECAY, a]
                    M[a, a] += dt * start_a * z[a]
                    for b in range(n):
                        if a != b and reachable[a, b]:
                            M[a, b] += end_a * along[s, BEFORE, b] - start_a * z[b]
                    lam[a] = start_a
            if driven:
                adjoint_to_states(inverse, row, area, work.x_bar)
                for i in range(n):
                    input_bar[i] += work.x_bar[i]
                if bar_affine.size > 0:
                    for i in range(n):
                        bar_affine[i, row] += work.x_bar[i]
    flush(matrix, modes, row, work, bar_values)
    if matrix.initial.size > 0:
        adjoint_to_states(inverse, row, lam, work.x_bar)
        for i in range(n):
            bar.initial[i, row] += work.x_bar[i]
    return worked


@inlined_kernel()
def backward(problem):  # type: ignore[no-untyped-def]
    """Add the derivatives of sum(out_bar * out) to those in `bar`; NaN for the rows of a subject that failed."""
    subjects, bar = problem.trace.subjects, problem.bar
    for i in range(subjects.shape[0] - 1):
        first, last = subjects[i, FIRST_STEP], subjects[i + 1, FIRST_STEP]
        solved = subjects[i, FAILED] == 0
        if solved and last > first:
            solved = walk_back(problem, first, last)
        if not solved:
            for n in range(subjects[i, FIRST_RECORD], subjects[i + 1, FIRST_RECORD]):
                for k in range(bar.values.shape[0]):
                    bar.values[k, problem.records.row[n]] = np.nan


@allocating_kernel()
def coast(problem, s, first):  # type: ignore[no-untyped-def]
    """Propagate z over the interval before step s by Taylor series."""
    work = problem.work
    taylor.propagate(work.A, work.g, interval_before(problem.trace.steps, s, first), work.z)


@allocating_kernel()
def coast_adjoint(problem, s, first):  # type: ignore[no-untyped-def]
    """Take L back over the interval before step s, and gather the derivatives of A and of what b and infusions add."""
    work = problem.work
    zero(work.area)
    dt = interval_before(problem.trace.steps, s, first)
    taylor.propagate_adjoint(work.A, work.g, dt, work.z, work.lam, work.M, work.area)
