"""Importance sampling of one person's random effects, with proposals that learn from their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

MOST_STAGES = 20
DEFENSIVE = 0.1
"""Share of the proposals that come from the prior: no weight can then exceed ten times the likelihood's share."""
DEGREES = 6.0
"""Of freedom of the proposals' t distribution, whose tails are heavier than those of the posterior."""
LEARN_FROM = 20
"""Effective draws for each number to be learned that a stage learns from."""
FEWEST_EFFECTIVE = 100
"""With fewer effective draws another way is taken."""


@dataclass(frozen=True)
class Proposal:
    r"""A t distribution of the effects given the population, with a share of the prior beside it.

    .. math:: q(b \mid \theta) = \alpha\, N(b; 0, I) + (1 - \alpha)\, t_\nu(b; m + B^T (x(\theta) - \bar x), L L^T)

    with x the variables of the population, standardised. Without `root` it is the prior alone.
    """

    centre: np.ndarray
    slope: np.ndarray
    root: np.ndarray | None

    @classmethod
    def prior(cls, n_effects: int, n_features: int) -> Proposal:
        """Give the prior as the proposal."""
        return cls(np.zeros(n_effects), np.zeros((n_features, n_effects)), None)

    @classmethod
    def learned(cls, features: np.ndarray, effects: np.ndarray, weights: np.ndarray) -> Proposal:
        """Match the weighted moments: regression on the features, and the covariance of what is left."""
        design = np.column_stack([np.ones(len(features)), features])
        weighted = design * weights[:, None]
        # One effective draw's worth of prior keeps directions that the weights do not span at rest.
        ridge = np.diag([0.0, *np.full(features.shape[1], effective(weights) ** -1)])
        coefficients = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ effects)
        rest = effects - design @ coefficients
        covariance = (rest * weights[:, None]).T @ rest + 1e-10 * np.eye(effects.shape[1])
        return cls(coefficients[0], coefficients[1:], np.linalg.cholesky(covariance))

    def draw(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw effects for each population (draw, effect)."""
        n, d = len(features), len(self.centre)
        standard = rng.standard_normal((n, d))
        if self.root is None:
            return standard
        stretch = np.sqrt(DEGREES / rng.chisquare(DEGREES, size=(n, 1)))
        learned = self.centre + features @ self.slope + stretch * standard @ self.root.T
        return np.where(rng.random((n, 1)) < DEFENSIVE, standard, learned)

    def log_density(self, features: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Give the log density of effects, (draw,)."""
        prior = log_normal(effects)
        if self.root is None:
            return prior
        d = effects.shape[1]
        away = np.linalg.solve(self.root, (effects - self.centre - features @ self.slope).T)
        student = (
            gammaln((DEGREES + d) / 2)
            - gammaln(DEGREES / 2)
            - d / 2 * np.log(DEGREES * np.pi)
            - np.log(np.diag(self.root)).sum()
            - (DEGREES + d) / 2 * np.log1p((away**2).sum(axis=0) / DEGREES)
        )
        return np.logaddexp(np.log(DEFENSIVE) + prior, np.log1p(-DEFENSIVE) + student)


@dataclass(frozen=True)
class Weighted:
    r"""Proposals, one for each population draw, with their weights.

    Attributes
    ----------
    effects : array, (draw, effect)
    weights : array, (draw,)
        Pareto-smoothed, adding up to 1.
    k : float
        Shape of the weights' generalised Pareto tail.
    ess : float
        Effective sample size of the weights, :math:`1 / \sum w^2`.
    stages : int
        How often the proposals were improved.
    log_evidence : float
        Log of the mean weight before smoothing: the density of the person's observations, given the study.
    """

    effects: np.ndarray
    weights: np.ndarray
    k: float
    ess: float
    stages: int
    log_evidence: float

    @property
    def reliable(self) -> bool:
        """Whether the weights can be trusted."""
        return self.k <= largest_k(len(self.weights)) and self.ess >= FEWEST_EFFECTIVE


def importance_sample(
    log_likelihood: Callable[[np.ndarray], np.ndarray],
    features: np.ndarray,
    n_effects: int,
    wanted: float,
    rng: np.random.Generator,
    report: Callable[[int, float, float], None] = lambda stage, k, ess: None,
) -> Weighted:
    r"""Sample :math:`p(\theta, b \mid y) \propto p(\theta)\,N(b; 0, I)\,p(y \mid \theta, b)` by importance sampling.

    The population draws :math:`\theta_s` stay; the effects are first proposed from their prior. Where too few
    proposals carry the weight, the next ones come from a t distribution that matches the moments of the weighted ones
    (those of :math:`p(y \mid \theta, b)^\beta`, with :math:`\beta < 1` as long as 1 would leave too few to learn
    from), with a tenth from the prior. Each stage draws afresh, so that the weights of the last one are unbiased.

    Parameters
    ----------
    log_likelihood : callable
        Of effects (draw, effect), one row for each population draw: :math:`\log p(y \mid \theta_s, b_s)`.
    features : array, (draw, feature)
        Variables of the population, standardised, which the effects are regressed on.
    n_effects : int
    wanted : float
        Effective sample size at which to stop.
    rng : numpy.random.Generator
    report : callable, optional
        Called after each stage with its number, k and effective sample size.

    Returns
    -------
    Weighted
        The best stage; see `Weighted.reliable`.

    References
    ----------
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024) Pareto smoothed importance sampling. J Mach Learn Res
    25(72):1-58. Cappe O, Guillin A, Marin JM, Robert CP (2004) Population Monte Carlo. J Comput Graph Stat
    13:907-929. Hesterberg T (1995) Weighted average importance sampling and defensive mixture distributions.
    Technometrics 37:185-194.

    Examples
    --------
    A single effect observed with error 0.1 at 2.0, whatever the population: the posterior is normal, 2/1.01 and 0.0995.

    >>> rng = np.random.default_rng(1)
    >>> found = importance_sample(
    ...     lambda b: -0.5 * ((2.0 - b[:, 0]) / 0.1) ** 2, rng.normal(size=(4000, 1)), 1, 2000, rng
    ... )
    >>> mean = found.weights @ found.effects[:, 0]
    >>> found.reliable, bool(abs(mean - 2 / 1.01) < 0.006)
    (True, True)
    """
    n = len(features)
    proposal = Proposal.prior(n_effects, features.shape[1])
    best = None
    floor = min(n / 4, LEARN_FROM * (n_effects + features.shape[1] + 1))
    worse = 0
    for stage in range(MOST_STAGES):
        effects = proposal.draw(features, rng)
        likelihood = log_likelihood(effects)
        ratio = log_normal(effects) - proposal.log_density(features, effects)
        weighted = weigh(effects, likelihood + ratio, stage)
        report(stage, weighted.k, weighted.ess)
        worse = worse + 1 if best is not None and weighted.ess < 1.1 * best.ess else 0
        if best is None or rank(weighted) > rank(best):
            best = weighted
        if (weighted.reliable and weighted.ess >= wanted) or (best.reliable and worse >= 3) or not n_effects:
            break
        power = tempering(likelihood, ratio, floor)
        if power is None:
            break
        proposal = Proposal.learned(features, effects, normalised(power * likelihood + ratio))
    assert best is not None
    return best


def rank(weighted: Weighted) -> tuple[bool, float]:
    """Order stages: what can be trusted first, then by effective draws."""
    return weighted.reliable, weighted.ess


def weigh(effects: np.ndarray, log_weights: np.ndarray, stage: int) -> Weighted:
    """Smooth the weights of a stage; where none is possible, k is infinite."""
    n = len(log_weights)
    finite = np.isfinite(log_weights)
    if finite.sum() < 2:
        return Weighted(effects, np.full(n, 1 / n), np.inf, 0.0, stage, -np.inf)
    smoothed, k = np.full(n, -np.inf), 0.0
    smoothed[finite] = log_weights[finite]
    tail = np.sort(log_weights[finite])[-int(np.ceil(min(finite.sum() / 5, 3 * np.sqrt(finite.sum())))) :]
    if np.ptp(tail) > 0:  # equal weights, as of levels that say nothing, have no tail to smooth
        # arviz_stats takes log-likelihoods to be left out, whose negative is the log weight.
        smoothed[finite], k = array_stats.psislw(-log_weights[finite])
    weights = normalised(smoothed)
    evidence = float(logsumexp(log_weights) - np.log(n))
    return Weighted(effects, weights, float(k), effective(weights), stage, evidence)


def tempering(likelihood: np.ndarray, ratio: np.ndarray, wanted: float) -> float | None:
    """Give the largest power of the likelihood, up to 1, that leaves enough effective draws; None where none does."""
    possible = np.isfinite(likelihood)
    if possible.sum() < wanted:
        return None
    likelihood, ratio = likelihood[possible], ratio[possible]

    def excess(power: float) -> float:
        return effective(normalised(power * likelihood + ratio)) - wanted

    if excess(1.0) >= 0:
        return 1.0
    if excess(0.0) <= 0:
        return 1e-3
    return float(brentq(excess, 0.0, 1.0, xtol=1e-6))


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Give weights that add up to 1."""
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum()


def effective(weights: np.ndarray) -> float:
    """Give Kish's effective sample size of weights that add up to 1."""
    return float(1.0 / np.sum(weights**2))


def largest_k(n: int) -> float:
    """Give the largest Pareto k that n draws can bear, at most 0.7 (Vehtari 2024).

    Examples
    --------
    >>> round(largest_k(1000), 3), largest_k(4000)
    (0.667, 0.7)
    """
    return float(min(1 - 1 / np.log10(n), 0.7))


def log_normal(effects: np.ndarray) -> np.ndarray:
    """Give the log density of the standard normal distribution."""
    return -0.5 * (effects**2).sum(axis=1) - 0.5 * effects.shape[1] * np.log(2 * np.pi)


def resample(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n positions with probabilities `weights`, systematically and in their order.

    What is drawn twice stands side by side: the autocorrelation of the result tells of it, as of that between the
    proposals themselves, so that an effective sample size computed from the result is honest. Where no weight exceeds
    1/n nothing is drawn twice, and this is rejection sampling.

    References
    ----------
    Kitagawa G (1996) Monte Carlo filter and smoother for non-Gaussian nonlinear state space models. J Comput Graph
    Stat 5:1-25.

    Examples
    --------
    >>> resample(np.array([0.1, 0.6, 0.3]), 10, np.random.default_rng(1)).tolist()
    [0, 1, 1, 1, 1, 1, 1, 2, 2, 2]
    """
    ends = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(ends, (np.arange(n) + rng.random()) / n), len(weights) - 1)
