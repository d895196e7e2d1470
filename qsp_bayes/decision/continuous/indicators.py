"""Indicators: comparisons in a utility, whose derivative is zero wherever it exists."""

from __future__ import annotations

from collections.abc import Sequence

from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import io_toposort
from pytensor.scalar.basic import (
    Ceil,
    Floor,
    IntDiv,
    Mod,
    RoundHalfAwayFromZero,
    RoundHalfToEven,
    Sign,
    Trunc,
)
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.shape import Shape, Shape_i

STEPS = (Ceil, Floor, IntDiv, Mod, RoundHalfAwayFromZero, RoundHalfToEven, Sign, Trunc)
SIGNS = {"LT": "<", "GT": ">", "LE": "<=", "GE": ">=", "EQ": "==", "NEQ": "!="}


def indicators(utility: Variable, paths: Sequence[Variable]) -> list[str]:
    """Find what steps between the paths and a utility: comparisons, signs, roundings.

    Such a node is recognised by a whole or logical number that depends on a path. What depends on covariates alone may
    compare as it likes.

    Parameters
    ----------
    utility : variable
    paths : sequence of variable
        Where to begin: what depends smoothly on the doses.

    Returns
    -------
    list of str
        Each step, in words.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from qsp_bayes.decision.continuous.indicators import indicators
    >>> peak = pt.vector("cmax(Cc)")
    >>> indicators(5.0 * (peak > 20.0), [peak]), indicators(abs(peak - 20.0), [peak])
    (['cmax(Cc) > 20'], [])
    """
    reached, found = set(paths), []
    for node in io_toposort(list(paths), [utility]):
        if isinstance(node.op, Shape | Shape_i) or reached.isdisjoint(node.inputs):
            continue
        reached.update(node.outputs)
        step = isinstance(getattr(node.op, "scalar_op", None), STEPS)
        # What is made of the result of a comparison was found where that is.
        if (step or any(map(is_discrete, node.outputs))) and not any(map(is_logical, node.inputs)):
            found.append(words(node))
    return found


def is_discrete(variable: Variable) -> bool:
    """Tell whether a variable is a whole or logical number."""
    return variable.type.dtype.startswith(("bool", "int", "uint"))


def is_logical(variable: Variable) -> bool:
    """Tell whether a variable is a logical number."""
    return variable.type.dtype == "bool"


def words(node: Apply) -> str:
    """Describe a node as it would be written."""
    scalar = node.op.scalar_op if isinstance(node.op, Elemwise) else None
    operands = [operand(source) for source in node.inputs]
    sign = SIGNS.get(type(scalar).__name__)
    if sign and len(operands) == 2:
        return f"{operands[0]} {sign} {operands[1]}"
    return (
        f"{getattr(scalar, 'name', None) or type(scalar or node.op).__name__.lower()}({', '.join(operands)})"
    )


def operand(variable: Variable) -> str:
    """Name a variable: by its name, its value, or as an expression of what it is made of."""
    while variable.owner is not None and type(variable.owner.op).__name__ == "DimShuffle":
        variable = variable.owner.inputs[0]
    if isinstance(variable, Constant):
        return f"{variable.data.item():g}" if variable.data.size == 1 else "..."
    return variable.name or "..."
