"""Risk functionals against closed forms of the normal, and their errors against brute-force replication."""

import numpy as np
import pytest
import xarray as xr
from arviz_stats import mcse
from constant_paths import future_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm

from qsp_bayes.decision import CVaR, Mean, Quantile, average, choose, standard_error
from qsp_bayes.decision.choice.risk import over_draws, over_individuals
from qsp_bayes.errors import DecisionError

SHARE = 0.2
MEAN, UNCERTAIN, BETWEEN = np.array([1.0, 1.5]), np.array([0.2, 0.5]), np.array([0.5, 2.0])


def tail(functional):
    """What a standard normal is worth."""
    if isinstance(functional, CVaR):
        return -norm.pdf(norm.ppf(functional.share)) / functional.share
    return norm.ppf(functional.q) if isinstance(functional, Quantile) else 0.0


def utility(x):
    """Its own value."""
    return average(x["Cc"])


@pytest.fixture(scope="module")
def future():
    rng = np.random.default_rng(3)
    theta, eta = rng.normal(size=(4, 150, 1, 1)), rng.normal(size=(4, 150, 1, 1000))
    shape = (1, 1, 2, 1)
    values = MEAN.reshape(shape) + UNCERTAIN.reshape(shape) * theta + BETWEEN.reshape(shape) * eta
    return future_of(values, ["a", "b"])


@pytest.mark.parametrize("individuals", [Mean(), CVaR(SHARE), Quantile(SHARE), Quantile(0.5)], ids=str)
@pytest.mark.parametrize("uncertainty", [Mean(), CVaR(SHARE), Quantile(SHARE)], ids=str)
def test_normal_utilities(future, individuals, uncertainty):
    """U(d, theta) = mean + uncertain theta + between tail; its own tail is over theta."""
    found = choose(future, utility, individuals=individuals, uncertainty=uncertainty).table
    exact = MEAN + BETWEEN * tail(individuals) + UNCERTAIN * tail(uncertainty)
    assert (abs(found["expected_utility"] - exact) < 3.5 * found["mcse"] + 0.003).all()
    assert (found["mcse"] < 0.06).all()


def test_risk_changes_the_choice(future):
    """b is better on average; its worst fifth of individuals is worse off: 1.5 - 2 x 1.4 against 1 - 0.5 x 1.4."""
    assert choose(future, utility).best == "b"
    protective = choose(future, utility, individuals=CVaR(SHARE))
    assert protective.best == "a"
    assert "(mean of the worst 20 % over individuals)" in protective.summary()


def test_probability_and_regret_stay_over_the_draws(future):
    plain, averse = choose(future, utility).table, choose(future, utility, uncertainty=CVaR(SHARE)).table
    for column in ("p_best", "expected_regret", "share_best_served"):
        assert plain[column].equals(averse[column])


@given(
    hnp.arrays(float, st.integers(2, 40), elements=st.floats(-1e3, 1e3, width=32)),
    st.floats(0.02, 0.98),
)
def test_cvar_is_the_mean_of_the_worst(values, share):
    """Sorting and summing the worst n x share values, the last one in part, is the authority."""
    n = share * len(values)
    whole = int(np.floor(n + 1e-9))
    ordered = np.append(np.sort(values), 0.0)
    exact = (ordered[:whole].sum() + max(n - whole, 0.0) * ordered[whole]) / n
    np.testing.assert_allclose(CVaR(share).pseudo_values(values).mean(), exact, atol=1e-6)


@given(hnp.arrays(float, st.integers(3, 40), elements=st.floats(-1e3, 1e3, width=32)))
def test_pseudo_values_have_the_mean_of_the_functional(values):
    for q in (0.1, 0.5, 0.9):
        found = Quantile(q).pseudo_values(values).mean()
        np.testing.assert_allclose(found, np.quantile(values, q), atol=1e-9)
    for functional in (Mean(), CVaR(0.3), Quantile(0.3)):
        np.testing.assert_allclose(functional.sensitivity(values).mean(), 1.0)


def test_sensitivity_of_cvar_is_its_derivative():
    values = np.random.default_rng(0).normal(size=25)
    numeric = [
        (CVaR(0.3).pseudo_values(values + step).mean() - CVaR(0.3).pseudo_values(values - step).mean()) / 2e-6
        for step in 1e-6 * np.eye(25)
    ]
    np.testing.assert_allclose(CVaR(0.3).sensitivity(values) / 25, numeric, atol=1e-8)


REPLICATES, CHAINS, DRAWS, SUBJECTS = 400, 4, 50, 60
DESIGNS = {
    "worst individuals": (CVaR(0.25), Mean()),
    "low quantile of individuals": (Quantile(0.25), Mean()),
    "worst draws": (Mean(), CVaR(0.25)),
    "low quantile of draws": (Mean(), Quantile(0.25)),
    "worst of both": (CVaR(0.25), CVaR(0.25)),
}


def replicated(individuals, uncertainty, shared):
    """Whole simulations side by side: u = 0.3 theta_s + eta_i, the individuals shared by all draws or fresh in each."""
    rng = np.random.default_rng(7)
    dims = ("chain", "draw", "replicate", "subject")
    theta = rng.normal(size=(CHAINS, DRAWS, REPLICATES, 1))
    eta = rng.normal(size=(*((1, 1) if shared else (CHAINS, DRAWS)), REPLICATES, SUBJECTS))
    values = xr.DataArray(0.3 * theta + eta, dims=dims)
    return over_draws(over_individuals(values, individuals), uncertainty)


# 400 replicates know a standard deviation to 3.5 %; the density behind a quantile of 200 draws adds some percent.
@pytest.mark.parametrize("shared", [True, False], ids=["individuals shared by all draws", "fresh in each"])
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS.keys())
def test_stated_error_is_the_spread_of_replicates(design, shared):
    pseudo = replicated(*design, shared)
    spread = float(pseudo.mean(("chain", "draw", "subject")).std("replicate", ddof=1))
    stated = float(np.sqrt((standard_error(pseudo) ** 2).mean("replicate")))
    assert 0.85 < stated / spread < 1.2


def test_the_error_of_a_mean_is_wrong_for_a_tail():
    """Taking the worst values for an ordinary sample, or the utilities for those of a mean, misses the error."""
    rng = np.random.default_rng(7)
    values = xr.DataArray(rng.normal(size=(CHAINS, DRAWS, REPLICATES)), dims=("chain", "draw", "replicate"))
    pseudo = over_draws(values.expand_dims(subject=1, axis=-1), CVaR(0.05))
    spread = float(pseudo.mean(("chain", "draw", "subject")).std("replicate", ddof=1))
    assert float(np.sqrt((mcse(values) ** 2).mean())) / spread < 0.6
    assert 0.8 < float(np.sqrt((standard_error(pseudo) ** 2).mean("replicate"))) / spread < 1.2


def test_few_in_the_worst_share_are_pointed_out(future):
    cautions = choose(future, utility, individuals=CVaR(0.01)).cautions
    assert any("rests on 10 individuals" in caution for caution in cautions)
    assert not any(
        "rests on" in caution for caution in choose(future, utility, individuals=CVaR(0.1)).cautions
    )


def test_share_must_be_one():
    for wrong in (lambda: CVaR(0), lambda: CVaR(1.5), lambda: Quantile(1)):
        with pytest.raises(DecisionError, match="a share above 0 and below 1"):
            wrong()
