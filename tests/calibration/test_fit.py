"""A fit recovers what made the data, is the same whatever the cores, survives storage, and predicts new individuals."""

import dataclasses
import json

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from qsp_bayes.calibration import (
    IIV,
    Additive,
    Allometry,
    Calibration,
    Combined,
    load_fit,
    load_priors,
    read_facts,
    save_fit,
)
from qsp_bayes.calibration.sampler import complete_block
from qsp_bayes.data import Regimen, Subjects, load_dataset, new_subjects
from qsp_bayes.errors import CalibrationError
from qsp_bayes.models import one_compartment

TRUTH = {
    "TVCL": 2.8,
    "TVVc": 32.0,
    "TVKA": 1.5,
    "omega_CL": 0.3,
    "omega_Vc": 0.15,
    "sigma_add_Cc": 0.3,
    "sigma_prop_Cc": 0.1,
}
CALIBRATION = Calibration(
    one_compartment(absorption="first-order"),
    load_priors("theophylline"),
    [Allometry("WT", CL=0.75, Vc=1.0, reference=70), IIV("CL", "Vc", correlated=True)],
    {"Cc": Combined()},
)
DOSES = {
    "low": Regimen(100, unit="mg", every=12, until=24, into="depot"),
    "high": Regimen(200, unit="mg", every=12, until=24, into="depot"),
}
TIMES = [0.5, 2.0, 8.0, 20.0]


@pytest.fixture(scope="module")
def study():
    """The theophylline study's design with observations drawn from known values."""
    real = load_dataset("theophylline")
    model = CALIBRATION.build(real)
    with pm.do(model, {**TRUTH, "corr_eta_canonical": np.array([0.75])}):
        drawn = pm.sample_prior_predictive(1, var_names=["DV_Cc"], random_seed=11)
    table = real.table.copy()
    table.loc[table.index[real.rows["Cc"]], "DV"] = drawn["prior_predictive"]["DV_Cc"].to_numpy().ravel()
    return dataclasses.replace(real, name="synthetic", table=table)


@pytest.fixture(scope="module")
def fit(study):
    return CALIBRATION.fit(study, draws=300, tune=400, chains=2, cores=1, random_seed=5, progressbar=False)


@pytest.fixture(scope="module")
def future(fit, study):
    return CALIBRATION.simulate(
        fit, DOSES, new_subjects(study, 40, random_seed=1), TIMES, draws=100, random_seed=3
    )


def test_the_truth_is_recovered(fit):
    posterior = fit["posterior"].to_dataset()
    for name, truth in TRUTH.items():
        draws = posterior[name].to_numpy().ravel()
        assert abs(draws.mean() - truth) < 3.5 * draws.std(), name
    assert abs(np.log(posterior["TVCL"]).mean() - np.log(2.8)) < 0.35
    assert int(fit["sample_stats"]["diverging"].sum()) <= 6


def test_groups_names_and_facts(fit, study):
    assert set(fit.children) == {
        "prior",
        "prior_predictive",
        "posterior",
        "posterior_predictive",
        "population_predictive",
        "log_likelihood",
        "log_prior",
        "sample_stats",
        "observed_data",
        "constant_data",
        "derived",
    }
    assert {
        "diverging",
        "tree_depth",
        "reached_max_treedepth",
        "energy",
        "lp",
        "n_steps",
        "step_size",
        "acceptance_rate",
    } <= set(fit["sample_stats"].data_vars)
    facts = read_facts(fit)
    assert facts["random_seed"] == 5
    assert facts["study"]["checksum"] == study.checksum
    assert {row["name"] for row in facts["priors"]} == {*TRUTH, "omega_CL", "corr_eta"}
    assert facts["system"]["parameters"] == {"KA": "1/h", "CL": "L/h", "Vc": "L"}
    assert facts["sampling"]["draws"] == 300
    assert json.loads(json.dumps(facts)) == facts
    np.testing.assert_array_equal(fit["constant_data"]["WT"], study.covariate("WT"))
    np.testing.assert_array_equal(fit["constant_data"]["subject_Cc"], study.subject_index[study.rows["Cc"]])
    np.testing.assert_array_equal(
        fit["observed_data"]["DV_Cc"], study.table["DV"].to_numpy()[study.rows["Cc"]]
    )


def test_pointwise_log_likelihood_is_the_error_models(fit):
    posterior = fit["posterior"].to_dataset()
    sd = np.sqrt(posterior["sigma_add_Cc"] ** 2 + (posterior["sigma_prop_Cc"] * posterior["Cc"]) ** 2)
    expected = stats.norm.logpdf(fit["observed_data"]["DV_Cc"].to_numpy(), posterior["Cc"], sd)
    np.testing.assert_allclose(fit["log_likelihood"]["DV_Cc"], expected, rtol=1e-8, atol=1e-8)


def test_replicates_keep_the_fitted_individuals_and_the_population_makes_new_ones(fit):
    posterior = fit["posterior"].to_dataset()
    fitted, population = fit["posterior_predictive"]["DV_Cc"], fit["population_predictive"]["DV_Cc"]
    standard = (fitted - posterior["Cc"]) / np.sqrt(
        posterior["sigma_add_Cc"] ** 2 + (posterior["sigma_prop_Cc"] * posterior["Cc"]) ** 2
    )
    np.testing.assert_allclose([standard.mean(), standard.std()], [0.0, 1.0], atol=0.02)
    # New individuals vary by omega on top of what is uncertain: late concentrations spread much wider.
    assert float((population.std(["chain", "draw"]) / fitted.std(["chain", "draw"])).median()) > 1.3


def test_the_result_does_not_depend_on_the_number_of_cores(study):
    calibration = Calibration(CALIBRATION.system, CALIBRATION.priors, [], {"Cc": Additive()})
    settings = {"draws": 30, "tune": 60, "chains": 2, "random_seed": 7, "progressbar": False}
    one, two = (calibration.fit(study, cores=cores, **settings) for cores in (1, 2))
    for group in one.children:
        xr.testing.assert_identical(one[group].to_dataset(), two[group].to_dataset())


@pytest.mark.parametrize("name", ["fit.nc", "fit.zarr"])
def test_storage_gives_back_what_it_took(fit, future, tmp_path, name):
    for result in (fit, future):
        save_fit(result, tmp_path / name)
        xr.testing.assert_identical(load_fit(tmp_path / name), result)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_storage_refuses_strange_names(fit, tmp_path):
    with pytest.raises(CalibrationError, match=r"\.nc"):
        save_fit(fit, tmp_path / "fit.pickle")
    with pytest.raises(CalibrationError, match="no such file"):
        load_fit(tmp_path / "none.nc")
    with pytest.raises(CalibrationError, match="folder"):
        save_fit(fit, tmp_path / "none" / "fit.nc")


def test_new_individuals_follow_the_population(fit, study):
    heavy = Subjects(
        new_subjects(study, 1500, random_seed=2).covariates.assign(WT=140.0), {"WT": "kg"}, "140 kg"
    )
    bolus = {"bolus": Regimen(1000, unit="mg", every=24, until=1, into="central")}
    future = CALIBRATION.simulate(fit, bolus, heavy, [1e-6, 10.0], draws=20, random_seed=4)
    Cc = future["predictions"]["Cc"].isel(regimen=0)
    log_volume = np.log(1000 / Cc.isel(time=0))
    log_rate = np.log(-np.log(Cc.isel(time=1) / Cc.isel(time=0)) / 10)
    used = fit["posterior"].to_dataset().sel(draw=future["predictions"]["draw"])
    dims = ("chain", "draw")
    np.testing.assert_allclose(
        log_volume.mean("subject"), np.log(2 * used["TVVc"]).transpose(*dims), atol=0.02
    )
    np.testing.assert_allclose(log_volume.std("subject"), used["omega_Vc"].transpose(*dims), rtol=0.08)
    CL = np.exp(log_rate + log_volume)
    np.testing.assert_allclose(
        np.log(CL).mean("subject"), np.log(2**0.75 * used["TVCL"]).transpose(*dims), atol=0.04
    )
    r = xr.corr(np.log(CL), log_volume, "subject")
    np.testing.assert_allclose(r, used["corr_eta"][..., 0, 1].transpose(*dims), atol=0.09)


def test_individuals_are_common_to_all_regimens(future):
    Cc = future["predictions"]["Cc"]
    assert Cc.dims == ("chain", "draw", "regimen", "subject", "time")
    assert Cc.attrs["units"] == "mg/L"
    np.testing.assert_allclose(Cc.sel(regimen="high"), 2 * Cc.sel(regimen="low"), rtol=1e-10)


def test_what_if_changes_individual_parameters_on_the_same_draws(fit, study, future):
    subjects = new_subjects(study, 40, random_seed=1)
    halved = CALIBRATION.simulate(
        fit,
        DOSES,
        subjects,
        TIMES,
        draws=100,
        random_seed=3,
        change={"CL": lambda CL: 0.5 * CL, "Vc": lambda Vc: 0.5 * Vc},
    )
    # Half the volume with the same rate constants: twice the concentration.
    np.testing.assert_allclose(halved["predictions"]["Cc"], 2 * future["predictions"]["Cc"], rtol=1e-9)


def test_residual_error_is_added_on_top(fit, study, future):
    noisy = CALIBRATION.simulate(
        fit, DOSES, new_subjects(study, 40, random_seed=1), TIMES, draws=100, random_seed=3, residual=True
    )
    used = fit["posterior"].to_dataset().sel(draw=noisy["predictions"]["draw"])
    Cc = future["predictions"]["Cc"]
    standard = (noisy["predictions"]["Cc"] - Cc) / np.sqrt(
        used["sigma_add_Cc"] ** 2 + (used["sigma_prop_Cc"] * Cc) ** 2
    )
    np.testing.assert_allclose([standard.mean(), standard.std()], [0.0, 1.0], atol=0.03)
    assert stats.kstest(standard.to_numpy().ravel()[:5000], "norm").pvalue > 1e-3


def test_a_fit_of_another_calibration_is_refused(fit, study):
    other = Calibration(CALIBRATION.system, CALIBRATION.priors, [IIV("CL")], {"Cc": Combined()})
    with pytest.raises(CalibrationError, match="another calibration: its individual"):
        other.simulate(fit, DOSES, new_subjects(study, 2, random_seed=1), TIMES)
    with pytest.raises(CalibrationError, match="no parameter F"):
        CALIBRATION.simulate(
            fit, DOSES, new_subjects(study, 2, random_seed=1), TIMES, change={"F": lambda F: F}
        )
    with pytest.raises(CalibrationError, match="no qsp_bayes facts"):
        CALIBRATION.simulate(xr.DataTree(), DOSES, new_subjects(study, 2, random_seed=1), TIMES)


def test_a_start_that_fails_is_explained(study):
    calibration = Calibration(
        CALIBRATION.system, CALIBRATION.priors, [], {"Cc": Additive()}, fix={"sigma_add_Cc": 1e-160}
    )
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            CalibrationError, match=r"DV_Cc is not finite for subject 1 at time 0\.25 \(prediction"
        ),
    ):
        calibration.fit(study, draws=5, tune=5, chains=1, random_seed=1, progressbar=False)


def test_an_interruption_keeps_the_most_draws():
    assert complete_block(np.array([900, 1000, 0, 20])) == {"chain": [0, 1], "draw": slice(0, 900)}
    assert complete_block(np.array([5, 500, 0])) == {"chain": [1], "draw": slice(0, 500)}
    assert complete_block(np.array([0, 0]))["draw"].stop == 0
