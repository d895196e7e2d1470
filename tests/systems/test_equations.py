"""Printed equations: they read back as the mathematics they stand for."""

import math
import xml.etree.ElementTree as ElementTree

import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.models import three_compartment
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.notation import MathML, Text, write

A, B, C = pt.dscalars("a", "b", "c")
NAMES = {A: "a", B: "b", C: "c"}
VALUES = {"a": 0.7, "b": 1.3, "c": 2.1}


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (A * B / C, "a*b/c"),
        (A / (B * C), "a/(b*c)"),
        (A / (B / C), "a/(b/c)"),
        (A * (B / C), "a*b/c"),
        (A - (B - C), "a - (b - c)"),
        (A - B - C, "a - b - c"),
        (A + (B - C), "a + b - c"),
        (-(A + B), "-(a + b)"),
        (A * (B + C), "a*(b + c)"),
        (A * -B, "a*(-b)"),
        (-A * B, "(-a)*b"),
        ((A + B) ** 2, "(a + b)^2"),
        ((A**B) ** C, "(a^b)^c"),
        (A ** (B * C), "a^(b*c)"),
        ((-A) ** 2, "(-a)^2"),
        (2 * A, "2*a"),
        (pt.exp(-A * B), "exp((-a)*b)"),
        (pt.switch(A > 0, B, C) * A, "(b if a > 0 else c)*a"),
        (pt.reciprocal(A + B), "1/(a + b)"),
        (pt.sqrt(A), "sqrt(a)"),
    ],
)
def test_brackets_stand_where_they_are_needed(graph, text):
    assert write(graph, NAMES, Text()) == text


@st.composite
def graphs(draw, depth=4):
    """Random graphs whose value is finite at VALUES."""
    if depth == 0 or draw(st.booleans()):
        return draw(
            st.sampled_from([A, B, C, pt.constant(2.0, dtype="float64"), pt.constant(0.5, dtype="float64")])
        )
    left, right = draw(graphs(depth=depth - 1)), draw(graphs(depth=depth - 1))
    operations = [
        lambda: left + right,
        lambda: left - right,
        lambda: left * right,
        lambda: left / (right * right + 1),
        lambda: -left,
        lambda: (left * left) ** 2,
        lambda: pt.exp(-left * left),
        lambda: pt.switch(left > right, left, right),
        lambda: pt.maximum(left, right),
    ]
    return draw(st.sampled_from(operations))()


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_text_read_as_python_has_the_value_of_the_graph(graph):
    text = write(graph, NAMES, Text())
    value = eval(text.replace("^", "**"), {"exp": math.exp, "max": max}, dict(VALUES))
    expected = graph.eval(
        {v: VALUES[name] for v, name in NAMES.items()}, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    assert value == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_mathml_is_well_formed(graph):
    ElementTree.fromstring(f"<math>{write(graph, NAMES, MathML())}</math>")


def test_equations_stand_in_order_with_named_quantities():
    system = System(
        states={"central": "mg", "R": "mg/L"},
        parameters={"CL": "L/h", "Vc": "L", "kin": "mg/L/h", "kout": "1/h", "KD": "mg/L"},
        processes=[
            Process("elimination", {"central": -1}, lambda s: s.CL * s.Cc),
            Process("production", {"R": 1}, lambda s: s.kin * (1 - s.occupancy)),
            Process("loss", {"R": -1}, lambda s: s.kout * s.R),
        ],
        expressions={"occupancy": lambda s: s.Cc / (s.KD + s.Cc)},
        outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc), "R": Output("mg/L", lambda s: s.R)},
        initial={"R": lambda s: s.kin / s.kout},
    )
    assert system.equations() == [
        "occupancy = Cc/(KD + Cc)",
        "d(central)/dt = -CL*Cc",
        "d(R)/dt = kin*(1 - occupancy) - kout*R",
        "R(0) = kin/kout",
        "Cc = central/Vc",
    ]


def test_html_is_well_formed_and_escaped():
    system = System(
        {"A": "mg"},
        {"k": "1/h"},
        [Process("p", {"A": -1}, lambda s: pt.switch(s.A < 0, 0, s.k * s.A))],
        name="<b>&'\"",
    )
    root = ElementTree.fromstring(system.equations_html())
    assert "<b>" not in system.equations_html()
    assert root.tag == "table"
    assert "<b>&" not in system._repr_html_()


def test_html_has_a_row_for_every_equation():
    system = three_compartment(absorption="transit", lag=True)
    root = ElementTree.fromstring(system.equations_html())
    assert len(root.findall(".//tr")) == len(system.equations())
