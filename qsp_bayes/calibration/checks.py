"""Checks: names and units of study, system, priors and calibration must fit before anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qsp_bayes.calibration.allometry import Allometry
from qsp_bayes.calibration.censored import Censored
from qsp_bayes.calibration.covariate import Covariate
from qsp_bayes.calibration.error import LogNormal
from qsp_bayes.calibration.iiv import IIV
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System
from qsp_bayes.units import require_same_unit

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def require_known(names: Iterable[str], known: Iterable[str], what: str, kind: str) -> None:
    """Require that all names exist.

    Raises
    ------
    CalibrationError
        Listing what exists.
    """
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CalibrationError(
            f"{what}: there is no {kind} {', '.join(unknown)}. There is {', '.join(known) or 'none'}."
        )


def check_calibration(system: System, individual: Sequence[Any], error: Mapping[str, Any]) -> None:
    """Check the parts of a calibration against the system."""
    if not error:
        raise CalibrationError(
            "error={...} is empty: give each observed output an error model, {'Cc': Combined()}."
        )
    require_known(error, system.outputs, "error", "output")
    for part in individual:
        require_known(part.parameters, system.parameters, str(part), "parameter")
    for kind in {type(part) for part in individual}:
        effects = [
            (getattr(part, "covariate", ""), name)
            for part in individual
            if type(part) is kind
            for name in part.parameters
        ]
        twice = sorted({" on ".join(filter(None, effect)) for effect in effects if effects.count(effect) > 1})
        if twice:
            raise CalibrationError(f"{kind.__name__} is given twice for {', '.join(twice)}.")
    if sum(isinstance(part, IIV) and part.correlated for part in individual) > 1:
        raise CalibrationError(
            "Only one IIV can be correlated: put its parameters in one IIV(..., correlated=True)."
        )


def check_fixed(fixed: Mapping[str, float]) -> None:
    """Require fixed values to be possible: finite, errors positive, standard deviations not negative."""
    if "corr_eta" in fixed:
        raise CalibrationError(
            "fix: corr_eta is a matrix and cannot be fixed; use IIV without correlated=True."
        )
    for name, value in fixed.items():
        positive = name.startswith(("sigma_", "nu_"))
        if (
            not np.isfinite(value)
            or (positive and value <= 0)
            or (name.startswith(("omega_", "pi_")) and value < 0)
        ):
            needed = "positive" if positive else "finite, and 0 or more for a standard deviation"
            raise CalibrationError(f"fix: {name} = {value:g} is not possible; it must be {needed}.")


def check_study(calibration: Calibration, study: Study) -> None:
    """Check a study against a calibration."""
    system = calibration.system
    require_same_unit(study.units.time, system.time_unit, "time of the study")
    check_doses(system, study)
    check_inputs(system, study)
    check_covariates(calibration.individual, study)
    observed = [output for output, rows in study.rows.items() if len(rows)]
    require_known(observed, system.outputs, f"study {study.name!r}", "output of the system for")
    missing = [output for output in observed if output not in calibration.error]
    if missing:
        raise CalibrationError(
            f"study {study.name!r} observes {', '.join(missing)}, which has no error model. "
            f"Add error={{..., {missing[0]!r}: Combined()}}, or leave these observations out of the study."
        )
    require_known(calibration.error, observed, "error", "observed output")
    for output in observed:
        require_same_unit(
            study.units.outputs[output], system.outputs[output].unit, f"output {output} of the study"
        )
        check_observations(output, calibration.error[output], study)


def check_doses(system: System, study: Study) -> None:
    """Require that the system takes the doses, in the unit of the state that receives them."""
    records = study.table
    dosed = records.loc[records["EVID"].isin((1, 4)), "COMPARTMENT"].unique()
    require_known(dosed, system.doses, f"doses of study {study.name!r}", "compartment of the system for")
    for compartment in dosed:
        for route in system.doses[compartment]:
            require_same_unit(study.units.amount, system.states[route.state], f"doses into {compartment}")


def check_inputs(system: System, study: Study) -> None:
    """Require that covariates feed all inputs of the system, in their units."""
    for name, unit in system.inputs.items():
        if name not in study.covariates:
            raise CalibrationError(
                f"input {name} of system {system.name!r} has no value: study {study.name!r} has the covariates "
                f"{', '.join(study.covariates) or 'none'}. Add the covariate {name}, or bind the input with `+` to a "
                "system that gives it."
            )
        require_same_unit(
            study.units.covariates.get(name, ""), unit, f"covariate {name}, input of the system"
        )


def check_covariates(individual: Sequence[Any], study: Study) -> None:
    """Require that the covariates exist, in the unit they are expected in, and are positive where a power needs it."""
    for part in individual:
        if not isinstance(part, Allometry | Covariate):
            continue
        require_known([part.covariate], study.covariates, str(part), "covariate")
        values = study.covariate_by_record(part.covariate)
        if np.isnan(values).any():
            subject = study.table["ID"].iloc[int(np.argmax(np.isnan(values)))]
            raise CalibrationError(f"{part}: {part.covariate} of subject {subject} is missing.")
        if isinstance(part, Covariate) and part.categories:
            continue
        require_same_unit(
            study.units.covariates.get(part.covariate, ""),
            part.unit,
            f"covariate {part.covariate} of the study",
        )
        power = isinstance(part, Allometry) or part.form == "power"
        if power and not (values > 0).all():
            subject = study.table["ID"].iloc[int(np.argmin(values > 0))]
            raise CalibrationError(
                f"{part}: {part.covariate} of subject {subject} is not positive, and a power needs it to be."
            )


def check_observations(output: str, error: Any, study: Study) -> None:
    """Require that the observations suit their error model."""
    if study.is_planned:
        return
    table = study.table.iloc[study.rows[output]]
    missing = table["DV"].isna()
    if missing.any():
        raise CalibrationError(
            f"output {output}: {rows_text(table[missing])} hold no DV. Set MDV to 1 there."
        )
    if table["CENS"].ne(0).any() and not isinstance(error, Censored):
        raise CalibrationError(
            f"output {output}: {int(table['CENS'].ne(0).sum())} observations are censored. Use Censored({error!r}), or "
            "leave them out of the study."
        )
    inner = error.error if isinstance(error, Censored) else error
    bad = table["DV"].le(0)
    if isinstance(inner, LogNormal) and bad.any():
        raise CalibrationError(
            f"output {output}: a log-normal error needs positive observations, but {rows_text(table[bad])} hold DV 0 "
            "or less. Leave them out, mark them as censored (CENS 1 and the limit in DV), or use Combined()."
        )


def rows_text(table: Any, most: int = 6) -> str:
    """Name records by subject and time."""
    names = [f"subject {row.ID} at {row.TIME:g}" for row in table.head(most).itertuples()]
    more = f" and {len(table) - most} more" if len(table) > most else ""
    return f"{', '.join(names)}{more}"
