"""`System.solve`: an impossible draw is NaN for its subject and no other, and mistakes are named."""

import dataclasses

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.solvers import Linear
from qsp_bayes.systems import DoseInto, Output, Process, System

TIMES = np.array([0.5, 2.0, 8.0])
SYSTEM = System(
    states={"central": "mg"},
    parameters={"CL": "L/h", "Vc": "L", "tlag": "h"},
    processes=[Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central)],
    outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    doses={"central": DoseInto(lag=lambda s: s.tlag)},
)
GOOD = {"CL": 2.0, "Vc": 20.0, "tlag": 0.1}


@pytest.fixture(scope="module")
def events():
    rows = [
        {
            "ID": i,
            "TIME": t,
            "AMT": 100 * (t == 0),
            "EVID": int(t == 0),
            "DV": "." if t == 0 else 1.0,
            "CMT": 1,
        }
        for i in (1, 2, 3)
        for t in (0.0, *TIMES)
    ]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(pd.DataFrame(rows), units=units, compartments={1: "central"}, outputs="Cc").events()


@pytest.fixture(scope="module")
def solved(events):
    inputs = pt.dvectors(*GOOD)
    Cc = SYSTEM.solve(events, dict(zip(GOOD, inputs, strict=True)))["Cc"]
    slopes = pt.grad(Cc[:3].sum() + Cc[6:].sum(), inputs)
    return pytensor.function([*inputs], [Cc, *slopes], mode="FAST_COMPILE")


@pytest.mark.parametrize(
    ("name", "value"),
    [("tlag", -1.0), ("tlag", np.nan), ("CL", np.nan), ("CL", np.inf), ("Vc", 0.0), ("Vc", np.nan)],
)
def test_an_impossible_draw_is_nan_for_its_subject_alone(solved, name, value):
    draw = {n: np.full(3, x) for n, x in GOOD.items()}
    draw[name][1] = value
    Cc, *slopes = solved(*draw.values())
    t = TIMES - GOOD["tlag"]
    np.testing.assert_allclose(Cc.reshape(3, 3)[[0, 2]], [5.0 * np.exp(-0.1 * t)] * 2, rtol=1e-14)
    assert not np.isfinite(Cc[3:6]).any()
    assert np.isfinite(np.array(slopes)[:, [0, 2]]).all()


def test_mistakes_are_named(events):
    with pytest.raises(SolverError, match="no value for parameter tlag; the system has no parameter V"):
        SYSTEM.solve(events, {"CL": 1.0, "Vc": 1.0, "V": 1.0})
    with pytest.raises(SolverError, match="no output 'Ce'"):
        SYSTEM.solve(events, GOOD)["Ce"]
    with pytest.raises(SolverError, match="doses into depot"):
        SYSTEM.solve(dataclasses.replace(events, compartments=("depot",)), GOOD)
    with pytest.raises(SolverError, match="modelled duration"):
        SYSTEM.solve(dataclasses.replace(events, rate=np.where(events.evid == 1, -2.0, 0.0)), GOOD)
    saturable = SYSTEM.replace(
        Process("elimination", {"central": -1}, lambda s: s.CL * s.central / (s.Vc + s.Km * s.central)),
        parameters={"Km": "L/mg"},
    )
    with pytest.raises(SolverError, match="linear systems only"):
        saturable.solve(events, GOOD | {"Km": 1.0}, solver=Linear())
