"""Contraction: against moments in closed form, known posteriors, and draws."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.special import polygamma
from scipy.stats import norm

from qsp_bayes.calibration import Calibration, LogNormal, Prior, Priors, load_priors
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.data import load_dataset
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability import contraction
from qsp_bayes.identifiability.contraction import verdict
from qsp_bayes.identifiability.knowledge import of_law
from qsp_bayes.models import EVANS_1994, gas_uptake_pbpk
from qsp_bayes.report import plot_contraction

EVEN = (np.arange(2000) + 0.5) / 2000


def trigamma(a):
    return float(polygamma(1, a))


@pytest.mark.parametrize(
    ("family", "parameters", "scale", "sd"),
    [
        ("LogNormal", {"mu": 3.0, "sigma": 1.5}, "log", 1.5),
        ("Normal", {"mu": -1.0, "sigma": 0.2}, "identity", 0.2),
        ("LogitNormal", {"mu": 0.3, "sigma": 0.7}, "logit", 0.7),
        ("HalfNormal", {"sigma": 3.0}, "log", np.pi / np.sqrt(8)),
        ("HalfCauchy", {"beta": 2.0}, "log", np.pi / 2),
        ("Exponential", {"scale": 2.0}, "log", np.pi / np.sqrt(6)),
        ("Gamma", {"mu": 20.0, "sigma": 14.0}, "log", np.sqrt(trigamma((20 / 14) ** 2))),
        ("InverseGamma", {"alpha": 3.0, "beta": 2.0}, "log", np.sqrt(trigamma(3))),
        ("Beta", {"alpha": 2.0, "beta": 5.0}, "logit", np.sqrt(trigamma(2) + trigamma(5))),
        ("Uniform", {"lower": 0.0, "upper": 1.0}, "logit", np.pi / np.sqrt(3)),
        ("Uniform", {"lower": -1.0, "upper": 3.0}, "identity", 4 / np.sqrt(12)),
        ("StudentT", {"nu": 5.0, "mu": 1.0, "sigma": 2.0}, "identity", 2 * np.sqrt(5 / 3)),
    ],
)
def test_moments_of_priors_are_those_of_closed_forms(family, parameters, scale, sd):
    """Variances of logarithms are trigamma functions."""
    found = of_law(family, parameters)
    assert found.scale == scale
    np.testing.assert_allclose(found.sd, sd, rtol=1e-6)
    assert (np.diff(found.quantiles) > 0).all()


def fabricated(posterior, priors, prior=None):
    """A fit of which the posterior is known."""
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(posterior), **({"prior": xr.Dataset(prior)} if prior else {})}
    )
    tree.attrs = as_attribute({"priors": Priors(priors).table()})
    return tree


def draws(values):
    return (("chain", "draw"), np.random.default_rng(1).permutation(values).reshape(2, -1))


def assumed(**law):
    return Prior(unit="", source="assumed", **law)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.1), (0.3, 0.5), (1.5, 0.7), (0.0, 1.0), (-4.0, 0.2)])
def test_normal_posterior_of_a_normal_prior(mean, sd):
    """All numbers against closed forms, and the overlap against an integral of densities."""
    fit = fabricated(
        {"TVCL": draws(np.exp(2 + 0.5 * norm(mean, sd).ppf(EVEN)))},
        {"TVCL": assumed(distribution="LogNormal", mu=2.0, sigma=0.5)},
    )
    found = contraction(fit).table.loc["TVCL"]
    assert (found["scale"], found["prior"]) == ("log", "law")
    np.testing.assert_allclose(found["contraction"], 1 - sd**2, atol=4e-3)
    np.testing.assert_allclose(found["shift"], mean, atol=2e-3)
    np.testing.assert_allclose(found["posterior_median"], np.exp(2 + 0.5 * mean), rtol=1e-3)
    np.testing.assert_allclose(found["prior_median"], np.exp(2), rtol=1e-9)
    common = quad(lambda x: min(norm.pdf(x), norm.pdf(x, mean, sd)), -10, 10, points=[mean], limit=500)[0]
    np.testing.assert_allclose(found["overlap"], common, atol=0.05)


def test_words():
    assert verdict(0.81, 0.0) == "informed"
    assert verdict(0.1, 0.4) == verdict(-0.1, 0.0) == "not informed"
    assert verdict(0.1, 0.6) == verdict(0.5, 0.0) == "partly"


def test_data_that_say_nothing_are_seen_to_say_nothing():
    """Random draws of the prior itself as the posterior, for priors of every scale."""
    rng = np.random.default_rng(3)
    laws = {
        "a": assumed(distribution="LogNormal", mu=1.0, sigma=2.0),
        "b": assumed(distribution="HalfNormal", sigma=0.3),
        "c": assumed(distribution="LogitNormal", mu=0.0, sigma=1.0),
        "d": assumed(distribution="Normal", mu=0.0, sigma=1.0),
        "e": assumed(distribution="Gamma", mu=20.0, sigma=14.0),
    }
    posterior = {
        name: (("chain", "draw"), prior.quantile(rng.uniform(size=(4, 500)))) for name, prior in laws.items()
    }
    found = contraction(fabricated(posterior, laws))
    assert found.named("not informed") == list(laws)
    assert np.abs(found.table["contraction"]).max() < 0.15
    assert found.table["overlap"].min() > 0.93
    assert found.summary() == "They leave as the prior has it: a, b, c, d, e."


class OwnPrior:
    """Something that makes a variable and tells no law."""

    def create_variable(self, name, **keywords):
        raise NotImplementedError


def test_a_prior_that_tells_no_law_is_known_from_its_draws():
    values = norm.ppf(EVEN)
    posterior = {"TVCL": draws(np.exp(0.3 * values))}
    fit = fabricated(posterior, {"TVCL": OwnPrior()}, {"TVCL": draws(np.exp(values))})
    found = contraction(fit).table.loc["TVCL"]
    assert found["prior"] == "draws"
    np.testing.assert_allclose(found["contraction"], 1 - 0.09, atol=1e-6)
    with pytest.raises(CalibrationError, match="neither the law of the prior of TVCL nor draws of it"):
        contraction(fabricated(posterior, {"TVCL": OwnPrior()}))


def test_vectors_and_correlations_are_told_entry_by_entry():
    rng = np.random.default_rng(5)
    effects = xr.DataArray(rng.normal(0, [0.02, 0.2], (2, 400, 2)), dims=("chain", "draw", "dose"))
    corr = np.broadcast_to(np.eye(2), (2, 400, 2, 2)).copy()
    corr[..., 0, 1] = corr[..., 1, 0] = rng.uniform(0.5, 0.6, (2, 400))
    before = corr.copy()
    before[..., 0, 1] = before[..., 1, 0] = rng.uniform(-1, 1, (2, 400))
    dims = ("chain", "draw", "parameter", "other")
    names = {"parameter": ["CL", "Vc"], "other": ["CL", "Vc"]}
    fit = fabricated(
        {"e_dose_cl": effects.assign_coords(dose=[10.0, 30.0]), "corr_eta": xr.DataArray(corr, names, dims)},
        {
            "e_dose_cl": assumed(distribution="Normal", mu=0.0, sigma=0.2),
            "corr_eta": assumed(distribution="LKJCorr", eta=1.0),
            "TVunused": assumed(distribution="Normal", mu=0.0, sigma=1.0),
        },
        {"corr_eta": xr.DataArray(before, names, dims)},
    )
    found = contraction(fit).table
    assert list(found.index) == ["e_dose_cl[10]", "e_dose_cl[30]", "corr_eta[CL, Vc]"]
    assert list(found["verdict"]) == ["informed", "not informed", "informed"]
    assert list(found["prior"]) == ["law", "law", "draws"]


def test_a_fit_tells_the_law_of_every_prior():
    """What `Calibration.fit` stores is enough, and survives the text in which it is stored."""
    priors = load_priors("ccl4_rat")
    calibration = Calibration(
        gas_uptake_pbpk(), priors, error={"Cchamber": LogNormal()}, fix={"kloss": 0.02, "MW": 153.8}
    )
    facts = describe_fit(calibration, load_dataset("ccl4_rat_inhalation"), 1, {})
    for row in json.loads(as_attribute(facts)["qsp_bayes"])["priors"]:
        prior = priors[row["name"]]
        assert (row["family"], row["parameters"]) == (prior.distribution, dict(prior.parameters))
        assert of_law(row["family"], row["parameters"]).exact
    assert set(EVANS_1994) < set(gas_uptake_pbpk().parameters)


def test_what_is_no_fit_is_refused():
    with pytest.raises(CalibrationError, match="carries no qsp_bayes facts"):
        contraction(xr.DataTree())
    empty = xr.DataTree()
    empty.attrs = as_attribute({"priors": []})
    with pytest.raises(CalibrationError, match="no posterior draws"):
        contraction(empty)


def test_figure_shows_every_variable_where_its_posterior_is():
    values = norm.ppf(EVEN)
    fit = fabricated(
        {"TVCL": draws(np.exp(2 + 0.1 * values)), "TVQ": draws(np.exp(0.9 * values))},
        {
            "TVQ": assumed(distribution="LogNormal", mu=0.0, sigma=1.0),
            "TVCL": assumed(distribution="LogNormal", mu=0.0, sigma=1.0),
        },
    )
    (axes,) = plot_contraction(fit).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["TVCL", "TVQ"]
    drawn = axes.lines[0].get_xdata()
    np.testing.assert_allclose(drawn, 2 + 0.1 * norm.ppf([0.05, 0.95]), atol=0.01)
    assert [text.get_text() for text in axes.texts] == ["> 99 %", "19 %"]
    assert plot_contraction(contraction(fit)).axes
