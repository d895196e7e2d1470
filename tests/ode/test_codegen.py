"""Generated code against mpmath at 40 digits and numpy.linalg, which share nothing with it."""

import ctypes
import operator
from types import SimpleNamespace

import llvmlite.binding
import mpmath as mp
import numba
import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qsp_bayes.errors import SolverError
from qsp_bayes.ode import compiled, elimination, sparse
from qsp_bayes.ode.codegen import SIGNATURES, identifiers, source
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.equations import Equations

STEP = mp.mpf(10) ** -12
"""Of central differences at 40 digits, nested at most twice: truncation and rounding stay below 1e-15."""


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(40):
        yield


def equations(states, parameters, function):
    """Equations of a function of the time and two lists, which gives a list."""
    t, y, p = pt.dscalar("t"), *([pt.dscalar(name) for name in names] for names in (states, parameters))
    slopes = [pt.as_tensor(slope) for slope in function(pt, t, y, p)]
    group = [dict(zip(states, y, strict=True)), dict(zip(parameters, p, strict=True))]
    return Equations(t, *group, dict(zip(states, slopes, strict=True)))


def call(found, name, *arguments):
    """Call a callback by its address, with numbers and arrays."""
    kinds = [
        ctypes.c_double if argument in ("t", "shift") else ctypes.c_void_p
        for argument in SIGNATURES[name].split(", ")
    ]
    values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    return ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(found.addresses[name])(*values)


def results(found, t, y, p, u=None):
    """Slopes, dense df/dy, and df/dt."""
    out, J, T = np.empty(found.n_states), np.full(found.rows.size, np.nan), np.full(found.n_states, np.nan)
    assert call(found, "slopes", t, y, p, np.zeros(y.size) if u is None else u, out) == 0
    assert call(found, "jacobian", t, y, p, J, T) == 0
    dense = np.zeros((found.n_states,) * 2)
    dense[found.rows, found.columns] = J
    return out, dense, T


def pulled(found, name, t, y, p, *weights):
    y_bar, p_bar = np.ones(y.size), np.ones(p.size)
    assert call(found, name, t, y, p, *weights, y_bar, p_bar) == 0
    return np.concatenate([y_bar, p_bar]) - 1.0


def difference(function, point, k):
    """Derivative of a scalar function with respect to entry k of a list."""
    sides = [[x + sign * STEP * (j == k) for j, x in enumerate(point)] for sign in (1, -1)]
    return (function(sides[0]) - function(sides[1])) / (2 * STEP)


def check(found, function, t, y, p, seed=0, rtol=1e-10):
    """Compare every generated function of a system but the solver's with differences at 40 digits."""
    rng = np.random.default_rng(seed)
    n = found.n_states
    v, tau, u, M = (rng.normal(size=size) for size in (n, n, n, found.rows.size))
    numbers = [mp.mpf(float(x)) for x in [*y, *p, t]]

    def f(point):
        return function(mp, point[-1], point[:n], point[n:-1])

    def close(actual, expected):
        expected = np.array([float(x) for x in expected])
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * max(1.0, abs(expected).max()))

    slopes, J, T = results(found, t, y, p, u)
    close(slopes - u, f(numbers))
    for i in range(n):
        slope = operator.itemgetter(i)
        gradient = [difference(lambda z, slope=slope: slope(f(z)), numbers, k) for k in range(len(numbers))]
        close([*J[i], T[i]], [*gradient[:n], gradient[-1]])

    wanted = range(n + p.size)

    def weighted(z):
        return sum(mp.mpf(a) * b for a, b in zip(v, f(z), strict=True))

    close(pulled(found, "pull", t, y, p, v), [difference(weighted, numbers, k) for k in wanted])

    def weighted_jacobian(z):
        total = mp.mpf(0)
        for j in {*found.columns.tolist(), len(numbers) - 1}:
            weights = {int(i): m for i, k, m in zip(found.rows, found.columns, M, strict=True) if k == j}
            weights = weights if j < n else dict(enumerate(tau))
            total += difference(
                lambda x, weights=weights: sum(mp.mpf(m) * f(x)[i] for i, m in weights.items()), z, j
            )
        return total

    close(
        pulled(found, "pull_jacobian", t, y, p, M, tau),
        [difference(weighted_jacobian, numbers, k) for k in wanted],
    )


def tmdd(m, t, y, p):
    drug, tissue, receptor, complex_ = y
    kel, kpt, ktp, kon, koff, kdeg, kint, R0 = p
    binding = kon * drug * receptor - koff * complex_
    return [
        -(kel + kpt) * drug + ktp * tissue - binding + m.exp(-kel * t),
        kpt * drug - ktp * tissue,
        kdeg * (R0 - receptor) - binding,
        binding - kint * complex_ * m.sin(t),
    ]


def turnover(m, t, y, p):
    effect, precursor, _ = y
    kin, kout, Emax, EC50, hill, _ = p
    drive = precursor**hill / (EC50**hill + precursor**hill)
    return [kin * (1 + Emax * drive) - kout * effect, -kout * precursor**3 / (1 + precursor), effect]


@pytest.mark.parametrize(("function", "n_parameters"), [(tmdd, 8), (turnover, 6)])
def test_every_function_of_a_system_against_differences(function, n_parameters):
    n = 4 if function is tmdd else 3
    rng = np.random.default_rng(3)
    states, parameters = [f"state{i}" for i in range(n)], [f"q{i}" for i in range(n_parameters)]
    found = compile_equations(equations(states, parameters, function))
    for seed in range(3):
        check(found, function, 1.3, *(rng.lognormal(sigma=0.4, size=k) for k in (n, n_parameters)), seed)


OPERATIONS = {
    "power": (lambda x, a: x**a, lambda x, a: x**a, "positive"),
    "whole power": (lambda x, a: a * x**3 + x**-2 + x**7, lambda x, a: a * x**3 + x**-2 + x**7, "positive"),
    "square": (lambda x, a: pt.sqr(x) * a, lambda x, a: x * x * a, "any"),
    "reciprocal": (lambda x, a: pt.reciprocal(x * a), lambda x, a: 1 / (x * a), "any"),
    "exp": (lambda x, a: pt.exp(-a * x), lambda x, a: mp.exp(-a * x), "any"),
    "exp2": (lambda x, a: pt.exp2(a * x), lambda x, a: mp.mpf(2) ** (a * x), "any"),
    "expm1": (lambda x, a: pt.expm1(a * x), lambda x, a: mp.expm1(a * x), "any"),
    "log": (lambda x, a: pt.log(a * x), lambda x, a: mp.log(a * x), "positive"),
    "log1p": (lambda x, a: pt.log1p(a * x), lambda x, a: mp.log1p(a * x), "positive"),
    "log2": (lambda x, a: pt.log2(a * x), lambda x, a: mp.log(a * x, 2), "positive"),
    "log10": (lambda x, a: pt.log10(a * x), lambda x, a: mp.log10(a * x), "positive"),
    "log1mexp": (lambda x, a: pt.log1mexp(-a * x), lambda x, a: mp.log(1 - mp.exp(-a * x)), "positive"),
    "sqrt": (lambda x, a: pt.sqrt(a * x), lambda x, a: mp.sqrt(a * x), "positive"),
    "sin": (lambda x, a: pt.sin(a * x), lambda x, a: mp.sin(a * x), "any"),
    "cos": (lambda x, a: pt.cos(a * x), lambda x, a: mp.cos(a * x), "any"),
    "tan": (lambda x, a: pt.tan(x) * a, lambda x, a: mp.tan(x) * a, "any"),
    "arcsin": (lambda x, a: pt.arcsin(x / 4) * a, lambda x, a: mp.asin(x / 4) * a, "any"),
    "arccos": (lambda x, a: pt.arccos(x / 4) * a, lambda x, a: mp.acos(x / 4) * a, "any"),
    "arctan": (lambda x, a: pt.arctan(a * x), lambda x, a: mp.atan(a * x), "any"),
    "arctan2": (lambda x, a: pt.arctan2(x, a), lambda x, a: mp.atan2(x, a), "any"),
    "sinh": (lambda x, a: pt.sinh(a * x), lambda x, a: mp.sinh(a * x), "any"),
    "cosh": (lambda x, a: pt.cosh(a * x), lambda x, a: mp.cosh(a * x), "any"),
    "tanh": (lambda x, a: pt.tanh(a * x), lambda x, a: mp.tanh(a * x), "any"),
    "arcsinh": (lambda x, a: pt.arcsinh(a * x), lambda x, a: mp.asinh(a * x), "any"),
    "arccosh": (lambda x, a: pt.arccosh(2 + a * x), lambda x, a: mp.acosh(2 + a * x), "positive"),
    "arctanh": (lambda x, a: pt.arctanh(x / 4) * a, lambda x, a: mp.atanh(x / 4) * a, "any"),
    "sigmoid": (lambda x, a: pt.sigmoid(a * x), lambda x, a: 1 / (1 + mp.exp(-a * x)), "any"),
    "softplus": (lambda x, a: pt.softplus(a * x), lambda x, a: mp.log(1 + mp.exp(a * x)), "any"),
    "erf": (lambda x, a: pt.erf(a * x), lambda x, a: mp.erf(a * x), "any"),
    "erfc": (lambda x, a: pt.erfc(a * x), lambda x, a: mp.erfc(a * x), "any"),
    "gammaln": (lambda x, a: pt.gammaln(a * x), lambda x, a: mp.loggamma(a * x), "positive"),
    "gamma": (lambda x, a: pt.gamma(a * x), lambda x, a: mp.gamma(a * x), "positive"),
    "abs": (lambda x, a: abs(x) * x * a, lambda x, a: abs(x) * x * a, "any"),
    "sign": (lambda x, a: pt.sign(x) * x**3 * a, lambda x, a: mp.sign(x) * x**3 * a, "any"),
    "maximum": (lambda x, a: pt.maximum(x, a) * x, lambda x, a: max(x, a) * x, "any"),
    "minimum": (lambda x, a: pt.minimum(x, a) * x, lambda x, a: min(x, a) * x, "any"),
    "clip": (lambda x, a: pt.clip(x, -a, a) * x, lambda x, a: min(max(x, -a), a) * x, "any"),
    "switch": (lambda x, a: pt.switch(x > a, x**2, a * x), lambda x, a: x**2 if x > a else a * x, "any"),
    "number as truth": (lambda x, a: pt.switch(pt.floor(x), x * x, a), lambda x, a: x * x if mp.floor(x) else a, "any"),
    "and": (lambda x, a: pt.and_(x > 0, x < a) * x, lambda x, a: x if 0 < x < a else 0, "any"),
    "or": (lambda x, a: pt.or_(x <= 0, x >= a) * x, lambda x, a: x if x <= 0 or x >= a else 0, "any"),
    "xor": (lambda x, a: pt.xor(x > 0, x > a) * x, lambda x, a: x if (x > 0) != (x > a) else 0, "any"),
    "not": (lambda x, a: pt.invert(x > a) * x, lambda x, a: x if not x > a else 0, "any"),
    "equal": (lambda x, a: pt.eq(pt.sign(x), 1.0) * x, lambda x, a: x if x > 0 else 0, "any"),
    "unequal": (lambda x, a: pt.neq(pt.sign(x), 1.0) * x, lambda x, a: x if x <= 0 else 0, "any"),
    "floor": (lambda x, a: pt.floor(3 * x) * x, lambda x, a: mp.floor(3 * x) * x, "any"),
    "ceil": (lambda x, a: pt.ceil(3 * x) * x, lambda x, a: mp.ceil(3 * x) * x, "any"),
    "trunc": (lambda x, a: pt.trunc(3 * x) * x, lambda x, a: mp.sign(x) * mp.floor(abs(3 * x)) * x, "any"),
    "round": (lambda x, a: pt.round(3 * x) * x, lambda x, a: mp.nint(3 * x) * x, "any"),
    "round away": (
        lambda x, a: pt.round(3 * x, mode="half_away_from_zero") * x,
        lambda x, a: mp.sign(x) * mp.floor(abs(3 * x) + 0.5) * x,
        "any",
    ),
    "second": (lambda x, a: pt.second(x, a) * x, lambda x, a: a * x, "any"),
    "identity": (lambda x, a: pt.tensor_copy(x) * a * x, lambda x, a: a * x * x, "any"),
    "cast": (lambda x, a: pt.cast(x > a, "float64") * x, lambda x, a: x if x > a else 0, "any"),
    "cast to integer": (lambda x, a: pt.cast(3 * x, "int64") * x, lambda x, a: int(3 * x) * x, "any"),
    "is nan": (lambda x, a: pt.switch(pt.isnan(x), a, x), lambda x, a: x, "any"),
    "is inf": (lambda x, a: pt.switch(pt.isinf(x), a, x), lambda x, a: x, "any"),
}  # fmt: skip


def test_every_operation_and_its_derivatives():
    """One state for each operation; the parameter is 0.8."""
    function = lambda m, t, y, p: [  # noqa: E731
        pair[m is mp](x, p[0]) for x, pair in zip(y, OPERATIONS.values(), strict=True)
    ]
    n, a = len(OPERATIONS), np.array([0.8])
    found = compile_equations(equations([f"s{i}" for i in range(n)], ["a"], function))
    for value in (0.35, 1.7, -0.6, -1.45):
        y = np.array([abs(value) if kind == "positive" else value for *_, kind in OPERATIONS.values()])
        out, J, T = results(found, 0.0, y, a)
        second = pulled(found, "pull_jacobian", 0.0, y, a, np.ones(found.rows.size), np.zeros(n))
        first = pulled(found, "pull", 0.0, y, a, np.ones(n))
        assert not T.any()
        for i, (name, (_, exact, _)) in enumerate(OPERATIONS.items()):
            x, parameter = mp.mpf(y[i]), mp.mpf(a[0])
            slope = lambda z: difference(lambda w: exact(*w), [z, parameter], 0)  # noqa: B023, E731
            expected = [exact(x, parameter), slope(x), slope(x), difference(lambda z: slope(z[0]), [x], 0)]  # noqa: B023
            np.testing.assert_allclose(
                [out[i], J[i, i], first[i], second[i]],
                np.array(expected, float),
                rtol=2e-12,
                atol=1e-11,
                err_msg=name,
            )


def leaf(n):
    return st.sampled_from([("y", i) for i in range(n)] + [("p", i) for i in range(n)] + [("t", 0)])


def branches(inner):
    unary = st.sampled_from(["exp", "tanh", "sin", "neg"])
    binary = st.sampled_from(["add", "sub", "mul", "truediv"])
    return st.one_of(st.tuples(unary, inner), st.tuples(binary, inner, inner))


def evaluate(tree, m, t, y, p):
    kind, *arguments = tree
    if kind in ("y", "p", "t"):
        return {"y": y, "p": p, "t": [t]}[kind][arguments[0]]
    values = [evaluate(argument, m, t, y, p) for argument in arguments]
    if hasattr(operator, kind):
        return getattr(operator, kind)(*values)
    return getattr(m, kind)(*values) if kind != "exp" else m.exp(m.tanh(values[0]))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.recursive(leaf(3), branches, max_leaves=9), min_size=3, max_size=3))
def test_random_graphs_against_differences(trees):
    function = lambda m, t, y, p: [evaluate(tree, m, t, y, p) for tree in trees]  # noqa: E731
    y, p = np.array([0.7, 1.2, 1.9]), np.array([0.4, 1.1, 0.9])
    try:
        exact = function(mp, mp.mpf(0.3), list(map(mp.mpf, y)), list(map(mp.mpf, p)))
    except ZeroDivisionError:
        assume(False)
    assume(all(abs(x) < 100 for x in exact))
    found = compile_equations(equations(list("abc"), list("def"), function))
    check(found, function, 0.3, y, p, rtol=1e-8)


def executed(plan):
    """The solver's functions run by Python itself, as they stand in the text."""
    tables = {name: list(values) for name, values in elimination.tables(plan).items()}
    facts = {"N_STATES": plan.n_states, "N_ENTRIES": len(plan.entries), "N_FACTORS": plan.n_factors}
    space = {**tables, **facts, "USABLE": float(elimination.USABLE)}
    for name, body in elimination.functions(plan).items():
        exec("\n    ".join([f"def {name}({SIGNATURES[name]}):", *body]), space)
    return SimpleNamespace(**{name: space[name] for name in elimination.functions(plan)})


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))
    ),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_factors_solve_both_systems_on_any_pattern(graph, straight, seed):
    n, entries = graph
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "MAX_STRAIGHT", 10_000 if straight else -1)
        plan = sparse.Elimination(n, tuple(sorted(entries)))
        functions = executed(plan)
        J, b, W = rng.normal(size=len(entries)), rng.normal(size=n), np.full(plan.n_factors, np.nan)
    matrix = 3.0 * n * np.eye(n)
    for (i, j), value in zip(plan.entries, J, strict=True):
        matrix[i, j] -= value
    assert functions.factor(J, 3.0 * n, W) == 0
    for name, exact in (("solve", matrix), ("solve_transposed", matrix.T)):
        x = b.copy()
        getattr(functions, name)(W, x)
        np.testing.assert_allclose(x, np.linalg.solve(exact, b), rtol=1e-10, atol=1e-14)


def organs(n):
    """A hub and organs that each saturate."""

    def function(m, t, y, p):
        uptake = [p[0] * (i + 1) * (y[0] - x) for i, x in enumerate(y[1:])]
        return [-sum(uptake), *(up - p[1] * x / (p[2] + x) for up, x in zip(uptake, y[1:], strict=True))]

    return equations([f"organ_{i}" for i in range(n)], ["flow", "Vmax", "Km"], function)


@pytest.mark.parametrize("straight", [True, False])
def test_compiled_factors_solve_both_systems(straight, monkeypatch, tmp_path):
    monkeypatch.setattr(sparse, "MAX_STRAIGHT", 10_000 if straight else -1)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled, "compiled", {})
    found = compile_equations(organs(25))
    assert ("for step" in found.source) is not straight
    rng = np.random.default_rng(1)
    y, p, b = rng.lognormal(size=25), rng.lognormal(size=3), rng.normal(size=25)
    _, dense, _ = results(found, 0.0, y, p)
    J, W = dense[found.rows, found.columns], np.empty(found.n_factors)
    assert call(found, "factor", J, 0.5, W) == 0
    matrix = 0.5 * np.eye(25) - dense
    for name, exact in (("solve", matrix), ("solve_transposed", matrix.T)):
        x = b.copy()
        assert call(found, name, W, x) == 0
        np.testing.assert_allclose(x, np.linalg.solve(exact, b), rtol=1e-9)


@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize(
    ("matrix", "unusable"),
    [
        ([[1.0, 0.5], [0.5, 1.0]], False),
        ([[1e-9, 1e3], [1e3, 1e18]], False),  # the same in other units: rows and columns scaled
        ([[1.0, 1.0], [1.0, 1.0]], True),
        ([[1.0, 1.0], [1.0, 1.0 + 1e-14]], True),
        ([[0.0, 1.0], [1.0, 0.0]], True),
        ([[1e-20, 1.0], [1.0, 1e-3]], True),
        ([[np.nan, 1.0], [1.0, 1.0]], True),
        ([[1.0, np.nan], [1.0, 1.0]], True),
        ([[np.inf, 1.0], [1.0, 1.0]], True),
    ],
)
def test_unusable_pivots_are_told(matrix, unusable, straight, monkeypatch):
    monkeypatch.setattr(sparse, "MAX_STRAIGHT", 10_000 if straight else -1)
    plan = sparse.Elimination(2, ((0, 0), (0, 1), (1, 0), (1, 1)))
    with np.errstate(all="ignore"):
        bad = executed(plan).factor(-np.array(matrix).ravel(), np.float64(0.0), np.empty(plan.n_factors))
    assert bool(bad) is unusable


def test_a_nan_reaches_the_solver():
    found = compile_equations(organs(3))
    y, p = np.array([1.0, np.nan, 1.0]), np.array([1.0, 2.0, 3.0])
    out, J, _ = results(found, 0.0, y, p)
    np.testing.assert_array_equal(np.isnan(out), [True, True, False])
    assert call(found, "factor", J[found.rows, found.columns], 0.5, np.empty(found.n_factors)) == 1


def test_large_arguments_do_not_overflow():
    function = lambda m, t, y, p: [m.sigmoid(y[0]), m.softplus(y[1]), m.sigmoid(y[2])]  # noqa: E731
    found = compile_equations(equations(list("abc"), [], function))
    out, J, _ = results(found, 0.0, np.array([-800.0, 800.0, 800.0]), np.empty(0))
    np.testing.assert_array_equal(out, [0.0, 800.0, 1.0])
    np.testing.assert_array_equal(np.diag(J), [0.0, 1.0, 0.0])


def test_a_choice_keeps_the_other_branch_out_of_derivatives():
    function = lambda m, t, y, p: [m.switch(y[0] > 0, m.log(y[0]), p[0]), y[1] ** p[1]]  # noqa: E731
    found = compile_equations(equations(["a", "b"], ["low", "hill"], function))
    y, p = np.zeros(2), np.array([-1.0, 1.5])
    out, J, _ = results(found, 0.0, y, p)
    np.testing.assert_array_equal(out, [-1.0, 0.0])
    np.testing.assert_array_equal(np.diag(J), [0.0, 0.0])
    np.testing.assert_array_equal(pulled(found, "pull", 0.0, y, p, np.ones(2)), [0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "name",
    ["lambda", "math", "y", "p", "t", "exp", "x1", "p0", "sum_1", "__import__", "ROWS", "µ", "a b", "W",
     "x; raise SystemExit", "x\n    raise SystemExit", "'''", 'a"b', "print", "match", "choose", "slopes_lines", ""],
)  # fmt: skip
def test_no_name_breaks_or_enters_the_code(name, tmp_path, monkeypatch):
    written = source(
        equations([name, "other"], [name + "_", name], lambda m, t, y, p: [p[0] * y[0] * t, p[1] + y[1]])
    )
    plain = name.isascii() and name.isidentifier()
    assert plain or name == "" or name not in written
    space: dict = {}
    exec(written.replace("@straight_line\n", ""), space)
    out = np.empty(2)
    assert space["slopes_lines"](2.0, [3.0, 5.0], [7.0, 11.0], [0.0, 0.0], out) == 0
    np.testing.assert_array_equal(out, [42.0, 16.0])


def test_states_and_parameters_have_their_own_names_where_they_can():
    chosen = identifiers(equations(["depot", "Cc"], ["CL", "Cc", "x0"], lambda m, t, y, p: [y[0], p[0]]))
    assert list(chosen.values()) == ["t", "depot", "Cc", "CL", "p1", "p2"]


def test_parameters_that_do_not_occur_cost_nothing():
    text = source(equations(["a"], ["used", "unused"], lambda m, t, y, p: [-p[0] * y[0]]))
    assert "unused" not in text
    assert "p[1]" not in text
    assert "p_bar[1]" not in text


@pytest.mark.parametrize(
    ("slope", "autonomous"),
    [
        (lambda m, t, y, p: -p[0] * y[0], True),
        (lambda m, t, y, p: -p[0] * y[0] + 0 * t, True),
        (lambda m, t, y, p: -p[0] * y[0] + m.switch(t > 1, 1.0, 0.0), False),
    ],
)
def test_whether_the_time_occurs(slope, autonomous):
    found = compile_equations(equations(["a"], ["k"], lambda *arguments: [slope(*arguments)]))
    assert found.autonomous is autonomous


def test_constant_slopes_and_no_parameters():
    found = compile_equations(equations(["a", "b"], [], lambda m, t, y, p: [2.0, t]))
    out, J, T = results(found, 3.0, np.ones(2), np.empty(0))
    np.testing.assert_array_equal(out, [2.0, 3.0])
    np.testing.assert_array_equal(T, [0.0, 1.0])
    assert not J.any()
    W, b = np.empty(found.n_factors), np.array([1.0, 2.0])
    assert call(found, "factor", np.empty(0), 4.0, W) == 0
    assert call(found, "solve", W, b) == 0
    np.testing.assert_array_equal(b, [0.25, 0.5])


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (lambda y, p: pt.gammainc(p, y), "holds the operation GammaInc"),
        (lambda y, p: pt.erfinv(y), "holds the operation Erfinv"),
        (lambda y, p: pt.cast(y, "float32") * p, "holds the operation Cast to float32"),
        (lambda y, p: pt.sum(pt.stack([y, p])), "holds the operation"),
        (lambda y, p: pt.stack([y, p]), "not a scalar"),
        (lambda y, p: y * pt.dscalar("weight"), "depends on weight"),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_name(slope, words):
    with pytest.raises(SolverError, match=rf"state 'effect'.*{words}"):
        source(equations(["drug", "effect"], ["k"], lambda m, t, y, p: [-y[0], slope(y[1], p[0])]))


def test_a_derivative_that_cannot_be_compiled_is_refused_by_name():
    with pytest.raises(
        SolverError, match=r"state 'effect': a derivative of dx/dt holds the operation PolyGamma"
    ):
        source(equations(["effect"], [], lambda m, t, y, p: [pt.tri_gamma(y[0])]))
    with pytest.raises(SolverError, match=r"parameter 'k': a derivative by it holds the operation PolyGamma"):
        source(equations(["effect"], ["k"], lambda m, t, y, p: [pt.tri_gamma(p[0])]))


def test_the_second_load_derives_and_compiles_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled, "compiled", {})
    first = compile_equations(organs(4))
    monkeypatch.setattr(compiled, "compiled", {})
    monkeypatch.setattr(compiled, "source", None)
    second = compile_equations(organs(4))
    assert second is not first
    assert second.source == first.source
    for symbol in second.symbols.values():
        assert compiled.loaded[symbol].cache_hits == 1
        assert llvmlite.binding.address_of_symbol(symbol) == compiled.loaded[symbol].address
    assert not list(tmp_path.rglob("*.tmp"))
