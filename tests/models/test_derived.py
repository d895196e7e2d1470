"""Derived quantities against roots and integrals found another way."""

import mpmath
import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.linalg import expm

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import derived, one_compartment, three_compartment, two_compartment
from qsp_bayes.systems import Process
from qsp_bayes.units import Units

TWO = {"CL": 2.0, "Vc": 10.0, "Q": 3.0, "Vp": 25.0}
THREE = {**TWO, "Q2": 0.05, "Vp2": 300.0}


def rate_matrix(p):
    """Amounts of a mammillary model with two peripheral compartments."""
    k10, k12, k21 = p["CL"] / p["Vc"], p["Q"] / p["Vc"], p["Q"] / p["Vp"]
    k13, k31 = p.get("Q2", 0.0) / p["Vc"], p.get("Q2", 0.0) / p.get("Vp2", 1.0)
    return np.array([[-(k10 + k12 + k13), k21, k31], [k12, -k21, 0], [k13, 0, -k31]])


def test_one_compartment():
    values = derived(one_compartment(), {"CL": 2.0, "Vc": 20.0}, dose=100, interval=12)
    assert float(values.kel) == pytest.approx(0.1)
    assert float(values.half_life) == pytest.approx(np.log(2) * 10, rel=1e-14)
    assert float(values.Vss) == 20
    assert float(values.MRT) == pytest.approx(10)
    assert float(values.AUC) == pytest.approx(50)
    assert float(values.accumulation) == pytest.approx(1 / (1 - np.exp(-1.2)), rel=1e-14)
    units = {name: values[name].units for name in values}
    assert units == {
        "kel": "1/h",
        "half_life": "h",
        "Vss": "L",
        "MRT": "h",
        "AUC": "mg*h/L",
        "accumulation": "",
    }


def test_the_terminal_phase_of_two_compartments_is_the_smaller_macro_constant():
    k10, k12, k21 = 0.2, 0.3, 0.12
    with mpmath.workdps(40):
        a, b = mpmath.mpf(k10) + k12 + k21, mpmath.mpf(k10) * k21
        beta = (a - mpmath.sqrt(a * a - 4 * b)) / 2
        expected = float(mpmath.log(2) / beta)
    found = derived(two_compartment(), {"CL": k10 * 10, "Vc": 10.0, "Q": k12 * 10, "Vp": k12 * 10 / k21})
    assert float(found.half_life) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_the_terminal_phase_of_three_compartments_is_the_smallest_root(scale):
    p = {**THREE, "Q2": THREE["Q2"] * scale}
    with mpmath.workdps(50):
        v = {name: mpmath.mpf(value) for name, value in p.items()}
        k12, k21, k13, k31 = v["Q"] / v["Vc"], v["Q"] / v["Vp"], v["Q2"] / v["Vc"], v["Q2"] / v["Vp2"]
        k10 = v["CL"] / v["Vc"]

        def characteristic(x):
            return (
                (k10 + k12 + k13 - x) * (k21 - x) * (k31 - x) - k12 * k21 * (k31 - x) - k13 * k31 * (k21 - x)
            )

        # The smallest root of a mammillary system lies below the smaller of k21 and k31.
        smallest = mpmath.findroot(characteristic, (0, min(k21, k31)), solver="anderson")
        expected = float(mpmath.log(2) / smallest)
    assert float(derived(three_compartment(), p).half_life) == pytest.approx(expected, rel=1e-12)


def test_auc_and_mrt_are_the_moments_of_a_bolus():
    matrix = rate_matrix(THREE)
    step = 40.0

    def concentration(t):
        return expm(matrix * t)[0, 0] * 100 / THREE["Vc"]

    area = sum(quad(concentration, i * step, (i + 1) * step)[0] for i in range(12))
    tail = -np.linalg.solve(matrix, expm(matrix * 12 * step)[:, 0])[0] * 100 / THREE["Vc"]
    values = derived(three_compartment(), THREE, dose=100)
    assert float(values.AUC) == pytest.approx(area + tail, rel=1e-9)
    inverse = np.linalg.inv(matrix)
    mean = (inverse @ inverse)[0, 0] / -inverse[0, 0]
    assert float(values.MRT) == pytest.approx(mean, rel=1e-12)


def test_the_published_remifentanil_patient_has_the_published_volume():
    """Minto 1997: volumes 4.98, 9.01 and 6.54 L, clearances 2.46, 1.69 and 0.065 L/min."""
    system = three_compartment(units=Units(time="min", amount="ug"))
    minto = {"Vc": 4.98, "Vp": 9.01, "Vp2": 6.54, "CL": 2.46, "Q": 1.69, "Q2": 0.065}
    values = derived(system, minto)
    assert float(values.Vss) == pytest.approx(20.53)
    eigenvalues = np.linalg.eigvals(rate_matrix(minto))
    assert float(values.half_life) == pytest.approx(np.log(2) / min(abs(eigenvalues)), rel=1e-10)
    assert values.half_life.units == "min"


def test_a_posterior_keeps_its_dims():
    rng = np.random.default_rng(1)
    posterior = xr.Dataset(
        {
            "CL": (("chain", "draw", "subject"), rng.lognormal(0.7, 0.2, (2, 5, 3))),
            "Vc": (("chain", "draw"), rng.lognormal(2.3, 0.2, (2, 5))),
            "F": (("chain", "draw"), rng.uniform(0.5, 0.9, (2, 5))),
        },
        coords={"subject": ["a", "b", "c"]},
    )
    system = one_compartment(absorption="first-order", bioavailability=True)
    values = derived(system, posterior, dose=100)
    assert values.half_life.dims == ("chain", "draw", "subject")
    assert list(values.subject) == ["a", "b", "c"]
    expected = np.log(2) * posterior.Vc.to_numpy()[..., None] / posterior.CL.to_numpy()
    np.testing.assert_allclose(values.half_life, expected, rtol=1e-14)
    np.testing.assert_allclose(
        values.AUC.transpose("chain", "draw", "subject"),
        (posterior.F * 100 / posterior.CL).transpose("chain", "draw", "subject"),
    )
    typical = derived(system, {"TVCL": 2.0, "TVVc": 20.0}, prefix="TV")
    assert float(typical.kel) == pytest.approx(0.1)


def test_what_is_not_linear_is_refused():
    saturable = Process("elimination", {"central": -1}, lambda s: s.Vmax * s.Cc / (s.Km + s.Cc))
    changed = one_compartment().replace(saturable, parameters={"Vmax": "mg/h", "Km": "mg/L"})
    with pytest.raises(MechanismError, match="process 'elimination' has the rate"):
        derived(changed, {"CL": 1.0, "Vc": 1.0})
    with pytest.raises(MechanismError, match="needs 'Vc'"):
        derived(one_compartment(), {"CL": 1.0})
