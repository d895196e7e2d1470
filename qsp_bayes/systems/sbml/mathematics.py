"""MathML, as libsbml holds it, as formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import Call, Formula, Name, Number, substitute
from qsp_bayes.systems.sbml.library import libsbml

DEEPEST = 120
AVOGADRO = 6.02214179e23
"""The value that SBML level 3 states."""

OPERATORS = {
    "PLUS": "+", "MINUS": "-", "TIMES": "*", "DIVIDE": "/", "POWER": "^", "FUNCTION_POWER": "^",
    "RELATIONAL_LT": "<", "RELATIONAL_LEQ": "<=", "RELATIONAL_GT": ">", "RELATIONAL_GEQ": ">=",
    "RELATIONAL_EQ": "==", "RELATIONAL_NEQ": "!=", "LOGICAL_AND": "&&", "LOGICAL_OR": "||", "LOGICAL_NOT": "!",
    "FUNCTION_ABS": "abs", "FUNCTION_EXP": "exp", "FUNCTION_LN": "log", "FUNCTION_FLOOR": "floor",
    "FUNCTION_CEILING": "ceil", "FUNCTION_SIN": "sin", "FUNCTION_COS": "cos", "FUNCTION_TAN": "tan",
    "FUNCTION_ARCSIN": "asin", "FUNCTION_ARCCOS": "acos", "FUNCTION_ARCTAN": "atan", "FUNCTION_SINH": "sinh",
    "FUNCTION_COSH": "cosh", "FUNCTION_TANH": "tanh", "FUNCTION_MIN": "min", "FUNCTION_MAX": "max",
}  # fmt: skip
TRUE, FALSE = Call("==", (Number(0.0), Number(0.0))), Call("!=", (Number(0.0), Number(0.0)))
EMPTY: Mapping[str, Formula] = {"+": Number(0.0), "*": Number(1.0), "&&": TRUE, "||": FALSE}
"""What an operator of no arguments is."""


class Mathematics:
    """How the formulas of one model are read: its functions, and what its numbers with units become.

    Parameters
    ----------
    functions : mapping of str to (sequence of str, Formula)
        Arguments and bodies of function definitions.
    rename : mapping of str to str
        Names here of the ids there.
    literal : callable
        What a number with a unit becomes.
    """

    def __init__(
        self,
        functions: Mapping[str, tuple[tuple[str, ...], Formula]],
        rename: Callable[[str], str],
        literal: Callable[[float, str], Formula],
    ) -> None:
        self.functions, self.rename, self.literal = functions, rename, literal
        sbml = libsbml()
        self.operators = {getattr(sbml, f"AST_{kind}"): symbol for kind, symbol in OPERATORS.items()}

    def read(self, node: Any, where: str, depth: int = 0) -> Formula:
        """Return the formula of a node.

        Raises
        ------
        MechanismError
            For mathematics that has no meaning here, naming the element.
        """
        sbml = libsbml()
        if node is None:
            raise MechanismError(f"{where} has no formula. Give it one.")
        if depth > DEEPEST:
            raise MechanismError(
                f"{where}: its formula is nested more than {DEEPEST} deep. Split it by rules."
            )
        kind = node.getType()
        if node.isNumber():
            return self.number(node, kind)
        if kind == sbml.AST_NAME:
            return Name(self.rename(node.getName()))
        constants: dict[int, Formula] = {
            sbml.AST_NAME_TIME: Name("t"),
            sbml.AST_NAME_AVOGADRO: Number(AVOGADRO),
            sbml.AST_CONSTANT_E: Number(math.e),
            sbml.AST_CONSTANT_PI: Number(math.pi),
            sbml.AST_CONSTANT_TRUE: TRUE,
            sbml.AST_CONSTANT_FALSE: FALSE,
        }
        if kind in constants:
            return constants[kind]
        arguments = tuple(self.read(node.getChild(i), where, depth + 1) for i in range(node.getNumChildren()))
        if kind == sbml.AST_FUNCTION:
            return self.called(node.getName(), arguments, where)
        if kind in self.operators:
            symbol = self.operators[kind]
            if symbol in EMPTY and len(arguments) < 2:
                return arguments[0] if arguments else EMPTY[symbol]
            return self.compared(symbol, arguments)
        return self.other(node, kind, arguments, where)

    def number(self, node: Any, kind: int) -> Formula:
        """Return a number, or what stands for it where it has a unit."""
        value = float(node.getInteger() if kind == libsbml().AST_INTEGER else node.getValue())
        return self.literal(value, node.getUnits()) if node.isSetUnits() else Number(value)

    def called(self, name: str, arguments: tuple[Formula, ...], where: str) -> Formula:
        """Return the body of a function with arguments in it."""
        if name not in self.functions:
            raise MechanismError(f"{where} calls function {name!r}, which is defined nowhere before it.")
        variables, body = self.functions[name]
        if len(variables) != len(arguments):
            raise MechanismError(f"{where}: function {name!r} takes {len(variables)} arguments.")
        return substitute(body, dict(zip(variables, arguments, strict=True)))

    def compared(self, symbol: str, arguments: tuple[Formula, ...]) -> Formula:
        """Return an operator of its arguments; a < b < c compares each with the next."""
        if symbol in ("<", "<=", ">", ">=", "==") and len(arguments) > 2:
            return Call("&&", tuple(Call(symbol, pair) for pair in itertools.pairwise(arguments)))
        return Call(symbol, arguments)

    def other(self, node: Any, kind: int, arguments: tuple[Formula, ...], where: str) -> Formula:
        """Return what is written with other functions here."""
        sbml = libsbml()
        if kind == sbml.AST_FUNCTION_PIECEWISE:
            if len(arguments) % 2 == 0:
                raise MechanismError(
                    f"{where}: a piecewise formula says nothing otherwise. Give it <otherwise>."
                )
            return Call("piecewise", arguments)
        if kind == sbml.AST_FUNCTION_ROOT:
            degree, base = arguments if len(arguments) == 2 else (Number(2.0), arguments[0])
            if degree == Number(2.0):
                return Call("sqrt", (base,))
            return Call("^", (base, Call("/", (Number(1.0), degree))))
        if kind == sbml.AST_FUNCTION_LOG:
            base, value = arguments if len(arguments) == 2 else (Number(10.0), arguments[0])
            if base == Number(10.0):
                return Call("log10", (value,))
            return Call("/", (Call("log", (value,)), Call("log", (base,))))
        if kind == sbml.AST_LOGICAL_IMPLIES:
            return Call("||", (Call("!", arguments[:1]), arguments[1]))
        if kind == sbml.AST_LOGICAL_XOR and len(arguments) == 2:
            a, b = arguments
            either, both = Call("||", (a, b)), Call("&&", (a, b))
            return Call("&&", (either, Call("!", (both,))))
        name = node.getName() or node.getOperatorName() or sbml.formulaToL3String(node)
        raise MechanismError(
            f"{where} uses {name!r}, which has no meaning here (delays, rates of change, factorials and functions "
            "beyond those of `qsp_bayes.systems.formula` are not supported). Write it with other functions."
        )
