"""Covariate columns of a file: which they are, and how their values go from record to record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from qsp_bayes.data.cells import Cells
from qsp_bayes.data.columns import RESERVED
from qsp_bayes.data.words import close_names, counted


def covariate_columns(cells: Cells, covariates: Iterable[str] | None) -> tuple[str, ...]:
    """Names of the covariate columns, in the order of the file or of the list."""
    free = [column for column in cells.columns if column not in RESERVED]
    if covariates is None:
        return tuple(free)
    chosen = tuple(str(column).upper() for column in covariates)
    for column in chosen:
        if column not in free:
            cells.refuse_column(
                column,
                f"there is no such covariate column{close_names(column, free)}",
                f"a column among {', '.join(free) or 'none'}",
                "correct the name in covariates",
            )
    return chosen


def carry_covariates(
    cells: Cells,
    values: Mapping[str, np.ndarray],
    subject: np.ndarray,
    time: np.ndarray,
    carry: str,
    interpolated: Collection[str],
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Fill missing cells of covariates within each subject, and say how many.

    Those of `interpolated` covariates are filled linearly in time; before the first value and after the last they are
    that value.
    """
    carried, notes = {}, []
    for column, given in values.items():
        missing = int(np.isnan(given).sum())
        filled = given
        if missing and column in interpolated:
            filled = interpolate(given, subject, time)
        elif missing:
            by_subject = pd.Series(given).groupby(subject)
            first, then = ("bfill", "ffill") if carry == "nocb" else ("ffill", "bfill")
            filled = getattr(by_subject, first)().groupby(subject).transform(then).to_numpy()
        if missing:
            cells.refuse(
                np.isnan(filled),
                column,
                "the subject has no value of this covariate",
                "a number in at least one record of each subject",
                "state the value, or leave the column out with covariates=[...]",
            )
            way = "linearly in time" if column in interpolated else carry.upper()
            notes.append(f"{column}: {counted(missing, 'missing cell')} filled within the subject ({way})")
        carried[column] = filled
    return carried, notes


def interpolate(given: np.ndarray, subject: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Fill missing values linearly in time within each subject.

    Examples
    --------
    >>> interpolate(np.array([np.nan, 1, np.nan, 4]), np.zeros(4), np.array([0.0, 1, 2, 4]))
    array([1., 1., 2., 4.])
    """
    filled, known = given.copy(), ~np.isnan(given)
    for label in np.unique(subject):
        own = subject == label
        if (own & known).any():
            filled[own & ~known] = np.interp(time[own & ~known], time[own & known], given[own & known])
    return filled
