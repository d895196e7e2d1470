"""Gas uptake from a closed chamber: against equations written by hand, mass balance, limits, and the whole body."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import EVANS_1994, Organ, gas_uptake_pbpk, whole_body_pbpk
from qsp_bayes.models.pbpk import closed_chamber
from qsp_bayes.models.pbpk.gas_uptake import examples
from qsp_bayes.ode import Rodas5P
from qsp_bayes.units import Units

RAT = {**EVANS_1994, "Vmax": 0.04321671, "Km": 0.4027255, "C0": 90.197}
TIMES = np.array([0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 3.5, 5.84, 12.0, 48.0])
PRECISE = Rodas5P(rtol=1e-10, atol=1e-13)
SHOWN = ["Cchamber", "C_muscle", "C_viscera", "C_adipose", "C_liver", "AUC_liver", "metabolised"]


def published(initial_ppm, times, rats=1, vmax=0.04321671):
    """The seven states of the published model, from shares of body weight and of cardiac output, by scipy."""
    weight, cardiac_output, ventilation, blood_air = 0.182, 4.0, 4.0, 5.487
    muscle, fat, liver = 0.74, 0.08, 0.04
    volumes = weight * np.array([muscle, 0.91 - muscle - fat - liver, fat, liver])
    flows = cardiac_output * np.array([0.32, 1 - 0.32 - 0.05 - 0.15, 0.05, 0.15])
    tissue_blood = np.array([13.3, 16.17, 281.48, 16.17]) / blood_air
    chamber = 3.8 - rats * weight

    def rhs(_, y):
        inhaled = y[0] / chamber
        tissue = y[1:5] / volumes
        leaving = tissue / tissue_blood
        venous = flows @ leaving / cardiac_output
        arterial = (cardiac_output * venous + ventilation * inhaled) / (
            cardiac_output + ventilation / blood_air
        )
        metabolism = vmax * leaving[3] / (0.4027255 + leaving[3])
        organs = flows * (arterial - leaving)
        organs[3] -= metabolism
        air = rats * ventilation * (arterial / blood_air - inhaled) - 0.02 * y[0]
        return np.array([air, *organs, tissue[3], metabolism])

    start = np.zeros(7)
    start[0] = initial_ppm * chamber * 153.8 / 24450
    found = solve_ivp(rhs, (0, times[-1]), start, t_eval=times, method="LSODA", rtol=1e-12, atol=1e-15)
    return found.y.T, volumes, chamber


@pytest.mark.parametrize(("initial", "rats"), [(26.496, 1), (951.46, 1), (90.197, 3)])
def test_all_states_are_those_of_the_published_model(initial, rats):
    states, volumes, chamber = published(initial, TIMES, rats)
    given = RAT | {"C0": initial, "V_chamber": chamber}
    found = gas_uptake_pbpk(animals=rats).course(given, TIMES, outputs=SHOWN, solver=PRECISE)
    expected = states / [chamber * 153.8 / 24450, *volumes, 1, 1]
    for name, column in zip(SHOWN, expected.T, strict=True):
        np.testing.assert_allclose(found[name], column, rtol=1e-6, atol=1e-12, err_msg=name)


def total(parameters, animals, times):
    """All that there is, in mg: in the air, in the animals, metabolised, and lost, which the mass balance gives."""
    system = gas_uptake_pbpk(animals=animals).accumulate(area="C_inhaled")
    found = system.course(parameters, times, solver=PRECISE)
    air = found["Cchamber"] * parameters["V_chamber"] * parameters["MW"] / 24450
    organs = sum(
        found[f"C_{name}"] * parameters[f"V_{name}"] for name in ("viscera", "muscle", "adipose", "liver")
    )
    lost = parameters["kloss"] * parameters["V_chamber"] * found["area"]
    return air + animals * (organs + found["metabolised"]) + lost


@pytest.mark.parametrize("animals", [1, 3])
def test_nothing_appears_or_vanishes(animals):
    found = total(RAT, animals, TIMES)
    np.testing.assert_allclose(found, 90.197 * RAT["V_chamber"] * 153.8 / 24450, rtol=1e-9)
    law = gas_uptake_pbpk(animals=animals).conservation_laws()[0]
    assert law.replace(f"{animals}*" if animals > 1 else "", "") == (
        "chamber + lost + viscera + muscle + adipose + liver + metabolised"
    )


def test_without_metabolism_and_loss_everything_comes_to_equilibrium():
    """Partition of a known amount between air and tissues; blood has no volume."""
    system = gas_uptake_pbpk(metabolism=(), animals=2)
    given = {name: RAT[name] for name in system.parameters} | {"kloss": 1e-12}
    found = system.course(given, [0, 3000.0], solver=PRECISE).isel(time=1)
    room = given["V_chamber"] + 2 * sum(
        given[f"V_{name}"] * given[f"PA_{name}"] for name in ("viscera", "muscle", "adipose", "liver")
    )
    air = given["C0"] * given["V_chamber"] / room
    np.testing.assert_allclose(found["Cchamber"], air, rtol=1e-6)
    np.testing.assert_allclose(found["C_adipose"], 281.48 * air * 153.8 / 24450, rtol=1e-6)
    np.testing.assert_allclose(found["CB_arterial"], found["CB_venous"], rtol=1e-6)
    np.testing.assert_allclose(found["CB_venous"], 5.487 * air * 153.8 / 24450, rtol=1e-6)


def test_an_endless_chamber_gives_the_steady_state_of_constant_exposure():
    """Where metabolism is first-order, what is inhaled less what is exhaled is metabolised: a closed form."""
    system = gas_uptake_pbpk(metabolism=["first-order"])
    given = {name: RAT.get(name) for name in system.parameters} | {
        "CLint": 1.7,
        "V_chamber": 1e12,
        "kloss": 1e-12,
    }
    found = system.course(given, [0, 500.0], solver=PRECISE).isel(time=1)
    inhaled = given["C0"] * 153.8 / 24450
    extraction = given["Q_liver"] / (given["Q_liver"] + given["CLint"]) * given["CLint"]
    arterial = given["QP"] * inhaled / (given["QP"] / given["PB"] + extraction)
    np.testing.assert_allclose(found["CB_arterial"], arterial, rtol=1e-8)
    np.testing.assert_allclose(
        found["CB_venous"], arterial * (1 - extraction / 4.0), rtol=1e-8, err_msg="cardiac output 4 L/h"
    )


def test_saturable_metabolism_is_first_order_far_below_Km():
    low = RAT | {"C0": 1e-5}
    saturable = gas_uptake_pbpk().course(low, TIMES, solver=Rodas5P(rtol=1e-10, atol=1e-18))
    given = low | {"CLint": low["Vmax"] / low["Km"]}
    linear = gas_uptake_pbpk(metabolism=["first-order"]).course(
        {name: given[name] for name in given if name not in ("Vmax", "Km")}, TIMES
    )
    np.testing.assert_allclose(saturable["metabolised"], linear["metabolised"], rtol=1e-5, atol=1e-18)
    both = gas_uptake_pbpk(metabolism=["saturable", "first-order"])
    assert "CLint" in both.parameters
    assert "Km" in both.parameters


def whole_body_rat(blood_and_lung, system):
    """The same rat with volumes of blood and lung: of plasma equal to blood, and all of it unbound."""
    given = {
        "V_arterial": blood_and_lung / 3, "V_venous": blood_and_lung, "V_lung": blood_and_lung / 3,
        "Q_hepatic_artery": RAT["Q_liver"], "Kp_lung": 1.0, "BP": 1.0, "fup": 1.0,
        **{f"Kp_{name}": RAT[f"PA_{name}"] / RAT["PB"] for name in ("viscera", "muscle", "adipose", "liver")},
    }  # fmt: skip
    return {name: given.get(name, RAT.get(name)) for name in system.parameters}


def test_whole_body_tends_to_gas_uptake_as_blood_and_lung_vanish():
    """The distance falls in proportion to the volumes, which nothing but the right limit does."""
    organs = [
        Organ("lung", "arterial"), Organ("viscera"), Organ("muscle"), Organ("adipose"),
        Organ("liver", supply="Q_hepatic_artery"),
    ]  # fmt: skip
    system = whole_body_pbpk(organs=organs, hepatic="saturable", renal=(), inhalation="closed chamber")
    times = TIMES[2:9]
    limit = gas_uptake_pbpk().course(RAT, times, solver=PRECISE)
    outputs = {
        "Cchamber": "Cchamber",
        "C_arterial": "CB_arterial",
        "C_adipose": "C_adipose",
        "C_liver": "C_liver",
    }
    distances = {name: [] for name in outputs}
    for volume in (1e-3, 1e-4, 1e-5):
        found = system.course(whole_body_rat(volume, system), times, outputs=[*outputs], solver=PRECISE)
        for name, same in outputs.items():
            distances[name].append(float(np.max(np.abs(found[name].values / limit[same].values - 1))))
    for name, of_name in distances.items():
        assert of_name[-1] < 3e-4, name
        for before, after in pairwise(of_name):
            assert 8 < before / after < 12, (name, of_name)


def test_whole_body_conserves_mass_with_three_animals():
    system = whole_body_pbpk(hepatic="saturable", inhalation="closed chamber", animals=3)
    (law,) = system.conservation_laws()
    for name in ("arterial", "venous", "lung", "liver", "metabolised", "urine"):
        assert f"3*{name}" in law
    assert {"chamber", "lost"} < set(law.replace("\n", " ").split())


def test_amounts_may_be_of_substance():
    """The same exposure in nmol: nothing but the unit changes, and no molar mass is needed."""
    units = Units(amount="nmol")
    system = gas_uptake_pbpk(units=units)
    assert "MW" not in system.parameters
    moles = 1e6 / 153.8
    given = {name: RAT[name] for name in system.parameters}
    found = system.course(
        given | {"Vmax": RAT["Vmax"] * moles, "Km": RAT["Km"] * moles}, TIMES, solver=PRECISE
    )
    expected = gas_uptake_pbpk().course(RAT, TIMES, solver=PRECISE)
    np.testing.assert_allclose(found["Cchamber"], expected["Cchamber"], rtol=1e-7)
    np.testing.assert_allclose(found["C_liver"], expected["C_liver"] * moles, rtol=1e-7, atol=1e-9)
    with pytest.raises(
        MechanismError, match="in ppm needs an amount that is a mass or an amount of substance"
    ):
        gas_uptake_pbpk(units=Units(amount="L"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"organs": [Organ("liver"), Organ("gut", drains_into="liver")]}, "organ 'gut' drains into 'liver'"),
        ({"organs": [Organ("liver"), Organ("lung", "arterial")]}, "organ 'lung' drains into 'arterial'"),
        ({"organs": [Organ("liver", exchange="permeability")]}, "organ 'liver' is behind a membrane"),
        ({"organs": [Organ("muscle")]}, "metabolism needs an organ 'liver', and the table has muscle"),
        ({"metabolism": ["zero-order"]}, "metabolism zero-order is not known. Choose among saturable"),
        ({"animals": 0}, "animals is 0; a whole number"),
        ({"animals": 1.5}, "animals is 1.5; a whole number"),
    ],
)
def test_what_has_no_meaning_is_refused(options, message):
    with pytest.raises(MechanismError, match=message):
        gas_uptake_pbpk(**options)


def test_inhalation_needs_a_lung_that_is_perfusion_limited():
    with pytest.raises(MechanismError, match="inhalation 'nose-only' is not known"):
        whole_body_pbpk(inhalation="nose-only")
    with pytest.raises(MechanismError, match="inhalation needs an organ 'lung'"):
        whole_body_pbpk(organs=[Organ("liver"), Organ("kidney")], inhalation="closed chamber")
    with pytest.raises(MechanismError, match="'lung' is behind a membrane"):
        whole_body_pbpk(permeability_limited=["lung"], inhalation="closed chamber")
    assert closed_chamber(lung=Organ("lung", "arterial")).shared == ("lung",)


@pytest.mark.parametrize("title", examples())
def test_example(title):
    entry = examples()[title]
    assert set(entry.parameters) == set(entry.system.parameters)
    assert min(map(len, (entry.holds, entry.identifiability, entry.reference))) > 20
    course = entry.course(number=60)
    assert all(np.isfinite(course[name]).all() and np.ptp(course[name].values) > 0 for name in entry.shows)


def test_an_injection_into_the_chamber_is_an_exposure_that_starts_later():
    """Charged by a dose at 1 h, the chamber goes the way that one charged at the start does, an hour later."""
    given = RAT | {"C0": 1e-9}
    charge = RAT["C0"] * RAT["V_chamber"] * 153.8 / 24450
    dose = Regimen(charge, unit="mg", start=1.0, into="chamber")
    found = gas_uptake_pbpk().course(given, TIMES[1:] + 1, dose, solver=PRECISE)
    expected = gas_uptake_pbpk().course(RAT, TIMES[1:], solver=PRECISE)
    for name in SHOWN:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-7, err_msg=name)
