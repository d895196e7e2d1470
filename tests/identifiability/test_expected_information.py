"""Expected information against closed forms of models that are linear in their effects."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_models import bolus

import qsp_bayes as qb
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability import expected_information

SUBJECTS, TIMES = 7, 5


def level(individual=(), error=None, scales=None):
    """A response that stays at its level B, on the identity scale."""
    system = qb.System(
        {"clock": "h"},
        {"B": "mmol"},
        [qb.Process("time", {"clock": 1}, lambda s: s.clock / s.clock)],
        outputs={"R": qb.Output("mmol", lambda s: s.B + 0 * s.B)},
        scales={"B": scales or "identity"},
    )
    unit = "mmol" if scales is None else ""
    priors = {
        "TVB": qb.Prior(distribution="Normal", mu=5.0, sigma=2.0, unit="mmol", source="test")
        if scales is None
        else qb.Prior(median=5.0, sd_log=0.4, unit="mmol", source="test"),
        "omega_B": qb.Prior(distribution="HalfNormal", sigma=1.0, unit=unit, source="test"),
        "pi_B": qb.Prior(distribution="HalfNormal", sigma=1.0, unit=unit, source="test"),
        "sigma_add_R": qb.Prior(distribution="HalfNormal", sigma=1.0, unit="mmol", source="test"),
        "sigma_log_R": qb.Prior(distribution="HalfNormal", sigma=1.0, unit="", source="test"),
    }
    return qb.Calibration(system, priors, individual=individual, error=error or {"R": qb.Additive()})


def design(occasions=1):
    rows = [
        {"ID": i, "TIME": float(j), "DV": 1.0, "EVID": 0, "OCC": 1 + j % occasions}
        for i in range(SUBJECTS)
        for j in range(TIMES)
    ]
    return qb.read_nonmem(pd.DataFrame(rows), units={"TIME": "h", "DV": "mmol"}, outputs="R")


def test_a_mean_and_its_error_are_known_as_statistics_says():
    found = expected_information(level(), design(), at={"TVB": 4.0, "sigma_add_R": 0.5})
    n = SUBJECTS * TIMES
    assert found.standard_error.sel(variable="TVB").item() == pytest.approx(0.5 / np.sqrt(n), rel=1e-6)
    assert found.standard_error.sel(variable="sigma_add_R").item() == pytest.approx(
        1 / np.sqrt(2 * n), rel=1e-6
    )
    precision = n / 0.5**2 + 1 / found.prior_sd.sel(variable="TVB").item() ** 2
    assert found.posterior_sd.sel(variable="TVB").item() == pytest.approx(precision**-0.5, rel=1e-6)
    np.testing.assert_allclose(np.diag(found.correlation), 1.0)


def test_variance_components_have_the_information_of_a_balanced_layout():
    """Subject means have the variance (m omega^2 + sigma^2) / m; deviations from them that of the error alone."""
    omega, sigma, n, m = 0.8, 0.5, SUBJECTS, TIMES
    found = expected_information(
        level([qb.IIV("B")]), design(), at={"TVB": 4.0, "omega_B": omega, "sigma_add_R": sigma}
    )
    between = m * omega**2 + sigma**2
    by_omega = 2 * m * omega**2 / between
    by_sigma = 2 * sigma**2 / between
    expected = np.array(
        [
            [n * m / between, 0, 0],
            [0, n / 2 * by_omega**2, n / 2 * by_omega * by_sigma],
            [0, n / 2 * by_omega * by_sigma, n / 2 * by_sigma**2 + n * (m - 1) / 2 * 4],
        ]
    )
    np.testing.assert_allclose(found.information, expected, rtol=1e-5, atol=1e-6)


def test_a_centred_parametrisation_is_the_same_model():
    at = {"TVB": 4.0, "omega_B": 0.8, "sigma_add_R": 0.5}
    one, other = (
        expected_information(level([qb.IIV("B", centred=centred)]), design(), at=at)
        for centred in (False, True)
    )
    np.testing.assert_allclose(one.information, other.information, rtol=1e-6)


def test_occasions_of_one_record_cannot_be_told_from_error():
    at = {"TVB": 4.0, "pi_B": 0.6, "sigma_add_R": 0.5}
    found = expected_information(level([qb.IOV("B")]), design(occasions=TIMES), at=at)
    errors = found.standard_error
    assert np.isfinite(errors.sel(variable="TVB"))
    assert np.isinf(errors.sel(variable="pi_B"))
    assert np.isinf(errors.sel(variable="sigma_add_R"))
    assert np.isfinite(expected_information(level([qb.IOV("B")]), design(2), at=at).standard_error).all()
    assert found.spectrum[-1] < 1e-6 * found.spectrum[0]


def test_a_log_normal_error_informs_of_the_logarithm():
    calibration = level(error={"R": qb.LogNormal()}, scales="log")
    found = expected_information(calibration, design(), at={"TVB": 4.0, "sigma_log_R": 0.3})
    expected = 0.3 / np.sqrt(SUBJECTS * TIMES)
    assert found.standard_error.sel(variable="TVB").item() == pytest.approx(expected, rel=1e-6)


def test_more_subjects_know_more_and_the_seed_decides():
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, {})
    calibration = qb.Calibration(
        qb.one_compartment(),
        qb.load_priors("weakly_informative"),
        individual=[qb.IIV("CL")],
        error={"Cc": qb.Proportional()},
    )

    def expected(n):
        subjects = pd.DataFrame({"X": np.ones(n)}, index=[f"s{k}" for k in range(n)])
        plan = qb.planned_study(
            qb.Regimen(100, unit="mg", into="central"), subjects, [1.0, 6.0, 24.0],
            units=dataclasses.replace(units, covariates={"X": ""}),
        )  # fmt: skip
        return expected_information(calibration, plan, draws=3, random_seed=4)

    few, many, again = expected(4), expected(16), expected(16)
    np.testing.assert_array_equal(many.information, again.information)
    np.testing.assert_allclose(many.information, 4 * few.information, rtol=1e-6)
    ratio = few.standard_error / many.standard_error
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-6)
    assert (many.contraction > few.contraction).all()


def test_an_incomplete_population_is_refused():
    with pytest.raises(CalibrationError, match="give a value for each of TVB, sigma_add_R"):
        expected_information(level(), design(), at={"TVB": 4.0})


def test_a_sample_at_which_nothing_is_left_is_refused():
    """e^(-CL t / Vc) is 0 in double precision from t = 745 Vc / CL on, and its logarithm is observed."""
    calibration = qb.Calibration(
        qb.one_compartment(),
        qb.load_priors("weakly_informative"),
        error={"Cc": qb.LogNormal()},
        fix={"sigma_log_Cc": 0.1},
    )
    with pytest.raises(CalibrationError, match=r"subject 0 .* are not finite .* leave such samples out"):
        expected_information(calibration, bolus(1.0, [1.0, 1e6]), draws=3)
