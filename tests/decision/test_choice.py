"""Choices against closed forms: normal uncertainty, linear utilities."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision import Decision, attainment, choose, utility
from qsp_bayes.errors import DecisionError

CHAINS, DRAWS, SUBJECTS = 4, 500, 20


def future_of(values, regimens, **attributes):
    """A simulation whose output is constant in time, `values` having dims (chain, draw, regimen, subject)."""
    chains, draws, _, subjects = values.shape
    data = xr.DataArray(
        np.repeat(values[..., None], 2, axis=-1),
        dims=("chain", "draw", "regimen", "subject", "time"),
        coords={
            "chain": range(chains),
            "draw": range(draws),
            "regimen": regimens,
            "subject": [f"new {i}" for i in range(subjects)],
            "time": [0.0, 1.0],
        },
        name="Cc",
    )
    future = xr.DataTree.from_dict({"predictions": data.to_dataset()})
    future.attrs["qsp_bayes"] = json.dumps(attributes)
    return future


def last(x):
    """Value at the last time."""
    return x["Cc"].isel(time=-1)


def linear(rng, intercept, slope, noise=0.0):
    """u = intercept_d + slope_d theta + noise e, theta and e standard normal; e fresh in every draw."""
    theta = rng.normal(size=(CHAINS, DRAWS, 1, 1))
    e = rng.normal(size=(CHAINS, DRAWS, 1, SUBJECTS))
    shape = (1, 1, -1, 1)
    return np.reshape(intercept, shape) + np.reshape(slope, shape) * theta + noise * e


INTERCEPT, SLOPE = np.array([1.0, 1.3]), np.array([0.4, 1.2])
MEAN, SPREAD = INTERCEPT[1] - INTERCEPT[0], SLOPE[1] - SLOPE[0]
EXACT = {
    "expected_utility": INTERCEPT,
    "p_best": norm.cdf([-MEAN / SPREAD, MEAN / SPREAD]),
    # E max(0, D) and E max(0, -D) for D ~ Normal(MEAN, SPREAD)
    "expected_regret": np.array(
        [
            MEAN * norm.cdf(MEAN / SPREAD) + SPREAD * norm.pdf(MEAN / SPREAD),
            -MEAN * norm.cdf(-MEAN / SPREAD) + SPREAD * norm.pdf(MEAN / SPREAD),
        ]
    ),
}
ERROR = {"expected_utility": "mcse", "p_best": "p_best_mcse", "expected_regret": "expected_regret_mcse"}


@pytest.mark.parametrize("seed", range(3))
def test_normal_linear_case(seed):
    rng = np.random.default_rng(seed)
    table = choose(future_of(linear(rng, INTERCEPT, SLOPE, noise=2.0), ["a", "b"]), last).table
    for column, exact in EXACT.items():
        np.testing.assert_array_less(abs(table[column] - exact), 3.5 * table[ERROR[column]], err_msg=column)


def test_probability_of_best_is_not_over_individuals():
    """Individuals who differ much leave the choice between regimens certain, if the population mean is."""
    rng = np.random.default_rng(5)
    draws = np.zeros((CHAINS, DRAWS, 2, 400))
    draws[:, :, 1] = 0.5 + rng.normal(0, 1, (CHAINS, DRAWS, 400))
    table = choose(future_of(draws, ["a", "b"]), last).table
    assert table.loc["b", "p_best"] == 1
    assert table.loc["b", "expected_regret"] == 0
    assert abs(table.loc["b", "share_best_served"] - norm.cdf(0.5)) < 0.01
    # The wrong definition, over individuals, gives another answer, which this test would refuse.
    wrong = (draws[:, :, 1] > draws[:, :, 0]).mean()
    assert abs(wrong - table.loc["b", "p_best"]) > 0.25


def test_regret_is_not_the_difference_of_expectations():
    """max E[U] - E[U(d)] would be zero for the chosen regimen whatever the uncertainty."""
    table = choose(future_of(linear(np.random.default_rng(0), INTERCEPT, SLOPE), ["a", "b"]), last).table
    wrong = table["expected_utility"].max() - table["expected_utility"]
    assert abs(wrong["b"] - EXACT["expected_regret"][1]) > 10 * table.loc["b", "expected_regret_mcse"]


def test_regrets_differ_by_the_expected_utilities():
    table = choose(future_of(linear(np.random.default_rng(1), INTERCEPT, SLOPE, 1.0), ["a", "b"]), last).table
    np.testing.assert_allclose(
        table["expected_regret"] - table["expected_regret"].min(),
        table["expected_utility"].max() - table["expected_utility"],
        atol=1e-12,
    )
    np.testing.assert_allclose(table["p_best"].sum(), 1)
    np.testing.assert_allclose(table["share_best_served"].sum(), 1)


def test_common_draws_make_differences_sharp():
    """Two regimens a constant apart differ without error, however uncertain each is."""
    values = linear(np.random.default_rng(2), [0.0, 0.25], [1.0, 1.0], noise=3.0)
    table = choose(future_of(values, ["a", "b"]), last).table
    assert table.loc["b", "mcse"] > 0.02
    assert table.loc["a", "difference"] == pytest.approx(-0.25)
    assert table.loc["a", "difference_mcse"] < 1e-12


def test_ties_share_the_probability():
    values = linear(np.random.default_rng(2), [0.0, 0.0, -9.0], [1.0, 1.0, 1.0])
    decision = choose(future_of(values, ["first", "same", "worse"]), last)
    assert decision.best == "first"
    assert decision.table["p_best"].tolist() == [0.5, 0.5, 0.0]
    assert decision.table["share_best_served"].tolist() == [0.5, 0.5, 0.0]
    assert decision.table["expected_regret"].tolist()[:2] == [0.0, 0.0]
    assert "does not separate first from same" in decision.cautions[0]


def test_noise_between_individuals_is_pointed_out():
    rng = np.random.default_rng(4)
    few = rng.normal(0, 1, (CHAINS, 50, 2, 5)) + np.array([0, 0.2]).reshape(1, 1, 2, 1)
    decision = choose(future_of(few, ["a", "b"]), last)
    assert decision.table.loc["a", "individual_noise"] > 0.7
    assert "simulate more individuals" in decision.summary()
    many = linear(rng, INTERCEPT, SLOPE, noise=0.1)
    assert choose(future_of(many, ["a", "b"]), last).cautions == ()


def test_one_person_is_the_population():
    values = linear(np.random.default_rng(6), INTERCEPT, SLOPE)[..., :1]
    table = choose(future_of(values, ["a", "b"]), last).table
    assert table["individual_noise"].tolist() == [0, 0]
    assert abs(table.loc["b", "p_best"] - EXACT["p_best"][1]) < 3.5 * table.loc["b", "p_best_mcse"]


def test_words_for_one_person_speak_of_no_population():
    values = linear(np.random.default_rng(6), [0.0, 0.0], [1.0, 1.0])
    one = choose(future_of(values[..., :1], ["a", "b"]), last)
    assert one.is_for_one
    for words in (
        one.summary(),
        attainment(future_of(values[..., :1], ["a", "b"]), {"high": reached}).summary(),
    ):
        assert "population" not in words
        assert "individuals" not in words
    assert "simulate more draws, or choose" in one.summary()
    assert "share_best_served" not in one.shown
    many = choose(future_of(values, ["a", "b"]), last)
    assert "uncertainty of the population" in many.summary()
    assert "simulate more draws and more individuals" in many.summary()
    assert "share_best_served" in many.shown


def reached(x):
    return last(x) > 0


def test_decision_survives_a_file(tmp_path):
    future = future_of(linear(np.random.default_rng(1), INTERCEPT, SLOPE), ["a", "<b>"], residual=True)
    decision = choose(future, utility(last, "a < b & c"))
    decision.to_datatree().to_netcdf(tmp_path / "decision.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "decision.nc", engine="h5netcdf") as tree:
        again = Decision.from_datatree(tree)
    assert again.table.equals(decision.table)
    assert again.summary() == decision.summary()
    assert "with residual error" in again.summary()
    assert again.utility.dims == ("chain", "draw", "regimen")
    page = again._repr_html_()
    assert "&lt;b&gt;" in page
    assert "a &lt; b &amp; c" in page
    assert "<b>" not in page


def test_certainty_is_not_overstated():
    values = linear(np.random.default_rng(1), [0.0, 9.0], [1.0, 1.0])
    assert "probability 1 (in all of 2000 draws)" in choose(future_of(values, ["a", "b"]), last).summary()


def test_description_of_a_utility():
    assert utility(lambda x: x["Cc"].max("time")).description == "x['Cc'].max('time')"
    pair = utility(lambda x: x["Cc"] + 1), utility(lambda x: -np.log(x["Cc"] * SUBJECTS))
    assert [each.description for each in pair] == ["x['Cc'] + 1", "-np.log(x['Cc'] * SUBJECTS)"]
    assert utility(last).description == "Value at the last time."
    assert utility(last, "mine").description == "mine"


def test_target_attainment_is_a_probability():
    values = np.zeros((4, 10, 1, 8))
    values[..., :2] = 1
    assert (
        choose(future_of(values, ["a"]), lambda x: last(x) > 0.5).table.loc["a", "expected_utility"] == 0.25
    )


def test_errors_say_what_is_wrong():
    future = future_of(np.ones((4, 10, 2, 3)), ["a", "b"])
    with pytest.raises(DecisionError, match=r"returned dimensions .*'time'.*Reduce 'time'"):
        choose(future, lambda x: x["Cc"])
    with pytest.raises(DecisionError, match="returned float"):
        choose(future, lambda x: 1.0)
    with pytest.raises(DecisionError, match="not finite for 120 of 120"):
        choose(future, lambda x: last(x) / 0 * 0)
    with pytest.raises(DecisionError, match="made of a function"):
        choose(future, "Cc")
    with pytest.raises(DecisionError, match="group 'predictions'"):
        choose(xr.DataTree(), last)
    with pytest.raises(DecisionError, match="no dimension subject"):
        choose(
            xr.DataTree.from_dict({"predictions": future["predictions"].to_dataset().isel(subject=0)}), last
        )
    with pytest.raises(DecisionError, match="3 draws in each chain"):
        choose(future_of(np.ones((4, 3, 2, 3)), ["a", "b"]), last)
    with pytest.raises(DecisionError, match="no group 'decision'"):
        Decision.from_datatree(future)


def test_first_value_that_is_not_finite_is_named():
    values = np.ones((2, 5, 2, 3))
    values[1, 2, 1, 2] = np.nan
    with pytest.raises(DecisionError, match="regimen 'b', first at chain 1, draw 2, subject new 2"):
        choose(future_of(values, ["a", "b"]), last)
