"""Result: what was found, as a table and in sentences, and how both are shown in a console and in a notebook."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qsp_bayes.formatting import MINUS, heading, printed

MOST_ROWS = 30
"""Rows that are shown of a long table."""


class Result(ABC):
    """What a computation found.

    A result has a data frame `table` with all figures and a method `summary` with the sentences that they come to. Both
    are shown, sentences first, wherever the result is printed: by ``repr`` with the names of the columns, in a notebook
    with heads in words. Numbers have three significant digits, and text is escaped. Of more than 30 rows the first are
    shown, those that stand out among them.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False)
    ... class Clearances(Result):
    ...     table: pd.DataFrame
    ...
    ...     def summary(self) -> str:
    ...         return f"CL is {self.table['median'].mean():.3g} L/h on average."
    >>> Clearances(pd.DataFrame({"median": [2.8, 3.25], "mcse": [0.02, 0.0151]}, index=["S1", "S2"]))
    CL is 3.02 L/h on average.
    <BLANKLINE>
       median    mcse
    S1   2.80  0.0200
    S2   3.25  0.0151
    """

    if TYPE_CHECKING:  # at run time it would be taken for the default of the field `table` of a dataclass

        @property
        def table(self) -> pd.DataFrame:
            """All figures, a field of some results and a property of others."""

    @abstractmethod
    def summary(self) -> str:
        """Sentences that state what was found, and how sure it is."""

    @property
    def title(self) -> str:
        """What comes before everything else in a notebook; empty where the sentences say it all."""
        return ""

    @property
    def shown(self) -> pd.DataFrame:
        """What a reader looks at first of `table`."""
        return self.table

    @property
    def column_units(self) -> Mapping[str, str]:
        """Units of the columns of `shown`, for their heads."""
        return {}

    @property
    def marked(self) -> Sequence[str]:
        """Labels of the rows that stand out, by the first level of the index."""
        return ()

    @property
    def notes(self) -> Sequence[str]:
        """What is said after the table, line by line."""
        return ()

    def __repr__(self) -> str:
        rows = first_rows(self.shown, self.marked)
        text = printed_frame(rows).rename(columns=self.with_unit).to_string().replace(MINUS, "-")
        more = self.left_out(rows)
        return "\n".join(
            [self.summary(), "", text, *([more] if more else []), *([""] if self.notes else []), *self.notes]
        )

    def _repr_html_(self) -> str:
        rows = first_rows(self.shown, self.marked)
        table = html_table(rows, self.marked, {name: self.with_unit(name, heading(name)) for name in rows})
        more = self.left_out(rows)
        before = "".join(f"<p>{html.escape(text)}</p>" for text in (self.title, self.summary()) if text)
        after = "".join(f"<p>{html.escape(text)}</p>" for text in (more, *self.notes) if text)
        return f"{before}{table}{after}"

    def with_unit(self, name: str, head: str = "") -> str:
        """Put the unit behind the head of a column."""
        unit = self.column_units.get(name)
        return f"{head or name} ({unit})" if unit else head or name

    def left_out(self, rows: pd.DataFrame) -> str:
        """Say how many rows are not shown."""
        n = len(self.shown) - len(rows)
        return f"{n} more row{'' if n == 1 else 's'}, not shown here." if n else ""


def first_rows(frame: pd.DataFrame, marked: Sequence[str] = ()) -> pd.DataFrame:
    """Take as many rows as are shown, in their order: the marked ones and the first.

    Examples
    --------
    >>> first_rows(pd.DataFrame({"x": range(100)}, index=map(str, range(100))), ["88"]).index[-2:].tolist()
    ['28', '88']
    """
    if len(frame) <= MOST_ROWS:
        return frame
    kept = np.argsort(~stand_out(frame, marked), kind="stable")[:MOST_ROWS]
    return frame.iloc[np.sort(kept)]


def stand_out(frame: pd.DataFrame, marked: Sequence[str]) -> np.ndarray:
    """Tell which rows are marked."""
    labels = frame.index.get_level_values(0).astype(str)
    return np.asarray(labels.isin(list(marked)))


def printed_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Print every cell."""
    # By position: two columns may have one name.
    columns = {k: printed(frame.iloc[:, k]) for k in range(frame.shape[1])}
    return pd.DataFrame(columns, index=frame.index, dtype=object).set_axis(frame.columns, axis="columns")


def html_table(
    frame: pd.DataFrame, marked: Sequence[str] = (), heads: Mapping[str, str] | None = None
) -> str:
    """Write a table for a notebook, escaped.

    Examples
    --------
    >>> page = html_table(pd.DataFrame({"p_best": [0.9, 0.1]}, index=["<5 mg>", "10 mg"]), marked=["10 mg"])
    >>> "<th>&lt;5 mg&gt;</th>" in page, "<td><strong>0.100</strong></td>" in page
    (True, True)
    """
    heads = {name: heading(name) for name in frame} if heads is None else heads
    tag = np.where(stand_out(frame, marked), "<strong>{}</strong>", "{}")
    texts = printed_frame(frame).to_numpy(dtype=object)
    cells = [[form.format(html.escape(text)) for text in row] for form, row in zip(tag, texts, strict=True)]
    columns = [html.escape(str(heads[name])) for name in frame]
    table = pd.DataFrame(cells, escaped(frame.index), columns)
    if table.index.nlevels == 1:  # the title of the labels beside the heads, rather than in a row of its own
        table = table.rename_axis(index=None, columns=table.index.name)
    with pd.option_context("display.max_colwidth", None):
        return table.to_html(escape=False, border=0)


def escaped(index: pd.Index) -> pd.Index:
    """Escape the labels of rows, and their titles."""
    titles = [heading(name) if name is not None else None for name in index.names]
    titles = [html.escape(title) if title else None for title in titles]
    if isinstance(index, pd.MultiIndex):
        labels = [tuple(html.escape(str(label)) for label in row) for row in index]
        return pd.MultiIndex.from_tuples(labels, names=titles)
    return pd.Index([html.escape(str(label)) for label in index], name=titles[0])
