"""A second authority for the tests of the solvers: CVODES, through the Python interface that its authors publish.

BDF with a dense Newton iteration and CVODES's own forward sensitivities share no code with the engines under test.
Right-hand sides are plain numpy functions, which is slow. Between two events the method runs on without a restart,
and it steps exactly to every time that is asked for, so that no interpolation adds to the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sundials4py", reason="sundials4py (CVODES) is not installed: pip install -e .[test]")

from sundials4py import core, cvodes

Field = Callable[[float, np.ndarray], np.ndarray]
"""Function of the time and the state: a right-hand side (state,), or a matrix of its derivatives."""
Event = tuple[float, Any]
"""Time and change. See `solve` and `sensitivities`."""

MAXIMUM_STEPS = 10_000_000
COMPLEX_STEP = 1e-30


class SolverError(Exception):
    """CVODES gave up, or refused what it was asked; the message holds the name of its flag."""


def solve(
    f: Field,
    jacobian: Field | None,
    times: Sequence[float],
    y0: Sequence[float],
    events: Sequence[Event] = (),
    *,
    start: float = 0.0,
    rtol: float = 1e-10,
    atol: float | Sequence[float] = 1e-12,
) -> np.ndarray:
    """States at `times`, after the events of the same time.

    Parameters
    ----------
    f : callable
        Right-hand side: ``f(t, y)`` gives dy/dt (state,).
    jacobian : callable, optional
        ``jacobian(t, y)`` gives df/dy (state, state). Without it CVODES takes difference quotients.
    times : sequence of float
        When the states are wanted, in order, none before `start`.
    y0 : sequence of float
        State at `start`, before the events of that time.
    events : sequence of (float, change)
        A change is a function of the state that gives the next one (a bolus, a reset), or an array (state,) that is
        added to the right-hand side from then on (an infusion starts; its negative stops it). Events of one time
        take place in the order in which they are given.
    start : float
        First time.
    rtol, atol : float
        Tolerances of a step; `atol` may be given by state. Expect global errors some ten times as large.

    Returns
    -------
    numpy.ndarray
        States (time, state).
    """
    states, _ = integrate(f, jacobian, None, times, y0, np.empty((len(y0), 0)), events, start, rtol, atol)
    return states


def sensitivities(
    f: Field,
    jacobian: Field,
    slopes: Field,
    times: Sequence[float],
    y0: Sequence[float],
    s0: np.ndarray,
    events: Sequence[Event] = (),
    *,
    start: float = 0.0,
    rtol: float = 1e-10,
    atol: float | Sequence[float] = 1e-12,
    scale: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """States and their derivatives by parameters, by CVODES's forward sensitivities under error control.

    Parameters
    ----------
    f, times, y0, start, rtol, atol
        As for `solve`.
    jacobian, slopes : callable
        ``jacobian(t, y)`` gives df/dy (state, state), ``slopes(t, y)`` df/dp (state, parameter);
        `complex_step` derives both from a right-hand side that accepts complex numbers.
    s0 : numpy.ndarray
        Derivative of `y0` (state, parameter).
    events : sequence of (float, change)
        A change is a function of state and sensitivities that gives both anew, or a pair of arrays: what is added
        to the right-hand side from then on (state,), and its derivative (state, parameter). A time that depends
        on a parameter moves the sensitivities too, by (f before - f after) dt/dp, which the function has to add.
    scale : sequence of float, optional
        Typical size of each parameter: its sensitivities are held to ``atol / scale``. By default 1.

    Returns
    -------
    states : numpy.ndarray
        (time, state).
    sensitivities : numpy.ndarray
        (time, state, parameter).
    """
    sizes = np.ones(np.shape(s0)[1]) if scale is None else np.abs(np.asarray(scale, float))
    return integrate(f, jacobian, slopes, times, y0, s0, events, start, rtol, atol, sizes)


def complex_step(f: Callable[..., Any], argument: int) -> Callable[..., np.ndarray]:
    """Derivative of ``f(t, y, p)`` by one of its arguments, (value, entry of the argument), exact to rounding."""

    def derivative(*arguments: Any) -> np.ndarray:
        point = np.asarray(arguments[argument], complex)
        columns = []
        for j in range(len(point)):
            shifted = point.copy()
            shifted[j] += 1j * COMPLEX_STEP
            moved = (*arguments[:argument], shifted, *arguments[argument + 1 :])
            columns.append(np.imag(f(*moved)) / COMPLEX_STEP)
        return np.stack(columns, axis=-1)

    return derivative


def integrate(
    f: Field,
    jacobian: Field | None,
    slopes: Field | None,
    times: Sequence[float],
    y0: Sequence[float],
    s0: np.ndarray,
    events: Sequence[Event],
    start: float,
    rtol: float,
    atol: float | Sequence[float],
    scale: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """States, and sensitivities where `slopes` are given: both tasks are one."""
    wanted = np.asarray(times, float)
    if np.any(np.diff(wanted, prepend=start) < 0):
        raise ValueError(f"times must not decrease, nor begin before {start:g}")
    solver = Solver(f, jacobian, slopes, np.array(y0, float), np.array(s0, float), start, rtol, atol, scale)
    waiting = sorted(events, key=lambda event: event[0])
    if waiting and waiting[0][0] < start:
        raise ValueError(f"an event at {waiting[0][0]:g} is before the start at {start:g}")
    states, derivatives = np.empty((len(wanted), len(y0))), np.empty((len(wanted), *np.shape(s0)))
    for row, time in enumerate(wanted):
        while waiting and waiting[0][0] <= time:
            at, change = waiting.pop(0)
            solver.advance(at)
            solver.change(change)
        solver.advance(time)
        states[row] = solver.y
        for column, values in enumerate(solver.S):
            derivatives[row, :, column] = values
    return states, derivatives


class Solver:
    """One solve of CVODES. `y` and `S` are views of the vectors in which it works."""

    def __init__(
        self,
        f: Field,
        jacobian: Field | None,
        slopes: Field | None,
        y0: np.ndarray,
        s0: np.ndarray,
        start: float,
        rtol: float,
        atol: float | Sequence[float],
        scale: np.ndarray | None,
    ) -> None:
        self.f, self.jacobian, self.slopes = f, jacobian, slopes
        self.now, self.restart = start, False
        self.input, self.input_slopes = np.zeros(len(y0)), np.zeros(s0.shape)
        self.failure: Exception | None = None

        _, context = core.SUNContext_Create(core.SUN_COMM_NULL)
        core.SUNContext_ClearErrHandlers(context)

        def vector(values: np.ndarray) -> Any:
            made = core.N_VNew_Serial(len(values), context)
            core.N_VGetNumpyArray(made)[:] = values
            return made

        self.state = vector(y0)
        self.sensitivities = [vector(column) for column in s0.T]
        self.y = core.N_VGetNumpyArray(self.state)
        self.S = [core.N_VGetNumpyArray(column) for column in self.sensitivities]
        tolerance = vector(np.broadcast_to(np.asarray(atol, float), len(y0)))
        matrix = core.SUNDenseMatrix(len(y0), len(y0), context)
        linear = core.SUNLinSol_Dense(self.state, matrix, context)
        self.solver = cvodes.CVodeCreate(cvodes.CV_BDF, context)
        self.memory = self.solver.get()
        # Whatever CVODES holds on to has to live as long as it does.
        self.owned = context, tolerance, matrix, linear, scale

        self.call(cvodes.CVodeInit, self.right_hand_side, start, self.state)
        self.call(cvodes.CVodeSVtolerances, rtol, tolerance)
        self.call(cvodes.CVodeSetMaxNumSteps, MAXIMUM_STEPS)
        self.call(cvodes.CVodeSetLinearSolver, linear, matrix)
        if jacobian is not None:
            self.call(cvodes.CVodeSetJacFn, self.fill_jacobian)
        if self.S:
            method = cvodes.CV_SIMULTANEOUS
            self.call(cvodes.CVodeSensInit, len(self.S), method, self.variational, self.sensitivities)
            self.call(cvodes.CVodeSetSensParams, scale, scale, list(range(len(self.S))))
            self.call(cvodes.CVodeSensEEtolerances)
            self.call(cvodes.CVodeSetSensErrCon, 1)

    def call(self, function: Any, *arguments: Any) -> Any:
        """Call a function of CVODES, and raise what it, or a function that it called, has to say."""
        result = function(self.memory, *arguments)
        flag = result[0] if isinstance(result, tuple) else result
        if self.failure is not None:
            raise self.failure
        if flag < 0:
            raise SolverError(
                f"{function.__name__} at t = {self.now:g}: {cvodes.CVodeGetReturnFlagName(flag)}"
            )
        return result

    def advance(self, time: float) -> None:
        """Go to a time, which is not before the present one."""
        if time == self.now:
            return
        if self.restart:
            self.call(cvodes.CVodeReInit, self.now, self.state)
            if self.S:
                self.call(cvodes.CVodeSensReInit, cvodes.CV_SIMULTANEOUS, self.sensitivities)
            self.restart = False
        self.call(cvodes.CVodeSetStopTime, time)
        self.call(cvodes.CVode, time, self.state, cvodes.CV_NORMAL)
        if self.S:
            self.call(cvodes.CVodeGetSens, self.sensitivities)
        self.now = time

    def change(self, change: Any) -> None:
        """Apply an event at the present time."""
        self.restart = True
        if callable(change) and self.slopes is None:
            self.y[:] = change(self.y.copy())
        elif callable(change):
            y, S = change(self.y.copy(), np.stack(self.S, axis=1))
            self.y[:] = y
            for column, values in zip(self.S, np.transpose(S), strict=True):
                column[:] = values
        elif self.slopes is None:
            self.input = self.input + change
        else:
            self.input, self.input_slopes = self.input + change[0], self.input_slopes + change[1]

    def guarded(self, fill: Callable[[], None]) -> int:
        """Flag for CVODES, which exceptions must not pass through."""
        try:
            fill()
        except Exception as error:
            self.failure = error
            return -1
        return 0

    def right_hand_side(self, t: float, y: Any, derivative: Any, data: Any) -> int:
        def fill() -> None:
            core.N_VGetNumpyArray(derivative)[:] = self.f(t, core.N_VGetNumpyArray(y).copy()) + self.input

        return self.guarded(fill)

    def fill_jacobian(self, t: float, y: Any, dy: Any, matrix: Any, data: Any, *scratch: Any) -> int:
        def fill() -> None:
            assert self.jacobian is not None
            core.SUNDenseMatrix_Data(matrix)[:] = self.jacobian(t, core.N_VGetNumpyArray(y).copy())

        return self.guarded(fill)

    def variational(
        self, count: int, t: float, y: Any, dy: Any, S: Any, dS: Any, data: Any, *scratch: Any
    ) -> int:
        def fill() -> None:
            assert self.jacobian is not None
            assert self.slopes is not None
            here = core.N_VGetNumpyArray(y).copy()
            columns = np.stack([core.N_VGetNumpyArray(column) for column in S], axis=1)
            change = self.jacobian(t, here) @ columns + self.slopes(t, here) + self.input_slopes
            for column, values in zip(dS, change.T, strict=True):
                core.N_VGetNumpyArray(column)[:] = values

        return self.guarded(fill)
