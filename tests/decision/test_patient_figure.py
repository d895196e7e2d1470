"""The figure of a patient shows the levels, the doses, and bands that hold what they say."""

import numpy as np
import pytest
from population import person, staying, staying_fit

from qsp_bayes.calibration import load_fit, save_fit
from qsp_bayes.data import Regimen
from qsp_bayes.decision import Patient, individualise
from qsp_bayes.errors import DecisionError
from qsp_bayes.report import plot_patient


@pytest.fixture(scope="module")
def patient():
    calibration = staying()
    who = person({0.0: 100.0, 12.0: 50.0}, [1.0, 20.0], [6.5, 10.1])
    return individualise(calibration, staying_fit(calibration), who, draws=400, progressbar=False)


def band(collection):
    return collection.get_paths()[0].vertices[:, 1]


def test_levels_bands_and_doses_are_drawn(patient):
    more = {"50 mg": Regimen(50, unit="mg", start=24, into="central")}
    future = patient.simulate(more, np.linspace(24, 48, 7))
    figure = plot_patient(patient, future, target=(5, 12))
    (axes,) = figure.axes
    points = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert [[1.0, 6.5], [20.0, 10.1]] in points
    strokes = next(line for line in axes.lines if line.get_marker() == "|")
    assert strokes.get_xdata().tolist() == [0.0, 12.0]
    population, own, ahead = axes.collections
    volume = patient.posterior["Vc"].to_numpy()
    assert band(own).max() == pytest.approx(np.quantile(150 / volume, 0.95), rel=1e-6)
    assert band(ahead).max() == pytest.approx(np.quantile(200 / volume, 0.95), rel=1e-6)
    typical = patient.prior["Vc"].to_numpy()
    assert band(population).max() == pytest.approx(np.quantile(150 / typical, 0.95), rel=1e-6)
    assert "50 mg" in axes.get_title(loc="left")
    assert "mg/L" in axes.get_ylabel()


def test_what_is_not_there_is_refused(patient):
    future = patient.simulate(Regimen(50, unit="mg", start=24, into="central"), [24.0, 48.0])
    with pytest.raises(DecisionError, match="no output 'Ce'"):
        plot_patient(patient, output="Ce")
    with pytest.raises(DecisionError, match="it has regimen"):
        plot_patient(patient, future, regimen="5 mg")


def test_a_patient_comes_back_from_a_file(patient, tmp_path):
    tree = load_fit(save_fit(patient.to_datatree(), tmp_path / "patient.nc"))
    again = Patient(patient.calibration, patient.fit, patient.history, tree)
    assert again.summary() == patient.summary()
