"""Dosing: what each regimen gives each subject, and the dataset that measures and utilities see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import CalibrationError

FACTS = ("n_doses", "amount_given")


def dosing(
    regimens: Mapping[str, Regimen], subjects: Subjects, times: np.ndarray, amount_unit: str
) -> xr.Dataset:
    r"""Count the doses of each regimen, and add up their amounts, over the times of a simulation.

    .. math:: n_d = \#\{k : t_0 \le t_k < t_1, a_k > 0\}, \qquad A_{di} = \sum_{t_0 \le t_k < t_1} a_{ki}

    An infusion counts, with all its amount, at the time at which it starts. Doses of amount 0 (placebo) do not count,
    nor do those that a steady state supposes before its first dose.

    Parameters
    ----------
    regimens : mapping of str to Regimen
    subjects : Subjects
        Their covariates scale amounts that are given `per` one.
    times : array
        The first and the last are :math:`t_0` and :math:`t_1`.
    amount_unit : str
        Unit of the amounts.

    Returns
    -------
    xarray.Dataset
        ``n_doses`` (regimen) and ``amount_given`` (regimen, subject), each with the attribute ``units``.

    Examples
    --------
    >>> import pandas as pd
    >>> subjects = Subjects(pd.DataFrame({"WT": [60.0, 80.0]}, index=["light", "heavy"]), {"WT": "kg"}, "given")
    >>> regimen = Regimen(5, unit="mg/kg", per="WT", every=12, until=48)
    >>> given = dosing({"5 mg/kg": regimen}, subjects, np.array([0.0, 12.0, 24.0]), "mg")
    >>> given["n_doses"].values, given["amount_given"].values
    (array([2]), array([[600., 800.]]))
    """
    n_doses = np.zeros(len(regimens), dtype=np.int64)
    amounts = np.zeros((len(regimens), len(subjects)))
    for row, regimen in enumerate(regimens.values()):
        records = regimen.records()
        counted = records[
            (records["TIME"] >= times[0]) & (records["TIME"] < times[-1]) & (records["AMT"] > 0)
        ]
        n_doses[row] = len(counted)
        for position, count in counted["course"].value_counts().items():
            amounts[row] += count * regimen.courses[position].amounts(subjects.table)
    return xr.Dataset(
        {
            "n_doses": ("regimen", n_doses, {"units": ""}),
            "amount_given": (("regimen", "subject"), amounts, {"units": amount_unit}),
        },
        {"regimen": list(regimens), "subject": list(subjects.labels)},
    )


def covariates_of(subjects: Subjects) -> xr.Dataset:
    """Give the covariates of subjects, each (subject) with the attribute ``units``."""
    columns = {
        str(name): ("subject", column.to_numpy(dtype=float), {"units": subjects.units[str(name)]})
        for name, column in subjects.table.items()
    }
    return xr.Dataset(columns, {"subject": list(subjects.labels)})


def check_names(outputs: Iterable[str], covariates: Iterable[str], measures: Iterable[str] = ()) -> None:
    """Require that outputs, facts of the dosing, covariates and measures have names of their own.

    Measures and utilities find all of them in one dataset.

    Raises
    ------
    CalibrationError
        Naming what is there twice.
    """
    kinds: dict[str, list[str]] = {}
    dims = ("chain", "draw", "regimen", "subject", "time")
    groups = {
        "an output": outputs,
        "a covariate": covariates,
        "a fact of the dosing": FACTS,
        "a dimension": dims,
        "a measure": measures,
    }
    for kind, names in groups.items():
        for name in names:
            kinds.setdefault(name, []).append(kind)
    for name, several in kinds.items():
        if len(several) > 1:
            raise CalibrationError(
                f"{name!r} is the name of {' and of '.join(several)}: a utility could not tell them apart in "
                f"x[{name!r}]. Rename one of them."
            )


def with_facts(simulated: xr.Dataset, given: xr.Dataset, covariates: xr.Dataset) -> xr.Dataset:
    """Add to simulated paths, or measures, the facts of the dosing and the covariates of the same individuals."""
    facts = {**given.data_vars, **covariates.data_vars}
    return simulated.assign({name: values.variable for name, values in facts.items()})
