"""Maximum likelihood: the population that makes the data most likely, and how sharp that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.optimize import minimize
from scipy.stats import norm

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.expected_information import standard_errors
from qsp_bayes.identifiability.marginal_likelihood import MarginalLikelihood

INFORMATION_STEP = 5e-3
NOISE = 1e-6
"""Share of the largest eigenvalue below which finite differences do not tell information from none."""
UNSOLVED = 1e10
WALL = 10.0
STARTS, STARTS_TRIED = 3, 20
CLOSE, FAR = 4.0, 12.0
"""How far from the centre of the prior the search begins and ends, in its standard deviations."""


class Optimum(NamedTuple):
    """A population at which the likelihood is largest, with the modes of individuals' effects there."""

    population: np.ndarray
    value: float
    slope: float
    effects: np.ndarray


def maximum_likelihood(
    calibration: Calibration,
    study: Study,
    *,
    penalised: bool = False,
    start: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> xr.Dataset:
    r"""Find the population that makes the data most likely, priors left out.

    The likelihood is that of `MarginalLikelihood`: exact without random effects, by Laplace's approximation with them.
    Standard errors are the roots of the diagonal of the inverse of the observed information,
    :math:`-\partial^2 \log p(y \mid u) / \partial u^2`.

    Parameters
    ----------
    calibration : Calibration
    study : Study
    penalised : bool
        Whether the priors of the population count, in the variables' own units: the joint mode instead.
    start : mapping of str to float, optional
        Values to start from, with the centres of the priors for what is left out. Where there are none, the search
        starts from the centres of all priors and from the most likely of some prior draws.
    level : float
        Of the intervals.

    Returns
    -------
    xarray.Dataset
        By ``variable``: ``estimate``, ``lower`` and ``upper`` (Wald's interval, on the unconstrained scale and back) in
        its own unit; ``unconstrained`` and its ``standard_error`` (infinite where the data do not inform it: 0.1 of a
        positive variable is 10 %). ``information`` by ``variable`` and ``variable_bis``. Attributes ``log_likelihood``,
        ``steepest`` (the largest slope that is left), ``aic``, and ``approximation``.

    Raises
    ------
    CalibrationError
        If the model cannot be solved where the search starts.

    Notes
    -----
    The search begins within four and stays within twelve standard deviations of the priors, on the unconstrained scale:
    a variance that the data put at 0 ends at that edge, or where nothing changes any more.

    Examples
    --------
    >>> from qsp_bayes.calibration import Additive, IIV, Calibration, load_priors
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> calibration = Calibration(
    ...     one_compartment(absorption="first-order"), load_priors("theophylline"), individual=[IIV("CL", "Vc", "KA")],
    ...     error={"Cc": Additive()},
    ... )
    >>> found = maximum_likelihood(calibration, load_dataset("theophylline"))
    >>> bool(2.5 < found.estimate.sel(variable="TVCL") < 3.1)
    True
    """
    likelihood = MarginalLikelihood.of(calibration, study, penalised=penalised)
    best = maximise(likelihood, None if start is None else likelihood.unconstrained(start))
    information = observed_information(likelihood, best)
    return summarise_maximum(likelihood, best, information, level)


def maximise(likelihood: MarginalLikelihood, start: np.ndarray | None = None) -> Optimum:
    """Climb from a start, or several: by L-BFGS-B close to the prior, then by BFGS with the curvature found there.

    Far from the prior there are plateaus, where a prediction is 0 whatever the parameters: a climb that steps onto one
    does not come back.

    Raises
    ------
    CalibrationError
        If the likelihood is not finite at any start.
    """
    every = np.arange(len(likelihood.names))
    starts = likely_starts(likelihood) if start is None else [start]
    if not starts or not np.isfinite(likelihood.evaluate(starts[0]).value):
        raise CalibrationError(
            "the likelihood is not finite where the search starts. Give start={...} with values at which the model can "
            "be solved, such as rounded posterior medians."
        )
    coarse = max(
        (search(likelihood, one, every, None, None) for one in starts), key=lambda found: found.value
    )
    covariance = rough_inverse(observed_information(likelihood, coarse))
    return search(likelihood, coarse.population, every, covariance, coarse.effects)


def likely_starts(likelihood: MarginalLikelihood) -> list[np.ndarray]:
    """Give the centre of the priors and the most likely of some draws, those at which the model can be solved."""
    tried = [likelihood.start, *likelihood.prior[:STARTS_TRIED]]
    values = np.array([likelihood.evaluate(point).value for point in tried])
    best = [int(k) for k in np.argsort(-values)[: STARTS - 1] if k != 0]
    return [tried[k] for k in (0, *best) if np.isfinite(values[k])]


def search(
    likelihood: MarginalLikelihood,
    start: np.ndarray,
    free: np.ndarray,
    covariance: np.ndarray | None,
    effects: np.ndarray | None,
    steepest: float = 1e-4,
) -> Optimum:
    """Maximise over some of the variables, the others staying at the start.

    Parameters
    ----------
    likelihood : MarginalLikelihood
    start : array
    free : array of int
        Positions of the variables to search over.
    covariance : array, optional
        The inverse of their information, close to the maximum: BFGS starts from it. L-BFGS-B where left out.
    effects : array, optional
        Modes of the individuals' effects close to the start.
    steepest : float
        Slope at which BFGS ends.
    """
    low, high = (end[free] for end in likelihood.region(CLOSE if covariance is None else FAR))
    low, high = np.minimum(low, start[free]), np.maximum(high, start[free])
    point = start.copy()
    latest = effects
    best = Optimum(start.copy(), -np.inf, np.inf, np.zeros(likelihood.n_effects))

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal latest, best
        point[free] = x
        found = likelihood.evaluate(point, latest)
        if not np.isfinite(found.value):
            return UNSOLVED, np.zeros(len(x))
        latest = found.effects
        if found.value > best.value:
            best = Optimum(
                point.copy(), found.value, np.abs(found.gradient[free]).max(initial=0.0), found.effects
            )
        beyond = np.minimum(x - low, 0.0) + np.maximum(x - high, 0.0)
        return WALL * float(beyond @ beyond) - found.value, 2 * WALL * beyond - found.gradient[free]

    if not len(free):
        objective(start[free])
    elif covariance is None:
        options: dict[str, Any] = {"maxiter": 500, "maxcor": 20, "ftol": 1e-10, "gtol": 1e-3}
        bounds = list(zip(low, high, strict=True))
        minimize(objective, start[free], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    else:
        options = {"maxiter": 200, "gtol": steepest, "hess_inv0": covariance}
        with np.errstate(all="ignore"):
            minimize(objective, start[free], jac=True, method="BFGS", options=options)
    return best


def observed_information(likelihood: MarginalLikelihood, at: Optimum) -> np.ndarray:
    """Give the negative second derivatives of the log-likelihood, by central differences of its gradient."""
    rows = []
    for way in np.eye(len(at.population)):
        ahead, back = (
            likelihood.evaluate(at.population + sign * INFORMATION_STEP * way, at.effects) for sign in (1, -1)
        )
        rows.append((back.gradient - ahead.gradient) / (2 * INFORMATION_STEP))
    found = np.array(rows)
    return (found + found.T) / 2


def rough_inverse(information: np.ndarray) -> np.ndarray:
    """Invert an information that may be singular or not quite positive, for a search to start with."""
    values, vectors = np.linalg.eigh(information)
    least = max(1e-4 * values.max(initial=0.0), 1e-2)
    found = (vectors / np.maximum(np.abs(values), least)) @ vectors.T
    return (found + found.T) / 2


def summarise_maximum(
    likelihood: MarginalLikelihood, best: Optimum, information: np.ndarray, level: float
) -> xr.Dataset:
    """Turn a maximum and the information there into estimates, standard errors and intervals."""
    error = standard_errors(information, NOISE)
    reach = norm.ppf((1 + level) / 2) * np.where(np.isfinite(error), error, 0.0)
    known = np.isfinite(error)
    lower, upper = (
        np.where(known, likelihood.natural(best.population + sign * reach), np.nan) for sign in (-1, 1)
    )
    return xr.Dataset(
        {
            "estimate": ("variable", likelihood.natural(best.population)),
            "lower": ("variable", np.fmin(lower, upper)),
            "upper": ("variable", np.fmax(lower, upper)),
            "unconstrained": ("variable", best.population),
            "standard_error": ("variable", error),
            "information": (("variable", "variable_bis"), information),
        },
        {"variable": likelihood.names, "variable_bis": likelihood.names},
        {
            "log_likelihood": best.value,
            "steepest": float(best.slope),
            "aic": 2 * len(likelihood.names) - 2 * best.value,
            "approximation": approximation(likelihood),
        },
    )


def approximation(likelihood: MarginalLikelihood) -> str:
    """Say what stands for the likelihood."""
    of_priors = ", times the density of the priors" if likelihood.penalty is not None else ""
    if likelihood.n_effects:
        return f"Laplace's approximation over {likelihood.n_effects} effects of individuals{of_priors}"
    return f"exact{of_priors}"
