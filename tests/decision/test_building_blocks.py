"""Measures of response, events, burden and desirability against closed forms, brute force and PyTensor's gradients."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qsp_bayes.decision import (
    auc,
    average,
    change_from_baseline,
    cmax,
    cmin,
    cumulative_hazard,
    doses_per_day,
    dosing_cost,
    event_probability,
    fraction_above,
    larger_is_better,
    largest_decrease,
    largest_increase,
    smaller_is_better,
    smooth_indicator,
    target_is_best,
    time_within,
    value_at,
)
from qsp_bayes.decision.measures.path import Path
from qsp_bayes.decision.measures.straight_lines import duration_within
from qsp_bayes.errors import DecisionError, UnitsError

TIME = np.linspace(0, 10, 4001)


def path(values, time=TIME, unit=None):
    attrs = {} if unit is None else {"units": unit}
    return xr.DataArray(np.asarray(values, dtype=float), dims="time", coords={"time": time}, attrs=attrs)


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(2, 8)), elements=st.integers(-6, 6)),
    st.integers(-7, 6),
    st.integers(1, 8),
)
def test_duration_within_agrees_with_splitting_at_the_bounds(values, low, width):
    """Each line is cut at its crossings of the bounds; a piece counts where its middle lies within."""
    high = low + width
    time = np.arange(values.shape[1]) ** 1.5
    for row, found in zip(values, duration_within(values, time, low, high), strict=True):
        total = 0.0
        for t0, t1, y0, y1 in zip(time[:-1], time[1:], row[:-1], row[1:], strict=True):
            cuts = (
                []
                if y0 == y1
                else [s for s in ((low - y0) / (y1 - y0), (high - y0) / (y1 - y0)) if 0 < s < 1]
            )
            edges = np.array([0.0, *sorted(cuts), 1.0])
            middle = y0 + (y1 - y0) * (edges[1:] + edges[:-1]) / 2
            total += np.diff(edges)[(middle >= low) & (middle <= high)].sum() * (t1 - t0)
        np.testing.assert_allclose(found, total, atol=1e-12)


def test_duration_within_takes_views_and_infinite_bounds():
    block = np.random.default_rng(1).normal(size=(3, 4, 5, 6)).transpose(1, 0, 3, 2)
    time = np.arange(5.0)
    assert np.array_equal(
        duration_within(block, time, 0.0, np.inf), duration_within(block.copy(), time, 0.0, np.inf)
    )
    np.testing.assert_allclose(duration_within(block, time, -np.inf, np.inf), 4.0)
    assert not np.isfinite(duration_within(np.array([[0.0, np.nan, 0.0]]), np.arange(3.0), -1.0, 1.0))


def test_response_of_a_damped_oscillation():
    """R = 5 + 3 exp(-0.2 t) sin(t): extremes where tan t = 5, at t = arctan 5 and arctan 5 + pi."""
    first, second = np.arctan(5), np.arctan(5) + np.pi
    response = path(5 + 3 * np.exp(-0.2 * TIME) * np.sin(TIME))

    def exact(t):
        return 3 * np.exp(-0.2 * t) * np.sin(t)

    np.testing.assert_allclose(largest_increase(response), exact(first), rtol=1e-5)
    np.testing.assert_allclose(largest_decrease(response), -exact(second), rtol=1e-5)
    np.testing.assert_allclose(largest_decrease(response, relative=True), -exact(second) / 5, rtol=1e-5)
    np.testing.assert_allclose(change_from_baseline(response, 4.0), exact(4.0), rtol=1e-6)
    np.testing.assert_allclose(
        change_from_baseline(response, 4.0, baseline=2.0), exact(4.0) - exact(2.0), rtol=1e-6
    )
    np.testing.assert_allclose(value_at(response), 5 + exact(10.0))


def test_event_of_a_gompertz_hazard():
    """h = 0.02 exp(0.3 t), H = 0.02 (exp(0.3 t) - 1) / 0.3."""
    hazard = path(0.02 * np.exp(0.3 * TIME))
    cumulative = 0.02 * (np.exp(0.3 * TIME) - 1) / 0.3
    np.testing.assert_allclose(cumulative_hazard(hazard), cumulative[-1], rtol=1e-6)
    np.testing.assert_allclose(event_probability(hazard=hazard), 1 - np.exp(-cumulative[-1]), rtol=1e-6)
    np.testing.assert_allclose(
        event_probability(cumulative=path(cumulative), time=5.0), 1 - np.exp(-0.02 * (np.exp(1.5) - 1) / 0.3)
    )
    with pytest.raises(DecisionError, match="one of them"):
        event_probability()
    with pytest.raises(DecisionError, match="whole simulated time"):
        event_probability(hazard=hazard, time=3.0)


def test_occupancy_of_a_decaying_concentration():
    """C = 10 exp(-0.5 t), KD = 1: occupied by half until t = 2 ln 10; the average is an integral in closed form."""
    occupancy = path(10 * np.exp(-0.5 * TIME) / (10 * np.exp(-0.5 * TIME) + 1))
    np.testing.assert_allclose(fraction_above(occupancy, 0.5), 2 * np.log(10) / 10, rtol=1e-6)
    exact = 2 * (np.log(11) - np.log(10 * np.exp(-5) + 1)) / 10
    np.testing.assert_allclose(average(occupancy), exact, rtol=1e-6)
    assert fraction_above(path([2.0, 2.0], [0, 1]), 2.0) == 1  # at the threshold counts


def test_burden():
    x = xr.Dataset(
        {
            "n_doses": ("regimen", [6, 9]),
            "amount_given": (("regimen", "subject"), [[600.0, 600.0], [900.0, 450.0]], {"units": "mg"}),
        },
        coords={"time": ("time", [0.0, 36.0, 72.0], {"units": "h"})},
    )
    assert dosing_cost(x, per_dose=10, per_amount=0.5, unit="mg").values.tolist() == [[360, 360], [540, 315]]
    assert doses_per_day(x).values.tolist() == [2.0, 3.0]
    assert doses_per_day(x.assign_coords(time=x["time"].assign_attrs(units="day"))).values.tolist() == [
        6 / 72,
        9 / 72,
    ]
    with pytest.raises(UnitsError, match="1 g = 1000 mg"):
        dosing_cost(x, per_amount=1, unit="g")
    with pytest.raises(DecisionError, match="holds no 'n_doses'"):
        dosing_cost(x.drop_vars("n_doses"))
    with pytest.raises(DecisionError, match="times have no unit"):
        doses_per_day(x.assign_coords(time=[0.0, 36.0, 72.0]))


@given(st.floats(-50, 50), st.floats(0.2, 5))
def test_desirability_of_derringer_and_suich(value, power):
    """Their definition by cases is the authority."""
    low, target, high = 3.0, 10.0, 12.0
    at = xr.DataArray(value)
    rise = 0.0 if value < low else 1.0 if value > high else ((value - low) / (high - low)) ** power
    fall = 1.0 if value < low else 0.0 if value > high else ((high - value) / (high - low)) ** power
    if low <= value <= target:
        both = ((value - low) / (target - low)) ** power
    else:
        both = ((high - value) / (high - target)) ** power if target < value <= high else 0.0
    # A small power magnifies the rounding of a small share.
    for found, exact in (
        (larger_is_better(at, low, high, power=power), rise),
        (smaller_is_better(at, low, high, power=power), fall),
        (target_is_best(at, low, target, high, power=power), both),
    ):
        np.testing.assert_allclose(float(found) ** (1 / power), exact ** (1 / power), atol=1e-12)


@given(st.floats(-1e4, 1e4))
def test_logistic_desirability(value):
    exact = 1 / (1 + np.exp(-np.clip((value - 30) / 10 * np.log(19), -700, 700)))
    np.testing.assert_allclose(larger_is_better(value, 20, 40, shape="logistic"), exact, atol=1e-12)
    np.testing.assert_allclose(smaller_is_better(value, 20, 40, shape="logistic"), 1 - exact, atol=1e-12)
    width = 10 / np.log(19)
    np.testing.assert_allclose(smooth_indicator(value, 30, width), exact, atol=1e-12)


class SquarePath(Path):
    """The path v + t on [0, 1] as a graph of v, with measures in closed form where they are needed."""

    def __init__(self, v):
        self.v = v

    def duration(self):
        return 1.0

    def time_within(self, low, high):
        return pt.clip(high - self.v, 0, 1) - pt.clip(low - self.v, 0, 1)

    def auc(self):
        return self.v + 0.5

    def cmax(self):
        return self.v + 1

    def cmin(self):
        return self.v

    def value_at(self, time):
        return self.v + (1.0 if time is None else time)


BLOCKS = {
    "increase": lambda x: largest_increase(x, relative=True),
    "decrease": largest_decrease,
    "change": lambda x: change_from_baseline(x, 0.25, relative=True),
    "event by hazard": lambda x: event_probability(hazard=x),
    "event by cumulative hazard": lambda x: event_probability(cumulative=x, time=0.5),
    "occupied": lambda x: fraction_above(x, 1.0),
    "smooth indicator": lambda x: smooth_indicator(cmax(x), 1.5, 0.2),
    "larger": lambda x: larger_is_better(auc(x), 0.5, 2, power=2),
    "smaller": lambda x: smaller_is_better(cmin(x), 0.2, 2, shape="logistic"),
    "target": lambda x: target_is_best(auc(x), 0.5, 1, 2, power=0.7),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_graphs_too(name):
    """One function on a graph and on numbers: equal values, and the graph's gradient by finite differences."""
    block, at = BLOCKS[name], 0.37
    v = pt.dscalar("v")
    value = block(SquarePath(v))
    evaluate = pytensor.function([v], [value, pytensor.grad(value, v)], mode="FAST_COMPILE")

    def numbers(level):
        return float(block(path(level + np.array([0.0, 0.25, 0.5, 1.0]), [0.0, 0.25, 0.5, 1.0])))

    found, slope = evaluate(at)
    np.testing.assert_allclose(found, numbers(at), atol=1e-12)
    np.testing.assert_allclose(slope, (numbers(at + 1e-6) - numbers(at - 1e-6)) / 2e-6, atol=1e-6)


def test_blocks_refuse_what_they_cannot_mean():
    with pytest.raises(DecisionError, match="bounds 2, 1 must increase"):
        larger_is_better(1.0, 2, 1)
    with pytest.raises(DecisionError, match="power is -1"):
        smaller_is_better(1.0, 1, 2, power=-1)
    with pytest.raises(DecisionError, match="use 'linear' or 'logistic'"):
        target_is_best(1.0, 1, 2, 3, shape="round")
    with pytest.raises(DecisionError, match="leave it out"):
        larger_is_better(1.0, 1, 2, power=2, shape="logistic")
    with pytest.raises(DecisionError, match="width is 0"):
        smooth_indicator(1.0, 1, 0)
    with pytest.raises(DecisionError, match="value_at: time 99"):
        change_from_baseline(path(TIME), 99.0)
    with pytest.raises(DecisionError, match="low = 2 must be below"):
        time_within(path(TIME), 2, 1)
