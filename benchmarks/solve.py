"""Concentrations of the study, and their gradient, beside general solvers at errors of at most 1e-8."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt

from benchmarks.comparison import Comparison
from benchmarks.general_solvers import (
    Solver,
    Values,
    cvodes_solver,
    diffrax_solver,
    exponentials,
    scipy_solver,
)
from benchmarks.gradient import relative_error
from benchmarks.theophylline_models import PARAMETERS, Observations, closed_form, study_of, theophylline
from benchmarks.timing import MICROSECONDS, interleaved

TARGET = 1e-8
"""Error that a solver with a tolerance must reach, relative to the largest concentration."""

Peer = tuple[Solver, float, float]
"""Solver, its tolerance, its error."""


def parameters(subjects: int) -> Values:
    """Clearance and volume per kilogram, and absorption rate, of each subject."""
    spread = np.exp(np.random.default_rng(0).normal(0.0, 0.3, (3, subjects)))
    return tuple(np.array([[0.04], [0.5], [1.5]]) * spread)


def ours(records: pd.DataFrame, weight: np.ndarray, values: Values, *, gradient: bool) -> tuple[Any, Solver]:
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


def compiled(function: Any, values: Values, evaluations: int) -> Callable[[int], float]:
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


def called(solver: Callable[[], object]) -> Callable[[int], float]:
    """Measure of one call of a solver in microseconds, over as many calls as make a tenth of a second."""

    def measure(repeat: int) -> float:
        start, calls = time.process_time(), 0
        while (seconds := time.process_time() - start) < 0.1:
            solver()
            calls += 1
        return seconds / calls * MICROSECONDS

    return measure


def cheapest(build: Callable[[float], Solver], exact: np.ndarray) -> Peer:
    """First solver to reach the target as tolerances fall by half a decade, with its tolerance and error."""
    for tolerance in np.logspace(-6.0, -13.0, 15).tolist():
        solver = build(tolerance)
        error = relative_error(solver(), exact)
        if error <= TARGET:
            return solver, tolerance, error
    raise ValueError(f"no tolerance reaches an error of {TARGET:g}")


def peers(
    observations: Observations, values: Values, exact: np.ndarray, *, gradient: bool
) -> dict[str, Peer | str]:
    """General solvers at the target error, or why they are missing."""
    solvers: dict[str, tuple[str, Callable[[float], Solver]]] = {
        "diffrax Tsit5": ("diffrax", lambda tol: diffrax_solver(observations, values, tol, gradient=gradient))
    }
    found: dict[str, Peer | str] = {}
    if not gradient:
        exponential = exponentials(observations, values)
        found["scipy expm"] = exponential, 0.0, relative_error(exponential(), exact)
        solvers["scipy DOP853"] = "scipy", lambda tol: scipy_solver(observations, values, tol)
        solvers["CVODES BDF"] = "sundials4py", lambda tol: cvodes_solver(observations, values, tol)
    for name, (package, build) in solvers.items():
        missing = f"{package} is not installed (pip install -e .[bench])"
        found[name] = missing if find_spec(package) is None else cheapest(build, exact)
    return found


def compare(records: pd.DataFrame, *, gradient: bool) -> list[Comparison]:
    observations = Observations.of(records)
    values = parameters(len(observations.dose))
    exact = closed_form(observations, *values)
    function, solver = ours(records, observations.weight, values, gradient=gradient)
    error = relative_error(solver(), exact)
    found = peers(observations, values, exact, gradient=gradient)
    measures = {name: called(peer[0]) for name, peer in found.items() if not isinstance(peer, str)}
    result = interleaved({"ours": compiled(function, values, 2000), **measures}, repeats=range(7))

    lines = []
    for name, peer in found.items():
        missing, tolerances, errors = "", {}, {"ours": error}
        if isinstance(peer, str):
            missing = peer
        else:
            _, tolerances[name], errors[name] = peer
        lines.append(
            Comparison(
                "solve",
                "concentrations + gradient" if gradient else "concentrations",
                "us",
                name,
                result["ours"],
                result.get(name),
                at_most=1.0,
                errors=errors,
                tolerances=tolerances,
                missing=missing,
            )
        )
    return lines


def measure() -> list[Comparison]:
    records = theophylline()
    return [*compare(records, gradient=False), *compare(records, gradient=True)]
