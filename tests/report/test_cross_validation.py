import warnings

import arviz_stats
import numpy as np
import pytest

from qsp_bayes.report.cross_validation import cross_validate, section


def test_numbers_are_arviz_numbers(good_fit):
    found = cross_validate(good_fit, "Cc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = arviz_stats.loo(good_fit, var_name="DV_Cc", pointwise=True)
    assert (found.elpd, found.se, found.p_loo) == (expected.elpd, expected.se, expected.p)
    assert found.n_unreliable == np.sum(expected.pareto_k.values > expected.good_k)


def calm(fit):
    fit["log_likelihood"]["DV_Cc"][:] = -1 + 0.1 * np.random.default_rng(1).normal(size=(4, 250, 120))
    return fit


def test_an_observation_that_dominates_is_listed(fit):
    calm(fit)["log_likelihood"]["DV_Cc"][..., 17] = -2.0 * np.random.default_rng(1).exponential(size=(4, 250))
    found = cross_validate(fit, "Cc")
    assert found.n_unreliable == 1
    assert found.verdict.startswith("1 observation of Cc (of 120)")
    (row,) = section(fit, {"Cc": cross_validate(fit, "Cc")}).blocks[-1].rows
    assert row[0] == "2"
    assert float(row[1]) == pytest.approx(fit["constant_data"]["time_Cc"].values[17], rel=5e-3)


def test_calm_likelihood_is_trusted(fit):
    assert cross_validate(calm(fit), "Cc").verdict.endswith("the estimate can be trusted.")


def test_a_shape_that_cannot_be_estimated_is_not_trusted(fit):
    fit["log_likelihood"]["DV_Cc"][..., 17] = 20 * np.random.default_rng(1).standard_cauchy((4, 250))
    found = cross_validate(fit, "Cc")
    assert np.isnan(found.pareto_k[17])
    assert section(fit, {"Cc": cross_validate(fit, "Cc")}).blocks[-1].rows[0][-1] == "–"


def test_missing_group_is_named(fit):
    del fit["log_likelihood"]
    assert cross_validate(fit, "Cc") is None
    assert "log_likelihood" in section(fit, {"Cc": cross_validate(fit, "Cc")}).blocks[0].text
