"""What does not change between two records: worked out once for a row of parameters, not in each call.

In CL / Vc * central the ratio is a constant while the state moves, and a division takes as long as five
multiplications. Factors that hold parameters alone are therefore gathered into quantities of their own, and whoever
solves the equations gives their values in place of the parameters'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import MergeOptimizer
from pytensor.graph.traversal import graph_inputs, toposort

from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.expressions import scalar_operation


def with_constants(equations: Equations) -> tuple[Equations, tuple[Variable, ...]]:
    """Write equations in terms of their constants.

    Parameters
    ----------
    equations : Equations

    Returns
    -------
    equations : Equations
        With the constants as parameters. One that is a parameter keeps its name. Sides of switches are no constants.
    values : tuple of Variable
        Each constant as a graph of the parameters before.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, central, CL, Vc, Vmax, Km = (pt.dscalar(name) for name in ("t", "central", "CL", "Vc", "Vmax", "Km"))
    >>> C = central / Vc
    >>> found, values = with_constants(
    ...     Equations(
    ...         t,
    ...         {"central": central},
    ...         {"CL": CL, "Vc": Vc, "Vmax": Vmax, "Km": Km},
    ...         {"central": -CL * C - Vmax * C / (Km + C)},
    ...     )
    ... )
    >>> list(found.parameters)
    ['Km', 'constant1', 'constant2', 'constant3']
    >>> [float(value.eval({CL: 2.0, Vc: 4.0, Vmax: 12.0, Km: 1.5}, on_unused_input="ignore")) for value in values]
    [1.5, 0.25, -0.5, 3.0]
    """
    switches = equations.switches
    functions = [graph for switch in switches.values() for graph in switch.graphs]
    graphs = merged([*equations.derivatives.values(), *functions])
    sides = [switch.side for switch in switches.values()]
    gathered = Factors({equations.time, *equations.states.values(), *sides}, graphs)
    wholes = [gathered.whole(graph) for graph in graphs]
    values = merged(gathered.values)
    first = dict(zip(reversed(values), reversed(gathered.roots), strict=True))
    same = {
        root: first[value]
        for root, value in zip(gathered.roots, values, strict=True)
        if root is not first[value]
    }
    wholes = clone_replace(wholes, same) if same else wholes
    reached = set(graph_inputs(wholes))
    taken, parameters, kept = {*equations.states, *equations.parameters}, {}, []
    own = {variable: name for name, variable in equations.parameters.items()}
    free = (name for k in range(1, len(taken) + len(first) + 2) if (name := f"constant{k}") not in taken)
    for value, root in reversed(first.items()):
        if root in reached:
            parameters[own.get(value) or next(free)] = root
            kept.append(value)
    rest = iter(wholes)
    derivatives = {name: next(rest) for name in equations.derivatives}
    rewritten = {name: switch.with_graphs(rest) for name, switch in switches.items()}
    found = replace(equations, parameters=parameters, derivatives=derivatives, switches=rewritten)
    return found, tuple(kept)


def merged(graphs: Iterable[Variable]) -> list[Variable]:
    """Return graphs in which what occurs twice is one variable."""
    whole = FunctionGraph(outputs=list(graphs), clone=True, copy_inputs=False)
    MergeOptimizer().rewrite(whole)
    return list(whole.outputs)


class Factors:
    """Graphs taken apart: each variable is a factor, of constants, times the rest (None where there is no such part).

    Attributes
    ----------
    roots, values : list of Variable
        What stands for each constant, and its graph.
    """

    def __init__(self, varying: set[Variable], graphs: Sequence[Variable]) -> None:
        self.parts: dict[Variable, tuple[Variable | None, Variable | None]] = {v: (None, v) for v in varying}
        self.wholes: dict[Variable, Variable] = {}
        self.roots: list[Variable] = []
        self.values: list[Variable] = []
        for node in toposort(list(graphs)):
            if any(v in self.parts for v in node.inputs):
                self.parts[node.outputs[0]] = self.apart(node)

    def apart(self, node: Apply) -> tuple[Variable | None, Variable | None]:
        """Take one operation apart."""
        parts = [self.parts.get(v, (v, None)) for v in node.inputs]
        if node.outputs[0].type.dtype == "float64":
            match scalar_operation(node):
                case ps.Mul():
                    factors, rests = zip(*parts, strict=True)
                    return product(factors), product(rests)
                case ps.TrueDiv():
                    (factor, rest), (divisor, under) = parts
                    return ratio(factor, divisor), ratio(rest, under)
                case ps.Neg():
                    ((factor, rest),) = parts
                    return factor, pt.neg(rest)
        return None, node.op(*(self.whole(v) for v in node.inputs))

    def whole(self, variable: Variable) -> Variable:
        """Return the graph in which constants are single variables."""
        if variable not in self.wholes:
            factor, rest = self.parts.get(variable, (variable, None))
            self.wholes[variable] = product([None if factor is None else self.constant(factor), rest])
        return self.wholes[variable]

    def constant(self, graph: Variable) -> Variable:
        """Return what stands for a constant; numbers stand for themselves."""
        if all(isinstance(variable, Constant) for variable in graph_inputs([graph])):
            return graph
        root = pt.dscalar()
        self.roots.append(root)
        self.values.append(pt.cast(graph, "float64"))
        return root


def product(factors: Sequence[Variable | None]) -> Variable | None:
    """Multiply what there is."""
    present = [factor for factor in factors if factor is not None]
    return None if not present else present[0] if len(present) == 1 else pt.mul(*present)


def ratio(above: Variable | None, under: Variable | None) -> Variable | None:
    """Divide what there is."""
    if under is None:
        return above
    return pt.reciprocal(under) if above is None else above / under
