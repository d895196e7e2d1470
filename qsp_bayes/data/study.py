"""Study: the data of a calibration or of a planned design. It knows no model."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from qsp_bayes.data.cells import close_names
from qsp_bayes.data.events import Events
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.study_view import study_as_html, study_as_text
from qsp_bayes.errors import DataError

# Events field: (record column, type). The remaining fields are positions, computed from the columns of names.
EVENT_COLUMNS: dict[str, tuple[str, type]] = {
    "time": ("TIME", np.float64),
    "evid": ("EVID", np.int64),
    "amount": ("AMT", np.float64),
    "rate": ("RATE", np.float64),
    "duration": ("DUR", np.float64),
    "interval": ("II", np.float64),
    "additional": ("ADDL", np.int64),
    "steady_state": ("SS", np.int64),
}


class Censoring(NamedTuple):
    """Censoring marks and limits of one output, one entry per observation."""

    CENS: np.ndarray
    LIMIT: np.ndarray


@dataclass(frozen=True, eq=False)
class Study:
    """Subjects, their dose events, observations and covariates, with units and provenance.

    A study is immutable: `subset` and `leave_out` give new studies. It is made by `read_nonmem`, `load_dataset` or
    `planned_study`.

    Parameters
    ----------
    name, title : str
        Short name and one-line description.
    table : pandas.DataFrame
        One row per record, subject by subject, sorted by time; read it through `records`.
    units : StudyUnits
        Unit of time, amounts, outputs and covariates.
    compartments, outputs, covariates : tuple of str
        Names of what is dosed into, what is observed, and what describes the subjects.
    carry : {"nocb", "locf"}
        Whether a covariate value applies back to the previous record (next observation carried backward) or forward.
    provenance : Provenance
        Where the data come from.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> study = load_dataset("theophylline")
    >>> study
    Study 'theophylline': Theophylline, single oral dose
      12 subjects, 12 doses, 120 observations, 132 records
      ...
    >>> study.events().rows["Cc"].shape
    (120,)
    >>> study.covariate("WT")[:3]
    array([79.6, 72.4, 70.5])
    """

    name: str
    title: str
    table: pd.DataFrame = field(repr=False)
    units: StudyUnits
    compartments: tuple[str, ...]
    outputs: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    carry: Literal["nocb", "locf"] = "nocb"
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.table.reset_index(drop=True))

    @property
    def records(self) -> pd.DataFrame:
        """One row per record, as a data frame of its own: changing it does not change the study.

        Columns ``ID TIME EVID AMT RATE DUR II ADDL SS MDV DV CENS LIMIT OCC COMPARTMENT OUTPUT``, the covariates, and
        ``FILE_ROW``, the row of the file (the header is row 1). `COMPARTMENT` and `OUTPUT` are ``""`` where a record
        has none; DV and LIMIT are NaN; AMT, RATE, DUR, II are 0.
        """
        return self.table.copy()

    # -- subjects, occasions, observations -------------------------------------------------------------------------

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Subject labels, in the order of the file."""
        return tuple(self.table["ID"].unique())

    @cached_property
    def subject_index(self) -> np.ndarray:
        """Position in `subjects` of each record."""
        return pd.factorize(self.table["ID"])[0].astype(np.int64)

    @cached_property
    def occasion_index(self) -> np.ndarray:
        """Position in `occasions` of each record."""
        return pd.MultiIndex.from_frame(self.table[["ID", "OCC"]]).factorize()[0].astype(np.int64)

    @cached_property
    def occasions(self) -> tuple[str, ...]:
        """Labels ``"ID/OCC"`` of the (subject, occasion) pairs, in the order they appear."""
        pairs = self.table[["ID", "OCC"]].drop_duplicates()
        return tuple(f"{subject}/{occasion}" for subject, occasion in pairs.itertuples(index=False))

    @cached_property
    def rows(self) -> Mapping[str, np.ndarray]:
        """For each output, the positions of the records that hold an observation of it."""
        observed = ((self.table["EVID"] == 0) & (self.table["MDV"] == 0)).to_numpy()
        names = self.table["OUTPUT"].to_numpy()
        return {
            output: np.flatnonzero(observed & (names == output)).astype(np.int64) for output in self.outputs
        }

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subjects)

    @property
    def n_observations(self) -> int:
        """Number of observations, all outputs together."""
        return sum(len(rows) for rows in self.rows.values())

    @property
    def n_doses(self) -> int:
        """Number of dose records (the doses that ADDL adds are not counted)."""
        return int(self.table["EVID"].isin((1, 4)).sum())

    @property
    def excluded(self) -> tuple[str, ...]:
        """What was left out of the study, and why."""
        return self.provenance.excluded

    @property
    def is_planned(self) -> bool:
        """Whether the study is a design: observation times without observed values."""
        return self.n_observations > 0 and all(
            bool(self.table["DV"].iloc[rows].isna().all()) for rows in self.rows.values()
        )

    @property
    def coords(self) -> dict[str, Any]:
        """Coordinates for ``pm.Model(coords=study.coords)``: subject, record, occasion and one ``obs_<output>`` each."""
        return {
            "subject": list(self.subjects),
            "record": np.arange(len(self.table)),
            **{f"obs_{output}": np.arange(len(rows)) for output, rows in self.rows.items()},
            "occasion": list(self.occasions),
        }

    # -- covariates and censoring ----------------------------------------------------------------------------------

    def covariate_by_record(self, name: str) -> np.ndarray:
        """Values of a covariate, one per record.

        Raises
        ------
        DataError
            If the study has no such covariate.
        """
        if name not in self.covariates:
            raise DataError(
                f"study {self.name!r} has no covariate {name!r}{close_names(name, self.covariates)}",
                f"one of {', '.join(self.covariates) or 'none'}",
                "correct the name, or add the column to the file",
            )
        return self.table[name].to_numpy(dtype=np.float64, copy=True)

    def covariate(self, name: str) -> np.ndarray:
        """Values of a covariate, one per subject.

        Raises
        ------
        DataError
            If the study has no such covariate, or if it varies within a subject.
        """
        values = self.covariate_by_record(name)
        first = np.flatnonzero(np.diff(self.subject_index, prepend=-1))
        varies = values != values[first][self.subject_index]
        if varies.any():
            subject = self.subjects[self.subject_index[int(np.argmax(varies))]]
            raise DataError(
                f"covariate {name} varies within subject {subject}",
                "one value per subject",
                f"use covariate_by_record({name!r}), or make a column that holds the value at baseline",
            )
        return values[first]

    def censoring(self, output: str) -> Censoring:
        """Censoring marks (0, 1 below, -1 above) and limits (NaN where none) of the observations of an output."""
        table = self.table.iloc[self.rows[output]]
        return Censoring(table["CENS"].to_numpy(copy=True), table["LIMIT"].to_numpy(copy=True))

    # -- what the solver sees --------------------------------------------------------------------------------------

    def events(self) -> Events:
        """Give the records as flat numpy arrays (int64 and float64).

        A record that states both RATE and DUR passes its rate, and duration 0: the reader has checked that they agree,
        and with a bioavailability other than 1 only one of the two can stand (NONMEM's: the rate).
        """
        table = self.table
        fields = {
            name: table[column].to_numpy(dtype=kind, copy=True)
            for name, (column, kind) in EVENT_COLUMNS.items()
        }
        fields["duration"][fields["rate"] != 0] = 0.0
        occasion_subject = self.subject_index[np.flatnonzero(~table.duplicated(["ID", "OCC"]))]
        return Events(
            subjects=self.subjects,
            compartments=self.compartments,
            outputs=self.outputs,
            subject=self.subject_index.copy(),
            compartment=positions(table["COMPARTMENT"], self.compartments),
            occasion=self.occasion_index.copy(),
            output=positions(table["OUTPUT"], self.outputs),
            occasion_subject=occasion_subject,
            rows={output: rows.copy() for output, rows in self.rows.items()},
            DV={output: table["DV"].to_numpy()[rows] for output, rows in self.rows.items()},
            covariates={name: self.covariate_by_record(name) for name in self.covariates},
            carry=self.carry,
            **fields,
        )

    def data_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by the names that `as_pymc_data` registers, for ``pm.set_data`` with the coordinates of a new design.

        Observed values that a planned study does not have are 0: ``pm.Data`` holds no NaN.
        """
        events = self.events()
        by_record = (*EVENT_COLUMNS, "subject", "compartment", "occasion", "output")
        return {
            **{f"record_{name}": events[name] for name in by_record},
            "occasion_subject": events.occasion_subject,
            **{f"rows_{output}": rows for output, rows in events.rows.items()},
            **{f"observed_{output}": np.nan_to_num(values, nan=0.0) for output, values in events.DV.items()},
            **{f"covariate_{name}": values for name, values in events.covariates.items()},
        }

    def as_pymc_data(self) -> Events:
        """Register the records in the current ``pm.Model`` as ``pm.Data`` and give them as `Events`.

        Names are ``record_<field>``, ``covariate_<NAME>`` (dim ``record``), ``rows_<output>``, ``observed_<output>``
        (dim ``obs_<output>``) and ``occasion_subject`` (dim ``occasion``). Coordinates that the model does not have
        yet are added. ``pm.set_data(study.data_arrays(), coords=study.coords)`` later sets another design.

        Examples
        --------
        >>> import pymc as pm
        >>> from qsp_bayes.data import load_dataset
        >>> study = load_dataset("indomethacin")
        >>> with pm.Model(coords=study.coords) as model:
        ...     events = study.as_pymc_data()
        >>> model.named_vars_to_dims["observed_Cc"]
        ('obs_Cc',)
        """
        import pymc as pm  # takes seconds to import, and reading or planning a study needs none of it
        import pytensor.tensor as pt

        pm.modelcontext(None).add_coords(self.coords)
        data = {}
        for name, values in self.data_arrays().items():
            variable = pm.Data(name, values, dims=self.dimension_of(name))
            # pm.Data narrows whole numbers to int32; the engine indexes with int64.
            data[name] = pt.cast(variable, "int64") if values.dtype == np.int64 else variable
        by_record = {name.removeprefix("record_"): data[name] for name in data if name.startswith("record_")}
        return Events(
            subjects=self.subjects,
            compartments=self.compartments,
            outputs=self.outputs,
            occasion_subject=data["occasion_subject"],
            rows={output: data[f"rows_{output}"] for output in self.outputs},
            DV={output: data[f"observed_{output}"] for output in self.outputs},
            covariates={name: data[f"covariate_{name}"] for name in self.covariates},
            carry=self.carry,
            **by_record,
        )

    def dimension_of(self, name: str) -> str:
        """Dimension of an array of `data_arrays`."""
        kind, _, rest = name.partition("_")
        if kind in ("rows", "observed"):
            return f"obs_{rest}"
        return "occasion" if name == "occasion_subject" else "record"

    # -- new studies from this one ---------------------------------------------------------------------------------

    def subset(self, ids: Iterable[Any]) -> Study:
        """Study of some of the subjects, in the order of this study.

        Raises
        ------
        DataError
            If a subject is not in the study.
        """
        wanted = {str(label) for label in ids}
        unknown = sorted(wanted.difference(self.subjects))
        if unknown or not wanted:
            raise DataError(
                f"study {self.name!r} has no subject {', '.join(unknown)}"
                if unknown
                else "no subject is chosen",
                f"labels among {', '.join(self.subjects[:8])}{', ...' if len(self.subjects) > 8 else ''}",
                "see study.subjects",
            )
        return dataclasses.replace(self, table=self.table[self.table["ID"].isin(wanted)])

    def leave_out(self, records: Any, reason: str) -> Study:
        """Study without some records; `excluded` says how many and why.

        Parameters
        ----------
        records : array of bool
            True for each record to leave out.
        reason : str
            Why; it is shown wherever the study is shown.
        """
        out = np.asarray(records, dtype=bool)
        if out.shape != (len(self.table),):
            raise DataError(
                f"the mask has shape {out.shape}", f"shape {(len(self.table),)}", "give one bool per record"
            )
        if not out.any():
            return self
        text = f"{int(out.sum())} records left out: {reason}"
        provenance = dataclasses.replace(self.provenance, excluded=(*self.excluded, text))
        return dataclasses.replace(self, table=self.table[~out], provenance=provenance)

    # -- identity and views ----------------------------------------------------------------------------------------

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the records: column names, numbers bit by bit, and text."""
        digest = hashlib.sha256()
        for column in sorted(set(self.table.columns) - {"FILE_ROW"}):
            values = self.table[column].to_numpy()
            digest.update(f"\x1e{column}\x1f".encode())
            if values.dtype.kind in "if":
                digest.update(values.astype(f"<{values.dtype.kind}8").tobytes())
            else:
                digest.update("\x1f".join(values.astype(str)).encode())
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """Give what identifies and describes the study as plain values, ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "checksum": self.checksum,
            "n_subjects": self.n_subjects,
            "n_doses": self.n_doses,
            "n_observations": self.n_observations,
            "observations": {output: len(rows) for output, rows in self.rows.items()},
            "units": self.units.to_dict(),
            "carry": self.carry,
            **{
                key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self.provenance).items()
            },
        }

    def __repr__(self) -> str:
        return study_as_text(self)

    def _repr_html_(self) -> str:
        return study_as_html(self)


def positions(names: pd.Series, known: tuple[str, ...]) -> np.ndarray:
    """Position of each name in `known`, -1 where there is none."""
    return pd.Index(known).get_indexer(names).astype(np.int64)
