"""Errors of a solver's derivatives over prior draws, against a reference solver and finite differences of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.calibration.solver_errors import labelled, observed, scaled_error, solution
from qsp_bayes.data.study import Study
from qsp_bayes.ode.solvers import Solver
from qsp_bayes.systems.system import System

STEP = 0.003
"""Of the finite differences, in the logarithm of a parameter."""
STENCIL = {-2: 1.0 / 12.0, -1: -8.0 / 12.0, 1: 8.0 / 12.0, 2: -1.0 / 12.0}
"""Weights of the values at multiples of the step: a first derivative with an error of the fourth order."""


def gradient_errors(
    system: System,
    study: Study,
    parameters: np.ndarray,
    solver: Solver | None,
    reference: Solver,
) -> xr.Dataset:
    """Compare derivatives of outputs by the logarithm of each parameter.

    Errors are scaled by the derivative and a thousandth of the largest derivative of the output by any parameter, in
    the same draw and subject.

    Returns
    -------
    xarray.Dataset
        ``error`` (draw, subject, output, parameter) against the reference's derivatives, ``difference_error`` against
        finite differences of the reference's outputs, ``reference_error`` between those two; ``failed``,
        ``reference_failed``; ``value`` (draw, subject, parameter).
    """
    names, subject = observed(system, study), study.subject_index
    owners = [subject[study.rows[name]] for name in names]
    slope, exact_slope = (solution(system, study, which, gradients=True) for which in (solver, reference))
    exact = solution(system, study, reference)
    shape = (len(parameters), study.n_subjects, len(names), len(system.parameters))
    error, difference_error, reference_error = (np.full(shape, np.nan) for _ in range(3))
    failed, reference_failed = np.zeros(shape, bool), np.zeros(shape, bool)
    for d, values in enumerate(parameters):
        found, expected = (jacobians(f, values, owners) for f in (slope, exact_slope))
        differences = finite_differences(exact, values, owners)
        for q, owner in enumerate(owners):
            for i in np.unique(owner):
                a, b, c = (table[q][owner == i] for table in (found, expected, differences))
                largest = np.abs(b).max()
                for k in range(len(system.parameters)):
                    failed[d, i, q, k] = not np.isfinite(a[:, k]).all()
                    reference_failed[d, i, q, k] = not np.isfinite(b).all()
                    if not reference_failed[d, i, q, k]:
                        error[d, i, q, k] = scaled_error(a[:, k], b[:, k], largest)
                        if np.isfinite(c).all():
                            difference_error[d, i, q, k] = scaled_error(a[:, k], c[:, k], largest)
                            reference_error[d, i, q, k] = scaled_error(b[:, k], c[:, k], largest)
    errors = {"error": error, "difference_error": difference_error, "reference_error": reference_error}
    marks = {"failed": failed, "reference_failed": reference_failed}
    return labelled(system, study, parameters, errors | marks, ("draw", "subject", "output", "parameter"))


def jacobians(slope: Callable[..., Any], values: np.ndarray, owners: list[np.ndarray]) -> list[np.ndarray]:
    """Derivatives by log parameters, (observation, parameter) for each output.

    Subjects do not depend on each other, so that one gradient serves the k-th observations of all of them.
    """
    tables = [np.full((len(owner), values.shape[1]), np.nan) for owner in owners]
    for q, owner in enumerate(owners):
        rank = np.array([np.count_nonzero(owner[:m] == i) for m, i in enumerate(owner)])
        for k in range(rank.max() + 1):
            weights = [np.zeros(len(other)) for other in owners]
            weights[q][rank == k] = 1.0
            (found,) = slope(values, *weights)
            members = owner[rank == k]
            tables[q][rank == k] = found[members] * values[members]
    return tables


def finite_differences(
    solve: Callable[..., Any], values: np.ndarray, owners: list[np.ndarray]
) -> list[np.ndarray]:
    """Derivatives by log parameters from the outputs at neighbouring parameters."""
    tables = [np.zeros((len(owner), values.shape[1])) for owner in owners]
    for k in range(values.shape[1]):
        for multiple, weight in STENCIL.items():
            moved = values.copy()
            moved[:, k] *= np.exp(multiple * STEP)
            for table, output in zip(tables, solve(moved), strict=True):
                table[:, k] += weight / STEP * output
    return tables
