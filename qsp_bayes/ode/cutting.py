"""Where in a step a switch is crossed, and the step cut there.

A step that ends past a crossing is repeated with the length h at which g(t + h, y(h), p) = 0, y(h) being the method's
own end of a step, to the last digits that a time has: it ends at the first point at which g is seen to have changed
its sign. The search starts from the dense output. That is also looked through where g comes nearer to 0 at the start
of a step and goes away from it at the end, for the condition may have held in between.

References
----------
Hairer E, Norsett SP, Wanner G (1993). Solving Ordinary Differential Equations I, section II.6.
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode import rodas5p, tsit5
from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.field import at, evaluate_switches, slopes, switch_slopes
from qsp_bayes.ode.integration import AT_ONCE, FINE, NOT_FINITE, STIFF
from qsp_bayes.ode.jit import kernel
from qsp_bayes.ode.path import LENGTH, START
from qsp_bayes.ode.switching import WHICH, is_past
from qsp_bayes.ode.timeline import TIME

NONE = np.int64(2)
"""What `cut_step` finds where there is no crossing."""

BISECTIONS, MAX_TRIALS = 55, 200


@kernel()
def dense_flow(problem, x, h, method, r):  # type: ignore[no-untyped-def]
    """Set `F` to the slopes of the dense output of the step at row r, at a share x of its length."""
    room, path = problem.room, problem.path
    for i in range(room.F.size):
        room.F[i] = (
            rodas5p.dense_slope(x, i, h, room.new[i], path, r)
            if method == STIFF
            else tsit5.dense_slope(x, i, path, r)
        )


@kernel()
def turns(problem, t, h, method, r):  # type: ignore[no-untyped-def]
    """Whether a function comes nearer to 0 where a step begins, and goes away from it where it ends."""
    field, room, switch_room, found = problem.field, problem.room, problem.switch_room, False
    before, after, sides = switch_room.seen, switch_room.slopes, problem.values.shape[0]
    dense_flow(problem, 0.0, h, method, r)
    switch_slopes(field, t, at(problem.path.states, r), room.p, address(room.F), address(before))
    dense_flow(problem, 1.0, h, method, r)
    switch_slopes(field, t + h, address(room.new), room.p, address(room.F), address(after))
    for k in range(before.size):
        side = room.p[sides + k]
        if is_past(before[k], side) and not is_past(after[k], side):
            found = True
    return found


@kernel()
def returns(problem, k, t, r, side):  # type: ignore[no-untyped-def]
    """Whether the flow at row r of the path goes towards a side of switch k."""
    field, room, path, rates = problem.field, problem.room, problem.path, problem.switch_room.slopes
    slopes(field, t, at(path.states, r), room.p, room.u, address(room.F))
    switch_slopes(field, t, at(path.states, r), room.p, address(room.F), address(rates))
    return is_past(rates[k], 1.0 - side)


@kernel()
def look(problem, x, t, h, method, r):  # type: ignore[no-untyped-def]
    """Evaluate the dense output of the step at row r, into `Y`, and the functions of the switches there."""
    room, path = problem.room, problem.path
    for i in range(room.Y.size):
        room.Y[i] = (
            rodas5p.dense(x, i, room.new[i], path, r) if method == STIFF else tsit5.dense(x, i, h, path, r)
        )
    evaluate_switches(problem.field, t + x * h, address(room.Y), room.p, address(problem.switch_room.values))


@kernel()
def dense_root(problem, k, high, t, h, method, r):  # type: ignore[no-untyped-def]
    """Where in a step, from 0 to `high`, its dense output is first seen to be past switch k; at `high` it is."""
    room, path, values = problem.room, problem.path, problem.switch_room.values
    side = room.p[problem.values.shape[0] + k]
    evaluate_switches(problem.field, t, at(path.states, r), room.p, address(values))
    if is_past(values[k], side) and not returns(problem, k, t, r, side):
        return 0.0
    low = 0.0
    for _ in range(BISECTIONS):
        x = 0.5 * (low + high)
        look(problem, x, t, h, method, r)
        if is_past(values[k], side):
            high = x
        else:
            low = x
    return high


@kernel()
def turning_point(problem, k, t, h, method, r):  # type: ignore[no-untyped-def]
    """Where in a step its dense output is past switch k although it is not at the end; 0 where it is not.

    The function of the switch is followed to where it turns, if it comes nearer at the start and leaves at the end.
    """
    field, room, rates, values = (
        problem.field,
        problem.room,
        problem.switch_room.slopes,
        problem.switch_room.values,
    )
    side = room.p[problem.values.shape[0] + k]
    low, high, x = 0.0, 1.0, 0.0
    for trial in range(BISECTIONS):
        look(problem, x, t, h, method, r)
        if trial > 0 and is_past(values[k], side):
            return x
        dense_flow(problem, x, h, method, r)
        switch_slopes(field, t + x * h, address(room.Y), room.p, address(room.F), address(rates))
        if is_past(rates[k], side):
            low = x
        elif trial == 0:
            return 0.0
        else:
            high = x
        x = 0.5 * (low + high)
    return 0.0


@kernel()
def step_of_length(problem, t, h, method, r):  # type: ignore[no-untyped-def]
    """Repeat the step from row r with another length; sets `new`, and the functions of the switches there."""
    field, room, path = problem.field, problem.room, problem.path
    done = True
    if method == STIFF:
        done = rodas5p.attempt(field, t, h, room, path, r)
    else:
        tsit5.attempt(field, t, h, room, path, r)
    evaluate_switches(field, t + h, address(room.new), room.p, address(problem.switch_room.values))
    return done


@kernel()
def cut_step(problem, stop, r):  # type: ignore[no-untyped-def]
    """Shorten the step at row r to end at the first switch that it crosses, if it crosses one.

    Returns FINE where it was shortened, AT_ONCE where the crossing is at its start, NONE where there is none, and minus
    the status where it cannot be done.
    """
    field, room, path, switch_room = problem.field, problem.room, problem.path, problem.switch_room
    values, past, rates, sides = (
        switch_room.values,
        switch_room.past,
        switch_room.slopes,
        problem.values.shape[0],
    )
    t, h, method = path.times[r, START], path.times[r, LENGTH], path.methods[r]
    end, found = min(t + h, problem.steps[stop, TIME]), turns(problem, t, h, method, r)
    evaluate_switches(field, end, address(room.new), room.p, address(values))
    for k in range(values.size):
        if not math.isfinite(values[k]):
            return -NOT_FINITE
        past[k] = 1.0 if is_past(values[k], room.p[sides + k]) else 0.0
        found = found or past[k] > 0.0
    if not found:
        return NONE
    for k in range(values.size):
        if past[k] == 0.0:
            past[k] = turning_point(problem, k, t, h, method, r)
    first, which = 2.0, np.int64(-1)
    for k in range(values.size):
        if past[k] > 0.0:
            x = dense_root(problem, k, past[k], t, h, method, r)
            if x < first:
                first, which = x, k
    if which < 0:
        return NONE
    problem.spans[stop, WHICH] = which
    if first == 0.0:
        return AT_ONCE
    side, digits = room.p[sides + which], 2.3e-16 * max(abs(t), abs(t + h))
    low, high, length, tried, shift = 0.0, past[which] * h, first * h, h, 2.0 * digits
    for _ in range(MAX_TRIALS):
        if high - low <= 4.0 * digits:
            break
        if not (low < length < high):
            length = 0.5 * (low + high)
        if not step_of_length(problem, t, length, method, r):
            return -NOT_FINITE
        tried, reached = length, is_past(values[which], side)
        if reached:
            high = length
        else:
            low = length
        value = values[which]
        slopes(field, t + length, address(room.new), room.p, room.u, address(room.F))
        switch_slopes(field, t + length, address(room.new), room.p, address(room.F), address(rates))
        correction = -value / rates[which]
        if not abs(correction) > shift:  # as near as it gets: close in from the other side
            correction = -shift if reached else shift
            shift *= 4.0
        length += correction
    if not t + high > t:
        high = digits
    if tried != high and not step_of_length(problem, t, high, method, r):
        return -NOT_FINITE
    path.times[r, LENGTH] = high
    return FINE
