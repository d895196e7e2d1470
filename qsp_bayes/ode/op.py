"""PyTensor operations of the linear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode import callbacks
from qsp_bayes.ode.callbacks import (
    FIRST_ADJOINT,
    FIRST_INPUT,
    FIRST_TRACE,
    FIRST_WORK,
    FLOAT_INPUTS,
    INPUTS,
    N_ROWS,
    N_STEP_BARS,
    STEP_BARS,
    SUBJECTS,
)
from qsp_bayes.ode.jit import KERNEL_VERSION, TABLE_WIDTH, contiguous, describe, describe_all, export
from qsp_bayes.ode.timeline import INPUTS as STEP_INPUTS
from qsp_bayes.ode.timeline import N_COLUMNS
from qsp_bayes.ode.work import N_MATRICES, N_REAL_MATRICES, N_REAL_VECTORS, N_VECTORS

N_INPUTS, N_FLOAT = len(INPUTS), len(FLOAT_INPUTS)


class LinearSolve(Op):
    """Solve a batch of subjects; the first output holds the observed states by record, the others the trace.

    Parameters
    ----------
    general : bool
        Whether some block of A needs the general eigenvalue solver, in complex arithmetic.
    """

    __props__ = ("general",)

    def __init__(self, general: bool) -> None:
        self.general = general

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs named in `callbacks.INPUTS`, in that order."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[:N_FLOAT]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[N_FLOAT:]]
        number = "complex128" if self.general else "float64"
        outputs = [
            pt.tensor(name, dtype=dtype, shape=(None,) * ndim)
            for name, dtype, ndim in (
                ("states", "float64", 2),
                ("steps", "float64", 2),
                ("codes", "int64", 2),
                ("modes", number, 3),
                ("subjects", "int64", 2),
                ("w", number, 2),
                ("V", number, 3),
                ("inverse", number, 3),
                ("mode", "int64", 1),
            )
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
        derivatives = LinearSolveAdjoint(self.general)(*inputs, *outputs[1:], cotangents[0])
        return [*derivatives, *(disconnected_type() for _ in inputs[N_FLOAT:])]


class LinearSolveAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to the float inputs of `LinearSolve`."""

    __props__ = ("general",)

    def __init__(self, general: bool) -> None:
        self.general = general

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `LinearSolve`, its trace, and the cotangent of its states."""
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


@numba_njit
def make_work(n, number):  # type: ignore[no-untyped-def]
    """Allocate the working arrays, in the order of `callbacks.WORK`."""
    return (
        np.zeros((N_VECTORS, n), number),
        np.zeros((N_MATRICES, n, n), number),
        np.zeros((N_REAL_VECTORS, n)),
        np.zeros((N_REAL_MATRICES, n, n)),
    )


def solver(general: bool) -> Any:
    """Return the compiled function over the inputs of `LinearSolve`."""
    count = export(callbacks.count)
    export(callbacks.special_general if general else callbacks.special_trees)
    export(callbacks.coast_general if general else callbacks.coast_trees)
    solve = export(callbacks.solve_general if general else callbacks.solve_trees)
    number = np.complex128 if general else np.float64

    @numba_njit
    def call(table, results, work):  # type: ignore[no-untyped-def]
        # A function of its own: numba frees an array after its last use, and the kernel's uses it does not see.
        describe_all(table, FIRST_TRACE, results)
        describe_all(table, FIRST_WORK, work)
        solve(table.ctypes.data)

    @numba_njit
    def run(inputs, n_records, n_subjects, n_rows, n, n_observed):  # type: ignore[no-untyped-def]
        table = np.zeros((N_ROWS, TABLE_WIDTH), np.int64)
        table[0, 0] = N_ROWS
        describe_all(table, FIRST_INPUT, inputs)
        subjects = np.zeros((n_subjects + 1, 3), np.int64)
        describe(table, SUBJECTS, subjects)
        capacity = count(table.ctypes.data)
        steps = np.empty((capacity, STEP_INPUTS + n))
        codes = np.empty((capacity, N_COLUMNS), np.int64)
        modes = np.empty((capacity, 4, n), number)
        w = np.zeros((n_rows, n), number)
        V = np.zeros((n_rows, n, n), number)
        inverse = np.zeros((n_rows, n, n), number)
        mode = np.zeros(n_rows, np.int64)
        states = np.zeros((n_records, n_observed))
        waiting = (np.empty((capacity, STEP_INPUTS)), np.empty((capacity, N_COLUMNS), np.int64))
        call(
            table,
            (steps, codes, modes, subjects, w, V, inverse, mode, states),
            make_work(n, number) + waiting,
        )
        return states, steps, codes, modes, subjects, w, V, inverse, mode

    @numba_njit
    def linear_solve(  # type: ignore[no-untyped-def]
        time, amount, bioavailability, lag, rate, duration, interval, values, affine, initial,
        subject, row, evid, state, additional, steady_state,
        pattern, reachable, blocks, block_of, parents, observed, options,
    ):  # fmt: skip
        n_subjects = subject.max() + 1 if subject.size else 0
        return run((
            contiguous(time), contiguous(amount), contiguous(bioavailability), contiguous(lag), contiguous(rate),
            contiguous(duration), contiguous(interval), contiguous(values), contiguous(affine), contiguous(initial),
            contiguous(subject), contiguous(row), contiguous(evid), contiguous(state), contiguous(additional),
            contiguous(steady_state), contiguous(pattern), contiguous(reachable), contiguous(blocks),
            contiguous(block_of), contiguous(parents), contiguous(observed), contiguous(options),
        ), time.size, n_subjects, values.shape[1], parents.size, observed.size)  # fmt: skip

    return linear_solve


def adjoint(general: bool) -> Any:
    """Return the compiled function over the inputs of `LinearSolveAdjoint`."""
    export(callbacks.special_adjoint_general if general else callbacks.special_adjoint_trees)
    export(callbacks.coast_adjoint_general if general else callbacks.coast_adjoint_trees)
    gather = export(callbacks.gather_general if general else callbacks.gather_trees)
    number = np.complex128 if general else np.float64

    @numba_njit
    def run(inputs, work, bars, step_bars):  # type: ignore[no-untyped-def]
        table = np.zeros((N_ROWS, TABLE_WIDTH), np.int64)
        table[0, 0] = N_ROWS
        describe_all(table, FIRST_INPUT, inputs)
        describe_all(table, FIRST_WORK, work)
        describe_all(table, FIRST_ADJOINT, bars)
        describe(table, STEP_BARS, step_bars)
        gather(table.ctypes.data)

    @numba_njit
    def linear_solve_adjoint(  # type: ignore[no-untyped-def]
        time, amount, bioavailability, lag, rate, duration, interval, values, affine, initial,
        subject, row, evid, state, additional, steady_state,
        pattern, reachable, blocks, block_of, parents, observed, options,
        steps, codes, modes, subjects, w, V, inverse, mode, cotangent,
    ):  # fmt: skip
        bars = (
            np.zeros(time.shape), np.zeros(amount.shape), np.zeros(bioavailability.shape), np.zeros(lag.shape),
            np.zeros(rate.shape), np.zeros(duration.shape), np.zeros(interval.shape), np.zeros(values.shape),
            np.zeros(affine.shape), np.zeros(initial.shape),
        )  # fmt: skip
        run((
            contiguous(time), contiguous(amount), contiguous(bioavailability), contiguous(lag), contiguous(rate),
            contiguous(duration), contiguous(interval), contiguous(values), contiguous(affine), contiguous(initial),
            contiguous(subject), contiguous(row), contiguous(evid), contiguous(state), contiguous(additional),
            contiguous(steady_state), contiguous(pattern), contiguous(reachable), contiguous(blocks),
            contiguous(block_of), contiguous(parents), contiguous(observed), contiguous(options),
            steps, codes, modes, subjects, w, V, inverse, mode, contiguous(cotangent),
        ), make_work(parents.size, number), bars, np.zeros(N_STEP_BARS))  # fmt: skip
        return bars

    return linear_solve_adjoint


@register_funcify_and_cache_key(LinearSolve)
def funcify_linear_solve(op: LinearSolve, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return solver(op.general), f"LinearSolve-{op.general}-{KERNEL_VERSION}"


@register_funcify_and_cache_key(LinearSolveAdjoint)
def funcify_linear_solve_adjoint(op: LinearSolveAdjoint, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return adjoint(op.general), f"LinearSolveAdjoint-{op.general}-{KERNEL_VERSION}"
