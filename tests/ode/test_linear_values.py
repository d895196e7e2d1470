"""States of linear systems against matrix exponentials at 50 digits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Flows, dose, engine, observe

TIMES = np.array([0.1, 0.37, 1, 1.9, 3.1, 5, 7.7, 12, 20, 36, 60, 110])
ORAL = {"KA": ("depot", "central"), "ke": ("central", None)}
PERIPHERAL = {"k12": ("central", "p1"), "k21": ("p1", "central")}
DEEP = {"k13": ("central", "p2"), "k31": ("p2", "central")}
ONE, TWO, THREE = Flows(ORAL), Flows(ORAL | PERIPHERAL), Flows(ORAL | PERIPHERAL | DEEP)
URINE = Flows({"KA": ("depot", "central"), "ke": ("central", "urine")}, accumulators=("urine",))
CLOSED = Flows(PERIPHERAL, initial={"central": "start"})
TURNOVER = Flows({"kin": (None, "R"), "kout": ("R", None)}, initial={"R": "R0"})
CHAIN = Flows(
    {
        "k1": ("t1", "t2"),
        "k2": ("t2", "t3"),
        "k3": ("t3", "t4"),
        "KA": ("t4", "central"),
        "ke": ("central", None),
    }
)
CYCLE = Flows({"a": ("x", "y"), "b": ("y", "z"), "c": ("z", "x"), "loss": ("z", None)})
RATES = {"KA": 1.3, "ke": 0.11, "k12": 0.4, "k21": 0.23, "k13": 0.07, "k31": 0.013}
ERLANG = {"k1": 1.1, "k2": 1.1, "k3": 1.1}
KE = 2.8 / 32

SYSTEMS = {
    "one compartment": (ONE, RATES),
    "two compartments": (TWO, RATES),
    "three compartments": (THREE, RATES),
    "KA = ke": (ONE, RATES | {"KA": KE, "ke": KE}),
    "KA = ke (1 + 1e-3)": (ONE, {"KA": KE * (1 + 1e-3), "ke": KE}),
    "KA = ke (1 + 1e-6)": (ONE, {"KA": KE * (1 + 1e-6), "ke": KE}),
    "Erlang chain": (CHAIN, ERLANG | {"KA": 1.1, "ke": 0.11}),
    "Erlang chain, all rates equal": (CHAIN, ERLANG | {"KA": 1.1, "ke": 1.1}),
    "accumulator": (URINE, RATES),
    "closed system": (CLOSED, RATES | {"start": 30}),
    "turnover": (TURNOVER, {"kin": 5, "kout": 0.3, "R0": 40}),
    "cycle with complex eigenvalues": (CYCLE, {"a": 1.0, "b": 1.2, "c": 0.9, "loss": 0.1}),
    "cycle of equal rates": (CYCLE, {"a": 1.0, "b": 1.0, "c": 1.0, "loss": 0.0}),
}
INPUTS = {"bolus": 0.0, "infusion": 2.5}


def assert_close(found, expected):
    """1e-10 of each state's maximum, and 1e-8 pointwise down to 1e-6 of it."""
    expected = np.array(expected, float)
    error, top = np.abs(found - expected), np.abs(expected).max(axis=0)
    assert (error <= 1e-10 * top).all(), error.max(axis=0) / top
    seen = np.abs(expected) > 1e-6 * top
    assert (error[seen] <= 1e-8 * np.abs(expected)[seen]).all()


@pytest.mark.parametrize("duration", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_states_are_those_of_the_matrix_exponential(name, duration):
    flows, p = SYSTEMS[name]
    first = flows.states[0]
    found = engine(flows)([dose(0, first, 100, dur=duration), *observe(TIMES)], p)
    assert_close(found, flows.exact(p, [(0, first, 100, duration)], TIMES))


@pytest.mark.parametrize("name", ["two compartments", "accumulator", "closed system"])
def test_mass_is_conserved(name):
    """Where nothing is lost, the states always sum to what was given."""
    flows, p = SYSTEMS[name]
    p = p | {"ke": 0} if flows is TWO else p
    first, start = flows.states[0], p.get("start", 0)
    total = engine(flows)([dose(0, first, 100), *observe(TIMES)], p).sum(axis=1)
    np.testing.assert_allclose(total, 100 + start, rtol=1e-13)


def history(draw_from):
    """Dose records in order of time, from drawn (gap, state, amount, duration)."""
    clock = np.cumsum([gap for gap, *_ in draw_from])
    return [dose(t, x, a, dur=d) for t, (_, x, a, d) in zip(clock, draw_from, strict=True)]


HISTORIES = st.lists(
    st.tuples(
        st.floats(0.1, 12),
        st.sampled_from(["depot", "central", "p1"]),
        st.floats(1, 500),
        st.sampled_from([0.0, 0.5, 4.0, 30.0]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(HISTORIES)
def test_random_histories_agree_with_matrix_exponentials(drawn):
    doses = history(drawn)
    records = [*doses, *observe(doses[-1]["time"] + TIMES[:6])]
    expected = TWO.exact(
        RATES,
        [(d["time"], d["cmt"], d["amt"], d["dur"]) for d in doses],
        [r["time"] for r in records if "cmt" not in r],
    )
    assert_close(engine(TWO)(records, RATES), expected)


@settings(max_examples=50, deadline=None)
@given(HISTORIES, st.floats(0.1, 10), st.floats(-50, 500))
def test_response_is_linear_in_dose_and_does_not_depend_on_the_clock(drawn, factor, shift):
    doses = history(drawn)
    records = [*doses, *observe(doses[-1]["time"] + TIMES)]
    found = engine(TWO)(records, RATES)
    more = engine(TWO)([r | {"amt": r["amt"] * factor} if "amt" in r else r for r in records], RATES)
    later = engine(TWO)([r | {"time": r["time"] + shift} for r in records], RATES)
    np.testing.assert_allclose(more, factor * found, rtol=1e-12, atol=1e-12 * more.max())
    np.testing.assert_allclose(later, found, rtol=1e-10, atol=1e-10 * found.max())
