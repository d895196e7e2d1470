"""The drawing of a system, as graphviz source and as an inline SVG."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsp_bayes.systems.drawing import svg
from qsp_bayes.systems.sketch import Edge, Node, sketch

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


@dataclass(frozen=True)
class Diagram:
    """The drawing of a system.

    Attributes
    ----------
    dot : str
        Graphviz source.
    svg : str
        Scalable drawing in the colour of the text around it, to stand in a page.
    """

    dot: str
    svg: str

    def _repr_html_(self) -> str:
        return self.svg


@functools.lru_cache(maxsize=32)
def draw(system: System) -> Diagram:
    """Draw a system: states as boxes, processes as arrows with their rates, influences dashed."""
    nodes, edges = sketch(system)
    return Diagram(dot(system.name, nodes, edges), svg(system.name, nodes, edges))


SHAPES = {
    "state": "box",
    "accumulator": 'box, style="dashed"',
    "process": "plaintext",
    "dose": "plaintext",
    "output": 'box, style="rounded"',
}


def dot(name: str, nodes: dict[str, Node], edges: list[Edge]) -> str:
    """Write graphviz source."""
    lines = [f"digraph {quoted(name)} {{", '  rankdir="LR"; node [fontname="sans-serif"];']
    for key, node in nodes.items():
        label = f"{node.title}\n{node.note}" if node.note else node.title
        lines.append(f"  {quoted(key)} [label={quoted(label)}, shape={SHAPES[node.kind]}];")
    for edge in edges:
        style = ' style="dashed",' if edge.kind == "influence" else ""
        direction = {"start": "back", "end": "forward", "none": "none", "dot": "forward"}[edge.heads]
        head = ' arrowhead="odot",' if edge.heads == "dot" else ""
        lines.append(f'  {quoted(edge.source)} -> {quoted(edge.target)} [{style}{head} dir="{direction}"];')
    return "\n".join([*lines, "}"])


def quoted(text: str) -> str:
    """Quote a graphviz string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
