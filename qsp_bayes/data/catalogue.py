"""The catalogue of studies that ship with the package: one CSV file and one TOML file each.

The TOML file names compartments, outputs, units and covariates, and says where the numbers come from. Its
keys are the fields of `CatalogueEntry`; an unknown key is an error.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from qsp_bayes.data.files import data_folder
from qsp_bayes.data.nonmem import read_nonmem
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.study import Study
from qsp_bayes.data.words import close_names
from qsp_bayes.errors import DataError


@dataclass(frozen=True)
class Column:
    """What a column holds: meaning, unit (absent for codes and marks), and whether its values are assumed."""

    description: str = ""
    unit: Any = None
    assumed: bool = False


@dataclass(frozen=True)
class Counts:
    """What the file must hold, before anything is left out."""

    subjects: int
    observations: int
    doses: int
    records: int


@dataclass(frozen=True)
class Exclusion:
    """Records left out unless `option` of `load_dataset` is true: those whose columns hold `where`."""

    option: str
    where: Mapping[str, float]
    reason: str


@dataclass(frozen=True)
class CatalogueEntry:
    """One dataset of the catalogue, as its TOML file describes it."""

    title: str
    source: tuple[str, ...]
    package: str
    license: str
    route: str
    outputs: str | Mapping[str, str]
    counts: Counts
    columns: Mapping[str, Column]
    compartments: Mapping[str, str] | None = None
    covariates: tuple[str, ...] = ()
    carry: Literal["nocb", "locf"] = "nocb"
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    exclude: tuple[Exclusion, ...] = field(default=())


def list_datasets() -> pd.DataFrame:
    """List the datasets that `load_dataset` knows, one row each, with what they hold.

    Examples
    --------
    >>> list_datasets().loc["theophylline", ["subjects", "observations", "doses"]].tolist()
    [12, 132, 12]
    """
    rows = {}
    for path in sorted(data_folder("datasets").glob("*.toml")):
        entry = read_entry(path)
        outputs = [entry.outputs] if isinstance(entry.outputs, str) else list(entry.outputs.values())
        rows[path.stem] = {
            "title": entry.title,
            "subjects": entry.counts.subjects,
            "observations": entry.counts.observations,
            "doses": entry.counts.doses,
            "outputs": ", ".join(outputs),
            "covariates": ", ".join(entry.covariates),
            "route": entry.route,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def load_dataset(name: str, *, predose: bool = False) -> Study:
    """Load a study of the catalogue, with its units, provenance and caveats.

    Parameters
    ----------
    name : str
        One of ``list_datasets().index``.
    predose : bool
        Whether to keep the observations made before the first dose where the catalogue leaves them out by
        default (theophylline).

    Returns
    -------
    Study
        `study.excluded` says what was left out.

    Raises
    ------
    DataError
        For an unknown name, or ``predose=True`` for a dataset from which no such rows are left out.

    Examples
    --------
    >>> load_dataset("theophylline").excluded
    ('12 records left out: observations before the dose ...',)
    >>> load_dataset("theophylline", predose=True).n_observations
    132
    """
    folder = data_folder("datasets")
    path = folder / f"{name}.toml"
    known = sorted(file.stem for file in folder.glob("*.toml"))
    if name not in known:
        raise DataError(
            f"there is no dataset {name!r}{close_names(name, known)}",
            f"one of {', '.join(known)}",
            "see list_datasets()",
        )
    entry = read_entry(path)
    study = read_nonmem(
        path.with_suffix(".csv"),
        units={column: about.unit for column, about in entry.columns.items() if about.unit is not None},
        compartments=entry.compartments,
        outputs=entry.outputs,
        covariates=entry.covariates,
        carry=entry.carry,
        name=name,
        title=entry.title,
        provenance=Provenance(
            source=entry.source,
            package=entry.package,
            license=entry.license,
            route=entry.route,
            notes=entry.notes,
            caveats=entry.caveats,
            assumed=tuple(column for column, about in entry.columns.items() if about.assumed),
        ),
    )
    kept = {"predose"} if predose else set()
    options = {exclusion.option for exclusion in entry.exclude}
    if not kept <= options:
        raise DataError(
            f"predose=True for {name!r}, from which no pre-dose rows are left out",
            "predose=True only where rows are left out by default",
            "leave predose away",
        )
    for exclusion in entry.exclude:
        if exclusion.option not in kept:
            marks = [study.table[column] == value for column, value in exclusion.where.items()]
            study = study.leave_out(np.logical_and.reduce(marks), exclusion.reason)
    return study


def read_entry(path: Path) -> CatalogueEntry:
    """Read and check the TOML file of a dataset."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"not valid TOML: {error}", "a TOML file", "correct the file", file=path.name
        ) from None
    counts = fill(Counts, content.get("counts", {}), path, "[counts]")
    columns = {
        column: fill(Column, about, path, f"[columns] {column}")
        for column, about in content.get("columns", {}).items()
    }
    exclude = tuple(fill(Exclusion, about, path, "[[exclude]]") for about in content.get("exclude", []))
    entry = {**content, "counts": counts, "columns": columns, "exclude": exclude}
    return fill(CatalogueEntry, entry, path, "the file")


def fill[Part](part: type[Part], content: Mapping[str, Any], path: Path, where: str) -> Part:
    """Make a dataclass of a TOML table, refusing unknown and missing keys; lists become tuples."""
    fields = {item.name: item for item in dataclasses.fields(part)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise DataError(
                f"{where} has an unknown key {key!r}{close_names(key, fields)}",
                f"keys among {', '.join(fields)}",
                "correct or remove the key",
                file=path.name,
            )
    absent = [
        name
        for name, item in fields.items()
        if name not in content
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if absent:
        raise DataError(
            f"{where} lacks {', '.join(absent)}", "all required keys", "add the missing keys", file=path.name
        )
    return part(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})
