"""The right-hand side of a nonlinear system as the kernels see it: addresses of generated functions.

The kernels are compiled once for all systems. What differs between systems, the derivatives of dx/dt = f(t, x, p),
are small functions that `codegen` generates; the kernels call them through their addresses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qsp_bayes.ode.arrays import address, word
from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.table import WORD

FUNCTIONS = (
    *("slopes", "jacobian", "factor", "solve", "solve_transposed", "pull", "pull_jacobian"),
    *("explicit_step", "explicit_step_back", "implicit_step", "implicit_step_back"),
)
"""Generated functions, in the order of their addresses. Only small systems have the last four."""

SWITCH_FUNCTIONS = ("switches", "switch_slopes", "pull_switches", "change", "pull_change")
"""Those of a system with switches, which follow them."""


class Field(NamedTuple):
    """A system: the addresses of its functions, and the pattern of its Jacobian in row-major order.

    `autonomous` is 1 where no rate depends on time. The addresses of whole steps are 0 where there are none, and so are
    those of the functions of switches, which come last.
    """

    slopes: int
    jacobian: int
    factor: int
    solve: int
    solve_transposed: int
    pull: int
    pull_jacobian: int
    explicit_step: int
    explicit_step_back: int
    implicit_step: int
    implicit_step_back: int
    rows: np.ndarray
    columns: np.ndarray
    autonomous: int
    switches: int = 0
    switch_slopes: int = 0
    pull_switches: int = 0
    change: int = 0
    pull_change: int = 0


@intrinsic
def call(typing_context: Any, address: Any, *arguments: Any) -> Any:
    """Call a function by its address. Arguments are float64, or addresses of arrays; the result is an int64."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        passed = [builder.extract_value(values[1], k) for k in range(len(arguments))]
        function_type = ir.FunctionType(word, [value.type for value in passed])
        return builder.call(builder.inttoptr(values[0], function_type.as_pointer()), passed)

    return types.int64(address, types.Tuple(arguments)), generate


@inlined_kernel()
def at(array, row):  # type: ignore[no-untyped-def]
    """Address of a row of a float64 matrix."""
    return address(array) + row * array.shape[1] * WORD


@inlined_kernel()
def stages_at(stages, r):  # type: ignore[no-untyped-def]
    """Address of the stages of row r of a path."""
    return address(stages) + r * stages.shape[1] * stages.shape[2] * WORD


@inlined_kernel()
def slopes(field, t, y, p, u, out):  # type: ignore[no-untyped-def]
    """Set out = f(t, y, p) + u; y and out are addresses."""
    call(field.slopes, t, y, address(p), address(u), out)


@inlined_kernel()
def jacobian(field, t, y, p, J, T):  # type: ignore[no-untyped-def]
    """Set J = df/dy (its entries) and T = df/dt."""
    call(field.jacobian, t, y, address(p), address(J), address(T))


@inlined_kernel()
def factor(field, J, shift, W):  # type: ignore[no-untyped-def]
    """Factorise shift I - J; False where it cannot be."""
    return call(field.factor, address(J), shift, address(W)) == 0


@inlined_kernel()
def solve(field, W, b):  # type: ignore[no-untyped-def]
    """Solve (shift I - J) x = b in place; b is an address."""
    call(field.solve, address(W), b)


@inlined_kernel()
def solve_transposed(field, W, b):  # type: ignore[no-untyped-def]
    """Solve (shift I - J)^T x = b in place; b is an address."""
    call(field.solve_transposed, address(W), b)


@inlined_kernel()
def pull(field, t, y, p, v, y_bar, p_bar):  # type: ignore[no-untyped-def]
    """Add the derivatives of v . f(t, y, p) with respect to y and p; y and v are addresses."""
    call(field.pull, t, y, address(p), v, address(y_bar), address(p_bar))


@inlined_kernel()
def pull_jacobian(field, t, y, p, M, tau, y_bar, p_bar):  # type: ignore[no-untyped-def]
    """Add the derivatives of sum(M J) + tau . T with respect to y and p."""
    call(
        field.pull_jacobian, t, y, address(p), address(M), address(tau),
        address(y_bar), address(p_bar),
    )  # fmt: skip


@inlined_kernel()
def explicit_step(field, t, h, y, stages, room):  # type: ignore[no-untyped-def]
    """Make a whole step of Tsit5 at the state at address y, given its first stage: the others, `new` and `error`."""
    call(
        field.explicit_step, t, h, y, address(room.p), address(room.u), stages, address(room.new), address(room.error)
    )  # fmt: skip


@inlined_kernel()
def explicit_step_back(field, t, h, y, stages, room):  # type: ignore[no-untyped-def]
    """Take `lam` back over such a step, to its start; adds to the adjoints of u and p."""
    call(
        field.explicit_step_back, t, h, y, address(room.p), stages, address(room.stages_bar), address(room.lam),
        address(room.y_bar), address(room.u_bar), address(room.p_bar),
    )  # fmt: skip


@inlined_kernel()
def implicit_step(field, t, h, y, stages, room):  # type: ignore[no-untyped-def]
    """Make a whole step of Rodas5P at the state at address y, given `W` and `T`: its stages, `new` and `error`."""
    call(
        field.implicit_step, t, h, y, address(room.p), address(room.u), address(room.T), address(room.W), stages,
        address(room.new), address(room.error),
    )  # fmt: skip


@inlined_kernel()
def implicit_step_back(field, t, h, y, stages, room):  # type: ignore[no-untyped-def]
    """Take `lam` back over such a step, to `y_bar`; sets M and tau, adds to the adjoints of u and p."""
    call(
        field.implicit_step_back, t, h, y, address(room.p), address(room.W), stages, address(room.stages_bar),
        address(room.M), address(room.tau), address(room.lam), address(room.y_bar), address(room.u_bar),
        address(room.p_bar),
    )  # fmt: skip


@inlined_kernel()
def evaluate_switches(field, t, y, p, out):  # type: ignore[no-untyped-def]
    """Set out = g(t, y, p), the functions of the switches; y and out are addresses."""
    call(field.switches, t, y, address(p), out)


@inlined_kernel()
def switch_slopes(field, t, y, p, flow, out):  # type: ignore[no-untyped-def]
    """Set out = dg/dt + dg/dy flow; y, flow and out are addresses."""
    call(field.switch_slopes, t, y, address(p), flow, out)


@inlined_kernel()
def pull_switches(field, t, y, p, v, y_bar, p_bar):  # type: ignore[no-untyped-def]
    """Add the derivatives of v . g(t, y, p) with respect to y and p; y and v are addresses."""
    call(field.pull_switches, t, y, address(p), v, address(y_bar), address(p_bar))


@inlined_kernel()
def change_states(field, t, y, p, out):  # type: ignore[no-untyped-def]
    """Set out to the states after a crossing, switch by switch; y and out are addresses."""
    call(field.change, t, y, address(p), out)


@inlined_kernel()
def pull_change(field, t, y, p, v, y_bar, p_bar, bars, k):  # type: ignore[no-untyped-def]
    """Add the derivatives of v . (those states) with respect to y, p, and, in entry k of `bars`, the time."""
    call(field.pull_change, t, y, address(p), v, address(y_bar), address(p_bar), address(bars) + k * WORD)
