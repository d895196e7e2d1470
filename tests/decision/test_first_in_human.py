"""First doses against closed forms: log-normal exposure and log-normal limits."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision import MabelLimit, NoaelLimit, OccupancyLimit, auc, choose, first_in_human, utility
from qsp_bayes.errors import DecisionError, UnitsError
from qsp_bayes.physiology import Figure
from qsp_bayes.report import plot_first_in_human

CHAINS, DRAWS, SUBJECTS = 4, 500, 400
DOSES = {f"{dose:g} mg": dose for dose in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)}
UNCERTAIN, BETWEEN = 0.5, 0.3  # standard deviations of log exposure over theta and over individuals


def future_of(uncertain=UNCERTAIN, between=BETWEEN, doses=DOSES, subjects=SUBJECTS, unit="mg/L", seed=1):
    """Concentrations constant over two hours: log C = log dose + uncertain theta + between eta."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(CHAINS, DRAWS, 1, 1))
    eta = rng.normal(size=(CHAINS, DRAWS, 1, subjects))
    dose = np.array(list(doses.values())).reshape(1, 1, -1, 1)
    values = dose * np.exp(uncertain * theta + between * eta)
    data = xr.DataArray(
        np.repeat(values[..., None], 2, axis=-1),
        dims=("chain", "draw", "regimen", "subject", "time"),
        coords={"chain": range(CHAINS), "draw": range(DRAWS), "regimen": list(doses), "time": [0.0, 2.0]},
        attrs={"units": unit},
    )
    future = xr.DataTree.from_dict({"predictions": data.to_dataset(name="Cc")})
    future.attrs["qsp_bayes"] = json.dumps({"units": {"time": "h", "Cc": unit}})
    return future


@pytest.fixture(scope="module")
def future():
    return future_of()


def peak(level, sd_log=0.0, name="occupancy"):
    """A limit on Cmax at `level`: half of the receptors."""
    return OccupancyLimit(Figure(level, "mg/L", "a test", sd_log=sd_log), at_most=0.5, name=name)


@pytest.mark.parametrize("sd_log", [0.0, 0.4])
def test_probabilities_of_log_normal_exposure(future, sd_log):
    tolerated = 0.1
    found = first_in_human(
        future, [peak(8.0, sd_log)], doses=DOSES, loss=10, tolerated=tolerated, alpha=0.2, random_seed=2
    )
    table = found.table.xs("occupancy", level="limit")
    away = np.log(table["dose"] / 8.0)
    spread = np.hypot(UNCERTAIN, sd_log)
    # The share of individuals beyond is Phi(.), more than tolerated where theta (and the limit) lie far enough.
    probability = norm.cdf((away - BETWEEN * norm.ppf(tolerated)) / spread)
    expected = norm.cdf(away / np.hypot(spread, BETWEEN))
    np.testing.assert_array_less(
        abs(table["probability"] - probability), 3.5 * table["probability_mcse"] + 0.012
    )
    np.testing.assert_allclose(table["expected_share"], expected, atol=0.035)
    np.testing.assert_allclose(table["margin"], np.exp(-away), rtol=0.08)
    # Largest dose with a probability of at most alpha, between two candidates.
    exact = 8.0 * np.exp(BETWEEN * norm.ppf(tolerated) + spread * norm.ppf(0.2))
    assert DOSES[found.highest()] < exact < 2 * DOSES[found.highest()]
    assert found.binding == "occupancy"


def test_probabilities_over_the_population_and_over_individuals_are_not_mixed():
    """Individuals differ much, and nothing is uncertain: a dose keeps the limit for certain, or breaks it so."""
    found = first_in_human(
        future_of(uncertain=0.0, between=0.6, subjects=1000),
        [peak(8.0)],
        doses=DOSES,
        loss=10,
        tolerated=0.05,
    )
    table = found.table.xs("occupancy", level="limit")
    share = norm.cdf(np.log(table["dose"] / 8.0) / 0.6)
    np.testing.assert_allclose(table["expected_share"], share, atol=0.004)
    # 2 mg: 1 % beyond, tolerated; 4 mg: 12 %, not.
    assert table["probability"].tolist() == [0, 0, 1, 1, 1, 1]
    assert found.highest() == "2 mg"
    # The wrong definition, all draws and individuals together, is neither 0 nor 1.
    assert 0.1 < table.loc["4 mg", "expected_share"] < 0.15


def test_probability_grows_with_the_dose_and_any_limit_is_passed_most(future):
    limits = [
        peak(8.0, 0.4),
        NoaelLimit(Figure(400, "mg*h/L", "a test"), "auc", safety_factor=10),
        MabelLimit(Figure(12, "mg/L", "a test", sd_log=0.3), effect=0.5, name="effect"),
    ]
    found = first_in_human(future, limits, doses=DOSES, loss=10)
    probability = found.data["probability"].transpose("limit", "regimen").values
    assert (np.diff(probability, axis=1) >= 0).all()
    assert (probability[-1] >= probability[:-1].max(axis=0)).all()
    assert (found.data["share"].sel(limit="any limit") <= found.data["share"].sum("limit") / 2 + 1e-12).all()
    lowest = min(DOSES[found.highest(limit.name)] for limit in limits)
    assert DOSES[found.highest()] <= lowest
    assert list(found.table.index[:4]) == [("1 mg", n) for n in ("occupancy", "NOAEL", "effect", "any limit")]


def test_the_limit_that_binds_is_the_one_that_would_be_passed_next(future):
    limits = [peak(8.0, name="tight"), peak(80.0, name="loose")]
    found = first_in_human(future, limits, doses=DOSES, loss=10)
    assert found.binding == "tight"
    assert found.highest() == found.highest("tight")
    assert DOSES[found.highest("loose")] > DOSES[found.highest("tight")]
    assert "tight binds" in found.summary()


def test_expected_utility_is_its_closed_form_and_the_choice_that_of_choose(future):
    loss = 6.0
    found = first_in_human(future, [peak(8.0)], doses=DOSES, loss=loss)
    dose = np.array(list(DOSES.values()))
    exact = np.log(dose) - loss * norm.cdf(np.log(dose / 8.0) / np.hypot(UNCERTAIN, BETWEEN))
    got = found.decision.table["expected_utility"]
    np.testing.assert_allclose(got, exact, atol=0.15)
    assert found.best == list(DOSES)[int(np.argmax(exact))]
    written = choose(
        future,
        utility(
            lambda x: np.log(DOSES[str(x["regimen"].item())]) - loss * (x["Cc"].max("time") > 8.0), "by hand"
        ),
    )
    np.testing.assert_allclose(got, written.table["expected_utility"], rtol=1e-12)
    # A loss of nothing to speak of leaves the highest dose, a ruinous one the lowest.
    assert first_in_human(future, [peak(8.0)], doses=DOSES, loss=1e-6).best == "32 mg"
    assert first_in_human(future, [peak(8.0)], doses=DOSES, loss=1e6).best == "1 mg"


def test_a_benefit_of_ones_own_takes_the_place_of_log_dose(future):
    benefit = utility(lambda x: auc(x["Cc"]), "exposure")
    found = first_in_human(future, [peak(1e6)], doses=DOSES, loss=1.0, benefit=benefit)
    expected = auc(future["predictions"]["Cc"]).mean(("chain", "draw", "subject"))
    np.testing.assert_allclose(found.decision.table["expected_utility"], expected, rtol=1e-12)
    assert "exposure, less 1 for passing a limit" in found.summary()


def test_levels_are_what_they_say():
    """At its level the effect is E, the occupancy x, the exposure a tenth of that at the NOAEL."""
    mabel = MabelLimit(Figure(3.0, "mg/L", "a test"), effect=0.2, gamma=1.7)
    C = mabel.level().value
    assert pytest.approx(0.2) == C**1.7 / (3.0**1.7 + C**1.7)
    occupancy = OccupancyLimit(Figure(3.0, "nmol/L", "a test", sd_log=0.3), at_most=0.1).level()
    assert occupancy.value / (occupancy.value + 3.0) == pytest.approx(0.1)
    assert occupancy.sd_log == 0.3
    assert NoaelLimit(Figure(50, "mg", "a test"), "dose").level().value == pytest.approx(5)


def test_a_limit_on_the_dose_knows_no_individuals(future):
    found = first_in_human(
        future, [NoaelLimit(Figure(50, "mg", "HED of the rat"), "dose")], doses=DOSES, loss=1
    )
    assert found.table.xs("NOAEL", level="limit")["expected_share"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found.highest() == "4 mg"


def test_area_and_unbound_fraction_scale_the_exposure(future):
    """Over two hours the area is twice the peak; a tenth unbound is a tenth of the dose."""
    twice = first_in_human(
        future, [NoaelLimit(Figure(16, "h*mg/L", "a test"), "auc", 1.0)], doses=DOSES, loss=1
    )
    once = first_in_human(future, [NoaelLimit(Figure(8, "mg/L", "a test"), "cmax", 1.0)], doses=DOSES, loss=1)
    bound = first_in_human(
        future,
        [MabelLimit(Figure(0.8, "mg/L", "a test"), effect=0.5, fraction_unbound=0.1, name="NOAEL")],
        doses=DOSES,
        loss=1,
    )
    for other in (once, bound):
        np.testing.assert_allclose(twice.data["share"], other.data["share"], atol=1e-12)


def test_the_ends_of_the_list_are_told(future):
    low = first_in_human(future, [peak(0.1)], doses=DOSES, loss=10)
    assert low.highest() is None
    assert "No candidate is low enough" in low.summary()
    high = first_in_human(future, [peak(1e4)], doses=DOSES, loss=10)
    assert (high.highest(), high.binding) == ("32 mg", None)
    assert "simulate higher ones" in high.summary()


def test_a_dose_above_one_that_is_refused_is_not_allowed():
    """Doses need not come in order, nor exposure grow with them: what counts is that all lower doses are allowed."""
    doses = {"low": 1.0, "middle": 2.0, "high": 4.0}
    future = future_of(uncertain=0.0, between=0.0, doses={"middle": 20.0, "high": 1.0, "low": 1.0})
    found = first_in_human(future, [peak(8.0)], doses=doses, loss=10)
    assert found.highest() == "low"


def test_the_figure_shows_every_limit_and_the_best_dose(future):
    found = first_in_human(future, [peak(8.0, 0.4), peak(20.0, name="other")], doses=DOSES, loss=10)
    figure = plot_first_in_human(found)
    assert len(figure.axes) == 3
    drawn = figure.axes[0].lines[0]
    np.testing.assert_allclose(drawn.get_ydata(), found.data["probability"].sel(limit="occupancy"))
    marked = figure.axes[2].lines[1]
    assert marked.get_xdata() == DOSES[found.best]
    assert "binds" in found._repr_html_()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"limits": []}, DecisionError, "different names"),
        ({"limits": [peak(1), peak(2)]}, DecisionError, "different names"),
        ({"limits": [OccupancyLimit(Figure(1, "nmol/L", "a test"))]}, UnitsError, "occupancy"),
        ({"limits": [NoaelLimit(Figure(1, "mg/L", "a test"), "auc")]}, UnitsError, "NOAEL"),
        ({"limits": [NoaelLimit(Figure(1, "mg/kg", "a test"), "dose")]}, UnitsError, "NOAEL"),
        ({"limits": [NoaelLimit(Figure(1, "mg/L", "a test"), output="Cp")]}, DecisionError, "no output 'Cp'"),
        ({"doses": {"1 mg": 1}}, DecisionError, "the simulation has"),
        ({"doses": dict.fromkeys(DOSES, 0.0)}, DecisionError, "must be positive"),
        ({"loss": 0}, DecisionError, "loss is 0"),
        ({"alpha": 1.0}, DecisionError, "probabilities"),
    ],
)
def test_what_does_not_fit_is_refused(future, change, error, message):
    given = {"limits": [peak(8)], "doses": DOSES, "loss": 1, **change}
    with pytest.raises(error, match=message):
        first_in_human(future, given.pop("limits"), **given)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: OccupancyLimit(Figure(1, "mg/L", "a test"), at_most=1.0), "at_most is 1.0"),
        (lambda: MabelLimit(Figure(1, "mg/L", "a test"), effect=0), "effect is 0"),
        (lambda: MabelLimit(Figure(1, "mg/L", "a test"), fraction_unbound=1.2), "at most 1"),
        (lambda: NoaelLimit(Figure(1, "mg/L", "a test"), "peak"), "use 'auc', 'cmax' or 'dose'"),
        (lambda: NoaelLimit(Figure(1, "mg/L", "a test"), safety_factor=0.5), "safety_factor"),
    ],
)
def test_limits_are_checked(made, message):
    with pytest.raises(DecisionError, match=message):
        made()
