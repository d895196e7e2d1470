"""Callbacks that few models need, compiled when one of them is first called.

Kernels call such a callback through a cell in memory, which has a symbol. The cell at first points into Python, to a
function that compiles the callback, has the cell point to it, and does the call itself. That may happen in any thread,
holding Python's lock or not: ctypes takes it.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qsp_bayes.ode.arrays import word
from qsp_bayes.ode.jit import KERNEL_VERSION, compile_callback

FAILED = -1
"""What the call returns where the callback could not be compiled; callbacks themselves return 0."""

STACK = 64 * 2**20
"""Bytes for the compiler, which recurses deeply; threads that sample may have little."""

SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

bound: dict[str, LateCallback] = {}
"""By the symbol of the cell: they must outlive the kernels that call through it."""


def cell_symbol(name: str) -> str:
    """Name under which compiled code finds the cell of a callback."""
    return f"qsp_bayes_{name}_cell_{KERNEL_VERSION}"


def in_roomy_thread(function: Callable[[], Any]) -> Any:
    """Call a function on a large stack."""
    with ThreadPoolExecutor(1) as pool:
        before = threading.stack_size(STACK)
        try:
            future = pool.submit(function)  # starts the thread
        finally:
            threading.stack_size(before)
        return future.result()


class LateCallback:
    """A callback, the cell that points to it, and what happens when it is called before it is compiled."""

    def __init__(self, function: Callable[[int, int, int], int]) -> None:
        self.function = function
        self.compiled: Callable[[int, int, int], int] | None = None
        self.failed = False
        self.lock = threading.Lock()
        self.into_python = SIGNATURE(self.first_call)
        self.cell = ctypes.c_void_p(ctypes.cast(self.into_python, ctypes.c_void_p).value)

    def first_call(self, address: int, step: int, row: int) -> int:
        """Compile the callback and call it; where it does not compile, say so once, and return `FAILED`.

        There is no caller to raise an exception to: kernels run inside a sampler's compiled code.
        """
        with self.lock:  # other threads wait for the one that compiles
            if self.compiled is None and not self.failed:
                try:
                    target = in_roomy_thread(lambda: compile_callback(self.function))
                    self.compiled = SIGNATURE(target)
                    self.cell.value = target
                except BaseException as error:
                    self.failed = isinstance(error, Exception)  # an interrupted one may be tried again
                    traceback.print_exc()
                    print(
                        f"qsp_bayes could not compile {self.function.__name__!r} (above: why). "
                        "Subjects whose doses need it have the solution NaN, so that their draws are rejected.",
                        file=sys.stderr,
                        flush=True,
                    )
        return FAILED if self.compiled is None else self.compiled(address, step, row)


def bind(function: Callable[[int, int, int], int]) -> None:
    """Let kernels call a callback, which is compiled when one does; before the kernels are compiled or loaded.

    Parameters
    ----------
    function : callable
        As for `jit.export`, of the address of a table and two integers.
    """
    symbol = cell_symbol(function.__name__)
    if symbol not in bound:
        bound[symbol] = LateCallback(function)
        llvmlite.binding.add_symbol(symbol, ctypes.addressof(bound[symbol].cell))


def call_late(builder: Any, name: str, arguments: Any) -> Any:
    """Emit the call of a callback through its cell."""
    symbol = cell_symbol(name)
    pointer = ir.FunctionType(word, [word] * 3).as_pointer()
    cell = builder.module.globals.get(symbol) or ir.GlobalVariable(builder.module, pointer, symbol)
    callback = builder.load_atomic(cell, "acquire", ctypes.sizeof(ctypes.c_void_p))
    return builder.call(callback, arguments)


def late(name: str) -> Callable[..., Any]:
    """Return a function for kernels that calls a callback with the address of a table and two integers.

    It returns a negative number where the callback could not be compiled.
    """

    @intrinsic
    def call(typing_context: Any, address: Any, step: Any, row: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return call_late(builder, name, arguments)

        return types.int64(types.int64, types.int64, types.int64), generate

    return call


def late_by_number(name: str) -> Callable[..., Any]:
    """Return the same for one of two callbacks, `<name>_general` or `<name>_trees`.

    A fourth argument is an array whose type of numbers, complex or real, chooses the callback.
    """

    @intrinsic
    def call(typing_context: Any, address: Any, step: Any, row: Any, like: Any) -> Any:
        chosen = f"{name}_general" if isinstance(like.dtype, types.Complex) else f"{name}_trees"

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return call_late(builder, chosen, arguments[:3])

        return types.int64(types.int64, types.int64, types.int64, like), generate

    return call
