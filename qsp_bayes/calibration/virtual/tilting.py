"""Exponential tilting: the weights nearest to equal ones under which given means hold."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

CLOSE = 1e-9
"""Largest difference from a target that counts as none, in standard deviations."""


class Unattainable(ValueError):
    """No weights have the means that are asked for. `which` is the position of one that is out of reach alone."""

    def __init__(self, which: int | None) -> None:
        super().__init__("no weights have these means")
        self.which = which


def tilt(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    r"""Weigh points so that the means of some values are given numbers.

    .. math:: w_i \propto \exp(\lambda \cdot g_i), \qquad
              \lambda = \operatorname{argmin} \log \sum_i \exp(\lambda \cdot g_i)

    where :math:`g_i` are the values less their targets, in standard deviations. The function of :math:`\lambda` is
    convex, its gradient the weighted mean of g, and its Hessian the weighted covariance; it has a minimum where the
    targets lie within the convex hull of the values.

    Parameters
    ----------
    values : array (point, value)
    targets : array (value)

    Returns
    -------
    array (point)
        Weights, whose sum is 1.

    Raises
    ------
    Unattainable
        If the targets lie outside the convex hull of the points, or on its surface.

    References
    ----------
    Csiszar I (1975) Ann Probab 3:146-158.

    Examples
    --------
    >>> tilt(np.array([[0.0], [1.0]]), np.array([0.25]))
    array([0.75, 0.25])
    """
    spread = values.std(axis=0)
    same = spread <= 1e-12 * np.maximum(np.abs(values).max(axis=0), np.abs(targets))
    outside = np.where(
        same,
        ~np.isclose(values[0], targets, rtol=1e-9, atol=0.0),
        (targets <= values.min(axis=0)) | (targets >= values.max(axis=0)),
    )
    if outside.any():
        raise Unattainable(int(np.argmax(outside)))
    g = (values - targets)[:, ~same] / spread[~same]
    if g.shape[1] == 0:
        return np.full(len(values), 1 / len(values))

    def gradient(multipliers: np.ndarray) -> np.ndarray:
        return softmax(g @ multipliers) @ g

    def hessian(multipliers: np.ndarray) -> np.ndarray:
        weights = softmax(g @ multipliers)
        mean = weights @ g
        return (g.T * weights) @ g - np.outer(mean, mean)

    found = minimize(
        lambda multipliers: logsumexp(g @ multipliers),
        np.zeros(g.shape[1]),
        jac=gradient,
        hess=hessian,
        method="trust-exact",
        options={"gtol": 1e-6, "maxiter": 500},
    )
    multipliers = found.x
    for _ in range(
        3
    ):  # the function is flat to rounding where its gradient is 1e-8: Newton's steps need it no more
        multipliers = multipliers - np.linalg.lstsq(hessian(multipliers), gradient(multipliers))[0]
    weights = softmax(g @ multipliers)
    if not np.abs(weights @ g).max() <= CLOSE:
        raise Unattainable(None)
    return weights
