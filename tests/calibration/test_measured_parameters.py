"""Parameters that are known of each individual: inputs that covariates feed."""

import numpy as np
import pandas as pd
import pytest

import qsp_bayes as qb
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import CalibrationError, MechanismError, UnitsError

PRIORS = {
    "TVCL": qb.Prior(median=3.0, sd_log=0.5, unit="L/h", source="test"),
    "sigma_prop_Cc": qb.Prior(distribution="HalfNormal", sigma=0.2, unit="", source="test"),
}
SUBJECTS = pd.DataFrame({"Vc": [20.0, 45.0, 60.0]}, index=["a", "b", "c"])


def study(unit="L"):
    subjects = qb.Subjects(SUBJECTS, {"Vc": unit}, "measured volumes")
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"Vc": unit})
    dose = qb.Regimen(100, unit="mg", into="central")
    return qb.planned_study(dose, subjects, [1.0, 5.0, 12.0], units=units)


def calibration():
    system = qb.one_compartment().measure("Vc")
    return qb.Calibration(system, PRIORS, error={"Cc": qb.Proportional()})


def test_a_measured_parameter_is_no_variable_and_each_subject_has_its_own():
    model = calibration().build(study())
    assert "TVVc" not in model.named_vars
    CL = 2.5
    found = model["Cc"].eval({model["TVCL"]: CL}).reshape(3, 3)
    volume = SUBJECTS["Vc"].to_numpy()[:, None]
    np.testing.assert_allclose(
        found, 100 / volume * np.exp(-CL / volume * np.array([1.0, 5.0, 12.0])), rtol=1e-12
    )


def test_a_constant_covariate_makes_one_row_of_parameters_for_each_subject():
    planned = study()
    system = calibration().system
    import pymc as pm

    from qsp_bayes.calibration.design import Design
    from qsp_bayes.calibration.variables import Variables

    with pm.Model(coords=planned.coords):
        values, levels = Design(planned, planned.as_pymc_data(), Variables({}, {})).inputs(system)
    assert levels == {"Vc": "subject"}
    np.testing.assert_array_equal(values["Vc"].eval(), SUBJECTS["Vc"])


def test_a_covariate_in_another_unit_or_none_is_refused():
    with pytest.raises(UnitsError, match="covariate Vc, input of the system: unit is 'mL'"):
        calibration().build(study("mL"))
    bare = qb.planned_study(
        qb.Regimen(100, unit="mg", into="central"),
        qb.Subjects(pd.DataFrame({"WT": [70.0]}, index=["a"]), {"WT": "kg"}, "one"),
        [1.0],
        units=StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"}),
    )
    with pytest.raises(CalibrationError, match=r"input Vc of system .* has no value"):
        calibration().build(bare)
    with pytest.raises(MechanismError, match="Vmax"):
        qb.one_compartment().measure("Vmax")


def test_virtual_humans_are_simulated_with_their_own_organs():
    drug = qb.Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)
    body = qb.whole_body_pbpk(renal=[])
    partition = qb.partition_coefficients(drug).parameters()
    known = partition | {"fup": drug.fup, "BP": drug.BP}
    system = body.fix(**known)
    measured = [name for name in system.parameters if name != "CLint"]
    people = qb.virtual_population(3, random_seed=2)
    calibration = qb.Calibration(
        system.measure(*measured),
        {
            "TVCLint": qb.Prior(median=900.0, sd_log=0.3, unit="L/h", source="test"),
            "sigma_prop_Cc": PRIORS["sigma_prop_Cc"],
        },
        error={"Cc": qb.Proportional()},
    )
    regimen = qb.Regimen(5, unit="mg", into="venous")
    subjects = people.subjects(body)
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, subjects.units)
    planned = qb.planned_study(
        regimen, subjects, [0.5, 4.0], units=units, outputs=["Cc"], compartments=list(system.doses)
    )
    model = calibration.build(planned)
    found = model["Cc"].eval({model["TVCLint"]: 900.0}).reshape(3, 2)
    for person, concentrations in zip(people, found, strict=True):
        alone = system.course(person.values(system) | {"CLint": 900.0}, [0.5, 4.0], regimen, outputs=["Cc"])
        np.testing.assert_allclose(concentrations, alone.Cc, rtol=1e-9)
