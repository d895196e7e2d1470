"""A matrix from its rows and back, for the solver's tables, which have one row per entry.

PyTensor's own `stack` joins the rows after giving each a dimension, and its gradient splits them again: many operations
that are slow to compile, and that keep the elementwise ones around them apart. A function of a hundred arrays is slow
to compile too, more so than ten functions of ten: many rows are stacked in groups, and the groups stacked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pytensor.tensor as pt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode.jit import KERNEL_VERSION
from qsp_bayes.ode.table import new_array, word

GROUP = 16
"""Rows, or groups of rows, that are stacked at once."""

VECTOR, MATRIX = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")


def stack(*rows: Any) -> Variable:
    """Stack rows as a matrix: vectors of one length, and numbers that stand for constant vectors."""
    blocks: list[Any] = []
    for fixed, run in groupby(rows, is_number):
        numbers = list(run)
        blocks += [np.array([[number_of(row)] for row in numbers])] if fixed else numbers
    while len(blocks) > GROUP:
        groups = [blocks[k : k + GROUP] for k in range(0, len(blocks), GROUP)]
        blocks = [group[0] if len(group) == 1 else Stack()(*group) for group in groups]
    return Stack()(*blocks)


def is_number(row: Any) -> bool:
    """Whether a row is the same whatever the parameters."""
    return np.ndim(row) == 0 and (not isinstance(row, Variable) or isinstance(row, Constant))


def number_of(row: Any) -> float:
    """Return the number that a row consists of."""
    return float(row.data if isinstance(row, Constant) else row)


def unstack(matrix: Variable, n: int) -> list[Variable]:
    """Return the n rows of a matrix."""
    if n <= GROUP:
        return Unstack((1,) * n)(matrix, return_list=True)
    size = GROUP
    while size * GROUP < n:
        size *= GROUP
    sizes = [min(size, n - first) for first in range(0, n, size)]
    blocks = Unstack(tuple(sizes))(matrix, return_list=True)
    return [
        row
        for block, size in zip(blocks, sizes, strict=True)
        for row in (unstack(block, size) if size > 1 else [block])
    ]


class Stack(Op):
    """Stack vectors, matrices of as many columns, and what stands for constant rows: scalars and single columns."""

    __props__ = ()

    def make_node(self, *blocks: Any) -> Apply:
        """Take one or more; how many rows a matrix has must be known."""
        variables = [pt.as_tensor_variable(block, dtype="float64") for block in blocks]
        lengths = [block.type.shape[-1] for block in variables if not is_constant(block)]
        shape = sum(sizes_of(variables)), lengths[0] if lengths else 1
        return Apply(self, variables, [pt.tensor(dtype="float64", shape=shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Stack with numpy."""
        blocks = [np.atleast_2d(block) for block in inputs]
        length = max(block.shape[1] for block in blocks)
        outputs[0][0] = np.concatenate([np.broadcast_to(block, (len(block), length)) for block in blocks])

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the number of rows and their length."""
        lengths = [
            shape[-1] for block, shape in zip(node.inputs, shapes, strict=True) if not is_constant(block)
        ]
        return [(sum(sizes_of(node.inputs)), lengths[0] if lengths else 1)]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Take the cotangent apart; that of a constant row is the sum of its row."""
        bars = Unstack(tuple(sizes_of(inputs)))(cotangents[0], return_list=True)
        return [gathered(block, bar) for block, bar in zip(inputs, bars, strict=True)]


def gathered(block: Variable, bar: Variable) -> Variable:
    """Cotangent of a block, from that of its rows."""
    if block.ndim == 0:
        return bar.sum()
    rows = bar[None] if bar.ndim < block.ndim else bar
    return rows.sum(axis=1, keepdims=True) if is_constant(block) else rows


def is_constant(block: Variable) -> bool:
    """Whether a block stands for constant rows."""
    return block.ndim == 0 or (block.ndim == 2 and block.type.shape[1] == 1)


def sizes_of(blocks: Sequence[Variable]) -> list[int]:
    """Rows of each block."""
    return [block.type.shape[0] if block.ndim == 2 else 1 for block in blocks]


class Unstack(Op):
    """Take a matrix apart.

    Parameters
    ----------
    sizes : tuple of int
        Rows of each part: one gives a vector, more a matrix.
    """

    __props__ = ("sizes",)

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes

    def make_node(self, matrix: Any) -> Apply:
        """Take the matrix."""
        variable = pt.as_tensor_variable(matrix, dtype="float64")
        length = variable.type.shape[1]
        shapes = [(length,) if size == 1 else (size, length) for size in self.sizes]
        return Apply(self, [variable], [pt.tensor(dtype="float64", shape=shape) for shape in shapes])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Copy the parts."""
        first = 0
        for storage, size in zip(outputs, self.sizes, strict=True):
            part = inputs[0][first : first + size]
            storage[0] = part[0].copy() if size == 1 else part.copy()
            first += size

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the shape of each part."""
        length = shapes[0][1]
        return [(length,) if size == 1 else (size, length) for size in self.sizes]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Stack the cotangents; 0 where nothing depends on a part."""
        return [
            Stack()(
                *(
                    np.zeros((size, 1)) if isinstance(bar.type, DisconnectedType) else bar
                    for bar, size in zip(cotangents, self.sizes, strict=True)
                )
            )
        ]


def copy_rows(builder: Any, source: Any, strides: Sequence[Any], target: Any, shape: Sequence[Any]) -> None:
    """Copy a matrix whose neighbours are so many bytes apart to one in C order.

    By a function of its own, which is optimised once and not in every place that copies.
    """
    arguments = [builder.ptrtoint(source, word), *strides, builder.ptrtoint(target, word), *shape]
    kind = ir.FunctionType(ir.VoidType(), [word] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, "qsp_bayes_copy_rows")
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("noinline")
        define_copy_rows(function)
    builder.call(function, arguments)


def define_copy_rows(function: Any) -> None:
    """Write the function that `copy_rows` calls."""
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    source, down, along, target, rows, columns = function.args
    number = ir.DoubleType().as_pointer()
    to = builder.inttoptr(target, number)
    with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, columns) as column:
        offset = builder.add(builder.mul(row.index, down), builder.mul(column.index, along))
        value = builder.load(builder.inttoptr(builder.add(source, offset), number))
        builder.store(value, builder.gep(to, [builder.add(builder.mul(row.index, columns), column.index)]))
    builder.ret_void()


@intrinsic
def stacked(typing_context: Any, blocks: Any) -> Any:
    """Return the matrix of a tuple of blocks."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, builder.extract_value(arguments[0], k))
            for k, kind in enumerate(blocks)
        ]
        shapes, strides = [], []
        for array, kind in zip(arrays, blocks, strict=True):
            lead = 2 - kind.ndim
            shapes.append([word(1)] * lead + cgutils.unpack_tuple(builder, array.shape, kind.ndim))
            strides.append([word(0)] * lead + cgutils.unpack_tuple(builder, array.strides, kind.ndim))
        n_rows, length = word(0), word(1)
        for rows, columns in shapes:
            n_rows = builder.add(n_rows, rows)
            length = builder.select(builder.icmp_signed("==", length, word(1)), columns, length)
        for (_, columns), kind in zip(shapes, blocks, strict=True):
            differs = builder.icmp_signed("!=", columns, length)
            if kind.ndim != 1:  # a column stands for constant rows
                differs = builder.and_(differs, builder.icmp_signed("!=", columns, word(1)))
            with builder.if_then(differs, likely=False):
                message = "the vectors of parameters at one level differ in length."
                context.call_conv.return_user_exc(builder, ValueError, (message,))
        matrix, data = new_array(context, builder, MATRIX, [n_rows, length])
        first: Any = word(0)
        for array, (rows, columns), (down, along) in zip(arrays, shapes, strides, strict=True):
            constant = builder.icmp_signed("==", columns, word(1))
            step = builder.select(constant, word(0), along)
            target = builder.gep(data, [builder.mul(first, length)])
            copy_rows(builder, array.data, [down, step], target, [rows, length])
            first = builder.add(first, rows)
        return matrix

    return MATRIX(blocks), generate


def unstacking(sizes: Sequence[int]) -> Any:
    """Return a function for graphs: the tuple of the parts of a matrix."""
    kinds = [VECTOR if size == 1 else MATRIX for size in sizes]

    @intrinsic
    def unstack(typing_context: Any, matrix: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(matrix)(context, builder, arguments[0])
            length = builder.extract_value(array.shape, 1)
            across, along = (builder.extract_value(array.strides, d) for d in range(2))
            parts = []
            first = 0
            for kind, size in zip(kinds, sizes, strict=True):
                shape = [length] if size == 1 else [word(size), length]
                part, data = new_array(context, builder, kind, shape)
                source = cgutils.pointer_add(builder, array.data, builder.mul(word(first), across))
                copy_rows(builder, source, [across, along], data, [word(size), length])
                parts.append(part)
                first += size
            return context.make_tuple(builder, signature.return_type, parts)

        return types.Tuple(kinds)(matrix), generate

    return unstack


@register_funcify_and_cache_key(Stack)
def funcify_stack(op: Stack, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""

    @numba_njit
    def stack_blocks(*blocks):  # type: ignore[no-untyped-def]
        return stacked(blocks)

    return stack_blocks, f"Stack-{KERNEL_VERSION}"


@register_funcify_and_cache_key(Unstack)
def funcify_unstack(op: Unstack, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""
    unstack = unstacking(op.sizes)

    @numba_njit
    def only_part(matrix):  # type: ignore[no-untyped-def]
        return unstack(matrix)[0]

    @numba_njit
    def unstack_parts(matrix):  # type: ignore[no-untyped-def]
        return unstack(matrix)

    return only_part if len(op.sizes) == 1 else unstack_parts, f"Unstack-{op.sizes}-{KERNEL_VERSION}"
