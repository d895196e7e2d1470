"""The compiled kernels as functions of JAX, through callbacks, with the engines' own adjoints as derivatives.

Imported by `jax_rewrites` when a graph is handed to JAX, and by nothing else: JAX is optional.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from pytensor.graph.basic import Constant, Variable

from qsp_bayes.errors import SolverError
from qsp_bayes.ode.batch import BatchAdjoint, BatchSolve
from qsp_bayes.ode.record_table import TIME

MOST_REMEMBERED = 32
"""Solves whose memory waits for the way back, at most: one for each chain that JAX runs side by side."""


Key = tuple[tuple[tuple[int, ...], bytes], ...]


class Remembered:
    """Memory of solves by their inputs, until the adjoint takes it.

    How long it is depends on the data, and JAX wants to know all lengths before. It never gets to see it: where a solve
    is not remembered it is done again, with the same result.
    """

    def __init__(self) -> None:
        self.memory: OrderedDict[Key, list[np.ndarray]] = OrderedDict()
        self.lock = threading.Lock()

    def put(self, inputs: Sequence[np.ndarray], memory: list[np.ndarray]) -> None:
        """Remember a solve, and forget the oldest where there are many."""
        with self.lock:
            self.memory[key_of(inputs)] = memory
            if len(self.memory) > MOST_REMEMBERED:
                self.memory.popitem(last=False)

    def take(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """Return the memory of a solve and forget it; None where it is not remembered."""
        with self.lock:
            return self.memory.pop(key_of(inputs), None)


def key_of(inputs: Sequence[np.ndarray]) -> Key:
    """Return shapes and bytes of some arrays."""
    return tuple((x.shape, x.tobytes()) for x in inputs)


class Kernel:
    """A solve and its adjoint, as functions of those inputs of the graph that are not constant.

    Handing an array to a callback takes JAX some 20 microseconds, and most of the inputs are data.

    Parameters
    ----------
    op : BatchSolve
    inputs : sequence of Variable
        Of the operation in the graph.
    """

    def __init__(self, op: BatchSolve, inputs: Sequence[Variable]) -> None:
        self.op, self.adjoint = op, op.adjoint()
        self.constants = {
            k: np.array(x.data, order="C") for k, x in enumerate(inputs) if isinstance(x, Constant)
        }
        self.variables = [k for k in range(len(inputs)) if k not in self.constants]
        self.differentiable = [k for k in self.variables if k < op.derivatives]
        self.types = {k: inputs[k].type for k in self.variables}
        self.remembered = Remembered()

    def all_inputs(self, variables: Sequence[Any]) -> list[Any]:
        """Put the constants between the variables."""
        found = dict(zip(self.variables, variables, strict=True)) | self.constants
        return [found[k] for k in range(len(found))]

    def check(self, variables: Sequence[Any]) -> None:
        """Refuse single precision.

        Raises
        ------
        SolverError
        """
        for k, x in zip(self.variables, variables, strict=True):
            if x.dtype != self.types[k].dtype:
                raise SolverError(
                    f"{self.op} got an input of {x.dtype} from JAX where it needs {self.types[k].dtype}: steps and "
                    "gradients of its accuracy do not exist in single precision. Leave pytensor.config.floatX at "
                    'float64, and do not undo jax.config.update("jax_enable_x64", True).'
                )

    def result(self, variables: Sequence[Any]) -> jax.ShapeDtypeStruct:
        """Return shape and type of the states."""
        self.check(variables)
        inputs = self.all_inputs(variables)
        return jax.ShapeDtypeStruct((inputs[self.op.observed].shape[0], inputs[TIME].shape[0]), np.float64)

    def solve(self, *variables: Any) -> np.ndarray:
        """Solve."""
        return perform(self.op, self.all_inputs(arrays(variables)))[0]

    def solve_and_remember(self, *variables: Any) -> np.ndarray:
        """Solve, for a gradient that will follow."""
        found = arrays(variables)
        states, *memory = perform(self.op, self.op.with_memory(self.all_inputs(found)))
        self.remembered.put(found, memory)
        return states

    def go_back(self, *variables_and_cotangent: Any) -> tuple[np.ndarray, ...]:
        """Return the derivatives with respect to `differentiable`."""
        *found, cotangent = arrays(variables_and_cotangent)
        inputs = self.op.with_memory(self.all_inputs(found))
        memory = self.remembered.take(found)
        if memory is None:
            memory = perform(self.op, inputs)[1:]
        derivatives = perform(self.adjoint, [*inputs, cotangent, *memory])
        return tuple(derivatives[k] for k in self.differentiable)


def arrays(values: Sequence[Any]) -> list[np.ndarray]:
    """Turn JAX's arrays into NumPy's, in C order as they are."""
    return [np.array(x, order="C") for x in values]


def perform(op: BatchSolve | BatchAdjoint, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run an operation on arrays."""
    n_outputs = 1 + len(op.memory) if isinstance(op, BatchSolve) else op.derivatives
    storage: list[list[Any]] = [[None] for _ in range(n_outputs)]
    op.perform(None, inputs, storage)
    return [cell[0] for cell in storage]


def call(function: Callable[..., Any], result: Any, *arguments: Any) -> Any:
    """Call into Python from JAX; chains that JAX vectorises one after the other."""
    return jax.pure_callback(function, result, *arguments, vmap_method="sequential")


def solving(kernel: Kernel) -> Callable[..., tuple[Any]]:
    """Return the function of JAX that solves."""

    @jax.custom_vjp
    def states(*variables: Any) -> Any:
        return call(kernel.solve, kernel.result(variables), *variables)

    def forward(*variables: Any) -> Any:
        return call(kernel.solve_and_remember, kernel.result(variables), *variables), variables

    def backward(variables: Any, cotangent: Any) -> Any:
        found = dict(zip(kernel.differentiable, going_back(kernel)(*variables, cotangent), strict=True))
        return tuple(found.get(k) for k in kernel.variables)

    states.defvjp(forward, backward)
    return lambda *variables: (states(*variables),)


def going_back(kernel: Kernel) -> Callable[..., tuple[Any, ...]]:
    """Return the function of JAX that goes back: of the variables and the cotangent of the states."""

    def derivatives(*arguments: Any) -> tuple[Any, ...]:
        variables = arguments[:-1]
        kernel.check(variables)
        by_input = dict(zip(kernel.variables, variables, strict=True))
        shapes = tuple(jax.ShapeDtypeStruct(by_input[k].shape, np.float64) for k in kernel.differentiable)
        return call(kernel.go_back, shapes, *arguments)

    return derivatives


def stacking(*blocks: Any) -> tuple[Any]:
    """Stack vectors and matrices, and what stands for constant rows (see `rows.Stack`)."""
    matrices = [jnp.atleast_2d(block) for block in blocks]
    length = max(matrix.shape[1] for matrix in matrices)
    return (jnp.concatenate([jnp.broadcast_to(matrix, (len(matrix), length)) for matrix in matrices]),)


def unstacking(sizes: Sequence[int], matrix: Any) -> tuple[Any, ...]:
    """Take a matrix apart (see `rows.Unstack`)."""
    parts = jnp.split(matrix, np.cumsum(sizes)[:-1])
    return tuple(part[0] if size == 1 else part for part, size in zip(parts, sizes, strict=True))


def taking(vector: Any, index: Any) -> tuple[Any]:
    """Take entries (see `take.Take`)."""
    return (vector[index.astype(np.int32)],)


def adding_up(entries: Any, index: Any, like: Any) -> tuple[Any]:
    """Add entries up at their positions (see `take.AddUp`)."""
    return (jnp.zeros_like(like).at[index.astype(np.int32)].add(entries),)


def refusing(*variables: Any) -> Any:
    """Stand in for a solve of which more is asked than JAX can be given.

    Raises
    ------
    SolverError
    """
    raise SolverError(
        "JAX can be given the states of a system and their gradient, but not how each subject ended (`path.status`). "
        "Compile that without JAX: a function of PyTensor in its default mode gives it."
    )
