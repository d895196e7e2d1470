"""Prior files of responses: each fits its system, and its medians predict what the drug is known for."""

import math

import numpy as np
import pandas as pd
import pytest

from qsp_bayes.calibration import IIV, Additive, Allometry, Calibration, Combined, Proportional, load_priors
from qsp_bayes.calibration.variables import require_priors
from qsp_bayes.data import Regimen, Subjects, planned_study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.models import (
    indirect_response,
    myelosuppression,
    one_compartment,
    simeoni_tumour,
    two_compartment,
)
from qsp_bayes.units import Units

MOLAR, MOUSE = Units(amount="umol"), Units(time="day", amount="ug")
WARFARIN = one_compartment(absorption="first-order", lag=True) + indirect_response(kind="I").rename(
    response="PCA"
)

CALIBRATIONS = {
    "warfarin_pca": lambda priors: Calibration(
        WARFARIN,
        priors,
        individual=[
            Allometry("WT", CL=0.75, Vc=1.0, reference=70),
            IIV("KA", "tlag", "CL", "Vc", "E0", "kout", "IC50", correlated=True),
        ],
        error={"Cc": Combined(), "PCA": Additive()},
        fix={"Imax": 1.0},
    ),
    "friberg_paclitaxel": lambda priors: Calibration(
        two_compartment(units=MOLAR) + myelosuppression(units=MOLAR),
        priors,
        individual=[IIV("CL", "Vc", "Q", "Vp", "Circ0", "MTT", "slope", correlated=True)],
        error={"Cc": Combined(), "Circ": Proportional()},
    ),
    "simeoni_paclitaxel": lambda priors: Calibration(
        one_compartment(units=MOUSE) + simeoni_tumour(units=MOUSE),
        priors,
        individual=[IIV("w0", "lambda0", "lambda1", "k1", "k2", correlated=True)],
        error={"tumour": Combined()},
        fix={"CL": 0.3, "Vc": 0.02},
    ),
}


def medians(name):
    """Medians of the typical values."""
    priors = load_priors(name)
    found = {variable[2:]: prior for variable, prior in priors.items() if variable.startswith("TV")}
    assert {prior.distribution for prior in found.values()} == {"LogNormal"}
    return {variable: math.exp(prior.parameters["mu"]) for variable, prior in found.items()}


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_every_variable_of_the_system_has_a_prior_of_its_unit_and_nothing_is_left_over(name):
    priors = load_priors(name)
    calibration = CALIBRATIONS[name](priors)
    needed = {
        variable: unit for variable, unit in calibration.variables.items() if variable not in calibration.fix
    }
    require_priors(calibration.priors, needed)
    # Allometric exponents have priors for those who estimate them.
    assert {variable for variable in priors if not variable.startswith("e_")} <= set(needed)


@pytest.mark.slow
def test_a_model_of_warfarin_has_a_density_and_a_gradient():
    calibration = CALIBRATIONS["warfarin_pca"](load_priors("warfarin_pca"))
    subjects = Subjects(pd.DataFrame({"WT": [60.0, 80.0]}, index=["1", "2"]), {"WT": "kg"}, "made up")
    units = StudyUnits("h", "mg", {"Cc": "mg/L", "PCA": ""}, {"WT": "kg"})
    dose = Regimen(100, unit="mg", into="depot")
    model = calibration.build(planned_study(dose, subjects, [0.0, 6.0, 36.0, 120.0], units=units))
    point = model.initial_point()
    assert np.isfinite(model.compile_logp()(point))
    assert np.isfinite(model.compile_dlogp()(point)).all()


def test_warfarin_lowers_activity_by_most_after_two_to_three_days():
    """After a single dose of 1.5 mg/kg."""
    times = np.linspace(0, 144, 145)
    found = WARFARIN.course(
        medians("warfarin_pca") | {"Imax": 1.0}, times, Regimen(105, unit="mg", into="depot")
    )
    lowest = found.PCA.values.argmin()
    assert 36 <= times[lowest] <= 72
    assert 10 < found.PCA.values[lowest] < 35


def test_leukocytes_fall_and_recover_within_a_cycle():
    times = np.linspace(0, 504, 127)
    system = two_compartment(units=MOLAR) + myelosuppression(units=MOLAR)
    dose = Regimen(350, unit="umol", into="central", duration=3)
    counts = system.course(medians("friberg_paclitaxel"), times, dose).Circ.values
    assert 7 * 24 <= times[counts.argmin()] <= 15 * 24
    assert counts.min() < 0.7 * counts[0] < 0.9 * counts[-1]


def test_xenografts_reach_the_linear_phase_within_a_month():
    system = one_compartment(units=MOUSE) + simeoni_tumour(units=MOUSE)
    found = system.course(medians("simeoni_paclitaxel") | {"CL": 0.3, "Vc": 0.02}, [0.0, 30.0])
    assert found.tumour.values[1] > 0.814 / 0.273
