"""More records of one person: another visit joins those there are."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qsp_bayes.data.study import Study
from qsp_bayes.errors import DataError
from qsp_bayes.units import require_same_unit

SAME = ["TIME", "EVID", "COMPARTMENT", "OUTPUT", "AMT"]
"""What tells one record from another."""


def with_more_records(history: Study, more: Study) -> Study:
    """Put further records of a person among those there are, by time.

    Parameters
    ----------
    history, more : Study
        Of the same person, on the same clock.

    Returns
    -------
    Study
        At equal times those of the history come first.

    Raises
    ------
    DataError, UnitsError
        For another person, covariates that are missing, other units, or records that are there already.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> baby = load_dataset("phenobarbital").subset(["1"])
    >>> late = (baby.records["TIME"] > 100).to_numpy()
    >>> first, second = baby.leave_out(late, "later"), baby.leave_out(~late, "earlier")
    >>> with_more_records(first, second).checksum == baby.checksum
    True
    """
    if more.subjects != history.subjects or history.n_subjects != 1:
        raise DataError(
            f"the new records are of subject {', '.join(more.subjects)}",
            f"records of subject {', '.join(history.subjects)}",
            "choose this subject by study.subset",
        )
    missing = [name for name in history.covariates if name not in more.covariates]
    if missing:
        raise DataError(
            f"the new records lack the covariate {', '.join(missing)}",
            "the covariates of the history",
            "add the column",
        )
    if more.carry != history.carry:
        raise DataError(
            f"the new records carry covariates by {more.carry.upper()}, the history by {history.carry.upper()}",
            "one convention",
            "read both in the same way",
        )
    require_same_unit(more.units.time, history.units.time, "time of the new records")
    require_same_unit(more.units.amount, history.units.amount, "doses of the new records")
    for name in history.covariates:
        require_same_unit(more.units.covariates[name], history.units.covariates[name], f"covariate {name}")
    units = {**more.units.outputs, **history.units.outputs}
    for name, unit in more.units.outputs.items():
        require_same_unit(unit, units[name], f"levels of {name} in the new records")
    twice = more.table.merge(history.table[SAME], on=SAME)
    if len(twice):
        raise DataError(
            f"a record at {twice['TIME'].iloc[0]:g} is in the history already and would count twice",
            "the records of the new visit alone",
            "leave out what is known already",
        )
    table = pd.concat([history.table, more.table[[*history.table.columns]]], ignore_index=True)
    return dataclasses.replace(
        history,
        table=table.sort_values("TIME", kind="stable", ignore_index=True).astype(dict(history.table.dtypes)),
        units=dataclasses.replace(history.units, outputs=units),
        compartments=tuple(dict.fromkeys((*history.compartments, *more.compartments))),
        outputs=tuple(units),
    )
