"""The command line: each step leaves the file the next one needs, and errors are answered in one sentence."""

import json
from argparse import Namespace

import pandas as pd
import pytest
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli import main
from qsp_bayes.cli.patient import next_dose_time
from qsp_bayes.cli.specification import Specification

FIT = (
    "fit theophylline --priors theophylline --absorption first-order "
    "--allometry WT CL=0.75 Vc=1 reference=70 --variability CL Vc KA --correlated "
    "--draws 50 --tune 150 --chains 2 --seed 3"
)
CANDIDATES = "--dose 100 300 --every 8 --until 24 --into depot --subjects 20 --draws 40 --seed 5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder where the pipeline has run."""
    folder = tmp_path_factory.mktemp("pipeline")
    fit, decision, future = (folder / f"{name}.nc" for name in ("fit", "decision", "future"))
    assert main([*FIT.split(), "--output", str(fit)]) == 0
    assert main(["simulate", str(fit), *CANDIDATES.split(), "--output", str(future)]) == 0
    assert (
        main(["dose", str(fit), *CANDIDATES.split(), "--window", "5", "15", "--output", str(decision)]) == 0
    )
    page = folder / "page.html"
    assert (
        main(["report", str(fit), "--decision", str(decision), "--future", str(future), "--to", str(page)])
        == 0
    )
    return folder


def test_every_step_leaves_its_file(folder):
    assert {path.name for path in folder.iterdir()} == {"fit.nc", "future.nc", "decision.nc", "page.html"}
    assert qb.load_fit(folder / "future.nc")["predictions"].sizes["subject"] == 20
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "100 mg q8h" in page
    assert "time with Cc within 5 to 15, minus 0.5 times the time above 15" in page


def test_decision_is_that_of_the_same_steps_in_python(folder):
    fit = qb.load_fit(folder / "fit.nc")
    study = qb.load_dataset("theophylline")
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        qb.load_priors("theophylline"),
        individual=[
            qb.Allometry("WT", CL=0.75, Vc=1.0, reference=70),
            qb.IIV("CL", "Vc", "KA", correlated=True),
        ],
        error={"Cc": qb.Combined()},
    )
    future = calibration.simulate(
        fit,
        {
            f"{dose} mg q8h": qb.Regimen(dose, unit="mg", every=8, until=24, into="depot")
            for dose in (100, 300)
        },
        qb.new_subjects(study, 20, random_seed=5),
        times=range(25),
        draws=40,
        random_seed=5,
    )
    decision = qb.choose(future, lambda x: qb.time_within(x["Cc"], 5, 15) - 0.5 * qb.time_above(x["Cc"], 15))
    stored = qb.Decision.from_datatree(qb.load_fit(folder / "decision.nc"))
    assert stored.best == decision.best
    xr.testing.assert_allclose(stored.utility.drop_attrs(), decision.utility.drop_attrs())


def test_specification_survives_the_file(folder):
    fit = qb.load_fit(folder / "fit.nc")
    specification = Specification.from_fit(fit)
    assert specification.allometry == {"covariate": "WT", "CL": 0.75, "Vc": 1.0, "reference": 70.0}
    study = specification.read_study()
    rebuilt = specification.calibration(study)
    assert json.loads(fit.attrs["qsp_bayes"])["calibration"]["individual"] == rebuilt.describe()["individual"]
    assert rebuilt.priors == qb.load_priors("theophylline")


def test_changed_data_are_refused(folder):
    fit = qb.load_fit(folder / "fit.nc")
    other = qb.load_dataset("theophylline", predose=True)
    with pytest.raises(qb.CalibrationError, match="not the one this fit was made from"):
        Specification.from_fit(fit).require_same_data(fit, other)


def test_study_in_a_file(tmp_path):
    study = tmp_path / "study.csv"
    study.write_text("ID,TIME,AMT,DV,CMT,WT\n1,0,100,.,1,70\n1,1,.,5,2,70\n1,8,.,2,2,70\n")
    specification = Specification(
        study=str(study),
        model="one_compartment",
        priors="",
        columns={"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"},
        outputs={"2": "Cc"},
        compartments={"1": "depot"},
        covariates=["WT"],
        absorption="first-order",
        units={},
        variability=[],
        correlated=False,
        allometry={},
        error="combined",
    )
    assert specification.read_study().rows["Cc"].tolist() == [1, 2]


def test_datasets(capsys):
    assert main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in qb.list_datasets().index)
    assert main(["datasets", "theophylline"]) == 0
    assert "12 subjects" in capsys.readouterr().out


PATIENT = """ID,TIME,AMT,EVID,MDV,DV,CMT,WT
P1,0,320,1,1,.,1,68
P1,2,.,0,0,6.1,2,68
P1,11,.,0,0,2.2,2,68
P1,12,320,1,1,.,1,68
"""
DOSE = "--dose 200 300 400 --every 8 12 --until 24 --into depot --window 10 20 --seed 5"


def test_page_of_a_decision(folder, tmp_path, capsys):
    decision, page = tmp_path / "decision.nc", tmp_path / "decision.html"
    command = f"dose {folder / 'fit.nc'} {DOSE} --subjects 40 --draws 40 --toxic-above 15 --toxic-limit 0.2"
    more = ["--trough-above", "5", "--output", str(decision), "--page", str(page)]
    assert main([*command.split(), *more]) == 0
    stored = qb.Decision.from_datatree(qb.load_fit(decision))
    table = stored.table
    assert stored.admissible == [label for label in table.index if table["peak of Cc above 15"][label] < 0.2]
    assert 0 < len(stored.admissible) < 6
    text = page.read_text(encoding="utf-8")
    # Fifty draws are no posterior to recommend anything by, and the page says so.
    assert '<h1 class="recommended">No recommendation</h1>' in text
    assert f"It would put {stored.best} first" in text
    for words in (
        "Trough of Cc above 5",
        "peak of Cc above 15 below 0.2",
        "all priors",
        "WT 54.6",
        "costs 1 times",
    ):
        assert words in text
    assert "Theophylline, single oral dose" in text
    assert f"Page: {page.resolve()}" in capsys.readouterr().out


def test_dose_of_one_patient_is_that_of_the_same_steps_in_python(folder, tmp_path, capsys):
    file, decision, page = (tmp_path / name for name in ("patient.csv", "patient.nc", "patient.html"))
    file.write_text(PATIENT)
    command = (
        f"dose {folder / 'fit.nc'} {DOSE} --draws 400 --patient {file} --output {decision} --page {page}"
    )
    assert main(command.split()) == 0
    assert "due at 20 h" in capsys.readouterr().out
    fit = qb.load_fit(folder / "fit.nc")
    specification = Specification.from_fit(fit)
    study = specification.read_study()
    calibration = specification.calibration(study)
    history = qb.read_nonmem(
        file,
        units={"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"},
        compartments={1: "depot", 2: "central"},
        outputs="Cc",
    )
    patient = qb.individualise(calibration, fit, history, draws=400, random_seed=5, study=study)
    regimens = {
        f"{dose} mg q{every}h": qb.Regimen(dose, unit="mg", every=every, start=20, until=44, into="depot")
        for dose in (200, 300, 400)
        for every in (8, 12)
    }
    future = patient.simulate(regimens, range(20, 45), random_seed=5)
    chosen = qb.choose(future, lambda x: qb.time_within(x["Cc"], 10, 20) - 0.5 * qb.time_above(x["Cc"], 20))
    stored = qb.Decision.from_datatree(qb.load_fit(decision))
    xr.testing.assert_allclose(stored.utility.drop_attrs(), chosen.utility.drop_attrs())
    text = page.read_text(encoding="utf-8")
    for words in ("The patient", "Patient P1, 2 levels", "for this patient", "What to expect of the patient"):
        assert words in text
    assert "all priors" not in text


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (PATIENT, "--start 12", "--start 12 is not after the last dose"),
        (PATIENT + PATIENT.partition("\n")[2].replace("P1", "P2"), "", "holds 2 subjects (P1, P2)"),
        (PATIENT.replace(",WT", ",WEIGHT"), "", "WT"),
        (None, "", "patient.csv: no such file"),
        (PATIENT, "--of effect", "no output 'effect'. Choose from Cc"),
        (PATIENT, "--page {exists}", "exists already"),
    ],
)
def test_what_is_wrong_with_a_patient_is_said(folder, rows, options, message, tmp_path, capsys):
    file, exists = tmp_path / "patient.csv", tmp_path / "exists.html"
    exists.write_text("")
    if rows is not None:
        file.write_text(rows)
    words = f"dose {folder / 'fit.nc'} {DOSE} --patient {file} --output {tmp_path / 'd.nc'} {options}"
    assert main(words.format(exists=exists).split()) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("qsp-bayes dose: ")
    assert message in printed
    assert not (tmp_path / "d.nc").exists()


def test_next_dose_is_due_an_interval_after_the_last_one():
    """The last of three doses that ADDL stands for is at 24 h; records after it take precedence."""
    history = {"ID": "P", "TIME": [0.0, 30.0], "AMT": [100.0, None], "DV": [None, 2.0], "II": [12.0, None]}
    table = pd.DataFrame({**history, "ADDL": [2, None], "CMT": 1})
    study = qb.read_nonmem(
        table, units={"TIME": "h", "AMT": "mg", "DV": "mg/L"}, compartments="central", outputs="Cc"
    )
    arguments = Namespace(start=None, every=[4.0, 12.0], patient="patient.csv")
    assert next_dose_time(study, arguments) == 30
    assert next_dose_time(study, Namespace(start=None, every=[8.0], patient="")) == 32
    with pytest.raises(qb.DecisionError, match="at 24"):
        next_dose_time(study, Namespace(start=24.0, every=[8.0], patient=""))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("dose fit.nc --dose 1 --every 8 --until 24 --window 20 10", "first bound must be below the second"),
        ("dose fit.nc --dose 1 --every 8 --until 24 --window 1 2 --toxic-limit 0.1", "needs --toxic-above"),
        (
            "dose fit.nc --dose 1 --every 8 --until 24 --window 1 2 --toxic-above 3 --toxic-limit 10",
            "expected a share of individuals",
        ),
        ("dose fit.nc --dose 1 --every 8 --until 24 --window 1 2 --penalty -1", "a cost is 0 or more"),
        ("datasets theophyline", "theophylline"),
        ("fit nowhere.csv --priors theophylline", "neither a study of the catalogue nor a file"),
        ("fit theophylline --priors nowhere.toml", "nowhere.toml: no such file"),
        ("fit theophylline --priors theophylline --allometry WT CL=big", "expected a covariate, exponents"),
        ("fit theophylline --priors theophylline --units hours", "NAME=VALUE"),
        ("fit theophylline --priors theophylline --output {exists}", "exists already"),
        ("report nowhere.nc", "nowhere.nc: no such file"),
        ("simulate {exists} --dose 1 --every 8 --until 24", "{exists}: cannot be read"),
    ],
)
def test_errors_are_one_message_and_code_2(command, message, tmp_path, capsys):
    exists = tmp_path / "exists.nc"
    exists.write_text("")
    assert main([word.format(exists=exists) for word in command.split()]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"qsp-bayes {command.split()[0]}: ")
    assert message.format(exists=exists) in printed
    assert "Traceback" not in printed


def test_debug_shows_the_traceback():
    with pytest.raises(qb.DataError):
        main(["datasets", "nothing", "--debug"])


def test_fit_made_in_python_cannot_be_rebuilt():
    with pytest.raises(qb.CalibrationError, match=r"not made by `qsp-bayes fit`"):
        Specification.from_fit(xr.DataTree())


def test_demo(tmp_path, capsys):
    assert main(["demo", "--folder", str(tmp_path), "--draws", "50", "--tune", "150"]) == 0
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith(str((tmp_path / "theophylline.html").resolve()))
    assert (tmp_path / "theophylline.nc").exists()
    for stage in ("Read the study", "Sampled", "Simulating", "expected utility"):
        assert stage in printed
