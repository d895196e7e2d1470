"""The authority of the tests of the linear engine: matrix exponentials at 50 digits, which share no code with it.

A system is written once, as its flows: `Flows.system` declares it to the engine, `Flows.matrix` gives mpmath A and b.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt

from qsp_bayes.data.events import Events
from qsp_bayes.systems import DoseInto, Output, Process, System

mp.mp.dps = 50
STEP = mp.mpf(10) ** -15
"""Of central differences: truncation and rounding both stay near 1e-30."""

FLOATS = {"time": "time", "amt": "amount", "rate": "rate", "dur": "duration", "ii": "interval"}
INTEGERS = {"subject": "subject", "evid": "evid", "addl": "additional", "ss": "steady_state"}


@dataclass(frozen=True, eq=False)
class Flows:
    """A compartmental system: rate constants by name, each ``(from, to)``; from None is production, to None is loss.

    `doses` are as for `System`, by default into every state; `initial` names parameters that hold initial states.
    """

    flows: Mapping[str, tuple[str | None, str | None]]
    doses: Mapping[str, Any] = field(default_factory=dict)
    initial: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)
    accumulators: Sequence[str] = ()

    @functools.cached_property
    def states(self) -> list[str]:
        return list(dict.fromkeys(x for flow in self.flows.values() for x in flow if x))

    @functools.cached_property
    def compartments(self) -> list[str]:
        return list(dict.fromkeys([*self.states, *self.doses]))

    @functools.cached_property
    def system(self) -> System:
        def process(name: str, source: str | None, target: str | None) -> Process:
            change = {s: c for s, c in ((source, -1), (target, 1)) if s}
            return Process(
                f"by_{name}",
                change,
                lambda s: getattr(s, name) * getattr(s, source) if source else getattr(s, name),
            )

        return System(
            states=dict.fromkeys(self.states, "mg"),
            parameters={n: "1/h" if source else "mg/h" for n, (source, _) in self.flows.items()}
            | dict.fromkeys(self.initial.values(), "mg")
            | dict(self.more),
            processes=[process(name, *flow) for name, flow in self.flows.items()],
            outputs={f"of_{x}": Output("mg", lambda s, x=x: getattr(s, x)) for x in self.states},
            doses={x: DoseInto() for x in self.states} | dict(self.doses),
            initial={x: lambda s, name=name: getattr(s, name) for x, name in self.initial.items()},
            accumulators=self.accumulators,
        )

    def matrix(self, p: Mapping[str, Any]) -> tuple[mp.matrix, mp.matrix]:
        """A and b of dx/dt = A x + b."""
        n = len(self.states)
        A, b = mp.zeros(n), mp.zeros(n, 1)
        for name, (source, target) in self.flows.items():
            k = mp.mpf(p[name])
            if source is None:
                b[self.states.index(target)] += k
                continue
            j = self.states.index(source)
            A[j, j] -= k
            if target:
                A[self.states.index(target), j] += k
        return A, b

    def start(self, p: Mapping[str, Any]) -> mp.matrix:
        return mp.matrix(
            [mp.mpf(p[self.initial[x]]) if x in self.initial else mp.mpf(0) for x in self.states]
        )

    def exact(
        self, p: Mapping[str, Any], given: Sequence[tuple], times: Sequence[Any], x0: Any = None
    ) -> Any:
        """States (time, state) after deliveries (start, state, amount, duration; 0 for a bolus)."""
        A, b = self.matrix(p)
        return propagate(A, b, self.start(p) if x0 is None else x0, self.indexed(given), times)

    def indexed(self, given: Sequence[tuple]) -> list[tuple]:
        return [(mp.mpf(t), self.states.index(x), mp.mpf(a), mp.mpf(d)) for t, x, a, d in given]


def flow_map(A: mp.matrix, u: mp.matrix, dt: Any) -> mp.matrix:
    """exp(dt [[A, u], [0, 0]])."""
    n = A.rows
    M = mp.zeros(n + 1)
    for i in range(n):
        M[i, n] = u[i] * dt
        for j in range(n):
            M[i, j] = A[i, j] * dt
    return mp.expm(M)


def propagate(A, b, x0, given, times, start=0):
    """States at `times`, after the boluses of the same time."""
    times = [mp.mpf(t) for t in times]
    cuts = sorted({mp.mpf(start), *times, *(g[0] for g in given), *(g[0] + g[3] for g in given)})
    x, now, seen = mp.matrix(x0), cuts[0], {}
    for t in cuts:
        u = mp.matrix(b)
        for begin, i, amount, duration in given:
            if duration and begin <= now < begin + duration:
                u[i] += amount / duration
        if t > now:
            x = (flow_map(A, u, t - now) * mp.matrix([*x, 1]))[: A.rows]
            x = mp.matrix(x)
        for begin, i, amount, duration in given:
            if not duration and begin == t:
                x[i] += amount
        now, seen[t] = t, mp.matrix(x)
    return [list(seen[t]) for t in times]


def periodic(A, b, state, amount, duration, interval, lag):
    """The state just before a dose of doses every `interval`, for ever, and the deliveries still under way then."""
    none = mp.zeros(A.rows, 1)
    window, left = [], []
    for k in range(int(mp.ceil((duration + lag) / interval)) + 2):
        begin = lag - k * interval
        low, high = max(begin, -interval), min(begin + duration, mp.mpf(0))
        if duration and high > low:
            window.append((low, state, amount * (high - low) / duration, high - low))
        if not duration and -interval <= begin < 0:
            window.append((begin, state, amount, mp.mpf(0)))
        if k and begin >= 0 and not duration:
            left.append((begin, state, amount, mp.mpf(0)))
        if k and duration and begin + duration > 0:
            low = max(begin, mp.mpf(0))
            left.append((low, state, amount * (begin + duration - low) / duration, begin + duration - low))
    (y,) = propagate(A, b, none, window, [0], start=-interval)
    E = flow_map(A, none, interval)[: A.rows, : A.rows]
    return mp.lu_solve(mp.eye(A.rows) - E, mp.matrix(y)), left


def arriving(waiting: Sequence[tuple], low: Any, high: Any) -> list[tuple]:
    """What reaches its state after `low` and not after `high`: boluses whole, of infusions the part."""
    found = []
    for begin, state, amount, duration in waiting:
        first, last = max(begin, low), min(begin + duration, high)
        if duration and last > first:
            found.append((first, state, amount * (last - first) / duration, last - first))
        if not duration and low < begin <= high:
            found.append((begin, state, amount, duration))
    return found


def delivered(route: DoseInto, r: Mapping[str, Any], s: SimpleNamespace) -> tuple[Any, ...]:
    """Amount, rate, duration and lag of a record by a route, given the parameters at the record."""
    shape = {name: mp.mpf(quantity(s)) for name, quantity in route.quantities().items()}
    amount = shape.get("F", mp.mpf(1)) * r.get("amt", 0)
    rate, duration = r.get("rate", 0), r.get("dur", 0)
    if not rate and not duration:
        rate, duration = shape.get("rate", 0), shape.get("duration", 0)
    return amount, rate, mp.mpf(amount / rate if rate else duration), shape.get("lag", mp.mpf(0))


def history(flows: Flows, records: Sequence[Mapping[str, Any]], p: Mapping[str, Any], carry: str) -> list:
    """States at the observations of one subject: the rules of dosing, record after record.

    `p` has a number, or a sequence of one for each record. No delivery may end or begin on another record's time.
    """
    at = [
        {name: x[n] if isinstance(x, Sequence) else x for name, x in p.items()} for n in range(len(records))
    ]
    dynamic = [i for i, x in enumerate(flows.states) if x not in flows.accumulators]
    x, now, waiting, seen = flows.start(at[0]), mp.mpf(0), [], []
    for n, r in enumerate(records):
        t, evid, ii, ss = mp.mpf(r["time"]), r.get("evid", 0), r.get("ii", 0), r.get("ss", 0)
        A, b = flows.matrix(at[max(n - 1, 0) if carry == "locf" else n])
        (found,) = propagate(A, b, x, arriving(waiting, now, t), [t], start=now)
        x, now = mp.matrix(found), t
        if evid == 0:
            seen.append(found)
        if evid >= 3:
            x, waiting = flows.start(at[n]), []
        if evid not in (1, 4):
            continue
        A, b = flows.matrix(at[n])
        A = mp.matrix([[A[i, j] for j in dynamic] for i in dynamic])
        none, steady = mp.zeros(len(dynamic), 1), mp.zeros(len(dynamic), 1)
        if ss == 1:
            steady, waiting = mp.lu_solve(-A, mp.matrix([b[i] for i in dynamic])), []
            for i in dynamic:
                x[i] = mp.mpf(0)
        for route in flows.system.doses[r["cmt"]]:
            amount, rate, duration, lag = delivered(route, r, SimpleNamespace(**at[n]))
            i = flows.states.index(route.state)
            if ss and not ii:
                steady += mp.lu_solve(-A, mp.matrix([rate if j == i else 0 for j in dynamic]))
                continue
            if ss:
                before, left = periodic(A, none, dynamic.index(i), amount, duration, ii, lag)
                steady += before
                waiting = waiting + [(t + begin, i, *rest) for begin, _, *rest in left]
            for repeat in range(r.get("addl", 0) + 1):
                if repeat or lag or duration:
                    waiting = [*waiting, (t + lag + repeat * ii, i, amount, duration)]
                else:
                    x[i] += amount
        for k, i in enumerate(dynamic):
            x[i] += steady[k]
    return seen


def derivative(f: Callable[[Mapping[str, Any]], Any], at: Mapping[str, Any], name: str) -> Any:
    """Central difference at 50 digits."""
    up, down = (f({**at, name: mp.mpf(at[name]) + sign * STEP}) for sign in (1, -1))
    return (up - down) / (2 * STEP)


class Engine:
    """The engine, compiled once for a system with all events symbolic; `levels` spread every parameter by record."""

    def __init__(self, flows: Flows, level: str = "scalar", carry: str = "nocb") -> None:
        self.flows, self.level = flows, level
        self.names = list(flows.system.parameters)
        vector = level != "scalar"
        parameters = {name: (pt.dvector if vector else pt.dscalar)(name) for name in self.names}
        floats = {name: pt.dvector(name) for name in FLOATS.values()}
        whole = {name: pt.lvector(name) for name in [*INTEGERS.values(), "compartment", "rows"]}
        rows = whole["rows"]
        outputs = tuple(flows.system.outputs)
        events = Events(
            subjects=("1",),
            compartments=tuple(flows.compartments),
            outputs=outputs,
            **floats,
            **{name: x for name, x in whole.items() if name != "rows"},
            occasion=whole["subject"],
            output=whole["subject"],
            occasion_subject=pt.arange(whole["subject"].max() + 1),
            rows=dict.fromkeys(outputs, rows),
            DV={},
            carry=carry,
        )
        levels = dict.fromkeys(self.names, level) if vector else {}
        path = flows.system.solve(events, parameters, levels=levels)
        states, weights = pt.stack([path[x] for x in outputs], axis=1), pt.dmatrix("weights")
        inputs = [*parameters.values(), *floats.values(), *whole.values()]
        self.wanted = [*parameters, *floats]
        wanted = [*parameters.values(), *floats.values()]
        slopes = pt.grad((states * weights).sum(), wanted, disconnected_inputs="ignore")
        make = functools.partial(pytensor.function, mode="FAST_COMPILE", on_unused_input="ignore")
        self.value, self.slope = make(inputs, states), make([*inputs, weights], slopes)

    def arguments(self, records: Sequence[Mapping[str, Any]], p: Mapping[str, Any]) -> list[Any]:
        def column(key: str, kind: type) -> np.ndarray:
            return np.array([kind(r.get(key, 0)) for r in records], np.float64 if kind is float else np.int64)

        spread = (
            (lambda x: np.broadcast_to(np.float64(x), len(records))) if self.level == "record" else np.float64
        )
        compartment = [self.flows.compartments.index(r["cmt"]) if "cmt" in r else -1 for r in records]
        return [
            *(spread(p[name]) for name in self.names),
            *(column(key, float) for key in FLOATS),
            *(column(key, int) for key in INTEGERS),
            np.array(compartment, np.int64),
            np.flatnonzero(column("evid", int) == 0),
        ]

    def __call__(self, records: Sequence[Mapping[str, Any]], p: Mapping[str, Any]) -> np.ndarray:
        return self.value(*self.arguments(records, p))

    def gradient(self, records: Any, p: Mapping[str, Any], weights: np.ndarray) -> dict[str, np.ndarray]:
        found = self.slope(*self.arguments(records, p), weights)
        return dict(zip(self.wanted, map(np.asarray, found), strict=True))


@functools.cache
def engine(flows: Flows, level: str = "scalar", carry: str = "nocb") -> Engine:
    return Engine(flows, level, carry)


def dose(time: float, cmt: str, amt: float, **more: Any) -> dict[str, Any]:
    """A dose record; `more` holds rate, dur, ii, addl, ss, evid, subject."""
    return {"time": time, "evid": 1, "cmt": cmt, "amt": amt, **more}


def observe(times: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"time": float(t), **more} for t in times]
