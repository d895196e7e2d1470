"""Individual posterior: what a person's own levels add to what a study has said of the population."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from rich.console import Console

from qsp_bayes.calibration.checks import require_known
from qsp_bayes.calibration.individual.checks import check_person, levels_of
from qsp_bayes.calibration.individual.draws import (
    at_places,
    by_chain,
    features_of,
    person_dataset,
    spread,
    with_place,
)
from qsp_bayes.calibration.individual.importance import Weighted, importance_sample
from qsp_bayes.calibration.individual.individual import Individual
from qsp_bayes.calibration.individual.sampling import sample_person
from qsp_bayes.calibration.metadata import as_attribute, read_facts, versions
from qsp_bayes.calibration.simulation.simulate import check_fit
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.threads import threads, usable_cores

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
    # Streams of their own: a fit drawn with the same seed must not repeat itself in the effects.
    seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(4)]
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
    fresh = np.random.default_rng(seeds[0]).standard_normal((chains * each, individual.n_effects))
    prior = with_place(
        person_dataset(individual, at_places(posterior, prior_place), fresh, chains), prior_place
    )
    if n_levels:
        found, how = obtain(individual, posterior, study, draws, seeds[1:], progressbar)
    else:
        found, how = prior, {"way": "prior"}
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
            "how": {"levels": n_levels, **how, "seconds": round(time.perf_counter() - started, 2)},
        }
    )
    return tree


def error_variables(calibration: Calibration) -> list[str]:
    """Name the variables of the error models that are not fixed."""
    return [
        name
        for output, error in calibration.error.items()
        for name in error.variables(output, calibration.system.outputs[output].unit)
        if name not in calibration.fix
    ]


def obtain(
    individual: Individual,
    posterior: xr.Dataset,
    study: Study | None,
    draws: int,
    seeds: list[int],
    progressbar: bool,
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Give draws of the person, and how they were obtained: by importance sampling, or else by NUTS."""
    chains = posterior.sizes["chain"]
    each = int(np.ceil(draws / chains))
    with threads(usable_cores()):
        weighted, place, population, unsolved = propose(
            individual, posterior, draws, np.random.default_rng(seeds[0]), progressbar
        )
    how: dict[str, Any] = {
        "proposals": len(weighted.weights),
        "pareto_k": weighted.k if np.isfinite(weighted.k) else "infinite",
        "importance_ess": weighted.ess,
        "stages": weighted.stages,
        "unsolved": unsolved,
    }
    if weighted.reliable:
        how |= {"way": "importance", "log_density_of_levels": weighted.log_evidence}
        kept = by_chain(weighted.weights, chains, each, np.random.default_rng(seeds[1]))
        own = {name: values[kept] for name, values in population.items()}
        found = person_dataset(individual, own, weighted.effects[kept], chains)
        return with_place(found, place.ravel()[kept]), how
    (own, effects), facts = sample_person(
        individual, posterior, study, draws=each, random_seed=seeds[2], progressbar=progressbar
    )
    return person_dataset(individual, own, effects, facts["chains"]), {**how, **facts}


def propose(
    individual: Individual,
    posterior: xr.Dataset,
    draws: int,
    rng: np.random.Generator,
    progressbar: bool,
) -> tuple[Weighted, np.ndarray, dict[str, np.ndarray], int]:
    """Weigh proposals for the person at draws of the population; count those that could not be solved."""
    chains = posterior.sizes["chain"]
    n = max(FEWEST_PROPOSALS, PROPOSALS_PER_DRAW * draws)
    place = spread(posterior.sizes["draw"], chains, int(np.ceil(n / chains)))
    population = at_places(posterior, place)
    copies = individual.copies(place.size)
    unsolved = 0

    def log_likelihood(effects: np.ndarray) -> np.ndarray:
        nonlocal unsolved
        parameters, _ = individual.parameters(population, individual.split(effects), place.size)
        predictions = copies.predict(parameters)
        solved = [np.isfinite(values).all(axis=1) for values in predictions.values()]
        unsolved = max(unsolved, place.size - int(np.all(solved, axis=0).sum()))
        return copies.log_likelihood(predictions, population)

    with progress(progressbar, individual.study.subjects[0]) as show:
        weighted = importance_sample(
            log_likelihood,
            features_of(population, place.size),
            individual.n_effects,
            min(draws, place.size / 4),
            rng,
            show,
        )
    return weighted, place, population, unsolved


@contextmanager
def progress(shown: bool, label: str) -> Iterator[Callable[[int, float, float], None]]:
    """Show how far the proposals have come, as long as they are made."""
    if not shown:
        yield lambda stage, k, ess: None
        return
    with Console(stderr=True).status(f"Person {label}: weighing proposals") as status:
        yield lambda stage, k, ess: status.update(
            f"Person {label}: stage {stage} of the proposals, Pareto k {k:.2f}, {ess:.0f} effective draws"
        )
