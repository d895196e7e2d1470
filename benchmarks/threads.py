"""Wall time of a solve that two threads share, beside the same solve by one; needs two cores that nothing else uses."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.comparison import Comparison
from benchmarks.problems import PROBLEMS
from benchmarks.qsp_bayes_compiled import qsp_bayes_compiled
from benchmarks.timing import MICROSECONDS, interleaved
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.ode.threads import threads, usable_cores

RTOL = 5.6e-7
"""At which the engine meets the errors of the row `nonlinear` most cheaply on P2."""
SOLVES = 5
BARS = {"P2": 1 / 1.8}
"""Largest ratio of the times by two threads and by one."""


def wall(solve: Callable[[], object], number: int) -> Callable[[int], float]:
    """Measure of a solve by some threads, in microseconds of wall time: the quickest of a few in a row."""

    def measure(repeat: int) -> float:
        taken = []
        with threads(number):
            for _ in range(SOLVES):
                start = time.perf_counter()
                solve()
                taken.append(time.perf_counter() - start)
        return min(taken) * MICROSECONDS

    return measure


def compare(name: str, *, sensitivities: bool) -> Comparison:
    problem = PROBLEMS[name]()
    solver = qsp_bayes_compiled(problem, Automatic(), sensitivities=sensitivities)

    def solve() -> object:
        return solver(RTOL, np.empty(0))

    solve()
    result = interleaved({"two": wall(solve, 2), "one": wall(solve, 1)}, repeats=range(41))
    return Comparison(
        "threads",
        f"{name} {problem.title}: {'states + gradient' if sensitivities else 'states'}, wall time of two threads",
        "us",
        "one thread",
        result["two"],
        result["one"],
        at_most=BARS.get(name),
        tolerances={"both": RTOL},
        missing="" if usable_cores() > 1 else "there is one core only",
    )


def measure() -> list[Comparison]:
    return [compare(name, sensitivities=wanted) for name in ("P1", "P2", "P3") for wanted in (False, True)]
