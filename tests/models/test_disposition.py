"""Clearance in time, autoinduction, recycling, metabolites and binding: closed forms, balances, scipy by hand."""

import dataclasses

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import (
    autoinduction,
    enterohepatic,
    mapk_cascade,
    one_compartment,
    protein_binding,
    time_varying_clearance,
    tmdd,
    two_compartment,
    with_metabolite,
)
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.systems import Process

TIGHT = Rodas5P(rtol=1e-10, atol=1e-11)
BOLUS = Regimen(100, unit="mg", into="central")
TIMES = np.array([0.5, 2.0, 5.0, 10.0, 24.0, 40.0])
FORMS = {
    "sigmoidal": (
        {"CL0": 3.0, "Emax": -0.8, "T50": 6.0, "gamma": 2.5},
        lambda t: 3.0 * np.exp(-0.8 * t**2.5 / (6.0**2.5 + t**2.5)),
    ),
    "exponential": ({"CLinf": 1.0, "CLT": 2.0, "kdes": 0.1}, lambda t: 1.0 + 2.0 * np.exp(-0.1 * t)),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_compartment_falls_by_the_integral_of_its_clearance(form):
    values, clearance = FORMS[form]
    system = time_varying_clearance(one_compartment(), form=form)
    found = system.course(values | {"Vc": 20.0}, TIMES, BOLUS, solver=TIGHT)
    expected = [100 / 20 * np.exp(-quad(clearance, 0, t, epsabs=1e-12)[0] / 20) for t in TIMES]
    np.testing.assert_allclose(found.Cc, expected, rtol=1e-8)
    np.testing.assert_allclose(found.CL, clearance(TIMES), rtol=1e-14)


def test_the_sigmoid_has_derivatives_at_time_zero():
    system = time_varying_clearance(one_compartment())
    graphs = system.symbolic()
    at = {graphs.parameters[name]: x for name, x in (FORMS["sigmoidal"][0] | {"Vc": 20.0}).items()}
    for name in ("gamma", "T50", "Emax"):
        slope = pytensor.grad(graphs.outputs["CL"], graphs.parameters[name])
        found = slope.eval(at | {graphs.time: 0.0}, mode="FAST_COMPILE", on_unused_input="ignore")
        assert found == pytest.approx(0, abs=1e-12)


def test_what_has_no_clearance_is_refused():
    with pytest.raises(MechanismError, match="no parameter CL"):
        time_varying_clearance(one_compartment(elimination="saturable"))
    with pytest.raises(MechanismError, match="Choose one of sigmoidal"):
        time_varying_clearance(one_compartment(), form="linear")
    with pytest.raises(MechanismError, match="parameter CL and an output Cc"):
        autoinduction(mapk_cascade())
    with pytest.raises(MechanismError, match="Choose one of saturable"):
        autoinduction(one_compartment(), effect="log")
    with pytest.raises(MechanismError, match="Choose one of continuous"):
        enterohepatic(emptying="daily")
    with pytest.raises(MechanismError, match="no process 'elimination'"):
        with_metabolite(one_compartment(elimination="saturable"))
    with pytest.raises(MechanismError, match="no parameter CL that clears"):
        protein_binding(one_compartment(elimination="saturable"), free=True)
    with pytest.raises(MechanismError, match="Choose one of linear"):
        protein_binding(one_compartment(), binding="covalent")


@pytest.mark.parametrize("effect", ["saturable", "linear"])
def test_induction_at_steady_state_balances_the_infusion(effect):
    """R = CL0 E C with E = 1 + effect(C): a quadratic equation in C."""
    values = {"CL0": 2.0, "Vc": 30.0, "kenz": 0.05} | (
        {"Emax": 3.0, "EC50": 1.5} if effect == "saturable" else {"slope": 0.7}
    )
    rate = 8.0
    infusion = Regimen(rate * 3000, unit="mg", duration=3000.0, into="central")
    found = autoinduction(one_compartment(), effect=effect).course(values, [2900.0], infusion, solver=TIGHT)
    if effect == "saturable":  # CL0 C (EC50 + C + Emax C) = R (EC50 + C)
        a, b, c = 2.0 * (1 + 3.0), 2.0 * 1.5 - rate, -rate * 1.5
    else:
        a, b, c = 2.0 * 0.7, 2.0, -rate
    expected = (-b + np.sqrt(b**2 - 4 * a * c)) / (2 * a)
    assert float(found.Cc[0]) == pytest.approx(expected, rel=1e-8)
    assert float(found.enzyme[0]) == pytest.approx(rate / (2.0 * expected), rel=1e-8)


def test_induction_follows_equations_written_by_hand():
    values = {"CL0": 2.0, "Vc": 30.0, "kenz": 0.05, "Emax": 3.0, "EC50": 1.5}
    found = autoinduction(one_compartment()).course(values, TIMES, BOLUS, solver=TIGHT)

    def slopes(t, x):
        c, e = x
        return [-2.0 * e * c / 30.0, 0.05 * (1 + 3.0 * c / (1.5 + c)) - 0.05 * e]

    expected = solve_ivp(slopes, (0, 40), [100 / 30, 1.0], t_eval=TIMES, rtol=1e-11, atol=1e-12).y
    np.testing.assert_allclose(found.Cc, expected[0], rtol=1e-7)
    np.testing.assert_allclose(found.enzyme, expected[1], rtol=1e-7)


RECYCLED = {"CL": 5.0, "Vc": 40.0, "CLb": 8.0, "kb": 0.4, "ka": 1.0, "Fb": 0.8}
MEALS = {"kb": 6.0, "t_meal": 3.0, "t_empty": 1.5, "interval": 8.0}


@pytest.mark.parametrize("emptying", ["continuous", "meals"])
def test_recycling_raises_the_area_by_one_over_what_is_not_recycled(emptying):
    system = (one_compartment() + enterohepatic(emptying=emptying)).accumulate(AUC="Cc")
    values = RECYCLED | (MEALS if emptying == "meals" else {})
    found = system.course(values, [600.0], BOLUS, outputs=["AUC", "faeces"], solver=Rodas5P(rtol=1e-9))
    recycled = 0.8 * 8.0 / (5.0 + 8.0)
    area = 100 / (5.0 + 8.0) / (1 - recycled)
    assert float(found.AUC[0]) == pytest.approx(area, rel=1e-6)
    assert float(found.faeces[0]) == pytest.approx(100 - 5.0 * area, rel=1e-6)


def test_drug_that_recycles_is_somewhere_for_ever():
    system = one_compartment() + enterohepatic()
    kept = system.replace(Process("elimination", {"central": -1, "faeces": +1}, lambda s: s.CL * s.Cc))
    assert kept.conservation_laws() == ["central + bile + intestine + faeces"]
    closed = kept.fix(Fb=1.0, CL=0.0)
    for name in ("central", "intestine"):
        closed = dataclasses.replace(closed, outputs={**closed.outputs, name: dataclasses.replace(
            closed.outputs["bile"], value=lambda s, name=name: s[name])})  # fmt: skip
    found = closed.course({"Vc": 40.0, "CLb": 8.0, "kb": 0.4, "ka": 1.0}, [1.0, 10.0, 1e4], BOLUS)
    total = found.central + found.bile + found.intestine + found.faeces
    np.testing.assert_allclose(total, 100.0, rtol=1e-9)
    shares = np.array([40.0 / 8.0, 1 / 0.4, 1 / 1.0])  # equal flows: amounts are as the residence times
    last = [float(found[name][-1]) for name in ("central", "bile", "intestine")]
    np.testing.assert_allclose(last, 100 * shares / shares.sum(), rtol=1e-8)


def test_meals_empty_the_bile_at_their_times_only():
    """Against scipy from meal to meal, with the emptying on for t_empty from 3, 11, 19, ... on."""
    v = RECYCLED | MEALS
    times = np.array([1.0, 2.9, 3.5, 6.0, 10.9, 12.0, 19.2, 30.0, 47.0, 71.5])
    found = (one_compartment() + enterohepatic(emptying="meals")).course(v, times, BOLUS, solver=TIGHT)

    def slopes(t, x, on):
        c, b, i = x
        out, emptied, back = v["CLb"] * c / v["Vc"], v["kb"] * b * on, v["ka"] * i
        return [v["Fb"] * back - out - v["CL"] * c / v["Vc"], out - emptied, emptied - back]

    state, at, expected = np.array([100.0, 0.0, 0.0]), 0.0, {}
    edges = sorted([0.0, *(3.0 + 8.0 * k for k in range(10)), *(4.5 + 8.0 * k for k in range(10))])
    for k, edge in enumerate(edges[1:]):
        wanted = times[(times > at) & (times <= edge)]
        solution = solve_ivp(
            slopes, (at, edge), state, args=(k % 2 == 1,), t_eval=[*wanted, edge], rtol=1e-11, atol=1e-12
        )
        expected |= dict(zip(wanted, solution.y[:, :-1].T, strict=False))
        state, at = solution.y[:, -1], edge
    np.testing.assert_allclose(found.Cc, [expected[t][0] / v["Vc"] for t in times], rtol=1e-7)
    np.testing.assert_allclose(found.bile, [expected[t][1] for t in times], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("distribution", [False, True])
def test_areas_of_parent_and_metabolite_are_as_their_clearances(distribution):
    system = with_metabolite(two_compartment(absorption="first-order"), distribution=distribution)
    values = {"KA": 1.0, "CL": 10.0, "Vc": 50.0, "Q": 5.0, "Vp": 60.0, "fm": 0.35, "CLm": 4.0, "Vm": 30.0}
    values |= {"Qm": 2.0, "Vpm": 40.0} if distribution else {}
    found = system.accumulate(AUC="Cc", AUCm="Cm").course(
        values, [2000.0], Regimen(100, unit="mg"), outputs=["AUC", "AUCm"]
    )
    assert float(found.AUC[0]) == pytest.approx(10.0, rel=1e-9)
    assert float(found.AUCm[0] / found.AUC[0]) == pytest.approx(0.35 * 10.0 / 4.0, rel=1e-9)


def test_a_metabolite_after_a_bolus_is_a_difference_of_exponentials():
    values = {"CL": 10.0, "Vc": 50.0, "fm": 0.35, "CLm": 4.0, "Vm": 30.0}
    found = with_metabolite(one_compartment()).course(values, TIMES, BOLUS)
    k, km = 10 / 50, 4 / 30
    expected = 100 * 0.35 * k / (k - km) * (np.exp(-km * TIMES) - np.exp(-k * TIMES)) / 30
    np.testing.assert_allclose(found.Cm, expected, rtol=1e-10)


@pytest.mark.parametrize("total", [0.0, 1e-6, 3.0, 59.9, 60.0, 660.0, 5000.0])
def test_the_free_concentration_solves_the_binding_equilibrium(total):
    sites, constant = 600.0, 60.0
    system = protein_binding(one_compartment(), binding="saturable")
    graphs = system.symbolic()
    at = {graphs.states["central"]: total, graphs.parameters["Vc"]: 1.0}
    at |= {graphs.parameters["Bmax"]: sites, graphs.parameters["KDb"]: constant}
    free = float(graphs.outputs["Cu"].eval(at, mode="FAST_COMPILE", on_unused_input="ignore"))
    expected = brentq(lambda u: u + sites * u / (constant + u) - total, 0, total + 1, xtol=1e-14, rtol=1e-14)
    assert free == pytest.approx(expected, rel=1e-10, abs=1e-15)
    fraction = graphs.expressions["fu"]
    slopes = pt.grad(
        fraction, [graphs.states["central"], graphs.parameters["Bmax"], graphs.parameters["KDb"]]
    )
    values = [float(x.eval(at, mode="FAST_COMPILE", on_unused_input="ignore")) for x in slopes]
    assert np.isfinite(values).all()


def test_free_drug_alone_is_cleared():
    """Far below saturation by CLu KDb / (KDb + Bmax), and at once by CLu where all sites are taken."""
    system = protein_binding(one_compartment(), binding="saturable", free=True)
    values = {"CLu": 20.0, "Vc": 10.0, "Bmax": 50.0, "KDb": 10.0}
    low = system.course(values, TIMES, Regimen(1e-6, unit="mg", into="central"), solver=TIGHT)
    np.testing.assert_allclose(low.Cc, 1e-7 * np.exp(-20.0 / 6 / 10 * TIMES), rtol=1e-6, atol=1e-14)
    early = np.array([0.01, 0.05])
    high = system.course(values, early, Regimen(1e7, unit="mg", into="central"), solver=TIGHT)
    np.testing.assert_allclose(high.Cc, 1e6 * np.exp(-2.0 * early), rtol=1e-4)
    linear = protein_binding(one_compartment(), free=True).course(
        {"CLu": 20.0, "Vc": 10.0, "fu": 0.25}, TIMES, BOLUS
    )
    np.testing.assert_allclose(linear.Cc, 10 * np.exp(-0.5 * TIMES), rtol=1e-10)
    np.testing.assert_allclose(linear.Cu, linear.Cc / 4, rtol=1e-14)


def test_drug_with_target_and_without_turnover_is_conserved_for_long():
    system = tmdd()
    closed = dataclasses.replace(
        system, processes=[p for p in system.processes if p.name in ("binding", "distribution")]
    )
    total = dataclasses.replace(
        closed.outputs["Cc"], unit="nmol", value=lambda s: s.central + s.peripheral1 + s.complex
    )
    closed = dataclasses.replace(closed, outputs={**closed.outputs, "total": total})
    values = {
        "CL": 0.3,
        "Vc": 3.0,
        "Q": 0.5,
        "Vp": 3.0,
        "kon": 5.0,
        "koff": 5.0,
        "R0": 10.0,
        "kdeg": 1.0,
        "kint": 1.0,
    }
    found = closed.course(values, [1.0, 1e4], Regimen(60, unit="nmol", into="central"))
    np.testing.assert_allclose(found.total, 60.0, rtol=1e-9)
