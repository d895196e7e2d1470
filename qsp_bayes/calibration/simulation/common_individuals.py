"""Common individuals: the same random effects at every draw of the population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.graph.traversal import ancestors

from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.fit import population_names
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def common_individuals(
    calibration: Calibration, population: xr.Dataset, study: Study, random_seed: int
) -> dict[str, np.ndarray]:
    """Draw individuals for draws of the population, with random effects that all draws share.

    What differs between two draws is then the population alone, and likelihoods averaged over the individuals can be
    compared between draws although each is uncertain. Effects whose distribution depends on the population (centred
    ones) cannot be shared and are drawn afresh.

    Returns
    -------
    dict of str to array
        Individual parameters, (draw, subject), or (draw,) where individuals do not differ.
    """
    with pm.Model(coords=study.coords) as model, quiet_pymc():
        design = Design(study, study.as_pymc_data(), Variables(calibration.priors, calibration.fix))
        terms = calibration.individual_parameters(design)
        names = population_names(model)
        draws = population[names].drop_vars(["subject", "occasion", "record"], errors="ignore")
        random = set(model.free_RVs)
        shared = [
            variable.name
            for variable in model.free_RVs
            if variable.name not in names and not random.intersection(set(ancestors([variable])) - {variable})
        ]
        if shared:
            one = pm.sample_posterior_predictive(
                draws.isel(chain=[0], draw=[0]), var_names=shared, random_seed=random_seed, progressbar=False
            )["posterior_predictive"].to_dataset()
            effects = one[shared].isel(chain=0, draw=0, drop=True)
            draws = draws.assign(
                {name: effects[name].expand_dims(chain=draws["chain"], draw=draws["draw"]) for name in shared}
            )
        drawn = pm.sample_posterior_predictive(
            draws, var_names=list(terms), random_seed=random_seed, progressbar=False
        )["posterior_predictive"]
    return {
        name: drawn[name].stack(sample=("chain", "draw")).transpose("sample", ...).to_numpy()
        for name in terms
    }
