"""Commands: one function each, from parsed arguments to files and printed lines."""

from __future__ import annotations

import itertools
from argparse import Namespace
from pathlib import Path

import numpy as np
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli.specification import Specification, names_by_code, pair, parse_allometry, prior_text
from qsp_bayes.demo import run_demo
from qsp_bayes.errors import DataError, DecisionError


def demo(arguments: Namespace) -> None:
    """Run the main job."""
    run_demo(arguments.folder, draws=arguments.draws, tune=arguments.tune, random_seed=arguments.seed)


def datasets(arguments: Namespace) -> None:
    """List the catalogue, or show one study."""
    if arguments.name:
        print(qb.load_dataset(arguments.name))
    else:
        for name, study in qb.list_datasets().iterrows():
            print(f"{name:<24}{study['title']} ({study['subjects']} subjects)")


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


def simulate(arguments: Namespace) -> None:
    """Simulate the candidates, save the paths and print what the exposure is."""
    output = new_file(arguments.output, arguments.force)
    future = simulate_candidates(arguments)
    print(exposure_table(future))
    qb.save_fit(future, output)
    print(f"Simulation: {output.resolve()}")


def dose(arguments: Namespace) -> None:
    """Simulate the candidates, choose, save and print the decision."""
    output = new_file(arguments.output, arguments.force)
    low, high = arguments.window
    name, penalty = arguments.of, arguments.penalty
    benefit = qb.utility(
        lambda x: qb.time_within(x[name], low, high) - penalty * qb.time_above(x[name], high),
        f"time with {name} within {low:g} to {high:g}, minus {penalty:g} times the time above {high:g}",
    )
    future = simulate_candidates(arguments)
    outputs = [str(output) for output in future["predictions"].data_vars]
    if name not in outputs:
        raise DecisionError(f"There is no output {name!r}. Choose from {', '.join(outputs)}.")
    decision = qb.choose(future, benefit)
    print(decision)
    qb.save_fit(decision.to_datatree(), output)
    print(f"Decision: {output.resolve()}")


def report(arguments: Namespace) -> None:
    """Write the report of a fit, with a decision where there is one."""
    decision = qb.Decision.from_datatree(open_file(arguments.decision)) if arguments.decision else None
    future = open_file(arguments.future) if arguments.future else None
    path = qb.report(open_file(arguments.fit), decision, to=arguments.to, future=future)
    print(f"Report: {path.resolve()}")


def simulate_candidates(arguments: Namespace) -> xr.DataTree:
    """Simulate every dose at every interval in new individuals of the study's kind."""
    fitted = open_file(arguments.fit)
    specification = Specification.from_fit(fitted)
    study = specification.read_study()
    specification.require_same_data(fitted, study)
    calibration = specification.calibration(study)
    units = study.units
    regimens = {
        f"{amount:g} {units.amount} q{interval:g}{units.time}": qb.Regimen(
            amount,
            unit=units.amount,
            every=interval,
            until=arguments.until,
            into=arguments.into,
            duration=arguments.duration,
        )
        for amount, interval in itertools.product(arguments.dose, arguments.every)
    }
    print(f"Simulating {len(regimens)} regimens in {arguments.subjects} new individuals.", flush=True)
    return calibration.simulate(
        fitted,
        regimens,
        qb.new_subjects(study, arguments.subjects, random_seed=arguments.seed),
        times=np.arange(0.0, arguments.until + arguments.step / 2, arguments.step),
        draws=arguments.draws,
        random_seed=arguments.seed,
    )


def exposure_table(future: xr.DataTree) -> str:
    """Median and 90 % interval, over draws and individuals, of what each regimen leads to."""
    lines = []
    measures = {"Cmax": qb.cmax, "trough": qb.trough, "AUC": qb.auc}
    for name, path in future["predictions"].data_vars.items():
        lines.append(f"{name}: median (5 % to 95 % of individuals)")
        for label in path["regimen"].values:
            cells = []
            for measure, function in measures.items():
                low, middle, high = np.quantile(function(path.sel(regimen=label)), [0.05, 0.5, 0.95])
                cells.append(f"{measure} {middle:.3g} ({low:.3g} to {high:.3g})")
            lines.append(f"  {label:<16} {'   '.join(cells)}")
    return "\n".join(lines)


def open_file(path: str) -> xr.DataTree:
    """Open a file that an earlier command wrote."""
    try:
        return qb.load_fit(path)
    except OSError as error:  # the file is there, but its content is something else
        raise DataError(
            f"cannot be read ({error})", "a file written by an earlier command", "check the path", file=path
        ) from error


def new_file(path: str, force: bool) -> Path:
    """Refuse to replace a file unless told to; asked before the work, not after it."""
    if Path(path).exists() and not force:
        raise DataError(f"{path!r} exists already", "a new file", "choose another --output, or add --force")
    return Path(path)
