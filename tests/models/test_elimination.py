"""Saturable elimination against the closed solution and against its linear limits."""

import dataclasses

import numpy as np
import pytest
from by_scipy import integrate, right_hand_side
from scipy.integrate import quad
from scipy.special import lambertw

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import derived, one_compartment, three_compartment, tmdd, two_compartment
from qsp_bayes.systems import Process
from qsp_bayes.units import Units

BUILDERS = [one_compartment, two_compartment, three_compartment]
VALUES = {
    "Vmax": 12.0, "Km": 3.0, "CL": 0.8, "Vc": 10.0, "Q": 3.0, "Vp": 20.0, "Q2": 0.7, "Vp2": 35.0,
    "KA": 1.3, "MTT": 2.4, "Fr": 0.6, "duration": 1.7,
}  # fmt: skip


def by_lambert_w(t, dose, Vmax, Km, Vc):
    """Concentration after a bolus into one compartment (Schnell and Mendoza 1997)."""
    ratio = dose / Vc / Km
    return Km * lambertw(ratio * np.exp(ratio - Vmax / Vc / Km * t)).real


@pytest.mark.parametrize("dose", [1.0, 100.0, 600.0])
def test_a_bolus_follows_lambert_w(dose):
    times = np.linspace(0.5, 40, 20)
    amounts = integrate(one_compartment(elimination="saturable"), VALUES, [dose], times)
    expected = by_lambert_w(times, dose, *(VALUES[name] for name in ("Vmax", "Km", "Vc")))
    np.testing.assert_allclose(amounts[:, 0] / VALUES["Vc"], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("absorption", [None, "first-order", "zero-order", "mixed", "transit"])
@pytest.mark.parametrize("build", BUILDERS)
def test_elimination_is_what_it_takes_from_linear_to_saturable(build, absorption):
    """All but the elimination is as in the linear model."""
    rng = np.random.default_rng(3)
    linear, saturable, parallel = (
        right_hand_side(build(absorption=absorption, elimination=kind), VALUES)
        for kind in ("linear", "saturable", "parallel")
    )
    states = list(build(absorption=absorption).states)
    central = states.index("central")
    amounts = rng.uniform(1, 50, len(states))
    concentration = amounts[central] / VALUES["Vc"]
    linear_rate = VALUES["CL"] * concentration
    saturable_rate = VALUES["Vmax"] * concentration / (VALUES["Km"] + concentration)
    unit = np.eye(len(states))[central]
    rest = linear(0, amounts) + linear_rate * unit
    np.testing.assert_allclose(saturable(0, amounts), rest - saturable_rate * unit, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        parallel(0, amounts), rest - (linear_rate + saturable_rate) * unit, rtol=1e-12, atol=1e-12
    )


def test_far_below_km_elimination_is_linear_and_far_above_it_is_constant():
    amounts = [40.0, 7.0]
    km = 1e9
    saturable = right_hand_side(
        two_compartment(elimination="saturable"), VALUES | {"Km": km, "Vmax": VALUES["CL"] * km}
    )
    linear = right_hand_side(two_compartment(), VALUES)
    np.testing.assert_allclose(saturable(0, amounts), linear(0, amounts), rtol=1e-8)
    (rate,) = right_hand_side(one_compartment(elimination="saturable"), VALUES | {"Km": 1e-9})(0, [40.0])
    assert rate == pytest.approx(-VALUES["Vmax"], rel=1e-9)


def test_names_units_and_equations():
    system = two_compartment(elimination="parallel", absorption="first-order", units=Units("day", "ug", "mL"))
    assert dict(system.parameters) == {
        "KA": "1/day", "CL": "mL/day", "Vmax": "ug/day", "Km": "ug/mL", "Vc": "mL", "Q": "mL/day", "Vp": "mL",
    }  # fmt: skip
    assert [process.name for process in system.processes] == [
        "absorption",
        "elimination",
        "saturable elimination",
        "distribution",
    ]
    assert one_compartment(elimination="parallel").equations()[0] == (
        "d(central)/dt = -CL/Vc*central - Vmax*Cc/(Km + Cc)"
    )
    assert "CL" not in one_compartment(elimination="saturable").parameters
    assert one_compartment(elimination="saturable").conservation_laws() == []
    with pytest.raises(MechanismError, match="Choose one of linear, saturable, parallel"):
        one_compartment(elimination="Michaelis-Menten")


@pytest.mark.parametrize("dose", [1.0, 100.0, 600.0])
def test_the_time_to_halve_halves(dose):
    values = derived(one_compartment(elimination="saturable"), VALUES, dose=dose)
    parameters = [VALUES[name] for name in ("Vmax", "Km", "Vc")]
    assert by_lambert_w(float(values.time_to_halve), dose, *parameters) == pytest.approx(
        dose / VALUES["Vc"] / 2, rel=1e-12
    )
    assert values.time_to_halve.units == "h"


@pytest.mark.parametrize("kind", ["saturable", "parallel"])
@pytest.mark.parametrize("build", BUILDERS)
def test_the_terminal_half_life_is_that_of_the_linear_limit(build, kind):
    values = derived(build(elimination=kind), VALUES)
    intrinsic = VALUES["Vmax"] / VALUES["Km"]
    clearance = intrinsic + (VALUES["CL"] if kind == "parallel" else 0)
    expected = derived(build(), VALUES | {"CL": clearance})
    assert float(values.half_life) == pytest.approx(float(expected.half_life), rel=1e-14)
    assert float(values.Vss) == float(expected.Vss)
    assert float(values.CLint) == pytest.approx(intrinsic)
    assert values.CLint.units == "L/h"
    assert set(values) == {"half_life", "Vss", "CLint"}


def test_a_low_dose_falls_with_the_terminal_half_life():
    system = two_compartment(elimination="parallel")
    half_life = float(derived(system, VALUES).half_life)
    late = np.array([5.0, 6.0]) * half_life
    amounts = integrate(system, VALUES, [1e-3, 0.0], late, rtol=1e-11, atol=1e-16)
    assert amounts[1, 0] / amounts[0, 0] == pytest.approx(0.5, rel=1e-3)


def test_what_depends_on_the_dose_is_refused_by_name():
    with pytest.raises(MechanismError, match="accumulation depends on the dose"):
        derived(one_compartment(elimination="saturable"), VALUES, interval=12)
    with pytest.raises(MechanismError, match="a dose in 'two compartments' with saturable elimination"):
        derived(two_compartment(elimination="saturable"), VALUES, dose=100)
    with pytest.raises(MechanismError, match="with parallel elimination"):
        derived(one_compartment(elimination="parallel"), VALUES, dose=100)
    with pytest.raises(MechanismError, match="process 'binding' also changes central"):
        derived(tmdd(), VALUES)


def test_a_second_way_out_is_refused_and_a_way_in_is_not():
    system = one_compartment()
    loss = Process("dialysis", {"central": -1}, lambda s: s.CL / s.Vc * s.central)
    with pytest.raises(MechanismError, match="'dialysis' also changes central"):
        derived(dataclasses.replace(system, processes=[*system.processes, loss]), VALUES)
    production = Process("production", {"central": +1}, lambda s: s.CL * s.Cc0)
    fed = dataclasses.replace(
        system, processes=[*system.processes, production], parameters=system.parameters | {"Cc0": "mg/L"}
    )
    assert float(derived(fed, VALUES).kel) == pytest.approx(VALUES["CL"] / VALUES["Vc"])


def test_the_area_under_a_saturable_bolus_is_not_that_of_its_intrinsic_clearance():
    """Why there is no AUC: it is (dose / Vmax) (Km + C0 / 2), and not dose / CLint."""
    dose, parameters = 600.0, [VALUES[name] for name in ("Vmax", "Km", "Vc")]
    area = quad(lambda t: by_lambert_w(t, dose, *parameters), 0, 200, limit=200)[0]
    assert area == pytest.approx(dose / VALUES["Vmax"] * (VALUES["Km"] + dose / VALUES["Vc"] / 2), rel=1e-6)
    assert area > 5 * dose / (VALUES["Vmax"] / VALUES["Km"])
