"""How many threads a solve may use, and the threads themselves.

A solve that has enough work for several threads starts them itself, from compiled code, and waits for them before it
returns (see `crew`): they are POSIX threads, need no lock of Python's, and none is left between two solves, so that
any number of threads may solve at once and a process may fork at any time. Where there are no POSIX threads (Windows)
every solve keeps to the thread that calls it. Results are the same, bit by bit, whatever the number.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qsp_bayes.ode.arrays import word
from qsp_bayes.ode.field import call
from qsp_bayes.ode.jit import KERNEL_VERSION, kernel
from qsp_bayes.ode.table import WORD, carve

NUMBER, CREATE, JOIN, BEGIN_ATTRIBUTES, SET_PROCESSORS, END_ATTRIBUTES, USABLE_PROCESSORS, THIS_PROCESSOR = (
    range(8)
)
"""Entries of the cells: how many threads a solve may use, and the addresses of functions of the system, or 0."""
FUNCTIONS = (
    *(
        "pthread_create",
        "pthread_join",
        "pthread_attr_init",
        "pthread_attr_setaffinity_np",
        "pthread_attr_destroy",
    ),
    *("sched_getaffinity", "sched_getcpu"),
)

MASK = np.int64(16)
"""Words of a set of processors, one bit for each."""
ATTRIBUTES = np.int64(32)
"""Words for the attributes of a thread (a third of them, in fact) and a set of processors."""
SIGNED = np.int64(0xFFFFFFFF)
"""What there is of a result of type int in a word."""

CELLS = f"qsp_bayes_threads_{KERNEL_VERSION}"
"""Symbol by which compiled code finds them."""

cells = (ctypes.c_int64 * 8)(1, *(llvmlite.binding.address_of_symbol(name) or 0 for name in FUNCTIONS))
llvmlite.binding.add_symbol(CELLS, ctypes.addressof(cells))


def number_of_threads() -> int:
    """Return how many threads a solve may use; 1 unless `threads` says otherwise.

    Examples
    --------
    >>> number_of_threads()
    1
    """
    return int(cells[NUMBER])


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let every solve of this process use several threads, as far as it has work for them.

    Parameters
    ----------
    number : int
        Threads for each solve, that which calls it included. Where several solves run at once, as those of a sampler's
        chains do, each may use so many. Processes that are started meanwhile begin with 1.

    Raises
    ------
    ValueError
        For a number below 1.

    Examples
    --------
    >>> with threads(4):
    ...     number_of_threads()
    4
    """
    if number < 1:
        raise ValueError(f"{number} threads cannot solve anything; the number must be at least 1.")
    before = cells[NUMBER]
    cells[NUMBER] = number
    try:
        yield
    finally:
        cells[NUMBER] = before


def one_thread() -> None:
    """Return to one thread, as in a new process: one that was forked shares its cores with others like it."""
    cells[NUMBER] = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_thread)


def usable_cores() -> int:
    """Return how many cores this process may use: those it is bound to, and no more than its control group grants.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "process_cpu_count"):
        bound = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return max(1, min(bound, granted_cores(bound)))


def granted_cores(bound: int, root: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the processor time that the control group (version 2 or 1) grants, in whole cores, or `bound`."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (root / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
        except OSError:
            return bound
    if quota == "max" or int(quota) <= 0:
        return bound
    return int(quota) // int(period)


def load_cell(builder: Any, number: int) -> Any:
    """Emit the load of a cell."""
    table = ir.ArrayType(word, len(cells))
    address = builder.module.globals.get(CELLS) or ir.GlobalVariable(builder.module, table, CELLS)
    pointer = builder.gep(address, [ir.IntType(32)(0), ir.IntType(32)(number)])
    return builder.load_atomic(pointer, "monotonic", ctypes.sizeof(ctypes.c_int64))


def cell_reader(number: int) -> Callable[..., Any]:
    """Return a function for kernels that reads a cell."""

    @intrinsic
    def read(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return load_cell(builder, number)

        return types.int64(), generate

    return read


threads_allowed, threads_exist = cell_reader(NUMBER), cell_reader(CREATE)


begin_attributes, end_attributes = cell_reader(BEGIN_ATTRIBUTES), cell_reader(END_ATTRIBUTES)
usable_processors, this_processor = cell_reader(USABLE_PROCESSORS), cell_reader(THIS_PROCESSOR)
set_processors = cell_reader(SET_PROCESSORS)


@kernel()
def attributes_elsewhere(at):  # type: ignore[no-untyped-def]
    """Make, at an address, the attributes of threads that run on any processor but that of the caller.

    Linux may begin a thread where its maker runs and leave it waiting there, while other processors have nothing to
    do, for half a millisecond: longer than many a solve takes. Returns the address, or 0 where nothing can be said:
    there is no other processor, or the system does not know of such attributes.
    """
    if set_processors() == 0 or usable_processors() == 0 or this_processor() == 0:
        return np.int64(0)
    mask_at = at + (ATTRIBUTES - MASK) * WORD
    mask, _ = carve(mask_at, (MASK,), np.int64)
    if call(usable_processors(), np.int64(0), MASK * WORD, mask_at) & SIGNED != 0:
        return np.int64(0)
    here = call(this_processor()) & SIGNED
    if here >= 64 * MASK:
        return np.int64(0)
    mask[here // 64] &= ~(np.int64(1) << (here % 64))
    others = np.int64(0)
    for k in range(MASK):
        others |= mask[k]
    if others == 0 or call(begin_attributes(), at) & SIGNED != 0:
        return np.int64(0)
    call(set_processors(), at, MASK * WORD, mask_at)
    return at


@kernel()
def forget_attributes(at):  # type: ignore[no-untyped-def]
    """Free what `attributes_elsewhere` has made, if anything."""
    if at != 0:
        call(end_attributes(), at)


@intrinsic
def start_thread(typing_context: Any, handle: Any, attributes: Any, function: Any, argument: Any) -> Any:
    """Run a function, of an int64, in a thread of its own, whose handle goes to an address; 0 where that works."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [word] * 4)
        create = builder.inttoptr(load_cell(builder, CREATE), kind.as_pointer())
        return builder.sext(builder.call(create, list(arguments)), word)

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


@intrinsic
def join_thread(typing_context: Any, handle: Any) -> Any:
    """Wait until a thread has ended; its handle is the value that `start_thread` has stored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [word] * 2)
        join = builder.inttoptr(load_cell(builder, JOIN), kind.as_pointer())
        return builder.sext(builder.call(join, [arguments[0], word(0)]), word)

    return types.int64(types.int64), generate


@intrinsic
def take_next(typing_context: Any, address: Any) -> Any:
    """Return the number at an address and add 1 to it: no two threads get the same one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        return builder.atomic_rmw("add", pointer, word(1), "monotonic")

    return types.int64(types.int64), generate
