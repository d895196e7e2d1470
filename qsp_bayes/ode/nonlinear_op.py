"""PyTensor operations of the nonlinear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.tensor.rewriting.basic import register_canonicalize, register_specialize

from qsp_bayes.ode import nonlinear_callbacks as callbacks
from qsp_bayes.ode.batch import BatchAdjoint, BatchSolve, from_python, store
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.effort import effort_symbol
from qsp_bayes.ode.field import FUNCTIONS, SWITCH_FUNCTIONS
from qsp_bayes.ode.integration import KEEP
from qsp_bayes.ode.jit import KERNEL_VERSION, export
from qsp_bayes.ode.lazy import bind
from qsp_bayes.ode.nonlinear_problem import (
    EFFORT,
    FIRST_ADJOINT,
    FIRST_FUNCTION,
    FLOAT_INPUTS,
    N_ROWS,
    OBSERVED,
    SERVE,
    STATES,
    VALUES,
    WORKER,
)
from qsp_bayes.ode.table import calling

NDIM = (1, 1, 2, 2, 2, 2, 1, 2, 2)
"""Of the inputs with derivatives."""


class NonlinearSolve(BatchSolve):
    """Solve a batch of subjects; the first output, (observed state, record), holds the states.

    The others are memory for the adjoint: what the functions `carve_...` of `nonlinear_problem` carve. Solving keeps no
    path, which grows with the number of subjects and steps, unless a steady state has to be found. A gradient solves
    with one kept, and where a graph has both solves, `solve_once` leaves the latter.

    Parameters
    ----------
    compiled : CompiledEquations
    """

    __props__ = ("name",)
    derivatives, floats = len(FLOAT_INPUTS), len(FLOAT_INPUTS) + 1
    observed = OBSERVED
    memory = ("subjects", "timeline", "path")

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        store(outputs, from_python(solver, self.compiled)(*inputs))

    def go_back(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangent: Variable
    ) -> list[Variable]:
        """Solve with the path kept, and walk it backward."""
        kept = [*inputs[:-1], with_path(inputs[-1])]
        return self.adjoint()(*kept, cotangent, *self(*kept)[1:])

    def adjoint(self) -> BatchAdjoint:
        """Return the operation that walks the path backward."""
        return NonlinearSolveAdjoint(self.compiled)

    def with_memory(self, inputs: list[Any]) -> list[Any]:
        """Have the path kept."""
        return [*inputs[:-1], keeping_path(inputs[-1])]


def with_path(options: Variable) -> Variable:
    """Return the options with which the path is kept."""
    if isinstance(options, Constant):
        return pt.constant(keeping_path(options.data))
    return pt.set_subtensor(options[KEEP], 1)


def keeping_path(options: np.ndarray) -> np.ndarray:
    """Return the numbers of the options with which the path is kept."""
    numbers = np.array(options)
    numbers[KEEP] = 1
    return numbers


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


class NonlinearSolveAdjoint(BatchAdjoint):
    """Derivatives of sum(cotangent * states) with respect to inputs of `NonlinearSolve`, those in `FLOAT_INPUTS`."""

    __props__ = ("name",)
    derivatives = len(FLOAT_INPUTS)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        store(outputs, from_python(adjoint, self.compiled)(*inputs))

    def solve(self) -> BatchSolve:
        """Return the operation that leaves the path."""
        return NonlinearSolve(self.compiled)


def addresses_of(compiled: CompiledEquations, worker: str) -> dict[int, str]:
    """Symbols of what the callbacks call or read by its address, by the row of the table that gets it."""
    names = [*FUNCTIONS, *SWITCH_FUNCTIONS]
    functions = {
        FIRST_FUNCTION + k: compiled.symbols[name] for k, name in enumerate(names) if name in compiled.symbols
    }
    return {
        EFFORT: effort_symbol(compiled.name),
        WORKER: worker,
        SERVE: export(callbacks.serve_solves),
        **functions,
    }


def solver(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolve`."""
    for callback in (
        callbacks.steady_state_nonlinear,
        callbacks.cut_step_nonlinear,
        callbacks.settle_nonlinear,
    ):
        bind(callback)
    addresses = addresses_of(compiled, export(callbacks.solve_subjects))
    solve = calling(export(callbacks.solve_nonlinear), N_ROWS, STATES, (2, 1, 1, 1), addresses)

    @numba_njit
    def nonlinear_solve(*inputs):  # type: ignore[no-untyped-def]
        return solve(inputs)

    return nonlinear_solve


def adjoint(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolveAdjoint`."""
    bind(callbacks.steady_state_nonlinear_adjoint)
    bind(callbacks.pass_back_nonlinear)
    addresses = addresses_of(compiled, export(callbacks.gather_subjects))
    gather = calling(export(callbacks.gather_nonlinear), N_ROWS, FIRST_ADJOINT, NDIM, addresses)

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
