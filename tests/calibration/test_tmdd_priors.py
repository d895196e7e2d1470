"""The priors of an antibody against a soluble target fit the model that they are for."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

import qsp_bayes as qb
from qsp_bayes.data.study_units import StudyUnits


@pytest.mark.parametrize("bioavailability", [False, True])
def test_every_variable_has_a_prior_of_its_unit_and_the_model_can_be_drawn_from(bioavailability):
    system = qb.tmdd(compartments=2, absorption="first-order", binding="KD", bioavailability=bioavailability)
    priors = qb.load_priors("tmdd_mab")
    calibration = qb.Calibration(
        system,
        priors,
        individual=[qb.IIV("KA", "CL", "Vc", "R0", correlated=True)],
        error={"Cc": qb.Combined(), "Rtot": qb.Combined()},
    )
    assert set(calibration.variables) == set(priors) - (set() if bioavailability else {"TVF"})
    plan = qb.planned_study(
        qb.Regimen(1000, unit="nmol"),
        pd.DataFrame(index=["a", "b"]),
        [7.0, 28.0],
        units=StudyUnits("day", "nmol", {"Cc": "nmol/L", "Rtot": "nmol/L"}),
    )
    model = calibration.build(plan)
    if bioavailability:
        return
    drawn = pm.draw(model["TVVc"], 4000, random_seed=1)
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx([1.9, 5.1], rel=0.05)


def test_what_comes_from_the_literature_says_where():
    for name, prior in qb.load_priors("tmdd_mab").items():
        if prior.source.kind == "literature":
            assert "abstract" in prior.source.text, name
            assert prior.source.reference, name
        else:
            assert prior.source.kind == "assumption", name
