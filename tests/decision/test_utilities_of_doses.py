"""Every building block of a utility, differentiated by the doses, against simulations and finite differences."""

import numpy as np
import pytest
from fabricated_fits import calibration_of, fit_of, people

import qsp_bayes.decision as d
from qsp_bayes.data import Regimen
from qsp_bayes.decision.continuous.dose_graph import DoseGraph
from qsp_bayes.decision.continuous.expected_utility import ExpectedUtility, NoSlope, trace
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.decision.continuous.individuals import Individuals
from qsp_bayes.errors import DecisionError, UnitsError
from qsp_bayes.models import one_compartment

SPAN = (0.0, 48.0)
INDEX = {
    "exposure": lambda x: d.larger_is_better(d.auc(x["Cc"]), 50, 900, unit="mg*h/L"),
    "peak": lambda x: d.smaller_is_better(d.cmax(x["Cc"]), 1, 60),
}
BLOCKS = {
    "auc": lambda x: d.auc(x["Cc"]),
    "average": lambda x: d.average(x["Cc"]),
    "cmax": lambda x: d.cmax(x["Cc"]),
    "trough": lambda x: d.trough(x["Cc"], 24.0),
    "value_at": lambda x: d.value_at(x["Cc"], 30.0),
    "time_within": lambda x: d.time_within(x["Cc"], 3, 8, unit="mg/L"),
    "time_below": lambda x: d.time_below(x["Cc"], 4, unit="ug/mL"),
    "fraction_above": lambda x: d.fraction_above(x["Cc"], 4),
    "fraction_within": lambda x: d.fraction_within(x["Cc"] / 2, 2, 4, unit="mg/L"),
    "change_from_baseline": lambda x: d.change_from_baseline(x["Cc"], 20.0),
    "largest_increase": lambda x: d.largest_increase(x["Cc"]),
    "largest_decrease": lambda x: d.largest_decrease(-x["Cc"]),
    "cumulative_hazard": lambda x: d.cumulative_hazard(0.001 * x["Cc"]),
    "event_probability": lambda x: d.event_probability(hazard=0.001 * x["Cc"]),
    "smooth_indicator": lambda x: d.smooth_indicator(d.cmax(x["Cc"]), 10, 2),
    "dosing_cost": lambda x: d.dosing_cost(x, per_dose=2.0, per_amount=0.01, unit="mg") + 0 * d.auc(x["Cc"]),
    "doses_per_day": lambda x: d.doses_per_day(x) * d.average(x["Cc"]),
    "larger_is_better": lambda x: d.larger_is_better(d.auc(x["Cc"]), 50, 900, power=2.0),
    "smaller_is_better": lambda x: d.smaller_is_better(d.cmax(x["Cc"]), 1, 60, shape="logistic"),
    "target_is_best": lambda x: d.target_is_best(d.average(x["Cc"]), 0.5, 30, 60),
    "index": d.ClinicalUtilityIndex(INDEX, weights={"exposure": 3, "peak": 1}),
    "geometric index": d.ClinicalUtilityIndex(INDEX, weights={"exposure": 3, "peak": 1}, mean="geometric"),
}
# Each person has one of them.
EACH = people(len(BLOCKS), **{f"B{k}": np.eye(len(BLOCKS))[k].tolist() for k in range(len(BLOCKS))})
REGIMEN = Regimen(200, every=9, until=48)
FREE = {"dose": d.Between(50, 600, of="amount"), "interval": d.Between(4, 24, of="every")}
POINT = np.array([210.0, 8.7])


def each_their_own(x):
    return sum(x[f"B{k}"] * function(x) for k, function in enumerate(BLOCKS.values()))


def function_of(measured, calibration, subjects, free=FREE):
    regimen = FreeRegimen(REGIMEN, free)
    individuals = Individuals.drawn(calibration, fit_of(calibration), REGIMEN, subjects, SPAN, 12, 4)
    graph = DoseGraph(calibration, regimen, individuals.parameters, individuals.covariates, SPAN)
    tracing = trace(graph, d.utility(measured))
    assert not tracing.steps
    return ExpectedUtility.of(tracing, individuals, tolerance=1e-8)


@pytest.fixture(scope="module")
def blocks():
    """Utility of each individual and block, at the point and around it, its gradient, and that of a simulation."""
    calibration = calibration_of(one_compartment(absorption="first-order"))
    function = function_of(each_their_own, calibration, EACH)
    found = function(POINT)
    differences = []
    for k, step in enumerate((0.02, 0.001)):
        moved = [function(POINT + by * step * np.eye(2)[k]).utility for by in (-2, -1, 1, 2)]
        differences.append((8 * (moved[2] - moved[1]) - (moved[3] - moved[0])) / (12 * step))
    future = calibration.simulate(
        fit_of(calibration),
        {"it": function.regimen.at(POINT)},
        EACH,
        np.linspace(*SPAN, 4801),
        draws=12,
        random_seed=4,
    )
    simulated = d.utility(each_their_own)(future).isel(regimen=0).to_numpy().reshape(-1, len(BLOCKS))
    return (
        found.utility.reshape(-1, len(BLOCKS)),
        simulated,
        found.gradient.reshape(-1, len(BLOCKS), 2),
        np.stack(differences, axis=1).reshape(-1, len(BLOCKS), 2),
    )


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_same_by_graph_and_by_simulation_and_has_its_gradient(blocks, name):
    value, simulated, gradient, differences = (part[:, list(BLOCKS).index(name)] for part in blocks)
    np.testing.assert_allclose(value, simulated, rtol=2e-4, atol=1e-4)
    size = max(np.abs(differences).max(), 1e-12)
    # A peak that touches a threshold within the steps is a kink, of which differences are no authority.
    close = np.isclose(gradient, differences, rtol=1e-4, atol=1e-5 * size).all(axis=1)
    assert close.mean() > 0.8
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize(
    ("measured", "error", "message"),
    [
        (lambda x: d.time_above(x["Cc"], 20, unit="ng/mL"), UnitsError, "ng/mL"),
        (lambda x: d.larger_is_better(d.cmax(x["Cc"]), 1, 2, unit="mg"), UnitsError, "mg"),
        (lambda x: d.dosing_cost(x, per_dose=1.0, unit="g") + 0 * d.auc(x["Cc"]), UnitsError, "amount_given"),
        (lambda x: d.auc(x["Cc"]) - d.time_above(x["Cc"], 20), DecisionError, "cannot be subtracted"),
        (lambda x: 1.0 * (d.cmax(x["Cc"]) > 20), DecisionError, "compares"),
        (lambda x: d.dosing_cost(x, per_dose=1.0), DecisionError, "made of a path"),
        (
            lambda x: d.time_above(x["Cc"] / x["Cc"], 2, unit="1"),
            DecisionError,
            "not known after this arithmetic",
        ),
    ],
)
def test_what_is_wrong_with_a_utility_is_said_before_anything_is_compiled(measured, error, message):
    calibration = calibration_of(one_compartment(absorption="first-order"))
    with pytest.raises(error, match=message):
        d.optimise_dose(
            calibration,
            fit_of(calibration),
            REGIMEN,
            FREE,
            people(2),
            measured,
            times=SPAN,
            draws=12,
            method="gradient",
            progressbar=False,
        )


def test_a_power_without_slope_is_refused():
    """The root of a desirability of 0 has the derivative infinity times zero."""
    calibration = calibration_of(one_compartment(absorption="first-order"))
    function = function_of(
        lambda x: d.larger_is_better(d.cmax(x["Cc"]), 1e5, 2e5, power=0.5), calibration, people(2)
    )
    assert function(POINT, gradient=False).expected == 0
    with pytest.raises(NoSlope, match=r"gradient is not finite.*shape='logistic'"):
        function(POINT)
