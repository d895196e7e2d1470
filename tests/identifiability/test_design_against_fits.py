"""Standard errors that a design promises, against the spread of maximum-likelihood fits to data simulated for it."""

import numpy as np
import pytest
from small_models import bolus, half_normal, log_normal

import qsp_bayes as qb
from qsp_bayes.identifiability.marginal_likelihood import MarginalLikelihood
from qsp_bayes.identifiability.maximum_likelihood import maximise

FITS = 200
DOSE = 100.0


def calibration():
    priors = {
        "TVCL": log_normal(3.0, "L/h", 0.7),
        "TVVc": log_normal(30.0, "L", 0.7),
        "omega_CL": half_normal(0.5),
        "omega_Vc": half_normal(0.5),
        "sigma_prop_Cc": half_normal(0.3),
    }
    return qb.Calibration(
        qb.one_compartment(),
        priors,
        individual=[qb.IIV("CL", "Vc")],
        error={"Cc": qb.Proportional()},
    )


def simulated(rng, truth, subjects, times):
    """Observations of subjects drawn from the population, by the equation itself, (subject, time)."""
    CL, Vc = (
        truth[f"TV{name}"] * np.exp(truth[f"omega_{name}"] * rng.normal(size=(subjects, 1)))
        for name in ("CL", "Vc")
    )
    curve = DOSE / Vc * np.exp(-CL / Vc * np.asarray(times))
    return curve * (1 + truth["sigma_prop_Cc"] * rng.normal(size=curve.shape))


def expected_and_found(truth, subjects, times, random_seed):
    """The standard errors that the design promises, and estimates of `FITS` studies, unconstrained."""
    rng = np.random.default_rng(random_seed)
    study = bolus(DOSE, times, simulated(rng, truth, subjects, times))
    expected = qb.expected_information(calibration(), study, at=truth)
    likelihood = MarginalLikelihood.of(calibration(), study)
    start = likelihood.unconstrained(truth)
    estimates = []
    for _ in range(FITS):
        observed = simulated(rng, truth, subjects, times).ravel()
        estimates.append(maximise(likelihood.replaced([observed]), start).population)
    assert expected["variable"].values.tolist() == likelihood.names
    return expected.standard_error.values, np.array(estimates), start, likelihood.names


def report(names, expected, estimates, start):
    ratio = expected / estimates.std(axis=0, ddof=1)
    bias = (estimates.mean(axis=0) - start) / estimates.std(axis=0, ddof=1)
    for row in zip(names, expected, estimates.std(axis=0, ddof=1), ratio, bias, strict=True):
        print("{:15s} expected {:.4f}  found {:.4f}  ratio {:.3f}  bias {:+.2f} sd".format(*row))
    return ratio


@pytest.mark.slow
def test_a_rich_design_keeps_its_promise():
    """16 subjects of 8 samples. The standard deviation of n normal draws has the relative error 1 / sqrt(2 n)."""
    truth = {"TVCL": 3.0, "TVVc": 30.0, "omega_CL": 0.3, "omega_Vc": 0.2, "sigma_prop_Cc": 0.1}
    found = expected_and_found(truth, 16, [0.25, 1.0, 2.0, 4.0, 8.0, 12.0, 18.0, 24.0], random_seed=11)
    ratio = report(found[3], *found[:3])
    np.testing.assert_allclose(ratio, 1.0, atol=3 / np.sqrt(2 * FITS))


@pytest.mark.slow
def test_a_sparse_design_with_large_variability_keeps_it_for_typical_values_only():
    """16 subjects of 2 samples: two effects and two samples leave the error to the curvature of the model.

    To first order nothing tells error from variability, which the promise says by standard errors of more than 1 on the
    logarithmic scale; the fits do better. Typical values keep their promise.
    """
    truth = {"TVCL": 3.0, "TVVc": 30.0, "omega_CL": 0.8, "omega_Vc": 0.6, "sigma_prop_Cc": 0.2}
    found = expected_and_found(truth, 16, [2.0, 12.0], random_seed=12)
    ratio = report(found[3], *found[:3])
    typical = ratio[[found[3].index(name) for name in ("TVCL", "TVVc")]]
    np.testing.assert_allclose(typical, 1.0, atol=0.25)
    assert ratio.max() > 3
