"""Derivatives of linear systems against central differences at 50 digits."""

import numpy as np
import pytest
from reference import FLOATS, Flows, derivative, dose, engine, history, mp, observe
from test_linear_values import CYCLE, ERLANG, KE, ORAL, PERIPHERAL, RATES, SYSTEMS, TIMES

from qsp_bayes.systems import DoseInto


def dosed(flows, kind="bolus", into="depot", **more):
    """A system whose dose has F, a lag, and a modelled duration or rate where `kind` says so."""
    name, unit = {"duration": ("D", "h"), "rate": ("R", "mg/h")}.get(kind, ("", ""))
    shape = {kind: lambda s: getattr(s, name)} if name else {}
    units = {"F": "", "lag": "h"} | ({name: unit} if name else {})
    route = DoseInto(into, F=lambda s: s.F, lag=lambda s: s.lag, **shape)
    return Flows(flows, doses={"dose": route}, more=units, **more)


BODY = {"kin": (None, "central"), "KA": ("depot", "central"), "ke": ("central", "urine")}
CYCLE_TO_URINE = CYCLE.flows | {"kin": (None, "x"), "loss": ("z", "urine")}
URINE = {"accumulators": ("urine",)}
FLOWS = {
    **{kind: dosed(ORAL | PERIPHERAL, kind) for kind in ("bolus", "duration", "rate")},
    "body": dosed(BODY | PERIPHERAL, initial={"central": "start", "urine": "voided"}, **URINE),
    "cycle": dosed(CYCLE_TO_URINE, into="x", initial={"y": "start"}, **URINE),
}
EQUAL = {"KA": 0.3, "ke": 0.3, "k12": 1e-3}
CIRCLE = {"a": 1.0, "b": 1.0, "c": 1.0, "loss": 1e-3}
STEADY = {"ii": 12.0, "ss": 1}
ADDED = {"ii": 12.0, "ss": 2}
FOREVER = {"rate": 7.0, "ss": 1, "amt": 0.0}
CASES = {  # system, parameters that change, the dose record
    "bolus": ("bolus", {}, {}),
    "modelled duration": ("duration", {}, {}),
    "modelled rate": ("rate", {}, {}),
    "bolus, equal rates": ("bolus", EQUAL, {}),
    "duration, equal rates": ("duration", EQUAL, {}),
    "rate of the record": ("bolus", {}, {"rate": 31.0}),
    "duration of the record": ("bolus", {}, {"dur": 2.3}),
    "steady boluses": ("bolus", {}, STEADY),
    "steady boluses, lag longer than II": ("bolus", {"lag": 13.7}, STEADY),
    "steady infusions": ("duration", {}, STEADY),
    "steady infusions that overlap": ("duration", {"D": 29.3}, STEADY),
    "steady infusions at a modelled rate": ("rate", {}, STEADY),
    "steady boluses, equal rates": ("bolus", EQUAL, STEADY),
    "steady overlap, equal rates": ("duration", EQUAL | {"D": 29.3}, STEADY),
    "steady infusions at the rate of the record": ("bolus", {}, STEADY | {"rate": 31.0}),
    "steady overlap, duration of the record": ("bolus", {"lag": 13.7}, STEADY | {"dur": 29.3}),
    "additional doses": ("duration", {}, {"ii": 6.1, "addl": 3}),
    "steady boluses are added": ("bolus", {}, ADDED),
    "steady overlap is added": ("bolus", {}, ADDED | {"rate": 2.7}),
    "constant infusion": ("bolus", {}, FOREVER),
    "constant infusion, equal rates": ("bolus", EQUAL, FOREVER),
    "constant infusion is added": ("bolus", {}, FOREVER | {"ss": 2}),
    "reset and dose": ("body", {}, {"evid": 4}),
    **{
        f"{name}, production and accumulator{', equal rates' if change else ''}": ("body", change, record)
        for change in ({}, EQUAL)
        for name, record in {
            "steady boluses": STEADY,
            "steady overlap": STEADY | {"dur": 29.3},
            "constant infusion": FOREVER,
        }.items()
    },
    "steady overlap is added, production and accumulator": ("body", {}, ADDED | {"dur": 29.3}),
    **{
        f"{name}, complex eigenvalues{' close to equal rates' if change else ''}": ("cycle", change, record)
        for change in ({}, CIRCLE)
        for name, record in {
            "infusion": {"dur": 2.3},
            "steady boluses": STEADY,
            "steady overlap": STEADY | {"rate": 2.7},
            "constant infusion": FOREVER,
        }.items()
    },
}
INPUTS = RATES | {"F": 0.7, "lag": 0.43, "D": 2.3, "R": 31.0, "kin": 4.1, "start": 40.0, "voided": 6.0}
INPUTS |= {"a": 1.0, "b": 1.2, "c": 0.9, "loss": 0.1}
SEEN = 0.31 + TIMES[:9] + 0.173


def moved(x, direction, by):
    """A number, or a list of one for each record, moved along a direction."""
    if np.ndim(x) == 0:
        return mp.mpf(x) + by * direction
    return [mp.mpf(a) + by * d for a, d in zip(x, direction, strict=True)]


def check(flows, records, p, level="scalar", carry="nocb"):
    """Values, and the derivatives with respect to each parameter and column, over the records at once."""
    random, model = np.random.default_rng(3), engine(flows, level, carry)
    q = p | {name: [r.get(key, 0.0) for r in records] for key, name in FLOATS.items()}
    weights = random.normal(size=(sum("cmt" not in r for r in records), len(flows.states)))

    def value(q):
        given = [r | {key: q[name][n] for key, name in FLOATS.items()} for n, r in enumerate(records)]
        lines = history(flows, given, {name: q[name] for name in p}, carry)
        return mp.fdot(
            (w, x) for row, line in zip(weights, lines, strict=True) for w, x in zip(row, line, strict=True)
        )

    assert (model(records, p) * weights).sum() == pytest.approx(float(value(q)), rel=1e-11)
    found = model.gradient(records, p, weights)
    for name, x in q.items():
        direction = random.uniform(0.5, 1.5, np.shape(x)) * ((np.array(x) != 0) | (name in p))
        if direction.any():
            along = lambda step: value(q | {name: moved(x, direction, step["by"])})  # noqa: B023, E731
            expected = float(derivative(along, {"by": 0}, "by"))
            assert np.sum(found[name] * direction) == pytest.approx(expected, rel=1e-8, abs=1e-9), name


def treated(flows, record, seen=SEEN):
    """An infusion, the dose of a case while it runs, and observations."""
    before = dose(0.11, flows.states[0], 70.0, dur=1.7)
    return [before, dose(0.31, "dose", **{"amt": 100.0} | record), *observe(seen)]


@pytest.mark.parametrize("case", CASES)
def test_every_input_has_its_derivative(case):
    name, change, record = CASES[case]
    flows = FLOWS[name]
    p = {n: (INPUTS | change)[n] for n in flows.system.parameters}
    check(flows, treated(flows, record, SEEN[::2]), p)


BY_RECORD = {  # carry, records before the dose, the dose record
    "steady overlap": ("nocb", 1, STEADY | {"dur": 29.3, "addl": 1}),
    "steady boluses are added": ("nocb", 1, ADDED),
    "constant infusion": ("nocb", 1, FOREVER),
    "reset and dose": ("nocb", 1, {"evid": 4}),
    "steady overlap, held forward": ("locf", 0, STEADY | {"dur": 29.3, "addl": 1}),
    "reset and dose, held forward": ("locf", 1, {"evid": 4}),
    "lagged doses": ("nocb", 1, {"ii": 2.9, "addl": 2}),
    "neither dose nor observation": ("nocb", 1, {"evid": 2}),
    "constant infusion is added, held forward": ("locf", 1, FOREVER | {"ss": 2}),
}


@pytest.mark.parametrize("case", BY_RECORD)
def test_parameters_that_vary_by_record_have_their_derivatives(case):
    carry, before, record = BY_RECORD[case]
    flows = FLOWS["body"]
    records = treated(flows, record, SEEN[1::3])[1 - before :]
    factor = np.random.default_rng(4).uniform(0.7, 1.4, (len(flows.system.parameters), len(records)))
    p = {n: list(INPUTS[n] * factor[k]) for k, n in enumerate(flows.system.parameters)}
    check(flows, records, p, "record", carry)


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
