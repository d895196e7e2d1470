"""Adaptive trials: posteriors against closed forms and quadrature, rules one by one, and small simulations."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from escalation import doses
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit
from scipy.stats import multivariate_normal, norm

import qsp_bayes as qb
from qsp_bayes.decision.trial import (
    EWOC,
    Backfill,
    DoseLimitingToxicity,
    DoseToxicity,
    EscalationDesign,
    IntervalOverdoseControl,
    MaximumCohorts,
    NoSkipping,
    Scenario,
    StopForPrecision,
    StopForSafety,
    TrialModel,
    TrialPrecision,
    next_cohort,
    simulate_trials,
    starting_dose,
)
from qsp_bayes.decision.trial.ladder import Ladder
from qsp_bayes.decision.trial.mechanism import Mechanism, compiled
from qsp_bayes.decision.trial.operating_characteristics import OperatingCharacteristics, ratio
from qsp_bayes.decision.trial.participant import Participant
from qsp_bayes.decision.trial.posterior import TrialPosterior, resampled, stage_length
from qsp_bayes.decision.trial.schedule import observed_schedule, planned_schedules
from qsp_bayes.decision.trial.standing import Standing
from qsp_bayes.errors import DecisionError, UnitsError

# Hardly any elimination: the concentration stays dose / V, so that all laws are normal on the log scale.
STAY, SPREAD, OMEGA, SIGMA, VOLUME, REFERENCE = 1e-9, 0.5, 0.3, 0.2, 20.0, 5.0
INTERCEPT, SLOPE = (-1.0, 1.0), (0.7, 0.3)
LEVELS = {
    label: dataclasses.replace(regimen, into="central")
    for label, regimen in doses(20, 40, 80, 160, 320).items()
}


def prior(family, **parameters):
    return qb.Prior(distribution=family, unit=parameters.pop("unit", ""), source="a test", **parameters)


def concentration(x):
    """Concentration at the last time."""
    return x["Cc"].isel(time=-1)


def toy(samples=True, vary=True, **changes):
    """One compartment with random V, one sample with log-normal error, toxicity logistic in log concentration."""
    toxicity = DoseLimitingToxicity(
        concentration,
        reference=REFERENCE,
        priors={
            "dlt_intercept": prior("Normal", mu=INTERCEPT[0], sigma=INTERCEPT[1]),
            "dlt_slope": prior("LogNormal", mu=SLOPE[0], sigma=SLOPE[1]),
        },
    )
    fixed = {"CL": STAY, "sigma_log_Cc": SIGMA}
    calibration = qb.Calibration(
        qb.one_compartment(),
        {"TVVc": prior("LogNormal", mu=np.log(VOLUME), sigma=SPREAD, unit="L")},
        individual=[qb.IIV("Vc")] if vary else [],
        error={"Cc": qb.LogNormal()},
        fix={**fixed, "omega_Vc": OMEGA} if vary else {**fixed, "Vc": VOLUME},
    )
    given = {"times": [0.0, 1.0], "samples": {"Cc": [1.0]} if samples else {}}
    return TrialModel(calibration, toxicity, **{**given, **changes})


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.fixture(scope="module")
def mechanism(model):
    return compiled(model)


@pytest.fixture(scope="module")
def ladder(model, mechanism):
    return Ladder.of(model, mechanism, LEVELS)


def treated(ladder, dose, samples, dlt=np.nan):
    """Participants at a dose, with these samples."""
    schedule = ladder.schedules[dose][0]
    return [
        Participant(str(k), dose, schedule, np.zeros(0), {"Cc": np.array([y])}, dlt)
        for k, y in enumerate(samples)
    ]


def test_conjugate_normal_posterior(mechanism, ladder):
    """log y = log dose - log V + ..., so that log TVVc, and every log V given it, are normal; the evidence too."""
    rng = np.random.default_rng(1)
    volumes = 30.0 * np.exp(OMEGA * rng.normal(size=6))
    y = 40.0 / volumes * np.exp(SIGMA * rng.normal(size=6))
    found = [
        TrialPosterior.prior(mechanism, TrialPrecision(1000, sweeps=2), np.random.default_rng(seed))
        .updated(treated(ladder, "40 mg", y[:3]))
        .updated(treated(ladder, "40 mg", y[3:]))
        for seed in range(4)
    ]
    seen = np.log(40.0 / y)
    weight = 1 / (OMEGA**2 + SIGMA**2)
    precision = 1 / SPREAD**2 + len(y) * weight
    mean = (np.log(VOLUME) / SPREAD**2 + weight * seen.sum()) / precision
    draws = np.array([np.log(posterior.values["TVVc"]) for posterior in found])
    # Each of the 4000 particles is worth at least one in ten independent draws.
    assert abs(draws.mean() - mean) < 4 / np.sqrt(precision * 400)
    np.testing.assert_allclose(draws.std(), precision**-0.5, rtol=0.1)
    # One individual: normal around a compromise of its sample and the population.
    shrunk = (mean / OMEGA**2 + seen[0] / SIGMA**2) / (1 / OMEGA**2 + 1 / SIGMA**2)
    own = np.array(
        [posterior.cloud.linked[:, 0, mechanism.individuals.names.index("Vc")] for posterior in found]
    )
    # The compromise is with the population that the others and this sample give: E[v | data] = E[E[v | TV, y]].
    assert abs(own.mean() - shrunk) < 0.03
    covariance = np.eye(6) * (OMEGA**2 + SIGMA**2) + SPREAD**2
    exact = (
        multivariate_normal(np.full(6, np.log(40 / VOLUME)), covariance).logpdf(np.log(y)) - np.log(y).sum()
    )
    evidence = np.array([posterior.log_evidence for posterior in found])
    assert abs(evidence.mean() - exact) < 0.25
    # Samples that are read as if they had twice the error would be told apart.
    wrong = np.eye(6) * (OMEGA**2 + 4 * SIGMA**2) + SPREAD**2
    other = multivariate_normal(np.full(6, np.log(40 / VOLUME)), wrong).logpdf(np.log(y)) - np.log(y).sum()
    assert abs(other - exact) > 0.5


def test_probability_of_toxicity_is_the_integral_over_individuals(mechanism, ladder):
    """Mean of a logistic function of a normal variable, by Gauss-Hermite quadrature."""
    populations = mechanism.population.draws(5, 3)
    values = mechanism.population.natural(populations)
    found = ladder.probability(populations, 1024, 1)
    node, weight = hermegauss(60)
    weight = weight / weight.sum()
    amounts = np.array([20, 40, 80, 160, 320.0])
    log_c = np.log(amounts)[None, :, None] - np.log(values["TVVc"])[:, None, None] - OMEGA * node
    x = values["dlt_intercept"][:, None, None] + values["dlt_slope"][:, None, None] * (
        log_c - np.log(REFERENCE)
    )
    np.testing.assert_allclose(found, expit(x) @ weight, atol=2e-3)
    # 32 individuals, as a simulated trial takes, are near enough.
    np.testing.assert_allclose(ladder.probability(populations, 32, 1), found, atol=0.02)
    np.testing.assert_allclose(ladder.factors, amounts / 20)


def test_one_solution_for_all_doses_is_each_dose_solved(mechanism, ladder):
    populations = mechanism.population.draws(20, 4)
    separate = dataclasses.replace(ladder, factors=None)
    np.testing.assert_allclose(
        ladder.probability(populations, 16, 2), separate.probability(populations, 16, 2), rtol=1e-10
    )


def by_quadrature(given, events, target):
    """P(dose > MTD) by dose from toxicities alone, V being known: a sum over a grid of intercept and slope."""
    a, log_b = np.meshgrid(np.linspace(-6, 4, 400), np.linspace(-0.6, 2.0, 300), indexing="ij")
    log_density = norm(*INTERCEPT).logpdf(a) + norm(*SLOPE).logpdf(log_b)
    risk = {
        dose: expit(a + np.exp(log_b) * np.log(dose / VOLUME / REFERENCE)) for dose in (20, 40, 80, 160, 320)
    }
    for dose, event in zip(given, events, strict=True):
        log_density += np.log(risk[dose] if event else 1 - risk[dose])
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    above = np.maximum.accumulate(np.array(list(risk.values())), axis=0) > target
    return (above * weight).sum(axis=(1, 2)), np.array([(p * weight).sum() for p in risk.values()])


def study_of(amounts, concentrations):
    """A study with the real doses and one sample in each subject."""
    rows = []
    for k, (amount, y) in enumerate(zip(amounts, concentrations, strict=True)):
        rows.append({"ID": f"S{k}", "TIME": 0.0, "EVID": 1, "AMT": amount, "DV": np.nan})
        rows.append({"ID": f"S{k}", "TIME": 1.0, "EVID": 0, "AMT": np.nan, "DV": y})
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return qb.read_nonmem(
        pd.DataFrame(rows), units=units, outputs="Cc", compartments="central", name="cohorts"
    )


GIVEN = {"S0": "20 mg", "S1": "20 mg", "S2": "20 mg", "S3": "40 mg", "S4": "40 mg", "S5": "40 mg"}
DLT = {"S0": False, "S1": False, "S2": False, "S3": False, "S4": True, "S5": False}
AMOUNTS = [20, 20, 20, 40, 40, 40]


def test_next_cohort_is_that_of_quadrature():
    """V is known and samples say nothing: what remains is a curve of two parameters, summed over a grid."""
    model = toy(vary=False)
    design = EscalationDesign(LEVELS, rules=[EWOC(0.25), NoSkipping()])
    study = study_of(AMOUNTS, [1, 1, 1, 2, 2, 2])
    found = next_cohort(
        design, model, study, levels=GIVEN, dlt=DLT, precision=TrialPrecision(2000, sweeps=2), random_seed=1
    )
    above, risk = by_quadrature(AMOUNTS, DLT.values(), 0.25)
    np.testing.assert_allclose(found.table["p_above_mtd"], above, atol=0.04)
    np.testing.assert_allclose(found.table["p_dlt"], risk, atol=0.02)
    assert found.dose == list(LEVELS)[np.flatnonzero(above <= 0.25)[-1]]
    assert found.why.startswith(f"not {list(LEVELS)[list(LEVELS).index(found.dose) + 1]}: P(dose > MTD)")
    # Without the toxicity more is allowed: outcomes are read.
    spared, _ = by_quadrature(AMOUNTS, [False] * 6, 0.25)
    assert (spared[1:4] < above[1:4] - 0.05).all()
    assert found.dose in found.summary()
    assert "<table" in found._repr_html_()
    with pytest.raises(DecisionError, match="levels must name each subject of study 'cohorts': missing S5"):
        next_cohort(
            design, model, study, levels={k: v for k, v in GIVEN.items() if k != "S5"}, dlt=DLT, random_seed=1
        )
    with pytest.raises(DecisionError, match="subject S0: level '30 mg' is not one of 20 mg"):
        next_cohort(design, model, study, levels={**GIVEN, "S0": "30 mg"}, dlt=DLT, random_seed=1)
    with pytest.raises(DecisionError, match="dlt is 'no'; expected True or False"):
        next_cohort(design, model, study, levels=GIVEN, dlt={**DLT, "S0": "no"}, random_seed=1)
    grams = dataclasses.replace(study, units=dataclasses.replace(study.units, amount="g"))
    with pytest.raises(UnitsError, match="amounts of the study"):
        next_cohort(design, model, grams, levels=GIVEN, dlt=DLT, random_seed=1)


def test_real_doses_and_times_are_those_of_the_study(model, mechanism, ladder):
    """A subject of a study who had what was planned is predicted as planned; with half the dose, half as high."""
    study = study_of([40, 20], [1.0, 1.0])
    linked = ladder.individuals(mechanism.population.draws(3, 1), np.array([[0.3]]), np.zeros((1, 0)))
    own, half = (
        observed_schedule(model.calibration.system, study, subject, mechanism.times, model.outputs)
        for subject in study.subjects
    )
    planned = ladder.schedules["40 mg"][0]
    as_planned, as_given, lower = (mechanism.solve([x], linked)[0] for x in (planned, own, half))
    np.testing.assert_allclose(as_given.grid["Cc"], as_planned.grid["Cc"])
    np.testing.assert_allclose(as_given.samples["Cc"], as_planned.samples["Cc"])
    np.testing.assert_allclose(lower.grid["Cc"], as_planned.grid["Cc"] / 2)


# Rules, each on a posterior made by hand.


def known(above, target=0.25):
    """Ten draws whose MTD makes P(dose > MTD) what is asked for."""
    draws = np.array([[0.5 if k < round(10 * p) else 0.1 for p in above] for k in range(10)])
    return DoseToxicity([f"{k}" for k in range(len(above))], draws, target)


def standing(above, treated, backfilled=None, start=0):
    treated = np.array(treated)
    none = np.zeros_like(treated)
    return Standing(
        known(above),
        start,
        treated,
        none if backfilled is None else np.array(backfilled),
        none,
        int(treated.sum() // 3),
    )


def design(*rules, **changes):
    labels = ["0", "1", "2", "3"]
    levels = {label: qb.Regimen(10.0 * (k + 1), into="central") for k, label in enumerate(labels)}
    return EscalationDesign(levels, rules=rules, **{"max_subjects": 30, **changes})


def test_hand_made_posterior():
    assert known([0.0, 0.1, 0.3, 1.0]).above.tolist() == [0.0, 0.1, 0.3, 1.0]


@pytest.mark.parametrize(("bound", "dose"), [(0.05, "0"), (0.1, "1"), (0.25, "1"), (0.3, "2")])
def test_overdose_control_takes_the_highest_dose_within_the_bound(bound, dose):
    now = standing([0.0, 0.1, 0.3, 1.0], [3, 3, 3, 0])
    assert design(EWOC(bound)).decide(now).dose == dose


def test_interval_overdose_control_looks_at_its_own_level():
    draws = np.array([[0.1, 0.30, 0.34, 0.6], [0.1, 0.30, 0.30, 0.3], [0.1, 0.3, 0.3, 0.3], [0.1, 0.3, 0.3, 0.3],
                      [0.1, 0.3, 0.3, 0.30]])  # fmt: skip
    now = dataclasses.replace(
        standing([0, 0, 0, 0], [3, 3, 3, 3]), known=DoseToxicity(["0", "1", "2", "3"], draws, 0.25)
    )
    assert now.known.above.tolist() == [0, 1, 1, 1]
    assert design(IntervalOverdoseControl(0.33, 0.25)).decide(now).dose == "3"
    assert design(IntervalOverdoseControl(0.33, 0.2)).decide(now).dose == "1"
    assert design(EWOC(0.25)).decide(now).dose == "0"


def test_no_skipping():
    free = standing([0.0] * 4, [3, 0, 0, 0])
    assert design(EWOC()).decide(free).dose == "3"
    assert design(EWOC(), NoSkipping()).decide(free).dose == "1"
    assert design(EWOC(), NoSkipping()).decide(free).why == "not 2: 1 has not been tried"
    # A start above the lowest dose tries that one first; nothing below it needs trying.
    first = standing([0.0] * 4, [0, 0, 0, 0], start=2)
    assert design(EWOC(), NoSkipping(), start="2").decide(first).dose == "2"
    assert (
        design(EWOC(), NoSkipping(), start="2").decide(standing([0.0] * 4, [0, 0, 3, 0], start=2)).dose == "3"
    )


def test_stops():
    safe, toxic = [0.0, 0.0, 0.1, 0.9], [0.6, 0.7, 0.8, 0.9]
    assert (
        design(EWOC())
        .decide(standing(toxic, [3, 0, 0, 0]))
        .stop.startswith("safety: 0: P(dose > MTD) = 0.60")
    )
    assert (
        design(StopForSafety(0.5))
        .decide(standing(toxic, [3, 0, 0, 0]))
        .stop.startswith("safety: the lowest dose")
    )
    assert design(StopForSafety(0.7)).decide(standing(toxic, [3, 0, 0, 0])).dose == "3"
    assert design(EWOC(), MaximumCohorts(2)).decide(standing(safe, [3, 3, 0, 0])).stop == "2 cohorts"
    assert (
        design(EWOC(), max_subjects=8).decide(standing(safe, [3, 3, 0, 0])).stop
        == "size: 6 of at most 8 subjects"
    )
    assert design(EWOC(), max_subjects=9).decide(standing(safe, [3, 3, 0, 0])).dose == "2"
    sure = standing(safe, [3, 3, 6, 0])
    assert sure.known.is_mtd.round(6).tolist() == [0, 0.1, 0.8, 0.1]
    assert (
        design(EWOC(), StopForPrecision(0.8, 6)).decide(sure).stop
        == "precision: 6 subjects at 2, P(MTD) = 0.80"
    )
    assert design(EWOC(), StopForPrecision(0.9, 6)).decide(sure).dose == "2"
    assert design(EWOC(), StopForPrecision(0.8, 7)).decide(sure).dose == "2"


def test_backfill_goes_to_the_highest_lower_dose_with_room():
    rule = Backfill(subjects=2, most=3)
    assert design(EWOC(), rule).decide(standing([0.0] * 4, [3, 3, 0, 0])).backfill == {"1": 2}
    assert design(EWOC(), rule).decide(standing([0.0] * 4, [3, 3, 0, 0], [0, 2, 0, 0])).backfill == {"1": 1}
    assert design(EWOC(), rule).decide(standing([0.0] * 4, [3, 3, 0, 0], [0, 3, 0, 0])).backfill == {"0": 2}
    assert design(EWOC(), rule).decide(standing([0.0] * 4, [3, 3, 0, 0], [3, 3, 0, 0])).backfill == {}
    # Never at the dose of the cohort or above, and never where no cohort was.
    assert design(EWOC(), rule).decide(standing([0.0, 0.9, 0.9, 0.9], [3, 3, 0, 0])).backfill == {}
    people = [Participant(f"{k}", "1", None, np.zeros(0), dlt=0.0, backfill=k > 1) for k in range(4)]
    counted = Standing.of(known([0.0] * 4), 0, people, 1)
    assert (counted.treated.tolist(), counted.backfilled.tolist()) == ([0, 2, 0, 0], [0, 2, 0, 0])


def test_start_that_the_prior_does_not_allow_is_refused():
    with pytest.raises(DecisionError, match=r"start at 1 under the prior: P\(dose > MTD\) = 0.40 > 0.25"):
        design(EWOC(0.25), start="1").decide(standing([0.1, 0.4, 0.5, 0.6], [0, 0, 0, 0], start=1))


def test_recommendation():
    now = standing([0.0, 0.1, 0.2, 0.9], [3, 3, 0, 0])
    assert design(EWOC()).recommendation(now, "size") == "1"
    assert design(EWOC(0.05)).recommendation(now, "size") == "0"
    assert design(EWOC()).recommendation(now, "safety: all") is None
    own = design(EWOC(), recommend=lambda known: known.table["p_mtd"].idxmax())
    assert own.recommendation(now, "size") == "2"
    with pytest.raises(DecisionError, match="recommend gave 'x'"):
        design(EWOC(), recommend=lambda known: "x").recommendation(now, "size")


def test_start_from_a_first_in_human_assessment():
    clearance = xr.DataArray(
        np.random.default_rng(1).lognormal(0, 0.2, (4, 50, 20)), dims=("chain", "draw", "subject")
    )
    dose = xr.DataArray([1.0, 4.0, 16.0], dims="regimen", coords={"regimen": ["1 mg", "4 mg", "16 mg"]})
    course = (dose / clearance).expand_dims(time=[0.0, 1.0], axis=-1).assign_attrs(units="mg/L")
    future = xr.DataTree.from_dict({"predictions": course.to_dataset(name="Cc")})
    limit = qb.OccupancyLimit(qb.Figure(9.0, "mg/L", "a test"), at_most=0.5)
    found = qb.first_in_human(future, [limit], doses={"1 mg": 1, "4 mg": 4, "16 mg": 16}, loss=10)
    assert found.highest() == "4 mg"
    assert starting_dose(doses(0.5, 1, 3, 4, 5, 10), found) == "4 mg"
    assert starting_dose(doses(0.5, 3, 5), found) == "3 mg"
    with pytest.raises(DecisionError, match="All dose levels are above 4 mg"):
        starting_dose(doses(5, 10), found)
    with pytest.raises(DecisionError, match="State both alike"):
        starting_dose({"5 ug": qb.Regimen(5, unit="ug")}, found)


# Small simulations.

SMALL = TrialPrecision(particles=60, individuals=8, sweeps=1)
RULES = [EWOC(0.25), NoSkipping(), Backfill(2, 4), StopForPrecision(0.0, 9)]


@pytest.fixture(scope="module")
def trials(model):
    plan = EscalationDesign(LEVELS, rules=RULES, max_subjects=15)
    return plan, simulate_trials(plan, model, n=6, random_seed=1, precision=SMALL, progressbar=False)


def test_mechanics_of_small_trials(trials):
    plan, found = trials
    assert len(found.trials) == 6
    for trial in found.trials:
        history, highest = trial.history, 0
        assert history["dose"].iloc[0] == "20 mg"
        for k, row in enumerate(history.itertuples()):
            position = plan.labels.index(row.dose)
            assert position <= highest + 1
            highest = max(highest, position)
            assert row.p_above_mtd <= 0.25
            if k:
                assert history["next"].iloc[k - 1] == row.dose
                assert row.p_above_mtd == history[f"P({row.dose} > MTD)"].iloc[k - 1]
            if row.backfill:
                assert plan.labels.index(row.backfill_dose) < position
        assert history["next"].iloc[-1] == f"stop: {trial.stop}"
        assert trial.treated.sum() == 3 * len(history) <= 15
        assert trial.backfilled.sum() == history["backfill"].sum()
        assert trial.backfilled.max() <= 4
        assert trial.dlts.sum() == history["dlts"].sum() + history["backfill_dlts"].sum()
    assert found.table.loc["prior", "trials"] == 6
    by_dose = found.by_dose.loc["prior"]
    np.testing.assert_allclose(by_dose["recommended"].sum(), 1)
    np.testing.assert_allclose(by_dose["subjects"].sum(), found.table.loc["prior", "subjects"])
    assert {trial.stop.partition(":")[0] for trial in found.trials} <= {"safety", "size", "precision"}
    assert len(found.history) == sum(len(trial.history) for trial in found.trials)
    assert "Truth drawn from the prior (6 trials)" in found.summary()
    assert "<table" in found._repr_html_()
    assert qb.plot_operating_characteristics(found).axes


def test_same_seed_same_trials(trials, model):
    plan, found = trials
    again = simulate_trials(plan, model, n=6, random_seed=1, precision=SMALL, progressbar=False)
    assert again.by_trial.equals(found.by_trial)
    assert again.history.equals(found.history)
    other = simulate_trials(plan, model, n=2, random_seed=2, precision=SMALL, progressbar=False)
    assert not other.history.equals(found.history.loc[:1])


def test_two_workers_make_the_same_trials(trials, model):
    plan, found = trials
    again = simulate_trials(plan, model, n=6, random_seed=1, precision=SMALL, workers=2, progressbar=False)
    assert again.history.equals(found.history)


def test_fixed_scenarios(model):
    """All is tolerated, or nothing is: the trial ends at the top, or before the second cohort or so."""
    plan = EscalationDesign(LEVELS, rules=[EWOC(0.25), NoSkipping()], max_subjects=24)
    scenarios = [Scenario("harmless", {"dlt_intercept": -20.0}), Scenario("toxic", {"dlt_intercept": 8.0})]
    found = simulate_trials(plan, model, scenarios, n=2, random_seed=1, precision=SMALL, progressbar=False)
    harmless, toxic = found.table.loc["harmless"], found.table.loc["toxic"]
    assert found.by_dose.loc[("harmless", "320 mg"), "is_mtd"] == 1
    assert harmless["dlts"] == 0
    assert harmless["decisions_above"] == harmless["selected_above"] == 0
    assert toxic["stopped_for_safety"] == toxic["correct"] == 1
    assert toxic["decisions_above"] == 1
    assert found.scenarios == ["harmless", "toxic"]
    assert found.trials[0].true_probability[-1] < 1e-3
    with pytest.raises(DecisionError, match="TVX is no variable of the trial"):
        simulate_trials(plan, model, Scenario("odd", {"TVX": 1.0}), n=1, random_seed=1, progressbar=False)


def test_interrupted_trials_are_kept(trials, model, monkeypatch):
    plan, found = trials
    module = __import__("qsp_bayes.decision.trial.simulate_trials", fromlist=["Simulator"])
    run, calls = module.Simulator.run, []

    def interrupted(self, scenario, seed):
        calls.append(seed)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(self, scenario, seed)

    monkeypatch.setattr(module.Simulator, "run", interrupted)
    some = simulate_trials(plan, model, n=6, random_seed=1, precision=SMALL, progressbar=False)
    assert len(some.trials) == 3
    assert some.history.equals(found.history.loc[:2])
    assert some.summary().startswith("Interrupted: 3 of 6 trials are done")


# Parts.


def test_standard_error_of_a_ratio():
    """Against its own spread over 4000 repetitions."""
    rng = np.random.default_rng(1)
    b = rng.integers(1, 9, size=(4000, 80))
    a = rng.binomial(b, rng.beta(1, 3, size=b.shape))
    found = np.array([ratio(*pair) for pair in zip(a, b, strict=True)])
    np.testing.assert_allclose(found[:, 1].mean(), found[:, 0].std(), rtol=0.05)
    # The error of independent cohorts would be too small: cohorts of a trial go together.
    naive = np.sqrt(found[:, 0] * (1 - found[:, 0]) / b.sum(axis=1)).mean()
    assert naive < 0.8 * found[:, 0].std()


def test_stage_keeps_half_of_the_effective_particles():
    gain = np.random.default_rng(1).normal(0, 30, 500)
    length = stage_length(gain, 1.0)
    weights = np.exp(length * (gain - gain.max()))
    np.testing.assert_allclose(weights.sum() ** 2 / (weights**2).sum(), 250, rtol=1e-3)
    assert stage_length(np.zeros(500), 0.7) == 0.7
    with pytest.raises(DecisionError, match="No particle can explain"):
        stage_length(np.full(10, -np.inf), 1.0)


def test_resampling_is_in_proportion():
    index = resampled(np.log(np.array([0.1, 0.2, 0.3, 0.4])), np.random.default_rng(1))
    assert len(index) == 4
    counts = np.bincount(
        resampled(np.log(np.repeat([1.0, 3.0], 500)), np.random.default_rng(1)), minlength=1000
    )
    assert counts[:500].sum() == pytest.approx(250, abs=1)
    assert counts.max() <= 2


def test_what_does_not_fit_is_refused():
    levels = doses(10, 20)
    for match, make in {
        "lowest up": lambda: EscalationDesign(doses(20, 10)),
        "start '5 mg'": lambda: EscalationDesign(levels, start="5 mg"),
        "target is 1.5": lambda: EscalationDesign(levels, target=1.5),
        "no room for a cohort": lambda: EscalationDesign(levels, cohort=6, max_subjects=3),
        "is no rule": lambda: EscalationDesign(levels, rules=["EWOC"]),
        "bound is 0": lambda: EWOC(0),
        "subjects is 0": lambda: Backfill(0),
        "particles is 3": lambda: TrialPrecision(3),
        "needs priors for dlt_intercept, dlt_slope": lambda: DoseLimitingToxicity(concentration),
        "link 'probit'": lambda: DoseLimitingToxicity(concentration, link="probit"),
        "reference is -1": lambda: DoseLimitingToxicity(concentration, reference=-1, link="hazard"),
        "increasing times": lambda: toy(times=[1.0, 0.0]),
        "samples: 'Cp' is not one of Cc": lambda: dataclasses.replace(toy(), samples={"Cp": [1.0]}),
        "cannot be called 'prior'": lambda: Scenario("prior"),
    }.items():
        with pytest.raises(DecisionError, match=match):
            make()
    with pytest.raises(DecisionError, match="each subject has one occasion"):
        dataclasses.replace(
            toy(),
            calibration=dataclasses.replace(
                toy().calibration, individual=[qb.IOV("Vc")], fix={"CL": STAY, "sigma_log_Cc": SIGMA}
            ),
        )


def test_covariates_scale_doses_and_parameters():
    """Doses per kg into volumes that grow with weight: everyone has the same concentration."""
    people = qb.Subjects(pd.DataFrame({"WT": [40.0, 80.0]}, index=["a", "b"]), {"WT": "kg"}, "two")
    base = toy(samples=False)
    calibration = dataclasses.replace(
        base.calibration,
        individual=[qb.Allometry("WT", Vc=1.0, reference=40)],
        fix={"CL": STAY, "sigma_log_Cc": SIGMA},
    )
    mechanism = Mechanism.of(model := TrialModel(calibration, base.toxicity, [0.0, 1.0], subjects=people))
    per_kg = {
        f"{dose} mg/kg": qb.Regimen(dose, unit="mg/kg", per="WT", into="central") for dose in (1.0, 2.0)
    }
    ladder = Ladder.of(model, mechanism, per_kg)
    populations = mechanism.population.draws(4, 1)
    volume = mechanism.population.natural(populations)["TVVc"]
    linked = ladder.individuals(populations, np.zeros((2, 0)), ladder.covariates)
    both = mechanism.solve(ladder.schedules["2.0 mg/kg"], linked)
    np.testing.assert_allclose(mechanism.exposure(both), np.repeat(80.0 / volume, 2).reshape(4, 2), rtol=1e-6)
    np.testing.assert_allclose(ladder.factors, [1, 2])


def test_measures_of_exposure_are_checked(mechanism, model):
    schedule = planned_schedules(
        model.calibration.system, LEVELS["20 mg"], model.recruits, mechanism.times, ("Cc",), {}
    )
    linked = np.zeros((2, 1, len(mechanism.individuals.names)))
    solutions = mechanism.solve(schedule, linked)
    for function, match in {
        lambda x: x["Cc"]: "one number for each individual",
        lambda x: 1.0: "it gave float",
        lambda x: -x["Cc"].max("time"): "negative",
    }.items():
        wrong = dataclasses.replace(
            mechanism, toxicity=dataclasses.replace(mechanism.toxicity, exposure=function)
        )
        with pytest.raises(DecisionError, match=match):
            wrong.exposure(solutions)


def test_units_reach_the_measure(mechanism, ladder):
    seen = {}

    def measure(x):
        seen.update(Cc=x["Cc"].attrs["units"], time=x["time"].attrs["units"], dims=x["Cc"].dims)
        return concentration(x)

    looking = dataclasses.replace(
        mechanism, toxicity=dataclasses.replace(mechanism.toxicity, exposure=measure)
    )
    looking.exposure(mechanism.solve(ladder.schedules["20 mg"], np.zeros((1, 1, 2))))
    assert seen == {"Cc": "mg/L", "time": "h", "dims": ("chain", "draw", "regimen", "subject", "time")}


def test_empty_ratio_of_one_trial_has_no_error(trials):
    plan, found = trials
    one = OperatingCharacteristics.of(plan, found.trials[:1], asked=1, random_seed=1)
    assert np.isnan(one.table.loc["prior", "correct_mcse"])
