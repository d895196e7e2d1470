"""Power scaling: what the posterior owes to the priors, to the data, to each output and to each subject."""

from __future__ import annotations

from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from scipy.stats import gaussian_kde

from qsp_bayes.calibration.entries import SAMPLE, entries
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.expected_information import INDIVIDUAL

NOTICEABLE = 0.05
"""Sensitivity above which the literature calls a posterior sensitive."""
GRID = 512


def power_scaling(fit: xr.DataTree, *, noticeable: float = NOTICEABLE) -> xr.Dataset:
    r"""Tell what the posterior of each population variable owes to the priors and to parts of the data.

    A part with log density :math:`\ell_s` is raised to the power :math:`\alpha`: all priors of the population; the
    data; the observations of an output; a subject. A subject stands for the density of its observations and of its own
    effects, which together play the role of its likelihood with the effects integrated out, and the data for all
    subjects. The posterior draws are reweighted by the Pareto-smoothed :math:`(\alpha - 1)`-th power.

    - *Sensitivity* is how far the distribution moves with :math:`\log_2 \alpha` (cumulative Jensen-Shannon distance).
    - *Pull* is the derivative of the mean in standard deviations, :math:`\operatorname{cov}(\theta, \ell_s) /
      \operatorname{sd}(\theta)`: the direction in which a part draws the variable. Parts that agree pull little,
      however much they tell.

    Parameters
    ----------
    fit : DataTree
        From `Calibration.fit`.
    noticeable : float
        Sensitivity from which the diagnosis speaks of it.

    Returns
    -------
    xarray.Dataset
        By ``variable``: ``prior`` and ``likelihood``, the sensitivities; ``overlap`` of the prior and posterior
        densities (1: the data changed nothing); ``diagnosis``, in words. By ``variable`` and ``output`` or ``subject``:
        ``by_output``, ``by_subject``, the sensitivities; ``pull_of_output``, ``pull_of_subject``. Positive variables
        count by their logarithm.

    Raises
    ------
    CalibrationError
        If the fit lacks the prior, its log density or the log-likelihood.

    Notes
    -----
    The normal distribution of the individuals' effects is part of the model and not of the priors. Everything is a
    reweighting of the draws: it is cheap, and as exact as they are many. A pull has a Monte Carlo error of about
    0.04 (1000 effective draws), and more for a subject with many effects: mind those that stand out.

    References
    ----------
    Kallioinen N, Paananen T, Bürkner PC, Vehtari A (2024). Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling. Stat Comput 34:57.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> level = rng.normal(2.0, np.sqrt(0.5), size=(4, 500))  # of a prior N(0, 1) and an observation of 4, variance 1
    >>> of = lambda **arrays: xr.Dataset({name: (("chain", "draw", *d), x) for name, (d, x) in arrays.items()})
    >>> fit = xr.DataTree.from_dict({
    ...     "posterior": of(TVB=((), level)), "prior": of(TVB=((), rng.normal(size=(1, 500)))),
    ...     "log_prior": of(TVB=((), -(level**2) / 2)),
    ...     "log_likelihood": of(DV_R=(("obs_R",), -((level[..., None] - 4) ** 2) / 2)),
    ...     "constant_data": xr.Dataset({"subject_R": ("obs_R", [0])}, {"subject": ["S1"]}),
    ... })
    >>> found = power_scaling(fit)
    >>> bool(found.pull_of_subject.item() > 1)  # upwards, against the prior
    True
    >>> found.diagnosis.item()
    'prior and data both shape it'
    """
    require_groups(fit)
    log_prior = fit["log_prior"].to_dataset()
    names = [str(name) for name, v in log_prior.data_vars.items() if not INDIVIDUAL.intersection(v.dims)]
    posterior = entries(fit["posterior"].to_dataset()[names])
    prior = entries(fit["prior"].to_dataset()[names])
    scaled = {name: natural_scale(values, prior[name]) for name, values in posterior.items()}
    parts: dict[Any, xr.DataArray] = {
        "priors": summed(log_prior[names]),
        "data": summed(fit["log_likelihood"].to_dataset()) + summed(log_prior.drop_vars(names)),
        **{("output", name): part for name, part in of_outputs(fit).items()},
        **{("subject", name): part for name, part in of_subjects(fit).items()},
    }
    draws = xr.Dataset(scaled)
    sensitivities = {key: sensitivity(draws, part) for key, part in parts.items()}
    pulls = {key: pull(draws, part) for key, part in parts.items()}
    result: dict[str, Any] = {
        "prior": ("variable", sensitivities["priors"]),
        "likelihood": ("variable", sensitivities["data"]),
        "overlap": ("variable", [overlap(prior[name], posterior[name]) for name in scaled]),
        "diagnosis": (
            "variable",
            [
                diagnosis(of_prior, of_data, noticeable)
                for of_prior, of_data in zip(sensitivities["priors"], sensitivities["data"], strict=True)
            ],
        ),
    }
    labels: dict[str, list[str]] = {"variable": list(scaled)}
    for kind in ("output", "subject"):
        keys = [key for key in parts if isinstance(key, tuple) and key[0] == kind]
        labels[kind] = [key[1] for key in keys]
        for name, table in ((f"by_{kind}", sensitivities), (f"pull_of_{kind}", pulls)):
            result[name] = (("variable", kind), np.array([table[key] for key in keys]).T)
    return xr.Dataset(result, labels)


def diagnosis(prior: float, likelihood: float, noticeable: float) -> str:
    """Say what the sensitivities mean together.

    Examples
    --------
    >>> diagnosis(0.3, 0.01, 0.05), diagnosis(0.01, 0.4, 0.05)
    ('the prior decides, the data say little', 'the data decide')
    """
    if prior >= noticeable:
        if likelihood >= noticeable:
            return "prior and data both shape it"
        return "the prior decides, the data say little"
    return "the data decide" if likelihood >= noticeable else "neither moves it noticeably"


def require_groups(fit: xr.DataTree) -> None:
    """Require what power scaling needs of a fit."""
    needed = ("posterior", "prior", "log_prior", "log_likelihood", "constant_data")
    if missing := [name for name in needed if name not in fit.children]:
        raise CalibrationError(
            f"power scaling needs the groups {', '.join(needed)} of a fit; there is no {', '.join(missing)}. "
            "Fit with Calibration.fit, which adds them."
        )


def natural_scale(values: xr.DataArray, prior: xr.DataArray) -> xr.DataArray:
    """Take the logarithm of what can only be positive."""
    positive = float(values.min()) > 0 and float(prior.min()) > 0
    return xr.apply_ufunc(np.log, values) if positive else values


def summed(dataset: xr.Dataset) -> xr.DataArray:
    """Add up log densities over everything but chains and draws."""
    total: Any = xr.DataArray(0.0)
    for values in dataset.values():
        total = total + values.sum([dim for dim in values.dims if dim not in SAMPLE])
    return total


def of_outputs(fit: xr.DataTree) -> dict[str, xr.DataArray]:
    """Give the log-likelihood of each output."""
    densities = fit["log_likelihood"].to_dataset()
    return {str(name).removeprefix("DV_"): summed(values.to_dataset()) for name, values in densities.items()}


def of_subjects(fit: xr.DataTree) -> dict[str, xr.DataArray]:
    """Give the log density of the observations, all outputs together, and the effects of each subject.

    Both together stand for the likelihood of the subject, its effects integrated out: raising the density of its
    observations alone hardly tells more of the population once its effects are well known.
    """
    design = fit["constant_data"].to_dataset()
    labels = [str(label) for label in design["subject"].values]
    total: dict[str, xr.DataArray] = {}
    for name, values in fit["log_likelihood"].to_dataset().items():
        output = str(name).removeprefix("DV_")
        owner = design[f"subject_{output}"].values
        for position in np.unique(owner):
            label = labels[position]
            part = values.isel({f"obs_{output}": np.flatnonzero(owner == position)}).sum(f"obs_{output}")
            total[label] = total[label] + part if label in total else part
    for values in fit["log_prior"].to_dataset().values():
        for dim in INDIVIDUAL.intersection(values.dims):
            summed_up = values.sum([d for d in values.dims if d not in (*SAMPLE, dim)])
            owners = [str(x).rpartition("/")[0] if dim == "occasion" else str(x) for x in values[dim].values]
            for position, label in enumerate(owners):
                if label in total:
                    total[label] = total[label] + summed_up.isel({dim: position}, drop=True)
    return {label: total[label] for label in labels if label in total}


def sensitivity(draws: xr.Dataset, part: xr.DataArray) -> np.ndarray:
    """Give the power-scaling sensitivity of all variables to one part."""
    tree = xr.DataTree.from_dict({"posterior": draws, "log_likelihood": part.to_dataset(name="part")})
    found = arviz_stats.psense(tree, group="likelihood", sample_dims=list(SAMPLE))
    return np.array([float(found[name]) for name in draws])


def pull(draws: xr.Dataset, part: xr.DataArray) -> np.ndarray:
    """Give how the means move with the power of one part, in standard deviations."""
    return np.array([float(xr.cov(v, part) / v.std(ddof=1)) for v in draws.values()])


def overlap(prior: xr.DataArray, posterior: xr.DataArray) -> float:
    """Give the area under the smaller of the two densities, of logarithms where positive."""
    before, after = (
        np.ravel(natural_scale(one, other)) for one, other in ((prior, posterior), (posterior, prior))
    )
    low, high = min(before.min(), after.min()), max(before.max(), after.max())
    margin = 0.1 * (high - low)
    grid = np.linspace(low - margin, high + margin, GRID)
    smaller = np.minimum(gaussian_kde(before)(grid), gaussian_kde(after)(grid))
    return float(np.clip(np.trapezoid(smaller, grid), 0.0, 1.0))
