"""What is drawn of a system: nodes and edges, as graphviz source and as an inline SVG."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytensor.graph.traversal import ancestors

from qsp_bayes.systems.drawing import Edge, Node, svg
from qsp_bayes.systems.notation import Text, definition, names_of, write
from qsp_bayes.systems.symbolic import symbolic

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

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


def sketch(system: System) -> tuple[dict[str, Node], list[Edge]]:
    """Collect what is drawn. Names of nodes start with their kind."""
    graphs = symbolic(system)
    names = names_of(graphs)
    nodes: dict[str, Node] = {}
    flows: list[Edge] = []
    influences: list[Edge] = []

    def note(graph: TensorVariable) -> str:
        return write(graph, names, Text())

    def acting(graph: TensorVariable, but: Collection[str] = ()) -> list[str]:
        below = set(ancestors([graph]))
        return [name for name, variable in graphs.states.items() if variable in below and name not in but]

    for name in system.states:
        nodes[f"state {name}"] = Node("accumulator" if name in system.accumulators else "state", name)
    for process in system.processes:
        key, rate = f"process {process.name}", graphs.rates[process.name]
        taken = [name for name, coefficient in process.stoichiometry.items() if coefficient < 0]
        made = [name for name, coefficient in process.stoichiometry.items() if coefficient > 0]
        both_ways = bool(taken) and not set(made).isdisjoint(acting(rate))
        nodes[key] = Node("process", process.name, note(rate))
        flows += [Edge(f"state {name}", key, "flow", "start" if both_ways else "none") for name in taken]
        flows += [Edge(key, f"state {name}", "flow", "end") for name in made]
        influences += [
            Edge(f"state {name}", key, "influence", "dot") for name in acting(rate, process.stoichiometry)
        ]
    for compartment, routes in graphs.deliveries.items():
        for route in routes:
            key = f"dose {compartment} {route.state}"
            title = "dose" if compartment == route.state else f"dose into {compartment}"
            shapes = {shape: note(graph) for shape, graph in route.graphs().items()}
            shown = [shape if shape == text else f"{shape} = {text}" for shape, text in shapes.items()]
            nodes[key] = Node("dose", title, ", ".join(shown))
            flows.append(Edge(key, f"state {route.state}", "dose", "end"))
    for name, graph in graphs.outputs.items():
        nodes[f"output {name}"] = Node(
            "output", name, "" if name in graphs.states else definition(graph, names, Text())
        )
        influences += [
            Edge(f"state {state}", f"output {name}", "influence", "none") for state in acting(graph)
        ]
    return nodes, flows + influences


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
