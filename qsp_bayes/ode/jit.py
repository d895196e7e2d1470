"""How the kernels are compiled, and how compiled graphs call them.

A numba function that calls another takes its whole code in and optimises it again, and a PyTensor graph nests several
levels of functions: the kernels would be compiled five times over. They are therefore compiled once, as C callbacks
that numba caches on disk, and graphs call them by the name of a symbol, as numba itself calls LAPACK. A callback
takes the address of a table that holds the address and the shape of each array.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
import pytensor
from llvmlite import ir
from numba import carray, cfunc, literal_unroll, njit, types
from numba.core import codegen
from numba.extending import intrinsic, overload

allocating_kernel = functools.partial(
    njit,
    error_model="numpy",
    fastmath={"contract", "nsz"},
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    _nrt=True,  # said explicitly: otherwise a function takes over what its caller says
)
"""Decorator of functions that only compiled code calls: no wrappers for Python, and no exceptions."""

kernel = functools.partial(allocating_kernel, _nrt=False)
"""The same without counts of references to arrays, which take half of the time in loops over two or three states.
Such a function neither allocates nor returns an array: it works on those that it is given."""

inlined_kernel = functools.partial(kernel, forceinline=True)
"""A kernel that is always put in the place of its call, for those called from one place or in the innermost loops.
Numba passes arrays by value, ten words each: a call that takes a whole problem copies four kilobytes."""

KERNEL_VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]
"""Part of the names of symbols and of cache keys: any change to this layer's source makes new ones."""

TABLE_WIDTH = 4
"""An array's address and up to three lengths."""

loaded: dict[str, Any] = {}
"""Callbacks by symbol: they must outlive the graphs that call them."""


def pass_builder(
    machine: Any, opt: int = 2, loop_vectorize: bool = False, slp_vectorize: bool = False
) -> Any:
    """Do as numba's function of the same signature, but leave loops rolled, which numba has no setting for."""
    options = llvmlite.binding.create_pipeline_tuning_options(opt)
    options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = (
        False,
        slp_vectorize,
        False,
    )
    return llvmlite.binding.create_pass_builder(machine, options)


@contextmanager
def kernel_settings() -> Iterator[None]:
    """Compile loops as they are written, and cache by the version of this layer's source.

    The kernels' loops run over two or three states: vectorising them (in checks of whether arrays overlap) and
    unrolling them by eight doubles their time. Numba alone would look for changes only in the file of the callback,
    and load stale kernels after a change in another.
    """
    root = numba.config.CACHE_DIR or pytensor.config.base_compiledir
    before = numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR, codegen.create_pass_builder
    numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR = 0, str(Path(root) / "qsp_bayes" / KERNEL_VERSION)
    codegen.create_pass_builder = pass_builder
    try:
        yield
    finally:
        numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR, codegen.create_pass_builder = before


def outside(name: str, n_arguments: int = 1) -> types.ExternalFunction:
    """Return what compiled code calls a callback by: the address of a table and more integers in, an integer out."""
    signature = types.int64(types.intp, *[types.int64] * (n_arguments - 1))
    return types.ExternalFunction(f"qsp_bayes_{name}_{KERNEL_VERSION}", signature)


def export(function: Callable[..., int]) -> types.ExternalFunction:
    """Compile a callback (or load it from numba's cache) and return what graphs call it by.

    Parameters
    ----------
    function : callable
        A module-level function of the address of a table, and perhaps more integers, returning an integer.
        Callbacks that it calls by `outside` must have been exported before.
    """
    external = outside(function.__name__, len(inspect.signature(function).parameters))
    if external.symbol not in loaded:
        with kernel_settings():
            loaded[external.symbol] = cfunc(external.sig, cache=True, error_model="numpy")(function)
        llvmlite.binding.add_symbol(external.symbol, loaded[external.symbol].address)
    return external


def outside_by_number(name: str) -> Callable[..., Any]:
    """Return a function for kernels that calls the callback `<name>_general` or `<name>_trees` by its symbol.

    Its arguments are the address of a table, two integers, and an array whose type of numbers, complex or real,
    chooses the callback.
    """
    general, trees = outside(f"{name}_general", 3), outside(f"{name}_trees", 3)

    def call(address: int, step: int, row: int, like: np.ndarray) -> int:
        raise NotImplementedError("only compiled code calls a callback by its symbol.")

    @overload(call, jit_options={"_nrt": False})
    def choose(address, step, row, like):  # type: ignore[no-untyped-def]  # numba compares signatures, types too
        callback = general if isinstance(like.dtype, types.Complex) else trees
        return lambda address, step, row, like: callback(address, step, row)

    return call


@intrinsic
def pointer(typing_context: Any, address: Any) -> Any:
    """Integer address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), generate


@allocating_kernel()
def describe(table, k, array):  # type: ignore[no-untyped-def]
    """Enter an array's address and shape in row k of a table."""
    table[k, 0] = array.ctypes.data
    for d in range(array.ndim):
        table[k, d + 1] = array.shape[d]


@allocating_kernel()
def describe_all(table, first, arrays):  # type: ignore[no-untyped-def]
    """Enter arrays in the rows of a table from `first` on."""
    k = first
    for array in literal_unroll(arrays):
        describe(table, k, array)
        k += 1


@allocating_kernel()
def contiguous(array):  # type: ignore[no-untyped-def]
    """Return the array in C order, which is what the callbacks read; a copy only where it is in another."""
    return np.ascontiguousarray(array)


@allocating_kernel()
def open_table(address):  # type: ignore[no-untyped-def]
    """Return the table at an address; its first entry is its number of rows."""
    n_rows = carray(pointer(address), (1,), np.int64)[0]
    return carray(pointer(address), (n_rows, TABLE_WIDTH), np.int64)


@allocating_kernel()
def integers(table, k):  # type: ignore[no-untyped-def]
    """Vector of int64 in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1],), np.int64)


@allocating_kernel()
def integer_table(table, k):  # type: ignore[no-untyped-def]
    """Matrix of int64 in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1], table[k, 2]), np.int64)


@allocating_kernel()
def floats(table, k):  # type: ignore[no-untyped-def]
    """Vector of float64 in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1],), np.float64)


@allocating_kernel()
def float_table(table, k):  # type: ignore[no-untyped-def]
    """Matrix of float64 in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1], table[k, 2]), np.float64)


@allocating_kernel()
def float_block(table, k):  # type: ignore[no-untyped-def]
    """Array of float64 of three dimensions in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1], table[k, 2], table[k, 3]), np.float64)


@allocating_kernel()
def number_table(table, k, number):  # type: ignore[no-untyped-def]
    """Matrix of float64 or complex128 in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1], table[k, 2]), number)


@allocating_kernel()
def number_block(table, k, number):  # type: ignore[no-untyped-def]
    """Array of three dimensions, of float64 or complex128, in row k."""
    return carray(pointer(table[k, 0]), (table[k, 1], table[k, 2], table[k, 3]), number)


@kernel()
def zero(x):  # type: ignore[no-untyped-def]
    """Set a vector to 0. (Loops compile several times faster than slices.)"""
    for i in range(x.size):
        x[i] = 0.0


@kernel()
def assign(x, y):  # type: ignore[no-untyped-def]
    """Set a vector to another."""
    for i in range(x.size):
        x[i] = y[i]
