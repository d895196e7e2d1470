"""The search for the best values of what is free: ascent along gradients, or a grid that is refined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import NonlinearConstraint, minimize
from scipy.stats import qmc

from qsp_bayes.decision.choice.simulation_error import standard_error
from qsp_bayes.decision.continuous.expected_utility import Evaluation, ExpectedUtility
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.decision.continuous.limits import Limits
from qsp_bayes.errors import DecisionError

COARSE_INDIVIDUALS = 128
COARSE_BY_VARIABLE = 16
COARSE_TOLERANCE = 1e-4
"""How closely pieces follow the paths where points are only told apart."""
SHORT, SHORT_BY_VARIABLE = 10, 3
"""Steps of a short ascent, and how many there are at most by variable."""
ROUGH = 1e-5
"""Where an ascent ends: the gain of a step, relative to the range of expected utility..."""
NEGLIGIBLE = 0.01
"""...or to its Monte Carlo error, where that is larger. The step of `polish` comes after."""
SETTLING = 0.02
"""Reach of the search by values alone, as a share of the bounds."""
MOST_SETTLING = 15
"""Evaluations of the search by values alone, by variable, at most."""
MANY = 4000
"""Individuals from which a function without gradient, a third cheaper, is worth its compilation."""
MOST_NUMBERS, BEST_NUMBERS = 24, 4
"""Numbers of doses that are looked at, and from how many of them short ascents start."""
PENALTY = 10.0
"""Of what is beyond a limit, in ranges of expected utility, where points are only told apart."""
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
    limits : Limits
    best : Evaluation
        The best, with all individuals, that keeps to the limits.
    closest : Evaluation
        The one, with all individuals, that is least beyond them.
    """

    names: tuple[str, ...]
    tell: Callable[[str], Any] = lambda _: None
    limits: Limits = field(default_factory=Limits)
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: Evaluation | None = None
    closest: Evaluation | None = None

    def add(self, phase: str, found: Evaluation, *, all_individuals: bool = True) -> None:
        """Note an evaluation; the best of all individuals is kept."""
        values = dict(zip(self.names, found.point.tolist(), strict=True))
        self.rows.append({"phase": phase, **values, "expected_utility": found.expected})
        if all_individuals:
            if self.closest is None or self.limits.violation(found) < self.limits.violation(self.closest):
                self.closest = found
            if self.limits.admits(found) and (self.best is None or found.expected > self.best.expected):
                self.best = found
        best = "" if self.best is None else f", best expected utility {self.best.expected:.6g}"
        self.tell(f"{phase}: {len(self.rows)} evaluations{best}")

    @property
    def table(self) -> pd.DataFrame:
        """One row for each evaluation, in order."""
        return pd.DataFrame(self.rows, columns=["phase", *self.names, "expected_utility"])


def ascend(utility: ExpectedUtility, trace: Trace, starts: int, random_seed: int) -> str:
    """Ascend along gradients: in few steps with few individuals from many points, then with all from the best of these.

    Expected utility has a maximum of its own for many a number of doses, and where amount and interval must fit each
    other the best points of a coarse search need not lie near the best maximum.

    Returns
    -------
    str
        How it ended, empty where every ascent converged.
    """
    regimen, end = utility.regimen, utility.graph.span[1]
    width = regimen.high - regimen.low
    rough = utility.with_tolerance(max(utility.tolerance, COARSE_TOLERANCE))
    few = utility.individuals.spread(COARSE_INDIVIDUALS)

    def looked_at(points: Iterable[np.ndarray]) -> list[Evaluation]:
        found = []
        for point in points:
            found.append(rough(point, few))
            trace.add("coarse search", found[-1], all_individuals=False)
        return found

    first = looked_at([regimen.given])
    trace.limits = trace.limits.sized(first[0])
    coarse = first + looked_at(coarse_points(regimen, random_seed))
    # Doses that are far off may be worse by orders of magnitude than those among which there is a choice.
    values = np.sort([found.expected for found in coarse])
    scale = max(float(np.ptp(values[-len(values) // 4 :])), 1e-9 * abs(values[-1]), 1e-300)

    def merit(found: Evaluation) -> float:
        return found.expected - PENALTY * scale * trace.limits.violation(found)

    short = Ascent(rough, trace, scale, 1e-4, SHORT, few)
    risen = [
        max(short.climb(start.point), key=merit)
        for start in apart(coarse, width, SHORT_BY_VARIABLE * width.size, merit)
    ]
    numbers = looked_at(other_numbers(regimen, max(risen, key=merit).point, end))
    risen += [
        max(short.climb(start.point), key=merit) for start in sorted(numbers, key=merit)[-BEST_NUMBERS:]
    ]

    begun = [utility(found.point) for found in apart(risen, width, starts, merit)]
    for found in begun:
        trace.add("ascent", found)
    begun.sort(key=merit, reverse=True)
    error = float(standard_error(utility.individuals.labelled(begun[0].utility)))
    long = Ascent(utility, trace, scale, max(ROUGH, NEGLIGIBLE * error / scale), 200, None)
    best = max(long.climb(begun[0].point), key=merit)
    for start in begun[1:]:
        # One that is further behind than the ascent of the best has gained is not going to overtake it.
        if merit(start) + 2 * (merit(best) - merit(begun[0])) > merit(best):
            best = max(best, *long.climb(start.point), key=merit)
    for position, value in boundaries(regimen, best.point, end):
        point = best.point.copy()
        point[position] = value
        found = utility(point)
        trace.add("whole number of intervals", found)
        if merit(found) > merit(best):
            best = found
            if width.size > 1:
                best = max(best, *long.climb(point, fixed=position), key=merit)
    return "; ".join(dict.fromkeys(long.messages))


@dataclass
class Ascent:
    """Ascents along gradients: L-BFGS-B, or sequential quadratic programming where there are limits.

    Attributes
    ----------
    utility : ExpectedUtility
    trace : Trace
    scale : float
        Unit of expected utility.
    gain : float
        Of a step, in that unit, below which an ascent ends.
    steps : int
        At most.
    chosen : array, optional
        Some of the individuals.
    messages : list of str
        How ascents ended that did not converge.
    """

    utility: ExpectedUtility
    trace: Trace
    scale: float
    gain: float
    steps: int
    chosen: np.ndarray | None
    messages: list[str] = field(default_factory=list)

    def climb(self, point: np.ndarray, *, fixed: int | None = None) -> list[Evaluation]:
        """Ascend from a point, and give all that was met; one variable may stay where it is."""
        low = self.utility.regimen.low
        width = self.utility.regimen.high - low
        phase = "ascent" if self.chosen is None else "short ascent"
        met: list[Evaluation] = []
        limits = self.trace.limits

        def at(share: np.ndarray) -> Evaluation:
            here = low + np.clip(share, 0.0, 1.0) * width
            if not met or not np.array_equal(met[-1].point, here):
                met.append(self.utility(here, self.chosen))
                self.trace.add(phase, met[-1], all_individuals=self.chosen is None)
            return met[-1]

        def objective(share: np.ndarray) -> tuple[float, np.ndarray]:
            found = at(share)
            return -found.expected / self.scale, -found.slope * width / self.scale

        share = np.clip((point - low) / width, 0.0, 1.0)
        bounds = [(x, x) if k == fixed else (0.0, 1.0) for k, x in enumerate(share)]
        if limits.constraints:
            kept = {
                "type": "ineq",
                "fun": lambda share: -limits.excess(at(share)),
                "jac": lambda share: -limits.slopes(at(share)) * width,
            }
            options = {"maxiter": self.steps, "ftol": self.gain}
            ended = minimize(
                objective, share, jac=True, method="SLSQP", bounds=bounds, constraints=[kept], options=options
            )
        else:
            options = {"maxiter": self.steps, "ftol": self.gain, "gtol": 1e-9, "maxls": 10}
            ended = minimize(objective, share, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        # A line search that fails ends at the rounding of the objective, or at a kink: `polish` sees to both.
        searched = "ABNORMAL" in ended.message or "linesearch" in ended.message
        if self.chosen is None and not ended.success and not searched:
            self.messages.append(ended.message)
        return met


def settle(utility: ExpectedUtility, trace: Trace, error: np.ndarray) -> None:
    """Search on by values alone (COBYQA) around the best point.

    Expected utility of finitely many individuals has small kinks where the peak of one of them touches a threshold. The
    gradient is steep beside each, and an ascent ends at one; a quadratic model of the values looks past them. It ends
    where its reach is a twentieth of the Monte Carlo error of the optimum: (free,), NaN where that is not known.
    """
    regimen, limits = utility.regimen, trace.limits
    low, width = regimen.low, regimen.high - regimen.low
    best = best_of(trace)
    scale = max(abs(best.expected), 1e-300)
    known = (error / width)[np.isfinite(error) & (error > 0)]
    reach = float(np.clip(0.05 * known.min(initial=0.1), 1e-5, 0.1 * SETTLING))
    met: list[Evaluation] = []

    def at(share: np.ndarray) -> Evaluation:
        point = low + np.clip(share, 0.0, 1.0) * width
        if not met or not np.array_equal(met[-1].point, point):
            met.append(utility(point, gradient=len(utility.individuals) < MANY))
            trace.add("settling", met[-1])
        return met[-1]

    kept = [NonlinearConstraint(lambda share: limits.excess(at(share)), -np.inf, 0.0)]
    minimize(
        lambda share: -at(share).expected / scale,
        (best.point - low) / width,
        method="COBYQA",
        bounds=[(0.0, 1.0)] * low.size,
        constraints=kept if limits.constraints else (),
        options={
            "initial_tr_radius": SETTLING,
            "final_tr_radius": reach,
            "maxfev": MOST_SETTLING * low.size,
        },
    )


def best_of(trace: Trace) -> Evaluation:
    """Give the best evaluation so far."""
    if trace.best is not None:
        return trace.best
    if trace.closest is None:
        raise DecisionError("Nothing has been evaluated with all individuals yet.")
    where = ", ".join(f"{n} {v:.4g}" for n, v in zip(trace.names, trace.closest.point, strict=True))
    raise DecisionError(
        f"No dose between the bounds was found that keeps to every limit; the closest was {where}, with "
        f"{trace.limits.describe(trace.closest)}. Widen the bounds or relax a limit."
    )


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
    """Give points that cover the bounds evenly."""
    low, width = regimen.low, regimen.high - regimen.low
    n = 1 << int(np.ceil(np.log2(COARSE_BY_VARIABLE * low.size)))
    shares = qmc.Sobol(low.size, rng=np.random.default_rng(random_seed)).random(n)
    return low + shares * width


def apart(
    found: list[Evaluation], width: np.ndarray, n: int, merit: Callable[[Evaluation], float]
) -> list[Evaluation]:
    """Choose the n best evaluations of which none is within a twentieth of the bounds of a better one."""
    chosen: list[Evaluation] = []
    for candidate in sorted(found, key=merit, reverse=True):
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
        found_all = evaluate(points)
        if level == 0:
            trace.limits = trace.limits.sized(found_all[-1])
        for found in found_all:
            trace.add(f"grid {level + 1}", found)
        best = trace.best or trace.closest or found_all[0]
        reach = SHRINK * (high - low) if n < 4 else (high - low) / (n - 1)
        low = np.maximum(regimen.low, best.point - reach)
        high = np.minimum(regimen.high, best.point + reach)
