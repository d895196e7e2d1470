"""Plan: the design of a regimen in the units of a system, checked against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qsp_bayes.calibration.checks import check_covariates, check_doses, check_inputs, require_known
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import CalibrationError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def plan(
    calibration: Calibration,
    regimen: Regimen,
    subjects: Subjects,
    times: np.ndarray,
    outputs: Sequence[str],
) -> Study:
    """Give the design of a regimen in the system's units, checked against the system."""
    system = calibration.system
    units = StudyUnits(
        system.time_unit,
        amount_unit(calibration, regimen),
        {name: system.outputs[name].unit for name in outputs},
        subjects.units,
    )
    study = planned_study(
        regimen, subjects, times, units=units, outputs=outputs, compartments=list(system.doses)
    )
    check_doses(system, study)
    check_inputs(system, study)
    check_covariates(calibration.individual, study)
    return study


def amount_unit(calibration: Calibration, regimen: Regimen) -> str:
    """Give the unit of what a regimen doses: that of the state which receives it."""
    system = calibration.system
    require_known(regimen.compartments, system.doses, f"regimen {regimen}", "compartment of the system for")
    return system.states[system.doses[regimen.compartments[0]][0].state]


def check_plans(
    calibration: Calibration,
    regimens: Mapping[str, Regimen],
    subjects: Subjects,
    times: np.ndarray,
    outputs: Sequence[str],
) -> None:
    """Require that every regimen can be planned, without the records of all subjects at all times."""
    if not regimens:
        raise CalibrationError("There is no regimen to simulate. Give at least one, by its name.")
    for regimen in regimens.values():
        plan(calibration, regimen, subjects.part(slice(1)), times, outputs)
        plan(calibration, regimen, subjects, times[:1], outputs)
