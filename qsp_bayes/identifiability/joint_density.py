"""The joint density of observations, effects and population, compiled: values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
from pymc.logprob.utils import ParameterValueError
from pytensor.graph.replace import clone_replace

from qsp_bayes.calibration.entries import written
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.data.study import Study

PRIOR_DRAWS = 500


class Joint(NamedTuple):
    """Log density of observations and effects by subject, and its gradients by population and effects."""

    by_subject: np.ndarray
    by_population: np.ndarray
    by_effects: np.ndarray


def numbered(model: pm.Model, shapes: Mapping[str, tuple[int, ...]], names: list[str]) -> list[str]:
    """Name every number of the named variables: ``TVCL``, ``e_race_cl[2]`` by its label as `entries` does.

    Where the numbers of the unconstrained scale are not those of the variable, there are no labels, and they have their
    position: ``corr_eta_canonical[0]``.
    """
    return [label for name in names for label in labels_of(model, name, shapes[name])]


def labels_of(model: pm.Model, name: str, shape: tuple[int, ...]) -> list[str]:
    """Name the numbers of one variable."""
    if not shape:
        return [name]
    size = int(np.prod(shape))
    dims: tuple[str, ...] = model.named_vars_to_dims.get(name) or ()
    labels = (model.coords.get(dims[0]) if len(dims) == 1 else None) or ()
    return [f"{name}[{written(label)}]" for label in (labels if len(labels) == size else range(size))]


def split(vector: np.ndarray, shapes: Mapping[str, tuple[int, ...]], names: list[str]) -> list[np.ndarray]:
    """Cut a vector into arrays of the named variables' shapes."""
    ends = np.cumsum([int(np.prod(shapes[name])) for name in names])[:-1]
    parts = np.split(vector, ends) if names else []
    return [part.reshape(shapes[name]) for part, name in zip(parts, names, strict=True)]


def compile_joint(
    model: pm.Model,
    study: Study,
    outputs: list[str],
    population: list[Any],
    effects: list[Any],
    owners: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
) -> Callable[..., Joint]:
    """Compile the joint log density of observations and effects, by subject, and its gradients."""
    observed = [model[f"DV_{output}"] for output in outputs]
    terms = model.logp(vars=[*observed, *effects], sum=False, jacobian=False)
    data = {model[f"observed_{output}"]: model[f"observed_{output}"].type() for output in outputs}
    values = [model.rvs_to_values[v] for v in (*population, *effects)]
    terms = clone_replace(terms, data)
    total = sum(term.sum() for term in terms)
    slopes = pytensor.grad(total, values, disconnected_inputs="ignore")
    function = pytensor.function(
        [*values, *data.values()], [*terms, *slopes], mode="NUMBA", on_unused_input="ignore"
    )
    of_observations = [study.subject_index[study.rows[output]] for output in outputs]
    subject = np.concatenate([*of_observations, *(owners[v.name] for v in effects)])
    first, second = ([v.name for v in group] for group in (population, effects))

    def joint(u: np.ndarray, b: np.ndarray, data: list[np.ndarray]) -> Joint:
        try:
            found = function(*split(u, shapes, first), *split(b, shapes, second), *data)
        except (
            ParameterValueError
        ):  # far away, such as a proportional error around a prediction that underflows
            return Joint(np.full(study.n_subjects, np.nan), np.full(u.size, np.nan), np.full(b.size, np.nan))
        densities, gradients = found[: len(terms)], [np.ravel(slope) for slope in found[len(terms) :]]
        by_subject = np.bincount(
            subject, weights=np.concatenate([np.ravel(d) for d in densities]), minlength=study.n_subjects
        )
        empty = np.zeros(0)
        return Joint(
            by_subject,
            np.concatenate([*gradients[: len(first)], empty]),
            np.concatenate([*gradients[len(first) :], empty]),
        )

    return joint


def compile_natural(
    model: pm.Model, population: list[Any], shapes: Mapping[str, tuple[int, ...]]
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the way back from the unconstrained scale."""
    values = [model.rvs_to_values[v] for v in population]
    function = pytensor.function(values, model.replace_rvs_by_values(population), mode="FAST_COMPILE")
    names = [v.name for v in population]
    return lambda u: np.concatenate([np.ravel(x) for x in function(*split(u, shapes, names))])


def compile_penalty(
    model: pm.Model, population: list[Any], shapes: Mapping[str, tuple[int, ...]]
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Compile the log density of the priors of the population, in the variables' own units."""
    values = [model.rvs_to_values[v] for v in population]
    logp = model.logp(vars=population, jacobian=False)
    function = pytensor.function(values, [logp, *pytensor.grad(logp, values)], mode="FAST_COMPILE")
    names = [v.name for v in population]

    def penalty(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, *slopes = function(*split(u, shapes, names))
        return float(value), np.concatenate([np.ravel(slope) for slope in slopes])

    return penalty


def prior_draws(
    model: pm.Model, population: list[Any], draws: int = PRIOR_DRAWS, random_seed: int = 0
) -> np.ndarray:
    """Draw populations from the prior, unconstrained, (draw, number)."""
    with model, quiet_pymc():
        drawn = pm.draw(population, draws, random_seed=random_seed, mode="FAST_COMPILE")
    columns = [
        to_unconstrained(model, v.name, values).reshape(draws, -1)
        for v, values in zip(population, drawn, strict=True)
    ]
    return np.concatenate(columns, axis=1)


def to_unconstrained(model: pm.Model, name: str, values: Any) -> np.ndarray:
    """Bring values of a variable, or draws of it, to the scale where they are unconstrained."""
    variable = model[name]
    transform = model.rvs_to_transforms[variable]
    values = np.asarray(values, float)
    if transform is None:
        return values
    return transform.forward(values, *variable.owner.inputs).eval(mode="FAST_COMPILE")
