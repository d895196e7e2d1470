"""Power weights: the draws of a simulation reweighted to a posterior with weaker or stronger priors or data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

from qsp_bayes.decision.choice.simulation_error import SAMPLE
from qsp_bayes.errors import DecisionError
from qsp_bayes.identifiability.expected_information import INDIVIDUAL
from qsp_bayes.identifiability.power_scaling import summed

POWERS = (0.8, 1.25)


class PowerWeights(NamedTuple):
    """Weights (chain, draw) of mean one, at the draws of a simulation, for one part raised to a power."""

    kind: str
    label: str
    weights: xr.DataArray
    pareto_k: float
    limit: float


def power_weights(
    fit: xr.DataTree, draws: xr.DataArray, powers: Sequence[float] = POWERS
) -> Iterator[PowerWeights]:
    r"""Weigh the draws of a simulation for each part of the posterior raised to each power.

    A part with log density :math:`\ell_s` is all priors of the population, the prior of one variable, or the data.
    Raised to the power :math:`\alpha` it makes the posterior one with weights

    .. math:: w_s \propto \exp\bigl((\alpha - 1)\,\ell_s\bigr),

    Pareto-smoothed over all draws of the fit and then taken at the draws of the simulation. The Pareto k is that of
    the fit; up to its limit, :math:`\min(1 - 1/\log_{10} S, 0.7)`, the draws cover the other posterior. The data
    count together with the effects of their individuals, as in `power_scaling`.

    Parameters
    ----------
    fit : DataTree
        From `Calibration.fit`.
    draws : DataArray
        Anything with the coordinates ``chain`` and ``draw`` of the simulation.
    powers : sequence of float
        Positive; below 1 weakens a part and above 1 strengthens it.

    References
    ----------
    Kallioinen N, Paananen T, Bürkner PC, Vehtari A (2024). Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling. Stat Comput 34:57. Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024). Pareto smoothed
    importance sampling. J Mach Learn Res 25(72).
    """
    if any(not power > 0 or power == 1 for power in powers):
        raise DecisionError(f"powers = {tuple(powers)}: each must be positive and other than 1, such as 0.8.")
    needed = ("log_prior", "log_likelihood")
    if missing := [name for name in needed if name not in fit.children]:
        raise DecisionError(
            f"Scaling priors and data needs the groups {' and '.join(needed)} of a fit; there is no "
            f"{', '.join(missing)}. Fit with Calibration.fit, which adds them."
        )
    for kind, label, part in parts_of(fit):
        for power in powers:
            weights, pareto_k = smoothed((power - 1) * part)
            taken = at_draws(weights, draws)
            limit = min(1 - 1 / np.log10(part.size), 0.7)
            yield PowerWeights(kind, f"{label} to the power {power:g}", taken / taken.mean(), pareto_k, limit)


def parts_of(fit: xr.DataTree) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Give kind, label and log density of every part."""
    log_prior = fit["log_prior"].to_dataset()
    names = [str(name) for name, v in log_prior.data_vars.items() if not INDIVIDUAL.intersection(v.dims)]
    yield "priors", "all priors", summed(log_prior[names])
    for name in names:
        yield "prior", f"prior of {name.removesuffix('_canonical')}", summed(log_prior[[name]])
    yield "data", "data", summed(fit["log_likelihood"].to_dataset()) + summed(log_prior.drop_vars(names))


def smoothed(log_ratios: xr.DataArray) -> tuple[xr.DataArray, float]:
    """Give Pareto-smoothed weights and their k; equal weights where the part is the same in every draw.

    Examples
    --------
    >>> weights, k = smoothed(xr.DataArray(np.zeros((2, 50)), dims=("chain", "draw")))
    >>> float(weights.min() / weights.max()), k
    (1.0, -inf)
    """
    log_ratios = log_ratios.transpose(*SAMPLE)
    if np.ptp(log_ratios.to_numpy()) < 1e-12:
        return xr.ones_like(log_ratios), -np.inf
    # `psislw` takes log densities that are left out, and so changes their sign.
    log_weights, pareto_k = array_stats.psislw(-log_ratios.to_numpy(), axis=[-2, -1])
    return log_ratios.copy(data=np.exp(log_weights - np.max(log_weights))), float(pareto_k)


def at_draws(values: xr.DataArray, draws: xr.DataArray) -> xr.DataArray:
    """Take values of the fit at the draws that a simulation used.

    Raises
    ------
    DecisionError
        If the simulation has draws that the fit does not.
    """
    where = {name: draws[name].to_numpy() for name in SAMPLE}
    if any(not np.isin(labels, values[name].to_numpy()).all() for name, labels in where.items()):
        raise DecisionError(
            "The simulation holds draws that the fit does not: it was made from another fit. Pass the fit "
            "that was given to Calibration.simulate."
        )
    return values.sel(where)
