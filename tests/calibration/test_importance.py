"""Importance sampling against the normal case, where posterior and evidence are known, and its own repetitions."""

import numpy as np
import pytest
from arviz_stats import ess
from arviz_stats.base import array_stats
from scipy.stats import kstest, multivariate_normal, norm, t

from qsp_bayes.calibration.individual.importance import (
    DEFENSIVE,
    DEGREES,
    Proposal,
    importance_sample,
    largest_k,
    log_normal,
    resample,
    tempering,
)

LOADING, NOISE, OBSERVED = 0.5, 0.2, 1.0


def normal_case(n, rng, n_effects=2, noise=NOISE, observed=OBSERVED):
    """Effects b, each observed as b + LOADING theta + noise; theta standard normal."""
    theta = rng.standard_normal((n, 1))

    def log_likelihood(b):
        return norm.logpdf(observed, b + LOADING * theta, noise).sum(axis=1)

    return theta, log_likelihood


def exact(n_effects=2, noise=NOISE, observed=OBSERVED):
    """Mean and covariance of (theta, b), and the log evidence."""
    matrix = np.column_stack([np.full(n_effects, LOADING), np.eye(n_effects)])
    marginal = matrix @ matrix.T + noise**2 * np.eye(n_effects)
    gain = np.linalg.solve(marginal, matrix).T
    mean = gain @ np.full(n_effects, observed)
    covariance = np.eye(1 + n_effects) - gain @ matrix
    return mean, covariance, multivariate_normal(cov=marginal).logpdf(np.full(n_effects, observed))


@pytest.mark.parametrize(
    ("n_effects", "noise", "learns"), [(1, 0.5, False), (2, 0.2, True), (6, 0.1, True), (12, 0.2, True)]
)
def test_moments_and_evidence_of_the_normal_case(n_effects, noise, learns):
    rng = np.random.default_rng(3)
    theta, log_likelihood = normal_case(8000, rng, n_effects, noise)
    found = importance_sample(log_likelihood, theta, n_effects, 2000, rng)
    mean, covariance, evidence = exact(n_effects, noise)
    assert found.reliable
    assert (found.stages > 0) == learns
    sample = np.column_stack([theta, found.effects])
    for k in range(1 + n_effects):
        error = np.sqrt(covariance[k, k] / found.ess)
        assert abs(found.weights @ sample[:, k] - mean[k]) < 4.5 * error
        spread = found.weights @ (sample[:, k] - mean[k]) ** 2
        assert spread == pytest.approx(covariance[k, k], rel=4.5 * np.sqrt(2.5 / found.ess))
    assert abs(found.log_evidence - evidence) < 5 / np.sqrt(found.ess)


def test_the_density_of_proposals_is_that_of_their_draws():
    """In one dimension: against scipy's t distribution, and the draws against the mixture's distribution function."""
    proposal = Proposal(np.array([2.0]), np.array([[0.5]]), np.array([[0.3]]))
    features = np.full((20000, 1), 1.0)
    at = np.linspace(-3, 6, 20000)[:, None]
    density = np.exp(proposal.log_density(features, at))
    learned = t(DEGREES, 2.5, 0.3)
    np.testing.assert_allclose(
        density, DEFENSIVE * norm.pdf(at[:, 0]) + (1 - DEFENSIVE) * learned.pdf(at[:, 0]), rtol=1e-10
    )
    drawn = proposal.draw(features, np.random.default_rng(1))[:, 0]

    def distribution(x):
        return DEFENSIVE * norm.cdf(x) + (1 - DEFENSIVE) * learned.cdf(x)

    assert kstest(drawn, distribution).pvalue > 0.001


def test_moments_are_matched():
    rng = np.random.default_rng(2)
    features = rng.standard_normal((50000, 2))
    slope = np.array([[0.5, 0.0], [0.0, -1.0]])
    root = np.array([[0.2, 0.0], [0.1, 0.3]])
    effects = np.array([1.0, -2.0]) + features @ slope + rng.standard_normal((50000, 2)) @ root.T
    learned = Proposal.learned(features, effects, np.full(50000, 1 / 50000))
    np.testing.assert_allclose(learned.centre, [1.0, -2.0], atol=0.01)
    np.testing.assert_allclose(learned.slope, slope, atol=0.01)
    np.testing.assert_allclose(learned.root, root, atol=0.01)


def test_the_standard_error_of_what_is_resampled_is_honest():
    """Means over many repetitions spread as the effective sample size of the chain says, with repeated draws too."""
    mean = exact(1, 0.5)[0]
    for n_proposals, n_draws in ((4000, 1000), (1000, 1000)):
        scores = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            theta, log_likelihood = normal_case(n_proposals, rng, 1, 0.5)
            found = importance_sample(log_likelihood, theta, 1, 100, rng)
            chain = found.effects[resample(found.weights, n_draws, rng), 0]
            error = chain.std() / np.sqrt(array_stats.ess(chain[None], method="mean"))
            scores.append((chain.mean() - mean[1]) / error)
        # The standard deviation of 200 standard normal scores is within 15 % of 1 with probability 0.997.
        assert 0.85 < np.std(scores) < 1.15, n_proposals
        assert abs(np.mean(scores)) < 3.5 / np.sqrt(200)


def test_duplicates_lower_the_effective_sample_size():
    weights = np.random.default_rng(1).dirichlet(np.full(500, 0.5))
    place = resample(weights, 4000, np.random.default_rng(2))
    values = np.random.default_rng(3).standard_normal(500)[place]
    kish = 1 / np.sum(weights**2)
    assert float(ess(values[None])) == pytest.approx(kish, rel=0.3)


def test_resampling_keeps_the_weights():
    weights = np.random.default_rng(1).dirichlet(np.full(50, 0.5))
    counts = np.bincount(resample(weights, 10000, np.random.default_rng(2)), minlength=50)
    # Systematic: each is drawn as often as expected, up to one.
    assert np.abs(counts - 10000 * weights).max() < 1 + 1e-9


def test_tempering_leaves_as_many_effective_draws_as_asked_for():
    rng = np.random.default_rng(1)
    b = rng.standard_normal(4000)
    likelihood = norm.logpdf(3.0, b, 0.05)
    power = tempering(likelihood, np.zeros(4000), 200)
    weights = np.exp(power * likelihood - (power * likelihood).max())
    assert 0 < power < 1
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(200, rel=0.01)
    assert tempering(np.zeros(4000), np.zeros(4000), 200) == 1.0
    assert tempering(np.full(4000, -np.inf), np.zeros(4000), 200) is None


def test_what_cannot_be_trusted_is_said():
    """Population draws that never come near what the person's levels need: no proposal of effects can help."""
    rng = np.random.default_rng(1)
    theta = rng.standard_normal((4000, 1))
    found = importance_sample(lambda b: norm.logpdf(8.0, theta[:, 0], 0.1), theta, 1, 1000, rng)
    assert not found.reliable
    assert found.k > largest_k(4000) or found.ess < 100
    nothing = importance_sample(lambda b: np.full(4000, -np.inf), theta, 1, 1000, rng)
    assert not nothing.reliable
    assert nothing.ess == 0


def test_levels_that_say_nothing_leave_the_prior():
    theta = np.random.default_rng(1).standard_normal((4000, 1))
    for n_effects in (0, 2):
        found = importance_sample(lambda b: np.zeros(4000), theta, n_effects, 1000, np.random.default_rng(2))
        np.testing.assert_allclose(found.weights, 1 / 4000)
        assert found.reliable
        assert found.log_evidence == pytest.approx(0)


def test_without_random_effects_the_population_alone_is_weighted():
    theta = np.random.default_rng(1).standard_normal((8000, 1))
    found = importance_sample(
        lambda b: norm.logpdf(1.0, theta[:, 0], 1.0), theta, 0, 1000, np.random.default_rng(2)
    )
    assert found.stages == 0
    assert found.weights @ theta[:, 0] == pytest.approx(0.5, abs=4 * np.sqrt(0.5 / found.ess))


def test_log_normal_is_scipys():
    effects = np.random.default_rng(1).standard_normal((5, 3))
    np.testing.assert_allclose(log_normal(effects), norm.logpdf(effects).sum(axis=1))
