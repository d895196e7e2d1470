"""New systems out of old ones: join, rename, fix, define, exchange a process, accumulate."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from pytensor.graph.traversal import ancestors

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Constant, DoseInto, Output, Process
from qsp_bayes.systems.dimensions import Dimensions, units_of
from qsp_bayes.systems.release import Release
from qsp_bayes.systems.scope import Quantities, Scope, unknown_name
from qsp_bayes.systems.symbolic import symbolic
from qsp_bayes.units import parse_unit, require_same_unit

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

RENAME = "Rename one of them with `rename`."


def join(first: System, second: System) -> System:
    """Join two systems: bind the inputs of each to what the other offers, and unite the rest."""
    require_same_unit(second.time_unit, first.time_unit, f"time of {second.name!r} against {first.name!r}")
    shared = dict.fromkeys([*first.shared, *second.shared])
    share = dict.fromkeys([*first.share, *second.share])

    def united(kind: str, advice: str, common: Collection[str] = ()) -> dict[str, Any]:
        """Unite the named things of one kind; only those in `common` may stand in both."""
        a, b = by_name(first, kind), by_name(second, kind)
        for name in (name for name in a if name in b):
            if name not in common:
                raise MechanismError(
                    f"{first.name!r} and {second.name!r} both have {name!r} among their {kind}. {advice}"
                )
            require_same_unit(b[name], a[name], f"{name!r} of {second.name!r} against {first.name!r}")
        return a | b

    for one, other in ((first, second), (second, first)):
        for state in one.closed:
            if state in other.shared:
                raise MechanismError(
                    f"{other.name!r} adds processes to {state!r}, of a pool of {one.name!r} whose total `reduce` has "
                    "fixed. Add the systems before `reduce`."
                )
    inputs = unbound_inputs(first, second) | unbound_inputs(second, first)
    for name in inputs:
        if name in first.inputs and name in second.inputs:
            require_same_course(name, first, second)

    parameters = united(
        "parameters", "List it in `share` if it is one quantity, or rename one of them.", share
    )
    return dataclasses.replace(
        first,
        name=f"{first.name} + {second.name}",
        states=united("states", "List it in `shared` of the system that only adds processes to it.", shared),
        parameters=parameters,
        processes=tuple(united("processes", RENAME).values()),
        switches=tuple(united("switches", RENAME).values()),
        expressions=united("expressions", RENAME),
        outputs=united("outputs", RENAME),
        doses=united("doses", RENAME),
        initial=united("initial", "Only the owner of a shared state says how it starts."),
        inputs=inputs,
        interpolated=tuple(name for name in inputs if name in {*first.interpolated, *second.interpolated}),
        constants=united("constants", RENAME),
        accumulators=tuple(dict.fromkeys([*first.accumulators, *second.accumulators])),
        shared=tuple(name for name in shared if not owns(first, name) and not owns(second, name)),
        share=tuple(share),
        closed=(*first.closed, *second.closed),
        scales={**second.scales, **first.scales},
    )


def require_same_course(name: str, first: System, second: System) -> None:
    """Refuse an input that only one of two systems interpolates."""
    for one, other in ((first, second), (second, first)):
        if name in one.interpolated and name not in other.interpolated:
            raise MechanismError(
                f"{one.name!r} interpolates its input {name!r} between records and {other.name!r} does not. "
                "List it in `interpolated` of both or of neither, or rename one of them."
            )


def by_name(system: System, kind: str) -> dict[str, Any]:
    """Return the things of one kind by name."""
    things = getattr(system, kind)
    return {thing.name: thing for thing in things} if kind in ("processes", "switches") else dict(things)


def owns(system: System, state: str) -> bool:
    """Say whether a state is the system's own."""
    return state in system.states and state not in system.shared


def unbound_inputs(system: System, other: System) -> dict[str, str]:
    """Return the inputs that the other system does not offer, checking the units of those it does."""
    offered = {*other.outputs, *other.expressions, *other.states}
    for name, unit in system.inputs.items():
        if name in offered or name in other.inputs:
            require_same_unit(
                units_of(other)[name], unit, f"input {name!r} of {system.name!r}, from {other.name!r}"
            )
    return {name: unit for name, unit in system.inputs.items() if name not in offered}


def rename(system: System, new_names: Mapping[str, str]) -> System:
    """Give other names to anything that has one: states, parameters, outputs, compartments, processes, switches."""
    kinds = (
        "states",
        "parameters",
        "expressions",
        "inputs",
        "constants",
        "outputs",
        "doses",
        "processes",
        "switches",
    )
    known = {kind: list(by_name(system, kind)) for kind in kinds}
    for name in new_names:
        if not any(name in names for names in known.values()):
            raise unknown_name(name, known, f"rename of {system.name!r}")

    def new(name: str) -> str:
        return new_names.get(name, name)

    def keys(mapping: Mapping[str, Any]) -> dict[str, Any]:
        renamed = {new(name): value for name, value in mapping.items()}
        if len(renamed) < len(mapping):
            raise MechanismError(
                f"rename of {system.name!r}: two of {', '.join(mapping)} would get one name."
            )
        return renamed

    def translated(quantity: Any) -> Any:
        """Let a function written with the old names read the new ones."""
        if not callable(quantity):
            return quantity
        return lambda s: quantity(Quantities(lambda name: s[new(name)]))

    def process(old: Process) -> Process:
        if isinstance(old, Release):
            return Release(new(old.name), new(old.source), new(old.into), old.profile.translated(translated))
        return Process(new(old.name), keys(old.stoichiometry), translated(old.rate))

    def route(dose: DoseInto) -> DoseInto:
        shapes = {name: translated(quantity) for name, quantity in dose.quantities().items()}
        return DoseInto(new(str(dose.state)), **shapes)

    return dataclasses.replace(
        system,
        states=keys(system.states),
        parameters=keys(system.parameters),
        processes=tuple(map(process, system.processes)),
        switches=tuple(
            dataclasses.replace(
                switch,
                name=new(switch.name),
                when=translated(switch.when),
                change={name: translated(value) for name, value in keys(switch.change).items()},
            )
            for switch in system.switches
        ),
        outputs={
            name: Output(output.unit, translated(output.value))
            for name, output in keys(system.outputs).items()
        },
        doses={name: tuple(map(route, routes)) for name, routes in keys(system.doses).items()},
        expressions={name: translated(quantity) for name, quantity in keys(system.expressions).items()},
        accumulators=tuple(map(new, system.accumulators)),
        initial={name: translated(quantity) for name, quantity in keys(system.initial).items()},
        inputs=keys(system.inputs),
        interpolated=tuple(map(new, system.interpolated)),
        constants=keys(system.constants),
        shared=tuple(map(new, system.shared)),
        share=tuple(map(new, system.share)),
        closed=tuple(map(new, system.closed)),
        scales=keys(system.scales),
    )


def fix(system: System, values: Mapping[str, float]) -> System:
    """Turn parameters into constants of the same unit."""
    require_parameters(system, values, "fix")
    constants = {name: Constant(float(value), system.parameters[name]) for name, value in values.items()}
    return without_parameters(system, values, constants={**system.constants, **constants})


def define(
    system: System, expressions: Mapping[str, Callable[[Any], Any]], parameters: Mapping[str, str]
) -> System:
    """Turn parameters into expressions of the same unit."""
    require_parameters(system, expressions, "define")
    enlarged = dataclasses.replace(system, parameters={**system.parameters, **parameters})
    scope = Scope(enlarged)
    dimensions = Dimensions(enlarged, scope)
    for name, quantity in expressions.items():
        where = f"definition of {name!r}"
        dimensions.require(scope.evaluate(quantity, where), parse_unit(system.parameters[name]), where)
    return without_parameters(enlarged, expressions, expressions={**system.expressions, **expressions})


def measure(system: System, names: Collection[str]) -> System:
    """Turn parameters into inputs of the same unit, which covariates of the same name give."""
    require_parameters(system, names, "measure")
    inputs = {**system.inputs, **{name: system.parameters[name] for name in names}}
    return without_parameters(system, names, inputs=inputs)


def require_parameters(system: System, names: Collection[str], action: str) -> None:
    """Raise unless all names are parameters."""
    for name in names:
        if name not in system.parameters:
            raise unknown_name(name, {"parameters": system.parameters}, f"{action} in {system.name!r}")


def without_parameters(system: System, names: Collection[str], **changes: Any) -> System:
    """Take parameters away, together with what replaces them."""
    kept = {name: unit for name, unit in system.parameters.items() if name not in names}
    scales = {name: scale for name, scale in system.scales.items() if name in kept}
    share = tuple(name for name in system.share if name not in names)
    return dataclasses.replace(system, parameters=kept, scales=scales, share=share, **changes)


def exchange(system: System, processes: Collection[Process], parameters: Mapping[str, str]) -> System:
    """Exchange processes for others of the same name, and drop the parameters that only the old ones used."""
    known = by_name(system, "processes")
    for process in processes:
        if process.name not in known:
            raise unknown_name(process.name, {"processes": known}, f"replace in {system.name!r}")
        old = known[process.name].stoichiometry
        for state in system.closed:
            if process.stoichiometry.get(state, 0) != old.get(state, 0):
                raise MechanismError(
                    f"replace in {system.name!r}: process {process.name!r} would change {state!r} otherwise, of a pool "
                    "whose total `reduce` has fixed. Replace it before `reduce`."
                )
    exchanged = known | {process.name: process for process in processes}
    changed = dataclasses.replace(
        system, processes=tuple(exchanged.values()), parameters={**system.parameters, **parameters}
    )
    idle = used_parameters(system) - used_parameters(changed)
    return without_parameters(changed, idle) if idle else changed


def used_parameters(system: System) -> set[str]:
    """Return the parameters that appear in any equation."""
    graphs = symbolic(system)
    below = set(
        ancestors(
            [
                *graphs.rates.values(),
                *graphs.expressions.values(),
                *graphs.outputs.values(),
                *graphs.initial.values(),
                *(graph for switch in graphs.switches.values() for graph in switch.graphs),
                *(graph for release in graphs.releases.values() for graph in release.quantities),
                *(
                    graph
                    for routes in graphs.deliveries.values()
                    for route in routes
                    for graph in route.graphs().values()
                ),
            ]
        )
    )
    return {name for name, variable in graphs.parameters.items() if variable in below}


def accumulate(system: System, totals: Mapping[str, str]) -> System:
    """Add accumulators that are the integral of a named quantity over time."""
    units = units_of(system)
    states, processes, outputs = dict(system.states), list(system.processes), dict(system.outputs)
    for total, source in totals.items():
        if source not in units:
            raise unknown_name(source, system.names(), f"accumulate in {system.name!r}")
        states[total] = f"{units[source] or '1'}*{system.time_unit}"
        processes.append(Process(f"integral of {source}", {total: 1}, operator.itemgetter(source)))
        outputs[total] = Output(states[total], operator.itemgetter(total))
    return dataclasses.replace(
        system,
        states=states,
        processes=tuple(processes),
        outputs=outputs,
        accumulators=(*system.accumulators, *totals),
    )
