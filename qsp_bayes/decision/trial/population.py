"""Population: the variables that a trial learns, drawn from their priors and moved on their unconstrained scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.shape_utils import change_dist_size
from pymc.pytensorf import compile, reseed_rngs
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.random.type import RandomGeneratorType

from qsp_bayes.errors import DecisionError
from qsp_bayes.identifiability.joint_density import to_unconstrained


@dataclass(frozen=True, eq=False)
class Population:
    """Priors of a model's population, evaluated for many populations at once.

    An array of populations has a row for each; its columns are the variables on the scale where they are unconstrained
    (logarithms of what is positive).

    Attributes
    ----------
    model : pymc.Model
    shapes : dict of str to tuple
        Shape of each variable.
    blocks : dict of str to array of int
        Columns that concern the individuals, the errors and the toxicity.
    """

    model: pm.Model
    shapes: Mapping[str, tuple[int, ...]]
    blocks: Mapping[str, np.ndarray]
    draw_rows: Callable[..., list[np.ndarray]]
    natural_rows: Callable[..., list[np.ndarray]]
    prior_rows: Callable[..., list[np.ndarray]]

    @classmethod
    def of(cls, model: pm.Model, blocks: Mapping[str, list[Any]]) -> Population:
        """Compile the priors of the variables of a model."""
        variables = [v for block in blocks.values() for v in block]
        values = [model.rvs_to_values[v] for v in variables]
        point = model.initial_point(random_seed=0)
        shapes = {v.name: point[value.name].shape for v, value in zip(variables, values, strict=True)}
        rows = [
            pt.tensor(f"rows_{name}", dtype="float64", shape=(None,) * (1 + len(shape)))
            for name, shape in shapes.items()
        ]
        swap = dict(zip(values, rows, strict=True))
        natural = vectorize_graph(model.replace_rvs_by_values(variables), replace=swap)
        densities = [density.sum() for density in model.logp(vars=variables, sum=False, jacobian=True)]
        number = pt.lscalar("number")
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
        columns = dict(zip(shapes, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
        return cls(
            model,
            shapes,
            {
                name: np.concatenate([np.zeros(0, int), *(columns[v.name] for v in own)])
                for name, own in blocks.items()
            },
            draw_rows=compile([number], [drawn(model, v, number) for v in variables]),
            natural_rows=compile(rows, natural),
            prior_rows=compile(rows, vectorize_graph(densities, replace=swap)),
        )

    @property
    def size(self) -> int:
        """Number of columns."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def draws(self, number: int, random_seed: int) -> np.ndarray:
        """Draw populations from the prior, (number, column)."""
        reseed(self.draw_rows, random_seed)
        return np.concatenate([values.reshape(number, -1) for values in self.draw_rows(number)], axis=1)

    def natural(self, populations: np.ndarray) -> dict[str, np.ndarray]:
        """Give the variables in their own units, each with a row for each population."""
        return dict(zip(self.shapes, self.natural_rows(*self.split(populations)), strict=True))

    def log_prior(self, populations: np.ndarray) -> dict[str, np.ndarray]:
        """Give the log prior density of each block, on the unconstrained scale, (population,)."""
        densities = self.prior_rows(*self.split(populations))
        found, at = {}, 0
        for block, columns in self.blocks.items():
            found[block] = np.zeros(len(populations))
            taken = 0
            while taken < len(columns):
                found[block] = found[block] + densities[at]
                taken += int(np.prod(list(self.shapes.values())[at]))
                at += 1
        return found

    def split(self, populations: np.ndarray) -> list[np.ndarray]:
        """Cut an array of populations into the variables."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        parts = np.split(populations, np.cumsum(sizes)[:-1], axis=1)
        return [
            part.reshape(len(populations), *shape)
            for part, shape in zip(parts, self.shapes.values(), strict=True)
        ]

    def unconstrained(self, values: Mapping[str, float]) -> np.ndarray:
        """Give one population that has these values in their own units, as a row.

        Raises
        ------
        DecisionError
            If a variable is unknown or missing, or a value is impossible.
        """
        unknown, missing = set(values) - set(self.shapes), set(self.shapes) - set(values)
        if unknown or missing:
            raise DecisionError(
                f"Expected a value of each of {', '.join(self.shapes)}; "
                f"{'missing ' + ', '.join(sorted(missing)) if missing else 'unknown ' + ', '.join(sorted(unknown))}."
            )
        parts = [
            np.ravel(to_unconstrained(self.model, name, np.broadcast_to(values[name], shape)))
            for name, shape in self.shapes.items()
        ]
        for name, part in zip(self.shapes, parts, strict=True):
            if not np.isfinite(part).all():
                raise DecisionError(f"{name} = {values[name]} lies outside the range of its prior.")
        return np.concatenate(parts)[None]


def drawn(model: pm.Model, variable: Any, number: Any) -> Any:
    """Give a number of prior draws of a variable on its unconstrained scale."""
    draws = change_dist_size(variable, (number,), expand=True)
    transform = model.rvs_to_transforms[variable]
    return draws if transform is None else transform.forward(draws, *variable.owner.inputs)


def reseed(function: Any, random_seed: int) -> None:
    """Start the random generators of a compiled function anew."""
    generators = [v for v in function.get_shared() if isinstance(v.type, RandomGeneratorType)]
    reseed_rngs(generators, random_seed)
