"""``qsp-bayes fit``: calibrate a model to a study."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from typing import Any

import qsp_bayes as qb
from qsp_bayes.cli.files import new_file
from qsp_bayes.cli.specification import (
    ERROR_MODELS,
    MODELS,
    Specification,
    names_by_code,
    pair,
    parse_allometry,
    prior_text,
)


def add_fit(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("fit", parents=parents, help="calibrate a model to a study")
    parser.add_argument("study", help="a study of the catalogue, or a NONMEM-style CSV file")
    parser.add_argument(
        "--priors", required=True, metavar="FILE", help="prior file, or the name of one that ships"
    )
    add_model_options(parser)
    add_file_options(parser)
    parser.add_argument("--draws", type=int, default=1000, help="draws per chain (default: %(default)s)")
    parser.add_argument(
        "--tune", type=int, default=1000, help="draws of adaptation per chain (default: %(default)s)"
    )
    parser.add_argument("--chains", type=int, default=4, help="default: %(default)s")
    parser.add_argument(
        "--output", default="fit.nc", metavar="FILE", help="where the fit goes (default: %(default)s)"
    )
    parser.set_defaults(run=fit)


def add_model_options(parser: Any) -> None:
    """Options that say what is calibrated."""
    parser.add_argument("--model", choices=MODELS, default="one_compartment", help="default: %(default)s")
    parser.add_argument("--absorption", help="such as first-order; omit for intravenous doses")
    parser.add_argument(
        "--units", nargs="+", default=[], metavar="WHAT=UNIT", help="time=h amount=mg volume=L"
    )
    parser.add_argument(
        "--variability", nargs="+", default=[], metavar="PARAMETER", help="random effects between subjects"
    )
    parser.add_argument("--correlated", action="store_true", help="let these random effects be correlated")
    parser.add_argument(
        "--allometry",
        nargs="+",
        default=[],
        metavar="WHAT",
        help="covariate, exponents, reference: WT CL=0.75 reference=70",
    )
    parser.add_argument(
        "--error", choices=ERROR_MODELS, default="combined", help="residual error (default: %(default)s)"
    )


def add_file_options(parser: Any) -> None:
    """Options that say how a file is read."""
    parser.add_argument(
        "--columns", nargs="+", default=[], metavar="COLUMN=UNIT", help="units in a file: TIME=h"
    )
    parser.add_argument(
        "--compartments", nargs="+", metavar="NAME", help="in a file: depot, or CMT codes, 1=depot 2=central"
    )
    parser.add_argument(
        "--outputs",
        nargs="+",
        default=["Cc"],
        metavar="NAME",
        help="in a file: Cc, or DVID codes, 1=Cc 2=effect",
    )
    parser.add_argument(
        "--covariates", nargs="+", metavar="COLUMN", help="in a file; by default every other column"
    )


def fit(arguments: Namespace) -> None:
    """Calibrate a model to a study and save the fit."""
    output = new_file(arguments.output, arguments.force)
    specification = Specification(
        study=arguments.study,
        model=arguments.model,
        priors=prior_text(arguments.priors),
        columns=dict(pair(word) for word in arguments.columns),
        outputs=names_by_code(arguments.outputs),
        compartments=names_by_code(arguments.compartments) if arguments.compartments else None,
        covariates=arguments.covariates,
        absorption=arguments.absorption,
        units=dict(pair(word) for word in arguments.units),
        variability=arguments.variability,
        correlated=arguments.correlated,
        allometry=parse_allometry(arguments.allometry),
        error=arguments.error,
    )
    study = specification.read_study()
    calibration = specification.calibration(study)
    print(
        f"Read {study.name}: {study.n_subjects} subjects, {study.n_observations} observations. Sampling.",
        flush=True,
    )
    result = calibration.fit(
        study, draws=arguments.draws, tune=arguments.tune, chains=arguments.chains, random_seed=arguments.seed
    )
    print(qb.diagnose(result))
    qb.save_fit(specification.attach(result), output)
    print(f"Fit: {output.resolve()}")
