"""How compiling, solving and differentiating grow with the number of states: 5, 20, 50 and 100.

The system is blood and organs that each take up and metabolise by a saturable process of their own: two parameters for
each organ, and a Jacobian with a full first row and column. Errors are against scipy's Radau, for one subject.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.comparison import Comparison
from benchmarks.problems import Dose, Problem, Vector, spread

STATES = (5, 20, 50, 100)
COMPILE_BAR = 15.0
"""Seconds that the largest may take to compile, from no cache."""
RTOL = 1e-6
SUBJECTS = 12


def organs(n: int) -> Problem:
    """Blood and n - 1 organs."""

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        blood, *tissues = y
        Km, flows, capacities = p[0], p[1:n], p[n:]
        uptake = [flow * (blood - 0.5 * tissue) for flow, tissue in zip(flows, tissues, strict=True)]
        total = uptake[0]
        for taken in uptake[1:]:
            total = total + taken
        lost = [capacity * x / (Km + x) for capacity, x in zip(capacities, tissues, strict=True)]
        return [-total, *(taken - gone for taken, gone in zip(uptake, lost, strict=True))]

    medians = [2.0, *np.geomspace(0.02, 20.0, n - 1), *np.full(n - 1, 10.0 / n)]
    names = ["Km", *(f"Q{i}" for i in range(1, n)), *(f"Vmax{i}" for i in range(1, n))]
    return Problem(
        name=f"organs{n}",
        title=f"blood and {n - 1} organs with saturable metabolism",
        states=("blood", *(f"organ{i}" for i in range(1, n))),
        parameters=tuple(names),
        field=field,
        start=lambda p: [0.0] * n,
        values=spread(medians, 0.2, SUBJECTS),
        times=np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 48.0]),
        doses=(Dose(0.0, "blood", np.full(SUBJECTS, 100.0)),),
    )


def figures(n: int) -> dict[str, float]:
    """Seconds to compile and microseconds to solve, of this process, and the error of the first subject's states."""
    from benchmarks.qsp_bayes_compiled import equations_of, qsp_bayes_compiled
    from benchmarks.solve import called
    from benchmarks.timing import interleaved
    from qsp_bayes.ode.compiled import compile_equations
    from qsp_bayes.ode.solvers import Rodas5P

    compile_equations(equations_of(organs(2)))  # what is the same for all systems is loaded before
    start = time.process_time()
    compile_equations(equations_of(organs(n)))
    seconds = time.process_time() - start
    problem, unused = organs(n), np.empty(0)
    states = qsp_bayes_compiled(problem, Rodas5P(), sensitivities=False)
    gradient = qsp_bayes_compiled(problem, Rodas5P(), sensitivities=True)
    solvers = {"states": lambda: states(RTOL, unused), "gradient": lambda: gradient(RTOL, unused)}
    result = interleaved({name: called(solve) for name, solve in solvers.items()}, repeats=range(5))
    exact = by_radau(problem)
    size = np.abs(exact) + 1e-3 * np.abs(exact).max(axis=0)
    error = float(np.max(np.abs(states(RTOL, unused).states[0] - exact) / size))
    return {"compile": seconds, "error": error, **result}


def by_radau(problem: Problem) -> np.ndarray:
    """States of the first subject, (time, state), from scipy."""
    start = np.zeros(len(problem.states))
    start[0] = problem.doses[0].amounts[0]
    return solve_ivp(
        lambda t, y: problem.field(t, y, problem.values[0]),
        (0.0, problem.times[-1]),
        start,
        "Radau",
        problem.times,
        rtol=1e-10,
        atol=1e-12,
    ).y.T


def measured(n: int) -> dict[str, float]:
    """Figures of a fresh process with empty caches."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": f"{cache}/numba",
            "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
        }
        command = [sys.executable, "-m", "benchmarks.growth", str(n)]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.splitlines()[-1])


def measure() -> list[Comparison]:
    lines = []
    for n in STATES:
        found = measured(n)
        shared: dict[str, Any] = {"name": "growth", "peer": "none", "judge": "value"}
        errors, tolerances = {"states, ours": found["error"]}, {"ours": RTOL}
        system = f"{n} states, {2 * n - 1} parameters"
        lines += [
            Comparison(
                quantity=f"{system}: compile, cold", unit="s", ours=found["compile"], at_most=COMPILE_BAR, **shared
            ),
            Comparison(
                quantity=f"{system}, {SUBJECTS} subjects: states", unit="us", ours=found["states"],
                errors=errors, tolerances=tolerances, **shared,
            ),
            Comparison(
                quantity=f"{system}, {SUBJECTS} subjects: states + gradient", unit="us", ours=found["gradient"],
                errors=errors, tolerances=tolerances, **shared,
            ),
        ]  # fmt: skip
    return lines


if __name__ == "__main__":
    print(json.dumps(figures(int(sys.argv[1]))))
