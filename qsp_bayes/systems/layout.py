"""Where the parts of a diagram stand: in columns from left to right, in rows straight and apart.

Columns of states and columns of links (processes, doses, outputs) alternate, so that every label has a place
of its own and no text meets another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP, APART, SWEEPS = 20.0, 10.0, 8

Line = tuple[str, str]


@dataclass
class Item:
    """A part of a diagram: how far it reaches around its point, and where that point is.

    `half` is half the width of what is drawn at the point itself, `weight` says how strongly its row is held,
    `tie` which of two equals stands higher, `first` the column of an item that nothing leads to. Its column
    reaches from `start` to `end`.
    """

    above: float
    below: float
    left: float
    right: float
    half: float = 0.0
    weight: float = 1.0
    tie: int = 0
    first: int = 0
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    start: float = 0.0
    end: float = 0.0


def arrange(items: dict[str, Item], lines: Sequence[Line]) -> dict[Line, list[str]]:
    """Place items, and return the stops of each line on its way.

    Lines that come first decide what stands left of what. Lanes, which keep the way of long lines free, are
    added to the items.
    """
    forward = acyclic(lines)
    assign_columns(items, forward)
    ways: dict[Line, list[str]] = {}
    for line, (left, right) in zip(lines, forward, strict=True):
        turned = line != (left, right)
        # A line that turns back leaves a link at its far end, and needs a lane to pass under it.
        beyond = items[right].column + (turned and items[right].first < 0)
        stops = [left, *add_lanes(items, items[left].column + 1, beyond, len(ways)), right]
        ways[line] = stops[::-1] if turned else stops
    joined = neighbours(pair for stops in ways.values() for pair in pairwise(stops))
    columns = order_rows(items, joined)
    place_rows(items, columns, joined)
    place_columns(items, columns)
    return ways


def acyclic(lines: Iterable[Line]) -> list[Line]:
    """Turn around the lines that would close a circle."""
    after: dict[str, list[str]] = {}

    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            here = ahead.pop()
            if here not in seen:
                seen.add(here)
                ahead += after.get(here, [])
        return goal in seen

    forward = []
    for source, target in lines:
        left, right = (target, source) if reaches(target, source) else (source, target)
        after.setdefault(left, []).append(right)
        forward.append((left, right))
    return forward


def assign_columns(items: Mapping[str, Item], forward: Iterable[Line]) -> None:
    """Put each item right of all that leads to it, and beginnings close to what they lead to."""
    before: dict[str, list[str]] = {name: [] for name in items}
    after: dict[str, list[str]] = {name: [] for name in items}
    for left, right in forward:
        before[right].append(left)
        after[left].append(right)
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for other in before[name]:
                visit(other)
            order[name] = None

    for name in items:
        visit(name)
    for name in order:
        item = items[name]
        item.column = max((items[other].column + 1 for other in before[name]), default=item.first)
    for name in reversed(order):
        if after[name] and not any(before[other] for other in before[name]):
            items[name].column = min(items[other].column for other in after[name]) - 1


def add_lanes(items: dict[str, Item], first: int, beyond: int, number: int) -> list[str]:
    """Add a lane for a line in every column that it crosses."""
    names = []
    for column in range(first, beyond):
        names.append(f"lane {number} in {column}")
        items[names[-1]] = Item(4, 4, 0, 0, weight=10, tie=2, column=column)
    return names


def neighbours(links: Iterable[Line]) -> dict[str, list[str]]:
    """List what each item is joined to."""
    joined: dict[str, list[str]] = {}
    for a, b in links:
        joined.setdefault(a, []).append(b)
        joined.setdefault(b, []).append(a)
    return joined


def order_rows(items: Mapping[str, Item], joined: Mapping[str, list[str]]) -> list[list[str]]:
    """Return the columns, ordered by the mean row of the neighbours, so that few lines cross."""
    columns: dict[int, list[str]] = {}
    for name in items:
        columns.setdefault(items[name].column, []).append(name)
    ordered = [columns[number] for number in sorted(columns)]
    for sweep in range(SWEEPS):
        for names in ordered if sweep % 2 == 0 else reversed(ordered):
            row = {name: i - (len(other) - 1) / 2 for other in ordered for i, name in enumerate(other)}

            def key(name: str, row: Mapping[str, float] = row) -> tuple[float, int]:
                rows = [row[other] for other in joined.get(name, [])] or [row[name]]
                return sum(rows) / len(rows), items[name].tie

            names.sort(key=key)
    return ordered


def place_rows(
    items: Mapping[str, Item], columns: Sequence[list[str]], joined: Mapping[str, list[str]]
) -> None:
    """Draw items to the rows of their neighbours, keeping them apart."""
    for sweep in range(2 * SWEEPS):
        for names in columns if sweep % 2 == 0 else reversed(columns):
            wanted = []
            for name in names:
                pulls = [(items[other].y, items[other].weight) for other in joined.get(name, [])]
                total = sum(weight for _, weight in pulls)
                wanted.append(sum(y * weight for y, weight in pulls) / total if total else items[name].y)
            for name, y in zip(names, apart([items[name] for name in names], wanted), strict=True):
                items[name].y = y
    top = min(item.y - item.above for item in items.values())
    for item in items.values():
        item.y -= top


def apart(column: Sequence[Item], wanted: Sequence[float]) -> list[float]:
    """Find the rows nearest to those wanted, in weighted squares, that keep the items of a column apart.

    This is isotonic regression of the wanted rows less the room that the items above need: neighbours that
    would meet are pooled into one block at their weighted mean.
    """
    room = [0.0]
    for upper, lower in pairwise(column):
        room.append(room[-1] + upper.below + APART + lower.above)
    blocks: list[tuple[float, float, int]] = []
    for item, y, shift in zip(column, wanted, room, strict=True):
        mean, weight, size = y - shift, item.weight, 1
        while blocks and blocks[-1][0] > mean:
            other, other_weight, other_size = blocks.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, size = weight + other_weight, size + other_size
        blocks.append((mean, weight, size))
    rows = [mean for mean, _, size in blocks for _ in range(size)]
    return [row + shift for row, shift in zip(rows, room, strict=True)]


def place_columns(items: Mapping[str, Item], columns: Sequence[list[str]]) -> None:
    """Place the columns one after the other."""
    start = 0.0
    for names in columns:
        x = start + max(items[name].left for name in names)
        end = x + max(items[name].right for name in names)
        for name in names:
            items[name].start, items[name].x, items[name].end = start, x, end
        start = end + GAP
