"""The value of data against conjugate cases, enumeration and nested quadrature."""

import numpy as np
import pytest
import xarray as xr
from decisions import decision_on, draws_of, normal_gain
from scipy.stats import beta, betabinom, binom, norm

from qsp_bayes.decision import evsi_from_likelihood, evsi_from_predictions
from qsp_bayes.decision.information.preposterior import LEAST_ESS, by_regression, by_weights
from qsp_bayes.errors import DecisionError

MEAN, PRIOR_SD = -0.3, 1.0


def two_actions(theta):
    """Nothing, or what is worth MEAN + theta."""
    return decision_on(np.stack([0 * theta, MEAN + theta], axis=1))


def exact(error_sd):
    """Preposterior standard deviation of theta, and the normal loss with it."""
    return normal_gain(MEAN, PRIOR_SD**2 / np.hypot(PRIOR_SD, error_sd))


@pytest.mark.parametrize("method", ["weights", "regression"])
def test_normal_data_on_a_normal_mean(method):
    theta = np.random.default_rng(1).normal(size=1000)
    predictions = {f"n = {n}": draws_of(x=theta)["x"] for n in (1, 4, 25)}
    sds = {f"n = {n}": xr.DataArray(1 / np.sqrt(n)) for n in (1, 4, 25)}
    found = evsi_from_predictions(two_actions(theta), predictions, sds, method=method, random_seed=2)
    table = found.table
    for n in (1, 4, 25):
        row = table.loc[f"n = {n}"]
        assert abs(row["value"] - exact(1 / np.sqrt(n))) < 3 * row["mcse"]
        assert row["method"] == method
    assert (np.diff(table["value"]) > 0).all()
    assert table["value"].max() <= found.metadata["evpi"]


def test_several_observations_are_one_better_one():
    theta = np.random.default_rng(3).normal(size=800)
    decision = two_actions(theta)
    four = draws_of(x=theta)["x"].expand_dims(observation=4, axis=-1)
    found = evsi_from_predictions(decision, {"four": four}, 1.0, random_seed=1).table.loc["four"]
    assert abs(found["value"] - exact(0.5)) < 3 * found["mcse"]
    logarithmic = evsi_from_predictions(
        decision, {"four": np.exp(four)}, 1.0, logarithmic=True, random_seed=1
    )
    assert logarithmic.table.loc["four", "value"] == pytest.approx(found["value"])


def test_dose_over_a_continuum():
    """Quadratic loss: data are worth the variance that they take away."""
    theta = np.random.default_rng(4).normal(0, 1, 1000)
    dose = np.linspace(-3, 3, 61)
    decision = decision_on(-((dose - theta[:, None]) ** 2))
    for method in ("weights", "regression"):
        found = evsi_from_predictions(decision, {"y": draws_of(x=theta)["x"]}, 0.7, method=method).table.loc[
            "y"
        ]
        assert abs(found["value"] - 1 / (1 + 0.7**2)) < 3 * found["mcse"]


def test_responders_by_enumeration():
    """Beta-binomial: a drug with a cost of 0.45 against none, by the sum over all outcomes."""
    a, b, cost = 3.0, 4.0, 0.45
    theta = beta(a, b).ppf((np.random.default_rng(5).permutation(1000) + 0.5) / 1000)
    decision = decision_on(np.stack([0 * theta, theta - cost], axis=1))
    rng = np.random.default_rng(6)
    densities, outcomes, sums = {}, {}, {}
    for n in (1, 5, 20, 100):
        seen = rng.binomial(n, theta)
        densities[n] = binom.logpmf(seen[:, None], n, theta)
        outcomes[n] = seen[:, None]
        y = np.arange(n + 1)
        sums[n] = betabinom(n, a, b).pmf(y) @ np.maximum((a + y) / (a + b + n) - cost, 0)
    now = max(a / (a + b) - cost, 0)
    for method in ("weights", "regression"):
        table = evsi_from_likelihood(decision, densities, outcomes, method=method).table
        for n, total in sums.items():
            row = table.loc[str(n)]
            assert abs(row["value"] - (total - now)) < 3 * row["mcse"] + 5e-4, (method, n)


def test_next_sample_by_nested_quadrature():
    """Exponential decay, k unknown: three doses, one sample at some time, integrals over k and y on fine grids."""
    mu, sigma, error, dose = np.log(0.2), 0.4, 5.0, np.array([50.0, 100.0, 200.0])

    def worth(k):
        return -np.abs(dose * np.exp(-8 * k)[:, None] - 15.0)

    z = np.linspace(-5, 5, 1201)
    k_grid, weight = np.exp(mu + sigma * z), norm.pdf(z) / norm.pdf(z).sum()
    utility = worth(k_grid)
    now = (weight @ utility).max()
    k = np.exp(mu + sigma * np.random.default_rng(7).normal(size=1000))
    times = (0.5, 2.0, 5.0, 10.0, 24.0)
    predictions = {f"{t:g} h": draws_of(x=100 * np.exp(-t * k))["x"] for t in times}
    table = evsi_from_predictions(decision_on(worth(k)), predictions, error).table
    values = []
    for t in times:
        mean = 100 * np.exp(-t * k_grid)
        y = np.linspace(mean.min() - 6 * error, mean.max() + 6 * error, 1001)
        joint = norm.pdf(y[:, None], mean, error) * weight
        values.append(np.trapezoid((joint @ utility).max(axis=1), y) - now)
        row = table.loc[f"{t:g} h"]
        assert abs(row["value"] - values[-1]) < 3 * row["mcse"], t
    assert table["value"].idxmax() == f"{times[int(np.argmax(values))]:g} h"


@pytest.mark.parametrize("error_sd", [2.0, 0.5, 0.1])
def test_errors_are_honest(error_sd):
    z = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=160)
        data = theta + error_sd * rng.normal(size=160)
        behind = np.stack([0 * theta, MEAN + theta], 1)
        behind -= behind[:, [behind.mean(0).argmax()]]
        found = by_weights(behind, norm.logpdf(data[:, None], theta, error_sd), np.arange(160))
        z.append((found.value - exact(error_sd)) / found.mcse)
    # 120 analyses: 0.95 within 1.96 errors, give or take 0.02; the jackknife is a little too sure.
    assert 0.86 < np.mean(np.abs(z) < 1.96) <= 0.99
    assert abs(np.mean(z)) < 0.4


@pytest.mark.slow
def test_errors_of_regression_are_honest():
    z = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=200)
        data = theta[:, None] + 0.7 * rng.normal(size=(200, 1))
        behind = np.stack([0 * theta, MEAN + theta], 1)
        behind -= behind[:, [behind.mean(0).argmax()]]
        found = by_regression(behind, data, rng)
        z.append((found.value - exact(0.7)) / found.mcse)
    assert 0.86 < np.mean(np.abs(z) < 1.96) <= 0.99


def test_degenerate_weights_are_said_and_left():
    """Six precise measurements of six parameters leave a few draws with all the weight."""
    rng = np.random.default_rng(8)
    theta = rng.normal(size=(200, 6))
    decision = two_actions(theta[:, 0])
    draws = draws_of(**{f"x{k}": theta[:, k] for k in range(6)}).to_dataarray("observation")
    weighted = evsi_from_predictions(decision, {"all": draws}, 0.3, method="weights")
    assert weighted.table.loc["all", "ess"] < LEAST_ESS
    assert "the value is too high" in weighted.summary()
    # What half of the draws choose, judged by the other half, gives the game away.
    assert weighted.table.loc["all", "held_out"] < 0.85 * weighted.table.loc["all", "value"]
    found = evsi_from_predictions(decision, {"all": draws}, 0.3)
    assert found.table.loc["all", "method"] == "regression"
    assert "valued by regression" in found.summary()
    assert abs(found.table.loc["all", "value"] - exact(0.3)) < 3 * found.table.loc["all", "mcse"]


def test_held_out_and_value_bracket_the_truth():
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=(160, 4))
        data = theta + 0.6 * rng.normal(size=theta.shape)
        behind = np.stack([0 * theta[:, 0], MEAN + theta[:, 0]], 1)
        density = norm.logpdf(data[:, None], theta[None], 0.6).sum(-1)
        found = by_weights(behind, density, np.arange(160))
        inside.append([found.held_out, found.value])
    low, high = np.mean(inside, axis=0)
    assert low < exact(0.6) < high + 0.01
    assert low < high


def test_worthless_data_are_worth_nothing():
    theta = np.random.default_rng(9).normal(-1, 0.2, size=400)
    nothing = draws_of(x=0 * theta)["x"]
    for method in ("weights", "regression"):
        row = evsi_from_predictions(two_actions(theta), {"idle": nothing}, 1.0, method=method).table.loc[
            "idle"
        ]
        assert abs(row["value"]) < 1e-9


def test_errors_say_what_is_wrong():
    theta = np.random.default_rng(10).normal(size=100)
    decision, x = two_actions(theta), draws_of(x=theta)["x"]
    for arguments, message in (
        (({}, 1.0), "none given"),
        (({"a": x}, 0.0), "must be positive"),
        (({"a": x * np.nan}, 1.0), "not finite"),
        (({"a": x.isel(draw=slice(0, 3))}, 1.0), "do not hold those of the decision"),
        (({"a": theta}, 1.0), "expected a DataArray"),
    ):
        with pytest.raises((DecisionError, TypeError), match=message):
            evsi_from_predictions(decision, *arguments)
    with pytest.raises(DecisionError, match="needs positive predictions"):
        evsi_from_predictions(decision, {"a": x}, 1.0, logarithmic=True)
    with pytest.raises(DecisionError, match="one of automatic, weights, regression"):
        evsi_from_predictions(decision, {"a": x}, 1.0, method="magic")
    with pytest.raises(DecisionError, match=r"shape \(3,\)"):
        evsi_from_likelihood(decision, {"a": np.zeros(3)})
    with pytest.raises(DecisionError, match="zero, or not finite"):
        evsi_from_likelihood(decision, {"a": np.full((100, 100), -np.inf)})
    with pytest.raises(DecisionError, match="needs summaries"):
        evsi_from_likelihood(decision, {"a": np.zeros((100, 100))}, method="regression")
