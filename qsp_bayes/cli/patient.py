"""One patient: from a file of doses and levels to the patient's own predictions."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli.candidates import Population, candidate_regimens, grid
from qsp_bayes.errors import DataError, DecisionError

DRAWS = 1000


class OnePatient(NamedTuple):
    """A patient and what the candidates would do to them."""

    patient: qb.Patient
    future: xr.DataTree


def add_patient_options(parser: Any) -> None:
    """Options that turn the choice to one patient."""
    parser.add_argument(
        "--patient",
        metavar="FILE",
        help="choose for one patient: NONMEM-style CSV file of doses and levels, with the columns of the fit's study",
    )
    parser.add_argument(
        "--start",
        type=float,
        metavar="TIME",
        help="when the next dose of the patient is due, on the clock of the file (default: the last record, or the "
        "shortest candidate interval after the last dose where that is later)",
    )


def one_patient(arguments: Namespace, population: Population) -> OnePatient:
    """Read a patient, learn what is particular to them, and simulate the candidates after their history."""
    history = read_patient(arguments.patient, population)
    start = next_dose_time(history, arguments)
    print(
        f"Read patient {history.subjects[0]}: {history.n_doses} dose records, {history.n_observations} levels. "
        f"The next dose is taken to be due at {start:g} {history.units.time}.",
        flush=True,
    )
    patient = qb.individualise(
        population.calibration,
        population.fit,
        history,
        draws=arguments.draws or DRAWS,
        random_seed=arguments.seed,
        study=population.study,
    )
    print(patient.summary())
    future = patient.simulate(
        candidate_regimens(arguments, population.study.units, start),
        grid(arguments, start),
        random_seed=arguments.seed,
    )
    return OnePatient(patient, future)


def read_patient(path: str, population: Population) -> qb.Study:
    """Read the file of one patient, as the study of the fit was read.

    Raises
    ------
    DataError
        If there is no such file, or it holds several subjects.
    """
    if not Path(path).is_file():
        raise DataError(
            "no such file", "a CSV file with the records of one patient", "check --patient", file=path
        )
    history = population.specification.read_records(path)
    if history.n_subjects != 1:
        raise DataError(
            f"holds {history.n_subjects} subjects ({', '.join(history.subjects[:4])})",
            "the records of one patient",
            "keep the rows of one ID",
            file=path,
        )
    return history


def next_dose_time(history: qb.Study, arguments: Namespace) -> float:
    """Tell when the next dose is due.

    Raises
    ------
    DecisionError
        For a time that is not after the last dose.
    """
    records = history.records
    doses = records[records["EVID"].isin((1, 4))]
    last = float((doses["TIME"] + doses["ADDL"] * doses["II"]).max()) if len(doses) else None
    if arguments.start is not None:
        if last is not None and arguments.start <= last:
            raise DecisionError(
                f"--start {arguments.start:g} is not after the last dose in {arguments.patient}, at {last:g}. "
                "Give the time at which the next dose is due."
            )
        return float(arguments.start)
    due = [float(records["TIME"].max())]
    if last is not None:
        due.append(last + min(arguments.every))
    return max(due)
