"""What the PyTensor operations of all engines have in common: they solve a batch of subjects, or go back over it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit

from qsp_bayes.ode.record_table import TIME


class BatchSolve(Op):
    """Base of the operations that solve a batch; the first output, (observed state, record), holds the states.

    Attributes
    ----------
    derivatives : int
        How many inputs, the first, have derivatives.
    floats : int
        How many inputs, the first, are float64; the others are int64.
    observed : int
        Position of the input that lists the observed states.
    memory : tuple of str
        Names of the other outputs: vectors that an adjoint reads.
    """

    derivatives: ClassVar[int]
    floats: ClassVar[int]
    observed: ClassVar[int]
    memory: ClassVar[tuple[str, ...]] = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs in the order of the engine's `INPUTS`."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[: self.floats]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[self.floats :]]
        shape = (variables[self.observed].type.shape[0], variables[TIME].type.shape[0])
        outputs = [
            pt.tensor("states", dtype="float64", shape=shape),
            *(pt.tensor(name, dtype="float64", shape=(None,)) for name in self.memory),
        ]
        return Apply(self, variables, outputs)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the states depend, differentiably, on the inputs, and only on some of the float ones."""
        return [[k < self.derivatives] + [False] * len(self.memory) for k in range(len(node.inputs))]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Go back over the batch."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        found = self.go_back(inputs, outputs, cotangents[0])
        return [*found, *(disconnected_type() for _ in inputs[self.derivatives :])]

    def go_back(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangent: Variable
    ) -> list[Variable]:
        """Return the derivatives of the sum of cotangent times states with respect to the first inputs."""
        return self.adjoint()(*inputs, cotangent, *outputs[1:])

    def adjoint(self) -> BatchAdjoint:
        """Return the operation that goes back."""
        raise NotImplementedError

    def with_memory(self, inputs: list[Any]) -> list[Any]:
        """Return the inputs, arrays, with which solving also gives the memory that its adjoint reads."""
        return inputs


class BatchAdjoint(Op):
    """Base of their adjoints: derivatives of sum(cotangent * states) with respect to the first inputs of the solve."""

    derivatives: ClassVar[int]

    def solve(self) -> BatchSolve:
        """Return the operation that this one goes back over."""
        raise NotImplementedError

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of the solve, the cotangent of its states, and its other outputs."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[: self.derivatives]])


def store(outputs: Any, values: Sequence[Any]) -> None:
    """Put the results of an operation where PyTensor looks for them."""
    for storage, value in zip(outputs, values, strict=True):
        storage[0] = value


@functools.cache
def from_python(make: Callable[[Any], Any], of: Any) -> Any:
    """Return a compiled function that Python can call; those of graphs, which `make` makes, have no wrapper for it."""
    inner = make(of)

    @numba_njit(final_function=True, nogil=True)
    def call(*inputs):  # type: ignore[no-untyped-def]
        return inner(*inputs)

    return call
