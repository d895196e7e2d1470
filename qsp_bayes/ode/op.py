"""PyTensor operations of the linear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode import callbacks
from qsp_bayes.ode.jit import KERNEL_VERSION, export
from qsp_bayes.ode.lazy import bind
from qsp_bayes.ode.problem import FIRST_ADJOINT, FLOAT_INPUTS, INPUTS, N_ROWS, OBSERVED, STATES, TIME
from qsp_bayes.ode.table import calling

N_INPUTS, N_FLOAT = len(INPUTS), len(FLOAT_INPUTS)
NDIM = (1, 1, 2, 2, 2, 2, 1, 2, 2, 2)
"""Of the float inputs."""


class LinearSolve(Op):
    """Solve a batch of subjects; the first output, (observed state, record), holds the states.

    The other two are memory for the adjoint: what `problem.carve_modes` and `problem.carve_trace` carve, integers
    and complex numbers included.

    Parameters
    ----------
    general : bool
        Whether some block of A needs the general eigenvalue solver, in complex arithmetic.
    """

    __props__ = ("general",)

    def __init__(self, general: bool) -> None:
        self.general = general

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs named in `problem.INPUTS`, in that order."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[:N_FLOAT]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[N_FLOAT:]]
        shape = (variables[OBSERVED].type.shape[0], variables[TIME].type.shape[0])
        outputs = [
            pt.tensor("states", dtype="float64", shape=shape),
            pt.tensor("modes", dtype="float64", shape=(None,)),
            pt.tensor("trace", dtype="float64", shape=(None,)),
        ]
        return Apply(self, variables, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(solver, self.general)(*inputs), strict=True):
            storage[0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the states depend, differentiably, on the inputs, and only on the float ones."""
        n_outputs = len(node.outputs)
        return [[k < N_FLOAT] + [False] * (n_outputs - 1) for k in range(N_INPUTS)]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Walk the trace backward."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        derivatives = LinearSolveAdjoint(self.general)(*inputs, cotangents[0], *outputs[1:])
        return [*derivatives, *(disconnected_type() for _ in inputs[N_FLOAT:])]


class LinearSolveAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to the float inputs of `LinearSolve`."""

    __props__ = ("general",)

    def __init__(self, general: bool) -> None:
        self.general = general

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `LinearSolve`, the cotangent of its states, and its other outputs."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[:N_FLOAT]])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(adjoint, self.general)(*inputs), strict=True):
            storage[0] = value


@functools.cache
def from_python(make: Callable[[bool], Any], general: bool) -> Any:
    """Return a compiled function that Python can call; those of graphs have no wrapper for it."""
    inner = make(general)

    @numba_njit(final_function=True)
    def call(*inputs):  # type: ignore[no-untyped-def]
        return inner(*inputs)

    return call


def solver(general: bool) -> Any:
    """Return the compiled function over the inputs of `LinearSolve`."""
    bind(callbacks.special_general if general else callbacks.special_trees)
    bind(callbacks.coast_general if general else callbacks.coast_trees)
    solve = calling(
        export(callbacks.solve_general if general else callbacks.solve_trees), N_ROWS, STATES, (2, 1, 1)
    )

    @numba_njit
    def linear_solve(*inputs):  # type: ignore[no-untyped-def]
        return solve(inputs)

    return linear_solve


def adjoint(general: bool) -> Any:
    """Return the compiled function over the inputs of `LinearSolveAdjoint`."""
    bind(callbacks.special_adjoint_general if general else callbacks.special_adjoint_trees)
    bind(callbacks.coast_adjoint_general if general else callbacks.coast_adjoint_trees)
    gather = calling(
        export(callbacks.gather_general if general else callbacks.gather_trees),
        N_ROWS,
        FIRST_ADJOINT,
        NDIM,
    )

    @numba_njit
    def linear_solve_adjoint(*inputs):  # type: ignore[no-untyped-def]
        return gather(inputs)

    return linear_solve_adjoint


@register_funcify_and_cache_key(LinearSolve)
def funcify_linear_solve(op: LinearSolve, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return solver(op.general), f"LinearSolve-{op.general}-{KERNEL_VERSION}"


@register_funcify_and_cache_key(LinearSolveAdjoint)
def funcify_linear_solve_adjoint(op: LinearSolveAdjoint, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return adjoint(op.general), f"LinearSolveAdjoint-{op.general}-{KERNEL_VERSION}"
