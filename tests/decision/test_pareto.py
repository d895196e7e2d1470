"""The Pareto front against brute force over all pairs."""

import numpy as np
import pytest
from constant_paths import future_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from qsp_bayes.decision import average, pareto
from qsp_bayes.report import plot_pareto


def efficacy(x):
    """Effect."""
    return average(x["Cc"])


def toxicity(x):
    """Harm."""
    return average(x["harm"])


def front_of(efficacies, toxicities, draws=4):
    shape = (1, draws, len(efficacies), 1)
    values = [
        np.broadcast_to(np.reshape(v, (1, 1, -1, 1)), shape).astype(float) for v in (efficacies, toxicities)
    ]
    return pareto(
        future_of(values[0], [f"r{i}" for i in range(len(efficacies))], harm=values[1]), efficacy, toxicity
    )


points = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


@settings(max_examples=25, deadline=None)
@given(points)
def test_front_of_points(points):
    found = front_of(*zip(*points, strict=True))
    for i, (e, t) in enumerate(points):
        beaten_by = [f"r{j}" for j, (f, u) in enumerate(points) if f >= e and u <= t and (f > e or u < t)]
        assert found.dominated_by[f"r{i}"] == beaten_by
        assert found.table.loc[f"r{i}", "on_front"] == (not beaten_by)
        assert found.table.loc[f"r{i}", "p_on_front"] == (not beaten_by)
    order = found.table.loc[found.front]
    assert order["expected_toxicity"].is_monotonic_increasing
    assert order["expected_efficacy"].is_monotonic_increasing


@settings(max_examples=15, deadline=None)
@given(points, st.floats(0.01, 10))
def test_the_best_of_any_trade_is_on_the_front(points, price):
    """The front holds a maximiser of efficacy - price x toxicity, whatever the price."""
    found = front_of(*zip(*points, strict=True))
    worth = found.table["expected_efficacy"] - price * found.table["expected_toxicity"]
    assert np.isclose(worth[found.front].max(), worth.max())


@pytest.fixture(scope="module")
def uncertain():
    """b is less toxic than a where theta < 0.5, equally effective always; c is worse in both."""
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(4, 500, 1, 1))
    noise = rng.normal(size=(4, 500, 1, 40))
    effect = np.array([2.0, 2.0, 1.0]).reshape(1, 1, 3, 1) + 0 * theta + 0.3 * noise
    harm = np.concatenate([1 + 0 * theta, 0.5 + theta, 5 + abs(theta)], axis=2) + 0 * noise
    return pareto(future_of(effect, ["a", "b", "c"], harm=harm), efficacy, toxicity)


def test_membership_is_a_probability_over_the_draws(uncertain):
    """With equal effects the less toxic one dominates: b does where theta < 0.5."""
    table = uncertain.table
    exact = [norm.sf(0.5), norm.cdf(0.5), 0.0]
    # c is never on the front.
    assert (abs(table["p_on_front"] - exact) < 3.5 * table["p_on_front_mcse"] + 1e-12).all()
    assert uncertain.front == ["b"]
    assert uncertain.dominated_by == {"a": ["b"], "b": [], "c": ["a", "b"]}
    assert "leaves open whether these are on it" in uncertain.summary()
    assert abs(table.loc["a", "expected_efficacy"] - 2) < 3.5 * table.loc["a", "expected_efficacy_mcse"]


def test_figure_names_regimens_where_there_is_room_and_the_unit(uncertain):
    """Those on the front first; no name stands on another."""
    figure = plot_pareto(uncertain)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "Efficacy: Effect. (mg/L)"
    assert axes.get_xlabel() == "Toxicity: Harm."
    figure.canvas.draw()
    names = [text.get_text().split(" ")[0] for text in axes.texts]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
    order = uncertain.table.sort_values(["on_front", "expected_efficacy"], ascending=False).index.tolist()
    assert names == [label for label in order if label in names]
    assert names[0] == order[0]
    assert set(order) - set(names) <= {"a"}, "a lies where b does"
    assert "&lt;" not in uncertain._repr_html_()
