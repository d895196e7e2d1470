"""Planned doses fall when and where they should, in the units of the study."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp_bayes.data import Regimen, StudyUnits, planned_study, read_nonmem
from qsp_bayes.errors import DataError, UnitsError

UNITS = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"})


def test_doses_are_given_before_until():
    np.testing.assert_array_equal(Regimen(1, every=24, until=72).dose_times(), [0, 24, 48])
    np.testing.assert_array_equal(Regimen(1, every=24, until=72.5).dose_times(), [0, 24, 48, 72])
    np.testing.assert_array_equal(Regimen(1, every=12, doses=3, start=6).dose_times(), [6, 18, 30])
    np.testing.assert_array_equal(Regimen(1).dose_times(), [0])


@given(st.integers(1, 200), st.integers(1, 60), st.sampled_from([0.1, 0.25, 0.7, 1 / 3, 8]))
def test_until_is_exclusive_whatever_the_rounding(ticks, start, tick):
    regimen = Regimen(1, every=tick, start=start * tick, until=start * tick + ticks * tick)
    assert regimen.n_doses == ticks


@given(st.integers(0, 48), st.integers(1, 24), st.integers(1, 12))
def test_expansion_equals_additional_doses(start, interval, count):
    """Doses written one by one fall on the times of one record with ADDL and II."""
    regimen = Regimen(50, every=interval, doses=count, start=start)
    record = {"ID": [1], "TIME": [start], "AMT": [50], "DV": ["."], "CMT": ["depot"]}
    study = read_nonmem(
        pd.DataFrame({**record, "II": [interval], "ADDL": [count - 1]}),
        units={"TIME": "h", "AMT": "mg", "DV": "mg/L"},
        compartments={1: "depot"},
        outputs="Cc",
    )
    events = study.events()
    expanded = events.time[0] + np.arange(events.additional[0] + 1) * events.interval[0]
    np.testing.assert_array_equal(regimen.dose_times(), expanded)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 40))
def test_joining_is_the_union_of_doses(first, second, start):
    a, b = Regimen(10, every=8, doses=first), Regimen(3, every=5, doses=second, start=start, into="central")
    joined = a + b
    assert joined.n_doses == first + second
    np.testing.assert_array_equal(joined.dose_times(), np.sort([*a.dose_times(), *b.dose_times()]))
    assert joined.compartments == ("depot", "central")
    assert joined.records()["AMT"].sum() == 10 * first + 3 * second
    np.testing.assert_array_equal((b + a).dose_times(), joined.dose_times())
    assert (a + b) + a == a + (b + a)


def test_a_regimen_is_frozen_and_described():
    regimen = Regimen(100, every=12, until=72)
    with pytest.raises(dataclasses.FrozenInstanceError):
        regimen.amount = 200
    assert str(regimen) == "100 mg every 12 into depot until 72"
    assert str(Regimen(5, unit="mg/kg", per="WT", rate=2, into="central", start=3)) == (
        "5 mg/kg per WT into central at rate 2 at 3"
    )
    assert str(
        Regimen(1, every=8, steady_state=True) + Regimen(2, every=8, doses=2, start=4, time_unit="h")
    ) == ("1 mg every 8 into depot at steady state + 2 mg every 8 h into depot from 4 for 2 doses")
    with pytest.raises(TypeError):
        regimen + 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"amount": -1}, "amount is -1"),
        ({"amount": float("nan")}, "amount is nan"),
        ({"every": 0, "until": 10}, "every is 0"),
        ({"every": 12}, "every without an end"),
        ({"until": 10}, "until without an interval"),
        ({"doses": 3}, "doses without an interval"),
        ({"every": 12, "until": 10, "doses": 2}, "until and doses are both given"),
        ({"every": 12, "until": 24, "start": 24}, "until is 24, not after start 24"),
        ({"every": 12, "doses": 0}, "doses is 0"),
        ({"every": 12, "doses": 1.5}, "doses is 1.5"),
        ({"rate": 1, "duration": 1}, "rate and duration are both given"),
        ({"duration": 0}, "duration is 0"),
        ({"start": -1}, "start is -1"),
        ({"steady_state": True}, "a steady state without an interval"),
    ],
)
def test_contradictions_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        Regimen(**{"amount": 100, **arguments})


@pytest.mark.parametrize(
    ("regimen", "message"),
    [
        (Regimen(1, unit="ug"), r"unit is 'ug', expected 'mg' \(1 ug = 0.001 mg\)"),
        (Regimen(1, unit="mg/kg"), "unit is 'mg/kg', expected 'mg'; they measure different things"),
        (Regimen(1, unit="mg", per="WT"), "they measure different things"),
        (Regimen(1, unit="mg/kg", per="AGE"), "covariate AGE has no unit in the study"),
        (Regimen(1) + Regimen(1, unit="nmol"), "unit is 'nmol', expected 'mg'"),
        (Regimen(1, every=1, doses=2, time_unit="day"), "unit is 'day', expected 'h'"),
    ],
)
def test_units_are_checked_against_the_study(regimen, message):
    with pytest.raises(UnitsError, match=message):
        regimen.check_units(UNITS)


@given(st.lists(st.floats(40, 120), min_size=1, max_size=4), st.sampled_from([1, 2]), st.integers(1, 5))
def test_a_plan_covers_the_grid_of_every_subject_and_output(weights, n_outputs, count):
    names = ("Cc", "effect")[:n_outputs]
    units = StudyUnits("h", "mg", dict.fromkeys(names, ""), {"WT": "kg"})
    times = [0.0, 5.0, 8.0, 16.0]
    study = planned_study(
        Regimen(2, unit="mg/kg", per="WT", every=8, doses=count),
        pd.DataFrame({"WT": weights}),
        times,
        units=units,
    )
    events = study.events()
    assert study.is_planned
    assert study.n_doses == count * len(weights)
    for name in names:
        rows = events.rows[name].reshape(len(weights), len(times))
        np.testing.assert_array_equal(events.time[rows], [times] * len(weights))
        np.testing.assert_array_equal(events.subject[rows], np.arange(len(weights))[:, None] * [[1] * 4])
        assert np.isnan(events.DV[name]).all()
    np.testing.assert_array_equal(events.amount[events.evid == 1], np.repeat(2 * np.array(weights), count))
    np.testing.assert_array_equal(study.covariate("WT"), weights)
    within = np.diff(events.time)[np.diff(events.subject) == 0]
    assert (within >= 0).all()


def test_a_planned_observation_at_a_dose_is_a_trough():
    records = planned_study(
        Regimen(1, every=8, doses=2), pd.DataFrame({"WT": [70.0]}), [0, 8], units=UNITS
    ).records
    assert records["EVID"].tolist() == [0, 1, 0, 1]


def test_a_planned_steady_state_is_seen_by_the_observation_at_its_time():
    regimen = Regimen(1, every=8, until=16, steady_state=True) + Regimen(
        5, every=24, steady_state=True, start=8
    )
    records = planned_study(regimen, pd.DataFrame({"WT": [70.0]}), [0, 8], units=UNITS).records
    assert records["EVID"].tolist() == [1, 0, 1, 0, 1]
    assert records["SS"].tolist() == [1, 0, 2, 0, 0]
    assert records["II"].tolist() == [8, 0, 24, 0, 0]


def test_a_planned_infusion_and_placebo():
    units = StudyUnits("h", "mg", {"Cc": "mg/L"})
    subject = pd.DataFrame(index=["A"])
    records = planned_study(Regimen(10, rate=5) + Regimen(6, duration=2), subject, [1], units=units).records
    assert records["RATE"].tolist() == [5, 0, 0]
    assert records["DUR"].tolist() == [0, 2, 0]
    placebo = planned_study(Regimen(0, rate=5), subject, [1], units=units).records
    assert placebo["RATE"].tolist() == placebo["AMT"].tolist() == [0, 0]


def test_a_plan_can_be_written_and_read_back(tmp_path):
    study = planned_study(
        Regimen(3, every=8, doses=2),
        pd.DataFrame({"WT": [70.0, 80.0]}, index=["a", "b"]),
        [0, 8],
        units=UNITS,
    )
    columns = {"COMPARTMENT": "CMT", "OUTPUT": "DVID"}
    study.records.drop(columns="FILE_ROW").rename(columns=columns).assign(DV=1.0).to_csv(
        tmp_path / "plan.csv", index=False
    )
    back = read_nonmem(
        tmp_path / "plan.csv",
        units={"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"},
        compartments={1: "depot"},
        outputs={1: "Cc"},
    )
    for name in ("subject", "time", "evid", "amount", "compartment", "output"):
        np.testing.assert_array_equal(back.events()[name], study.events()[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, "at least one time, increasing"),
        ({"times": [0, 2, 1]}, "at least one time, increasing"),
        ({"times": [-1, 2]}, "at least one time, increasing"),
        ({"compartments": ["central"]}, "the regimen doses into 'depot'"),
        (
            {"regimen": Regimen(1, unit="mg/kg", per="WT"), "subjects": pd.DataFrame({"AGE": [1.0]})},
            "WT has no unit",
        ),
        ({"subjects": pd.DataFrame({"WT": [70.0, None]})}, "covariate WT is missing for subject 1"),
        ({"subjects": pd.DataFrame({"WT": []})}, "at least one subject"),
        (
            {"subjects": pd.DataFrame({"WT": [1.0, 2.0]}, index=["a", "a"])},
            "subjects without labels of their own",
        ),
        ({"outputs": ["Cp"]}, "no output 'Cp'"),
    ],
)
def test_plans_that_cannot_be(arguments, message):
    plan = {
        "regimen": Regimen(1),
        "subjects": pd.DataFrame({"WT": [70.0]}),
        "times": [1],
        "units": UNITS,
        **arguments,
    }
    with pytest.raises((DataError, UnitsError), match=message):
        planned_study(plan.pop("regimen"), plan.pop("subjects"), plan.pop("times"), **plan)
