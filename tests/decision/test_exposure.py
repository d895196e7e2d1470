"""Exposure measures against integrals known in closed form."""

import numpy as np
import pytest
import xarray as xr

from qsp_bayes.decision import (
    auc,
    cmax,
    duration,
    fraction_within,
    time_above,
    time_below,
    time_within,
    trough,
)
from qsp_bayes.errors import DecisionError


def path(values, time):
    return xr.DataArray(np.asarray(values, dtype=float), dims=("subject", "time"), coords={"time": time})


@pytest.fixture
def random_walks():
    rng = np.random.default_rng(3)
    time = np.cumsum(rng.uniform(0.1, 2.0, 30))
    return path(rng.normal(15, 8, (40, 30)), time)


def test_times_are_exact_for_straight_lines(random_walks):
    """A grid refined a thousandfold, on which the same straight lines are only sampled, is the authority."""
    time = random_walks["time"].values
    fine = np.linspace(time[0], time[-1], 30_001)
    for position, walk in enumerate(random_walks.values):
        values = np.interp(fine, time, walk)
        step = fine[1] - fine[0]
        slack = 60 * step  # each of at most sixty crossings is misplaced by at most one step
        for measure, truth in (
            (time_within(random_walks, 10, 20), (values >= 10) & (values <= 20)),
            (time_above(random_walks, 20), values > 20),
            (time_below(random_walks, 10), values < 10),
        ):
            assert abs(measure[position] - truth.mean() * (time[-1] - time[0])) < slack


def test_times_add_up_to_the_duration(random_walks):
    total = time_below(random_walks, 10) + time_within(random_walks, 10, 20) + time_above(random_walks, 20)
    np.testing.assert_allclose(total, duration(random_walks), rtol=1e-12)


def test_constant_path_on_a_bound_is_within_and_not_above():
    level = path([[20, 20, 20]], [0, 1, 3])
    assert time_within(level, 10, 20) == 3
    assert time_above(level, 20) == 0
    assert fraction_within(level, 10, 20) == 1


def test_grid_error_is_of_second_order_on_a_smooth_path():
    """Exponential decay leaves the window [1, 10] after t = ln 10 / k, entered at t = 0."""
    errors = []
    for step in (0.5, 0.25, 0.125):
        time = np.arange(0, 20.01, step)
        errors.append(
            abs(float(time_within(path([10 * np.exp(-0.2 * time)], time), 1, 10)[0]) - np.log(10) / 0.2)
        )
    # The error also depends on where the crossing falls within its step: order 2 up to that.
    assert errors[0] < 0.2 * 0.5**2
    assert errors[2] < 0.2 * 0.125**2


def test_area_and_peak_and_trough():
    time = np.linspace(0, 100, 4001)
    decay = path([5 * np.exp(-0.3 * time)], time)
    np.testing.assert_allclose(auc(decay), 5 / 0.3, rtol=1e-4)
    assert cmax(decay) == 5
    np.testing.assert_allclose(trough(decay, 10.0), 5 * np.exp(-3), rtol=1e-6)
    np.testing.assert_allclose(trough(decay), 5 * np.exp(-30))
    assert trough(decay, 0.0) == 5


def test_other_dimensions_are_kept():
    x = xr.DataArray(
        np.ones((2, 3, 4, 5)), dims=("chain", "time", "regimen", "subject"), coords={"time": [0, 1, 2]}
    )
    for measure in (auc, cmax, trough):
        assert set(measure(x).dims) == {"chain", "regimen", "subject"}


def test_nan_is_never_hidden():
    broken = path([[1, np.nan, 1], [1, 2, 3]], [0, 1, 2])
    for result in (
        time_within(broken, 0, 5),
        time_above(broken, 0),
        auc(broken),
        cmax(broken),
        trough(broken, 1),
    ):
        assert np.isnan(result[0])
        assert np.isfinite(result[1])


def test_errors_say_what_is_wrong():
    x = path([[1, 2]], [0, 1])
    with pytest.raises(DecisionError, match="low = 20 must be below high = 10"):
        time_within(x, 20, 10)
    with pytest.raises(DecisionError, match=r"trough: time 3 lies outside the simulated times, 0 to 1"):
        trough(x, 3)
    with pytest.raises(
        DecisionError, match=r"dimension and coordinate 'time'.*received dimensions \('subject',\)"
    ):
        auc(x.isel(time=0))
    with pytest.raises(DecisionError, match="received ndarray"):
        cmax(np.ones(3))
    with pytest.raises(DecisionError, match="must increase"):
        auc(path([[1, 2]], [1, 0]))
