"""DoseGraph: the paths of a batch of individuals as one graph of the free quantities of a regimen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr
from pytensor.graph.basic import Variable

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.events import Events
from qsp_bayes.decision.continuous.chebyshev import NODES
from qsp_bayes.decision.continuous.dense_path import DensePath, pieces_of
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.errors import DecisionError
from qsp_bayes.ode.take import Take
from qsp_bayes.systems.solution import Path, evaluate

NOWHERE = -1


class DoseGraph:
    """Inputs and paths of a batch of individuals.

    The times of doses and ends of infusions, moved by the lag of each individual, cut the span into segments; segments
    are cut further into pieces, each observed at the nodes of `chebyshev`. Everything moves with the free quantities
    and is differentiated by them. Which doses there are, and how segments are cut, are inputs beside.

    Parameters
    ----------
    calibration : Calibration
    regimen : FreeRegimen
    parameters, covariates : iterable of str
        Names of what is known of individuals.
    span : tuple of float
        Begin and end of the paths.

    Attributes
    ----------
    free : variable
        (individual, free quantity): a row for each individual, whose derivatives are therefore apart.
    parameters, covariates : dict of str to variable
        (individual,).
    of_course, step, steady : variable
        (course, dose): 1 where a dose belongs to the course; its number in the course; 1 where it sets a steady state.
    steady_state : variable
        (dose,) int, as in a record. Doses that set a steady state come first.
    broken : variable
        (dose, break): 1 for the dose of which a break is the begin or the end.
    offset : variable
        (offset, break): 1 for how much later it is; see `offsets`.
    segment, share : variable
        (segment, piece): 1 for the segment that a piece belongs to; the share of the segment that lies before it.
    """

    def __init__(
        self,
        calibration: Calibration,
        regimen: FreeRegimen,
        parameters: Iterable[str],
        covariates: Iterable[str],
        span: tuple[float, float],
    ) -> None:
        self.calibration, self.regimen, self.span = calibration, regimen, span
        self.free = pt.dmatrix("free")
        self.parameters = {name: pt.dvector(name) for name in parameters}
        self.covariates = {name: pt.dvector(name) for name in covariates}
        self.of_course, self.step, self.steady = (pt.dmatrix(n) for n in ("of_course", "step", "steady"))
        self.steady_state = pt.lvector("steady_state")
        self.broken, self.offset = pt.dmatrix("broken"), pt.dmatrix("offset")
        self.segment, self.share = pt.dmatrix("segment"), pt.dmatrix("share")

    @property
    def by_individual(self) -> list[Variable]:
        """Inputs with a row for each individual."""
        return [self.free, *self.parameters.values(), *self.covariates.values()]

    @property
    def by_layout(self) -> list[Variable]:
        """Inputs that say which doses there are, and how segments are cut."""
        return [
            self.of_course,
            self.step,
            self.steady,
            self.steady_state,
            self.broken,
            self.offset,
            self.segment,
            self.share,
        ]

    @property
    def n_individuals(self) -> Variable:
        """Size of the batch."""
        return self.free.shape[0]

    def by_course(self, quantity: str) -> Variable:
        """Give a quantity of each course, (individual, course); 0 where a course has none."""
        columns = []
        for number, course in enumerate(self.regimen.regimen.courses):
            position = self.regimen.position(quantity, number)
            value = getattr(course, quantity) or 0.0
            column = pt.alloc(value, self.n_individuals) if position is None else self.free[:, position]
            if quantity == "amount" and course.per is not None:
                column = column * self.covariates[course.per]
            columns.append(column)
        return pt.stack(columns, axis=1)

    @cached_property
    def amounts(self) -> Variable:
        """Amounts, (individual, dose)."""
        return self.by_course("amount") @ self.of_course

    @cached_property
    def dose_times(self) -> Variable:
        """Times as they are recorded, (individual, dose)."""
        return self.by_course("start") @ self.of_course + self.by_course("every") @ self.step

    @property
    def n_doses(self) -> Variable:
        """Number of doses from the begin to the end that are not of amount 0, (individual,)."""
        return pt.sum(pt.cast((self.dose_times >= self.span[0]) & (self.amounts > 0), "float64"), axis=1)

    @property
    def amount_given(self) -> Variable:
        """Amount of all doses from the begin to the end, (individual,)."""
        return pt.sum(self.amounts * (self.dose_times >= self.span[0]), axis=1)

    @cached_property
    def offsets(self) -> dict[tuple[int, int, str], Variable | None]:
        """How much later than recorded a dose of a course begins and ends on a route; None where it is not later.

        The keys are course, route, and "begin" or "end"; boluses have no end.
        """
        system = self.calibration.system
        symbolic = system.symbolic()
        inputs = {name: self.covariates[name] for name in system.inputs}
        values = {**{name: self.parameters[name] for name in system.parameters}, **inputs}
        found: dict[tuple[int, int, str], Variable | None] = {}
        amounts, rates, durations = (self.by_course(name) for name in ("amount", "rate", "duration"))

        def of(graph: Variable | None) -> Variable | None:
            return None if graph is None else evaluate(graph, symbolic, values)

        for c, course in enumerate(self.regimen.regimen.courses):
            for r, route in enumerate(symbolic.deliveries[course.into]):
                lag, F, rate, lasts = of(route.lag), of(route.F), of(route.rate), of(route.duration)
                if course.rate is not None:
                    rate, lasts = rates[:, c], None
                elif course.duration is not None:
                    rate, lasts = None, durations[:, c]
                if rate is not None:
                    lasts = amounts[:, c] * (1.0 if F is None else F) / rate
                found[c, r, "begin"] = lag
                if lasts is not None:
                    found[c, r, "end"] = lasts if lag is None else lag + lasts
        return found

    @cached_property
    def edges(self) -> Variable:
        """Ends of the pieces, (individual, piece + 1)."""
        n = self.n_individuals
        later = [pt.zeros(n) if offset is None else pt.alloc(offset, n) for offset in self.offsets.values()]
        begin, end = self.span
        breaks = self.dose_times @ self.broken + pt.stack(later, axis=1) @ self.offset
        breaks = pt.clip(breaks, begin, end)
        # Infusions of different length end in any order, and lags differ between individuals.
        order = pt.argsort(breaks, axis=1, kind="mergesort")
        breaks = Take()(breaks.ravel(), flat_index(order)).reshape(breaks.shape)
        first, last = pt.alloc(begin, n, 1), pt.alloc(end, n, 1)
        starts = pt.concatenate([first, breaks], axis=1)
        lengths = pt.concatenate([breaks, last], axis=1) - starts
        return pt.concatenate([starts @ self.segment + lengths @ self.share, last], axis=1)

    @cached_property
    def solution(self) -> tuple[Path, Variable]:
        """The solved system, observed at the start and at all nodes, and the number of these by individual."""
        n, edges = self.n_individuals, self.edges
        lengths = edges[:, 1:] - edges[:, :-1]
        nodes = (edges[:, :-1, None] + lengths[:, :, None] * (0.5 * (NODES + 1))).reshape((n, -1))
        first, n_nodes = pt.sum(self.steady_state > 0), nodes.shape[1]

        def records(doses: Variable, start: Any, observed: Any) -> Variable:
            """Put the start after doses that set a steady state and before others; nodes lie between doses."""
            return pt.concatenate([doses[:, :first], start, doses[:, first:], observed], axis=1)

        def of_doses(by_course: Variable, of_course: Variable) -> Variable:
            return records(by_course @ of_course, pt.zeros((n, 1)), pt.zeros((n, n_nodes)))

        def of_any(doses: Any, observed: int) -> Variable:
            """Give whole numbers, the same for all individuals, by record."""
            row = pt.concatenate([doses[:first], [observed], doses[first:], pt.full((n_nodes,), observed)])
            return pt.cast(row, "int64")[order].ravel()

        times = records(self.dose_times, pt.alloc(self.span[0], n, 1), nodes)
        order = pt.argsort(times, axis=1, kind="mergesort")
        index = flat_index(order)
        subject = pt.repeat(pt.arange(n), times.shape[1])
        doses = pt.ones_like(self.steady_state)
        whole = pt.zeros_like(subject)
        system = self.calibration.system
        compartments = tuple(dict.fromkeys((*self.regimen.regimen.compartments,)))
        codes = np.array([compartments.index(c.into) for c in self.regimen.regimen.courses])
        into = pt.cast(codes.astype(float) @ self.of_course, "int64")
        placed = pt.argsort(order, axis=1)  # where each record went
        observed = pt.concatenate([placed[:, first : first + 1], placed[:, -n_nodes:]], axis=1)
        rows = flat_position(observed, times.shape[1])
        flat = {
            name: Take()(values.ravel(), index)
            for name, values in {
                "time": times,
                "amount": of_doses(self.by_course("amount"), self.of_course),
                "rate": of_doses(self.by_course("rate"), self.of_course),
                "duration": of_doses(self.by_course("duration"), self.of_course),
                "interval": of_doses(self.by_course("every"), self.steady),
            }.items()
        }
        events = Events(
            subjects=(),
            compartments=compartments,
            outputs=tuple(system.outputs),
            subject=subject,
            evid=of_any(doses, 0),
            compartment=of_any(into, NOWHERE),
            additional=whole,
            steady_state=of_any(self.steady_state, 0),
            occasion=subject,
            output=whole,
            occasion_subject=pt.arange(n),
            rows=dict.fromkeys(system.outputs, rows),
            DV={},
            covariates={name: Take()(values, subject) for name, values in self.covariates.items()},
            **flat,
        )
        constant = [name for name in system.inputs if name not in system.interpolated]
        path = system.solve(
            events,
            {name: self.parameters[name] for name in system.parameters},
            covariates={name: self.covariates[name] for name in constant},
            solver=self.calibration.solver,
        )
        return path, n_nodes + 1

    def path(self, output: str) -> DensePath:
        """Give the path of an output."""
        path, n_observed = self.solution
        values = path[output].reshape((self.n_individuals, n_observed))
        return DensePath(
            pieces_of(values[:, 1:], self.n_individuals),
            self.edges,
            values[:, 0],
            self.span,
            output,
            self.calibration.system.outputs[output].unit,
        )


@dataclass(eq=False)
class Traced:
    """What a utility sees in place of simulated numbers: paths, covariates and doses as variables of a graph.

    Attributes
    ----------
    graph : DoseGraph
    paths : dict of str to DensePath
        Those that were asked for.
    counted : dict of str to variable
        Those that were asked for and jump where a dose passes the end of the simulated time.
    """

    graph: DoseGraph
    paths: dict[str, DensePath] = field(default_factory=dict)
    counted: dict[str, Variable] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name in self.paths:
            return self.paths[name]
        if name in self.graph.calibration.system.outputs:
            self.paths[name] = self.graph.path(name)
            return self.paths[name]
        if name in ("n_doses", "amount_given"):
            return self.counted.setdefault(name, getattr(self.graph, name))
        if name in self.graph.covariates:
            return self.graph.covariates[name]
        if name == "time":
            # Begin and end, which is all of a grid that measures of doses ask for.
            unit = {"units": self.graph.calibration.system.time_unit}
            return xr.DataArray(list(self.graph.span), dims="time", attrs=unit)
        known = (*self.graph.calibration.system.outputs, "n_doses", "amount_given", *self.graph.covariates)
        raise DecisionError(f"The utility asks for {name!r}; there is {', '.join(known)}.")

    def __contains__(self, name: str) -> bool:
        return (
            name in ("n_doses", "amount_given", "time")
            or name in self.graph.calibration.system.outputs
            or name in self.graph.covariates
        )


def flat_index(columns: Variable) -> Variable:
    """Give positions within rows as positions in the flattened matrix."""
    return flat_position(columns, columns.shape[1])


def flat_position(columns: Variable, n_columns: Variable) -> Variable:
    """Give positions within rows of a matrix with so many columns as positions in that matrix, flattened."""
    return (columns + n_columns * pt.arange(columns.shape[0])[:, None]).ravel()
