import numpy as np
import pytest
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report import plot_vpc, predictive_check
from qsp_bayes.report.time_bins import time_bins


def test_bins_are_the_nominal_times(good_fit):
    check = predictive_check(good_fit)
    assert np.array_equal(check.bins, np.tile(np.arange(10), 12))
    assert np.allclose(check.time, [0.25, 0.5, 1, 2, 3.5, 5, 7, 9, 12, 24], rtol=0.02)


def test_percentiles_are_numpy_percentiles(good_fit):
    check = predictive_check(good_fit)
    value = good_fit["observed_data"]["DV_Cc"].values.reshape(12, 10)
    replicates = good_fit["population_predictive"]["DV_Cc"].values.reshape(-1, 12, 10)
    assert np.allclose(check.observed, np.percentile(value, (5, 50, 95), axis=0))
    lower_quantile = np.percentile(replicates, 5, axis=1)
    assert np.allclose(check.simulated[0], np.percentile(lower_quantile, (5, 50, 95), axis=0))


def test_data_of_the_model_lie_within_and_shifted_data_do_not(fit):
    assert predictive_check(fit).is_adequate
    fit["observed_data"]["DV_Cc"] *= 1.5
    check = predictive_check(fit)
    assert not check.is_adequate
    assert "runs above the model's" in check.verdict


def test_too_little_spread_is_seen(fit):
    value = fit["observed_data"]["DV_Cc"].values.reshape(12, 10)
    middle = np.median(value, axis=0)
    fit["observed_data"]["DV_Cc"][:] = (middle + 0.2 * (value - middle)).ravel()
    assert "does not reproduce the spread" in predictive_check(fit).verdict


def test_prediction_correction_takes_the_dose_out(fit):
    """Observations and replicates proportional to a dose: after correction nothing of the dose is left."""
    plain = predictive_check(fit)
    dose = np.repeat(np.where(np.arange(12) % 2, 4.0, 0.25), 10)
    fit["observed_data"]["DV_Cc"] *= dose
    fit["population_predictive"]["DV_Cc"] *= xr.DataArray(dose, dims="obs_Cc")
    spread = predictive_check(fit)
    corrected = predictive_check(fit, prediction_corrected=True)
    width = {name: np.mean(c.observed[2] / c.observed[0]) for name, c in
             {"plain": plain, "spread": spread, "corrected": corrected}.items()}  # fmt: skip
    assert width["spread"] > 5 * width["plain"]
    assert width["corrected"] == pytest.approx(width["plain"], rel=0.4)
    prediction = np.median(fit["population_predictive"]["DV_Cc"].values.reshape(-1, 12, 10), axis=0)
    by_hand = (
        fit["observed_data"]["DV_Cc"].values.reshape(12, 10) * np.median(prediction, axis=0) / prediction
    )
    assert np.allclose(corrected.observed, np.percentile(by_hand, (5, 50, 95), axis=0))


def test_correction_needs_positive_predictions(fit):
    fit["population_predictive"]["DV_Cc"] -= 100.0
    with pytest.raises(CalibrationError, match="not positive"):
        predictive_check(fit, prediction_corrected=True)


def test_censored_observations_count_as_below_the_limit(fit):
    limit = 1.5
    value = fit["observed_data"]["DV_Cc"].values
    below = value < limit
    fit["observed_data"]["DV_Cc"][:] = np.where(below, limit, value)
    fit["constant_data"]["CENS_Cc"][:] = below.astype(int)
    check = predictive_check(fit)
    replicates = fit["population_predictive"]["DV_Cc"].values.reshape(-1, 12, 10)
    assert np.allclose(check.below, below.reshape(12, 10).mean(axis=0))
    shares = (replicates <= limit).mean(axis=1)
    assert np.allclose(check.below_simulated, np.percentile(shares, (5, 50, 95), axis=0))
    assert check.observed.min() >= limit
    assert check.simulated.min() >= limit
    assert check.is_adequate
    assert len(plot_vpc(fit).axes) == 2


def test_partition_is_optimal():
    """Against the best of all partitions into two, by brute force."""
    rng = np.random.default_rng(5)
    time = np.sort(rng.uniform(0, 30, 14))
    bins = time_bins(time, np.zeros(14))
    scale = np.sqrt(time - time[0])
    costs = {cut: sum(part.var() * part.size for part in (scale[:cut], scale[cut:])) for cut in range(5, 10)}
    assert np.flatnonzero(np.diff(bins)) + 1 == min(costs, key=costs.get)


def test_one_time_is_never_split():
    time = np.repeat([0.0, 1.0, 2.0], [20, 20, 3])
    bins = time_bins(time, np.tile(np.arange(43), 1))
    assert all(len(set(bins[time == t])) == 1 for t in (0.0, 1.0, 2.0))
    assert np.bincount(bins).min() >= 5


@pytest.mark.parametrize("n", [1, 2, 4])
def test_very_few_observations_are_one_bin(n):
    assert time_bins(np.arange(float(n)), np.arange(n)).tolist() == [0] * n


def test_missing_replicates_are_named(fit):
    del fit["population_predictive"]
    with pytest.raises(CalibrationError, match="population_predictive"):
        plot_vpc(fit)
    with pytest.raises(CalibrationError, match=r"'E'.*\['Cc'\]"):
        plot_vpc(fit, "E")


def test_the_legend_is_within_the_figure_and_leaves_the_panel_its_height(good_fit):
    figure = plot_vpc(good_fit)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.width
    assert extent.y1 <= figure.bbox.height
    (axes,) = figure.axes
    assert axes.get_window_extent().height > 3.0 * figure.dpi
    assert len(legend.get_texts()) == 5
