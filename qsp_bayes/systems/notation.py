"""Writing a graph: as a line of text, or as MathML."""

from __future__ import annotations

import html
import re
from typing import ClassVar, NamedTuple

from pytensor.graph.basic import Apply
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.systems.operations import Operation, fold
from qsp_bayes.systems.release import Release
from qsp_bayes.systems.scope import Scope
from qsp_bayes.systems.symbolic import SymbolicSystem

CHOICE, LOGICAL, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(7)


class Piece(NamedTuple):
    """Something written, and how tightly it binds."""

    text: str
    binding: int


def sides_of(graphs: SymbolicSystem | Scope) -> dict[str, TensorVariable]:
    """Return the sides of the switches by name."""
    if isinstance(graphs, Scope):
        return graphs.sides
    return {name: switch.side for name, switch in graphs.switches.items()}


def releases_of(graphs: SymbolicSystem | Scope) -> dict[str, TensorVariable]:
    """Return what stands for the rates of the releases, by the state that they release."""
    if isinstance(graphs, Scope):
        sources = {p.name: p.source for p in graphs.system.processes if isinstance(p, Release)}
        return {sources[name]: variable for name, variable in graphs.releases.items()}
    return {release.source: release.rate for release in graphs.releases.values()}


def names_of(graphs: SymbolicSystem | Scope) -> dict[TensorVariable, str]:
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
    for kind in (*kinds, sides_of(graphs)):
        for name, variable in kind.items():
            named.setdefault(variable, name)
    return named | {variable: f"release({source})" for source, variable in releases_of(graphs).items()}


class Text:
    """Plain text: ``KA*depot - CL/Vc*central``."""

    times, minus = "*", "-"

    def name(self, name: str) -> Piece:
        """Write a name."""
        return Piece(name, ATOM)

    def derivative(self, name: str) -> str:
        """Write the derivative of a state."""
        return f"d({name})/dt"

    def at(self, state: str, switch: str, direction: str) -> str:
        """Write the value of a state after a switch."""
        return self.of(state, switch) if direction == "up" else self.of(state, f"{switch} {direction}")

    def of(self, quantity: str, name: str) -> str:
        """Write a quantity of something, such as a lag time of a compartment."""
        return f"{quantity}({name})"

    def words(self, text: str) -> str:
        """Write words."""
        return text

    def number(self, value: float) -> Piece:
        """Write a number."""
        return Piece(f"{value:.12g}", ATOM if value >= 0 else SUM)

    def symbol(self, symbol: str) -> str:
        """Write an operator with room around it."""
        return f" {symbol} "

    def brackets(self, piece: Piece, binding: int) -> str:
        """Write a piece, in brackets where it binds less than it must."""
        return piece.text if piece.binding >= binding else self.enclosed(piece.text)

    def enclosed(self, text: str) -> str:
        """Put text in brackets."""
        return f"({text})"

    def infix(self, symbol: str, pieces: list[Piece], binding: int, associative: bool = True) -> Piece:
        """Write pieces with a symbol between them."""
        first, *others = pieces
        right = binding if associative else binding + 1
        texts = [self.brackets(first, binding), *(self.brackets(other, right) for other in others)]
        return Piece(symbol.join(texts), binding)

    def sum(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a sum or difference."""
        return self.infix(self.symbol(symbol), list(pieces), SUM, associative=symbol == "+")

    def product(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a product."""
        return self.infix(self.times, list(pieces), PRODUCT)

    def fraction(self, symbol: str, above: Piece, below: Piece) -> Piece:
        """Write a fraction."""
        return self.infix("/", [above, below], PRODUCT, associative=False)

    def power(self, symbol: str, base: Piece, exponent: Piece) -> Piece:
        """Write a power."""
        return Piece(f"{self.brackets(base, ATOM)}^{self.brackets(exponent, ATOM)}", POWER)

    def square(self, symbol: str, base: Piece) -> Piece:
        """Write a square."""
        return self.power("", base, self.number(2))

    def root(self, symbol: str, base: Piece) -> Piece:
        """Write a square root."""
        return self.call("sqrt", base)

    def reciprocal(self, symbol: str, base: Piece) -> Piece:
        """Write one over a piece."""
        return self.fraction("", self.number(1), base)

    def negative(self, symbol: str, piece: Piece) -> Piece:
        """Write a piece with a minus sign."""
        return Piece(self.minus + self.brackets(piece, PRODUCT), SUM)

    def itself(self, symbol: str, piece: Piece) -> Piece:
        """Write a piece as it is."""
        return piece

    def comparison(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a comparison."""
        return self.infix(self.symbol(symbol), list(pieces), COMPARISON, associative=False)

    def logical(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a logical combination."""
        return self.infix(self.symbol(symbol), list(pieces), LOGICAL)

    def choice(self, symbol: str, condition: Piece, yes: Piece, no: Piece) -> Piece:
        """Write what holds under a condition, and otherwise."""
        parts = [self.brackets(piece, LOGICAL) for piece in (yes, condition)]
        return Piece(f"{parts[0]} if {parts[1]} else {no.text}", CHOICE)

    def call(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a function of pieces."""
        return Piece(f"{symbol}({', '.join(piece.text for piece in pieces)})", ATOM)


class MathML(Text):
    """MathML, which browsers and notebooks draw without scripts."""

    times, minus = "<mo>&#x22C5;</mo>", "<mo>&#x2212;</mo>"
    signs: ClassVar = {
        "-": "&#x2212;",
        "<": "&lt;",
        ">": "&gt;",
        "<=": "&#x2264;",
        ">=": "&#x2265;",
        "!=": "&#x2260;",
        "==": "=",
    }
    stem = re.compile(r"(?:(V|K|k|Q|E|I|C|R)(ss|[a-z]{1,3}\d?|A|D|TR)|(t)(lag)|([A-Za-z_]*[A-Za-z])_?(\d+))")

    def name(self, name: str) -> Piece:
        """Write a name."""
        match = self.stem.fullmatch(name)
        if match is None:
            return Piece(f"<mi>{html.escape(name)}</mi>", ATOM)
        base, index = (group for group in match.groups() if group)
        return Piece(
            f"<msub><mi>{html.escape(base)}</mi><mi mathvariant='normal'>{html.escape(index)}</mi></msub>",
            ATOM,
        )

    def derivative(self, name: str) -> str:
        """Write the derivative of a state."""
        return (
            f"<mfrac><mrow><mi>d</mi>{self.name(name).text}</mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>"
        )

    def of(self, quantity: str, name: str) -> str:
        """Write a quantity of something, such as a lag time of a compartment."""
        return f"{self.name(quantity).text}{self.enclosed(self.name(name).text)}"

    def words(self, text: str) -> str:
        """Write words."""
        return f"<mtext>{html.escape(text)}</mtext>"

    def number(self, value: float) -> Piece:
        """Write a number."""
        piece = super().number(value)
        return Piece(f"<mn>{piece.text}</mn>", piece.binding)

    def symbol(self, symbol: str) -> str:
        """Write an operator with room around it."""
        return f"<mo>{self.signs.get(symbol, symbol)}</mo>"

    def enclosed(self, text: str) -> str:
        """Put text in brackets."""
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def fraction(self, symbol: str, above: Piece, below: Piece) -> Piece:
        """Write a fraction."""
        return Piece(f"<mfrac><mrow>{above.text}</mrow><mrow>{below.text}</mrow></mfrac>", PRODUCT)

    def power(self, symbol: str, base: Piece, exponent: Piece) -> Piece:
        """Write a power."""
        below = base.text if base.binding == ATOM else self.enclosed(base.text)
        return Piece(f"<msup><mrow>{below}</mrow><mrow>{exponent.text}</mrow></msup>", POWER)

    def root(self, symbol: str, base: Piece) -> Piece:
        """Write a square root."""
        return Piece(f"<msqrt>{base.text}</msqrt>", ATOM)

    def choice(self, symbol: str, condition: Piece, yes: Piece, no: Piece) -> Piece:
        """Write what holds under a condition, and otherwise."""
        rows = ((yes.text, f"<mtext>if&#xA0;</mtext>{condition.text}"), (no.text, "<mtext>otherwise</mtext>"))
        cells = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return Piece(f"<mrow><mo>{{</mo><mtable columnalign='left left'>{cells}</mtable></mrow>", ATOM)

    def call(self, symbol: str, *pieces: Piece) -> Piece:
        """Write a function of pieces."""
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
