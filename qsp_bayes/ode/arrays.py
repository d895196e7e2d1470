"""The arrays of kernels: an address and lengths.

Numba's own arrays have up to ten words, which each call passes one by one, and an index that may be negative is
looked at before it is used: that takes time to compile and to run. These have what the kernels use: entries, rows,
`size`, `shape` and `dtype`. They keep no memory alive, are in C order, and check no index.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, typing
from numba.core.datamodel import models
from numba.core.typing import templates
from numba.extending import intrinsic, lower_builtin, lower_getattr, register_model, type_callable

word = ir.IntType(64)


class Block(types.Type):
    """Numba's type of such an array.

    Parameters
    ----------
    dtype : numba.types.Type
    ndim : int
    """

    def __init__(self, dtype: Any, ndim: int) -> None:
        self.dtype, self.ndim = dtype, ndim
        super().__init__(name=f"Block({dtype}, {ndim})")


@register_model(Block)
class BlockModel(models.StructModel):
    """Its representation."""

    def __init__(self, manager: Any, kind: Block) -> None:
        members = [("data", types.CPointer(kind.dtype)), ("shape", types.UniTuple(types.intp, kind.ndim))]
        super().__init__(manager, kind, members)


def make_block(context: Any, builder: Any, kind: Block, address: Any, shape: Any) -> Any:
    """Build the array of an address and lengths."""
    block = cgutils.create_struct_proxy(kind)(context, builder)
    block.data = builder.inttoptr(address, context.get_value_type(types.CPointer(kind.dtype)))
    block.shape = cgutils.pack_array(builder, shape, word)
    return block._getvalue()


def place(context: Any, builder: Any, signature: Any, block: Any, index: Any) -> tuple[Any, list[Any]]:
    """Return the pointer to the first entry of an index, and the lengths of what is there (none for an entry)."""
    kind, kind_of_index = signature.args[:2]
    array = cgutils.create_struct_proxy(kind)(context, builder, block)
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    indices = [index] if isinstance(kind_of_index, types.Integer) else cgutils.unpack_tuple(builder, index)
    at = indices[0]
    for length, further in zip(shape[1:], indices[1:], strict=False):
        at = builder.add(builder.mul(at, length), further)
    rest = shape[len(indices) :]
    for length in rest:
        at = builder.mul(at, length)
    return builder.gep(array.data, [at]), rest


def index_type(block: Any, index: Any) -> tuple[Any, Any]:
    """Return the type that an index is cast to, and that of what it finds; None for no index of a block."""
    if not isinstance(block, Block):
        return None, None
    if isinstance(index, types.Integer):
        count, cast = 1, types.intp
    elif isinstance(index, types.BaseTuple) and all(isinstance(k, types.Integer) for k in index):
        count, cast = len(index), types.UniTuple(types.intp, len(index))
    else:
        return None, None
    if count > block.ndim:
        return None, None
    return cast, block.dtype if count == block.ndim else Block(block.dtype, block.ndim - count)


@type_callable(operator.getitem)
def type_getitem(context: Any) -> Any:
    """Type of an entry or a row."""

    def typer(block: Any, index: Any) -> Any:
        cast, found = index_type(block, index)
        return None if cast is None else typing.signature(found, block, cast)

    return typer


@type_callable(operator.setitem)
def type_setitem(context: Any) -> Any:
    """Type of the assignment to an entry."""

    def typer(block: Any, index: Any, value: Any) -> Any:
        cast, found = index_type(block, index)
        return (
            None if cast is None or found != block.dtype else typing.signature(types.none, block, cast, found)
        )

    return typer


@lower_builtin(operator.getitem, Block, types.Any)
def getitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Load an entry, or make the array of a row."""
    pointer, rest = place(context, builder, signature, *arguments)
    if rest:
        address = builder.ptrtoint(pointer, word)
        return make_block(context, builder, signature.return_type, address, rest)
    return context.unpack_value(builder, signature.return_type, pointer)


@lower_builtin(operator.setitem, Block, types.Any, types.Any)
def setitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Store an entry."""
    pointer, _ = place(context, builder, signature, *arguments[:2])
    context.pack_value(builder, signature.args[2], arguments[2], pointer)
    return context.get_dummy_value()


@templates.infer_getattr
class BlockAttributes(templates.AttributeTemplate):
    """Types of the attributes."""

    key = Block

    def resolve_size(self, block: Block) -> Any:
        """Number of entries."""
        return types.intp

    def resolve_shape(self, block: Block) -> Any:
        """Lengths."""
        return types.UniTuple(types.intp, block.ndim)

    def resolve_dtype(self, block: Block) -> Any:
        """Type of the entries."""
        return types.DType(block.dtype)


@lower_getattr(Block, "shape")
def shape_of(context: Any, builder: Any, kind: Block, block: Any) -> Any:
    """Lengths."""
    return cgutils.create_struct_proxy(kind)(context, builder, block).shape


@lower_getattr(Block, "size")
def size_of(context: Any, builder: Any, kind: Block, block: Any) -> Any:
    """Product of the lengths."""
    size: Any = word(1)
    for length in cgutils.unpack_tuple(builder, shape_of(context, builder, kind, block), kind.ndim):
        size = builder.mul(size, length)
    return size


@lower_getattr(Block, "dtype")
def dtype_of(context: Any, builder: Any, kind: Block, block: Any) -> Any:
    """Type of the entries, which has no value."""
    return context.get_dummy_value()


@intrinsic
def address(typing_context: Any, block: Any) -> Any:
    """Address of the first entry of an array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(block)(context, builder, arguments[0]).data
        return builder.ptrtoint(data, word)

    return types.int64(block), generate
