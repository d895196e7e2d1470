"""Drawings: complete, light, well formed, and without text that meets other text or boxes."""

import json
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from qsp_bayes.models import one_compartment, three_compartment, two_compartment
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.systems.layout import APART, Item, apart, arrange

TAG = "{http://www.w3.org/2000/svg}"


def receptor():
    rates = {
        "CL": "L/h",
        "Vc": "L",
        "kon": "1/nmol/h",
        "koff": "1/h",
        "ksyn": "nmol/h",
        "kdeg": "1/h",
        "kint": "1/h",
    }
    return System(
        dict.fromkeys(["central", "target", "complex"], "nmol"),
        rates,
        [
            Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central),
            Process(
                "binding",
                {"central": -1, "target": -1, "complex": 1},
                lambda s: s.kon * s.central * s.target - s.koff * s.complex,
            ),
            Process("synthesis", {"target": 1}, lambda s: s.ksyn),
            Process("degradation", {"target": -1}, lambda s: s.kdeg * s.target),
            Process("internalisation", {"complex": -1}, lambda s: s.kint * s.complex),
        ],
        {"Cc": Output("nmol/L", lambda s: s.central / s.Vc)},
        {"central": DoseInto()},
        name='receptor <binding> & "more"',
    )


def circulation():
    states = ["lung", "arteries", "liver", "veins"]
    return System(
        dict.fromkeys(states, "mg"),
        {"q": "1/h"},
        [
            Process(f"flow {a}", {a: -1, b: 1}, lambda s, a=a: s.q * s[a])
            for a, b in zip(states, [*states[1:], states[0]], strict=True)
        ],
        name="circulation",
    )


SYSTEMS = [
    one_compartment(),
    one_compartment(absorption="first-order", lag=True, bioavailability=True),
    one_compartment(absorption="transit", n_transit=6),
    two_compartment(absorption="first-order").accumulate(AUC="Cc"),
    two_compartment(absorption="zero-order"),
    three_compartment(absorption="mixed", lag=True),
    three_compartment(),
    receptor(),
    circulation(),
]


def drawn(system):
    return ElementTree.fromstring(system.diagram().svg)


def extent(element):
    """The box that a text fills, in a wide font."""
    size = float(element.get("font-size"))
    bounds = TextPath(
        (0, 0), element.text, size=size, prop=FontProperties(family="DejaVu Sans")
    ).get_extents()
    x, y = float(element.get("x")), float(element.get("y"))
    left = x if element.get("text-anchor") == "start" else x - bounds.width / 2
    return left, y - bounds.y1, left + bounds.width, y - bounds.y0


def rectangle(element):
    x, y, width, height = (float(element.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def meet(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def within(a, b):
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_no_text_meets_other_text_or_a_box(system):
    root = drawn(system)
    texts = [(element.text, extent(element)) for element in root.iter(f"{TAG}text")]
    boxes = [rectangle(element) for element in root.iter(f"{TAG}rect")]
    for (text, a), (other, b) in combinations(texts, 2):
        assert not meet(a, b), f"{text!r} meets {other!r}"
    for text, a in texts:
        for box in boxes:
            assert within(a, box) or not meet(a, box), f"{text!r} meets a box"
    for a, b in combinations(boxes, 2):
        assert not meet(a, b)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_everything_is_drawn_inside_the_page_and_light(system):
    root = drawn(system)
    x, y, width, height = map(float, root.get("viewBox").split())
    page = (x, y, x + width, y + height)
    for element in root.iter(f"{TAG}text"):
        assert within(extent(element), page)
    for element in root.iter(f"{TAG}rect"):
        assert within(rectangle(element), page)
    written = [element.text for element in root.iter(f"{TAG}text")]
    for name in [*system.states, *system.outputs, *(process.name for process in system.processes)]:
        assert name in written
    assert len(system.diagram().svg) < 20_000


def test_the_main_way_of_a_dose_is_straight():
    root = drawn(one_compartment(absorption="transit"))
    boxes = [rectangle(element) for element in root.iter(f"{TAG}rect") if float(element.get("height")) > 30]
    assert max(box[1] for box in boxes) - min(box[1] for box in boxes) < 1.5


def test_colours_follow_the_page():
    root = drawn(receptor())
    assert root.get("fill") == "currentColor"
    assert "black" not in receptor().diagram().svg
    assert "#000" not in receptor().diagram().svg


def test_text_is_escaped():
    svg = receptor().diagram().svg
    assert "<binding>" not in svg
    assert drawn(receptor()).find(f"{TAG}title").text == receptor().name


def test_graphviz_source_names_all_and_quotes_well():
    system = receptor()
    dot = system.diagram().dot
    for line in dot.splitlines():
        assert line.replace('\\"', "").count('"') % 2 == 0
    assert dot.startswith("digraph " + json.dumps(system.name))
    for name in ("state central", "process binding", "dose central central", "output Cc"):
        assert json.dumps(name) in dot


def test_reversible_exchange_has_an_arrow_at_both_ends():
    dot = two_compartment().diagram().dot
    assert '"state central" -> "process distribution" [ dir="back"]' in dot
    assert '"process distribution" -> "state peripheral1" [ dir="forward"]' in dot
    assert '"state central" -> "process elimination" [ dir="none"]' in dot


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 100), st.floats(1, 30)), min_size=1, max_size=8)
)
def test_rows_are_kept_apart_and_no_nearer_solution_exists(column):
    """The stationarity of isotonic regression: touching rows balance, free rows stand where they want."""
    items = [Item(size, size, 0, 0, weight=weight) for _, weight, size in column]
    wanted = [y for y, _, _ in column]
    rows = apart(items, wanted)
    gaps = [
        b - a - (u.below + APART + v.above)
        for a, b, u, v in zip(rows, rows[1:], items, items[1:], strict=False)
    ]
    assert all(gap >= -1e-6 for gap in gaps)
    start = 0
    for i in range(len(rows)):
        if i == len(rows) - 1 or gaps[i] > 1e-6:
            block = range(start, i + 1)
            assert sum(items[j].weight * (rows[j] - wanted[j]) for j in block) == pytest.approx(0, abs=1e-6)
            start = i + 1


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.data())
def test_random_networks_keep_their_parts_apart(size, data):
    items = {str(i): Item(10, 10, 20, 20, half=20) for i in range(size)}
    pairs = [(str(a), str(b)) for a in range(size) for b in range(size) if a != b]
    lines = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8))
    ways = arrange(items, lines)
    assert set(ways) == set(lines)
    boxes = [(i.x - i.left, i.y - i.above, i.x + i.right, i.y + i.below) for i in items.values() if i.left]
    assert not any(meet(a, b) for a, b in combinations(boxes, 2))
