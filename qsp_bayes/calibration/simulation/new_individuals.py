"""New individuals: parameters drawn from draws of a population."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import xarray as xr

from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.fit import population_names
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def new_individuals(
    calibration: Calibration, population: xr.Dataset, study: Study, random_seed: int
) -> dict[str, np.ndarray]:
    """Draw new individuals for draws of the population.

    Parameters
    ----------
    calibration : Calibration
    population : xarray.Dataset
        Draws of the posterior, (chain, draw).
    study : Study
        A planned design, for the covariates of its subjects. Which doses and times it has does not matter.
    random_seed : int

    Returns
    -------
    dict of str to array
        Individual parameters, (draw, subject), or (draw,) where individuals do not differ; chains one after another.
    """
    with pm.Model(coords=study.coords) as model, quiet_pymc(), warnings.catch_warnings():
        # A few draws of several chains are no mistake here.
        warnings.filterwarnings("ignore", "Found chain dimension to be longer", UserWarning)
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
