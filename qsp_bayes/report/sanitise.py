"""Markup that comes from a file is let through only as far as it sets text, tables and formulae."""

from __future__ import annotations

import html
from html.parser import HTMLParser

TEXT = {"table", "tbody", "tr", "td", "em", "i", "sub", "sup"}
LAYOUT = {"math", "mrow", "mstyle", "mspace", "mtable", "mtr", "mtd", "munder", "mover"}
MATHEMATICS = {"mi", "mn", "mo", "mtext", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"}
ALLOWED = TEXT | LAYOUT | MATHEMATICS
DROPPED_WITH_CONTENT = {"script", "style"}


class Sanitiser(HTMLParser):
    """Write allowed tags without their attributes, and everything else as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.written: list[str] = []
        self.open: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an allowed tag; the only attribute kept is the one that draws fractions at full size."""
        if tag in DROPPED_WITH_CONTENT:
            self.silent += 1
        if tag in ALLOWED and not self.silent:
            full_size = tag == "math" and ("displaystyle", "true") in attrs
            self.written.append(f'<{tag} displaystyle="true">' if full_size else f"<{tag}>")
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what is open, in the order it was opened."""
        if tag in DROPPED_WITH_CONTENT:
            self.silent = max(0, self.silent - 1)
        if tag in self.open and not self.silent:
            while (closed := self.open.pop()) != tag:
                self.written.append(f"</{closed}>")
            self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Write text."""
        if not self.silent:
            self.written.append(html.escape(data))


def sanitised(markup: str) -> str:
    """Give markup with nothing left that could run, load or link.

    Examples
    --------
    >>> sanitised("<td onclick='x()'>a <sub>1</sub><script>x()</script><img src='y'></td>")
    '<td>a <sub>1</sub></td>'
    >>> sanitised("<mi>k<mo>")
    '<mi>k<mo></mo></mi>'
    """
    parser = Sanitiser()
    parser.feed(markup)
    parser.close()
    return "".join([*parser.written, *(f"</{tag}>" for tag in reversed(parser.open))])
