"""Continuous choice of a dose: amount, interval, duration, start and loading dose of highest expected utility."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from rich.progress import Progress

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.metadata import versions
from qsp_bayes.calibration.simulation.plan import amount_unit
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.decision.choice.constraint import Constraint
from qsp_bayes.decision.choice.simulation_error import standard_error
from qsp_bayes.decision.continuous.curvature import Curvature, polish
from qsp_bayes.decision.continuous.dose_graph import DoseGraph
from qsp_bayes.decision.continuous.dose_optimum import DoseOptimum
from qsp_bayes.decision.continuous.dose_search import Trace, ascend, best_of, refine_grid
from qsp_bayes.decision.continuous.expected_utility import (
    Evaluation,
    ExpectedUtility,
    NoSlope,
    Tracing,
    Untraceable,
    trace,
)
from qsp_bayes.decision.continuous.free_dose import Between, FreeRegimen
from qsp_bayes.decision.continuous.individuals import Individuals
from qsp_bayes.decision.continuous.limits import Limits
from qsp_bayes.decision.continuous.simulated_utility import SimulatedUtility
from qsp_bayes.decision.utilities.unit_check import check_units
from qsp_bayes.decision.utilities.utility import Utility, as_utility
from qsp_bayes.errors import DecisionError

Method = Literal["auto", "gradient", "grid"]
METHODS = ("auto", "gradient", "grid")


def optimise_dose(
    calibration: Calibration,
    fit: xr.DataTree,
    regimen: Regimen,
    free: Mapping[str, Between],
    subjects: Subjects,
    utility_function: Utility | Callable[[Any], Any],
    *,
    constraints: Sequence[Constraint] = (),
    times: tuple[float, float] = (0.0, 72.0),
    draws: int = 200,
    method: Method = "auto",
    starts: int = 3,
    tolerance: float = 1e-6,
    random_seed: int = 0,
    progressbar: bool = True,
) -> DoseOptimum:
    r"""Find the dose of highest expected utility among all doses between bounds.

    .. math:: d^* = \operatorname{argmax}_{d} EU(d), \qquad
              EU(d) = \operatorname{mean}_s \operatorname{mean}_i u\bigl(x_{si}(\cdot\,; d)\bigr)

    The draws s of the population and the new individuals i are drawn once and are common to all doses, so that EU is a
    function without noise. One compiled function gives it with its exact gradient: the solved system is differentiated
    by the times, amounts and durations of the doses, the path between doses is a polynomial through values at
    Chebyshev nodes, and the utility is differentiated as it is written.

    Parameters
    ----------
    calibration : Calibration
    fit : DataTree
        From `Calibration.fit`.
    regimen : Regimen
        What is not free of it stays; what is free starts from it.
    free : mapping of str to Between
        Names of your own: ``{"dose": Between(50, 600, of="amount"), "interval": Between(4, 24, of="every")}``. Courses
        that are joined by ``+`` have numbers: ``"loading": Between(0, 800, of="amount", course=1)``.
    subjects : Subjects
        The new individuals' covariates.
    utility_function : Utility or callable
        As for `choose`: of ``x["Cc"]`` and the other outputs by the measures of exposure (`auc`, `cmax`, `trough`,
        `time_within`, ...), of covariates, ``x["n_doses"]`` and ``x["amount_given"]``, by arithmetic and NumPy's exp,
        log, sqrt, tanh.
    constraints : sequence of Constraint
        Limits that a dose must keep to: each on the mean over draws and individuals of a measure, such as
        ``Constraint(lambda x: smooth_indicator(cmax(x["Cc"]), 25, 1), below=0.1, name="toxicity")``. A comparison and a
        `certainty` have no derivatives and are for the grid.
    times : tuple of float
        Begin and end of the paths, in the unit of time of the system. Doses at the end or later have no effect and are
        not given: as the interval grows the number of doses falls, at kinks of EU.
    draws : int
        Posterior draws to use, taken evenly from all chains.
    method : {"auto", "gradient", "grid"}
        ``"gradient"`` refuses a utility without useful derivatives; ``"auto"`` then takes a grid that is refined around
        its best point, and says so.
    starts : int
        Ascents with all individuals, at most, from the best points that shorter ones with few individuals reach; one
        that is too far behind to win is left out.
    tolerance : float
        Error of the polynomial pieces relative to the path.
    random_seed : int
        The individuals are those of `Calibration.simulate` with this seed and as many draws.
    progressbar : bool

    Returns
    -------
    DoseOptimum

    Raises
    ------
    DecisionError
        If the regimen has not what is free; if the utility is not finite; for ``method="gradient"``, if the utility
        compares (``cmax(x["Cc"]) > 20``) or does what only arrays can; if no dose keeps to the constraints.
    UnitsError
        If a threshold is given in another unit than that of its path.
    CalibrationError
        If the fit is not of this calibration, or the parts do not fit together.

    Notes
    -----
    A comparison has the derivative zero wherever it has one, and would make any dose look like the best. Write
    ``smooth_indicator(value, threshold, width)``, a logistic step, in its place; `time_within` and its kin need none,
    because durations move smoothly with the dose.

    A value at a fixed time, such as ``trough(x["Cc"], 24)``, jumps where a bolus into what is observed passes that
    time; the ascents see only one side of such a jump, the coarse search both. With the interval free there are often
    several maxima: many short ascents precede the long ones, and `trace` shows what they met.

    The search ends with Newton's steps where expected utility is smooth. Where finitely many individuals give it kinks,
    it ends where it is within a twentieth of the optimum's own Monte Carlo error. A limit that binds holds to within
    1e-6 of its size. Results are the same, bit by bit, whatever the number of cores.

    Interrupting (Ctrl-C) gives the best so far, marked so.

    References
    ----------
    Byrd RH, Lu P, Nocedal J, Zhu C (1995). A limited memory algorithm for bound constrained optimization. SIAM Journal
    on Scientific Computing 16:1190-1208.

    Kraft D. A software package for sequential quadratic programming. DFVLR-FB 88-28, DLR, Köln, 1988.

    Trefethen LN. Approximation Theory and Approximation Practice. SIAM, 2013 (polynomials through Chebyshev nodes).

    Examples
    --------
    ::

        best = qb.optimise_dose(
            calibration, fit, qb.Regimen(200, unit="mg", every=12, until=72),
            free={"dose": qb.Between(50, 600, of="amount"), "interval": qb.Between(4, 24, of="every")},
            subjects=qb.new_subjects(study, 50, random_seed=1),
            utility_function=lambda x: qb.time_within(x["Cc"], 10, 20) - 0.5 * qb.time_above(x["Cc"], 20),
        )
        best.near(0.02)
        regimens = best.practical({"dose": 25, "interval": [6, 8, 12]})
        qb.choose(calibration.simulate(fit, regimens, subjects, times=range(73)), utility)
    """
    check_settings(times, method, starts, tolerance)
    measured = as_utility(utility_function)
    limited = tuple(limited_by(constraint) for constraint in constraints)
    free_regimen = FreeRegimen(regimen, free)
    require_names(constraints, free_regimen)
    span = (float(times[0]), float(times[1]))
    for function in (measured, *limited):
        check_units_of(function, calibration, subjects, regimen, span)
    individuals = Individuals.drawn(calibration, fit, regimen, subjects, span, draws, random_seed)
    if individuals.draws.size < 4:
        raise DecisionError(
            f"{individuals.draws.size} draws in each chain; at least 4 are needed to know the Monte Carlo error. "
            "Take more draws."
        )
    graph = DoseGraph(calibration, free_regimen, individuals.parameters, individuals.covariates, span)
    tracing, reason = traced(graph, measured, constraints, limited, method)
    expected = (
        None
        if tracing is None
        else ExpectedUtility.of(tracing, individuals, gradient=not reason, tolerance=tolerance)
    )
    record, message, finished = Trace(free_regimen.names), "", True
    record.limits = Limits(tuple(constraints), len(subjects))
    curvature = None
    with Progress(disable=not progressbar, transient=True) as progress:
        task = progress.add_task("compiling", total=None)
        record.tell = lambda words: progress.update(task, description=words)
        try:
            if expected is not None and not reason:
                try:
                    message = ascend(expected, record, starts, random_seed)
                    curvature = polish(expected, record)
                except NoSlope as error:
                    if method == "gradient":
                        raise
                    reason = str(error)
                    expected = ExpectedUtility.of(
                        expected.tracing, individuals, gradient=False, tolerance=tolerance
                    )
            if reason:
                evaluate = (
                    SimulatedUtility(
                        calibration, fit, free_regimen, subjects, measured, limited, span, draws, random_seed
                    )
                    if expected is None
                    else lambda points: [expected(point) for point in points]
                )
                record.limits = Limits(tuple(constraints), len(subjects), room=0.0)
                refine_grid(evaluate, free_regimen, record)
        except KeyboardInterrupt:
            if record.best is None:
                raise
            finished = False
        best = best_of(record)
        if expected is not None and not reason and curvature is None:
            progress.update(task, description="curvature")
            curvature = Curvature.at(expected, best, record.limits)
    by_gradient = not reason
    facts = {
        "versions": versions(),
        "random_seed": random_seed,
        "utility": measured.description,
        "regimen": str(regimen),
        "times": list(span),
        "draws": individuals.chains.size * individuals.draws.size,
        "n_subjects": len(subjects),
        "subjects": subjects.origin,
        "method": "gradient" if by_gradient else "grid",
        "reason": reason,
        "finished": finished,
        "message": message,
        "constraints": [constraint.facts() for constraint in constraints],
        "cautions": cautions(free_regimen, expected, best, span, tolerance),
    }
    data = describe(free_regimen, individuals, best, curvature, calibration.system.time_unit)
    data = data.assign(limits_reached(record.limits, individuals, best, curvature))
    return DoseOptimum(data.assign_attrs(qsp_bayes=json.dumps(facts)), free_regimen, record.table)


def check_settings(times: tuple[float, float], method: str, starts: int, tolerance: float) -> None:
    """Refuse settings that cannot be."""
    if len(times) != 2 or not 0 <= times[0] < times[1] < np.inf:
        raise DecisionError(
            f"times is {times}; give the begin and the end of the paths, two numbers from 0 upwards in order."
        )
    if method not in METHODS:
        raise DecisionError(f"method is {method!r}; it must be one of {', '.join(METHODS)}.")
    if starts < 1 or not 0 < tolerance < 0.01:
        raise DecisionError(
            f"starts is {starts} and tolerance {tolerance}; expected at least 1, and between 0 and 0.01."
        )


def limited_by(constraint: Constraint) -> Utility:
    """Give what a constraint limits the mean of."""
    function = constraint.function
    return function if isinstance(function, Utility) else Utility(function, constraint.name, constraint.unit)


def require_names(constraints: Sequence[Constraint], regimen: FreeRegimen) -> None:
    """Require a name of its own for each constraint."""
    names = [constraint.name for constraint in constraints]
    for position, name in enumerate(names):
        if name in names[:position] or name in regimen.names:
            raise DecisionError(
                f"optimise_dose: the name {name!r} is given twice. Give each constraint name=..."
            )


def check_units_of(
    function: Utility,
    calibration: Calibration,
    subjects: Subjects,
    regimen: Regimen,
    span: tuple[float, float],
) -> None:
    """Check thresholds and terms by evaluating a function with units in the place of numbers, as `choose` does."""
    system = calibration.system
    units = {name: output.unit for name, output in system.outputs.items()}
    path = ("chain", "draw", "regimen", "subject", "time")
    variables: dict[str, Any] = {
        name: (path, np.zeros((1, 1, 1, 1, 2)), {"units": unit}) for name, unit in units.items()
    }
    known = {**subjects.units, "n_doses": "1", "amount_given": amount_unit(calibration, regimen)}
    for name, unit in known.items():
        variables[name] = (path[2:4], np.zeros((1, 1)), {"units": unit})
    time = xr.DataArray(list(span), dims="time", attrs={"units": system.time_unit})
    check_units(function.function, xr.Dataset(variables, {"time": time}), system.time_unit, function.unit)


def traced(
    graph: DoseGraph,
    measured: Utility,
    constraints: Sequence[Constraint],
    limited: Sequence[Utility],
    method: str,
) -> tuple[Tracing | None, str]:
    """Trace a utility and what is limited; say why gradients are of no use where they are not, or what is untraceable.

    Raises
    ------
    DecisionError
        If gradients are insisted on and there are none.
    """
    instead, found = 'or choose method="grid"', []
    roles = ["utility", *("constraint" for _ in limited)]
    reasons = ['method="grid" was asked for'] if method == "grid" else []
    for role, function in zip(roles, (measured, *limited), strict=True):
        try:
            found.append(trace(graph, function))
        except Untraceable as error:
            reason = f"the {role} ({function.description}) can be evaluated with arrays only ({error})"
            if method == "gradient":
                raise DecisionError(
                    f"optimise_dose: {reason}. Write it with time_within, auc, cmax, trough and arithmetic, {instead}."
                ) from error
            return None, reason
        if found[-1].steps:
            reason = f"the {role} ({function.description}) compares: {', '.join(found[-1].steps)}"
            if method == "gradient":
                raise DecisionError(
                    f"optimise_dose: {reason}. A comparison has the derivative zero, which would make any dose look "
                    f"best. Use smooth_indicator(value, threshold, width) in its place, {instead}."
                )
            reasons.insert(0, reason)
    certain = [constraint.name for constraint in constraints if constraint.certainty is not None]
    if certain:
        reason = f"the certainty asked of {', '.join(certain)} is a share of the draws, which is not smooth"
        if method == "gradient":
            raise DecisionError(f"optimise_dose: {reason}. Limit the mean, without certainty=, {instead}.")
        reasons.append(reason)
    return replace(found[0], limited=tuple(found[1:])), "; ".join(reasons)


def limits_reached(
    limits: Limits, individuals: Individuals, best: Evaluation, curvature: Curvature | None
) -> dict[str, Any]:
    """Lay out the constraints at the optimum, by constraint."""
    if not limits.constraints:
        return {}
    names = [constraint.name for constraint in limits.constraints]
    price = np.full(len(names), np.nan)
    if curvature is not None:
        price[:] = 0.0
        binding = curvature.binding
        price[binding] = curvature.multipliers / limits.sizes[binding]
    binds = np.zeros(len(names), dtype=bool)
    binds[limits.binding(best)] = True
    values = {
        "constraint_value": best.means,
        "constraint_mcse": [float(standard_error(individuals.labelled(row))) for row in best.limited],
        "constraint_side": ["below" if c.below is not None else "above" for c in limits.constraints],
        "constraint_limit": [constraint.limit for constraint in limits.constraints],
        "constraint_binds": binds,
        "constraint_price": price,
    }
    return {
        "constraint": names,
        **{name: ("constraint", np.asarray(x)) for name, x in values.items()},
    }


def cautions(
    regimen: FreeRegimen,
    expected: ExpectedUtility | None,
    best: Evaluation,
    span: tuple[float, float],
    tolerance: float,
) -> list[str]:
    """Say in words what a user should know of how the optimum was found."""
    found = []
    moves = [name for name, bounds in regimen.free.items() if bounds.of in ("every", "start")]
    if expected is not None and expected.jumps and moves:
        found.append(
            f"The utility depends on {', '.join(expected.jumps)}, which jumps where a change of {', '.join(moves)} "
            "moves a dose past the end: the derivatives do not see the jumps."
        )
    ends = [
        course.until
        for number, course in enumerate(regimen.regimen.courses)
        if course.until is not None
        and course.until < span[1]
        and {regimen.position(of, number) for of in ("every", "start")} != {None}
    ]
    if ends:
        found.append(
            f"The regimen ends at {ends[0]:g}, before the paths do: where a dose passes that time expected "
            "utility jumps."
        )
    if best.error > 10 * tolerance:
        found.append(
            f"The pieces follow the path to about {best.error:.1g} of its size, short of the tolerance of "
            f"{tolerance:g}: the system has kinks of its own, or is solved less accurately."
        )
    return found


def describe(
    regimen: FreeRegimen,
    individuals: Individuals,
    best: Evaluation,
    curvature: Curvature | None,
    time_unit: str,
) -> xr.Dataset:
    """Lay out the optimum as a dataset."""
    values = individuals.labelled(best.utility)
    n = len(regimen.names)
    unknown = np.full(n, np.nan)
    at_bound = [
        "lower bound" if x <= low else "upper bound" if x >= high else "interior"
        for x, low, high in zip(best.point, regimen.low, regimen.high, strict=True)
    ]
    by_variable = {
        "value": best.point,
        "unit": [regimen.unit(name, time_unit) for name in regimen.names],
        "value_mcse": unknown if curvature is None else curvature.standard_error,
        "position": at_bound if curvature is None else list(curvature.position),
        "low": regimen.low,
        "high": regimen.high,
        "given": regimen.given,
        "slope": unknown if curvature is None else curvature.slope,
    }
    second = np.full((n, n), np.nan) if curvature is None else curvature.second
    return xr.Dataset(
        {
            "utility": values.mean("subject"),
            "expected_utility": values.mean(),
            "mcse": standard_error(values),
            **{name: ("variable", np.asarray(x)) for name, x in by_variable.items()},
            "curvature": (("variable", "other"), second),
        },
        {"variable": list(regimen.names), "other": list(regimen.names)},
    )
