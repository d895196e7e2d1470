"""Extrapolation from in vitro by unit algebra, and models of the liver against the equation they solve."""

import mpmath
import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.physiology import (
    Figure,
    hepatic_clearance,
    hepatic_extraction,
    intrinsic_clearance_from_hepatic,
    intrinsic_clearance_from_hepatocytes,
    intrinsic_clearance_from_microsomes,
)

MODELS = ("well-stirred", "dispersion", "parallel-tube")


def test_microsomes_and_hepatocytes_scale_as_their_units_say():
    q = pint.UnitRegistry().Quantity
    liver = q(1800, "g")
    microsomes = q(10, "uL/min/mg") / 0.8 * q(32, "mg/g") * liver
    found = intrinsic_clearance_from_microsomes(10, fu_mic=0.8)
    assert found.unit == "L/h"
    assert found.value == pytest.approx(microsomes.to("L/h").magnitude, rel=1e-12)
    hepatocytes = q(5, "uL/min") / 1e6 / 0.4 * q(99e6, "1/g") * liver
    found = intrinsic_clearance_from_hepatocytes(5, fu_hep=0.4)
    assert found.value == pytest.approx(hepatocytes.to("L/h").magnitude, rel=1e-12)


def test_kinetic_constants_give_the_clearance_of_low_concentrations():
    q = pint.UnitRegistry().Quantity
    clearance = (q(500, "pmol/min/mg") / q(50, "umol/L")).to("uL/min/mg").magnitude
    for scale in (intrinsic_clearance_from_microsomes, intrinsic_clearance_from_hepatocytes):
        assert scale(Vmax=500, Km=50).value == pytest.approx(scale(clearance).value, rel=1e-12)


def test_the_spread_is_that_of_all_factors():
    # 95 % intervals of Barter et al. (2007): MPPGL 29 to 34 mg/g, HPGL 74 to 131 million/g.
    assert intrinsic_clearance_from_microsomes(10).sd_log == pytest.approx(np.log(34 / 29) / 3.92)
    assert intrinsic_clearance_from_hepatocytes(10).sd_log == pytest.approx(np.log(131 / 74) / 3.92)
    own = {
        "Vmax": Figure(500, "pmol/min/mg", "this laboratory", 0.3),
        "Km": Figure(50, "umol/L", "this laboratory", 0.4),
        "MPPGL": Figure(40, "mg/g", "this laboratory", 0.12),
        "liver_weight": 1500,
    }
    assert intrinsic_clearance_from_microsomes(**own).sd_log == pytest.approx(np.sqrt(0.09 + 0.16 + 0.0144))


def test_the_source_names_what_was_assumed():
    measured = Figure(10, "uL/min/mg", "incubation of 3 March", 0.2)
    source = intrinsic_clearance_from_microsomes(measured, liver_weight=1500).source
    assert "clearance: 10 uL/min/mg, incubation of 3 March" in source
    assert "MPPGL: 32 mg/g, Barter" in source
    assert "liver weight: 1500, given" in source


def test_figures_in_another_unit_are_refused():
    kilograms = Figure(1.8, "kg", "this laboratory")
    with pytest.raises(UnitsError, match=r"figure of liver weight: unit is 'kg', expected 'g'"):
        intrinsic_clearance_from_microsomes(10, liver_weight=kilograms)
    with pytest.raises(UnitsError, match="figure of Km"):
        intrinsic_clearance_from_microsomes(Vmax=10, Km=Figure(5, "mg/L", "this laboratory"))
    same = Figure(10, "mL/min/g", "this laboratory")
    assert intrinsic_clearance_from_microsomes(same).value == intrinsic_clearance_from_microsomes(10).value


def test_hepatocytes_are_counted_not_in_millions():
    with pytest.raises(MechanismError, match="such as 99e6; got 120"):
        intrinsic_clearance_from_hepatocytes(5, HPGL=120)
    counted = Figure(120e6, "1/g", "this laboratory")
    assert intrinsic_clearance_from_hepatocytes(5, HPGL=counted).value == pytest.approx(
        5 * 120 * 1800 * 60e-6
    )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "either the clearance in vitro, or both Vmax and Km"),
        ({"Vmax": 5.0}, "either the clearance in vitro, or both Vmax and Km"),
        ({"clearance": 5.0, "Vmax": 5.0, "Km": 1.0}, "either the clearance in vitro, or both Vmax and Km"),
        ({"clearance": 5.0, "Km": 0.0}, "either the clearance in vitro, or both Vmax and Km"),
        ({"clearance": -5.0}, "clearance must be a positive number; got -5.0"),
        ({"Vmax": 5.0, "Km": 0.0}, "Km must be a positive number"),
        ({"clearance": 5.0, "fu_mic": 1.2}, "fu_mic is a fraction"),
        ({"clearance": 5.0, "liver_weight": 0.0}, "liver weight must be a positive number"),
    ],
)
def test_what_cannot_be_scaled_is_refused(inputs, message):
    with pytest.raises(MechanismError, match=message):
        intrinsic_clearance_from_microsomes(**inputs)


def dispersed_by_its_equation(R, DN):
    """Solve DN y'' - y' - R y = 0, y(0) - DN y'(0) = 1, y'(1) = 0 for 1 - y(1), with 60 digits."""
    with mpmath.workdps(60):
        R, DN = mpmath.mpf(R), mpmath.mpf(DN)
        root = mpmath.sqrt(1 + 4 * R * DN)
        r, s = (1 + root) / (2 * DN), (1 - root) / (2 * DN)
        # y = c exp(r (z - 1)) + d exp(s z): neither part grows beyond 1.
        boundary = mpmath.matrix([[(1 - DN * r) * mpmath.exp(-r), 1 - DN * s], [r, s * mpmath.exp(s)]])
        c, d = mpmath.lu_solve(boundary, mpmath.matrix([1, 0]))
        return float(1 - (c + d * mpmath.exp(s)))


@pytest.mark.parametrize("R", [1e-8, 0.01, 0.3, 1.0, 5.0, 40.0, 1e5])
@pytest.mark.parametrize("DN", [0.02, 0.17, 1.0, 30.0])
def test_the_dispersion_model_solves_its_equation(R, DN):
    found = hepatic_extraction("dispersion", 90, 90 * R / 0.1, 0.1, dispersion=DN)
    assert float(found) == pytest.approx(dispersed_by_its_equation(R, DN), rel=1e-12)


def test_well_stirred_and_parallel_tube_are_the_limits_of_dispersion():
    R = np.array([0.05, 0.5, 2.0, 8.0])

    def extracted(model, **given):
        return hepatic_extraction(model, 1.0, R, 1.0, **given)

    tube, mixed = extracted("parallel-tube"), extracted("well-stirred")
    near_tube = {DN: extracted("dispersion", dispersion=DN) for DN in (1e-12, 1e-5, 1e-4)}
    near_mixed = {DN: extracted("dispersion", dispersion=DN) for DN in (1e12, 1e5, 1e4)}
    assert near_tube[1e-12] == pytest.approx(tube, abs=1e-11)
    assert near_mixed[1e12] == pytest.approx(mixed, abs=1e-11)
    # Of first order in DN and in 1 / DN: ten times nearer for a tenth of it.
    assert (near_tube[1e-4] - tube) / (near_tube[1e-5] - tube) == pytest.approx(10, rel=1e-2)
    assert (near_mixed[1e4] - mixed) / (near_mixed[1e5] - mixed) == pytest.approx(10, rel=1e-2)


def test_extraction_by_hand():
    assert float(hepatic_extraction("well-stirred", 90, 900, 0.1)) == pytest.approx(0.5)
    assert float(hepatic_extraction("parallel-tube", 90, 900, 0.1)) == pytest.approx(1 - np.exp(-1))
    assert float(hepatic_clearance("parallel-tube", 90, 900, 0.1)) == pytest.approx(90 * (1 - np.exp(-1)))


def test_clearance_tends_to_fu_CLint_and_to_the_blood_flow():
    for model in MODELS:
        assert float(hepatic_clearance(model, 90, 1e-6, 0.1)) == pytest.approx(1e-7, rel=1e-8)
        assert float(hepatic_clearance(model, 90, 1e12, 0.1)) == pytest.approx(90, rel=1e-8)
        assert float(hepatic_clearance(model, 90, 0, 0.1)) == 0


efficiency = st.floats(1e-6, 10)
flow = st.floats(1, 200)
fraction = st.floats(1e-3, 1)


@given(efficiency, flow, fraction, st.sampled_from(MODELS), st.floats(0.01, 10))
def test_the_inverse_returns_the_intrinsic_clearance(R, Q, fu, model, DN):
    CLint = R * Q / fu
    CL = hepatic_clearance(model, Q, CLint, fu, dispersion=DN)
    found = intrinsic_clearance_from_hepatic(model, Q, CL, fu, dispersion=DN)
    assert float(found) == pytest.approx(CLint, rel=1e-9)


@given(efficiency, st.floats(1e-3, 1e3))
def test_a_liver_between_mixed_and_tube_extracts_between_them(R, DN):
    mixed, between, tube = (hepatic_extraction(model, 1, R, 1, dispersion=DN) for model in MODELS)
    slack = 4 * np.finfo(float).eps
    assert mixed <= between * (1 + slack)
    assert between <= tube * (1 + slack)


def test_arrays_broadcast():
    CL = hepatic_clearance("dispersion", np.array([70.0, 90.0]), np.array([[10.0], [1000.0]]), 0.2)
    assert CL.shape == (2, 2)
    inverse = intrinsic_clearance_from_hepatic("dispersion", np.array([70.0, 90.0]), CL, 0.2)
    assert inverse == pytest.approx(np.array([[10.0, 10.0], [1000.0, 1000.0]]), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hepatic_extraction("stirred", 90, 1, 1), "no model of the liver 'stirred'. Choose one of"),
        (lambda: hepatic_extraction("dispersion", 0, 1, 1), "blood flow must be positive"),
        (lambda: hepatic_extraction("dispersion", 90, -1, 1), "must be 0 or more"),
        (lambda: hepatic_extraction("dispersion", 90, 1, 0), "fraction unbound in blood must be positive"),
        (lambda: hepatic_extraction("dispersion", 90, 1, 1, dispersion=0), "dispersion number must be"),
        (lambda: intrinsic_clearance_from_hepatic("dispersion", 90, 90, 1), "below the blood flow"),
        (lambda: intrinsic_clearance_from_hepatic("well-stirred", 90, -1, 1), "0 or more"),
    ],
)
def test_what_no_liver_does_is_refused(call, message):
    with pytest.raises(MechanismError, match=message):
        call()
