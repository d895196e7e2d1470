"""Individual checks: a person's records must fit the calibration, and must not have been used by the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from qsp_bayes.calibration.checks import (
    check_covariates,
    check_doses,
    check_inputs,
    check_observations,
    require_known,
)
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.units import require_same_unit

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def check_person(calibration: Calibration, fit: xr.DataTree, person: Study) -> None:
    """Check the records of a person against the calibration and the fit."""
    system = calibration.system
    if person.n_subjects != 1:
        raise CalibrationError(
            f"study {person.name!r} has {person.n_subjects} subjects; one person is expected. Choose one by "
            f"study.subset([{person.subjects[0] if person.n_subjects else ''!r}])."
        )
    require_same_unit(person.units.time, system.time_unit, "time of the person's records")
    check_doses(system, person)
    check_inputs(system, person)
    check_covariates(calibration.individual, person)
    if not levels_of(person):
        return
    observed = [output for output, rows in person.rows.items() if len(rows)]
    require_known(
        observed, calibration.error, f"levels of {person.subjects[0]}", "output with an error model for"
    )
    for output in observed:
        require_same_unit(
            person.units.outputs[output], system.outputs[output].unit, f"levels of {output} of the person"
        )
        check_observations(output, calibration.error[output], person)
    check_unseen(fit, person, observed)


def check_unseen(fit: xr.DataTree, person: Study, observed: list[str]) -> None:
    """Require that the fit has not used the same levels already: they would count twice."""
    label = person.subjects[0]
    if not {"constant_data", "observed_data"} <= set(fit.children) or label not in fit[
        "constant_data"
    ].coords.get("subject", []):
        return
    for output in observed:
        if f"DV_{output}" not in fit["observed_data"] or f"subject_{output}" not in fit["constant_data"]:
            continue
        subject = list(fit["constant_data"].coords["subject"].to_numpy()).index(label)
        own = fit["constant_data"][f"subject_{output}"].to_numpy() == subject
        levels = person.table.iloc[person.rows[output]]
        seen = set(
            zip(
                fit["constant_data"][f"time_{output}"].to_numpy()[own],
                fit["observed_data"][f"DV_{output}"].to_numpy()[own],
                strict=True,
            )
        )
        if seen & set(zip(levels["TIME"], levels["DV"], strict=True)):
            raise CalibrationError(
                f"the fit has already used levels of subject {label} ({output}): they would count twice. Fit a study "
                f"without this subject, or take fit['posterior'].sel(subject={label!r})."
            )


def levels_of(person: Study) -> int:
    """Count the levels; those of a plan are not measured yet."""
    return 0 if person.is_planned else person.n_observations
