"""The equations of a nonlinear system, as the code generator reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import graph_inputs

from qsp_bayes.errors import SolverError


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
        f of each state: a 0-d graph of the variables above.

    Raises
    ------
    SolverError
        For a state without a derivative, and for a derivative that is no scalar or depends on something else.

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

    def __post_init__(self) -> None:
        if set(self.derivatives) != set(self.states):
            raise SolverError(
                f"derivatives of {', '.join(self.derivatives)} are given for the states "
                f"{', '.join(self.states)}. Give exactly one for each state."
            )
        known = {self.time, *self.states.values(), *self.parameters.values()}
        if len(known) != 1 + len(self.states) + len(self.parameters):
            raise SolverError("two of the time, the states and the parameters are one variable.")
        for variable in self.variables:
            if getattr(variable.type, "ndim", None) != 0 or variable.type.dtype != "float64":
                raise SolverError(f"{variable} is a {variable.type}. Make it a float64 scalar.")
        for name, graph in self.derivatives.items():
            if getattr(graph.type, "ndim", None) != 0:
                raise SolverError(f"state {name!r}: the derivative is a {graph.type}, not a scalar.")
            strange = [variable for variable in _leaves([graph]) if variable not in known]
            if strange:
                raise SolverError(
                    f"state {name!r}: the derivative depends on {', '.join(map(str, strange))}, which is neither "
                    "the time, a state nor a parameter. Make it a parameter."
                )

    @property
    def variables(self) -> list[Variable]:
        """The time, the states and the parameters."""
        return [self.time, *self.states.values(), *self.parameters.values()]


def _leaves(graphs: Iterable[Variable]) -> list[Variable]:
    return [variable for variable in graph_inputs(list(graphs)) if not isinstance(variable, Constant)]
