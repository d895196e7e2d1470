"""Candidates: which regimens are simulated, in whom, and when."""

from __future__ import annotations

import argparse
import itertools
from argparse import Namespace
from typing import NamedTuple

import numpy as np
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli.files import open_file
from qsp_bayes.cli.specification import Specification

DRAWS = 200


class Population(NamedTuple):
    """A fit with what it was made of."""

    fit: xr.DataTree
    specification: Specification
    study: qb.Study
    calibration: qb.Calibration


def candidate_options() -> argparse.ArgumentParser:
    """Options that say which regimens are simulated, in whom, and when."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("fit", help="file written by `qsp-bayes fit`")
    options.add_argument(
        "--dose", nargs="+", type=float, required=True, metavar="AMOUNT", help="candidate doses"
    )
    options.add_argument(
        "--every", nargs="+", type=float, required=True, metavar="TIME", help="candidate intervals"
    )
    options.add_argument(
        "--until", type=float, required=True, metavar="TIME", help="doses are given for so long"
    )
    options.add_argument("--into", default="central", metavar="COMPARTMENT", help="default: %(default)s")
    options.add_argument(
        "--duration", type=float, metavar="TIME", help="of an infusion; omit for a bolus or oral dose"
    )
    options.add_argument(
        "--step", type=float, default=1.0, metavar="TIME", help="of the time grid (default: %(default)s)"
    )
    options.add_argument("--subjects", type=int, default=500, help="new individuals (default: %(default)s)")
    options.add_argument(
        "--draws", type=int, help=f"posterior draws used (default: {DRAWS}; 1000 for one patient)"
    )
    return options


def open_population(path: str) -> Population:
    """Open a fit, and build again what it was made of."""
    fitted = open_file(path)
    specification = Specification.from_fit(fitted)
    study = specification.read_study()
    specification.require_same_data(fitted, study)
    return Population(fitted, specification, study, specification.calibration(study))


def candidate_regimens(
    arguments: Namespace, units: qb.data.StudyUnits, start: float = 0.0
) -> dict[str, qb.Regimen]:
    """Give every dose at every interval."""
    return {
        f"{amount:g} {units.amount} q{interval:g}{units.time}": qb.Regimen(
            amount,
            unit=units.amount,
            every=interval,
            start=start,
            until=start + arguments.until,
            into=arguments.into,
            duration=arguments.duration,
        )
        for amount, interval in itertools.product(arguments.dose, arguments.every)
    }


def grid(arguments: Namespace, start: float = 0.0) -> np.ndarray:
    """Give the times that are simulated."""
    return start + np.arange(0.0, arguments.until + arguments.step / 2, arguments.step)


def simulate_candidates(arguments: Namespace, population: Population) -> xr.DataTree:
    """Simulate every dose at every interval in new individuals of the study's kind."""
    regimens = candidate_regimens(arguments, population.study.units)
    print(f"Simulating {len(regimens)} regimens in {arguments.subjects} new individuals.", flush=True)
    return population.calibration.simulate(
        population.fit,
        regimens,
        qb.new_subjects(population.study, arguments.subjects, random_seed=arguments.seed),
        times=grid(arguments),
        draws=arguments.draws or DRAWS,
        random_seed=arguments.seed,
    )
