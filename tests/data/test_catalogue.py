"""The nine datasets hold what their publications and their own TOML files say."""

import tomllib

import numpy as np
import pandas as pd
import pytest

from qsp_bayes.data import catalogue, data_folder, list_datasets, load_dataset
from qsp_bayes.errors import DataError
from qsp_bayes.units import parse_unit

NAMES = (
    "ccl4_rat_inhalation",
    "cefamandole",
    "indomethacin",
    "phenobarbital",
    "phenylbiguanide_rabbit",
    "puromycin_enzyme",
    "quinidine",
    "remifentanil",
    "theophylline",
)


def load_all_rows(name):
    return load_dataset(name, predose=name == "theophylline")


def test_the_list_names_the_nine():
    assert tuple(list_datasets().index) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_columns_agree_with_the_toml(name):
    about = tomllib.loads((data_folder("datasets") / f"{name}.toml").read_text())
    study = load_all_rows(name)
    counts = {
        "subjects": study.n_subjects,
        "observations": study.n_observations,
        "doses": study.n_doses,
        "records": len(study.records),
    }
    assert counts == about["counts"]
    header = (data_folder("datasets") / f"{name}.csv").read_text().splitlines()[0].split(",")
    assert list(about["columns"]) == header
    for column, entry in about["columns"].items():
        assert entry["description"]
        parse_unit(entry.get("unit", ""), column)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_the_file_is_in_the_study(name):
    file = pd.read_csv(data_folder("datasets") / f"{name}.csv", na_values=["."], dtype={"ID": str})
    records = load_all_rows(name).records
    for column in file.columns.difference(["CMT"]):
        expected = file[column].fillna(0) if column in ("AMT", "RATE", "DUR", "II", "SS") else file[column]
        pd.testing.assert_series_equal(records[column], expected, check_dtype=False)


def test_theophylline_against_published_facts():
    study = load_dataset("theophylline")
    assert (study.n_subjects, study.n_observations, study.n_doses) == (12, 120, 12)
    assert "12 records left out" in study.excluded[0]
    assert (study.records["TIME"][study.rows["Cc"]] > 0).all()
    assert load_dataset("theophylline", predose=True).n_observations == 132
    doses = study.events().amount[study.records["EVID"] == 1]
    assert doses[0] == 319.992
    assert (doses.min(), doses.max()) == (267.84, 320.65)
    np.testing.assert_allclose(doses, study.covariate("DOSE_MGKG") * study.covariate("WT"), rtol=1e-3)
    # Mean CL/F by non-compartmental analysis of the same records, linear trapezoid and a three-point tail.
    clearances = []
    for dose, weight, subject in zip(doses, study.covariate("WT"), study.subjects, strict=True):
        records = load_dataset("theophylline", predose=True).subset([subject]).records.query("EVID == 0")
        time, value = records["TIME"].to_numpy(), records["DV"].to_numpy()
        slope = np.polyfit(time[-3:], np.log(value[-3:]), 1)[0]
        clearances.append(dose / weight / (np.trapezoid(value, time) - value[-1] / slope))
    assert np.mean(clearances) == pytest.approx(0.0400, abs=0.002)


def test_phenobarbital_amounts_are_total_mg():
    study = load_dataset("phenobarbital")
    first = study.records.drop_duplicates("ID")
    assert (first["EVID"] == 1).all()
    assert (first["AMT"] / first["WT"]).median() == pytest.approx(19.7, abs=0.05)


def test_quinidine_carries_covariates_forward():
    study = load_dataset("quinidine")
    assert study.carry == study.events().carry == "locf"
    assert (study.records["SS"] == 1).sum() == 249
    assert (study.records["EVID"] == 2).sum() == 82
    assert study.records["AAG"].agg(["min", "max"]).tolist() == [0.39, 3.16]


def test_remifentanil_rates_and_durations_agree():
    doses = load_dataset("remifentanil").records.query("EVID == 1")
    np.testing.assert_allclose(doses["AMT"], doses["RATE"] * doses["DUR"], rtol=1e-12)
    assert doses["DUR"].between(4, 20).all()


def test_assumed_values_stay_marked():
    assert load_dataset("indomethacin").provenance.assumed == ("AMT",)
    assert load_dataset("cefamandole").provenance.assumed == ("RATE",)
    for name in ("indomethacin", "cefamandole"):
        assert "ASSUMED" in repr(load_dataset(name))


def test_static_studies():
    puromycin = load_dataset("puromycin_enzyme")
    assert puromycin.subjects == ("treated", "untreated")
    np.testing.assert_array_equal(puromycin.covariate("TREATED"), [1, 0])
    assert len(puromycin.covariate_by_record("CONC")) == 23
    rabbits = load_dataset("phenylbiguanide_rabbit")
    assert rabbits.occasions[:3] == ("1/1", "1/2", "2/1")
    assert rabbits.records.groupby(["ID", "RUN"]).ngroups == 10
    for study in (puromycin, rabbits):
        assert (study.records["TIME"] == 0).all()
        assert study.n_doses == 0


def test_ppm_is_a_fraction():
    study = load_dataset("ccl4_rat_inhalation")
    assert study.units.outputs["Cchamber"] == "ppm"
    assert sorted(set(study.covariate("C0_NOMINAL"))) == [25, 100, 250, 1000]
    assert "ppm is a fraction by volume" in repr(study)


def test_unknown_name_and_unused_option():
    with pytest.raises(DataError, match=r"there is no dataset 'theophyline' .did you mean 'theophylline'"):
        load_dataset("theophyline")
    with pytest.raises(DataError, match="no pre-dose rows are left out"):
        load_dataset("quinidine", predose=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("route =", "rout ="), r"the file has an unknown key 'rout' \(did you mean 'route'"),
        (("unit =", "units ="), r"\[columns\] TIME has an unknown key 'units' \(did you mean 'unit'\?\)"),
        (("reason =", "why ="), r"\[\[exclude\]\] has an unknown key 'why'"),
        (("subjects = 12\n", ""), r"\[counts\] lacks subjects"),
        (("title =", "title ?"), "not valid TOML"),
    ],
)
def test_a_wrong_toml_file_is_refused(change, message, tmp_path, monkeypatch):
    for suffix in ("csv", "toml"):
        text = (data_folder("datasets") / f"theophylline.{suffix}").read_text()
        (tmp_path / f"theophylline.{suffix}").write_text(text.replace(*change) if suffix == "toml" else text)
    monkeypatch.setattr(catalogue, "data_folder", lambda name: tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("theophylline")
    assert caught.value.file == "theophylline.toml"
