"""ExpectedUtility: the utility of common draws and individuals as a smooth function of the free quantities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode, get_mode
from pytensor.graph.basic import Variable

from qsp_bayes.calibration.simulation.predictor import UnlockedLinker
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

RECORDS = 50_000
"""Records solved at a time, about: few enough to stay in a processor's cache, whatever the number of threads."""

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
    limited : (constraint, individual) array
        What constraints limit the mean of.
    limited_gradient : (constraint, individual, free) array, or None
    """

    point: np.ndarray
    utility: np.ndarray
    gradient: np.ndarray | None
    error: float
    limited: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    limited_gradient: np.ndarray | None = None

    @property
    def expected(self) -> float:
        """Mean utility."""
        return float(self.utility.mean())

    @property
    def means(self) -> np.ndarray:
        """Means of what is limited, (constraint,)."""
        return self.limited.mean(axis=1) if len(self.limited) else np.empty(0)

    @property
    def mean_slopes(self) -> np.ndarray:
        """Gradients of these means, (constraint, free)."""
        if self.limited_gradient is None:
            return np.empty((0, self.point.size))
        return self.limited_gradient.mean(axis=1)

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
    limited : tuple of Tracing
        What is limited beside.
    """

    value: Variable
    seen: Traced
    steps: list[str]
    limited: tuple[Tracing, ...] = ()


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


class NoSlope(DecisionError):
    """A gradient that is not finite where the utility is."""


@dataclass(eq=False)
class ExpectedUtility:
    """A function of the free quantities, compiled when it is first called.

    Attributes
    ----------
    tracing : Tracing
    individuals : Individuals
    has_gradient : bool
    tolerance : float
        Error of the pieces relative to the path.
    meshes : dict
        By layout of the doses.
    compiled : dict
        Functions of the inputs of the graph, without and with gradients: utility by individual, error by piece, what is
        limited, and the gradients of utility and of these.
    """

    tracing: Tracing
    individuals: Individuals
    has_gradient: bool
    tolerance: float
    meshes: dict[tuple[bytes, ...], Mesh] = field(default_factory=dict)
    compiled: dict[bool, Callable[..., Sequence[np.ndarray]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tracing: Tracing, individuals: Individuals, *, gradient: bool = True, tolerance: float = 1e-6
    ) -> ExpectedUtility:
        """Take a traced utility."""
        return cls(tracing, individuals, gradient, tolerance)

    def with_tolerance(self, tolerance: float) -> ExpectedUtility:
        """Give the same function with pieces that follow the paths less closely, or more."""
        return replace(self, tolerance=tolerance, meshes={})

    @property
    def graph(self) -> DoseGraph:
        """Inputs and paths."""
        return self.tracing.seen.graph

    @property
    def regimen(self) -> FreeRegimen:
        """What is free."""
        return self.graph.regimen

    @property
    def jumps(self) -> list[str]:
        """What is asked for that jumps where a dose passes the end."""
        parts = (self.tracing, *self.tracing.limited)
        return list(dict.fromkeys(name for part in parts for name in part.seen.counted))

    def function(self, *, gradient: bool) -> Callable[..., Sequence[np.ndarray]]:
        """Give the compiled function, which several threads may call at once."""
        if gradient not in self.compiled:
            graph, parts = self.graph, (self.tracing, *self.tracing.limited)
            paths = {id(path): path for part in parts for path in part.seen.paths.values()}
            outputs = [self.tracing.value, error_of(paths), *(part.value for part in self.tracing.limited)]
            if gradient:
                outputs += [
                    pytensor.grad(part.value.sum(), graph.free, disconnected_inputs="ignore")
                    for part in parts
                ]
            mode = Mode(linker=UnlockedLinker(), optimizer=get_mode("NUMBA").optimizer)
            inputs = [*graph.by_individual, *graph.by_layout]
            found = pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
            # Not the function around it, whose storage belongs to one thread at a time.
            self.compiled[gradient] = found.vm.jit_fn
        return self.compiled[gradient]

    @cached_property
    def pilots(self) -> np.ndarray:
        """Individuals on whom meshes are made: some of all, and the extremes of every parameter."""
        extreme = [f(x) for x in self.individuals.parameters.values() for f in (np.argmin, np.argmax)]
        return np.unique([*self.individuals.spread(PILOTS), *extreme]).astype(int)

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
        return mesh.refined(
            lambda trial: self.run(point, trial, self.pilots, self.has_gradient)[1], self.tolerance
        )

    def run(self, point: np.ndarray, mesh: Mesh, chosen: np.ndarray, gradient: bool) -> Sequence[np.ndarray]:
        """Run the compiled function for some individuals."""
        free = np.tile(np.asarray(point, dtype=float), (chosen.size, 1))
        return self.function(gradient=gradient)(free, *self.individuals.columns(chosen), *mesh.arrays())

    def solved(
        self, point: np.ndarray, mesh: Mesh, chosen: np.ndarray, gradient: bool
    ) -> tuple[list[Sequence[np.ndarray]], float]:
        """Run the compiled function part by part, several at once, and give the largest error of a piece."""
        size = max(1, RECORDS // (mesh.n_pieces * N_NODES))
        each = [chosen[first : first + size] for first in range(0, chosen.size, size)]
        self.function(gradient=gradient)  # compiled by one thread
        cores = usable_cores() if gradient in self.called else 1
        if len(each) < 2 or cores < 2:
            with threads(usable_cores()):
                found = [self.run(point, mesh, part, gradient) for part in each]
        else:
            pool = ThreadPoolExecutor(cores)
            try:
                found = list(pool.map(lambda part: self.run(point, mesh, part, gradient), each))
            finally:
                pool.shutdown(cancel_futures=True)
        self.called.add(gradient)
        return found, float(max(part[1].max(initial=0.0) for part in found))

    @cached_property
    def called(self) -> set[bool]:
        """Which functions have been called: the first call, by one thread, compiles the rest."""
        return set()

    def __call__(
        self, point: np.ndarray, chosen: np.ndarray | None = None, *, gradient: bool | None = None
    ) -> Evaluation:
        """Evaluate at a point, for all individuals or some, with gradient where there is one unless it is not wanted.

        Raises
        ------
        DecisionError
            If the utility of an individual, or its gradient, is not finite.
        """
        point = np.asarray(point, dtype=float)
        chosen = np.arange(len(self.individuals)) if chosen is None else chosen
        gradient = self.has_gradient if gradient is None else gradient
        mesh = self.mesh(point)
        found, error = self.solved(point, mesh, chosen, gradient)
        if error > SLACK * self.tolerance:
            # The same doses at other times: a segment that was short when the mesh was made may be long now.
            finer = self.refined(mesh, point)
            if finer.n_pieces > mesh.n_pieces:
                self.meshes[mesh.layout.key] = finer
                found, error = self.solved(point, finer, chosen, gradient)
        utility, _, *others = (np.concatenate(parts) for parts in zip(*found, strict=True))
        n = len(self.tracing.limited)
        limited = np.stack(others[:n]) if n else np.empty((0, utility.size))
        self.require_finite(point, chosen, np.vstack([utility, limited]), "utility or a constraint")
        if not gradient:
            return Evaluation(point, utility, None, error, limited)
        slopes = np.stack(others[n:])
        self.require_finite(point, chosen, slopes.sum(axis=2), "gradient")
        return Evaluation(point, utility, slopes[0], error, limited, slopes[1:])

    def require_finite(self, point: np.ndarray, chosen: np.ndarray, values: np.ndarray, what: str) -> None:
        """Require finite values, (what, individual), or say where they are not."""
        wrong = ~np.isfinite(values).all(axis=0)
        if not wrong.any():
            return
        where = ", ".join(f"{n} {v:.6g}" for n, v in zip(self.regimen.names, point, strict=True))
        text = (
            f"The {what} is not finite for {wrong.sum()} of {wrong.size} individual draws at {where}, first for "
            f"{self.individuals.describe(int(chosen[np.argmax(wrong)]))}."
        )
        if what == "gradient":
            raise NoSlope(
                f"{text} A root, or another power below 1, of 0 has none: use shape='logistic' for desirabilities, or "
                'method="grid".'
            )
        raise DecisionError(
            f"{text} Check for a logarithm of zero and a division by zero, and that the system can be solved there; or "
            "narrow the bounds."
        )


def error_of(paths: Mapping[Any, DensePath]) -> Variable:
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
