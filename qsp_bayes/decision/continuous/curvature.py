"""Curvature of expected utility at its maximum: how flat it is, and how well the maximum is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

from qsp_bayes.decision.choice.simulation_error import standard_error
from qsp_bayes.decision.continuous.dose_search import Trace, best_of, settle
from qsp_bayes.decision.continuous.expected_utility import Evaluation, ExpectedUtility
from qsp_bayes.decision.continuous.limits import Limits
from qsp_bayes.errors import DecisionError

STEP = 0.01
LEAST_STEP = 1e-5
"""Steps of the differences, as shares of the bounds."""

STATIONARY = 1e-5
"""Where a Newton step is shorter than this share of the bounds, the gradient counts as zero."""

AT_BOUND = 1e-6
MOST_STEPS = 6
ROUNDING = 1e-12
"""Newton's steps at most, and the shortest that is worth taking, as a share of the bounds."""

SAME = 1e-7
"""Points closer than this share of the bounds have the same curvature."""


@dataclass(frozen=True)
class Curvature:
    """What surrounds a maximum.

    Attributes
    ----------
    point : (free,) array
    position : tuple of str
        Of each variable: ``"interior"``, ``"lower bound"``, ``"upper bound"``, or ``"kink"`` where the number of doses
        changes.
    slope : (free,) array
        Gradient of expected utility.
    second : (free, free) array
        Second derivatives; NaN where a variable is not interior.
    standard_error : (free,) array
        Of the maximum, from finitely many draws and individuals; 0 at a bound, NaN at a kink.
    step : (free,) array
        Newton's step from the point to the maximum; NaN where expected utility does not curve down.
    binding : (binding,) int array
        Constraints whose limits hold the maximum.
    multipliers : (binding,) array
        Expected utility gained for each unit of excess over these limits.
    """

    point: np.ndarray
    position: tuple[str, ...]
    slope: np.ndarray
    second: np.ndarray
    standard_error: np.ndarray
    step: np.ndarray
    binding: np.ndarray
    multipliers: np.ndarray
    system: np.ndarray

    @classmethod
    def at(cls, utility: ExpectedUtility, found: Evaluation, limits: Limits) -> Curvature:
        r"""Differentiate the gradient numerically, and carry the Monte Carlo error of the gradient to the maximum.

        With :math:`g_{si}` the gradient of individual i at draw s and H the second derivatives of expected utility,
        all at :math:`d^*`, the maximum over other draws and individuals differs by about
        :math:`-H^{-1} \operatorname{mean} g_{si}`: its error is that of the mean of :math:`-H^{-1} g_{si}`.

        Where limits bind, with excesses e, their gradients A and multipliers :math:`\lambda`, H and g are those of the
        Lagrangian :math:`EU - \lambda^\top e`, and the same goes for the solution of

        .. math:: \begin{pmatrix} H & -A^\top \ A & 0 \end{pmatrix} \begin{pmatrix} \delta \ \mu \end{pmatrix}
                  = -\begin{pmatrix} g \ e \end{pmatrix}.
        """
        regimen = utility.regimen
        if found.gradient is None:
            found = utility(found.point)
        width = regimen.high - regimen.low
        # At a bound, or close to it, the differences are centred within.
        room = STEP * width
        centre = np.clip(found.point, regimen.low + room, regimen.high - room)
        steps = [step_within(utility, found.point, centre[k], k) for k in range(width.size)]
        position = [
            place(found.point[k], regimen.low[k], regimen.high[k], step) for k, step in enumerate(steps)
        ]
        free = [k for k, name in enumerate(position) if name == "interior"]
        binding = limits.binding(found)
        A = limits.slopes(found)[np.ix_(binding, free)] if binding.size else np.empty((0, len(free)))
        multipliers = np.linalg.lstsq(A.T, found.slope[free])[0] if A.size else np.zeros(binding.size)
        # A limit that the utility pulls away from holds nothing, even where it is reached.
        kept = multipliers > 0
        binding, A = binding[kept], A[kept]
        multipliers = np.linalg.lstsq(A.T, found.slope[free])[0] if A.size else np.empty(0)
        weights = np.array([1.0, *-multipliers])
        second, of_lagrangian = (np.full((width.size, width.size), np.nan) for _ in range(2))
        for k in free:
            around = moved_to(found.point, k, centre[k])
            slopes = differences(utility, around, k, steps[k], limits, binding)
            second[np.ix_(free, [k])] = slopes[0, free, None]
            of_lagrangian[np.ix_(free, [k])] = (weights @ slopes)[free, None]
        for matrix in (second, of_lagrangian):
            matrix[np.ix_(free, free)] = 0.5 * (matrix + matrix.T)[np.ix_(free, free)]
        H = of_lagrangian[np.ix_(free, free)]
        system = np.block([[H, -A.T], [A, np.zeros((binding.size, binding.size))]])
        error = np.where([name == "kink" for name in position], np.nan, 0.0)
        step = np.zeros(width.size)
        if free:
            along = null_space(A) if binding.size else np.eye(len(free))
            solvable = binding.size <= len(free) and concave(along.T @ H @ along)
            step[free] = error[free] = np.nan
            if solvable:
                residuals = residuals_of(found, limits, free, binding, multipliers)
                moved = np.linalg.solve(system, -residuals)[: len(free)]
                step[free] = moved.mean(axis=1)
                error[free] = [float(standard_error(utility.individuals.labelled(row))) for row in moved]
        return cls(
            found.point, tuple(position), found.slope, second, error, step, binding, multipliers, system
        )

    @property
    def free(self) -> list[int]:
        """Variables that can move."""
        return [k for k, name in enumerate(self.position) if name == "interior"]

    def step_from(self, found: Evaluation, limits: Limits) -> np.ndarray:
        """Give Newton's step from a point near by, with the same second derivatives."""
        step = np.zeros(found.point.size)
        residuals = residuals_of(found, limits, self.free, self.binding, self.multipliers)
        step[self.free] = np.linalg.solve(self.system, -residuals.mean(axis=1))[: len(self.free)]
        return step


def residuals_of(
    found: Evaluation, limits: Limits, free: list[int], binding: np.ndarray, multipliers: np.ndarray
) -> np.ndarray:
    """Give what is zero at a maximum, by individual: gradient of the Lagrangian, and excess where a limit binds."""
    if found.gradient is None:
        raise DecisionError("A step along the curvature needs an evaluation with gradient.")
    slopes = found.gradient[:, free].T
    if not binding.size:
        return slopes
    assert found.limited_gradient is not None
    scale = (limits.signs / limits.sizes)[binding]
    each = scale[:, None, None] * found.limited_gradient[binding][:, :, free]
    asked = np.array([limits.constraints[k].limit for k in binding])
    excess = scale[:, None] * (found.limited[binding] - asked[:, None])
    return np.vstack([slopes - np.einsum("k,kif->fi", multipliers, each), excess])


def polish(utility: ExpectedUtility, trace: Trace) -> Curvature:
    """Take Newton's steps from the best point, and search on by values where they do not end at a gradient of zero.

    Returns
    -------
    Curvature
        Around the best point.
    """
    regimen, limits = utility.regimen, trace.limits
    width = regimen.high - regimen.low
    around = Curvature.at(utility, best_of(trace), limits)
    if not around.free:
        return around
    step, last, found = around.step, np.inf, best_of(trace)
    for _ in range(MOST_STEPS):
        length = np.abs(step / width).max()
        # The steps of a smooth function become shorter by far; beside a kink they do not.
        if not length < 0.3 * last or length < ROUNDING:
            break
        point = found.point + step
        if (point < regimen.low).any() or (point > regimen.high).any():
            break
        found, last = utility(point), length
        trace.add("Newton's step", found)
        step = around.step_from(found, limits)
    best = best_of(trace)
    smooth = np.isfinite(last) and np.abs(step / width).max() < STATIONARY
    if not smooth:
        settle(utility, trace, around.standard_error)
        best = best_of(trace)
    if np.abs((best.point - around.point) / width).max() < SAME:
        return around
    return Curvature.at(utility, best, limits)


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


def differences(
    utility: ExpectedUtility, point: np.ndarray, k: int, step: float, limits: Limits, binding: np.ndarray
) -> np.ndarray:
    """Differentiate gradients by one variable, by central differences of two steps (Richardson).

    The first row is of expected utility, the others of the excesses over limits that bind.
    """

    def slope(by: float) -> np.ndarray:
        found = utility(moved_to(point, k, point[k] + by))
        return np.vstack([found.slope, limits.slopes(found)[binding]])

    def central(h: float) -> np.ndarray:
        return (slope(h) - slope(-h)) / (2 * h)

    return (4 * central(0.5 * step) - central(step)) / 3
