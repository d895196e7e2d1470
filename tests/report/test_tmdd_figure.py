"""The figure of the approximations: every model in every panel."""

import numpy as np

import qsp_bayes as qb

FULL = {"CL": 0.3, "Vc": 3.0, "kon": 500.0, "koff": 100.0, "R0": 3.0, "kdeg": 1.0, "kint": 0.2}


def test_every_model_is_drawn_under_every_regimen():
    chosen = ["QE", "Michaelis-Menten"]
    found = qb.compare_tmdd(FULL, [5.0, 100.0], until=30.0, approximations=chosen)
    figure = qb.plot_tmdd_comparison(found)
    assert len(figure.axes) == 8
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["5 nmol", "100 nmol"]
    for axes in figure.axes[:6]:
        assert len(axes.lines) == 3
    free = figure.axes[1].lines[2].get_ydata()
    expected = found.data["Cc"].sel(model="Michaelis-Menten", regimen="100 nmol").values
    np.testing.assert_array_equal(free[1:], expected[1:])
    errors = figure.axes[7].lines
    assert len(errors) == 3
    assert set(errors[2].get_ydata()) == {found.tolerance}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["full model", *chosen]
