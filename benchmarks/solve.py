"""Concentrations of the study, and their gradient, beside general solvers at errors of at most 1e-8."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from benchmarks.comparison import Comparison
from benchmarks.gradient import relative_error
from benchmarks.theophylline_models import PARAMETERS, Observations, closed_form, study_of, theophylline
from benchmarks.timing import MICROSECONDS, interleaved

TARGET = 1e-8
"""Error that a solver with a tolerance must reach, relative to the largest concentration."""

Solver = Callable[[], np.ndarray]


def parameters(subjects: int) -> tuple[np.ndarray, ...]:
    """Clearance and volume per kilogram, and absorption rate, of each subject."""
    spread = np.exp(np.random.default_rng(0).normal(0.0, 0.3, (3, subjects)))
    return tuple(np.array([[0.04], [0.5], [1.5]]) * spread)


def ours(
    records: Any, weight: np.ndarray, values: tuple[np.ndarray, ...], *, gradient: bool
) -> tuple[Any, Solver]:
    """Compiled function of a system and its event table, and a solver that calls it."""
    import qsp_bayes as qb

    variables = {name: pt.vector(name, shape=(len(weight),)) for name in PARAMETERS}
    scaled = {"CL": variables["CL"] * weight, "Vc": variables["Vc"] * weight, "KA": variables["KA"]}
    path = qb.one_compartment(absorption="first-order").solve(study_of(records).events(), scaled)
    outputs = [path["Cc"]]
    if gradient:
        outputs += pt.grad(path["Cc"].sum(), list(variables.values()))
    function = pytensor.function(list(variables.values()), outputs, mode="NUMBA").vm.jit_fn
    return function, lambda: np.asarray(function(*values)[0])


def compiled(function: Any, values: tuple[np.ndarray, ...], evaluations: int) -> Callable[[int], float]:
    """Measure of one evaluation, in microseconds, called from compiled code."""

    @numba.njit
    def evaluate(values: Any, evaluations: int) -> float:
        total = 0.0
        for _ in range(evaluations):
            total += function(*values)[0][0]
        return total

    evaluate(values, 1)

    def measure(repeat: int) -> float:
        start = time.process_time()
        evaluate(values, evaluations)
        return (time.process_time() - start) / evaluations * MICROSECONDS

    return measure


def called(solver: Solver) -> Callable[[int], float]:
    """Measure of one call of a solver in microseconds, over as many calls as make a tenth of a second."""

    def measure(repeat: int) -> float:
        start, calls = time.process_time(), 0
        while (seconds := time.process_time() - start) < 0.1:
            solver()
            calls += 1
        return seconds / calls * MICROSECONDS

    return measure


def rates(CL: float, Vc: float, KA: float) -> np.ndarray:
    """Matrix of the system: depot and central amounts."""
    return np.array([[-KA, 0.0], [KA, -CL / Vc]])


def exponentials(observations: Observations, values: tuple[np.ndarray, ...]) -> Solver:
    """Matrix exponentials of scipy, all observations at once."""
    CL, Vc, KA = values

    def solve() -> np.ndarray:
        A = np.stack([rates(*subject) for subject in zip(CL, Vc, KA, strict=True)])
        transition = expm(A[observations.subject] * observations.time[:, None, None])
        return (observations.dose / Vc)[observations.subject] * transition[:, 1, 0]

    return solve


def scipy_solver(observations: Observations, values: tuple[np.ndarray, ...], tolerance: float) -> Solver:
    """Adaptive Runge-Kutta of order 8, subject by subject."""
    CL, Vc, KA = values

    def solve() -> np.ndarray:
        concentrations = np.empty(len(observations.time))
        for subject, dose in enumerate(observations.dose):
            rows = observations.subject == subject
            A, times = rates(CL[subject], Vc[subject], KA[subject]), observations.time[rows]
            solution = solve_ivp(
                lambda _, x, A=A: A @ x,
                (0.0, times[-1]),
                [dose, 0.0],
                "DOP853",
                times,
                rtol=tolerance,
                atol=tolerance,
            )
            concentrations[rows] = solution.y[1] / Vc[subject]
        return concentrations

    return solve


def diffrax_solver(
    observations: Observations, values: tuple[np.ndarray, ...], tolerance: float, *, gradient: bool
) -> Solver:
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


def cheapest(build: Callable[[float], Solver], exact: np.ndarray) -> tuple[Solver, float, float]:
    """First solver to reach the target as tolerances fall by half a decade, with its tolerance and error."""
    for tolerance in np.logspace(-6.0, -13.0, 15).tolist():
        solver = build(tolerance)
        error = relative_error(solver(), exact)
        if error <= TARGET:
            return solver, tolerance, error
    raise ValueError(f"no tolerance reaches an error of {TARGET:g}")


def measure() -> list[Comparison]:
    records = theophylline()
    observations = Observations.of(records)
    values = parameters(len(observations.dose))
    exact = closed_form(observations, *values)
    lines = []
    for gradient, quantity in ((False, "concentrations"), (True, "concentrations + gradient")):
        function, solver = ours(records, observations.weight, values, gradient=gradient)
        error = relative_error(solver(), exact)
        peers: dict[str, tuple[Solver, float, float] | str] = {}
        if not gradient:
            exponential = exponentials(observations, values)
            peers["scipy expm"] = (exponential, 0.0, relative_error(exponential(), exact))
            peers["scipy DOP853"] = cheapest(lambda tol: scipy_solver(observations, values, tol), exact)
        if find_spec("diffrax") is None:
            peers["diffrax Tsit5"] = "diffrax is not installed (pip install -e .[bench])"
        else:
            peers["diffrax Tsit5"] = cheapest(
                lambda tol, gradient=gradient: diffrax_solver(observations, values, tol, gradient=gradient),
                exact,
            )
        measures = {name: called(peer[0]) for name, peer in peers.items() if isinstance(peer, tuple)}
        result = interleaved({"ours": compiled(function, values, 2000), **measures}, repeats=range(7))
        for name, peer in peers.items():
            missing = peer if isinstance(peer, str) else ""
            _, tolerance, their_error = (None, 0.0, float("nan")) if isinstance(peer, str) else peer
            lines.append(
                Comparison(
                    "solve",
                    quantity,
                    "us",
                    name,
                    result["ours"],
                    result.get(name),
                    at_most=1.0,
                    errors={"ours": error, name: their_error},
                    tolerances={name: tolerance},
                    missing=missing,
                )
            )
    return lines
