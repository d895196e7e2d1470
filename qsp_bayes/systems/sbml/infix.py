"""Formulas in the text that libsbml reads (the infix notation of level 3)."""

from __future__ import annotations

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.notation import ATOM, COMPARISON, LOGICAL, PRODUCT, Piece, Text

KNOWN = {
    "abs": "abs", "exp": "exp", "log": "ln", "log10": "log10", "ceil": "ceil", "floor": "floor", "sin": "sin",
    "cos": "cos", "tan": "tan", "arcsin": "arcsin", "arccos": "arccos", "arctan": "arctan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "sqrt": "sqrt",
}  # fmt: skip
"""Functions that SBML has, by their name in prints."""

REWRITTEN = {
    "log1p": "ln({one} + {0})",
    "expm1": "(exp({0}) - {one})",
    "log2": "(ln({0})/ln({two}))",
    "sigmoid": "({one}/({one} + exp(-({0}))))",
    "log1pexp": "ln({one} + exp({0}))",
    "max": "piecewise({0}, {0} >= {1}, {1})",
    "min": "piecewise({0}, {0} <= {1}, {1})",
    "clip": "piecewise({1}, {0} < {1}, piecewise({2}, {0} > {2}, {0}))",
    "sign": "piecewise({one}, {0} > 0, piecewise(-{one}, {0} < 0, 0))",
    "invert": "!({0})",
}
"""Functions that SBML lacks, written with others."""


class Infix(Text):
    """Text that `libsbml.parseL3Formula` reads, with all digits of numbers."""

    def number(self, value: float) -> Piece:
        """Write a number; one that is not zero says that it has no unit."""
        value = float(value)
        text = repr(abs(value))
        if not value:
            return Piece("0", ATOM)
        dimensionless = f"{text} dimensionless"
        return Piece(f"(-{dimensionless})" if value < 0 else dimensionless, ATOM)

    def logical(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a logical combination."""
        sign = {"and": " && ", "or": " || "}[symbol]
        return Piece(sign.join(self.brackets(piece, COMPARISON) for piece in pieces), LOGICAL)

    def choice(self, symbol: str, condition: Piece, yes: Piece, no: Piece) -> Piece:
        """Write what holds under a condition, and otherwise."""
        return Piece(f"piecewise({yes.text}, {condition.text}, {no.text})", ATOM)

    def negative(self, symbol: str, piece: Piece) -> Piece:
        """Write a piece with a minus sign."""
        return Piece(f"(-{self.brackets(piece, PRODUCT)})", ATOM)

    def call(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a function of pieces.

        Raises
        ------
        MechanismError
            For a function that SBML cannot write.
        """
        texts = [piece.text for piece in pieces]
        if symbol in KNOWN:
            return Piece(f"{KNOWN[symbol]}({', '.join(texts)})", ATOM)
        if symbol in ("max", "min") and len(texts) > 2:
            return self.call(symbol, self.call(symbol, *pieces[:2]), *pieces[2:])
        if symbol in REWRITTEN:
            one, two = self.number(1.0).text, self.number(2.0).text
            return Piece(f"({REWRITTEN[symbol].format(*(f'({t})' for t in texts), one=one, two=two)})", ATOM)
        raise MechanismError(f"SBML has no function {symbol!r}. Write it with exp, log, powers and choices.")
