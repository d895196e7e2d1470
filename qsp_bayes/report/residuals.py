"""Quantile residuals: where each observation stands among its predictive draws, as a standard normal."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from qsp_bayes.report.contents import Observations


def probability_integral_transform(data: Observations, draws: np.ndarray, random_seed: int = 1) -> np.ndarray:
    r"""Give the randomised probability integral transform of each observation.

    .. math:: p_i = \frac{\#\{s: \tilde y_{is} < y_i\} + u_i \, (1 + \#\{s: \tilde y_{is} = y_i\})}{S + 1},
              \qquad u_i \sim U(0, 1),

    which is uniform where the model holds. What lies beyond a limit of quantification is set at that limit in
    the data and in the draws, so that a censored observation is spread over the probability of being
    censored.

    Parameters
    ----------
    data : Observations
    draws : array (sample, obs)
    random_seed : int

    References
    ----------
    Dunn PK, Smyth GK. Randomized quantile residuals. J Comput Graph Stat 5 (1996) 236-244.

    Examples
    --------
    >>> one = np.array([1])
    >>> data = Observations("Cc", "mg/L", "h", one, time=one, value=np.array([2.5]), censoring=0 * one)
    >>> p = probability_integral_transform(data, np.array([[1.0], [2.0], [3.0]]))
    >>> bool(0.5 <= p[0] <= 0.75)
    True
    """
    value, draws = data.quantified(data.value), data.quantified(draws)
    uniform = np.random.default_rng(random_seed).uniform(size=value.size)
    lower, equal = (draws < value).sum(axis=0), (draws == value).sum(axis=0)
    return (lower + uniform * (1 + equal)) / (len(draws) + 1)


def quantile_residuals(data: Observations, draws: np.ndarray, random_seed: int = 1) -> np.ndarray:
    """Give the probability integral transform on the scale of a standard normal.

    Parameters
    ----------
    data, draws, random_seed
        See :func:`probability_integral_transform`.

    Examples
    --------
    >>> one = np.array([1])
    >>> data = Observations("Cc", "mg/L", "h", one, time=one, value=0.0 * one, censoring=0 * one)
    >>> draws = norm.ppf(np.linspace(0.001, 0.999, 9999))[:, None]
    >>> bool(abs(quantile_residuals(data, draws)[0]) < 0.01)
    True
    """
    return norm.ppf(probability_integral_transform(data, draws, random_seed))
