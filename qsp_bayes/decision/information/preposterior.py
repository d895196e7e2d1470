"""Preposterior analysis: the value of simulated data, by weighting the draws or by regression on summaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logsumexp

from qsp_bayes.decision.information.partial_information import valued
from qsp_bayes.decision.information.value_of_information import gain
from qsp_bayes.errors import DecisionError

Method = Literal["automatic", "weights", "regression"]
METHODS = ("automatic", "weights", "regression")
LEAST_ESS = 10.0
BLOCKS, SPLITS = 20, 10


@dataclass(frozen=True)
class SampleValue:
    """The value of one set of data.

    Attributes
    ----------
    value, mcse : float
    bias : float
        Estimate by the bootstrap of the regression; NaN with weights, for which `held_out` tells of it.
    held_out : float
        Value of the choices that half of the draws make on the data, as judged by the other half; NaN with regression.
    ess : float
        Median over data sets of the effective number of draws behind the weights; NaN where none were computed.
    method : str
    """

    value: float
    mcse: float
    bias: float
    held_out: float
    ess: float
    method: str


def by_weights(behind: np.ndarray, log_likelihood: np.ndarray, source: np.ndarray) -> SampleValue:
    r"""Value data by weighting all draws with the likelihood of each simulated data set.

    With data sets :math:`y_m` simulated from draws :math:`\theta_{s(m)}`, and weights :math:`w_{ms} \propto p(y_m \mid
    \theta_s)` that add up to 1,

    .. math:: EVSI = \operatorname{mean}_m \max_d \sum_s w_{ms} [U(d, \theta_s) - U(d^*, \theta_s)].

    The draws stand for the distribution before the data. Where few carry the weight (ESS below about 10), the draw that
    made the data is recognised by them, and the value comes out too high. `SampleValue.held_out` is too low instead,
    since it pays for choices made on half of the draws. How the expected regret of :math:`d^*` fares over the data sets
    serves as a control variate. The Monte Carlo error is a jackknife over blocks of consecutive
    draws together with the data sets they made.

    Parameters
    ----------
    behind : array
        Utilities less that of the regimen chosen now, (draw, regimen).
    log_likelihood : array
        Of each data set given each draw, (data set, draw).
    source : array
        The draw that each data set was simulated from, (data set,).

    Examples
    --------
    >>> from scipy.stats import norm
    >>> rng = np.random.default_rng(3)
    >>> theta = rng.normal(size=400)
    >>> data = theta + rng.normal(size=400)  # the posterior mean has sd sqrt(1/2)
    >>> behind = np.stack([0 * theta, theta], axis=1)
    >>> found = by_weights(behind, norm.logpdf(data[:, None], theta), np.arange(400))
    >>> bool(abs(found.value - np.sqrt(0.5) * norm.pdf(0)) < 3 * found.mcse)
    True
    """
    n_draws = len(behind)
    blocks = np.array_split(np.arange(n_draws), min(BLOCKS, n_draws))
    ceiling = log_likelihood.max(axis=1, keepdims=True)
    if not np.isfinite(ceiling).all():
        raise DecisionError(
            f"The likelihood of {int((~np.isfinite(ceiling)).sum())} of {len(ceiling)} simulated data sets is zero, or "
            "not finite, at every draw. Check predictions and error model; more individuals may be needed."
        )
    relative = np.exp(log_likelihood - ceiling)
    ess = relative.sum(axis=1) ** 2 / (relative**2).sum(axis=1)
    # All that follows needs only sums within blocks; the last column is the regret of the regimen chosen now.
    columns = np.column_stack([behind, behind.max(axis=1)])
    mass = np.stack([logsumexp(log_likelihood[:, block], axis=1) for block in blocks])
    means = np.stack([weighted_mean(log_likelihood[:, block], columns[block]) for block in blocks])
    value, excess = controlled(combined(mass, means), columns[:, -1].mean())
    without = []
    for position, block in enumerate(blocks):
        kept, others = np.arange(len(blocks)) != position, ~np.isin(source, block)
        regret = np.delete(columns[:, -1], block).mean()
        without.append(controlled(combined(mass[kept][:, others], means[kept][:, others]), regret)[0])
    error = float(np.sqrt((len(blocks) - 1) * np.var(without)))
    judged = held_out(mass, means[..., :-1]) - excess
    return SampleValue(value, error, np.nan, judged, float(np.median(ess)), "weights")


def controlled(means: np.ndarray, regret: float) -> tuple[float, float]:
    """Give the mean gain, less what the chance of the simulated data sets adds to it, and that excess.

    The expected regret of the regimen chosen now is, on average over data sets, what it is now. By how much it is not
    tells how far these data sets are from typical: a control variate.

    Parameters
    ----------
    means : array
        Means by the weights of each data set, (data set, regimen and regret).
    regret : float
        The regret now.
    """
    gains, control = gain(means[:, :-1]), means[:, -1] - regret
    spread = float(np.var(control))
    slope = float(np.cov(gains, control, bias=True)[0, 1]) / spread if spread > 0 else 0.0
    excess = slope * float(control.mean())
    return float(gains.mean()) - excess, excess


def weighted_mean(log_weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give means of values (draw, column) by log weights (data set, draw); 0 where all weights vanish."""
    top = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=1, keepdims=True)
    return (weights @ values) / np.where(total > 0, total, 1.0)


def combined(mass: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Give the means over some blocks, (data set, regimen), from their log masses and means."""
    top = mass.max(axis=0)
    weights = np.exp(mass - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=0)
    return np.einsum("bm,bmd->md", weights, means) / np.where(total > 0, total, 1.0)[:, None]


def held_out(mass: np.ndarray, means: np.ndarray) -> float:
    """Value the choices that one half of the blocks makes by the other half."""
    rng, n_blocks = np.random.default_rng(0), len(mass)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(n_blocks)
        halves = order[: n_blocks // 2], order[n_blocks // 2 :]
        for chosen_on, judged_on in (halves, halves[::-1]):
            choice = combined(mass[chosen_on], means[chosen_on]).argmax(axis=1)
            judged = combined(mass[judged_on], means[judged_on])
            found.append(judged[np.arange(len(choice)), choice].mean())
    return float(np.mean(found))


def by_regression(behind: np.ndarray, summaries: np.ndarray, rng: np.random.Generator) -> SampleValue:
    r"""Value data by regressing the utilities on summaries of data simulated from each draw.

    .. math:: EVSI = E_y \max_d E[U(d, \theta) - U(d^*, \theta) \mid T(y)]

    It needs no likelihood, and loses what the summaries T miss.

    Parameters
    ----------
    behind : array
        Utilities less that of the regimen chosen now, (draw, regimen).
    summaries : array
        Of one data set for each draw, (draw, summary).
    rng : Generator

    References
    ----------
    Strong M, Oakley JE, Brennan A, Breeze P. Estimating the expected value of sample information using the
    probabilistic sensitivity analysis sample: a fast, nonparametric regression-based method. Med Decis Making
    2015;35:570-583.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> rng = np.random.default_rng(1)
    >>> theta = rng.normal(size=400)
    >>> found = by_regression(np.stack([0 * theta, theta], axis=1), theta[:, None] + rng.normal(size=(400, 1)), rng)
    >>> bool(abs(found.value - np.sqrt(0.5) * norm.pdf(0)) < 3 * found.mcse)
    True
    """
    varies = np.ptp(summaries, axis=0) > 0
    if not varies.any():
        return SampleValue(0.0, 0.0, 0.0, np.nan, np.nan, "regression")
    value, error, bias, _, _ = valued(summaries[:, varies], behind, rng)
    return SampleValue(value, error, bias, np.nan, np.nan, "regression")


def by_either(
    behind: np.ndarray,
    log_likelihood: np.ndarray,
    source: np.ndarray,
    summaries: np.ndarray,
    method: Method,
    rng: np.random.Generator,
    ess_individuals: float = np.inf,
) -> SampleValue:
    """Value data by weights, or by regression where that was asked for or the weights degenerate."""
    if method != "regression":
        weighted = by_weights(behind, log_likelihood, source)
        if method == "weights" or min(weighted.ess, ess_individuals) >= LEAST_ESS:
            return weighted
    regressed = by_regression(behind, summaries, rng)
    if method == "regression":
        return regressed
    return SampleValue(
        regressed.value, regressed.mcse, regressed.bias, weighted.held_out, weighted.ess, regressed.method
    )


def check_method(method: str) -> None:
    """Require a known method."""
    if method not in METHODS:
        raise DecisionError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")


def as_rows(found: list[SampleValue]) -> dict[str, list]:
    """Give the columns of the table."""
    names = ("value", "mcse", "bias", "held_out", "ess", "method")
    return {name: [getattr(one, name) for one in found] for name in names}


def cautions_of(labels: list[str], found: list[SampleValue]) -> list[str]:
    """Say where the weights degenerate, or where they did and regression took over."""
    said = []
    pairs = list(zip(labels, found, strict=True))
    switched = [label for label, one in pairs if one.method == "regression" and np.isfinite(one.ess)]
    if switched:
        said.append(
            f"Weights rest on fewer than {LEAST_ESS:.0f} effective draws or individuals for {', '.join(switched)}: "
            "valued by regression on summaries of the data instead."
        )
    few = [label for label, one in pairs if one.method == "weights" and one.ess < LEAST_ESS]
    if few:
        said.append(
            f"Weights rest on fewer than {LEAST_ESS:.0f} effective draws for {', '.join(few)}: the value is too high. "
            "Simulate more draws, or use method='regression'."
        )
    return said
