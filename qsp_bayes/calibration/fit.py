"""Fit: the posterior of a study and everything that judges it, in one DataTree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import xarray as xr

from qsp_bayes.calibration.divergences import attribute, prior_failures
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.calibration.sampler import quiet_pymc, sample_posterior
from qsp_bayes.data.study import Study
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import derived

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

PRIOR_DRAWS = 500
POPULATION_DRAWS = 500


def fit(
    calibration: Calibration, study: Study, *, random_seed: int, progressbar: bool, **sampling: Any
) -> xr.DataTree:
    """Sample the posterior and what goes with it; `Calibration.fit` documents it."""
    resolver = calibration.assemble(study)
    model = resolver.model
    seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(5)]
    sample = sample_posterior(resolver, random_seed=seeds[0], progressbar=progressbar, **sampling)
    tree = xr.DataTree.from_dict({"posterior": sample.posterior, "sample_stats": sample.sample_stats})
    with model, quiet_pymc():
        prior = pm.sample_prior_predictive(PRIOR_DRAWS, random_seed=seeds[1])
        # The predictions are among the draws: there is no need to solve the system again.
        replicates = pm.sample_posterior_predictive(
            tree.posterior.to_dataset()[[*calibration.error, *population_names(model)]],
            random_seed=seeds[2],
            progressbar=False,
            freeze_vars=list(calibration.error),
        )
        population = pm.sample_posterior_predictive(
            thin(sample.posterior[population_names(model)], POPULATION_DRAWS),
            var_names=[variable.name for variable in model.observed_RVs],
            random_seed=seeds[3],
            progressbar=False,
        )
        pm.stats.compute_log_likelihood(tree, progressbar=False)
        pm.stats.compute_log_prior(tree, progressbar=False)
    facts = describe_fit(
        calibration,
        study,
        random_seed,
        {
            "draws": sample.posterior.sizes["draw"],
            "tune": sampling["tune"],
            "chains": sample.posterior.sizes["chain"],
            "sampler": "NUTS (nutpie)",
            "target_accept": sampling["target_accept"],
            "seconds": round(sample.seconds_sampling, 2),
            "seconds_compiling": round(sample.seconds_compiling, 2),
        },
    )
    groups = {
        "prior": prior["prior"],
        "prior_predictive": prior["prior_predictive"],
        "posterior": tree["posterior"],
        "posterior_predictive": replicates["posterior_predictive"],
        "population_predictive": population["posterior_predictive"],
        "log_likelihood": tree["log_likelihood"],
        "log_prior": tree["log_prior"],
        "sample_stats": tree["sample_stats"],
        "observed_data": replicates["observed_data"],
    }
    order = [v.name for v in (*model.free_RVs, *model.deterministics, *model.observed_RVs)]
    result = xr.DataTree.from_dict(
        {
            name: bare(group.to_dataset(), order if name != "sample_stats" else [])
            for name, group in groups.items()
        }
    )
    if (quantities := derived_quantities(calibration, result["posterior"].to_dataset())) is not None:
        result["derived"] = xr.DataTree(quantities)
    if sample.divergences is not None:
        result["divergences"] = xr.DataTree(attribute(sample.divergences, resolver, seeds[4]))
    failures = prior_failures(result["prior"].to_dataset(), list(calibration.error), resolver)
    if failures is not None:
        result["prior_failures"] = xr.DataTree(failures)
    result["constant_data"] = xr.DataTree(constant_data(study))
    result.attrs = as_attribute(facts)
    return result


def derived_quantities(calibration: Calibration, posterior: xr.Dataset) -> xr.Dataset | None:
    """Derive half-life, volume at steady state and the like of the typical individual, draw by draw.

    None where the system has another disposition than that of the library's compartments.
    """
    values: dict[str, Any] = {str(name): draws for name, draws in posterior.data_vars.items()}
    try:
        return derived(calibration.system, {**values, **calibration.fix}, prefix="TV")
    except MechanismError:
        return None


def population_names(model: pm.Model) -> list[str]:
    """Name the free variables that describe the population rather than its individuals.

    Sampling the model given draws of these alone makes new individuals: whatever has a dimension of individuals is then
    drawn afresh.
    """
    individual = {"subject", "occasion", "record"}
    return [
        variable.name
        for variable in model.free_RVs
        if not individual.intersection(model.named_vars_to_dims.get(variable.name) or ())
    ]


def thin(draws: xr.Dataset, n: int) -> xr.Dataset:
    """Take about n draws, evenly from every chain."""
    chains, length = draws.sizes["chain"], draws.sizes["draw"]
    each = min(max(1, n // chains), length)
    return draws.isel(draw=np.linspace(0, length - 1, each).round().astype(int))


def bare(dataset: xr.Dataset, order: list[str]) -> xr.Dataset:
    """Order the variables, and drop the attributes that tools leave behind, such as the time of creation.

    Equal fits are then equal files.
    """
    dataset = dataset[[name for name in order if name in dataset] or [*dataset]].copy()
    dataset.attrs = {}
    for variable in dataset.variables.values():
        variable.attrs = {}
    return dataset


def constant_data(study: Study) -> xr.Dataset:
    """Give what the study holds beside the observed values: events by record, covariates, times and censoring."""
    table, coords = study.table, study.coords
    columns = (
        "ID",
        "TIME",
        "EVID",
        "AMT",
        "RATE",
        "DUR",
        "II",
        "ADDL",
        "SS",
        "MDV",
        "OCC",
        "COMPARTMENT",
        "OUTPUT",
    )
    arrays: dict[str, Any] = {
        column: ("record", table[column].to_numpy().astype(kind_of(table[column]))) for column in columns
    }
    first = np.flatnonzero(np.diff(study.subject_index, prepend=-1))
    for name in study.covariates:
        values = study.covariate_by_record(name)
        constant = np.array_equal(values, values[first][study.subject_index], equal_nan=True)
        arrays[name] = ("subject", values[first]) if constant else ("record", values)
    for output, rows in study.rows.items():
        marks = study.censoring(output)
        arrays[f"subject_{output}"] = (f"obs_{output}", study.subject_index[rows])
        arrays[f"time_{output}"] = (f"obs_{output}", table["TIME"].to_numpy()[rows])
        arrays[f"CENS_{output}"] = (f"obs_{output}", marks.CENS)
        arrays[f"LIMIT_{output}"] = (f"obs_{output}", marks.LIMIT)
    return xr.Dataset(arrays, coords)


def kind_of(column: Any) -> Any:
    """Give the type to store a column in: text as objects, numbers as they are."""
    return object if column.dtype.kind not in "if" else column.dtype
