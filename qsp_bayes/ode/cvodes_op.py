"""PyTensor operations of CVODES: the inputs of the package's own nonlinear engine, solved by an independent one.

They run in Python. Graphs that numba compiles call them in object mode.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

from qsp_bayes.ode import cvodes_walk
from qsp_bayes.ode.batch import BatchAdjoint, BatchSolve, store
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.cvodes_walk import Batch, Trace
from qsp_bayes.ode.integration import LOCF, MAX_STEPS
from qsp_bayes.ode.nonlinear_problem import FLOAT_INPUTS, INPUTS, OBSERVED
from qsp_bayes.ode.records import Records
from qsp_bayes.ode.sundials import require_sundials


def batch_of(compiled: CompiledEquations, inputs: Sequence[Any]) -> Batch:
    """Sort the inputs of the operations."""
    named = {name: np.array(value, order="C") for name, value in zip(INPUTS, inputs, strict=True)}
    options = named["options"]
    arrays: dict[str, Any] = {name: named[name] for name in Records._fields if name in named}
    records = Records(**arrays, locf=bool(options[LOCF]), superposed=False)
    rest = {name: named[name] for name in ("values", "initial", "observed", "tolerances")}
    return Batch(compiled, records, max_steps=int(options[MAX_STEPS]), **rest)


class CvodesSolve(BatchSolve):
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
    derivatives, floats = len(FLOAT_INPUTS), len(FLOAT_INPUTS) + 1
    observed = OBSERVED

    def __init__(self, compiled: CompiledEquations) -> None:
        require_sundials()
        self.compiled = compiled
        self.name = compiled.name

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Walk the timeline."""
        outputs[0][0] = cvodes_walk.solve(batch_of(self.compiled, inputs))

    def adjoint(self) -> BatchAdjoint:
        """Return the operation that solves again, with sensitivities."""
        return CvodesAdjoint(self.compiled)


class CvodesAdjoint(BatchAdjoint):
    """Derivatives of sum(cotangent * states) with respect to inputs of `CvodesSolve`, those in `FLOAT_INPUTS`.

    The last walk forward is kept, as checks ask for the derivatives of many outputs at one point.
    """

    __props__ = ("name",)
    derivatives = len(FLOAT_INPUTS)

    def __init__(self, compiled: CompiledEquations) -> None:
        self.compiled = compiled
        self.last: tuple[list[bytes], Trace | None] = [], None
        self.name = compiled.name

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Any) -> None:
        """Walk the timeline forward and back."""
        batch = batch_of(self.compiled, inputs[:-1])
        point, (before, traced) = [np.asarray(x).tobytes() for x in inputs[:-1]], self.last
        if traced is None or point != before:
            traced = cvodes_walk.trace(batch)
            self.last = point, traced
        found = cvodes_walk.gather(batch, traced, np.asarray(inputs[-1]))
        store(outputs, [getattr(found, name) for name in FLOAT_INPUTS])

    def solve(self) -> BatchSolve:
        """Return the operation that this one repeats."""
        return CvodesSolve(self.compiled)


@numba_funcify.register(CvodesSolve)
@numba_funcify.register(CvodesAdjoint)
def funcify_cvodes(op: Op, node: Apply, **kwargs: Any) -> Any:
    """Give the numba linker a call into Python. It warns that this is slow, but a solve runs compiled."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Numba will use object mode")
        return generate_fallback_impl(op, node, **kwargs)
