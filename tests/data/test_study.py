"""A study is immutable, shows what it is, and gives the solver and PyMC the same numbers."""

import copy
import dataclasses
import json

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from qsp_bayes.data import Provenance, load_dataset, read_nonmem
from qsp_bayes.errors import DataError


@pytest.fixture(scope="module")
def theophylline():
    return load_dataset("theophylline")


@pytest.fixture(scope="module")
def quinidine():
    return load_dataset("quinidine")


def test_a_study_does_not_change(theophylline):
    before = theophylline.checksum
    records = theophylline.records
    records["DV"] = 0.0
    theophylline.events().DV["Cc"][:] = 0.0
    theophylline.events().subject[:] = 0
    theophylline.covariate("WT")[:] = 0.0
    assert theophylline.records["DV"].max() > 10
    assert theophylline.events().DV["Cc"].max() > 10
    assert dataclasses.replace(theophylline).checksum == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        theophylline.name = "other"
    with pytest.raises(TypeError):
        theophylline.units.outputs["Cc"] = "g/L"


def test_a_study_can_be_copied(theophylline):
    assert copy.deepcopy(theophylline).summary() == theophylline.summary()


def test_coordinates(quinidine):
    coords = quinidine.coords
    assert len(coords["subject"]) == len(coords["occasion"]) == 136
    assert coords["record"].tolist() == list(range(1471))
    assert coords["obs_Cc"].tolist() == list(range(361))
    assert coords["occasion"][0] == "1/1"


def test_covariate_of_subjects(theophylline, quinidine):
    np.testing.assert_array_equal(theophylline.covariate("WT")[:2], [79.6, 72.4])
    assert quinidine.covariate("HT").shape == (136,)
    with pytest.raises(
        DataError, match=r"covariate AAG varies within subject 1\..*covariate_by_record\('AAG'\)"
    ):
        quinidine.covariate("AAG")
    assert quinidine.covariate_by_record("AAG").shape == (1471,)
    with pytest.raises(DataError, match=r"no covariate 'WTT' .did you mean 'WT'"):
        theophylline.covariate("WTT")


def test_subset_keeps_the_order_of_the_study(theophylline):
    part = theophylline.subset([3, "1"])
    assert part.subjects == ("1", "3")
    assert part.n_observations == 20
    assert part.checksum != theophylline.checksum
    assert part.covariate("WT").tolist() == [79.6, 70.5]
    np.testing.assert_array_equal(part.rows["Cc"], [*range(1, 11), *range(12, 22)])
    with pytest.raises(DataError, match="no subject 99"):
        theophylline.subset([99])
    with pytest.raises(DataError, match="no subject is chosen"):
        theophylline.subset([])


def test_what_is_left_out_is_said(theophylline):
    high = theophylline.records["DV"] > 10
    part = theophylline.leave_out(high, "above the range of the assay")
    assert part.excluded[-1] == f"{high.sum()} records left out: above the range of the assay"
    assert part.n_observations == 120 - high.sum()
    assert "above the range of the assay" in repr(part)
    assert theophylline.leave_out(np.zeros(132, dtype=bool), "nothing") is theophylline
    with pytest.raises(DataError, match="one bool per record"):
        theophylline.leave_out([True], "wrong length")


def test_checksum_sees_every_number_and_not_the_file(theophylline):
    frame = pd.DataFrame({"ID": [1], "TIME": [0.0], "DV": [0.1]})
    options = {"units": {"TIME": "h", "DV": ""}, "outputs": "Cc"}
    checksum = read_nonmem(frame, **options).checksum
    assert checksum == read_nonmem(frame, name="other", **options).checksum
    assert checksum != read_nonmem(frame.assign(DV=np.nextafter(0.1, 1)), **options).checksum
    assert checksum != read_nonmem(frame.assign(ID=2), **options).checksum
    assert len(checksum) == 64


def test_summary_is_json(theophylline):
    summary = json.loads(json.dumps(theophylline.summary()))
    assert summary["n_subjects"] == 12
    assert summary["n_observations"] == 120
    assert summary["observations"] == {"Cc": 120}
    assert summary["units"]["covariates"]["WT"] == "kg"
    assert summary["checksum"] == theophylline.checksum
    assert summary["file"] == "theophylline.csv"
    assert len(summary["sha256"]) == 64
    assert summary["excluded"]
    assert summary["source"][0].startswith("Boeckmann")


def test_notebook_view_shows_provenance_caveats_units_and_counts():
    html = load_dataset("indomethacin")._repr_html_()
    for text in (
        "6 subjects, 6 doses, 66 observations",
        "Kwan KC",
        "ASSUMED",
        "[mg/L]",
        "GPL-2",
        "First 8 of 72",
    ):
        assert text in html


def test_notebook_view_escapes_every_text():
    study = read_nonmem(
        pd.DataFrame({"ID": ["<b>1</b>"], "TIME": [0], "DV": [1]}),
        units={"TIME": "h", "DV": ""},
        outputs="<i>Cc</i>",
        name="<script>name</script>",
        title="<script>title</script>",
        provenance=Provenance(caveats=("<script>caveat</script>",), source=("A & B",)),
    )
    html = study._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "A &amp; B" in html


def test_pymc_data_hold_the_events_and_take_a_new_design(quinidine):
    first, second = quinidine.subset(quinidine.subjects[:5]), quinidine.subset(quinidine.subjects[5:9])
    expected = first.events()
    with pm.Model(coords=first.coords) as model:
        events = first.as_pymc_data()
        for name in ("subject", "time", "evid", "amount", "rate", "duration", "interval", "occasion_subject"):
            assert events[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(events[name].eval(), expected[name])
        np.testing.assert_array_equal(events.rows["Cc"].eval(), expected.rows["Cc"])
        np.testing.assert_array_equal(events["DV"]["Cc"].eval(), expected.DV["Cc"])
        np.testing.assert_array_equal(events.covariates["AAG"].eval(), expected.covariates["AAG"])
        assert events.carry == "locf"
        assert set(first.data_arrays()) == {variable.name for variable in model.data_vars}
        pm.set_data(second.data_arrays(), coords=second.coords)
    np.testing.assert_array_equal(events.time.eval(), second.events().time)
    np.testing.assert_array_equal(events.rows["Cc"].eval(), second.rows["Cc"])
    assert model.named_vars_to_dims["record_time"] == ("record",)
    assert model.named_vars_to_dims["occasion_subject"] == ("occasion",)


def test_pymc_data_bring_missing_coordinates():
    study = load_dataset("cefamandole")
    with pm.Model() as model:
        study.as_pymc_data()
    assert set(model.coords) == {"subject", "record", "obs_Cc", "occasion"}


def test_covariates_are_added_by_subject_whatever_the_order_of_the_table():
    study = load_dataset("theophylline")
    numbers = pd.DataFrame({"LIVER": np.arange(12.0)}, index=list(study.subjects)[::-1])
    larger = study.with_covariates(numbers, {"LIVER": "L"})
    assert larger.covariate("LIVER").tolist() == list(range(11, -1, -1))
    assert larger.units.covariates["LIVER"] == "L"
    assert larger.covariates == (*study.covariates, "LIVER")
    assert "LIVER" not in study.covariates
    assert larger.checksum != study.checksum
    np.testing.assert_array_equal(larger.events().DV["Cc"], study.events().DV["Cc"])


@pytest.mark.parametrize(
    ("change", "units", "says"),
    [
        (lambda table: table.iloc[1:], {"LIVER": "L"}, "no row for subject 1"),
        (lambda table: pd.concat([table, table.iloc[:1]]), {"LIVER": "L"}, "a subject twice"),
        (lambda table: table, {}, "covariate LIVER has no unit"),
        (lambda table: table.rename(columns={"LIVER": "WT"}), {"WT": "kg"}, "a column of the study already"),
        (
            lambda table: table.replace(3.0, np.nan),
            {"LIVER": "L"},
            "covariate LIVER of subject 4 is not a finite",
        ),
    ],
)
def test_covariates_that_do_not_fit_are_refused(change, units, says):
    study = load_dataset("theophylline")
    table = pd.DataFrame({"LIVER": np.arange(12.0)}, index=list(study.subjects))
    with pytest.raises(DataError, match=says):
        study.with_covariates(change(table), units)
