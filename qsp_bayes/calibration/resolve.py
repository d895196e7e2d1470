"""Solve points of a model again, outside sampling, to learn which subjects fail and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor
from pytensor.graph.replace import clone_replace

from qsp_bayes.ode.status import Failure, Status


@dataclass(frozen=True)
class Resolver:
    """A model and the status of its solution.

    Nothing is compiled before it is asked for: most fits have no failures to look into.

    Attributes
    ----------
    model : pymc.Model
    status : Status
        Of the solution in the model (``path.status()``).
    time_unit : str
    """

    model: pm.Model
    status: Status
    time_unit: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Labels of the subjects."""
        return tuple(str(label) for label in self.model.coords["subject"])

    @cached_property
    def _transform(self) -> Callable[..., Any]:
        values = [self.model.rvs_to_values[variable] for variable in self.model.free_RVs]
        natural = self.model.replace_rvs_by_values(self.model.free_RVs)
        return pytensor.function(values, natural, mode="FAST_COMPILE", on_unused_input="ignore")

    @cached_property
    def _solve(self) -> Callable[..., Any]:
        inputs = {variable: variable.type() for variable in self.model.free_RVs}
        graph = clone_replace(self.status.variables, inputs)
        # A few hundred evaluations do not repay a compilation; the solver itself is compiled anyway.
        return pytensor.function(list(inputs.values()), graph, mode="FAST_COMPILE", on_unused_input="ignore")

    def natural(self, point: np.ndarray) -> dict[str, np.ndarray]:
        """Turn a point of the sampler's space (one vector) into values of the free variables."""
        values, at = [], 0
        for shape in self._shapes:
            size = int(np.prod(shape))
            values.append(np.asarray(point[at : at + size], dtype=float).reshape(shape))
            at += size
        names = [variable.name for variable in self.model.free_RVs]
        return dict(zip(names, self._transform(*values), strict=True))

    @cached_property
    def _shapes(self) -> list[tuple[int, ...]]:
        start = self.model.initial_point(random_seed=0)
        return [start[self.model.rvs_to_values[variable].name].shape for variable in self.model.free_RVs]

    def failures(self, values: Mapping[str, Any]) -> list[Failure]:
        """Name the subjects that cannot be solved at values of the free variables."""
        arguments = [
            np.asarray(values[variable.name], dtype=variable.type.dtype) for variable in self.model.free_RVs
        ]
        with np.errstate(all="ignore"):
            return self.status.failures(self.subjects, *self._solve(*arguments))

    def failures_at(self, point: np.ndarray) -> list[Failure]:
        """Name the subjects that cannot be solved at a point of the sampler's space."""
        return self.failures(self.natural(point))
