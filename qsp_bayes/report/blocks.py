"""What a section of the report is made of; the template knows how to print each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from qsp_bayes.formatting import align

Tone = Literal["plain", "good", "caution", "bad", "absent"]


@dataclass(frozen=True)
class Text:
    """A paragraph. The tone `absent` marks a sentence that says why something is not shown."""

    text: str
    tone: Tone = "plain"
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Facts:
    """Terms and what they are."""

    rows: Sequence[tuple[str, str | Sequence[str]]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Equations:
    """Equations, one a line, as sanitised markup where there is some and as text otherwise."""

    lines: Sequence[str]
    markup: str = ""
    kind: str = field(default="equations", init=False)


@dataclass(frozen=True)
class Column:
    """Heading of a column; numbers are aligned on their decimal point."""

    title: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of printed cells; `marked` names the rows to emphasise."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    note: str = ""
    marked: Sequence[int] = ()
    kind: str = field(default="table", init=False)

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """The rows, with the numbers of each column padded to align on the decimal point."""
        columns = [
            align(values) if column.number else list(values)
            for column, values in zip(self.columns, zip(*self.rows, strict=True), strict=False)
        ]
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    label: str
    mark: Literal["point", "line", "dashes", "band"]
    colour: str


@dataclass(frozen=True)
class Image:
    """A picture as a data URI, its words for those who do not see it, and its width in CSS pixels."""

    uri: str
    alt: str
    width: int


@dataclass(frozen=True)
class Figure:
    """One picture, or a set of small or large ones that flows with the width of the page."""

    caption: str
    images: Sequence[Image]
    key: Sequence[Key] = ()
    layout: Literal["single", "small", "large"] = "single"
    kind: str = field(default="figure", init=False)


Block = Text | Facts | Equations | Table | Figure


@dataclass(frozen=True)
class Section:
    """A titled part of the report."""

    anchor: str
    title: str
    blocks: Sequence[Block]
