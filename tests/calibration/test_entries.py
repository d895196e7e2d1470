"""Every entry of a variable has one label, whoever asks."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from qsp_bayes.calibration.entries import entries, variable_of
from qsp_bayes.identifiability.joint_density import numbered


@pytest.fixture(scope="module")
def posterior():
    rng = np.random.default_rng(1)
    dims, names = ("chain", "draw"), ["CL", "Vc", "KA"]
    return xr.Dataset(
        {
            "TVCL": (dims, rng.normal(size=(2, 4))),
            "e_race_cl": ((*dims, "race"), rng.normal(size=(2, 4, 2))),
            "kappa_CL": ((*dims, "subject", "occasion"), rng.normal(size=(2, 4, 2, 2))),
            "corr_eta": ((*dims, "parameter", "other"), rng.normal(size=(2, 4, 3, 3))),
            "unlabelled": ((*dims, "place"), rng.normal(size=(2, 4, 2))),
        },
        {"race": [2.0, 3.5], "subject": ["a", "b"], "occasion": [1, 2], "parameter": names},
    )


def test_each_entry_holds_the_draws_at_its_labels(posterior):
    found = entries(posterior)
    for label, values in {
        "TVCL": posterior["TVCL"],
        "e_race_cl[3.5]": posterior["e_race_cl"].sel(race=3.5),
        "kappa_CL[b, 1]": posterior["kappa_CL"].sel(subject="b", occasion=1),
        "corr_eta[CL, KA]": posterior["corr_eta"].sel(parameter="CL").isel(other=2),
        "unlabelled[1]": posterior["unlabelled"].isel(place=1),
    }.items():
        np.testing.assert_array_equal(found[label], values)
        assert found[label].dims == ("chain", "draw")


def test_nothing_is_left_out_but_what_a_correlation_matrix_repeats(posterior):
    found = entries(posterior)
    assert len(found) == 1 + 2 + 4 + 3 + 2
    assert [name for name in found if variable_of(name) == "corr_eta"] == [
        "corr_eta[CL, Vc]",
        "corr_eta[CL, KA]",
        "corr_eta[Vc, KA]",
    ]


def test_entries_go_together_into_one_dataset(posterior):
    """As power scaling needs them: no coordinate of one is in the way of another."""
    assert set(xr.Dataset(entries(posterior)).coords) <= {"chain", "draw"}


def test_the_numbers_of_a_model_have_the_labels_of_its_posterior():
    """What a design tells of the effect of a category, and what the fit tells of it, stand in one row."""
    with pm.Model(coords={"race": [2.0, 3.5], "parameter": ["CL", "Vc", "KA"]}) as model:
        pm.Normal("TVCL")
        pm.Normal("e_race_cl", dims="race")
        pm.Normal("canonical", shape=3)
        pm.Dirichlet("share", np.ones(3), dims="parameter")
        draws = pm.sample_prior_predictive(4, random_seed=1)["prior"].to_dataset()
    shapes = {"TVCL": (), "e_race_cl": (2,), "canonical": (3,), "share": (2,)}
    names = numbered(model, shapes, list(shapes))
    of_posterior = list(entries(draws[["TVCL", "e_race_cl", "canonical"]]))
    assert names == [
        *of_posterior,
        "share[0]",
        "share[1]",
    ]  # two free numbers of three shares: neither is a share
