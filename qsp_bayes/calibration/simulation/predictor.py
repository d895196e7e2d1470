"""Predictor: the outputs of a system for given individual parameters, compiled once and called from several threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode, get_mode
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit
from pytensor.link.numba.linker import NumbaLinker

from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


class UnlockedLinker(NumbaLinker):
    """Compile a graph as the numba linker does, for calls that leave Python's lock to other threads."""

    def jit_compile(self, fn_and_cache: tuple[Any, str | None]) -> Any:
        """Compile the function of a whole graph."""
        function, cache_key = fn_and_cache
        # Under a key of its own: what numba finds in its cache holds the lock or not, whatever is asked for.
        # The name of this module is part of it: numba imports the module that a cached function was made in, by name.
        unlocked = compile_numba_function_src(
            "def unlocked(*arguments): return function(*arguments)",
            "unlocked",
            global_env={"function": function, "__name__": __name__},
            cache_key=None if cache_key is None else f"{cache_key}_without_lock_{__name__}",
        )
        return numba_njit(unlocked, final_function=True, nogil=True, cache=cache_key is not None)


@dataclass(frozen=True)
class Predictor:
    """The compiled solution of a system, for one design after another.

    The compiled function itself is called, not the PyTensor function around it, whose storage belongs to one thread at
    a time.

    Attributes
    ----------
    function : callable
        Takes the parameters in order, then the records.
    held : mapping of str to str
        Names of the records, or dims, that the function takes, in order, and their types.
    """

    function: Any
    held: Mapping[str, str]

    @classmethod
    def compile(
        cls, calibration: Calibration, study: Study, parameters: Mapping[str, np.ndarray]
    ) -> Predictor:
        """Compile the solution, the first time that it is called.

        Parameters
        ----------
        calibration : Calibration
        study : Study
            A design whose outputs are to be predicted.
        parameters : mapping of str to array
            One axis, (draw,), marks a parameter in which individuals do not differ; two, (draw, subject), any other.
        """
        inputs = {
            name: pt.dscalar(name) if values.ndim == 1 else pt.dvector(name)
            for name, values in parameters.items()
        }
        with pm.Model(coords=study.coords):
            design = Design(study, study.as_pymc_data(), Variables({}, {}))
            covariates, levels = design.inputs(calibration.system)
            path = calibration.system.solve(
                design.events, inputs, covariates=covariates, levels=levels, solver=calibration.solver
            )
            graph = pytensor.function(
                list(inputs.values()),
                [path[output] for output in study.outputs],
                mode=Mode(linker=UnlockedLinker(), optimizer=get_mode("NUMBA").optimizer),
                on_unused_input="ignore",
            )
        shared = graph.maker.fgraph.inputs[len(inputs) :]
        return cls(graph.vm.jit_fn, {variable.name: variable.type.dtype for variable in shared})

    def records(self, study: Study) -> tuple[np.ndarray, ...]:
        """Give the records of a design, of these subjects or others, as `__call__` takes them."""
        values: dict[str, Any] = {dim: len(labels) for dim, labels in study.coords.items()}
        values |= study.data_arrays()
        return tuple(np.array(values[name], dtype) for name, dtype in self.held.items())

    def __call__(self, records: Sequence[Any], parameters: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Predict one draw: an array by observation for each output.

        Parameters
        ----------
        records : sequence
            From `records`.
        parameters : sequence of array
            In the order of the parameters that the predictor was compiled for, each a number or one by subject.
        """
        return self.function(*(np.asarray(values) for values in parameters), *records)
