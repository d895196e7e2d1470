"""The scalar PyTensor graphs of a system: what solvers, unit checks and printers read of it."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import autocast_float, autocast_int
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError

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


class Quantities:
    """What a rate function receives: ``s.CL``, ``s.central``, ``s.t`` are the graphs of these names."""

    def __init__(self, lookup: Callable[[str], TensorVariable]) -> None:
        self._lookup = lookup

    def __getattr__(self, name: str) -> TensorVariable:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._lookup(name)

    __getitem__ = __getattr__


def unknown_name(name: str, known: Mapping[str, Iterable[str]], where: str) -> MechanismError:
    """Describe a missing name: what exists, by kind, and what resembles it."""
    listing = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in known.items() if names)
    spellings = {other.casefold(): other for names in known.values() for other in names}
    close = [spellings[word] for word in difflib.get_close_matches(name.casefold(), spellings)]
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return MechanismError(f"{where}: there is no {name!r}.{hint} What exists is {listing or 'nothing'}.")


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Read numbers as 64-bit ones.

    PyTensor gives a literal the smallest type that holds it, in which ``log(2)`` would have 7 digits.
    """
    floats, integers = autocast_float.dtypes, autocast_int.dtypes
    autocast_float.dtypes, autocast_int.dtypes = ("float64",), ("int64",)
    try:
        yield
    finally:
        autocast_float.dtypes, autocast_int.dtypes = floats, integers


class Scope:
    """The names of one system, with expressions and outputs evaluated when first asked for."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.time = pt.dscalar("t")
        self.states = {name: pt.dscalar(name) for name in system.states}
        self.parameters = {name: pt.dscalar(name) for name in system.parameters}
        self.inputs = {name: pt.dscalar(name) for name in system.inputs}
        self.constants = {
            name: pt.constant(c.value, name, dtype="float64") for name, c in system.constants.items()
        }
        self.known = {"t": self.time} | self.states | self.parameters | self.inputs | self.constants
        self.expressions: dict[str, TensorVariable] = {}
        self.outputs: dict[str, TensorVariable] = {}
        self.open: list[str] = []

    def evaluate(self, quantity: Callable[[Any], Any] | float, where: str) -> TensorVariable:
        """Call a function of the system with its names and return a float64 0-d graph."""
        if not callable(quantity):
            return pt.constant(quantity, dtype="float64")
        try:
            with double_precision():
                graph = pt.as_tensor_variable(quantity(Quantities(lambda name: self.lookup(name, where))))
        except MechanismError:
            raise
        except Exception as error:
            error.add_note(
                f"This happened in {where}. Use operators and functions of pytensor.tensor (exp, switch)."
            )
            raise
        if graph.ndim != 0:
            raise MechanismError(f"{where}: gives a tensor of {graph.ndim} dimensions, expected a scalar.")
        if any(variable.dtype in ("float16", "float32") for variable in ancestors([graph])):
            raise MechanismError(
                f"{where}: computes in single precision. Take numbers and arrays in double precision."
            )
        return graph if graph.dtype == "float64" else pt.cast(graph, "float64")

    def lookup(self, name: str, where: str) -> TensorVariable:
        """Return the graph of a name, as seen from `where`."""
        if name in self.known:
            return self.known[name]
        if name in self.system.expressions:
            return self.expression(name)
        if name in self.system.outputs:
            return self.output(name)
        raise unknown_name(name, self.system.names() | {"time": ["t"]}, where)

    def expression(self, name: str) -> TensorVariable:
        """Return the graph of an expression, substituted down to states, parameters, inputs and time."""
        if name not in self.expressions:
            self.expressions[name] = self.define(name, self.system.expressions[name], f"expression {name!r}")
        return self.expressions[name]

    def output(self, name: str) -> TensorVariable:
        """Return the graph of an output."""
        if name not in self.outputs:
            self.outputs[name] = self.define(name, self.system.outputs[name].value, f"output {name!r}")
        return self.outputs[name]

    def define(self, name: str, quantity: Callable[[Any], Any], where: str) -> TensorVariable:
        """Evaluate a named quantity, refusing one that needs itself."""
        if where in self.open:
            chain = " -> ".join([*self.open[self.open.index(where) :], where])
            raise MechanismError(
                f"{where} depends on itself: {chain}. "
                "An algebraic loop has no explicit solution: break it with a state or solve it by hand."
            )
        self.open.append(where)
        try:
            return self.evaluate(quantity, where)
        finally:
            self.open.pop()

    def constant_in_time(self, quantity: Callable[[Any], Any] | float, where: str) -> TensorVariable:
        """Evaluate a quantity that may depend on parameters and inputs only."""
        graph = self.evaluate(quantity, where)
        below = set(ancestors([graph]))
        moving = [name for name, variable in (self.states | {"t": self.time}).items() if variable in below]
        if moving:
            raise MechanismError(
                f"{where} depends on {', '.join(moving)}; "
                "it may depend on parameters, constants and inputs only."
            )
        return graph


@functools.lru_cache(maxsize=128)
def symbolic(system: System) -> SymbolicSystem:
    """Build the graphs of a system, once for each system.

    Raises
    ------
    MechanismError
        For an unknown name, an algebraic loop, or an accumulator that drives a rate.
    """
    scope = Scope(system)
    rates = {p.name: scope.evaluate(p.rate, f"process {p.name!r}") for p in system.processes}
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
    return SymbolicSystem(
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
    )


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
