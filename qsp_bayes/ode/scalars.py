"""Scalar functions that generated code calls where neither Python nor its `math` has one.

They take no branches: a choice between two numbers is one instruction, while each branch would cut the generated
straight-line code into blocks, which take several times longer to compile.
"""

from __future__ import annotations

from math import exp, expm1, log, log1p, nan
from typing import Any

from numba import types
from numba.extending import intrinsic

from qsp_bayes.ode.jit import inlined_kernel, kernel


@intrinsic
def choose(typing_context: Any, condition: Any, if_true: Any, if_false: Any) -> Any:
    """One of two numbers, both of which have been computed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return types.float64(types.boolean, types.float64, types.float64), generate


def _rounding(name: str) -> Any:
    """Return a function that compiled code calls an instruction by, as float64 (Python's own return integers)."""

    def rounded(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            instruction = builder.module.declare_intrinsic(f"llvm.{name}", [arguments[0].type])
            return builder.call(instruction, arguments)

        return types.float64(types.float64), generate

    return intrinsic(rounded)


floor, ceil, truncate, round_half_to_even = map(_rounding, ("floor", "ceil", "trunc", "rint"))
round_half_away = _rounding("round")


@inlined_kernel()
def maximum(a, b):  # type: ignore[no-untyped-def]
    """Larger of two numbers; NaN if one is."""
    return choose(b > a, b, choose(a >= b, a, nan))


@inlined_kernel()
def minimum(a, b):  # type: ignore[no-untyped-def]
    """Smaller of two numbers; NaN if one is."""
    return choose(b < a, b, choose(a <= b, a, nan))


@inlined_kernel()
def floor_divide(a, b):  # type: ignore[no-untyped-def]
    """Largest whole number up to a / b."""
    return floor(a / b)


@inlined_kernel()
def remainder(a, b):  # type: ignore[no-untyped-def]
    """What is left of a, with the sign of b."""
    return a % b


@inlined_kernel()
def clip(x, lowest, highest):  # type: ignore[no-untyped-def]
    """Nearest number to x between two others."""
    return choose(x < lowest, lowest, choose(x > highest, highest, x))


@inlined_kernel()
def sign(x):  # type: ignore[no-untyped-def]
    """-1, 0, 1, or NaN."""
    return choose(x > 0.0, 1.0, choose(x < 0.0, -1.0, x))


@inlined_kernel()
def sigmoid(x):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-x)), where exp(-x) may be too large for a number."""
    small = exp(-abs(x))
    return choose(x < 0.0, small, 1.0) / (1.0 + small)


@inlined_kernel()
def softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + exp(x)), where exp(x) may be too large for a number."""
    return choose(x < 0.0, 0.0, x) + log1p(exp(-abs(x)))


@inlined_kernel()
def log1mexp(x):  # type: ignore[no-untyped-def]
    """log(1 - exp(x)) for x below 0, by whichever form keeps its digits."""
    return choose(x < -0.6931471805599453, log1p(-exp(x)), log(-expm1(x)))


@kernel()
def digamma(x):  # type: ignore[no-untyped-def]
    """Derivative of log(gamma(x)) for x above 0, elsewhere NaN: the recurrence up to 10, then Stirling's series."""
    if not x > 0.0:
        return nan
    total = 0.0
    while x < 10.0:
        total -= 1.0 / x
        x += 1.0
    s = 1.0 / (x * x)
    series = 1 / 12 - s * (
        1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * (691 / 32760 - s / 12))))
    )
    return total + log(x) - 0.5 / x - s * series


@kernel()
def trigamma(x):  # type: ignore[no-untyped-def]
    """Derivative of the digamma function for x above 0, elsewhere NaN."""
    if not x > 0.0:
        return nan
    total = 0.0
    while x < 10.0:
        total += 1.0 / (x * x)
        x += 1.0
    s = 1.0 / (x * x)
    series = 1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * (5 / 66 - s * (691 / 2730 - s * 7 / 6)))))
    return total + 1.0 / x + 0.5 * s + s / x * series
