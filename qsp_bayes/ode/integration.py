"""Integration over one interval without events: steps of either method, their sizes, and the way back.

The error of a step is the root mean square over the states of error / tolerance, with the tolerance rtol |y| + atol.
Where no absolute tolerance is given it is `FLOOR` rtol times the largest size that the state has had so far (or
`FLOOR` times the largest of any state, if that is more): errors are then relative down to a thousandth of a state's
maximum, whatever its unit. Sizes of steps follow a proportional-integral controller.

References
----------
Hairer E, Wanner G (1996). Solving Ordinary Differential Equations II, sections IV.2 (stiffness) and IV.8 (control).
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode import rodas5p, tsit5
from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.field import at, jacobian, slopes, stages_at
from qsp_bayes.ode.jit import inlined_kernel, kernel, zero
from qsp_bayes.ode.lazy import late
from qsp_bayes.ode.path import LENGTH, START
from qsp_bayes.ode.timeline import RECORD, TIME

AUTOMATIC, STIFF, NONSTIFF = np.int64(0), np.int64(1), np.int64(2)
"""Methods: Rodas5P is `STIFF`, Tsit5 `NONSTIFF`."""

FINE, IMPOSSIBLE, NOT_FINITE, TOO_SMALL, TOO_MANY, NO_STEADY_STATE, CHATTERING = (
    np.int64(k) for k in range(7)
)
"""How a subject's integration ended: doses that cannot be given; a state that is not finite; steps that became too
small; more of them than allowed; a steady state that was not found; crossings of switches without end at one time."""
FULL, SWITCHED = np.int64(7), np.int64(8)
"""How it stopped, to go on: no more room in the path, which is then made larger; a switch is crossed."""

RTOL, FIRST_ATOL = range(2)
"""Entries of the tolerances; absolute ones are negative where left to the solver."""
LOCF, METHOD, MAX_STEPS, KEEP, AUTONOMOUS, N_FACTORS, FIRST_DIRECTION = range(7)
"""Entries of the options; `KEEP` is 0 where the path is not kept for a walk back. The directions of the switches come
last (see `CompiledEquations.directions`)."""

# Few systems have switches: see `cutting` and `crossing`, whose callbacks are compiled when first called.
cut_step = late("cut_step_nonlinear")
pass_back = late("pass_back_nonlinear")

AT_ONCE = np.int64(1)
"""What `cut_step` finds where a switch is crossed before the step has begun."""

FLOOR = 1e-3
SHORTEST = 1e-15
"""Step that is too small, as a share of the interval."""
SMALLEST, LARGEST, SAFETY = 0.2, 6.0, 0.9
STABLE = 1.5
"""Size of h times an eigenvalue below which Tsit5 is used. (It is stable up to about 3.5, but already near that bound
the derivatives, whose errors the control does not see, are much worse than the states.)"""
NONSTIFF_STEPS = 3
"""Steps in a row that must not look stiff before Tsit5 takes over."""


@inlined_kernel()
def tolerance(i, size, tolerances, room, overall):  # type: ignore[no-untyped-def]
    """Tolerance of a state of some size."""
    absolute = tolerances[FIRST_ATOL + i]
    if absolute < 0.0:
        absolute = FLOOR * tolerances[RTOL] * max(room.scale[i], FLOOR * overall)
    return tolerances[RTOL] * size + absolute + 1e-300


@inlined_kernel()
def error_norm(tolerances, room, path, r, overall):  # type: ignore[no-untyped-def]
    """Error of a step in units of the tolerance."""
    total = 0.0
    for i in range(room.new.size):
        size = max(abs(path.states[r, i]), abs(room.new[i]))
        total += (room.error[i] / tolerance(i, size, tolerances, room, overall)) ** 2
    return math.sqrt(total / room.new.size)


@inlined_kernel()
def overall_size(field, room, path, r, t, end):  # type: ignore[no-untyped-def]
    """Largest size that any state has had, or may come to have where all are 0; sets `F`. Infinite for a bad slope."""
    slopes(field, t, at(path.states, r), room.p, room.u, address(room.F))
    overall, total, reach = 0.0, 0.0, 0.0
    for i in range(room.scale.size):
        overall = max(overall, room.scale[i])
        reach = max(reach, abs(room.F[i]) * (end - t))
        total += room.F[i]
    if not math.isfinite(total):
        return np.inf
    return reach if overall == 0.0 else overall


@inlined_kernel()
def first_length(field, tolerances, room, path, r, t, end, overall):  # type: ignore[no-untyped-def]
    """Length of the first step (Hairer, Norsett and Wanner 1993, section II.4), given `F`, the slopes."""
    n, span = room.F.size, end - t
    size, slope = 0.0, 0.0
    for i in range(n):
        scale = tolerance(i, abs(path.states[r, i]), tolerances, room, overall)
        size += (path.states[r, i] / scale) ** 2
        slope += (room.F[i] / scale) ** 2
    size, slope = math.sqrt(size / n), math.sqrt(slope / n)
    if slope == 0.0:
        return span
    h = min(0.01 * size / slope if size > 1e-5 else 1e-6 * span, span)
    for i in range(n):
        room.Y[i] = path.states[r, i] + h * room.F[i]
    slopes(field, t + h, address(room.Y), room.p, room.u, address(room.b))
    bend = 0.0
    for i in range(n):
        scale = tolerance(i, abs(path.states[r, i]), tolerances, room, overall)
        bend += ((room.b[i] - room.F[i]) / scale) ** 2
    bend = max(slope, math.sqrt(bend / n) / h)
    if not math.isfinite(bend):
        return 1e-3 * h
    return min(100.0 * h, (0.01 / bend) ** (1.0 / rodas5p.ORDER), span)


@inlined_kernel()
def jacobian_norm(field, room):  # type: ignore[no-untyped-def]
    """Upper bound of the size of the eigenvalues: the largest sum of a row of J."""
    bound, total = 0.0, 0.0
    for q in range(field.rows.size):
        if q > 0 and field.rows[q] != field.rows[q - 1]:
            total = 0.0
        total += abs(room.J[q])
        bound = max(bound, total)
    return bound


@inlined_kernel()
def next_method(method, signs, h, field, room):  # type: ignore[no-untyped-def]
    """Method of the next step, given J at its start, and how many steps in a row have spoken for Tsit5."""
    if h * jacobian_norm(field, room) > STABLE:
        return STIFF, 0
    return NONSTIFF if method == NONSTIFF or signs + 1 >= NONSTIFF_STEPS else STIFF, signs + 1


@inlined_kernel()
def first_stage(used, field, t, room, path, r, last):  # type: ignore[no-untyped-def]
    """Set the first stage of Tsit5 to the slope at the start, which is the last stage of a step of Tsit5 before."""
    if used == NONSTIFF:
        for i in range(room.F.size):
            path.stages[r, 0, i] = path.stages[last, 6, i]
    else:
        slopes(field, t, at(path.states, r), room.p, room.u, stages_at(path.stages, r))


@inlined_kernel()
def report(problem, method, k, stop, t, h, until, r):  # type: ignore[no-untyped-def]
    """Report the observations from step k on that fall into an integration step; return the next one."""
    room, path = problem.room, problem.path
    while k < stop and problem.steps[k, TIME] <= until:
        x = (problem.steps[k, TIME] - t) / h
        problem.spans[k, 0] = r
        for q in range(problem.observed.size):
            i = problem.observed[q]
            problem.out[q, problem.codes[k, RECORD]] = (
                rodas5p.dense(x, i, room.new[i], path, r)
                if method == STIFF
                else tsit5.dense(x, i, h, path, r)
            )
        k += 1
    return k


@inlined_kernel()
def advance(problem, k, stop, r, t, end, method):  # type: ignore[no-untyped-def]
    """Integrate from t to `end`, from row r of the path on; report the observations k to stop (exclusive).

    Returns the row of the state at the end, the method in use, and how it ended: where a switch is crossed the end is
    there, at the time of that row.
    """
    field, room, path = problem.field, problem.room, problem.path
    tolerances, options = problem.tolerances, problem.options
    automatic, keep = options[METHOD] == AUTOMATIC, options[KEEP] != 0
    switching, status = options.size > FIRST_DIRECTION, FINE
    n = room.new.size
    overall = overall_size(field, room, path, r, t, end)
    path.times[r, START] = t  # before anything that may fail: it tells when
    if not math.isfinite(overall):
        return r, method, NOT_FINITE
    h, span = first_length(field, tolerances, room, path, r, t, end, overall), end - t
    before, signs, rejected = math.log(1e-4), 0, False
    if automatic or method == STIFF:
        jacobian(field, t, at(path.states, r), room.p, room.J, room.T)
    if automatic:
        method, signs = next_method(method, signs, h, field, room)
    if method == NONSTIFF:
        first_stage(STIFF, field, t, room, path, r, r)
    while t < end:
        path.times[r, START] = t
        if problem.progress[2] >= options[MAX_STEPS]:
            return r, method, TOO_MANY
        if keep and r + 1 >= path.methods.size:
            return r, method, FULL
        last = t + 1.0000001 * h >= end
        if last:
            h = end - t
        if not (t + h > t and h > SHORTEST * span):
            return r, method, TOO_SMALL
        problem.progress[2] += 1
        done = True
        if method == STIFF:
            done = rodas5p.attempt(field, t, h, room, path, r)
        else:
            tsit5.attempt(field, t, h, room, path, r)
        error = error_norm(tolerances, room, path, r, overall) if done else np.nan
        if error <= 1.0:
            until = end if last else t + h
            path.times[r, LENGTH] = h
            path.methods[r] = method
            if switching:
                found = cut_step(problem.address, stop, r)
                if found < 0:
                    return r, method, -found
                if found == AT_ONCE:
                    return r, method, SWITCHED
                if found == FINE:
                    h, status = path.times[r, LENGTH], SWITCHED
                    until = end = min(t + h, end)
            k = report(problem, method, k, stop, t, h, until, r)
            if keep:
                r += 1
            for i in range(n):
                path.states[r, i] = room.new[i]
                room.scale[i] = max(room.scale[i], abs(room.new[i]))
                overall = max(overall, room.scale[i])
            t = until
            size = math.log(max(error, 1e-10))
            factor = SAFETY * math.exp(0.08 * before - 0.14 * size)
            h *= min(1.0 if rejected else LARGEST, max(SMALLEST, factor))
            before, rejected = max(size, math.log(1e-4)), False
            if t < end:
                used = method
                if automatic or method == STIFF:
                    jacobian(field, t, at(path.states, r), room.p, room.J, room.T)
                if automatic:
                    method, signs = next_method(method, signs, h, field, room)
                if method == NONSTIFF:
                    first_stage(used, field, t, room, path, r, r - keep)
        else:
            rejected = True
            h *= max(SMALLEST, SAFETY * error**-0.2) if error < np.inf else 0.1
    path.times[r, START] = t
    return r, method, status


@kernel()
def culprit(problem, r, status):  # type: ignore[no-untyped-def]
    """State because of which the integration failed at row r of the path, or -1.

    That is the one that is not finite, or else whose rate soon is not (after a step along the slopes), or else whose
    error in the last step that was tried is the largest in units of its tolerance.
    """
    field, room, path = problem.field, problem.room, problem.path
    n, t, overall = room.new.size, path.times[r, START], 0.0
    for i in range(n):
        if not math.isfinite(path.states[r, i]):
            return i
        overall = max(overall, room.scale[i])
    slopes(field, t, at(path.states, r), room.p, room.u, address(room.F))
    for i in range(n):
        if not math.isfinite(room.F[i]):
            return i
    worst, largest = -1, -1.0
    for i in range(n):
        size = max(abs(path.states[r, i]), abs(room.new[i]))
        error = abs(room.error[i]) / tolerance(i, size, problem.tolerances, room, overall)
        if error > largest:
            worst, largest = i, error
    h = 1e-15 * max(abs(t), 1e-300)
    while status == TOO_SMALL and h < 1e-6 * abs(t):
        for i in range(n):
            room.Y[i] = path.states[r, i] + h * room.F[i]
        slopes(field, t + h, address(room.Y), room.p, room.u, address(room.b))
        for i in range(n):
            if not math.isfinite(room.b[i]):
                return i
        h *= 4.0
    return worst


@inlined_kernel()
def retreat(problem, start, stop, begin, end):  # type: ignore[no-untyped-def]
    """Take the adjoint back over rows `begin` to `end` of the path, with the observations start to stop in them."""
    field, room, path, out_bar = problem.field, problem.room, problem.path, problem.out
    k = stop - 1
    for r in range(end - 1, begin - 1, -1):
        t, h, method = path.times[r, START], path.times[r, LENGTH], path.methods[r]
        if method > NONSTIFF:
            pass_back(problem.address, stop, r)
            continue
        zero(room.y_bar)
        for j in range(room.stages_bar.shape[0]):
            for i in range(room.y_bar.size):
                room.stages_bar[j, i] = 0.0
        observed = False
        if k >= start and problem.spans[k, 0] == r and method == STIFF:
            rodas5p.at_end(
                0, at(path.states, r), stages_at(path.stages, r), 1.0, address(room.new), room.new.size
            )
        while k >= start and problem.spans[k, 0] == r:
            x = (problem.steps[k, TIME] - t) / h
            observed = True
            record = problem.codes[k, RECORD]
            for q in range(problem.observed.size):
                i, cotangent = problem.observed[q], out_bar[q, record]
                if method == STIFF:
                    rodas5p.dense_adjoint(x, i, cotangent, room)
                    slope = rodas5p.dense_slope(x, i, h, room.new[i], path, r)
                else:
                    tsit5.dense_adjoint(x, i, h, cotangent, room)
                    slope = tsit5.dense_slope(x, i, path, r)
                problem.bar.time[record] += cotangent * slope
            k -= 1
        if method == STIFF:
            jacobian(field, t, at(path.states, r), room.p, room.J, room.T)
            rodas5p.adjoint(field, room, path, r)
        else:
            tsit5.adjoint(field, room, path, r, observed)
