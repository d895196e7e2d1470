"""Better designs against known optima, exhaustive search, and the expected information of the design they give."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from small_models import decay, half_normal, log_normal

import qsp_bayes as qb
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import CalibrationError, DataError
from qsp_bayes.identifiability.other_designs import with_regimen, with_samples

DOSE = qb.Regimen(10, unit="mg", into="central")
GRID = np.round(np.arange(0.1, 12.05, 0.1), 10)


def plan(times, output="A", subjects=1, regimen=DOSE, unit="mg"):
    table = pd.DataFrame({"X": np.ones(subjects)}, index=[f"s{k}" for k in range(subjects)])
    return qb.planned_study(
        regimen, table, times, units=StudyUnits("h", "mg", {output: unit}, {"X": ""}), outputs=[output]
    )


def chosen(better):
    return [float(word.rpartition(" ")[2]) for word in better.steps.choice.values[1:]]


def test_one_rate_is_best_seen_at_its_reciprocal():
    """Exponential decay with additive error: the information t^2 exp(-2 k t) is largest at t = 1 / k."""
    for k in (0.2, 0.5):
        better = qb.improve_design(
            decay(fix={"S": 1.0, "sigma_add_A": 0.1}), plan([0.0]), GRID, 1, at={"TVKE": k}
        )
        assert chosen(better) == [1 / k]
        # On the logarithmic scale the error is sigma / (dose k t exp(-k t)).
        expected = 0.1 * np.e / 10
        assert better.steps.standard_error.values[-1, 0] == pytest.approx(expected, rel=1e-5)
        assert np.isinf(better.steps.standard_error.values[0, 0])


def test_level_and_rate_are_best_seen_first_and_a_reciprocal_later():
    better = qb.improve_design(
        decay(fix={"sigma_add_A": 0.1}), plan([0.0]), GRID, 2, at={"TVKE": 0.25, "TVS": 1.0}, priors=False
    )
    assert sorted(chosen(better)) == [0.1, 4.1]


def hyperbola():
    system = qb.System(
        {"clock": "h"},
        {"Emax": "mmol", "T50": "h"},
        [qb.Process("time", {"clock": 1}, lambda s: s.clock / s.clock)],
        outputs={"E": qb.Output("mmol", lambda s: s.Emax * s.clock / (s.T50 + s.clock))},
    )
    priors = {
        "TVEmax": log_normal(1.0, "mmol", 0.5),
        "TVT50": log_normal(1.5, "h", 0.5),
        "sigma_add_E": half_normal(1.0, "mmol"),
    }
    return qb.Calibration(system, priors, error={"E": qb.Additive()}, fix={"sigma_add_E": 0.05})


def test_a_hyperbola_is_best_seen_at_its_end_and_at_the_closed_form_below():
    """Emax x / (X50 + x) up to x_max: the D-optimal points are x_max and X50 x_max / (2 X50 + x_max)."""
    rows = [{"ID": "1", "TIME": 1e-6, "DV": 0.0, "EVID": 0}]
    study = qb.read_nonmem(pd.DataFrame(rows), units={"TIME": "h", "DV": "mmol"}, outputs="E")
    better = qb.improve_design(
        hyperbola(), study, np.arange(1, 61) / 10, 2, at={"TVEmax": 1.0, "TVT50": 1.5}, priors=False
    )
    assert sorted(chosen(better)) == [1.5 * 6 / (2 * 1.5 + 6), 6.0]


def dose_response():
    system = qb.System(
        {"central": "mg"},
        {"Emax": "mmol", "D50": "mg", "KE": "1/h"},
        [qb.Process("loss", {"central": -1}, lambda s: s.KE * s.central)],
        outputs={"E": qb.Output("mmol", lambda s: s.Emax * s.central / (s.D50 + s.central))},
        doses={"central": qb.DoseInto()},
    )
    priors = {
        "TVEmax": log_normal(1.0, "mmol", 0.5),
        "TVD50": log_normal(2.0, "mg", 0.5),
        "TVKE": log_normal(1e-9, "1/h"),
        "sigma_add_E": half_normal(1.0, "mmol"),
    }
    fix = {"sigma_add_E": 0.05, "KE": 1e-9}
    return qb.Calibration(system, priors, error={"E": qb.Additive()}, fix=fix)


def test_doses_of_two_arms_are_those_of_the_closed_form():
    study = plan([1.0], "E", subjects=6, regimen=qb.Regimen(1, unit="mg", into="central"), unit="mmol")
    doses = {
        f"{d:g} mg": qb.Regimen(d, unit="mg", into="central") for d in (0.25, 0.5, 1.5, 4 / 3, 2.0, 3.0, 4.0)
    }
    better = qb.improve_design(
        dose_response(), study, doses, 2, at={"TVEmax": 1.0, "TVD50": 2.0}, priors=False,
        arms={"one": ["s0", "s1", "s2"], "other": ["s3", "s4", "s5"]},
    )  # fmt: skip
    # 2 x 4 / (2 x 2 + 4) = 1 is what the study has already: one arm keeps it, and the other gets the largest dose.
    assert better.steps.choice.values.tolist()[1:] == ["4 mg"]
    amounts = better.study.table.loc[better.study.table["EVID"] == 1].groupby("ID")["AMT"].first()
    assert sorted(amounts) == [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]


@pytest.fixture(scope="module")
def theophylline():
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        qb.load_priors("theophylline"),
        individual=[qb.IIV("CL", "KA")],
        error={"Cc": qb.Combined()},
    )
    study = qb.load_dataset("theophylline")
    few = study.leave_out((study.table["EVID"] == 0) & (study.table["TIME"] > 1.5), "sparse")
    return calibration, few


@pytest.mark.parametrize("criterion", ["D", "A", ["TVCL", "omega_CL"]])
def test_every_step_helps_and_the_design_has_the_information_that_is_promised(theophylline, criterion):
    calibration, few = theophylline
    arms = {"first": few.subjects[:6], "second": few.subjects[6:]}
    better = qb.improve_design(
        calibration, few, [3.0, 8.0, 24.0], 3, criterion=criterion, arms=arms, draws=3, random_seed=5
    )
    steps = better.steps
    assert (steps.gain.values[1:] > 0).all()
    assert (np.diff(steps.posterior_sd, axis=0) < 1e-9).all()
    np.testing.assert_allclose(steps.criterion.values[0] + np.cumsum(steps.gain), steps.criterion)
    # The design as it is written, and the information of a model built for it anew.
    assert better.study.n_observations == few.n_observations + 18
    for k, design in ((0, few), (-1, better.study)):
        again = qb.expected_information(calibration, design, draws=3, random_seed=5)
        np.testing.assert_allclose(steps.posterior_sd.values[k], again.posterior_sd, rtol=1e-5)
        np.testing.assert_allclose(steps.standard_error.values[k], again.standard_error, rtol=1e-4)
    assert "Posterior standard deviations" in repr(better)


def test_a_quantity_is_judged_by_its_own_variance(theophylline):
    """The logarithm of clearance is one variable; an area is 1 / CL, whose relative error is that of CL."""
    calibration, study = theophylline
    times = [12.0, 24.0, 36.0, 48.0]

    def of(criterion):
        return qb.improve_design(calibration, study, times, 2, criterion=criterion, draws=3, random_seed=5)

    by_name, by_log = of(["TVCL"]), of(lambda v: np.log(v["TVCL"]))
    np.testing.assert_allclose(by_log.steps.criterion, by_name.steps.criterion, rtol=1e-5)
    assert chosen(by_log) == chosen(by_name)
    by_area = of(lambda v: 320.0 / v["TVCL"])
    np.testing.assert_allclose(by_area.steps.gain, by_name.steps.gain, rtol=1e-4, atol=1e-8)
    with pytest.raises(CalibrationError, match="does not depend on the population"):
        of(lambda v: 1.0)


def test_exchange_finds_what_trying_all_pairs_finds():
    """A two-parameter curve with proportional and additive error, from nothing: greedy alone may miss the pair."""
    calibration, at = decay(fix={"sigma_add_A": 0.1}), {"TVKE": 0.25, "TVS": 1.0}
    grid = [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
    better = qb.improve_design(calibration, plan([0.0]), grid, 2, at=at, criterion="A")

    def criterion(pair):
        found = qb.expected_information(calibration, with_samples(plan([0.0]), pair), at=at)
        return float((found.posterior_sd**2).mean())

    best = min(itertools.combinations(grid, 2), key=criterion)
    assert sorted(chosen(better)) == sorted(best)


def test_alike_subjects_count_as_many():
    calibration = decay([qb.IIV("KE")])
    at = {"TVKE": 0.3, "TVS": 1.0, "omega_KE": 0.3, "sigma_add_A": 0.2}
    one, many = (
        qb.improve_design(calibration, plan([0.0, 1.0], subjects=n), [4.0], 1, at=at) for n in (5, 20)
    )
    ratio = one.steps.standard_error.values[-1] / many.steps.standard_error.values[-1]
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-6)


def test_samples_stand_before_doses_and_after_a_steady_state():
    study = plan([2.0, 30.0], regimen=qb.Regimen(10, unit="mg", into="central", every=12, until=25))
    table = with_samples(study, [12.0]).table
    at = table[table["TIME"] == 12.0]
    assert at["EVID"].tolist() == [0, 1]
    assert at["DV"].isna().all()
    steady = plan(
        [30.0], regimen=qb.Regimen(10, unit="mg", into="central", every=12, steady_state=True, until=25)
    )
    at = with_samples(steady, [0.0]).table.iloc[:2]
    assert at["EVID"].tolist() == [1, 0]
    assert with_samples(study, [60.0, 40.0]).table["TIME"].is_monotonic_increasing
    with pytest.raises(DataError, match="no subject zz"):
        with_samples(study, [1.0], ["zz"])
    with pytest.raises(DataError, match="finite times"):
        with_samples(study, [-1.0])


def test_other_doses_are_those_of_the_regimen_by_weight():
    study = qb.load_dataset("theophylline")
    changed = with_regimen(study, qb.Regimen(2, unit="mg/kg", per="WT", every=12, until=24), ["1"])
    doses = changed.table[(changed.table["EVID"] == 1) & (changed.table["ID"] == "1")]
    assert doses["TIME"].tolist() == [0.0, 12.0]
    np.testing.assert_allclose(doses["AMT"], 2 * study.covariate("WT")[0])
    assert changed.n_observations == study.n_observations
    assert changed.subset(["2"]).checksum == study.subset(["2"]).checksum
    with pytest.raises(DataError, match="doses into 'effect'"):
        with_regimen(study, qb.Regimen(2, unit="mg", into="effect"))


def test_what_does_not_fit_is_refused():
    calibration, study = decay(), plan([1.0], subjects=2)
    with pytest.raises(CalibrationError, match="criterion: TVX is none"):
        qb.improve_design(calibration, study, [2.0], 1, criterion=["TVX"])
    with pytest.raises(CalibrationError, match="zz not in the study"):
        qb.improve_design(calibration, study, [2.0], 1, arms={"a": ["zz"]})
    with pytest.raises(CalibrationError, match="a subject twice"):
        qb.improve_design(calibration, study, [2.0], 1, arms={"a": ["s0"], "b": ["s0"]})
    with pytest.raises(CalibrationError, match="number is 3; with these candidates it is between 1 and 1"):
        qb.improve_design(calibration, study, [2.0], 3)
    assert dataclasses.is_dataclass(qb.BetterDesign)
