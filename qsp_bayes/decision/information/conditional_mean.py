"""Conditional mean: what a quantity is expected to be, given inputs, by Gaussian-process regression on draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import norm, rankdata

MOST_DRAWS_TO_TUNE = 300
START = 1.5
LEAST_VARIANCE = 1e-6
# Logarithms of the amplitude, the residual standard deviation and the length of each input, all standardised.
BOUNDS = {"amplitude": (-7.0, 2.0), "residual": (-6.0, 0.5), "length": (-1.6, 4.0)}


@dataclass(frozen=True)
class ConditionalMean:
    r"""A regression :math:`E[u \mid \phi]` with its smoothness settled: a linear map of the responses.

    The prior of the function is a Gaussian process, a plane plus a smooth departure from it, on inputs in normal scores
    (ranks through the normal quantile function) and responses in standard deviations:

    .. math::

        k(\phi, \phi') = 1 + \phi^T \phi' + a^2 \exp\Bigl(-\sum_i \frac{(\phi_i - \phi'_i)^2}{2 \ell_i^2}\Bigr).

    Amplitude, lengths and residual variance maximise the marginal likelihood: inputs that do not matter get long
    lengths. With these settled, the fitted values are :math:`K (K + \sigma^2 I)^{-1} u`.

    Attributes
    ----------
    covariance : array
        K, (draw, draw).
    factor : tuple
        Cholesky factor of :math:`K + \sigma^2 I`.
    freedom : float
        Effective degrees of freedom, the trace of :math:`K (K + \sigma^2 I)^{-1}`.

    References
    ----------
    Rasmussen CE, Williams CKI. Gaussian Processes for Machine Learning. MIT Press, 2006, chapters 2 and 5.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> phi = rng.normal(size=(200, 1))
    >>> mean = ConditionalMean.tuned(normal_scores(phi), phi[:, 0] + rng.normal(size=200), rng)
    >>> bool(1 < mean.freedom < 4)
    True
    >>> mean.of(phi).shape
    (200, 1)
    """

    covariance: np.ndarray
    factor: tuple[np.ndarray, bool]
    freedom: float

    @classmethod
    def tuned(cls, scores: np.ndarray, response: np.ndarray, rng: np.random.Generator) -> ConditionalMean:
        """Settle the smoothness for inputs (draw, input) and one response (draw,)."""
        sd = response.std()
        standard = (response - response.mean()) / (sd if sd > 0 else 1.0)
        some = np.arange(len(scores))
        if len(some) > MOST_DRAWS_TO_TUNE:
            some = rng.choice(len(some), MOST_DRAWS_TO_TUNE, replace=False)
        amplitude, residual, *lengths = tune(scores[some], standard[some])
        covariance = plane(scores) + departure(scores, amplitude, np.array(lengths))
        factor = cho_factor(covariance + residual**2 * np.eye(len(scores)), lower=True)
        return cls(covariance, factor, len(scores) - residual**2 * float(np.trace(inverse_of(factor[0]))))

    def of(self, responses: np.ndarray) -> np.ndarray:
        """Give the fitted values of responses (draw,) or (draw, column), each around its own mean."""
        middle = responses.mean(axis=0)
        return middle + self.covariance @ cho_solve(self.factor, responses - middle)


@dataclass(frozen=True)
class ConditionalMeans:
    """Regressions of several responses that go together, such as the utilities of the regimens of a fine grid.

    They are regressed along their principal components, each with a smoothness of its own, so that a hundred doses of
    which three directions matter need three regressions.

    Attributes
    ----------
    centre : array
        Means of the responses (column,).
    axes : array
        Principal axes (component, column).
    means : tuple of ConditionalMean
        One for each component.
    scores, fitted : array
        Components of the responses and their fitted values, (draw, component).
    """

    centre: np.ndarray
    axes: np.ndarray
    means: tuple[ConditionalMean, ...]
    scores: np.ndarray
    fitted: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, responses: np.ndarray, rng: np.random.Generator) -> ConditionalMeans:
        """Regress responses (draw, column) on inputs (draw, input)."""
        centre = responses.mean(axis=0)
        _, sizes, axes = np.linalg.svd(responses - centre, full_matrices=False)
        axes = axes[sizes**2 > LEAST_VARIANCE * max(float((sizes**2).sum()), np.finfo(float).tiny)]
        components = (responses - centre) @ axes.T
        given = normal_scores(inputs)
        means = tuple(ConditionalMean.tuned(given, column, rng) for column in components.T)
        return cls(centre, axes, means, components, smoothed(means, components))

    @property
    def values(self) -> np.ndarray:
        """Fitted values of the responses (draw, column)."""
        return self.centre + self.fitted @ self.axes

    @property
    def residuals(self) -> np.ndarray:
        """Residuals of the components, scaled up for the freedom that the regressions took."""
        n = len(self.scores)
        scale = [np.sqrt(n / max(n - mean.freedom, 1.0)) for mean in self.means]
        return (self.scores - self.fitted) * np.array(scale)

    def again(self, components: np.ndarray) -> np.ndarray:
        """Regress other components (replicate, draw, component) with the same smoothness.

        Returns
        -------
        array
            Fitted responses (replicate, draw, column).
        """
        return self.centre + smoothed(self.means, components) @ self.axes


def smoothed(means: tuple[ConditionalMean, ...], components: np.ndarray) -> np.ndarray:
    """Give the fitted values of components (..., draw, component), each by its own regression."""
    fitted = np.empty(components.shape)
    for position, mean in enumerate(means):
        fitted[..., position] = mean.of(components[..., position].T).T
    return fitted


def normal_scores(inputs: np.ndarray) -> np.ndarray:
    """Replace each input (draw, input) by normal quantiles of its ranks; information is the same on any scale.

    Examples
    --------
    >>> normal_scores(np.array([[1.0], [10.0], [1e6]])).ravel().round(2).tolist()
    [-0.67, 0.0, 0.67]
    """
    return norm.ppf(rankdata(inputs, axis=0) / (len(inputs) + 1))


def plane(scores: np.ndarray) -> np.ndarray:
    """Give the covariance of a random plane."""
    return 1.0 + scores @ scores.T


def departure(scores: np.ndarray, amplitude: float, lengths: np.ndarray) -> np.ndarray:
    """Give the covariance of a smooth function: squared exponential, with a length for each input."""
    return amplitude**2 * np.exp(-0.5 * cdist(scores / lengths, scores / lengths, "sqeuclidean"))


def tune(scores: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Give the amplitude, the residual standard deviation and the lengths of the largest marginal likelihood."""
    apart = (scores[:, None, :] - scores[None, :, :]) ** 2
    flat, n_inputs = plane(scores), scores.shape[1]
    bounds = [BOUNDS["amplitude"], BOUNDS["residual"], *[BOUNDS["length"]] * n_inputs]

    def objective(logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        amplitude, residual, *lengths = np.exp(logarithms)
        smooth = departure(scores, amplitude, np.array(lengths))
        lower, _ = cho_factor(flat + smooth + residual**2 * np.eye(len(scores)), lower=True)
        weights = cho_solve((lower, True), response)
        value = 0.5 * response @ weights + np.log(np.diagonal(lower)).sum()
        # Derivatives by the logarithm of each hyperparameter: half the trace of (inverse - weights weights') dK.
        change = inverse_of(lower) - np.outer(weights, weights)
        by_smooth = change * smooth
        by_length = 0.5 * np.einsum("st,sti->i", by_smooth, apart) / np.square(lengths)
        return value, np.array([by_smooth.sum(), residual**2 * np.trace(change), *by_length])

    start = np.log([0.5, 0.5, *[START * np.sqrt(n_inputs)] * n_inputs])
    options = {"maxiter": 40, "ftol": 1e-6}
    return np.exp(minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x)


def inverse_of(lower: np.ndarray) -> np.ndarray:
    """Give the inverse of a matrix from its Cholesky factor.

    Examples
    --------
    >>> inverse_of(np.linalg.cholesky(np.array([[2.0, 1.0], [1.0, 2.0]]))).round(3).tolist()
    [[0.667, -0.333], [-0.333, 0.667]]
    """
    inverse, _ = dpotri(lower, lower=1)
    half = np.tril(inverse, -1)
    return half + half.T + np.diag(np.diagonal(inverse))
