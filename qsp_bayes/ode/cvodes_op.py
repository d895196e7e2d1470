"""PyTensor operations of CVODES: the inputs of the package's own nonlinear engine, solved by an independent one.

They run in Python. Graphs that numba compiles call them in object mode.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

from qsp_bayes.ode import cvodes_walk
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.cvodes_walk import Batch, Trace
from qsp_bayes.ode.integration import LOCF, MAX_STEPS
from qsp_bayes.ode.nonlinear_problem import FLOAT_INPUTS, INPUTS, OBSERVED, TIME
from qsp_bayes.ode.records import Records
from qsp_bayes.ode.sundials import require_sundials

N_FLOAT = len(FLOAT_INPUTS)


def batch_of(compiled: CompiledEquations, inputs: Sequence[Any]) -> Batch:
    """Sort the inputs of the operations."""
    named = {name: np.array(value, order="C") for name, value in zip(INPUTS, inputs, strict=True)}
    options = named["options"]
    arrays: dict[str, Any] = {name: named[name] for name in Records._fields if name in named}
    records = Records(**arrays, locf=bool(options[LOCF]), superposed=False)
    rest = {name: named[name] for name in ("values", "initial", "observed", "tolerances")}
    return Batch(compiled, records, max_steps=int(options[MAX_STEPS]), **rest)


class CvodesSolve(Op):
    """Solve a batch of subjects by CVODES; the output, (observed state, record), holds the states.

    Parameters
    ----------
    compiled : CompiledEquations

    Raises
    ------
    SolverError
        Where sundials4py is not installed.
    """

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        require_sundials()
        self.compiled = compiled
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs named in `nonlinear_problem.INPUTS`, in that order."""
        variables = [pt.as_tensor_variable(x, dtype="float64") for x in inputs[: N_FLOAT + 1]]
        variables += [pt.as_tensor_variable(x, dtype="int64") for x in inputs[N_FLOAT + 1 :]]
        shape = (variables[OBSERVED].type.shape[0], variables[TIME].type.shape[0])
        return Apply(self, variables, [pt.tensor("states", dtype="float64", shape=shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Walk the timeline."""
        outputs[0][0] = cvodes_walk.solve(batch_of(self.compiled, inputs))

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only some of the float inputs have derivatives."""
        return [[k < N_FLOAT] for k in range(len(INPUTS))]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """Solve again, with sensitivities."""
        if isinstance(cotangents[0].type, DisconnectedType):
            return [disconnected_type() for _ in inputs]
        derivatives = CvodesAdjoint(self.compiled)(*inputs, cotangents[0])
        return [*derivatives, *(disconnected_type() for _ in inputs[N_FLOAT:])]


class CvodesAdjoint(Op):
    """Derivatives of sum(cotangent * states) with respect to inputs of `CvodesSolve`, those in `FLOAT_INPUTS`.

    The last walk forward is kept, as checks ask for the derivatives of many outputs at one point.
    """

    __props__ = ("name",)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.last: tuple[list[bytes], Trace | None] = [], None
        self.name = compiled.name

    def make_node(self, *inputs: Any) -> Apply:
        """Take the inputs of `CvodesSolve` and the cotangent of its output."""
        variables = [pt.as_tensor_variable(x) for x in inputs]
        return Apply(self, variables, [x.type() for x in variables[:N_FLOAT]])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Walk the timeline forward and back."""
        batch = batch_of(self.compiled, inputs[:-1])
        point, (before, traced) = [np.asarray(x).tobytes() for x in inputs[:-1]], self.last
        if traced is None or point != before:
            traced = cvodes_walk.trace(batch)
            self.last = point, traced
        found = cvodes_walk.gather(batch, traced, np.asarray(inputs[-1]))
        for storage, name in zip(outputs, FLOAT_INPUTS, strict=True):
            storage[0] = getattr(found, name)


@numba_funcify.register(CvodesSolve)
@numba_funcify.register(CvodesAdjoint)
def funcify_cvodes(op: Op, node: Apply, **kwargs: Any) -> Any:
    """Give the numba linker a call into Python. It warns that this is slow, but a solve runs compiled."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Numba will use object mode")
        return generate_fallback_impl(op, node, **kwargs)
