"""A short way from straight-line Python to machine code, for functions of thousands of lines.

Numba looks at each line for what types, branches and references it may have, which takes a millisecond a line.
Lines that are all assignments of float64 need none of it: they are handed to LLVM as they stand, from inside a
function that numba compiles, caches and exports like any other.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

NUMBER, TRUTH = ir.DoubleType(), ir.IntType(1)

ARITHMETIC = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
LOGIC = {ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor"}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def straight_line(function: Callable[..., int]) -> Any:
    """Make what compiled code calls a straight-line function by.

    Parameters
    ----------
    function : callable
        Its arguments are numbers and addresses of float64. Each line assigns a number or a truth value to a name, or
        a number to an element of an address; the last returns a whole number or a truth value.

    Examples
    --------
    >>> from numba import njit
    >>> @straight_line
    ... def cube(x):
    ...     square = x * x
    ...     return square * x > 8.0
    >>> @njit
    ... def over_eight(x):
    ...     return cube(x)
    >>> over_eight(2.0), over_eight(2.5)
    (0, 1)
    """

    def typed(typing_context: Any, *arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            assert isinstance(tree, ast.FunctionDef)
            names = dict(zip((argument.arg for argument in tree.args.args), values, strict=True))
            return _Translator(context, builder, names, function.__globals__).translate(tree.body)

        return types.int64(*arguments), generate

    own = inspect.signature(function)
    context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    typed.__signature__ = own.replace(parameters=[context, *own.parameters.values()])  # type: ignore[attr-defined]
    typed.__name__ = function.__name__
    return intrinsic(typed)


class _Translator:
    """One function on its way to LLVM: the value of each name so far."""

    def __init__(self, context: Any, builder: Any, names: dict[str, Any], found: dict[str, Any]) -> None:
        self.context, self.builder, self.names, self.globals = context, builder, names, found

    def translate(self, lines: list[ast.stmt]) -> Any:
        """Translate the lines and return the result of the last."""
        for line in lines:
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.names[name] = self.value(value)
                case ast.Assign(targets=[ast.Subscript() as target], value=value):
                    self.builder.store(self.value(value), self.element(target))
                case ast.AugAssign(target=ast.Subscript() as target, op=ast.Add(), value=value):
                    place, change = self.element(target), self.value(value)
                    self.builder.store(self.builder.fadd(self.builder.load(place), change), place)
                case ast.Return(value=ast.Constant(value=int(number))):
                    return ir.Constant(ir.IntType(64), number)
                case ast.Return(value=ast.expr() as value):
                    return self.builder.zext(self.value(value), ir.IntType(64))
                case _:
                    raise NotImplementedError(f"{ast.unparse(line)!r} is no straight line.")
        raise NotImplementedError("the last line returns nothing.")

    def element(self, target: ast.Subscript) -> Any:
        """Address of an element."""
        assert isinstance(target.value, ast.Name)
        assert isinstance(target.slice, ast.Constant)
        index = ir.Constant(ir.IntType(64), target.slice.value)
        return self.builder.gep(self.names[target.value.id], [index])

    def value(self, node: ast.expr) -> Any:
        """Value of an expression."""
        match node:
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Name(id=name):
                return ir.Constant(NUMBER, float(self.globals[name]))
            case ast.Constant(value=bool(truth)):
                return ir.Constant(TRUTH, truth)
            case ast.Constant(value=int(number) | float(number)):
                return ir.Constant(NUMBER, float(number))
            case ast.Subscript():
                return self.builder.load(self.element(node))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number) | float(number))):
                return ir.Constant(NUMBER, -float(number))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.builder.fneg(self.value(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.builder.not_(self.value(operand))
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
                return self.power(self.value(base), exponent)
            case ast.BinOp(left=left, op=operation, right=right):
                name = (ARITHMETIC | LOGIC)[type(operation)]
                return getattr(self.builder, name)(self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[operation], comparators=[right]):
                return self.comparison(COMPARISONS[type(operation)], self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, [self.value(argument) for argument in arguments])
        raise NotImplementedError(f"{ast.unparse(node)!r} cannot be translated.")

    def comparison(self, symbol: str, left: Any, right: Any) -> Any:
        """Compare two numbers; with a NaN only != holds."""
        if left.type == TRUTH:
            return self.builder.icmp_unsigned(symbol, left, right)
        compare = self.builder.fcmp_unordered if symbol == "!=" else self.builder.fcmp_ordered
        return compare(symbol, left, right)

    def call(self, name: str, values: list[Any]) -> Any:
        """Call a function of numbers, in the way that numba would."""
        function = self.globals.get(name, getattr(builtins, name, None))
        kinds = tuple(types.boolean if value.type == TRUTH else types.float64 for value in values)
        typing = self.context.typing_context
        kind = typing.resolve_value_type(function)
        signature = kind.get_call_type(typing, kinds, {})
        implementation = self.context.get_function(kind, signature)
        self.context.add_linking_libs(getattr(implementation, "libs", ()))
        return implementation(self.builder, values)

    def power(self, base: Any, exponent: ast.expr) -> Any:
        """Raise to a power: by multiplications if it is a whole number written as such."""
        match exponent:
            case ast.Constant(value=int(number)):
                return self.whole_power(base, number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return self.builder.fdiv(ir.Constant(NUMBER, 1.0), self.whole_power(base, number))
        intrinsic_pow = self.builder.module.declare_intrinsic("llvm.pow", [NUMBER])
        return self.builder.call(intrinsic_pow, [base, self.value(exponent)])

    def whole_power(self, base: Any, exponent: int) -> Any:
        """Raise to a whole power by squaring."""
        if exponent == 0:
            return ir.Constant(NUMBER, 1.0)
        if exponent == 1:
            return base
        half = self.whole_power(base, exponent // 2)
        square = self.builder.fmul(half, half)
        return self.builder.fmul(square, base) if exponent % 2 else square
