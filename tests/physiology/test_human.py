"""Humans are those of Publication 89 at its ages, and go with height, weight and age as the sources say."""

from itertools import pairwise

import pytest
from bodies import whole_body
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology import ARTERIAL, load_physiology, reference_human
from qsp_bayes.physiology.human_ages import human_ages
from qsp_bayes.physiology.organs import ORGANS

AGES = (0, 1, 5, 10, 15, 20)

# Typed from table 2.8 of ICRP Publication 89, kg: (sex, age, organ).
PUBLICATION = {
    ("male", 0, "liver"): 0.13,
    ("male", 0, "brain"): 0.38,
    ("female", 1, "brain"): 0.95,
    ("male", 1, "muscle"): 1.9,
    ("male", 5, "liver"): 0.57,
    ("female", 5, "kidney"): 0.11,
    ("female", 5, "brain"): 1.18,
    ("male", 5, "brain"): 1.31,
    ("male", 10, "skin"): 0.82,
    ("female", 10, "muscle"): 11.0,
    ("male", 15, "muscle"): 24.0,
    ("female", 15, "muscle"): 17.0,
    ("female", 15, "adipose"): 16.0,
    ("male", 20, "liver"): 1.8,
    ("male", 20, "brain"): 1.45,
    ("female", 20, "liver"): 1.4,
    ("female", 20, "heart"): 0.25,
    ("female", 20, "adipose"): 19.0,
}
SIZES = {  # kg, cm, L/min: tables 2.9 and 2.39
    ("male", 5): (19, 109, 3.4),
    ("female", 10): (32, 138, 5.0),
    ("male", 15): (56, 167, 6.1),
    ("female", 15): (53, 161, 6.1),
    ("male", 20): (73, 176, 6.5),
    ("female", 20): (60, 163, 5.9),
}
sexes = st.sampled_from(["male", "female"])


@pytest.mark.parametrize(("sex", "age", "organ"), PUBLICATION)
def test_masses_are_exactly_those_of_the_publication_at_its_ages(sex, age, organ):
    mass = reference_human(sex=sex, age=age).masses()[organ]
    assert mass == pytest.approx(PUBLICATION[sex, age, organ], rel=1e-9)


@pytest.mark.parametrize(("sex", "age"), SIZES)
def test_sizes_and_cardiac_output_are_exactly_those_of_the_publication(sex, age):
    body = reference_human(sex=sex, age=age)
    weight, height, output = SIZES[sex, age]
    assert body.body_weight == pytest.approx(weight, rel=1e-9)
    assert f"{height} cm" in body.title
    assert body.cardiac_output / 60 == pytest.approx(output, rel=1e-9)


def test_blood_at_every_age():
    assert reference_human(sex="female", age=0)["blood_volume"].value == pytest.approx(0.27)
    assert reference_human(sex="female")["blood_volume"].value == pytest.approx(3.9)
    assert reference_human(sex="female")["haematocrit"].value == pytest.approx(1.5 / 3.9, abs=5e-4)
    assert reference_human(sex="male")["haematocrit"].value == pytest.approx(2.3 / 5.3, abs=5e-4)


@settings(deadline=None)
@given(sex=sexes, interval=st.sampled_from(list(pairwise(AGES))), part=st.floats(0, 1))
def test_between_two_ages_everything_lies_between_their_figures(sex, interval, part):
    younger, older = (reference_human(sex=sex, age=age) for age in interval)
    body = reference_human(sex=sex, age=interval[0] + part * (interval[1] - interval[0]))
    for organ, mass in body.masses().items():
        low, high = sorted((younger.masses()[organ], older.masses()[organ]))
        assert low * (1 - 1e-9) <= mass <= high * (1 + 1e-9)
    low, high = sorted((younger.cardiac_output, older.cardiac_output))
    assert low * (1 - 1e-9) <= body.cardiac_output <= high * (1 + 1e-9)


@settings(deadline=None)
@given(
    sex=sexes,
    age=st.floats(0, 60),
    taller=st.floats(0.93, 1.07),
    heavier=st.floats(1.0, 1.6),
)
def test_masses_add_up_to_weight_and_flows_to_cardiac_output(sex, age, taller, heavier):
    plain = reference_human(sex=sex, age=age)
    height = float(plain.title.rsplit(", ", 1)[1].removesuffix(" cm")) * taller
    weight = plain.body_weight * taller**2 * heavier
    body = reference_human(sex=sex, age=age, height=height, body_weight=weight)
    assert sum(body.masses().values()) == pytest.approx(weight, rel=1e-9)
    assert sum(body[f"Q_{name}"].value for name in ARTERIAL) == pytest.approx(body.cardiac_output, rel=1e-9)
    values = body.values(whole_body(vascular=ORGANS))
    blood = values["V_arterial"] + values["V_venous"] + sum(values[f"V_{o}_vascular"] for o in ORGANS)
    assert blood == pytest.approx(body["blood_volume"].value, rel=1e-9)


def test_organs_go_with_height_and_adipose_tissue_takes_the_rest_of_the_weight():
    plain, tall = reference_human(), reference_human(height=190, body_weight=100)
    ratio, masses, reference = 190 / 176, tall.masses(), plain.masses()
    exponents = {
        "muscle": 2,
        "bone": 2,
        "brain": 0,
        "liver": 0.75,
        "kidney": 0.75,
        "rest": 0.75,
        "blood": 0.75,
    }
    for organ, exponent in exponents.items():
        assert masses[organ] == pytest.approx(reference[organ] * ratio**exponent, rel=1e-9)
    skin = reference["skin"] * ratio**1.6 * (100 / (73 * ratio**2)) ** 0.5
    assert masses["skin"] == pytest.approx(skin, rel=1e-9)
    assert masses["adipose"] == pytest.approx(100 - (sum(masses.values()) - masses["adipose"]), rel=1e-9)
    assert tall.cardiac_output == pytest.approx(390 * ratio**0.75, rel=1e-9)
    # All that is heavier at one height is fat, and the little skin over it.
    heavy = reference_human(body_weight=103).masses()
    gained = heavy["adipose"] - reference["adipose"] + heavy["skin"] - reference["skin"]
    assert gained == pytest.approx(30, rel=1e-9)


def test_without_a_weight_the_body_mass_index_is_that_of_the_reference():
    assert reference_human(height=188).body_weight == pytest.approx(73 * (188 / 176) ** 2)
    assert (
        reference_human(sex="female", body_weight=70)["V_brain"] == reference_human(sex="female")["V_brain"]
    )


def test_the_kidney_filters_as_rhodin_found():
    def filtered(**who):
        return reference_human(**who)["GFR"].value / 0.06

    assert filtered() == pytest.approx(121.2 * (73 / 70) ** 0.75, rel=1e-3)
    per_size = {age: filtered(age=age) / (w / 70) ** 0.75 / 121.2 for age, w in ((0, 3.5), (1, 10.0))}
    assert per_size[1] == pytest.approx(0.90, abs=0.01)  # "at one year 90 per cent of the adult"
    half = (47.7 - 40) * 7 / 365.25  # years after birth at which half is reached
    weight = reference_human(age=half).body_weight
    assert filtered(age=half) == pytest.approx(0.5 * 121.2 * (weight / 70) ** 0.75, rel=1e-9)
    assert filtered(body_weight=120) == pytest.approx(filtered())  # fat filters nothing
    assert 2 < filtered(age=0) < 6  # term newborns: a few mL/min


def test_the_perfusion_of_brain_and_kidney_of_children():
    child, man = reference_human(age=5), reference_human()
    # Chiron et al. 1992: 71 mL/min per 100 g at five years
    assert child["Q_brain"].value / 0.06 == pytest.approx(71 * child.masses()["brain"] * 10, rel=1e-9)
    perfusion = [b["Q_kidney"].value / b.masses()["kidney"] for b in (child, man)]
    assert perfusion[0] == pytest.approx(perfusion[1], rel=1e-9)
    assert child["Q_brain"].value / child.cardiac_output > 2 * man["Q_brain"].value / man.cardiac_output
    others = [b["Q_muscle"].value / b["Q_hepatic_artery"].value for b in (child, man)]
    ratio = [b.masses()["muscle"] / b.masses()["liver"] for b in (child, man)]
    assert others[0] / others[1] == pytest.approx(ratio[0] / ratio[1], rel=1e-9)


@pytest.mark.parametrize("sex", ["male", "female"])
def test_flows_have_no_jump_where_the_adult_begins(sex):
    before, after = reference_human(sex=sex, age=20 - 1e-7), reference_human(sex=sex, age=20)
    for name in ARTERIAL:
        assert before[f"Q_{name}"].value == pytest.approx(after[f"Q_{name}"].value, rel=1e-6)


def test_shares_of_cardiac_output_of_the_woman():
    woman = reference_human(sex="female")
    for organ, share in {
        "brain": 12,
        "kidney": 17,
        "gut": 17,
        "adipose": 8.5,
        "muscle": 12,
        "rest": 8,
    }.items():
        assert 100 * woman[f"Q_{organ}"].value / woman.cardiac_output == pytest.approx(share)


def test_cardiac_output_of_infants_fits_the_others_and_that_of_the_publication_does_not():
    def standard(litres_per_minute, weight):
        return 1000 * litres_per_minute / weight**0.75

    found = [standard((b := reference_human(age=a)).cardiac_output / 60, b.body_weight) for a in AGES]
    assert all(250 < value < 380 for value in found)
    assert not 250 < standard(1.2, 10) < 380


def test_the_table_of_species_has_the_same_adult_man():
    table, man = load_physiology("human"), reference_human()
    for name, figure in table.known.items():
        assert man[name].value == pytest.approx(figure.value, rel=1e-3)
        assert man[name].sd_log == figure.sd_log


def test_the_tables_of_ages_are_complete():
    tables = human_ages()
    for sex in ("male", "female"):
        rows = [*tables[sex]["tissue"].values(), *(tables[sex][n] for n in ("body_weight", "height"))]
        assert all(len(row) == len(AGES) for row in rows)
        assert set(tables[sex]["tissue"]) == set(ORGANS) - {"rest"}
        assert set(tables[sex]["flow"]) == set(ARTERIAL) - {"rest"}
        assert set(tables[sex]["vascular"]) == set(ORGANS)
    assert set(tables["height_exponents"]) - {"source"} == {*ORGANS, "blood", "cardiac_output"} - {"adipose"}
    assert all(row["value"] > 0 and row["source"] for row in tables["variability"].values())


def test_beyond_the_ages_of_the_publication_the_adult_is_marked():
    assert "20 to 50 years" in reference_human(age=70).doubtful["body_weight"]
    assert reference_human(age=50).doubtful == {}


def test_refusals_say_what_to_do():
    with pytest.raises(MechanismError, match=r"nothing for adipose tissue\. Give a greater body weight"):
        reference_human(body_weight=50, height=190)
    with pytest.raises(MechanismError, match="age must be 0 to 100 years; got -1"):
        reference_human(age=-1)
    with pytest.raises(MechanismError, match=r"'mal' \(did you mean 'male'"):
        reference_human(sex="mal")
    with pytest.raises(MechanismError, match="body weight must be a positive number"):
        reference_human(body_weight=float("nan"))
