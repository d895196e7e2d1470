"""How individuals differ: formulas against numpy, distributions by simulation."""

import dataclasses

import numpy as np
import pymc as pm
import pytensor
import pytest

from qsp_bayes.calibration import IIV, IOV, Allometry, Calibration, Combined, Covariate, Prior, load_priors
from qsp_bayes.calibration.correlation import CorrelationFactor
from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data import load_dataset
from qsp_bayes.errors import CalibrationError, UnitsError
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import Output, Process, System

FIXED = {"CL": 2.8, "Vc": 32.0, "KA": 1.5}
ERROR = {"Cc": Combined()}
PLAIN = one_compartment(absorption="first-order")


@pytest.fixture(scope="module")
def study():
    return load_dataset("theophylline")


def effect(value, unit=""):
    return Prior(median=value, sd=0.1, unit=unit, source="a test")


def calibrated(*individual, system=PLAIN, fix=None, **priors):
    return Calibration(
        system,
        load_priors("weakly_informative").replace(priors),
        list(individual),
        ERROR,
        fix={**FIXED, **(fix or {})},
    )


def parameters(calibration, study):
    """Build the model of the individual parameters alone."""
    with pm.Model(coords=study.coords) as model:
        terms = calibration.individual_parameters(
            Design(study, study.as_pymc_data(), Variables(calibration.priors, calibration.fix))
        )
    return model, terms


def values(model, names):
    return pytensor.function([], [model[name] for name in names], mode="FAST_COMPILE")()


def with_column(study, name, column, unit=""):
    table = study.table.assign(**{name: column})
    covariates = {**study.units.covariates, name: unit}
    return dataclasses.replace(
        study,
        table=table,
        units=dataclasses.replace(study.units, covariates=covariates),
        covariates=(*study.covariates, name),
    )


def test_allometry_is_a_power_of_relative_weight(study):
    model, terms = parameters(calibrated(Allometry("WT", CL=0.75, Vc=1.0, reference=70)), study)
    CL, Vc, KA = values(model, ["CL", "Vc", "KA"])
    relative = study.covariate("WT") / 70
    np.testing.assert_allclose(CL, 2.8 * relative**0.75, rtol=1e-12)
    np.testing.assert_allclose(Vc, 32.0 * relative, rtol=1e-12)
    assert KA == 1.5
    assert {name: term.level for name, term in terms.items()} == {
        "CL": "subject",
        "Vc": "subject",
        "KA": "population",
    }
    assert model.named_vars_to_dims["CL"] == ("subject",)


@pytest.mark.parametrize(
    ("part", "factor"),
    [
        (Covariate("WT", on="CL", reference=70, unit="kg"), lambda wt: (wt / 70) ** 0.6),
        (
            Covariate("WT", on="CL", reference=70, unit="kg", form="exponential"),
            lambda wt: np.exp(0.6 * (wt - 70)),
        ),
        (Allometry("WT", CL="estimated", reference=70), lambda wt: (wt / 70) ** 0.6),
    ],
)
def test_a_covariate_effect_is_its_formula(study, part, factor):
    model, _ = parameters(calibrated(part, fix={"e_wt_cl": 0.6}), study)
    np.testing.assert_allclose(values(model, ["CL"])[0], 2.8 * factor(study.covariate("WT")), rtol=1e-12)


def test_categories_shift_the_parameter_relative_to_the_first(study):
    race = (study.subject_index % 3).astype(float)
    given = with_column(study, "RACE", race)
    part = Covariate("RACE", on="CL", categories=[1, 0, 2])
    model, _ = parameters(calibrated(part, e_race_cl=effect(0.0)), given)
    assert model.coords["e_race_cl_category"] == (0.0, 2.0)
    with model:
        graph = pytensor.graph.replace.clone_replace(
            model["CL"], {model["e_race_cl"]: pm.math.constant([0.1, -0.2])}
        )
    got = pytensor.function([], graph, mode="FAST_COMPILE")()
    shift = np.select([given.covariate("RACE") == 0, given.covariate("RACE") == 2], [0.1, -0.2], 0.0)
    np.testing.assert_allclose(got, 2.8 * np.exp(shift), rtol=1e-12)


def test_two_categories_have_one_effect_and_strange_codes_are_refused(study):
    part = Covariate("SEX", on="CL", categories=[0, 1])
    given = with_column(study, "SEX", (study.subject_index % 2).astype(float))
    model, _ = parameters(calibrated(part, fix={"e_sex_cl": 0.3}), given)
    np.testing.assert_allclose(
        values(model, ["CL"])[0], 2.8 * np.exp(0.3 * given.covariate("SEX")), rtol=1e-12
    )
    with pytest.raises(CalibrationError, match="code 2"):
        parameters(
            calibrated(part, fix={"e_sex_cl": 0.3}), with_column(study, "SEX", study.subject_index % 3 * 1.0)
        )


def test_a_covariate_that_varies_in_time_makes_a_parameter_by_record(study):
    crcl = 90.0 - study.table["TIME"].to_numpy()
    given = with_column(study, "CRCL", crcl, "mL/min")
    part = Covariate("CRCL", on="CL", reference=90, unit="mL/min")
    model, terms = parameters(calibrated(part, fix={"e_crcl_cl": 0.5}), given)
    assert terms["CL"].level == "record"
    np.testing.assert_allclose(values(model, ["CL"])[0], 2.8 * (crcl / 90) ** 0.5, rtol=1e-12)


def test_covariates_are_checked(study):
    with pytest.raises(CalibrationError, match="no covariate AGE"):
        calibrated(Covariate("AGE", on="CL", reference=40)).build(study)
    with pytest.raises(UnitsError, match="covariate WT"):
        calibrated(Allometry("WT", CL=0.75, reference=154, unit="lb")).build(study)
    bad = with_column(study, "CRCL", np.where(study.subject_index == 3, 0.0, 90.0))
    with pytest.raises(CalibrationError, match="a power needs it"):
        calibrated(Covariate("CRCL", on="CL", reference=90), e_crcl_cl=effect(0)).build(bad)
    with pytest.raises(CalibrationError, match="for a continuous"):
        Covariate("AGE", on="CL")


def test_deviations_are_scaled_by_omega_and_typical_value(study):
    model, _ = parameters(calibrated(IIV("CL", "Vc"), fix={"omega_CL": 0.3, "omega_Vc": 0.1}), study)
    draws = pm.draw([model["CL"], model["Vc"], model["eta_CL"]], 2000, random_seed=1)
    logs = [np.log(x).ravel() for x in draws[:2]]
    np.testing.assert_allclose([x.mean() for x in logs], np.log([2.8, 32.0]), atol=0.01)
    np.testing.assert_allclose([x.std() for x in logs], [0.3, 0.1], rtol=0.02)
    np.testing.assert_allclose(logs[0], np.log(2.8) + 0.3 * draws[2].ravel(), rtol=1e-10)
    assert abs(np.corrcoef(*logs)[0, 1]) < 0.02


@pytest.mark.parametrize("centred", [False, True])
def test_correlated_deviations_have_the_covariance_that_the_model_says(study, centred):
    names = ("CL", "Vc", "KA")
    omega = np.array([0.3, 0.15, 0.6])
    fix = dict(zip([f"omega_{name}" for name in names], omega, strict=True))
    model, _ = parameters(calibrated(IIV(*names, correlated=True, centred=centred), fix=fix), study)
    assert model.named_vars_to_dims["corr_eta"] == ("parameter", "parameter_bis")
    canonical = np.array([0.8, 0.4, 0.7])
    conditioned = pm.do(model, {"corr_eta_canonical": canonical})
    *draws, correlation = pm.draw(
        [
            *(conditioned[name] for name in names),
            *(conditioned[f"eta_{name}"] for name in names),
            conditioned["corr_eta"],
        ],
        3000,
        random_seed=2,
    )
    logs = np.log(np.stack([x.ravel() for x in draws[:3]]))
    standard = np.stack([x.ravel() for x in draws[3:]])
    # By hand, from the partial correlations r12, r13 and r23 given 1.
    r12, r13, r23 = 2 * canonical - 1
    expected = np.array([[1, r12, r13], [r12, 1, 0], [r13, 0, 1]])
    expected[1, 2] = expected[2, 1] = r12 * r13 + r23 * np.sqrt((1 - r12**2) * (1 - r13**2))
    np.testing.assert_allclose(correlation[0], expected, rtol=1e-12)
    np.testing.assert_allclose(
        np.cov(logs), expected * np.outer(omega, omega), atol=0.012 * np.outer(omega, omega).max()
    )
    np.testing.assert_allclose(np.cov(standard), expected, atol=0.03)


def test_correlations_have_the_lkj_prior():
    prior = Prior(distribution="LKJCorr", eta=1.5, unit="", source="a test")
    with pm.Model() as model:
        CorrelationFactor.create("corr", ["a", "b", "c", "d"], prior)
    draws = pm.draw(model["corr"], 4000, random_seed=3)
    reference = pm.draw(pm.LKJCorr.dist(n=4, eta=1.5), 4000, random_seed=4)
    reference = reference @ reference.transpose(0, 2, 1)
    for i, j in [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)]:
        assert abs(draws[:, i, j].mean()) < 0.03
        np.testing.assert_allclose(draws[:, i, j].std(), reference[:, i, j].std(), rtol=0.05)
        # Marginally (1 + r) / 2 is Beta(b, b) with b = eta - 1 + n / 2, of variance 1 / (4 (2 b + 1)).
        np.testing.assert_allclose(draws[:, i, j].std(), np.sqrt(1 / (2 * 2.5 + 1)), rtol=0.05)
    np.testing.assert_allclose(np.linalg.det(draws).mean(), np.linalg.det(reference).mean(), rtol=0.05)


def test_occasions_share_one_variance_and_nest_in_the_subject():
    study = load_dataset("quinidine")
    table = study.table.assign(OCC=(study.table.groupby("ID").cumcount() // 5 + 1))
    study = dataclasses.replace(study, table=table)
    fix = {"omega_CL": 0.4, "pi_CL": 0.2}
    model, terms = parameters(calibrated(IOV("CL"), IIV("CL"), fix=fix), study)
    assert terms["CL"].level == "occasion"
    CL, eta, kappa = pm.draw([model["CL"], model["eta_CL"], model["kappa_CL"]], 20, random_seed=5)
    subject = study.events().occasion_subject
    np.testing.assert_allclose(np.log(CL), np.log(2.8) + 0.4 * eta[:, subject] + 0.2 * kappa, rtol=1e-10)


def test_scales():
    system = System(
        states={"central": "mg"},
        parameters={"k": "1/h", "F": "", "shift": "mg"},
        processes=[Process("out", {"central": -1}, lambda s: s.k * s.F * s.central)],
        outputs={"Cc": Output("mg", lambda s: s.central + s.shift)},
        scales={"F": "logit", "shift": "identity"},
    )
    study = load_dataset("theophylline")
    calibration = Calibration(
        system,
        {},
        [IIV("k", "F", "shift")],
        ERROR,
        fix={"k": 0.1, "F": 0.7, "shift": -1.0, "omega_k": 0.2, "omega_F": 0.5, "omega_shift": 2.0},
    )
    assert calibration.variables["omega_shift"] == "mg"
    assert calibration.variables["omega_F"] == ""
    model, _ = parameters(calibration, study)
    F, shift, eta_F, eta_shift = pm.draw(
        [model[n] for n in ("F", "shift", "eta_F", "eta_shift")], random_seed=6
    )
    np.testing.assert_allclose(F, 1 / (1 + 3 / 7 * np.exp(-0.5 * eta_F)), rtol=1e-12)
    np.testing.assert_allclose(shift, -1.0 + 2.0 * eta_shift, rtol=1e-12)
    with pytest.raises(CalibrationError, match="log scale"):
        Calibration(system, {}, [Allometry("WT", F=1.0, reference=70)], ERROR)


@pytest.mark.parametrize(
    ("individual", "message"),
    [
        ([IIV("CL"), IIV("CL", "Vc")], "IIV is given twice for CL"),
        ([IIV("CL", "Vc", correlated=True), IIV("KA", "F", correlated=True)], "no parameter F"),
        ([IIV("Ka")], "There is KA, CL, Vc"),
        ([Allometry("WT", CL=1, reference=70), Allometry("WT", CL=1, reference=70)], "twice for WT on CL"),
    ],
)
def test_parts_that_do_not_fit_are_refused(individual, message):
    with pytest.raises(CalibrationError, match=message):
        Calibration(PLAIN, {}, individual, ERROR)
