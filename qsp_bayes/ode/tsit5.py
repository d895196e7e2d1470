"""Tsit5, an explicit Runge-Kutta method of order 5, with its dense output of order 4 and its adjoint.

    K_i = f(t + c_i h, Y_i) + u,     Y_i = y + h sum_j A_ij K_j,     y(t + h) = y + h sum_i b_i K_i,

K_7 is the slope at the end. Between, with x from 0 to 1, y(t + x h) = y + h sum_i b_i(x) K_i. The adjoint is that of
these formulas with h given: exact for the discrete scheme.

References
----------
Tsitouras Ch (2011). Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption.
Computers & Mathematics with Applications 62:770-775.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode.arrays import address
from qsp_bayes.ode.field import at, explicit_step, explicit_step_back, pull, slopes, stages_at
from qsp_bayes.ode.jit import assign, inlined_kernel, zero
from qsp_bayes.ode.path import LENGTH, START
from qsp_bayes.ode.table import WORD
from qsp_bayes.ode.unrolled import combination, interpolation, spreading

NODES = np.array([0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0])
A = (
    (),
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
)
END = (
    0.09646076681806523,
    0.01,
    0.4798896504144996,
    1.379008574103742,
    -3.290069515436081,
    2.324710524099774,
)
"""b"""
ERROR = (
    0.0017800110522257773, 0.0008164344596567463, -0.007880878010261994, 0.1447110071732629, -0.5823571654525552,
    0.45808210592918686, -0.015151515151515152,
)  # fmt: skip
"""b less the coefficients of the embedded method of order 4."""
FACTORS = (
    # coefficient, and the two quadratic factors (1, -p, q) of b_i(x)
    (-1.0530884977290216, (1.0, -1.3299890189751412, 0.0), (1.0, -1.4364028541716351, 0.7139816917074209)),
    (0.1017, (1.0, 0.0, 0.0), (1.0, -2.1966568338249754, 1.2949852507374631)),
    (2.490627285651252793, (1.0, 0.0, 0.0), (1.0, -2.38535645472061657, 1.57803468208092486)),
    (-16.54810288924490272, (1.0, 0.0, 0.0), tuple(np.poly([1.21712927295533244, 0.61620406037800089]))),
    (47.37952196281928122, (1.0, 0.0, 0.0), tuple(np.poly([1.203071208372362603, 0.658047292653547382]))),
    (-34.87065786149660974, (1.0, 0.0, 0.0), tuple(np.poly([1.2, 0.666666666666666667]))),
    (2.5, (1.0, 0.0, 0.0), tuple(np.poly([1.0, 0.6]))),
)
BETWEEN = np.array([c * np.polymul(first, second) for c, first, second in FACTORS])
"""Coefficients of b_i(x), by falling powers from x^4 to 1."""
ORDER = 5

states_of, at_end, of_error = combination(*A), combination(END), combination(ERROR, added=False)
states_back, from_end = spreading(*A), spreading(END)
between, between_back = interpolation(*BETWEEN)
slope_between, _ = interpolation(*(np.polyder(polynomial) for polynomial in BETWEEN))


@inlined_kernel()
def attempt(field, t, h, room, path, r):  # type: ignore[no-untyped-def]
    """Try a step from row r, given its first stage. Sets `new` and `error`; the last stage is the slope at the end."""
    n, Y, new = room.Y.size, address(room.Y), address(room.new)
    y, stages = at(path.states, r), stages_at(path.stages, r)
    if field.explicit_step != 0:
        explicit_step(field, t, h, y, stages, room)
        return
    for k in range(1, 6):
        states_of(k, y, stages, h, Y, n)
        slopes(field, t + NODES[k] * h, Y, room.p, room.u, stages + k * n * WORD)
    at_end(0, y, stages, h, new, n)
    slopes(field, t + h, new, room.p, room.u, stages + 6 * n * WORD)
    of_error(0, y, stages, h, address(room.error), n)


@inlined_kernel()
def dense(x, i, h, path, r):  # type: ignore[no-untyped-def]
    """State i at t + x h."""
    return path.states[r, i] + h * between(x, stages_at(path.stages, r), path.states.shape[1], i)


@inlined_kernel()
def dense_slope(x, i, path, r):  # type: ignore[no-untyped-def]
    """Derivative of `dense` with respect to time."""
    return slope_between(x, stages_at(path.stages, r), path.states.shape[1], i)


@inlined_kernel()
def dense_adjoint(x, i, h, cotangent, room):  # type: ignore[no-untyped-def]
    """Add to the adjoints of the step's start and stages."""
    room.y_bar[i] += cotangent
    between_back(x, h * cotangent, address(room.stages_bar), room.y_bar.size, i)


@inlined_kernel()
def adjoint(field, room, path, r, observed):  # type: ignore[no-untyped-def]
    """Take `lam`, the adjoint of the state at the end of step r, to its start; adds to those of u and p.

    `y_bar` and `stages_bar` come with what dense output added, if the step was `observed` by it.
    """
    t, h = path.times[r, START], path.times[r, LENGTH]
    n, Y, Y_bar = room.Y.size, address(room.Y), address(room.Y_bar)
    y, stages, stages_bar = at(path.states, r), stages_at(path.stages, r), address(room.stages_bar)
    if observed:
        at_end(0, y, stages, h, Y, n)
        pull(field, t + h, Y, room.p, stages_bar + 6 * n * WORD, room.lam, room.p_bar)
        for i in range(n):
            room.u_bar[i] += room.stages_bar[6, i]
    if field.explicit_step_back != 0:
        explicit_step_back(field, t, h, y, stages, room)
        return
    from_end(0, address(room.lam), h, stages_bar, n)
    for i in range(n):
        room.y_bar[i] += room.lam[i]
    for k in range(5, 0, -1):
        states_of(k, y, stages, h, Y, n)
        zero(room.Y_bar)
        pull(field, t + NODES[k] * h, Y, room.p, stages_bar + k * n * WORD, room.Y_bar, room.p_bar)
        states_back(k, Y_bar, h, stages_bar, n)
        for i in range(n):
            room.y_bar[i] += room.Y_bar[i]
            room.u_bar[i] += room.stages_bar[k, i]
    pull(field, t, y, room.p, stages_bar, room.y_bar, room.p_bar)
    for i in range(n):
        room.u_bar[i] += room.stages_bar[0, i]
    assign(room.lam, room.y_bar)
