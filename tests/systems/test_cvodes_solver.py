"""CVODES and the package's own integrators agree on nonlinear systems, values and gradients; each is written apart."""

import dataclasses
import importlib.util

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest

import qsp_bayes as qb
from qsp_bayes.ode.solvers import CVODES, Rodas5P

DAY = {"TIME": "day", "AMT": "nmol"}
HOUR = {"TIME": "h", "AMT": "mg"}
CASES = {
    "saturable": (
        qb.one_compartment(elimination="saturable", absorption="first-order", lag=True, bioavailability=True),
        {"KA": 1.0, "tlag": 0.3, "F": 0.8, "Vmax": 12.0, "Km": 2.0, "Vc": 20.0},
        {"units": HOUR | {"DV": {"Cc": "mg/L"}}, "compartments": {1: "depot", 2: "central"}},
        [(0.0, 100.0, 0, 1, 3, 6.0), (2.0, 50.0, 20.0, 2, 0, 0.0)],
        [0.2, 0.5, 1.0, 3.0, 6.0, 7.0, 12.5, 20.0, 30.0],
    ),
    "target-mediated": (
        qb.tmdd(),
        {
            "CL": 0.2, "Vc": 3.0, "Q": 0.5, "Vp": 3.0, "kon": 5.0, "koff": 0.5, "R0": 2.0, "kdeg": 0.5, "kint": 0.1,
        },
        {"units": DAY | {"DV": {"Cc": "nmol/L"}}, "compartments": {1: "central"}},
        [(0.0, 100.0, 0, 1, 2, 14.0), (3.0, 30.0, 10.0, 1, 0, 0.0)],
        [0.01, 0.1, 1.0, 3.0, 5.0, 14.0, 15.0, 27.0, 40.0, 60.0],
    ),
}  # fmt: skip


def events_of(reading, doses, times):
    columns = ["TIME", "AMT", "RATE", "CMT", "ADDL", "II"]
    rows = [dict(zip(columns, dose, strict=True)) | {"EVID": 1, "DV": "."} for dose in doses]
    rows += [dict.fromkeys(columns, 0) | {"TIME": t, "CMT": 1, "EVID": 0, "DV": 1.0} for t in times]
    rows.sort(key=lambda row: row["TIME"])
    table = pd.concat([pd.DataFrame([{"ID": i, "DVID": 1} | row for row in rows]) for i in (1, 2)])
    return qb.read_nonmem(table, outputs={1: "Cc"}, **reading).events()


def compiled(system, events, values, solver, mode):
    inputs = {name: pt.dvector(name) for name in values}
    path = system.solve(events, inputs, solver=solver)
    weights = np.random.default_rng(4).normal(size=len(events.rows["Cc"]))
    gradients = pt.grad((path["Cc"] * weights).sum(), list(inputs.values()))
    return pytensor.function(list(inputs.values()), [path["Cc"], *gradients], mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_agrees_with_rodas5p(case):
    system, typical, reading, doses, times = CASES[case]
    events = events_of(reading, doses, times)
    values = {name: x * np.array([0.9, 1.2]) for name, x in typical.items()}
    found = [
        compiled(system, events, values, solver, mode)(*values.values())
        for solver, mode in ((CVODES(rtol=1e-12), "FAST_COMPILE"), (Rodas5P(rtol=1e-11), "NUMBA"))
    ]
    for name, a, b in zip(["Cc", *values], *found, strict=True):
        scale = np.abs(b).max()
        assert scale > 0.0
        np.testing.assert_allclose(a, b, atol=1e-8 * scale, rtol=0, err_msg=name)


def test_derivatives_by_times_amounts_and_intervals_agree():
    system, typical, reading, doses, times = CASES["saturable"]
    events = events_of(reading, doses, times)
    inputs = {name: pt.dvector(name) for name in ("time", "amount", "interval")}
    given = [getattr(events, name) for name in inputs]
    weights = np.random.default_rng(5).normal(size=len(events.rows["Cc"]))
    found = []
    for solver in (CVODES(rtol=1e-12), Rodas5P(rtol=1e-11)):
        path = system.solve(dataclasses.replace(events, **inputs), typical, solver=solver)
        gradients = pt.grad((path["Cc"] * weights).sum(), list(inputs.values()))
        found.append(pytensor.function(list(inputs.values()), gradients, mode="FAST_COMPILE")(*given))
    for name, a, b in zip(inputs, *found, strict=True):
        scale = np.abs(b).max()
        assert scale > 0.0
        np.testing.assert_allclose(a, b, atol=1e-8 * scale, rtol=0, err_msg=name)


def test_a_subject_that_cannot_be_solved_is_nan_and_the_other_is_not():
    system, typical, reading, doses, times = CASES["saturable"]
    events = events_of(reading, doses, times)
    values = {name: np.array([x, x]) for name, x in typical.items()}
    values["Vmax"][0] = np.nan
    Cc, *gradients = compiled(system, events, values, CVODES(), "FAST_COMPILE")(*values.values())
    first = events.subject[events.rows["Cc"]] == 0
    assert np.isnan(Cc[first & (events.time[events.rows["Cc"]] > 0.3)]).all()
    assert np.isfinite(Cc[~first]).all()
    by_Vmax = gradients[list(values).index("Vmax")]
    assert np.isnan(by_Vmax[0])
    assert np.isfinite(by_Vmax[1])


def test_more_steps_than_allowed_are_nan():
    system, typical, reading, doses, times = CASES["saturable"]
    events = events_of(reading, doses, times)
    values = {name: np.array([x, x]) for name, x in typical.items()}
    Cc, *_ = compiled(system, events, values, CVODES(max_steps=20), "FAST_COMPILE")(*values.values())
    assert np.isnan(Cc).all()


def test_without_sundials_the_message_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "sundials4py" else find(name, *more)
    )
    system, typical, reading, doses, times = CASES["saturable"]
    with pytest.raises(qb.SolverError, match=r"pip install qsp_bayes\[cvodes\]"):
        system.solve(events_of(reading, doses, times), typical, solver=CVODES())
