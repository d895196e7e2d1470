"""One patient: closed forms of conjugate cases, quadrature, superposition, and what is refused."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from arviz_stats import ess, mcse
from population import (
    ALLOMETRY,
    KEEP,
    MEAN,
    OCCASIONS,
    OMEGA,
    PI,
    PRIORS,
    SIGMA,
    SPREAD,
    calibrate,
    constant,
    fitted,
    normal_posterior,
    person,
    staying,
    staying_fit,
)
from scipy.integrate import trapezoid
from scipy.stats import multivariate_normal, norm, t

from qsp_bayes.calibration import IIV, Additive, Calibration, Censored, Combined, Proportional, StudentT
from qsp_bayes.data import Regimen, planned_study
from qsp_bayes.decision import fraction_within, individualise
from qsp_bayes.errors import CalibrationError, DataError, DecisionError, UnitsError
from qsp_bayes.systems import DoseInto, Output, Process, System

DOSE, LEVELS = 100.0, np.array([6.5, 7.2])
QUIET = {"progressbar": False}


def individual(calibration, fit, who, **keywords):
    return individualise(calibration, fit, who, **QUIET, **keywords)


def agrees(values, mean, sd, width=4.0):
    """Mean and standard deviation within `width` Monte Carlo standard errors of the truth."""
    assert abs(float(values.mean()) - mean) < width * float(mcse(values))
    assert abs(float(values.std()) - sd) < width * float(mcse(values, method="sd"))


@pytest.fixture(scope="module")
def patient():
    calibration = staying()
    return individual(
        calibration, staying_fit(calibration), person({0.0: DOSE}, [1.0, 2.0], LEVELS), draws=4000
    )


def test_population_and_individual_are_those_of_the_conjugate_case(patient):
    # x = (log TVVc, eta); log level = log DOSE - log TVVc - OMEGA eta + noise.
    observed = np.log(LEVELS) - np.log(DOSE)
    matrix = -np.array([[1.0, OMEGA], [1.0, OMEGA]])
    mean, covariance = normal_posterior(matrix, SIGMA, observed, [MEAN, 0.0], np.diag([SPREAD**2, 1.0]))
    posterior = patient.posterior
    agrees(np.log(posterior["TVVc"]), mean[0], np.sqrt(covariance[0, 0]))
    agrees(posterior["eta_Vc"], mean[1], np.sqrt(covariance[1, 1]))
    way = np.array([1.0, OMEGA])
    agrees(np.log(posterior["Vc"]), way @ mean, np.sqrt(way @ covariance @ way))
    joint = multivariate_normal(
        matrix @ [MEAN, 0.0], matrix @ np.diag([SPREAD**2, 1.0]) @ matrix.T + SIGMA**2 * np.eye(2)
    )
    density = joint.logpdf(observed) - np.log(LEVELS).sum()
    assert abs(patient.facts["log_density_of_levels"] - density) < 0.05
    assert patient.facts["way"] == "importance"
    assert "Pareto k" in patient.how
    assert patient.cautions == ()


def test_each_draw_names_the_draw_of_the_population_that_it_belongs_to(patient):
    place = patient.posterior["population_draw"].to_numpy()
    source = patient.fit["posterior"]["TVVc"].to_numpy()
    again = np.take_along_axis(source, place, axis=1)
    np.testing.assert_array_equal(again, patient.posterior["TVVc"].to_numpy())


def test_the_table_states_prior_posterior_and_contraction(patient):
    row = patient.table.loc["Vc"]
    before = SPREAD**2 + OMEGA**2
    after = 1 / (1 / before + len(LEVELS) / SIGMA**2)
    assert row["contraction"] == pytest.approx(1 - after / before, abs=0.01)
    assert row["typical"] == pytest.approx(np.exp(MEAN), rel=0.03)
    width = 1.645 * np.sqrt(before)
    assert np.log(row["typical_q95"] / row["typical"]) == pytest.approx(width, rel=0.06)
    level = patient.levels.iloc[0]
    spread = np.sqrt(before + SIGMA**2)
    exact = 2 * norm.sf(abs(np.log(level["observed"]) - np.log(DOSE) + MEAN) / spread)
    assert level["tail_probability"] == pytest.approx(exact, abs=0.05)
    assert "Vc is" in patient.summary()
    assert "<table" in patient._repr_html_()


def grid_posterior(log_likelihood, omega, n=401, width=6.0):
    """Moments of (eta_CL, eta_Vc) by quadrature: mean and standard deviation of each, and of log CL."""
    axis = np.linspace(-width, width, n)
    first, second = np.meshgrid(axis, axis, indexing="ij")
    with np.errstate(over="ignore"):  # far away, where the density is 0
        log_density = (
            log_likelihood(np.exp(omega * first), np.exp(omega * second)) - (first**2 + second**2) / 2
        )
    density = np.exp(log_density - log_density.max())

    def integral(values):
        return trapezoid(trapezoid(values * density, axis), axis)

    total = integral(1.0)
    moments = {}
    for name, values in {"eta_CL": first, "eta_Vc": second}.items():
        mean = integral(values) / total
        moments[name] = mean, np.sqrt(integral((values - mean) ** 2) / total)
    return moments


TIMES = np.array([2.0, 8.0, 24.0])


def bolus(CL, Vc, times=TIMES, typical=(4.0, 30.0)):
    """Closed form: levels after a bolus, the last axis being time."""
    CL, Vc = typical[0] * np.asarray(CL)[..., None], typical[1] * np.asarray(Vc)[..., None]
    return DOSE / Vc * np.exp(-CL / Vc * times)


CASES = {
    "proportional": (
        Proportional(),
        {"sigma_prop_Cc": 0.15},
        [2.4, 1.7, 0.08],
        [0, 0, 0],
        lambda y, f: norm.logpdf(y, f, 0.15 * f).sum(axis=-1),
    ),
    "combined": (
        Combined(),
        {"sigma_prop_Cc": 0.1, "sigma_add_Cc": 0.05},
        [3.9, 1.0, 0.3],
        [0, 0, 0],
        lambda y, f: norm.logpdf(y, f, np.hypot(0.05, 0.1 * f)).sum(axis=-1),
    ),
    "Student t": (
        StudentT(Additive()),
        {"sigma_add_Cc": 0.2, "nu_Cc": 4.0},
        [2.4, 2.0, 0.2],
        [0, 0, 0],
        lambda y, f: t.logpdf(y, 4.0, f, 0.2).sum(axis=-1),
    ),
    "below the limit": (
        Censored(Additive()),
        {"sigma_add_Cc": 0.2},
        [2.4, 1.5, 0.5],
        [0, 0, 1],
        lambda y, f: norm.logpdf(y[:2], f[..., :2], 0.2).sum(axis=-1) + norm.logcdf(y[2], f[..., 2], 0.2),
    ),
    "precise, so that proposals must learn": (
        Proportional(),
        {"sigma_prop_Cc": 0.01},
        [2.4, 1.7, 0.35],
        [0, 0, 0],
        lambda y, f: norm.logpdf(y, f, 0.01 * f).sum(axis=-1),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_random_effects_agree_with_quadrature(case):
    error, sigma, levels, censored, density = CASES[case]
    omega = 0.4
    calibration = calibrate(
        IIV("CL", "Vc"), error=error, CL=4.0, Vc=30.0, omega_CL=omega, omega_Vc=omega, **sigma
    )
    fit = fitted(calibration, constant(unused=1.0))
    who = individual(calibration, fit, person({0.0: DOSE}, TIMES, levels, censored=censored), draws=4000)
    wide = 1.5 if "precise" in case else 6.0
    exact = grid_posterior(
        lambda CL, Vc: density(np.array(levels), bolus(CL, Vc)), omega, n=801 if wide < 6 else 401, width=wide
    )
    assert who.facts["way"] == "importance"
    assert (who.facts["stages"] > 0) == ("precise" in case) or who.facts["stages"] <= 2
    for name, (mean, sd) in exact.items():
        agrees(who.posterior[name], mean, sd)


def test_the_history_goes_on_as_superposition_says():
    calibration = calibrate(
        ALLOMETRY, IIV("CL", "Vc"), error=Proportional(), omega_CL=0.3, omega_Vc=0.2, sigma_prop_Cc=0.1
    )
    rng = np.random.default_rng(4)
    shape = (4, 300)
    fit = fitted(
        calibration,
        {"TVCL": np.exp(rng.normal(1.0, 0.1, shape)), "TVVc": np.exp(rng.normal(3.4, 0.1, shape))},
    )
    history = {0.0: 100.0, 12.0: 80.0}
    who = individual(calibration, fit, person(history, [11.0, 20.0], [2.1, 2.5]), draws=400)
    times = np.array([5.0, 12.0, 24.0, 30.0, 36.0, 47.0])
    future = who.simulate(
        {
            "stop": Regimen(0, unit="mg", start=24, into="central"),
            "go": Regimen(60, unit="mg", start=24, every=12, until=48, into="central"),
        },
        times,
    )
    assert future["predictions"]["Cc"].sizes == {
        "chain": 4,
        "draw": 100,
        "regimen": 2,
        "subject": 1,
        "time": 6,
    }
    CL, Vc = (who.posterior[name].to_numpy()[..., None] for name in ("CL", "Vc"))

    def closed(doses):
        return sum(
            # An observation at the time of a dose stands before it.
            amount / Vc * np.exp(-CL / Vc * np.maximum(times - at, 0)) * (times > at)
            for at, amount in doses.items()
        )

    for regimen, more in {"stop": {}, "go": {24.0: 60.0, 36.0: 60.0}}.items():
        path = future["predictions"]["Cc"].sel(regimen=regimen, subject="P0").to_numpy()
        np.testing.assert_allclose(path, closed(history | more), rtol=1e-8)
    past = who.predict(times, quantiles=[0.5])
    np.testing.assert_allclose(past["Cc"][0], np.median(closed(history), axis=(0, 1)), rtol=1e-8)


def test_new_covariates_hold_from_the_start_of_the_regimen():
    calibration = calibrate(ALLOMETRY, KEEP, error=Proportional(), CL=3.0, omega_Vc=0.2, sigma_prop_Cc=0.1)
    fit = fitted(calibration, constant(TVVc=30.0))
    who = individual(calibration, fit, person({0.0: 100.0}, [11.0], [1.0]), draws=100)
    times = np.array([10.0, 20.0, 30.0])
    dose = Regimen(1, unit="mg/kg", per="WT", start=20, into="central")
    path = who.simulate(dose, times, covariates={"WT": 140.0})["predictions"]["Cc"].to_numpy()[:, :, 0, 0]
    Vc = who.posterior["Vc"].to_numpy()[..., None]
    until = 100 * np.exp(-3.0 / Vc * np.array([10.0, 20.0]))
    np.testing.assert_allclose(path[..., :2], until / Vc, rtol=1e-8)
    # Twice the weight: the dose is 140 mg, clearance is 2^0.75, the volume twice as large.
    after = (until[..., 1:] + 140.0) * np.exp(-3.0 * 2**0.75 / (2 * Vc) * 10.0)
    np.testing.assert_allclose(path[..., 2:], after / (2 * Vc), rtol=1e-8)
    kept = who.simulate(dose, times)["predictions"]["Cc"].to_numpy()[:, :, 0, 0]
    after = (until[..., 1:] + 70.0) * np.exp(-3.0 / Vc * 10.0)
    np.testing.assert_allclose(kept[..., 2:], after / Vc, rtol=1e-8)


@pytest.mark.parametrize("changes", [False, True], ids=["constant", "changing"])
def test_a_covariate_that_feeds_the_system_is_carried_on(changes):
    """Renal clearance is the covariate itself; it halves at the second record where it changes (NOCB)."""
    system = System(
        states={"central": "mg"},
        parameters={"Vc": "L"},
        inputs={"CLR": "L/h"},
        processes=[Process("excretion", {"central": -1}, lambda s: s.CLR / s.Vc * s.central)],
        outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
        doses={"central": DoseInto()},
    )
    calibration = Calibration(
        system, PRIORS, [KEEP], {"Cc": Proportional()}, fix={"omega_Vc": 0.2, "sigma_prop_Cc": 0.1}
    )
    one = person({0.0: 100.0}, [10.0], [1.2])
    late = 2.0 if changes else 4.0
    table = one.table.assign(CLR=np.where(one.table["TIME"] > 0, late, 4.0))
    units = dataclasses.replace(one.units, covariates={**one.units.covariates, "CLR": "L/h"})
    one = dataclasses.replace(one, table=table, units=units, covariates=("WT", "CLR"))
    who = individual(calibration, fitted(calibration, constant(TVVc=30.0)), one, draws=200)
    again = Regimen(50, unit="mg", start=20, into="central")
    path = who.simulate(again, [10.0, 20.0, 30.0], covariates={"CLR": 1.0})
    Vc = who.posterior["Vc"].to_numpy()
    at = [100 * np.exp(-late * time / Vc) for time in (10.0, 20.0)]
    at.append((at[1] + 50) * np.exp(-10.0 / Vc))
    np.testing.assert_allclose(
        path["predictions"]["Cc"].to_numpy()[:, :, 0, 0], np.stack(at, axis=-1) / Vc[..., None], rtol=1e-8
    )
    assert float(path["constant_data"]["CLR"][0]) == 1.0


def test_the_doses_within_the_simulated_times_are_counted(patient):
    more = {"once": Regimen(50, unit="mg", start=24, into="central")}
    more["twice"] = Regimen(30, unit="mg", start=24, every=12, until=48, into="central")
    given = patient.simulate(more, [24.0, 48.0])["dosing"]
    assert given["n_doses"].to_numpy().tolist() == [1, 2]
    assert given["amount_given"].to_numpy().tolist() == [[50.0], [60.0]]
    whole = patient.simulate(more, [0.0, 48.0])["dosing"]
    assert whole["amount_given"].to_numpy().tolist() == [[DOSE + 50.0], [DOSE + 60.0]]


def test_the_next_occasion_adds_its_own_variance():
    """Two levels on each of two occasions; on the next one the volume has a new deviation."""
    calibration = staying(KEEP, OCCASIONS, pi_Vc=PI)
    levels = np.array([5.5, 5.8, 7.0, 7.4])
    times = [1.0, 2.0, 30.0, 31.0]
    who = individual(
        calibration,
        staying_fit(calibration),
        person({0.0: DOSE}, times, levels, occasions=[24.0]),
        draws=8000,
    )
    # x = (log TVVc, eta, kappa_1, kappa_2)
    ways = np.array([[1.0, OMEGA, PI, 0.0]] * 2 + [[1.0, OMEGA, 0.0, PI]] * 2)
    mean, covariance = normal_posterior(
        -ways, SIGMA, np.log(levels / DOSE), [MEAN, 0, 0, 0], np.diag([SPREAD**2, 1, 1, 1])
    )
    volume = np.log(who.posterior["Vc"])
    for k, label in enumerate(["P0/1", "P0/2"]):
        way = ways[2 * k]
        agrees(volume.sel(occasion=label), way @ mean, np.sqrt(way @ covariance @ way))
    new = Regimen(DOSE, unit="mg", start=48, into="central")
    future = who.simulate(new, [47.0, 49.0], random_seed=3)["predictions"]["Cc"].squeeze(drop=True)
    now, then = np.log(DOSE / future.isel(time=0)), np.log(2 * DOSE / future.isel(time=1))
    # At 47 h the second occasion goes on; at 49 h a third one has begun.
    np.testing.assert_allclose(now, volume.sel(occasion="P0/2"), rtol=1e-8)
    shared = np.array([1.0, OMEGA, 0.0, 0.0])
    agrees(then, shared @ mean, np.sqrt(shared @ covariance @ shared + PI**2))
    assert float(then.var()) > float(now.var()) + 0.6 * PI**2


def test_another_visit_is_the_same_as_all_records_at_once(patient):
    both = person({0.0: DOSE}, [1.0, 2.0], LEVELS)
    late = both.table["TIME"].to_numpy() > 1.5
    first = individual(
        patient.calibration,
        patient.fit,
        both.leave_out(late, "later"),
        draws=4000,
        random_seed=patient.random_seed,
    )
    assert first.facts["levels"] == 1
    second = first.update(both.leave_out(~late, "earlier"), progressbar=False)
    assert second.posterior.identical(patient.posterior)
    with pytest.raises(DataError, match="in the history already"):
        second.update(both, progressbar=False)


def test_repeated_draws_lower_the_effective_sample_size():
    """Many draws from few effective ones: the effective sample size of the chains tells, not the number of draws."""
    calibration = staying()
    who = individual(
        calibration,
        staying_fit(calibration, draws=100),
        person({0.0: DOSE}, [1.0, 2.0], [11.0, 12.0]),
        draws=8000,
    )
    assert who.facts["way"] == "importance"
    volume = np.log(who.posterior["Vc"])
    unique = len(np.unique(volume))
    assert unique < 7000
    assert float(ess(volume)) < 1.1 * unique


def test_the_next_dose_is_chosen_and_its_exposure_told(patient):
    regimens = {f"{d} mg": Regimen(d, unit="mg", start=24, into="central") for d in (50, 100, 400)}
    chosen = patient.next_dose(regimens, [24.0, 25.0, 36.0], lambda x: fraction_within(x["Cc"], 9, 12))
    assert chosen.best == "50 mg"
    volume = patient.posterior["Vc"].to_numpy()
    row = chosen.exposure.loc[("50 mg", "Cc")]
    assert row["trough"] == pytest.approx(np.median(150 / volume), rel=1e-6)
    assert row["peak_q95"] == pytest.approx(np.quantile(150 / volume, 0.95), rel=1e-6)
    assert "trough" in chosen.summary()
    assert "50 mg" in chosen._repr_html_()


def test_without_levels_the_population_speaks(patient):
    none = person({0.0: DOSE}, [1.0], [np.nan])
    who = individual(patient.calibration, patient.fit, none, draws=4000)
    agrees(np.log(who.posterior["Vc"]), MEAN, np.hypot(SPREAD, OMEGA))
    assert "no levels" in who.how
    assert who.levels.empty


def test_a_level_that_the_population_hardly_gives_is_questioned(patient):
    narrow = staying_fit(patient.calibration, spread=0.05)
    # 4.3 standard deviations from the typical volume.
    who = individual(patient.calibration, narrow, person({0.0: DOSE}, [1.0], [20.0]))
    assert who.facts["way"] == "importance"
    assert any("hard to believe" in caution for caution in who.cautions)


@pytest.mark.parametrize("way", ["NUTS with the study", "NUTS, normal population"])
def test_another_way_than_importance_sampling_is_said(patient, monkeypatch, way):
    """The slow tests run NUTS; here its draws are made up, after levels that the population's draws do not reach."""

    def made_up(individual, posterior, study, *, draws, **settings):
        rng = np.random.default_rng(1)
        population = {"TVVc": np.exp(rng.normal(1.2, 0.1, 2 * draws))}
        facts = {"way": way, "rhat": 1.2, "diverging": 3, "chains": 2}
        return (population, rng.standard_normal((2 * draws, 1))), facts

    monkeypatch.setattr("qsp_bayes.calibration.individual.posterior.sample_person", made_up)
    far = person({0.0: DOSE}, [1.0, 2.0], [30.0, 31.0])
    who = individual(patient.calibration, patient.fit, far, draws=400)
    assert who.posterior.sizes == {"chain": 2, "draw": 100}
    assert "could not be trusted (Pareto k" in who.how
    assert "R-hat 1.200" in who.how
    assert ("study and patient together" in who.how) == (way == "NUTS with the study")
    text = " ".join(who.cautions)
    assert "not converged" in text
    assert "diverged in 3 draws" in text
    assert ("pass study=" in text) == (way != "NUTS with the study")
    assert who.how in who.summary()


def test_the_same_seed_gives_the_same_patient(patient):
    again = individual(patient.calibration, patient.fit, patient.history, draws=4000)
    assert again.posterior.identical(patient.posterior)
    other = individual(patient.calibration, patient.fit, patient.history, draws=4000, random_seed=1)
    assert not other.posterior.identical(patient.posterior)


def test_what_does_not_fit_is_refused(patient):
    calibration, fit, one = patient.calibration, patient.fit, patient.history
    two = planned_study(
        Regimen(1, unit="mg", into="central"),
        one.table[["WT"]].iloc[:2].set_axis(["a", "b"]),
        [1.0],
        units=one.units,
    )
    with pytest.raises(CalibrationError, match="2 subjects; one person"):
        individual(calibration, fit, two)
    minutes = dataclasses.replace(one, units=dataclasses.replace(one.units, time="min"))
    with pytest.raises(UnitsError, match="min"):
        individual(calibration, fit, minutes)
    with pytest.raises(CalibrationError, match="another calibration"):
        individual(calibrate(KEEP, IIV("CL")), fit, one)
    with pytest.raises(CalibrationError, match="not the one of the fit"):
        individual(calibration, fit, one, study=one)
    below = person({0.0: DOSE}, [1.0], [1.0], censored=[1])
    with pytest.raises(CalibrationError, match="censored"):
        individual(calibration, fit, below)
    early = Regimen(1, unit="mg", start=0, into="central")
    with pytest.raises(DataError, match="has received a dose at 0"):
        patient.simulate(early, [1.0, 2.0])
    with pytest.raises(DecisionError, match="no output Ce"):
        patient.simulate(early, [1.0], outputs=["Ce"])
    with pytest.raises(DecisionError, match="no regimen"):
        patient.simulate({}, [1.0])


def test_levels_that_the_fit_has_seen_are_refused(patient):
    seen = patient.fit.copy()
    seen["constant_data"] = xr.DataTree(
        xr.Dataset({"subject_Cc": ("obs_Cc", [0, 0]), "time_Cc": ("obs_Cc", [1.0, 2.0])}, {"subject": ["P0"]})
    )
    seen["observed_data"] = xr.DataTree(xr.Dataset({"DV_Cc": ("obs_Cc", LEVELS)}))
    with pytest.raises(CalibrationError, match="would count twice"):
        individual(patient.calibration, seen, patient.history)


def test_covariates_must_be_there():
    calibration = staying(ALLOMETRY, KEEP)
    who = person({0.0: DOSE}, [1.0], [5.0])
    bare = dataclasses.replace(who, covariates=(), table=who.table.drop(columns="WT"))
    with pytest.raises(CalibrationError, match="WT"):
        individual(calibration, staying_fit(calibration), bare)
