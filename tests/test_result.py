"""What a result shows: everything of a short table, the first and what stands out of a long one, nothing unescaped."""

import ast
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qsp_bayes
from qsp_bayes.result import MOST_ROWS, Result

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@dataclass(frozen=True, repr=False)
class Found(Result):
    table: pd.DataFrame
    words: str = "Said."
    marked: tuple[str, ...] = ()

    def summary(self) -> str:
        return self.words

    @property
    def title(self) -> str:
        return self.words

    @property
    def column_units(self) -> dict[str, str]:
        return {"value": "mg/L"}

    @property
    def notes(self) -> list[str]:
        return [self.words]


class Page(HTMLParser):
    """Rows of cells, paragraphs, and the tags there are, as a browser sees them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.paragraphs, self.stack = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.stack.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.stack):
            self.rows[-1][-1] += data
        elif "p" in self.stack:
            self.paragraphs[-1] += data


def read(result):
    return Page(result._repr_html_())


@given(st.lists(TEXT, min_size=1, max_size=4, unique=True), TEXT)
def test_no_text_becomes_markup(labels, words):
    table = pd.DataFrame({"value": 1.0, "text": labels}, index=pd.Index(labels, name=f"{words}?"))
    page = read(Found(table, words, (labels[0],)))
    assert page.tags == {"p", "table", "thead", "tbody", "tr", "th", "td", "strong"}
    assert page.paragraphs == [words, words, words]  # title, sentences and note
    assert [row[0] for row in page.rows[-len(labels) :]] == labels
    assert [row[2] for row in page.rows[-len(labels) :]] == labels


@given(st.lists(st.floats(1e-3, 9e5), min_size=1, max_size=8))
def test_numbers_are_shown_to_three_digits(values):
    """Common decimals are those of the largest number, unless one of them would lose its digits by that."""
    table = pd.DataFrame({"value": values})
    result = Found(table)
    page = read(result)
    assert page.rows[0] == ["", "value (mg/L)"]
    shown = np.array([float(row[1]) for row in page.rows[1:]])
    rough = max(values) if max(values) <= 30 * min(values) else np.asarray(values)
    assert (np.abs(shown - values) <= 0.5001e-2 * np.asarray(rough)).all()
    in_console = [float(line.split()[-1]) for line in repr(result).splitlines()[3 : 3 + len(values)]]
    np.testing.assert_allclose(in_console, shown)


@pytest.mark.parametrize("rows", [0, 1, MOST_ROWS, MOST_ROWS + 1, 500])
def test_long_tables_are_cut_and_say_so(rows):
    result = Found(pd.DataFrame({"value": np.arange(rows)}, index=[f"d{k}" for k in range(rows)]))
    page = result._repr_html_()
    assert len(Page(page).rows) == 1 + min(rows, MOST_ROWS)
    for view in (page, repr(result)):
        assert (f"{rows - MOST_ROWS} more row" in view) == (rows > MOST_ROWS)
    assert result.shown.equals(result.table)


def test_what_is_chosen_is_shown_and_stands_out():
    labels = [f"d{k}" for k in range(500)]
    result = Found(pd.DataFrame({"value": np.arange(500.0)}, index=labels), marked=("d499",))
    assert result._repr_html_().count("<strong>") == 1
    assert "<strong>499</strong>" in result._repr_html_()
    assert [row[0] for row in read(result).rows[1:]] == [*labels[: MOST_ROWS - 1], "d499"]
    assert "d499" in repr(result)


def test_levels_of_an_index_are_kept():
    index = pd.MultiIndex.from_product([["a", "b"], ["<5", ">5"]], names=["regimen", "target"])
    result = Found(pd.DataFrame({"p_best": [0.1, 0.2, 0.3, 0.4]}, index=index), marked=("b",))
    rows = read(result).rows
    assert rows[0] == ["", "", "P(best)"]
    assert [row[-2:] for row in rows[-4:]] == [
        ["<5", "0.100"],
        [">5", "0.200"],
        ["<5", "0.300"],
        [">5", "0.400"],
    ]
    assert result._repr_html_().count("<strong>") == 2


def test_what_is_missing_is_a_dash_and_truth_is_a_word():
    table = pd.DataFrame({"x": [np.nan, 1.0], "kept": [True, False], "stop": [None, "safety"]})
    assert [row[1:] for row in read(Found(table)).rows[1:]] == [["–", "yes", "–"], ["1.00", "no", "safety"]]


def test_results_leave_printing_to_the_base_class():
    """No subclass writes a notebook's view again, but to add a table of its own."""
    adds_a_table = {"TMDDComparison"}
    found = set()
    for path in Path(qsp_bayes.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") == "Result" for b in node.bases):
                own = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
                assert node.name in adds_a_table or not own & {"__repr__", "_repr_html_"}, node.name
                found.add(node.name)
    assert len(found) > 15
