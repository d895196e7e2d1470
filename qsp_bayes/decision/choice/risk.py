r"""Risk: what a distribution of utilities is worth, by its mean or by its worst part.

Each functional :math:`\Psi` of a sample gives its value as the mean of pseudo-values
:math:`\psi_k = \hat\Psi + IF(u_k)`, IF being its empirical influence function. The Monte Carlo error of any
functional is then that of a mean, for which draws and individuals are told apart (see `standard_error`).

References
----------
Rockafellar RT, Uryasev S. Conditional value-at-risk for general loss distributions. J Bank Finance 2002;26:1443-1471.
Hampel FR, Ronchetti EM, Rousseeuw PJ, Stahel WA. Robust Statistics: The Approach Based on Influence Functions. Wiley,
1986.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision.choice.simulation_error import SAMPLE
from qsp_bayes.errors import DecisionError


class Functional(Protocol):
    """What is made of a sample along the last axis of an array."""

    def pseudo_values(self, values: np.ndarray) -> np.ndarray:
        """Pseudo-values, in the shape of `values`, whose mean along the last axis is the functional."""

    def sensitivity(self, values: np.ndarray) -> np.ndarray:
        """Derivative of the functional by each value, times their number; its mean along the last axis is 1."""

    def counted(self, n: int) -> float:
        """How many of n values decide the result."""

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Mean:
    r"""The mean: the utility counts as it is.

    Examples
    --------
    >>> Mean().pseudo_values(np.array([1.0, 3.0])).mean().item()
    2.0
    """

    def pseudo_values(self, values: np.ndarray) -> np.ndarray:
        """The values themselves."""
        return values

    def sensitivity(self, values: np.ndarray) -> np.ndarray:
        """One for each."""
        return np.ones_like(values)

    def counted(self, n: int) -> float:
        """All."""
        return n

    def __str__(self) -> str:
        return "mean"


@dataclass(frozen=True)
class CVaR:
    r"""Conditional value at risk: the mean of the worst share.

    .. math:: \operatorname{CVaR}_\alpha(u) = \max_q \Bigl\{ q - \frac{1}{\alpha} \operatorname{E}(q - u)_+ \Bigr\}

    The maximum is at the :math:`\alpha`-quantile q. The pseudo-values :math:`q - (q - u_k)_+ / \alpha` have exactly
    this mean. Over individuals it protects those served worst; over draws it guards against what is not known.

    Parameters
    ----------
    share : float
        Alpha: 0.1 is the mean over the worst tenth. A sample of n holds n times `share` of them, and the estimate is
        biased by about the inverse of that: have twenty or more.

    Raises
    ------
    DecisionError
        If the share is not above 0 and below 1.

    Examples
    --------
    >>> CVaR(0.5).pseudo_values(np.array([1.0, 2.0, 3.0, 4.0])).mean().item()
    1.5
    """

    share: float

    def __post_init__(self) -> None:
        require_share("CVaR", self.share)

    def pseudo_values(self, values: np.ndarray) -> np.ndarray:
        """Pseudo-values whose mean is the mean of the worst share."""
        edge = self.edge(values)
        return edge - np.maximum(edge - values, 0.0) / self.share

    def sensitivity(self, values: np.ndarray) -> np.ndarray:
        """One over the share for the worst; the value at the edge counts with the rest."""
        edge, n = self.edge(values), values.shape[-1]
        below = values < edge
        at = values == edge
        rest = self.share * n - below.sum(axis=-1, keepdims=True)
        return (below + at * rest / at.sum(axis=-1, keepdims=True)) / self.share

    def edge(self, values: np.ndarray) -> np.ndarray:
        """The quantile at which the maximum is attained: an order statistic."""
        position = max(math.ceil(self.share * values.shape[-1] - 1e-9) - 1, 0)
        return np.partition(values, position, axis=-1)[..., position : position + 1]

    def counted(self, n: int) -> float:
        """The worst share."""
        return n * self.share

    def __str__(self) -> str:
        return f"mean of the worst {100 * self.share:g} %"


@dataclass(frozen=True)
class Quantile:
    r"""A quantile: the utility that all but a share q attain.

    .. math:: \psi_k = \hat Q(q) + \frac{\hat F(\hat Q) - 1\{u_k \le \hat Q\}}{\hat f(\hat Q)}

    The density f is the reciprocal of the difference quotient of quantiles, with the bandwidth of Hall and Sheather.

    Parameters
    ----------
    q : float
        0.1 is the utility that nine of ten reach; 0.5 the median.

    Raises
    ------
    DecisionError
        If q is not above 0 and below 1.

    References
    ----------
    Hall P, Sheather SJ. On the distribution of a studentized quantile. J R Stat Soc B 1988;50:381-391.

    Examples
    --------
    >>> round(Quantile(0.5).pseudo_values(np.array([1.0, 2.0, 9.0])).mean().item(), 6)
    2.0
    """

    q: float

    def __post_init__(self) -> None:
        require_share("Quantile", self.q)

    def pseudo_values(self, values: np.ndarray) -> np.ndarray:
        """Pseudo-values whose mean is the quantile."""
        edge, _, spacing = self.edge_and_spacing(values)
        below = (values <= edge).astype(float)
        return edge + (below.mean(axis=-1, keepdims=True) - below) * spacing

    def sensitivity(self, values: np.ndarray) -> np.ndarray:
        """Equal for the values within the bandwidth of the quantile, and none for the others."""
        edge, half, _ = self.edge_and_spacing(values)
        low, high = (np.quantile(values, self.q + side, axis=-1, keepdims=True) for side in (-half, half))
        near = ((values >= low) & (values <= high)) | (values == closest(values, edge))
        return near * (values.shape[-1] / near.sum(axis=-1, keepdims=True))

    def edge_and_spacing(self, values: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """The quantile, the bandwidth in probability, and one over the density."""
        half = bandwidth(self.q, values.shape[-1])
        low, edge, high = np.quantile(values, [self.q - half, self.q, self.q + half], axis=-1, keepdims=True)
        return edge, half, (high - low) / (2 * half)

    def counted(self, n: int) -> float:
        """Those on the shorter side of the quantile."""
        return n * min(self.q, 1 - self.q)

    def __str__(self) -> str:
        return f"{100 * self.q:g} % quantile"


def bandwidth(q: float, n: int) -> float:
    """Bandwidth of Hall and Sheather (95 % intervals), kept within the probabilities there are.

    Examples
    --------
    >>> round(bandwidth(0.5, 1000), 3)
    0.097
    """
    z = norm.ppf(q)
    best = n ** (-1 / 3) * norm.ppf(0.975) ** (2 / 3) * (1.5 * norm.pdf(z) ** 2 / (2 * z**2 + 1)) ** (1 / 3)
    return float(min(best, 0.999 * q, 0.999 * (1 - q)))


def closest(values: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The value closest to the quantile, which always counts."""
    position = np.abs(values - edge).argmin(axis=-1, keepdims=True)
    return np.take_along_axis(values, position, axis=-1)


def over_individuals(individual: xr.DataArray, functional: Functional) -> xr.DataArray:
    """Pseudo-values of the individuals within each draw and regimen; their mean over subjects is U(d, theta)."""
    return individual if functional == Mean() else applied(functional.pseudo_values, individual, ["subject"])


def over_draws(values: xr.DataArray, functional: Functional) -> xr.DataArray:
    r"""Pseudo-values of draws and individuals, whose mean over both is the functional of U(d, theta) over the draws.

    .. math:: p_{si} = \psi_s + g_s (v_{si} - \bar v_{s\cdot}), \qquad g_s = S \frac{\partial \Psi}{\partial U_s}

    Parameters
    ----------
    values : DataArray
        Pseudo-values of individuals v, dimensions chain, draw, regimen, subject.
    functional : Functional

    Returns
    -------
    DataArray
        Same dimensions.
    """
    if functional == Mean():
        return values
    population = values.mean("subject")
    draws = applied(functional.pseudo_values, population, list(SAMPLE))
    weight = applied(functional.sensitivity, population, list(SAMPLE))
    return draws + weight * (values - population)


def applied(function, values: xr.DataArray, dims: list[str]) -> xr.DataArray:  # type: ignore[no-untyped-def]
    """Apply a function of an array along its last axis, which stands for one or two dimensions."""

    def along(array: np.ndarray) -> np.ndarray:
        kept = array.shape[: array.ndim - len(dims)]
        return function(array.reshape(*kept, -1)).reshape(array.shape)

    result = xr.apply_ufunc(along, values, input_core_dims=[dims], output_core_dims=[dims])
    return result.transpose(*values.dims)


def require_share(name: str, share: float) -> None:
    """Require a share above 0 and below 1."""
    if not 0 < share < 1:
        raise DecisionError(f"{name}({share}): a share above 0 and below 1 is expected, such as 0.1.")
