"""Scalar graphs written as lines of Python, one for each operation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import toposort

from qsp_bayes.ode.expressions import TABLE, expression, literal, scalar_operation


def statements(
    outputs: Sequence[Variable], names: Mapping[Variable, str], first: int = 0
) -> tuple[list[str], list[str], set[Variable]]:
    """Write graphs as assignments, each operation once.

    Parameters
    ----------
    outputs : sequence of Variable
    names : mapping of Variable to str
        What the variables that the graphs start from are called.
    first : int
        Number of the first line, from which the names of the results are made.

    Returns
    -------
    lines : list of str
        In an order in which they can be executed.
    results : list of str
        What each output is called in them.
    used : set of Variable
        Those of `names` that occur.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> x = pt.dscalar("x")
    >>> statements([pt.exp(x) * x], {x: "x"})[:2]
    (['exp_0 = exp(x)', 'product_1 = exp_0 * x'], ['product_1'])
    """
    known = dict(names)
    lines: list[str] = []
    used: set[Variable] = set()

    def reference(variable: Variable) -> str:
        if variable in names:
            used.add(variable)
        elif isinstance(variable, Constant):
            return literal(variable)
        return known[variable]

    for node in toposort(list(outputs)):
        text = expression(node, reference)
        if text.isidentifier() or math.isfinite(_number(text)):
            known[node.outputs[0]] = text
            continue
        operation = scalar_operation(node)
        known[node.outputs[0]] = f"{TABLE[type(operation)].label}_{first + len(lines)}"
        lines.append(f"{known[node.outputs[0]]} = {text}")
    return lines, [reference(variable) for variable in outputs], used


def _number(text: str) -> float:
    try:
        return float(text.strip("()"))
    except ValueError:
        return math.nan
