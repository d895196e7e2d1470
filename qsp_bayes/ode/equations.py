"""The equations of a nonlinear system, as the code generator reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import graph_inputs

from qsp_bayes.errors import SolverError


@dataclass(frozen=True, eq=False)
class Switching:
    """A switch: where a function of the time, the states and the parameters crosses zero, the system changes.

    Parameters
    ----------
    side : Variable
        0-d float64: 1 on the positive side of the function, 0 on the other. The equations may depend on it; it changes
        at a crossing only, whatever the function's value in between.
    when : Variable
        The function.
    direction : {1, -1, 0}
        Crossings, upward, downward or both, at which the states change.
    change : mapping of str to Variable
        New values of states, functions of the time, the states just before and the parameters. Empty: none change.
    """

    side: Variable
    when: Variable
    direction: int = 1
    change: Mapping[str, Variable] = field(default_factory=dict)

    @property
    def graphs(self) -> list[Variable]:
        """The function, then the new values."""
        return [self.when, *self.change.values()]

    def with_graphs(self, graphs: Iterator[Variable]) -> Switching:
        """Return the switch with as many of these graphs, in the same order, in place of its own."""
        return replace(self, when=next(graphs), change={state: next(graphs) for state in self.change})


@dataclass(frozen=True, eq=False)
class Equations:
    """dy/dt = f(t, y, p), one scalar graph for each state.

    Parameters
    ----------
    time : Variable
        0-d float64.
    states, parameters : mapping of str to Variable
        Root variables, 0-d float64, in the order of the vectors y and p. Inputs count as parameters.
    derivatives : mapping of str to Variable
        f of each state: a 0-d graph of the variables above, and of the sides of the switches.
    switches : mapping of str to Switching

    Raises
    ------
    SolverError
        For a state without a derivative, and for a derivative or a function of a switch that is no scalar or depends on
        something else.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, amount, Vmax, Km = (pt.dscalar(name) for name in ("t", "amount", "Vmax", "Km"))
    >>> equations = Equations(
    ...     time=t,
    ...     states={"amount": amount},
    ...     parameters={"Vmax": Vmax, "Km": Km},
    ...     derivatives={"amount": -Vmax * amount / (Km + amount)},
    ... )
    >>> list(equations.parameters)
    ['Vmax', 'Km']
    """

    time: Variable
    states: Mapping[str, Variable]
    parameters: Mapping[str, Variable]
    derivatives: Mapping[str, Variable]
    switches: Mapping[str, Switching] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.derivatives) != set(self.states):
            raise SolverError(
                f"derivatives of {', '.join(self.derivatives)} are given for the states "
                f"{', '.join(self.states)}. Give exactly one for each state."
            )
        known, sides = set(self.variables), [switch.side for switch in self.switches.values()]
        if len({*known, *sides}) != 1 + len(self.states) + len(self.parameters) + len(sides):
            raise SolverError("two of the time, the states, the parameters and the sides are one variable.")
        for variable in [*self.variables, *sides]:
            if getattr(variable.type, "ndim", None) != 0 or variable.type.dtype != "float64":
                raise SolverError(f"{variable} is a {variable.type}. Make it a float64 scalar.")
        for name, graph in self.derivatives.items():
            _check_graph(graph, {*known, *sides}, f"state {name!r}: the derivative")
        for name, switch in self.switches.items():
            _check_graph(switch.when, known, f"switch {name!r}: its function")
            for state, graph in switch.change.items():
                if state not in self.states:
                    raise SolverError(f"switch {name!r} changes {state!r}, which is no state.")
                _check_graph(graph, known, f"switch {name!r}: the new value of {state!r}")

    @property
    def variables(self) -> list[Variable]:
        """The time, the states and the parameters."""
        return [self.time, *self.states.values(), *self.parameters.values()]


def _check_graph(graph: Variable, known: Iterable[Variable], what: str) -> None:
    if getattr(graph.type, "ndim", None) != 0:
        raise SolverError(f"{what} is a {graph.type}, not a scalar.")
    strange = [variable for variable in _leaves([graph]) if variable not in known]
    if strange:
        raise SolverError(
            f"{what} depends on {', '.join(map(str, strange))}, which is neither the time, a state nor a parameter. "
            "Make it a parameter."
        )


def _leaves(graphs: Iterable[Variable]) -> list[Variable]:
    return [variable for variable in graph_inputs(list(graphs)) if not isinstance(variable, Constant)]
