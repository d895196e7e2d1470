"""A matrix from its rows and back, for the solver's tables, which have one row per entry.

PyTensor's own `stack` joins the rows after giving each a dimension, and its gradient splits them again: many operations
that are slow to compile, and that keep the elementwise ones around them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.ode.jit import KERNEL_VERSION
from qsp_bayes.ode.table import new_array, word

VECTOR, MATRIX = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")


class Stack(Op):
    """Stack vectors of one length, and scalars that stand for constant vectors, as the rows of a matrix."""

    __props__ = ()

    def make_node(self, *rows: Any) -> Apply:
        """Take one or more rows; all scalars make a matrix of one column."""
        variables = [pt.cast(row, "float64") for row in rows]
        length = next((row.type.shape[0] for row in variables if row.ndim), 1)
        return Apply(self, variables, [pt.tensor(dtype="float64", shape=(len(rows), length))])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Stack with numpy."""
        length = next((row.size for row in inputs if row.ndim), 1)
        outputs[0][0] = np.stack([row if row.ndim else np.full(length, row) for row in inputs])

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the number of rows and their length."""
        return [(len(shapes), next((shape[0] for shape in shapes if shape), 1))]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Take the cotangent apart; that of a scalar is the sum of its row."""
        rows = Unstack(len(inputs))(cotangents[0], return_list=True)
        return [bar if row.ndim else bar.sum() for row, bar in zip(inputs, rows, strict=True)]


class Unstack(Op):
    """Return the rows of a matrix.

    Parameters
    ----------
    n : int
        How many there are.
    """

    __props__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n

    def make_node(self, matrix: Any) -> Apply:
        """Take the matrix."""
        variable = pt.as_tensor_variable(matrix, dtype="float64")
        return Apply(self, [variable], [pt.vector(shape=(variable.type.shape[1],)) for _ in range(self.n)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Copy the rows."""
        for storage, row in zip(outputs, inputs[0], strict=True):
            storage[0] = row.copy()

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the length of each row."""
        return [(shapes[0][1],)] * self.n

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Stack the cotangents; 0 where nothing depends on a row."""
        return [Stack()(*(0.0 if isinstance(bar.type, DisconnectedType) else bar for bar in cotangents))]


def copy_row(builder: Any, source: Any, stride: Any, target: Any, length: Any) -> None:
    """Copy numbers that lie `stride` bytes apart to consecutive ones."""
    with cgutils.for_range(builder, length) as loop:
        pointer = cgutils.pointer_add(builder, source, builder.mul(loop.index, stride))
        builder.store(builder.load(pointer), builder.gep(target, [loop.index]))


@intrinsic
def stack(typing_context: Any, rows: Any) -> Any:
    """Return the matrix of a tuple of rows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, builder.extract_value(arguments[0], k))
            for k, kind in enumerate(rows)
        ]
        lengths = [array.nitems for array, kind in zip(arrays, rows, strict=True) if kind.ndim]
        length = lengths[0] if lengths else word(1)
        for other in lengths[1:]:
            with builder.if_then(builder.icmp_signed("!=", length, other), likely=False):
                message = "the vectors of parameters at one level differ in length."
                context.call_conv.return_user_exc(builder, ValueError, (message,))
        matrix, data = new_array(context, builder, MATRIX, [word(len(rows)), length])
        for k, (array, kind) in enumerate(zip(arrays, rows, strict=True)):
            stride = builder.extract_value(array.strides, 0) if kind.ndim else word(0)
            target = builder.gep(data, [builder.mul(word(k), length)])
            copy_row(builder, array.data, stride, target, length)
        return matrix

    return MATRIX(rows), generate


def unstacking(n: int) -> Any:
    """Return a function for graphs: the tuple of the n rows of a matrix."""

    @intrinsic
    def unstack(typing_context: Any, matrix: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(matrix)(context, builder, arguments[0])
            length = builder.extract_value(array.shape, 1)
            across, along = (builder.extract_value(array.strides, d) for d in range(2))
            rows = []
            for k in range(n):
                row, target = new_array(context, builder, VECTOR, [length])
                source = cgutils.pointer_add(builder, array.data, builder.mul(word(k), across))
                copy_row(builder, source, along, target, length)
                rows.append(row)
            return context.make_tuple(builder, signature.return_type, rows)

        return types.UniTuple(VECTOR, n)(matrix), generate

    return unstack


@register_funcify_and_cache_key(Stack)
def funcify_stack(op: Stack, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""

    @numba_njit
    def stack_rows(*rows):  # type: ignore[no-untyped-def]
        return stack(rows)

    return stack_rows, f"Stack-{KERNEL_VERSION}"


@register_funcify_and_cache_key(Unstack)
def funcify_unstack(op: Unstack, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""
    unstack = unstacking(op.n)

    @numba_njit
    def only_row(matrix):  # type: ignore[no-untyped-def]
        return unstack(matrix)[0]

    @numba_njit
    def unstack_rows(matrix):  # type: ignore[no-untyped-def]
        return unstack(matrix)

    return only_row if op.n == 1 else unstack_rows, f"Unstack-{op.n}-{KERNEL_VERSION}"
