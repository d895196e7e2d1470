"""Antibodies: equations written by hand from the publications, steady states, balances, priors."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp_bayes.calibration import IIV, Allometry, Calibration, Combined, load_priors
from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import CAO_2013, DAVDA_2014, antibody, mpbpk_antibody, tmdd
from qsp_bayes.units import Units

PAMAB = {"sigma1": 0.950, "sigma2": 0.779, "CL": 0.20808}  # Cao et al. 2013, table 2, model A
TIMES = np.array([0.1, 1.0, 3.0, 7.0, 14.0, 28.0, 56.0, 112.0])
BOLUS = Regimen(700, unit="mg", into="central")


def concentrations(t, x, s1, s2, CL, CLi=0.0):
    """Cao et al. 2013, equations 1 to 4, for 70 kg: plasma 2.6 L, 15.6 L interstitial, lymph 2.9 L/day."""
    plasma, tight, leaky, lymph = x
    v_tight, v_leaky = 0.65 * 15.6 * 0.8, 0.35 * 15.6 * 0.8
    l1, l2 = 0.33 * 2.9, 0.67 * 2.9
    return [
        (2.9 * lymph - l1 * (1 - s1) * plasma - l2 * (1 - s2) * plasma - CL * plasma) / 2.6,
        (l1 * (1 - s1) * plasma - l1 * (1 - 0.2) * tight - CLi * tight) / v_tight,
        (l2 * (1 - s2) * plasma - l2 * (1 - 0.2) * leaky - CLi * leaky) / v_leaky,
        (l1 * (1 - 0.2) * tight + l2 * (1 - 0.2) * leaky - 2.9 * lymph) / 2.6,
    ]


@pytest.mark.parametrize("clearance", ["plasma", "interstitial"])
def test_the_minimal_model_follows_the_published_equations(clearance):
    rates = {"CL": 0.20808} if clearance == "plasma" else {"CLi": 0.6}
    system = mpbpk_antibody(clearance=clearance)
    found = system.course({"sigma1": 0.950, "sigma2": 0.779} | rates, TIMES, BOLUS)
    arguments = (0.950, 0.779, rates.get("CL", 0.0), rates.get("CLi", 0.0))
    expected = solve_ivp(
        concentrations, (0, 112), [700 / 2.6, 0, 0, 0], args=arguments, t_eval=TIMES, rtol=1e-12, atol=1e-13
    ).y
    for name, values in zip(("Cc", "Ctight", "Cleaky", "Clymph"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-8)


def test_the_profile_has_the_features_of_an_immunoglobulin():
    """A half-life of some three weeks, leaky tissues above tight ones, tissue to plasma below one half."""
    found = mpbpk_antibody().course(PAMAB, [56.0, 84.0, 112.0], BOLUS)
    half_life = 28 * np.log(2) / np.log(float(found.Cc[1] / found.Cc[2]))
    assert 15 < half_life < 35
    assert 0.03 < float(found.Ctight[1] / found.Cc[1]) < float(found.Cleaky[1] / found.Cc[1]) < 0.5
    area = mpbpk_antibody().accumulate(AUC="Cc").course(PAMAB, [2000.0], BOLUS, outputs=["AUC"])
    assert float(area.AUC[0]) == pytest.approx(700 / 0.20808, rel=1e-9)


def test_an_infusion_leads_to_the_steady_state_of_convection():
    """Plasma R / CL, tissues (1 - sigma) / (1 - sigmaL) of it, and lymph the mean of what flows in."""
    found = mpbpk_antibody().course(
        PAMAB, [3000.0], Regimen(5 * 3500.0, unit="mg", duration=3500.0, into="central")
    )
    plasma = 5.0 / 0.20808
    tight, leaky = (1 - 0.95) / 0.8 * plasma, (1 - 0.779) / 0.8 * plasma
    lymph = 0.33 * 0.8 * tight + 0.67 * 0.8 * leaky
    expected = {"Cc": plasma, "Ctight": tight, "Cleaky": leaky, "Clymph": lymph}
    assert {name: float(found[name][0]) for name in expected} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("route", ["first-order", "lymph"])
def test_without_clearance_all_antibody_is_kept(route):
    system = mpbpk_antibody(subcutaneous=route)
    closed = dataclasses.replace(
        system.fix(CL=0.0), processes=[p for p in system.processes if p.name != "elimination"]
    )
    assert closed.conservation_laws() == ["central + tight + leaky + lymph + depot"]
    values = {"sigma1": 0.95, "sigma2": 0.6, "KA": 0.3, "F": 1.0}
    found = closed.course(
        values, [1.0, 100.0, 1e4], Regimen(100, unit="mg") + Regimen(50, unit="mg", into="central")
    )
    volumes = {"Cc": 2.6, "Ctight": 0.65 * 15.6 * 0.8, "Cleaky": 0.35 * 15.6 * 0.8, "Clymph": 2.6}
    body = sum(found[name] * volume for name, volume in volumes.items())
    depot = 100 * np.exp(-0.3 * np.array([1.0, 100.0, 1e4]))
    np.testing.assert_allclose(body + depot, 150.0, rtol=1e-9)


def test_a_dose_into_the_lymph_arrives_later_and_with_the_same_area():
    values, doses = PAMAB | {"KA": 0.5, "F": 0.7}, Regimen(150, unit="mg")
    areas, peaks = [], []
    for route in ("first-order", "lymph"):
        system = mpbpk_antibody(subcutaneous=route).accumulate(AUC="Cc")
        found = system.course(values, [*np.linspace(0.25, 20, 80), 2000.0], doses)
        areas.append(float(found.AUC[-1]))
        peaks.append(float(found.time[np.argmax(found.Cc.to_numpy())]))
    assert areas == pytest.approx([0.7 * 150 / 0.20808] * 2, rel=1e-9)
    assert peaks[0] < peaks[1]


def test_physiology_may_be_free_and_has_units():
    free = mpbpk_antibody(physiology=None)
    assert set(free.parameters) == {"sigma1", "sigma2", "CL", *CAO_2013}
    found = free.course({**PAMAB, **CAO_2013}, TIMES, BOLUS)
    np.testing.assert_allclose(found.Cc, mpbpk_antibody().course(PAMAB, TIMES, BOLUS).Cc, rtol=1e-12)
    with pytest.raises(MechanismError, match="CAO_2013 is in day and L"):
        mpbpk_antibody(units=Units(time="h"))
    with pytest.raises(MechanismError, match="Choose one of plasma"):
        mpbpk_antibody(clearance="liver")
    with pytest.raises(MechanismError, match="Choose one of first-order, lymph"):
        mpbpk_antibody(subcutaneous="skin")


def test_an_antibody_with_a_target_is_that_of_tmdd():
    assert (
        antibody(target=True).equations() == tmdd(absorption="first-order", bioavailability=True).equations()
    )
    assert list(antibody(subcutaneous=False).doses) == ["central"]
    area = (
        antibody().accumulate(AUC="Cc").course(DAVDA_2014, [2000.0], Regimen(100, unit="mg"), outputs=["AUC"])
    )
    assert float(area.AUC[0]) == pytest.approx(0.744 * 100 / 0.2, rel=1e-9)


def test_the_prior_files_fit_their_systems():
    individual = [
        Allometry("WT", CL=0.865, Q=0.865, Vc=0.957, Vp=0.957, reference=70),
        IIV("CL", "Vc", "Vp", "Q", "KA"),
    ]
    calibration = Calibration(
        antibody(), load_priors("antibody"), individual=individual, error={"Cc": Combined()}
    )
    assert set(calibration.variables) == set(load_priors("antibody"))
    minimal = Calibration(
        mpbpk_antibody(), load_priors("antibody_mpbpk"), individual=[IIV("CL")], error={"Cc": Combined()}
    )
    assert set(minimal.variables) == set(load_priors("antibody_mpbpk"))
