"""Knowledge of one variable: its prior, on the scale on which it is compared with the posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from qsp_bayes.calibration.families import FAMILIES

Array = np.ndarray[Any, np.dtype[np.float64]]

TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log": np.log,
    "logit": lambda x: np.log(x) - np.log1p(-x),
}
"""Scales: logarithmic for what is positive, logit for what lies between 0 and 1, identity for the rest."""

INVERSES: dict[str, Callable[[float], Any]] = {
    "identity": float,
    "log": np.exp,
    "logit": lambda x: 1 / (1 + np.exp(-x)),
}

# Normal scores and their weights: they integrate what is smooth in the normal score, exactly for a (log-, logit-)
# normal prior. With 20 of them the outermost is at 7.6, where the probability still differs from 1.
SCORES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
GRID = 2001


@dataclass(frozen=True)
class Knowledge:
    """A distribution of one variable, on the scale that suits its range.

    Parameters
    ----------
    scale : {"identity", "log", "logit"}
    mean, median, sd : float
        On that scale.
    quantiles : array of float
        At evenly spaced probabilities, increasing, on that scale.
    exact : bool
        Whether it is known as a law, or from draws.
    """

    scale: str
    mean: float
    median: float
    sd: float
    quantiles: Array
    exact: bool

    def probability(self, x: Array) -> Array:
        """Return the probability of less than x, which is on the scale."""
        places = np.linspace(0, 1, self.quantiles.size + 2)[1:-1]
        return np.interp(x, self.quantiles, places, left=0.0, right=1.0)


def of_law(family: str, parameters: Mapping[str, float]) -> Knowledge:
    """Return what a prior of one of the library's families says.

    Examples
    --------
    >>> found = of_law("LogNormal", {"mu": 1.0, "sigma": 0.5})
    >>> found.scale, round(found.mean, 9), round(found.sd, 9)
    ('log', 1.0, 0.5)
    >>> round(of_law("HalfNormal", {"sigma": 3.0}).sd, 3)  # of its logarithm: pi / sqrt(8)
    1.111
    """
    law = FAMILIES[family].law(**parameters)
    scale = scale_of(float(law.ppf(0.0)), float(law.ppf(1.0)))
    transform = TRANSFORMS[scale]
    values, weights = transform(law.ppf(norm.cdf(SCORES))), WEIGHTS / WEIGHTS.sum()
    mean = float(weights @ values)
    places = np.linspace(0, 1, GRID + 2)[1:-1]
    return Knowledge(
        scale,
        mean,
        float(transform(law.ppf(0.5))),
        float(np.sqrt(weights @ (values - mean) ** 2)),
        transform(law.ppf(places)),
        exact=True,
    )


def of_draws(draws: Array, scale: str | None = None) -> Knowledge:
    """Return what draws say; without a scale, the logarithmic one where all are positive."""
    scale = scale or ("log" if np.min(draws) > 0 else "identity")
    values = np.sort(TRANSFORMS[scale](np.asarray(draws, dtype=float).ravel()))
    return Knowledge(
        scale, float(values.mean()), float(np.median(values)), float(values.std(ddof=1)), values, exact=False
    )


def scale_of(low: float, high: float) -> str:
    """Return the scale of a variable that lies between two bounds.

    Examples
    --------
    >>> scale_of(0.0, np.inf), scale_of(0.0, 1.0), scale_of(-1.0, 1.0)
    ('log', 'logit', 'identity')
    """
    if (low, high) == (0.0, 1.0):
        return "logit"
    return "log" if low >= 0 else "identity"
