"""The same concentrations by solvers that others wrote. A solver is a function that solves all subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from benchmarks.theophylline_models import Observations

Solver = Callable[[], np.ndarray]
Values = tuple[np.ndarray, ...]
"""Clearance and volume per kilogram, and absorption rate, of each subject."""


def rates(CL: float, Vc: float, KA: float) -> np.ndarray:
    """Matrix of the system: depot and central amounts."""
    return np.array([[-KA, 0.0], [KA, -CL / Vc]])


def exponentials(observations: Observations, values: Values) -> Solver:
    """Matrix exponentials of scipy, all observations at once."""
    CL, Vc, KA = values

    def solve() -> np.ndarray:
        A = np.stack([rates(*subject) for subject in zip(CL, Vc, KA, strict=True)])
        transition = expm(A[observations.subject] * observations.time[:, None, None])
        return (observations.dose / Vc)[observations.subject] * transition[:, 1, 0]

    return solve


def by_subject(observations: Observations, values: Values) -> Iterator[tuple[np.ndarray, Any, Any, Any, Any]]:
    """For each subject its rows, matrix, dose, times and volume."""
    for subject, (dose, CL, Vc, KA) in enumerate(zip(observations.dose, *values, strict=True)):
        rows = np.flatnonzero(observations.subject == subject)
        yield rows, rates(CL, Vc, KA), dose, observations.time[rows], Vc


def scipy_solver(observations: Observations, values: Values, tolerance: float) -> Solver:
    """Adaptive Runge-Kutta of order 8, subject by subject; the right-hand side is a Python function."""

    def solve() -> np.ndarray:
        concentrations = np.empty(len(observations.time))
        for rows, A, dose, times, Vc in by_subject(observations, values):
            span, start = (0.0, times[-1]), [dose, 0.0]
            path = solve_ivp(
                lambda _, x, A=A: A @ x, span, start, "DOP853", times, rtol=tolerance, atol=tolerance
            )
            concentrations[rows] = path.y[1] / Vc
        return concentrations

    return solve


def cvodes_solver(observations: Observations, values: Values, tolerance: float) -> Solver:
    """Backward differentiation with Newton's method, subject by subject; the right-hand side is a Python function."""
    from sundials4py import core, cvodes

    def amounts(A: np.ndarray, dose: float, times: np.ndarray) -> np.ndarray:
        _, context = core.SUNContext_Create(core.SUN_COMM_NULL)
        state = core.N_VNew_Serial(2, context)
        here = core.N_VGetNumpyArray(state)
        here[:] = dose, 0.0

        def field(t: float, x: Any, derivative: Any, data: Any) -> int:
            core.N_VGetNumpyArray(derivative)[:] = A @ core.N_VGetNumpyArray(x)
            return 0

        solver = cvodes.CVodeCreate(cvodes.CV_BDF, context)
        memory = solver.get()
        cvodes.CVodeInit(memory, field, 0.0, state)
        cvodes.CVodeSStolerances(memory, tolerance, tolerance)
        matrix = core.SUNDenseMatrix(2, 2, context)
        linear = core.SUNLinSol_Dense(state, matrix, context)
        cvodes.CVodeSetLinearSolver(memory, linear, matrix)
        path = np.empty((len(times), 2))
        for row, time in zip(path, times, strict=True):
            cvodes.CVode(memory, time, state, cvodes.CV_NORMAL)
            row[:] = here
        return path

    def solve() -> np.ndarray:
        concentrations = np.empty(len(observations.time))
        for rows, A, dose, times, Vc in by_subject(observations, values):
            concentrations[rows] = amounts(A, dose, times)[:, 1] / Vc
        return concentrations

    return solve


def diffrax_solver(observations: Observations, values: Values, tolerance: float, *, gradient: bool) -> Solver:
    """Adaptive Runge-Kutta of order 5 in JAX, all subjects in one compiled function."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    times = jnp.asarray(observations.time.reshape(len(observations.dose), -1))
    dose = jnp.asarray(observations.dose)

    def subject(CL: Any, Vc: Any, KA: Any, dose: Any, times: Any) -> Any:
        def field(t: Any, x: Any, arguments: Any) -> Any:
            return jnp.stack([-KA * x[0], KA * x[0] - CL / Vc * x[1]])

        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            0.0,
            times[-1],
            None,
            jnp.stack([dose, jnp.zeros_like(dose)]),
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
            max_steps=2048,
        )
        return solution.ys[:, 1] / Vc

    def concentrations(CL: Any, Vc: Any, KA: Any) -> Any:
        return jax.vmap(subject)(CL, Vc, KA, dose, times)

    def total(*values: Any) -> Any:
        predicted = concentrations(*values)
        return predicted.sum(), predicted

    if gradient:
        compiled = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))
        return lambda: np.asarray(jax.block_until_ready(compiled(*values))[0][1]).ravel()
    compiled = jax.jit(concentrations)
    return lambda: np.asarray(jax.block_until_ready(compiled(*values))).ravel()
