"""How many threads a solve may use, and the helpers that it hires.

A solve that has enough work for several threads hires helpers, from compiled code, and waits for them before it returns
(see `crew`). They are POSIX threads and need no lock of Python's. One that is done waits actively for a fraction of a
millisecond, for a sampler soon solves again and starting a thread takes as long as a small solve, and ends then. Where
there are no POSIX threads (Windows) every solve keeps to the thread that calls it. Results are the same, bit by bit,
whatever the number.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import time
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

NUMBER, HIRED = range(2)
"""Entries of the cells: how many threads a solve may use, and how often a helper was hired so far."""
FUNCTIONS = (
    *("pthread_create", "pthread_detach", "sched_yield"),
    *("pthread_attr_init", "pthread_attr_setaffinity_np", "pthread_attr_destroy"),
    *("sched_getaffinity", "sched_getcpu"),
)
"""Functions of the system, whose addresses follow, or 0."""
CREATE, DETACH, YIELD, BEGIN_ATTRIBUTES, SET_PROCESSORS, END_ATTRIBUTES, USABLE_PROCESSORS, THIS_PROCESSOR = (
    range(2, 10)
)

MASK = np.int64(16)
"""Words of a set of processors, one bit for each."""
ATTRIBUTES = np.int64(32)
"""Words for the attributes of a thread (a third of them, in fact) and a set of processors."""
SIGNED = np.int64(0xFFFFFFFF)
"""What there is of a result of type int in a word."""

CELLS = f"qsp_bayes_threads_{KERNEL_VERSION}"
"""Symbol by which compiled code finds them."""

cells = (ctypes.c_int64 * 10)(1, 0, *(llvmlite.binding.address_of_symbol(name) or 0 for name in FUNCTIONS))
llvmlite.binding.add_symbol(CELLS, ctypes.addressof(cells))

EMPTY, IDLE = np.int64(0), np.int64(1)
"""What a slot holds where there is no helper, and one that waits; else the address of the table that it works on."""
N_SLOTS, SLOT = np.int64(64), np.int64(16)
"""How many helpers there may be, and words for each: its slot, the handle of its thread, and a distance."""
PATIENCE = 1000
"""Times that a helper looks for work, letting other threads run in between, before it ends: some 0.3 ms."""

slots = (ctypes.c_int64 * int(N_SLOTS * SLOT))()
SLOTS = f"qsp_bayes_slots_{KERNEL_VERSION}"
llvmlite.binding.add_symbol(SLOTS, ctypes.addressof(slots))


@atexit.register
def wait_for_helpers() -> None:
    """Wait until no helper is left, which takes less than a millisecond after the last solve."""
    while any(slots[:: int(SLOT)]):
        time.sleep(1e-4)


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
    """Return to one thread, without helpers, as in a new process: one that was forked shares its cores with others."""
    cells[NUMBER] = 1
    ctypes.memset(slots, 0, ctypes.sizeof(slots))


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


def cell(builder: Any, number: int) -> Any:
    """Emit the address of a cell."""
    table = ir.ArrayType(word, len(cells))
    address = builder.module.globals.get(CELLS) or ir.GlobalVariable(builder.module, table, CELLS)
    return builder.gep(address, [ir.IntType(32)(0), ir.IntType(32)(number)])


def load_cell(builder: Any, number: int) -> Any:
    """Emit the load of a cell."""
    return builder.load_atomic(cell(builder, number), "monotonic", WORD)


def cell_reader(number: int) -> Callable[..., Any]:
    """Return a function for kernels that reads a cell."""

    @intrinsic
    def read(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return load_cell(builder, number)

        return types.int64(), generate

    return read


threads_allowed, threads_exist = cell_reader(NUMBER), cell_reader(CREATE)


detach_function, yield_function = cell_reader(DETACH), cell_reader(YIELD)
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
    """Run a function, of an int64, in a thread, whose handle goes to an address; 0 where that works."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [word] * 4)
        create = builder.inttoptr(load_cell(builder, CREATE), kind.as_pointer())
        return builder.sext(builder.call(create, list(arguments)), word)

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


@intrinsic
def first_slot(typing_context: Any) -> Any:
    """Address of the slots."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.module.globals.get(SLOTS) or ir.GlobalVariable(builder.module, word, SLOTS)
        return builder.ptrtoint(address, word)

    return types.int64(), generate


@intrinsic
def look(typing_context: Any, address: Any) -> Any:
    """Return the number at an address, and see all that was done before it was put there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        return builder.load_atomic(pointer, "acquire", WORD)

    return types.int64(types.int64), generate


@intrinsic
def show(typing_context: Any, address: Any, number: Any) -> Any:
    """Put a number at an address, after all that was done before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", WORD)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def exchange(typing_context: Any, address: Any, old: Any, new: Any) -> Any:
    """Put a number in the place of another, unless somebody else was quicker: whether it was done."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        found = builder.cmpxchg(pointer, arguments[1], arguments[2], "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), generate


@intrinsic
def count_hired(typing_context: Any) -> Any:
    """Count that a helper was hired."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.atomic_rmw("add", cell(builder, HIRED), word(1), "monotonic")
        return context.get_dummy_value()

    return types.void(), generate


@kernel()
def let_others_run():  # type: ignore[no-untyped-def]
    """Give the processor to another thread that waits for it, if there is one."""
    call(yield_function())


@kernel()
def hire(task, serve, room):  # type: ignore[no-untyped-def]
    """Have a helper work on a table: one that waits, or a new one, that runs `serve`. False where there can be none.

    At `room` there are `ATTRIBUTES` words for those of a new thread.
    """
    slot = first_slot()
    for k in range(N_SLOTS):
        if exchange(slot + k * SLOT * WORD, IDLE, task):
            count_hired()
            return True
    for k in range(N_SLOTS):
        own = slot + k * SLOT * WORD
        if exchange(own, EMPTY, task):
            attributes = attributes_elsewhere(room)
            failed = start_thread(own + WORD, attributes, serve, own)
            forget_attributes(attributes)
            if failed != 0:
                show(own, EMPTY)
                return False
            call(detach_function(), look(own + WORD))
            count_hired()
            return True
    return False


@kernel()
def wait_for_work(slot):  # type: ignore[no-untyped-def]
    """Say that a helper is free, and return what it is to work on next, or `EMPTY` where it has waited long enough."""
    show(slot, IDLE)
    for _ in range(PATIENCE):
        task = look(slot)
        if task != IDLE:
            return task
        let_others_run()
    return EMPTY if exchange(slot, IDLE, EMPTY) else look(slot)


@intrinsic
def take_next(typing_context: Any, address: Any) -> Any:
    """Return the number at an address and add 1 to it: no two threads get the same one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], word.as_pointer())
        return builder.atomic_rmw("add", pointer, word(1), "monotonic")

    return types.int64(types.int64), generate
