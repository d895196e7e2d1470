"""One system in the hands of CVODES: BDF with a dense Newton iteration, and its own forward sensitivities.

Absolute tolerances that are left out are those of the integrators of this package: relative down to a thousandth of
the largest size that a state has had so far (see `integration`). CVODES steps exactly to every time that is asked for,
so that no interpolation adds to the error.
"""

from __future__ import annotations

import ctypes
from typing import Any, Self

import numpy as np

from qsp_bayes.ode import sundials
from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.integration import FLOOR
from qsp_bayes.ode.sundials import WORDS, address_of, callbacks, library

SLOPES = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_double, *[ctypes.c_int64] * 4)
"""Type of the generated function that gives dy/dt."""


class Failure(Exception):
    """CVODES gave up."""


class Flow:
    """The solution from a time and a state on, by steps of CVODES.

    Parameters
    ----------
    compiled : CompiledEquations
    tolerances : (1 + n,) float
        rtol, then atol by state, negative where it is left out.
    max_steps : int
        For each subject.
    inputs : array of int, optional
        Where given, derivatives are carried along: by the state at the last `start`, by the input rates of these
        states, and by the parameters, in this order.

    Attributes
    ----------
    t, y : float, (n,)
        Where the solution is. `y` is the memory in which CVODES works.
    S : (n, column)
        Derivatives of `y`.
    p, u : (parameter,), (n,)
        Parameters and input rates. After a change, `start` anew.
    """

    def __init__(
        self,
        compiled: CompiledEquations,
        tolerances: np.ndarray,
        max_steps: int,
        inputs: np.ndarray | None = None,
    ) -> None:
        n, n_parameters = compiled.n_states, compiled.n_parameters
        self.n, self.max_steps, self.tolerances = n, int(max_steps), tolerances
        self.t, self.steps, self.before, self.goes_on = 0.0, 0, 0, False
        self.y, self.u, self.p = np.zeros(n), np.zeros(n), np.zeros(n_parameters)
        self.scale, self.atol = np.zeros(n), np.ones(n)
        self.slopes_of = compiled.addresses["slopes"]
        self.has_sensitivities = inputs is not None
        self.inputs = np.array([] if inputs is None else inputs, np.int64)
        n_columns = n + len(self.inputs) + n_parameters if self.has_sensitivities else 0
        self.columns, self.sizes = np.zeros((n_columns, n)), np.ones(n_columns)
        arrays = {
            "p": self.p,
            "u": self.u,
            "J": np.zeros(len(compiled.rows)),
            "T": np.zeros(n),
            "rows": np.array(compiled.rows, np.int64),
            "columns": np.array(compiled.columns, np.int64),
            "inputs": self.inputs,
            "v": np.zeros(n),
            "y_bar": np.zeros(n),
            "p_bar": np.zeros(n_parameters),
        }
        facts = {
            **{name: compiled.addresses[name] for name in ("slopes", "jacobian", "pull")},
            "vector_data": address_of("N_VGetArrayPointer"),
            "matrix_data": address_of("SUNDenseMatrix_Data"),
            "n": n,
            "n_inputs": len(self.inputs),
            "n_parameters": n_parameters,
            "n_entries": len(compiled.rows),
            **{name: array.ctypes.data for name, array in arrays.items()},
        }
        self.arrays, self.words = arrays, np.array([facts[name] for name in WORDS], np.int64)
        self.handle, self.reached = np.zeros(1, np.int64), np.zeros(1)
        self.create()

    def create(self) -> None:
        """Make the objects of the library."""
        lib, compiled = library(), callbacks()
        lib["SUNContext_Create"](0, self.handle.ctypes.data)
        self.context = int(self.handle[0])
        lib["SUNContext_ClearErrHandlers"](self.context)
        self.state, self.tolerance = self.vector(self.y), self.vector(self.atol)
        self.matrix = lib["SUNDenseMatrix"](self.n, self.n, self.context)
        self.linear = lib["SUNLinSol_Dense"](self.state, self.matrix, self.context)
        self.memory = lib["CVodeCreate"](sundials.BDF, self.context)
        self.vectors = np.array([self.vector(column) for column in self.columns], np.int64)
        self.call("CVodeInit", compiled["right_hand_side"].address, 0.0, self.state)
        self.call("CVodeSVtolerances", float(self.tolerances[0]), self.tolerance)
        self.call("CVodeSetUserData", self.words.ctypes.data)
        self.call("CVodeSetLinearSolver", self.linear, self.matrix)
        self.call("CVodeSetJacFn", compiled["jacobian"].address)
        if self.has_sensitivities:
            self.call(
                "CVodeSensInit",
                len(self.vectors),
                sundials.SIMULTANEOUS,
                compiled["variational"].address,
                self.vectors.ctypes.data,
            )
            self.call("CVodeSetSensParams", 0, self.sizes.ctypes.data, 0)
            self.call("CVodeSensEEtolerances")
            self.call("CVodeSetSensErrCon", 1)

    def vector(self, values: np.ndarray) -> int:
        """Return a vector of the library around an array."""
        return int(library()["N_VMake_Serial"](len(values), values.ctypes.data, self.context))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of CVODES."""
        if library()[name](self.memory, *arguments) < 0:
            raise Failure(name)

    @property
    def S(self) -> np.ndarray:
        """Derivatives of the state."""
        return self.columns.T

    def slopes(self) -> np.ndarray:
        """Return dy/dt at the present time and state."""
        out = np.empty(self.n)
        slopes = SLOPES(self.slopes_of)
        slopes(self.t, *(array.ctypes.data for array in (self.y, self.p, self.u, out)))
        return out

    def begin(self, t: float, y: np.ndarray) -> None:
        """Take up a subject at a time and a state."""
        self.t, self.y[:], self.u[:], self.scale[:] = t, y, 0.0, 0.0
        self.steps, self.before = 0, 0
        self.start()

    def start(self) -> None:
        """Let the solution start anew at the present time, after a change of `y`, `u` or `p`."""
        self.goes_on = False
        if self.has_sensitivities:
            self.columns[:] = 0.0
            self.columns[: self.n] = np.eye(self.n)

    def advance(self, end: float) -> None:
        """Go to a time.

        Raises
        ------
        Failure
            Where CVODES cannot.
        """
        if not np.isfinite(self.y).all():
            raise Failure("not finite")
        np.maximum(self.scale, np.abs(self.y), out=self.scale)
        if end <= self.t:
            return
        if not self.goes_on:
            self.set_tolerances(end)
            self.restart(end)
        self.call("CVodeSetStopTime", end)
        self.call("CVodeSetMaxNumSteps", max(1, self.max_steps - self.steps))
        self.call("CVode", end, self.state, self.reached.ctypes.data, sundials.NORMAL)
        self.call("CVodeGetNumSteps", self.handle.ctypes.data)
        self.steps, self.before = self.steps + int(self.handle[0]) - self.before, int(self.handle[0])
        if self.steps > self.max_steps:
            raise Failure("more steps than allowed")
        if self.has_sensitivities:
            self.call("CVodeGetSens", self.reached.ctypes.data, self.vectors.ctypes.data)
        self.t = end

    def restart(self, end: float) -> None:
        """Give the present state to CVODES, with the sizes to which it holds the errors of derivatives."""
        self.call("CVodeReInit", self.t, self.state)
        self.before, self.goes_on = 0, True
        if self.has_sensitivities:
            sizes = np.maximum(self.scale, FLOOR * self.scale.max())
            sizes[sizes == 0.0] = 1.0
            parameters = np.where(self.p == 0.0, 1.0, np.abs(self.p))
            self.sizes[:] = np.concatenate([sizes, sizes[self.inputs] / (end - self.t), parameters])
            self.call("CVodeSensReInit", sundials.SIMULTANEOUS, self.vectors.ctypes.data)
            self.call("CVodeSetSensParams", 0, self.sizes.ctypes.data, 0)

    def set_tolerances(self, end: float) -> None:
        """Set the absolute tolerances from the sizes of the states. (CVODES takes others only where it starts anew.)"""
        rtol, given = self.tolerances[0], self.tolerances[1:]
        overall = self.scale.max()
        if overall == 0.0:
            overall = np.abs(self.slopes()).max() * (end - self.t)
        own = FLOOR * rtol * np.maximum(self.scale, FLOOR * overall)
        self.atol[:] = np.where(given < 0.0, own, given) + 1e-300
        self.call("CVodeSVtolerances", float(rtol), self.tolerance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        lib = library()
        self.handle[0] = self.memory
        lib["CVodeFree"](self.handle.ctypes.data)
        lib["SUNLinSolFree"](self.linear)
        lib["SUNMatDestroy"](self.matrix)
        for vector in (self.state, self.tolerance, *self.vectors):
            lib["N_VDestroy"](int(vector))
        self.handle[0] = self.context
        lib["SUNContext_Free"](self.handle.ctypes.data)
