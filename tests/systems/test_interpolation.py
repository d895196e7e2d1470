"""Inputs that go linearly from record to record: dx/dt = E(t) - k x, and dx/dt = -E(t) x, in closed form."""

import dataclasses

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import DataError, MechanismError, SolverError
from qsp_bayes.ode.solvers import CVODES, Automatic, Linear, Rodas5P, Tsit5
from qsp_bayes.systems import DoseInto, Output, Process, Switch, System

GAIN = System(
    states={"x": "mg"},
    parameters={"k": "1/h"},
    processes=[
        Process("gain", {"x": 1}, lambda s: s.E),
        Process("loss", {"x": -1}, lambda s: s.k * s.x),
    ],
    inputs={"E": "mg/h"},
    interpolated=["E"],
    outputs={"x": Output("mg", lambda s: s.x), "E_seen": Output("mg/h", lambda s: s.E)},
    doses={"x": DoseInto()},
)
DECAY = System(
    states={"x": "mg"},
    parameters={"k": "1/h"},
    processes=[Process("loss", {"x": -1}, lambda s: s.E * s.x)],
    inputs={"E": "1/h"},
    interpolated=["E"],
    outputs={"x": Output("mg", lambda s: s.x)},
    doses={"x": DoseInto()},
)
TIMES = np.array([1.0, 1.0, 2.5, 4.0, 4.0, 7.0, 9.0])  # the first two and the next pair at one time
DOSED = np.array([0, 1, 0, 0, 1, 0, 0], dtype=bool)
AMOUNT = 5.0
COURSE = np.array([2.0, 2.0, 0.5, 3.0, 3.0, 1.0, 4.0])
OTHER = np.array([1.0, 1.0, 1.5, 0.2, 0.2, 0.7, 0.1])
K = 0.7


def events(carry="nocb", doses=DOSED, unit="mg/h", **more):
    rows = [
        {"ID": i, "TIME": t, "AMT": AMOUNT * d, "EVID": int(d), "DV": "." if d else 1.0, "E": e, "CMT": 1}
        | (more if d else {})
        for i, course in ((1, COURSE), (2, OTHER))
        for t, d, e in zip(TIMES, doses, course, strict=True)
    ]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg", "E": unit}
    return read_nonmem(
        pd.DataFrame(rows), units=units, compartments={1: "x"}, outputs="x", covariates=["E"], carry=carry
    ).events()


def gained(times, course, k):
    """States at the observations of one subject: interval by interval, E = a + b tau."""
    x = course[0] / k * (1 - np.exp(-k * times[0]))  # constant before the first record
    found = [x]
    for n in range(1, len(times)):
        x = x + AMOUNT * DOSED[n - 1]
        tau = times[n] - times[n - 1]
        a, b = course[n - 1], (course[n] - course[n - 1]) / tau if tau else 0.0
        x = x * np.exp(-k * tau) + (a / k - b / k**2) * (1 - np.exp(-k * tau)) + b * tau / k
        found.append(x)
    return np.array(found)[~DOSED]


def decayed(times, course, k):
    """The same for dx/dt = -E x, by the area under E; `k` is not used."""
    area = np.concatenate([[0.0], np.cumsum(np.diff(times) * (course[1:] + course[:-1]) / 2)])
    found = [
        sum(AMOUNT * np.exp(area[m] - area[n]) for m in np.flatnonzero(DOSED) if m < n)
        for n in np.flatnonzero(~DOSED)
    ]
    return np.array(found)


@pytest.mark.parametrize("carry", ["nocb", "locf"])
@pytest.mark.parametrize(("system", "exact"), [(GAIN, gained), (DECAY, decayed)], ids=["gain", "decay"])
def test_states_and_derivatives_are_those_of_the_closed_form(system, exact, carry):
    data = events(carry, unit=system.inputs["E"])
    k, E, time = pt.dscalar("k"), pt.dvector("E"), pt.dvector("time")
    weights = np.linspace(1.0, 2.0, 2 * (~DOSED).sum())
    outputs = []
    for solver in (Rodas5P(rtol=1e-11), Tsit5(rtol=1e-11), Automatic(rtol=1e-11), CVODES(rtol=1e-11)):
        path = system.solve(
            dataclasses.replace(data, time=time),
            {"k": k},
            covariates={"E": E},
            levels={"E": "record"},
            solver=solver,
        )
        total = (path["x"] * weights).sum()
        outputs += [path["x"], *pt.grad(total, [k, E, time], disconnected_inputs="ignore")]
    values = [K, np.concatenate([COURSE, OTHER]), np.concatenate([TIMES, TIMES])]
    found = pytensor.function([k, E, time], outputs, mode="NUMBA", on_unused_input="ignore")(*values)

    def states(k, E, time):
        return np.concatenate(
            [exact(t, e, k) for t, e in zip(np.split(time, 2), np.split(E, 2), strict=True)]
        )

    def slope(position, moves):
        """Derivative where the entries in `moves` move together: records of one time must stay together."""
        sides = []
        for sign in (1, -1):
            point = [np.array(x, dtype=float) for x in values]
            point[position][moves] += sign * 1e-5
            sides.append(weights @ states(*point))
        return (sides[0] - sides[1]) / 2e-5

    together = [[0, 1], [2], [3, 4], [5], [6]]
    together += [[7 + n for n in moves] for moves in together]
    for start in range(0, len(found), 4):
        x, by_k, by_E, by_time = found[start : start + 4]
        np.testing.assert_allclose(x, states(*values), rtol=1e-8)
        assert by_k == pytest.approx(slope(0, ()), rel=1e-7, abs=1e-7)
        for n in range(len(by_E)):
            assert by_E[n] == pytest.approx(slope(1, n), rel=1e-7, abs=1e-7)
        for moves in together:
            assert by_time[moves].sum() == pytest.approx(slope(2, moves), rel=1e-6, abs=1e-6)


def test_outputs_read_the_value_at_their_record():
    rows = [
        {"ID": 1, "TIME": t, "DV": 1.0, "DVID": name, "E": e}
        for t, e in ((0.0, 3.0), (2.0, 1.0), (5.0, 2.0))
        for name in (1, 2)
    ]
    units = {"TIME": "h", "DV": {"x": "mg", "E_seen": "mg/h"}, "E": "mg/h"}
    data = read_nonmem(
        pd.DataFrame(rows), units=units, outputs={1: "x", 2: "E_seen"}, covariates=["E"]
    ).events()
    path = GAIN.solve(data, {"k": K})
    np.testing.assert_array_equal(path["E_seen"].eval(), [3.0, 1.0, 2.0])


@pytest.mark.parametrize("level", ["scalar", "subject"])
def test_an_input_that_does_not_change_is_constant(level):
    E = 2.0 if level == "scalar" else np.array([2.0, 1.0])
    x = GAIN.solve(events(), {"k": K}, covariates={"E": E}, solver=Rodas5P(rtol=1e-11))["x"].eval()
    each = [np.full(7, e) for e in np.broadcast_to(E, 2)]
    np.testing.assert_allclose(x, np.concatenate([gained(TIMES, e, K) for e in each]), rtol=1e-8)


def test_a_ramp_takes_few_steps():
    """Rodas5P keeps its order, thanks to the derivative by time: without it, thousands of steps were needed."""
    rows = [{"ID": 1, "TIME": t, "DV": 1.0, "E": e} for t, e in ((0.0, 0.0), (10.0, 40.0))]
    data = read_nonmem(
        pd.DataFrame(rows), units={"TIME": "h", "DV": "mg", "E": "mg/h"}, outputs="x", covariates=["E"]
    ).events()
    x = GAIN.solve(data, {"k": K}, solver=Rodas5P(rtol=1e-9, max_steps=120))["x"].eval()
    assert x[1] == pytest.approx(-4.0 / K**2 * (1 - np.exp(-10 * K)) + 40.0 / K, rel=1e-8)


def test_a_switch_sees_the_line():
    """The time that E is above a limit: up from 0 to 4 in 2 h, down to 1 in 4 h."""
    system = System(
        states={"above": "h"},
        parameters={"limit": "mg/h"},
        processes=[Process("count", {"above": 1}, lambda s: s.high)],
        inputs={"E": "mg/h"},
        interpolated=["E"],
        switches=[Switch("high", lambda s: s.E - s.limit)],
        outputs={"above": Output("h", lambda s: s.above)},
    )
    rows = [{"ID": 1, "TIME": t, "DV": 1.0, "E": e} for t, e in ((0.0, 0.0), (2.0, 4.0), (6.0, 1.0))]
    data = read_nonmem(
        pd.DataFrame(rows), units={"TIME": "h", "DV": "h", "E": "mg/h"}, outputs="above", covariates=["E"]
    ).events()
    limit = pt.dscalar()
    above = system.solve(data, {"limit": limit})["above"]
    value, slope = pytensor.function([limit], [above, pt.grad(above[2], limit)], mode="NUMBA")(2.0)
    np.testing.assert_allclose(value, [0.0, 1.0, 1.0 + 8.0 / 3.0], atol=1e-8)
    assert slope == pytest.approx(-1.0 / 2.0 - 4.0 / 3.0, rel=1e-8)


def test_the_solver_chosen_is_not_that_of_linear_systems():
    with pytest.raises(SolverError, match="linear systems only"):
        GAIN.solve(events(), {"k": K}, solver=Linear())
    constant = dataclasses.replace(GAIN, interpolated=())
    assert constant.solve(events(), {"k": K}, solver=Linear()).outputs


def test_what_has_no_meaning_is_refused():
    with pytest.raises(SolverError, match="steady state"):
        GAIN.solve(events(SS=1, II=12.0), {"k": K})
    with pytest.raises(SolverError, match="occasion"):
        GAIN.solve(events(), {"k": K}, covariates={"E": COURSE[:2]}, levels={"E": "occasion"})
    with pytest.raises(MechanismError, match="no 'F'"):
        dataclasses.replace(GAIN, interpolated=["F"])
    other = System(
        {"y": "mg"},
        {"q": "1/h"},
        [Process("more", {"y": 1}, lambda s: s.E)],
        inputs={"E": "mg/h"},
        name="other",
    )
    with pytest.raises(MechanismError, match="between records and 'other' does not"):
        GAIN + other
    assert (GAIN + dataclasses.replace(other, interpolated=["E"])).interpolated == ("E",)
    assert GAIN.rename(E="input").interpolated == ("input",)
    source = System({"z": "mg/h"}, {}, [], outputs={}).rename(z="E")
    assert (GAIN + source).interpolated == ()


def test_missing_cells_are_filled_on_the_line():
    rows = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0, 1, 2, 4, 5],
            "DV": 1.0,
            "E": [".", 1.0, ".", 4.0, "."],
            "WT": [70, ".", ".", ".", 75],
        }
    )
    how = {"units": {"TIME": "h", "DV": "mg", "E": "mg/h", "WT": "kg"}, "outputs": "x"}
    study = read_nonmem(rows, **how, interpolated=["E"])
    np.testing.assert_array_equal(study.covariate_by_record("E"), [1, 1, 2, 4, 4])
    np.testing.assert_array_equal(study.covariate_by_record("WT"), [70, 75, 75, 75, 75])
    assert "E: 3 missing cells filled within the subject (linearly in time)" in study.provenance.notes
    with pytest.raises(DataError, match="no such covariate"):
        read_nonmem(rows, **how, interpolated=["TEMP"])
    with pytest.raises(DataError, match="no covariate"):
        read_nonmem(rows, **how, covariates=["WT"], interpolated=["E"])
