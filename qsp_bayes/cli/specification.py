"""Specification: a study and a calibration as plain values, carried by a fit so that they can be rebuilt."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

import qsp_bayes as qb
from qsp_bayes.data.catalogue import read_entry
from qsp_bayes.data.columns import RESERVED
from qsp_bayes.data.files import data_folder
from qsp_bayes.errors import CalibrationError, DataError

MODELS = {
    "one_compartment": qb.one_compartment,
    "two_compartment": qb.two_compartment,
    "three_compartment": qb.three_compartment,
}
ERROR_MODELS = {
    "additive": qb.Additive,
    "proportional": qb.Proportional,
    "combined": qb.Combined,
    "lognormal": qb.LogNormal,
    "student-t": qb.StudentT,
}


@dataclass(frozen=True)
class Specification:
    """What ``qsp-bayes fit`` was asked for.

    Attributes
    ----------
    study : str
        Name in the catalogue, or path of a NONMEM-style file.
    columns, outputs, compartments, covariates
        How a file is read: units by column, a name or names by DVID and CMT code, covariate columns. Not used
        for a study of the catalogue.
    model, absorption
        Library model and how its depot is absorbed.
    units : dict
        Units of time, amount and volume of the model.
    priors : str
        Text of the prior file, kept whole so that a later change of the file changes nothing.
    variability : list of str
        Parameters with random effects between subjects.
    correlated : bool
        Whether these are correlated.
    allometry : dict
        ``covariate``, ``reference`` and the exponents; empty for none.
    error : str
        Residual error of every output.
    """

    study: str
    model: str
    priors: str
    columns: dict[str, str]
    outputs: str | dict[str, str]
    compartments: str | dict[str, str] | None
    covariates: list[str] | None
    absorption: str | None
    units: dict[str, str]
    variability: list[str]
    correlated: bool
    allometry: dict[str, Any]
    error: str

    @classmethod
    def from_fit(cls, fit: xr.DataTree) -> Specification:
        """Read the specification that `attach` wrote.

        Raises
        ------
        CalibrationError
            If the fit was made in Python, not by ``qsp-bayes fit``.
        """
        metadata = json.loads(fit.attrs.get("qsp_bayes", "{}"))
        if "command" not in metadata:
            raise CalibrationError(
                "This fit was not made by `qsp-bayes fit`, so it does not say how to rebuild its "
                "calibration. Simulate it in Python: calibration.simulate(fit, regimens, subjects, times)."
            )
        return cls(**metadata["command"])

    def attach(self, fit: xr.DataTree) -> xr.DataTree:
        """Write the specification into the metadata of a fit."""
        metadata = {**json.loads(fit.attrs["qsp_bayes"]), "command": dataclasses.asdict(self)}
        described = fit.copy()
        described.attrs["qsp_bayes"] = json.dumps(metadata)
        return described

    def read_study(self) -> qb.Study:
        """Read the study from the catalogue or its file."""
        if self.study in catalogue():
            return qb.load_dataset(self.study)
        if not Path(self.study).is_file():
            raise DataError(
                f"{self.study!r} is neither a study of the catalogue nor a file",
                f"one of {', '.join(catalogue())}, or the path of a file",
                "check the name, or list the catalogue with `qsp-bayes datasets`",
            )
        return self.read_file(self.study)

    def read_file(self, path: str) -> qb.Study:
        """Read a file with the columns of the specification."""
        return qb.read_nonmem(
            path,
            units=self.columns,
            outputs=self.outputs,
            compartments=self.compartments,
            covariates=self.covariates,
        )

    def read_records(self, path: str) -> qb.Study:
        """Read further records, such as those of a patient, as the study itself was read.

        Of the covariates only those that the model uses are asked for.
        """
        used = [self.allometry["covariate"]] if self.allometry else []
        described = self
        carry: Literal["nocb", "locf"] = "nocb"
        if self.study in catalogue():
            entry = read_entry(data_folder("datasets") / f"{self.study}.toml")
            units = {column: about.unit for column, about in entry.columns.items() if about.unit is not None}
            outputs = entry.outputs if isinstance(entry.outputs, str) else dict(entry.outputs)
            codes = dict(entry.compartments) if entry.compartments else None
            described = dataclasses.replace(self, columns=units, outputs=outputs, compartments=codes)
            carry = entry.carry
        return qb.read_nonmem(
            path,
            units={
                column: unit for column, unit in described.columns.items() if column in (*RESERVED, *used)
            },
            outputs=described.outputs,
            compartments=described.compartments,
            covariates=used,
            carry=carry,
        )

    def require_same_data(self, fit: xr.DataTree, study: qb.Study) -> None:
        """Raise unless `study` holds the very records that `fit` was made from.

        Raises
        ------
        CalibrationError
            If the checksums differ.
        """
        if json.loads(fit.attrs["qsp_bayes"])["study"]["checksum"] != study.checksum:
            raise CalibrationError(
                f"The study {self.study!r} is not the one this fit was made from: its records have changed "
                "since. Put the original file back, or fit again."
            )

    def calibration(self, study: qb.Study) -> qb.Calibration:
        """Build the calibration of `study`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "priors.toml"
            path.write_text(self.priors, encoding="utf-8")
            priors = qb.read_priors(path)
        system = MODELS[self.model](absorption=self.absorption, units=qb.Units(**self.units))
        allometry = [qb.Allometry(**self.allometry)] if self.allometry else []
        variability = [qb.IIV(*self.variability, correlated=self.correlated)] if self.variability else []
        error = {output: ERROR_MODELS[self.error]() for output in study.outputs}
        return qb.Calibration(system, priors, individual=[*allometry, *variability], error=error)


def catalogue() -> list[str]:
    """Names of the studies that ship with the package."""
    return list(qb.list_datasets().index)


def prior_text(name: str) -> str:
    """Text of a prior file, given its path or the name of one that ships."""
    path = data_folder("priors") / f"{name}.toml" if name in qb.list_priors() else Path(name)
    qb.read_priors(path)  # explains what is wrong with the file, by its own name
    return path.read_text(encoding="utf-8")


def names_by_code(words: list[str]) -> str | dict[str, str]:
    """Read ``1=depot 2=central``, or the one name ``depot``.

    Examples
    --------
    >>> names_by_code(["depot"]), names_by_code(["1=depot", "2=central"])
    ('depot', {'1': 'depot', '2': 'central'})
    """
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return dict(pair(word) for word in words)


def pair(text: str) -> tuple[str, str]:
    """Read ``name=value``.

    Examples
    --------
    >>> pair("TIME=h")
    ('TIME', 'h')
    """
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise DataError(f"{text!r} stands where a pair should", "NAME=VALUE", "write for example TIME=h")
    return name, value


def parse_allometry(words: list[str]) -> dict[str, Any]:
    """Read ``WT CL=0.75 reference=70``.

    Examples
    --------
    >>> parse_allometry(["WT", "CL=0.75", "reference=70"])
    {'covariate': 'WT', 'CL': 0.75, 'reference': 70.0}
    """
    if not words:
        return {}
    covariate, *exponents = words
    try:
        values = {name: float(value) for name, _, value in (word.partition("=") for word in exponents)}
    except ValueError:
        values = {}
    if "=" in covariate or "reference" not in values or len(values) < 2:
        raise CalibrationError(
            f"--allometry {' '.join(words)}: expected a covariate, exponents and a reference, such as "
            "--allometry WT CL=0.75 Vc=1 reference=70."
        )
    return {"covariate": covariate, **values}
