"""Drawing nodes and edges as an inline SVG: boxes for states, labelled arrows for processes."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from qsp_bayes.systems.layout import Item, arrange
from qsp_bayes.systems.sketch import LINE, Edge, Node

BOX, PILL, HOOK, MARGIN = 34.0, 26.0, 24.0, 8.0
"""Heights of states and outputs, reach of a line that turns back, and the margin around all."""

WEIGHT = {"state": 30.0, "accumulator": 10.0, "process": 100.0, "dose": 1.0, "output": 0.3}
TIE = {"dose": -1, "state": 0, "process": 0, "accumulator": 1, "output": 3}
COLOUR = {"state": "#4477aa", "accumulator": "#888888", "output": "#228833", "dose": "#cc4455"}
TITLES = 'font-size="12"'
NOTES = 'font-size="10.5" opacity=".75"'
STROKES = {
    "flow": 'fill="none" stroke="currentColor" stroke-width="1.3"',
    "dose": f'fill="none" stroke="{COLOUR["dose"]}" stroke-width="1.8"',
    "influence": 'fill="none" stroke="currentColor" stroke-width="1" stroke-dasharray="4 3" opacity=".6"',
}


@dataclass(frozen=True)
class Satellite:
    """A state that exchanges with one other only; it stands above or below it (`side` -1 or 1)."""

    state: str
    process: str
    side: int


def satellites(nodes: dict[str, Node], edges: list[Edge]) -> dict[str, list[Satellite]]:
    """Find, for each state, those that exchange with it alone; two at most."""
    found: dict[str, list[Satellite]] = {}
    touching = {key: [edge for edge in edges if key in (edge.source, edge.target)] for key in nodes}
    for key, node in nodes.items():
        lines = touching[key]
        if (
            node.kind == "process"
            and len(lines) == 2
            and lines[0].heads == "start"
            and lines[1].heads == "end"
        ):
            host, state = lines[0].source, lines[1].target
            taken = found.setdefault(host, [])
            if len(touching[state]) == 1 and len(taken) < 2:
                taken.append(Satellite(state, key, 1 - 2 * len(taken)))
    return found


def svg(name: str, nodes: dict[str, Node], edges: list[Edge]) -> str:
    """Draw a sketch as an SVG element that takes the colour of the text around it."""
    around = satellites(nodes, edges)
    beside = {key for group in around.values() for one in group for key in (one.state, one.process)}
    items = {key: item_of(node) for key, node in nodes.items() if key not in beside}
    for host, group in around.items():
        for one in group:
            make_room(items[host], nodes[one.process], nodes[one.state], one.side)
    drawn = [edge for edge in edges if edge.source in items and edge.target in items]
    ways = arrange(items, [(edge.source, edge.target) for edge in drawn])
    parts = [curve(edge, [items[stop] for stop in ways[edge.source, edge.target]]) for edge in drawn]
    begun, ended = {edge.target for edge in drawn}, {edge.source for edge in drawn}
    for key, item in items.items():
        if key in nodes:
            parts.append(mark(nodes[key], item, key in begun, key in ended))
    for host, group in around.items():
        parts += [orbit(items[host], nodes[one.process], nodes[one.state], one.side) for one in group]
    width = max(item.end for item in items.values()) + HOOK + 2 * MARGIN
    height = max(item.y + item.below for item in items.values()) + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN:g} {-MARGIN:g} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto" role="img" '
        'font-family="system-ui,Helvetica,Arial,sans-serif" text-anchor="middle" fill="currentColor">'
        f"<title>{html.escape(name)}</title>{''.join(parts)}</svg>"
    )


def item_of(node: Node) -> Item:
    """Measure a node."""
    half, notes = node.width / 2, LINE * len(node.notes)
    above, below = {
        "process": (18.0, 6 + notes),
        "dose": (18.0, 6 + notes),
        "output": (PILL / 2, PILL / 2 + notes),
    }.get(node.kind, (BOX / 2, BOX / 2))
    first = 0 if node.kind in ("state", "accumulator") else -1
    drawn = node.box / 2 if node.kind == "output" else half
    return Item(above, below, half, half, drawn, WEIGHT[node.kind], TIE[node.kind], first)


def make_room(item: Item, process: Node, state: Node, side: int) -> None:
    """Let the item of a state reach around a satellite and the label of its process."""
    reach = span(process) + BOX
    item.above += reach if side < 0 else 0
    item.below += reach if side > 0 else 0
    item.left = max(item.left, state.width / 2)
    item.right = max(item.right, state.width / 2, process.width + 8)


def span(process: Node) -> float:
    """Length of the upright arrow of a satellite, which its label stands beside."""
    return LINE * (1 + len(process.notes)) + 16


def curve(edge: Edge, stops: list[Item]) -> str:
    """Draw an edge along its stops."""
    first, last = stops[0], stops[-1]
    way = 1 if first.column < last.column else -1
    hooked = way < 0 and len(stops) > 1 and stops[1].column == first.column
    leaves = first.x + way * first.half if first.first == 0 else first.end if hooked else border(first, way)
    arrives = last.x - way * last.half if last.first == 0 or edge.kind == "influence" else border(last, -way)
    points = f"M{place(leaves, first.y)}"
    for one, other in pairwise(stops):
        if one.column == other.column:
            x = one.end
            points += f"C{place(x + HOOK, one.y)} {place(x + HOOK, other.y)} {place(x, other.y)}"
            points += f"H{number(one.start)}"
            continue
        x, to_x = border(one, way), border(other, -way)
        bend = (to_x - x) / 2
        points += f"H{number(x)}"
        points += f"C{place(x + bend, one.y)} {place(to_x - bend, other.y)} {place(to_x, other.y)}"
        if other is not last:
            points += f"H{number(border(other, way))}"
    drawn = f'<path d="{points}H{number(arrives)}" {STROKES[edge.kind]}/>'
    if edge.heads == "end":
        drawn += head(arrives, last.y, way, 0, edge.kind)
    elif edge.heads == "start":
        drawn += head(leaves, first.y, -way, 0, edge.kind)
    elif edge.heads == "dot":
        drawn += f'<circle cx="{number(border(last, -way))}" cy="{number(last.y)}" r="3" {STROKES["flow"]}/>'
    return drawn


def border(item: Item, way: int) -> float:
    """Return the edge of an item's column on the side that a line goes to."""
    return item.end if way > 0 else item.start


def mark(node: Node, item: Item, begun: bool, ended: bool) -> str:
    """Draw a node."""
    x, y = item.x, item.y
    if node.kind in ("state", "accumulator"):
        return box(node, x, y)
    if node.kind == "output":
        return box(node, x, y) + text(node.notes, x, y + PILL / 2 + 10, NOTES)
    start = item.start if begun else x - item.half
    end = item.end if ended else x + item.half
    drawn = (
        f'<path d="M{place(start, y)}H{number(end)}" {STROKES["dose" if node.kind == "dose" else "flow"]}/>'
    )
    if not ended:
        drawn += head(end, y, 1, 0, "flow")
    return drawn + text([node.title], x, y - 7, TITLES) + text(node.notes, x, y + 13, NOTES)


def box(node: Node, x: float, y: float) -> str:
    """Draw a state or an output."""
    height, corner = (PILL, PILL / 2) if node.kind == "output" else (BOX, 5)
    colour = COLOUR[node.kind]
    dashes = ' stroke-dasharray="5 3"' if node.kind == "accumulator" else ""
    return (
        f'<rect x="{number(x - node.box / 2)}" y="{number(y - height / 2)}" width="{number(node.box)}" '
        f'height="{number(height)}" rx="{number(corner)}" fill="{colour}" fill-opacity=".13" '
        f'stroke="{colour}" stroke-width="1.4"{dashes}/>'
        + text([node.title], x, y + 4.5, 'font-size="13" font-weight="600"')
    )


def orbit(host: Item, process: Node, state: Node, side: int) -> str:
    """Draw a satellite: the state above or below its host, and the exchange between them."""
    near = host.y + side * BOX / 2
    far = near + side * span(process)
    lines = 1 + len(process.notes)
    top = (near + far) / 2 - LINE * lines / 2 + 10
    return (
        f'<path d="M{place(host.x, near)}V{number(far)}" {STROKES["flow"]}/>'
        + head(host.x, near, 0, -side, "flow")
        + head(host.x, far, 0, side, "flow")
        + box(state, host.x, far + side * BOX / 2)
        + text([process.title], host.x + 8, top, TITLES + ' text-anchor="start"')
        + text(process.notes, host.x + 8, top + LINE, NOTES + ' text-anchor="start"')
    )


def head(x: float, y: float, dx: int, dy: int, kind: str) -> str:
    """Draw an arrow head at a point, looking along (dx, dy)."""
    back_x, back_y = x - 8 * dx, y - 8 * dy
    corners = (
        f"M{place(x, y)}L{place(back_x - 4 * dy, back_y + 4 * dx)}L{place(back_x + 4 * dy, back_y - 4 * dx)}Z"
    )
    colour = f' fill="{COLOUR["dose"]}"' if kind == "dose" else ""
    return f'<path d="{corners}"{colour}/>'


def text(lines: Iterable[str], x: float, y: float, style: str) -> str:
    """Write lines of text, one below the other."""
    return "".join(
        f'<text x="{number(x)}" y="{number(y + i * LINE)}" {style}>{html.escape(each)}</text>'
        for i, each in enumerate(lines)
    )


def place(x: float, y: float) -> str:
    """Write a point."""
    return f"{number(x)} {number(y)}"


def number(value: float) -> str:
    """Write a coordinate to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")
