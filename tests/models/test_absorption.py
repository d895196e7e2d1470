"""Absorption of every kind against closed forms and quadratures: one compartment, 100 mg, two doses."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import lambertw
from scipy.stats import gamma

import qsp_bayes as qb
from qsp_bayes.data import Regimen
from qsp_bayes.models import one_compartment
from qsp_bayes.models.absorption import PARAMETERS, examples
from qsp_bayes.ode.solvers import Rodas5P

CL, VC = 4.0, 20.0
KEL, DOSE = CL / VC, 100.0
TIMES = np.array([0.2, 0.9, 1.5, 2.9, 3.1, 5.0, 8.0, 12.0, 13.0, 15.0, 20.0, 40.0])
DOSES = Regimen(DOSE, unit="mg", every=10, doses=2)


def bateman(t, ka):
    """Amount in central of a unit dose by first order."""
    return np.where(t > 0, ka / (ka - KEL) * (np.exp(-KEL * t) - np.exp(-ka * t)), 0.0)


def infused(t, duration):
    """Amount in central of a unit dose at a constant rate."""
    during = np.clip(t, 0, duration)
    return (1 - np.exp(-KEL * during)) / (KEL * duration) * np.exp(-KEL * np.clip(t - duration, 0, None))


def infused_into_depot(t, ka, duration):
    """The integral of Bateman functions over the time of entry."""
    return np.array(
        [
            quad(
                lambda s, x=x: float(bateman(x - s, ka)) / duration, 0, min(max(x, 0), duration), epsabs=1e-13
            )[0]
            for x in t
        ]
    )


def passed(t, n, mean, ka):
    """A gamma distributed delay before first-order absorption."""
    law = gamma(n + 1, scale=mean / (n + 1))
    return np.array(
        [
            quad(
                lambda s, x=x: law.pdf(s) * float(bateman(x - s, ka)), 0, max(x, 0), epsabs=1e-13, limit=200
            )[0]
            for x in t
        ]
    )


CASES = {
    "sequential": (
        {"KA": 1.3, "Fr": 0.3, "duration": 2.0},
        lambda t: 0.7 * infused(t, 2.0) + 0.3 * bateman(t - 2.0, 1.3),
    ),
    "zero-into-depot": ({"KA": 1.3, "duration": 2.0}, lambda t: infused_into_depot(t, 1.3, 2.0)),
    "parallel": (
        {"KA": 2.0, "KA2": 0.4, "Fr": 0.3, "tlag2": 3.0},
        lambda t: 0.3 * bateman(t, 2.0) + 0.7 * bateman(t - 2.5, 0.4),
    ),
    "savic": ({"n": 2.6, "MTT": 1.4, "KA": 0.9}, lambda t: passed(t, 2.6, 1.4, 0.9)),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_absorbed_is_what_the_closed_form_says(kind):
    """With a lag time and a bioavailability of the whole dose."""
    values, of_a_dose = CASES[kind]
    system = one_compartment(absorption=kind, lag=True, bioavailability=True)
    linear = system.symbolic().releases == {}
    found = system.course(
        values | {"CL": CL, "Vc": VC, "F": 0.8, "tlag": 0.5}, TIMES, DOSES,
        solver=None if linear else Rodas5P(rtol=1e-11, atol=1e-11),
    )  # fmt: skip
    expected = 0.8 * DOSE / VC * sum(of_a_dose(TIMES - start - 0.5) for start in (0.0, 10.0))
    np.testing.assert_allclose(found.Cc, expected, rtol=1e-7, atol=1e-9)


def test_a_saturable_depot_follows_lambert_w():
    capacity, half = 20.0, 30.0
    closed = one_compartment(absorption="saturable").course(
        {"VmaxA": capacity, "KmA": half, "CL": 1e-12, "Vc": 1.0}, TIMES, Regimen(DOSE, unit="mg"),
        solver=Rodas5P(rtol=1e-10),
    )  # fmt: skip
    left = half * lambertw(DOSE / half * np.exp((DOSE - capacity * TIMES) / half)).real
    np.testing.assert_allclose(closed.Cc, DOSE - left, rtol=1e-8)


def test_saturable_absorption_is_first_order_far_below_km_and_constant_far_above():
    system, disposition = one_compartment(absorption="saturable"), {"CL": CL, "Vc": VC}
    slow = system.course(disposition | {"VmaxA": 1.2e8, "KmA": 1e8}, TIMES, DOSES)
    np.testing.assert_allclose(slow.Cc, DOSE / VC * sum(bateman(TIMES - s, 1.2) for s in (0, 10)), rtol=1e-5)
    fast = system.course(disposition | {"VmaxA": 25.0, "KmA": 1e-4}, TIMES, DOSES, solver=Rodas5P(rtol=1e-8))
    np.testing.assert_allclose(
        fast.Cc, DOSE / VC * sum(infused(TIMES - s, 4.0) for s in (0, 10)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("kind", PARAMETERS)
def test_all_of_the_dose_is_absorbed(kind):
    """The area under the curve is F dose / CL."""
    example = examples()[f"Absorption, {kind}"]
    system = one_compartment(absorption=kind, bioavailability=True).accumulate(AUC="Cc")
    values = {**example.parameters, "F": 0.6}
    found = system.course(values, [400.0], Regimen(DOSE, unit="mg"), outputs=["AUC"])
    assert float(found.AUC[0]) == pytest.approx(0.6 * DOSE / values["CL"], rel=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weibull", "savic"])
def test_a_study_is_calibrated_with_a_release_and_has_right_derivatives(kind):
    """Log-density of the theophylline study: its gradient against finite differences."""
    priors = dict(qb.load_priors("theophylline"))
    new = {"weibull": {"td": "h", "beta": ""}, "savic": {"n": "", "MTT": "h"}}[kind]
    priors |= {
        f"TV{name}": qb.Prior(median=1.0, sd_log=0.5, unit=unit, source="a guess")
        for name, unit in new.items()
    }
    model = qb.Calibration(
        qb.one_compartment(absorption=kind), priors, individual=[qb.IIV("CL", "Vc")], error={"Cc": qb.Combined()},
        solver=Rodas5P(rtol=1e-9),
    ).build(qb.load_dataset("theophylline"))  # fmt: skip
    point, logp = model.initial_point(), model.compile_logp()
    names = [name for name in point if np.ndim(point[name]) == 0]
    slopes = model.compile_dlogp([model[name.removesuffix("_log__")] for name in names])(point)
    for name, slope in zip(names, slopes, strict=True):
        sides = [logp({**point, name: point[name] + step}) for step in (1e-5, -1e-5)]
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-4)


def test_names_and_units():
    parallel = one_compartment(absorption="parallel", lag=True)
    assert list(parallel.parameters) == ["KA", "KA2", "Fr", "tlag", "tlag2", "CL", "Vc"]
    assert list(parallel.states) == ["depot", "depot2", "central"]
    assert one_compartment(absorption="saturable").parameters["KmA"] == "mg"
    for kind in PARAMETERS:
        assert one_compartment(absorption=kind).scales.get("Fr", "logit") == "logit"
