"""Dosing rules: superposition, order within a time, resets, and what a changing parameter means."""

import numpy as np
import pytest
from reference import Flows, dose, engine, observe
from scipy.linalg import expm
from test_linear_values import ONE, RATES, TIMES, TURNOVER, TWO

from qsp_bayes.systems import DoseInto

II = 6.0
LAGGED = Flows(
    TWO.flows,
    doses={"dose": DoseInto("depot", lag=lambda s: s.lag, F=lambda s: s.F)},
    more={"lag": "h", "F": ""},
)
P = RATES | {"lag": 0.7, "F": 0.8, "k31": 0.0, "k13": 0.0}
SHAPES = {"bolus": 0.0, "shorter than II": 2.0, "equal to II": 6.0, "longer than II": 15.5}


def given(count, start=0.0, **more):
    return [dose(start + k * II, "dose", 100, **more) for k in range(count)]


def same(flows, left, right, p=P, rtol=1e-10):
    left, right = engine(flows)(left, p), engine(flows)(right, p)
    np.testing.assert_allclose(left, right, rtol=rtol, atol=1e-12 * np.abs(right).max())


@pytest.mark.parametrize("duration", SHAPES.values(), ids=SHAPES)
def test_additional_doses_are_explicit_doses(duration):
    late = observe(30.3 + TIMES)
    same(LAGGED, [dose(0, "dose", 100, dur=duration, ii=II, addl=4), *late], [*given(5, dur=duration), *late])


@pytest.mark.parametrize("lag", [0.0, 0.7, 14.3])
@pytest.mark.parametrize("duration", SHAPES.values(), ids=SHAPES)
def test_steady_state_is_long_repetition(duration, lag):
    n, p, seen = 300, P | {"lag": lag}, observe(300 * II + TIMES[:9] + 0.01)
    before = given(n, dur=duration)
    last = {"dur": duration, "ii": II}
    same(
        LAGGED,
        [dose(n * II, "dose", 100, ss=1, **last), *seen],
        [*before, *given(1, n * II, **last), *seen],
        p,
        1e-9,
    )


def test_steady_state_2_adds_to_what_is_there():
    seen = observe(40 + TIMES)
    first, steady = dose(33.0, "dose", 70), dose(40.0, "dose", 100, ii=II, ss=1)
    total = engine(LAGGED)([first, steady | {"ss": 2}, *seen], P)
    parts = engine(LAGGED)([first, *seen], P) + engine(LAGGED)([steady, *seen], P)
    np.testing.assert_allclose(total, parts, rtol=1e-11)
    replaced = engine(LAGGED)([first, steady, *seen], P) - engine(LAGGED)([steady, *seen], P)
    assert np.abs(replaced).max() == 0


def test_a_constant_infusion_at_steady_state_holds_rate_over_clearance():
    found = engine(ONE)([dose(0, "central", 0, rate=7.0, ss=1), *observe([0.0])], RATES)
    assert found[0, 1] == pytest.approx(7.0 / RATES["ke"], rel=1e-13)


@pytest.mark.parametrize("evid", [3, 4])
def test_resets_cancel_all_that_is_pending(evid):
    """Lagged and additional doses and running infusions end; EVID 4 gives its own dose."""
    before = [dose(0, "dose", 100, dur=30, ii=II, addl=9), dose(19.9, "dose", 50)]
    reset = {"time": 20.0, "evid": 3} if evid == 3 else dose(20.0, "dose", 60, evid=4)
    seen = observe(20 + TIMES)
    after = engine(LAGGED)([*before, reset, *seen], P)
    fresh = engine(LAGGED)([*([dose(20.0, "dose", 60)] if evid == 4 else []), *seen], P)
    np.testing.assert_allclose(after, fresh, rtol=1e-12, atol=0)


def test_an_observation_before_a_dose_at_its_time_is_a_trough():
    trough, peak = engine(ONE)([*observe([5.0]), dose(5.0, "central", 100), *observe([5.0])], RATES)
    assert (trough[1], peak[1]) == (0, 100)


def test_rate_keeps_its_value_under_bioavailability():
    """With RATE, F shortens the infusion to F AMT / RATE."""
    p, seen = P | {"lag": 0.0}, observe(TIMES + 0.01)
    same(LAGGED, [dose(0, "dose", 100, rate=20), *seen], [dose(0, "depot", 80, rate=20), *seen], p)


def test_two_routes_share_a_record():
    routes = (DoseInto("depot", F=lambda s: s.F), DoseInto("central", F=lambda s: 1 - s.F))
    flows = Flows(ONE.flows, doses={"dose": routes}, more={"F": ""})
    seen = observe(TIMES)
    same(flows, [dose(0, "dose", 100), *seen], [dose(0, "depot", 80), dose(0, "central", 20), *seen])


@pytest.mark.parametrize("carry", ["nocb", "locf"])
def test_a_parameter_of_a_record_holds_back_or_forward(carry):
    times, ke = np.array([0.0, 1.0, 3.0, 7.0]), np.array([0.1, 0.9, 0.3, 0.5])
    p = {"KA": 1.1, "ke": ke}
    found = engine(ONE, "record", carry)([dose(0.0, "depot", 100), *observe(times[1:])], p)
    x = np.array([100.0, 0.0])
    for k in range(3):
        rate = ke[k + 1] if carry == "nocb" else ke[k]
        x = expm(np.array([[-1.1, 0], [1.1, -rate]]) * (times[k + 1] - times[k])) @ x
        np.testing.assert_allclose(found[k], x, rtol=1e-12)


def test_turnover_stays_at_its_steady_state_and_a_reset_brings_it_back():
    p = {"kin": 5.0, "kout": 0.25, "R0": 20.0}
    records = [dose(1.0, "R", 30), *observe([2.0]), {"time": 3.0, "evid": 3}, *observe([3.0, 50.0])]
    assert engine(TURNOVER)(records, p)[:, 0] == pytest.approx([20 + 30 * np.exp(-0.25), 20, 20], rel=1e-13)
