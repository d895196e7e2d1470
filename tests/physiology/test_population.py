"""Virtual humans are reproducible, each adds up, and together they vary about the reference as stated."""

import numpy as np
import pytest
from bodies import parameters, whole_body
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology import ARTERIAL, ORGANS, reference_human, virtual_population
from qsp_bayes.physiology.human_ages import human_ages


@pytest.fixture(scope="module")
def men():
    return virtual_population(2000, share_female=0, age=(30, 30), random_seed=7)


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (virtual_population(20, random_seed=seed) for seed in (1, 1, 2))
    assert first.subjects().covariates.equals(again.subjects().covariates)
    assert not first.subjects().covariates.equals(other.subjects().covariates)
    drawn = virtual_population(5)
    assert drawn.subjects().covariates.equals(
        virtual_population(5, random_seed=drawn.random_seed).subjects().covariates
    )


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 30),
    share=st.floats(0, 1),
    ages=st.tuples(st.floats(0, 80), st.floats(0, 80)).map(sorted).map(tuple),
    seed=st.integers(0, 2**31),
)
def test_every_individual_adds_up(n, share, ages, seed):
    people = virtual_population(n, share_female=share, age=ages, random_seed=seed)
    assert len(people) == len(people.covariates) == n
    assert (people.covariates["SEX"] == 0).sum() == round(share * n)
    assert people.covariates["AGE"].between(*ages).all()
    for body, weight in zip(people, people.covariates["WT"], strict=True):
        masses = body.masses()
        assert sum(masses.values()) == pytest.approx(weight, rel=1e-9)
        assert masses["adipose"] >= 0.03 * weight * (1 - 1e-9)
        assert min(masses.values()) > 0
        flows = sum(body[f"Q_{name}"].value for name in ARTERIAL)
        assert flows == pytest.approx(body.cardiac_output, rel=1e-9)


def test_men_vary_about_the_reference_man_as_the_tables_say(men):
    table, man = men.subjects().covariates, reference_human()
    assert np.log(table["HT"] / 176).std() == pytest.approx(0.045, rel=0.06)
    index = table["WT"] / (table["HT"] / 100) ** 2
    assert np.log(index).std() == pytest.approx(0.144, rel=0.06)
    assert index.median() == pytest.approx(73 / 1.76**2, rel=0.02)
    height = table["HT"] / 176
    # Organs that leave too little fat are drawn again: large ones, such as muscle, are a little lighter for it.
    for organ, exponent, lighter in (("liver", 0.75, 0.02), ("kidney", 0.75, 0.02), ("spleen", 0.75, 0.02)):
        relative = np.log(table[f"V_{organ}"] / height**exponent / man[f"V_{organ}"].value)
        assert relative.median() == pytest.approx(0, abs=lighter + 0.01)
        spread = human_ages()["variability"][organ]["value"]
        assert relative.std() == pytest.approx(spread, rel=0.06)
    assert table["V_brain"].median() == pytest.approx(1.45 / 1.035, rel=0.01)
    output = np.log(table["cardiac_output"] / height**0.75 / man.cardiac_output)
    assert output.mean() == pytest.approx(0, abs=0.012)
    assert output.std() == pytest.approx(0.15, rel=0.06)
    shares = table["Q_kidney"] / table["cardiac_output"]
    assert shares.mean() == pytest.approx(0.19, rel=0.01)
    assert shares.std() / shares.mean() == pytest.approx(0.05, rel=0.2)
    assert np.log(table["GFR"] / height**1.5).std() == pytest.approx(0.2, rel=0.06)


def test_the_lean_have_less_muscle_and_the_heavy_more_fat(men):
    table = men.subjects().covariates
    height = table["HT"] / 176
    index = table["WT"] / height**2
    lean, heavy = table[index < index.quantile(0.1)], table[index > index.quantile(0.9)]
    muscle = table["V_muscle"] / height**2
    assert muscle[lean.index].mean() < 0.95 * muscle[heavy.index].mean()
    fat = table["V_adipose"] * 0.916 / table["WT"]
    assert fat[lean.index].mean() < 0.1 < 0.3 < fat[heavy.index].mean()


def test_subjects_have_the_columns_and_units_of_the_contract():
    people = virtual_population(4, random_seed=1)
    subjects = people.subjects()
    columns = set(subjects.covariates)
    assert {"WT", "HT", "AGE", "SEX", "V_liver", "Q_liver", "Q_hepatic_artery", "GFR"} <= columns
    assert {f"V_{organ}" for organ in ORGANS} | {f"Q_{name}" for name in ARTERIAL} <= columns
    assert subjects.units["V_liver"] == "L"
    assert subjects.units["Q_liver"] == "L/h"
    assert subjects.units["HT"] == "cm"
    assert subjects.random_seed == 1
    system = whole_body("mL", "mL/min", vascular=("liver",))
    own = people.subjects(system)
    assert set(own.covariates) == {"WT", "HT", "AGE", "SEX", *parameters(vascular=("liver",))}
    assert own.units["Q_kidney"] == "mL/min"
    assert own.covariates["V_liver"].to_numpy() == pytest.approx(1000 * subjects.covariates["V_liver"])
    assert own.covariates["Q_kidney"].to_numpy() == pytest.approx(subjects.covariates["Q_kidney"] / 0.06)
    blood = own.covariates[["V_arterial", "V_venous", "V_liver_vascular"]].sum(axis=1)
    assert blood.to_numpy() == pytest.approx(1000 * subjects.covariates["blood_volume"])


def test_a_notebook_shows_a_summary(men):
    assert "2000 virtual individuals" in men._repr_html_()
    assert men.summary().loc["V_brain", "5%"] < men.summary().loc["V_brain", "95%"]


def test_refusals_say_what_is_wrong():
    for n, share, age, message in (
        (0, 0.5, (20, 50), "n must be a whole number"),
        (5, 1.5, (20, 50), "share_female must be between 0 and 1"),
        (5, 0.5, (50, 20), "age must be"),
        (5, 0.5, (20, 150), "age must be 0 to 100"),
    ):
        with pytest.raises(MechanismError, match=message):
            virtual_population(n, share_female=share, age=age)
