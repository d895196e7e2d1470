"""A subject that cannot be solved is NaN, and the status says when and because of which state: both are known here.

x' = k x^2 from 1 blows up at 1/k; y' = log(w) stops being defined when w = 5 - r t has reached 0, at 5/r.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data.events import Events
from qsp_bayes.ode.solvers import Automatic, Rodas5P, Tsit5
from qsp_bayes.ode.status import REASONS, Failure
from qsp_bayes.systems import DoseInto, Output, Process, System

SYSTEM = System(
    states={"calm": "mg", "x": "mg", "y": "mg", "w": "mg"},
    parameters={"k": "1/mg/h", "ke": "1/h", "r": "mg/h", "one": "mg"},
    processes=[
        Process("growth", {"x": 1}, lambda s: s.k * s.x * s.x),
        Process("elimination", {"calm": -1}, lambda s: s.ke * s.calm),
        Process("loss", {"w": -1}, lambda s: s.r),
        Process("logarithm", {"y": 1}, lambda s: s.ke * s.one * pt.log(s.w / s.one)),
    ],
    initial={"x": lambda s: s.one, "w": lambda s: 5 * s.one},
    outputs={"calm": Output("mg", lambda s: s.calm)},
    doses={"calm": DoseInto()},
)
SUBJECTS = ("fine", "explodes", "logarithm")
K, R = np.array([0.001, 0.5, 0.001]), np.array([0.01, 0.01, 2.0])


def events():
    n = len(SUBJECTS)
    time = np.tile([0.0, 1.0, 5.0, 20.0], n)
    zeros, first = np.zeros(4 * n, int), np.tile([1, 0, 0, 0], n)
    return Events(
        subjects=SUBJECTS, compartments=("calm",), outputs=("calm",), subject=np.repeat(np.arange(n), 4), time=time,
        evid=first, compartment=first - 1, amount=100.0 * first, rate=zeros * 0.0, duration=zeros * 0.0,
        interval=zeros * 0.0, additional=zeros, steady_state=zeros, occasion=np.repeat(np.arange(n), 4),
        output=-first, occasion_subject=np.arange(n), rows={"calm": np.flatnonzero(first == 0)},
        DV={"calm": np.zeros(3 * n)},
    )  # fmt: skip


def solve(solver=None, k=K, r=R, ke=0.1):
    path = SYSTEM.solve(events(), {"k": k, "r": r, "ke": ke, "one": 1.0}, solver=solver)
    values = pytensor.function([], [path["calm"], *path.status().variables], mode="FAST_COMPILE")()
    return values[0].reshape(3, 3), path.status().failures(SUBJECTS, *values[1:])


@pytest.mark.parametrize("solver", [None, Rodas5P(), Tsit5(), Rodas5P(rtol=1e-3)], ids=str)
def test_time_and_state_of_a_singularity(solver):
    calm, failures = solve(solver)
    np.testing.assert_allclose(calm[0], 100 * np.exp(-0.1 * np.array([1.0, 5.0, 20.0])), rtol=1e-2)
    assert np.isnan(calm[1:]).all()
    assert [(f.subject, f.state, f.reason.name) for f in failures] == [
        ("explodes", "x", "step too small"),
        ("logarithm", "y", "step too small"),
    ]
    np.testing.assert_allclose([f.time for f in failures], [1 / 0.5, 5 / 2.0], rtol=1e-3)


def test_a_state_that_is_not_finite_from_the_start():
    _, failures = solve(k=np.array([0.001, np.nan, 0.001]), r=np.array([0.01, 0.01, np.inf]))
    assert [(f.subject, f.state, f.time, f.reason.name) for f in failures] == [
        ("explodes", "x", 0.0, "not finite"),
        ("logarithm", "w", 0.0, "not finite"),
    ]


def test_too_many_steps():
    _, failures = solve(Automatic(max_steps=8))
    assert {(f.subject, f.state) for f in failures[1:]} == {("explodes", "x"), ("logarithm", "y")}
    assert {f.reason.name for f in failures} == {"too many steps"}
    assert all(0.0 < f.time < 20.0 for f in failures)


def test_the_status_is_the_same_whether_or_not_a_gradient_is_taken():
    k = pt.vector("k")
    path = SYSTEM.solve(events(), {"k": k, "r": R, "ke": 0.1, "one": 1.0})
    outputs = [*path.status().variables, pt.grad(path["calm"].sum(), k)]
    *values, gradient = pytensor.function([k], outputs, mode="FAST_COMPILE")(K)
    assert path.status().failures(SUBJECTS, *values) == solve()[1]
    assert np.isnan(gradient[1:]).all()


def test_linear_systems_tell_their_status_too():
    system = System(
        states={"calm": "mg"},
        parameters={"ke": "1/h", "tlag": "h"},
        processes=[Process("elimination", {"calm": -1}, lambda s: s.ke * s.calm)],
        outputs={"calm": Output("mg", lambda s: s.calm)},
        doses={"calm": DoseInto(lag=lambda s: s.tlag)},
    )
    path = system.solve(events(), {"ke": np.array([0.1, 0.1, -1e3]), "tlag": np.array([0.0, -1.0, 0.0])})
    values = pytensor.function([], path.status().variables)()
    failures = path.status().failures(SUBJECTS, *values)
    assert [(f.subject, f.state, f.time, f.reason.name) for f in failures] == [
        ("explodes", "", 0.0, "impossible"),
        ("logarithm", "", 0.0, "impossible"),
    ]


@pytest.mark.parametrize("reason", REASONS[1:], ids=lambda reason: reason.name)
def test_every_reason_names_subject_state_time_causes_and_cure(reason):
    text = Failure("S07", reason, 336.0, "complex").explain("h")
    assert text.startswith("Subject S07, state `complex`: ")
    assert "t = 336 h" in text
    assert "This usually means (a)" in text
    assert "(c)" in text
