"""Sums over the stages of a method, written in LLVM: their coefficients are constants of the machine code.

A loop over a table of coefficients takes several times longer to run, the methods' own formulas would be pages of
numbers, and numba would take seconds to find the types in so many functions. Vectors are given by their addresses and
a common length n; the stages `K` of a step follow each other in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsp_bayes.ode.arrays import word

number = ir.DoubleType()


def combination(*rows: Sequence[float], added: bool = True) -> Any:
    """Return a function for kernels, ``combine(row, y, K, scale, out, n)``: out = y + scale * sum of c[j] K[j].

    Parameters
    ----------
    *rows : sequence of float
        Coefficients c, of which the call chooses one row. Those that are 0 cost nothing.
    added : bool
        Whether y is in the sum.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> combine = combination([1.0], [2.0, 0.0, 3.0])
    >>> @njit
    ... def example(row, y, K, scale, out):
    ...     combine(row, y.ctypes.data, K.ctypes.data, scale, out.ctypes.data, y.size)
    ...     return out[0]
    >>> example(1, np.ones(1), np.array([[1.0], [10.0], [100.0]]), 0.5, np.empty(1))
    152.0
    """

    @intrinsic
    def combine(typing_context: Any, row: Any, y: Any, K: Any, scale: Any, out: Any, n: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            chosen, y, K, scale, out, n = arguments

            def work(coefficients: Sequence[float], i: Any) -> None:
                total = number(0.0)
                for j, c in enumerate(coefficients):
                    if c != 0.0:
                        stage = builder.load(element(builder, K, n, j, i))
                        total = builder.fadd(total, builder.fmul(number(c), stage))
                total = builder.fmul(scale, total)
                if added:
                    total = builder.fadd(builder.load(element(builder, y, n, 0, i)), total)
                builder.store(total, element(builder, out, n, 0, i))

            choose(builder, chosen, n, rows, work)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp, types.float64, types.intp, types.intp), generate

    return combine


def spreading(*rows: Sequence[float]) -> Any:
    """Return a function for kernels, ``spread(row, x, scale, K, n)``, the transpose: K[j] += scale * c[j] x.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> spread = spreading([2.0, 0.0, 3.0])
    >>> @njit
    ... def example(x, scale, K):
    ...     spread(0, x.ctypes.data, scale, K.ctypes.data, x.size)
    >>> K = np.zeros((3, 1))
    >>> example(np.ones(1), 0.5, K)
    >>> K.ravel().tolist()
    [1.0, 0.0, 1.5]
    """

    @intrinsic
    def spread(typing_context: Any, row: Any, x: Any, scale: Any, K: Any, n: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            chosen, x, scale, K, n = arguments

            def work(coefficients: Sequence[float], i: Any) -> None:
                scaled = builder.fmul(scale, builder.load(element(builder, x, n, 0, i)))
                for j, c in enumerate(coefficients):
                    if c != 0.0:
                        stage = element(builder, K, n, j, i)
                        change = builder.fmul(number(c), scaled)
                        builder.store(builder.fadd(builder.load(stage), change), stage)

            choose(builder, chosen, n, rows, work)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.float64, types.intp, types.intp), generate

    return spread


def interpolation(*polynomials: Sequence[float]) -> tuple[Any, Any]:
    """Return functions for kernels, ``value(x, K, n, i)`` and ``spread(x, scale, K, n, i)``, of entry i of the stages.

    The first is the sum of c_j(x) K[j][i], the second its transpose, K[j][i] += scale * c_j(x). In a loop over i the
    polynomials are worked out once.

    Parameters
    ----------
    *polynomials : sequence of float
        Coefficients of c_j, by falling powers.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> value, spread = interpolation([1.0, 0.0], [2.0])
    >>> @njit
    ... def example(x, K):
    ...     spread(x, 1.0, K.ctypes.data, K.shape[1], 0)
    ...     return value(x, K.ctypes.data, K.shape[1], 0)
    >>> example(3.0, np.array([[1.0], [10.0]]))
    36.0
    """

    def at(builder: Any, coefficients: Sequence[float], x: Any) -> Any:
        total: Any = number(coefficients[0])
        for c in coefficients[1:]:
            total = builder.fadd(builder.fmul(total, x), number(c))
        return total

    @intrinsic
    def value(typing_context: Any, x: Any, K: Any, n: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, K, n, i = arguments
            total: Any = number(0.0)
            for j, coefficients in enumerate(polynomials):
                stage = builder.load(element(builder, K, n, j, i))
                total = builder.fadd(total, builder.fmul(at(builder, coefficients, x), stage))
            return total

        return types.float64(types.float64, types.intp, types.intp, types.intp), generate

    @intrinsic
    def spread(typing_context: Any, x: Any, scale: Any, K: Any, n: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, scale, K, n, i = arguments
            for j, coefficients in enumerate(polynomials):
                stage = element(builder, K, n, j, i)
                change = builder.fmul(scale, at(builder, coefficients, x))
                builder.store(builder.fadd(builder.load(stage), change), stage)
            return context.get_dummy_value()

        return types.void(types.float64, types.float64, types.intp, types.intp, types.intp), generate

    return value, spread


def element(builder: Any, address: Any, n: Any, j: int, i: Any) -> Any:
    """Pointer to element i of the j-th of the vectors at an address."""
    start = builder.inttoptr(address, number.as_pointer())
    return builder.gep(start, [builder.add(builder.mul(word(j), n), i)])


def choose(
    builder: Any, chosen: Any, n: Any, rows: Sequence[Sequence[float]], work: Callable[..., None]
) -> None:
    """Do `work(row, i)` for each i below n, for the row of coefficients that is chosen."""
    end = builder.append_basic_block("end")
    switch = builder.switch(chosen, end)
    for k, row in enumerate(rows):
        block = builder.append_basic_block(f"row{k}")
        switch.add_case(word(k), block)
        builder.position_at_end(block)
        with cgutils.for_range(builder, n) as loop:
            work(row, loop.index)
        builder.branch(end)
    builder.position_at_end(end)
