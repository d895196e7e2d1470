"""Formulas from text against Python's own arithmetic, and what is no formula."""

import math

import hypothesis.strategies as st
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import FUNCTIONS, evaluate, names
from qsp_bayes.systems.formula_text import DEEPEST, LONGEST, parse_formula

VALUES = {"A": 1.7, "k2": 0.3, "Vmax": 5.0}


def value(text, **values):
    """The value of a formula at numbers."""
    found = evaluate(parse_formula(text), values or VALUES)
    return float(pt.as_tensor_variable(found).eval(mode="FAST_COMPILE"))


LEAVES = st.one_of(
    st.sampled_from(list(VALUES)), st.integers(0, 20).map(str), st.floats(0.01, 99).map(lambda x: f"{x:.3g}")
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", " - ", " + ", "/"]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.sampled_from(["2", "3", "0.5"])).map(lambda pair: f"({pair[0]})**{pair[1]}"),
        st.tuples(LEAVES, st.sampled_from(["2", "-1", "2**2"])).map("^".join),
        inner.map(lambda text: f"max({text}, A)"),
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_numbers_are_those_of_python(text):
    """Precedence and association are those of Python, whose ** is ^ here."""
    try:
        expected = eval(text.replace("^", "**"), {"max": max, **VALUES})
    except (ZeroDivisionError, OverflowError, TypeError):
        return  # the last where a root of a negative number, which is complex, is compared
    if isinstance(expected, complex) or not math.isfinite(expected):
        return
    found = evaluate(parse_formula(text), VALUES)
    if not isinstance(found, complex):
        assert float(pt.as_tensor_variable(found).eval(mode="FAST_COMPILE")) == pytest.approx(
            expected, rel=1e-12
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2^2", -4.0),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("8/4/2", 1.0),
        ("1 - 2 - 3", -4.0),
        (".5e1 + 1E-1", 5.1),
        ("log(exp(3))", 3.0),
        ("ln(exp(3)) + log10(1000)", 6.0),
        ("piecewise(1, A < 1, 2, A < 2 && k2 > 0, 3)", 2.0),
        ("piecewise(1, !(A < 2) || A == 5, 3)", 3.0),
        ("sqrt(abs(-16)) + min(3, 1, 2) + floor(1.7) + ceil(1.2)", 8.0),
        ("tanh(0) + sin(0) + cos(0)", 1.0),
    ],
)
def test_values(text, expected):
    assert value(text) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the end at character 1, where a number or a name is expected"),
        ("A +", "the end at character 4"),
        ("A B", "'B' at character 3, where an operator or the end is expected"),
        ("2A", "'A' at character 2"),
        ("(A", r"the end at character 3, where '\)' is expected"),
        ("f(,A)", "',' at character 3"),
        ("A; B", "';' at character 2 has no meaning here"),
        ("A.real", r"'\.' at character 2 has no meaning"),
        ("A[0]", r"'\[' at character 2"),
        ("'A'", '"\'" at character 1'),
        ("_A", "'_' at character 1"),
        ("lambda: A", "':' at character 7"),
        ("A == B == C", "'==' at character 8"),
        ("A\u00b2", "at character 2"),
        ("A = B", "'=' at character 3"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_position(text, message):
    with pytest.raises(MechanismError, match=message):
        parse_formula(text, "the rate")


def test_no_text_is_handed_to_python():
    """Names that Python knows are names of the system here, and calls reach the table only."""
    with pytest.raises(KeyError):
        evaluate(parse_formula("__import__".strip("_")), VALUES)
    for name in ("eval", "getattr", "open"):
        assert name not in FUNCTIONS
        with pytest.raises(MechanismError, match=f"no function '{name}'"):
            evaluate(parse_formula(f"{name}(A)"), VALUES)
    with pytest.raises(MechanismError, match="'exp' does not take 2 arguments"):
        evaluate(parse_formula("exp(A, A)"), VALUES)
    with pytest.raises(MechanismError, match="'piecewise' does not take 4"):
        evaluate(parse_formula("piecewise(1, A < 1, 2, A < 2)"), VALUES)


def test_size_is_limited_before_python_gives_up():
    inside = "(" * (DEEPEST - 1) + "A" + ")" * (DEEPEST - 1)
    assert value(inside) == VALUES["A"]
    for text in ("(" * 5000 + "A", "^".join(["A"] * 200), f"exp({inside})"):
        with pytest.raises(MechanismError, match=r"within each other|more than"):
            parse_formula(text)
    assert value("+".join(["A"] * (LONGEST // 2 - 1))) == pytest.approx((LONGEST // 2 - 1) * VALUES["A"])
    with pytest.raises(MechanismError, match=f"more than {LONGEST}"):
        parse_formula("+".join(["A"] * LONGEST))


def test_names_are_found_with_their_positions():
    assert names(parse_formula("Vmax*A/(k2 + A)")) == {"Vmax": 0, "A": 5, "k2": 8}
