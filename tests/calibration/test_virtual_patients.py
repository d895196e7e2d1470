"""Virtual patients: two levels kept apart, weights against closed forms, and selections that say what they cost."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from handmade import OMEGA, UNCERTAIN, calibration, fit, people
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from qsp_bayes.calibration import Statistic, VirtualPatients
from qsp_bayes.calibration.virtual.tilting import Unattainable, tilt
from qsp_bayes.data import Regimen, load_dataset, new_subjects
from qsp_bayes.errors import CalibrationError

CALIBRATION = calibration()
TIMES = [0.0, 1.0, 4.0, 12.0]


@pytest.fixture(scope="module")
def posterior():
    return fit(CALIBRATION, 40)


@pytest.fixture(scope="module")
def patients(posterior):
    return CALIBRATION.virtual_patients(posterior, people(60), draws=40, random_seed=5)


def made(values, **more):
    """Patients of given parameters, (draw, subject), in one chain."""
    data = {
        name: (("chain", "draw", "subject"), np.asarray(array)[None])
        for name, array in {"x": values, **more}.items()
    }
    n_draws, n = np.shape(values)
    coords = {"chain": [0], "draw": range(n_draws), "subject": [f"new {i}" for i in range(n)]}
    return VirtualPatients(
        xr.Dataset(data, coords), xr.Dataset(coords={"subject": coords["subject"]}), "made"
    )


def normal_quantiles(n):
    """Points that have the normal distribution's moments to high accuracy."""
    return scipy.stats.norm.ppf((np.arange(n) + 0.5) / n)


def test_patients_are_those_whom_simulate_draws(posterior, patients):
    regimens = {"a": Regimen(100), "b": Regimen(2, unit="mg/kg", per="WT")}
    by_subjects = CALIBRATION.simulate(posterior, regimens, people(60), TIMES, draws=40, random_seed=5)
    by_patients = CALIBRATION.simulate(posterior, regimens, patients, TIMES)
    for group in ("predictions", "dosing", "constant_data"):
        xr.testing.assert_identical(by_patients[group].to_dataset(), by_subjects[group].to_dataset())


def test_variance_is_split_as_in_the_closed_form():
    """log CL = log TV + omega eta: variance of log TV, and mean square of omega."""
    known = fit(CALIBRATION, 800, omega_uncertain=0.2)
    heavy = people(200, np.full(200, 140.0))
    patients = CALIBRATION.virtual_patients(known, heavy, draws=800, random_seed=1)
    draws = known["posterior"].to_dataset()
    table = patients.table
    for name in ("CL", "Vc"):
        uncertainty = float(np.log(draws[f"TV{name}"]).var(ddof=1))
        variability = float((draws[f"omega_{name}"] ** 2).mean())
        assert table.loc[name, "uncertainty"] == pytest.approx(uncertainty, rel=0.05)
        assert table.loc[name, "variability"] == pytest.approx(variability, rel=0.02)
        share = uncertainty / (uncertainty + variability)
        assert table.loc[name, "share_uncertain"] == pytest.approx(share, rel=0.05)
        low, high = np.quantile(draws[f"omega_{name}"], [0.05, 0.95])
        # Each spread is estimated from 200 individuals, which widens its interval a little.
        assert table.loc[name, "spread_q05"] == pytest.approx(low, rel=0.06)
        assert table.loc[name, "spread_q95"] == pytest.approx(high, rel=0.06)
        total = np.log(patients.parameters[name].to_numpy()).var(ddof=1)
        assert table.loc[name, ["uncertainty", "variability"]].sum() == pytest.approx(total, rel=0.01)
    assert table.loc["KA", "variability"] == 0
    assert table.loc["KA", "share_uncertain"] == 1
    assert table.loc["KA", "uncertainty"] == pytest.approx(UNCERTAIN**2, rel=0.15)
    assert "KA is the same for all patients" in patients.summary()
    assert "% variability" in patients._repr_html_()


def test_few_patients_do_not_pass_for_uncertainty():
    """Means of 5 individuals vary by chance: without the correction all of it would count as uncertainty."""
    certain = fit(CALIBRATION, 400, uncertain=0.0)
    patients = CALIBRATION.virtual_patients(certain, people(5, np.full(5, 70.0)), draws=400, random_seed=1)
    naive = np.log(patients.parameters["CL"]).mean("subject").var().item()
    assert naive > 0.7 * OMEGA["omega_CL"] ** 2 / 5
    assert patients.table.loc["CL", "uncertainty"] < 0.2 * naive


@pytest.mark.parametrize("delta", [-1.0, 0.3, 1.0])
def test_a_normal_tilted_to_another_mean_is_the_shifted_normal(delta):
    """w = exp(delta x - delta^2 / 2), whose effective share is exp(-delta^2)."""
    x = normal_quantiles(200_000)
    weights = made([x]).match([Statistic("x", mean=delta)])
    w = weights.values.to_numpy().ravel()
    inner = abs(x) < 2.5
    np.testing.assert_allclose(w[inner] * x.size, np.exp(delta * x[inner] - delta**2 / 2), rtol=5e-3)
    assert weights.ess / x.size == pytest.approx(np.exp(-(delta**2)), rel=5e-3)
    assert w @ (x - delta) ** 2 == pytest.approx(1.0, rel=5e-3)
    assert w @ x == pytest.approx(delta, abs=1e-8)


@pytest.mark.parametrize("sd", [0.6, 1.2])
def test_a_normal_tilted_to_another_sd_is_that_normal(sd):
    """The effective share is the inverse of the integral of q^2 / p: sd sqrt(2 - sd^2)."""
    x = normal_quantiles(20_000)
    weights = made([x]).match([Statistic("x", mean=0.0, sd=sd)])
    assert weights.ess / x.size == pytest.approx(sd * np.sqrt(2 - sd**2), rel=2e-2)
    w = weights.values.to_numpy().ravel()
    below = [w[x <= sd * z].sum() for z in (-1, 0, 1)]
    np.testing.assert_allclose(below, scipy.stats.norm.cdf([-1, 0, 1]), atol=2e-3)


def test_shares_and_quantiles_give_weights_in_steps():
    x = np.arange(10.0)
    quantile = made([x]).match([Statistic("x", quantiles={0.5: 3.0})]).values.to_numpy().ravel()
    np.testing.assert_allclose(quantile, np.where(x <= 3, 0.5 / 4, 0.5 / 6))
    share = made([x]).match([Statistic("x", proportions={(7.0, np.inf): 0.6})]).values.to_numpy().ravel()
    np.testing.assert_allclose(share, np.where(x >= 7, 0.6 / 3, 0.4 / 7))


def test_weights_have_the_least_entropy_of_all():
    """The primal problem, solved by another method."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(12, 2))
    targets = np.array([0.3, -0.2])

    def entropy(w):
        return float(np.sum(w * np.log(np.maximum(w, 1e-300) * len(w))))

    found = minimize(
        entropy,
        np.full(12, 1 / 12),
        bounds=[(1e-12, 1)] * 12,
        constraints=[
            {"type": "eq", "fun": lambda w: w.sum() - 1},
            {"type": "eq", "fun": lambda w: w @ values - targets},
        ],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert found.success
    np.testing.assert_allclose(tilt(values, targets), found.x, atol=1e-6)


@settings(max_examples=60)
@given(st.integers(5, 40), st.integers(1, 4), st.integers(0, 10_000))
def test_whatever_can_be_attained_is_attained_by_the_least_change(n, k, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, k)) * rng.lognormal(0, 3, k)
    some = rng.dirichlet(np.full(n, 2.0))
    weights = tilt(values, some @ values)
    np.testing.assert_allclose(weights @ values, some @ values, atol=1e-7 * np.abs(values).max())
    assert weights.sum() == pytest.approx(1)

    def entropy(w):
        return np.sum(scipy.special.xlogy(w, w))

    assert entropy(weights) <= entropy(some) + 1e-9


@settings(max_examples=40)
@given(st.integers(3, 20), st.integers(2, 3), st.integers(0, 10_000))
def test_what_lies_outside_the_hull_is_refused(n, k, seed):
    """A target beyond the points in some direction, though it may be within the range of each value alone."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, k))
    direction = rng.normal(size=k)
    along = values @ direction
    beyond = values[np.argmax(along)] + 0.3 * direction / np.linalg.norm(direction)
    assert beyond @ direction > along.max()
    with pytest.raises(Unattainable):
        tilt(values, beyond)


def test_weights_within_draws_leave_the_draws_as_probable(posterior):
    patients = CALIBRATION.virtual_patients(posterior, people(400), draws=40)
    weights = patients.match([Statistic("CL", mean=3.3, sd=1.0), Statistic("WT", quantiles={0.5: 72.0})])
    np.testing.assert_allclose(weights.by_draw, 1 / 40, rtol=1e-12)
    np.testing.assert_allclose(weights.mean(patients.parameters["CL"]), 3.3, rtol=1e-7)
    variance = weights.mean((patients.parameters["CL"] - 3.3) ** 2)
    np.testing.assert_allclose(np.sqrt(variance), 1.0, rtol=1e-7)
    assert (weights.ess_by_draw <= 400 + 1e-9).all()
    assert weights.ess == pytest.approx(1600 / float((1 / weights.ess_by_draw).sum()))
    np.testing.assert_allclose(weights.table["after"], weights.table["target"], rtol=1e-7)
    assert "Every draw of the population stays as probable" in weights.summary()
    assert "variance of CL" in weights._repr_html_()


def test_weights_across_draws_change_what_is_known_and_say_so(patients):
    weights = patients.match([Statistic("CL", mean=3.3)], across="draws")
    assert float(weights.by_draw.std()) > 0.05 / 40
    assert float((weights.values * patients.parameters["CL"]).sum()) == pytest.approx(3.3, rel=1e-8)
    # Draws whose individuals eliminate fast become more probable.
    assert xr.corr(weights.by_draw, patients.parameters["CL"].mean("subject")).item() > 0.9
    # Each draw keeps a mean of its own, nearer to the target than before.
    means = weights.mean(patients.parameters["CL"])
    assert float(means.std()) > 0.1
    assert "no longer that of the posterior" in weights.summary()
    with pytest.raises(CalibrationError, match="across draws"):
        patients.select(weights, 20, random_seed=1)


def test_statistics_of_measured_values(posterior, patients):
    future = CALIBRATION.simulate(
        posterior, Regimen(100), patients, TIMES, measures={"peak": lambda x: x["Cc"].max("time")}
    )
    peak = future["measures"]["peak"].isel(regimen=0, drop=True)
    target = float(peak.mean()) * 1.1
    weights = patients.match([Statistic(peak, mean=target, name="peak")])
    np.testing.assert_allclose(weights.mean(peak), target, rtol=1e-7)
    with pytest.raises(CalibrationError, match="there must be one value"):
        patients.match([Statistic(peak.isel(subject=slice(5)), mean=target)])
    with pytest.raises(CalibrationError, match="not all finite"):
        patients.match([Statistic(peak.where(peak > 2), mean=target)])


@pytest.mark.parametrize(
    ("statistics", "options", "message"),
    [
        ([Statistic("x", mean=9.5)], {}, r"chain 0, draw 0 have a mean of x of 9.5: .* 0 to 9"),
        ([Statistic("x", mean=8.7)], {"lowest_ess": 0.3}, r"leave 1\.\d effective patients of 10 in chain 0, draw 0"),
        ([Statistic("x", mean=1.0), Statistic("y", mean=-1.0)], {}, "all targets together .mean of x, mean of y"),
        ([Statistic("x", mean=1.0), Statistic("same", mean=3.0)], {}, "mean of same of 3: .* 2 to 2"),
        ([Statistic("z", mean=1.0)], {}, "no parameter or covariate 'z'; they have x, y, same"),
        ([Statistic("x", mean=4.0)], {"across": "chains"}, "across is 'chains'"),
        ([Statistic("x", mean=4.0)], {"lowest_ess": 2.0}, "lowest_ess is 2"),
        ([], {}, "as a list"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be_had_are_refused(statistics, options, message):
    x = np.arange(10.0)
    patients = made([x, x + 0.1], y=[-x, -x], same=[np.full(10, 2.0)] * 2)
    with pytest.raises(CalibrationError, match=message):
        patients.match(statistics, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "there is none"),
        ({"sd": 1.0}, "sd 1 with mean None"),
        ({"mean": 1.0, "sd": -1.0}, "a positive sd"),
        ({"mean": np.nan}, "not a number"),
        ({"quantiles": {50: 3.0}}, "50 is no probability"),
        ({"quantiles": {0.5: 3.0, 0.9: 2.0}}, "do not increase"),
        ({"proportions": {(3, 1): 0.5}}, "the lower bound first"),
    ],
)
def test_statistics_that_contradict_themselves(arguments, message):
    with pytest.raises(CalibrationError, match=message):
        Statistic("CL", **arguments)


@pytest.mark.parametrize("replacement", [True, False])
def test_selected_patients_have_the_statistics_without_weights(replacement):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 4000))
    patients = made(x)
    weights = patients.match([Statistic("x", mean=0.5)])
    n = 400
    chosen = patients.select(weights, n, random_seed=7, replacement=replacement)
    values = chosen.parameters["x"].to_numpy()[0]
    assert len(chosen) == n
    assert chosen.labels[-1] == "patient 400"
    z = (values.mean(axis=1) - 0.5) * np.sqrt(n)
    assert abs(z.mean()) < 4 / np.sqrt(30)
    assert scipy.stats.kstest(values.ravel(), scipy.stats.norm(0.5, 1).cdf).statistic < 0.02
    for row, all_of_draw in zip(values, x, strict=True):
        assert np.isin(row, all_of_draw).all()
        assert replacement or len(np.unique(row)) == n
    again = patients.select(weights, n, random_seed=7, replacement=replacement)
    xr.testing.assert_identical(again.parameters, chosen.parameters)
    other = patients.select(weights, n, random_seed=8, replacement=replacement)
    assert not other.parameters.equals(chosen.parameters)
    assert "selected to have mean of x 0.5" in chosen.origin


def test_acceptance_says_when_there_are_too_few(patients):
    weights = patients.match([Statistic("CL", mean=3.3)])
    with pytest.raises(CalibrationError, match=r"Only \d+ of 60 patients of a draw are accepted, and 60"):
        patients.select(weights, 60, random_seed=1, replacement=False)
    with pytest.raises(CalibrationError, match="whole number"):
        patients.select(weights, 0, random_seed=1)


def test_selected_patients_are_simulated_with_their_own_weights(posterior, patients):
    regimens = {"flat": Regimen(100), "per kg": Regimen(2, unit="mg/kg", per="WT")}
    weights = patients.match([Statistic("WT", mean=74.0)])
    chosen = patients.select(weights, 25, random_seed=3)
    assert chosen.covariates["WT"].dims == ("chain", "draw", "subject")
    assert chosen.covariates["WT"].attrs["units"] == "kg"
    original = CALIBRATION.simulate(posterior, regimens, patients, TIMES)["predictions"]["Cc"]
    future = CALIBRATION.simulate(posterior, regimens, chosen, TIMES)
    found, amounts = future["predictions"]["Cc"], future["dosing"]["amount_given"]
    for chain, draw in ((0, 0), (1, 13)):
        at = {"chain": chain, "draw": draw}
        before, after = (data.parameters["CL"].isel(at).to_numpy() for data in (patients, chosen))
        rows = np.array([np.flatnonzero(before == value)[0] for value in after])
        np.testing.assert_array_equal(found.isel(at), original.isel(at).isel(subject=rows))
        WT = chosen.covariates["WT"].isel(at)
        np.testing.assert_array_equal(WT, people(60).table["WT"].to_numpy()[rows])
        np.testing.assert_allclose(amounts.isel(at).sel(regimen="per kg"), 2 * WT)
    # What is not matched stays uncertain: the draws of the population are those of the posterior.
    draws = posterior["posterior"].to_dataset()
    xr.testing.assert_equal(
        chosen.parameters["KA"].drop_vars("subject", errors="ignore"), draws["TVKA"].rename("KA")
    )
    measured = CALIBRATION.simulate(
        posterior,
        regimens,
        chosen,
        TIMES,
        measures={"given": lambda x: x["amount_given"] + 0 * x["Cc"].max("time")},
    )
    np.testing.assert_allclose(
        measured["measures"]["given"].sel(regimen="per kg"), amounts.sel(regimen="per kg")
    )


def test_patients_of_another_fit_are_refused(posterior, patients):
    with pytest.raises(CalibrationError, match="from another fit"):
        CALIBRATION.simulate(fit(CALIBRATION, 20), Regimen(100), patients, TIMES)
    with pytest.raises(CalibrationError, match="from another fit"):
        CALIBRATION.simulate(fit(CALIBRATION, 40, times=(1.0, 2.0)), Regimen(100), patients, TIMES)
    with pytest.raises(CalibrationError, match="draws=10: virtual patients bring"):
        CALIBRATION.simulate(posterior, Regimen(100), patients, TIMES, draws=10)
    with pytest.raises(CalibrationError, match="change: CL"):
        CALIBRATION.simulate(posterior, Regimen(100), patients, TIMES, change={"CL": lambda CL: CL.mean()})


def test_covariates_come_from_a_study_or_from_stated_distributions(posterior):
    study = load_dataset("theophylline")
    stated = new_subjects(study, 30, 1, distribution={"WT": scipy.stats.uniform(100, 20)})
    patients = CALIBRATION.virtual_patients(posterior, stated, draws=8)
    np.testing.assert_array_equal(patients.covariates["WT"], stated.covariates["WT"])
    assert patients.covariates["WT"].min() >= 100
    ratio = (
        patients.parameters["Vc"]
        / posterior["posterior"].to_dataset().sel(draw=patients.parameters["draw"])["TVVc"]
    )
    np.testing.assert_allclose(np.log(ratio).mean(), np.log(110 / 70), atol=0.05)


def test_patients_are_frozen_and_copied(patients):
    with pytest.raises(dataclasses.FrozenInstanceError):
        patients.origin = "elsewhere"
    for again in (copy.deepcopy(patients), pickle.loads(pickle.dumps(patients))):
        xr.testing.assert_identical(again.parameters, patients.parameters)
        assert repr(again) == repr(patients)
