"""The search for the best values of what is free: ascent along gradients, or a grid that is refined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import qmc

from qsp_bayes.decision.expected_utility import Evaluation, ExpectedUtility
from qsp_bayes.decision.free_dose import FreeRegimen
from qsp_bayes.errors import DecisionError

COARSE_INDIVIDUALS = 256
COARSE_BY_VARIABLE = 16
ROUGH, FINE = 1e-5, 1e-10
"""Where an ascent ends: gains of a step, relative to the range of expected utility."""
SETTLING = 0.02
"""Reach of the search by values alone, as a share of the bounds."""
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
    """Ascend by L-BFGS-B from the best points of a coarse search.

    Returns
    -------
    str
        How it ended, empty where every ascent converged.
    """
    regimen = utility.regimen
    low, width = regimen.low, regimen.high - regimen.low
    few = utility.individuals.spread(COARSE_INDIVIDUALS)
    coarse = []
    for point in coarse_points(regimen, random_seed):
        found = utility(point, few)
        trace.add("coarse search", found, all_individuals=False)
        coarse.append(found)
    scale = max(float(np.ptp([found.expected for found in coarse])), 1e-9 * abs(coarse[0].expected), 1e-300)
    messages = []

    def objective(share: np.ndarray) -> tuple[float, np.ndarray]:
        found = utility(low + share * width)
        trace.add("ascent", found)
        return -found.expected / scale, -found.slope * width / scale

    def ascend_from(point: np.ndarray, gain: float, fixed: int | None = None) -> None:
        share = np.clip((point - low) / width, 0.0, 1.0)
        bounds = [(x, x) if k == fixed else (0.0, 1.0) for k, x in enumerate(share)]
        options = {"maxiter": 200, "ftol": gain, "gtol": 1e-9, "maxls": 10}
        ended = minimize(objective, share, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        # "ABNORMAL" is the line search at the rounding of the objective: nothing is left to be gained.
        if not ended.success and "ABNORMAL" not in ended.message:
            messages.append(ended.message)

    for start in apart(coarse, width, starts):
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
    courses = regimen.at(point).courses
    for position, bounds in enumerate(regimen.free.values()):
        course = courses[bounds.course]
        if bounds.of != "every" or course.doses is not None:
            continue
        lasts = min(end, course.until if course.until is not None else end) - course.start
        number = lasts / point[position]
        for n in {np.floor(number), np.ceil(number)} - {0.0}:
            if bounds.low <= lasts / n <= bounds.high:
                found.append((position, float(lasts / n)))
    return found


def coarse_points(regimen: FreeRegimen, random_seed: int) -> np.ndarray:
    """Give points that cover the bounds evenly, that of the regimen as given first."""
    low, width = regimen.low, regimen.high - regimen.low
    n = 1 << int(np.ceil(np.log2(COARSE_BY_VARIABLE * low.size)))
    shares = qmc.Sobol(low.size, rng=np.random.default_rng(random_seed)).random(n)
    return np.vstack([regimen.given, low + shares * width])


def apart(found: list[Evaluation], width: np.ndarray, n: int) -> list[Evaluation]:
    """Choose the n best evaluations of which none is within a tenth of the bounds of a better one."""
    chosen: list[Evaluation] = []
    for candidate in sorted(found, key=lambda evaluation: -evaluation.expected):
        if all(np.abs((candidate.point - other.point) / width).max() > 0.1 for other in chosen):
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
