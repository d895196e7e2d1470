"""The approximations of target-mediated disposition: against equations by hand, and against the full model's limits."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from qsp_bayes.data import Regimen, planned_study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import tmdd
from qsp_bayes.models.tmdd.implied import implied_parameters
from qsp_bayes.models.tmdd.model import APPROXIMATIONS
from qsp_bayes.ode import Automatic
from qsp_bayes.systems import Output, Process

FULL = {
    "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 4.0,
    "kon": 4.0, "koff": 1.0, "R0": 8.0, "kdeg": 0.5, "kint": 0.2,
}  # fmt: skip
DOSE = 240.0
TIMES = np.array([1e-8, 0.01, 0.1, 1.0, 4.0, 10.0, 20.0, 35.0])
TIGHT = Automatic(rtol=1e-10)
NAMES = list(APPROXIMATIONS)


def bolus(amount=DOSE):
    return Regimen(amount, unit="nmol", into="central")


def course(name, parameters):
    """Outputs of one form of the model, with the parameters that the full model implies."""
    implied = implied_parameters(parameters, name)
    return tmdd(approximation=name).course(implied, TIMES, bolus(), solver=TIGHT)


@functools.cache
def usual(name):
    """The course with the parameters above."""
    return course(name, FULL)


# In concentrations: free or total drug, drug in the peripheral compartment, and what there is of the target.


def totals_by_hand(p, K):
    """Mager and Krzyzanski 2005 (KD) and Gibiansky 2008 (Kss), with the root by numpy."""

    def free(drug, target):
        return np.roots([1.0, target - drug + K, -K * drug]).real.max()

    def slopes(t, y):
        drug, tissue, target = y
        C = free(drug, target)
        bound = drug - C
        out = p["Q"] * (C - tissue)
        return [
            -p["CL"] / p["Vc"] * C - out / p["Vc"] - p["kint"] * bound,
            out / p["Vp"],
            p["kdeg"] * p["R0"] - p["kdeg"] * (target - bound) - p["kint"] * bound,
        ]

    return slopes, [DOSE / p["Vc"], 0.0, p["R0"]], lambda y: (free(y[0], y[2]), y[2])


def wagner_by_hand(p):
    """As published: one equation of the free drug, whose total changes by more than the free drug does."""
    K = (p["koff"] + p["kint"]) / p["kon"]

    def slopes(t, y):
        C, tissue = y
        out = p["Q"] * (C - tissue)
        lost = -p["CL"] / p["Vc"] * C - out / p["Vc"] - p["kint"] * p["R0"] * C / (K + C)
        return [lost / (1 + p["R0"] * K / (K + C) ** 2), out / p["Vp"]]

    total = DOSE / p["Vc"]
    start = brentq(lambda C: C + p["R0"] * C / (K + C) - total, 0, total, xtol=1e-14)
    return slopes, [start, 0.0], lambda y: (y[0], p["R0"])


def saturable_by_hand(p):
    Km, Vmax = (p["koff"] + p["kint"]) / p["kon"], p["kint"] * p["R0"] * p["Vc"]

    def slopes(t, y):
        C, tissue = y
        out = p["Q"] * (C - tissue)
        return [(-p["CL"] * C - out - Vmax * C / (Km + C)) / p["Vc"], out / p["Vp"]]

    return slopes, [DOSE / p["Vc"], 0.0], lambda y: (y[0], p["R0"])


def kinetic_by_hand(p, constant=False):
    """Mager and Jusko 2001; with a constant total target free target is what is not bound."""

    def slopes(t, y):
        C, tissue, bound = y[:3]
        target = p["R0"] - bound if constant else y[3]
        binding = p["kon"] * C * target - p["koff"] * bound
        out = p["Q"] * (C - tissue)
        return [
            -p["CL"] / p["Vc"] * C - out / p["Vc"] - binding,
            out / p["Vp"],
            binding - p["kint"] * bound,
            *([] if constant else [p["kdeg"] * (p["R0"] - target) - binding]),
        ]

    start = [DOSE / p["Vc"], 0.0, 0.0, p["R0"]]
    return slopes, start[: 3 if constant else 4], lambda y: (y[0], p["R0"] if constant else y[2] + y[3])


BY_HAND = {
    "full": kinetic_by_hand(FULL),
    "QE": totals_by_hand(FULL, FULL["koff"] / FULL["kon"]),
    "QSS": totals_by_hand(FULL, (FULL["koff"] + FULL["kint"]) / FULL["kon"]),
    "Wagner": wagner_by_hand(FULL),
    "Michaelis-Menten": saturable_by_hand(FULL),
    "irreversible": kinetic_by_hand(FULL | {"koff": 0.0}),
    "constant target": kinetic_by_hand(FULL, constant=True),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_form_solves_the_equations_written_by_hand(name):
    slopes, start, read = BY_HAND[name]
    solved = solve_ivp(slopes, (0, TIMES[-1]), start, "LSODA", TIMES, rtol=1e-11, atol=1e-13)
    expected = np.array([read(y) for y in solved.y.T])
    found = usual(name)
    np.testing.assert_allclose(found["Cc"], expected[:, 0], rtol=2e-7)
    np.testing.assert_allclose(found["Rtot"], expected[:, 1], rtol=2e-8)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_agree_with_each_other(name):
    found = usual(name)
    np.testing.assert_allclose(found["Ctot"], found["Cc"] + found["RC"], rtol=1e-12)
    np.testing.assert_allclose(found["Rtot"], found["R"] + found["RC"], rtol=1e-12)
    np.testing.assert_allclose(found["RO"], found["RC"] / found["Rtot"], rtol=1e-12)
    np.testing.assert_allclose(found["suppression"], 1 - found["R"] / FULL["R0"], rtol=1e-12, atol=1e-15)
    if APPROXIMATIONS[name].follows_total:
        K = implied_parameters(FULL, name)["KD" if name == "QE" else "Kss"]
        np.testing.assert_allclose(found["Cc"] * found["R"], K * found["RC"], rtol=1e-12)
        np.testing.assert_allclose(found["RO"], found["Cc"] / (K + found["Cc"]), rtol=1e-12)


@pytest.mark.parametrize("name", ["QE", "QSS", "Wagner"])
def test_a_bolus_enters_the_total_and_is_bound_at_once(name):
    first = usual(name).isel(time=0)
    assert float(first["Ctot"]) == pytest.approx(DOSE / FULL["Vc"], rel=1e-7)
    assert float(first["Cc"]) < DOSE / FULL["Vc"] - 0.9 * FULL["R0"]


SETTLED = np.array([2.0, 5.0, 10.0, 15.0, 20.0])


def free_drug(name, many, times):
    """Free drug after 60 nmol in one compartment, one row for each set of parameters of the full model."""
    system = tmdd(compartments=1, approximation=name)
    implied = [implied_parameters(p, name) for p in many]
    units = StudyUnits("day", "nmol", {"Cc": "nmol/L"})
    plan = planned_study(bolus(60.0), pd.DataFrame(index=list("abc")), times, units=units)
    values = {k: np.array([p[k] for p in implied]) for k in system.parameters}
    path = system.solve(plan.events(), values, solver=TIGHT)
    return pytensor.function([], path["Cc"], mode="NUMBA")().reshape(len(many), len(times))


def halving(name, parameters, times=SETTLED):
    """Errors of free drug, and their ratios as all that the approximation takes for fast becomes twice as fast."""
    many = [parameters(scale) for scale in (1, 2, 4)]
    found, full = free_drug(name, many, times), free_drug("full", many, times)
    errors = np.max(np.abs(found - full) / full, axis=1)
    return errors, errors[:-1] / errors[1:]


def test_quasi_equilibrium_is_reached_as_one_over_koff():
    errors, ratios = halving("QE", lambda s: FULL | {"kon": 200.0 * s, "koff": 100.0 * s})
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    assert errors[-1] < 2e-3


def test_quasi_steady_state_is_reached_as_binding_becomes_fast_at_the_same_kss():
    Kss = 0.5
    errors, ratios = halving(
        "QSS", lambda s: FULL | {"kon": 100.0 * s, "koff": 100.0 * s * Kss - FULL["kint"]}
    )
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    assert errors[-1] < 2e-3


def test_wagner_is_reached_where_bound_target_is_lost_as_free_target_is():
    constant = FULL | {"kint": FULL["kdeg"]}
    _, ratios = halving("Wagner", lambda s: constant | {"kon": 100.0 * s, "koff": 50.0 * s - FULL["kdeg"]})
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    # There it is the model at steady state, and the model with a constant target the full one.
    np.testing.assert_allclose(course("Wagner", constant)["Cc"], course("QSS", constant)["Cc"], rtol=1e-8)
    np.testing.assert_allclose(
        course("constant target", constant)["Cc"], course("full", constant)["Cc"], rtol=1e-7
    )
    # Elsewhere it is not: no speed of binding brings it there.
    errors, _ = halving("Wagner", lambda s: FULL | {"kon": 100.0 * s, "koff": 50.0 * s - FULL["kint"]})
    assert errors[-1] > 0.1


def test_michaelis_menten_is_reached_as_the_target_becomes_small_at_the_same_vmax():
    Kss = 2.0

    def parameters(scale):
        R0 = 0.01 / scale
        kint = 1.6 / R0
        return FULL | {"R0": R0, "kint": kint, "kdeg": kint, "koff": kint, "kon": 2 * kint / Kss}

    errors, ratios = halving("Michaelis-Menten", parameters)
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    assert errors[-1] < 1e-2


def test_irreversible_binding_is_the_limit_of_slow_dissociation():
    errors, ratios = halving(
        "irreversible", lambda s: FULL | {"koff": 0.01 / s}, times=np.array([0.2, 0.5, 1.0])
    )
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    assert errors[-1] < 1e-2


def test_occupancy_at_equilibrium_is_that_of_kd_and_with_internalisation_that_of_kss():
    still = FULL | {"CL": 0.0, "kdeg": 0.0, "kint": 0.0}
    system = tmdd(compartments=1)
    held = system.course(
        {name: still[name] for name in system.parameters}, [300.0], bolus(40.0), solver=TIGHT
    )
    free, KD, Kss = (
        float(held["Cc"][0]),
        FULL["koff"] / FULL["kon"],
        (FULL["koff"] + FULL["kint"]) / FULL["kon"],
    )
    assert float(held["RO"][0]) == pytest.approx(free / (KD + free), rel=1e-8)
    assert abs(float(held["RO"][0]) - free / (Kss + free)) > 1e-3
    infused = Regimen(2e5, unit="nmol", rate=4.0, into="central")
    steady = system.course({name: FULL[name] for name in system.parameters}, [400.0], infused, solver=TIGHT)
    free = float(steady["Cc"][0])
    assert float(steady["RO"][0]) == pytest.approx(free / (Kss + free), rel=1e-8)
    assert abs(float(steady["RO"][0]) - free / (KD + free)) > 1e-3


def balanced(name):
    """One form, with all that leaves and all target that is made collected, and its states as outputs."""
    system = tmdd(approximation=name, absorption="first-order")
    goals = {
        "elimination": "cleared",
        "internalisation": "internalised",
        "degradation": "degraded",
        "synthesis": "made",
    }
    processes = [
        Process(p.name, {**p.stoichiometry, goals[p.name]: 1}, p.rate) if p.name in goals else p
        for p in system.processes
    ]
    collected = [goal for process, goal in goals.items() if any(p.name == process for p in processes)]
    states = {**system.states, **dict.fromkeys(collected, "nmol")}
    outputs = dict(system.outputs) | {
        f"{state}_": Output("nmol", lambda s, state=state: s[state]) for state in states
    }
    return dataclasses.replace(
        system, states=states, processes=processes, outputs=outputs, accumulators=collected
    )


@pytest.mark.parametrize("name", NAMES)
def test_drug_and_target_are_conserved_over_ten_thousand_days(name):
    system, times = balanced(name), np.array([0.5, 30.0, 365.0, 1e4])
    regimen = Regimen(100.0, unit="nmol", every=50.0, until=300.0)
    p = implied_parameters(FULL, name) | {"KA": 0.3}
    states = system.course(p, times, regimen, solver=Automatic(rtol=1e-4))
    given = np.array([100.0, 100.0, 600.0, 600.0])
    bound = ["complex"] if "complex" in system.states else []
    drug = sum(
        states[f"{s}_"] for s in ("depot", "central", "peripheral1", *bound, "cleared", "internalised")
    )
    np.testing.assert_allclose(drug, given, rtol=1e-9)
    if "made" in system.states:
        target = (
            sum(states[f"{s}_"] for s in ("target", *bound, "degraded", "internalised")) - states["made_"]
        )
        np.testing.assert_allclose(target, FULL["R0"] * FULL["Vc"], atol=1e-9 * float(states["made_"][-1]))
        assert float(states["made_"][-1]) > 1e5


def test_gradients_through_the_root_are_those_of_differences():
    """Before the dose, where there is no drug, and through target excess, equality and drug excess."""
    system = tmdd(compartments=1, approximation="QE")
    implied = implied_parameters(FULL, "QE")
    values = {k: implied[k] for k in system.parameters}
    outputs = {"Cc": "nmol/L", "R": "nmol/L", "suppression": ""}
    regimen = Regimen(20.0, unit="nmol", into="central", start=1.0)
    regimen += Regimen(80.0, unit="nmol", into="central", start=3.0)
    times = [0.5, 1.0 + 1e-6, 2.0, 3.0 + 1e-6, 8.0, 20.0]
    events = planned_study(
        regimen, pd.DataFrame(index=["one"]), times, units=StudyUnits("day", "nmol", outputs)
    ).events()
    variables, weights = {k: pt.dscalar(k) for k in values}, pt.dvector("weights")
    path = system.solve(events, variables, solver=Automatic(rtol=1e-11))
    found = pt.concatenate([path[output] for output in outputs])
    slopes = pt.stack(pt.grad((weights * found).sum(), list(variables.values())))
    function = pytensor.function([weights, *variables.values()], [found, slopes], mode="NUMBA")
    at, number = np.array(list(values.values())), len(outputs) * len(times)
    everything, first_free, first_target = np.ones(number), np.eye(number)[0], np.eye(number)[len(times)]
    result, gradient = function(first_free, *at)
    assert result[0] == 0
    np.testing.assert_array_equal(gradient, np.zeros(len(at)))  # no drug, whatever the parameters
    of_target = dict(zip(values, function(first_target, *at)[1], strict=True))
    assert of_target == pytest.approx({k: float(k == "R0") for k in values})
    steps = 1e-5 * at
    jacobian = np.array(
        [
            (function(everything, *(at + e))[0] - function(everything, *(at - e))[0]) / (2 * step)
            for e, step in zip(np.diag(steps), steps, strict=True)
        ]
    )
    for wanted in (everything, np.eye(number)[2], np.eye(number)[5]):
        expected = jacobian @ wanted * at
        gradient = function(wanted, *at)[1] * at
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


def test_states_parameters_and_laws():
    assert {name: list(tmdd(compartments=1, approximation=name).states) for name in NAMES} == {
        "full": ["central", "target", "complex"],
        "QE": ["central", "target"],
        "QSS": ["central", "target"],
        "Wagner": ["central"],
        "Michaelis-Menten": ["central"],
        "irreversible": ["central", "target", "complex"],
        "constant target": ["central", "complex"],
    }
    assert list(tmdd(approximation="QSS", absorption="first-order").parameters) == [
        "KA", "CL", "Vc", "Q", "Vp", "Kss", "R0", "kdeg", "kint",
    ]  # fmt: skip
    assert "peripheral2" in tmdd(approximation="Wagner", compartments=3).states
    for name in NAMES:
        assert set(tmdd(approximation=name).outputs) == set(tmdd().outputs)


def test_what_does_not_exist_is_refused():
    with pytest.raises(MechanismError, match="Choose one of full, QE, QSS"):
        tmdd(approximation="rapid binding")
    with pytest.raises(MechanismError, match="QSS has no rate of binding"):
        tmdd(approximation="QSS", binding="KD")
    assert "koff" not in tmdd(approximation="constant target", binding="KD").parameters
