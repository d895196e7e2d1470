"""Individual course: what the posterior of one person predicts, through the history and beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from qsp_bayes.calibration.checks import check_covariates, check_doses, check_inputs, require_known
from qsp_bayes.calibration.individual.individual import Individual
from qsp_bayes.calibration.simulation.simulate import add_residual
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.threads import threads, usable_cores

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def individual_course(
    calibration: Calibration, draws: xr.Dataset, plan: Study, *, residual: bool, random_seed: int
) -> dict[str, np.ndarray]:
    """Predict a plan for every draw of a person.

    Occasions that the draws know keep their deviations; others have new ones, the same for every plan with the same
    seed. All other deviations stay the person's.

    Parameters
    ----------
    calibration : Calibration
    draws : Dataset
        Group ``posterior`` (or ``prior``) of `individual_posterior`.
    plan : Study
        From `continued_study`.
    residual : bool
        Whether to add residual error.
    random_seed : int

    Returns
    -------
    dict of str to array
        By output, (chain, draw, time).

    Raises
    ------
    CalibrationError
        If the system cannot be solved for some draw.
    """
    check_doses(calibration.system, plan)
    check_inputs(calibration.system, plan)
    check_covariates(calibration.individual, plan)
    outputs = plan.outputs
    possible = list(calibration.error) if residual else list(calibration.system.outputs)
    require_known(outputs, possible, "outputs", "output with an error model" if residual else "output")
    individual = Individual.of(calibration, plan)
    seeds = np.random.SeedSequence(random_seed).generate_state(1 + len(outputs))
    shape = draws.sizes["chain"], draws.sizes["draw"]
    n = shape[0] * shape[1]
    population = {name: flat(draws[name]) for name in individual.population}
    effects = effects_of(individual, draws, int(seeds[0]))
    with threads(usable_cores()):
        parameters, _ = individual.parameters(population, effects, n)
        values = individual.copies(n, outputs).predict(parameters)
    for output, seed in zip(outputs, seeds[1:], strict=True):
        wrong = ~np.isfinite(values[output]).all(axis=1)
        if wrong.any():
            raise CalibrationError(
                f"The system cannot be solved for {int(wrong.sum())} of {len(wrong)} draws of subject "
                f"{plan.subjects[0]}: its prediction of {output} is not finite. This usually means a solver that does "
                "not suit these parameters (Calibration(..., solver=...)), or a prior that allows impossible ones."
            )
        if residual:
            values[output] = add_residual(calibration, output, values[output][:, None, :], draws, int(seed))[
                :, 0
            ]
    return {output: array.reshape(*shape, -1) for output, array in values.items()}


def effects_of(individual: Individual, draws: xr.Dataset, random_seed: int) -> dict[str, np.ndarray]:
    """Give the person's deviations at the occasions of a plan, new ones where an occasion is new."""
    rng = np.random.default_rng(random_seed)
    found = {}
    for name, dims in individual.dims.items():
        values = flat(draws[name])
        if "subject" in dims:
            found[name] = np.expand_dims(values, 1 + dims.index("subject"))
            continue
        known = dict(zip(draws["occasion"].to_numpy(), values.T, strict=True))
        found[name] = np.stack(
            [
                known[label] if label in known else rng.standard_normal(len(values))
                for label in individual.study.occasions
            ],
            axis=1,
        )
    return found


def flat(values: xr.DataArray) -> np.ndarray:
    """Put chains one after the other, (draw, ...)."""
    array = values.transpose("chain", "draw", ...).to_numpy()
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
