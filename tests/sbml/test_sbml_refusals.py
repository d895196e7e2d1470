"""What is refused: by element, with what to do; and files that reach for others, before anything parses them."""

import subprocess
import sys

import libsbml
import pytest

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.systems.sbml import library, read_antimony, read_sbml
from qsp_bayes.systems.sbml.antimony import sbml_text

MODEL = """
model m
  compartment c = 1; species S in c = 2, P in c = 0;
  J: S -> P; c*k*S; k = 0.5; x = 1; y = 2;
  {}
end
"""


def written(tmp_path, text, name="m.xml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(change, extra=""):
    """SBML of the model, changed through libsbml."""
    document = libsbml.readSBMLFromString(sbml_text(MODEL.format(extra), "m"))
    change(document.getModel())
    return libsbml.writeSBMLToString(document)


def algebraic(model):
    model.createAlgebraicRule().setMath(libsbml.parseL3Formula("x + y - 3"))
    model.getParameter("x").setConstant(False)


def fast(model):
    model.getReaction("J").setFast(True)


def conversion(model):
    model.getSpecies("S").setConversionFactor("x")


def whole_conversion(model):
    model.setConversionFactor("x")


def named_stoichiometry(model):
    model.getReaction("J").getReactant(0).setId("n")
    model.getReaction("J").getReactant(0).setConstant(False)
    assignment = model.createInitialAssignment()
    assignment.setSymbol("n")
    assignment.setMath(libsbml.parseL3Formula("x"))


def constraint(model):
    model.createConstraint().setMath(libsbml.parseL3Formula("S > 0"))


def no_law(model):
    model.getReaction("J").unsetKineticLaw()


def no_start(model):
    model.getSpecies("S").unsetInitialConcentration()


def no_size(model):
    model.getCompartment("c").unsetSize()


def nothing(model):
    pass


REFUSED = {
    "algebraic rule": (algebraic, "", "an algebraic rule.*Solve it for a variable"),
    "conversion factor": (conversion, "", "conversion factor of species 'S'"),
    "conversion factor of the model": (whole_conversion, "", "conversion factor of the model"),
    "stoichiometry": (named_stoichiometry, "", "stoichiometry of 'S' in reaction 'J'"),
    "constraint": (constraint, "", "constraint 1 is not supported. Delete it"),
    "no kinetic law": (no_law, "", "reaction 'J' has no kinetic law"),
    "no start": (no_start, "", "species 'S' has no initial value"),
    "no size": (no_size, "", "compartment 'c' has no size"),
    "compartment that changes": (nothing, "c' = 0.1;", "compartment 'c', which a rule changes"),
    "compartment of an event": (nothing, "E: at (time > 1): c = 2;", "compartment 'c', which event 'E' changes"),
    "delay of an event": (nothing, "E: at 2 after (time > 1): x = 2;", "delay of event 'E'"),
    "priority": (nothing, "E: at (time > 1), priority=1: x = 2;", "priority of event 'E'"),
    "delay": (nothing, "z := delay(S, 2);", "rule of parameter 'z' uses 'delay'"),
    "rate of change": (nothing, "z := rateOf(S);", "rule of parameter 'z' uses 'rateOf'"),
    "factorial": (nothing, "z := factorial(3);", "rule of parameter 'z' uses 'factorial'"),
    "equality": (nothing, "E: at (S == 1): x = 2;", "event 'E': its trigger is no comparison"),
    "event at the start": (nothing, "E: at (S > 1), t0=false: x = 2;", "event 'E' acts at the start"),
    "event on its limit": (nothing, "E: at (time > 0): x = 2;", "event 'E' acts at the start"),
    "jump without a comparison": (nothing, "K: S -> ; c*floor(time)*S;", "rate of 'K' holds floor"),
    "two makers": (nothing, "S' = 1;", "S"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_by_element(name, tmp_path):
    change, extra, message = REFUSED[name]
    with pytest.raises(MechanismError, match=message):
        read_sbml(written(tmp_path, changed(change, extra)))


def test_the_model_itself_is_read(tmp_path):
    """None of the refusals above comes from what they have in common."""
    model = read_sbml(written(tmp_path, changed(nothing)))
    assert list(model.system.states) == ["S_amount", "P_amount"]
    assert repr(model).startswith("<SBMLModel <System m: states S_amount")
    with pytest.raises(MechanismError, match=r"no parameter j\. Its parameters are c, k, x, y"):
        model.course([1.0], j=2.0)


def test_a_fast_reaction_is_refused(tmp_path):
    document = libsbml.readSBMLFromString(changed(nothing))
    assert document.setLevelAndVersion(3, 1, False)
    fast(document.getModel())
    with pytest.raises(MechanismError, match="fast reaction 'J'"):
        read_sbml(written(tmp_path, libsbml.writeSBMLToString(document)))


def test_level_1_is_refused(tmp_path):
    text = (
        '<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model name="m"></model></sbml>'
    )
    with pytest.raises(MechanismError, match=r"level 1.*Convert|not valid SBML"):
        read_sbml(written(tmp_path, text))


def test_packages_that_change_the_meaning_are_refused(tmp_path):
    text = changed(nothing).replace(
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core"',
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" '
        'xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true"',
    )
    with pytest.raises(MechanismError, match="package 'comp'"):
        read_sbml(written(tmp_path, text))


HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
SECRET = "the content of another file"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE sbml [<!ENTITY secret SYSTEM "{uri}">]>',
        '<!doctype sbml SYSTEM "{uri}">',
        '<!DOCTYPE\nsbml [<!ENTITY % all SYSTEM "{uri}"> %all;]>',
        '<!DOCTYPE sbml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_a_file_that_reaches_for_another_is_refused_before_it_is_parsed(doctype, tmp_path, monkeypatch):
    other = written(tmp_path, SECRET, "secret.txt")
    text = changed(nothing).replace(HEAD, HEAD + doctype.format(uri=other.as_uri())).replace(
        'id="m"', 'id="m" name="&secret;"'
    )  # fmt: skip
    path = written(tmp_path, text)
    monkeypatch.setattr(libsbml, "readSBMLFromString", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(MechanismError, match=r"holds a DOCTYPE declaration.*delete it") as caught:
        read_sbml(path)
    assert SECRET not in str(caught.value)


def test_other_encodings_cannot_hide_a_doctype(tmp_path):
    text = changed(nothing).replace(HEAD, '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE sbml>')
    path = tmp_path / "m.xml"
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(MechanismError, match="not UTF-8"):
        read_sbml(path)
    path.write_bytes(text.encode("utf-16-le")[:-1].replace(b"\xff", b""))
    with pytest.raises(MechanismError, match="zero byte"):
        read_sbml(path)
    hidden = changed(nothing).replace(HEAD, '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE sbml+AD4-')
    with pytest.raises(MechanismError, match="encoding is 'UTF-7'"):
        read_sbml(written(tmp_path, hidden))


def test_antimony_that_imports_a_file_is_refused(tmp_path):
    written(tmp_path, "model other end", "other.ant")
    for line in (
        'import "other.ant"',
        "x = 1; import 'other.ant'",
        'model a end import "other.ant"',
        "// import other",
        'x is "//"; import "other.ant"',
    ):
        with pytest.raises(MechanismError, match="line 1: the word 'import'"):
            read_antimony(written(tmp_path, f"{line}\n{MODEL.format('')}", "m.ant"))
    model = read_antimony(written(tmp_path, "// of importance\n" + MODEL.format("important = 2;"), "m.ant"))
    assert model.parameters["important"] == 2


def test_files_that_are_none(tmp_path):
    with pytest.raises(MechanismError, match="no such file"):
        read_sbml(tmp_path / "none.xml")
    with pytest.raises(MechanismError, match="is not valid SBML"):
        read_sbml(written(tmp_path, "no SBML at all"))
    with pytest.raises(MechanismError, match="line 3: is not valid SBML"):
        read_sbml(
            written(tmp_path, HEAD + '\n<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core">\n<x>')
        )
    with pytest.raises(MechanismError, match=r"(?i)is not valid Antimony.*line 2"):
        read_antimony(written(tmp_path, "model m\n x = = 3\nend", "m.ant"))


UNITS = """
model m
  unit substance = 1e-9 mole; unit extent = 1e-9 mole; unit volume = litre; unit time_unit = 3600 second;
  unit per_h = 1/(3600 second); unit flow = litre/(3600 second);
  compartment c = 2; species S in c = 3;
  J: S -> ; {}; k = 0.5; {}
end
"""


def test_units_that_do_not_agree_are_refused_or_left_out_where_asked(tmp_path):
    good = read_antimony(written(tmp_path, UNITS.format("c*k*S", "k has per_h;"), "m.ant"))
    assert (good.system.time_unit, good.system.parameters["k"]) == ("h", "1/h")
    wrong = written(tmp_path, UNITS.format("k*S", "k has per_h;"), "m.ant")
    with pytest.raises(UnitsError, match=r"rate of process 'J'.*declared_units=False"):
        read_antimony(wrong)
    assert read_antimony(wrong, declared_units=False).system.time_unit == ""
    missing = written(tmp_path, UNITS.format("c*k*S", ""), "m.ant")
    with pytest.raises(
        MechanismError, match=r"parameter 'k' has no unit, although others have.*declared_units"
    ):
        read_antimony(missing)
    read = read_antimony(missing, given_units={"k": "1/h"}).system
    assert (read.parameters["k"], read.states["S_amount"]) == ("1/h", "nmol")
    with pytest.raises(MechanismError, match=r"given_units: there is no 'kk'.*c, k"):
        read_antimony(missing, given_units={"k": "1/h", "kk": "1/h"})
    strange = written(tmp_path, UNITS.format("c*k*S", "unit odd = 1/(7 second); k has odd;"), "m.ant")
    with pytest.raises(MechanismError, match="7 second, which has no name"):
        read_antimony(strange)


def test_a_formula_that_is_nested_too_deeply_is_refused(tmp_path):
    deep = "x" + "".join(f"^(y+{i})" for i in range(3))
    for _ in range(130):
        deep = f"sin({deep})"
    with pytest.raises(MechanismError, match="nested more than"):
        read_sbml(written(tmp_path, changed(nothing, f"z := {deep};")))


def test_elements_without_end_are_refused_before_they_are_parsed(tmp_path):
    """Some ten thousand elements within each other would end the process inside libsbml."""
    deep = "<apply><sin/>" * 50_000 + "<cn>1</cn>" + "</apply>" * 50_000
    for hidden in ("", "<![CDATA[<!--]]>", "<!-- <![CDATA[ -->"):
        with pytest.raises(MechanismError, match="more than 250 elements within each other"):
            read_sbml(written(tmp_path, f"{HEAD}<sbml>{hidden}{deep}<!-- --></sbml>"))


def test_a_missing_package_is_told_with_the_command_that_installs_it(tmp_path, monkeypatch):
    path = written(tmp_path, changed(nothing))
    text = written(tmp_path, MODEL.format(""), "m.ant")

    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(library.importlib, "import_module", missing)
    with pytest.raises(MechanismError, match=r"python-libsbml.*pip install 'qsp_bayes\[sbml\]'"):
        read_sbml(path)
    with pytest.raises(MechanismError, match=r"package antimony.*pip install 'qsp_bayes\[sbml\]'"):
        read_antimony(text)


def test_the_library_loads_none_of_the_packages():
    code = (
        "import sys, qsp_bayes; "
        "assert not {'libsbml', 'antimony', 'roadrunner'} & set(sys.modules); "
        "qsp_bayes.ReactionNetwork({'A': 'mg'}, {'k': '1/h'}, ['A -> ; k']).system()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
