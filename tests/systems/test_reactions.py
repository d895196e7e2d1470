"""Networks of reactions against rates and balances written by hand."""

from fractions import Fraction

import numpy as np
import pytest

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.systems import DoseInto, Process, Reaction, ReactionNetwork, System
from qsp_bayes.systems.rate_laws import RATE_LAWS

AT = {
    "A": 1.3, "B": 0.7, "C": 2.1, "Vmax": 3.0, "Km": 0.9, "k": 0.4, "kb": 0.2, "Ki": 1.1, "n": 2.5, "Vf": 3.0,
    "Kf": 0.9, "Vb": 0.8, "Kb": 1.7, "K": 0.9,
}  # fmt: skip
A, B, C = AT["A"], AT["B"], AT["C"]
RATES = {
    "A -> B; k": AT["k"] * A,
    "A + B -> C; k": AT["k"] * A * B,
    "2 A -> C; k": AT["k"] * A**2,
    "A + A -> C; k": AT["k"] * A**2,
    "3A + 2*B -> C; k": AT["k"] * A**3 * B**2,
    "1/2 A -> C; k": AT["k"] * A**0.5,
    "0.25 A -> C; k": AT["k"] * A**0.25,
    " -> A; k": AT["k"],
    "A -> ; 0.3": 0.3 * A,
    "A + B <-> C; k, kb": AT["k"] * A * B - AT["kb"] * C,
    "A <-> 2 B; k*A, kb": AT["k"] * A - AT["kb"] * B**2,
    "A <-> B; k*A - kb*B": AT["k"] * A - AT["kb"] * B,
    "A + B -> 2 B; k": AT["k"] * A * B,
    "A -> B; Vmax*A/(Km + A)": 3.0 * A / (0.9 + A),
    "A -> B; michaelis_menten(Vmax, Km)": 3.0 * A / (0.9 + A),
    "A -> B; michaelis_menten(k*C, Km)": 0.4 * C * A / (0.9 + A),
    "A -> B; 2*michaelis_menten(Vmax, Km + C)": 2 * 3.0 * A / (0.9 + C + A),
    "A -> B; hill(Vmax, K, n)": 3.0 * A**2.5 / (0.9**2.5 + A**2.5),
    "-> B; activation(Vmax, A, K, n)": 3.0 * A**2.5 / (0.9**2.5 + A**2.5),
    "-> B; repression(Vmax, A, K, n)": 3.0 * 0.9**2.5 / (0.9**2.5 + A**2.5),
    "A -> B; competitive_inhibition(Vmax, Km, C, Ki)": 3.0 * A / (0.9 * (1 + C / 1.1) + A),
    "A -> B; noncompetitive_inhibition(Vmax, Km, C, Ki)": 3.0 / (1 + C / 1.1) * A / (0.9 + A),
    "A -> B; uncompetitive_inhibition(Vmax, Km, C, Ki)": 3.0 * A / (0.9 + A * (1 + C / 1.1)),
    "A -> B; substrate_inhibition(Vmax, Km, Ki)": 3.0 * A / (0.9 + A + A**2 / 1.1),
    "A <-> B; reversible_michaelis_menten(Vf, Kf, Vb, Kb)": (3.0 / 0.9 * A - 0.8 / 1.7 * B)
    / (1 + A / 0.9 + B / 1.7),
    "A -> B; piecewise(k*A, A > B, 0)": AT["k"] * A,
    "A -> B; exp(-t)*k*A": np.exp(-0.5) * AT["k"] * A,
}


def numbers(reactions, **more):
    """A network of pure numbers, whose units cannot be wrong."""
    parameters = {name: "" for name in AT if name not in "ABC"}
    return ReactionNetwork(dict.fromkeys("ABC", ""), parameters, reactions, time_unit="", **more)


@pytest.mark.parametrize("text", RATES)
def test_rates_are_those_written_by_hand(text):
    system = numbers([text]).system()
    graphs = system.symbolic()
    known = {**graphs.parameters, **graphs.states, "t": graphs.time}
    (rate,) = graphs.rates.values()
    values = {known[name]: number for name, number in {**AT, "t": 0.5}.items()}
    found = rate.eval(values, mode="FAST_COMPILE", on_unused_input="ignore")
    assert float(found) == pytest.approx(RATES[text], rel=1e-13)


def test_every_law_is_held_to_its_formula():
    assert {name for name in RATE_LAWS if any(name in text for text in RATES)} == set(RATE_LAWS)


def test_a_network_is_the_system_that_its_processes_make():
    network = ReactionNetwork(
        {"L": "nmol", "R": "nmol", "LR": "nmol"},
        {"kon": "1/nmol/h", "koff": "1/h", "ksyn": "nmol/h", "kdeg": "1/h", "kint": "1/h"},
        ["binding: L + R <-> LR; kon, koff", "-> R; ksyn", "R ->; kdeg", "LR -> ; kint"],
        initial={"R": "ksyn/kdeg", "L": 2.0},
        expressions={"KD": "koff/kon"},
        doses={"L": DoseInto()},
    ).system()
    by_hand = System(
        {"L": "nmol", "R": "nmol", "LR": "nmol"},
        network.parameters,
        [
            Process("binding", {"L": -1, "R": -1, "LR": 1}, lambda s: s.kon * s.L * s.R - s.koff * s.LR),
            Process("-> R", {"R": 1}, lambda s: s.ksyn),
            Process("R ->", {"R": -1}, lambda s: s.kdeg * s.R),
            Process("LR ->", {"LR": -1}, lambda s: s.kint * s.LR),
        ],
        initial={"R": lambda s: s.ksyn / s.kdeg, "L": 2.0},
    )
    assert network.equations() == ["KD = koff/kon", *by_hand.equations()]
    assert network.stoichiometry().equals(by_hand.stoichiometry())
    assert list(network.outputs) == ["L", "R", "LR"]
    table = network.rates()
    assert list(table.index) == ["binding", "-> R", "R ->", "LR ->"]
    assert table["reaction"].tolist() == ["L + R -> LR", "-> R", "R ->", "LR ->"]
    assert table["unit"].tolist() == ["nmol/h"] * 4
    assert "<td>kon*L*R - koff*LR</td>" in table.to_html()


def test_stoichiometry_is_rational_and_catalysts_cancel():
    assert Reaction("1/3 A + E -> 0.2 B + E; k").stoichiometry() == {
        "A": Fraction(-1, 3),
        "B": Fraction(1, 5),
    }
    assert numbers(["A + B -> A + C; k"]).system().conservation_laws() == ["A", "B + C"]


def test_a_rate_may_be_a_function():
    reaction = Reaction("turning: A <-> B", rate=lambda s: s.k * s.A - s.kb * s.B)
    assert numbers([reaction]).system().rates().loc["turning", "rate"] == "k*A - kb*B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A B; k", "needs one arrow"),
        ("A -> B -> C; k", "needs one arrow"),
        ("A -> B", "0 rates, expected one"),
        ("A -> B; k, kb", "2 rates, expected one"),
        ("A <-> B; k, kb, k", "3 rates, expected one, or one for each direction"),
        ("A <-> B; k", "is reversible and has one constant"),
        (" -> ; k", "neither reactants nor products"),
        ("A + -> B; k", "'' at character"),
        ("A + 2$ -> B; k", r"'2\$' at character 5 is no species"),
        ("-1 A -> B; k", "'-1 A' at character 1"),
        ("0 A -> B; k", "the coefficient of 'A' is 0"),
        ("A -> B; k*(A", r"rate of reaction 'A -> B': 'k\*\(A': the end at character 5"),
        ("A -> B; michaelis_menten(Vmax)", r"michaelis_menten\(Vmax, Km\) has 1 arguments"),
        ("A + B -> C; michaelis_menten(Vmax, Km)", "rate of one reactant, and here are A, B"),
        ("A -> ; reversible_michaelis_menten(Vf, Kf, Vb, Kb)", "rate of one product, and here are none"),
    ],
)
def test_lines_that_are_no_reaction(text, message):
    with pytest.raises(MechanismError, match=message):
        Reaction(text)


def test_names_that_do_not_exist_are_refused_with_position_and_unit():
    states = {"L": "nmol/L", "R": "nmol/L", "LR": "nmol/L"}
    with pytest.raises(MechanismError, match=r"there is no 'Q'.*states: L, R, LR"):
        ReactionNetwork(states, {"k": "1/h"}, ["L -> Q; k"])
    with pytest.raises(
        MechanismError, match=r"at character 5 of the rate: there is no 'koff'. Did you mean 'koof'"
    ):
        ReactionNetwork(states, {"k": "1/h", "koof": "1/h"}, ["L -> R; k + koff*L"])
    with pytest.raises(MechanismError, match=r"it is declared \{'kon': '\(nmol/L\)\*\*-1/h'\}"):
        ReactionNetwork(states, {"koff": "1/h"}, ["L + R <-> LR; kon, koff"])
    with pytest.raises(MechanismError, match=r"it is declared \{'ksyn': 'nmol/L/h'\}"):
        ReactionNetwork(states, {}, ["-> R; ksyn"])
    with pytest.raises(MechanismError, match=r"'total', .*initial 'L'|initial 'L'.*no 'total'"):
        ReactionNetwork(states, {"k": "1/h"}, ["L -> R; k"], initial={"L": "total"}).system()


def test_the_unit_that_a_message_proposes_is_accepted():
    states = {"L": "nmol/L", "R": "nmol/L", "LR": "nmol/L"}
    proposed = {"kon": "(nmol/L)**-1/h", "koff": "1/h", "ksyn": "nmol/L/h"}
    ReactionNetwork(states, proposed, ["L + R <-> LR; kon, koff", "-> R; ksyn"]).system()
    with pytest.raises(UnitsError, match="rate of process"):
        ReactionNetwork(
            states, {**proposed, "kon": "1/h"}, ["L + R <-> LR; kon, koff", "-> R; ksyn"]
        ).system()


def test_two_reactions_of_one_name_are_refused():
    with pytest.raises(MechanismError, match="two processes are called 'A -> B'"):
        numbers(["A -> B; k", "A -> B; kb"]).system()


def test_a_reaction_that_changes_nothing_is_refused():
    with pytest.raises(MechanismError, match="changes no state"):
        numbers(["A -> A; k"]).system()


def test_one_line_is_no_list_of_lines():
    with pytest.raises(MechanismError, match="a list of lines"):
        numbers("A -> B; k")


def test_a_notebook_shows_s_and_v():
    shown = numbers(["A + B -> C; k"]).system()._repr_html_()
    assert "<td>k*A*B</td>" in shown
    assert "<th>A + B -&gt; C</th>" in shown
