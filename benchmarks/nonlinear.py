"""States and forward sensitivities of nonlinear problems, beside CVODES, diffrax and PyMC's own equations.

Every engine has its method and tolerances tuned by problem, to the cheapest that meet the same errors.
``python -m benchmarks.nonlinear [PROBLEM...]`` measures the peers alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.accuracy import SENSITIVITY_TARGET, STATE_TARGET, Solution, errors, reference, sizes
from benchmarks.comparison import Comparison
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.solve import called
from benchmarks.timing import MICROSECONDS, interleaved

Solver = Callable[[float, np.ndarray], Any]
"""Of the relative tolerance and the absolute tolerances (subject, state); solves all subjects."""
Judge = Callable[[Any], tuple[float, float]]
"""Errors of what a solver gives, in states and in sensitivities."""
Builds = Mapping[str, Callable[[], Solver]]
"""Solvers of one engine, by the setting that they are built for."""

TOLERANCES = np.logspace(-4.0, -11.0, 29).tolist()
SHARES = (1e-2, 1e-3, 1e-4)
"""Absolute tolerances: the relative one times a share of each state's largest value."""
REVERSE = "gradient of one sum by diffrax in reverse mode"
"""For information: less work than all sensitivities."""
PATIENCE = 3.0
"""A setting is given up when it costs that many times the best so far, without meeting the errors yet."""


@dataclass(frozen=True)
class Tuned:
    """A solver with the setting and tolerances that meet the errors most cheaply; `achieved` are its errors."""

    solve: Callable[[], Any]
    setting: str
    rtol: float
    share: float
    achieved: tuple[float, float]


def ours(problem: Problem, *, sensitivities: bool) -> Builds:
    """Solvers of qsp_bayes by setting, tuned as the peers are."""
    raise NotImplementedError(
        "qsp_bayes has no engine for nonlinear systems yet: only its peers can be measured"
    )


def cvodes(problem: Problem, *, sensitivities: bool) -> Builds:
    from benchmarks.cvodes_compiled import cvodes_compiled

    if not sensitivities:
        return {
            method: partial(cvodes_compiled, problem, sensitivities=False, method=method)
            for method in ("BDF", "Adams")
        }
    return {
        f"{method} {correction}{'' if controlled else ', sensitivities not controlled'}": partial(
            cvodes_compiled,
            problem,
            sensitivities=True,
            method=method,
            correction=correction,
            controlled=controlled,
        )
        for method in ("BDF", "Adams")
        for controlled in (True, False)
        for correction in ("simultaneous", "staggered")
    }


def diffrax(problem: Problem, *, sensitivities: bool) -> Builds:
    from benchmarks.diffrax_compiled import diffrax_compiled

    return {
        f"{solver} {mapping}": partial(
            diffrax_compiled, problem, sensitivities=sensitivities, solver=solver, mapping=mapping
        )
        for solver in (("Tsit5", "Dopri8") if problem.name == "P1" else ("Kvaerno5", "Tsit5"))
        for mapping in ("map", "vmap")
    }


def pymc(problem: Problem, *, sensitivities: bool) -> Builds:
    from benchmarks.pymc_ode import pymc_ode

    return {"odeint": partial(pymc_ode, problem, sensitivities=sensitivities)}


@dataclass(frozen=True)
class Peer:
    """An engine to measure: its package, its solvers, the problems that it can solve."""

    package: str
    builds: Callable[..., Builds]
    problems: tuple[str, ...] = tuple(PROBLEMS)
    tolerances: bool = True


PEERS = {
    "CVODES": Peer("sundials4py", cvodes),
    "diffrax": Peer("diffrax", diffrax),
    "pm.ode.DifferentialEquation": Peer("pymc", pymc, ("P1",), tolerances=False),
}


def once(solve: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of one solve, and what it gives."""
    start = time.process_time()
    found = solve()
    return time.process_time() - start, found


def tuned(builds: Builds, largest: np.ndarray, judge: Judge) -> Tuned | str:
    """The cheapest of all settings and tolerances that meets the errors, or why there is none.

    `largest` holds the largest value of each state (subject, state).
    """
    best, cost = None, np.inf
    for setting, build in builds.items():
        solver = build()
        solver(TOLERANCES[0], TOLERANCES[0] * largest)
        for share in SHARES:
            for rtol in TOLERANCES:
                solve = partial(solver, rtol, rtol * share * largest)
                seconds, found = once(solve)
                achieved = judge(found)
                if achieved[0] <= STATE_TARGET and achieved[1] <= SENSITIVITY_TARGET:
                    seconds = min(seconds, once(solve)[0])
                    if seconds < cost:
                        best, cost = Tuned(solve, setting, rtol, share, achieved), seconds
                    break
                if seconds > PATIENCE * cost:
                    break
    return best or f"no tolerance reaches errors of {STATE_TARGET:g} and {SENSITIVITY_TARGET:g}"


def untuned(builds: Builds, largest: np.ndarray, judge: Judge) -> Tuned:
    """The one solver of an engine that offers no choice, whatever its errors."""
    ((setting, build),) = builds.items()
    solve = partial(build(), 0.0, np.empty(0))
    return Tuned(solve, setting, np.nan, np.nan, judge(solve()))


def peers(problem: Problem, exact: Solution, *, sensitivities: bool) -> dict[str, Tuned | str]:
    """Every peer that is made for the problem, or why it is missing."""
    found: dict[str, Tuned | str] = {}
    largest, judge = np.abs(exact[0]).max(axis=1), partial(errors, problem, exact=exact)
    for name, peer in PEERS.items():
        if problem.name not in peer.problems:
            continue
        if find_spec(peer.package) is None:
            found[name] = f"{peer.package} is not installed (pip install -e .[bench])"
            continue
        builds = peer.builds(problem, sensitivities=sensitivities)
        found[name] = (tuned if peer.tolerances else untuned)(builds, largest, judge)
    if sensitivities and find_spec("diffrax") is not None:
        found[REVERSE] = reverse_mode(problem, exact)
    return found


def reverse_mode(problem: Problem, exact: Solution) -> Tuned | str:
    """Gradient by diffrax of the mean of all states over the sizes that their errors count against.

    Its error counts as one of sensitivities does, of which it is a mean.
    """
    from benchmarks.diffrax_compiled import diffrax_gradient

    states, sensitivities = exact
    weights = 1 / sizes(states) / states[0].size
    gradient = (weights[..., None] * sensitivities).sum(axis=(1, 2))
    builds = {
        f"{solver} {mapping}": partial(diffrax_gradient, problem, weights, solver=solver, mapping=mapping)
        for solver in ("Tsit5" if problem.name == "P1" else "Kvaerno5",)
        for mapping in ("map", "vmap")
    }
    return tuned(
        builds,
        np.abs(states).max(axis=1),
        lambda found: (0.0, float(np.max(np.abs(found - gradient) * problem.values))),
    )


def exact_solution(problem: Problem, *, sensitivities: bool) -> Solution:
    states, derivatives = reference(problem.name)
    return states, derivatives if sensitivities else derivatives[..., :0]


def compare(name: str, *, sensitivities: bool) -> list[Comparison]:
    problem = PROBLEMS[name]()
    exact = exact_solution(problem, sensitivities=sensitivities)
    engine = tuned(
        ours(problem, sensitivities=sensitivities),
        np.abs(exact[0]).max(axis=1),
        partial(errors, problem, exact=exact),
    )
    if isinstance(engine, str):
        raise ArithmeticError(f"qsp_bayes on {name}: {engine}")
    found = peers(problem, exact, sensitivities=sensitivities)
    engines = {"ours": engine} | {
        peer: result for peer, result in found.items() if not isinstance(result, str)
    }
    result = interleaved(
        {peer: called(one.solve) for peer, one in engines.items()},
        repeats=range(7),
    )
    lines = []
    for peer, one in found.items():
        chosen = {"ours": engine} if isinstance(one, str) else {"ours": engine, peer: one}
        kinds = ("states", "sensitivities") if sensitivities else ("states",)
        lines.append(
            Comparison(
                "nonlinear",
                f"{name} {problem.title}: {' + '.join(kinds)}",
                "us",
                peer,
                result["ours"],
                result.get(peer),
                at_most=None if peer == REVERSE else 1.0,
                errors={
                    f"{kind}, {who}": error
                    for who, each in chosen.items()
                    for kind, error in zip(kinds, each.achieved, strict=False)
                },
                tolerances={who: each.rtol for who, each in chosen.items()},
                details={who: f"{each.setting}, share {each.share:g}" for who, each in chosen.items()},
                missing=one if isinstance(one, str) else "",
            )
        )
    return lines


def measure() -> list[Comparison]:
    return [
        line
        for name in PROBLEMS
        for sensitivities in (False, True)
        for line in compare(name, sensitivities=sensitivities)
    ]


def print_peers(names: list[str]) -> None:
    """Figures of the peers alone."""
    for name in names:
        problem = PROBLEMS[name]()
        for sensitivities in (False, True):
            exact = exact_solution(problem, sensitivities=sensitivities)
            kind = "states + sensitivities" if sensitivities else "states"
            for peer, found in peers(problem, exact, sensitivities=sensitivities).items():
                if isinstance(found, str):
                    print(f"{name} {kind}: {peer} missing: {found}", flush=True)
                    continue
                microseconds = np.median([once(found.solve)[0] for _ in range(9)]) * MICROSECONDS
                print(
                    f"{name} {kind}: {peer} {found.setting} {microseconds:.0f} us, rtol {found.rtol:.1e}, "
                    f"share {found.share:.0e}, errors {found.achieved[0]:.1e} {found.achieved[1]:.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    print_peers(sys.argv[1:] or list(PROBLEMS))
