"""Priors are the distributions that their specifications say, checked against scipy."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from qsp_bayes.calibration import Prior, Priors, Source
from qsp_bayes.calibration.families import FAMILIES
from qsp_bayes.errors import PriorError, UnitsError

EXAMPLES = {
    "LogNormal": {"mu": 0.3, "sigma": 0.7},
    "Normal": {"mu": -1.0, "sigma": 2.0},
    "LogitNormal": {"mu": 0.4, "sigma": 1.3},
    "HalfNormal": {"sigma": 0.5},
    "HalfCauchy": {"beta": 0.5},
    "Exponential": {"scale": 2.0},
    "Gamma": {"mu": 20.0, "sigma": 14.0},
    "InverseGamma": {"alpha": 3.0, "beta": 2.0},
    "StudentT": {"nu": 4.0, "mu": 1.0, "sigma": 2.0},
    "LKJCorr": {"eta": 2.0},
    "Beta": {"alpha": 2.0, "beta": 3.0},
    "Uniform": {"lower": 1.0, "upper": 4.0},
    "TruncatedNormal": {"mu": 1.0, "sigma": 2.0, "lower": 0.0, "upper": 5.0},
}


def prior(**specification):
    return Prior(**{"unit": "", "source": "a test", **specification})


def test_every_family_is_the_pymc_distribution_that_scipy_describes():
    assert EXAMPLES.keys() == FAMILIES.keys()
    laws = {name: prior(distribution=name, **parameters).law for name, parameters in EXAMPLES.items()}
    points = {name: law.ppf([0.03, 0.4, 0.95]) for name, law in laws.items() if name != "LKJCorr"}
    graphs = [
        pm.logp(FAMILIES[name].distribution.dist(**EXAMPLES[name]), pt.constant(x))
        for name, x in points.items()
    ]
    evaluate = pytensor.function([], graphs, mode="FAST_COMPILE")
    for (name, x), logp in zip(points.items(), evaluate(), strict=True):
        np.testing.assert_allclose(logp, laws[name].logpdf(x), rtol=1e-7, err_msg=name)


def test_median_with_cv_is_the_lognormal_of_that_coefficient_of_variation():
    clearance = prior(median=2.8, cv=0.4)
    law = stats.lognorm(np.sqrt(np.log(1 + 0.4**2)), scale=2.8)
    assert clearance.median == pytest.approx(2.8, rel=1e-12)
    assert law.std() / law.mean() == pytest.approx(0.4, rel=1e-12)
    np.testing.assert_allclose(clearance.quantile([0.05, 0.95]), law.ppf([0.05, 0.95]), rtol=1e-12)


@pytest.mark.parametrize(
    ("specification", "law"),
    [
        ({"median": 2.0, "sd_log": 0.5}, stats.lognorm(0.5, scale=2.0)),
        ({"median": -1.0, "sd": 0.5}, stats.norm(-1.0, 0.5)),
    ],
)
def test_median_with_a_spread_on_its_scale(specification, law):
    np.testing.assert_allclose(prior(**specification).quantile([0.1, 0.5, 0.8]), law.ppf([0.1, 0.5, 0.8]))


@pytest.mark.parametrize("family", ["LogNormal", "Normal", "LogitNormal"])
@pytest.mark.parametrize("names", [("q05", "q95"), ("q025", "q975"), ("q10", "q50")])
def test_quantiles_are_met(family, names):
    low, high = 0.2, 0.7
    given = prior(distribution=family, **dict(zip(names, (low, high), strict=True)))
    probabilities = [float(f"0.{name[1:]}") for name in names]
    np.testing.assert_allclose(given.quantile(probabilities), [low, high], rtol=1e-12)
    assert given.distribution == family


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({}, "No distribution"),
        ({"median": 1.0}, "exactly one of"),
        ({"median": 1.0, "cv": 0.3, "sd_log": 0.3}, "exactly one of"),
        ({"median": -1.0, "cv": 0.3}, "positive"),
        ({"median": 1.0, "cv": 0.0}, "positive"),
        ({"median": 1.0, "cv": 0.3, "distribution": "Normal"}, "Leave one out"),
        ({"median": 1.5, "sd_logit": 1.0}, "between 0 and 1"),
        ({"q05": 2.0, "q95": 1.0}, "increase"),
        ({"q05": 1.0}, "Two quantiles"),
        ({"q05": 1.0, "q95": 2.0, "distribution": "Gamma"}, "Quantiles fix"),
        ({"distribution": "Cauchy", "alpha": 0.0, "beta": 1.0}, "not known"),
        ({"distribution": "HalfNormal", "sd": 0.5}, "has the parameters sigma"),
        ({"distribution": "HalfNormal", "sigma": -0.5}, "not a distribution"),
        ({"distribution": "Normal", "mu": "0", "sigma": 1.0}, "finite number"),
        ({"distribution": "Normal", "mu": 0.0, "sigma": True}, "finite number"),
    ],
)
def test_a_specification_that_is_no_distribution_is_refused(specification, message):
    with pytest.raises(PriorError, match=message):
        prior(**specification)


def test_unit_and_source_are_checked():
    with pytest.raises(UnitsError):
        prior(median=1.0, cv=0.3, unit="L per blink")
    with pytest.raises(PriorError, match="needs a text"):
        prior(median=1.0, cv=0.3, source="")
    with pytest.raises(PriorError, match="kind"):
        Source("a paper", kind="hearsay")
    assert prior(median=1.0, cv=0.3, source="my view").source == Source("my view", kind="assumption")


@pytest.mark.parametrize(
    "family", [name for name in FAMILIES if name not in ("LogitNormal", "Beta", "LKJCorr")]
)
def test_scaling_multiplies_every_quantile(family):
    given = prior(distribution=family, **EXAMPLES[family])
    p = [0.05, 0.5, 0.95]
    np.testing.assert_allclose(given.scaled(2.0).quantile(p), 2.0 * given.quantile(p), rtol=1e-10)


def test_scaling_leaves_fixed_ranges_alone_unless_named():
    priors = Priors({"TVF": prior(median=0.6, sd_logit=1.0), "TVCL": prior(median=2.0, cv=0.5)})
    doubled = priors.scaled(2.0)
    assert doubled["TVCL"].median == pytest.approx(4.0)
    assert doubled["TVF"] == priors["TVF"]
    with pytest.raises(PriorError, match="fixed"):
        priors.scaled(2.0, ["TVF"])


def test_priors_do_not_change_and_show_themselves_escaped():
    priors = Priors({"TVCL": prior(median=2.0, cv=0.5, source="<b>bold</b>")})
    replaced = priors.replace(TVCL=prior(median=3.0, cv=0.5))
    assert priors["TVCL"].median == pytest.approx(2.0)
    assert replaced["TVCL"].median == pytest.approx(3.0)
    assert "<b>" not in priors._repr_html_()
    with pytest.raises(TypeError):
        priors["TVCL"] = prior(median=1.0, cv=0.5)
    with pytest.raises(KeyError, match="there are TVCL"):
        priors["TVVc"]


def test_anything_that_creates_a_variable_is_a_prior():
    class Fancy:
        def create_variable(self, name):
            return pm.Normal(name)

    priors = Priors({"TVCL": Fancy()})
    assert priors.table()[0]["source"] == "not stated"
    with pm.Model() as model:
        priors["TVCL"].create_variable("TVCL")
    assert [variable.name for variable in model.free_RVs] == ["TVCL"]
    with pytest.raises(PriorError, match="create_variable"):
        Priors({"TVCL": 1.0})
