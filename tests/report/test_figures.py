import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fabricated import make_decision, make_future

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report import (
    plot_decision,
    plot_goodness_of_fit,
    plot_individual_fits,
    plot_prior_posterior,
    plot_study,
    plot_vpc,
)

FIGURES = [plot_vpc, plot_individual_fits, plot_goodness_of_fit, plot_prior_posterior, plot_study]


@pytest.mark.parametrize("plot", FIGURES, ids=lambda plot: plot.__name__)
def test_figures_are_shown_and_change_nothing_global(plot, good_fit):
    before = mpl.rcParams.copy()
    figure = plot(good_fit)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert mpl.rcParams == before
    assert "matplotlib.pyplot" not in plot.__module__


def test_one_panel_per_subject_and_parameter(good_fit):
    assert len(plot_individual_fits(good_fit).axes) == 12
    assert len(plot_individual_fits(good_fit, subjects=["3", "7"]).axes) == 2
    assert len(plot_prior_posterior(good_fit).axes) == 8


def test_individual_panel_draws_the_observations(good_fit):
    axes = plot_individual_fits(good_fit, subjects=["2"]).axes[0]
    points = next(line for line in axes.lines if line.get_marker() == "o")
    assert np.array_equal(points.get_ydata(), good_fit["observed_data"]["DV_Cc"].values[10:20])
    line = axes.lines[1]
    assert np.allclose(
        line.get_ydata(), np.median(good_fit["posterior"]["Cc"].values[..., 10:20], axis=(0, 1))
    )


def test_decision_has_one_row_per_regimen():
    figure = plot_decision(make_decision(make_future()))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["low", "high"]


def test_study_is_drawn_from_a_study_too(good_fit):
    class Units:
        time, outputs = "h", {"Cc": "mg/L"}

    class Study:
        units, outputs, rows = Units, ("Cc",), {"Cc": np.arange(1, 4)}
        records = pd.DataFrame(
            {"ID": "a", "TIME": [0.0, 1, 2, 3], "DV": [np.nan, 5, 4, 3], "CENS": 0, "EVID": [1, 0, 0, 0]}
        )

    axes = plot_study(Study()).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [5.0, 4.0, 3.0]
    assert axes.get_xlabel() == "Time (h)"


def test_missing_predictions_are_named(fit):
    del fit["population_predictive"], fit["posterior_predictive"], fit["prior"]
    with pytest.raises(CalibrationError, match="posterior_predictive"):
        plot_goodness_of_fit(fit)
    with pytest.raises(CalibrationError, match="group 'prior'"):
        plot_prior_posterior(fit)
    assert len(plot_individual_fits(fit).axes) == 12


def test_logarithmic_axes_have_plain_numbers(fit):
    fit["observed_data"]["DV_Cc"][0] = 0.01
    axes = plot_goodness_of_fit(fit).axes[0]
    assert axes.get_xscale() == "log"
    assert not [label for label in axes.get_xticklabels() + axes.get_yticklabels() if "$" in label.get_text()]


def test_names_are_never_formulae(fit):
    renamed = fit["constant_data"].to_dataset().assign_coords(subject=[f"$x_{i}" for i in range(12)])
    fit["constant_data"] = xr.DataTree(renamed)
    assert plot_individual_fits(fit, subjects=["$x_1"])._repr_png_()
