"""The marginal likelihood against closed forms, quadrature, and a Laplace approximation written by hand."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal, norm
from small_models import bolus, decay, level, level_study

import qsp_bayes as qb
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.marginal_likelihood import MarginalLikelihood

KE, S, OMEGA, SIGMA = 0.35, 1.1, 0.5, 0.6
TIMES = np.array([0.5, 2.0, 5.0])
OBSERVED = np.array([[9.1, 5.2, 1.1], [9.7, 6.9, 3.9], [8.0, 2.6, 0.9]])


def gradient_by_differences(likelihood, point):
    step = 1e-4
    return np.array(
        [
            (likelihood.evaluate(point + step * way).value - likelihood.evaluate(point - step * way).value)
            / (2 * step)
            for way in np.eye(len(point))
        ]
    )


def test_occasions_within_subjects_have_a_normal_likelihood_that_laplace_finds_exactly():
    """Subjects of different numbers of occasions: what each lacks must not count."""
    y = np.array([[4.1, 5.2, 6.3, 5.5], [3.0, 3.4, np.nan, np.nan], [6.0, 7.1, 6.2, np.nan]])
    occasions = [[1, 1, 2, 3], [1, 1, 1, 1], [1, 2, 2, 2]]
    likelihood = MarginalLikelihood.of(level([qb.IIV("B"), qb.IOV("B")]), level_study(y, occasions))
    mean, omega, pi, sigma = 4.7, 0.9, 0.6, 0.4
    at = likelihood.unconstrained({"TVB": mean, "omega_B": omega, "pi_B": pi, "sigma_add_R": sigma})
    expected = 0.0
    for row, occasion in zip(y, np.array(occasions), strict=True):
        own = np.isfinite(row)
        same = occasion[own][:, None] == occasion[own]
        covariance = omega**2 + pi**2 * same + sigma**2 * np.eye(own.sum())
        expected += multivariate_normal(np.full(own.sum(), mean), covariance).logpdf(row[own])
    found = likelihood.evaluate(at)
    assert found.value == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(found.gradient, gradient_by_differences(likelihood, at), atol=1e-5)


def by_hand(k, b):
    prediction = S * 10 * np.exp(-KE * np.exp(OMEGA * b) * TIMES)
    return norm(prediction, SIGMA).logpdf(OBSERVED[k]).sum() + norm.logpdf(b)


@pytest.fixture(scope="module")
def curved():
    likelihood = MarginalLikelihood.of(decay([qb.IIV("KE")]), bolus(10.0, TIMES, OBSERVED, "A", unit="mg"))
    at = likelihood.unconstrained({"TVKE": KE, "TVS": S, "omega_KE": OMEGA, "sigma_add_A": SIGMA})
    return likelihood, at


def test_a_curved_model_has_the_laplace_approximation_of_one_written_by_hand(curved):
    likelihood, at = curved
    laplace = exact = 0.0
    for k in range(len(OBSERVED)):
        mode = minimize_scalar(lambda b, k=k: -by_hand(k, b), bracket=(-1, 1), tol=1e-10).x
        h = 1e-3
        curvature = -(by_hand(k, mode + h) - 2 * by_hand(k, mode) + by_hand(k, mode - h)) / h**2
        laplace += by_hand(k, mode) + 0.5 * np.log(2 * np.pi) - 0.5 * np.log(curvature)
        exact += np.log(quad(lambda b, k=k: np.exp(by_hand(k, b)), -8, 8, points=[mode], epsabs=1e-13)[0])
    found = likelihood.evaluate(at)
    assert found.value == pytest.approx(laplace, abs=2e-6)
    # What Laplace's approximation leaves out is there, and small.
    assert 1e-4 < abs(found.value - exact) < 0.05


def test_the_gradient_is_that_of_the_approximation_with_its_modes_moving(curved):
    likelihood, at = curved
    found = likelihood.evaluate(at)
    np.testing.assert_allclose(found.gradient, gradient_by_differences(likelihood, at), atol=2e-4)
    # Without the part of the curvature it would be another.
    _, joint, _ = likelihood.modes(at, found.effects)
    assert np.abs(joint.by_population - found.gradient).max() > 0.05


def test_correlated_effects_and_a_real_study_have_a_consistent_gradient():
    likelihood = MarginalLikelihood.of(
        qb.Calibration(
            qb.one_compartment(absorption="first-order"),
            qb.load_priors("theophylline"),
            individual=[qb.IIV("CL", "KA", correlated=True)],
            error={"Cc": qb.Combined()},
        ),
        qb.load_dataset("theophylline"),
    )
    at = likelihood.start + 0.1
    found = likelihood.evaluate(at)
    np.testing.assert_allclose(found.gradient, gradient_by_differences(likelihood, at), atol=1e-3)
    assert likelihood.evaluate(at, found.effects).value == pytest.approx(found.value, abs=1e-9)


def test_other_observations_need_no_new_compilation(curved):
    likelihood, at = curved
    other = likelihood.replaced([likelihood.observed[0] + 0.3])
    fresh = MarginalLikelihood.of(decay([qb.IIV("KE")]), bolus(10.0, TIMES, OBSERVED + 0.3, "A", unit="mg"))
    assert other.evaluate(at).value == pytest.approx(fresh.evaluate(at).value, abs=1e-10)
    assert other.evaluate(at).value != pytest.approx(likelihood.evaluate(at).value, abs=0.1)
    with pytest.raises(CalibrationError, match=r"shapes \(9,\); got \(2,\)"):
        likelihood.replaced([np.zeros(2)])


def test_a_planned_study_and_unknown_names_are_refused(curved):
    plan = qb.planned_study(
        qb.Regimen(10, unit="mg", into="central"),
        qb.new_subjects(qb.load_dataset("theophylline"), 2, random_seed=1),
        [1.0],
        units=bolus(10.0, TIMES, OBSERVED, "A", unit="mg").units,
    )
    with pytest.raises(CalibrationError, match="no observed values"):
        MarginalLikelihood.of(decay(), plan)
    with pytest.raises(CalibrationError, match="TVX: no variable of the population, which has TVKE"):
        curved[0].unconstrained({"TVX": 1.0})


@pytest.mark.parametrize(
    "error",
    [qb.LogNormal(), qb.StudentT(qb.Additive()), qb.Censored(qb.Combined())],
    ids=["log-normal", "Student", "censored"],
)
def test_other_errors_have_consistent_gradients_and_take_other_observations(error):
    base = decay([qb.IIV("KE")])
    extra = {
        "sigma_log_A": qb.Prior(distribution="HalfNormal", sigma=0.3, unit="", source="test"),
        "nu_A": qb.Prior(distribution="Gamma", mu=20.0, sigma=14.0, unit="", source="test"),
    }
    calibration = qb.Calibration(
        base.system, {**base.priors, **extra}, individual=base.individual, error={"A": error}
    )
    study, other = (bolus(10.0, TIMES, OBSERVED + shift, "A", unit="mg") for shift in (0.0, 0.2))
    if isinstance(error, qb.Censored):
        low = study.table["DV"] < 1.3
        study, other = (
            dataclasses.replace(s, table=s.table.assign(CENS=low.astype(int))) for s in (study, other)
        )
    likelihood = MarginalLikelihood.of(calibration, study)
    at = likelihood.start
    found = likelihood.evaluate(at)
    np.testing.assert_allclose(found.gradient, gradient_by_differences(likelihood, at), atol=1e-3)
    again = MarginalLikelihood.of(calibration, other).evaluate(at).value
    assert likelihood.replaced([other.data_arrays()["observed_A"]]).evaluate(at).value == pytest.approx(again)
    assert again != pytest.approx(found.value, abs=1e-3)
