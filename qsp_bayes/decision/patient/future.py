"""The future of one patient: regimens that follow the doses already given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from qsp_bayes.calibration.individual.course import individual_course
from qsp_bayes.calibration.metadata import as_attribute, read_facts, versions
from qsp_bayes.data.continued import continued_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.errors import DecisionError

if TYPE_CHECKING:
    from qsp_bayes.decision.patient.patient import Patient

DIMS = ("chain", "draw", "regimen", "subject", "time")


def simulate_patient(
    patient: Patient,
    regimens: Mapping[str, Regimen],
    times: np.ndarray,
    *,
    outputs: Sequence[str],
    residual: bool,
    covariates: Mapping[str, float] | None,
    occasions: Sequence[float],
    drop_later_doses: bool,
    random_seed: int,
) -> xr.DataTree:
    """Predict a patient under regimens; `Patient.simulate` documents it."""
    if not regimens:
        raise DecisionError(
            "There is no regimen to simulate: give at least one, {'5 mg q12h': Regimen(...)}."
        )
    units = patient.units_of(outputs)
    plans = {
        name: continued_study(
            patient.history,
            times,
            outputs=units,
            regimen=regimen,
            covariates=covariates,
            occasions=occasions,
            drop_later_doses=drop_later_doses,
            compartments=list(patient.calibration.system.doses),
        )
        for name, regimen in regimens.items()
    }
    posterior = patient.posterior.to_dataset()
    courses = [
        individual_course(patient.calibration, posterior, plan, residual=residual, random_seed=random_seed)
        for plan in plans.values()
    ]
    paths = {name: np.stack([course[name] for course in courses], axis=2)[:, :, :, None] for name in outputs}
    predictions = xr.Dataset(
        {name: (DIMS, path, {"units": units[name]}) for name, path in paths.items()},
        {
            "chain": posterior["chain"].to_numpy(),
            "draw": posterior["draw"].to_numpy(),
            "regimen": list(regimens),
            "subject": [patient.label],
            "time": ("time", times, {"units": patient.time_unit}),
        },
    )
    constant = last_covariates(patient.history, next(iter(plans.values())))
    future = xr.DataTree.from_dict(
        {
            "predictions": predictions,
            "dosing": dosing(plans, times, patient.history.units.amount),
            "constant_data": constant,
        }
    )
    future.attrs = as_attribute(
        {
            "versions": versions(),
            "random_seed": random_seed,
            "regimens": {name: str(regimen) for name, regimen in regimens.items()},
            "starts": {name: float(regimen.dose_times()[0]) for name, regimen in regimens.items()},
            "units": {"time": patient.time_unit, **units},
            "n_subjects": 1,
            "subjects": f"patient {patient.label}, continuing the doses already given",
            "draws": posterior.sizes["chain"] * posterior.sizes["draw"],
            "residual": residual,
            "change": [],
            "study": read_facts(patient.tree)["study"],
            "how": patient.how,
        }
    )
    return future


def dosing(plans: Mapping[str, Study], times: np.ndarray, unit: str) -> xr.Dataset:
    """Count the doses from the first of the times, included, to the last, and add up their amounts."""
    counts, amounts = [], []
    for plan in plans.values():
        doses = plan.table[plan.table["EVID"].isin((1, 4)) & (plan.table["AMT"] > 0)]
        given = [
            dose.AMT
            for dose in doses.itertuples()
            for k in range(dose.ADDL + 1)
            if times[0] <= dose.TIME + k * dose.II < times[-1]
        ]
        counts.append(len(given))
        amounts.append([sum(given)])
    return xr.Dataset(
        {
            "n_doses": ("regimen", counts, {"units": ""}),
            "amount_given": (("regimen", "subject"), np.array(amounts, dtype=float), {"units": unit}),
        },
        {"regimen": list(plans), "subject": list(next(iter(plans.values())).subjects)},
    )


def last_covariates(history: Study, plan: Study) -> xr.Dataset:
    """Give the covariates that hold at the end of a plan."""
    last = plan.table.iloc[-1]
    known = {
        name: ("subject", [float(last[name])], {"units": history.units.covariates.get(name, "")})
        for name in history.covariates
    }
    return xr.Dataset(known, {"subject": list(history.subjects)})
