"""Steady states in the nonlinear engine: on a linear system it must agree with the exact engine, values and gradients.

The exact engine sums what each dose leaves, in closed form; the nonlinear one finds a periodic orbit.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from test_nonlinear_events import PARAMETERS, SYSTEM, UNITS, compare

from qsp_bayes import one_compartment
from qsp_bayes.data import read_nonmem
from qsp_bayes.ode.solvers import Rodas5P, Tsit5

COLUMNS = ["TIME", "AMT", "RATE", "EVID", "CMT", "ADDL", "II", "SS"]
DOSES = [
    (2.0, 100, 0, 1, 1, 1, 8.0, 1),  # boluses into the depot, after a lag
    (30.0, 50, 0, 1, 3, 0, 6.0, 2),  # added to what is there
    (40.0, 100, 20, 1, 3, 1, 4.0, 1),  # infusions that overlap
    (60.0, 0, 5, 1, 3, 0, 0.0, 1),  # a constant infusion
    (62.0, 80, -1, 1, 2, 1, 5.0, 2),  # at a rate that is a parameter
    (
        80.0,
        100,
        -2,
        1,
        1,
        1,
        1.2,
        1,
    ),  # over a duration that is a parameter, longer than the interval, after a lag
]
TIMES = [
    0, 2, 2.3, 2.6, 5, 10, 12, 18.5, 25, 30, 30.5, 35, 39, 40, 42, 44, 46, 50, 59, 60, 61, 63, 66, 75, 80, 83, 90,
]  # fmt: skip


def events():
    rows = [dict(zip(COLUMNS, dose, strict=True)) | {"DV": ".", "DVID": 0} for dose in DOSES]
    for t in TIMES:
        rows += [dict.fromkeys(COLUMNS, 0) | {"TIME": t, "CMT": 2, "DV": 1.0, "DVID": k} for k in (1, 2)]
    rows.sort(key=lambda row: row["TIME"])
    data = pd.concat([pd.DataFrame([{"ID": i} | row for row in rows]) for i in (1, 2)])
    names = {1: "depot", 2: "central", 3: "peripheral1"}
    return read_nonmem(data, units=UNITS, compartments=names, outputs={1: "Cc", 2: "excreted"}).events()


@pytest.mark.parametrize("production", [True, False])
def test_it_agrees_with_the_exact_engine(production):
    data = events()
    system = SYSTEM if production else dataclasses.replace(SYSTEM, initial={})
    values = {name: np.array([x, 1.1 * x]) for name, x in PARAMETERS.items()}
    values |= {"tlag": np.array([0.4, 1.7]), "D": np.array([1.0, 2.0])}
    if not production:
        values["kin"] = np.zeros(2)
    weights = np.random.default_rng(0).normal(size=(2, len(data.rows["Cc"])))
    compare(system, data, values, weights, (Rodas5P(rtol=1e-10), Tsit5(rtol=1e-10)), 1e-6)


def test_saturable_steady_state_is_what_many_doses_lead_to_and_none_where_input_exceeds_capacity():
    rows = [
        {"ID": 1, "TIME": 0, "AMT": 40, "EVID": 1, "SS": 1, "II": 12, "ADDL": 0, "DV": "."},
        {"ID": 2, "TIME": 0, "AMT": 40, "EVID": 1, "SS": 0, "II": 12, "ADDL": 99, "DV": "."},
        {"ID": 3, "TIME": 0, "AMT": 400, "EVID": 1, "SS": 1, "II": 12, "ADDL": 0, "DV": "."},
    ]
    rows += [
        {"ID": i, "TIME": t + 1188 * (i == 2), "AMT": 0, "EVID": 0, "SS": 0, "II": 0, "ADDL": 0, "DV": 1}
        for i in (1, 2, 3)
        for t in (0.5, 3, 8)
    ]
    data = pd.DataFrame(rows).sort_values(["ID", "TIME"], kind="stable").assign(CMT=1)
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    study = read_nonmem(data, units=units, compartments={1: "central"}, outputs="Cc")
    system = one_compartment(elimination="saturable")
    Vmax = pt.dvector("Vmax")
    path = system.solve(study.events(), {"Vmax": Vmax, "Km": 2.0, "Vc": 20.0}, solver=Rodas5P(rtol=1e-9))
    slopes = pt.grad(path["Cc"][:3].sum(), Vmax), pt.grad(path["Cc"][3:6].sum(), Vmax)
    Cc, once, repeated = pytensor.function([Vmax], [path["Cc"], *slopes], mode="NUMBA")(np.full(3, 10.0))
    np.testing.assert_allclose(Cc[:3], Cc[3:6], rtol=1e-7)
    np.testing.assert_allclose(once[0], repeated[1], rtol=1e-6)
    assert np.isnan(Cc[6:]).all()  # 400 mg in 12 h is more than 10 mg/h can take away


def test_values_alone_find_the_steady_state_of_a_system_that_forgets_slowly():
    """After 200 periods one per cent of the way is still to go: only Newton's method gets there."""
    rows = [{"ID": 1, "TIME": 0, "AMT": 1, "EVID": 1, "SS": 1, "II": 1.0, "DV": "."}]
    rows += [{"ID": 1, "TIME": t, "AMT": 0, "EVID": 0, "SS": 0, "II": 0, "DV": 1.0} for t in (0.2, 0.9)]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    data = read_nonmem(
        pd.DataFrame(rows).assign(CMT=1), units=units, compartments={1: "central"}, outputs={1: "Cc"}
    ).events()
    Vc = pt.dscalar("Vc")
    path = one_compartment(elimination="saturable").solve(data, {"Vmax": 2.3, "Km": 100.0, "Vc": Vc})
    values = pytensor.function([Vc], path["Cc"], mode="NUMBA")(1.0)
    found = pytensor.function([Vc], [path["Cc"], pt.grad(path["Cc"].sum(), Vc)], mode="NUMBA")(1.0)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, found[0])
