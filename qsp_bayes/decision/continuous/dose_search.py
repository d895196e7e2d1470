"""The search for the best values of what is free: ascent along gradients, or a grid that is refined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import qmc

from qsp_bayes.decision.continuous.expected_utility import Evaluation, ExpectedUtility
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.errors import DecisionError

COARSE_INDIVIDUALS = 128
COARSE_BY_VARIABLE = 16
SHORT, SHORT_BY_VARIABLE = 12, 6
"""Steps of a short ascent, and how many there are at most by variable."""
ROUGH, FINE = 1e-5, 1e-10
"""Where an ascent ends: gains of a step, relative to the range of expected utility."""
SETTLING = 0.02
"""Reach of the search by values alone, as a share of the bounds."""
MOST_NUMBERS = 24
"""Numbers of doses from which short ascents start."""
GRID_POINTS = {1: 13, 2: 7, 3: 5}
"""Points of a grid along each variable, by the number of variables; 4 for more."""
ROUNDS = 8
SHRINK = 0.4
"""How much smaller than the one before each refined grid is, at most."""


@dataclass
class Trace:
    """Every evaluation of a search.

    Attributes
    ----------
    names : sequence of str
        What is free.
    tell : callable
        Called with a line of words at every evaluation.
    """

    names: tuple[str, ...]
    tell: Callable[[str], Any] = lambda _: None
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: Evaluation | None = None

    def add(self, phase: str, found: Evaluation, *, all_individuals: bool = True) -> None:
        """Note an evaluation; the best of all individuals is kept."""
        values = dict(zip(self.names, found.point.tolist(), strict=True))
        self.rows.append({"phase": phase, **values, "expected_utility": found.expected})
        if all_individuals and (self.best is None or found.expected > self.best.expected):
            self.best = found
        best = "" if self.best is None else f", best expected utility {self.best.expected:.6g}"
        self.tell(f"{phase}: {len(self.rows)} evaluations{best}")

    @property
    def table(self) -> pd.DataFrame:
        """One row for each evaluation, in order."""
        return pd.DataFrame(self.rows, columns=["phase", *self.names, "expected_utility"])


def ascend(utility: ExpectedUtility, trace: Trace, starts: int, random_seed: int) -> str:
    """Ascend by L-BFGS-B: in few steps with few individuals from many points, then with all from the best of these.

    Expected utility has a maximum of its own for many a number of doses, and where amount and interval must fit each
    other the best points of a coarse search need not lie near the best maximum.

    Returns
    -------
    str
        How it ended, empty where every ascent converged.
    """
    regimen = utility.regimen
    low, width = regimen.low, regimen.high - regimen.low
    few = utility.individuals.spread(COARSE_INDIVIDUALS)
    messages = []

    def ascend_from(
        point: np.ndarray,
        gain: float,
        *,
        fixed: int | None = None,
        steps: int = 200,
        chosen: np.ndarray | None = None,
    ) -> Evaluation:
        reached: list[Evaluation] = []

        def objective(share: np.ndarray) -> tuple[float, np.ndarray]:
            found = utility(low + share * width, chosen)
            trace.add("ascent" if chosen is None else "short ascent", found, all_individuals=chosen is None)
            reached.append(found)
            return -found.expected / scale, -found.slope * width / scale

        share = np.clip((point - low) / width, 0.0, 1.0)
        bounds = [(x, x) if k == fixed else (0.0, 1.0) for k, x in enumerate(share)]
        options = {"maxiter": steps, "ftol": gain, "gtol": 1e-9, "maxls": 10}
        ended = minimize(objective, share, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        # "ABNORMAL" is the line search at the rounding of the objective: nothing is left to be gained.
        if chosen is None and not ended.success and "ABNORMAL" not in ended.message:
            messages.append(ended.message)
        return max(reached, key=lambda found: found.expected)

    coarse = []
    for point in coarse_points(regimen, random_seed):
        coarse.append(utility(point, few))
        trace.add("coarse search", coarse[-1], all_individuals=False)
    # Doses that are far off may be worse by orders of magnitude than those among which there is a choice.
    values = np.sort([found.expected for found in coarse])
    scale = max(float(np.ptp(values[-len(values) // 4 :])), 1e-9 * abs(values[-1]), 1e-300)
    risen = [
        ascend_from(start.point, 1e-4, steps=SHORT, chosen=few)
        for start in apart(coarse, width, SHORT_BY_VARIABLE * low.size)
    ]
    best = max(risen, key=lambda found: found.expected)
    risen += [
        ascend_from(point, 1e-4, steps=SHORT, chosen=few)
        for point in other_numbers(regimen, best.point, utility.graph.span[1])
    ]
    for start in apart(risen, width, starts):
        ascend_from(start.point, ROUGH)
    for position, value in boundaries(regimen, best_of(trace).point, utility.graph.span[1]):
        before = best_of(trace)
        point = before.point.copy()
        point[position] = value
        found = utility(point)
        trace.add("whole number of intervals", found)
        if found.expected > before.expected and low.size > 1:
            ascend_from(point, ROUGH, fixed=position)
    ascend_from(best_of(trace).point, FINE)
    return "; ".join(dict.fromkeys(messages))


def settle(utility: ExpectedUtility, trace: Trace) -> None:
    """Search on by values alone (COBYQA) around the best point.

    Expected utility of finitely many individuals has small kinks where the peak of one of them touches a threshold. The
    gradient is steep beside each, and an ascent ends at one; a quadratic model of the values looks past them.
    """
    regimen = utility.regimen
    low, width = regimen.low, regimen.high - regimen.low
    best = best_of(trace)
    scale = max(abs(best.expected), 1e-300)

    def objective(share: np.ndarray) -> float:
        found = utility(low + np.clip(share, 0.0, 1.0) * width)
        trace.add("settling", found)
        return -found.expected / scale

    minimize(
        objective,
        (best.point - low) / width,
        method="COBYQA",
        bounds=[(0.0, 1.0)] * low.size,
        options={"initial_tr_radius": SETTLING, "final_tr_radius": 1e-6, "maxfev": 40 * low.size},
    )


def best_of(trace: Trace) -> Evaluation:
    """Give the best evaluation so far."""
    if trace.best is None:
        raise DecisionError("Nothing has been evaluated with all individuals yet.")
    return trace.best


def boundaries(regimen: FreeRegimen, point: np.ndarray, end: float) -> list[tuple[int, float]]:
    """Give the nearest intervals below and above which a whole number fits before the end.

    There the number of doses changes, and expected utility may have a kink or a jump, past which no gradient leads.
    """
    found = []
    for position, lasts in lengths_of_courses(regimen, point, end).items():
        number, bounds = lasts / point[position], list(regimen.free.values())[position]
        for n in sorted({np.floor(number), np.ceil(number)} - {0.0}):
            if bounds.low <= lasts / n <= bounds.high:
                found.append((position, float(lasts / n)))
    return found


def other_numbers(regimen: FreeRegimen, point: np.ndarray, end: float) -> list[np.ndarray]:
    """Give points with every other number of doses of a course, at the same amount for each unit of time."""
    found = []
    for position, lasts in lengths_of_courses(regimen, point, end).items():
        bounds = list(regimen.free.values())[position]
        amount = regimen.position("amount", bounds.course)
        fewest, most = int(np.ceil(lasts / bounds.high)), int(np.ceil(lasts / bounds.low))
        for n in np.unique(np.linspace(max(fewest, 1), most, MOST_NUMBERS).round()):
            moved = point.copy()
            moved[position] = lasts / (n - 0.5)
            if amount is not None:
                moved[amount] *= moved[position] / point[position]
            found.append(np.clip(moved, regimen.low, regimen.high))
    return found


def lengths_of_courses(regimen: FreeRegimen, point: np.ndarray, end: float) -> dict[int, float]:
    """Give, by position, each free interval that changes the number of doses, and how long its course lasts."""
    courses, found = regimen.at(point).courses, {}
    for position, bounds in enumerate(regimen.free.values()):
        course = courses[bounds.course]
        if bounds.of == "every" and course.doses is None:
            found[position] = min(end, end if course.until is None else course.until) - course.start
    return {position: lasts for position, lasts in found.items() if lasts > 0}


def coarse_points(regimen: FreeRegimen, random_seed: int) -> np.ndarray:
    """Give points that cover the bounds evenly, that of the regimen as given first."""
    low, width = regimen.low, regimen.high - regimen.low
    n = 1 << int(np.ceil(np.log2(COARSE_BY_VARIABLE * low.size)))
    shares = qmc.Sobol(low.size, rng=np.random.default_rng(random_seed)).random(n)
    return np.vstack([regimen.given, low + shares * width])


def apart(found: list[Evaluation], width: np.ndarray, n: int) -> list[Evaluation]:
    """Choose the n best evaluations of which none is within a twentieth of the bounds of a better one."""
    chosen: list[Evaluation] = []
    for candidate in sorted(found, key=lambda evaluation: -evaluation.expected):
        if all(np.abs((candidate.point - other.point) / width).max() > 0.05 for other in chosen):
            chosen.append(candidate)
        if len(chosen) == n:
            break
    return chosen


def refine_grid(
    evaluate: Callable[[list[np.ndarray]], list[Evaluation]], regimen: FreeRegimen, trace: Trace
) -> None:
    """Evaluate a grid, then finer ones around the best point so far, without derivatives.

    Each grid spans what lies between the neighbours of the best point of the one before.
    """
    low, high = regimen.low, regimen.high
    n = GRID_POINTS.get(low.size, 4)
    for level in range(ROUNDS):
        axes = [np.linspace(*ends, n) for ends in zip(low, high, strict=True)]
        points = list(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, low.size))
        if level == 0:
            points.append(regimen.given)
        for found in evaluate(points):
            trace.add(f"grid {level + 1}", found)
        best = best_of(trace)
        reach = SHRINK * (high - low) if n < 4 else (high - low) / (n - 1)
        low = np.maximum(regimen.low, best.point - reach)
        high = np.minimum(regimen.high, best.point + reach)
