"""Covariate columns of a file: which they are, and how their values go from record to record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    cells: Cells, values: Mapping[str, np.ndarray], subject: np.ndarray, carry: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Fill missing cells of covariates within each subject, and say how many."""
    carried, notes = {}, []
    for column, given in values.items():
        missing = int(np.isnan(given).sum())
        filled = given
        if missing:
            by_subject = pd.Series(given).groupby(subject)
            first, then = ("bfill", "ffill") if carry == "nocb" else ("ffill", "bfill")
            filled = getattr(by_subject, first)().groupby(subject).transform(then).to_numpy()
            cells.refuse(
                np.isnan(filled),
                column,
                "the subject has no value of this covariate",
                "a number in at least one record of each subject",
                "state the value, or leave the column out with covariates=[...]",
            )
            notes.append(
                f"{column}: {counted(missing, 'missing cell')} filled within the subject ({carry.upper()})"
            )
        carried[column] = filled
    return carried, notes
