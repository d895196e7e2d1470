"""What a study file says is what the study holds."""

import datetime
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import DataError, UnitsError

UNITS = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
COMPARTMENTS = {1: "depot", 2: "central"}


def study_of(text, tmp_path, **options):
    path = tmp_path / "study.csv"
    path.write_text(text)
    arguments = {"units": UNITS, "compartments": COMPARTMENTS, "outputs": "Cc", **options}
    return read_nonmem(path, **arguments)


def test_every_column_reaches_the_records(tmp_path):
    study = study_of(
        "id,Time,AMT,Rate,EVID,CMT,II,ADDL,SS,MDV,DV,CENS,LIMIT,OCC,WT\n"
        "7,0,100,50,1,2,12,3,1,1,.,0,.,1,70\n"
        "7,1,.,.,0,2,.,.,.,0,4.5,0,.,1,71\n"
        "7,2,0,0,0,2,0,0,0,0,0.5,1,0.1,2,72\n"
        "8,0,10,-2,4,1,24,0,2,1,.,0,.,1,80\n"
        "8,3,.,.,3,.,.,.,.,1,.,0,.,1,80\n",
        tmp_path,
        units={**UNITS, "RATE": "mg/h", "II": "h", "LIMIT": "mg/L", "WT": "kg"},
    )
    events = study.events()
    assert study.subjects == ("7", "8")
    assert study.occasions == ("7/1", "7/2", "8/1")
    np.testing.assert_array_equal(events.subject, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(events.time, [0, 1, 2, 0, 3])
    np.testing.assert_array_equal(events.evid, [1, 0, 0, 4, 3])
    np.testing.assert_array_equal(events.compartment, [1, -1, -1, 0, -1])
    np.testing.assert_array_equal(events.amount, [100, 0, 0, 10, 0])
    np.testing.assert_array_equal(events.rate, [50, 0, 0, -2, 0])
    np.testing.assert_array_equal(events.interval, [12, 0, 0, 24, 0])
    np.testing.assert_array_equal(events.additional, [3, 0, 0, 0, 0])
    np.testing.assert_array_equal(events.steady_state, [1, 0, 0, 2, 0])
    np.testing.assert_array_equal(events.occasion, [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(events.occasion_subject, [0, 0, 1])
    np.testing.assert_array_equal(events.output, [-1, 0, 0, -1, -1])
    np.testing.assert_array_equal(events.rows["Cc"], [1, 2])
    np.testing.assert_array_equal(events["DV"]["Cc"], [4.5, 0.5])
    np.testing.assert_array_equal(events.covariates["WT"], [70, 71, 72, 80, 80])
    np.testing.assert_array_equal(study.censoring("Cc").CENS, [0, 1])
    np.testing.assert_array_equal(study.censoring("Cc").LIMIT, [np.nan, 0.1])
    np.testing.assert_array_equal(study.records["FILE_ROW"], [2, 3, 4, 5, 6])
    whole = ("subject", "evid", "compartment", "additional", "steady_state", "occasion", "output")
    assert all(events[name].dtype == np.int64 for name in whole)
    assert all(
        events[name].dtype == np.float64 for name in ("time", "amount", "rate", "duration", "interval")
    )


@pytest.mark.parametrize("missing", [".", "", "NA", "NaN", " . "])
def test_marks_of_missing_values(missing, tmp_path):
    study = study_of(f"ID,TIME,AMT,DV,CMT\n1,0,5,{missing},1\n1,1,{missing},2.5,2\n", tmp_path)
    np.testing.assert_array_equal(study.records["AMT"], [5, 0])
    np.testing.assert_array_equal(study.records["EVID"], [1, 0])


def test_derived_evid_and_mdv(tmp_path):
    study = study_of(
        "ID,TIME,AMT,RATE,SS,MDV,DV,CMT\n"
        "1,0,5,.,.,.,.,1\n"  # an amount is a dose
        "1,0,0,3,1,.,.,2\n"  # so is a constant infusion
        "1,1,.,.,.,.,2.5,2\n"  # a value is an observation
        "1,2,.,.,.,1,.,2\n"  # MDV 1 without dose is another event
        "1,3,.,.,.,.,.,2\n",  # neither dose nor value: kept, not observed, and said
        tmp_path,
    )
    np.testing.assert_array_equal(study.records["EVID"], [1, 1, 0, 2, 0])
    np.testing.assert_array_equal(study.records["MDV"], [1, 1, 0, 1, 1])
    np.testing.assert_array_equal(study.rows["Cc"], [2])
    assert study.provenance.notes == ("1 record with EVID 0 and no DV taken as no observation (MDV 1)",)


def test_evid_0_with_mdv_1_is_a_record_and_no_observation(tmp_path):
    study = study_of(
        "ID,TIME,EVID,MDV,DV\n1,0,0,0,3\n1,1,0,1,9\n",
        tmp_path,
        compartments=None,
        units={"TIME": "h", "DV": ""},
    )
    assert len(study.records) == 2
    assert study.n_observations == 1


def test_several_outputs_by_dvid(tmp_path):
    text = "ID,TIME,AMT,DV,CMT,DVID\n1,0,5,.,1,.\n1,1,.,2.5,2,1\n1,1,.,80,2,2\n1,2,.,2.0,2,1\n"
    study = study_of(
        text, tmp_path, outputs={1: "Cc", 2: "PCA"}, units={**UNITS, "DV": {"Cc": "mg/L", "PCA": "percent"}}
    )
    np.testing.assert_array_equal(study.rows["Cc"], [1, 3])
    np.testing.assert_array_equal(study.rows["PCA"], [2])
    assert study.coords["obs_Cc"].tolist() == [0, 1]
    assert dict(study.units.outputs) == {"Cc": "mg/L", "PCA": "percent"}


def test_several_outputs_by_cmt_and_by_name(tmp_path):
    text = "ID,TIME,AMT,DV,CMT\n1,0,5,.,depot\n1,1,.,2.5,2\n1,1,.,80,effect\n"
    study = study_of(text, tmp_path, outputs={2: "Cc", 3: "effect"})
    assert study.records["OUTPUT"].tolist() == ["", "Cc", "effect"]
    assert study.records["COMPARTMENT"].tolist() == ["depot", "", ""]


def test_outputs_of_one_name_with_several_codes_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"observations have CMT 2, 3 .*write outputs=\{'2': 'Cc', '3': '...'\}"
    ):
        study_of("ID,TIME,AMT,DV,CMT\n1,0,5,.,1\n1,1,.,2.5,2\n1,1,.,80,3\n", tmp_path)


def test_infusions_by_rate_by_duration_and_by_both(tmp_path):
    study = study_of(
        "ID,TIME,AMT,RATE,DUR,DV,CMT\n1,0,10,5,.,.,2\n1,5,10,.,4,.,2\n1,9,10,5,2,.,2\n", tmp_path
    )
    events = study.events()
    np.testing.assert_array_equal(events.rate, [5, 0, 5])
    np.testing.assert_array_equal(events.duration, [0, 4, 0])
    np.testing.assert_array_equal(study.records["DUR"], [0, 4, 2])


def test_blq_is_cens(tmp_path):
    study = study_of(
        "ID,TIME,DV,BLQ\n1,0,0.5,1\n1,1,3,0\n", tmp_path, compartments=None, units={"TIME": "h", "DV": "mg/L"}
    )
    np.testing.assert_array_equal(study.censoring("Cc").CENS, [1, 0])


def test_lloq_with_flag_gives_the_limit(tmp_path):
    study = study_of(
        "ID,TIME,DV,BLQ,LLOQ\n1,0,.,1,0.5\n1,1,3,0,0.5\n",
        tmp_path,
        compartments=None,
        units={"TIME": "h", "DV": "mg/L", "LLOQ": "ug/mL"},
    )
    np.testing.assert_array_equal(study.events().DV["Cc"], [0.5, 3])
    np.testing.assert_array_equal(study.censoring("Cc").CENS, [1, 0])


def test_lloq_without_flag_censors_what_is_below_and_says_so(tmp_path):
    study = study_of(
        "ID,TIME,DV,LLOQ\n1,0,0.2,0.5\n1,1,3,0.5\n",
        tmp_path,
        compartments=None,
        units={"TIME": "h", "DV": "mg/L"},
    )
    np.testing.assert_array_equal(study.events().DV["Cc"], [0.5, 3])
    np.testing.assert_array_equal(study.censoring("Cc").CENS, [1, 0])
    assert study.provenance.notes == ("1 observation below LLOQ taken as censored",)


@pytest.mark.parametrize(("carry", "filled"), [("nocb", [60, 60, 65, 65]), ("locf", [60, 60, 60, 65])])
def test_missing_covariates_are_carried_and_counted(carry, filled, tmp_path):
    text = "ID,TIME,DV,WT\n1,0,1,.\n1,1,1,60\n1,2,1,.\n1,3,1,65\n2,0,1,80\n"
    study = study_of(
        text, tmp_path, compartments=None, units={"TIME": "h", "DV": "mg/L", "WT": "kg"}, carry=carry
    )
    np.testing.assert_array_equal(study.covariate_by_record("WT"), [*filled, 80])
    assert study.events().carry == carry
    assert study.provenance.notes == (f"WT: 2 missing cells filled within the subject ({carry.upper()})",)


def test_further_columns_are_covariates_or_text(tmp_path):
    text = "ID,TIME,DV,WT,SITE\n1,0,1,60,A\n"
    study = study_of(
        text, tmp_path, compartments=None, covariates=["wt"], units={"TIME": "h", "DV": "mg/L", "WT": "kg"}
    )
    assert study.covariates == ("WT",)
    assert study.records["SITE"].tolist() == ["A"]
    with pytest.raises(DataError, match="column SITE: cell holds 'A'"):
        study_of(text, tmp_path, compartments=None, units={"TIME": "h", "DV": "mg/L"})


def test_compartment_of_a_file_without_cmt(tmp_path):
    study = study_of("ID,TIME,AMT,DV\n1,0,5,.\n1,1,.,2\n", tmp_path, compartments="central")
    assert study.records["COMPARTMENT"].tolist() == ["central", ""]
    assert study.compartments == ("central",)


@pytest.mark.parametrize("label", ["1", "001", "S07", "A 1"])
def test_subject_labels_are_kept(label, tmp_path):
    study = study_of(f"ID,TIME,DV\n{label},0,1\n", tmp_path, compartments=None, units={"TIME": "h", "DV": ""})
    assert study.subjects == (label,)


def test_byte_order_mark_quotes_blank_lines_and_crlf(tmp_path):
    path = tmp_path / "windows.csv"
    path.write_bytes(b'\xef\xbb\xbf"ID","TIME","DV"\r\n"1","0","1"\r\n\r\n"1","1","x"\r\n')
    with pytest.raises(DataError, match=r"windows.csv, row 4, column DV: cell holds 'x'"):
        read_nonmem(path, units={"TIME": "h", "DV": ""}, outputs="Cc")


FRAME = {"ID": [1, 1], "TIME": [0, 1], "AMT": [5.0, None], "DV": [None, 2.0], "CMT": [1, 2]}


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(FRAME),
        pd.DataFrame(FRAME, dtype=object),
        pd.DataFrame(FRAME).convert_dtypes(),
        pd.DataFrame(FRAME).astype({"ID": "category"}),
        pd.DataFrame(FRAME).astype(str).replace("nan", "."),
        pd.DataFrame(FRAME, index=["a", "b"]).assign(ID=["1", "1"]),
        pd.DataFrame(FRAME).assign(CMT=[1.0, 2.0]),
    ],
    ids=["plain", "object", "nullable", "category", "text", "indexed", "float codes"],
)
def test_data_frames_of_any_dtype_give_the_same_study(frame):
    reference = read_nonmem(pd.DataFrame(FRAME), units=UNITS, compartments=COMPARTMENTS, outputs="Cc")
    study = read_nonmem(frame, units=UNITS, compartments=COMPARTMENTS, outputs="Cc")
    assert study.checksum == reference.checksum
    assert study.name == "study"


def test_data_frame_rows_are_counted_from_0():
    frame = pd.DataFrame({"ID": [1, 1], "TIME": [1.0, 0.5], "DV": [1, 2]})
    with pytest.raises(DataError, match=r"^data frame \(rows counted from 0\), row 1, column TIME"):
        read_nonmem(frame, units={"TIME": "h", "DV": ""}, outputs="Cc")


def test_data_frame_with_times_of_day_is_refused():
    frame = pd.DataFrame({"ID": [1], "TIME": [datetime.datetime(2020, 1, 1, 8)], "DV": [1]})
    with pytest.raises(DataError, match="clock time or a date"):
        read_nonmem(frame, units={"TIME": "h", "DV": ""}, outputs="Cc")


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"AMT": "mg", "DV": "mg/L"}, "column TIME has no unit"),
        ({"TIME": "h", "DV": "mg/L"}, "column AMT has no unit"),
        ({"TIME": "mg", "AMT": "mg", "DV": "mg/L"}, "'mg' is not a unit of time"),
        ({**UNITS, "DV": "mgg/L"}, "Cc: unit 'mgg/L' is not known"),
        ({**UNITS, "DV": {"Cp": "mg/L"}}, "DV has units for Cp; the outputs are Cc"),
        ({**UNITS, "WEIGHT": "kg"}, "there is no column 'WEIGHT'"),
        (
            {**UNITS, "RATE": "mg/min"},
            r"column RATE: unit is 'mg/min', expected 'mg/h' \(1 mg/min = 60 mg/h\)",
        ),
        ({**UNITS, "LIMIT": "ng/mL"}, "column LIMIT: unit is 'ng/mL', expected 'mg/L'"),
    ],
)
def test_units_that_are_missing_unknown_or_contradictory(units, message, tmp_path):
    with pytest.raises(UnitsError, match=message):
        study_of("ID,TIME,AMT,RATE,DV,CMT,LIMIT,WT\n1,0,5,.,.,1,.,70\n", tmp_path, units=units)


subjects = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["dose", "observation"])), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(subjects)
def test_records_keep_the_order_of_the_file(drawn):
    rows = [
        {"ID": f"S{i}", "TIME": time / 4, "AMT": 1.0 if kind == "dose" else None,
         "DV": None if kind == "dose" else 10 * i + j, "CMT": 1}
        for i, records in enumerate(drawn)
        for j, (time, kind) in enumerate(sorted(records, key=lambda record: record[0]))
    ]  # fmt: skip
    study = read_nonmem(pd.DataFrame(rows), units=UNITS, compartments=COMPARTMENTS, outputs="Cc")
    events = study.events()
    assert study.records["ID"].tolist() == [row["ID"] for row in rows]
    np.testing.assert_array_equal(events.time, [row["TIME"] for row in rows])
    assert (np.diff(events.subject) >= 0).all()
    assert all((np.diff(events.time[events.subject == i]) >= 0).all() for i in range(study.n_subjects))
    np.testing.assert_array_equal(events.DV["Cc"], [row["DV"] for row in rows if row["DV"] is not None])
    assert study.n_doses + study.n_observations == len(rows)


def test_a_hundred_thousand_records_read_quickly(tmp_path):
    n = 100_000
    position = np.arange(n)
    frame = pd.DataFrame({"ID": position // 100, "TIME": position % 100, "DV": 1.5, "WT": 70})
    frame.to_csv(tmp_path / "large.csv", index=False)
    started = time.process_time()
    study = read_nonmem(tmp_path / "large.csv", units={"TIME": "h", "DV": "", "WT": "kg"}, outputs="Cc")
    assert study.n_observations == n
    assert time.process_time() - started < 5
