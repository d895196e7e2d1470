"""Error models: log probabilities and replicates against scipy's closed forms."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import stats

from qsp_bayes.calibration import Additive, Censored, Combined, LogNormal, Proportional, StudentT
from qsp_bayes.calibration.normal import log_cdf, log_interval
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.errors import CalibrationError

PREDICTION = np.array([0.4, 1.0, 3.0, 8.0, 20.0])
OBSERVED = np.array([0.7, 0.8, 3.9, 6.0, 35.0])
SIGMA = {"sigma_add_Cc": 0.3, "sigma_prop_Cc": 0.2, "sigma_log_Cc": 0.25, "nu_Cc": 5.0}
COMBINED_SD = np.sqrt(0.3**2 + (0.2 * PREDICTION) ** 2)
LAWS = {
    "additive": (Additive(), stats.norm(PREDICTION, 0.3)),
    "proportional": (Proportional(), stats.norm(PREDICTION, 0.2 * PREDICTION)),
    "combined": (Combined(), stats.norm(PREDICTION, COMBINED_SD)),
    "log-normal": (LogNormal(), stats.lognorm(0.25, scale=PREDICTION)),
    "student": (StudentT(Combined()), stats.t(5.0, PREDICTION, COMBINED_SD)),
    "student additive": (StudentT(Additive()), stats.t(5.0, PREDICTION, 0.3)),
}


def model_of(error, observed=OBSERVED, marks=None, limits=None):
    with pm.Model(coords={"obs_Cc": range(len(observed))}) as model:
        data = pm.Data("observed_Cc", observed, dims="obs_Cc")
        inner = error.noise("Cc", pm.math.constant(PREDICTION), Variables({}, SIGMA))
        if marks is None:
            inner.observe("DV_Cc", observed=data, dims="obs_Cc")
        else:
            error.observe("DV_Cc", inner, marks, limits, data, "obs_Cc")
    return model


def pointwise(model):
    [graph] = model.logp(vars=[model["DV_Cc"]], sum=False)
    graph = pytensor.graph.replace.clone_replace(
        graph, {model.rvs_to_values[model["DV_Cc"]]: model["observed_Cc"]}
    )
    return pytensor.function([], graph, mode="FAST_COMPILE")()


@pytest.mark.parametrize("name", LAWS)
def test_log_probability_is_the_closed_form(name):
    error, law = LAWS[name]
    np.testing.assert_allclose(pointwise(model_of(error)), law.logpdf(OBSERVED), rtol=1e-10)


@pytest.mark.parametrize("name", ["additive", "proportional", "combined", "log-normal"])
def test_censored_records_contribute_the_tail_or_the_interval(name):
    error, law = LAWS[name]
    marks = np.array([1, 1, 0, -1, -1])
    limits = np.array([np.nan, 0.0, np.nan, 9.0, np.nan])
    expected = law.logpdf(OBSERVED)
    cdf, sf = law.cdf, law.sf
    expected[0] = law.logcdf(OBSERVED)[0]
    expected[1] = np.log(cdf(OBSERVED)[1] - cdf(np.zeros(5))[1])
    expected[3] = np.log(sf(OBSERVED)[3] - sf(np.full(5, 9.0))[3])
    expected[4] = law.logsf(OBSERVED)[4]
    model = model_of(Censored(error), marks=marks, limits=limits)
    np.testing.assert_allclose(pointwise(model), expected, rtol=1e-9)


def test_replicates_pass_the_same_limits():
    marks = np.array([1, 0, 0, 0, -1])
    observed = np.array([0.5, 0.8, 3.9, 6.0, 21.0])
    model = model_of(Censored(Additive()), observed, marks, np.full(5, np.nan))
    draws = pm.draw(model["DV_Cc"], 4000, random_seed=1)
    assert draws[:, 0].min() == 0.5
    assert draws.max() == 21.0
    law = stats.norm(PREDICTION, 0.3)
    np.testing.assert_allclose((draws[:, 0] == 0.5).mean(), law.cdf(np.full(5, 0.5))[0], atol=0.03)
    np.testing.assert_allclose((draws[:, 4] == 21.0).mean(), law.sf(np.full(5, 21.0))[4], atol=0.03)


def test_normal_tails_are_finite_in_value_and_slope():
    z = np.array([-200.0, -38.0, -5.0, -1.0, -0.999, 0.0, 3.0, 38.0, 200.0])
    x = pytensor.tensor.dvector("x")
    value = log_cdf(x)
    evaluate = pytensor.function([x], [value, pytensor.grad(value.sum(), x)], mode="FAST_COMPILE")
    got, slope = evaluate(z)
    np.testing.assert_allclose(got, stats.norm.logcdf(z), rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(
        slope, np.exp(stats.norm.logpdf(z) - stats.norm.logcdf(z)), rtol=1e-9, atol=1e-300
    )


def test_interval_is_accurate_in_both_tails():
    low = np.array([-40.0, -8.0, -1.0, 7.0, 39.0])
    high = np.array([-39.0, -7.0, 2.0, 8.0, 40.0])
    a, b = pytensor.tensor.dvectors("a", "b")
    graph = log_interval(a, b)
    got, *slopes = pytensor.function(
        [a, b], [graph, *pytensor.grad(graph.sum(), [a, b])], mode="FAST_COMPILE"
    )(low, high)
    reference = np.where(low < 0, stats.norm.logcdf(high), stats.norm.logcdf(-low))
    other = np.where(low < 0, stats.norm.logcdf(low), stats.norm.logcdf(-high))
    np.testing.assert_allclose(got, reference + np.log1p(-np.exp(other - reference)), rtol=1e-9)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_what_cannot_be_combined_is_refused():
    with pytest.raises(CalibrationError, match="StudentT takes"):
        StudentT(LogNormal())
    with pytest.raises(CalibrationError, match="Censored takes"):
        Censored(StudentT())
