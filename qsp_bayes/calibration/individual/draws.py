"""Individual draws: from a fit's draws to proposals for one person, and back to named draws by chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.calibration.individual.importance import resample
from qsp_bayes.calibration.individual.individual import Individual


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
) -> xr.Dataset:
    """Give draws of a person with their names and dimensions.

    Parameters
    ----------
    individual : Individual
    population : mapping of str to array
        Variables of the population, chain after chain.
    effects : array, (draw, number)
    chains : int

    Returns
    -------
    Dataset
        Dimensions chain and draw, then those of occasions and records; the person's own dimension is dropped.
    """
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
    dataset = xr.Dataset(
        {
            name: (("chain", "draw", *dims), values.reshape(chains, each, *values.shape[1:]))
            for name, (dims, values) in arrays.items()
        }
    )
    used = set(dataset.dims)
    return dataset.assign_coords({name: values for name, values in coords.items() if name in used})


def with_place(draws: xr.Dataset, place: np.ndarray) -> xr.Dataset:
    """Add which draw of the fit's chain each draw belongs to."""
    shape = draws.sizes["chain"], draws.sizes["draw"]
    return draws.assign(population_draw=(("chain", "draw"), np.reshape(place, shape)))
