"""Measures of polynomial pieces against closed forms, fine sampling and finite differences."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

from qsp_bayes.decision import DensePath, auc, cmax, cmin, time_above, time_within, trough
from qsp_bayes.decision.continuous.chebyshev import N_NODES, NODES, POWERS
from qsp_bayes.decision.continuous.piece_kernels import largest_kernel, time_below_kernel, value_at_kernel
from qsp_bayes.decision.continuous.piece_ops import Largest, TimeBelow, ValueAt
from qsp_bayes.errors import DecisionError

FINE = np.linspace(-1, 1, 20_001)


def nodes(edges):
    """Times of the nodes of pieces between edges."""
    edges = np.asarray(edges)
    return edges[:-1, None] + np.diff(edges)[:, None] * 0.5 * (NODES + 1)


def sampled(values):
    """A piece at many places: an evaluation that shares the interpolation formula only."""
    return np.polynomial.Polynomial(POWERS @ values)(FINE)


def path_of(function, edges, start):
    """DensePath of a function of time, one individual."""
    values = np.asarray(function(nodes(edges)))[None]
    edges = np.asarray(edges, dtype=float)
    return DensePath(
        pt.constant(values), pt.constant(edges[None]), pt.constant([start]), (edges[0], edges[-1]), "Cc"
    )


random_piece = st.lists(st.floats(-10, 10, width=32), min_size=N_NODES, max_size=N_NODES)


@given(random_piece, st.floats(-12, 12, width=32))
def test_time_below_is_the_share_of_fine_samples(values, level):
    values = np.array(values)
    total, *_ = time_below_kernel(values[None, None], np.array([[2.0]]), np.array([level]), True)
    below = sampled(values) < level
    # Each of at most seven crossings is misplaced by a step of the sampling; the polynomial itself by its rounding.
    touched = np.abs(sampled(values) - level) < 1e-9 * (1 + np.abs(values).max())
    assert abs(total[0] - 2.0 * below.mean()) <= 2.0 * (8 + touched.sum()) / FINE.size


@given(random_piece)
def test_largest_is_no_less_than_fine_samples_and_no_more_than_they_can_miss(values):
    values = np.array(values)
    (largest,), by_value = largest_kernel(values[None, None], np.array([[1.0]]))
    found = sampled(values).max()
    assert largest >= found - 1e-10
    bend = np.abs(np.polynomial.Polynomial(POWERS @ values).deriv(2)(FINE)).max()
    assert largest - found <= bend * (FINE[1] - FINE[0]) ** 2 + 1e-10
    # The value is linear in the values at the nodes where the place stands still.
    np.testing.assert_allclose((by_value[0, 0] * values).sum(), largest, rtol=1e-9, atol=1e-9)


def central(function, x, step):
    """Derivative of a sum by central differences of fourth order, entry by entry."""
    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1, 2, -2):
            moved = x.copy()
            moved[index] += sign * step
            ends.append(function(moved))
        found[index] = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * step)
    return found


def test_derivatives_are_those_of_finite_differences():
    """By values, lengths, level, edges: with weights, through the graph, against differences of the kernels."""
    rng = np.random.default_rng(3)
    values, lengths = rng.normal(size=(4, 3, N_NODES)), rng.uniform(0.5, 2, (4, 3))
    edges = np.concatenate([np.zeros((4, 1)), np.cumsum(lengths, axis=1)], axis=1)
    level, time = rng.normal(size=4), rng.uniform(0.2, 1.4, 4)
    weight = rng.normal(size=4)
    x, L, h, e, t = pt.tensor3("x"), pt.matrix("L"), pt.vector("h"), pt.matrix("e"), pt.vector("t")
    measures = {
        "below": (TimeBelow(True)(x, L, h)[0], [x, L, h]),
        "largest": (Largest()(x, L)[0], [x]),
        "value": (ValueAt()(x, e, t)[0], [x, e]),
    }
    total = [(weight * measure).sum() for measure, _ in measures.values()]
    gradients = [pytensor.grad(s, by) for s, (_, by) in zip(total, measures.values(), strict=True)]
    found = pytensor.function([x, L, h, e, t], [g for many in gradients for g in many])(
        values, lengths, level, edges, time
    )
    exact = [
        central(lambda v: weight @ time_below_kernel(v, lengths, level, True)[0], values, 1e-5),
        central(lambda v: weight @ time_below_kernel(values, v, level, True)[0], lengths, 1e-5),
        central(lambda v: weight @ time_below_kernel(values, lengths, v, True)[0], level, 1e-5),
        central(lambda v: weight @ largest_kernel(v, lengths)[0], values, 1e-5),
        central(lambda v: weight @ value_at_kernel(v, edges, time)[0], values, 1e-5),
        central(lambda v: weight @ value_at_kernel(values, v, time)[0], edges, 1e-5),
    ]
    for derivative, truth in zip(found, exact, strict=True):
        np.testing.assert_allclose(derivative, truth, rtol=1e-6, atol=1e-7)


def test_decay_against_its_closed_form():
    """x = A exp(-k t): time above h is log(A/h)/k, with derivatives 1/(kA) by A and -log(A/h)/k^2 by k."""
    A, k = pt.dscalar("A"), pt.dscalar("k")
    edges = np.linspace(0, 12, 13)
    values = A * pt.exp(-k * nodes(edges))[None]
    path = DensePath(values, pt.constant(edges[None]), pt.constant([0.0]), (0.0, 12.0), "Cc")
    above = time_above(path, 2.0)[0]
    outputs = [above, *pytensor.grad(above, [A, k]), auc(path)[0], cmax(path)[0], trough(path, 3.5)[0]]
    found = pytensor.function([A, k], outputs)(10.0, 0.4)
    ratio = np.log(10 / 2)
    exact = [ratio / 0.4, 1 / (0.4 * 10), -ratio / 0.16, 10 / 0.4 * (1 - np.exp(-4.8)), 10, 10 * np.exp(-1.4)]
    np.testing.assert_allclose(found, exact, rtol=1e-8)


def test_measures_agree_with_those_of_a_fine_grid():
    """A smooth path without jumps: both see the same; the straight lines of the grid are the coarser."""
    time = np.linspace(0, 12, 48_001)

    def wave(t):
        return 5 + 3 * np.sin(1.3 * t) + 0.2 * t

    grid = xr.DataArray(wave(time)[None], dims=("subject", "time"), coords={"time": time})
    path = path_of(wave, np.linspace(0, 12, 25), wave(0.0))
    for measure in (
        auc,
        cmax,
        cmin,
        trough,
        lambda x: trough(x, 7.3),
        lambda x: time_within(x, 4, 7),
        lambda x: time_above(x, 7),
    ):
        np.testing.assert_allclose(measure(path).eval(), measure(grid).values, rtol=2e-7)


def test_both_sides_of_a_jump_count():
    """A bolus at t = 1 lifts the path from 1 to 5."""
    path = path_of(lambda t: np.where(t < 1, 2 - t, 5 - (t - 1)), [0, 1, 3], 0.0)
    assert [float(f(path).eval()[0]) for f in (cmax, cmin)] == pytest.approx([5, 0])
    assert [float(trough(path, t).eval()[0]) for t in (0, 1, 2, 3)] == pytest.approx([0, 1, 4, 3])


def test_pieces_without_length_do_not_count():
    path = path_of(lambda t: 1 + t, [0, 1, 1, 2], 1.0)
    jumped = path.values.data.copy()
    jumped[0, 1] = 100.0
    other = DensePath(pt.constant(jumped), path.edges, path.start, path.span)
    for measure in (cmax, cmin, auc, trough, lambda x: time_above(x, 2.5), lambda x: trough(x, 1.0)):
        assert measure(other).eval() == pytest.approx(measure(path).eval())


def test_a_constant_path_on_a_bound_is_within_and_not_above():
    level = path_of(lambda t: 0 * t + 20.0, [0, 1, 3], 20.0)
    assert float(time_within(level, 10, 20).eval()[0]) == 3
    assert float(time_within(level, 20, 30).eval()[0]) == 3
    assert float(time_above(level, 20).eval()[0]) == 0


def test_a_path_that_could_not_be_solved_stays_not_a_number():
    path = path_of(lambda t: t * np.nan, [0, 1], 0.0)
    for measure in (cmax, auc, trough, lambda x: time_above(x, 2.5)):
        assert np.isnan(measure(path).eval()).all()


def test_arithmetic_gives_paths():
    path = path_of(lambda t: 1 + t, [0, 1, 2], 1.0)
    other = 0.5 * path + np.array([1.0]) - path / 4
    assert float(auc(other).eval()[0]) == pytest.approx(0.25 * 4 + 2)
    assert float(cmax(2 - (-path)).eval()[0]) == pytest.approx(5)
    assert float(trough(path * path).eval()[0]) == pytest.approx(9)
    with pytest.raises(DecisionError, match="different pieces"):
        path + path_of(lambda t: t, [0, 1, 2], 0.0)
    with pytest.raises(DecisionError, match="not with 2 dimensions"):
        path * np.ones((2, 2))
    with pytest.raises(DecisionError, match=r"trough: time 3 lies outside the simulated times, 0 to 2"):
        trough(path, 3.0)


@given(st.floats(0.1, 5), st.floats(0.2, 9.5))
def test_a_crossing_moves_by_the_implicit_function_theorem(k, level):
    """Of decay again, at random rates: the derivative by the level is -1/(k h)."""
    assume(10 * np.exp(-k * 2) < 0.9 * level)
    edges = np.linspace(0, 2, 17)
    values = 10 * np.exp(-k * nodes(edges))[None]
    total, _, _, by_level = time_below_kernel(values, np.diff(edges)[None], np.array([level]), True)
    assert total[0] == pytest.approx(2 - np.log(10 / level) / k, abs=1e-7)
    assert by_level[0] == pytest.approx(1 / (k * level), rel=1e-5)
