"""The timeline walked with CVODES: states on the way forward, derivatives from its sensitivities on the way back.

Between two changes (of the state, an input rate, or the parameters) the flow is a function of its start; CVODES gives
the derivatives of that function. The way back multiplies them, and adds the jump at each change, as `nonlinear` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qsp_bayes.ode.compiled import CompiledEquations
from qsp_bayes.ode.cvodes import Failure, Flow
from qsp_bayes.ode.expanded import add_doses, expanded
from qsp_bayes.ode.nonlinear_problem import FLOAT_INPUTS
from qsp_bayes.ode.records import Adjoints, Records
from qsp_bayes.ode.timeline import (
    ANCHOR,
    AT_STOP,
    BOLUS,
    FAILED,
    FIRST_RECORD,
    FIRST_STEP,
    KIND,
    OBSERVE,
    PASS,
    RATE,
    RECORD,
    RESET,
    ROW,
    STATE,
    TIME,
    VALUE,
)


@dataclass(frozen=True)
class Batch:
    """Subjects to solve: what `nonlinear_problem.INPUTS` names, as far as this engine needs it."""

    compiled: CompiledEquations
    records: Records
    values: np.ndarray
    initial: np.ndarray
    observed: np.ndarray
    tolerances: np.ndarray
    max_steps: int

    def start(self, row: int) -> np.ndarray:
        """Return the initial state."""
        return self.initial[:, row].copy() if self.initial.size else np.zeros(self.compiled.n_states)


@dataclass
class Leg:
    """The way from one change to the next.

    Attributes
    ----------
    row : int
        Of the parameters.
    first_slopes, slopes : (n,), list of (n,)
        dy/dt at its start, and at each step of the timeline on it, before what happens there.
    derivatives : list of (n, column)
        Of the state at each step by the state at the start, the input rates and the parameters.
    """

    row: int
    first_slopes: np.ndarray
    steps: list[int] = field(default_factory=list)
    slopes: list[np.ndarray] = field(default_factory=list)
    derivatives: list[np.ndarray] = field(default_factory=list)


def solve(batch: Batch) -> np.ndarray:
    """Return the observed states, (observed state, record); NaN for subjects that cannot be solved."""
    subjects, steps, codes = expanded(batch.records)
    out = np.zeros((len(batch.observed), len(batch.records.time)))
    with Flow(batch.compiled, batch.tolerances, batch.max_steps) as flow:
        for i in range(len(subjects) - 1):
            try:
                walk(batch, flow, subjects, steps, codes, i, out)
            except Failure:
                out[:, subjects[i, FIRST_RECORD] : subjects[i + 1, FIRST_RECORD]] = np.nan
    return out


@dataclass(frozen=True)
class Trace:
    """What the way back needs of a batch: the steps, and the legs of each subject (None for one that failed)."""

    subjects: np.ndarray
    codes: np.ndarray
    inputs: np.ndarray
    legs: list[list[Leg] | None]


def trace(batch: Batch) -> Trace:
    """Walk forward, with derivatives."""
    subjects, steps, codes = expanded(batch.records)
    inputs = np.unique(codes[codes[:, KIND] == RATE, STATE])
    out = np.empty((len(batch.observed), len(batch.records.time)))
    legs: list[list[Leg] | None] = []
    with Flow(batch.compiled, batch.tolerances, batch.max_steps, inputs) as flow:
        for i in range(len(subjects) - 1):
            try:
                legs.append(walk(batch, flow, subjects, steps, codes, i, out))
            except Failure:
                legs.append(None)
    return Trace(subjects, codes, inputs, legs)


def gather(batch: Batch, traced: Trace, cotangent: np.ndarray) -> Adjoints:
    """Return the derivatives of sum(cotangent * states); NaN by the parameters of subjects that cannot be solved."""
    records, codes, subjects = batch.records, traced.codes, traced.subjects
    shapes = {name: getattr(records, name).shape for name in FLOAT_INPUTS if name in Records._fields}
    shapes |= {"values": batch.values.shape, "affine": (0, 0), "initial": batch.initial.shape}
    bar = Adjoints(**{name: np.zeros(shape) for name, shape in shapes.items()})
    time_bar, value_bar = np.zeros(len(codes)), np.zeros(len(codes))
    for i, legs in enumerate(traced.legs):
        if legs is None:
            rows = records.row[subjects[i, FIRST_RECORD] : subjects[i + 1, FIRST_RECORD]]
            bar.values[:, rows] = np.nan
        else:
            walk_back(batch, traced.inputs, codes, legs, cotangent, bar, time_bar, value_bar)
    np.add.at(bar.time, codes[:, RECORD], time_bar)
    add_doses(records, bar, codes, time_bar, value_bar)
    return bar


def walk(
    batch: Batch,
    flow: Flow,
    subjects: np.ndarray,
    steps: np.ndarray,
    codes: np.ndarray,
    i: int,
    out: np.ndarray,
) -> list[Leg]:
    """Walk the steps of one subject; fill its part of `out`, and return the legs where derivatives are carried along.

    Raises
    ------
    Failure
        For a subject that cannot be solved.
    """
    first, last = subjects[i, FIRST_STEP], subjects[i + 1, FIRST_STEP]
    if subjects[i, FAILED]:
        raise Failure("doses that cannot be given")
    legs: list[Leg] = []
    row, changed = -1, False
    for s in range(first, last):
        if s == first:
            flow.begin(min(0.0, steps[s, TIME]), batch.start(codes[s, ROW]))
        if codes[s, ROW] != row or changed:
            row = codes[s, ROW]
            flow.p[:] = batch.values[:, row]
            flow.start()
            if flow.has_sensitivities:
                legs.append(Leg(row, flow.slopes()))
        flow.advance(steps[s, TIME])
        if flow.has_sensitivities:
            legs[-1].steps.append(s)
            legs[-1].slopes.append(flow.slopes())
            legs[-1].derivatives.append(flow.S.copy())
        changed = codes[s, KIND] != OBSERVE
        if changed:
            apply(batch, flow, steps[s, VALUE], codes[s])
        else:
            out[:, codes[s, RECORD]] = flow.y[batch.observed]
    return legs


def apply(batch: Batch, flow: Flow, value: float, code: np.ndarray) -> None:
    """Apply a step of the timeline that is no observation."""
    if code[KIND] == BOLUS:
        flow.y[code[STATE]] += value
    elif code[KIND] == RATE:
        flow.u[code[STATE]] += value
    elif code[KIND] == RESET:
        flow.y[:], flow.u[:] = batch.start(code[ROW]), 0.0
    elif code[KIND] != PASS:
        raise Failure("a steady state")


def walk_back(
    batch: Batch,
    inputs: np.ndarray,
    codes: np.ndarray,
    legs: list[Leg],
    cotangent: np.ndarray,
    bar: Adjoints,
    time_bar: np.ndarray,
    value_bar: np.ndarray,
) -> None:
    """Walk the legs of one subject backward and add to the derivatives, by time and value step by step."""
    n = batch.compiled.n_states
    lam, u_bar = np.zeros(n), np.zeros(n)
    following = 0.0  # lam . dy/dt at the start of the leg that comes after
    for leg in reversed(legs):
        s = leg.steps[-1]
        after, code = following, codes[s]
        if code[KIND] == BOLUS:
            value_bar[s] = lam[code[STATE]]
        elif code[KIND] == RATE:
            value_bar[s] = -u_bar[code[STATE]] if code[ANCHOR] == AT_STOP else u_bar[code[STATE]]
        elif code[KIND] == RESET:
            if batch.initial.size:
                bar.initial[:, code[ROW]] += lam
            lam, u_bar = np.zeros(n), np.zeros(n)
        elif code[KIND] == OBSERVE:
            lam[batch.observed] += cotangent[:, code[RECORD]]
        time_bar[s] = lam @ leg.slopes[-1] - after
        pulled = leg.derivatives[-1].T @ lam
        for k, s in enumerate(leg.steps[:-1]):
            seen = cotangent[:, codes[s, RECORD]]
            time_bar[s] = seen @ leg.slopes[k][batch.observed]
            pulled += leg.derivatives[k][batch.observed].T @ seen
        lam = pulled[:n].copy()
        u_bar[inputs] += pulled[n : n + len(inputs)]
        bar.values[:, leg.row] += pulled[n + len(inputs) :]
        following = lam @ leg.first_slopes
    if legs and batch.initial.size:
        bar.initial[:, codes[legs[0].steps[0], ROW]] += lam
