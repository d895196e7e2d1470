"""The names of a system as its functions see them, and what those functions make of them."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import autocast_float, autocast_int
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.release import Release

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


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
        self.sides = {switch.name: pt.dscalar(switch.name) for switch in system.switches}
        self.releases = {
            process.name: pt.dscalar(process.name)
            for process in system.processes
            if isinstance(process, Release)
        }
        self.known = {"t": self.time, **self.states, **self.parameters, **self.inputs, **self.constants}
        self.known |= self.sides
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
        changing = self.states | self.sides | {"t": self.time}
        moving = [name for name, variable in changing.items() if variable in below]
        if moving:
            raise MechanismError(
                f"{where} depends on {', '.join(moving)}; "
                "it may depend on parameters, constants and inputs only."
            )
        return graph

    def without_sides(self, quantity: Callable[[Any], Any] | float, where: str) -> TensorVariable:
        """Evaluate a quantity that may depend on anything but the sides of switches."""
        graph = self.evaluate(quantity, where)
        self.refuse_sides(graph, where)
        return graph

    def refuse_sides(self, graph: TensorVariable, where: str) -> None:
        """Raise where a graph depends on the side of a switch."""
        below = set(ancestors([graph]))
        for name, side in self.sides.items():
            if side in below:
                raise MechanismError(
                    f"{where} depends on switch {name!r}, which only rates may do. Write the condition itself, as in "
                    "pytensor.tensor.where(s.central > s.limit, ...)."
                )
