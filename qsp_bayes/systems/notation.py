"""Writing a graph: as a line of text, or as MathML."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from pytensor.graph.basic import Apply
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.systems.operations import Operation, fold
from qsp_bayes.systems.symbolic import SymbolicSystem

CHOICE, LOGICAL, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(7)


class Piece(NamedTuple):
    """Something written, and how tightly it binds."""

    text: str
    binding: int


def names_of(graphs: SymbolicSystem) -> dict[TensorVariable, str]:
    """Name the variables of a system; expressions and outputs are written by their name."""
    kinds = (
        graphs.states,
        graphs.parameters,
        graphs.inputs,
        graphs.constants,
        graphs.expressions,
        graphs.outputs,
    )
    named = {graphs.time: "t"}
    for kind in kinds:
        for name, variable in kind.items():
            named.setdefault(variable, name)
    return named


class Text:
    """Plain text: ``KA*depot - CL/Vc*central``."""

    times, minus = "*", "-"

    def name(self, name: str) -> Piece:
        return Piece(name, ATOM)

    def derivative(self, name: str) -> str:
        return f"d({name})/dt"

    def of(self, quantity: str, name: str) -> str:
        return f"{quantity}({name})"

    def number(self, value: float) -> Piece:
        return Piece(f"{value:.12g}", ATOM if value >= 0 else SUM)

    def symbol(self, symbol: str) -> str:
        return f" {symbol} "

    def brackets(self, piece: Piece, binding: int) -> str:
        return piece.text if piece.binding >= binding else self.enclosed(piece.text)

    def enclosed(self, text: str) -> str:
        return f"({text})"

    def infix(self, symbol: str, pieces: list[Piece], binding: int, associative: bool = True) -> Piece:
        first, *others = pieces
        right = binding if associative else binding + 1
        texts = [self.brackets(first, binding), *(self.brackets(other, right) for other in others)]
        return Piece(symbol.join(texts), binding)

    def sum(self, symbol: str, *pieces: Piece) -> Piece:
        return self.infix(self.symbol(symbol), list(pieces), SUM, associative=symbol == "+")

    def product(self, symbol: str, *pieces: Piece) -> Piece:
        return self.infix(self.times, list(pieces), PRODUCT)

    def fraction(self, symbol: str, above: Piece, below: Piece) -> Piece:
        return self.infix("/", [above, below], PRODUCT, associative=False)

    def power(self, symbol: str, base: Piece, exponent: Piece) -> Piece:
        return Piece(f"{self.brackets(base, ATOM)}^{self.brackets(exponent, ATOM)}", POWER)

    def square(self, symbol: str, base: Piece) -> Piece:
        return self.power("", base, self.number(2))

    def root(self, symbol: str, base: Piece) -> Piece:
        return self.call("sqrt", base)

    def reciprocal(self, symbol: str, base: Piece) -> Piece:
        return self.fraction("", self.number(1), base)

    def negative(self, symbol: str, piece: Piece) -> Piece:
        return Piece(self.minus + self.brackets(piece, PRODUCT), SUM)

    def itself(self, symbol: str, piece: Piece) -> Piece:
        return piece

    def comparison(self, symbol: str, *pieces: Piece) -> Piece:
        return self.infix(self.symbol(symbol), list(pieces), COMPARISON, associative=False)

    def logical(self, symbol: str, *pieces: Piece) -> Piece:
        return self.infix(self.symbol(symbol), list(pieces), LOGICAL)

    def choice(self, symbol: str, condition: Piece, yes: Piece, no: Piece) -> Piece:
        parts = [self.brackets(piece, LOGICAL) for piece in (yes, condition)]
        return Piece(f"{parts[0]} if {parts[1]} else {no.text}", CHOICE)

    def call(self, symbol: str, *pieces: Piece) -> Piece:
        return Piece(f"{symbol}({', '.join(piece.text for piece in pieces)})", ATOM)


class MathML(Text):
    """MathML, which browsers and notebooks draw without scripts."""

    times, minus = "<mo>&#x22C5;</mo>", "<mo>&#x2212;</mo>"
    signs = {
        "-": "&#x2212;",
        "<": "&lt;",
        ">": "&gt;",
        "<=": "&#x2264;",
        ">=": "&#x2265;",
        "!=": "&#x2260;",
        "==": "=",
    }
    stem = re.compile(r"(?:(V|K|k|Q|E|C|R)(ss|[a-z]{1,3}\d?|A|D|TR)|(t)(lag)|([A-Za-z_]*[A-Za-z])_?(\d+))")

    def name(self, name: str) -> Piece:
        match = self.stem.fullmatch(name)
        if match is None:
            return Piece(f"<mi>{html.escape(name)}</mi>", ATOM)
        base, index = (group for group in match.groups() if group)
        return Piece(f"<msub><mi>{html.escape(base)}</mi><mi>{html.escape(index)}</mi></msub>", ATOM)

    def derivative(self, name: str) -> str:
        return (
            f"<mfrac><mrow><mi>d</mi>{self.name(name).text}</mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>"
        )

    def of(self, quantity: str, name: str) -> str:
        return f"{self.name(quantity).text}{self.enclosed(self.name(name).text)}"

    def number(self, value: float) -> Piece:
        piece = super().number(value)
        return Piece(f"<mn>{piece.text}</mn>", piece.binding)

    def symbol(self, symbol: str) -> str:
        return f"<mo>{self.signs.get(symbol, symbol)}</mo>"

    def enclosed(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def fraction(self, symbol: str, above: Piece, below: Piece) -> Piece:
        return Piece(f"<mfrac><mrow>{above.text}</mrow><mrow>{below.text}</mrow></mfrac>", PRODUCT)

    def power(self, symbol: str, base: Piece, exponent: Piece) -> Piece:
        below = base.text if base.binding == ATOM else self.enclosed(base.text)
        return Piece(f"<msup><mrow>{below}</mrow><mrow>{exponent.text}</mrow></msup>", POWER)

    def root(self, symbol: str, base: Piece) -> Piece:
        return Piece(f"<msqrt>{base.text}</msqrt>", ATOM)

    def choice(self, symbol: str, condition: Piece, yes: Piece, no: Piece) -> Piece:
        rows = ((yes.text, f"<mtext>if&#xA0;</mtext>{condition.text}"), (no.text, "<mtext>otherwise</mtext>"))
        cells = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return Piece(f"<mrow><mo>{{</mo><mtable columnalign='left left'>{cells}</mtable></mrow>", ATOM)

    def call(self, symbol: str, *pieces: Piece) -> Piece:
        inside = "<mo>,</mo>".join(piece.text for piece in pieces)
        return Piece(f"<mrow><mi>{html.escape(symbol)}</mi><mo>(</mo>{inside}<mo>)</mo></mrow>", ATOM)


def compose(graph: TensorVariable, names: dict[TensorVariable, str], style: Text) -> Piece:
    """Write a graph in a style, stopping at named variables."""
    known = {variable: style.name(name) for variable, name in names.items()}

    def apply(row: Operation, pieces: list[Piece], node: Apply) -> Piece:
        piece: Piece = getattr(style, row.form)(row.symbol, *pieces)
        return piece

    return fold(graph, known, style.number, apply)


def definition(graph: TensorVariable, names: dict[TensorVariable, str], style: Text) -> str:
    """Write what a named graph is defined by, where `write` would give its name."""
    others = (
        names if graph.owner is None else {other: name for other, name in names.items() if other is not graph}
    )
    return write(graph, others, style)


def write(graph: TensorVariable, names: dict[TensorVariable, str], style: Text) -> str:
    """Write a graph in a style, stopping at named variables.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> a, b = pt.dscalars("a", "b")
    >>> write(a / (a + b), {a: "A", b: "B"}, Text())
    'A/(A + B)'
    """
    return compose(graph, names, style).text
