"""Which columns a study file may have, what else they are called, and which are refused."""

from __future__ import annotations

import dataclasses

from qsp_bayes.data.cells import Cells
from qsp_bayes.data.words import close_names

RESERVED = (
    *("ID", "TIME", "DV", "AMT", "RATE", "DUR", "EVID", "CMT", "II", "ADDL", "SS", "MDV"),
    *("DVID", "OCC", "CENS", "LIMIT", "LLOQ"),
)

ALIASES = {"BLQ": "CENS"}

# Names under which the reserved columns are often met. They are pointed out, never taken silently.
OFTEN_CALLED = {
    "ID": ("SUBJECT", "SUBJ", "SUBJID", "USUBJID", "PATIENT"),
    "TIME": ("T", "HOUR", "HOURS", "TIME_H", "TAFD"),
    "DV": ("CONC", "CONCENTRATION", "Y", "VALUE", "OBS", "CP"),
    "AMT": ("DOSE", "AMOUNT"),
    "RATE": ("INFRATE",),
    "DUR": ("DURATION", "TINF"),
    "CMT": ("COMPARTMENT", "CMPT"),
    "II": ("INTERVAL", "TAU"),
    "DVID": ("YTYPE", "OUTPUT"),
    "OCC": ("OCCASION",),
    "EVID": ("EVENT",),
}

REFUSED = {
    **dict.fromkeys(("DATE", "DAT1", "DAT2", "DAT3"), "compute the elapsed TIME and leave the dates out"),
    **dict.fromkeys(("CALL", "CONT", "PCMT", "L1", "L2"), "it has no counterpart here; leave the column out"),
    **dict.fromkeys(("FILE_ROW",), "the name is used for the row of the file; rename the column"),
}


def with_aliases(cells: Cells) -> Cells:
    """Give alias columns their proper name."""
    columns = dict(cells.columns)
    for alias, column in ALIASES.items():
        if alias in columns and column in columns:
            cells.refuse_column(
                alias, f"the file holds {alias} and {column}, which are the same", "one of them", "delete one"
            )
    return dataclasses.replace(
        cells, columns={ALIASES.get(name, name): values for name, values in columns.items()}
    )


def check_columns(cells: Cells, *, all_covariates: bool, doses: bool) -> None:
    """Refuse files without a needed column, with an unsupported one, or with a needed one under another name.

    Parameters
    ----------
    cells : Cells
        The file.
    all_covariates : bool
        Whether every further column is to be a covariate, so that a misspelled column would become one.
    doses : bool
        Whether compartments are named, so that doses are expected.
    """
    for column, cure in REFUSED.items():
        if column in cells:
            cells.refuse_column(column, "this column is not supported", "no such column", cure)
    further = [column for column in cells.columns if column not in RESERVED]
    needed = ("ID", "TIME", "DV", *(("AMT",) if doses or has_doses(cells) else ()))
    for column in needed:
        if column not in cells:
            called = [name for name in OFTEN_CALLED[column] if name in further]
            hint = f" (is it {called[0]!r}?)" if called else close_names(column, further)
            cells.refuse_column(
                column,
                f"the column is missing{hint}; columns are {', '.join(cells.columns)}",
                f"a column {column}",
                f"name the column {column}",
            )
    for column, names in OFTEN_CALLED.items():
        called = [name for name in names if name in further]
        if all_covariates and called and column not in cells:
            cells.refuse_column(
                called[0],
                f"there is no {column}, and {called[0]} would be read as a covariate",
                f"the column name {column}, or a list of the covariates",
                f"rename {called[0]} to {column}, or list the covariates, covariates=[...]",
            )


def has_doses(cells: Cells) -> bool:
    """Whether EVID marks a dose."""
    return "EVID" in cells and bool(set(cells.text("EVID")) & {"1", "4"})
