"""PyTensor operations of the linear engine, their gradient, and their numba dispatch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode import linear
from qsp_bayes.ode.decomposition import decompose_general, decompose_trees
from qsp_bayes.ode.records import Records

FLOAT_INPUTS = (
    "time",
    "amount",
    "bioavailability",
    "lag",
    "rate",
    "duration",
    "interval",
    "values",
    "affine",
    "initial",
)
"""Inputs with derivatives, in the order in which `linear.Adjoints` returns them."""
INTEGER_INPUTS = ("subject", "row", "evid", "state", "additional", "steady_state")
STRUCTURE_INPUTS = ("pattern", "reachable", "blocks", "parents", "observed", "n_dynamic")

KERNEL_VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()
"""Part of the key under which compiled code is cached: any change to the engine's source makes a new one."""


class LinearSolve(Op):
    """Solve a batch of subjects; the first output holds the observed states by record, the others the trace.

    Parameters
    ----------
    general : bool
        Whether some block of A needs the general eigenvalue solver, in complex arithmetic.
    locf : bool
        Whether parameters at a record hold from it on.
    """

    __props__ = ("general", "locf")

    def __init__(self, general: bool, locf: bool) -> None:
        self.general, self.locf = general, locf

    def make_node(self, *inputs: Any) -> Apply:
        """Take float, integer and structure inputs, in the order of the names above."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[: len(FLOAT_INPUTS)]]
        variables += [pt.as_tensor_variable(x) for x in inputs[len(FLOAT_INPUTS) :]]
        number = "complex128" if self.general else "float64"
        outputs = [
            pt.tensor(name, dtype=dtype, shape=shape)
            for name, dtype, shape in (
                ("states", "float64", (None, None)),
                ("times", "float64", (None,)),
                ("step_values", "float64", (None,)),
                ("codes", "int64", (None, None)),
                ("modes", number, (None, None, None)),
                ("inputs", "float64", (None, None)),
                ("bounds", "int64", (None,)),
                ("offsets", "int64", (None,)),
                ("failed", "bool", (None,)),
                ("w", number, (None, None)),
                ("V", number, (None, None, None)),
                ("inverse", number, (None, None, None)),
                ("mode", "int64", (None,)),
            )
        ]
        return Apply(self, variables, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, solver(self.general, self.locf)(*inputs), strict=True):
            storage[0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the states depend, differentiably, on the inputs, and only on the float ones."""
        n_outputs = len(node.outputs)
        return [[k < len(FLOAT_INPUTS)] + [False] * (n_outputs - 1) for k in range(len(node.inputs))]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Walk the trace backward."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        derivatives = LinearSolveAdjoint(self.general, self.locf)(*inputs, *outputs[1:], cotangents[0])
        return [*derivatives, *(disconnected_type() for _ in inputs[len(FLOAT_INPUTS) :])]


class LinearSolveAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to the float inputs of `LinearSolve`."""

    __props__ = ("general", "locf")

    def __init__(self, general: bool, locf: bool) -> None:
        self.general, self.locf = general, locf

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `LinearSolve`, its trace, and the cotangent of its states."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[: len(FLOAT_INPUTS)]])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the compiled kernel."""
        for storage, value in zip(outputs, adjoint(self.locf)(*inputs), strict=True):
            storage[0] = value


def solver(general: bool, locf: bool) -> Any:
    """Return the compiled forward function over the inputs of `LinearSolve`."""
    decompose = decompose_general if general else decompose_trees

    @numba_njit
    def linear_solve(
        time, amount, bioavailability, lag, rate, duration, interval, values, affine, initial,
        subject, row, evid, state, additional, steady_state,
        pattern, reachable, blocks, parents, observed, n_dynamic,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        # Copies give every array one type (C order, writable), and the kernels one specialisation.
        matrix = linear.Matrix(
            pattern.copy(), reachable.copy(), n_dynamic.item(), values.copy(), affine.copy(), initial.copy()
        )
        times = time.copy()
        horizon = times.max() - min(times.min(), 0.0)
        w, V, inverse, mode = decompose(
            matrix.pattern, blocks.copy(), parents.copy(), matrix.reachable, matrix.values, horizon
        )
        records = Records(
            subject.copy(), row.copy(), times, evid.copy(), state.copy(), amount.copy(), bioavailability.copy(),
            lag.copy(), rate.copy(), duration.copy(), interval.copy(), additional.copy(), steady_state.copy(), locf,
        )  # fmt: skip
        out, trace = linear.forward(matrix, linear.Modes(w, V, inverse, mode), records, observed.copy())
        return (
            out, trace.times, trace.values, trace.codes, trace.modes, trace.inputs, trace.bounds, trace.offsets,
            trace.failed, w, V, inverse, mode,
        )  # fmt: skip

    return linear_solve


def adjoint(locf: bool) -> Any:
    """Return the compiled backward function over the inputs of `LinearSolveAdjoint`."""

    @numba_njit
    def linear_solve_adjoint(
        time, amount, bioavailability, lag, rate, duration, interval, values, affine, initial,
        subject, row, evid, state, additional, steady_state,
        pattern, reachable, blocks, parents, observed, n_dynamic,
        times, step_values, codes, modes, inputs, bounds, offsets, failed, w, V, inverse, mode,
        cotangent,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        matrix = linear.Matrix(
            pattern.copy(), reachable.copy(), n_dynamic.item(), values.copy(), affine.copy(), initial.copy()
        )
        records = Records(
            subject.copy(), row.copy(), time.copy(), evid.copy(), state.copy(), amount.copy(), bioavailability.copy(),
            lag.copy(), rate.copy(), duration.copy(), interval.copy(), additional.copy(), steady_state.copy(), locf,
        )  # fmt: skip
        trace = linear.Trace(times, step_values, codes, modes, inputs, bounds, offsets, failed)
        bar = linear.backward(
            matrix, linear.Modes(w, V, inverse, mode), records, observed.copy(), trace, cotangent.copy()
        )
        return (
            bar.time, bar.amount, bar.bioavailability, bar.lag, bar.rate, bar.duration, bar.interval,
            bar.values, bar.affine, bar.initial,
        )  # fmt: skip

    return linear_solve_adjoint


@register_funcify_and_cache_key(LinearSolve)
def funcify_linear_solve(op: LinearSolve, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return solver(op.general, op.locf), f"LinearSolve-{op.general}-{op.locf}-{KERNEL_VERSION}"


@register_funcify_and_cache_key(LinearSolveAdjoint)
def funcify_linear_solve_adjoint(op: LinearSolveAdjoint, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return adjoint(op.locf), f"LinearSolveAdjoint-{op.general}-{op.locf}-{KERNEL_VERSION}"
