"""How the solution of a subject ended, and what that usually means.

Engines never raise while a posterior is sampled: a subject that cannot be solved is NaN. Why is told by a small
array, (subject, 3), of numbers: how it ended, when, and because of which state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

HOW, WHEN, WHICH = range(3)
"""Columns of the table of failures."""


class Reason(NamedTuple):
    """A way in which a solution ends: its name, what it says of a state and a time, and what it usually means."""

    name: str
    words: str
    causes: str


REASONS = (
    Reason("solved", "solved", ""),
    Reason(
        "impossible",
        "cannot be solved, from t = {time:g}{unit} on",
        "(a) a lag time, bioavailability, rate or duration that is negative or not finite; (b) a steady state that "
        "does not exist, because nothing eliminates, or that overlaps too many doses; (c) a parameter that is not "
        "finite, or so extreme that the states overflow. Look at the parameters of the doses, and at the scale and the "
        "prior of each",
    ),
    Reason(
        "not finite",
        "not finite at t = {time:g}{unit}",
        "(a) a rate that is not defined for the values it meets: the log, root or power of a negative number, or a "
        "division by a state or a parameter that has reached 0; (b) a parameter so extreme that its exponential "
        "overflows; (c) an initial value or a dose that is not finite. Write the rate so that it is defined for all "
        "values, and narrow the priors",
    ),
    Reason(
        "step too small",
        "the step became too small to go on from t = {time:g}{unit}",
        "(a) a singularity: the state grows without bound at a finite time, or a rate stops being defined there; "
        "(b) a stiff system solved with Tsit5: leave `solver` out or choose Rodas5P; (c) a rate that jumps, which "
        "should be a dose, a record, a switch or a smooth function",
    ),
    Reason(
        "too many steps",
        "more steps than max_steps were needed; they reached t = {time:g}{unit}",
        "(a) a stiff system solved with Tsit5: leave `solver` out or choose Rodas5P; (b) rates of very different "
        "sizes at an extreme draw: narrow the priors; (c) a tolerance that is tighter than needed, or a max_steps that "
        "is too low for oscillations",
    ),
    Reason(
        "no steady state",
        "no steady state of the doses at t = {time:g}{unit}",
        "(a) more is given in an interval than can be eliminated, as with a saturable elimination beyond its capacity; "
        "(b) nothing eliminates; (c) an orbit that does not settle, as of a system that oscillates by itself. Give the "
        "doses one by one (ADDL, II) without SS, or narrow the priors",
    ),
    Reason(
        "chattering",
        "switches were crossed over and over at t = {time:g}{unit}",
        "(a) rates that drive the state back to a switch from both of its sides: make them smooth functions of the "
        "state; (b) changes at switches that undo each other, without end: write them so that they lead away from the "
        "conditions; (c) crossings ever closer to each other, as of a ball that comes to rest",
    ),
)
"""By the number of the status (see `integration`)."""


@dataclass(frozen=True)
class Failure:
    """One subject that could not be solved.

    Attributes
    ----------
    subject : str
    reason : Reason
    time : float
        Time reached.
    state : str
        The state that is to blame; empty where none is.
    """

    subject: str
    reason: Reason
    time: float
    state: str

    def describe(self, unit: str = "") -> str:
        """Say where it failed and how.

        Examples
        --------
        >>> Failure("S07", REASONS[2], 336.0, "complex").describe("h")
        'Subject S07, state `complex`: not finite at t = 336 h.'
        """
        of_state = f", state `{self.state}`" if self.state else ""
        words = self.reason.words.format(time=self.time, unit=f" {unit}" if unit else "")
        return f"Subject {self.subject}{of_state}: {words}."

    def explain(self, unit: str = "") -> str:
        """Say where it failed and how, what that usually means, and what to do."""
        return f"{self.describe(unit)} This usually means {self.reason.causes}."


@dataclass(frozen=True)
class Status:
    """How the solution of each subject ended; all three have one entry per subject.

    Attributes
    ----------
    status : int variable
        0 where it was solved, else a position in `REASONS`.
    time : float variable
        Time reached where it was not.
    state : int variable
        Position in `states` of the state that is to blame, or -1.
    states : tuple of str
    """

    status: Variable
    time: Variable
    state: Variable
    states: tuple[str, ...]

    @property
    def variables(self) -> list[Variable]:
        """The three, in order, as outputs of a function."""
        return [self.status, self.time, self.state]

    def failures(
        self, subjects: Sequence[str], status: np.ndarray, time: np.ndarray, state: np.ndarray
    ) -> list[Failure]:
        """Name the subjects that failed, given the values of the variables."""
        return [
            Failure(
                str(subjects[int(i)]),
                REASONS[status[i]],
                float(time[i]),
                self.states[state[i]] if state[i] >= 0 else "",
            )
            for i in np.flatnonzero(status)
        ]


def recorded_status(memory: Variable, states: Sequence[str]) -> Status:
    """Read the status that the nonlinear engine has left behind its table of subjects.

    The memory holds 7 integers, a table of (subject + 1, 4) integers, and the (subject, 3) failures.
    """
    n_subjects = (memory.shape[0] - 11) // 7
    failures = memory[memory.shape[0] - 3 * n_subjects :].reshape((n_subjects, 3))
    return Status(
        failures[:, HOW].astype("int64"),
        failures[:, WHEN],
        failures[:, WHICH].astype("int64"),
        tuple(states),
    )


def observed_status(observed: Variable, subject: Variable, time: Variable, states: Sequence[str]) -> Status:
    """Find the status of a system that is solved exactly from where its states, (state, record), are not finite.

    There is nothing to integrate: a subject can be solved, or it is NaN at all of its records.
    """
    bad = pt.any(pt.isinf(observed) | pt.isnan(observed), axis=0)
    alone = pt.eq(pt.arange(pt.max(subject) + 1)[:, None], subject[None, :])
    when = pt.min(pt.switch(alone & bad[None, :], time[None, :], np.inf), axis=1)
    failed = pt.any(alone & bad[None, :], axis=1)
    status = failed.astype("int64")
    return Status(status, pt.switch(failed, when, 0.0), pt.full_like(status, -1), tuple(states))
