"""Drug: ionisation and distribution coefficients against equilibria written out, and what is refused."""

import numpy as np
import pytest
from drugs import TABLE, drug, forms
from hypothesis import given
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology import Drug


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("pH", [1.5, 6.6, 7.4, 11.0])
def test_charged_forms_follow_henderson_and_hasselbalch(name, pH):
    found, (cation, anion, both) = drug(name).ionisation(pH), forms(name, pH)
    assert (found.cation, found.anion, found.both) == pytest.approx((cation, anion, both), rel=1e-12)
    total = 1 + cation + anion + both
    assert drug(name).log_D(pH) == pytest.approx(TABLE[name][2] - np.log10(total), abs=1e-12)
    parts = found.fraction_uncharged + found.fraction_cation + found.fraction_anion
    assert parts == pytest.approx(1, rel=1e-12)
    assert found.fraction_unionised == pytest.approx(1 / total, rel=1e-12)


def test_half_is_ionised_at_the_pKa():
    assert Drug("acid", logP=2, fup=0.1, charge="acid", pKa=4.2).ionisation(4.2).fraction_unionised == 0.5
    assert Drug("base", logP=2, fup=0.1, charge="base", pKa=8.1).ionisation(8.1).fraction_cation == 0.5


@given(st.floats(0, 14), st.floats(0, 14), st.floats(0, 14))
def test_two_groups_of_one_kind_may_be_given_in_any_order(first, second, pH):
    for charge in ("diprotic acid", "diprotic base"):
        one, other = (
            Drug("d", logP=2, fup=0.1, charge=charge, pKa=pKa).ionisation(pH)
            for pKa in ((first, second), (second, first))
        )
        assert one == other


@given(st.floats(2, 12), st.floats(5, 9))
def test_a_second_group_that_never_ionises_leaves_the_class_of_one_group(pKa, pH):
    def one(charge, *values):
        return Drug("d", logP=2, fup=0.1, charge=charge, pKa=values).log_D(pH)

    assert one("diprotic acid", pKa, 20) == pytest.approx(one("acid", pKa), abs=1e-6)
    assert one("diprotic base", pKa, -10) == pytest.approx(one("base", pKa), abs=1e-6)
    assert one("ampholyte", 20, pKa) == pytest.approx(one("base", pKa), abs=1e-6)
    assert one("ampholyte", pKa, -10) == pytest.approx(one("acid", pKa), abs=1e-6)
    assert one("acid", 20) == pytest.approx(one("neutral"), abs=1e-6)
    assert one("base", -10) == pytest.approx(one("neutral"), abs=1e-6)


def test_measured_lipophilicity_replaces_what_stands_for_it():
    plain = Drug("d", logP=3.0, fup=0.1)
    assert plain.log_membrane_affinity == 3.0
    assert plain.log_vegetable_oil == pytest.approx(1.995)
    known = Drug("d", logP=3.0, fup=0.1, logMA=2.2, logDvow=1.7)
    assert (known.log_membrane_affinity, known.log_vegetable_oil) == (2.2, 1.7)


def test_the_strongest_base_counts():
    assert drug("chloroquine").basic_pKa == 10.2
    assert drug("morphine").basic_pKa == 8.2
    assert drug("warfarin").basic_pKa is None


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"charge": "salt"}, "charge 'salt' is not known. Choose one of neutral, acid"),
        ({"charge": "acid"}, r"has 1 pKa \(acid\); got \(\)"),
        ({"charge": "neutral", "pKa": 7.0}, "has no pKa"),
        ({"charge": "zwitterion", "pKa": (9.0, 6.0)}, "or call it an 'ampholyte'"),
        ({"charge": "ampholyte", "pKa": (6.0, 9.0)}, "or call it a 'zwitterion'"),
        ({"charge": "acid", "pKa": float("nan")}, "each pKa must be between"),
        ({"fup": 0.0}, "above 0 and at most 1; got 0.0"),
        ({"fup": 5.0}, "Divide a percentage by 100"),
        ({"BP": 0.0}, "blood:plasma ratio BP must be positive"),
        ({"logP": 1000.0}, "logP must be a decimal logarithm"),
        ({"logMA": float("inf")}, "logMA must be a decimal logarithm"),
    ],
)
def test_what_no_drug_can_be_is_refused_by_name(properties, message):
    with pytest.raises(MechanismError, match=message):
        Drug("d", **({"logP": 2.0, "fup": 0.5} | properties))
