"""New subjects are whole rows of the study, unless a distribution is stated."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from qsp_bayes.data import Regimen, Subjects, load_dataset, new_subjects, planned_study
from qsp_bayes.errors import DataError, UnitsError


@pytest.fixture(scope="module")
def remifentanil():
    return load_dataset("remifentanil")


def test_every_new_subject_is_a_subject_of_the_study(remifentanil):
    drawn = new_subjects(remifentanil, 1000, random_seed=1)
    baseline = remifentanil.records.drop_duplicates("ID")[list(remifentanil.covariates)]
    observed = set(baseline.itertuples(index=False, name=None))
    assert set(drawn.covariates.itertuples(index=False, name=None)) <= observed
    assert len(drawn) == 1000
    assert drawn.labels[0] == "new 1"
    assert len(set(drawn.labels)) == 1000


def test_correlations_are_kept(remifentanil):
    drawn = new_subjects(remifentanil, 20_000, random_seed=2).covariates
    baseline = remifentanil.records.drop_duplicates("ID")[list(remifentanil.covariates)]
    np.testing.assert_allclose(drawn.corr(), baseline.corr(), atol=0.03)
    assert drawn["WT"].mean() == pytest.approx(baseline["WT"].mean(), abs=0.5)


def test_time_varying_covariates_are_taken_at_baseline():
    study = load_dataset("quinidine")
    first = study.records.drop_duplicates("ID")
    assert set(new_subjects(study, 500, random_seed=3).covariates["AAG"]) <= set(first["AAG"])


def test_the_seed_is_kept_and_draws_the_same_again(remifentanil):
    drawn = new_subjects(remifentanil, 50)
    again = new_subjects(remifentanil, 50, random_seed=drawn.random_seed)
    pd.testing.assert_frame_equal(drawn.covariates, again.covariates)
    other = new_subjects(remifentanil, 50, random_seed=1)
    assert not other.covariates.equals(drawn.covariates)


def test_a_stated_distribution_reaches_beyond_the_study(remifentanil):
    drawn = new_subjects(
        remifentanil,
        400,
        random_seed=4,
        distribution={"WT": scipy.stats.uniform(150, 20), "AGE": lambda rng, n: rng.uniform(5, 6, n)},
    )
    assert drawn.covariates["WT"].between(150, 170).all()
    assert drawn.covariates["AGE"].between(5, 6).all()
    assert "WT, AGE drawn apart" in drawn.origin
    again = new_subjects(remifentanil, 400, random_seed=4, distribution={"WT": scipy.stats.uniform(150, 20)})
    np.testing.assert_array_equal(again.covariates["WT"], drawn.covariates["WT"])
    np.testing.assert_array_equal(again.covariates["HT"], drawn.covariates["HT"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 3, "distribution": {"WTT": scipy.stats.norm()}}, "no covariate 'WTT' .did you mean 'WT'"),
        ({"n": 3, "distribution": {"WT": lambda rng, n: rng.random(n + 1)}}, "distribution of WT gave shape"),
        (
            {"n": 3, "distribution": {"WT": lambda rng, n: np.full(n, np.nan)}},
            "distribution of WT gave shape",
        ),
    ],
)
def test_draws_that_cannot_be(arguments, message, remifentanil):
    with pytest.raises(DataError, match=message):
        new_subjects(remifentanil, **arguments)


def test_subjects_are_frozen_and_shown(remifentanil):
    drawn = new_subjects(remifentanil, 10, random_seed=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        drawn.origin = "elsewhere"
    table = drawn.covariates
    table["WT"] = 0.0
    assert (drawn.covariates["WT"] > 0).all()
    assert repr(copy.deepcopy(drawn)) == repr(drawn)
    assert "WT [kg]" in repr(drawn)
    assert "<td>kg</td>" in drawn._repr_html_()
    assert "<b>" not in Subjects(table, {}, "<b>here</b>")._repr_html_()


def test_subjects_of_another_unit_are_refused(remifentanil):
    subjects = Subjects(pd.DataFrame({"WT": [70_000.0]}), {"WT": "g"}, "given")
    with pytest.raises(UnitsError, match="covariate WT: unit is 'g', expected 'kg'"):
        planned_study(Regimen(1, unit="ug", into="central"), subjects, [1], units=remifentanil.units)


def test_a_study_without_covariates_gives_subjects_without():
    drawn = new_subjects(load_dataset("indomethacin"), 3, random_seed=1)
    assert drawn.covariates.shape == (3, 0)
    study = planned_study(
        Regimen(25, into="central"), drawn, [0, 1], units=load_dataset("indomethacin").units
    )
    assert study.subjects == ("new 1", "new 2", "new 3")
