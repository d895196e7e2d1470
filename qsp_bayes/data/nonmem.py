"""Read a study from a NONMEM-style file or data frame."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from qsp_bayes.data.cells import Cells, close_names, read_cells
from qsp_bayes.data.columns import RESERVED, check_columns, with_aliases
from qsp_bayes.data.event_rules import RecordColumns, check_records
from qsp_bayes.data.provenance import Provenance
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
    name: str | None = None,
    title: str = "",
    provenance: Provenance | None = None,
) -> Study:
    """Read a study: one record per row, NONMEM's columns.

    Columns are ``ID TIME DV AMT RATE DUR EVID CMT II ADDL SS MDV DVID OCC CENS LIMIT`` in any case; ``BLQ`` is read as
    CENS. With a column ``LLOQ`` the DV of a record with CENS 1 becomes the LLOQ, and in a file without CENS every
    observation below its LLOQ is taken as censored. ``.``, ``NA``, ``NaN`` and nothing are missing. Where EVID is
    missing it is 1 for records with AMT, RATE or SS, 2 for other records with MDV 1, and 0 for the rest; where MDV is
    missing it is 0 for records with EVID 0 and a DV, and 1 for the rest.

    Parameters
    ----------
    source : path or pandas.DataFrame
        A comma-separated UTF-8 file with a header, or a data frame.
    units : mapping
        Unit by column: ``{"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"}``. With several outputs ``"DV"`` holds a
        unit for each, ``{"DV": {"Cc": "mg/L", "effect": "percent"}}``. A covariate without unit is a plain number.
    outputs : str or mapping
        Name of the single output, or names by code, ``{2: "Cc"}``: codes of DVID where the file has it, else of CMT.
    compartments : str or mapping, optional
        Name of the single compartment that is dosed, or names by CMT code, ``{1: "depot", 2: "central"}``. The file
        may hold the names themselves. Not needed without doses.
    covariates : iterable of str, optional
        Covariate columns; by default all that are not listed above. Given a list, the other columns are kept in the
        records as text.
    carry : {"nocb", "locf"}
        How covariates go from record to record: the value of a record applies back to the record before it (next
        observation carried backward, NONMEM's convention), or forward (last observation carried forward). Missing
        cells are filled the same way, then from the other side, and counted in the notes.
    name, title : str, optional
        By default the file's name.
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
    output_names = (outputs,) if isinstance(outputs, str) else tuple(dict.fromkeys(outputs.values()))
    study_units = units_of_columns(units, cells.columns, output_names, chosen)

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
    carried, more_notes = carry_covariates(cells, values, columns.subject, carry)
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
            "OUTPUT": output_column(cells, columns, outputs),
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
    provenance = provenance or Provenance()
    return Study(
        name=name or (cells.name if isinstance(source, pd.DataFrame) else Path(source).stem),
        title=title,
        table=table,
        units=study_units,
        compartments=used_compartments(compartments, table["COMPARTMENT"]),
        outputs=output_names,
        covariates=chosen,
        carry=carry,
        provenance=dataclasses.replace(
            provenance,
            notes=(*provenance.notes, *notes, *more_notes),
            file="" if isinstance(source, pd.DataFrame) else cells.name,
            sha256=""
            if isinstance(source, pd.DataFrame)
            else hashlib.sha256(Path(source).read_bytes()).hexdigest(),
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


def record_columns(cells: Cells, subject: np.ndarray) -> tuple[RecordColumns, list[str]]:
    """Read the numeric columns and derive EVID, MDV and CENS where they are missing."""
    amount, rate, duration = cells.numbers("AMT"), cells.numbers("RATE", 0.0), cells.numbers("DUR", 0.0)
    steady_state = cells.whole_numbers("SS", "0, 1 or 2")
    value = cells.numbers("DV")
    mdv_given = cells.whole_numbers("MDV", "0 or 1", absent=np.nan)
    evid = cells.whole_numbers("EVID", "0, 1, 2, 3 or 4", absent=np.nan)
    doses = (np.nan_to_num(amount) != 0) | (rate != 0) | (steady_state != 0)
    evid = np.where(np.isnan(evid), np.where(doses, 1.0, np.where(mdv_given == 1, 2.0, 0.0)), evid)

    notes = []
    censored = cells.whole_numbers("CENS", "-1, 0 or 1", absent=0.0)
    if "LLOQ" in cells:
        lower = cells.numbers("LLOQ")
        if "CENS" not in cells:
            censored = np.where((evid == 0) & (value < lower), 1.0, 0.0)
            notes.append(f"{int(censored.sum())} observations below their LLOQ are taken as censored")
        value = np.where((censored == 1) & ~np.isnan(lower), lower, value)
    mdv = np.where(np.isnan(mdv_given), np.where((evid == 0) & ~np.isnan(value), 0.0, 1.0), mdv_given)
    # A missing value that is marked as censored must be reported, not taken for an absent observation.
    mdv = np.where(np.isnan(mdv_given) & (evid == 0) & (censored != 0), 0.0, mdv)
    columns = RecordColumns(
        subject=subject,
        TIME=cells.numbers("TIME"),
        EVID=evid,
        AMT=amount,
        RATE=rate,
        DUR=duration,
        II=cells.numbers("II", 0.0),
        ADDL=cells.whole_numbers("ADDL", "a whole number"),
        SS=steady_state,
        MDV=mdv,
        MDV_given=mdv_given,
        DV=value,
        CENS=censored,
        LIMIT=cells.numbers("LIMIT"),
    )
    return columns, notes


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
            notes.append(f"{column}: {missing} missing cells filled within the subject ({carry.upper()})")
        carried[column] = filled
    return carried, notes


def compartment_names(
    cells: Cells, columns: RecordColumns, compartments: str | Mapping[Any, str] | None
) -> np.ndarray:
    """Name of the compartment that each dose goes into; ``""`` for other records."""
    if isinstance(compartments, str):
        return np.where(columns.dose, compartments, "").astype(object)
    codes = cells.text("CMT") if "CMT" in cells else np.full(len(cells), "", dtype=object)
    known = {str(code): str(label) for code, label in (compartments or {}).items()}
    cells.refuse(
        columns.dose & ((codes == "") | ((codes == "0") & ("0" not in known))),
        "CMT",
        "a dose without compartment",
        "the code or name of the compartment",
        "fill CMT, or name the single compartment that is dosed, compartments='depot'",
    )
    return named(cells, "CMT", codes, columns.dose, known, "compartments", "depot")


def output_column(cells: Cells, columns: RecordColumns, outputs: str | Mapping[Any, str]) -> np.ndarray:
    """Name of the output that each record with EVID 0 belongs to; ``""`` for other records."""
    column = "DVID" if "DVID" in cells else "CMT"
    codes = cells.text(column) if column in cells else np.full(len(cells), "", dtype=object)
    if isinstance(outputs, str):
        found = sorted(set(codes[columns.observed]) - {""})
        if len(found) > 1:
            cells.refuse_column(
                column,
                f"observations have {column} {', '.join(found)} and the only output is {outputs!r}",
                "a name for each code",
                f"write outputs={{{found[0]!r}: {outputs!r}, {found[1]!r}: '...'}}",
            )
        return np.where(columns.EVID == 0, outputs, "").astype(object)
    known = {str(code): str(label) for code, label in outputs.items()}
    cells.refuse(
        columns.observed & (codes == ""),
        column,
        "an observation without output",
        f"a code or name of outputs ({', '.join(known)})",
        f"fill {column}, or name the single output, outputs='Cc'",
    )
    # A record with MDV 1 observes nothing, so its code need not be one of the outputs.
    other = (columns.EVID == 0) & ~columns.observed & np.isin(codes, [*known, *known.values()])
    return named(cells, column, codes, columns.observed | other, known, "outputs", "Cc")


def named(
    cells: Cells,
    column: str,
    codes: np.ndarray,
    where: np.ndarray,
    known: Mapping[str, str],
    what: str,
    example: str,
) -> np.ndarray:
    """Turn codes into names at the records `where`; names in the file stand for themselves."""
    spelled = {**{name: name for name in known.values()}, **known}
    cells.refuse(
        where & ~np.isin(codes, list(spelled)),
        column,
        f"{{cell}} is not one of {what}",
        f"one of {', '.join(f'{code} ({name})' for code, name in known.items())}"
        if known
        else f"a name for the code",
        f"name the code when reading, {what}={{1: {example!r}, ...}}, or correct the cell",
    )
    return np.array(
        [spelled[code] if here else "" for code, here in zip(codes, where, strict=True)], dtype=object
    )


def used_compartments(compartments: str | Mapping[Any, str] | None, given: pd.Series) -> tuple[str, ...]:
    """Compartments in the order they are declared, those that receive no dose included."""
    if isinstance(compartments, str):
        return (compartments,)
    return tuple(dict.fromkeys((compartments or {}).values()))
