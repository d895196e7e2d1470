"""The two integrators: their coefficients against the order conditions, their steps against closed solutions.

The conditions are those of Butcher's trees. A tree is the tuple of its subtrees: ``()`` is a leaf, ``((), ())`` a root
with two of them. In a Rosenbrock method a node with one son carries beta = alpha + Gamma, any other alpha (Hairer and
Wanner 1996, section IV.7, with the diagonal gamma in beta).
"""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytensor.tensor as pt
import pytest
from numba import njit
from rooms import arrays, with_loops

from qsp_bayes.ode import rodas5p, tsit5
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.field import at, jacobian, slopes, stages_at
from qsp_bayes.ode.path import LENGTH, START

FRACTIONS = np.linspace(0, 1, 7)


def forests(size, largest):
    """Multisets of trees with so many nodes together, none with more than `largest`."""
    if size == 0:
        return [()]
    found = []
    for first in range(min(size, largest), 0, -1):
        for number in range(1, size // first + 1):
            same = combinations_with_replacement(trees(first), number)
            rest = forests(size - first * number, first - 1)
            found += [(*group, *others) for group in same for others in rest]
    return found


def trees(order):
    """All rooted trees with so many nodes."""
    return forests(order - 1, order - 1)


def size_of(tree):
    return 1 + sum(size_of(son) for son in tree)


def density(tree):
    return size_of(tree) * math.prod(density(son) for son in tree)


def weight(tree, alpha, beta):
    """Elementary weight of each stage."""
    matrix = beta if len(tree) == 1 else alpha
    product = np.ones(len(alpha))
    for son in tree:
        product = product * (matrix @ weight(son, alpha, beta))
    return product


def residual(order, b, alpha, beta, x=1.0):
    """How far the weights b are from the conditions of an order, at the share x of a step."""
    found = [
        abs(b @ weight(tree, alpha, beta) - x ** size_of(tree) / density(tree))
        for n in range(1, order + 1)
        for tree in trees(n)
    ]
    return max(found)


def square(rows, n):
    matrix = np.zeros((n, n))
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


def rosenbrock(A=rodas5p.A, C=rodas5p.C):
    """Gamma, alpha and beta from the transformed coefficients."""
    gamma = np.linalg.inv(np.eye(8) / rodas5p.GAMMA - square(C, 8))
    alpha = square(A, 8) @ gamma
    return gamma, alpha, alpha + gamma


def runge_kutta(A=tsit5.A):
    """The tableau with the slope at the end as its seventh stage."""
    return square([*A, tsit5.END], 7)


def changed(rows, i, j):
    """The rows with one coefficient wrong in its tenth digit."""
    return [
        tuple(c * (1 + 1e-9 * ((k, n) == (i, j))) for n, c in enumerate(row)) for k, row in enumerate(rows)
    ]


def test_there_are_as_many_trees_as_there_should_be():
    assert [len(trees(n)) for n in range(1, 8)] == [1, 1, 2, 4, 9, 20, 48]
    assert sorted(density(tree) for tree in trees(4)) == [4, 8, 12, 24]


def test_rodas5p_satisfies_the_conditions_of_order_5():
    gamma, alpha, beta = rosenbrock()
    b = np.array(rodas5p.END) @ gamma
    assert residual(5, b, alpha, beta) < 1e-12
    assert residual(6, b, alpha, beta) > 1e-6
    np.testing.assert_allclose(gamma.sum(axis=1), rodas5p.SLANT, atol=1e-12)
    np.testing.assert_allclose(alpha.sum(axis=1), rodas5p.NODES, atol=1e-12)
    embedded = square(rodas5p.A, 8)[7] @ gamma
    assert residual(4, embedded, alpha, beta) < 1e-12
    assert residual(5, embedded, alpha, beta) > 1e-6


def test_rodas5p_is_stiffly_accurate_and_stable():
    gamma, alpha, beta = rosenbrock()
    b = np.array(rodas5p.END) @ gamma
    np.testing.assert_allclose(beta[7], b, atol=1e-12)
    one = np.ones(8)
    assert 1 - b @ np.linalg.solve(beta, one) == pytest.approx(0, abs=1e-12)
    assert 1 - (alpha[7] @ np.linalg.solve(beta, one)) == pytest.approx(0, abs=1e-12)
    # A-stable: not larger than 1 on the imaginary axis, all poles at 1/gamma to the right of it.
    imaginary = 1j * np.concatenate([np.linspace(0, 30, 3001), np.geomspace(30, 1e6, 200)])
    factor = [1 + z * (b @ np.linalg.solve(np.eye(8) - z * beta, one)) for z in imaginary]
    assert np.abs(factor).max() < 1 + 1e-12


def test_rodas5p_dense_output_has_order_4():
    gamma, alpha, beta = rosenbrock()
    for x in FRACTIONS:
        between = (rodas5p.H * x ** np.arange(3)[:, None]).sum(axis=0)
        b = (x * np.array(rodas5p.END) + x * (1 - x) * between) @ gamma
        assert residual(4, b, alpha, beta, x) < 1e-12


def test_tsit5_satisfies_the_conditions_of_order_5():
    alpha = runge_kutta()
    b = alpha[6]
    assert residual(5, b, alpha, alpha) < 1e-13
    assert residual(6, b, alpha, alpha) > 1e-6
    np.testing.assert_allclose(alpha.sum(axis=1), tsit5.NODES, atol=1e-13)
    embedded = b - np.array(tsit5.ERROR)
    assert residual(4, embedded, alpha, alpha) < 1e-13
    assert residual(5, embedded, alpha, alpha) > 1e-6


def test_tsit5_dense_output_has_order_4_and_a_continuous_slope():
    alpha, first, last = runge_kutta(), *np.eye(7)[[0, 6]]
    polynomials = [np.poly1d(row) for row in tsit5.BETWEEN]
    for x in FRACTIONS:
        assert residual(4, np.array([p(x) for p in polynomials]), alpha, alpha, x) < 1e-13
    for x, value, slope in ((0, 0 * first, first), (1, alpha[6], last)):
        np.testing.assert_allclose([p(x) for p in polynomials], value, atol=1e-13)
        np.testing.assert_allclose([p.deriv()(x) for p in polynomials], slope, atol=1e-13)


@pytest.mark.parametrize("i", range(1, 8))
def test_a_wrong_coefficient_of_rodas5p_is_noticed(i):
    for which in ("A", "C"):
        for j in range(len(rodas5p.A[i])):
            gamma, alpha, beta = rosenbrock(**{which: changed(getattr(rodas5p, which), i, j)})
            broken = (
                residual(5, np.array(rodas5p.END) @ gamma, alpha, beta),
                np.abs(gamma.sum(axis=1) - rodas5p.SLANT).max(),
                np.abs(alpha.sum(axis=1) - rodas5p.NODES).max(),
            )
            assert max(broken) > 1e-11, f"{which}[{i}][{j}]"


@pytest.mark.parametrize("i", range(1, 6))
def test_a_wrong_coefficient_of_tsit5_is_noticed(i):
    for j in range(len(tsit5.A[i])):
        alpha = runge_kutta(changed(tsit5.A, i, j))
        broken = (residual(5, alpha[6], alpha, alpha), np.abs(alpha.sum(axis=1) - tsit5.NODES).max())
        assert max(broken) > 1e-12, f"A[{i}][{j}]"


@njit
def fixed_steps(field, room, path, t, h, n, stiff, x):
    """Go n steps of one length; return dense output of the last of them, one row for each x."""
    between = np.empty((x.size, room.new.size))
    for _ in range(n):
        path.times[0, START], path.times[0, LENGTH] = t, h
        if stiff:
            jacobian(field, t, at(path.states, 0), room.p, room.J, room.T)
            rodas5p.attempt(field, t, h, room, path, 0)
        else:
            slopes(field, t, at(path.states, 0), room.p, room.u, stages_at(path.stages, 0))
            tsit5.attempt(field, t, h, room, path, 0)
        for k in range(x.size):
            for i in range(room.new.size):
                between[k, i] = (
                    rodas5p.dense(x[k], i, room.new[i], path, 0)
                    if stiff
                    else tsit5.dense(x[k], i, h, path, 0)
                )
        path.states[0] = room.new
        t += h
    return between


def autonomous(t, y, z):
    return [-z * (y**2 + z**2), y * (y**2 + z**2)]


def by_autonomous(t):
    return np.stack([np.cos(t), np.sin(t)], axis=-1)


def timed(t, y, z):
    return [y * pt.cos(t), -2 * t * z**2]


def by_timed(t):
    return np.stack([np.exp(np.sin(t)), 1 / (1 + t**2)], axis=-1)


PROBLEMS = {"autonomous": (autonomous, by_autonomous), "explicit time": (timed, by_timed)}


KINDS = [(name, whole) for name in PROBLEMS for whole in (True, False)]
"""Steps written out line by line, as small systems have them, and the loops of larger ones."""


@pytest.fixture(
    scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}, {'whole' if kind[1] else 'loops'}"
)
def problem(request):
    name, whole = request.param
    function, solution = PROBLEMS[name]
    t, y, z = (pt.dscalar(name) for name in "tyz")
    slopes_ = dict(zip("yz", function(t, y, z), strict=True))
    field, room, path = arrays(compile_equations(Equations(t, {"y": y, "z": z}, {}, slopes_)))
    assert field.autonomous == (name == "autonomous")
    assert field.explicit_step != 0
    return field if whole else with_loops(field), room, path, solution


def orders(problem, stiff, n_steps=(16, 24, 32, 48, 64)):
    """Empirical orders of the state after one unit of time, and of dense output within one step."""
    field, room, path, solution = problem
    ends, insides = [], []
    for n in n_steps:
        h = 1 / n
        path.states[0] = solution(np.array(0.0))
        end = fixed_steps(field, room, path, 0.0, h, n, stiff, np.ones(1))[0]
        ends.append(np.abs(end - solution(np.array(1.0))).max())
        x = FRACTIONS[1:-1]
        path.states[0] = solution(np.array(0.3))
        inside = fixed_steps(field, room, path, 0.3, h, 1, stiff, x)
        insides.append(np.abs(inside - solution(0.3 + x * h)).max())
    steps = np.log(1 / np.array(n_steps))
    return np.polyfit(steps, np.log(ends), 1)[0], np.polyfit(steps, np.log(insides), 1)[0] - 1


@pytest.mark.parametrize("stiff", [True, False], ids=["Rodas5P", "Tsit5"])
def test_empirical_orders(problem, stiff):
    state, dense = orders(problem, stiff)
    assert state == pytest.approx(5, abs=0.3)
    assert dense == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("problem", [("explicit time", False)], indirect=True)
def test_without_the_derivative_by_time_the_order_is_lost(problem):
    field, *rest = problem
    state, _ = orders((field._replace(autonomous=1), *rest), True)
    assert state < 2.3
