"""Profiles against an independent optimiser on likelihoods written by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import chi2, norm
from small_models import bolus, half_normal, level, level_study, log_normal

import qsp_bayes as qb
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability import profile


def nelder_mead(function, start):
    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 5000}
    return minimize(function, start, method="Nelder-Mead", options=options)


def limits(minus_log_likelihood, top, k, threshold, far):
    """The interval of variable k, by root finding on the profile."""

    def excess(x):
        others = nelder_mead(lambda rest: minus_log_likelihood(np.insert(rest, k, x)), np.delete(top.x, k))
        return 2 * (others.fun - top.fun) - threshold

    return [brentq(excess, top.x[k], top.x[k] + side * far, xtol=1e-5) for side in (-1, 1)]


def test_intervals_agree_with_an_independent_optimiser():
    """One subject, absorption and elimination: the analytic curve, Nelder-Mead, and Brent's method."""
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        qb.load_priors("theophylline"),
        error={"Cc": qb.Additive()},
    )
    study = qb.load_dataset("theophylline").subset(["1"])
    rows = study.rows["Cc"]
    time, observed = study.table["TIME"].to_numpy()[rows], study.table["DV"].to_numpy()[rows]
    dose = study.table["AMT"].max()

    def minus_log_likelihood(u):
        ka, cl, v, sigma = np.exp(u)
        k = cl / v
        curve = dose * ka / (v * (ka - k)) * (np.exp(-k * time) - np.exp(-ka * time))
        return -norm(curve, sigma).logpdf(observed).sum()

    top = nelder_mead(minus_log_likelihood, np.log([1.5, 2.0, 30.0, 0.5]))
    found = qb.profile_likelihood(calibration, study, progressbar=False)
    assert found.attrs["approximation"] == "exact"
    assert found.attrs["log_likelihood"] == pytest.approx(-top.fun, abs=1e-8)
    names = ["TVKA", "TVCL", "TVVc", "sigma_add_Cc"]
    np.testing.assert_allclose(found.estimate.sel(variable=names), np.exp(top.x), rtol=1e-4)
    for k, name in enumerate(names):
        expected = np.exp(limits(minus_log_likelihood, top, k, chi2(1).ppf(0.95), 1.5))
        one = found.sel(variable=name)
        np.testing.assert_allclose([one.lower, one.upper], expected, rtol=1e-4)
        assert one.verdict.item() == "limits on both sides"


def test_intervals_with_random_effects_agree_with_the_normal_likelihood():
    rng = np.random.default_rng(5)
    n, m = 8, 3
    y = 5.0 + rng.normal(size=(n, 1)) + 0.6 * rng.normal(size=(n, m))

    def minus_log_likelihood(u):
        mean, omega, sigma = u[0], np.exp(u[1]), np.exp(u[2])
        between, within = m * omega**2 + sigma**2, sigma**2
        means = y.mean(axis=1)
        return 0.5 * (
            n * np.log(between)
            + n * (m - 1) * np.log(within)
            + m * ((means - mean) ** 2).sum() / between
            + ((y - means[:, None]) ** 2).sum() / within
            + n * m * np.log(2 * np.pi)
        )

    top = nelder_mead(minus_log_likelihood, np.array([5.0, 0.0, -0.5]))
    for simultaneous, freedom in ((False, 1), (True, 3)):
        found = qb.profile_likelihood(
            level([qb.IIV("B")]), level_study(y), simultaneous=simultaneous, level=0.9, progressbar=False
        )
        assert found.attrs["threshold"] == pytest.approx(chi2(freedom).ppf(0.9))
        for k, (name, back) in enumerate((("TVB", float), ("omega_B", np.exp), ("sigma_add_R", np.exp))):
            expected = [back(x) for x in limits(minus_log_likelihood, top, k, chi2(freedom).ppf(0.9), 4.0)]
            one = found.sel(variable=name)
            np.testing.assert_allclose([one.lower, one.upper], expected, rtol=1e-3)


def product(times=(1.0,)):
    """The level of a response is a product of two parameters, which no data can tell apart."""
    system = qb.System(
        {"central": "mg"},
        {"A": "", "B": "", "KE": "1/h"},
        [qb.Process("loss", {"central": -1}, lambda s: s.KE * s.central)],
        outputs={"Cc": qb.Output("mg", lambda s: s.A * s.B * s.central)},
        doses={"central": qb.DoseInto()},
    )
    priors = {
        "TVA": log_normal(1.0, ""),
        "TVB": log_normal(2.0, ""),
        "TVKE": log_normal(0.3, "1/h"),
        "sigma_add_Cc": half_normal(1.0, "mg"),
    }
    return qb.Calibration(system, priors, error={"Cc": qb.Additive()})


def test_a_product_of_two_parameters_has_flat_profiles():
    times = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    y = 30 * np.exp(-0.25 * times) + np.array([0.3, -0.4, 0.2, 0.1, -0.2])
    study = bolus(10.0, times, [y], unit="mg")
    found = qb.profile_likelihood(product(), study, progressbar=False)
    for name, other in (("TVA", "TVB"), ("TVB", "TVA")):
        one = found.sel(variable=name)
        assert one.verdict.item() == "flat: not identifiable"
        assert np.nanmax(np.abs(one.deviance)) < 1e-3
        assert (one.lower.item(), one.upper.item()) == (0.0, np.inf)
        assert np.isinf(one.standard_error)
        # The other follows: the product stays.
        both = one.value * one.path.sel(variable_bis=other)
        np.testing.assert_allclose(both.dropna("point"), float(both[0]), rtol=1e-3)
        assert np.nanmax(one.value) / np.nanmin(one.value) > 1e4
    assert found.verdict.sel(variable="TVKE").item() == "limits on both sides"


def test_a_prior_closes_what_the_data_leave_open():
    times = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    study = bolus(10.0, times, [30 * np.exp(-0.25 * times) + 0.1 * np.cos(times)], unit="mg")
    found = qb.profile_likelihood(product(), study, ["TVA"], penalised=True, progressbar=False)
    assert found.verdict.item() == "limits on both sides"


def test_no_variability_leaves_the_standard_deviation_open_below():
    rng = np.random.default_rng(1)
    y = 5.0 + 0.5 * rng.normal(size=(5, 4))
    y += 5.0 - y.mean(axis=1, keepdims=True)
    found = qb.profile_likelihood(level([qb.IIV("B")]), level_study(y), ["omega_B"], progressbar=False)
    assert found.verdict.item().endswith("below: no lower limit")
    assert found.lower.item() == 0.0
    assert 0 < found.upper.item() < 1.0


def test_an_interruption_keeps_what_is_finished(monkeypatch):
    y = 5.0 + np.random.default_rng(2).normal(size=(1, 12))
    follow = profile.follow

    def interrupted(top, k, threshold):
        if k == 1:
            raise KeyboardInterrupt
        return follow(top, k, threshold)

    whole = qb.profile_likelihood(level(), level_study(y), progressbar=False)
    monkeypatch.setattr(profile, "follow", interrupted)
    with pytest.warns(UserWarning, match="those of TVB are kept, those of sigma_add_R are missing"):
        part = qb.profile_likelihood(level(), level_study(y), progressbar=False)
    assert part["variable"].values.tolist() == ["TVB"]
    assert part.lower.item() == whole.lower.sel(variable="TVB").item()


def test_a_maximum_that_is_not_the_highest_is_left(monkeypatch):
    """The search is made to stop early: a profile meets a better point, and the profiles begin again from there."""
    y = 5.0 + np.random.default_rng(2).normal(size=(1, 12))
    maximise, starts = profile.maximise, []

    def lazy(likelihood, start=None):
        starts.append(start)
        if start is None:
            poor = likelihood.evaluate(likelihood.start)
            return profile.Optimum(likelihood.start, poor.value, 1.0, poor.effects)
        return maximise(likelihood, start)

    monkeypatch.setattr(profile, "maximise", lazy)
    found = qb.profile_likelihood(level(), level_study(y), progressbar=False)
    assert len(starts) == 2
    assert found.estimate.sel(variable="TVB").item() == pytest.approx(y.mean(), rel=1e-5)


def test_an_unknown_variable_is_refused():
    with pytest.raises(
        CalibrationError, match="TVX: no variable of the population, which has TVB, sigma_add_R"
    ):
        qb.profile_likelihood(level(), level_study(np.array([[1.0, 2.0]])), ["TVX"])


def test_profiles_are_drawn():
    y = 5.0 + np.random.default_rng(2).normal(size=(1, 12))
    figure = qb.plot_profiles(qb.profile_likelihood(level(), level_study(y), progressbar=False))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["TVB", "sigma_add_R"]
    assert figure.axes[0].lines[1].get_ydata().min() == pytest.approx(0.0, abs=1e-9)
