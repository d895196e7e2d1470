"""Curvature of expected utility at its maximum: how flat it is, and how well the maximum is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qsp_bayes.decision.choice.simulation_error import standard_error
from qsp_bayes.decision.continuous.dose_search import Trace, best_of, settle
from qsp_bayes.decision.continuous.expected_utility import Evaluation, ExpectedUtility

STEP = 0.01
LEAST_STEP = 1e-5
"""Steps of the differences, as shares of the bounds."""

STATIONARY = 1e-5
"""Where a Newton step is shorter than this share of the bounds, the gradient counts as zero."""

AT_BOUND = 1e-6


@dataclass(frozen=True)
class Curvature:
    """What surrounds a maximum.

    Attributes
    ----------
    position : tuple of str
        Of each variable: ``"interior"``, ``"lower bound"``, ``"upper bound"``, or ``"kink"`` where the number of doses
        changes.
    slope : (free,) array
        Gradient of expected utility.
    second : (free, free) array
        Second derivatives; NaN where a variable is not interior.
    standard_error : (free,) array
        Of the maximum, from finitely many draws and individuals; 0 at a bound, NaN at a kink.
    """

    position: tuple[str, ...]
    slope: np.ndarray
    second: np.ndarray
    standard_error: np.ndarray

    @classmethod
    def at(cls, utility: ExpectedUtility, found: Evaluation) -> Curvature:
        r"""Differentiate the gradient numerically, and carry the Monte Carlo error of the gradient to the maximum.

        With :math:`g_{si}` the gradient of individual i at draw s and H the second derivatives of expected utility,
        all at :math:`d^*`, the maximum over other draws and individuals differs by about
        :math:`-H^{-1} \operatorname{mean} g_{si}`: its error is that of the mean of :math:`-H^{-1} g_{si}`.
        """
        regimen = utility.regimen
        width = regimen.high - regimen.low
        # At a bound, or close to it, the differences are centred within.
        room = STEP * width
        centre = np.clip(found.point, regimen.low + room, regimen.high - room)
        steps = [step_within(utility, found.point, centre[k], k) for k in range(width.size)]
        position = [
            place(found.point[k], regimen.low[k], regimen.high[k], step) for k, step in enumerate(steps)
        ]
        free = [k for k, name in enumerate(position) if name == "interior"]
        second = np.full((width.size, width.size), np.nan)
        for k in free:
            around = moved_to(found.point, k, centre[k])
            second[np.ix_(free, [k])] = differences(utility, around, k, steps[k])[free, None]
        second[np.ix_(free, free)] = 0.5 * (second + second.T)[np.ix_(free, free)]
        error = np.where([name == "kink" for name in position], np.nan, 0.0)
        H = second[np.ix_(free, free)]
        if free and found.gradient is not None:
            if concave(H):
                moved = -np.linalg.solve(H, found.gradient[:, free].T)
                error[free] = [float(standard_error(utility.individuals.labelled(row))) for row in moved]
            else:
                error[free] = np.nan
        return cls(tuple(position), found.slope, second, error)


def polish(utility: ExpectedUtility, trace: Trace) -> None:
    """Take Newton's step from the best point, and search on by values where that does not end at a gradient of zero."""
    regimen, best = utility.regimen, best_of(trace)
    around = Curvature.at(utility, best)
    free = [k for k, name in enumerate(around.position) if name == "interior"]
    H = around.second[np.ix_(free, free)]
    if free and concave(H):
        point = best.point.copy()
        point[free] -= np.linalg.solve(H, around.slope[free])
        if (point >= regimen.low).all() and (point <= regimen.high).all():
            found = utility(point)
            trace.add("Newton's step", found)
            left = np.linalg.solve(H, found.slope[free]) / (regimen.high - regimen.low)[free]
            if found.expected >= best.expected and np.abs(left).max() < STATIONARY:
                return
    if free:
        settle(utility, trace)


def concave(second: np.ndarray) -> bool:
    """Tell whether all curvatures are negative."""
    return bool(np.isfinite(second).all() and (np.linalg.eigvalsh(second) < 0).all())


def step_within(utility: ExpectedUtility, point: np.ndarray, centre: float, k: int) -> float:
    """Give a step around a value of one variable that keeps the doses that there are; 0 if there is none."""
    regimen, end = utility.regimen, utility.graph.span[1]
    width = regimen.high[k] - regimen.low[k]
    step, here = STEP * width, regimen.layout(point, end).key
    while step >= LEAST_STEP * width:
        if all(regimen.layout(moved_to(point, k, centre + sign * step), end).key == here for sign in (-1, 1)):
            return step
        step *= 0.5
    return 0.0


def place(value: float, low: float, high: float, step: float) -> str:
    """Say where a value is between its bounds."""
    if value - low <= AT_BOUND * (high - low):
        return "lower bound"
    if high - value <= AT_BOUND * (high - low):
        return "upper bound"
    return "interior" if step > 0 else "kink"


def moved_to(point: np.ndarray, k: int, value: float) -> np.ndarray:
    """Set one coordinate."""
    moved = point.copy()
    moved[k] = value
    return moved


def differences(utility: ExpectedUtility, point: np.ndarray, k: int, step: float) -> np.ndarray:
    """Differentiate the gradient by one variable, by central differences of two steps (Richardson)."""

    def slope(by: float) -> np.ndarray:
        return utility(moved_to(point, k, point[k] + by)).slope

    def central(h: float) -> np.ndarray:
        return (slope(h) - slope(-h)) / (2 * h)

    return (4 * central(0.5 * step) - central(step)) / 3
