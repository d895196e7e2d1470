"""PyTensor operations of the linear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode import callbacks
from qsp_bayes.ode.batch import BatchAdjoint, BatchSolve, from_python, store
from qsp_bayes.ode.jit import KERNEL_VERSION, export
from qsp_bayes.ode.lazy import bind
from qsp_bayes.ode.problem import FIRST_ADJOINT, FLOAT_INPUTS, N_ROWS, OBSERVED, STATES
from qsp_bayes.ode.table import calling

NDIM = (1, 1, 2, 2, 2, 2, 1, 2, 2, 2)
"""Of the float inputs."""


class LinearSolve(BatchSolve):
    """Solve a batch of subjects; the first output, (observed state, record), holds the states.

    The other two are memory for the adjoint: what `problem.carve_modes` and `problem.carve_trace` carve, integers
    and complex numbers included.

    Parameters
    ----------
    general : bool
        Whether some block of A needs the general eigenvalue solver, in complex arithmetic.
    """

    __props__ = ("general",)
    derivatives = floats = len(FLOAT_INPUTS)
    observed = OBSERVED
    memory = ("modes", "trace")

    def __init__(self, general: bool) -> None:
        self.general = general

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        store(outputs, from_python(solver, self.general)(*inputs))

    def adjoint(self) -> BatchAdjoint:
        """Return the operation that walks the trace backward."""
        return LinearSolveAdjoint(self.general)


class LinearSolveAdjoint(BatchAdjoint):
    """Derivatives of sum(cotangent * states) with respect to the float inputs of `LinearSolve`."""

    __props__ = ("general",)
    derivatives = len(FLOAT_INPUTS)

    def __init__(self, general: bool) -> None:
        self.general = general

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        store(outputs, from_python(adjoint, self.general)(*inputs))

    def solve(self) -> BatchSolve:
        """Return the operation that leaves the trace."""
        return LinearSolve(self.general)


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
