"""Cells: a comma-separated file or a data frame as columns, with the row of the file of each record."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from qsp_bayes.data.words import close_names, counted
from qsp_bayes.errors import DataError

MISSING = ("", ".", "NA", "NaN", "nan")
CLOCK_OR_DATE = re.compile(r"\d+:\d\d|\d+[-/]\d+[-/]\d+")


@dataclass(frozen=True)
class Cells:
    """Columns of cells as the file holds them, with upper-case names.

    Attributes
    ----------
    name : str
        The file, for messages.
    columns : mapping of str to pandas.Series
        Cells by column.
    rows : array of int
        For each record the row of the file it was read from. The header is row 1. For a data frame, positions
        from 0.
    sha256 : str
        Checksum of the file; ``""`` for a data frame.
    """

    name: str
    columns: Mapping[str, pd.Series]
    rows: np.ndarray
    sha256: str = ""

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __len__(self) -> int:
        return len(self.rows)

    def refuse(self, bad: np.ndarray, column: str, problem: str, expected: str, cure: str) -> None:
        """Raise a `DataError` at the first `bad` record; ``{cell}`` in `problem` stands for its cell."""
        if not bad.any():
            return
        first, others = int(np.argmax(bad)), int(np.count_nonzero(bad)) - 1
        cell = str(self.columns[column].iloc[first]).strip() if column in self else "absent"
        more = f" (and in {counted(others, 'more row')})" if others else ""
        raise DataError(
            problem.replace("{cell}", repr(cell)) + more,
            expected,
            cure,
            file=self.name,
            row=int(self.rows[first]),
            column=column,
        )

    def refuse_column(self, column: str, problem: str, expected: str, cure: str) -> NoReturn:
        """Raise a `DataError` about a column as a whole."""
        raise DataError(problem, expected, cure, file=self.name, row=None, column=column)

    def text(self, column: str) -> np.ndarray:
        """Cells as stripped text, ``""`` where missing; a whole number written ``2.0`` becomes ``2``."""
        cells = self.columns[column]
        codes, unique = pd.factorize(cells, use_na_sentinel=False)
        spelled = [
            "" if pd.isna(value) or str(value).strip() in MISSING else str(value).strip() for value in unique
        ]
        spelled = [re.sub(r"^(-?\d+)\.0*$", r"\1", value) for value in spelled]
        return np.array(spelled, dtype=object)[codes] if len(codes) else np.empty(0, dtype=object)

    def numbers(self, column: str, absent: float = np.nan) -> np.ndarray:
        """Cells as float64, `absent` where missing or where the file has no such column.

        Raises
        ------
        DataError
            At the first cell that is neither a finite number nor missing.
        """
        if column not in self:
            return np.full(len(self), absent)
        cells = self.columns[column]
        if pd.api.types.is_numeric_dtype(cells.dtype):
            values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
            missing = np.isnan(values)
        else:
            text = self.text(column)
            values = pd.to_numeric(pd.Series(text, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
            missing = text == ""
            wrong = np.isnan(values) & ~missing
            if column == "TIME" and wrong.any() and CLOCK_OR_DATE.search(text[int(np.argmax(wrong))]):
                self.refuse(
                    wrong,
                    column,
                    "cell holds a clock time or a date, {cell}",
                    "elapsed time as a number",
                    "compute the time since each subject's first record, in the unit declared for TIME",
                )
            cure = "correct the cell, or write '.' where there is no value"
            if column == "DV":
                cure += "; for a censored value write the limit in DV and 1 (below) or -1 (above) in CENS"
            self.refuse(
                wrong,
                column,
                "cell holds {cell}",
                "a number, or '.', NA or nothing where there is none",
                cure,
            )
        self.refuse(np.isinf(values), column, "cell holds {cell}", "a finite number", "correct the cell")
        return np.where(missing, absent, values)

    def whole_numbers(self, column: str, allowed: str, absent: float = 0.0) -> np.ndarray:
        """Cells as whole numbers (float64, to keep a missing mark), `allowed` naming what may stand there."""
        values = self.numbers(column, absent)
        fractional = ~np.isnan(values) & (values != np.round(values))
        self.refuse(fractional, column, "cell holds {cell}", allowed, "correct the cell")
        return values


def read_cells(source: str | os.PathLike[str] | pd.DataFrame) -> Cells:
    """Read a comma-separated UTF-8 file, or take a data frame, without interpreting any cell.

    Raises
    ------
    DataError
        For a file that is not there, is empty, is not UTF-8, is not comma-separated, has a header with
        nameless or repeated names, or a row of another length than its header.
    """
    if isinstance(source, pd.DataFrame):
        name = "data frame (rows counted from 0)"
        header = [str(column).strip().upper() for column in source.columns]
        check_header(header, name)
        if source.empty:
            raise DataError(
                "it holds no records", "one row per record", "check how the data frame is made", file=name
            )
        columns = {column: source.iloc[:, i].reset_index(drop=True) for i, column in enumerate(header)}
        return Cells(name, columns, np.arange(len(source)))

    path = Path(source)
    if not path.is_file():
        beside = (
            [other.name for other in path.parent.glob("*") if other.is_file()] if path.parent.is_dir() else []
        )
        raise DataError(
            f"there is no such file{close_names(path.name, beside)}",
            "the path of a comma-separated file",
            "check the path",
            file=str(path),
        )
    content = path.read_bytes()
    lines = csv.reader(io.StringIO(decoded(content, path.name), newline=""))
    header = [cell.strip().upper() for cell in next(lines, [])]
    if not any(header):
        raise DataError(
            "the file is empty", "a header and one row per record", "check the export", file=path.name
        )
    check_header(header, path.name)
    rows, records = [], []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"the row holds {len(cells)} cells, the header {len(header)}",
                "as many cells as the header",
                "look for a missing or additional comma, or a comma used as decimal mark",
                file=path.name,
                row=lines.line_num,
            )
        rows.append(lines.line_num)
        records.append(cells)
    if not records:
        raise DataError(
            "the file holds a header and no records", "one row per record", "check the export", file=path.name
        )
    columns = {
        column: pd.Series(cells, dtype=object)
        for column, cells in zip(header, zip(*records, strict=True), strict=True)
    }
    return Cells(path.name, columns, np.array(rows), hashlib.sha256(content).hexdigest())


def decoded(content: bytes, name: str) -> str:
    """Text of a UTF-8 file, with or without byte-order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "Latin-1 or Windows-1252"
        raise DataError(
            f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8 (perhaps {guess}, or no text)",
            "a comma-separated text file in UTF-8",
            "save it again as UTF-8 (spreadsheets call it 'CSV UTF-8')",
            file=name,
            row=row,
        ) from None


def check_header(header: list[str], name: str) -> None:
    """Refuse a header with nameless or repeated columns, or with another separator than the comma."""
    if len(header) == 1 and re.search(r"[;\t ]", header[0]):
        raise DataError(
            f"the header is one cell, {header[0][:40]!r}",
            "columns separated by commas",
            "save the file as comma-separated values",
            file=name,
            row=1,
        )
    for position, column in enumerate(header, start=1):
        if not column:
            raise DataError(
                f"column {position} of the header has no name",
                "a name",
                "name or delete the column",
                file=name,
                row=1,
            )
        if column in header[: position - 1]:
            raise DataError(
                f"the header names {column} twice (upper and lower case are the same)",
                "each column once",
                "rename or delete one of them",
                file=name,
                row=1,
                column=column,
            )
