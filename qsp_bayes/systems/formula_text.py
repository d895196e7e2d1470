"""Reading a formula from text: a tokenizer and a recursive-descent parser, which refuse all they do not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import Call, Formula, Name, Number

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z]\w*)"
    r"|(?P<symbol><=|>=|==|!=|&&|\|\||\*\*|[-+*/^<>!(),]))",
    re.ASCII,
)
DEEPEST, LONGEST = 60, 500
"""Brackets within brackets, and numbers, names and symbols; a rate that needs more is no rate."""


class Token(NamedTuple):
    """A number, a name or a symbol, and how many characters stand before it."""

    kind: str
    text: str
    position: int


def parse_formula(text: str, where: str = "formula") -> Formula:
    r"""Read a formula such as ``"Vmax*S/(Km + S)"``.

    Parameters
    ----------
    text : str
        Numbers, names, ``+ - * / ^`` (or ``**``), brackets, the functions of `qsp_bayes.systems.formula.FUNCTIONS`
        (``log`` is the natural one), and for ``piecewise(value, condition, otherwise)`` comparisons and ``&& || !``.
    where : str
        What the formula belongs to, for messages.

    Raises
    ------
    MechanismError
        For anything else, with its position.

    Examples
    --------
    >>> parse_formula("k*A")
    Call(function='*', arguments=(Name(name='k', position=0), Name(name='A', position=2)), position=1)
    >>> parse_formula("k*A; import os")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.MechanismError: formula 'k*A; import os': ';' at character 4 has no meaning here...
    """
    return Parser(text, where).whole()


class Parser:
    """One text on its way to a formula."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where
        self.tokens = self.split()
        self.next = 0
        self.depth = 0

    def split(self) -> list[Token]:
        """Cut the text into tokens."""
        tokens, position, end = [], 0, len(self.text.rstrip())
        while position < end:
            match = TOKEN.match(self.text, position)
            if match is None:
                at = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                raise self.error(
                    at,
                    f"{self.text[at]!r} at character {at + 1} has no meaning here. "
                    "Write numbers, names, + - * / ^, brackets and functions such as exp(x).",
                )
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind)))
            position = match.end()
            if len(tokens) > LONGEST:
                raise MechanismError(
                    f"{self.where} {self.text[:40]!r}...: more than {LONGEST} numbers, names and symbols. "
                    "Split it into expressions."
                )
        return [*tokens, Token("end", "the end", end)]

    def error(self, position: int, message: str) -> MechanismError:
        """Describe what is wrong with the text."""
        return MechanismError(f"{self.where} {self.text!r}: {message}")

    def unexpected(self, expected: str) -> MechanismError:
        """Describe a token that cannot stand where it does."""
        token = self.tokens[self.next]
        found = token.text if token.kind == "end" else repr(token.text)
        return self.error(
            token.position, f"{found} at character {token.position + 1}, where {expected} is expected."
        )

    def take(self, *symbols: str) -> Token | None:
        """Take the next token if it is one of the symbols."""
        token = self.tokens[self.next]
        if token.kind == "symbol" and token.text in symbols:
            self.next += 1
            return token
        return None

    def need(self, symbol: str) -> None:
        """Take a symbol that must come next."""
        if self.take(symbol) is None:
            raise self.unexpected(f"{symbol!r}")

    def whole(self) -> Formula:
        """Read the whole text."""
        formula = self.expression()
        if self.tokens[self.next].kind != "end":
            raise self.unexpected("an operator or the end")
        return formula

    def expression(self) -> Formula:
        """Read anything, brackets counted."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(0, f"more than {DEEPEST} brackets within each other. Split it into expressions.")
        formula = self.either()
        self.depth -= 1
        return formula

    def chain(self, part: Callable[[], Formula], *symbols: str) -> Formula:
        """Read parts with symbols between them, the first ones bound first."""
        formula = part()
        while token := self.take(*symbols):
            formula = Call(token.text, (formula, part()), token.position)
        return formula

    def either(self) -> Formula:
        """Read conditions of which one must hold."""
        return self.chain(self.both, "||")

    def both(self) -> Formula:
        """Read conditions that must all hold."""
        return self.chain(self.comparison, "&&")

    def comparison(self) -> Formula:
        """Read a sum, or two that are compared."""
        formula = self.sum()
        if token := self.take("<", "<=", ">", ">=", "==", "!="):
            return Call(token.text, (formula, self.sum()), token.position)
        return formula

    def sum(self) -> Formula:
        """Read a sum."""
        return self.chain(self.product, "+", "-")

    def product(self) -> Formula:
        """Read a product."""
        return self.chain(self.signed, "*", "/")

    def signed(self) -> Formula:
        """Read a power with signs before it; -2^2 is -(2^2)."""
        signs = []
        while token := self.take("-", "+", "!"):
            signs.append(token)
        formula = self.power()
        for token in reversed(signs):
            if token.text != "+":
                formula = Call(token.text, (formula,), token.position)
        return formula

    def power(self) -> Formula:
        """Read a power; those further right are bound first."""
        base = self.atom()
        if token := self.take("^", "**"):
            self.depth += 1
            if self.depth > DEEPEST:
                raise self.error(0, f"more than {DEEPEST} powers within each other.")
            exponent = self.signed()
            self.depth -= 1
            return Call("^", (base, exponent), token.position)
        return base

    def atom(self) -> Formula:
        """Read a number, a name, a call, or something in brackets."""
        token = self.tokens[self.next]
        if self.take("("):
            formula = self.expression()
            self.need(")")
            return formula
        if token.kind not in ("number", "name"):
            raise self.unexpected("a number or a name")
        self.next += 1
        if token.kind == "number":
            return Number(float(token.text))
        if not self.take("("):
            return Name(token.text, token.position)
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        self.need(")")
        return Call(token.text, tuple(arguments), token.position)
