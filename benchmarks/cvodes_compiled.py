"""CVODES driven from compiled code: the C library of sundials4py, called from numba with callbacks that numba compiled.

No Python runs within a solve, which is what CVODES costs in a program of C. Objects of the library are addresses here:
an integer stands for an N_Vector, a SUNMatrix, a solver, or the memory of CVODES.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from benchmarks.problems import Problem
from benchmarks.straight_line import COMPILED, straight_line

SPECIFICATION = importlib.util.find_spec("sundials4py")
assert SPECIFICATION is not None
assert SPECIFICATION.origin is not None
LIBRARY = ctypes.CDLL(SPECIFICATION.origin)
INTEGER, ADDRESS, REAL = ctypes.c_int, ctypes.c_int64, ctypes.c_double


def foreign(name: str, result: Any, *arguments: Any) -> Any:
    """Function of the library, with its types."""
    function = getattr(LIBRARY, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


context_create = foreign("SUNContext_Create", INTEGER, INTEGER, ADDRESS)
context_silence = foreign("SUNContext_ClearErrHandlers", INTEGER, ADDRESS)
context_free = foreign("SUNContext_Free", INTEGER, ADDRESS)
vector_around = foreign("N_VMake_Serial", ADDRESS, ADDRESS, ADDRESS, ADDRESS)
vector_free = foreign("N_VDestroy", None, ADDRESS)
vectors_like = foreign("N_VCloneVectorArray", ADDRESS, INTEGER, ADDRESS)
vectors_free = foreign("N_VDestroyVectorArray", None, ADDRESS, INTEGER)
dense_matrix = foreign("SUNDenseMatrix", ADDRESS, ADDRESS, ADDRESS, ADDRESS)
matrix_free = foreign("SUNMatDestroy", None, ADDRESS)
dense_solver = foreign("SUNLinSol_Dense", ADDRESS, ADDRESS, ADDRESS, ADDRESS)
linear_free = foreign("SUNLinSolFree", INTEGER, ADDRESS)
fixed_point = foreign("SUNNonlinSol_FixedPoint", ADDRESS, ADDRESS, INTEGER, ADDRESS)
fixed_point_sensitivities = foreign(
    "SUNNonlinSol_FixedPointSens", ADDRESS, INTEGER, ADDRESS, INTEGER, ADDRESS
)
nonlinear_free = foreign("SUNNonlinSolFree", INTEGER, ADDRESS)
cvode_create = foreign("CVodeCreate", ADDRESS, INTEGER, ADDRESS)
cvode_init = foreign("CVodeInit", INTEGER, ADDRESS, ADDRESS, REAL, ADDRESS)
cvode_restart = foreign("CVodeReInit", INTEGER, ADDRESS, REAL, ADDRESS)
cvode_tolerances = foreign("CVodeSVtolerances", INTEGER, ADDRESS, REAL, ADDRESS)
cvode_user_data = foreign("CVodeSetUserData", INTEGER, ADDRESS, ADDRESS)
cvode_maximum_steps = foreign("CVodeSetMaxNumSteps", INTEGER, ADDRESS, ADDRESS)
cvode_stop = foreign("CVodeSetStopTime", INTEGER, ADDRESS, REAL)
cvode_linear = foreign("CVodeSetLinearSolver", INTEGER, ADDRESS, ADDRESS, ADDRESS)
cvode_jacobian = foreign("CVodeSetJacFn", INTEGER, ADDRESS, ADDRESS)
cvode_nonlinear = foreign("CVodeSetNonlinearSolver", INTEGER, ADDRESS, ADDRESS)
cvode_simultaneous = foreign("CVodeSetNonlinearSolverSensSim", INTEGER, ADDRESS, ADDRESS)
cvode_staggered = foreign("CVodeSetNonlinearSolverSensStg", INTEGER, ADDRESS, ADDRESS)
sensitivity_init = foreign("CVodeSensInit", INTEGER, ADDRESS, INTEGER, INTEGER, ADDRESS, ADDRESS)
sensitivity_restart = foreign("CVodeSensReInit", INTEGER, ADDRESS, INTEGER, ADDRESS)
sensitivity_parameters = foreign("CVodeSetSensParams", INTEGER, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
sensitivity_tolerances = foreign("CVodeSensEEtolerances", INTEGER, ADDRESS)
sensitivity_control = foreign("CVodeSetSensErrCon", INTEGER, ADDRESS, INTEGER)
sensitivity_values = foreign("CVodeGetSens", INTEGER, ADDRESS, ADDRESS, ADDRESS)
cvode_step = foreign("CVode", INTEGER, ADDRESS, REAL, ADDRESS, ADDRESS, INTEGER)
cvode_free = foreign("CVodeFree", None, ADDRESS)

ADAMS, BDF = 1, 2
SIMULTANEOUS, STAGGERED = 1, 2
NORMAL = 1
"""Return at the time that was asked for."""


def pointer_to(kind: Any) -> Any:
    """Compiled conversion of an address into a pointer to numbers of a kind."""

    @intrinsic
    def convert(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(types.CPointer(kind)))

        return types.CPointer(kind)(types.int64), generate

    return convert


real_pointer, address_pointer = pointer_to(types.float64), pointer_to(types.int64)


@numba.njit(**COMPILED)
def reals(address: int, n: int) -> Any:
    """Array of numbers at an address."""
    return numba.carray(real_pointer(address), (n,))


@numba.njit(**COMPILED)
def addresses(address: int, n: int) -> Any:
    """Array of addresses at an address."""
    return numba.carray(address_pointer(address), (n,))


@numba.njit(**COMPILED)
def entries(thing: int, n: int) -> Any:
    """Numbers of an N_Vector or a dense SUNMatrix.

    Both begin with the address of their content, whose third word is the address of the numbers: (length, owned,
    data) and (rows, columns, data).
    """
    content = addresses(thing, 1)[0]
    return reals(addresses(content, 3)[2], n)


def cvodes_compiled(
    problem: Problem,
    *,
    sensitivities: bool,
    method: Literal["BDF", "Adams"],
    correction: Literal["simultaneous", "staggered"] = "simultaneous",
    controlled: bool = True,
    maximum_steps: int = 100_000,
) -> Callable[[float, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Solver of all subjects by CVODES.

    Parameters
    ----------
    problem : Problem
        What to solve.
    sensitivities : bool
        Whether the derivatives by all parameters are wanted.
    method : {"BDF", "Adams"}
        With a dense Newton iteration and the exact Jacobian, or with a fixed-point iteration.
    correction : {"simultaneous", "staggered"}
        Whether the sensitivities are corrected with the states or after them.
    controlled : bool
        Whether the sensitivities' errors take part in the choice of steps.
    maximum_steps : int
        Between two times of interest.

    Returns
    -------
    callable
        Of the relative tolerance and the absolute tolerances (subject, state); gives states (subject, time, state)
        and sensitivities (subject, time, state, parameter). A subject that fails has NaN.
    """
    N, P = len(problem.states), len(problem.parameters)
    model = straight_line(problem)
    rates, slopes, start = model.rates, model.slopes, model.start
    by_state, by_parameter = model.by_state, model.by_parameter
    n_J, n_F = len(by_state), len(by_parameter)
    stiff, staggered = method == "BDF", correction == "staggered"
    multistep = BDF if stiff else ADAMS
    order_of_correction = STAGGERED if staggered else SIMULTANEOUS
    control = int(controlled)
    # What CVODES hands to the callbacks, in one array: parameters, inputs of infusions, room for derivatives.
    inputs, J_at, F_at = P, P + N, P + N + n_J
    size = F_at + n_F
    word, real, flag = types.int64, types.float64, types.int32

    @numba.cfunc(flag(real, word, word, word), **COMPILED)
    def right_hand_side(t, y, dy, data):  # type: ignore[no-untyped-def]
        shared, derivative = reals(data, size), entries(dy, N)
        rates(t, entries(y, N), shared, derivative)
        for i in range(N):
            derivative[i] += shared[inputs + i]
        return 0

    @numba.cfunc(flag(real, word, word, word, word, word, word, word), **COMPILED)
    def jacobian(t, y, dy, matrix, data, scratch1, scratch2, scratch3):  # type: ignore[no-untyped-def]
        shared, columns = reals(data, size), entries(matrix, N * N)
        J = shared[J_at:]
        slopes(t, entries(y, N), shared, J, shared[F_at:])
        for e in range(n_J):
            columns[by_state[e, 1] * N + by_state[e, 0]] = J[e]
        return 0

    @numba.cfunc(flag(flag, real, word, word, word, word, word, word, word), **COMPILED)
    def variational(count, t, y, dy, S, dS, data, scratch1, scratch2):  # type: ignore[no-untyped-def]
        shared, columns, changes = reals(data, size), addresses(S, P), addresses(dS, P)
        J, F = shared[J_at:], shared[F_at:]
        slopes(t, entries(y, N), shared, J, F)
        for j in range(P):
            column, change = entries(columns[j], N), entries(changes[j], N)
            change[:] = 0.0
            for e in range(n_J):
                change[by_state[e, 0]] += J[e] * column[by_state[e, 1]]
        for e in range(n_F):
            entries(changes[by_parameter[e, 1]], N)[by_parameter[e, 0]] += F[e]
        return 0

    callbacks = right_hand_side, jacobian, variational
    at_rates, at_jacobian, at_variational = (callback.address for callback in callbacks)

    @numba.njit(**COMPILED)
    def record(m, y, S, states, derivatives):  # type: ignore[no-untyped-def]
        states[m] = y
        if sensitivities:
            for j in range(P):
                column = entries(addresses(S, P)[j], N)
                for i in range(N):
                    derivatives[m, i, j] = column[i]

    @numba.njit(**COMPILED)
    def subject(p, events, times, rtol, atol, states, derivatives):  # type: ignore[no-untyped-def]
        handle, reached = np.zeros(1, np.int64), np.zeros(1)
        shared, y, s0, size_of_p = np.zeros(size), np.zeros(N), np.zeros(N * P), np.abs(p)
        shared[:P] = p
        start(0.0, y, p, y, s0)

        context_create(0, handle.ctypes.data)
        context = handle[0]
        context_silence(context)
        state = vector_around(N, y.ctypes.data, context)
        tolerance = vector_around(N, atol.ctypes.data, context)
        memory = cvode_create(multistep, context)
        cvode_init(memory, at_rates, 0.0, state)
        cvode_tolerances(memory, rtol, tolerance)
        cvode_user_data(memory, shared.ctypes.data)
        cvode_maximum_steps(memory, maximum_steps)
        matrix = linear = iteration = sensitivity_iteration = S = 0
        if stiff:
            matrix = dense_matrix(N, N, context)
            linear = dense_solver(state, matrix, context)
            cvode_linear(memory, linear, matrix)
            cvode_jacobian(memory, at_jacobian)
        else:
            iteration = fixed_point(state, 0, context)
            cvode_nonlinear(memory, iteration)
        if sensitivities:
            S = vectors_like(P, state)
            for j in range(P):
                column = entries(addresses(S, P)[j], N)
                for i in range(N):
                    column[i] = s0[i * P + j]
            sensitivity_init(memory, P, order_of_correction, at_variational, S)
            if not stiff and staggered:
                sensitivity_iteration = fixed_point_sensitivities(P, state, 0, context)
                cvode_staggered(memory, sensitivity_iteration)
            elif not stiff:
                sensitivity_iteration = fixed_point_sensitivities(P + 1, state, 0, context)
                cvode_simultaneous(memory, sensitivity_iteration)
            sensitivity_parameters(memory, 0, size_of_p.ctypes.data, 0)
            sensitivity_tolerances(memory)
            sensitivity_control(memory, control)

        now, m, e, result = 0.0, 0, 0, 0
        while m < len(times):
            happened = False
            while e < len(events) and events[e, 0] <= now:
                i = int(events[e, 1])
                y[i] += events[e, 2]
                shared[inputs + i] += events[e, 3]
                e, happened = e + 1, True
            if happened:
                cvode_restart(memory, now, state)
                if sensitivities:
                    sensitivity_restart(memory, order_of_correction, S)
            end = times[-1]
            if e < len(events):
                end = min(end, events[e, 0])
            cvode_stop(memory, end)
            while now < end:
                target = min(end, times[m])
                result = cvode_step(memory, target, state, reached.ctypes.data, NORMAL)
                if result < 0:
                    break
                now = target
                if sensitivities:
                    sensitivity_values(memory, reached.ctypes.data, S)
                if now == times[m]:
                    record(m, y, S, states, derivatives)
                    m += 1
            if result < 0:
                break

        handle[0] = memory
        cvode_free(handle.ctypes.data)
        if sensitivities:
            vectors_free(S, P)
        if stiff:
            linear_free(linear)
            matrix_free(matrix)
        else:
            nonlinear_free(iteration)
        if sensitivity_iteration != 0:
            nonlinear_free(sensitivity_iteration)
        vector_free(state)
        vector_free(tolerance)
        handle[0] = context
        context_free(handle.ctypes.data)
        if result < 0:
            states[:] = np.nan
            derivatives[:] = np.nan

    @numba.njit(**COMPILED)
    def all_subjects(values, events, times, rtol, atol, states, derivatives):  # type: ignore[no-untyped-def]
        for b in range(len(values)):
            subject(values[b], events[b], times, rtol, atol[b], states[b], derivatives[b])

    values, events, times = problem.values, problem.events(), problem.times
    shape = problem.subjects, len(times), N

    def solve(rtol: float, atol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        states, derivatives = np.empty(shape), np.empty((*shape, P if sensitivities else 0))
        all_subjects(values, events, times, rtol, np.ascontiguousarray(atol), states, derivatives)
        return states, derivatives

    # The addresses of the callbacks are compiled in: the callbacks live as long as the solver.
    solve.callbacks = callbacks  # type: ignore[attr-defined]
    return solve
