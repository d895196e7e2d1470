"""The continuous choice of a dose against closed forms, finite differences and fine grids."""

import numpy as np
import pytest
import scipy.optimize
from fabricated_fits import calibration_of, fit_of, people

from qsp_bayes.data import Regimen
from qsp_bayes.decision import (
    Between,
    auc,
    choose,
    cmax,
    optimise_dose,
    standard_error,
    time_above,
    time_within,
    trough,
    utility,
)
from qsp_bayes.decision.continuous import expected_utility
from qsp_bayes.decision.continuous import optimise_dose as module
from qsp_bayes.decision.continuous.dose_graph import DoseGraph
from qsp_bayes.decision.continuous.expected_utility import ExpectedUtility, trace
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.decision.continuous.individuals import Individuals
from qsp_bayes.errors import DecisionError
from qsp_bayes.models import one_compartment, two_compartment
from qsp_bayes.ode import Rodas5P

SPAN = (0.0, 48.0)


def three_utilities(x):
    """Smooth for some subjects, by thresholds for others: each has one of three, told apart by covariates."""
    Cc = x["Cc"]
    index = auc(Cc) / 400 - (trough(Cc, 24.0) / 5) ** 2 + 0.1 * np.log(cmax(Cc))
    window = time_within(Cc, 3, 8) - 0.5 * time_above(Cc, 8)
    return x["SMOOTH"] * index + x["TIMED"] * window + x["COST"] * np.sqrt(x["amount_given"])


THREE = people(3, SMOOTH=[1, 0, 0], TIMED=[0, 1, 0], COST=[0, 0, 1])


def expected(calibration, regimen, free, subjects=THREE, function=three_utilities, span=SPAN, **settings):
    regimen = FreeRegimen(regimen, free)
    fit = fit_of(calibration)
    individuals = Individuals.drawn(calibration, fit, regimen.regimen, subjects, span, 12, 4)
    graph = DoseGraph(calibration, regimen, individuals.parameters, individuals.covariates, span)
    return ExpectedUtility.of(trace(graph, utility(function)), individuals, **settings), fit


def fourth_order(function, point, k, step):
    def at(times):
        moved = point.copy()
        moved[k] += times * step
        return function(moved).utility

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def compare_gradient(function, point, step=2e-4):
    """By individual, relative to the largest derivative of its kind of utility.

    Where a peak touches a threshold within the step, differences of two steps disagree, and are no authority.
    """
    found = function(point)
    assert found.error < 1e-6
    for k in range(point.size):
        truth, other = (fourth_order(function, point, k, h * point[k]) for h in (step, 0.5 * step))
        kind = np.arange(truth.size) % 3
        for number in range(3):
            of = kind == number
            size = max(np.abs(truth[of]).max(), 1e-12)
            known = np.abs(truth - other)[of] < 2e-6 * size
            assert known.mean() > 0.7
            np.testing.assert_allclose(
                found.gradient[of, k][known], truth[of][known], rtol=0, atol=1e-5 * size
            )


ORAL = Regimen(200, every=9, until=48) + Regimen(150)
ORAL_FREE = {
    "dose": Between(50, 600, of="amount"),
    "interval": Between(4, 24, of="every"),
    "loading": Between(0, 800, of="amount", course=1),
}


@pytest.fixture(scope="module")
def oral():
    """Absorption after a lag of each individual's own: every individual has breaks of its own."""
    system = one_compartment(absorption="first-order", lag=True)
    calibration = calibration_of(system)
    return calibration, *expected(calibration, ORAL, ORAL_FREE, tolerance=1e-8)


def test_gradients_of_a_linear_system_are_those_of_finite_differences(oral):
    compare_gradient(oral[1], np.array([210.0, 8.7, 330.0]))


def test_values_are_those_of_a_simulation_on_a_fine_grid(oral):
    """The very individuals of `Calibration.simulate`; what is left is the straight lines of its grid."""
    calibration, function, fit = oral
    point = np.array([210.0, 8.7, 330.0])
    future = calibration.simulate(
        fit,
        {"it": function.regimen.at(point)},
        THREE,
        np.linspace(*SPAN, 9601),
        draws=12,
        random_seed=4,
    )
    Cc = future["predictions"]["Cc"].isel(regimen=0)
    index = auc(Cc) / 400 - (trough(Cc, 24.0) / 5) ** 2 + 0.1 * np.log(cmax(Cc))
    window = time_within(Cc, 3, 8) - 0.5 * time_above(Cc, 8)
    amount = 330 + 210 * 6
    exact = np.stack([index[..., 0], window[..., 1], 0 * index[..., 2] + np.sqrt(amount)], axis=-1)
    np.testing.assert_allclose(function(point).utility, exact.ravel(), rtol=5e-6, atol=5e-5)


def test_another_size_of_chunks_gives_the_same(oral, monkeypatch):
    whole = oral[1](np.array([210.0, 8.7, 330.0]))
    monkeypatch.setattr(expected_utility, "RECORDS", 3000)
    parts = oral[1](np.array([210.0, 8.7, 330.0]))
    np.testing.assert_allclose(parts.utility, whole.utility, rtol=1e-13)
    np.testing.assert_allclose(parts.gradient, whole.gradient, rtol=1e-10, atol=1e-13)


def test_the_number_of_threads_changes_no_bit(oral, monkeypatch):
    monkeypatch.setattr(expected_utility, "RECORDS", 5000)
    found = []
    for cores in (1, 2, 3):
        monkeypatch.setattr(expected_utility, "usable_cores", lambda cores=cores: cores)
        found.append(oral[1](np.array([210.0, 8.7, 330.0])))
    for other in found[1:]:
        np.testing.assert_array_equal(other.utility, found[0].utility)
        np.testing.assert_array_equal(other.gradient, found[0].gradient)


def test_doses_at_the_end_have_no_effect(oral):
    """As the interval passes 48/6 from below, the seventh dose leaves, and expected utility does not jump."""
    function = oral[1]
    before, after = (function(np.array([210.0, 8.0 + sign * 1e-7, 330.0])) for sign in (-1, 1))
    timed = np.arange(before.utility.size) % 3 < 2
    np.testing.assert_allclose(after.utility[timed], before.utility[timed], atol=1e-4)
    # The amount given, in contrast, is one dose less: an honest jump.
    np.testing.assert_allclose(before.utility[~timed] ** 2 - after.utility[~timed] ** 2, 210)


@pytest.mark.slow
@pytest.mark.parametrize(
    "system",
    [two_compartment(), one_compartment(elimination="saturable")],
    ids=["two compartments", "Michaelis-Menten"],
)
def test_gradients_by_the_duration_of_an_infusion(system):
    linear = system.parameters.keys() >= {"CL"}
    calibration = calibration_of(system, solver=None if linear else Rodas5P(rtol=1e-10))
    free = {
        "dose": Between(50, 600, of="amount"),
        "interval": Between(4, 24, of="every"),
        "duration": Between(0.2, 6, of="duration"),
    }
    regimen = Regimen(200, every=12, until=48, into="central", duration=2)
    function, _ = expected(calibration, regimen, free, tolerance=1e-8)
    compare_gradient(function, np.array([180.0, 10.3, 3.1]), step=1e-3)


@pytest.fixture(scope="module")
def geometric():
    """u = -(log AUC - log target)^2 after one bolus, followed until nothing is left."""
    calibration = calibration_of(one_compartment(), vary=("CL",))
    fit = fit_of(calibration, draws=20)
    subjects, target = people(5), 40.0
    found = optimise_dose(
        calibration,
        fit,
        Regimen(100, into="central"),
        {"dose": Between(20, 900, of="amount")},
        subjects,
        utility(lambda x: -((np.log(auc(x["Cc"])) - np.log(40.0)) ** 2), "AUC near 40"),
        times=(0, 600),
        draws=40,
        tolerance=1e-9,
        random_seed=7,
        progressbar=False,
    )
    individuals = Individuals.drawn(calibration, fit, found.regimen, subjects, (0, 600), 40, 7)
    return found, individuals.labelled(np.log(individuals.parameters["CL"])), target


def test_log_area_has_its_optimum_at_the_geometric_mean_clearance(geometric):
    """AUC = dose/CL: dose* = target exp(mean log CL), exactly; curvature -2/dose*^2; EU* = -var(log CL)."""
    found, log_clearance, target = geometric
    dose = target * np.exp(float(log_clearance.mean()))
    assert found.values["dose"] == pytest.approx(dose, rel=1e-7)
    assert found.expected_utility == pytest.approx(-float(log_clearance.var()), rel=1e-6)
    assert float(found.data["curvature"][0, 0]) == pytest.approx(-2 / dose**2, rel=1e-4)
    assert found.table["position"].tolist() == ["interior"]
    assert abs(found.table.loc["dose", "slope"]) < 1e-9
    # The maximum is a mean of log CL: its Monte Carlo error is that of this mean.
    assert found.table.loc["dose", "mcse"] == pytest.approx(
        dose * float(standard_error(log_clearance)), rel=1e-4
    )


def test_flatness_and_practical_doses(geometric):
    found, _, _ = geometric
    dose = found.values["dose"]
    near = found.near(loss=0.01).loc["dose"]
    for kind in ("alone", "together"):
        assert [near[f"{kind}_low"], near[f"{kind}_high"]] == pytest.approx(
            [0.9 * dose, 1.1 * dose], rel=1e-4
        )
    regimens = found.practical({"dose": 25})
    below = 25 * np.floor(dose / 25)
    assert [regimen.amount for regimen in regimens.values()] == [below, below + 25]
    assert list(found.practical({"dose": [20, 80, 100, 700]})) == ["dose 100", "dose 700"]
    assert found.practical({})[f"dose {dose:g}"] == found.regimen
    with pytest.raises(DecisionError, match="interval was not free; free were dose"):
        found.practical({"interval": 6})
    with pytest.raises(DecisionError, match="no value of dose lies within its bounds"):
        found.practical({"dose": [1000]})
    with pytest.raises(DecisionError, match="positive tolerance"):
        found.near(0.0)


def test_what_is_shown(geometric):
    found, _, _ = geometric
    assert found.is_finished
    assert found.cautions == ()
    assert "Expected utility is highest at dose" in found.summary()
    assert "by gradients of the solved system" in found.summary()
    page = found._repr_html_()
    assert "AUC near 40" in page
    assert "<th>dose</th>" in page
    assert {"coarse search", "ascent"} <= set(found.trace["phase"])
    assert found.trace["expected_utility"].max() >= found.expected_utility - 1e-12


def superposed(parameters, dose, interval, times, end):
    """Concentrations after oral doses at 0, interval, ... before `end`, and the area to `end`; (individual, time)."""
    KA, CL, V = (parameters[name][:, None, None] for name in ("KA", "CL", "Vc"))
    k = CL / V
    since = np.maximum(np.asarray(times)[:, None] - interval * np.arange(np.ceil(end / interval - 1e-9)), 0)
    scale = dose / V * KA / (KA - k)
    course = scale * (np.exp(-k * since) - np.exp(-KA * since))
    area = scale * ((1 - np.exp(-k * since)) / k - (1 - np.exp(-KA * since)) / KA)
    return course.sum(axis=2), area.sum(axis=2)[:, -1]


def closed_form(parameters, point, end=48.0):
    """-(trough(24) - 2)^2 - (AUC/240 - 1)^2 - (trough(46) - 2)^2, from superposition."""
    course, area = superposed(parameters, *point, [24.0, 46.0, end], end)
    return (-((course[:, 0] - 2) ** 2) - (course[:, 1] - 2) ** 2 - (area / 240 - 1) ** 2).mean()


def test_the_optimum_of_two_variables_is_that_of_the_closed_form():
    """Dose and interval together; the authority is superposition, maximised on a grid and by Nelder and Mead."""
    calibration = calibration_of(one_compartment(absorption="first-order"))
    fit, subjects = fit_of(calibration), people(4)
    settings = {"times": (0, 48), "draws": 12, "random_seed": 2, "progressbar": False}
    free = {"dose": Between(20, 400, of="amount"), "interval": Between(5, 20, of="every")}
    regimen = Regimen(100, every=12, until=48)

    def wanted(x):
        Cc = x["Cc"]
        early, late = (trough(Cc, time) / 1.0 - 2 for time in (24.0, 46.0))
        return -(early**2) - late**2 - (auc(Cc) / 240 - 1) ** 2

    found = optimise_dose(calibration, fit, regimen, free, subjects, wanted, **settings)
    parameters = Individuals.drawn(calibration, fit, regimen, subjects, (0, 48), 12, 2).parameters
    assert found.expected_utility == pytest.approx(
        closed_form(parameters, list(found.values.values())), rel=1e-5
    )
    grid = {
        (dose, interval): closed_form(parameters, (dose, interval))
        for dose in np.linspace(20, 400, 96)
        for interval in np.linspace(5, 20, 151)
    }
    best = max(grid, key=grid.get)
    assert found.expected_utility >= grid[best] - 1e-6
    refined = scipy.optimize.minimize(
        lambda point: -closed_form(parameters, point), best, method="Nelder-Mead", options={"fatol": 1e-12}
    )
    assert found.expected_utility >= -refined.fun - 1e-6
    again = optimise_dose(calibration, fit, regimen, free, subjects, wanted, **settings)
    assert again.values == found.values
    assert again.trace.equals(found.trace)


def test_a_comparison_is_refused_or_searched_by_grid():
    calibration = calibration_of(one_compartment(), vary=("CL",))
    fit, subjects = fit_of(calibration), people(2)
    given = (
        calibration,
        fit,
        Regimen(100, into="central"),
        {"dose": Between(50, 950, of="amount")},
        subjects,
    )
    settings = {"times": (0, 24), "draws": 12, "random_seed": 1, "progressbar": False}

    def reached(x):
        return 1.0 * (auc(x["Cc"]) > 50.0) - x["amount_given"] / 1000

    with pytest.raises(DecisionError, match=r"compares: auc\(Cc\) > 50.*smooth_indicator"):
        optimise_dose(*given, reached, method="gradient", **settings)
    found = optimise_dose(*given, reached, **settings)
    assert found.metadata["method"] == "grid"
    assert "auc(Cc) > 50" in found.summary()
    # Closed form: the area at dose d is d a_i, and the best dose that which an individual just reaches.
    parameters = Individuals.drawn(calibration, fit, given[2], subjects, (0, 24), 12, 1).parameters
    k = parameters["CL"] / parameters["Vc"]
    area = (1 - np.exp(-24 * k)) / parameters["CL"]
    doses = np.linspace(50, 950, 90_001)
    exact = (doses[:, None] * area > 50).mean(axis=1) - 0.001 * doses
    assert found.expected_utility == pytest.approx(exact.max(), abs=0.01)
    with pytest.raises(DecisionError, match="by grid and has no second derivatives"):
        found.near()


def test_what_only_arrays_can_do_is_named():
    calibration = calibration_of(one_compartment())
    graph = (calibration, fit_of(calibration), Regimen(100, into="central"))
    given = (*graph, {"dose": Between(50, 950, of="amount")}, people(2))
    settings = {"times": (0, 24), "draws": 12, "method": "gradient", "progressbar": False}
    for function, message in (
        (lambda x: x["Cc"].max("time"), "arrays only.*has no attribute 'max'"),
        (lambda x: x["Cc"], "it returned a path"),
        (lambda x: 1.0, "did not return one value"),
        (lambda x: auc(x["Cp"]), "asks for 'Cp'; there is Cc, n_doses, amount_given, WT"),
        (lambda x: np.floor(auc(x["Cc"])), "compares: floor"),
        (lambda x: trough(x["Cc"], 30.0), "time 30 lies outside"),
    ):
        with pytest.raises(DecisionError, match=message):
            optimise_dose(*given, function, **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": (5, 5)}, "times is"),
        ({"method": "newton"}, "method is 'newton'"),
        ({"starts": 0}, "starts is 0"),
        ({"draws": 4}, "2 draws in each chain"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    calibration = calibration_of(one_compartment())
    with pytest.raises(DecisionError, match=message):
        optimise_dose(
            calibration,
            fit_of(calibration),
            Regimen(100, into="central"),
            {"dose": Between(50, 950, of="amount")},
            people(2),
            lambda x: auc(x["Cc"]),
            **{"times": (0, 24), "draws": 12, "progressbar": False, **change},
        )


@pytest.mark.slow
def test_what_only_arrays_can_evaluate_is_simulated():
    calibration = calibration_of(one_compartment(), vary=("CL",))
    fit, subjects = fit_of(calibration), people(2)
    free = {"dose": Between(50, 950, of="amount")}

    def wanted(x):
        return -((x["Cc"].isel(time=-1) - 1.0) ** 2)

    found = optimise_dose(
        calibration,
        fit,
        Regimen(100, into="central"),
        free,
        subjects,
        wanted,
        times=(0, 24),
        draws=12,
        progressbar=False,
    )
    assert "arrays only" in found.summary()
    parameters = Individuals.drawn(
        calibration, fit, Regimen(100, into="central"), subjects, (0, 24), 12, 0
    ).parameters
    a = np.exp(-24 * parameters["CL"] / parameters["Vc"]) / parameters["Vc"]
    assert found.values["dose"] == pytest.approx(a.mean() / (a**2).mean(), rel=1e-2)


@pytest.mark.slow
def test_the_steady_state_is_that_of_a_simulation():
    calibration = calibration_of(one_compartment(absorption="first-order"))
    regimen = Regimen(100, every=12, steady_state=True, until=48)
    free = {"dose": Between(50, 600, of="amount"), "interval": Between(4, 24, of="every")}
    function, fit = expected(
        calibration, regimen, free, function=lambda x: auc(x["Cc"]) / 1.0 + cmax(x["Cc"]) / 1.0
    )
    point = np.array([180.0, 10.3])
    future = calibration.simulate(
        fit, {"it": function.regimen.at(point)}, THREE, np.linspace(*SPAN, 4801), draws=12, random_seed=4
    )
    decision = choose(future, lambda x: auc(x["Cc"]) / 1.0 + cmax(x["Cc"]) / 1.0)
    assert function(point).expected == pytest.approx(decision.table["expected_utility"].item(), rel=2e-5)
    for k in range(2):
        truth = fourth_order(function, point, k, 1e-3 * point[k])
        np.testing.assert_allclose(function(point).gradient[:, k], truth, rtol=1e-5, atol=1e-8)


def test_an_interrupted_search_keeps_the_best_so_far(geometric, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "polish", interrupt)
    calibration = calibration_of(one_compartment(), vary=("CL",))
    found = optimise_dose(
        calibration,
        fit_of(calibration, draws=20),
        Regimen(100, into="central"),
        {"dose": Between(20, 900, of="amount")},
        people(5),
        utility(lambda x: -((np.log(auc(x["Cc"])) - np.log(40.0)) ** 2)),
        times=(0, 600),
        draws=40,
        random_seed=7,
        progressbar=False,
    )
    assert not found.is_finished
    assert "interrupted" in found.cautions[0]
    assert found.values["dose"] == pytest.approx(geometric[0].values["dose"], rel=1e-3)
