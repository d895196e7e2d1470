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

from qsp_bayes.data.event_arrays import named_arrays, numpy_events, pymc_events
from qsp_bayes.data.events import Events
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.study_view import study_as_html, study_as_text
from qsp_bayes.data.words import close_names, counted
from qsp_bayes.errors import DataError


class Censoring(NamedTuple):
    """Censoring marks and limits of one output, one entry per observation."""

    CENS: np.ndarray
    LIMIT: np.ndarray


@dataclass(frozen=True, eq=False)
class Study:
    """Subjects, their dose events, observations and covariates, with units and provenance.

    A study is immutable: `subset`, `leave_out` and `with_covariates` give new studies. It is made by `read_nonmem`,
    `load_dataset` or `planned_study`.

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
        Whether a covariate value applies back to the previous record (next observation carried backward) or
        forward.
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

        Columns ``ID TIME EVID AMT RATE DUR II ADDL SS MDV DV CENS LIMIT OCC COMPARTMENT OUTPUT``, the
        covariates, and ``FILE_ROW``, the row of the file (the header is row 1). `COMPARTMENT` and `OUTPUT`
        are ``""`` where a record has none; DV and LIMIT are NaN; AMT, RATE, DUR, II are 0.
        """
        return self.table.copy()

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
        """Coordinates of a PyMC model: subject, record, occasion, and ``obs_<output>`` for each output."""
        return {
            "subject": list(self.subjects),
            "record": np.arange(len(self.table)),
            **{f"obs_{output}": np.arange(len(rows)) for output, rows in self.rows.items()},
            "occasion": list(self.occasions),
        }

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
        """Give censoring marks (1 below, -1 above, else 0) and limits (or NaN) of the observations."""
        table = self.table.iloc[self.rows[output]]
        return Censoring(table["CENS"].to_numpy(copy=True), table["LIMIT"].to_numpy(copy=True))

    def events(self) -> Events:
        """Give the records as flat numpy arrays (int64 and float64): what a solver sees.

        A record that states both RATE and DUR passes its rate, with duration 0.
        """
        return numpy_events(self)

    def data_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by the names that `as_pymc_data` registers.

        ``pm.set_data(new.data_arrays(), coords=new.coords)`` sets another design on a model. Values that a
        planned study has not observed are 0, because ``pm.Data`` holds no NaN.
        """
        return {name: values for name, (_, values) in named_arrays(self.events()).items()}

    def as_pymc_data(self) -> Events:
        """Register the records in the current ``pm.Model`` as ``pm.Data`` and give them as `Events`.

        Names are ``record_<field>``, ``covariate_<NAME>`` (dim ``record``), ``rows_<output>``,
        ``observed_<output>`` (dim ``obs_<output>``) and ``occasion_subject`` (dim ``occasion``). Coordinates
        that the model does not have yet are added.

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
        return pymc_events(self)

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

    def with_covariates(self, table: pd.DataFrame, units: Mapping[str, str]) -> Study:
        """Study with more that is known of its subjects, the same at all their records.

        Parameters
        ----------
        table : pandas.DataFrame
            One row per subject, whose label is the index; one column per covariate.
        units : mapping of str to str
            Unit of each column; ``""`` for a number without unit.

        Raises
        ------
        DataError
            For a covariate that the study already has, one without a unit, and a subject without a finite value.

        Examples
        --------
        >>> from qsp_bayes.data import load_dataset
        >>> study = load_dataset("theophylline")
        >>> liver = pd.DataFrame({"V_liver": 0.0236 * study.covariate("WT")}, index=study.subjects)
        >>> study.with_covariates(liver, {"V_liver": "L"}).covariate("V_liver")[:2].round(2)
        array([1.88, 1.71])
        """
        labels = [str(label) for label in table.index]
        absent = [subject for subject in self.subjects if subject not in labels]
        if absent or len(set(labels)) < len(labels):
            raise DataError(
                f"the table of covariates has {'no row for subject ' + absent[0] if absent else 'a subject twice'}",
                f"one row for each subject of study {self.name!r}",
                "correct the index of the table",
            )
        rows = table.set_axis(labels).loc[list(self.subjects)].astype(np.float64)
        for name, values in rows.items():
            if name in self.table.columns or name not in units:
                raise DataError(
                    f"covariate {name} {'has no unit' if name not in units else 'is a column of the study already'}",
                    "new columns, each with its unit",
                    "rename the column" if name in units else f"add units={{{name!r}: '...'}}",
                )
            if not np.isfinite(values).all():
                raise DataError(
                    f"covariate {name} of subject {values.index[~np.isfinite(values)][0]} is not a finite number",
                    "a number for every subject",
                    "fill the value, or leave the subject out",
                )
        joined = self.table.join(rows, on="ID")
        return dataclasses.replace(
            self,
            table=joined,
            units=dataclasses.replace(
                self.units, covariates={**self.units.covariates, **{str(name): units[name] for name in rows}}
            ),
            covariates=(*self.covariates, *(str(name) for name in rows)),
        )

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
        text = f"{counted(int(out.sum()), 'record')} left out: {reason}"
        provenance = dataclasses.replace(self.provenance, excluded=(*self.excluded, text))
        return dataclasses.replace(self, table=self.table[~out], provenance=provenance)

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
