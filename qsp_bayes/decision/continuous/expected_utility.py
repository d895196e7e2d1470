"""ExpectedUtility: the utility of common draws and individuals as a smooth function of the free quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.decision.continuous.chebyshev import N_NODES, TAIL
from qsp_bayes.decision.continuous.dense_path import DensePath
from qsp_bayes.decision.continuous.dose_graph import DoseGraph, Traced
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.decision.continuous.indicators import indicators
from qsp_bayes.decision.continuous.individuals import Individuals
from qsp_bayes.decision.continuous.mesh import Mesh
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError
from qsp_bayes.ode.threads import threads, usable_cores

RECORDS = 200_000
"""Records solved at a time, about."""

TINY = float(np.finfo(float).tiny)
PILOTS = 48
"""Individuals on whom the mesh is made."""
SLACK = 10.0
"""How much larger than the tolerance the error of others may be before the mesh is made finer."""


@dataclass(frozen=True)
class Evaluation:
    """The utility of every individual at one point.

    Attributes
    ----------
    point : (free,) array
    utility : (individual,) array
    gradient : (individual, free) array, or None
        Derivatives of the utility of each individual.
    error : float
        Of the polynomial pieces, estimated, relative to the path, at most.
    """

    point: np.ndarray
    utility: np.ndarray
    gradient: np.ndarray | None
    error: float

    @property
    def expected(self) -> float:
        """Mean utility."""
        return float(self.utility.mean())

    @property
    def slope(self) -> np.ndarray:
        """Gradient of the mean utility."""
        if self.gradient is None:
            raise DecisionError("This evaluation was made without gradient.")
        return self.gradient.mean(axis=0)


@dataclass(frozen=True, eq=False)
class Tracing:
    """A utility as a graph.

    Attributes
    ----------
    value : variable
        Utility by individual.
    seen : Traced
        What the utility asked for.
    steps : list of str
        Comparisons in the utility; where there are any, the derivatives are of no use.
    """

    value: Variable
    seen: Traced
    steps: list[str]


def trace(graph: DoseGraph, utility: Utility) -> Tracing:
    """Evaluate a utility with a graph in place of numbers.

    Raises
    ------
    Untraceable
        If it does something that only numbers can.
    DecisionError
        If it asks for what there is not.
    """
    seen = Traced(graph)
    _ = graph.solution  # what is wrong with the system is not to be taken for the utility's fault
    try:
        value = utility.function(cast(Any, seen))
        if isinstance(value, DensePath):
            raise TypeError("it returned a path; reduce it with time_within, auc, cmax or trough")
        value = pt.as_tensor_variable(value, dtype=None)
        if value.ndim > 1 or not seen.paths:
            raise TypeError("it did not return one value for each individual made of a path")
        value = pt.alloc(pt.cast(value, "float64"), graph.n_individuals)
    except DecisionError:
        raise
    except Exception as error:  # whatever a function of the user's does with what it does not expect
        raise Untraceable(f"{type(error).__name__}: {error}") from error
    begin = [v for path in seen.paths.values() for v in (path.values, path.start, path.edges)]
    return Tracing(value, seen, indicators(value, [*begin, *seen.counted.values()]))


class Untraceable(Exception):
    """A utility that can be evaluated with arrays only."""


@dataclass(eq=False)
class ExpectedUtility:
    """A function of the free quantities, compiled once.

    Attributes
    ----------
    graph : DoseGraph
    individuals : Individuals
    function : callable
        Of the inputs of the graph: utility by individual, error by piece and, where there is one, gradient.
    jumps : list of str
        What the utility asks for that jumps where a dose passes the end.
    tolerance : float
        Error of the pieces relative to the path.
    meshes : dict
        By layout of the doses.
    """

    graph: DoseGraph
    individuals: Individuals
    function: Callable[..., list[np.ndarray]]
    jumps: list[str]
    tolerance: float
    meshes: dict[tuple[bytes, ...], Mesh] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tracing: Tracing, individuals: Individuals, *, gradient: bool = True, tolerance: float = 1e-6
    ) -> ExpectedUtility:
        """Compile a traced utility."""
        graph, seen = tracing.seen.graph, tracing.seen
        outputs = [tracing.value, error_of(seen.paths)]
        if gradient:
            outputs.append(pytensor.grad(tracing.value.sum(), graph.free, disconnected_inputs="ignore"))
        inputs = [*graph.by_individual, *graph.by_layout]
        function = pytensor.function(inputs, outputs, on_unused_input="ignore")
        return cls(graph, individuals, function, list(seen.counted), tolerance)

    @property
    def regimen(self) -> FreeRegimen:
        """What is free."""
        return self.graph.regimen

    def mesh(self, point: np.ndarray) -> Mesh:
        """Give the mesh of the doses at a point, made where these doses are met first."""
        layout = self.regimen.layout(point, self.graph.span[1])
        if layout.key not in self.meshes:
            offsets = self.graph.offsets
            later = [offset is not None for offset in offsets.values()]
            uncut = Mesh.uncut(self.regimen, layout, list(offsets), later, self.graph.span[0])
            self.meshes[layout.key] = self.refined(uncut, point)
        return self.meshes[layout.key]

    def refined(self, mesh: Mesh, point: np.ndarray) -> Mesh:
        """Cut the pieces that do not follow the paths at a point."""
        pilots = self.individuals.spread(PILOTS)
        return mesh.refined(lambda trial: self.run(point, trial, pilots)[1], self.tolerance)

    def run(self, point: np.ndarray, mesh: Mesh, chosen: np.ndarray) -> list[np.ndarray]:
        """Run the compiled function for some individuals."""
        free = np.tile(np.asarray(point, dtype=float), (chosen.size, 1))
        return self.function(free, *self.individuals.columns(chosen), *mesh.arrays())

    def solved(
        self, point: np.ndarray, mesh: Mesh, chosen: np.ndarray
    ) -> tuple[list[list[np.ndarray]], float]:
        """Run the compiled function part by part, and give the largest error of a piece."""
        size = max(1, RECORDS // (mesh.n_pieces * N_NODES))
        found = [self.run(point, mesh, part) for part in parts(chosen, size)]
        return found, float(max(part[1].max(initial=0.0) for part in found))

    def __call__(self, point: np.ndarray, chosen: np.ndarray | None = None) -> Evaluation:
        """Evaluate at a point, for all individuals or some.

        Raises
        ------
        DecisionError
            If the utility of an individual is not finite.
        """
        point = np.asarray(point, dtype=float)
        chosen = np.arange(len(self.individuals)) if chosen is None else chosen
        with threads(usable_cores()):
            mesh = self.mesh(point)
            found, error = self.solved(point, mesh, chosen)
            if error > SLACK * self.tolerance:
                # The same doses at other times: a segment that was short when the mesh was made may be long now.
                finer = self.refined(mesh, point)
                if finer.n_pieces > mesh.n_pieces:
                    self.meshes[mesh.layout.key] = finer
                    found, error = self.solved(point, finer, chosen)
        utility = np.concatenate([part[0] for part in found])
        wrong = ~np.isfinite(utility)
        if wrong.any():
            where = ", ".join(f"{n} {v:.6g}" for n, v in zip(self.regimen.names, point, strict=True))
            raise DecisionError(
                f"The utility is not finite for {wrong.sum()} of {wrong.size} individual draws at {where}, first for "
                f"{self.individuals.describe(int(chosen[np.argmax(wrong)]))}. Check for a logarithm of zero and a "
                "division by zero, and that the system can be solved there; or narrow the bounds."
            )
        gradient = np.concatenate([part[2] for part in found]) if len(found[0]) > 2 else None
        return Evaluation(point, utility, gradient, error)


def parts(chosen: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Split positions into parts of at most a size."""
    for first in range(0, chosen.size, size):
        yield chosen[first : first + size]


def error_of(paths: Mapping[str, DensePath]) -> Variable:
    """Estimate the error of each piece relative to the path of the individual, the largest of all: (piece,).

    The coefficients of a smooth path decay geometrically: what follows the last two is as much smaller than they are as
    they are smaller than the two before.
    """
    found: Any = 0.0
    for path in paths.values():
        coefficients = pt.abs(path.values @ TAIL.T)
        before, last = pt.sum(coefficients[..., :2], axis=2), pt.sum(coefficients[..., 2:], axis=2)
        following = last * pt.minimum(last / pt.maximum(before, TINY), 1.0)
        size = pt.maximum(pt.max(pt.abs(path.values), axis=(1, 2))[:, None], TINY)
        found = pt.maximum(found, pt.max(pt.switch(path.lengths > 0, following / size, 0.0), axis=0))
    return found
