"""The scalar operations that rates are made of: one table, and one walk over a graph.

Each row says which rule gives the unit of the result (`qsp_bayes.systems.dimensions`) and how the operation
is written (`qsp_bayes.systems.notation`). An operation without a row is a function of pure numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.traversal import toposort
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError


class Operation(NamedTuple):
    """What is known of a scalar operation: its unit rule, the form it is written in, and its symbol."""

    unit: str
    form: str
    symbol: str = ""


TABLE: dict[type, Operation] = {
    ps.Add: Operation("alike", "sum", "+"),
    ps.Sub: Operation("alike", "sum", "-"),
    ps.Mul: Operation("product", "product"),
    ps.TrueDiv: Operation("ratio", "fraction"),
    ps.IntDiv: Operation("count", "call", "floor_divide"),
    ps.Mod: Operation("alike", "call", "mod"),
    ps.Pow: Operation("power", "power"),
    ps.Sqr: Operation("square", "square"),
    ps.Sqrt: Operation("root", "root"),
    ps.Reciprocal: Operation("reciprocal", "reciprocal"),
    ps.Neg: Operation("alike", "negative"),
    ps.Abs: Operation("alike", "call", "abs"),
    ps.Cast: Operation("alike", "itself"),
    ps.Identity: Operation("alike", "itself"),
    ps.Maximum: Operation("alike", "call", "max"),
    ps.Minimum: Operation("alike", "call", "min"),
    ps.ScalarMaximum: Operation("alike", "call", "max"),
    ps.ScalarMinimum: Operation("alike", "call", "min"),
    ps.Clip: Operation("alike", "call", "clip"),
    ps.ArcTan2: Operation("count", "call", "atan2"),
    ps.Sign: Operation("count", "call", "sign"),
    ps.LT: Operation("count", "comparison", "<"),
    ps.GT: Operation("count", "comparison", ">"),
    ps.LE: Operation("count", "comparison", "<="),
    ps.GE: Operation("count", "comparison", ">="),
    ps.EQ: Operation("count", "comparison", "=="),
    ps.NEQ: Operation("count", "comparison", "!="),
    ps.AND: Operation("pure", "logical", "and"),
    ps.OR: Operation("pure", "logical", "or"),
    ps.Switch: Operation("choice", "choice"),
    ps.Sigmoid: Operation("pure", "call", "sigmoid"),
    ps.Softplus: Operation("pure", "call", "log1pexp"),
}


def operation(node: Apply) -> Operation:
    """Return the row of a node, refusing what is no operation on scalars.

    Raises
    ------
    MechanismError
        For tensor operations, which have no place in the rate of one subject.
    """
    if not isinstance(node.op, Elemwise):
        raise MechanismError(
            f"{node.op} is no operation on scalars. Quantities of a system are scalars: "
            "write sums and products with + and *, and choices with pytensor.tensor.switch."
        )
    kind = type(node.op.scalar_op)
    return TABLE.get(kind, Operation("pure", "call", kind.__name__.lower()))


def fold[Value](
    graph: TensorVariable,
    values: dict[TensorVariable, Value],
    literal: Callable[[Any], Value],
    apply: Callable[[Operation, list[Value], Apply], Value],
) -> Value:
    """Work through a graph from its leaves to its result.

    Parameters
    ----------
    graph : TensorVariable
    values : dict
        Values that are known; the walk stops there. It is filled with what the walk finds.
    literal : callable
        Value of a number written in the graph.
    apply : callable
        Value of an operation from its row, the values of its arguments, and its node.
    """

    def arguments(variables: Iterable[TensorVariable]) -> list[Value]:
        for variable in variables:
            if variable not in values and isinstance(variable, Constant):
                values[variable] = literal(variable.data.item())
        return [values[variable] for variable in variables]

    for node in toposort([graph], blockers=values):
        if node.out not in values:
            values[node.out] = apply(operation(node), arguments(node.inputs), node)
    return arguments([graph])[0]
