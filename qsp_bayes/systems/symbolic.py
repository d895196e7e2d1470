"""The scalar PyTensor graphs of a system: what solvers, unit checks and printers read of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.ode.equations import Switching
from qsp_bayes.systems.release import Release, Released
from qsp_bayes.systems.scope import Scope
from qsp_bayes.systems.switch import DIRECTIONS, check_read

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


@dataclass(frozen=True)
class Delivery:
    """One route of a dose: the state it reaches, and the graphs that shape it (None where absent)."""

    state: str
    F: TensorVariable | None = None
    lag: TensorVariable | None = None
    rate: TensorVariable | None = None
    duration: TensorVariable | None = None

    def graphs(self) -> dict[str, TensorVariable]:
        """Return those of F, lag, rate and duration that are present."""
        shapes = {"F": self.F, "lag": self.lag, "rate": self.rate, "duration": self.duration}
        return {name: graph for name, graph in shapes.items() if graph is not None}


@dataclass(frozen=True, eq=False)
class SymbolicSystem:
    """Float64 0-d graphs of a system, functions of `time`, `states`, `parameters` and `inputs` only.

    Rates, and what follows from them, may depend on the sides of the switches as well.

    Attributes
    ----------
    time : TensorVariable
    states, parameters, inputs : dict of str to TensorVariable
        Root variables. `inputs` are those not bound to another system: they are fed by covariates.
    constants : dict of str to TensorConstant
        Fixed quantities, already substituted.
    rates : dict of str to TensorVariable
        Rate of each process.
    derivatives : dict of str to TensorVariable
        dx/dt of each state: stoichiometry times rates.
    expressions, outputs : dict of str to TensorVariable
    initial : dict of str to TensorVariable
        Value of each state at the start; 0 where none is given. Free of states and time.
    deliveries : dict of str to tuple of Delivery
        For each compartment that takes doses, its routes. Their graphs are free of states and time.
    accumulators : tuple of str
        States that appear in no rate.
    switches : dict of str to Switching
    interpolated : tuple of str
        Inputs that go linearly from record to record. Rates hold them as they are: see `interpolation`.
    releases : dict of str to Released
        By process. Rates hold a variable in their place: see `superposition`.
    """

    time: TensorVariable
    states: Mapping[str, TensorVariable]
    parameters: Mapping[str, TensorVariable]
    inputs: Mapping[str, TensorVariable]
    constants: Mapping[str, TensorVariable]
    rates: Mapping[str, TensorVariable]
    derivatives: Mapping[str, TensorVariable]
    expressions: Mapping[str, TensorVariable]
    outputs: Mapping[str, TensorVariable]
    initial: Mapping[str, TensorVariable]
    deliveries: Mapping[str, tuple[Delivery, ...]]
    accumulators: tuple[str, ...]
    switches: Mapping[str, Switching]
    interpolated: tuple[str, ...]
    releases: Mapping[str, Released]


@functools.lru_cache(maxsize=128)
def symbolic(system: System) -> SymbolicSystem:
    """Build the graphs of a system, once for each system.

    Raises
    ------
    MechanismError
        For an unknown name, an algebraic loop, an accumulator that drives a rate, or a switch without effect.
    """
    scope = Scope(system)
    rates = {
        p.name: scope.releases[p.name]
        if isinstance(p, Release)
        else scope.evaluate(p.rate, f"process {p.name!r}")
        for p in system.processes
    }
    derivatives = {name: pt.constant(0.0) for name in system.states}
    for name in system.states:
        terms = [(p.stoichiometry[name], rates[p.name]) for p in system.processes if name in p.stoichiometry]
        if terms:
            derivatives[name] = weighted_sum(terms)
    for name in system.expressions:
        scope.expression(name)
    for name, variable in scope.states.items():
        if name in system.accumulators and variable in set(ancestors(list(rates.values()))):
            driven = [process for process, rate in rates.items() if variable in set(ancestors([rate]))]
            raise MechanismError(
                f"accumulator {name!r} appears in the rate of {', '.join(driven)}. "
                "An accumulator drives nothing: take it out of the rate, or out of `accumulators`."
            )
    for name in system.outputs:
        same_name = scope.states.get(name, scope.expressions.get(name))
        if scope.output(name) is not (scope.output(name) if same_name is None else same_name):
            raise MechanismError(
                f"output {name!r} has the name of a state or an expression but is another quantity. "
                "Give it another name."
            )
        scope.refuse_sides(scope.output(name), f"output {name!r}")
    graphs = SymbolicSystem(
        time=scope.time,
        states=scope.states,
        parameters=scope.parameters,
        inputs=scope.inputs,
        constants=scope.constants,
        rates=rates,
        derivatives=derivatives,
        expressions={name: scope.expressions[name] for name in system.expressions},
        outputs={name: scope.outputs[name] for name in system.outputs},
        initial={
            name: scope.constant_in_time(system.initial.get(name, 0.0), f"initial value of {name!r}")
            for name in system.states
        },
        deliveries={
            compartment: tuple(
                Delivery(
                    route.state or compartment,
                    **{
                        field: scope.constant_in_time(quantity, f"{field} of doses into {compartment!r}")
                        for field, quantity in route.quantities().items()
                    },
                )
                for route in routes
            )
            for compartment, routes in system.doses.items()
        },
        accumulators=tuple(system.accumulators),
        switches={
            switch.name: Switching(
                scope.sides[switch.name],
                scope.without_sides(switch.when, f"condition of switch {switch.name!r}"),
                DIRECTIONS[switch.direction],
                {
                    name: scope.without_sides(value, f"change of {name!r} at switch {switch.name!r}")
                    for name, value in switch.change.items()
                },
            )
            for switch in system.switches
        },
        interpolated=tuple(system.interpolated),
        releases={
            p.name: Released(
                scope.releases[p.name],
                p.source,
                p.into,
                p.profile,
                tuple(
                    scope.constant_in_time(quantity, f"{name} of release {p.name!r}")
                    for name, quantity in p.profile.quantities().items()
                ),
            )
            for p in system.processes
            if isinstance(p, Release)
        },
    )
    check_read(graphs)
    return graphs


def weighted_sum(terms: list[tuple[Any, TensorVariable]]) -> TensorVariable:
    """Sum of coefficient times graph, without multiplications by one."""
    total = None
    for coefficient, graph in terms:
        size = abs(coefficient)
        term = graph if size == 1 else float(size) * graph
        if total is None:
            total = term if coefficient > 0 else -term
        else:
            total = total + term if coefficient > 0 else total - term
    return total
