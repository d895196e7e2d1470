import numpy as np
from scipy.stats import kstest, norm

from qsp_bayes.report.contents import Observations
from qsp_bayes.report.residuals import probability_integral_transform, quantile_residuals


def observed(value, censoring=None):
    n = np.arange(len(value))
    censoring = np.zeros(len(value), int) if censoring is None else censoring
    return Observations(
        "Cc", "mg/L", "h", n.astype(str), n.astype(float), np.asarray(value, float), censoring
    )


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
