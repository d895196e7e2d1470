"""Monte Carlo error of an expectation over population draws and over new individuals within them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from arviz_stats import mcse

SAMPLE = ("chain", "draw")


def standard_error(values: xr.DataArray) -> xr.DataArray:
    r"""Monte Carlo standard error of the mean over draws and individuals.

    A simulated value of draw :math:`s` (of :math:`S`) and individual :math:`i` (of :math:`n`) is laid out as
    crossed effects, :math:`u_{si} = \mu + a_s + b_i + e_{si}`: parameter uncertainty, what an individual
    keeps in every draw (its covariates, and its random effects where all draws share them), and the rest
    (random effects drawn afresh). The mean has variance

    .. math:: \frac{\sigma_a^2}{S_\mathrm{eff}} + \frac{\sigma_b^2}{n} + \frac{\sigma_e^2}{n S}.

    The squared MCSE of the draws' means :math:`\bar u_{s\cdot}`, with their effective sample size, estimates
    the first and last terms together. The middle one does not shrink with the number of draws; it is
    estimated by :math:`\bigl(\operatorname{var}_i \bar u_{\cdot i} - \hat\sigma_e^2 / S\bigr) / n`, cut at
    zero. The estimate is thus right whether or not the draws share their individuals.

    Parameters
    ----------
    values : DataArray
        Dimensions chain, draw, subject, and any others, which are kept. At least four draws per chain. A
        single subject is taken to be the very person decided for, not a sample of a population.

    Returns
    -------
    DataArray
        In the unit of `values`.

    References
    ----------
    Searle SR, Casella G, McCulloch CE. Variance Components. Wiley, 1992, chapter 4. Vehtari A et al. Bayesian
    Analysis 2021;16:667-718 (effective sample size).

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 100, 50))
    >>> fresh = xr.DataArray(noise, dims=("chain", "draw", "subject"))
    >>> shared = fresh * 0 + fresh.isel(chain=0, draw=0)
    >>> bool(standard_error(fresh) < 0.01), round(float(standard_error(shared)), 1)
    (True, 0.1)
    """
    return error_components(values).to_array().sum("variable") ** 0.5


def error_components(values: xr.DataArray) -> xr.Dataset:
    r"""Squared Monte Carlo standard error of the mean, by what would make it smaller.

    Parameters
    ----------
    values : DataArray
        As for :func:`standard_error`.

    Returns
    -------
    Dataset
        ``draws``, :math:`\sigma_a^2 / S_\mathrm{eff}`: only more draws help. ``individuals``, :math:`\sigma_b^2 / n`:
        only more individuals help. ``both``, :math:`\sigma_e^2 / (n S)`: either helps. Their sum is the square of
        `standard_error`.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 100, 50))
    >>> parts = error_components(xr.DataArray(noise, dims=("chain", "draw", "subject")))
    >>> bool(parts["both"] > parts["draws"])
    True
    """
    of_draws = mcse(values.mean("subject")) ** 2
    n_subjects = values.sizes["subject"]
    if n_subjects == 1:
        none = xr.zeros_like(of_draws)
        return xr.Dataset({"draws": of_draws, "individuals": none, "both": none})
    n_draws = values.sizes["chain"] * values.sizes["draw"]
    by_subject = values.mean(SAMPLE)
    rest = values - values.mean("subject") - by_subject + by_subject.mean("subject")
    rest_variance = (rest**2).sum((*SAMPLE, "subject")) / ((n_draws - 1) * (n_subjects - 1))
    of_subjects = (by_subject.var("subject", ddof=1) - rest_variance / n_draws) / n_subjects
    both = np.minimum(rest_variance / (n_draws * n_subjects), of_draws)
    return xr.Dataset({"draws": of_draws - both, "individuals": of_subjects.clip(min=0.0), "both": both})


def individual_noise(values: xr.DataArray) -> xr.DataArray:
    r"""Share of the variance between draws' means that only reflects the finite number of individuals.

    .. math:: \min\left(1, \frac{\operatorname{mean}_s \operatorname{var}_i(u_{si}) / n}
              {\operatorname{var}_s(\bar u_{s\cdot})}\right)

    It is large where individuals differ more than the population draws do. A probability of being best, or a
    regret, computed from noisy means is then blurred: more individuals are the cure, more draws are not.

    Parameters
    ----------
    values : DataArray
        Dimensions chain, draw, subject, and any others, which are kept.

    Returns
    -------
    DataArray
        Between 0 and 1; 0 where nothing varies, and for a single subject.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 100, 50))
    >>> round(float(individual_noise(xr.DataArray(noise, dims=("chain", "draw", "subject")))), 1)
    1.0
    """
    n_subjects = values.sizes["subject"]
    total = values.mean("subject").var(SAMPLE, ddof=1)
    if n_subjects == 1:
        return xr.zeros_like(total)
    noise = values.var("subject", ddof=1).mean(SAMPLE) / n_subjects
    return xr.where(noise > 0, noise / total.where(total > 0, noise), 0.0).clip(max=1.0)
