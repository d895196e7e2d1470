"""Other designs of a study: more samples, or other doses, for some of its subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.errors import DataError

NOTHING = {
    "EVID": 0, "AMT": 0.0, "RATE": 0.0, "DUR": 0.0, "II": 0.0, "ADDL": 0, "SS": 0, "MDV": 0, "DV": np.nan, "CENS": 0,
    "LIMIT": np.nan, "COMPARTMENT": "", "OUTPUT": "",
}  # fmt: skip


def with_samples(
    study: Study,
    times: Iterable[float],
    subjects: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> Study:
    """Give the study with observations that are still to be made.

    A sample at the time of a dose stands before it (a trough), but after a dose that sets a steady state. Occasion and
    covariates are those of the next record, or the last one where covariates are carried forward.

    Parameters
    ----------
    study : Study
    times : iterable of float
    subjects : sequence of str, optional
        All where left out.
    outputs : sequence of str, optional
        All where left out.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> study = load_dataset("theophylline")
    >>> with_samples(study, [3.0, 48.0], subjects=["1", "2"]).n_observations - study.n_observations
    4
    """
    grid = [float(time) for time in times]
    if not np.isfinite(grid).all() or min(grid, default=0.0) < 0:
        raise DataError(f"times of samples are {grid}", "finite times from 0 upwards", "correct times")
    chosen = study.outputs if outputs is None else outputs
    rows = [{"TIME": time, "OUTPUT": output} for time in grid for output in chosen]
    return with_records(study, rows, subjects)


def with_regimen(study: Study, regimen: Regimen, subjects: Sequence[str] | None = None) -> Study:
    """Give the study with the doses of a regimen in place of those of some subjects.

    Raises
    ------
    DataError, UnitsError
        For a compartment that the study does not dose, and for units that are not the study's.
    """
    regimen.check_units(study.units)
    for compartment in regimen.compartments:
        if compartment not in study.compartments:
            raise DataError(
                f"the regimen doses into {compartment!r}",
                f"one of {', '.join(study.compartments)}",
                "correct into=",
            )
    chosen = list(study.subjects if subjects is None else subjects)
    dosed = study.table["EVID"].isin((1, 4)) & study.table["ID"].isin(chosen)
    bare = replace(study, table=study.table[~dosed])
    baseline = study.table.drop_duplicates("ID").set_index("ID")[list(study.covariates)]
    amounts = np.stack([course.amounts(baseline.loc[chosen]) for course in regimen.courses], axis=1)
    doses = regimen.records()
    for row, subject in enumerate(chosen):
        own = doses.assign(AMT=amounts[row, doses["course"].to_numpy()], EVID=1, MDV=1).drop(columns="course")
        bare = with_records(bare, own.to_dict("records"), [subject])
    return bare


def with_records(
    study: Study, rows: Sequence[dict[str, object]], subjects: Sequence[str] | None = None
) -> Study:
    """Give the study with the same new records for each of some subjects, in their place in time."""
    chosen = set(study.subjects if subjects is None else map(str, subjects))
    if unknown := chosen.difference(study.subjects):
        raise DataError(
            f"study {study.name!r} has no subject {', '.join(sorted(unknown))}",
            f"labels among {', '.join(study.subjects[:8])}",
            "see study.subjects",
        )
    parts = []
    for subject, own in study.table.groupby("ID", sort=False):
        parts.append(inserted(own, rows, study.carry) if subject in chosen else own)
    table = pd.concat(parts, ignore_index=True)
    return replace(study, table=table.astype(study.table.dtypes.to_dict()))


def inserted(own: pd.DataFrame, rows: Sequence[dict[str, object]], carry: str) -> pd.DataFrame:
    """Insert records into those of one subject."""
    time = own["TIME"].to_numpy()
    gives = ((own["EVID"] != 0) & (own["SS"] == 0)).to_numpy()
    places, new = [], []
    for row in rows:
        at = time == row["TIME"]
        if row.get("SS", 0):
            after = at | (time > row["TIME"])
        elif row.get("EVID", 0):
            after = time > row["TIME"]
        else:
            after = (at & gives) | (time > row["TIME"])
        place = int(np.argmax(after)) if after.any() else len(own)
        like = own.iloc[min(place, len(own) - 1) if carry == "nocb" else max(place - 1, 0)].to_dict()
        new.append({**like, **NOTHING, **row})
        places.append(place)
    order = np.concatenate([np.arange(len(own)) + 0.5, np.array(places, float)])
    both = pd.concat([own, pd.DataFrame(new, columns=own.columns)], ignore_index=True)
    # New records of one place keep their order in time; half numbers leave room before each old record.
    rank = pd.DataFrame({"place": order, "time": both["TIME"]}).sort_values(["place", "time"], kind="stable")
    return both.loc[rank.index]
