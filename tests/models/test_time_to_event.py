"""Hazards against the survival functions of their distributions, and exponential integrals."""

import numpy as np
import pytest
from scipy.special import expi

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import claret_tumour, one_compartment, time_to_event
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.units import Units

DAY = Units(time="day")
FINE = Rodas5P(rtol=1e-9)

TIMES = np.array([0.0, 1.0, 10.0, 50.0, 200.0])


@pytest.mark.parametrize(
    ("baseline", "p", "cumulative", "accuracy"),
    [
        ("constant", {"h0": 0.01}, 0.01 * TIMES, 1e-10),
        ("weibull", {"scale": 90.0, "shape": 1.6}, (TIMES / 90) ** 1.6, 1e-7),
        ("weibull", {"scale": 90.0, "shape": 0.6}, (TIMES / 90) ** 0.6, 1e-6),
        ("gompertz", {"h0": 0.004, "growth": 0.012}, 0.004 / 0.012 * np.expm1(0.012 * TIMES), 1e-8),
        ("gompertz", {"h0": 0.02, "growth": -0.03}, 0.02 / -0.03 * np.expm1(-0.03 * TIMES), 1e-8),
    ],
)
def test_survival_is_that_of_its_distribution(baseline, p, cumulative, accuracy):
    """Without drug, and under a constant concentration, which raises survival to the power of the hazard ratio."""
    system = time_to_event(units=DAY, baseline=baseline)
    solver = None if baseline == "constant" else FINE
    for C in (0.0, 2.0):
        found = system.course(p | {"coefficient": -0.4}, TIMES, inputs={"Cc": C}, solver=solver)
        expected = np.exp(-cumulative) ** np.exp(-0.4 * C)
        np.testing.assert_allclose(found.survival, expected, rtol=accuracy)
    assert float(found.survival[0]) == 1


def test_a_hazard_without_drug_needs_no_concentration():
    system = time_to_event(units=DAY, effect=None)
    assert dict(system.inputs) == {}
    found = system.course({"h0": 0.01}, TIMES)
    np.testing.assert_allclose(found.survival, np.exp(-0.01 * TIMES), rtol=1e-10)


def test_hazard_follows_a_drug_that_is_eliminated():
    """The integral of h0 exp(b C0 exp(-k t)) is h0/k (Ei(b C0) - Ei(b C0 exp(-k t)))."""
    p = {"CL": 5.0, "Vc": 50.0, "h0": 0.01, "coefficient": -0.4}
    system = one_compartment(units=DAY) + time_to_event(units=DAY)
    found = system.course(p, TIMES[1:], Regimen(400, unit="mg", into="central"), solver=FINE)
    x = -0.4 * 8.0
    expected = 0.01 / 0.1 * (expi(x) - expi(x * np.exp(-0.1 * TIMES[1:])))
    np.testing.assert_allclose(found.cumulative_hazard, expected, rtol=1e-7)
    np.testing.assert_allclose(found.survival, np.exp(-expected), rtol=1e-7)


@pytest.mark.parametrize(
    ("effect", "factor"), [("inhibition", 1 - 0.6 * 2 / 3), ("stimulation", 1 + 4 * 2 / 3)]
)
def test_hazard_ratios_of_bounded_effects(effect, factor):
    p = (
        {"h0": 0.01, "Imax": 0.6, "IC50": 1.0}
        if effect == "inhibition"
        else {"h0": 0.01, "Emax": 4.0, "EC50": 1.0}
    )
    found = time_to_event(units=DAY, effect=effect).course(p, [30.0], inputs={"Cc": 2.0})
    assert float(found.hazard[0]) == pytest.approx(0.01 * factor, rel=1e-13)
    assert float(found.survival[0]) == pytest.approx(np.exp(-0.3 * factor), rel=1e-10)


def test_a_tumour_drives_the_hazard():
    """Joined through the name of what drives: growth without drug makes a Gompertz-like hazard in closed form."""
    system = claret_tumour(units=DAY) + time_to_event(units=DAY, driver="tumour", driver_unit="mm")
    assert list(system.inputs) == ["Cc"]
    p = {"y0": 50.0, "KL": 0.01, "KD": 0.0, "resistance": 0.1, "h0": 0.001, "coefficient": 0.02}
    found = system.course(p, [100.0], inputs={"Cc": 0.0}, solver=FINE)
    expected = 0.001 / 0.01 * (expi(1.0 * np.exp(1.0)) - expi(1.0))
    assert float(found.cumulative_hazard[0]) == pytest.approx(expected, rel=1e-7)


def test_what_does_not_fit_is_refused():
    with pytest.raises(MechanismError, match="Choose one of constant, weibull, gompertz"):
        time_to_event(baseline="exponential")
    with pytest.raises(MechanismError, match="Choose one of log-linear, inhibition, stimulation"):
        time_to_event(effect="linear")
