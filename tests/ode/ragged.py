"""A ragged batch of subjects for the nonlinear engine, some of whom cannot be solved, without a graph around it."""

import numba
import numpy as np
import pytensor.tensor as pt

from qsp_bayes.ode import nonlinear_op
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.effort import efforts
from qsp_bayes.ode.equations import Equations, Switching
from qsp_bayes.ode.integration import KEEP
from qsp_bayes.ode.nonlinear_problem import FLOAT_INPUTS

STATES = ("depot", "central", "effect")
PARAMETERS = ("ka", "V", "Vmax", "Km", "growth")
SHARING = ("by subject", "by record", "one row", "few rows")
"""Which subjects or records have a row of parameters in common."""
KINDS = (*SHARING, "switches")


def compile_system(switches=False):
    """Absorption, saturable elimination, and an effect that grows without bound where the concentration is high.

    With `switches` it grows half as fast at high concentrations, and is halved whenever they become high.
    """
    t, side = pt.dscalar(), pt.dscalar("side")
    x = {name: pt.dscalar(name) for name in STATES}
    p = {name: pt.dscalar(name) for name in PARAMETERS}
    central = x["central"] / p["V"]
    growth = p["growth"] * (1 - 0.5 * side) if switches else p["growth"]
    derivatives = {
        "depot": -p["ka"] * x["depot"],
        "central": p["ka"] * x["depot"] - p["Vmax"] * central / (p["Km"] + central),
        "effect": growth * central * x["effect"] ** 2 - 0.1 * x["effect"],
    }
    high = {"high": Switching(side, central - 1.5, 1, {"effect": 0.5 * x["effect"]})}
    return compile_equations(Equations(t, x, p, derivatives, high if switches else {}))


def subject_records(random, steady):
    """Records of one subject, (time, evid, state, amount, lag, rate, interval, additional, steady state)."""
    rows = [
        (t, 0, -1, 0.0, 0.0, 0.0, 0.0, 0, 0) for t in np.sort(random.uniform(0, 40, random.integers(1, 12)))
    ]
    for _ in range(random.integers(0, 5)):
        t, state, kind = random.uniform(0, 30), random.integers(0, 2), random.integers(0, 5 if steady else 4)
        amount, lag = random.uniform(5, 60), random.choice([0.0, random.uniform(0, 3)])
        rate = random.choice([0.0, random.uniform(2, 40)])
        if kind == 3:
            rows.append((t, 3, -1, 0.0, 0.0, 0.0, 0.0, 0, 0))
        elif kind == 4:
            rows.append((t, 1, state, 0.2 * amount, 0.0, rate, 9.0, 1, random.integers(1, 3)))
        else:
            rows.append((t, 1 + 3 * (kind == 2), state, amount, lag, rate, 5.0, random.integers(0, 3), 0))
    return sorted(rows, key=lambda row: row[0])


class Batch:
    """Inputs of `NonlinearSolve`, and its results however they were found: one dictionary for values and gradients."""

    def __init__(self, n_subjects=24, kind="by subject", difficult=True, max_steps=2000):
        random = np.random.default_rng(0)
        switches = kind == "switches"  # with which steady states cannot be found
        steady = difficult and not switches
        each = [subject_records(random, steady and i % 3 == 0) for i in range(n_subjects)]
        if difficult:
            each[1].append((41.0, 1, 0, 10.0, -1.0, 0.0, 0.0, 0, 0))  # a negative lag time
        subject = np.repeat(np.arange(n_subjects), [len(rows) for rows in each])
        time, evid, state, amount, lag, rate, interval, additional, steady_state = np.concatenate(each).T
        row = {
            "by subject": subject,
            "switches": subject,
            "by record": np.arange(len(subject)),
            "one row": np.zeros(len(subject), int),
            "few rows": (subject + (time > 15)) % 3,
        }[kind]
        n_rows = int(row.max()) + 1
        spread = np.exp(0.3 * random.normal(size=(len(PARAMETERS), n_rows)))
        values = np.array([1.0, 10.0, 5.0, 1.5, 0.08])[:, None] * spread
        initial = np.array([0.0, 1.0, 0.5])[:, None] * np.exp(0.2 * random.normal(size=(3, n_rows)))
        none = np.zeros((0, 0))
        self.compiled = compile_system(switches)
        self.kind, self.n_subjects, self.row, self.subject = kind, n_subjects, row, subject
        options = [
            0,
            0,
            max_steps,
            0,
            self.compiled.autonomous,
            self.compiled.n_factors,
            *self.compiled.directions,
        ]
        whole = [
            subject,
            row,
            evid,
            np.where(np.isin(evid, (1, 4)), state, -1)[None],
            additional,
            steady_state,
        ]
        self.inputs = (
            time, amount, none, lag[None], rate[None], none, interval, values, initial,
            np.array([1e-8, *[-1.0] * len(STATES)]), *(np.ascontiguousarray(x, np.int64) for x in whole),
            np.arange(len(STATES)), self.compiled.rows, self.compiled.columns, np.array([1, 1, 0]), np.array(options),
        )  # fmt: skip
        self.cotangent = random.normal(size=(len(STATES), len(subject)))
        solve, gather = nonlinear_op.solver(self.compiled), nonlinear_op.adjoint(self.compiled)
        self.solve = numba.njit(nogil=True)(lambda *inputs: solve(*inputs))
        self.gather = numba.njit(nogil=True)(lambda *inputs: gather(*inputs))

    @property
    def effort(self):
        """What the engine remembers of this system: steps and rows for each subject."""
        return next(cells for symbol, cells in efforts.items() if symbol.endswith(self.compiled.name))

    def states(self):
        """States and failures of a solve that keeps no path."""
        states, memory, *_ = self.solve(*self.inputs)
        return {"states": states, "failures": memory[len(memory) - 3 * self.n_subjects :]}

    def gradient(self):
        """The same with the path kept, and the derivatives by all inputs."""
        *inputs, options = self.inputs
        kept = options.copy()
        kept[KEEP] = 1
        states, *memory = self.solve(*inputs, kept)
        bars = self.gather(*inputs, kept, self.cotangent, *memory)
        failures = memory[0][len(memory[0]) - 3 * self.n_subjects :]
        return {"states": states, "failures": failures, **dict(zip(FLOAT_INPUTS, bars, strict=True))}


def differences(found, expected):
    """Names of the results that are not the same bit by bit."""
    return [name for name in expected if found[name].tobytes() != expected[name].tobytes()]
