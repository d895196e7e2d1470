"""Individual posterior: what a person's own levels add to what a study has said of the population."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from rich.console import Console

from qsp_bayes.calibration.checks import (
    check_covariates,
    check_doses,
    check_inputs,
    check_observations,
    require_known,
)
from qsp_bayes.calibration.importance import Weighted, importance_sample, resample
from qsp_bayes.calibration.individual import Individual
from qsp_bayes.calibration.individual_sampling import sample_person
from qsp_bayes.calibration.metadata import as_attribute, read_facts, versions
from qsp_bayes.calibration.simulate import check_fit
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.threads import threads, usable_cores
from qsp_bayes.units import require_same_unit

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

FEWEST_PROPOSALS = 4000
PROPOSALS_PER_DRAW = 4


def individual_posterior(
    calibration: Calibration,
    fit: xr.DataTree,
    person: Study,
    *,
    draws: int = 1000,
    random_seed: int = 0,
    study: Study | None = None,
    progressbar: bool = True,
) -> xr.DataTree:
    r"""Sample the posterior of one person, with the posterior of the population as prior.

    .. math:: p(\theta, b \mid y, \text{study}) \propto p(\theta \mid \text{study})\, N(b; 0, I)\, p(y \mid \theta, b)

    b being the person's deviations :math:`\eta` and those :math:`\kappa` of its occasions. The draws of
    :math:`\theta` are those of the fit; the person's levels also weigh them. See `importance_sample` for the way, and
    `sample_person` for what is done where importance sampling cannot be trusted.

    Parameters
    ----------
    calibration : Calibration
    fit : DataTree
        From `Calibration.fit`, of a study that does not hold the levels of this person.
    person : Study
        Doses, covariates and levels of one subject.
    draws : int
        Draws to give, all chains together.
    random_seed : int
    study : Study, optional
        The study of the fit. Where importance sampling fails, study and person are then sampled together.
    progressbar : bool

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``prior`` (the person before any level: covariates only), each with the variables of
        the population, ``eta_CL``, ``kappa_CL`` and the parameters, by chain and draw; ``population_draw`` names the
        draw of the fit that a draw belongs to. The attribute ``qsp_bayes`` tells the way that was taken.

    Raises
    ------
    CalibrationError, UnitsError
        If fit, person and calibration do not fit together.
    """
    started = time.perf_counter()
    facts = read_facts(fit)
    check_fit(calibration, facts)
    check_person(calibration, fit, person)
    if study is not None and study.checksum != facts["study"]["checksum"]:
        raise CalibrationError(
            f"study {study.name!r} is not the one of the fit ({facts['study']['name']!r}): its records differ. Pass "
            "the study that was fitted, or leave study out."
        )
    if draws != int(draws) or draws < 1:
        raise CalibrationError(f"draws is {draws!r}; it must be a whole number of at least 1.")
    rng = np.random.default_rng(random_seed)
    individual = Individual.of(calibration, person)
    names = [*individual.population, *error_variables(calibration)]
    require_known(names, map(str, fit["posterior"].data_vars), "the fit", "posterior variable")
    everything = fit["posterior"].to_dataset()
    # Dropping, rather than choosing, keeps chain and draw where every variable is fixed.
    posterior = everything.drop_vars([name for name in everything.data_vars if name not in names])
    n_levels = levels_of(person)
    chains = posterior.sizes["chain"]
    each = int(np.ceil(draws / chains))
    prior_place = spread(posterior.sizes["draw"], chains, each)
    prior = person_dataset(
        individual,
        at_places(posterior, prior_place),
        rng.standard_normal((chains * each, individual.n_effects)),
        chains,
        prior_place,
    )
    how: dict[str, Any] = {"levels": n_levels, "proposals": 0}
    if not n_levels:
        found = prior
        how |= {"way": "prior"}
    else:
        with threads(usable_cores()):
            weighted, place, population = propose(individual, posterior, draws, rng, progressbar)
        how |= {
            "proposals": len(weighted.weights),
            "pareto_k": weighted.k,
            "importance_ess": weighted.ess,
            "stages": weighted.stages,
        }
        how["pareto_k"] = how["pareto_k"] if np.isfinite(how["pareto_k"]) else "infinite"
        if weighted.reliable:
            how |= {"way": "importance", "log_density_of_levels": weighted.log_evidence}
            kept = by_chain(weighted.weights, chains, each, rng)
            found = person_dataset(
                individual,
                {name: values[kept] for name, values in population.items()},
                weighted.effects[kept],
                chains,
                place.ravel()[kept].reshape(chains, each),
            )
        else:
            sampled, facts_of_sampling = sample_person(
                individual, posterior, study, draws=each, random_seed=random_seed, progressbar=progressbar
            )
            how |= facts_of_sampling
            found = person_dataset(individual, *sampled, chains, None)
    chain = posterior.coords["chain"].to_numpy()
    tree = xr.DataTree.from_dict(
        {
            "posterior": found.assign_coords(chain=chain[: found.sizes["chain"]]),
            "prior": prior.assign_coords(chain=chain),
        }
    )
    tree.attrs = as_attribute(
        {
            "versions": versions(),
            "random_seed": random_seed,
            "person": person.summary(),
            "study": facts["study"]["checksum"],
            "how": {**how, "seconds": round(time.perf_counter() - started, 2)},
        }
    )
    return tree


def check_person(calibration: Calibration, fit: xr.DataTree, person: Study) -> None:
    """Check the records of a person against the calibration and the fit."""
    system = calibration.system
    if person.n_subjects != 1:
        raise CalibrationError(
            f"study {person.name!r} has {person.n_subjects} subjects; one person is expected. Choose one by "
            f"study.subset([{person.subjects[0] if person.n_subjects else ''!r}])."
        )
    require_same_unit(person.units.time, system.time_unit, "time of the person's records")
    check_doses(system, person)
    check_inputs(system, person)
    check_covariates(calibration.individual, person)
    if not levels_of(person):
        return
    observed = [output for output, rows in person.rows.items() if len(rows)]
    require_known(
        observed, calibration.error, f"levels of {person.subjects[0]}", "output with an error model for"
    )
    for output in observed:
        require_same_unit(
            person.units.outputs[output], system.outputs[output].unit, f"levels of {output} of the person"
        )
        check_observations(output, calibration.error[output], person)
    check_unseen(fit, person, observed)


def check_unseen(fit: xr.DataTree, person: Study, observed: list[str]) -> None:
    """Require that the fit has not used the same levels already: they would count twice."""
    label = person.subjects[0]
    if not {"constant_data", "observed_data"} <= set(fit.children) or label not in fit[
        "constant_data"
    ].coords.get("subject", []):
        return
    for output in observed:
        if f"DV_{output}" not in fit["observed_data"] or f"subject_{output}" not in fit["constant_data"]:
            continue
        subject = list(fit["constant_data"].coords["subject"].to_numpy()).index(label)
        own = fit["constant_data"][f"subject_{output}"].to_numpy() == subject
        levels = person.table.iloc[person.rows[output]]
        seen = set(
            zip(
                fit["constant_data"][f"time_{output}"].to_numpy()[own],
                fit["observed_data"][f"DV_{output}"].to_numpy()[own],
                strict=True,
            )
        )
        if seen & set(zip(levels["TIME"], levels["DV"], strict=True)):
            raise CalibrationError(
                f"the fit has already used levels of subject {label} ({output}): they would count twice. Fit a study "
                f"without this subject, or take fit['posterior'].sel(subject={label!r})."
            )


def levels_of(person: Study) -> int:
    """Count the levels; those of a plan are not measured yet."""
    return 0 if person.is_planned else person.n_observations


def error_variables(calibration: Calibration) -> list[str]:
    """Name the variables of the error models that are not fixed."""
    return [
        name
        for output, error in calibration.error.items()
        for name in error.variables(output, calibration.system.outputs[output].unit)
        if name not in calibration.fix
    ]


def propose(
    individual: Individual,
    posterior: xr.Dataset,
    draws: int,
    rng: np.random.Generator,
    progressbar: bool,
) -> tuple[Weighted, np.ndarray, dict[str, np.ndarray]]:
    """Weigh proposals for the person at draws of the population."""
    chains = posterior.sizes["chain"]
    n = max(FEWEST_PROPOSALS, PROPOSALS_PER_DRAW * draws)
    place = spread(posterior.sizes["draw"], chains, int(np.ceil(n / chains)))
    population = at_places(posterior, place)
    copies = individual.copies(place.size)

    def log_likelihood(effects: np.ndarray) -> np.ndarray:
        parameters, _ = individual.parameters(population, individual.split(effects), place.size)
        return copies.log_likelihood(copies.predict(parameters), population)

    with progress(progressbar, individual.study.subjects[0]) as show:
        weighted = importance_sample(
            log_likelihood,
            features_of(population, place.size),
            individual.n_effects,
            min(draws, place.size / 4),
            rng,
            show,
        )
    return weighted, place, population


def progress(shown: bool, label: str) -> AbstractContextManager[Callable[[int, float, float], None]]:
    """Give a function that shows how far the proposals have come."""
    if not shown:
        return nullcontext(lambda stage, k, ess: None)
    console = Console(stderr=True)

    def show(stage: int, k: float, ess: float) -> None:
        console.print(
            f"Person {label}: proposals of stage {stage}, Pareto k {k:.2f}, {ess:.0f} effective draws"
        )

    return nullcontext(show)


def spread(length: int, chains: int, each: int) -> np.ndarray:
    """Give positions of draws, taken evenly from every chain, (chain, draw); some repeat where they must."""
    one = np.floor(np.arange(each) * length / each).astype(int)
    return np.broadcast_to(one, (chains, each))


def at_places(posterior: xr.Dataset, place: np.ndarray) -> dict[str, np.ndarray]:
    """Give draws of the population as arrays, chain after chain."""
    chain = np.arange(len(place))[:, None]
    found = {}
    for name, values in posterior.data_vars.items():
        array = values.transpose("chain", "draw", ...).to_numpy()[chain, place]
        found[str(name)] = array.reshape(place.size, *array.shape[2:])
    return found


def features_of(population: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Standardise the variables of the population, on the log scale where they are positive, (draw, number)."""
    columns = [np.reshape(values, (n, -1)) for values in population.values()]
    features = np.concatenate([*columns, np.zeros((n, 0))], axis=1)
    positive = (features > 0).all(axis=0)
    features = np.where(positive, np.log(np.where(positive, features, 1.0)), features)
    spreads = features.std(axis=0)
    return (features - features.mean(axis=0))[:, spreads > 0] / spreads[spreads > 0]


def by_chain(weights: np.ndarray, chains: int, each: int, rng: np.random.Generator) -> np.ndarray:
    """Resample every chain of proposals to one of equal weights, so that chains can still be compared."""
    parts = weights.reshape(chains, -1)
    first = np.arange(chains) * parts.shape[1]
    return np.concatenate(
        [resample(part, each, rng) + start for part, start in zip(parts, first, strict=True)]
    )


def person_dataset(
    individual: Individual,
    population: Mapping[str, np.ndarray],
    effects: np.ndarray,
    chains: int,
    place: np.ndarray | None,
) -> xr.Dataset:
    """Give draws of a person with their names and dimensions."""
    by_name = individual.split(effects)
    parameters, deviations = individual.parameters(population, by_name, len(effects))
    each = len(effects) // chains
    coords: dict[str, Any] = {
        "chain": np.arange(chains),
        "draw": np.arange(each),
        "occasion": list(individual.study.occasions),
        "record": np.arange(len(individual.study.table)),
    }
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, values in population.items():
        dims = tuple(f"{name}_dim_{k}" for k in range(values.ndim - 1))
        arrays[name] = (dims, values)
    for name, values in by_name.items():
        dims, array = individual.dims[name], values
        if "subject" in dims:
            array = array.take(0, axis=1 + dims.index("subject"))
            dims = tuple(dim for dim in dims if dim != "subject")
        arrays[name] = (dims, array)
    for name, values in deviations.items():
        arrays[name] = ((), values[:, 0])
    for name, values in parameters.items():
        level = individual.levels[name]
        if level in ("population", "subject"):
            arrays[name] = ((), values.reshape(len(effects)))
        else:
            arrays[name] = ((level,), values)
    if place is not None:
        arrays["population_draw"] = ((), place.ravel())
    dataset = xr.Dataset(
        {
            name: (("chain", "draw", *dims), values.reshape(chains, each, *values.shape[1:]))
            for name, (dims, values) in arrays.items()
        }
    )
    used = set(dataset.dims)
    return dataset.assign_coords({name: values for name, values in coords.items() if name in used})
