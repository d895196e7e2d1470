"""Individual sampling: NUTS for one person, where importance sampling cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from qsp_bayes.calibration.individual.individual import INDIVIDUAL, Individual
from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.calibration.sampler import sample_posterior
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

TUNE = 1000
TARGET_ACCEPT = 0.95


def sample_person(
    individual: Individual,
    posterior: xr.Dataset,
    study: Study | None,
    *,
    draws: int,
    random_seed: int,
    progressbar: bool,
) -> tuple[tuple[dict[str, np.ndarray], np.ndarray], dict[str, Any]]:
    """Sample a person by NUTS.

    Parameters
    ----------
    individual : Individual
    posterior : Dataset
        Draws of the population.
    study : Study, optional
        With it, study and person are sampled together, which is exact. Without it the posterior of the population is
        taken as a normal distribution on the scale where its variables are unconstrained.
    draws : int
        For each chain.
    random_seed : int
    progressbar : bool

    Returns
    -------
    draws : tuple of dict and array
        Variables of the population and the person's effects, chain after chain.
    facts : dict
        The way taken, R-hat, divergences, and the number of chains.
    """
    person = individual.study
    if study is not None:
        label = free_label(person, study)
        resolver = individual.calibration.assemble(joined(study, person, label))
    else:
        label = person.subjects[0]
        resolver = normal_population(individual.calibration, person, posterior)
    sampled = sample_posterior(
        resolver,
        draws=draws,
        tune=TUNE,
        chains=posterior.sizes["chain"],
        cores=None,
        random_seed=random_seed,
        target_accept=TARGET_ACCEPT,
        progressbar=progressbar,
    )
    diverging = int(sampled.sample_stats["diverging"].sum())
    sample = sampled.posterior
    own = own_draws(sample, individual, label)
    population = {
        str(name): np.reshape(sample[name].to_numpy(), (-1, *sample[name].shape[2:]))
        for name in posterior.data_vars
        if name in sample
    }
    rhat = max(float(arviz_stats.rhat(sample[name]).max()) for name in (*population, *individual.effects))
    way = "NUTS with the study" if study is not None else "NUTS, normal population"
    # After an interruption there may be fewer chains.
    facts = {"way": way, "rhat": rhat, "diverging": diverging, "chains": sample.sizes["chain"]}
    return (population, own), facts


def own_draws(sample: xr.Dataset, individual: Individual, label: str) -> np.ndarray:
    """Give the effects of one subject, (draw, number), chain after chain."""
    parts = []
    for name in individual.effects:
        values, dims = sample[name], individual.dims[name]
        if "subject" in dims:
            values = values.sel(subject=[label])
        else:
            mine = [str(pair).rpartition("/")[0] == label for pair in values["occasion"].to_numpy()]
            values = values.isel(occasion=np.flatnonzero(mine))
        array = values.transpose("chain", "draw", *dims).to_numpy()
        parts.append(array.reshape(array.shape[0] * array.shape[1], -1))
    n = sample.sizes["chain"] * sample.sizes["draw"]
    return np.concatenate([*parts, np.zeros((n, 0))], axis=1)


def free_label(person: Study, study: Study) -> str:
    """Give the person a label that no subject of the study has."""
    label = person.subjects[0]
    while label in study.subjects:
        label = f"{label}*"
    return label


def joined(study: Study, person: Study, label: str) -> Study:
    """Give a study with one more subject."""
    more = person.table.assign(ID=label)
    table = pd.concat([study.table, more[[*study.table.columns]]], ignore_index=True)
    return replace(study, table=table.astype({"ID": "str", "COMPARTMENT": "str", "OUTPUT": "str"}))


def normal_population(calibration: Calibration, person: Study, posterior: xr.Dataset) -> Resolver:
    r"""Give the model of a person whose population is a normal distribution, on the unconstrained scale.

    With u the unconstrained population, the potential :math:`\log N(u; m, S) - \log p(u)` takes the place of the priors
    that the calibration gave.
    """
    observed = {output for output, rows in person.rows.items() if len(rows)}
    errors = {output: error for output, error in calibration.error.items() if output in observed}
    resolver = replace(calibration, error=errors).assemble(person)
    model = resolver.model
    population = [
        v for v in model.free_RVs if not INDIVIDUAL.intersection(model.named_vars_to_dims.get(v.name) or ())
    ]
    if not population:
        return resolver
    columns, places, densities = [], [], []
    for variable in population:
        transform = model.rvs_to_transforms[variable]
        values = posterior[variable.name].transpose("chain", "draw", ...).to_numpy()
        values = values.reshape(-1, *values.shape[2:])
        inputs = variable.owner.inputs
        place, density = variable, pm.logp(variable, variable).sum()
        if transform is not None:
            values = transform.forward(values, *inputs).eval(mode="FAST_COMPILE")
            place = transform.forward(variable, *inputs)
            density = density + transform.log_jac_det(place, *inputs).sum()
        columns.append(values.reshape(len(values), -1))
        places.append(pt.flatten(place))
        densities.append(density)
    draws = np.concatenate(columns, axis=1)
    root = np.linalg.cholesky(np.cov(draws, rowvar=False).reshape(draws.shape[1], -1))
    normal = pm.MvNormal.dist(mu=draws.mean(axis=0), chol=root)
    with model:
        pm.Potential("population", pm.logp(normal, pt.concatenate(places)) - sum(densities))
    return resolver
