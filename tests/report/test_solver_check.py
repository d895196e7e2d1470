"""The checks of a solver see what is wrong with it, and nothing where nothing is."""

import dataclasses
import importlib.util

import numpy as np
import pytest

import qsp_bayes as qb
from qsp_bayes.ode.solvers import CVODES, Rodas5P

SYSTEM = qb.one_compartment(elimination="saturable", absorption="first-order")


def prior(median, unit):
    return qb.Prior(median=median, sd_log=0.3, unit=unit, source="made up for this test")


PRIORS = {
    "TVKA": prior(1.5, "1/h"),
    "TVVmax": prior(40.0, "mg/h"),
    "TVKm": prior(5.0, "mg/L"),
    "TVVc": prior(30.0, "L"),
    "omega_Vc": qb.Prior(distribution="HalfNormal", sigma=0.3, unit="", source="made up for this test"),
}


@pytest.fixture(scope="module")
def study():
    return qb.load_dataset("theophylline").subset(["1", "2", "3"])


def test_a_tight_tolerance_is_close_and_a_loose_one_is_as_far_as_it_says(study):
    tight, loose = (
        qb.solver_check(SYSTEM, study, PRIORS, solver=Rodas5P(rtol=rtol), draws=6) for rtol in (1e-10, 1e-3)
    )
    assert tight.n_failed == loose.n_failed == 0
    assert tight.largest < 1e-8
    assert 1e-6 < loose.largest < 0.1
    assert tight.data["error"].dims == ("draw", "subject", "output")
    spread = tight.data["value"].max("subject") - tight.data["value"].min("subject")
    assert spread.sel(parameter="Vc").min() > 0
    assert spread.sel(parameter="KA").max() == 0
    again = qb.solver_check(SYSTEM, study, PRIORS, solver=Rodas5P(rtol=1e-3), draws=6)
    np.testing.assert_array_equal(again.data["error"], loose.data["error"])


def test_a_failure_counts_as_a_failure(study):
    check = qb.solver_check(SYSTEM, study, PRIORS, solver=Rodas5P(max_steps=3), draws=2)
    assert check.n_failed == 6
    assert np.isinf(check.data["error"]).all()
    assert check.table.loc["Cc", "failed"] == 6
    assert "6 of 6 could not be solved" in repr(check)
    check.plot()


def test_where_the_reference_fails_nothing_is_compared(study):
    check = qb.solver_check(
        SYSTEM, study, PRIORS, solver=Rodas5P(), reference=Rodas5P(rtol=1e-11, max_steps=3), draws=2
    )
    assert check.n_failed == 0
    assert check.data["error"].isnull().all()
    assert "In 6 the reference failed" in check.verdict
    check.plot()


def test_gradients_agree_with_the_reference_and_with_finite_differences(study):
    check = qb.gradient_check(SYSTEM, study, PRIORS, solver=Rodas5P(rtol=1e-10), draws=2)
    assert check.largest < 1e-7
    assert float(check.data["difference_error"].max()) < 1e-6
    assert float(check.data["reference_error"].max()) < 1e-6
    assert list(check.table.index) == [f"Cc by {name}" for name in SYSTEM.parameters]
    assert len(check.plot().axes) == 1


def test_a_wrong_gradient_is_seen(study, monkeypatch):
    """The reference's derivatives are made wrong by 1 %: they no longer agree with anything."""
    from qsp_bayes.ode import cvodes_walk

    gather = cvodes_walk.gather
    monkeypatch.setattr(
        cvodes_walk,
        "gather",
        lambda *arguments: (lambda bar: bar._replace(values=1.01 * bar.values))(gather(*arguments)),
    )
    check = qb.gradient_check(SYSTEM, study, PRIORS, solver=Rodas5P(rtol=1e-10), draws=1)
    assert check.largest > 1e-3
    assert float(check.data["difference_error"].max()) < 1e-6
    assert float(check.data["reference_error"].max()) > 1e-3


def test_without_sundials_the_result_says_what_it_was_compared_with(study, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "sundials4py" else find(name, *more)
    )
    check = qb.solver_check(SYSTEM, study, PRIORS, draws=1)
    assert check.reference.startswith("Rodas5P")
    assert "sundials4py is not installed" in repr(check)


def test_refusals_name_what_is_missing(study):
    with pytest.raises(qb.PriorError, match="TVkon"):
        qb.solver_check(qb.tmdd(), study, PRIORS)
    nothing = qb.System(
        states={"x": "mg"},
        parameters={"k": "1/h"},
        processes=[qb.Process("loss", {"x": -1}, lambda s: s.k * s.x)],
        outputs={"y": qb.Output("mg", lambda s: s.x)},
    )
    with pytest.raises(qb.CalibrationError, match="nothing to compare"):
        qb.solver_check(nothing, study, {"TVk": prior(1.0, "1/h")}, solver=CVODES())


def test_what_is_shown_in_a_notebook_is_escaped(study):
    check = qb.solver_check(SYSTEM, study, PRIORS, draws=1)
    shown = dataclasses.replace(check, note="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<table" in shown
