"""What fails is attributed to the right subject, state and time, saved with the fit, and rescued at the start."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from explosive import DOSES, SYSTEM, calibration, study

from qsp_bayes.calibration import load_fit, save_fit
from qsp_bayes.calibration.divergences import attribute
from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.calibration.sampler import sample_posterior
from qsp_bayes.calibration.search import find_starts
from qsp_bayes.calibration.start import explain_start
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.report import diagnose, report

SETTINGS = {"draws": 150, "tune": 150, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}


@pytest.fixture(scope="module")
def fit():
    """Data that say little: the posterior is the prior, cut off where subject A cannot be solved."""
    return calibration(0.15, 0.5, noise=100.0).fit(study(0.17), **SETTINGS)


def test_divergences_of_the_solver_are_found(fit):
    found = fit["divergences"].to_dataset()
    ours = found["attribution"].to_numpy() == "solver"
    assert int(fit["sample_stats"]["diverging"].sum()) == found.sizes["divergence"] > 10
    assert ours.mean() > 0.5
    assert set(found["attribution"].to_numpy()) <= {"solver", "geometry"}
    assert set(found["subject"].to_numpy()[ours]) == {"A"}
    assert set(found["state"].to_numpy()[ours]) == {"x"}
    k = np.exp(found["point"].to_numpy()[:, 0])
    np.testing.assert_allclose(found["time"].to_numpy()[ours], 1 / (k[ours] * DOSES["A"]), rtol=1e-3)
    assert (k[ours] > 0.2).all()
    assert (k[~ours] < 0.2).all()
    assert found["near_posterior"].to_numpy()[ours].any()


def test_prior_draws_that_fail_are_explained(fit):
    k = fit["prior"]["TVk"].to_numpy().ravel()
    failures = fit["prior_failures"].to_dataset()
    dose = np.array([DOSES[str(subject)] for subject in failures["subject"].to_numpy()])
    np.testing.assert_allclose(failures["time"], 1 / (k[failures["draw"].to_numpy()] * dose), rtol=1e-3)
    check = next(check for check in diagnose(fit).checks if check.name.startswith("Draws of the prior"))
    assert check.value == f"{(k > 0.2).sum()} of 500"
    assert "subject: A (" in check.meaning
    assert check.level == "caution"


def test_the_diagnosis_is_loud_and_names_subject_state_and_time(fit, tmp_path):
    diagnosis = diagnose(fit)
    assert diagnosis.level == "bad"
    assert "THE SOLVER FAILS NEAR THE POSTERIOR" in diagnosis.verdict
    assert "subject A, state `x`: step too small" in diagnosis.verdict
    latest = diagnosis.failures.query("where == 'sampling'")["last"].max()
    assert f"to {latest:.2f} h" in diagnosis.verdict
    sampling = diagnosis.failures.query("where == 'sampling'")
    assert sampling["count"].sum() == (fit["divergences"]["attribution"] == "solver").sum()
    assert "step too small" in diagnosis._repr_html_()
    assert "Draws of the posterior that cannot be solved: 0 (none)" in str(diagnosis)
    text = report(fit, to=tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Points that could not be solved" in text


@pytest.mark.parametrize("name", ["fit.nc", "fit.zarr"])
def test_storage_keeps_the_groups(fit, tmp_path, name):
    save_fit(fit, tmp_path / name)
    loaded = load_fit(tmp_path / name)
    for group in ("divergences", "prior_failures"):
        xr.testing.assert_identical(loaded[group].to_dataset(), fit[group].to_dataset())
    assert diagnose(loaded).failures.equals(diagnose(fit).failures)


def test_a_label_that_is_markup_is_escaped(fit):
    changed = fit.copy()
    changed["divergences"] = xr.DataTree(
        fit["divergences"]
        .to_dataset()
        .assign(state=("divergence", np.full(fit["divergences"].sizes["divergence"], "<b>x", dtype=object)))
    )
    assert "<b>x" not in diagnose(changed)._repr_html_()


def test_a_posterior_draw_that_is_not_finite_is_bad(fit):
    changed = fit.copy(deep=True)
    changed["posterior"]["X"][0, 3, 5] = np.nan
    check = next(check for check in diagnose(changed).checks if check.name.startswith("Draws of the post"))
    assert (check.level, check.value) == ("bad", "1 of 300")
    assert "subject B" in check.meaning


def funnel():
    """Neal's funnel, beside a system that can always be solved."""
    data = study(0.1)
    with pm.Model(coords=data.coords) as model:
        path = SYSTEM.solve(data.as_pymc_data(), {"k": 0.1, "ke": 0.1})
        v = pm.Normal("v", 0.0, 3.0)
        pm.Normal("z", 0.0, pm.math.exp(v / 2), shape=9)
    return Resolver(model, path.status(), "h")


def test_a_funnel_diverges_by_its_geometry():
    resolver = funnel()
    sample = sample_posterior(resolver, **SETTINGS | {"tune": 300}, target_accept=0.8)
    assert sample.divergences is not None
    found = attribute(sample.divergences, resolver, random_seed=1)
    assert set(found["attribution"].to_numpy()) == {"geometry"}
    assert set(found["subject"].to_numpy()) == {""}


def test_a_start_that_cannot_be_solved_is_explained_and_a_better_one_found():
    """The prior holds k between 37 and 67, far beyond what can be solved: only a search gets out of there."""
    hopeless = calibration(50.0, 0.1, noise=100.0)
    with pytest.warns(UserWarning, match="Subject A, state `x`: the step became too small") as warned:
        fit = hopeless.fit(study(0.17), **SETTINGS | {"draws": 20, "tune": 50})
    assert "better starting points" in str(warned[0].message)
    assert float(fit["posterior"]["k"].max()) < 0.2


def test_a_start_that_nothing_can_rescue():
    resolver = calibration(0.15, 0.1, solver=Automatic(max_steps=1)).assemble(study(0.17))
    reason = explain_start(resolver, 1, RuntimeError("no"))
    assert "more steps than max_steps were needed" in reason
    assert "One more subject fails." in reason

    def never(point):
        return np.nan, np.full(point.size, np.nan)

    assert find_starts(resolver, never, 1) == []


def test_giving_up_says_that_better_points_were_looked_for():
    hopeless = calibration(0.15, 0.1, solver=Automatic(max_steps=1), noise=100.0)
    with pytest.raises(CalibrationError, match=r"Subject A, state `x`: more steps .*none was found"):
        hopeless.fit(study(0.17), **SETTINGS | {"draws": 5, "tune": 5})
