"""Evidence: any result with a table and a summary, printed as part of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from qsp_bayes.errors import DecisionError
from qsp_bayes.report.blocks import Block, Column, Figure, Image, Table, Text
from qsp_bayes.report.formatting import alike, significant
from qsp_bayes.report.style import CSS_PIXELS_PER_INCH, embedded

MANY_SIZES = 30


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
    columns, cells = [Column(heading(frame.index.name or ""))], [index]
    for name in frame.columns:
        text, number = printed(frame[name])
        columns.append(Column(titles.get(name, heading(name)), number))
        cells.append(text)
    return Table(caption, columns, list(zip(*cells, strict=True)))


def printed(values: pd.Series) -> tuple[list[str], bool]:
    """Print the cells of a column, and tell whether they are numbers."""
    if values.dtype.kind == "b":
        return ["yes" if value else "no" for value in values], False
    if values.dtype.kind in "iu":
        return [str(value) for value in values], True
    if values.dtype.kind == "f":
        numbers = values.to_numpy(dtype=np.float64)
        return ([significant(x) for x in numbers] if of_many_sizes(numbers) else alike(numbers)), True
    return [str(value) for value in values], False


def of_many_sizes(numbers: np.ndarray) -> bool:
    """Tell whether numbers are of sizes so different, as those of several units, that common decimals hide some.

    Examples
    --------
    >>> of_many_sizes(np.array([0.6, 31.1])), of_many_sizes(np.array([0.0, 0.5, 2.0]))
    (True, False)
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    return bool(sizes.size and sizes.max() > MANY_SIZES * sizes.min())


def heading(name: Any) -> str:
    """Make a name a heading.

    Examples
    --------
    >>> heading("expected_regret"), heading("P(best)"), heading("")
    ('Expected regret', 'P(best)', '')
    """
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]
