"""Entries of a vector at given positions, which repeat: the states at the observations, a subject's parameters at its.

PyTensor's indexing does the same for any number of dimensions and any index, and its gradient takes seconds to compile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

OUTSIDE = "a position lies outside the vector it points into."


class Take(Op):
    """Take the entries of a vector at some positions."""

    __props__ = ()

    def make_node(self, vector: Any, index: Any) -> Apply:
        """Take the vector and the positions, from 0."""
        vector = pt.as_tensor_variable(vector, dtype="float64")
        index = pt.as_tensor_variable(index)
        return Apply(self, [vector, index], [pt.vector(shape=index.type.shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Take with numpy."""
        vector, index = inputs
        require_inside(index, vector.size)
        outputs[0][0] = vector[index]

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the number of positions."""
        return [shapes[1]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Tell that nothing depends smoothly on the positions."""
        return [[True], [False]]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Add up the cotangents at each position."""
        vector, index = inputs
        return [AddUp()(cotangents[0], index, vector), DisconnectedType()()]


class AddUp(Op):
    """Add entries up at their positions in a vector as long as another: the adjoint of `Take`."""

    __props__ = ()

    def make_node(self, entries: Any, index: Any, like: Any) -> Apply:
        """Take the entries, the position of each, and a vector of the length that is wanted."""
        entries = pt.as_tensor_variable(entries, dtype="float64")
        return Apply(self, [entries, pt.as_tensor_variable(index), like], [pt.vector(shape=like.type.shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Add up with numpy."""
        entries, index, like = inputs
        require_inside(index, like.size)
        outputs[0][0] = np.bincount(index, entries, minlength=like.size).astype(np.float64)

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the length."""
        return [shapes[2]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Tell that nothing depends smoothly on the positions."""
        return [[True], [False], [False]]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Take the cotangents at the positions."""
        return [Take()(cotangents[0], inputs[1]), DisconnectedType()(), DisconnectedType()()]


def require_inside(index: np.ndarray, length: int) -> None:
    """Raise where a position is outside."""
    if index.size and not (index.min() >= 0 and index.max() < length):
        raise IndexError(OUTSIDE)


@register_funcify_and_cache_key(Take)
def funcify_take(op: Take, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""

    @numba_njit
    def take(vector, index):  # type: ignore[no-untyped-def]
        taken = np.empty(index.size)
        for k in range(index.size):
            if index[k] < 0 or index[k] >= vector.size:
                raise IndexError(OUTSIDE)
            taken[k] = vector[index[k]]
        return taken

    return take, "Take-1"


@register_funcify_and_cache_key(AddUp)
def funcify_add_up(op: AddUp, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the function, and a key under which to cache it."""

    @numba_njit
    def add_up(entries, index, like):  # type: ignore[no-untyped-def]
        total = np.zeros(like.size)
        for k in range(index.size):
            if index[k] < 0 or index[k] >= total.size:
                raise IndexError(OUTSIDE)
            total[index[k]] += entries[k]
        return total

    return add_up, "AddUp-1"
