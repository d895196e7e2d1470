import numpy as np
from scipy.stats import kstest, norm

from qsp_bayes.report.contents import Observations
from qsp_bayes.report.cross_validation import cross_validate
from qsp_bayes.report.fitted import fitted
from qsp_bayes.report.integral_transform import probability_integral_transform


def observed(value, censoring=None):
    n = np.arange(len(value))
    censoring = np.zeros(len(value), int) if censoring is None else censoring
    return Observations(
        "Cc", "mg/L", "h", n.astype(str), n.astype(float), np.asarray(value, float), censoring
    )


def quantile_residuals(data, draws):
    return norm.ppf(probability_integral_transform(data, draws))


def test_residuals_of_a_true_model_are_standard_normal():
    rng = np.random.default_rng(1)
    centre = rng.normal(size=800)
    draws = centre + rng.normal(size=(1000, 800))
    residual = quantile_residuals(observed(centre + rng.normal(size=800)), draws)
    assert kstest(residual, norm.cdf).pvalue > 0.01


def test_residuals_of_a_wrong_model_are_not():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(1000, 800))
    assert kstest(quantile_residuals(observed(0.5 + rng.normal(size=800)), draws), norm.cdf).pvalue < 1e-6


def test_many_draws_give_the_distribution_function():
    draws = norm.ppf((np.arange(9999)[:, None] + 0.5) / 9999, loc=[1.0, 2.0], scale=2.0)
    residual = quantile_residuals(observed([2.0, -1.0]), draws)
    assert np.allclose(residual, [0.5, -1.5], atol=0.01)


def test_censored_observations_are_spread_over_their_probability():
    """Half the draws are below the limit: uniform on (0, 1/2), and uniform altogether with what is above."""
    rng = np.random.default_rng(2)
    value = rng.normal(size=1000)
    below = value < 0
    data = observed(np.where(below, 0.0, value), below.astype(int))
    p = probability_integral_transform(data, rng.normal(size=(2000, 1000)))
    assert p[below].max() < 0.55
    assert kstest(p, "uniform").pvalue > 0.01


def test_weights_stand_for_the_posterior_without_the_observation():
    """A conjugate normal mean: the predictive without an observation is known in closed form."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=6)
    mean = y.mean() + rng.normal(size=(40_000, 1)) / np.sqrt(6)
    draws = mean + rng.normal(size=(40_000, 6))
    likelihood = norm.pdf(y, mean, 1.0)
    weights = (1 / likelihood) / (1 / likelihood).sum(axis=0)
    p = probability_integral_transform(observed(y), draws, weights)
    without = (y.sum() - y) / 5
    assert np.allclose(p, norm.cdf(y, without, np.sqrt(1 + 1 / 5)), atol=0.02)


def test_individual_residuals_leave_the_observation_out(good_fit):
    population, individual = fitted(good_fit, "Cc", cross_validate(good_fit, "Cc"))
    assert individual.left_out
    assert not population.left_out
    assert "PSIS-LOO" in individual.caution
