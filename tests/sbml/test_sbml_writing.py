"""Written files: the same courses when they are read again, and when libroadrunner integrates them; valid SBML."""

import dataclasses

import libsbml
import numpy as np
import pytensor.tensor as pt
import pytest
from by_roadrunner import PRECISE, UNTIL, by_roadrunner, course, grid, read, worst

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import mapk_cascade, networks, one_compartment, oscillators, receptor_cascade, tmdd
from qsp_bayes.models.receptor_cascade import examples as cascade_examples
from qsp_bayes.systems import Constant, Output, Process, Switch, System
from qsp_bayes.systems.sbml import read_sbml, write_sbml

EVERY_MODEL = pytest.mark.parametrize("name", UNTIL)
ENTRIES = networks.examples() | oscillators.examples() | cascade_examples()


def complaints(path, units=True):
    """What libsbml finds wrong, or doubtful, with a file, its units included."""
    document = libsbml.readSBML(str(path))
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, units)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    return [
        f"{error.getErrorId()} {error.getMessage()}"
        for error in map(document.getError, range(document.getNumErrors()))
    ]


@EVERY_MODEL
def test_a_model_is_the_same_when_it_has_been_written_and_read(name, tmp_path):
    model, times = read(name), grid(name, 9)
    again = read_sbml(write_sbml(model.system, tmp_path / "model.xml", model.parameters))
    before, after = course(model, times), course(again, times)
    assert set(before) <= set(after)
    for output in before:
        assert worst(after[output].values, before[output].values) < 1e-9, output
    assert again.system.conservation_laws() == model.system.conservation_laws()
    assert again.system.time_unit == model.system.time_unit


@EVERY_MODEL
def test_written_files_are_valid(name, tmp_path):
    model = read(name)
    path = write_sbml(model.system, tmp_path / "model.xml", model.parameters)
    # libsbml cannot derive the units of fractional powers (99505), which says nothing against them.
    assert [text for text in complaints(path) if not text.startswith("99505")] == []


@pytest.mark.parametrize("title", ENTRIES)
def test_entries_of_the_library_are_written_with_consistent_units(title, tmp_path):
    example = ENTRIES[title]
    path = write_sbml(example.system, tmp_path / "model.xml", {**example.parameters, **example.inputs})
    assert [text for text in complaints(path) if not text.startswith("99505")] == []


def test_units_that_are_wrong_are_noticed(tmp_path):
    path = write_sbml(mapk_cascade(), tmp_path / "model.xml")
    assert complaints(path) == []
    text = path.read_text().replace('id="V1" units="nmol_per_L_per_s"', 'id="V1" units="s"')
    (tmp_path / "wrong.xml").write_text(text)
    assert complaints(tmp_path / "wrong.xml") != []


VALUES = {
    "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 3.0, "kon": 5.0, "koff": 5.0, "R0": 10.0, "kdeg": 0.5, "kint": 0.2,
}  # fmt: skip


def test_libroadrunner_finds_the_course_of_a_written_system(tmp_path):
    system = dataclasses.replace(tmdd(), initial={**tmdd().initial, "central": 300.0}, doses={})
    times = np.linspace(0, 21, 15)[1:]
    path = write_sbml(system, tmp_path / "tmdd.xml", VALUES)
    expected = by_roadrunner(path.read_text(), times, list(system.outputs))
    found = system.course(VALUES, times, solver=PRECISE)
    for output in system.outputs:
        assert worst(found[output].values, expected[output]) < 1e-6, output


def test_concentrations_and_amounts_are_written_apart(tmp_path):
    values = ENTRIES["MAPK cascade driven by receptor occupancy"].parameters
    system = dataclasses.replace(receptor_cascade(), doses={}, initial={
        **receptor_cascade().initial, "central": 4000.0,
    })  # fmt: skip
    path = write_sbml(system, tmp_path / "cascade.xml", values)
    document = libsbml.readSBML(str(path))
    species = {s.getId(): s for s in document.getModel().getListOfSpecies()}
    assert species["central"].getHasOnlySubstanceUnits()
    assert not species["MKKK"].getHasOnlySubstanceUnits()
    assert not species["complex"].getHasOnlySubstanceUnits()
    times = np.linspace(0, 60, 9)[1:]
    expected = by_roadrunner(path.read_text(), times, ["Cc", "RO", "MAPK_active"])
    found = system.course(values, times, solver=PRECISE)
    for output in expected:
        assert worst(found[output].values, expected[output]) < 1e-6, output


def test_switches_are_written_as_events_and_quantities_of_zero_or_one(tmp_path):
    system = System(
        {"x": "mg", "n": ""},
        {"k": "1/h", "limit": "mg"},
        [Process("loss", {"x": -1}, lambda s: s.k * (1 + s.high) * s.x)],
        {"x": Output("mg", lambda s: s.x), "n": Output("", lambda s: s.n)},
        initial={"x": 10.0},
        constants={"start": Constant(4.2, "h"), "more": Constant(7.0, "mg")},
        switches=[
            Switch("high", lambda s: s.x - s.limit),
            Switch("meal", lambda s: s.t - s.start, change={"x": lambda s: s.x + s.more}),
            Switch("crossed", lambda s: s.x - s.limit, change={"n": lambda s: s.n + 1}, direction="both"),
        ],
    )
    values, times = {"k": 0.3, "limit": 5.0}, np.array([0.5, 2.0, 4.0, 4.5, 7.0])
    path = write_sbml(system, tmp_path / "switches.xml", values)
    assert complaints(path) == []
    found = system.course(values, times, solver=PRECISE)
    assert found.n.values[-1] == 3  # down, up with the meal, down
    expected = by_roadrunner(path.read_text(), times, ["x", "n"])
    again = read_sbml(path).course(times, solver=PRECISE)
    for output in ("x", "n"):
        assert worst(found[output].values, expected[output]) < 1e-6
        assert worst(again[output].values, found[output].values) < 1e-9


FUNCTIONS = {
    "log1p": pt.log1p, "expm1": pt.expm1, "sigmoid": pt.sigmoid, "softplus": pt.softplus, "log2": pt.log2,
    "clip": lambda x: pt.clip(x, 0.5, 1.5), "maximum": lambda x: pt.maximum(x, 1.1), "sign": pt.sign,
    "sqrt": pt.sqrt, "power": lambda x: (x + 1) ** -1.7, "negative": lambda x: -(x - 3) / -(x + 2) - (1 - x),
    "choice": lambda x: pt.switch(pt.and_(pt.gt(x, 0.5), pt.invert(pt.gt(x, 1.5))), x, 2 * x), "tanh": pt.tanh,
    "minus squared": lambda x: -(x**2), "quotients": lambda x: 8 / x / (3 / x),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_the_value_that_libroadrunner_gives_them(name, tmp_path):
    system = System(
        {"x": ""},
        {},
        [Process("growth", {"x": 1}, lambda s: 1 / (1 + 0 * s.x))],
        {"y": Output("", lambda s: FUNCTIONS[name](s.x))},
        initial={"x": 0.25},
        time_unit="",
    )
    path = write_sbml(system, tmp_path / "functions.xml")
    times = np.array([0.1, 0.6, 1.0, 1.6, 2.2])
    expected = by_roadrunner(path.read_text(), times, ["y"])["y"]
    by_hand = FUNCTIONS[name](pt.as_tensor(0.25 + times)).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(expected, by_hand, rtol=1e-9)


def test_what_sbml_lacks_is_refused(tmp_path):
    growth = Process("growth", {"x": 1}, lambda s: pt.erf(s.x) / (1 + s.x))
    system = System({"x": ""}, {"k": ""}, [growth], time_unit="")
    with pytest.raises(MechanismError, match="SBML has no function 'erf'"):
        write_sbml(system, tmp_path / "x.xml")
    with pytest.raises(MechanismError, match=r"no parameter j\. It has k"):
        write_sbml(system, tmp_path / "x.xml", {"j": 1.0})
    with pytest.raises(MechanismError, match=r"input 'stimulus'.*pass its value"):
        write_sbml(mapk_cascade(stimulus=True), tmp_path / "x.xml")
    with pytest.raises(MechanismError, match=r"process 'absorption'.*cannot be written: SBML has no doses"):
        write_sbml(one_compartment(absorption="weibull"), tmp_path / "x.xml")
    with pytest.raises(MechanismError, match="is not there"):
        write_sbml(mapk_cascade(), tmp_path / "nowhere" / "x.xml")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_untouched(tmp_path, monkeypatch):
    path = tmp_path / "x.xml"
    path.write_text("before")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_sbml(mapk_cascade(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.xml"]
    assert path.read_text() == "before"


def test_names_that_sbml_reserves_are_changed(tmp_path):
    system = System(
        {"time": "mg"}, {"pi": "1/h"}, [Process("1st loss", {"time": -1}, lambda s: s.pi * s.time)],
        {"A": Output("mg", lambda s: s.time * s.t / s.hour)}, initial={"time": 3.0},
        constants={"hour": Constant(1.0, "h")},
    )  # fmt: skip
    model = read_sbml(write_sbml(system, tmp_path / "x.xml", {"pi": 0.5}))
    assert model.course([2.0]).A.values[0] == pytest.approx(6 * np.exp(-1), rel=1e-6)
