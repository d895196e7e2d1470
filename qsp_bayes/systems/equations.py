"""The equations of a system, as text and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pytensor.tensor as pt
from pytensor.scalar.basic import Sub
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.systems.notation import ATOM, MathML, Piece, Text, definition, names_of, write
from qsp_bayes.systems.switch import WORDS
from qsp_bayes.systems.symbolic import symbolic

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


def equations(system: System, style: Text) -> list[tuple[str, str]]:
    """Write both sides of every equation: expressions, states, starts, doses, switches, outputs."""
    graphs = symbolic(system)
    names = names_of(graphs)

    def side(graph: TensorVariable) -> str:
        return write(graph, names, style)

    def meaning(graph: TensorVariable) -> str:
        return definition(graph, names, style)

    lines = [(style.name(name).text, meaning(graph)) for name, graph in graphs.expressions.items()]
    for release in graphs.releases.values():
        arguments = [f"{style.name('t').text}{style.symbol('-')}{style.name('arrival').text}"]
        arguments += [side(graph) for graph in release.quantities]
        profile = style.call(release.profile.word, *(Piece(text, ATOM) for text in arguments))
        dose = style.product("", style.name("dose"), profile)
        lines.append((style.of("release", release.source), style.words("sum over doses of ") + dose.text))
    lines += [(style.derivative(name), side(graph)) for name, graph in graphs.derivatives.items()]
    lines += [
        (style.of(name, "0"), side(graphs.initial[name])) for name in graphs.states if name in system.initial
    ]
    for compartment, deliveries in graphs.deliveries.items():
        for route in deliveries:
            target = compartment if len(deliveries) == 1 else f"{compartment} to {route.state}"
            lines += [(style.of(shape, target), side(graph)) for shape, graph in route.graphs().items()]
    for name, switch in graphs.switches.items():
        lines.append((style.name(name).text, side(side_of(switch.when))))
        lines += [
            (style.at(state, name, WORDS[switch.direction]), side(graph))
            for state, graph in switch.change.items()
        ]
    lines += [
        (style.name(name).text, meaning(graph))
        for name, graph in graphs.outputs.items()
        if name not in graphs.states and name not in graphs.expressions
    ]
    return lines


def side_of(when: TensorVariable) -> TensorVariable:
    """Return the graph of which side of zero a graph is on, a difference as the comparison of its parts."""
    node = when.owner
    if node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Sub):
        return pt.switch(pt.gt(*node.inputs), 1.0, 0.0)
    return pt.switch(pt.gt(when, 0.0), 1.0, 0.0)


def equations_text(system: System) -> list[str]:
    """Write the equations as lines of text."""
    return [f"{left} = {right}" for left, right in equations(system, Text())]


def equations_html(system: System) -> str:
    """Write the equations as an HTML table of MathML, which needs no script and no font of its own."""
    rows = "".join(
        f"<tr><td style='text-align:right;padding:3px'>{mathematics(left)}</td><td>=</td>"
        f"<td style='text-align:left;padding:3px'>{mathematics(right)}</td></tr>"
        for left, right in equations(system, MathML())
    )
    label = html.escape(f"Equations of {system.name}")
    return f"<table class='equations' aria-label=\"{label}\"><tbody>{rows}</tbody></table>"


def mathematics(markup: str) -> str:
    """Enclose MathML so that fractions are drawn at full size."""
    return (
        f"<math xmlns='http://www.w3.org/1998/Math/MathML' displaystyle='true'><mrow>{markup}</mrow></math>"
    )
