"""How the kernels are compiled, and how compiled graphs call them.

A numba function that calls another takes its whole code in and optimises it again, and a PyTensor graph nests several
levels of functions: the kernels would be compiled five times over. They are therefore compiled once, as C callbacks
that numba caches on disk, and graphs call them by the name of a symbol, as numba itself calls LAPACK.
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
import pytensor
from numba import _dynfunc, cfunc, njit, types
from numba.core import codegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext

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
Arrays are passed by value, two words each or more: a call that takes a whole problem copies a kilobyte."""

KERNEL_VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]
"""Part of the names of symbols and of cache keys: any change to this layer's source makes new ones."""

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


class PartLibrary(codegen.JITCodeLibrary):
    """Code that becomes part of a callback: brought into shape, but optimised and made machine code only there."""

    def _optimize_final_module(self) -> None:
        manager, builder = self._codegen._module_pass_manager(opt=1, cost="cheap")
        manager.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


get_executable = CPUContext.get_executable


def get_part(context: Any, library: Any, description: Any, environment: Any) -> Any:
    """Do as numba's method of a context, but without machine code for a function that Python cannot call anyway.

    A library that is finished comes from numba's cache, with its machine code and no module to look into.
    """
    wrapper = description.llvm_cpython_wrapper_name
    if library._finalized or any(function.name == wrapper for function in library._final_module.functions):
        return get_executable(context, library, description, environment)
    library.__class__ = PartLibrary
    return _dynfunc.make_function(
        description.lookup_module(), description.qualname, "", 0, environment, (library,)
    )


@contextmanager
def kernel_settings() -> Iterator[None]:
    """Compile loops as they are written, and cache by the version of this layer's source.

    The kernels' loops run over two or three states: vectorising them (in checks of whether arrays overlap) and
    unrolling them by eight doubles their time. Numba alone would optimise each function thoroughly and make machine
    code of it, although it then becomes part of those that call it, which takes a quarter of the time; and it would
    look for changes only in the file of the callback, and load stale kernels after a change in another.
    """
    root = numba.config.CACHE_DIR or pytensor.config.base_compiledir
    before = numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR, codegen.create_pass_builder
    numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR = 0, str(Path(root) / "qsp_bayes" / KERNEL_VERSION)
    codegen.create_pass_builder, CPUContext.get_executable = pass_builder, get_part
    try:
        yield
    finally:
        numba.config.LOOP_VECTORIZE, numba.config.CACHE_DIR, codegen.create_pass_builder = before
        CPUContext.get_executable = get_executable


def symbol_of(function: Callable[..., int]) -> str:
    """Name under which compiled code finds a callback."""
    return f"qsp_bayes_{function.__name__}_{KERNEL_VERSION}"


def compile_callback(function: Callable[..., int]) -> int:
    """Compile a callback, or load it from numba's cache, and return its address.

    Parameters
    ----------
    function : callable
        A module-level function of the address of a table, and perhaps more integers, returning an integer.
    """
    symbol = symbol_of(function)
    with global_compiler_lock, kernel_settings():
        if symbol not in loaded:
            signature = types.int64(*[types.int64] * len(inspect.signature(function).parameters))
            loaded[symbol] = cfunc(signature, cache=True, error_model="numpy")(function)
        return loaded[symbol].address


def export(function: Callable[..., int]) -> str:
    """Compile a callback and return the symbol that graphs call it by (see `table.calling`)."""
    symbol = symbol_of(function)
    llvmlite.binding.add_symbol(symbol, compile_callback(function))
    return symbol


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
