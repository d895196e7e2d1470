"""How one scalar operation is written as Python: one table, and what is not in it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import ScalarFromTensor, TensorFromScalar
from pytensor.tensor.elemwise import DimShuffle, Elemwise

from qsp_bayes.errors import SolverError


class Written(NamedTuple):
    """What a result is called in the text, and how it is written from the names of its arguments."""

    label: str
    text: Callable[..., str]


def _joined(label: str, symbol: str) -> Written:
    return Written(label, lambda *arguments: f" {symbol} ".join(arguments))


def _called(function: str) -> Written:
    return Written(function, lambda *arguments: f"{function}({', '.join(arguments)})")


FROM_MATH = (
    *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma", "lgamma"),
    *("isnan", "isinf", "inf", "nan"),
)
"""Names that generated modules import from Python's math."""

FROM_SCALARS = (
    *(
        "ceil",
        "choose",
        "clip",
        "digamma",
        "floor",
        "floor_divide",
        "log1mexp",
        "maximum",
        "minimum",
        "remainder",
        "round_half_away",
    ),
    *("round_half_to_even", "sigmoid", "sign", "softplus", "trigamma", "truncate"),
)
"""Names that generated modules import from qsp_bayes.ode.scalars."""

TABLE: dict[type, Written] = {
    ps.Add: _joined("sum", "+"),
    ps.Sub: _joined("difference", "-"),
    ps.Mul: _joined("product", "*"),
    ps.TrueDiv: _joined("ratio", "/"),
    ps.IntDiv: _called("floor_divide"),
    ps.Mod: _called("remainder"),
    ps.Pow: _joined("power", "**"),
    ps.Sqr: Written("square", lambda a: f"{a} * {a}"),
    ps.Reciprocal: Written("reciprocal", lambda a: f"1.0 / {a}"),
    ps.Neg: Written("negative", lambda a: f"-{a}"),
    ps.Second: Written("second", lambda _, a: a),
    ps.Identity: Written("identity", lambda a: a),
    ps.Cast: Written("cast", lambda a: a),
    ps.LT: _joined("less", "<"),
    ps.GT: _joined("greater", ">"),
    ps.LE: _joined("at_most", "<="),
    ps.GE: _joined("at_least", ">="),
    ps.EQ: _joined("equal", "=="),
    ps.NEQ: _joined("unequal", "!="),
    ps.AND: _joined("both", "&"),
    ps.OR: _joined("either", "|"),
    ps.XOR: _joined("one_of", "^"),
    ps.Invert: Written("opposite", lambda a: f"not {a}"),
    ps.Switch: _called("choose"),
    ps.Maximum: _called("maximum"),
    ps.Minimum: _called("minimum"),
    ps.Clip: _called("clip"),
    ps.Abs: _called("abs"),
    ps.Sign: _called("sign"),
    ps.Ceil: _called("ceil"),
    ps.Floor: _called("floor"),
    ps.Trunc: _called("truncate"),
    ps.RoundHalfToEven: _called("round_half_to_even"),
    ps.RoundHalfAwayFromZero: _called("round_half_away"),
    ps.Exp: _called("exp"),
    ps.Exp2: Written("exp2", lambda a: f"2.0 ** {a}"),
    ps.Expm1: _called("expm1"),
    ps.Log: _called("log"),
    ps.Log1p: _called("log1p"),
    ps.Log2: _called("log2"),
    ps.Log10: _called("log10"),
    ps.Log1mexp: _called("log1mexp"),
    ps.Sqrt: _called("sqrt"),
    ps.Sin: _called("sin"),
    ps.Cos: _called("cos"),
    ps.Tan: _called("tan"),
    ps.ArcSin: _called("asin"),
    ps.ArcCos: _called("acos"),
    ps.ArcTan: _called("atan"),
    ps.ArcTan2: _called("atan2"),
    ps.Sinh: _called("sinh"),
    ps.Cosh: _called("cosh"),
    ps.Tanh: _called("tanh"),
    ps.ArcSinh: _called("asinh"),
    ps.ArcCosh: _called("acosh"),
    ps.ArcTanh: _called("atanh"),
    ps.Erf: _called("erf"),
    ps.Erfc: _called("erfc"),
    ps.Gamma: _called("gamma"),
    ps.GammaLn: _called("lgamma"),
    ps.Psi: _called("digamma"),
    ps.TriGamma: _called("trigamma"),
    ps.Sigmoid: _called("sigmoid"),
    ps.Softplus: _called("softplus"),
    ps.IsNan: _called("isnan"),
    ps.IsInf: _called("isinf"),
}

LOGIC = (ps.AND, ps.OR, ps.XOR, ps.Invert)
"""Operations on truth values; those on the digits of integers are refused."""

TRUTHS = (*LOGIC, ps.LT, ps.GT, ps.LE, ps.GE, ps.EQ, ps.NEQ, ps.IsNan, ps.IsInf)
"""Operations that are written as truth values; all others are written as numbers."""

ITSELF = (TensorFromScalar, ScalarFromTensor, DimShuffle)
"""Operations that leave a scalar what it is."""

MAX_MULTIPLICATIONS = 64
"""Whole powers up to this size are written with a whole exponent, which numba turns into multiplications."""


def scalar_operation(node: Apply) -> object:
    """Return what a node does to its scalars."""
    return node.op.scalar_op if isinstance(node.op, Elemwise) else node.op


def check_available(graphs: Mapping[str, Sequence[Variable]], what: str) -> None:
    """Refuse operations without a row in the table.

    Parameters
    ----------
    graphs : mapping of str to sequence of Variable
        Graphs by what they belong to, such as "state 'drug'".
    what : str
        What the graphs are, for the message.

    Raises
    ------
    SolverError
        Naming the owner, the operation, and those that there are.
    """
    for owner, outputs in graphs.items():
        for node in toposort(list(outputs)):
            operation = scalar_operation(node)
            name = None
            if not isinstance(operation, ITSELF) and type(operation) not in TABLE:
                name = type(operation).__name__
            elif any(kind in node.outputs[0].type.dtype for kind in ("complex", "float16")):
                name = f"{type(operation).__name__} of {node.outputs[0].type.dtype}"
            elif isinstance(operation, ps.Cast) and _narrows(node):
                name = "Cast to float32"
            elif isinstance(operation, LOGIC) and any(v.type.dtype != "bool" for v in node.inputs):
                name = f"{type(operation).__name__} of integers"
            if name is not None:
                raise SolverError(
                    f"{owner}: {what} holds the operation {name}, which cannot be compiled. "
                    f"Write it with others: {', '.join(sorted(kind.__name__ for kind in TABLE))}."
                )


def _narrows(node: Apply) -> bool:
    return node.outputs[0].type.dtype == "float32" and node.inputs[0].type.dtype == "float64"


def literal(constant: Constant, whole: bool = False) -> str:
    """Write a number; negative ones in brackets, since -2 ** x is not (-2) ** x.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> literal(pt.constant(-0.5)), literal(pt.constant(float("inf")))
    ('(-0.5)', 'inf')
    """
    value = constant.data.item()
    if isinstance(value, bool):
        return str(value)
    text = repr(int(value) if whole else float(value))
    return f"({text})" if value < 0 else text


def expression(node: Apply, reference: Callable[[Variable], str]) -> str:
    """Write one operation from the names of its arguments."""
    operation, inputs, out = scalar_operation(node), node.inputs, node.outputs[0]
    if isinstance(operation, ITSELF):
        return reference(inputs[0])
    if isinstance(operation, ps.Cast | ps.Second | ps.Identity):
        return _cast(reference(inputs[-1]), inputs[-1].type.dtype, out.type.dtype)
    arguments = [
        reference(v) if isinstance(operation, LOGIC) else _cast(reference(v), v.type.dtype, "float64")
        for v in inputs
    ]
    if isinstance(operation, ps.Switch):
        arguments[0] = _cast(reference(inputs[0]), inputs[0].type.dtype, "bool")
    if isinstance(operation, ps.Pow) and isinstance(inputs[1], Constant):
        exponent = float(inputs[1].data)
        if exponent.is_integer() and abs(exponent) <= MAX_MULTIPLICATIONS:
            arguments[1] = literal(inputs[1], whole=True)
    text = TABLE[type(operation)].text(*arguments)
    return f"{text} != 0.0" if out.type.dtype == "bool" and not isinstance(operation, TRUTHS) else text


def _cast(argument: str, before: str, after: str) -> str:
    """Write a number or truth value as another kind; integers are numbers without a fraction."""
    if (before == "bool") == (after == "bool"):
        return (
            f"truncate({argument})"
            if before.startswith("float") and not after.startswith("float")
            else argument
        )
    return f"{argument} != 0.0" if after == "bool" else f"choose({argument}, 1.0, 0.0)"


def generated_names() -> Iterable[str]:
    """Return the beginnings of names that generated text may use for itself, followed by a number."""
    return sorted({row.label for row in TABLE.values()})
