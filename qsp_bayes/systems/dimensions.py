"""Units through the graphs of a system: one rule for each kind of operation, pint for the algebra."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pint
from pytensor.graph.basic import Apply, Constant
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import UnitsError
from qsp_bayes.systems.notation import Text, names_of, releases_of, sides_of, write
from qsp_bayes.systems.operations import Operation, fold
from qsp_bayes.systems.scope import Scope
from qsp_bayes.systems.symbolic import SymbolicSystem, symbolic
from qsp_bayes.units import parse_unit, registry, require_same_unit

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

NUMBER = registry.dimensionless
ANY = None
"""The unit of a literal zero, which fits everywhere: ``s.x > 0``."""


def spelling(unit: pint.Unit) -> str:
    """Write a unit the way users do.

    Examples
    --------
    >>> spelling(parse_unit("ug/mL") / parse_unit("h"))
    'ug/h/mL'
    """
    text = format(unit, "~C").replace("µ", "u").replace("μ", "u")
    return re.sub(r"\b([munpd]?)l\b", r"\1L", text) or "1"


class Mismatch(Exception):
    """Arguments of an operation whose units do not fit."""


def require(have: pint.Unit | None, want: pint.Unit) -> None:
    """Raise Mismatch unless both units are the same with factor 1."""
    if have is not ANY and have != want:
        try:
            require_same_unit(spelling(have), spelling(want), "")
        except UnitsError as error:
            raise Mismatch(str(error).removeprefix(": ")) from None


def alike(units: list, node: Apply) -> pint.Unit | None:
    """All arguments have one unit, which is that of the result: sums, maxima."""
    stated = [unit for unit in units if unit is not ANY]
    for unit in stated[1:]:
        require(unit, stated[0])
    return stated[0] if stated else ANY


def count(units: list, node: Apply) -> pint.Unit:
    """All arguments have one unit, and the result is a number: comparisons."""
    alike(units, node)
    return NUMBER


def pure(units: list, node: Apply) -> pint.Unit:
    """Arguments and result are numbers: exp, log, sin."""
    for unit in units:
        require(unit, NUMBER)
    return NUMBER


def choice(units: list, node: Apply) -> pint.Unit | None:
    """The condition is a number, the alternatives have one unit."""
    require(units[0], NUMBER)
    return alike(units[1:], node)


def product(units: list, node: Apply) -> pint.Unit:
    """Units multiply."""
    return math.prod((unit or NUMBER for unit in units), start=NUMBER)


def ratio(units: list, node: Apply) -> pint.Unit:
    """Units divide."""
    return (units[0] or NUMBER) / (units[1] or NUMBER)


def power(units: list, node: Apply) -> pint.Unit:
    """A number may have any exponent; a quantity with a unit only a known one."""
    base, exponent = units[0] or NUMBER, node.inputs[1]
    require(units[1], NUMBER)
    if base == NUMBER:
        return NUMBER
    if not isinstance(exponent, Constant):
        raise Mismatch(
            f"a quantity in {spelling(base)} has no unit when raised to an exponent that is not known. "
            "Divide it first by a reference of the same unit, as in (s.Cc / s.EC50) ** s.gamma"
        )
    return base ** exponent.data.item()


RULES: dict[str, Callable[[list, Apply], pint.Unit | None]] = {
    "alike": alike,
    "count": count,
    "pure": pure,
    "choice": choice,
    "product": product,
    "ratio": ratio,
    "power": power,
    "square": lambda units, node: (units[0] or NUMBER) ** 2,
    "root": lambda units, node: (units[0] or NUMBER) ** 0.5,
    "reciprocal": lambda units, node: 1 / (units[0] or NUMBER),
}


class Dimensions:
    """Units of the variables of one system."""

    def __init__(self, system: System, graphs: SymbolicSystem | Scope) -> None:
        declared = {**system.states, **system.parameters, **system.inputs}
        roots = {**graphs.states, **graphs.parameters, **graphs.inputs}
        self.units = {roots[name]: parse_unit(unit, name) for name, unit in declared.items()}
        self.units[graphs.time] = parse_unit(system.time_unit, "time_unit")
        for side in sides_of(graphs).values():
            self.units[side] = NUMBER
        for source, rate in releases_of(graphs).items():
            self.units[rate] = parse_unit(system.states[source]) / self.units[graphs.time]
        for name, constant in system.constants.items():
            self.units[graphs.constants[name]] = parse_unit(constant.unit, name)
        self.names = names_of(graphs)

    def of(self, graph: TensorVariable, where: str) -> pint.Unit | None:
        """Return the unit of a graph, as seen from `where`.

        Raises
        ------
        UnitsError
            Where an operation meets units that do not fit, naming it.
        """

        def apply(row: Operation, units: list, node: Apply) -> pint.Unit | None:
            try:
                return RULES[row.unit](units, node)
            except Mismatch as mismatch:
                raise UnitsError(f"{where}: in `{write(node.out, self.names, Text())}`, {mismatch}") from None

        return fold(graph, self.units, lambda number: ANY if number == 0 else NUMBER, apply)

    def require(self, graph: TensorVariable, want: pint.Unit, where: str) -> None:
        """Raise unless the graph has the unit `want`."""
        have = self.of(graph, where)
        if have is not ANY and have != want:
            require_same_unit(spelling(have), spelling(want), where)


@functools.lru_cache(maxsize=128)
def units_of(system: System) -> Mapping[str, str]:
    """Check every unit of a system and return those of its names.

    Raises
    ------
    UnitsError
        Naming the offender, both units, and the factor between them where there is one.
    """
    graphs = symbolic(system)
    dimensions = Dimensions(system, graphs)
    time = parse_unit(system.time_unit)
    states = {name: parse_unit(unit, name) for name, unit in system.states.items()}
    for process in system.processes:
        where = f"process {process.name!r}"
        first, *others = process.stoichiometry
        for other in others:
            require_same_unit(
                system.states[other], system.states[first], f"{where}, {other!r} against {first!r}"
            )
        dimensions.require(graphs.rates[process.name], states[first] / time, f"rate of {where}")
    for name, output in system.outputs.items():
        where = f"output {name!r}"
        dimensions.require(graphs.outputs[name], parse_unit(output.unit, where), where)
    for name, quantity in system.initial.items():
        if callable(quantity):
            dimensions.require(graphs.initial[name], states[name], f"initial value of {name!r}")
    for switch in system.switches:
        graph, where = graphs.switches[switch.name], f"switch {switch.name!r}"
        dimensions.of(graph.when, f"condition of {where}")
        for name, quantity in switch.change.items():
            if callable(quantity):
                dimensions.require(graph.change[name], states[name], f"change of {name!r} at {where}")
    for compartment, routes in system.doses.items():
        for route, delivery in zip(routes, graphs.deliveries[compartment], strict=True):
            wanted = {"F": NUMBER, "lag": time, "rate": states[delivery.state] / time, "duration": time}
            for name, quantity in route.quantities().items():
                if callable(quantity):
                    dimensions.require(
                        getattr(delivery, name), wanted[name], f"{name} of doses into {compartment!r}"
                    )
    for name, release in graphs.releases.items():
        for (described, is_time), graph in zip(
            release.profile.dimensions.items(), release.quantities, strict=True
        ):
            dimensions.require(graph, time if is_time else NUMBER, f"{described} of release {name!r}")
    expressions = {
        name: spelling(dimensions.of(graph, f"expression {name!r}") or NUMBER)
        for name, graph in graphs.expressions.items()
    }
    outputs = {name: output.unit for name, output in system.outputs.items()}
    constants = {name: constant.unit for name, constant in system.constants.items()}
    return (
        outputs
        | expressions
        | constants
        | dict(system.inputs)
        | dict(system.parameters)
        | dict(system.states)
    )
