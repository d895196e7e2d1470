"""The C library of CVODES as sundials4py brings it, called by ctypes, and the callbacks that it calls in turn.

Objects of the library are addresses here: an integer stands for a vector, a matrix, a solver, or a memory of CVODES.
The callbacks are compiled once for all systems. They find the functions of a system, and room to work in, through
the table of words that CVODES hands on to them (its "user data"). No Python runs between two times of interest.

References
----------
Hindmarsh AC et al. (2005). SUNDIALS: suite of nonlinear and differential/algebraic equation solvers. ACM Transactions
on Mathematical Software 31:363-396.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import cfunc, types
from numba.core.compiler_lock import global_compiler_lock

from qsp_bayes.errors import SolverError
from qsp_bayes.ode.field import call
from qsp_bayes.ode.jit import kernel_settings
from qsp_bayes.ode.table import carve

INTEGER, ADDRESS, REAL = ctypes.c_int, ctypes.c_int64, ctypes.c_double
FOREIGN: dict[str, tuple[Any, ...]] = {
    "SUNContext_Create": (INTEGER, INTEGER, ADDRESS),
    "SUNContext_ClearErrHandlers": (INTEGER, ADDRESS),
    "SUNContext_Free": (INTEGER, ADDRESS),
    "N_VMake_Serial": (ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    "N_VDestroy": (None, ADDRESS),
    "SUNDenseMatrix": (ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    "SUNMatDestroy": (None, ADDRESS),
    "SUNLinSol_Dense": (ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    "SUNLinSolFree": (INTEGER, ADDRESS),
    "CVodeCreate": (ADDRESS, INTEGER, ADDRESS),
    "CVodeInit": (INTEGER, ADDRESS, ADDRESS, REAL, ADDRESS),
    "CVodeReInit": (INTEGER, ADDRESS, REAL, ADDRESS),
    "CVodeSVtolerances": (INTEGER, ADDRESS, REAL, ADDRESS),
    "CVodeSetUserData": (INTEGER, ADDRESS, ADDRESS),
    "CVodeSetMaxNumSteps": (INTEGER, ADDRESS, ADDRESS),
    "CVodeSetStopTime": (INTEGER, ADDRESS, REAL),
    "CVodeSetLinearSolver": (INTEGER, ADDRESS, ADDRESS, ADDRESS),
    "CVodeSetJacFn": (INTEGER, ADDRESS, ADDRESS),
    "CVodeGetNumSteps": (INTEGER, ADDRESS, ADDRESS),
    "CVodeSensInit": (INTEGER, ADDRESS, INTEGER, INTEGER, ADDRESS, ADDRESS),
    "CVodeSensReInit": (INTEGER, ADDRESS, INTEGER, ADDRESS),
    "CVodeSetSensParams": (INTEGER, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    "CVodeSensEEtolerances": (INTEGER, ADDRESS),
    "CVodeSetSensErrCon": (INTEGER, ADDRESS, INTEGER),
    "CVodeGetSens": (INTEGER, ADDRESS, ADDRESS, ADDRESS),
    "CVode": (INTEGER, ADDRESS, REAL, ADDRESS, ADDRESS, INTEGER),
    "CVodeFree": (None, ADDRESS),
    # Only callbacks call these, by their address.
    "N_VGetArrayPointer": (ADDRESS, ADDRESS),
    "SUNDenseMatrix_Data": (ADDRESS, ADDRESS),
}
"""Functions of the library: the type of the result, and those of the arguments."""

BDF, SIMULTANEOUS, NORMAL = 2, 1, 1
"""Constants of CVODES: the multistep method, sensitivities corrected with the states, return at the time asked for."""

WORDS = (
    "slopes", "jacobian", "pull", "vector_data", "matrix_data",
    "n", "n_inputs", "n_parameters", "n_entries",
    "p", "u", "J", "T", "rows", "columns", "inputs", "v", "y_bar", "p_bar",
)  # fmt: skip
"""The table of words: addresses of functions, sizes, addresses of arrays."""
(
    SLOPES, JACOBIAN, PULL, VECTOR_DATA, MATRIX_DATA,
    N, N_INPUTS, N_PARAMETERS, N_ENTRIES,
    P, U, J, T, ROWS, COLUMNS, INPUTS, V, Y_BAR, P_BAR,
) = range(len(WORDS))  # fmt: skip
N_WORDS = len(WORDS)


def require_sundials() -> str:
    """Return the file of the library.

    Raises
    ------
    SolverError
        Where sundials4py is not installed.
    """
    found = importlib.util.find_spec("sundials4py")
    if found is None or found.origin is None:
        raise SolverError(
            "CVODES() needs sundials4py, which is not installed: pip install qsp_bayes[cvodes]. "
            "Without it choose Rodas5P(), which this package brings."
        )
    return found.origin


@functools.cache
def library() -> Mapping[str, Callable[..., Any]]:
    """Functions of the library, by name."""
    shared = ctypes.CDLL(require_sundials())
    functions = {}
    for name, (result, *arguments) in FOREIGN.items():
        functions[name] = getattr(shared, name)
        functions[name].restype, functions[name].argtypes = result, arguments
    return functions


def address_of(name: str) -> int:
    """Address of a function of the library."""
    return ctypes.cast(library()[name], ctypes.c_void_p).value or 0  # type: ignore[arg-type]


def right_hand_side(t, y, out, data):  # type: ignore[no-untyped-def]
    """Set out = f(t, y, p) + u. A slope that is not finite asks CVODES for a shorter step."""
    words, _ = carve(data, (N_WORDS,), np.int64)
    to = call(words[VECTOR_DATA], out)
    call(words[SLOPES], t, call(words[VECTOR_DATA], y), words[P], words[U], to)
    slopes, _ = carve(to, (words[N],), np.float64)
    total = 0.0
    for i in range(words[N]):
        total += slopes[i]
    return 0 if math.isfinite(total) else 1


def jacobian(t, y, slopes, matrix, data, scratch1, scratch2, scratch3):  # type: ignore[no-untyped-def]
    """Fill a matrix of zeros, by columns, with df/dy."""
    words, _ = carve(data, (N_WORDS,), np.int64)
    n = words[N]
    call(words[JACOBIAN], t, call(words[VECTOR_DATA], y), words[P], words[J], words[T])
    entries, _ = carve(words[J], (words[N_ENTRIES],), np.float64)
    rows, _ = carve(words[ROWS], (words[N_ENTRIES],), np.int64)
    columns, _ = carve(words[COLUMNS], (words[N_ENTRIES],), np.int64)
    filled, _ = carve(call(words[MATRIX_DATA], matrix), (n * n,), np.float64)
    for q in range(words[N_ENTRIES]):
        filled[columns[q] * n + rows[q]] = entries[q]
    return 0


def variational(count, t, y, slopes, S, dS, data, scratch1, scratch2):  # type: ignore[no-untyped-def]
    """Set dS/dt = J S + df/d(start, u, p); the columns of S follow this order, inputs only where they occur."""
    words, _ = carve(data, (N_WORDS,), np.int64)
    n, at = words[N], call(words[VECTOR_DATA], y)
    call(words[JACOBIAN], t, at, words[P], words[J], words[T])
    entries, _ = carve(words[J], (words[N_ENTRIES],), np.float64)
    rows, _ = carve(words[ROWS], (words[N_ENTRIES],), np.int64)
    columns, _ = carve(words[COLUMNS], (words[N_ENTRIES],), np.int64)
    vectors, _ = carve(S, (count,), np.int64)
    changes, _ = carve(dS, (count,), np.int64)
    for j in range(count):
        column, _ = carve(call(words[VECTOR_DATA], vectors[j]), (n,), np.float64)
        change, _ = carve(call(words[VECTOR_DATA], changes[j]), (n,), np.float64)
        for i in range(n):
            change[i] = 0.0
        for q in range(words[N_ENTRIES]):
            change[rows[q]] += entries[q] * column[columns[q]]
    inputs, _ = carve(words[INPUTS], (words[N_INPUTS],), np.int64)
    for k in range(words[N_INPUTS]):
        change, _ = carve(call(words[VECTOR_DATA], changes[n + k]), (n,), np.float64)
        change[inputs[k]] += 1.0
    v, _ = carve(words[V], (n,), np.float64)
    p_bar, _ = carve(words[P_BAR], (words[N_PARAMETERS],), np.float64)
    first = n + words[N_INPUTS]
    for i in range(n):
        for j in range(words[N_PARAMETERS]):
            p_bar[j] = 0.0
        v[i] = 1.0
        call(words[PULL], t, at, words[P], words[V], words[Y_BAR], words[P_BAR])
        v[i] = 0.0
        for j in range(words[N_PARAMETERS]):
            change, _ = carve(call(words[VECTOR_DATA], changes[first + j]), (n,), np.float64)
            change[i] += p_bar[j]
    return 0


@functools.cache
def callbacks() -> Mapping[str, Any]:
    """Compile what CVODES calls, or load it from numba's cache."""
    word, real, flag = types.int64, types.float64, types.int32
    signatures = {
        right_hand_side: flag(real, word, word, word),
        jacobian: flag(real, *[word] * 7),
        variational: flag(flag, real, *[word] * 7),
    }
    with global_compiler_lock, kernel_settings():
        return {
            function.__name__: cfunc(signature, cache=True, error_model="numpy")(function)
            for function, signature in signatures.items()
        }
