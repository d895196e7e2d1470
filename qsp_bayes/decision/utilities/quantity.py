"""Quantity: what arithmetic in a utility does to units, found without numbers."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pint

from qsp_bayes.decision.measures.path import Path
from qsp_bayes.errors import DecisionError
from qsp_bayes.systems.dimensions import spelling
from qsp_bayes.units import conversion_factor, registry

NUMBER = registry.dimensionless


class NotFollowedError(Exception):
    """An operation whose unit is not known here, such as a method of xarray."""


@dataclass(frozen=True, eq=False)
class Quantity:
    """The unit of a term of a utility.

    A plain number is a weight where it multiplies, a value in the unit of the other term where it is added or compared,
    and where it divides (``auc(x["Cc"]) / 400``) perhaps a reference value in the unit of what it divides: the ratio
    is then read as a pure number wherever one is needed. ``np.log`` takes the number of a quantity in its unit (another
    unit would add a constant, which no choice depends on); ``np.exp`` and ``np.tanh`` want a pure number.

    Parameters
    ----------
    unit : pint.Unit
    text : str
        The term as it was written, for messages.
    ratio : bool
        Whether a plain number divided it, so that it may be a pure number.

    Examples
    --------
    >>> from qsp_bayes.units import parse_unit
    >>> hours, exposure = Quantity(parse_unit("h"), "time"), Quantity(parse_unit("mg*h/L"), "auc")
    >>> (0.5 * hours).spelled, (exposure / hours).spelled, np.log(exposure / 400).spelled
    ('h', 'mg/L', '1')
    >>> hours + exposure
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.DecisionError: time is in h, auc in h*mg/L: they cannot be added...
    """

    unit: pint.Unit
    text: str
    ratio: bool = False

    @property
    def spelled(self) -> str:
        """The unit, as users write it."""
        return spelling(self.unit)

    @property
    def may_be_number(self) -> bool:
        """Whether the term can be read as a pure number."""
        return self.ratio or self.unit == NUMBER

    def as_number(self, what: str) -> Quantity:
        """Give the term as a pure number, or say why it is none."""
        if not self.may_be_number:
            raise DecisionError(
                f"{what} of {self.text}, which is in {self.spelled}: it needs a number without unit. Divide by "
                f"a reference value in {self.spelled} first."
            )
        return self.pure(f"{what}({self.text})")

    def pure(self, text: str) -> Quantity:
        """Give a pure number that varies as the term does: over time where that is a path."""
        return replace(self, unit=NUMBER, text=text, ratio=False)

    def joined(self, other: Any, verb: str, sign: str) -> Quantity:
        """Add, subtract or compare."""
        text = f"{self.text} {sign} {text_of(other)}"
        if not isinstance(other, Quantity):
            return replace(self, text=text)
        base = varying(self, other)
        factor = conversion_factor(self.spelled, other.spelled)
        if factor == 1:
            return replace(base, unit=self.unit, text=text, ratio=self.ratio and other.ratio)
        if self.may_be_number and other.may_be_number:
            return base.pure(text)
        relation = "" if factor is None else f" (1 {self.spelled} = {factor:.10g} {other.spelled})"
        raise DecisionError(
            f"{self.text} is in {self.spelled}, {other.text} in {other.spelled}{relation}: they cannot be {verb}. "
            "Divide each by a reference value in its own unit, or make a desirability of each."
        )

    def compared(self, other: Any, sign: str) -> Quantity:
        """Compare, which gives a pure number."""
        joined = self.joined(other, "compared", sign)
        return joined.pure(joined.text)

    def scaled(self, other: Any, sign: str, reverse: bool = False) -> Quantity:
        """Multiply or divide."""
        first, second = (text_of(other), self.text) if reverse else (self.text, text_of(other))
        text = f"{grouped(first)} {sign} {grouped(second)}"
        if not isinstance(other, Quantity):
            unit = 1 / self.unit if reverse and sign == "/" else self.unit
            divided = sign == "/" and self.unit != NUMBER
            return replace(self, unit=(1 * unit).units, text=text, ratio=self.ratio or divided)
        unit = self.unit * other.unit if sign == "*" else self.unit / other.unit
        return replace(varying(self, other), unit=unit, text=text, ratio=self.ratio or other.ratio)

    def __add__(self, other: Any) -> Quantity:
        return self.joined(other, "added", "+")

    def __sub__(self, other: Any) -> Quantity:
        return self.joined(other, "subtracted", "-")

    def __mul__(self, other: Any) -> Quantity:
        return self.scaled(other, "*")

    def __truediv__(self, other: Any) -> Quantity:
        return self.scaled(other, "/")

    def __rtruediv__(self, other: Any) -> Quantity:
        return self.scaled(other, "/", reverse=True)

    def __rmul__(self, other: Any) -> Quantity:
        return self.scaled(other, "*", reverse=True)

    def __radd__(self, other: Any) -> Quantity:
        return replace(self, text=f"{text_of(other)} + {self.text}")

    def __rsub__(self, other: Any) -> Quantity:
        return replace(self, text=f"{text_of(other)} - {grouped(self.text)}")

    def __pow__(self, power: Any) -> Quantity:
        if isinstance(power, Quantity):
            power.as_number("a power")
            return self.as_number("a power")
        text = f"{grouped(self.text)}**{text_of(power)}"
        return replace(self, unit=self.unit**power, text=text)

    def __rpow__(self, base: Any) -> Quantity:
        text_of(base)
        return self.as_number("a power")

    def __neg__(self) -> Quantity:
        return replace(self, text=f"-{grouped(self.text)}")

    def __abs__(self) -> Quantity:
        return replace(self, text=f"abs({self.text})")

    def __gt__(self, other: Any) -> Quantity:
        return self.compared(other, ">")

    def __ge__(self, other: Any) -> Quantity:
        return self.compared(other, ">=")

    def __lt__(self, other: Any) -> Quantity:
        return self.compared(other, "<")

    def __le__(self, other: Any) -> Quantity:
        return self.compared(other, "<=")

    def __eq__(self, other: Any) -> Any:
        return self.compared(other, "==")

    def __ne__(self, other: Any) -> Any:
        return self.compared(other, "!=")

    __hash__ = None  # type: ignore[assignment]

    def __and__(self, other: Any) -> Quantity:
        return self.as_number("and").joined(other, "joined", "&")

    __or__ = __rand__ = __ror__ = __and__

    def __invert__(self) -> Quantity:
        return self.as_number("not")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Quantity:
        operation = FUNCTIONS.get(ufunc.__name__)
        if operation is None or method != "__call__" or kwargs:
            raise NotFollowedError(f"np.{ufunc.__name__}")
        return operation(*inputs)

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> Any:
        raise NotFollowedError(f"np.{function.__name__}")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise NotFollowedError("conversion to an array")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a question of numpy or of copy, not of a user
            raise AttributeError(name)
        raise NotFollowedError(f".{name}")

    def __bool__(self) -> bool:
        raise NotFollowedError("conversion to a truth value")


def text_of(term: Any) -> str:
    """Text of a term, which is a quantity or a plain number; anything else cannot be followed."""
    if isinstance(term, Quantity):
        return term.text
    if isinstance(term, numbers.Number | np.bool_):
        return f"{term:g}" if isinstance(term, numbers.Real) else str(term)
    raise NotFollowedError(type(term).__name__)


def varying(first: Quantity, second: Quantity) -> Quantity:
    """Of two terms, the one that is a path over time; the first where neither or both are."""
    return second if isinstance(second, Path) and not isinstance(first, Path) else first


def grouped(text: str) -> str:
    """Put a sum in parentheses.

    Examples
    --------
    >>> grouped("a + b"), grouped("auc(Cc)")
    ('(a + b)', 'auc(Cc)')
    """
    return f"({text})" if " + " in text or " - " in text else text


def largest_of(first: Any, second: Any) -> Any:
    """Larger or smaller of two terms: of one unit, as a sum is."""
    return first + second


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b if isinstance(a, Quantity) else b.__radd__(a),
    "subtract": lambda a, b: a - b if isinstance(a, Quantity) else b.__rsub__(a),
    "multiply": lambda a, b: a * b if isinstance(a, Quantity) else b.__rmul__(a),
    "divide": lambda a, b: a / b if isinstance(a, Quantity) else b.__rtruediv__(a),
    "power": lambda a, b: a**b if isinstance(a, Quantity) else b.__rpow__(a),
    "maximum": largest_of,
    "minimum": largest_of,
    "negative": lambda a: -a,
    "absolute": abs,
    "sqrt": lambda a: a**0.5,
    "square": lambda a: a**2,
    "log": lambda a: a.pure(f"log({a.text})"),
    "log2": lambda a: a.pure(f"log2({a.text})"),
    "log10": lambda a: a.pure(f"log10({a.text})"),
    "exp": lambda a: a.as_number("exp"),
    "expm1": lambda a: a.as_number("expm1"),
    "log1p": lambda a: a.as_number("log1p"),
    "tanh": lambda a: a.as_number("tanh"),
}
