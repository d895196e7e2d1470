"""Leave-one-subject-out: how well each subject is predicted by the others, from one fit."""

from __future__ import annotations

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from arviz_stats.utils import ELPDData
from scipy.special import logsumexp

from qsp_bayes.calibration.entries import SAMPLE
from qsp_bayes.errors import CalibrationError

INDIVIDUAL = {"subject", "occasion"}


def leave_one_subject_out(fit: xr.DataTree) -> ELPDData:
    r"""Estimate how well each subject is predicted by a fit to the others.

    The unit that is new in the next study is a subject, not an observation; so all observations :math:`y_i` of a
    subject are left out together, its own effects :math:`\eta_i` integrated out. With :math:`g(\eta \mid \theta)` any
    normalised density,

    .. math::
        \frac{1}{p(y_i \mid y_{-i})} = \mathrm{E}\!\left[\frac{g(\eta_i \mid \theta)}
        {p(y_i \mid \eta_i, \theta)\, p(\eta_i \mid \theta)} \,\middle|\, y\right],

    since the integral over :math:`\eta_i` alone gives :math:`1 / p(y_i \mid \theta)` (Gelfand and Dey 1994). The ratio
    varies little where :math:`g` is close to the subject's own posterior: here the normal density fitted to the draws
    of its effects, by regression on the population variables. The expectation is Pareto-smoothed.

    Parameters
    ----------
    fit : DataTree
        From `Calibration.fit`: groups ``posterior``, ``log_prior``, ``log_likelihood``, ``constant_data``.

    Returns
    -------
    arviz_stats.ELPDData
        ``elpd_i`` and ``pareto_k`` by ``subject``; `arviz_stats.compare` takes it.

    Raises
    ------
    CalibrationError
        If the fit lacks a group.

    Notes
    -----
    Leaving observations out one by one (`arviz_stats.loo`) answers another question: how well the next sample of a
    subject is predicted whose others are known.

    References
    ----------
    Gelfand AE, Dey DK (1994). Bayesian model choice: asymptotics and exact calculations. J R Stat Soc B 56:501-514.
    Vehtari A, Gelman A, Gabry J (2017). Practical Bayesian model evaluation using leave-one-out cross-validation and
    WAIC. Stat Comput 27:1413-1432.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> of = lambda **arrays: xr.Dataset({name: (("chain", "draw", *d), x) for name, (d, x) in arrays.items()})
    >>> level = rng.normal(2.0, 0.1, size=(4, 250))  # subjects that do not differ, two observations each
    >>> values = np.array([1.0, 2.0, 2.5, 2.5])
    >>> fit = xr.DataTree.from_dict({
    ...     "posterior": of(TVB=((), level)), "log_prior": of(TVB=((), -(level**2) / 2)),
    ...     "log_likelihood": of(DV_R=(("obs_R",), -((level[..., None] - values) ** 2) / 2)),
    ...     "constant_data": xr.Dataset({"subject_R": ("obs_R", [0, 0, 1, 1])}, {"subject": ["S1", "S2"]}),
    ... })
    >>> leave_one_subject_out(fit).elpd_i.round(1).values.tolist()
    [-0.5, -0.3]
    """
    needed = ("posterior", "log_prior", "log_likelihood", "constant_data")
    if missing := [name for name in needed if name not in fit.children]:
        raise CalibrationError(
            f"Leaving out subjects needs the groups {', '.join(needed)} of a fit; there is no {', '.join(missing)}. "
            "Fit with Calibration.fit, which adds them."
        )
    joint = joint_densities(fit)
    population = population_draws(fit)
    effects = effects_of_subjects(fit)
    elpd, shapes = [], []
    for label, density in joint.items():
        log_ratio = fitted_density(effects.get(label, []), population) - density
        value, shape = log_expected_inverse(log_ratio)
        elpd.append(value)
        shapes.append(shape)
    n_draws = population.shape[0]
    good_k = min(1 - 1 / np.log10(n_draws), 0.7)
    pointwise = xr.DataArray(elpd, dims="subject", coords={"subject": list(joint)})
    return ELPDData(
        elpd=float(pointwise.sum()),
        se=float(np.sqrt(len(elpd) * np.var(elpd))),
        p=np.nan,  # it would need the likelihood of each subject at every draw, effects integrated out
        n_samples=n_draws,
        n_data_points=len(elpd),
        scale="log",
        warning=bool(np.any(~(np.array(shapes) <= good_k))),
        good_k=good_k,
        elpd_i=pointwise,
        pareto_k=pointwise.copy(data=shapes),
    )


def joint_densities(fit: xr.DataTree) -> dict[str, np.ndarray]:
    """Give, by subject, the log density of its observations and effects at every draw, (chain, draw)."""
    data = fit["constant_data"].to_dataset()
    labels = [str(label) for label in data["subject"].values]
    total: dict[str, np.ndarray] = {}
    for name, values in fit["log_likelihood"].to_dataset().items():
        output = str(name).removeprefix("DV_")
        owner = data[f"subject_{output}"].values
        by_observation = values.transpose(*SAMPLE, f"obs_{output}").values
        for position in np.unique(owner):
            part = by_observation[..., owner == position].sum(axis=-1)
            total[labels[position]] = total.get(labels[position], 0.0) + part
    for label, rows in by_subject(fit, fit["log_prior"].to_dataset()).items():
        if label in total:
            total[label] = total[label] + sum(rows)
    return {label: total[label] for label in labels if label in total}


def effects_of_subjects(fit: xr.DataTree) -> dict[str, list[np.ndarray]]:
    """Give, by subject, the draws of each of its effects, occasions included, (chain, draw)."""
    names = list(fit["log_prior"].to_dataset().data_vars)
    return by_subject(fit, fit["posterior"].to_dataset()[names])


def by_subject(fit: xr.DataTree, dataset: xr.Dataset) -> dict[str, list[np.ndarray]]:
    """Split what has a dimension of subjects, or of their occasions, by subject."""
    found: dict[str, list[np.ndarray]] = {}
    for values in dataset.data_vars.values():
        for dim in INDIVIDUAL.intersection(values.dims):
            others = [other for other in values.dims if other not in (*SAMPLE, dim)]
            arrays = values.transpose(*SAMPLE, dim, *others).values
            arrays = arrays.reshape(*arrays.shape[:3], -1)
            for position, name in enumerate(fit["log_prior"].to_dataset()[dim].values):
                label = str(name).rpartition("/")[0] if dim == "occasion" else str(name)
                found.setdefault(label, []).extend(np.moveaxis(arrays[:, :, position], -1, 0))
    return found


def population_draws(fit: xr.DataTree) -> np.ndarray:
    """Give the draws of the population variables, logarithms where positive, (sample, variable)."""
    columns, posterior = [], fit["posterior"].to_dataset()
    for name, values in fit["log_prior"].to_dataset().items():
        if INDIVIDUAL.intersection(values.dims):
            continue
        draws = posterior[name].transpose(*SAMPLE, ...).values
        for column in draws.reshape(draws.shape[0] * draws.shape[1], -1).T:
            columns.append(np.log(column) if column.min() > 0 else column)
    return np.stack(columns, axis=1)


def fitted_density(effects: list[np.ndarray], population: np.ndarray) -> np.ndarray:
    """Fit a normal density to the draws of some effects given the population, and give its logarithm at them."""
    if not effects:
        return np.zeros(1)
    values = np.stack([draws.ravel() for draws in effects], axis=1)
    design = np.column_stack([np.ones(len(values)), population])
    residual = values - design @ np.linalg.lstsq(design, values)[0]
    covariance = residual.T @ residual / (len(values) - design.shape[1])
    lower = np.linalg.cholesky(covariance)
    standard = np.linalg.solve(lower, residual.T)
    log_density = (
        -0.5 * (standard**2).sum(axis=0)
        - np.log(np.diag(lower)).sum()
        - 0.5 * values.shape[1] * np.log(2 * np.pi)
    )
    return log_density.reshape(effects[0].shape)


def log_expected_inverse(log_ratio: np.ndarray) -> tuple[float, float]:
    """Give the logarithm of one over the mean of Pareto-smoothed ratios, and their k."""
    if np.ptp(log_ratio) < 1e-12:
        return -float(log_ratio.max()), -np.inf
    # `psislw` takes the log densities that are left out, and so changes their sign.
    log_weights, pareto_k = array_stats.psislw(-log_ratio, axis=[-2, -1])
    return float(logsumexp(log_weights - log_ratio)), float(pareto_k)
