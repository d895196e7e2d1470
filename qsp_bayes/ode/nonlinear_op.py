"""PyTensor operations of the nonlinear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba import types
from numba.extending import intrinsic
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode import nonlinear_callbacks as callbacks
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.field import FUNCTIONS
from qsp_bayes.ode.jit import KERNEL_VERSION, TABLE_WIDTH, contiguous, describe, describe_all, export
from qsp_bayes.ode.nonlinear_callbacks import FLOAT_INPUTS, INPUTS, N_ROWS, OUT, ROW_OF
from qsp_bayes.ode.path import N_STAGES, VECTORS
from qsp_bayes.ode.timeline import INPUTS as STEP_INPUTS
from qsp_bayes.ode.timeline import N_COLUMNS

N_INPUTS, N_FLOAT = len(INPUTS), len(FLOAT_INPUTS)
FIRST_TRACE = ROW_OF["steps"]
FIRST_WORK = ROW_OF["functions"]
FIRST_BAR = callbacks.FIRST_BAR
N_VECTORS = len(VECTORS)

OUTPUTS = (
    ("out", "float64", 2),
    ("steps", "float64", 2),
    ("codes", "int64", 2),
    ("arrivals", "float64", 2),
    ("spans", "int64", 2),
    ("subjects", "int64", 2),
    ("times", "float64", 2),
    ("methods", "int64", 1),
    ("states", "float64", 2),
    ("stages", "float64", 3),
)


class NonlinearSolve(Op):
    """Solve a batch of subjects; the first output holds the observed states by record, the others the trace.

    Parameters
    ----------
    compiled : CompiledEquations
    """

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs named in `nonlinear_callbacks.INPUTS`, in that order."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[: N_FLOAT + 1]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[N_FLOAT + 1 :]]
        outputs = [pt.tensor(name, dtype=dtype, shape=(None,) * ndim) for name, dtype, ndim in OUTPUTS]
        return Apply(self, variables, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(solver(self.compiled))(*inputs), strict=True):
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
        derivatives = NonlinearSolveAdjoint(self.compiled)(*inputs, *outputs[1:], cotangents[0])
        return [*derivatives, *(disconnected_type() for _ in inputs[N_FLOAT:])]


class NonlinearSolveAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to the float inputs of `NonlinearSolve`."""

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `NonlinearSolve`, its trace, and the cotangent of its states."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[:N_FLOAT]])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, from_python(adjoint(self.compiled))(*inputs), strict=True):
            storage[0] = value


def from_python(inner: Any) -> Any:
    """Return a compiled function that Python can call; those of graphs have no wrapper for it."""

    @numba_njit(final_function=True)
    def call(*inputs):  # type: ignore[no-untyped-def]
        return inner(*inputs)

    return call


def addresses_of(compiled: CompiledEquations) -> Any:
    """Return a compiled function that writes the addresses of the generated functions to a vector."""
    symbols = [compiled.symbols[function] for function in FUNCTIONS]

    @intrinsic
    def address(typing_context: Any, k: Any) -> Any:
        """Address of function k."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            from llvmlite import ir
            from numba.core import cgutils

            symbol = symbols[k.literal_value]
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.IntType(64), []), symbol
            )
            return builder.ptrtoint(function, ir.IntType(64))

        if not isinstance(k, types.IntegerLiteral):
            return None
        return types.int64(k), generate

    @numba_njit
    def write(functions):  # type: ignore[no-untyped-def]
        functions[0] = address(0)
        functions[1] = address(1)
        functions[2] = address(2)
        functions[3] = address(3)
        functions[4] = address(4)
        functions[5] = address(5)
        functions[6] = address(6)

    return write


def make_work(n: int, n_parameters: int, n_entries: int, n_factors: int) -> Any:
    """Allocate the working arrays."""
    return (
        np.zeros((N_VECTORS, n)),
        np.zeros((N_STAGES, n)),
        np.zeros((2, n_parameters)),
        np.zeros((2, n_entries)),
        np.zeros(n_factors),
    )


make_work = numba_njit(make_work)


def solver(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolve`."""
    count = export(callbacks.count_nonlinear)
    solve = export(callbacks.solve_nonlinear)
    write_addresses = addresses_of(compiled)
    n, n_parameters = compiled.n_states, compiled.n_parameters
    n_entries, n_factors = len(compiled.rows), compiled.n_factors
    SUBJECTS, FIRST_PATH = ROW_OF["subjects"], ROW_OF["times"]

    @numba_njit
    def call(table, timeline, path, work):  # type: ignore[no-untyped-def]
        # A function of its own: numba frees an array after its last use, and the kernel's uses it does not see.
        describe_all(table, FIRST_TRACE, timeline)
        describe_all(table, FIRST_PATH, path)
        describe_all(table, FIRST_WORK, work)
        return solve(table.ctypes.data)

    @numba_njit
    def room(capacity):  # type: ignore[no-untyped-def]
        return (
            np.empty((capacity, 2)),
            np.empty(capacity, np.int64),
            np.empty((capacity, n)),
            np.empty((capacity, N_STAGES, n)),
        )

    @numba_njit
    def run(inputs, n_records, n_subjects, n_observed):  # type: ignore[no-untyped-def]
        table = np.zeros((N_ROWS, TABLE_WIDTH), np.int64)
        table[0, 0] = N_ROWS
        describe_all(table, 1, inputs)
        subjects = np.zeros((n_subjects + 1, 3), np.int64)
        describe(table, SUBJECTS, subjects)
        n_steps = count(table.ctypes.data)
        steps = np.empty((n_steps, STEP_INPUTS + n))
        codes = np.empty((n_steps, N_COLUMNS), np.int64)
        arrivals = np.empty((n_steps, n))
        spans = np.empty((n_steps, 2), np.int64)
        progress = np.zeros(3, np.int64)
        out = np.zeros((n_records, n_observed))
        describe(table, OUT, out)
        functions = np.zeros(7, np.int64)
        write_addresses(functions)
        waiting = (np.empty((n_steps, STEP_INPUTS)), np.empty((n_steps, N_COLUMNS), np.int64))
        work = (functions,) + make_work(n, n_parameters, n_entries, n_factors) + waiting
        timeline = (steps, codes, arrivals, spans, subjects, progress)
        path = room(64 * n_subjects)
        while call(table, timeline, path, work) != 0:
            used = progress[1]
            larger = room(2 * path[0].shape[0])
            larger[0][:used] = path[0][:used]
            larger[1][:used] = path[1][:used]
            larger[2][:used] = path[2][:used]
            larger[3][:used] = path[3][:used]
            path = larger
        return out, steps, codes, arrivals, spans, subjects, path[0], path[1], path[2], path[3]

    @numba_njit
    def nonlinear_solve(  # type: ignore[no-untyped-def]
        time, amount, bioavailability, lag, rate, duration, interval, values, initial, tolerances,
        subject, row, evid, state, additional, steady_state, observed, rows, columns, options,
    ):  # fmt: skip
        n_subjects = subject.max() + 1 if subject.size else 0
        return run((
            contiguous(time), contiguous(amount), contiguous(bioavailability), contiguous(lag), contiguous(rate),
            contiguous(duration), contiguous(interval), contiguous(values), contiguous(initial),
            contiguous(tolerances), contiguous(subject), contiguous(row), contiguous(evid), contiguous(state),
            contiguous(additional), contiguous(steady_state), contiguous(observed), contiguous(rows),
            contiguous(columns), contiguous(options),
        ), time.size, n_subjects, observed.size)  # fmt: skip

    return nonlinear_solve


def adjoint(compiled: CompiledEquations) -> Any:
    """Return the compiled function over the inputs of `NonlinearSolveAdjoint`."""
    gather = export(callbacks.gather_nonlinear)
    write_addresses = addresses_of(compiled)
    n, n_parameters = compiled.n_states, compiled.n_parameters
    n_entries, n_factors = len(compiled.rows), compiled.n_factors
    FIRST_PATH = ROW_OF["times"]

    @numba_njit
    def run(inputs, timeline, path, work, cotangent, bars):  # type: ignore[no-untyped-def]
        table = np.zeros((N_ROWS, TABLE_WIDTH), np.int64)
        table[0, 0] = N_ROWS
        describe_all(table, 1, inputs)
        describe_all(table, FIRST_TRACE, timeline)
        describe_all(table, FIRST_PATH, path)
        describe_all(table, FIRST_WORK, work)
        describe(table, OUT, cotangent)
        describe_all(table, FIRST_BAR, bars)
        gather(table.ctypes.data)

    @numba_njit
    def nonlinear_solve_adjoint(  # type: ignore[no-untyped-def]
        time, amount, bioavailability, lag, rate, duration, interval, values, initial, tolerances,
        subject, row, evid, state, additional, steady_state, observed, rows, columns, options,
        steps, codes, arrivals, spans, subjects, times, methods, states, stages, cotangent,
    ):  # fmt: skip
        bars = (
            np.zeros(time.shape), np.zeros(amount.shape), np.zeros(bioavailability.shape), np.zeros(lag.shape),
            np.zeros(rate.shape), np.zeros(duration.shape), np.zeros(interval.shape), np.zeros(values.shape),
            np.zeros(initial.shape),
        )  # fmt: skip
        functions = np.zeros(7, np.int64)
        write_addresses(functions)
        run((
            contiguous(time), contiguous(amount), contiguous(bioavailability), contiguous(lag), contiguous(rate),
            contiguous(duration), contiguous(interval), contiguous(values), contiguous(initial),
            contiguous(tolerances), contiguous(subject), contiguous(row), contiguous(evid), contiguous(state),
            contiguous(additional), contiguous(steady_state), contiguous(observed), contiguous(rows),
            contiguous(columns), contiguous(options),
        ), (steps, codes, arrivals, spans, subjects), (times, methods, states, stages),
            (functions,) + make_work(n, n_parameters, n_entries, n_factors), contiguous(cotangent), bars,
        )  # fmt: skip
        return bars

    return nonlinear_solve_adjoint


@register_funcify_and_cache_key(NonlinearSolve)
def funcify_nonlinear_solve(op: NonlinearSolve, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return solver(op.compiled), f"NonlinearSolve-{op.name}-{KERNEL_VERSION}"


@register_funcify_and_cache_key(NonlinearSolveAdjoint)
def funcify_nonlinear_solve_adjoint(op: NonlinearSolveAdjoint, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return adjoint(op.compiled), f"NonlinearSolveAdjoint-{op.name}-{KERNEL_VERSION}"
