"""A species file of one's own is read, and one with a mistake is refused, naming file, table and key."""

import re

import pytest

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology import load_physiology
from qsp_bayes.physiology.species_file import FOLDER

RAT = (FOLDER / "rat.toml").read_text(encoding="utf-8")


def written(folder, text):
    path = folder / "rat2.toml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(table, key, line):
    """The rat's file with another line for a key of a table; no line takes the key away."""
    pattern = re.compile(rf"(\[{re.escape(table)}\]\n(?:(?!\[).*\n)*?){key} = .*\n")
    text, count = pattern.subn(lambda found: found.group(1) + line, RAT)
    assert count == 1
    return text


def without(table):
    text, count = re.subn(rf"\[{re.escape(table)}\]\n(?:(?!\n\[)(?:.|\n))*\n", "", RAT)
    assert count == 1
    return text


def test_a_file_of_ones_own_is_read(tmp_path):
    body = load_physiology(written(tmp_path, changed("tissue.liver", "value", "value = 40.0\n")))
    assert body.masses()["liver"] == pytest.approx(0.01)
    assert sum(body.masses().values()) == pytest.approx(0.25, abs=1e-12)
    assert body.species == "rat2"


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = written(tmp_path, RAT)
    assert load_physiology(str(path)).masses()["liver"] == pytest.approx(0.25 * 0.0366)
    written(tmp_path, changed("tissue.liver", "value", "value = 40.0\n"))
    assert load_physiology(str(path)).masses()["liver"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "rat2.toml: not valid TOML"),
        (RAT.replace("[GFR]", "[GRF]"), r"rat2.toml, key GRF: not known \(did you mean 'GFR'"),
        (without("haematocrit"), "rat2.toml, key haematocrit: missing"),
        (without("tissue.spleen"), r"rat2.toml, table \[tissue\], key spleen: missing"),
        (
            RAT.replace("[tissue.liver]", "[tissue.livr]"),
            r"table \[tissue\], key livr: not known \(did you mean 'liver'",
        ),
        (RAT.replace("[flow.gut]", "[flow.lung]"), r"table \[flow\], key lung: not known"),
        (
            RAT + '\n[flow.rest]\nvalue = 1.0\nunit = "percent"\nsource = "Brown 1997"\n',
            r"table \[flow\], key rest: not known",
        ),
        (
            changed("tissue.liver", "value", "valu = 36.6\n"),
            r"rat2.toml, table \[tissue.liver\], key valu: not known \(did you mean 'value'",
        ),
        (changed("tissue.liver", "unit", ""), r"table \[tissue.liver\], key unit: missing"),
        (changed("GFR", "source", ""), r"table \[GFR\], key source: missing"),
        (
            changed("GFR", "source", 'source = "Brwn 1997"\n'),
            r"table \[GFR\], key source: 'Brwn 1997' is not in \[sources\] \(did you mean 'Brown 1997'",
        ),
        (changed("GFR", "value", "value = -1.0\n"), r"table \[GFR\], key value: expected a positive number"),
        (changed("GFR", "value", 'value = "1"\n'), r"table \[GFR\], key value: expected a positive number"),
        (changed("GFR", "unit", 'unit = "mg"\n'), r"table \[GFR\], key unit: 'mg' cannot be converted"),
        (changed("GFR", "unit", 'unit = "mLmin"\n'), r"table \[GFR\], key unit: unit 'mLmin' is not known"),
        (
            changed("tissue.liver", "unit", 'unit = "mL/min"\n'),
            r"table \[tissue.liver\], key unit: 'mL/min' cannot be converted",
        ),
        (
            changed("hepatocellularity", "sd_log", "sd_log = -0.1\n"),
            r"table \[hepatocellularity\], key sd_log: expected 0 or more",
        ),
        (
            RAT.replace('{ value = 74.0, source = "Davies 1993" }', "{ value = 74.0 }"),
            r"table \[cardiac_output\], key other, key source: missing",
        ),
        (
            changed("tissue.muscle", "value", "value = 900.0\n"),
            "rat2.toml: organs and blood weigh 0.3.* kg, the body 0.25 kg",
        ),
        (
            changed("flow.kidney", "value", "value = 60.0\n"),
            "rat2.toml: organ flows add up to .* cardiac output is 4.986 L/h",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path, text, message):
    with pytest.raises(MechanismError, match=message):
        load_physiology(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MechanismError, match=r"absent.toml: no such file"):
        load_physiology(tmp_path / "absent.toml")
