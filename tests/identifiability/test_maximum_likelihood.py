"""Maximum likelihood against published fits, closed forms of balanced layouts, and penalties worked out by hand."""

import numpy as np
import pytest
from small_models import half_normal, level, level_study, log_normal

import qsp_bayes as qb
from qsp_bayes.errors import CalibrationError


def theophylline():
    """Pinheiro and Bates's model t3: effects on the rate of absorption and clearance, none on that of elimination."""
    system = qb.System(
        {"depot": "mg", "central": "mg"},
        {"KA": "1/h", "KE": "1/h", "CL": "L/h"},
        [
            qb.Process("absorption", {"depot": -1, "central": 1}, lambda s: s.KA * s.depot),
            qb.Process("elimination", {"central": -1}, lambda s: s.KE * s.central),
        ],
        outputs={"Cc": qb.Output("mg/L", lambda s: s.central * s.KE / s.CL)},
        doses={"depot": qb.DoseInto()},
    )
    priors = {
        "TVKA": log_normal(1.0, "1/h"),
        "TVKE": log_normal(0.1, "1/h"),
        "TVCL": log_normal(0.05, "L/h"),
        "omega_KA": half_normal(1.0),
        "omega_CL": half_normal(1.0),
        "sigma_add_Cc": half_normal(1.0, "mg/L"),
    }
    # nlme's doses are in mg/kg: its clearance is that of 1 kg.
    return qb.Calibration(
        system,
        priors,
        individual=[qb.Allometry("WT", CL=1.0, reference=1), qb.IIV("KA", "CL")],
        error={"Cc": qb.Additive()},
    )


# nlme 3.1 (R), model t3 of its own documentation's Theoph analysis, fitted by maximum likelihood to all 132 records:
# logarithms of the rates and of clearance in L/h/kg with their standard errors, then the standard deviations.
NLME = {"TVKE": (-2.454704, 0.0524904), "TVKA": (0.465734, 0.1985638), "TVCL": (-3.227223, 0.0600102)}
NLME_SD = {"omega_KA": 0.643578, "omega_CL": 0.166928, "sigma_add_Cc": 0.709254}
NLME_LOG_LIKELIHOOD = -177.021


def test_theophylline_agrees_with_nlme():
    """Both approximate the same likelihood, nlme by linearising around the modes and not at all orders."""
    found = qb.maximum_likelihood(theophylline(), qb.load_dataset("theophylline", predose=True))
    for name, (estimate, error) in NLME.items():
        one = found.sel(variable=name)
        assert one.unconstrained.item() == pytest.approx(estimate, abs=0.1 * error + 0.005)
        assert one.standard_error.item() == pytest.approx(error, rel=0.04)
    for name, sd in NLME_SD.items():
        assert found.estimate.sel(variable=name).item() == pytest.approx(sd, rel=0.03)
    assert found.attrs["log_likelihood"] == pytest.approx(NLME_LOG_LIKELIHOOD, abs=1.0)
    assert found.attrs["steepest"] < 1e-3


def test_a_balanced_layout_has_its_textbook_estimates():
    rng = np.random.default_rng(3)
    n, m = 9, 5
    y = 5.0 + rng.normal(size=(n, 1)) * 1.2 + 0.5 * rng.normal(size=(n, m))
    found = qb.maximum_likelihood(level([qb.IIV("B")]), level_study(y))
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (m - 1))
    between = m * ((y.mean(axis=1) - y.mean()) ** 2).sum() / n
    expected = {"TVB": y.mean(), "omega_B": np.sqrt((between - within) / m), "sigma_add_R": np.sqrt(within)}
    for name, value in expected.items():
        assert found.estimate.sel(variable=name).item() == pytest.approx(value, rel=1e-5)
    error = found.standard_error.sel(variable="TVB").item()
    assert error == pytest.approx(np.sqrt(between / (n * m)), rel=1e-4)
    one = found.sel(variable="TVB")
    np.testing.assert_allclose(
        [one.lower, one.upper], y.mean() + 1.959964 * error * np.array([-1, 1]), rtol=1e-5
    )


def test_a_penalty_is_the_prior_in_the_variables_own_units():
    """A normal prior and normal observations of known error: the mode weighs both by their precision."""
    y = np.array([[7.0, 7.4, 6.6]])
    calibration = qb.Calibration(
        level().system,
        level(mean=5.0).priors,
        error={"R": qb.Additive()},
        fix={"sigma_add_R": 1.5},
    )
    found = qb.maximum_likelihood(calibration, level_study(y), penalised=True)
    weight = np.array([1 / 2.0**2, 3 / 1.5**2])
    assert found.estimate.item() == pytest.approx(weight @ [5.0, 7.0] / weight.sum(), rel=1e-7)
    assert found.standard_error.item() == pytest.approx(weight.sum() ** -0.5, rel=1e-6)
    alone = qb.maximum_likelihood(calibration, level_study(y))
    assert alone.estimate.item() == pytest.approx(7.0, rel=1e-7)
    # A log-normal prior has its mode at exp(mu - sd^2), not at its median: no Jacobian counts.
    assert "density of the priors" in found.attrs["approximation"]


def test_a_start_that_cannot_be_solved_is_refused():
    study = level_study(np.array([[1.0, 2.0]]))
    with pytest.raises(CalibrationError, match="not finite where the search starts"):
        qb.maximum_likelihood(level(), study, start={"TVB": np.inf})
