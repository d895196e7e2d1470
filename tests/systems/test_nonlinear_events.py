"""Events in the nonlinear engine: on a linear system it must agree with the exact engine, values and gradients.

The two share the timeline, which is tested elsewhere, and nothing of how the state moves or is differentiated.
"""

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.ode.solvers import CVODES, Automatic, Linear, Rodas5P, Tsit5
from qsp_bayes.systems import DoseInto, Output, Process, System

SYSTEM = System(
    states={"depot": "mg", "central": "mg", "peripheral1": "mg", "excreted": "mg"},
    parameters={
        "KA": "1/h", "CL": "L/h", "Vc": "L", "Q": "L/h", "Vp": "L", "kin": "mg/h", "F": "", "tlag": "h", "D": "h",
        "R": "mg/h",
    },
    processes=[
        Process("absorption", {"depot": -1, "central": 1}, lambda s: s.KA * s.depot),
        Process("elimination", {"central": -1, "excreted": 1}, lambda s: s.CL / s.Vc * s.central),
        Process(
            "distribution",
            {"central": -1, "peripheral1": 1},
            lambda s: s.Q * (s.central / s.Vc - s.peripheral1 / s.Vp),
        ),
        Process("production", {"central": 1}, lambda s: s.kin),
    ],
    accumulators=["excreted"],
    initial={"central": lambda s: s.kin * s.Vc / s.CL},
    outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc), "excreted": Output("mg", lambda s: s.excreted)},
    doses={
        "depot": DoseInto(F=lambda s: s.F, lag=lambda s: s.tlag, duration=lambda s: s.D),
        "central": DoseInto(rate=lambda s: s.R),
        "peripheral1": DoseInto(),
    },
)  # fmt: skip
PARAMETERS = {
    "KA": 1.2, "CL": 3.0, "Vc": 15.0, "Q": 2.0, "Vp": 30.0, "kin": 4.0, "F": 0.7, "tlag": 0.4, "D": 1.5, "R": 40.0,
}  # fmt: skip
UNITS = {"TIME": "h", "AMT": "mg", "DV": {"Cc": "mg/L", "excreted": "mg"}}
DOSES = [
    # TIME, AMT, RATE, EVID, CMT, ADDL, II
    (0.0, 100.0, -2, 1, 1, 2, 8.0),  # into the depot over D, thrice, each after a lag
    (1.0, 50.0, 0, 1, 3, 0, 0.0),  # a bolus
    (3.0, 60.0, 20, 1, 3, 3, 2.5),  # overlapping infusions
    (6.0, 80.0, -1, 1, 2, 0, 0.0),  # at the rate R
    (20.0, 0.0, 0, 3, 2, 0, 0.0),  # reset
    (22.0, 70.0, 35, 4, 2, 0, 0.0),  # reset and dose
]
TIMES = [
    0.0, 0.2, 0.5, 1.0, 2.2, 3.0, 5.0, 6.0, 7.9, 8.3, 9.0, 12.0, 16.4, 18.0, 20.0, 21.0, 22.0, 23.5, 25.0, 30.0,
]  # fmt: skip


def events(carry):
    columns = ["TIME", "AMT", "RATE", "EVID", "CMT", "ADDL", "II"]
    rows = [dict(zip(columns, dose, strict=True)) | {"DV": ".", "DVID": 0} for dose in DOSES]
    for t in TIMES:
        rows += [dict.fromkeys(columns, 0) | {"TIME": t, "CMT": 2, "DV": 1.0, "DVID": k} for k in (1, 2)]
    rows.sort(key=lambda row: row["TIME"])
    data = pd.concat([pd.DataFrame([{"ID": i} | row for row in rows]) for i in (1, 2)])
    data["WT"] = 70.0
    return read_nonmem(
        data,
        units=UNITS | {"WT": "kg"},
        compartments={1: "depot", 2: "central", 3: "peripheral1"},
        outputs={1: "Cc", 2: "excreted"},
        covariates=["WT"],
        carry=carry,
    ).events()


def compare(system, data, values, weights, solvers, tolerance, **how):
    """Hold both outputs, and the derivatives of their weighted sum, to those of the exact engine."""
    inputs = {name: pt.tensor(name, shape=(None,) * x.ndim, dtype="float64") for name, x in values.items()}
    found = {}
    for solver in (Linear(), *solvers):
        path = system.solve(data, inputs, solver=solver, **how)
        total = (path["Cc"] * weights[0]).sum() + (path["excreted"] * weights[1]).sum()
        slopes = pt.grad(total, list(inputs.values()))
        outputs = [path["Cc"], path["excreted"], *slopes]
        found[solver] = pytensor.function(list(inputs.values()), outputs, mode="NUMBA")(*values.values())
    exact = found.pop(Linear())
    for solver, approximate in found.items():
        for name, a, b in zip(["Cc", "excreted", *values], approximate, exact, strict=True):
            scale = np.abs(b).max()
            assert np.isfinite(b).all()
            assert scale > 0.0
            np.testing.assert_allclose(a, b, atol=tolerance * scale, rtol=0, err_msg=f"{solver}: {name}")


@pytest.mark.parametrize("carry", ["nocb", "locf"])
def test_it_agrees_with_the_exact_engine(carry):
    data = events(carry)
    n_records = len(data.time)
    rng = np.random.default_rng(3)
    values = {name: np.exp(rng.normal(np.log(x), 0.2, size=2)) for name, x in PARAMETERS.items()}
    values["CL"] = np.exp(rng.normal(np.log(3.0), 0.2, size=n_records))
    values["tlag"] = np.full(n_records, 0.37)
    values["KA"] = np.array(1.1)
    weights = rng.normal(size=(2, len(data.rows["Cc"])))
    solvers = (Rodas5P(rtol=1e-10), Tsit5(rtol=1e-10), Automatic(rtol=1e-10), CVODES(rtol=1e-12))
    compare(SYSTEM, data, values, weights, solvers, 2e-8, levels={"CL": "record", "tlag": "record"})
