"""Derivatives of linear systems against central differences at 50 digits."""

import numpy as np
import pytest
from reference import Flows, derivative, dose, engine, mp, observe, periodic, propagate
from test_linear_values import CYCLE, ERLANG, KE, ORAL, PERIPHERAL, RATES, SYSTEMS, TIMES

from qsp_bayes.systems import DoseInto


def dosed(kind):
    """An oral system whose dose has F, a lag, and a modelled duration or rate where `kind` says so."""
    name, unit = {"duration": ("D", "h"), "rate": ("R", "mg/h")}.get(kind, ("", ""))
    into = {kind: lambda s: getattr(s, name)} if name else {}
    units = {"F": "", "lag": "h"} | ({name: unit} if name else {})
    return Flows(
        ORAL | PERIPHERAL,
        doses={"dose": DoseInto("depot", F=lambda s: s.F, lag=lambda s: s.lag, **into)},
        more=units,
    )


KINDS = {kind: dosed(kind) for kind in ("bolus", "duration", "rate")}
CASES = {  # kind of dose, rates that change, steady state
    "bolus": ("bolus", {}, {}),
    "modelled duration": ("duration", {}, {}),
    "modelled rate": ("rate", {}, {}),
    "bolus, equal rates": ("bolus", {"KA": 0.3, "ke": 0.3, "k12": 1e-3}, {}),
    "duration, equal rates": ("duration", {"KA": 0.3, "ke": 0.3, "k12": 1e-3}, {}),
    "steady boluses": ("bolus", {}, {"ii": 12.0, "ss": 1}),
    "steady boluses, lag longer than II": ("bolus", {"lag": 13.7}, {"ii": 12.0, "ss": 1}),
    "steady infusions": ("duration", {}, {"ii": 12.0, "ss": 1}),
    "steady infusions that overlap": ("duration", {"D": 29.3}, {"ii": 12.0, "ss": 1}),
    "steady infusions at a modelled rate": ("rate", {}, {"ii": 12.0, "ss": 1}),
    "steady boluses, equal rates": ("bolus", {"KA": 0.3, "ke": 0.3, "k12": 1e-3}, {"ii": 12.0, "ss": 1}),
    "steady overlap, equal rates": (
        "duration",
        {"KA": 0.3, "ke": 0.3, "k12": 1e-3, "D": 29.3},
        {"ii": 12.0, "ss": 1},
    ),
    "additional doses": ("duration", {}, {"ii": 6.1, "addl": 3}),
}
INPUTS = RATES | {"F": 0.7, "lag": 0.43, "D": 2.3, "R": 31.0}
SEEN = 0.31 + TIMES[:9] + 0.173
WEIGHTS = np.random.default_rng(1).normal(size=(SEEN.size, 4))


def objective(flows, q, seen, record, weights):
    """The weighted sum of states, from the deliveries that a dose record stands for."""
    amount = mp.mpf(q["F"]) * q["amount"]
    duration = mp.mpf(q["D"]) if "D" in flows.more else mp.mpf(0)
    duration = amount / q["R"] if "R" in flows.more else duration
    state, interval, lag = flows.states.index("depot"), mp.mpf(q["interval"]), mp.mpf(q["lag"])
    A, b = flows.matrix(q)
    x0, left = flows.start(q), []
    if record.get("ss"):
        x0, left = periodic(A, b, state, amount, duration, interval, lag)
    given = [(q["time"] + t, *rest) for t, *rest in left]
    given += [
        (q["time"] + lag + k * interval, state, amount, duration) for k in range(record.get("addl", 0) + 1)
    ]
    found = propagate(A, b, x0, given, [mp.mpf(t) for t in seen], start=q["time"])
    return sum(
        w * x for row, line in zip(weights, found, strict=True) for w, x in zip(row, line, strict=True)
    )


@pytest.mark.parametrize("case", CASES)
def test_every_input_has_its_derivative(case):
    kind, change, more = CASES[case]
    flows = KINDS[kind]
    q = {n: (INPUTS | change)[n] for n in flows.system.parameters} | {"amount": 100.0, "time": 0.31}
    q |= {"interval": more.get("ii", 0.0)}
    record, weights = dose(0.31, "dose", 100.0, **more), WEIGHTS[:, : len(flows.states)]
    found = engine(flows).gradient([record, *observe(SEEN)], q, weights)
    for name in q:
        if name == "interval" and not more:
            continue
        expected = float(derivative(lambda v: objective(flows, v, SEEN, record, weights), q, name))
        assert np.ravel(found[name])[0] == pytest.approx(expected, rel=1e-8, abs=1e-9), name


MATRICES = {
    **{name: SYSTEMS[name] for name in SYSTEMS if name != "cycle of equal rates"},
    "cycle close to equal rates": (CYCLE, {"a": 1.0, "b": 1.0, "c": 1.0, "loss": 1e-3}),
    "chain close to equal rates": (
        SYSTEMS["Erlang chain"][0],
        ERLANG | {"k2": 1.1 * (1 + 1e-5), "KA": 1.1 * (1 + 1e-4), "ke": KE},
    ),
}


@pytest.mark.parametrize("duration", [0.0, 2.5])
@pytest.mark.parametrize("name", MATRICES)
def test_parameters_and_initial_states(name, duration):
    flows, p = MATRICES[name]
    p = {n: p[n] for n in flows.system.parameters}
    times, first = TIMES[1:9:2], flows.states[0]
    weights = np.random.default_rng(2).normal(size=(times.size, len(flows.states)))
    found = engine(flows).gradient([dose(0, first, 100, dur=duration), *observe(times)], p, weights)

    def value(q):
        lines = flows.exact(q, [(0, first, 100, duration)], times)
        return sum(
            w * x for row, line in zip(weights, lines, strict=True) for w, x in zip(row, line, strict=True)
        )

    expected = np.array([float(derivative(value, p, n)) for n in p])
    assert np.abs([found[n] for n in p] - expected).max() < 1e-8 * np.abs(expected).max()
