"""What is drawn of a system: nodes and edges, before anything has a place."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytensor.graph.traversal import ancestors

from qsp_bayes.systems.notation import Text, definition, names_of, write
from qsp_bayes.systems.symbolic import symbolic

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    from qsp_bayes.systems.system import System

BOXED, TITLE, NOTE, LINE = 8.0, 7.0, 6.1, 13.0
"""Room for a letter in a box, a title and a note, and between lines of notes."""


@dataclass(frozen=True)
class Node:
    """Something drawn: its `kind` is state, accumulator, process, dose or output, `note` a formula."""

    kind: str
    title: str
    note: str = ""

    @property
    def notes(self) -> list[str]:
        """The note in lines."""
        return wrapped(self.note)

    @property
    def width(self) -> float:
        """The room its text needs."""
        return max([self.box, *(NOTE * len(line) + 4 for line in self.notes)])

    @property
    def box(self) -> float:
        """The width of its box, or the room its title needs."""
        boxed = self.kind in ("state", "accumulator", "output")
        return len(self.title) * (BOXED if boxed else TITLE) + (20 if boxed else 12)


@dataclass(frozen=True)
class Edge:
    """A line between nodes: its `kind` is flow, dose or influence; `heads` is start, end, dot or none."""

    source: str
    target: str
    kind: str
    heads: str


def wrapped(text: str, width: int = 24, lines: int = 3) -> list[str]:
    """Break a formula into lines at its operators, and shorten what is longer.

    Examples
    --------
    >>> wrapped("Q*(central/Vc - peripheral1/Vp)")
    ['Q*(central/Vc', '- peripheral1/Vp)']
    """
    found = [""]
    for part in re.split(r"(?= [+-] )|(?<=[*/,])", text):
        if found[-1] and len(found[-1]) + len(part) > width:
            found.append(part.strip())
        else:
            found[-1] += part
    if len(found) > lines:
        found = [*found[: lines - 1], found[lines - 1] + " …"]
    return [line if len(line) <= 2 * width else line[: 2 * width] + "…" for line in found if line]


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
