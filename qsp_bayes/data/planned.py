"""A planned study: the design that a regimen makes of subjects and a grid of times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.data.words import close_names
from qsp_bayes.errors import DataError
from qsp_bayes.units import require_same_unit

NOTHING: dict[str, Any] = {
    "EVID": 0,
    "AMT": 0.0,
    "RATE": 0.0,
    "DUR": 0.0,
    "II": 0.0,
    "ADDL": 0,
    "SS": 0,
    "MDV": 0,
    "DV": np.nan,
    "CENS": 0,
    "LIMIT": np.nan,
    "COMPARTMENT": "",
    "OUTPUT": "",
}
"""What a record holds that neither doses nor observes."""


def planned_study(
    regimen: Regimen,
    subjects: Subjects | pd.DataFrame,
    times: Iterable[float],
    *,
    units: StudyUnits,
    outputs: Sequence[str] | None = None,
    compartments: Sequence[str] | None = None,
    name: str = "planned",
) -> Study:
    """Give every subject the doses of a regimen, and observation times without values.

    For each output ``study.rows[output]`` covers the grid subject by subject, so that a prediction over the
    rows reshapes to ``(len(subjects), len(times))``. At the time of a dose the observation stands before it
    (a trough); only a dose that sets a steady state stands before the observation, which then shows that
    steady state.

    Parameters
    ----------
    regimen : Regimen
        The doses; amounts ``per`` a covariate are worked out for each subject.
    subjects : Subjects or pandas.DataFrame
        Covariates, one row per subject; the index of a data frame holds the labels.
    times : iterable of float
        Increasing times of observation, from 0 upwards.
    units : StudyUnits
        Units of the study the model was built on; the regimen is checked against them.
    outputs : sequence of str, optional
        What is observed; by default all outputs of `units`.
    compartments : sequence of str, optional
        Names of the compartments that may be dosed; by default those of the regimen.
    name : str
        Name of the study.

    Returns
    -------
    Study
        With ``is_planned`` true.

    Raises
    ------
    DataError, UnitsError
        For unordered times, unknown compartments, or units that do not match.

    Examples
    --------
    >>> subjects = pd.DataFrame({"WT": [60.0, 80.0]}, index=["light", "heavy"])
    >>> study = planned_study(
    ...     Regimen(5, unit="mg/kg", per="WT", every=12, until=24), subjects, times=[0, 6, 12],
    ...     units=StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"}),
    ... )
    >>> study.records.loc[study.records["ID"] == "light", ["TIME", "EVID", "AMT", "COMPARTMENT", "OUTPUT"]]
       TIME  EVID    AMT COMPARTMENT OUTPUT
    0   0.0     0    0.0                 Cc
    1   0.0     1  300.0       depot
    2   6.0     0    0.0                 Cc
    3  12.0     0    0.0                 Cc
    4  12.0     1  300.0       depot
    """
    if isinstance(subjects, pd.DataFrame):
        subjects = Subjects(subjects, units.covariates, "given covariates")
    for covariate, unit in subjects.units.items():
        if covariate in units.covariates:
            require_same_unit(unit, units.covariates[covariate], f"covariate {covariate}")
    grid = np.asarray(list(times), dtype=np.float64)
    if grid.size == 0 or not np.isfinite(grid).all() or grid[0] < 0 or (np.diff(grid) <= 0).any():
        raise DataError("times of the plan", "at least one time, increasing, from 0 upwards", "correct times")
    outputs = tuple(units.outputs) if outputs is None else tuple(outputs)
    for output in outputs:
        if output not in units.outputs:
            raise DataError(
                f"there is no output {output!r}{close_names(output, units.outputs)}",
                f"one of {', '.join(units.outputs)}",
                "correct outputs",
            )
    units = StudyUnits(
        units.time, units.amount, {output: units.outputs[output] for output in outputs}, subjects.units
    )
    regimen.check_units(units)
    compartments = regimen.compartments if compartments is None else tuple(compartments)
    for compartment in regimen.compartments:
        if compartment not in compartments:
            raise DataError(
                f"the regimen doses into {compartment!r}",
                f"one of {', '.join(compartments)}",
                "correct into=",
            )

    one = records_of_one_subject(regimen, grid, outputs)
    n = len(subjects)
    table = one.iloc[np.tile(np.arange(len(one)), n)].reset_index(drop=True)
    dosed = one["EVID"].to_numpy() == 1
    amounts = np.stack([course.amounts(subjects.table) for course in regimen.courses], axis=1)
    amount_by_record = np.where(dosed, amounts[:, one["course"].to_numpy()], 0.0)
    table["AMT"] = amount_by_record.ravel()
    table.insert(0, "ID", np.repeat(np.array(subjects.labels, dtype=object), len(one)))
    for covariate, values in subjects.table.items():
        table[covariate] = np.repeat(values.to_numpy(), len(one))
    table["FILE_ROW"] = np.arange(len(table))
    return Study(
        name=name,
        title=str(regimen),
        table=table.drop(columns="course").astype({"ID": "str", "COMPARTMENT": "str", "OUTPUT": "str"}),
        units=units,
        compartments=compartments,
        outputs=outputs,
        covariates=tuple(subjects.table.columns),
        provenance=Provenance(notes=(f"planned design: {regimen}", f"subjects: {subjects.origin}")),
    )


def records_of_one_subject(regimen: Regimen, grid: np.ndarray, outputs: tuple[str, ...]) -> pd.DataFrame:
    """Doses and observations of one subject, sorted; `course` says which course a dose belongs to."""
    doses = regimen.records().assign(EVID=1, MDV=1, OUTPUT="")
    doses["order"] = np.where(doses["SS"] > 0, 0, 2)
    observations = pd.DataFrame(
        {
            **NOTHING,
            "TIME": np.repeat(grid, len(outputs)),
            "OUTPUT": np.tile(outputs, len(grid)),
            "course": 0,
            "order": 1,
        }
    )
    both = pd.concat([observations, doses], ignore_index=True).sort_values(["TIME", "order"], kind="stable")
    both = both.assign(DV=np.nan, CENS=0, LIMIT=np.nan, OCC=1)
    columns = ("TIME", "EVID", "AMT", "RATE", "DUR", "II", "ADDL", "SS", "MDV", "DV", "CENS", "LIMIT", "OCC")
    return both[[*columns, "COMPARTMENT", "OUTPUT", "course"]].reset_index(drop=True)
