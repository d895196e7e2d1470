"""PyTensor operations of the nonlinear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.tensor.rewriting.basic import register_canonicalize, register_specialize

from qsp_bayes.ode import nonlinear_callbacks as callbacks
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.field import FUNCTIONS
from qsp_bayes.ode.integration import KEEP
from qsp_bayes.ode.jit import KERNEL_VERSION, export
from qsp_bayes.ode.lazy import bind
from qsp_bayes.ode.nonlinear_problem import (
    FIRST_ADJOINT,
    FIRST_FUNCTION,
    FLOAT_INPUTS,
    INPUTS,
    N_ROWS,
    OBSERVED,
    STATES,
    TIME,
    VALUES,
)
from qsp_bayes.ode.table import calling

N_INPUTS, N_FLOAT = len(INPUTS), len(FLOAT_INPUTS)
NDIM = (1, 1, 2, 2, 2, 2, 1, 2, 2)
"""Of the inputs with derivatives."""


class NonlinearSolve(Op):
    """Solve a batch of subjects; the first output, (observed state, record), holds the states.

    The others are memory for the adjoint: what the functions `carve_...` of `nonlinear_problem` carve. Solving keeps no
    path, which grows with the number of subjects and steps; a gradient solves with one kept, and where a graph has both
    solves, `solve_once` leaves the latter.

    Parameters
    ----------
    compiled : CompiledEquations
    """

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs named in `nonlinear_problem.INPUTS`, in that order."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[: N_FLOAT + 1]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[N_FLOAT + 1 :]]
        shape = (variables[OBSERVED].type.shape[0], variables[TIME].type.shape[0])
        outputs = [
            pt.tensor("states", dtype="float64", shape=shape),
            *(pt.tensor(name, dtype="float64", shape=(None,)) for name in ("subjects", "timeline", "path")),
        ]
        return Apply(self, variables, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(solver, self.compiled)(*inputs), strict=True):
            storage[0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the states depend, differentiably, on the inputs, and only on some of the float ones."""
        n_outputs = len(node.outputs)
        return [[k < N_FLOAT] + [False] * (n_outputs - 1) for k in range(N_INPUTS)]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Walk the trace backward."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        kept = [*inputs[:-1], with_path(inputs[-1])]
        derivatives = NonlinearSolveAdjoint(self.compiled)(*kept, cotangents[0], *self(*kept)[1:])
        return [*derivatives, *(disconnected_type() for _ in inputs[N_FLOAT:])]


def with_path(options: Variable) -> Variable:
    """Return the options with which the path is kept."""
    if isinstance(options, Constant):
        numbers = np.array(options.data)
        numbers[KEEP] = 1
        return pt.constant(numbers)
    return pt.set_subtensor(options[KEEP], 1)


@register_canonicalize
@register_specialize
@node_rewriter([NonlinearSolve])
def solve_once(fgraph: FunctionGraph, node: Apply) -> list[Variable] | None:
    """Where the same problem is also solved with the path kept, for a gradient, take its results from there."""
    *inputs, options = node.inputs
    if not isinstance(options, Constant) or options.data[KEEP]:
        return None
    wanted = with_path(options).data
    for other, _ in fgraph.clients[inputs[VALUES]]:
        if (
            other.op == node.op
            and other.inputs[:-1] == inputs
            and isinstance(other.inputs[-1], Constant)
            and np.array_equal(other.inputs[-1].data, wanted)
        ):
            return list(other.outputs)
    return None


class NonlinearSolveAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to inputs of `NonlinearSolve`, those in `FLOAT_INPUTS`."""

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `NonlinearSolve`, the cotangent of its states, and its other outputs."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[:N_FLOAT]])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(adjoint, self.compiled)(*inputs), strict=True):
            storage[0] = value


for_python: dict[tuple[str, str], Any] = {}
"""Compiled functions that Python can call, by what they do and for which equations."""


def from_python(make: Callable[[CompiledEquations], Any], compiled: CompiledEquations) -> Any:
    """Return a compiled function that Python can call; those of graphs have no wrapper for it."""
    key = make.__name__, compiled.name
    if key not in for_python:
        inner = make(compiled)

        @numba_njit(final_function=True)
        def call(*inputs):  # type: ignore[no-untyped-def]
            return inner(*inputs)

        for_python[key] = call
    return for_python[key]


def functions_of(compiled: CompiledEquations) -> dict[int, str]:
    """Symbols of the generated functions, by the row of the table that gets their address."""
    return {FIRST_FUNCTION + k: compiled.symbols[name] for k, name in enumerate(FUNCTIONS)}


def solver(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolve`."""
    bind(callbacks.steady_state_nonlinear)
    symbol = export(callbacks.solve_nonlinear)
    solve = calling(symbol, N_ROWS, STATES, (2, 1, 1, 1), functions_of(compiled))

    @numba_njit
    def nonlinear_solve(*inputs):  # type: ignore[no-untyped-def]
        return solve(inputs)

    return nonlinear_solve


def adjoint(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolveAdjoint`."""
    bind(callbacks.steady_state_nonlinear_adjoint)
    symbol = export(callbacks.gather_nonlinear)
    gather = calling(symbol, N_ROWS, FIRST_ADJOINT, NDIM, functions_of(compiled))

    @numba_njit
    def nonlinear_solve_adjoint(*inputs):  # type: ignore[no-untyped-def]
        return gather(inputs)

    return nonlinear_solve_adjoint


@register_funcify_and_cache_key(NonlinearSolve)
def funcify_nonlinear_solve(op: NonlinearSolve, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return solver(op.compiled), f"NonlinearSolve-{op.name}-{KERNEL_VERSION}"


@register_funcify_and_cache_key(NonlinearSolveAdjoint)
def funcify_nonlinear_solve_adjoint(op: NonlinearSolveAdjoint, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return adjoint(op.compiled), f"NonlinearSolveAdjoint-{op.name}-{KERNEL_VERSION}"
