"""The sides of a system's switches: which side of zero each function is on, as far as the integration has noticed.

A switch has a function g(t, y, p). Its side, 1 where g is positive and 0 elsewhere, follows the parameters in the
vector p, where the right-hand side reads it. It changes only at a crossing, at which the integration stops: within a
step the right-hand side is one smooth function, whatever the sign of g in a stage. `cutting` ends a step at a crossing,
and `crossing` does what happens there.

An entry of `Path` that is no step of a method but a crossing has length 0, and tells in its method which switch it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.field import evaluate_switches
from qsp_bayes.ode.jit import inlined_kernel, kernel
from qsp_bayes.ode.table import carve

SETTLED, SIDES, WHICH = range(2, 5)
"""Columns of `Problem.spans` of a system with switches: the row after the crossings that the event before has caused,
the sides on arrival as bits of a number, and the switch at which a step was cut (-1 after an event)."""

MAX_SWITCHES = 62
"""Sides that fit into a number."""

FIRST_CROSSING = np.int64(3)
"""Method of a crossing of the first switch; see `crossing_code`."""

FOLLOWING, TIME_BAR = range(2)
"""Entries of `SwitchRoom.clock`: lam . dx/dt after a crossing, and an adjoint of the time."""


class SwitchRoom(NamedTuple):
    """Working arrays of the switches, one entry for each: functions, others of their kind, new states and adjoints."""

    values: Any
    slopes: Any
    past: Any
    seen: Any
    changed: Any
    bars: Any
    clock: Any


@inlined_kernel()
def carve_switch_room(at, n, n_switches):  # type: ignore[no-untyped-def]
    """Return the working arrays that begin at `at`, and where they end."""
    vectors, at = carve(at, (4, n_switches), np.float64)
    matrices, at = carve(at, (2, n_switches * n), np.float64)
    clock, at = carve(at, (2,), np.float64)
    room = SwitchRoom(vectors[0], vectors[1], vectors[2], vectors[3], matrices[0], matrices[1], clock)
    return room, at


@inlined_kernel()
def is_past(value, side):  # type: ignore[no-untyped-def]
    """Whether a function of a switch has left a side; at 0 it has not."""
    return value > 0.0 if side == 0.0 else value < 0.0


@kernel()
def read_sides(problem, t, y):  # type: ignore[no-untyped-def]
    """Set the sides to those of the state at an address, whatever they were."""
    values, sides = problem.switch_room.values, problem.values.shape[0]
    evaluate_switches(problem.field, t, y, problem.room.p, address(values))
    for k in range(values.size):
        problem.room.p[sides + k] = 1.0 if values[k] > 0.0 else 0.0


@kernel()
def note_sides(problem, stop):  # type: ignore[no-untyped-def]
    """Note the sides on arrival at a step of the timeline."""
    bits, sides = np.int64(0), problem.values.shape[0]
    for k in range(problem.switch_room.values.size):
        if problem.room.p[sides + k] > 0.0:
            bits |= np.int64(1) << np.int64(k)
    problem.spans[stop, SIDES] = bits


@kernel()
def load_sides(problem, stop):  # type: ignore[no-untyped-def]
    """Set the sides to those on arrival at a step of the timeline."""
    bits, sides = problem.spans[stop, SIDES], problem.values.shape[0]
    for k in range(problem.switch_room.values.size):
        problem.room.p[sides + k] = np.float64((bits >> np.int64(k)) & np.int64(1))


@inlined_kernel()
def crossing_code(k, caused, fires):  # type: ignore[no-untyped-def]
    """Method of a crossing of switch k: whether an event or another switch caused it, and whether states change."""
    return FIRST_CROSSING + 4 * k + 2 * np.int64(caused) + np.int64(fires)
