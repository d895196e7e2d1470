"""Left-out subjects against the predictive density of a normal hierarchy, known in closed form."""

import numpy as np
import pytest
import xarray as xr
from normal_hierarchy import exact_log_density, hierarchy, observed
from scipy.stats import norm

import qsp_bayes as qb
from qsp_bayes.calibration import leave_one_subject_out
from qsp_bayes.errors import CalibrationError


@pytest.mark.parametrize("occasions", [False, True], ids=["by subject", "by occasion"])
def test_closed_form(occasions):
    values = observed()
    found = leave_one_subject_out(hierarchy(values, occasions=occasions))
    np.testing.assert_allclose(found.elpd_i, exact_log_density(values), atol=0.06)
    assert float(found.pareto_k.max()) < 0.5
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
    assert not found.warning


def test_effects_must_be_integrated_out():
    """With the effects as they are in the draws, the wrong variant, the estimate is far off and its k says so."""
    values = observed()
    fit = hierarchy(values)
    without = fit.copy()
    for group in ("posterior", "log_prior"):
        without[group] = xr.DataTree(fit[group].to_dataset()[["TVB"]])
    wrong = leave_one_subject_out(without)
    assert float(wrong.pareto_k.max()) > 0.7
    assert wrong.warning
    assert abs(wrong.elpd - exact_log_density(values).sum()) > 5


def test_missing_groups_are_named():
    fit = hierarchy(observed())
    del fit["log_prior"]
    with pytest.raises(CalibrationError, match="there is no log_prior"):
        leave_one_subject_out(fit)


@pytest.mark.slow
def test_a_real_fit_against_a_refit_without_the_subject():
    """Theophylline: one fit to 12 subjects against the posterior of 11, its predictions integrated by brute force.

    The concentration in closed form, its effects drawn afresh, and a fit that never saw the subject are the authority.
    """
    study = qb.load_dataset("theophylline")
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        qb.load_priors("theophylline"),
        individual=[qb.IIV("CL", "Vc", "KA")],
        error={"Cc": qb.Combined()},
    )
    options = {"draws": 1000, "tune": 600, "chains": 2, "progressbar": False}
    found = leave_one_subject_out(calibration.fit(study, random_seed=1, **options))
    label = "3"
    others = calibration.fit(
        study.subset([s for s in study.subjects if s != label]), random_seed=2, **options
    )
    records = study.records[study.records["ID"] == label]
    observed_rows = records[records["EVID"] == 0]
    time, level, dose = observed_rows["TIME"].values, observed_rows["DV"].values, records["AMT"].max()
    draws = {
        name: others["posterior"][name].values.ravel()[::4, None]
        for name in (
            "TVCL",
            "TVVc",
            "TVKA",
            "omega_CL",
            "omega_Vc",
            "omega_KA",
            "sigma_add_Cc",
            "sigma_prop_Cc",
        )
    }
    rng = np.random.default_rng(3)
    eta = rng.normal(size=(3, 1, 40_000))
    densities = []
    for s in range(len(draws["TVCL"])):
        at = {name: values[s] for name, values in draws.items()}
        CL, Vc, KA = (
            at[f"TV{name}"] * np.exp(at[f"omega_{name}"] * eta[k, 0])
            for k, name in enumerate(("CL", "Vc", "KA"))
        )
        k = CL / Vc
        course = dose * KA / (Vc * (KA - k)) * (np.exp(-k * time[:, None]) - np.exp(-KA * time[:, None]))
        sd = np.hypot(at["sigma_add_Cc"], at["sigma_prop_Cc"] * course)
        densities.append(np.exp(norm.logpdf(level[:, None], course, sd).sum(axis=0)).mean())
    exact = np.log(np.mean(densities))
    estimate = float(found.elpd_i.sel(subject=label))
    print(f"elpd of subject {label}: {estimate:.2f} from one fit, {exact:.2f} from a refit; "
          f"largest Pareto k {float(found.pareto_k.max()):.2f}")  # fmt: skip
    assert abs(estimate - exact) < 0.3
