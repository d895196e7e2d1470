r"""What happens where a switch is crossed: the states change, and the adjoint jumps.

Let y be the state just before a crossing of the switch with the function g, c(t, y, p) that just after, and f and f^+
the slopes there. With lam after the crossing, and D = lam . (c_y f + c_t - f^+), the adjoint before it is

    c_y^T lam + mu g_y,     and that of the parameters     c_p^T lam + mu g_p,     mu = -D / (g_t + g_y . f),

since the time of the crossing follows from g = 0, and moves by mu / D for each unit of g. The times of records do not
depend on it. A crossing that is caused by an event, or by the change at another, has the time of that: then mu = 0, and
D of the other takes lam . c_y f + lam . c_t through both changes.

References
----------
Rozenvasser EN (1967). General sensitivity equations of discontinuous systems. Automation and Remote Control 28:400-404.
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.cutting import returns
from qsp_bayes.ode.field import (
    at,
    change_states,
    evaluate_switches,
    pull_change,
    pull_switches,
    switch_slopes,
)
from qsp_bayes.ode.integration import CHATTERING, FIRST_DIRECTION, FULL, KEEP, NOT_FINITE
from qsp_bayes.ode.jit import assign, kernel, zero
from qsp_bayes.ode.nonlinear import hamiltonian
from qsp_bayes.ode.path import LENGTH, START
from qsp_bayes.ode.switching import (
    FIRST_CROSSING,
    FOLLOWING,
    SETTLED,
    TIME_BAR,
    WHICH,
    crossing_code,
    is_past,
)
from qsp_bayes.ode.table import WORD

MAX_CHAIN = 100
"""Crossings at one time, each caused by the one before, before it is taken that there is no end to them."""


@kernel()
def pass_switch(problem, r, k, caused, fires):  # type: ignore[no-untyped-def]
    """Take row r of the path across switch k; return the row after it, or minus the status."""
    path, room, scale, changed = problem.path, problem.room, problem.room.scale, problem.switch_room.changed
    n, t, total = scale.size, path.times[r, START], 0.0
    side = problem.values.shape[0] + k
    room.p[side] = 1.0 - room.p[side]
    if fires:
        change_states(problem.field, t, at(path.states, r), room.p, address(changed))
    after = r
    if problem.options[KEEP] != 0:
        if r + 1 >= path.methods.size:
            return -FULL
        after = r + 1
        path.methods[r] = crossing_code(k, caused, fires)
        path.times[r, LENGTH] = 0.0
        path.times[after, START] = t
    for i in range(n):
        path.states[after, i] = changed[k * n + i] if fires else path.states[r, i]
        scale[i] = max(scale[i], abs(path.states[after, i]))
        total += path.states[after, i]
    return after if math.isfinite(total) else -NOT_FINITE


@kernel()
def fires(problem, k):  # type: ignore[no-untyped-def]
    """Whether states change where switch k is now crossed."""
    direction, upward = (
        problem.options[FIRST_DIRECTION + k],
        problem.room.p[problem.values.shape[0] + k] == 0.0,
    )
    return direction == 0 or (direction == 1 and upward) or (direction == -1 and not upward)


@kernel()
def settle(problem, stop, r):  # type: ignore[no-untyped-def]
    """Take row r of the path across the switch at which a step was cut, and across all that it is past then.

    Those that change no state come first, so that none of the changes goes unseen by them, then in order of the system.

    Returns the row after them, or minus the status. Where the function of a switch has not moved since it was passed,
    its sign is that of rounding, and the flow tells where it goes: on, or back at once, as with a ball that bounces.
    One that its own change takes back does not change states again.
    """
    room, path, switch_room = problem.room, problem.path, problem.switch_room
    values, past, seen, sides = (
        switch_room.values,
        switch_room.past,
        switch_room.seen,
        problem.values.shape[0],
    )
    which, t, own = problem.spans[stop, WHICH], path.times[r, START], np.int64(-1)
    evaluate_switches(problem.field, t, at(path.states, r), room.p, address(values))
    for k in range(values.size):
        if not math.isfinite(values[k]):
            return -NOT_FINITE
        arrived = which >= 0 and (k == which or is_past(values[k], room.p[sides + k]))
        past[k], seen[k] = 1.0 if arrived else 0.0, np.nan
    for _ in range(MAX_CHAIN):
        changes = which >= 0 and fires(problem, which)
        for k in range(values.size if which < 0 or changes else 0):
            side = room.p[sides + k]
            if values[k] == seen[k] and returns(problem, k, t, r, 1.0 - side):
                past[k] = 1.0
            elif values[k] == seen[k] or not is_past(values[k], side):
                continue
            changes_states = k != own and fires(problem, k)
            if which < 0 or (changes and not changes_states):
                which, changes = k, changes_states
        if which < 0:
            return r
        r = pass_switch(problem, r, which, past[which] == 0.0, changes)
        if r < 0:
            return r
        seen[which] = values[which] if past[which] > 0.0 else np.nan
        past[which] = 0.0
        own, which = which if changes else own, np.int64(-1)
        evaluate_switches(problem.field, t, at(path.states, r), room.p, address(values))
    return -CHATTERING


@kernel()
def pass_back(problem, stop, r):  # type: ignore[no-untyped-def]
    """Adjoint of `pass_switch`, including the time of the crossing."""
    field, room, path, switch_room = problem.field, problem.room, problem.path, problem.switch_room
    changed, bars, clock, rates = switch_room.changed, switch_room.bars, switch_room.clock, switch_room.slopes
    code, n, t, y = path.methods[r] - FIRST_CROSSING, room.lam.size, path.times[r, START], at(path.states, r)
    k, caused, changes = code // 4, code // 2 % 2 == 1, code % 2 == 1
    following_row, side = r + 1, problem.values.shape[0] + k
    carried = following_row == problem.spans[stop, SETTLED]
    if following_row < problem.spans[stop, 1] and path.methods[following_row] >= FIRST_CROSSING:
        carried = carried or (path.methods[following_row] - FIRST_CROSSING) // 2 % 2 == 1
    if not carried:
        after = y
        if changes:
            change_states(field, t, y, room.p, address(changed))
            after = address(changed) + k * n * WORD
        clock[FOLLOWING] = hamiltonian(problem, t, after)
    room.p[side] = 1.0 - room.p[side]
    clock[TIME_BAR] = 0.0
    if changes:
        zero(bars)
        for i in range(n):
            bars[k * n + i] = room.lam[i]
        zero(room.Y_bar)
        pull_change(field, t, y, room.p, address(bars), room.Y_bar, room.p_bar, clock, TIME_BAR)
        assign(room.lam, room.Y_bar)
    if caused:
        clock[FOLLOWING] -= clock[TIME_BAR]
        return
    difference = hamiltonian(problem, t, y) + clock[TIME_BAR] - clock[FOLLOWING]
    switch_slopes(field, t, y, room.p, address(room.F), address(rates))
    mu = -difference / rates[k]
    zero(rates)
    rates[k] = mu
    pull_switches(field, t, y, room.p, address(rates), room.lam, room.p_bar)
