"""Rodas5P, a stiffly accurate Rosenbrock method of order 5, with its dense output of order 4 and its adjoint.

With W = I / (gamma h) - J, J = df/dy and T = df/dt at the start of the step,

    W U_i = f(t + c_i h, Y_i) + u + sum_j C_ij U_j / h + h d_i T,     Y_i = y + sum_j A_ij U_j,
    y(t + h) = Y_8 + U_8,

and U_8 is the estimate of the error. Between, with x from 0 to 1,

    y(t + x h) = (1 - x) y + x (y(t + h) + (1 - x) sum_j (H_0j + x H_1j + x^2 H_2j) U_j).

The adjoint is that of these formulas with h given: exact for the discrete scheme, derivatives of J and T included.

References
----------
Steinebach G (2023). Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the Julia
Differential Equations package. BIT Numerical Mathematics 63:27.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.field import (
    at,
    factor,
    implicit_step,
    implicit_step_back,
    pull,
    pull_jacobian,
    slopes,
    solve,
    solve_transposed,
    stages_at,
)
from qsp_bayes.ode.jit import assign, inlined_kernel, zero
from qsp_bayes.ode.path import LENGTH, N_STAGES, START
from qsp_bayes.ode.table import WORD
from qsp_bayes.ode.unrolled import combination, interpolation, spreading

GAMMA = 0.21193756319429014
NODES = np.array(
    [0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0]
)
"""c: `tests/ode/test_methods.py` checks them, and all else, against the order conditions."""
SLANT = np.array([
    0.21193756319429014,
    -0.42387512638858027,
    -0.3384627126235924,
    1.8046452872882734,
    2.325825639765069,
    0,
    0,
    0,
])  # fmt: skip
"""d"""
FIFTH = (
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
)
A = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    FIFTH,
    (*FIFTH, 1.0),
    (*FIFTH, 1.0, 1.0),
)
END = (*A[7], 1.0)
"""Coefficients of the state at the end."""
C = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
     -28.087943162872662),
    (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
     -54.66780262877968, -9.48861652309627),
)  # fmt: skip
H = np.array([
    [25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204, 0.524948541321073,
     1.1241088310450404, 0.4272876194431874, -0.17202221070155493],
    [-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796, 20.176138334709044,
     15.98066361424651, -6.789040303419874, -6.710236069923372],
    [11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643, -52.072871366152654,
     -59.78993625266729, -0.15582684282751913, 4.883087185713722],
])  # fmt: skip
ORDER = 5

states_of, at_end = combination(*A), combination(END)
rights_of = combination(*C)
"""To be added to the right-hand side of a stage."""
states_back, from_end, rights_back = spreading(*A), spreading(END), spreading(*C)
between, between_back = interpolation(*H[::-1].T)
slope_between, _ = interpolation(*(np.polyder(polynomial) for polynomial in H[::-1].T))


@inlined_kernel()
def attempt(field, t, h, room, path, r):  # type: ignore[no-untyped-def]
    """Try a step from row r, given J and T there; False where it cannot be made. Sets `new` and `error`."""
    if not factor(field, room.J, 1.0 / (GAMMA * h), room.W):
        return False
    n, Y = room.Y.size, address(room.Y)
    y, stages = at(path.states, r), stages_at(path.stages, r)
    if field.implicit_step != 0:
        implicit_step(field, t, h, y, stages, room)
        return True
    for k in range(N_STAGES):
        # A stage's right-hand side stands in its place until the solution of its linear system takes it.
        stage, state = stages + k * n * WORD, y
        if k > 0:
            states_of(k, y, stages, 1.0, Y, n)
            state = Y
        slopes(field, t + NODES[k] * h, state, room.p, room.u, stage)
        rights_of(k, stage, stages, 1.0 / h, stage, n)
        if field.autonomous == 0:
            for i in range(n):
                path.stages[r, k, i] += h * SLANT[k] * room.T[i]
        solve(field, room.W, stage)
    at_end(0, y, stages, 1.0, address(room.new), n)
    for i in range(n):
        room.error[i] = path.stages[r, N_STAGES - 1, i]
    return True


@inlined_kernel()
def dense(x, i, end, path, r):  # type: ignore[no-untyped-def]
    """State i at t + x h, given that at the end of the step."""
    bend = between(x, stages_at(path.stages, r), path.states.shape[1], i)
    return (1.0 - x) * path.states[r, i] + x * (end + (1.0 - x) * bend)


@inlined_kernel()
def dense_slope(x, i, h, end, path, r):  # type: ignore[no-untyped-def]
    """Derivative of `dense` with respect to time."""
    n, stages = path.states.shape[1], stages_at(path.stages, r)
    bend = (1.0 - 2.0 * x) * between(x, stages, n, i) + x * (1.0 - x) * slope_between(x, stages, n, i)
    return (end - path.states[r, i] + bend) / h


@inlined_kernel()
def dense_adjoint(x, i, cotangent, room):  # type: ignore[no-untyped-def]
    """Add to the adjoints of the step's start, end and stages."""
    room.y_bar[i] += (1.0 - x) * cotangent
    room.lam[i] += x * cotangent
    between_back(x, x * (1.0 - x) * cotangent, address(room.stages_bar), room.y_bar.size, i)


@inlined_kernel()
def adjoint(field, room, path, r):  # type: ignore[no-untyped-def]
    """Take `lam`, the adjoint of the state at the end of step r, to its start; adds to those of u and p.

    `y_bar` and `stages_bar` come with what dense output added, `J` with df/dy at the start.
    """
    t, h, y = path.times[r, START], path.times[r, LENGTH], at(path.states, r)
    factor(field, room.J, 1.0 / (GAMMA * h), room.W)
    if field.implicit_step_back != 0:
        implicit_step_back(field, t, h, y, stages_at(path.stages, r), room)
    else:
        stages_back(field, t, h, room, path, r)
    pull_jacobian(field, t, y, room.p, room.M, room.tau, room.y_bar, room.p_bar)
    assign(room.lam, room.y_bar)


@inlined_kernel()
def stages_back(field, t, h, room, path, r):  # type: ignore[no-untyped-def]
    """Take `lam` back through the stages to `y_bar`; sets `M` and `tau`, adds to the adjoints of u and p."""
    n, Y, Y_bar = room.Y.size, address(room.Y), address(room.Y_bar)
    y, stages, stages_bar = at(path.states, r), stages_at(path.stages, r), address(room.stages_bar)
    zero(room.M)
    zero(room.tau)
    from_end(0, address(room.lam), 1.0, stages_bar, n)
    for i in range(n):
        room.y_bar[i] += room.lam[i]
    for k in range(N_STAGES - 1, -1, -1):
        stage_bar = stages_bar + k * n * WORD
        solve_transposed(field, room.W, stage_bar)  # now it is the adjoint of the right-hand side
        for q in range(field.rows.size):
            room.M[q] += room.stages_bar[k, field.rows[q]] * path.stages[r, k, field.columns[q]]
        for i in range(n):
            room.u_bar[i] += room.stages_bar[k, i]
        if field.autonomous == 0:
            for i in range(n):
                room.tau[i] += h * SLANT[k] * room.stages_bar[k, i]
        if k > 0:
            rights_back(k, stage_bar, 1.0 / h, stages_bar, n)
            states_of(k, y, stages, 1.0, Y, n)
            zero(room.Y_bar)
            pull(field, t + NODES[k] * h, Y, room.p, stage_bar, room.Y_bar, room.p_bar)
            states_back(k, Y_bar, 1.0, stages_bar, n)
            for i in range(n):
                room.y_bar[i] += room.Y_bar[i]
    pull(field, t, y, room.p, stages_bar, room.y_bar, room.p_bar)
