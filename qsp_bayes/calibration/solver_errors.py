"""Errors of a solver over prior draws, against a reference solver."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr

from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.calibration.variables import require_priors
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.solvers import CVODES, Rodas5P, Solver
from qsp_bayes.systems.system import System

FLOOR = 1e-3
"""Errors are relative down to this share of the largest value."""


def reference_solver() -> tuple[Solver, str]:
    """Return the solver that others are compared with, and what a reader has to know of it."""
    if importlib.util.find_spec("sundials4py") is not None:
        return CVODES(rtol=1e-12, max_steps=1_000_000), ""
    return (
        Rodas5P(rtol=1e-11, max_steps=1_000_000),
        "sundials4py is not installed, so the reference is Rodas5P at a tight tolerance, which is no independent "
        "engine: pip install qsp_bayes[cvodes].",
    )


def draw_parameters(
    system: System, study: Study, priors: Mapping[str, Any], draws: int, random_seed: int
) -> np.ndarray:
    """Draw parameters of subjects from the priors, (draw, subject, parameter).

    Typical values come from the priors ``TV<name>``; where there is a prior ``omega_<name>``, individuals differ from
    them by a random effect of that standard deviation on the parameter's scale.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> system = qb.one_compartment(absorption="first-order")
    >>> study, priors = qb.load_dataset("theophylline"), qb.load_priors("theophylline")
    >>> draw_parameters(system, study, priors, 5, 1).shape
    (5, 12, 3)
    """
    require_priors(priors, {f"TV{name}": unit for name, unit in system.parameters.items()})
    spread = [name for name in system.parameters if f"omega_{name}" in priors]
    names = [f"TV{name}" for name in system.parameters] + [f"omega_{name}" for name in spread]
    with pm.Model():
        variables = [priors[name].create_variable(name) for name in names]
        drawn = dict(
            zip(names, pm.draw(variables, draws, random_seed=random_seed, mode="FAST_COMPILE"), strict=True)
        )
    rng = np.random.default_rng(random_seed)
    found = np.empty((draws, study.n_subjects, len(system.parameters)))
    for k, name in enumerate(system.parameters):
        scale, effects = SCALES[system.scales[name]], rng.normal(size=(draws, study.n_subjects))
        typical = np.reshape(drawn[f"TV{name}"], (draws, 1))
        omega = np.reshape(drawn[f"omega_{name}"], (draws, 1)) if name in spread else 0.0
        predictor = scale.link(pt.as_tensor_variable(typical)) + omega * effects
        found[:, :, k] = scale.inverse(predictor).eval(mode="FAST_COMPILE")
    return found


def solution(
    system: System, study: Study, solver: Solver | None, gradients: bool = False
) -> Callable[..., list[np.ndarray]]:
    """Compile a function of parameters, (subject, parameter), that gives the outputs at their observations.

    With `gradients` it also takes a weight for each observation, output by output, and gives the derivatives of the
    weighted sum instead, (subject, parameter).
    """
    values = pt.dmatrix("values")
    path = system.solve(
        study.events(), {name: values[:, k] for k, name in enumerate(system.parameters)}, solver=solver
    )
    outputs = [path[name] for name in observed(system, study)]
    if not gradients:
        return pytensor.function([values], outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    weights = [pt.dvector() for _ in outputs]
    total = sum((output * weight).sum() for output, weight in zip(outputs, weights, strict=True))
    return pytensor.function([values, *weights], [pt.grad(total, values)], mode="FAST_COMPILE")


def observed(system: System, study: Study) -> list[str]:
    """Outputs of the system that the study observes."""
    names = [name for name, rows in study.rows.items() if name in system.outputs and len(rows)]
    if not names:
        raise CalibrationError(
            f"study {study.name!r} observes {', '.join(study.outputs) or 'nothing'}, and the outputs of the system "
            f"are {', '.join(system.outputs)}: there is nothing to compare."
        )
    return names


def scaled_error(found: np.ndarray, reference: np.ndarray, largest: float) -> float:
    """Return the largest of abs(error) / (abs(reference) + 0.001 largest); infinite where a value is not finite.

    Examples
    --------
    >>> scaled_error(np.array([1.0, 2.02]), np.array([1.0, 2.0]), 0.0)
    0.010000000000000009
    """
    error = np.abs(found - reference)
    relative = np.divide(
        error, np.abs(reference) + FLOOR * largest, out=np.zeros(error.shape), where=error > 0
    )
    return float(np.where(np.isfinite(found), relative, np.inf).max(initial=0.0))


def solver_errors(
    system: System,
    study: Study,
    parameters: np.ndarray,
    solver: Solver | None,
    reference: Solver,
) -> xr.Dataset:
    """Compare outputs, with the largest scaled error over the observations of each draw, subject and output.

    Returns
    -------
    xarray.Dataset
        ``error`` (draw, subject, output), infinite where the solver failed and NaN where the reference did or there
        is no observation; ``failed``, ``reference_failed``; ``value`` (draw, subject, parameter).
    """
    names, subject = observed(system, study), study.subject_index
    solve, exact = (solution(system, study, which) for which in (solver, reference))
    shape = (len(parameters), study.n_subjects, len(names))
    error, failed, reference_failed = np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool)
    for d, values in enumerate(parameters):
        for q, (name, found, expected) in enumerate(zip(names, solve(values), exact(values), strict=True)):
            owner = subject[study.rows[name]]
            for i in np.unique(owner):
                a, b = found[owner == i], expected[owner == i]
                failed[d, i, q], reference_failed[d, i, q] = (not np.isfinite(x).all() for x in (a, b))
                if not reference_failed[d, i, q]:
                    error[d, i, q] = scaled_error(a, b, np.abs(b).max())
    dims = ("draw", "subject", "output")
    return labelled(
        system,
        study,
        parameters,
        {"error": error, "failed": failed, "reference_failed": reference_failed},
        dims,
    )


def labelled(
    system: System,
    study: Study,
    parameters: np.ndarray,
    arrays: Mapping[str, np.ndarray],
    dims: tuple[str, ...],
) -> xr.Dataset:
    """Give arrays their labels."""
    return xr.Dataset(
        {name: (dims, array) for name, array in arrays.items()}
        | {"value": (("draw", "subject", "parameter"), parameters)},
        coords={
            "draw": np.arange(len(parameters)),
            "subject": list(study.subjects),
            "output": observed(system, study),
            "parameter": list(system.parameters),
        },
    )
