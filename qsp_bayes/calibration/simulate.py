"""Simulate: new individuals under new regimens, with the uncertainty of the population."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.pytensorf import compile

from qsp_bayes.calibration.checks import check_covariates, check_doses, check_inputs, require_known
from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.fit import population_names, thin
from qsp_bayes.calibration.metadata import as_attribute, read_facts, versions
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import CalibrationError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def simulate(
    calibration: Calibration,
    fit: xr.DataTree,
    regimens: Mapping[str, Regimen],
    subjects: Subjects,
    times: np.ndarray,
    *,
    draws: int,
    outputs: Sequence[str] | None,
    residual: bool,
    change: Mapping[str, Callable[[Any], Any]],
    random_seed: int,
) -> xr.DataTree:
    """Predict new individuals; `Calibration.simulate` documents it."""
    system = calibration.system
    facts = read_facts(fit)
    check_fit(calibration, facts)
    require_known(change, system.parameters, "change", "parameter")
    possible = list(calibration.error) if residual else list(system.outputs)
    outputs = possible if outputs is None else list(outputs)
    require_known(outputs, possible, "outputs", "output with an error model" if residual else "output")
    studies = {
        name: plan(calibration, regimen, subjects, times, outputs) for name, regimen in regimens.items()
    }
    seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(1 + len(outputs))]
    population = thin(fit["posterior"].to_dataset(), draws)
    parameters = new_individuals(calibration, population, next(iter(studies.values())), seeds[0])
    parameters |= {name: np.asarray(function(parameters[name])) for name, function in change.items()}
    values = predict(calibration, list(studies.values()), parameters)
    if residual:
        for output, seed in zip(outputs, seeds[1:], strict=True):
            values[output] = add_residual(calibration, output, values[output], population, seed)
    chains, per_chain = population.sizes["chain"], population.sizes["draw"]
    shape = (chains, per_chain, len(studies), len(subjects), len(times))
    dims = ("chain", "draw", "regimen", "subject", "time")
    coords = {
        "chain": population.coords["chain"].to_numpy(),
        "draw": population.coords["draw"].to_numpy(),
        "regimen": list(studies),
        "subject": list(subjects.labels),
        "time": times,
    }
    predictions = xr.Dataset({name: (dims, v.reshape(shape)) for name, v in values.items()}, coords)
    for name in values:
        predictions[name].attrs["units"] = system.outputs[name].unit
    covariates = {name: ("subject", column.to_numpy(dtype=float)) for name, column in subjects.table.items()}
    result = xr.DataTree.from_dict(
        {"predictions": predictions, "constant_data": xr.Dataset(covariates, {"subject": coords["subject"]})}
    )
    result.attrs = as_attribute(
        {
            "versions": versions(),
            "random_seed": random_seed,
            "regimens": {name: str(regimen) for name, regimen in regimens.items()},
            "units": {"time": system.time_unit, **{name: system.outputs[name].unit for name in values}},
            "n_subjects": len(subjects),
            "subjects": subjects.origin,
            "draws": chains * per_chain,
            "residual": residual,
            "change": sorted(change),
            "study": facts["study"]["checksum"],
        }
    )
    return result


def check_fit(calibration: Calibration, facts: Mapping[str, Any]) -> None:
    """Require that the fit was made by an equal calibration."""
    for key, now in {
        "system": calibration.system.describe()["equations"],
        "individual": calibration.describe()["individual"],
        "error": calibration.describe()["error"],
        "fixed": calibration.describe()["fixed"],
    }.items():
        then = facts["system"]["equations"] if key == "system" else facts["calibration"][key]
        if then != now:
            raise CalibrationError(
                f"The fit was made by another calibration: its {key} was {then}, now it is {now}. "
                "Simulate with the calibration that made the fit."
            )


def plan(
    calibration: Calibration, regimen: Regimen, subjects: Subjects, times: np.ndarray, outputs: list[str]
) -> Study:
    """Give the design of a regimen in the system's units, checked against the system."""
    system = calibration.system
    require_known(regimen.compartments, system.doses, f"regimen {regimen}", "compartment of the system for")
    amount = system.states[system.doses[regimen.compartments[0]][0].state]
    units = StudyUnits(
        system.time_unit, amount, {name: system.outputs[name].unit for name in outputs}, subjects.units
    )
    study = planned_study(
        regimen, subjects, times, units=units, outputs=outputs, compartments=list(system.doses)
    )
    check_doses(system, study)
    check_inputs(system, study)
    check_covariates(calibration.individual, study)
    return study


def new_individuals(
    calibration: Calibration, population: xr.Dataset, study: Study, random_seed: int
) -> dict[str, np.ndarray]:
    """Draw new individuals for draws of the population.

    Returns
    -------
    dict of str to array
        Individual parameters, (draw, subject), or (draw,) where individuals do not differ.
    """
    with pm.Model(coords=study.coords) as model, quiet_pymc():
        design = Design(study, study.as_pymc_data(), Variables(calibration.priors, calibration.fix))
        terms = calibration.individual_parameters(design)
        drawn = pm.sample_posterior_predictive(
            population[population_names(model)],
            var_names=list(terms),
            random_seed=random_seed,
            progressbar=False,
        )["posterior_predictive"]
    # A planned study has one occasion for each subject: a value by occasion is a value by subject.
    return {
        name: drawn[name].stack(sample=("chain", "draw")).transpose("sample", ...).to_numpy()
        for name in terms
    }


def predict(
    calibration: Calibration, studies: Sequence[Study], parameters: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Solve the system for every draw, regimen and individual, with one compiled function.

    Returns
    -------
    dict of str to array
        By output, (draw, regimen, observation).
    """
    outputs = studies[0].outputs
    inputs = {
        name: pt.dscalar(name) if values.ndim == 1 else pt.dvector(name)
        for name, values in parameters.items()
    }
    n_draws = len(next(iter(parameters.values())))
    values = {name: np.empty((n_draws, len(studies), len(studies[0].rows[name]))) for name in outputs}
    with pm.Model(coords=studies[0].coords):
        design = Design(studies[0], studies[0].as_pymc_data(), Variables({}, {}))
        covariates, levels = design.inputs(calibration.system)
        path = calibration.system.solve(
            design.events, inputs, covariates=covariates, levels=levels, solver=calibration.solver
        )
        evaluate = pytensor.function(
            list(inputs.values()), [path[output] for output in outputs], on_unused_input="ignore"
        )
        for column, study in enumerate(studies):
            pm.set_data(study.data_arrays(), coords=study.coords)
            for draw, row in enumerate(zip(*parameters.values(), strict=True)):
                for name, prediction in zip(outputs, evaluate(*row), strict=True):
                    values[name][draw, column] = prediction
    return values


def add_residual(
    calibration: Calibration, output: str, predictions: np.ndarray, population: xr.Dataset, random_seed: int
) -> np.ndarray:
    """Draw observations around the predictions of an output, (draw, regimen, observation)."""
    inputs: dict[str, Any] = {}

    def variable(name: str) -> Any:
        if name in calibration.fix:
            return pt.constant(calibration.fix[name])
        return inputs.setdefault(name, pt.tensor(name, dtype="float64", shape=(None, 1, 1)))

    prediction = pt.tensor3("prediction", dtype="float64")
    noise = calibration.error[output].noise(output, prediction, variable)
    draw = compile([prediction, *inputs.values()], noise.draw(), random_seed=random_seed)
    return draw(predictions, *(population[name].to_numpy().reshape(-1, 1, 1) for name in inputs))
