"""Calibration.build is the PyMC block that a user would write, and refuses what does not fit."""

import dataclasses

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from qsp_bayes.calibration import (
    IIV,
    Additive,
    Allometry,
    Calibration,
    Censored,
    Combined,
    LogNormal,
    Prior,
    Proportional,
    load_priors,
)
from qsp_bayes.data import Regimen, StudyUnits, load_dataset, new_subjects, planned_study
from qsp_bayes.errors import CalibrationError, PriorError, UnitsError
from qsp_bayes.models import one_compartment

SYSTEM = one_compartment(absorption="first-order")
PRIORS = load_priors("theophylline")
ALLOMETRY = Allometry("WT", CL=0.75, Vc=1.0, reference=70)


@pytest.fixture(scope="module")
def study():
    return load_dataset("theophylline")


def written_by_hand(study):
    """The theophylline model from PyMC's distributions and the closed form; nothing of ours but the data."""
    table = study.table
    rows = study.rows["Cc"]
    time, subject = table["TIME"].to_numpy()[rows], study.subject_index[rows]
    dose = table.groupby("ID", sort=False)["AMT"].sum().to_numpy()
    relative = study.covariate("WT") / 70
    with pm.Model(coords={"subject": study.subjects}) as model:
        individual = {}
        for name, exponent in (("KA", 0.0), ("CL", 0.75), ("Vc", 1.0)):
            parameters = PRIORS[f"TV{name}"].parameters
            typical = pm.LogNormal(f"TV{name}", parameters["mu"], parameters["sigma"])
            omega = pm.HalfNormal(f"omega_{name}", PRIORS[f"omega_{name}"].parameters["sigma"])
            eta = pm.Normal(f"eta_{name}", dims="subject")
            individual[name] = typical * relative**exponent * pt.exp(omega * eta)
        KA, CL, Vc = (individual[name][subject] for name in ("KA", "CL", "Vc"))
        ke = CL / Vc
        Cc = dose[subject] / Vc * KA / (KA - ke) * (pt.exp(-ke * time) - pt.exp(-KA * time))
        additive, proportional = pm.HalfNormal("sigma_add_Cc", 1.0), pm.HalfNormal("sigma_prop_Cc", 0.3)
        sd = pt.sqrt(additive**2 + (proportional * Cc) ** 2)
        pm.Normal("DV_Cc", Cc, sd, observed=table["DV"].to_numpy()[rows])
    return model


def test_the_model_is_the_one_written_by_hand(study):
    calibration = Calibration(SYSTEM, PRIORS, [IIV("CL", "Vc", "KA"), ALLOMETRY], {"Cc": Combined()})
    ours, hand = calibration.build(study), written_by_hand(study)
    functions = [model.compile_fn([model.logp(), model.dlogp()]) for model in (ours, hand)]
    assert sorted(v.name for v in ours.value_vars) == sorted(v.name for v in hand.value_vars)
    rng = np.random.default_rng(1)
    start = ours.initial_point()
    for _ in range(3):
        point = {name: value + rng.normal(0, 0.2, np.shape(value)) for name, value in start.items()}
        (logp, gradient), (expected, slopes) = (function(point) for function in functions)
        assert logp == pytest.approx(expected, rel=1e-10)
        got, want = by_name(ours, gradient), by_name(hand, slopes)
        for name in start:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-7, atol=1e-7, err_msg=name)


def by_name(model, gradient):
    """Split a flat gradient by variable."""
    sizes = [np.size(model.initial_point()[variable.name]) for variable in model.value_vars]
    pieces = np.split(gradient, np.cumsum(sizes)[:-1])
    return {variable.name: piece for variable, piece in zip(model.value_vars, pieces, strict=True)}


def test_names_and_dims_are_those_of_the_convention(study):
    model = Calibration(SYSTEM, PRIORS, [ALLOMETRY, IIV("CL", "KA")], {"Cc": Combined()}).build(study)
    assert {
        name: model.named_vars_to_dims.get(name)
        for name in ("CL", "Vc", "KA", "eta_CL", "Cc", "DV_Cc", "TVCL")
    } == {
        "CL": ("subject",),
        "Vc": ("subject",),
        "KA": ("subject",),
        "eta_CL": ("subject",),
        "Cc": ("obs_Cc",),
        "DV_Cc": ("obs_Cc",),
        "TVCL": None,
    }
    assert list(model.coords["subject"]) == list(study.subjects)


def test_the_order_of_the_parts_does_not_matter(study):
    parts = [ALLOMETRY, IIV("CL")]
    names = [
        [
            variable.name
            for variable in Calibration(SYSTEM, PRIORS, order, {"Cc": Combined()}).build(study).free_RVs
        ]
        for order in (parts, parts[::-1])
    ]
    assert names[0] == names[1]


def test_fixed_values_take_the_place_of_priors(study):
    calibration = Calibration(
        SYSTEM, PRIORS, [IIV("CL")], {"Cc": Additive()}, fix={"KA": 1.5, "omega_CL": 0.3}
    )
    model = calibration.build(study)
    assert [v.name for v in model.free_RVs] == ["TVCL", "TVVc", "eta_CL", "sigma_add_Cc"]
    assert dict(calibration.fix) == {"TVKA": 1.5, "omega_CL": 0.3}
    with pytest.raises(CalibrationError, match="there is no variable Ka"):
        Calibration(SYSTEM, PRIORS, [], {"Cc": Additive()}, fix={"Ka": 1.5})


def test_a_missing_prior_is_named_with_the_lines_to_paste(study, tmp_path):
    without = {name: prior for name, prior in PRIORS.items() if name not in ("TVKA", "omega_CL")}
    with pytest.raises(PriorError) as caught:
        Calibration(SYSTEM, without, [IIV("CL")], {"Cc": Additive()}).build(study)
    assert '[TVKA]\nunit = "1/h"\n' in str(caught.value)
    assert '[omega_CL]\nunit = ""\ndistribution = "HalfNormal"' in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"priors": PRIORS.replace(TVCL=Prior(median=47, cv=1, unit="mL/min", source="a test"))},
            UnitsError,
            "prior TVCL",
        ),
        ({"priors": PRIORS.replace(TVCL=PRIORS["corr_eta"])}, Exception, "TVCL"),
        ({"error": {"Cp": Combined()}}, CalibrationError, "no output Cp"),
        ({"error": {}}, CalibrationError, "error model"),
    ],
)
def test_priors_and_errors_must_fit_the_system(study, change, error, message):
    with pytest.raises(error, match=message):
        Calibration(**{"system": SYSTEM, "priors": PRIORS, "error": {"Cc": Combined()}, **change}).build(
            study
        )


def test_units_of_the_study_must_be_those_of_the_system(study):
    calibration = Calibration(SYSTEM, PRIORS, [], {"Cc": Combined()})
    units = study.units
    for change, message in (
        (dataclasses.replace(units, time="min"), "time of the study"),
        (dataclasses.replace(units, amount="ug"), "doses into depot"),
        (dataclasses.replace(units, outputs={"Cc": "ng/mL"}), "output Cc"),
    ):
        with pytest.raises(UnitsError, match=message):
            calibration.build(dataclasses.replace(study, units=change))
    with pytest.raises(CalibrationError, match="doses of study"):
        Calibration(one_compartment(), PRIORS, [], {"Cc": Combined()}).build(study)


def test_observations_must_suit_their_error(study):
    predose = load_dataset("theophylline", predose=True)
    with pytest.raises(CalibrationError, match="positive observations, but subject 2 at 0"):
        Calibration(SYSTEM, PRIORS, [], {"Cc": LogNormal()}, fix={"sigma_log_Cc": 0.2}).build(predose)
    with pytest.raises(CalibrationError, match=r"positive predictions.*subject 1 at 0"):
        Calibration(SYSTEM, PRIORS, [], {"Cc": Proportional()}).build(predose)
    marked = dataclasses.replace(study, table=study.table.assign(CENS=(study.table["DV"] < 1.0).astype(int)))
    with pytest.raises(CalibrationError, match=r"4 observations are censored. Use Censored\(Combined"):
        Calibration(SYSTEM, PRIORS, [], {"Cc": Combined()}).build(marked)
    Calibration(SYSTEM, PRIORS, [], {"Cc": Censored(Combined())}).build(marked)


def test_a_planned_study_has_observations_to_draw(study):
    regimen = Regimen(100, unit="mg", every=8, until=24, into="depot")
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"})
    plan = planned_study(regimen, new_subjects(study, 3, random_seed=1), [0, 4, 12], units=units)
    model = Calibration(SYSTEM, PRIORS, [IIV("CL")], {"Cc": Combined()}).build(plan)
    assert model["DV_Cc"] in model.free_RVs


def test_another_design_can_be_set_on_the_model(study):
    few = study.subset(["3", "7"])
    calibration = Calibration(
        SYSTEM, PRIORS, [ALLOMETRY], {"Cc": Combined()}, fix={"CL": 2.8, "Vc": 32.0, "KA": 1.5}
    )
    model = calibration.build(study)
    with model:
        model.set_dim("subject", few.n_subjects, few.subjects)
        pm.set_data(few.data_arrays(), coords=few.coords)
    np.testing.assert_allclose(pm.draw(model["CL"]), 2.8 * (few.covariate("WT") / 70) ** 0.75, rtol=1e-12)
    np.testing.assert_allclose(pm.draw(model["Cc"]), pm.draw(calibration.build(few)["Cc"]), rtol=1e-12)
