"""A person's plan: the history stays as it is, and what would be ambiguous is refused."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qsp_bayes.data import Regimen, load_dataset
from qsp_bayes.data.continued import continued_study
from qsp_bayes.data.more_records import with_more_records
from qsp_bayes.errors import DataError, UnitsError

OUTPUTS = {"Cc": "mg/L"}


@pytest.fixture(scope="module")
def baby():
    return load_dataset("phenobarbital").subset(["1"])


def more(start=120.0, **keywords):
    return Regimen(5, **{"unit": "mg", "into": "central", "start": start, **keywords})


def varying(carry):
    """A person on quinidine's records, whose covariates and occasions change in time."""
    study = load_dataset("quinidine").subset(["1"])
    table = study.table.assign(OCC=np.where(study.table["TIME"] < 100, 1, 2))
    return dataclasses.replace(study, table=table, carry=carry)


def test_what_was_given_stays_and_what_is_planned_follows(baby):
    plan = continued_study(baby, [120, 132, 144], outputs=OUTPUTS, regimen=more(every=12, until=144))
    given = plan.table[plan.table["EVID"] == 1][["TIME", "AMT"]].to_numpy()
    before = baby.table[baby.table["EVID"] == 1][["TIME", "AMT"]].to_numpy()
    np.testing.assert_array_equal(given, np.vstack([before, [[120, 5], [132, 5]]]))
    assert plan.is_planned
    assert plan.n_observations == 3
    assert plan.table["TIME"].is_monotonic_increasing
    assert dict(plan.table.dtypes) == dict(baby.table.dtypes)


def test_occasions_are_numbered_on(baby):
    plan = continued_study(
        baby, [110, 120, 130, 140, 150], outputs=OUTPUTS, regimen=more(every=10, until=150), occasions=[140]
    )
    observed = plan.table.iloc[plan.rows["Cc"]].set_index("TIME")["OCC"]
    # A trough belongs to the interval that it ends.
    assert observed.to_dict() == {110: 1, 120: 1, 130: 2, 140: 2, 150: 3}
    doses = plan.table[(plan.table["EVID"] == 1) & (plan.table["TIME"] >= 120)].set_index("TIME")["OCC"]
    assert doses.to_dict() == {120: 2, 130: 2, 140: 3}
    with pytest.raises(DataError, match="increasing times after 120"):
        continued_study(baby, [130], outputs=OUTPUTS, regimen=more(), occasions=[110])


@pytest.mark.parametrize("carry", ["nocb", "locf"])
def test_observations_take_the_covariates_of_their_time(carry):
    who = varying(carry)
    times = [20.0, 60.0, 138.0, 139.0]
    plan = continued_study(who, times, outputs=OUTPUTS)
    seen = plan.table.iloc[plan.rows["Cc"]].set_index("TIME")[["AAG", "OCC"]]
    # AAG is 0.41 until the level at 49.25 h and 1.11 from the dose at 138 h, which sets a steady state.
    later = (1.11, 2) if carry == "nocb" else (0.41, 1)
    assert seen.loc[20.0].tolist() == [0.41, 1]
    assert tuple(seen.loc[60.0]) == later
    assert seen.loc[139.0].tolist() == [1.11, 2]
    steady = plan.table.index[(plan.table["SS"] > 0) & (plan.table["TIME"] == 138)][0]
    observed = plan.rows["Cc"][times.index(138.0)]
    assert observed > steady


def test_new_covariates_begin_with_the_regimen(baby):
    plan = continued_study(baby, [110, 130], outputs=OUTPUTS, regimen=more(), covariates={"WT": 1.6})
    weight = plan.table.set_index("TIME")["WT"]
    assert (weight.loc[:119.9] == 1.4).all()
    border = plan.table[(plan.table["TIME"] == 120) & (plan.table["EVID"] == 2)]
    assert border["WT"].item() == 1.4
    assert (weight.loc[120.1:] == 1.6).all()
    scaled = continued_study(
        baby, [130], outputs=OUTPUTS, regimen=more(unit="mg/kg", per="WT"), covariates={"WT": 1.6}
    )
    assert scaled.table["AMT"].iloc[-2] == 5 * 1.6


def test_later_doses_are_refused_or_dropped(baby):
    with pytest.raises(DataError, match=r"starts at 100, and subject 1 has received a dose at 108.5"):
        continued_study(baby, [120], outputs=OUTPUTS, regimen=more(100))
    with pytest.raises(DataError, match=r"a start after 108.5"):
        continued_study(baby, [120], outputs=OUTPUTS, regimen=more(108.5))
    plan = continued_study(baby, [120], outputs=OUTPUTS, regimen=more(100), drop_later_doses=True)
    doses = plan.table[plan.table["EVID"] == 1]
    assert doses["TIME"].max() == 100
    assert doses["TIME"].iloc[-2] == 96.5


def test_doses_written_by_addl_are_cut_at_the_start(baby):
    table = baby.table.iloc[:1].assign(ADDL=9, II=12.0)
    who = dataclasses.replace(baby, table=table)
    with pytest.raises(DataError, match="received a dose at 108"):
        continued_study(who, [120], outputs=OUTPUTS, regimen=more(100))
    for start, kept in ((100.0, 8), (96.0, 7), (95.0, 7)):
        plan = continued_study(who, [120], outputs=OUTPUTS, regimen=more(start), drop_later_doses=True)
        assert plan.table["ADDL"].iloc[0] == kept
    later = continued_study(who, [120], outputs=OUTPUTS, regimen=more(109))
    assert later.table["ADDL"].iloc[0] == 9


def test_refusals(baby):
    with pytest.raises(DataError, match="steady state forgets"):
        continued_study(baby, [130], outputs=OUTPUTS, regimen=more(every=12, until=144, steady_state=True))
    with pytest.raises(DataError, match="no covariate 'HT'"):
        continued_study(baby, [130], outputs=OUTPUTS, regimen=more(), covariates={"HT": 1.0})
    with pytest.raises(DataError, match="a finite number"):
        continued_study(baby, [130], outputs=OUTPUTS, regimen=more(), covariates={"WT": np.nan})
    with pytest.raises(DataError, match="without a regimen"):
        continued_study(baby, [130], outputs=OUTPUTS, covariates={"WT": 1.0})
    with pytest.raises(DataError, match="increasing"):
        continued_study(baby, [130, 120], outputs=OUTPUTS)
    with pytest.raises(DataError, match="59 subjects"):
        continued_study(load_dataset("phenobarbital"), [130], outputs=OUTPUTS)
    with pytest.raises(UnitsError, match="ug"):
        continued_study(baby, [130], outputs=OUTPUTS, regimen=more(unit="ug"))
    late = dataclasses.replace(baby, table=baby.table.assign(TIME=baby.table["TIME"] + 200))
    with pytest.raises(DataError, match="before the first record"):
        continued_study(late, [230], outputs=OUTPUTS, regimen=more(), drop_later_doses=True)


def test_visits_join_to_the_whole_history(baby):
    late = (baby.records["TIME"] > 100).to_numpy()
    first, second = baby.leave_out(late, "later"), baby.leave_out(~late, "earlier")
    pd.testing.assert_frame_equal(with_more_records(first, second).table, baby.table)
    pd.testing.assert_frame_equal(with_more_records(second, first).table, baby.table)
    with pytest.raises(DataError, match="would count twice"):
        with_more_records(baby, second)
    with pytest.raises(DataError, match="subject 2"):
        with_more_records(first, load_dataset("phenobarbital").subset(["2"]))
    with pytest.raises(UnitsError, match="min"):
        with_more_records(
            first, dataclasses.replace(second, units=dataclasses.replace(second.units, time="min"))
        )
    with pytest.raises(DataError, match="NOCB"):
        with_more_records(first, dataclasses.replace(second, carry="locf"))
