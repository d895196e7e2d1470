"""Direct, delayed and indirect responses against closed forms, areas, and equations written by hand."""

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from by_scipy import right_hand_side
from evaluated import outputs_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import gammainc

from qsp_bayes.data import Regimen, planned_study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.models import (
    direct_effect,
    effect_compartment,
    feedback_response,
    indirect_response,
    one_compartment,
    precursor_response,
    receptor_turnover,
    signal_transduction,
)
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.units import Units

DRUG = {"CL": 5.0, "Vc": 50.0}
k = DRUG["CL"] / DRUG["Vc"]
DOSE = 400.0
BOLUS = Regimen(DOSE, unit="mg", into="central")
C0 = DOSE / DRUG["Vc"]
TIMES = np.array([0.0, 0.1, 0.7, 2.0, 8.0, 24.0, 60.0])
LATE = [1.0, 100.0, 1e4]
INHIBITION, STIMULATION = {"Imax": 0.8, "IC50": 1.5}, {"Emax": 2.5, "EC50": 1.5}
ACTIONS = {"I": INHIBITION, "II": INHIBITION, "III": STIMULATION, "IV": STIMULATION}
TURNOVER = {"E0": 30.0, "kout": 0.3}
FINE = Rodas5P(rtol=1e-9)

positive = st.floats(1e-2, 1e2)
sigmoid = outputs_of(direct_effect(relation="sigmoid"))
inhibited = outputs_of(direct_effect(direction="inhibition"))


def f(kind, C):
    """The effect of a concentration, by hand."""
    largest, half = ACTIONS[kind].values()
    return largest * C / (half + C)


def factors(kind, C):
    """What becomes of production and loss, by hand."""
    effect = f(kind, C)
    return {"I": (1 - effect, 1), "II": (1, 1 - effect), "III": (1 + effect, 1), "IV": (1, 1 + effect)}[kind]


@given(C=positive, E0=positive, Emax=positive, EC50=positive, gamma=st.floats(0.3, 6))
@settings(deadline=None)
def test_direct_effects_are_those_of_the_textbook(C, E0, Emax, EC50, gamma):
    p = {"E0": E0, "Emax": Emax, "EC50": EC50, "gamma": gamma}
    assert sigmoid(Cc=C, **p)["E"] == pytest.approx(
        E0 + Emax * C**gamma / (EC50**gamma + C**gamma), rel=1e-11
    )
    assert sigmoid(Cc=EC50, **p)["E"] == pytest.approx(E0 + Emax / 2, rel=1e-13)
    assert sigmoid(Cc=0.0, **p)["E"] == sigmoid(Cc=-1e-12, **p)["E"] == E0
    found = inhibited(Cc=C, E0=E0, Imax=0.7, IC50=EC50)["E"]
    assert found == pytest.approx(E0 * (1 - 0.7 * C / (EC50 + C)), rel=1e-13)


def test_a_steep_effect_is_known_where_no_drug_is_left():
    """After 4000 half-lives, and before the first dose, where a power of the concentration is at its limit."""
    system = one_compartment() + direct_effect(relation="sigmoid")
    p = DRUG | {"E0": 10.0, "Emax": 50.0, "EC50": 5.0, "gamma": 3.3}
    later = Regimen(DOSE, unit="mg", into="central", start=1)
    found = system.course(p, [0.0, 0.5, 1.0 + 1e-9, 3e4], later)
    np.testing.assert_allclose(found.E, [10, 10, 10 + 50 * 1.6**3.3 / (1 + 1.6**3.3), 10], rtol=1e-8)


def test_the_effect_compartment_is_biexponential():
    ke0 = 0.35
    expected = C0 * ke0 / (ke0 - k) * (np.exp(-k * TIMES) - np.exp(-ke0 * TIMES))
    found = (one_compartment() + effect_compartment()).course(DRUG | {"ke0": ke0}, TIMES, BOLUS)
    np.testing.assert_allclose(found.Ce, expected, rtol=1e-9, atol=1e-13)
    slow = effect_compartment().course({"ke0": 0.02}, [1e4], inputs={"Cc": 7.0})
    assert float(slow.Ce[0]) == pytest.approx(7.0, rel=1e-12)


def test_the_time_of_the_largest_effect_depends_on_the_dose_in_turnover_only():
    times, peaks = np.linspace(0, 30, 301), {}
    delayed = one_compartment() + effect_compartment() + direct_effect(driver="Ce")
    turned = one_compartment() + indirect_response(kind="III")
    for dose in (40, 4000):
        regimen = Regimen(dose, unit="mg", into="central")
        linked = delayed.course(DRUG | {"ke0": 0.3, "E0": 0.0, "Emax": 9.0, "EC50": 2.0}, times, regimen)
        indirect = turned.course(DRUG | TURNOVER | STIMULATION, times, regimen)
        peaks[dose] = times[linked.E.values.argmax()], times[indirect.response.values.argmax()]
    assert peaks[40][0] == peaks[4000][0]
    assert peaks[4000][1] > peaks[40][1] + 5


@pytest.mark.parametrize("kind", ACTIONS)
def test_indirect_responses_keep_their_baseline_and_reach_their_steady_state(kind):
    system, p = indirect_response(kind=kind), TURNOVER | ACTIONS[kind]
    baseline = system.course(p, LATE, inputs={"Cc": 0.0})
    np.testing.assert_allclose(baseline.response, p["E0"], rtol=1e-12)
    production, loss = factors(kind, 4.0)
    found = system.course(p, [2e3], inputs={"Cc": 4.0})
    assert float(found.response[0]) == pytest.approx(p["E0"] * production / loss, rel=1e-9)


@pytest.mark.parametrize("feedback", ["production", "loss"])
@pytest.mark.parametrize("kind", ACTIONS)
def test_derivatives_are_those_written_by_hand(kind, feedback):
    p, C, R, M = TURNOVER | ACTIONS[kind] | {"ktol": 0.05}, 2.3, 21.0, 26.0
    production, loss = factors(kind, C)
    kin = p["E0"] * p["kout"]
    found = right_hand_side(indirect_response(kind=kind), p, Cc=C)(0.0, [R])
    np.testing.assert_allclose(found, [kin * production - p["kout"] * loss * R], rtol=1e-13)
    a, b = (p["E0"] / M, 1) if feedback == "production" else (1, M / p["E0"])
    found = right_hand_side(feedback_response(kind=kind, feedback=feedback), p, Cc=C)(0.0, [R, M])
    expected = [kin * production * a - p["kout"] * loss * R * b, p["ktol"] * (R - M)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_the_area_of_a_stimulated_response_is_known():
    """The integral of R - E0 is E0 Emax/k ln(1 + C0/EC50) after a bolus: nothing else is made."""
    system = (one_compartment() + indirect_response(kind="III")).accumulate(area="response")
    end = 400.0
    found = system.course(DRUG | TURNOVER | STIMULATION, [end], BOLUS, solver=FINE)
    expected = TURNOVER["E0"] * STIMULATION["Emax"] / k * np.log(1 + C0 / STIMULATION["EC50"])
    assert float(found.area[0]) - TURNOVER["E0"] * end == pytest.approx(expected, rel=1e-7)


def test_a_response_whose_production_stops_falls_by_its_own_rate():
    p = TURNOVER | {"Imax": 1.0, "IC50": 1e-15}
    found = indirect_response(kind="I").course(p, TIMES, inputs={"Cc": 1.0})
    np.testing.assert_allclose(found.response, 30 * np.exp(-0.3 * TIMES), rtol=1e-9, atol=1e-9)


def by_scipy(slopes, start):
    """Solve equations written by hand."""
    solution = solve_ivp(slopes, (0, TIMES[-1]), start, t_eval=TIMES, method="LSODA", rtol=1e-11, atol=1e-12)
    assert solution.success
    return solution.y


def test_feedback_brings_tolerance_and_rebound():
    p = TURNOVER | STIMULATION | {"ktol": 0.05}
    system = feedback_response()
    baseline = system.course(p, LATE, inputs={"Cc": 0.0})
    np.testing.assert_allclose(baseline.response, p["E0"], rtol=1e-12)
    steady = system.course(p, [3e3], inputs={"Cc": 4.0}, solver=FINE)
    assert float(steady.response[0]) == pytest.approx(p["E0"] * np.sqrt(1 + f("III", 4.0)), rel=1e-9)
    found = (one_compartment() + system).course(DRUG | p, TIMES, BOLUS, solver=FINE)

    def slopes(t, x):
        R, M = x
        return [9.0 * (1 + f("III", C0 * np.exp(-k * t))) * 30 / M - 0.3 * R, 0.05 * (R - M)]

    response, moderator = by_scipy(slopes, [30.0, 30.0])
    np.testing.assert_allclose(found.response, response, rtol=1e-7)
    np.testing.assert_allclose(found.moderator, moderator, rtol=1e-7)
    assert response.max() > 40
    assert response.min() < 29  # the rebound


def test_feedback_on_loss_ends_where_feedback_on_production_does():
    p = TURNOVER | INHIBITION | {"ktol": 0.05}
    steady = feedback_response(kind="II", feedback="loss").course(p, [3e3], inputs={"Cc": 4.0}, solver=FINE)
    assert float(steady.response[0]) == pytest.approx(30 / np.sqrt(1 - f("II", 4.0)), rel=1e-9)


@pytest.mark.parametrize("direction", ["stimulation", "inhibition"])
def test_a_precursor_makes_tolerance_complete_and_rebound_as_large_as_the_effect(direction):
    action = STIMULATION if direction == "stimulation" else INHIBITION
    p = TURNOVER | action | {"kp": 0.04}
    H = 1 + f("III", 4.0) if direction == "stimulation" else 1 - f("I", 4.0)
    system = precursor_response(direction=direction)
    baseline = system.course(p, LATE, inputs={"Cc": 0.0})
    np.testing.assert_allclose(baseline.response, 30, rtol=1e-12)
    steady = system.course(p, [5e3], inputs={"Cc": 4.0})
    assert float(steady.response[0]) == pytest.approx(30, rel=1e-9)
    assert float(steady.precursor[0]) == pytest.approx(30 * 0.3 / 0.04 / H, rel=1e-9)
    whole = (one_compartment() + system).accumulate(area="response")
    found = whole.course(DRUG | p, [8.0, 3e3], BOLUS, solver=FINE)
    first, last = found.area.values - 30 * np.array([8.0, 3e3])
    assert abs(last) < 1e-5 * abs(first)


def test_a_large_pool_makes_an_indirect_response():
    p = TURNOVER | STIMULATION
    large = (one_compartment() + precursor_response()).course(
        DRUG | p | {"kp": 1e-7}, TIMES, BOLUS, solver=FINE
    )
    simple = (one_compartment() + indirect_response(kind="III")).course(DRUG | p, TIMES, BOLUS, solver=FINE)
    np.testing.assert_allclose(large.response, simple.response, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 4])
def test_a_chain_rises_as_a_gamma_distribution(n):
    p = {"tau": 3.0, "Emax": 100.0, "EC50": 1.0}
    found = signal_transduction(n_transit=n).course(p, TIMES, inputs={"Cc": 3.0})
    np.testing.assert_allclose(found.E, 75 * gammainc(n, TIMES / 3), rtol=1e-9, atol=1e-12)


def test_induction_acts_back_on_the_drug():
    """An enzyme that the drug induces clears it: both ways at once, against equations written by hand."""
    induced = (one_compartment() + indirect_response(kind="III").rename(response="enzyme")).define(
        {"CL0": "L/h"}, CL=lambda s: s.CL0 * s.enzyme
    )
    p = {"CL0": 5.0, "Vc": 50.0, "E0": 1.0, "kout": 0.1, "Emax": 4.0, "EC50": 1.0}
    found = induced.course(p, TIMES, BOLUS, solver=FINE)

    def slopes(t, x):
        A, enzyme = x
        C = A / 50
        return [-5 * enzyme * C, 0.1 * (1 + 4 * C / (1 + C)) - 0.1 * enzyme]

    amount, enzyme = by_scipy(slopes, [DOSE, 1.0])
    np.testing.assert_allclose(found.Cc[1:], amount[1:] / 50, rtol=1e-7)
    np.testing.assert_allclose(found.enzyme, enzyme, rtol=1e-7)
    assert enzyme.max() > 1.5


def test_occupancy_drives_a_response():
    """Under a constant concentration production falls by the occupied share."""
    units = Units(amount="nmol")
    system = receptor_turnover(units=units) + indirect_response(
        units=units, kind="I", relation="linear", driver="RO", driver_unit=""
    )
    p = {
        "kon": 0.36,
        "koff": 0.5,
        "R0": 1.5,
        "kdeg": 0.05,
        "kint": 0.3,
        "E0": 30.0,
        "kout": 0.3,
        "slope": 0.9,
    }
    found = system.course(p, [5e3], inputs={"Cc": 2.0}, solver=FINE)
    occupied = 2 / (2 + 0.8 / 0.36)
    assert float(found.response[0]) == pytest.approx(30 * (1 - 0.9 * occupied), rel=1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnitsError, match=r"1 mg/L = 1000 ug/L"):
        one_compartment() + indirect_response(units=Units(amount="ug"))
    with pytest.raises(MechanismError, match="Choose one of I, II, III, IV"):
        indirect_response(kind="V")
    with pytest.raises(MechanismError, match="Choose one of linear, emax, sigmoid"):
        direct_effect(relation="hill")
    with pytest.raises(MechanismError, match="Choose one of stimulation, inhibition"):
        direct_effect(direction="up")
    with pytest.raises(MechanismError, match="Choose one of production, loss"):
        feedback_response(feedback="both")
    with pytest.raises(MechanismError, match="at least 1 step"):
        signal_transduction(n_transit=0)
    assert indirect_response(kind="I").scales["Imax"] == "logit"


def test_derivatives_are_finite_before_the_first_dose():
    """An exponent below 1 has an infinite slope at a concentration of 0, which must not reach the sampler."""
    system = one_compartment() + direct_effect(relation="sigmoid")
    values = DRUG | {"E0": 10.0, "Emax": 50.0, "EC50": 5.0, "gamma": 0.6}
    later = Regimen(DOSE, unit="mg", into="central", start=1)
    units = StudyUnits("h", "mg", {"E": ""})
    events = planned_study(later, pd.DataFrame(index=["1"]), [0.0, 0.5, 3.0], units=units).events()
    params = {name: pt.dscalar(name) for name in values}
    path = system.solve(events, params)
    slopes = pt.grad(path["E"].sum(), list(params.values()))
    found = pytensor.function(list(params.values()), [path["E"], *slopes], mode="NUMBA")(*values.values())

    def by_hand(CL, Vc, E0, Emax, EC50, gamma):
        power = (DOSE / Vc * np.exp(-2 * CL / Vc) / EC50) ** gamma
        return 3 * E0 + Emax * power / (1 + power)

    np.testing.assert_allclose(found[0][:2], 10, rtol=1e-14)
    for name, slope in zip(values, found[1:], strict=True):
        step = 1e-5 * values[name]
        sides = [by_hand(**(values | {name: values[name] + sign * step})) for sign in (1, -1)]
        assert float(slope) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-6), name
