"""Mechanism: a trial's model compiled, for many populations and individuals at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.typical import design_of
from qsp_bayes.calibration.variables import Variables, require_priors
from qsp_bayes.decision.trial.individuals import Individuals, Unscheduled
from qsp_bayes.decision.trial.population import Population
from qsp_bayes.decision.trial.sample_error import SampleError
from qsp_bayes.decision.trial.schedule import Schedule
from qsp_bayes.decision.trial.solving import Solution, Solving
from qsp_bayes.decision.trial.toxicity import DoseLimitingToxicity
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.errors import DecisionError
from qsp_bayes.identifiability.expected_information import INDIVIDUAL, uncentred


@dataclass(frozen=True, eq=False)
class Mechanism:
    """The parts of a trial's model, compiled.

    Attributes
    ----------
    population : Population
    individuals : Individuals
    solving : Solving
    errors : dict of str to SampleError
    toxicity : DoseLimitingToxicity
    times : array
    time_unit : str
    output_units : dict of str to str
    """

    population: Population
    individuals: Individuals
    solving: Solving
    errors: Mapping[str, SampleError]
    toxicity: DoseLimitingToxicity
    times: np.ndarray
    time_unit: str
    output_units: Mapping[str, str]

    @classmethod
    def of(cls, model: TrialModel) -> Mechanism:
        """Compile a model."""
        calibration = uncentred(model.calibration)
        system = calibration.system
        require_priors(
            calibration.priors,
            {name: unit for name, unit in calibration.variables.items() if name not in calibration.fix},
        )
        recruits = model.recruits
        variables = Variables(calibration.priors, calibration.fix)
        with pm.Model(coords={"subject": ["anyone"]}) as joint, quiet_pymc():
            design = Unscheduled(
                design_of(calibration, recruits),
                None,  # type: ignore[arg-type]
                variables,
                {name: pt.dvector(f"covariate_{name}") for name in recruits.table},
                pt.lscalar("number"),
            )
            terms = calibration.individual_parameters(design)
            effects = [
                v
                for v in joint.free_RVs
                if INDIVIDUAL.intersection(joint.named_vars_to_dims.get(v.name) or ())
            ]
            of_individuals = [v for v in joint.free_RVs if v not in effects]
            for output in model.samples:
                for name in calibration.error[output].variables(output, system.outputs[output].unit):
                    variables(name)
            of_errors = [v for v in joint.free_RVs if v not in (*of_individuals, *effects)]
            of_toxicity = [
                model.toxicity.priors[name].create_variable(name) for name in model.toxicity.variables
            ]
        blocks = {"individuals": of_individuals, "errors": of_errors, "toxicity": of_toxicity}
        if not any(blocks.values()):
            raise DecisionError("Every variable is fixed: a trial has nothing to learn.")
        population = Population.of(joint, blocks)
        links = [system.scales[name] for name in terms]
        everything = [v for block in blocks.values() for v in block]
        individuals = Individuals.of(terms, links, everything, effects, design)
        shown = (*model.outputs, *(name for name in model.samples if name not in model.outputs))
        made = cls(
            population,
            individuals,
            Solving.of(system, individuals.names, shown, calibration.solver),
            {output: SampleError.of(calibration, output) for output in model.samples},
            model.toxicity,
            model.times,
            system.time_unit,
            {name: system.outputs[name].unit for name in shown},
        )
        individuals.check(population.natural(population.draws(16, 0)), recruits.table.to_numpy())
        return made

    def solve(self, schedules: Sequence[Schedule], linked: np.ndarray) -> list[Solution]:
        """Solve for parameters on their links, (population, schedule, parameter)."""
        with np.errstate(all="ignore"):
            return self.solving(schedules, self.individuals.natural(linked))

    def exposure(self, solutions: Sequence[Solution]) -> np.ndarray:
        """Exposure of each individual of each solution, (individual, solution); NaN where it cannot be solved."""
        dims = ("chain", "draw", "regimen", "subject", "time")
        number = len(next(iter(solutions[0].grid.values())))
        data = {}
        for name in solutions[0].grid:
            values = np.concatenate([solution.grid[name] for solution in solutions])
            data[name] = (dims, values[None, None, None], {"units": self.output_units[name]})
        x = xr.Dataset(data, {"time": ("time", self.times, {"units": self.time_unit}), "regimen": ["given"]})
        found: Any = self.toxicity.exposure(x)
        if not isinstance(found, xr.DataArray) or set(found.dims) != set(dims[:-1]):
            received = tuple(found.dims) if isinstance(found, xr.DataArray) else type(found).__name__
            raise DecisionError(
                f"The measure of exposure must give one number for each individual, dimensions {dims[:-1]}; it gave "
                f"{received}. Reduce 'time' with auc, cmax, trough or .isel(time=-1)."
            )
        values = found.transpose(*dims[:-1]).to_numpy().ravel()
        if (values < -1e-9 * np.nanmax(np.abs(values), initial=0.0)).any():
            raise DecisionError(
                "The measure of exposure is negative for some individual: it must be 0 or more."
            )
        return np.maximum(values, 0.0).reshape(len(solutions), number).T

    def of_toxicity(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Give the variables of the toxicity, (population, 1), by the names that its methods take."""
        return {name.removeprefix("dlt_"): values[name][:, None] for name in self.toxicity.variables}


@lru_cache(maxsize=4)
def compiled(model: TrialModel) -> Mechanism:
    """Compile a model, or give what was compiled for it before: it holds no state that a trial leaves behind."""
    return Mechanism.of(model)
