"""Models of the folder, read here and integrated by libroadrunner, which shares no code with qsp_bayes."""

from pathlib import Path

import numpy as np
import pytest

from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.systems.sbml import read_antimony, read_sbml
from qsp_bayes.systems.sbml.antimony import sbml_text

libsbml, roadrunner = pytest.importorskip("libsbml"), pytest.importorskip("roadrunner")

FOLDER = Path(__file__).parent / "models"
# The end of each course. No event of `events` acts at a time of the grid.
UNTIL = {
    "enzyme": 12.0, "kholodenko": 4000.0, "repressilator": 300.0, "goldbeter": 60.0, "lotka_volterra": 40.0,
    "two_volumes": 300.0, "events": 20.0, "initial_assignments": 10.0, "choices": 12.0, "local_parameters": 60.0,
}  # fmt: skip
PRECISE = Automatic(rtol=1e-10)


def path_of(name):
    (path,) = FOLDER.glob(f"{name}.*")
    return path


def read(name):
    path = path_of(name)
    return (read_antimony if path.suffix == ".ant" else read_sbml)(path)


def grid(name, number=37):
    return np.linspace(0.0, UNTIL[name], number)[1:]


def course(model, times, solver=PRECISE):
    return model.course(times, solver=solver)


def by_roadrunner(text, times, outputs):
    """Outputs by libroadrunner: concentrations where formulas mean those, amounts of other species."""
    document = libsbml.readSBMLFromString(text)  # its model lives no longer than it does
    concentrations = {
        species.getId()
        for species in document.getModel().getListOfSpecies()
        if not species.getHasOnlySubstanceUnits()
    }
    runner = roadrunner.RoadRunner(text)
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-11, 1e-14
    runner.integrator.maximum_num_steps = 100_000
    selections = [f"[{name}]" if name in concentrations else name for name in outputs]
    runner.timeCourseSelections = ["time", *selections]
    rows = np.asarray(runner.simulate(times=[0.0, *times]))
    return dict(zip(outputs, rows.T[1:, 1:], strict=True))


def sbml_of(path):
    text = path.read_text(encoding="utf-8")
    return sbml_text(text, path.name) if path.suffix == ".ant" else text


def worst(found, expected):
    """Largest relative difference; sizes below a millionth of the largest value count as that."""
    found, expected = np.asarray(found), np.asarray(expected)
    size = np.maximum(np.abs(expected), 1e-6 * np.abs(expected).max() + 1e-300)
    return float((np.abs(found - expected) / size).max())
