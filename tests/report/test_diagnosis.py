import arviz_stats
import numpy as np
import pytest
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report import diagnose

SOUND = "The chains agree; nothing here speaks against using the posterior."


def test_independent_draws_pass(good_fit):
    diagnosis = diagnose(good_fit)
    assert diagnosis.level == "good"
    assert diagnosis.verdict == SOUND


def test_numbers_are_arviz_numbers(good_fit):
    table = diagnose(good_fit).table
    posterior = good_fit["posterior"].to_dataset()
    assert table.loc["TVCL", "rhat"] == arviz_stats.rhat(posterior["TVCL"]).item()
    assert table.loc["eta_KA[3]", "ess_bulk"] == arviz_stats.ess(posterior["eta_KA"].sel(subject="3")).item()
    assert table.loc["corr_eta[CL, KA]", "ess_tail"] == (
        arviz_stats.ess(posterior["corr_eta"].sel(parameter="CL", parameter_other="KA"), method="tail").item()
    )


def test_worst_parameter_comes_first(fit):
    fit["posterior"]["TVVc"] += 5 * fit["posterior"]["TVVc"].chain
    assert diagnose(fit).table.index[0] == "TVVc"


def test_constants_and_predictions_are_not_judged(good_fit):
    table = diagnose(good_fit).table
    assert not [label for label in table.index if label.startswith("Cc[") or label == "corr_eta[CL, CL]"]
    assert not table.isna().any(axis=None)


def test_a_chain_apart_fails(fit):
    fit["posterior"]["TVCL"][3] += 3.0
    diagnosis = diagnose(fit)
    assert diagnosis.level == "bad"
    assert "The chains disagree on TVCL" in diagnosis.verdict
    assert "Do not use this posterior." in diagnosis.verdict


def test_sticky_chains_fail(fit):
    rng = np.random.default_rng(1)
    fit["posterior"]["omega_CL"][:] = np.exp(0.05 * rng.normal(size=(4, 250)).cumsum(axis=1))
    diagnosis = diagnose(fit)
    assert diagnosis.level == "bad"
    assert "too few independent draws of omega_CL" in diagnosis.verdict


@pytest.mark.parametrize(("divergent", "level"), [(0, "good"), (3, "caution"), (30, "bad")])
def test_divergences(fit, divergent, level):
    fit["sample_stats"]["diverging"][0, :divergent] = True
    diagnosis = diagnose(fit)
    assert diagnosis.level == level
    assert ("divergent transition" in diagnosis.verdict) == (divergent > 0)


def test_tree_depth_and_energy_are_cautions(fit):
    fit["sample_stats"]["reached_max_treedepth"][0, 0] = True
    assert "1 trajectory stopped" in diagnose(fit).verdict
    fit["sample_stats"]["energy"][:] = np.random.default_rng(2).normal(size=(4, 250)).cumsum(axis=1)
    diagnosis = diagnose(fit)
    assert diagnosis.level == "caution"
    assert "E-BFMI is" in diagnosis.verdict


def test_draws_that_are_not_numbers_fail(fit):
    fit["posterior"]["TVKA"][0, 0] = np.nan
    diagnosis = diagnose(fit)
    assert diagnosis.level == "bad"
    assert "Draws of TVKA are not finite" in diagnosis.verdict


def test_one_chain_is_a_caution(good_fit):
    one = xr.DataTree.from_dict({"posterior": good_fit["posterior"].to_dataset().isel(chain=[0])})
    diagnosis = diagnose(one)
    assert "A single chain cannot show" in diagnosis.verdict
    assert "not defined for one chain" in str(diagnosis)


def test_without_posterior_is_refused():
    with pytest.raises(CalibrationError, match="no posterior draws"):
        diagnose(xr.DataTree())


def test_shows_itself_escaped(fit):
    fit["posterior"] = xr.DataTree(fit["posterior"].to_dataset().rename(TVCL="<b>TVCL"))
    shown = diagnose(fit)._repr_html_()
    assert "<b>TVCL" not in shown
    assert SOUND in shown
