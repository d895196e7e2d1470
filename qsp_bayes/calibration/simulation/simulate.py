"""Simulate: new individuals under new regimens, with the uncertainty of the population."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qsp_bayes.calibration.checks import require_known
from qsp_bayes.calibration.metadata import as_attribute, check_fit, read_facts, versions
from qsp_bayes.calibration.simulation.block_solver import BlockSolver
from qsp_bayes.calibration.simulation.blocks import Block
from qsp_bayes.calibration.simulation.dosing import check_names, with_facts
from qsp_bayes.calibration.simulation.measures import Measure, Measures
from qsp_bayes.calibration.simulation.new_individuals import new_individuals
from qsp_bayes.calibration.simulation.plan import check_plans, plan
from qsp_bayes.calibration.simulation.predictor import Predictor
from qsp_bayes.calibration.simulation.residual import add_residual, residuals
from qsp_bayes.calibration.simulation.stream import Paths, Stream
from qsp_bayes.calibration.virtual.virtual_patients import VirtualPatients, virtual_patients
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.ode.solvers import CVODES
from qsp_bayes.ode.threads import usable_cores

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

__all__ = ["add_residual", "check_fit", "new_individuals", "plan", "predict", "simulate"]

DIMS = ("chain", "draw", "regimen", "subject", "time")


def simulate(
    calibration: Calibration,
    fit: xr.DataTree,
    regimens: Mapping[str, Regimen],
    subjects: Subjects | VirtualPatients,
    times: np.ndarray,
    *,
    draws: int | None,
    outputs: Sequence[str] | None,
    residual: bool,
    change: Mapping[str, Callable[[Any], Any]],
    measures: Mapping[str, Measure] | Measure | None,
    random_seed: int,
    progressbar: bool,
) -> xr.DataTree:
    """Predict new individuals; `Calibration.simulate` documents it."""
    system = calibration.system
    facts = read_facts(fit)
    check_fit(calibration, facts)
    require_known(change, system.parameters, "change", "parameter")
    possible = list(calibration.error) if residual else list(system.outputs)
    outputs = possible if outputs is None else list(outputs)
    require_known(outputs, possible, "outputs", "output with an error model" if residual else "output")
    kept = None if measures is None else Measures.of(measures)
    covariates = subjects.covariates if isinstance(subjects, Subjects) else subjects.covariates.data_vars
    check_names(outputs, map(str, covariates), () if kept is None else kept.functions)
    some = subjects if isinstance(subjects, Subjects) else subjects.subjects_of(0)
    check_plans(calibration, regimens, some, times, outputs)
    if isinstance(subjects, VirtualPatients):
        patients = subjects.for_fit(fit, draws)
    else:
        patients = virtual_patients(calibration, fit, subjects, draws=draws, random_seed=random_seed)
    population = patients.population(fit)
    # The first of the seeds has drawn the patients.
    seeds = np.random.SeedSequence(random_seed).generate_state(1 + len(outputs))[1:]
    solver = BlockSolver(
        calibration,
        patients,
        dict(regimens),
        times,
        tuple(outputs),
        patients.parameters_by_draw(change),
        residuals(calibration, outputs, population, seeds.tolist()) if residual else {},
    )
    # CVODES runs in Python: its solves would wait for each other.
    cores = 1 if isinstance(calibration.solver, CVODES) else usable_cores()
    stream = Stream(solver.blocks, solver.prepare, cores, progressbar)
    group = store(solver, stream) if kept is None else reduce(solver, stream, kept)
    result = xr.DataTree.from_dict(
        {
            "predictions" if kept is None else "measures": group,
            "dosing": solver.dosing,
            "constant_data": patients.covariates,
        }
    )
    result.attrs = as_attribute(
        {
            "versions": versions(),
            "random_seed": random_seed,
            "regimens": {name: str(regimen) for name, regimen in regimens.items()},
            "units": {"time": system.time_unit, **{name: system.outputs[name].unit for name in outputs}},
            "n_subjects": len(patients),
            "subjects": patients.origin,
            "draws": patients.n_draws,
            "residual": residual,
            "change": sorted(change),
            "study": facts["study"]["checksum"],
            **({} if kept is None else {"measures": kept.describe(), "times": [times[0], times[-1]]}),
        }
    )
    return result


def store(solver: BlockSolver, stream: Stream) -> xr.Dataset:
    """Keep all paths."""
    shape = tuple(solver.coords[dim].size for dim in DIMS)
    values = {name: np.empty(shape) for name in solver.outputs}
    with closing(stream.solved()) as solved:
        for block, paths in solved:
            for name in solver.outputs:
                values[name][block.index] = paths[name]
    return xr.Dataset({name: (DIMS, array) for name, array in values.items()}, solver.coords).assign(
        {name: (DIMS, array, solver.units(name)) for name, array in values.items()}
    )


def reduce(solver: BlockSolver, stream: Stream, measures: Measures) -> xr.Dataset:
    """Keep what the measures make of the paths, block by block."""
    shape = tuple(solver.coords[dim].size for dim in DIMS[:-1])
    values = {name: np.empty(shape) for name in measures.functions}
    first = True
    with closing(stream.solved()) as solved:
        for block, paths in solved:
            seen = dataset(solver, block, paths)
            if first:
                measures.check(seen)
                first = False
            for name, measured in measures(seen).items():
                values[name][block.index] = measured[0, :, 0]
    words = measures.describe()
    coords = {dim: solver.coords[dim] for dim in DIMS[:-1]}
    return xr.Dataset(
        {
            name: (DIMS[:-1], array, {"description": words[name]} if words[name] else {})
            for name, array in values.items()
        },
        coords,
    )


def dataset(solver: BlockSolver, block: Block, paths: Paths) -> xr.Dataset:
    """Give a block as measures see it."""
    coords = {
        "chain": solver.coords["chain"][[block.chain]],
        "draw": solver.coords["draw"][block.draws],
        "regimen": solver.coords["regimen"][[block.regimen]],
        "subject": solver.coords["subject"][block.subjects],
        "time": solver.coords["time"],
    }
    predictions = xr.Dataset(
        {name: (DIMS, values[None, :, None], solver.units(name)) for name, values in paths.items()}, coords
    )
    where = {
        "chain": [block.chain],
        "draw": block.draws,
        "regimen": [block.regimen],
        "subject": block.subjects,
    }
    return with_facts(
        predictions,
        solver.dosing.isel(where, missing_dims="ignore"),
        solver.patients.covariates.isel(where, missing_dims="ignore"),
    )


def predict(
    calibration: Calibration, studies: Sequence[Study], parameters: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Solve the system for every draw, regimen and individual, with one compiled function.

    Parameters
    ----------
    calibration : Calibration
    studies : sequence of Study
        One for each regimen, of equal outputs and observations.
    parameters : mapping of str to array
        Individual parameters, (draw, subject), or (draw,) where individuals do not differ.

    Returns
    -------
    dict of str to array
        By output, (draw, regimen, observation).
    """
    outputs = studies[0].outputs
    n_draws = len(next(iter(parameters.values())))
    values = {name: np.empty((n_draws, len(studies), len(studies[0].rows[name]))) for name in outputs}
    predictor = Predictor.compile(calibration, studies[0], parameters)
    for column, study in enumerate(studies):
        records = predictor.records(study)
        for draw, row in enumerate(zip(*parameters.values(), strict=True)):
            for name, prediction in zip(outputs, predictor(records, row), strict=True):
                values[name][draw, column] = prediction
    return values
