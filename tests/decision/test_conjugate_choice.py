"""A conjugate case in closed form: a normal mean, normal data, and a quadratic loss around it."""

import numpy as np
import pytest
from constant_paths import future_of
from scipy.integrate import quad
from scipy.stats import norm

from qsp_bayes.decision import average, choose

PRIOR_MEAN, PRIOR_SD, NOISE_SD, DATA = 0.0, 2.0, 1.5, np.array([1.2, 0.4, 2.1, 1.5])
DOSES = np.array([0.0, 0.8, 1.4, 3.0])
BETWEEN = 0.7


def posterior():
    """Mean and standard deviation of the normal posterior of the mean."""
    precision = PRIOR_SD**-2 + len(DATA) * NOISE_SD**-2
    return (PRIOR_MEAN * PRIOR_SD**-2 + DATA.sum() * NOISE_SD**-2) / precision, precision**-0.5


def exact():
    """Expected utility, P(best) and regret of u = -(d - theta - eta)^2 with eta ~ Normal(0, BETWEEN).

    U(d, theta) = -(d - theta)^2 - BETWEEN^2: the best dose is the one nearest to theta.
    """
    mean, sd = posterior()
    expected = -((DOSES - mean) ** 2) - sd**2 - BETWEEN**2
    edges = np.concatenate([[-np.inf], (DOSES[1:] + DOSES[:-1]) / 2, [np.inf]])
    p_best = np.diff(norm.cdf(edges, mean, sd))

    def of_best(theta):
        return -(np.abs(DOSES - theta).min() ** 2) * norm.pdf(theta, mean, sd)

    span = (mean - 9 * sd, mean + 9 * sd)
    largest = quad(of_best, *span, points=[*DOSES, *edges[1:-1]], limit=200)[0] - BETWEEN**2
    return {"expected_utility": expected, "p_best": p_best, "expected_regret": largest - expected}


@pytest.mark.parametrize("seed", range(3))
def test_expected_utility_probability_and_regret(seed):
    rng = np.random.default_rng(seed)
    mean, sd = posterior()
    theta = rng.normal(mean, sd, (4, 500, 1, 1))
    # Individuals in pairs of opposite sign have the mean of the population, so that only their square is noisy.
    half = rng.normal(0, BETWEEN, (4, 500, 1, 200))
    eta = np.concatenate([half, -half], axis=-1)
    values = -((DOSES.reshape(1, 1, -1, 1) - theta - eta) ** 2)
    found = choose(future_of(values, map(str, DOSES)), lambda x: average(x["Cc"])).table
    errors = {"expected_utility": "mcse", "p_best": "p_best_mcse", "expected_regret": "expected_regret_mcse"}
    for column, figures in exact().items():
        assert (abs(found[column] - figures) < 3.5 * found[errors[column]] + 1e-12).all(), column


def test_the_largest_of_noisy_means_is_too_large():
    """Eight equal regimens, independent normal errors s: the best seems better by 1.4236 s (order statistics)."""
    best, spread = [], []
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=(4, 10, 8, 25))
        table = choose(future_of(values, "abcdefgh"), lambda x: average(x["Cc"])).table
        best.append(table["expected_utility"].max())
        spread.append(1 / np.sqrt(1000))
    assert abs(np.mean(best) / spread[0] - 1.4236) < 3.5 * np.std(best) / spread[0] / np.sqrt(40)
