"""Prior files: those that ship load and say where they come from; wrong ones are refused by name."""

import pytest

from qsp_bayes.calibration import list_priors, load_priors, read_priors
from qsp_bayes.errors import PriorError

GOOD = 'unit = "L/h"\nsource = "a test"\nmedian = 1.0\ncv = 0.3\n'


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list_priors())
def test_shipped_files_load_and_name_their_sources(name):
    priors = load_priors(name)
    assert priors.title
    for row in priors.table():
        assert len(row["source"]) > 20, row["name"]
        assert row["q05"] < row["median"] < row["q95"], row["name"]


@pytest.mark.parametrize("name", ["theophylline", "phenobarbital", "remifentanil"])
def test_typical_values_are_spread_widely(name):
    for variable, prior in load_priors(name).items():
        if variable.startswith("TV"):
            assert prior.distribution == "LogNormal"
            assert prior.parameters["sigma"] >= 0.5, variable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[TVCL]\n{GOOD}colour = 1\n", r"mine.toml, table \[TVCL\], key colour: not known"),
        ("[TVCL]\n" + GOOD.replace('unit = "L/h"\n', ""), "key unit: missing"),
        ("[TVCL]\n" + GOOD.replace('source = "a test"\n', ""), "key source: missing"),
        ("[TVCL]\n" + GOOD.replace('"L/h"', '"L/blink"'), r"table \[TVCL\].*not known"),
        ("[TVCL]\n" + GOOD.replace("cv = 0.3", "cv = -1"), "must be positive"),
        ('[TVCL]\nunit = ""\nsource = { kind = "literature" }\nmedian = 1.0\ncv = 1.0\n', "has a text"),
        ("TVCL = 3\n", "expected a table"),
        ("[TVCL\n", "not valid TOML"),
        ('title = "empty"\n', "holds no prior"),
    ],
)
def test_a_wrong_file_is_refused_with_file_table_and_key(tmp_path, text, message):
    with pytest.raises(PriorError, match=message) as caught:
        read_priors(write(tmp_path, text))
    assert "mine.toml" in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(PriorError, match="no such file"):
        read_priors(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes('title = "é"'.encode("latin-1"))
    with pytest.raises(PriorError, match="UTF-8"):
        read_priors(tmp_path / "latin.toml")
    with pytest.raises(PriorError, match="Choose from"):
        load_priors("aspirin")
