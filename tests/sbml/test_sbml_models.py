"""Ten models of different kinds, read here, against libroadrunner; their sources stand in the files."""

import dataclasses

import numpy as np
import pytest
from by_roadrunner import PRECISE, UNTIL, by_roadrunner, course, grid, path_of, read, sbml_of, worst

from qsp_bayes.data import Regimen
from qsp_bayes.models import KHOLODENKO_2000, mapk_cascade, repressilator
from qsp_bayes.models.oscillators import ELOWITZ_2000
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.systems import DoseInto
from qsp_bayes.systems.sbml import read_antimony, read_sbml

EVERY_MODEL = pytest.mark.parametrize("name", UNTIL)
PARAMETERS = {"source": 4.0, "lambda_": 0.25}


@EVERY_MODEL
def test_the_course_is_that_of_libroadrunner(name):
    model, times = read(name), grid(name)
    found = course(model, times)
    ids = {there.rstrip("_"): there for there in found}
    expected = by_roadrunner(sbml_of(path_of(name)), times, list(ids))
    assert set(found) >= set(ids.values())
    for there, here in ids.items():
        assert worst(found[here].values, expected[there]) < 1e-6, there


def test_a_wrong_parameter_is_noticed():
    model, times = read("kholodenko"), grid("kholodenko")
    expected = by_roadrunner(sbml_of(path_of("kholodenko")), times, ["MAPK_PP"])
    assert worst(model.course(times, Ki=9.01).MAPK_PP.values, expected["MAPK_PP"]) > 1e-3


def test_units_become_those_of_the_library():
    system = read("two_volumes").system
    assert system.time_unit == "min"
    assert dict(system.states) == dict.fromkeys(
        ["D_amount", "Dt_amount", "R_amount", "DR_amount", "cleared"], "nmol"
    )
    assert system.parameters["PS"] == "mL/min"
    assert system.units()["D"] == "nmol/mL"
    local = read("local_parameters").system
    assert (local.time_unit, local.states["S_amount"], local.units()["S"]) == ("s", "mol", "mol/L")
    assert local.parameters["conversion_V"] == "mol/s"
    assert local.parameters["conversion_k"] == "mol/L"
    assert local.parameters["feeding_k"] == local.parameters["k"] == "L/s"


def test_a_model_without_units_is_one_of_numbers():
    system = read("enzyme").system
    assert {*system.states.values(), *system.parameters.values(), system.time_unit} == {""}


def test_units_may_be_given_to_a_file_that_has_none_and_doses_follow():
    """A dose of 5 nmol at time 0 into a volume of 1 L is a start at 5 nmol/L more."""
    units = dict.fromkeys(["E", "S", "ES", "P"], "nmol/L") | {
        "time": "min", "cell": "L", "k1": "L/nmol/min", "k2": "1/min", "k3": "1/min",
    }  # fmt: skip
    model = read_antimony(path_of("enzyme"), given_units=units)
    assert model.system.states["S_amount"] == "nmol"
    dosed = dataclasses.replace(model.system, doses={"S": DoseInto("S_amount")})
    times = grid("enzyme", 7)
    found = dosed.course(model.parameters, times, Regimen(5, unit="nmol", into="S"), solver=PRECISE)
    text = sbml_of(path_of("enzyme")).replace('initialConcentration="10"', 'initialConcentration="15"')
    assert worst(found.P.values, by_roadrunner(text, times, ["P"])["P"]) < 1e-6


def test_what_is_conserved_is_found_across_volumes():
    assert read("two_volumes").system.conservation_laws() == [
        "D_amount + Dt_amount + DR_amount + cleared",
        "R_amount + DR_amount",
    ]
    assert read("initial_assignments").system.conservation_laws() == ["4*G - 3*H"]


def test_rational_stoichiometry_is_exact():
    table = read("initial_assignments").system.stoichiometry()
    assert [str(x) for x in table["pairing"]] == ["-3/2", "1/2", "0", "0"]
    assert [str(x) for x in table["growth"]] == ["0", "0", "3/4", "1"]


def test_an_amount_differs_from_its_concentration_by_the_volume():
    model = read("two_volumes")
    start = model.system.symbolic().initial["D_amount"]
    parameters = model.system.symbolic().parameters
    assert float(start.eval({parameters["plasma"]: 3000.0}, mode="FAST_COMPILE")) == pytest.approx(60.0)


def test_the_published_cascade_is_the_one_of_the_library():
    """The same course from the file and from `mapk_cascade`, whose states start elsewhere: after the transient."""
    model = read("kholodenko")
    names = {"Ki": "KI", **{f"KK{i}": f"K{i}" for i in range(2, 11)}}
    values = {names.get(name, name): value for name, value in model.parameters.items()}
    assert all(
        values[name] == value for name, value in KHOLODENKO_2000.items() if not name.endswith("_total")
    )
    totals = {"MKKK": 100.0, "MKK": 300.0, "MAPK": 300.0}
    assert {kinase: KHOLODENKO_2000[f"{kinase}_total"] for kinase in totals} == totals
    times = np.linspace(1, 9000, 2000)
    ours = mapk_cascade().course(KHOLODENKO_2000, times).MAPK_active.values[1000:]
    theirs = model.course(times).MAPK_PP.values[1000:] / 300.0
    assert ours.max() == pytest.approx(theirs.max(), rel=5e-3)
    assert ours.min() == pytest.approx(theirs.min(), rel=5e-3)


def test_the_published_repressilator_is_the_one_of_the_library():
    model, times = read("repressilator"), grid("repressilator")
    solver = Automatic(rtol=1e-9)
    ours = repressilator().course(ELOWITZ_2000, times, solver=solver)
    theirs = model.course(times, solver=solver)
    for here, there in {"lacI": "PX", "tetR": "PY", "cI": "PZ", "tetR_mRNA": "Y"}.items():
        assert worst(ours[here].values, theirs[there].values) < 1e-6


def test_parameters_have_the_values_of_the_file():
    model = read("local_parameters")
    assert dict(model.parameters) == PARAMETERS | {
        "k": 0.7, "feeding_k": 0.02, "conversion_V": 0.3, "conversion_k": 1.5, "conversion_kp": 6.0,
    }  # fmt: skip


TIMES_OF_THEIR_OWN = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="m">
  <listOfFunctionDefinitions><functionDefinition id="twice">
    <math xmlns="http://www.w3.org/1998/Math/MathML"><lambda><bvar><ci>t</ci></bvar>
      <apply><times/><cn>2</cn><ci>t</ci></apply></lambda></math></functionDefinition></listOfFunctionDefinitions>
  <listOfCompartments><compartment id="c" size="1"/></listOfCompartments>
  <listOfSpecies><species id="S" compartment="c" initialAmount="0"/></listOfSpecies>
  <listOfReactions><reaction id="feed"><listOfProducts><speciesReference species="S"/></listOfProducts>
    <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><plus/>
      <apply><ci>twice</ci><ci>t</ci></apply>
      <csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">now</csymbol></apply></math>
      <listOfParameters><parameter id="t" value="3"/></listOfParameters></kineticLaw></reaction></listOfReactions>
</model></sbml>
"""


def test_what_is_called_t_is_not_taken_for_time(tmp_path):
    path = tmp_path / "m.xml"
    path.write_text(TIMES_OF_THEIR_OWN)
    model = read_sbml(path)
    assert model.parameters == {"c": 1.0, "feed_t": 3.0}
    found = model.course([1.0, 4.0], solver=PRECISE).S.values
    np.testing.assert_allclose(found, [6.5, 32.0], rtol=1e-9)  # the integral of 2 * 3 + t


HELD = """
model m
  compartment c = 2; species $F in c = 3; species S in c = 1; species G in c = 0;
  J: $F -> S; c*k*F; k = 0.1; doubled: at (time > 2): F = 2*F, S = S/2;
  S2: S -> G; c*0.2*S;
end
"""


def test_events_change_what_is_held_otherwise(tmp_path):
    path = tmp_path / "held.ant"
    path.write_text(HELD)
    model, times = read_antimony(path), np.array([1.0, 1.9, 2.1, 5.0])
    found = course(model, times)
    expected = by_roadrunner(sbml_of(path), times, ["F", "S", "G"])
    for name in expected:
        assert worst(found[name].values, expected[name]) < 1e-6
    np.testing.assert_array_equal(found.F, [3, 3, 6, 6])
