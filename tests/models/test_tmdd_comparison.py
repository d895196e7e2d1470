"""Which approximation is good enough: verdicts where the answer is known, and errors worked out by hand."""

import numpy as np
import pytest

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import compare_tmdd
from qsp_bayes.models.tmdd.comparison import ORDER, runs, span
from qsp_bayes.models.tmdd.implied import NUMBERS, dimensionless_numbers, implied_parameters
from qsp_bayes.models.tmdd.model import APPROXIMATIONS, TYPICAL

# One compartment, nmol, L, day. Binding is fast, dissociation far faster than internalisation, kint is not kdeg.
RAPID = {"CL": 0.3, "Vc": 3.0, "kon": 500.0, "koff": 100.0, "R0": 3.0, "kdeg": 1.0, "kint": 0.2}
# Dissociation is far slower than internalisation, which is as fast as degradation.
SLOW = RAPID | {"kon": 5000.0, "koff": 0.2, "kint": 4.0, "kdeg": 4.0}


@pytest.fixture(scope="module")
def rapid():
    return compare_tmdd(RAPID, [5.0, 100.0], until=60.0, after=0.1)


def test_what_holds_where_binding_is_rapid(rapid):
    assert rapid.holding == ["QE", "QSS"]
    assert rapid.verdict.startswith(
        "Within 10 % of the full model under all 2 regimens from 0.1 day on: QE, QSS."
    )


def test_what_holds_where_internalisation_is_fast_and_drug_is_supplied():
    """The complex is steady: K is Kss, and QE has no koff beside kint."""
    infusion = Regimen(500.0, unit="nmol", rate=5.0, into="central")
    chosen = ["QE", "QSS", "Wagner", "Michaelis-Menten"]
    found = compare_tmdd(SLOW, {"infusion": infusion}, until=50.0, after=2.0, approximations=chosen)
    assert found.holding == ["Michaelis-Menten", "Wagner", "QSS"]
    words = found.table.loc[("QE", "infusion"), "verdict"]
    assert words.startswith("free drug off by up to 95 % throughout")
    assert "koff / kint = 0.05" in words


def test_after_the_supply_free_drug_follows_kd_again():
    """The complex decays with kint, so that binding and dissociation balance: QSS is off by Kss / KD = 21."""
    chosen = ["QE", "QSS"]
    found = compare_tmdd(SLOW, [5.0], times=[0.5, 1.0, 1.5], approximations=chosen)
    last = found.data.isel(regimen=0, time=1)
    share = last["RC"] / last["R"]
    K = {name: float(last["Cc"].sel(model=name) / share.sel(model=name)) for name in ("full", *chosen)}
    assert K["QE"] == pytest.approx(0.2 / 5000)
    assert K["QSS"] == pytest.approx(4.2 / 5000)
    assert K["full"] == pytest.approx(0.2 / 5000, rel=0.02)


def test_errors_are_those_of_the_solutions(rapid):
    full, found = (rapid.data["Cc"].sel(model=name, regimen="5 nmol") for name in ("full", "Wagner"))
    late = full["time"] >= 0.1
    size = np.maximum(full, 1e-3 * float(full.where(late).max()))
    error = (np.abs(found - full) / size).where(late, drop=True)
    row = rapid.table.loc[("Wagner", "5 nmol")]
    assert row["free drug, max"] == pytest.approx(float(error.max()), rel=1e-12)
    assert 0 < row["free drug, mean"] < row["free drug, max"]
    above = rapid.errors.sel(model="Wagner", regimen="5 nmol").to_dataarray().max("variable") > 0.1
    assert row["first above"] == float(above["time"][above][0])
    assert row["last above"] == float(above["time"][above][-1])
    assert np.isnan(rapid.table.loc[("QE", "5 nmol"), "first above"])
    assert rapid.table.loc[("QE", "5 nmol"), "verdict"] == "holds within 10 %"


def test_binding_at_once_is_always_wrong_while_the_drug_binds():
    found = compare_tmdd(RAPID, [15.0], until=30.0, approximations=["QSS", "constant target"])
    row = found.table.loc[("QSS", "15 nmol")]
    assert row["free drug, max"] > 0.5
    assert row["last above"] < 0.1
    assert found.holding == []
    assert "No approximation stays within 10 %" in found.verdict


def test_numbers_that_explain(rapid):
    assert list(rapid.numbers.index) == [number.name for number in NUMBERS]
    assert rapid.numbers.loc["koff / kint", "5 nmol"] == 500
    assert rapid.numbers.loc["kint / kdeg", "5 nmol"] == pytest.approx(0.2)
    assert rapid.numbers.loc["R0 / Kss", "5 nmol"] == pytest.approx(3 / (100.2 / 500))
    assert list(rapid.numbers.loc["dose / target", ["5 nmol", "100 nmol"]]) == pytest.approx([5 / 9, 100 / 9])


def test_binding_relaxes_at_the_rate_of_the_linearised_equation():
    """The slope of the rate of binding with respect to the complex, at steady state, totals held."""
    Kss, total_drug, total_target = 100.2 / 500, 2.0, 3.0
    b = total_drug - total_target - Kss
    free = (b + np.sqrt(b**2 + 4 * Kss * total_drug)) / 2
    bound = total_drug - free
    step = 1e-6

    def rate(RC):
        return 500 * (total_drug - RC) * (total_target - RC) - 100.2 * RC

    relaxation = -(rate(bound + step) - rate(bound - step)) / (2 * step)
    found = dimensionless_numbers(RAPID, np.array([total_drug]), np.array([total_target]), dose=1.0)
    assert found["binding / other rates"] == pytest.approx(relaxation / 1.0, rel=1e-6)


def test_implied_parameters():
    assert implied_parameters(RAPID, "QE")["KD"] == pytest.approx(0.2)
    assert implied_parameters(RAPID, "QSS")["Kss"] == pytest.approx(100.2 / 500)
    by_KD = {k: v for k, v in RAPID.items() if k != "koff"} | {"KD": 0.2}
    assert implied_parameters(by_KD, "full") == pytest.approx(RAPID)
    with pytest.raises(MechanismError, match=r"lacks kint, koff \(or KD\)"):
        implied_parameters({k: v for k, v in RAPID.items() if k not in ("kint", "koff")}, "QE")
    with pytest.raises(MechanismError, match="R0 is -1"):
        implied_parameters(RAPID | {"R0": -1.0}, "QE")


def test_words_for_times():
    assert runs(np.arange(4.0), np.array([False, True, True, True])) == [(1.0, 3.0)]
    assert span(0.0, 30.0, 0.0, 30.0, "day") == "throughout"
    assert span(2.0, 3.0, 0.0, 30.0, "day") == "from 2 to 3 day"


def test_what_makes_no_sense_is_refused():
    with pytest.raises(MechanismError, match="'rapid' is no approximation"):
        compare_tmdd(RAPID, [1.0], until=1.0, approximations=["rapid"])
    with pytest.raises(MechanismError, match="either until"):
        compare_tmdd(RAPID, [1.0])
    with pytest.raises(MechanismError, match="until is -1"):
        compare_tmdd(RAPID, [1.0], until=-1.0)
    with pytest.raises(MechanismError, match="after is 3"):
        compare_tmdd(RAPID, [1.0], until=2.0, after=3.0)


def test_tables_name_what_they_compare(rapid):
    assert set(ORDER) == set(APPROXIMATIONS) - {"full"}
    assert rapid.table.index.names == ["approximation", "regimen"]
    assert len(rapid.table) == 12
    assert "holds within 10 %" in repr(rapid)
    assert "koff / kint" in rapid._repr_html_()
    assert TYPICAL["Kss"] == pytest.approx((TYPICAL["koff"] + TYPICAL["kint"]) / TYPICAL["kon"])
