"""Inputs that go linearly from record to record: what solvers integrate in their place.

On the way from one record to the next an interpolated input is ``start + slope * (t - since)``. The three are constant
there, so that solvers take them as they take any parameter that changes with the record, and derivatives with respect
to the values at the records, and to the times of the records, are exact.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.systems.deliveries import steady_doses
from qsp_bayes.systems.parameter_table import Level, level_of
from qsp_bayes.systems.symbolic import SymbolicSystem

SINCE = "interpolated_since"


@dataclass(frozen=True, eq=False)
class Ramps:
    """A system whose rates and switches read ramps in the place of interpolated inputs.

    Attributes
    ----------
    symbolic : SymbolicSystem
        With `start`, `slope` and `since` among its inputs.
    start, slope : dict of str to str
        Names of these inputs, by interpolated input; only those that some rate or switch reads.
    since : str
    """

    symbolic: SymbolicSystem
    start: Mapping[str, str]
    slope: Mapping[str, str]
    since: str


@functools.lru_cache(maxsize=128)
def ramps(symbolic: SymbolicSystem) -> Ramps:
    """Put ramps in the place of the interpolated inputs of rates and switches; outputs keep the value at their record.

    Examples
    --------
    >>> from qsp_bayes.systems import Process, System
    >>> system = System(
    ...     {"A": "mg"}, {"k": "1/h"},
    ...     [Process("loss", {"A": -1}, lambda s: s.k * s.A), Process("gain", {"A": 1}, lambda s: s.E)],
    ...     inputs={"E": "mg/h"}, interpolated=["E"],
    ... )
    >>> list(ramps(system.symbolic()).symbolic.inputs)
    ['E', 'E_start', 'E_slope', 'interpolated_since']
    """
    switched = [graph for switch in symbolic.switches.values() for graph in switch.graphs]
    reached = set(ancestors([*symbolic.derivatives.values(), *switched]))
    moving = [name for name in symbolic.interpolated if symbolic.inputs[name] in reached]
    taken = {
        *symbolic.states, *symbolic.parameters, *symbolic.inputs, *symbolic.constants, *symbolic.switches
    }  # fmt: skip
    start = {name: unlike(taken, f"{name}_start") for name in moving}
    slope = {name: unlike(taken, f"{name}_slope") for name in moving}
    since = unlike(taken, SINCE)
    if not moving:
        return Ramps(symbolic, start, slope, since)
    more = {
        name: pt.dscalar(name) for names in zip(start.values(), slope.values(), strict=True) for name in names
    }
    more[since] = pt.dscalar(since)
    # Before the first record the input is constant.
    elapsed = pt.maximum(symbolic.time - more[since], pt.constant(0.0, dtype="float64"))
    lines = {symbolic.inputs[name]: more[start[name]] + more[slope[name]] * elapsed for name in moving}
    graphs = iter(clone_replace([*symbolic.derivatives.values(), *switched], lines, rebuild_strict=False))
    changed = dataclasses.replace(
        symbolic,
        derivatives={name: next(graphs) for name in symbolic.derivatives},
        inputs={**symbolic.inputs, **more},
        switches={name: switch.with_graphs(graphs) for name, switch in symbolic.switches.items()},
    )
    return Ramps(changed, start, slope, since)


def unlike(taken: set[str], name: str) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def with_ramps(
    symbolic: SymbolicSystem, events: Events, values: Mapping[str, Any], levels: Mapping[str, Level]
) -> tuple[SymbolicSystem, dict[str, Any], dict[str, Level]]:
    """Return the system that is solved, its values and their levels: those of ramps are added.

    Raises
    ------
    SolverError
        For values by occasion, and for a steady state (SS).
    """
    found = ramps(symbolic)
    more, more_levels = dict(values), dict(levels)
    if not found.start:
        return symbolic, more, more_levels
    if steady_doses(symbolic, events)[0]:
        raise SolverError(
            f"the data ask for a steady state (SS), and there is none while {', '.join(found.start)} changes in time. "
            "Give the doses that led to it one by one (ADDL, II), or take the input out of `interpolated`."
        )
    subject, time = pt.as_tensor_variable(events.subject), pt.as_tensor_variable(events.time)
    back = events.carry == "nocb"  # the row of a record holds on the way to it, otherwise from it on
    beside = neighbour(time, subject, back)
    apart = pt.abs(time - beside)
    more[found.since], more_levels[found.since] = beside if back else time, "record"
    for name in found.start:
        value = pt.as_tensor_variable(values[name], dtype="float64")
        level = level_of(name, value, levels)
        if level == "occasion":
            raise SolverError(
                f"input {name!r} is interpolated between records, and its values are given by occasion. Give them by "
                "record (`levels`), or take it out of `interpolated`: it then changes from one occasion to the next."
            )
        start, rise = value, pt.zeros_like(value)
        if level == "record":
            other = neighbour(value, subject, back)
            start, rise = (other, value - other) if back else (value, other - value)
            rise = pt.where(apart > 0.0, rise / pt.where(apart > 0.0, apart, 1.0), 0.0)
        for ramp, graph in ((found.start[name], start), (found.slope[name], rise)):
            more[ramp], more_levels[ramp] = graph, level
    return found.symbolic, more, more_levels


def neighbour(values: Variable, subject: Variable, before: bool) -> Variable:
    """Return the value of the record before, or after, within the subject; at its end the record's own."""
    same = pt.eq(subject[1:], subject[:-1])
    if before:
        return pt.concatenate([values[:1], pt.where(same, values[:-1], values[1:])])
    return pt.concatenate([pt.where(same, values[1:], values[:-1]), values[-1:]])
