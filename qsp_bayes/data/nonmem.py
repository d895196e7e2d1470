"""Read a study from a NONMEM-style file or data frame."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from qsp_bayes.data.cells import Cells, read_cells
from qsp_bayes.data.columns import RESERVED, check_columns, with_aliases
from qsp_bayes.data.covariates import carry_covariates, covariate_columns
from qsp_bayes.data.event_rules import check_records
from qsp_bayes.data.names import compartment_names, distinct_names, output_names
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.record_columns import record_columns
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import units_of_columns
from qsp_bayes.errors import DataError


def read_nonmem(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    units: Mapping[str, Any],
    outputs: str | Mapping[Any, str],
    compartments: str | Mapping[Any, str] | None = None,
    covariates: Iterable[str] | None = None,
    carry: Literal["nocb", "locf"] = "nocb",
    interpolated: Iterable[str] = (),
    name: str | None = None,
    title: str = "",
    provenance: Provenance = Provenance(),  # noqa: B008 (frozen)
) -> Study:
    """Read a study: one record per row, NONMEM's columns.

    Columns are ``ID TIME DV AMT RATE DUR EVID CMT II ADDL SS MDV DVID OCC CENS LIMIT`` in any case; ``BLQ``
    is read as CENS. With a column ``LLOQ`` the DV of a record with CENS 1 becomes the LLOQ, and in a file
    without CENS every observation below its LLOQ is taken as censored. ``.``, ``NA``, ``NaN`` and nothing are
    missing. Where EVID is missing it is 1 for records with AMT, RATE or SS, 2 for other records with MDV 1,
    and 0 for the rest; where MDV is missing it is 0 for records with EVID 0 and a DV, and 1 for the rest.

    Parameters
    ----------
    source : path or pandas.DataFrame
        A comma-separated UTF-8 file with a header, or a data frame.
    units : mapping
        Unit by column: ``{"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"}``. With several outputs
        ``"DV"`` holds a unit for each, ``{"DV": {"Cc": "mg/L", "effect": "percent"}}``. A covariate without
        unit is a plain number.
    outputs : str or mapping
        Name of the single output, or names by code, ``{2: "Cc"}``: codes of DVID where the file has it, else
        of CMT.
    compartments : str or mapping, optional
        Name of the single compartment that is dosed, or names by CMT code, ``{1: "depot", 2: "central"}``.
        The file may hold the names themselves. Not needed without doses.
    covariates : iterable of str, optional
        Covariate columns; by default all that are not listed above. Given a list, the other columns are kept
        in the records as text.
    carry : {"nocb", "locf"}
        How covariates go from record to record: the value of a record applies back to the record before it
        (next observation carried backward, NONMEM's convention), or forward (last observation carried
        forward). Missing cells are filled the same way, then from the other side, and counted in the notes.
    interpolated : iterable of str
        Covariates whose missing cells are filled linearly in time instead, for a system that goes on so between
        records (its `interpolated`).
    name, title : str, optional
        The name is by default that of the file.
    provenance : Provenance, optional
        Where the data come from.

    Returns
    -------
    Study
        The study; every record of the file is in it.

    Raises
    ------
    DataError
        Naming file, row, column, what was expected and what to do.
    UnitsError
        If a unit is missing, unknown or contradictory.

    References
    ----------
    Beal SL, Sheiner LB, Boeckmann AJ, Bauer RJ. NONMEM Users Guides, part V and VIII (event records).

    Examples
    --------
    >>> import pandas as pd
    >>> study = read_nonmem(
    ...     pd.DataFrame({"ID": 1, "TIME": [0, 1, 2], "AMT": [100, None, None], "DV": [None, 4.2, 3.1],
    ...                   "CMT": [1, 2, 2], "WT": 70.0}),
    ...     units={"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"},
    ...     compartments={1: "depot", 2: "central"}, outputs="Cc", name="example",
    ... )
    >>> study.records[["ID", "TIME", "EVID", "AMT", "DV", "COMPARTMENT", "OUTPUT"]]
      ID  TIME  EVID    AMT   DV COMPARTMENT OUTPUT
    0  1   0.0     1  100.0  NaN       depot
    1  1   1.0     0    0.0  4.2                 Cc
    2  1   2.0     0    0.0  3.1                 Cc
    """
    if carry not in ("nocb", "locf"):
        raise DataError(f"carry is {carry!r}", "'nocb' or 'locf'", "choose how covariates are carried")
    cells = with_aliases(read_cells(source))
    check_columns(cells, all_covariates=covariates is None, doses=compartments is not None)
    chosen = covariate_columns(cells, covariates)
    names = distinct_names(outputs)
    study_units = units_of_columns(units, cells.columns, names, chosen)

    labels = subject_labels(cells)
    columns, notes = record_columns(cells, pd.factorize(labels)[0])
    check_records(cells, columns)
    occasion = cells.whole_numbers("OCC", "a whole number", absent=np.nan if "OCC" in cells else 1)
    cells.refuse(
        np.isnan(occasion),
        "OCC",
        "the occasion is missing",
        "a whole number",
        "number every record's occasion",
    )

    values = {column: cells.numbers(column) for column in chosen}
    linearly = covariate_columns(cells, interpolated)
    if strangers := [column for column in linearly if column not in chosen]:
        cells.refuse_column(
            strangers[0], "it is interpolated, but no covariate", f"one of {', '.join(chosen) or 'none'}",
            "add it to covariates",
        )  # fmt: skip
    carried, more_notes = carry_covariates(cells, values, columns.subject, columns.TIME, carry, linearly)
    table = pd.DataFrame(
        {
            "ID": labels,
            "TIME": columns.TIME,
            "EVID": columns.EVID.astype(np.int64),
            "AMT": np.nan_to_num(columns.AMT),
            "RATE": columns.RATE,
            "DUR": columns.DUR,
            "II": columns.II,
            "ADDL": columns.ADDL.astype(np.int64),
            "SS": columns.SS.astype(np.int64),
            "MDV": columns.MDV.astype(np.int64),
            "DV": columns.DV,
            "CENS": columns.CENS.astype(np.int64),
            "LIMIT": columns.LIMIT,
            "OCC": occasion.astype(np.int64),
            "COMPARTMENT": compartment_names(cells, columns, compartments),
            "OUTPUT": output_names(cells, columns, outputs),
            **carried,
            **{
                column: cells.text(column)
                for column in cells.columns
                if column not in RESERVED and column not in chosen
            },
            "FILE_ROW": cells.rows.astype(np.int64),
        }
    )
    table = table.astype({column: "str" for column in table.columns if table[column].dtype == object})
    return Study(
        name=name or (Path(cells.name).stem if cells.sha256 else "study"),
        title=title,
        table=table,
        units=study_units,
        compartments=distinct_names(compartments),
        outputs=names,
        covariates=chosen,
        carry=carry,
        provenance=dataclasses.replace(
            provenance,
            notes=(*provenance.notes, *notes, *more_notes),
            file=cells.name if cells.sha256 else "",
            sha256=cells.sha256,
        ),
    )


def subject_labels(cells: Cells) -> np.ndarray:
    """Subject of each record; each subject's records stand together."""
    labels = cells.text("ID")
    cells.refuse(
        labels == "", "ID", "the subject is missing", "a label or number", "state the subject of every record"
    )
    starts = np.ones(len(labels), dtype=bool)
    starts[1:] = labels[1:] != labels[:-1]
    again = np.zeros(len(labels), dtype=bool)
    again[starts] = pd.Series(labels[starts]).duplicated().to_numpy()
    cells.refuse(
        again,
        "ID",
        "subject {cell} begins again after other subjects",
        "the records of a subject in one block",
        "sort the file by ID and TIME, or give different subjects different labels",
    )
    return labels
