"""How graphs and callbacks pass arrays to each other: by a table of addresses and shapes.

The caller enters its arrays in the first rows, in C order, and calls; the callback allocates its results (and its own
working memory) and enters them in further rows, from which the caller takes them over. Both ends are written directly
in LLVM: numba would compile a function for each type of array, and compile it again in every graph that holds one.
Whatever else a callback needs are arrays carved out of a single allocation, whose entries are words of 8 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from qsp_bayes.ode.arrays import Block, make_block, word

COLUMNS = 5
FIRST_LENGTH, OWNER = 1, 4
"""Columns of a row: the address, up to three lengths, and what counts the references to the memory."""

WORD = 8
"""Bytes of a number, real or integer."""
ALIGNMENT = 32

byte_pointer = ir.IntType(8).as_pointer()


def entry(builder: Any, table: Any, row: Any, column: int) -> Any:
    """Return the pointer to an entry of a table."""
    return builder.gep(table, [builder.add(builder.mul(row, word(COLUMNS)), word(column))])


def make_array(context: Any, builder: Any, kind: Any, address: Any, shape: Sequence[Any], owner: Any) -> Any:
    """Build the array of an address and a shape, whose `owner` counts the references to the memory."""
    array = context.make_array(kind)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    strides = [word(size)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=word(size), meminfo=owner)
    return array._getvalue()


def new_array(context: Any, builder: Any, kind: Any, shape: Sequence[Any]) -> tuple[Any, Any]:
    """Allocate an array, uninitialised; return it and the pointer to its entries."""
    size: Any = word(WORD)
    for length in shape:
        size = builder.mul(size, length)
    owner = context.nrt.meminfo_alloc_aligned(builder, size, ALIGNMENT)
    address = builder.ptrtoint(context.nrt.meminfo_data(builder, owner), word)
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    return make_array(context, builder, kind, address, shape, owner), data


def row_reader(number: Any, ndim: int) -> Callable[..., Any]:
    """Return a function for kernels: the array in a row, given the table's address."""
    kind = Block(number, ndim)

    @intrinsic
    def read(typing_context: Any, address: Any, row: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            table = builder.inttoptr(arguments[0], word.as_pointer())
            values = [builder.load(entry(builder, table, arguments[1], k)) for k in range(1 + ndim)]
            return make_block(context, builder, kind, values[0], values[1:])

        return kind(types.intp, types.intp), generate

    return read


integers, integer_table = row_reader(types.int64, 1), row_reader(types.int64, 2)
floats, float_table = row_reader(types.float64, 1), row_reader(types.float64, 2)


@intrinsic
def carve(typing_context: Any, address: Any, shape: Any, number: Any) -> Any:
    """Return the array of a shape at an address, and the address behind it."""
    kind = Block(number.dtype, len(shape))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lengths = cgutils.unpack_tuple(builder, arguments[1])
        array = make_block(context, builder, kind, arguments[0], lengths)
        size: Any = word(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        for length in lengths:
            size = builder.mul(size, length)
        return context.make_tuple(builder, signature.return_type, [array, builder.add(arguments[0], size)])

    return types.Tuple((kind, types.intp))(
        types.intp, types.UniTuple(types.intp, len(shape)), number
    ), generate


def allocator(clear: bool) -> Callable[..., Any]:
    """Return a function for kernels: put a new array, of numbers of 8 bytes, in a row."""

    @intrinsic
    def call(typing_context: Any, address: Any, row: Any, shape: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            table = builder.inttoptr(arguments[0], word.as_pointer())
            size: Any = word(WORD)
            for k, length in enumerate(cgutils.unpack_tuple(builder, arguments[2])):
                builder.store(length, entry(builder, table, arguments[1], FIRST_LENGTH + k))
                size = builder.mul(size, length)
            owner = context.nrt.meminfo_alloc_aligned(builder, size, ALIGNMENT)
            data = context.nrt.meminfo_data(builder, owner)
            if clear:
                cgutils.memset(builder, data, size, 0)
            builder.store(builder.ptrtoint(data, word), entry(builder, table, arguments[1], 0))
            builder.store(builder.ptrtoint(owner, word), entry(builder, table, arguments[1], OWNER))
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.UniTuple(types.intp, len(shape))), generate

    return call


allocate, allocate_cleared = allocator(clear=False), allocator(clear=True)


@intrinsic
def start(typing_context: Any, address: Any, row: Any) -> Any:
    """Address of the array in a row."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = builder.inttoptr(arguments[0], word.as_pointer())
        return builder.load(entry(builder, table, arguments[1], 0))

    return types.intp(types.intp, types.intp), generate


@intrinsic
def release(typing_context: Any, address: Any, row: Any) -> Any:
    """Free the memory of a row that no caller takes over."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = builder.inttoptr(arguments[0], word.as_pointer())
        owner = builder.inttoptr(builder.load(entry(builder, table, arguments[1], OWNER)), byte_pointer)
        context.nrt.decref(builder, types.MemInfoPointer(types.voidptr), owner)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def move(typing_context: Any, address: Any, source: Any, target: Any) -> Any:
    """Move what is in one row to another, whose memory must have been released."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = builder.inttoptr(arguments[0], word.as_pointer())
        for k in range(COLUMNS):
            value = builder.load(entry(builder, table, arguments[1], k))
            builder.store(value, entry(builder, table, arguments[2], k))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


def in_order(context: Any, builder: Any, kind: Any, array: Any) -> tuple[Any, Any]:
    """Return the address of an array's entries in C order, and of a copy to free afterwards, if that took one."""
    if kind.layout == "C":
        return array.data, None
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    strides = cgutils.unpack_tuple(builder, array.strides, kind.ndim)
    copy = context.nrt.allocate(builder, builder.mul(array.nitems, word(WORD)))
    ordered = builder.bitcast(copy, array.data.type)
    with cgutils.loop_nest(builder, shape, word) as indices:
        at: Any = word(0)
        for length, index in zip(shape, indices, strict=True):
            at = builder.add(builder.mul(at, length), index)
        source = cgutils.get_item_pointer2(
            context, builder, array.data, shape, strides, kind.layout, indices, wraparound=False
        )
        builder.store(builder.load(source), builder.gep(ordered, [at]))
    return ordered, copy


def calling(
    symbol: str,
    n_rows: int,
    first_output: int,
    outputs: Sequence[int],
    functions: Mapping[int, str] = MappingProxyType({}),
) -> Callable[..., Any]:
    """Return a function for graphs that calls a callback with a tuple of arrays and returns a tuple of arrays.

    Parameters
    ----------
    symbol : str
        Of the callback, from `jit.export`.
    n_rows : int
        Of the table, the first of which are the inputs.
    first_output : int
        The row of the first array that the callback allocates and the function returns.
    outputs : sequence of int
        Their numbers of dimensions.
    functions : mapping of int to str
        Symbols of functions that the callback calls, or of memory that it reads, by the row that gets their address.
    """
    kinds = [types.Array(types.float64, ndim, "C") for ndim in outputs]

    @intrinsic
    def call(typing_context: Any, inputs: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            table = cgutils.alloca_once(builder, word, size=n_rows * COLUMNS)
            cgutils.memset(builder, table, word(n_rows * COLUMNS * WORD), 0)
            copies = []
            for row, kind in enumerate(inputs):
                value = builder.extract_value(arguments[0], row)
                array = context.make_array(kind)(context, builder, value)
                data, copy = in_order(context, builder, kind, array)
                copies += [] if copy is None else [copy]
                values = [
                    builder.ptrtoint(data, word),
                    *cgutils.unpack_tuple(builder, array.shape, kind.ndim),
                ]
                for k, number in enumerate(values):
                    builder.store(number, entry(builder, table, word(row), k))
            for row, name in functions.items():
                function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word, []), name)
                builder.store(builder.ptrtoint(function, word), entry(builder, table, word(row), 0))
            callback = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word, [word]), symbol)
            builder.call(callback, [builder.ptrtoint(table, word)])
            for copy in copies:
                context.nrt.free(builder, copy)
            results = []
            for row, kind in enumerate(kinds, start=first_output):
                address, *shape = [
                    builder.load(entry(builder, table, word(row), k)) for k in range(1 + kind.ndim)
                ]
                owner = builder.load(entry(builder, table, word(row), OWNER))
                owner = builder.inttoptr(owner, byte_pointer)
                results.append(make_array(context, builder, kind, address, shape, owner))
            return context.make_tuple(builder, signature.return_type, results)

        return types.Tuple(kinds)(inputs), generate

    return call
