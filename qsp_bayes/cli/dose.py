"""``qsp-bayes dose``: choose the regimen of highest expected utility, for a population or for one patient."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli.candidates import Population, open_population, simulate_candidates
from qsp_bayes.cli.files import new_file
from qsp_bayes.cli.patient import add_patient_options, one_patient
from qsp_bayes.decision import Constraint
from qsp_bayes.errors import DecisionError

TOXIC_SHARE = 0.1


class Choice(NamedTuple):
    """What is chosen among, and by what."""

    future: xr.DataTree
    utility: qb.decision.Utility
    constraints: list[Constraint]


def add_dose(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "dose", parents=parents, help="choose the regimen of highest expected utility"
    )
    parser.add_argument(
        "--window", nargs=2, type=float, required=True, metavar=("LOW", "HIGH"), help="therapeutic window"
    )
    parser.add_argument(
        "--penalty",
        type=float,
        default=0.5,
        help="cost of time above the window, in times within (default: %(default)s)",
    )
    parser.add_argument(
        "--of", default="Cc", metavar="OUTPUT", help="the output judged (default: %(default)s)"
    )
    parser.add_argument(
        "--toxic-above", type=float, metavar="LEVEL", help="a peak above this level counts as toxic"
    )
    parser.add_argument(
        "--toxic-limit",
        type=float,
        metavar="SHARE",
        help=f"regimens with a toxic peak in a larger share of individuals are refused (default: {TOXIC_SHARE})",
    )
    parser.add_argument(
        "--trough-above",
        type=float,
        metavar="LEVEL",
        help="target: print who attains such a trough at the end",
    )
    add_patient_options(parser)
    parser.add_argument(
        "--output", default="decision.nc", metavar="FILE", help="where it goes (default: %(default)s)"
    )
    parser.add_argument(
        "--page", metavar="FILE", help="write the decision as an HTML page, with what would change it"
    )
    parser.set_defaults(run=dose)


def dose(arguments: Namespace) -> None:
    """Simulate the candidates, choose, save and print the decision, and write its page."""
    output = new_file(arguments.output, arguments.force)
    page = new_file(arguments.page, arguments.force, "--page") if arguments.page else None
    check_limits(arguments)
    population = open_population(arguments.fit)
    known = list(population.calibration.system.outputs)
    if arguments.of not in known:
        raise DecisionError(f"There is no output {arguments.of!r}. Choose from {', '.join(known)}.")
    patient = one_patient(arguments, population) if arguments.patient else None
    future = patient.future if patient else simulate_candidates(arguments, population)
    choice = Choice(future, window(arguments), constraints(arguments))
    decision = qb.choose(
        future, choice.utility, constraints=choice.constraints, targets=targets(arguments) or None
    )
    print(decision)
    qb.save_fit(decision.to_datatree(), output)
    print(f"Decision: {output.resolve()}")
    if page is not None:
        write_page(page, decision, choice, population, arguments, patient.patient if patient else None)


def check_limits(arguments: Namespace) -> None:
    """Refuse limits that make no sense, before the work."""
    low, high = arguments.window
    if not low < high:
        raise DecisionError(f"--window {low:g} {high:g}: the first bound must be below the second.")
    if arguments.penalty < 0:
        raise DecisionError(f"--penalty {arguments.penalty:g}: a cost is 0 or more.")
    if arguments.toxic_limit is not None:
        if arguments.toxic_above is None:
            raise DecisionError("--toxic-limit needs --toxic-above, the level whose excess is limited.")
        if not 0 < arguments.toxic_limit <= 1:
            raise DecisionError(
                f"--toxic-limit {arguments.toxic_limit:g}: expected a share of individuals above 0 and at most 1, "
                "such as 0.1."
            )


def window(arguments: Namespace, penalty: float | None = None) -> qb.decision.Utility:
    """Give the utility: time within the window, minus a cost of the time above it."""
    low, high = arguments.window
    name, cost = arguments.of, arguments.penalty if penalty is None else penalty
    return qb.utility(
        lambda x: qb.time_within(x[name], low, high) - cost * qb.time_above(x[name], high),
        f"time with {name} within {low:g} to {high:g}, minus {cost:g} times the time above {high:g}",
    )


def constraints(arguments: Namespace) -> list[Constraint]:
    """Give the limit on toxic peaks, where there is one."""
    name, level = arguments.of, arguments.toxic_above
    if level is None:
        return []
    share = TOXIC_SHARE if arguments.toxic_limit is None else arguments.toxic_limit
    return [
        Constraint(lambda x: qb.cmax(x[name]) > level, below=share, name=f"peak of {name} above {level:g}")
    ]


def targets(arguments: Namespace) -> dict[str, Any]:
    """Give the target of the trough, where there is one."""
    name, level = arguments.of, arguments.trough_above
    if level is None:
        return {}
    return {f"trough of {name} above {level:g}": lambda x: qb.trough(x[name]) > level}


def write_page(
    page: Path,
    decision: qb.Decision,
    choice: Choice,
    population: Population,
    arguments: Namespace,
    patient: Any,
) -> None:
    """Ask what would change the decision, and write its page."""
    print("Asking what would change it.", flush=True)
    costs = (arguments.penalty / 2, 2 * arguments.penalty) if arguments.penalty else (1.0,)
    sensitivity = qb.decision_sensitivity(
        choice.future,
        choice.utility,
        None if patient is not None else population.fit,
        groups=[] if patient is not None else model_covariates(population, choice.future),
        utilities={f"time above the window costs {cost:g} times": window(arguments, cost) for cost in costs},
        choice=partial(qb.choose, constraints=choice.constraints),
    )
    path = qb.decision_report(
        decision,
        page,
        fit=population.fit,
        future=choice.future,
        sensitivity=sensitivity,
        patient=patient,
        figures={} if patient is None else {"patient": drawn(patient, decision, choice.future, arguments)},
    )
    print(f"Page: {path.resolve()}")


def drawn(patient: qb.Patient, decision: qb.Decision, future: xr.DataTree, arguments: Namespace) -> Any:
    """Draw the patient's levels, and what the chosen regimen is predicted to do."""
    return qb.plot_patient(
        patient, future, regimen=decision.best, output=arguments.of, target=tuple(arguments.window)
    )


def model_covariates(population: Population, future: xr.DataTree) -> list[str]:
    """Name the covariates of the model in which the simulated individuals differ."""
    name = population.specification.allometry.get("covariate")
    if name is None or np.ptp(future["constant_data"].to_dataset()[name].values) == 0:
        return []
    return [name]
