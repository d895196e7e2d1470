"""The unit of a utility against pint's own algebra, and the mistakes it must not let pass."""

import re

import numpy as np
import pytest
import xarray as xr
from constant_paths import future_of

from qsp_bayes.decision import (
    Constraint,
    attainment,
    auc,
    average,
    change_from_baseline,
    choose,
    cmax,
    cmin,
    duration,
    event_probability,
    fraction_above,
    fraction_within,
    larger_is_better,
    smaller_is_better,
    smooth_indicator,
    target_is_best,
    time_above,
    time_below,
    time_within,
    trough,
    utility,
    value_at,
)
from qsp_bayes.errors import DecisionError, UnitsError
from qsp_bayes.units import registry

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def future():
    """Concentration in mg/L, a hazard in 1/day, body weight in kg, and an output whose unit nobody stated."""
    values = RNG.lognormal(2.5, 0.3, (4, 5, 2, 6))
    made = future_of(values, ["a", "b"], hazard=0.1 + 0 * values, unknown=values)
    predictions = made["predictions"].to_dataset()
    predictions["hazard"].attrs["units"] = "1/h"
    predictions["slow"] = predictions["hazard"].assign_attrs(units="1/day")
    predictions["WT"] = ("subject", np.full(6, 70.0), {"units": "kg"})
    made["predictions"] = xr.DataTree(predictions)
    return made


FOLLOWED = {
    "time": (lambda x: time_within(x["Cc"], 10, 20) - 0.5 * time_above(x["Cc"], 20), "h"),
    "area": (lambda x: auc(x["Cc"]), "mg*h/L"),
    "area over time": (lambda x: auc(x["Cc"]) / duration(x["Cc"]), "mg/L"),
    "average": (lambda x: average(x["Cc"]) + trough(x["Cc"]) - value_at(x["Cc"], 3.0), "mg/L"),
    "mean of two": (lambda x: (cmax(x["Cc"]) * 2 + cmin(x["Cc"])) * 0.5, "mg/L"),
    "square": (lambda x: -((trough(x["Cc"]) - 15) ** 2), "mg**2/L**2"),
    "root": (lambda x: np.sqrt(auc(x["Cc"]) * time_below(x["Cc"], 3)), "mg**0.5*h/L**0.5"),
    "share": (lambda x: fraction_within(x["Cc"], 10, 20) - fraction_above(x["Cc"], 20), "1"),
    "logarithm of a ratio": (lambda x: -abs(np.log(auc(x["Cc"]) / 400)), "1"),
    "logarithm": (lambda x: -((np.log(auc(x["Cc"])) - np.log(400)) ** 2), "1"),
    "sum of ratios": (lambda x: auc(x["Cc"]) / 400 - time_above(x["Cc"], 20) / 24 + 1, "1"),
    "target": (lambda x: (trough(x["Cc"]) > 10) & (cmax(x["Cc"]) < 40), "1"),
    "boolean weight": (lambda x: auc(x["Cc"]) * (cmax(x["Cc"]) < 40), "mg*h/L"),
    "desirability": (
        lambda x: (
            larger_is_better(auc(x["Cc"]), 200, 600, unit="mg*h/L")
            * smaller_is_better(cmax(x["Cc"]), 20, 40, shape="logistic")
            * target_is_best(trough(x["Cc"]), 5, 10, 15)
        ),
        "1",
    ),
    "smooth indicator": (lambda x: smooth_indicator(cmax(x["Cc"]), 20, 1), "1"),
    "transformed path": (lambda x: average(x["Cc"] / (x["Cc"] + 5)), "1"),
    "scaled path": (lambda x: cmax(0.1 * x["Cc"]), "mg/L"),
    "event": (lambda x: -event_probability(hazard=x["hazard"]), "1"),
    "change": (lambda x: change_from_baseline(x["Cc"]), "mg/L"),
    "relative change": (lambda x: change_from_baseline(x["Cc"], relative=True), "1"),
    "covariate": (lambda x: auc(x["Cc"]) / x["WT"], "mg*h/L/kg"),
    "attribute": (lambda x: cmax(x.Cc), "mg/L"),
    "threshold with a unit": (lambda x: time_above(x["Cc"], 20, unit="ug/mL"), "h"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_units_that_follow(future, name):
    function, expected = FOLLOWED[name]
    found = utility(function).check_units(future)
    assert registry.Unit(found.unit or "nothing") == registry.Unit(expected if expected != "1" else "")
    assert found.note == ""
    utility(function)(future)  # the same function gives numbers


REFUSED = {
    "hours and areas": (
        lambda x: time_within(x["Cc"], 10, 20) - auc(x["Cc"]),
        r"time_within\(Cc, 10, 20\) is in h, auc\(Cc\) in h\*mg/L: they cannot be subtracted",
    ),
    "a share and hours": (lambda x: fraction_above(x["Cc"], 5) + time_above(x["Cc"], 20), "cannot be added"),
    "compared": (lambda x: cmax(x["Cc"]) > auc(x["Cc"]), "cannot be compared"),
    "exponential": (lambda x: np.exp(-auc(x["Cc"])), r"exp of -auc\(Cc\), which is in h\*mg/L"),
    "a rate per day over hours": (
        lambda x: event_probability(hazard=x["slow"]),
        r"exp of -auc\(slow\), which is in h/d",
    ),
    "a sum of ratio and hours": (
        lambda x: auc(x["Cc"]) / 400 - time_above(x["Cc"], 20),
        "cannot be subtracted",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_units_that_do_not_fit(future, name):
    function, message = REFUSED[name]
    with pytest.raises(DecisionError, match=message):
        choose(future, function)


def test_thresholds_in_another_unit(future):
    for function in (
        lambda x: time_above(x["Cc"], 20, unit="ug/L"),
        lambda x: fraction_above(x["Cc"], 20, unit="ug/L"),
        lambda x: larger_is_better(cmax(x["Cc"]), 1, 2, unit="ug/L"),
    ):
        with pytest.raises(UnitsError, match=r"1 ug/L = 0.001 mg/L"):
            choose(future, function)
    path = future["predictions"]["Cc"]
    with pytest.raises(UnitsError, match=r"1 mg/mL = 1000 mg/L"):
        time_within(path, 1, 2, unit="mg/mL")
    assert time_within(path, 1, 2, unit="ug/mL").identical(time_within(path, 1, 2))
    with pytest.raises(DecisionError, match="has no attribute 'units'"):
        time_within(path.drop_attrs(), 1, 2, unit="mg/L")


NOT_FOLLOWED = {
    "a method of xarray": (lambda x: x["Cc"].max("time"), r"\.max is not followed"),
    "a numpy function": (
        lambda x: xr.apply_ufunc(np.sin, cmax(x["Cc"])),
        "not checked",
    ),
    "numpy's where": (lambda x: np.where(True, cmax(x["Cc"]), cmin(x["Cc"])), "where is not followed"),
    "no unit stated": (lambda x: cmax(x["unknown"]), "no attribute 'units'"),
    "a truth value": (lambda x: cmax(x["Cc"]) if cmax(x["Cc"]) > 1 else 0, "truth value is not followed"),
}


@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_what_cannot_be_followed_is_said(future, name):
    function, message = NOT_FOLLOWED[name]
    found = utility(function).check_units(future)
    assert found.unit is None
    assert re.search(message, found.note)


def test_a_number_that_divides_leaves_the_unit_open(future):
    halved = lambda x: (time_within(x["Cc"], 5, 10) + time_within(x["Cc"], 15, 20)) / 2  # noqa: E731
    found = choose(future, halved)
    assert found.unit is None
    assert "declare it with unit=" in found.metadata["unit_note"]
    assert choose(future, utility(halved, unit="h")).unit == "h"
    assert choose(future, utility(halved, unit="1")).unit == "1"
    with pytest.raises(DecisionError, match="declared to be 'mg'"):
        choose(future, utility(halved, unit="mg"))
    with pytest.raises(DecisionError, match="declared to be 'min'"):
        choose(future, utility(halved, unit="min"))


def test_the_decision_shows_the_unit(future):
    decision = choose(future, lambda x: time_within(x["Cc"], 10, 20))
    assert decision.unit == "h"
    assert "expected utility (h)" in decision._repr_html_()
    assert " h (Monte Carlo standard error" in decision.summary()
    assert "expected_utility (h)" in repr(decision)
    assert decision.table.attrs["unit"] == "h"
    unknown = choose(future, lambda x: x["Cc"].max("time"))
    assert unknown.unit is None
    assert ".max is not followed" in unknown.metadata["unit_note"]


def test_constraints_and_targets_are_checked_too(future):
    benefit = lambda x: cmax(x["Cc"])  # noqa: E731
    with pytest.raises(UnitsError):
        choose(
            future, benefit, constraints=[Constraint(lambda x: time_above(x["Cc"], 1, unit="g/L"), below=1)]
        )
    with pytest.raises(DecisionError, match="declared to be 'min'"):
        choose(
            future, benefit, constraints=[Constraint(lambda x: time_above(x["Cc"], 1), below=1, unit="min")]
        )
    with pytest.raises(DecisionError, match="cannot be compared"):
        attainment(future, {"nonsense": lambda x: auc(x["Cc"]) > cmax(x["Cc"])})


def test_numbers_do_not_inherit_the_unit_of_their_path(future):
    path = future["predictions"]["Cc"]
    for measure in (auc, cmax, trough, lambda x: time_within(x, 1, 2)):
        assert "units" not in measure(path).attrs
    assert utility(lambda x: x["Cc"].max("time"))(future).attrs == {}
