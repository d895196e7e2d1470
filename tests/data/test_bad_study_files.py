"""Every bad file is refused with file, row, column, what was expected and what to do."""

import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import DataError

GOOD = "ID,TIME,AMT,DV,CMT\n1,0,100,.,1\n1,1,.,5,2\n"

HEADER = "ID,TIME,AMT,RATE,DUR,EVID,CMT,II,ADDL,SS,MDV,DV,CENS,LIMIT,OCC\n"
COLUMNS = HEADER.strip().split(",")
DOSE = {
    **dict.fromkeys(COLUMNS, "."),
    "ID": "1",
    "TIME": "0",
    "AMT": "100",
    "EVID": "1",
    "CMT": "1",
    "MDV": "1",
    "OCC": "1",
}
OBSERVATION = {**DOSE, "TIME": "1", "AMT": ".", "EVID": "0", "CMT": "2", "MDV": "0", "DV": "5"}


def refusal(content, tmp_path, **options):
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    arguments = {
        "units": {"TIME": "h", "AMT": "mg", "DV": "mg/L"},
        "compartments": {1: "depot", 2: "central"},
        "outputs": "Cc",
        **options,
    }
    with pytest.raises(DataError) as caught:
        read_nonmem(path, **arguments)
    error = caught.value
    assert error.file == "bad.csv"
    assert "Expected: " in str(error)
    assert "What to do: " in str(error)
    return error


def records(*changes):
    """A dose and an observation with some cells changed, as a file."""
    rows = [{**DOSE, **changes[0]}, {**OBSERVATION, **(changes[1] if len(changes) > 1 else {})}]
    return HEADER + "\n".join(",".join(row.values()) for row in rows) + "\n"


def test_the_good_file_is_read(tmp_path):
    (tmp_path / "good.csv").write_text(records({}))
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    study = read_nonmem(tmp_path / "good.csv", units=units, compartments={1: "depot"}, outputs="Cc")
    assert study.n_doses == study.n_observations == 1


@pytest.mark.parametrize(
    ("changes", "row", "column", "problem"),
    [
        # a single cell
        (({"TIME": "abc"},), 2, "TIME", "cell holds 'abc'"),
        (({}, {"DV": "<0.5"}), 3, "DV", "cell holds '<0.5'"),
        (({}, {"DV": "inf"}), 3, "DV", "cell holds 'inf'"),
        (({"TIME": "08:30"},), 2, "TIME", "a clock time or a date, '08:30'"),
        (({"TIME": "2020-01-31"},), 2, "TIME", "a clock time or a date"),
        (({"TIME": "."},), 2, "TIME", "TIME is missing"),
        (({"ID": "."},), 2, "ID", "the subject is missing"),
        (({"OCC": "."},), 2, "OCC", "the occasion is missing"),
        (({"OCC": "1.5"},), 2, "OCC", "cell holds '1.5'"),
        (({"EVID": "5"},), 2, "EVID", "unknown event, '5'"),
        (({"EVID": "1.5"},), 2, "EVID", "cell holds '1.5'"),
        (({"MDV": "100"},), 2, "MDV", "unknown value, '100'"),
        (({"SS": "3", "II": "12"},), 2, "SS", "unknown or unsupported value, '3'"),
        (({}, {"CENS": "2"}), 3, "CENS", "unknown value, '2'"),
        (({"AMT": "-5"},), 2, "AMT", "negative amount, '-5'"),
        (({"RATE": "-3"},), 2, "RATE", "negative rate, '-3'"),
        (({"DUR": "-1"},), 2, "DUR", "negative duration, '-1'"),
        (({"II": "-12"},), 2, "II", "negative interval, '-12'"),
        (({"ADDL": "-1"},), 2, "ADDL", "negative number of doses, '-1'"),
        (({"ADDL": "1.5", "II": "12"},), 2, "ADDL", "cell holds '1.5'"),
        # times
        (({"TIME": "-1"},), 2, "TIME", "negative time, '-1'"),
        (({"TIME": "2"},), 3, "TIME", "times are not sorted: '1'"),
        (({"TIME": "2"}, {"EVID": "3", "MDV": "1", "DV": "."}), 3, "TIME", "time goes back at a reset, '1'"),
        # doses
        (({"AMT": "."},), 2, "AMT", "a dose record (EVID 1 or 4) without amount"),
        (({"CMT": "."},), 2, "CMT", "a dose without compartment"),
        (({"CMT": "0"},), 2, "CMT", "a dose without compartment"),
        (({"CMT": "7"},), 2, "CMT", "'7' is not one of compartments"),
        (({"CMT": "-1"},), 2, "CMT", "'-1' is not one of compartments"),
        (({"CMT": "gut"},), 2, "CMT", "'gut' is not one of compartments"),
        (({"ADDL": "3"},), 2, "II", "ADDL asks for additional doses and II is '.'"),
        (({"ADDL": "3", "II": "0"},), 2, "II", "ADDL asks for additional doses and II is '0'"),
        (({"SS": "1"},), 2, "II", "SS asks for a steady state and II is '.'"),
        (({"SS": "1", "RATE": "10", "II": "0"},), 2, "II", "SS asks for a steady state and II is '0'"),
        (({"RATE": "10", "DUR": "5"},), 2, "DUR", "AMT, RATE and DUR contradict each other (DUR is '5')"),
        (({"RATE": "-2", "DUR": "5"},), 2, "DUR", "rate or duration is modelled"),
        (({"AMT": "0", "RATE": "10"},), 2, "AMT", "an infusion (RATE > 0) of amount 0"),
        (
            ({"AMT": "0", "RATE": "10", "SS": "1", "II": "12"},),
            2,
            "AMT",
            "an infusion (RATE > 0) of amount 0",
        ),
        (({"AMT": "0", "RATE": "10", "SS": "2", "II": "0"},), 2, "RATE", "steady state with SS=2"),
        (({"AMT": "0", "RATE": "10", "SS": "1", "ADDL": "2"},), 2, "II", "ADDL asks for additional doses"),
        # observations and other events
        (({}, {"AMT": "5"}), 3, "AMT", "dosing information on a record that gives no dose, '5'"),
        (({}, {"RATE": "5"}), 3, "RATE", "dosing information on a record that gives no dose"),
        (({}, {"DUR": "5"}), 3, "DUR", "dosing information on a record that gives no dose"),
        (({}, {"ADDL": "5"}), 3, "ADDL", "dosing information on a record that gives no dose"),
        (({}, {"SS": "1"}), 3, "SS", "dosing information on a record that gives no dose"),
        (({"EVID": "2"},), 2, "AMT", "dosing information on a record that gives no dose"),
        (({"MDV": "0", "DV": "4"},), 2, "MDV", "is marked as an observation (MDV 0)"),
        (({}, {"DV": "."}), 3, "DV", "an observation (MDV 0) without value"),
        (({}, {"DV": ".", "CENS": "1", "MDV": "."}), 3, "DV", "a censored observation without its limit"),
        (({}, {"CENS": "1", "LIMIT": "9"}), 3, "LIMIT", "LIMIT is '9', on the wrong side of DV"),
        (({}, {"CENS": "-1", "LIMIT": "1"}), 3, "LIMIT", "LIMIT is '1', on the wrong side of DV"),
    ],
)
def test_bad_cells(changes, row, column, problem, tmp_path):
    error = refusal(records(*changes), tmp_path)
    assert (error.row, error.column) == (row, column)
    assert problem in str(error)


def test_constant_infusion_at_steady_state_is_legal(tmp_path):
    (tmp_path / "good.csv").write_text(records({"AMT": "0", "RATE": "10", "SS": "1", "II": "0"}))
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    study = read_nonmem(tmp_path / "good.csv", units=units, compartments={1: "depot"}, outputs="Cc")
    assert study.n_doses == 1


def test_rounded_duration_agrees(tmp_path):
    (tmp_path / "good.csv").write_text(records({"RATE": "33.3", "DUR": "3.003"}))
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    read_nonmem(tmp_path / "good.csv", units=units, compartments={1: "depot"}, outputs="Cc")


@pytest.mark.parametrize(
    ("content", "row", "column", "problem"),
    [
        ("", None, None, "the file is empty"),
        ("\n\n", None, None, "the file is empty"),
        ("ID,TIME,AMT,DV,CMT\n", None, None, "holds a header and no records"),
        ("ID;TIME;AMT;DV;CMT\n1;0;1;.;1\n", 1, None, "the header is one cell"),
        ("ID,TIME,,DV,CMT\n1,0,1,.,1\n", 1, None, "column 3 of the header has no name"),
        ("ID,TIME,AMT,DV,dv\n1,0,1,.,1\n", 1, "DV", "names DV twice"),
        ("ID,TIME,AMT,DV,CMT\n1,0,100,.,1\n1,1,.,5,2,\n", 3, None, "the row holds 6 cells, the header 5"),
        ("ID,TIME,AMT,DV,CMT\n1,0,100,.\n", 2, None, "the row holds 4 cells, the header 5"),
        ("ID,TIME,AMT,CONC,CMT\n1,0,100,.,1\n", None, "DV", "(is it 'CONC'?)"),
        ("SUBJ,TIME,AMT,DV,CMT\n1,0,100,.,1\n", None, "ID", "(is it 'SUBJ'?)"),
        ("ID,TIMES,AMT,DV,CMT\n1,0,100,.,1\n", None, "TIME", "(did you mean 'TIMES'?)"),
        ("ID,TIME,DOSE,DV,CMT\n1,0,100,.,1\n", None, "AMT", "(is it 'DOSE'?)"),
        ("ID,TIME,AMT,DV,CMT,TINF\n1,0,100,.,1,2\n", None, "TINF", "would be read as a covariate"),
        ("ID,TIME,AMT,DV,CMT,DATE\n1,0,100,.,1,2020\n", None, "DATE", "this column is not supported"),
        ("ID,TIME,DV,BLQ,CENS\n1,0,1,0,0\n", None, "BLQ", "holds BLQ and CENS"),
        ("ID,TIME,AMT,DV\n1,0,100,.\n", 2, "CMT", "a dose without compartment"),
        (
            "ID,TIME,DV,AMT,CMT\n1,0,1,.,2\n2,0,1,.,2\n1,1,1,.,2\n",
            4,
            "ID",
            "subject '1' begins again after other subjects",
        ),
        ("ID,TIME,DV,AMT,CMT,WT\n1,0,1,.,2,.\n", 2, "WT", "the subject has no value of this covariate"),
    ],
)
def test_bad_files(content, row, column, problem, tmp_path):
    error = refusal(content, tmp_path)
    assert (error.row, error.column) == (row, column)
    assert problem in str(error)


def test_wrong_encoding_names_byte_and_row(tmp_path):
    content = "ID,TIME,DV,SITE\n1,0,1,Köln\n".encode("latin-1")
    error = refusal(content, tmp_path)
    assert error.row == 2
    assert "byte 23 (0xf6) is not UTF-8 (perhaps Latin-1" in str(error)
    assert "UTF-16" in str(refusal(GOOD.encode("utf-16"), tmp_path))


def test_a_file_that_is_not_there_suggests_its_neighbour(tmp_path):
    (tmp_path / "theophylline.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"there is no such file \(did you mean 'theophylline.csv'\?\)"):
        read_nonmem(tmp_path / "theophyline.csv", units={}, outputs="Cc")


def test_the_number_of_further_rows_is_said(tmp_path):
    error = refusal("ID,TIME,AMT,DV,CMT\n1,0,x,.,1\n1,1,y,.,1\n1,2,z,.,1\n", tmp_path)
    assert "cell holds 'x' (and in 2 more rows)" in str(error)


def test_an_unknown_covariate_suggests_columns(tmp_path):
    content = "ID,TIME,DV,AMT,CMT,WEIGHT\n1,0,1,.,2,70\n"
    assert "(did you mean 'WEIGHT'?)" in str(refusal(content, tmp_path, covariates=["WEIHGT"]))


def test_codes_without_names_ask_for_names(tmp_path):
    error = refusal(GOOD, tmp_path, compartments=None)
    assert "compartments={1: 'depot', ...}" in str(error)
    error = refusal(GOOD, tmp_path, outputs={3: "Cc"})
    assert (error.row, error.column) == (3, "CMT")
    assert "'2' is not one of outputs. Expected: one of 3 (Cc)" in str(error)


def test_an_observation_without_output(tmp_path):
    error = refusal("ID,TIME,AMT,DV,CMT\n1,0,100,.,1\n1,1,.,5,.\n", tmp_path, outputs={2: "Cc"})
    assert "an observation without output" in str(error)


def test_unknown_carry(tmp_path):
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    with pytest.raises(DataError, match="'nocb' or 'locf'"):
        read_nonmem(path, units={}, outputs="Cc", carry="bocf")
