"""What is asked of polynomial pieces, as PyTensor operations.

Each gives, beside its value for each subject, the derivatives of that value in closed form; the gradient multiplies
them by what comes from above. They have first derivatives only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from qsp_bayes.decision.continuous import piece_kernels as kernels


class PieceMeasure(Op):
    """Base of the measures; the first output, (subject,), is the value, the others are its derivatives.

    Attributes
    ----------
    dimensions : tuple of int
        Number of dimensions of each input; the first is that of subjects.
    by : tuple of int
        Positions of the inputs that the derivatives are by.
    """

    __props__: tuple[str, ...] = ()
    dimensions: ClassVar[tuple[int, ...]]
    by: ClassVar[tuple[int, ...]]

    def make_node(self, *inputs: Any) -> Apply:
        """Take float arrays of the dimensions stated."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs]
        shapes = [(None,), *((None,) * self.dimensions[k] for k in self.by)]
        return Apply(self, variables, [pt.tensor(dtype="float64", shape=shape) for shape in shapes])

    def kernel(self) -> Callable[..., tuple[Any, ...]]:
        """Return the compiled function over the inputs."""
        raise NotImplementedError

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the kernel."""
        for storage, value in zip(outputs, self.kernel()(*inputs), strict=True):
            storage[0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Tell that only the value is to be differentiated."""
        return [[k in self.by] + [False] * len(self.by) for k in range(len(node.inputs))]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Multiply the derivatives of each subject by its cotangent."""
        found = [disconnected_type() for _ in inputs]
        if not isinstance(cotangents[0].type, DisconnectedType):
            for k, derivative in zip(self.by, outputs[1:], strict=True):
                added = derivative.ndim - 1
                found[k] = cotangents[0].dimshuffle(0, *["x"] * added) * derivative
        return found


class TimeBelow(PieceMeasure):
    r"""Time below a level, of values (subject, piece, node), lengths (subject, piece) and level (subject,).

    With s* a place where p crosses the level, and b_j the polynomial that is 1 at node j and 0 at the others,

    .. math:: \frac{\partial T}{\partial x_j} = -\frac{L}{2} \sum_{s^*} \frac{b_j(s^*)}{|p'(s^*)|}, \qquad
              \frac{\partial T}{\partial level} = \frac{L}{2} \sum_{s^*} \frac{1}{|p'(s^*)|}.

    Parameters
    ----------
    strict : bool
        Whether a piece that stays at the level is not below it.
    """

    __props__ = ("strict",)
    dimensions = (3, 2, 1)
    by = (0, 1, 2)

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def kernel(self) -> Callable[..., tuple[Any, ...]]:
        """Return the compiled function over the inputs."""
        strict, measure = self.strict, kernels.time_below_kernel

        @numba_njit
        def time_below(values, lengths, level):  # type: ignore[no-untyped-def]
            return measure(values, lengths, level, strict)

        return time_below

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Run the kernel."""
        for storage, value in zip(outputs, kernels.time_below_kernel(*inputs, self.strict), strict=True):
            storage[0] = value


class Largest(PieceMeasure):
    """Largest of values (subject, piece, node) over lengths (subject, piece); pieces without length do not count."""

    dimensions = (3, 2)
    by = (0,)

    def kernel(self) -> Callable[..., tuple[Any, ...]]:
        """Return the compiled function over the inputs."""
        return kernels.largest_kernel


class ValueAt(PieceMeasure):
    """Value just before a time, of values (subject, piece, node), edges (subject, piece + 1) and time (subject,)."""

    dimensions = (3, 2, 1)
    by = (0, 1)

    def kernel(self) -> Callable[..., tuple[Any, ...]]:
        """Return the compiled function over the inputs."""
        return kernels.value_at_kernel


def funcify_measure(op: PieceMeasure, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    """Give the numba linker the kernel, and a key under which to cache it."""
    return op.kernel(), f"{type(op).__name__}-{op._props()}-{kernels.KERNELS_VERSION}"


for measure in (TimeBelow, Largest, ValueAt):
    register_funcify_and_cache_key(measure)(funcify_measure)
