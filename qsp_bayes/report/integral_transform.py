"""Where each observation stands among its predictive draws."""

from __future__ import annotations

import numpy as np

from qsp_bayes.report.contents import Observations


def probability_integral_transform(
    data: Observations, draws: np.ndarray, weights: np.ndarray | None = None, random_seed: int = 1
) -> np.ndarray:
    r"""Give the randomised probability integral transform of each observation.

    .. math:: p_i = \frac{S\,P(\tilde y_i < y_i) + u_i\,(1 + S\,P(\tilde y_i = y_i))}{S + 1},
              \qquad u_i \sim U(0, 1),

    with P the weighted share of the S draws; it is uniform where the model holds. What lies beyond a limit of
    quantification is set at that limit in the data and in the draws, so that a censored observation is spread
    over the probability of being censored.

    Parameters
    ----------
    data : Observations
    draws : array (sample, obs)
    weights : array (sample, obs), optional
        Adding to 1 over the draws; equal by default. Those of leave-one-out cross-validation judge each
        observation by the posterior without it.
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
    number = len(draws)
    each = np.full(draws.shape, 1 / number) if weights is None else weights
    lower, equal = (number * (each * where).sum(axis=0) for where in (draws < value, draws == value))
    return (lower + uniform * (1 + equal)) / (number + 1)
