"""Evidence: any result with a table and a summary, printed as part of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import are_numbers, heading, printed
from qsp_bayes.report.blocks import Block, Column, Figure, Image, Table, Text
from qsp_bayes.report.style import CSS_PIXELS_PER_INCH, embedded


@runtime_checkable
class Evidence(Protocol):
    """What a page can print: a table (pandas), and a summary in sentences."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each thing."""

    def summary(self) -> str:
        """Sentences."""


def evidence_blocks(
    evidence: Evidence, caption: str, figure: MatplotlibFigure | None = None, tone: str = "plain"
) -> list[Block]:
    """Print the summary, the figure where there is one, and the table.

    Raises
    ------
    DecisionError
        If the object has no table or no summary.
    """
    if not isinstance(evidence, Evidence):
        raise DecisionError(
            f"{caption}: expected an object with a data frame `table` and a method `summary`; received "
            f"{type(evidence).__name__}."
        )
    text = evidence.summary()
    found: list[Block] = [Text(text, tone)]  # type: ignore[arg-type]
    if figure is not None:
        width = round(figure.get_figwidth() * CSS_PIXELS_PER_INCH)
        found.append(Figure(caption, [Image(embedded(figure), f"{caption}. {text}", width)]))
    return [*found, frame_table(evidence.table, caption)]


def frame_table(frame: pd.DataFrame, caption: str, titles: Mapping[str, str] | None = None) -> Table:
    """Print a data frame, its index first; names lose their underscores.

    Examples
    --------
    >>> frame = pd.DataFrame({"expected_value": [0.5, 0.25], "worth_it": [True, False]}, index=["CL", "Vc"])
    >>> table = frame_table(frame, "Value")
    >>> [column.title for column in table.columns], table.rows[0]
    (['', 'Expected value', 'Worth it'], ('CL', '0.500', 'yes'))
    """
    titles = titles or {}
    index = [" · ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in frame.index]
    columns, cells = [Column(title(frame.index.name or ""))], [index]
    for name in frame.columns:
        columns.append(Column(titles.get(name, title(name)), are_numbers(frame[name])))
        cells.append(printed(frame[name]))
    return Table(caption, columns, list(zip(*cells, strict=True)))


def title(name: str) -> str:
    """Give the head of a column, with a capital."""
    text = heading(name)
    return text[:1].upper() + text[1:]
