"""Reference solutions of the nonlinear problems, and the errors of others against them."""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.problems import PROBLEMS, Problem
from benchmarks.straight_line import COMPILED, straight_line

STATE_TARGET, SENSITIVITY_TARGET = 1e-6, 1e-5
"""Errors that every engine has to meet."""
FLOOR = 1e-3
"""Share of a state's largest value below which errors count as if the state were as large as that."""
TIGHT = 1e-12

Solution = tuple[np.ndarray, np.ndarray]
"""States (subject, time, state) and sensitivities (subject, time, state, parameter); the last axis may be empty."""


METHODS = {"P1": "DOP853"}
"""P1 is not stiff, and PyMC solves it by LSODA."""


@functools.cache
def reference(name: str) -> Solution:
    """States and sensitivities of a problem by a method of scipy that no peer solves it by."""
    return by_scipy(PROBLEMS[name](), METHODS.get(name, "LSODA"))


def by_scipy(problem: Problem, method: str) -> Solution:
    """States and sensitivities, tight, by a method of `scipy.integrate.solve_ivp` on the variational equations."""
    N, P = len(problem.states), len(problem.parameters)
    model = straight_line(problem)
    rates, slopes, by_state, by_parameter = model.rates, model.slopes, model.by_state, model.by_parameter
    n_J, n_F = len(by_state), len(by_parameter)

    @numba.njit(**COMPILED)
    def variational(t: float, x: Any, p: Any, inputs: Any) -> Any:
        """States, then sensitivities by state."""
        dx, J, F = np.zeros(len(x)), np.empty(n_J), np.empty(n_F)
        rates(t, x, p, dx[:N])
        dx[:N] += inputs
        slopes(t, x, p, J, F)
        S, dS = x[N:].reshape(N, P), dx[N:].reshape(N, P)
        for e in range(n_J):
            dS[by_state[e, 0]] += J[e] * S[by_state[e, 1]]
        for e in range(n_F):
            dS[by_parameter[e, 0], by_parameter[e, 1]] += F[e]
        return dx

    found = np.empty((problem.subjects, len(problem.times), N + N * P))
    for p, events, rows in zip(problem.values, problem.events(), found, strict=True):
        x, inputs, now = np.zeros(N + N * P), np.zeros(N), 0.0
        model.start(0.0, x, p, x[:N], x[N:])
        largest = np.full(N, np.max(events[:, 2]))
        atol = TIGHT * FLOOR * np.concatenate([largest, np.outer(largest, 1 / p).ravel()])
        ends = np.unique(np.append(events[:, 0], problem.times[-1]))
        for end in ends:
            inside = (problem.times > now) & (problem.times <= end)
            if end > now:
                path = solve_ivp(
                    variational,
                    (now, end),
                    x,
                    method,
                    np.unique(np.append(problem.times[inside], end)),
                    args=(p, inputs),
                    rtol=TIGHT,
                    atol=atol,
                )
                if not path.success:
                    raise ArithmeticError(f"{method} fails on {problem.name}: {path.message}")
                rows[inside], x = path.y.T[: inside.sum()], path.y[:, -1].copy()
            for _, state, jump, change in events[events[:, 0] == end]:
                x[int(state)] += jump
                inputs[int(state)] += change
            now = end
    return found[..., :N], found[..., N:].reshape(*found.shape[:2], N, P)


def sizes(states: np.ndarray) -> np.ndarray:
    """What errors of states (subject, time, state) count against."""
    return np.abs(states) + FLOOR * np.abs(states).max(axis=1, keepdims=True)


def errors(problem: Problem, found: Solution, exact: Solution) -> tuple[float, float]:
    """Largest errors of states and of sensitivities, relative to the states.

    A state's error counts against ``|y| + FLOOR max |y|`` over the subject's times; a sensitivity's, times its
    parameter, against the same, so that it is the error of d log y / d log p. Without sensitivities that is 0.
    """
    states, sensitivities = exact
    size = sizes(states)
    of_states = np.max(np.abs(found[0] - states) / size)
    if found[1].shape[-1] == 0:
        return float(of_states), 0.0
    scaled = np.abs(found[1] - sensitivities) * problem.values[:, None, None, :]
    return float(of_states), float(np.max(scaled / size[..., None]))
