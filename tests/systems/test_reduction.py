"""Reduced systems have the solutions of whole ones, or are refused where a pool is open."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import KHOLODENKO_2000, mapk_cascade, one_compartment
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.systems import DoseInto, Output, Process, ReactionNetwork, Switch, System

PRECISE = Automatic(rtol=1e-11)
VALUES = {"kon": 0.5, "koff": 0.2, "kdim": 0.05, "kmon": 0.3, "R0": 4.0}


def binding(**more):
    return ReactionNetwork(
        {"L": "nmol", "R": "nmol", "LR": "nmol", "D": "nmol"},
        {"kon": "1/nmol/h", "koff": "1/h", "kdim": "1/nmol/h", "kmon": "1/h", "R0": "nmol"},
        ["binding: L + R <-> LR; kon, koff", "pairing: 2 LR <-> D; kdim, kmon"],
        initial={"R": "R0", "L": 3.0},
        **more,
    ).system()


def same(whole, reduced, values, times, regimen=None, solver=PRECISE):
    """Compare every output, relatively to its largest value."""
    a, b = (system.course(values, times, regimen, solver=solver) for system in (whole, reduced))
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_allclose(
            b[name], a[name], rtol=1e-9, atol=1e-9 * float(np.abs(a[name].values).max())
        )


def test_the_solution_is_the_same_with_fewer_states():
    system, times = binding(), np.linspace(0, 20, 9)[1:]
    reduced = system.reduce()
    assert list(reduced.states) == ["LR", "D"]
    assert reduced.conservation_laws() == []
    same(system, reduced, VALUES, times)
    assert "L = L_start - LR - 2*D" in reduced.equations()
    assert "R = R0 - LR - 2*D" in reduced.equations()


@pytest.mark.parametrize("removed", [("L",), ("R",), ("LR",), ("D",), ("D", "L"), ("LR", "R")])
def test_the_states_to_remove_may_be_chosen(removed):
    system = binding()
    reduced = system.reduce(*removed)
    assert list(reduced.states) == [state for state in system.states if state not in removed]
    same(system, reduced, VALUES, [0.5, 2.0, 9.0])


def test_more_states_than_laws_cannot_be_removed():
    with pytest.raises(MechanismError, match=r"'D' cannot be removed.*No conservation law"):
        binding().reduce("L", "R", "D")
    with pytest.raises(MechanismError, match="there is no 'Q'"):
        binding().reduce("Q")
    open_system = one_compartment()
    with pytest.raises(MechanismError, match=r"law of what nothing else changes \(doses into 'central'"):
        open_system.reduce()


def test_the_cascade_needs_five_of_its_eight_states():
    reduced = mapk_cascade().reduce()
    assert len(reduced.states) == 5
    same(mapk_cascade(), reduced, KHOLODENKO_2000, np.linspace(0, 2000, 9)[1:], solver=Automatic(rtol=1e-12))


def test_a_pool_that_takes_doses_stays_whole_and_right():
    """Doses into L break its law and not that of R: only R is removed, and the course is that of the whole system."""
    system = binding(doses={"L": DoseInto()})
    reduced = system.reduce()
    assert list(reduced.states) == ["L", "LR", "D"]
    regimen = Regimen(5, unit="nmol", every=4, until=12, into="L")
    same(system, reduced, VALUES, np.linspace(0, 20, 9)[1:], regimen)
    with pytest.raises(MechanismError, match=r"'L' cannot be removed.*doses into 'L' reach 'L'"):
        system.reduce("L")


def test_what_two_doses_leave_of_the_laws_is_used():
    """Doses into the complex add to drug and target alike: their difference stays."""
    system = ReactionNetwork(
        {"L": "nmol", "R": "nmol", "LR": "nmol"}, {"kon": "1/nmol/h", "koff": "1/h"}, ["L + R <-> LR; kon, koff"],
        initial={"R": 4.0, "L": 3.0}, doses={"LR": DoseInto()},
    ).system()  # fmt: skip
    reduced = system.reduce()
    assert "LR" in reduced.states
    assert len(reduced.states) == 2
    values = {"kon": 0.5, "koff": 0.2}
    same(
        system,
        reduced,
        values,
        [0.5, 3.0, 8.0],
        Regimen(2, unit="nmol", at=[1.0], into="LR") if False else None,
    )
    same(system, reduced, values, [0.5, 3.0, 8.0], Regimen(2, unit="nmol", into="LR"))


def test_nothing_opens_a_pool_afterwards():
    reduced = binding().reduce()
    assert set(reduced.closed) == {"LR", "D"}
    with pytest.raises(MechanismError, match=r"doses into 'LR' would change 'LR'.*before `reduce`"):
        dataclasses.replace(reduced, doses={"LR": DoseInto()})
    with pytest.raises(MechanismError, match="switch 'wash' would change 'D'"):
        dataclasses.replace(reduced, switches=[Switch("wash", lambda s: s.D - s.R0, change={"D": 0.0})])
    loss = System(
        {"D": "nmol"}, {"kint": "1/h"}, [Process("loss", {"D": -1}, lambda s: s.kint * s.D)], shared=["D"],
        name="loss",
    )  # fmt: skip
    for pair in ((reduced, loss), (loss, reduced)):
        with pytest.raises(MechanismError, match=r"'loss' adds processes to 'D'.*before `reduce`"):
            pair[0] + pair[1]
    with pytest.raises(MechanismError, match="process 'pairing' would change 'LR' otherwise"):
        reduced.replace(Process("pairing", {"LR": -1}, lambda s: s.kdim * s.LR**2))
    faster = reduced.replace(Process("pairing", {"LR": -2, "D": 1}, lambda s: 2 * s.kdim * s.LR**2))
    assert faster.closed == reduced.closed
    assert set(reduced.rename(D="dimer").closed) == {"LR", "dimer"}


def test_switches_shared_states_and_accumulators_keep_their_pools_open():
    switched = binding(switches=[Switch("wash", lambda s: s.D - s.R0, change={"L": 0.0})])
    assert list(switched.reduce().states) == ["L", "LR", "D"]
    with pytest.raises(MechanismError, match="switch 'wash' changes 'L'"):
        switched.reduce("L")
    with pytest.raises(MechanismError, match="'L' belongs to another system"):
        binding(shared=["L"]).reduce("L")
    cleared = ReactionNetwork(
        {"A": "mg", "urine": "mg"}, {"k": "1/h"}, ["A -> urine; k"], accumulators=["urine"]
    ).system()
    with pytest.raises(MechanismError, match="'urine' is an accumulator"):
        cleared.reduce()


def test_a_total_does_not_follow_an_input():
    system = ReactionNetwork(
        {"A": "mg", "B": "mg"}, {"k": "1/h"}, ["A -> B; k"], inputs={"WT": "mg"}, initial={"A": "WT"}
    ).system()
    with pytest.raises(MechanismError, match="'A' starts at a value of input WT"):
        system.reduce()


def test_a_state_that_nothing_changes_becomes_what_it_starts_at():
    system = System(
        {"E": "mg", "A": "mg"}, {"k": "1/mg/h", "E0": "mg"},
        [Process("loss", {"A": -1}, lambda s: s.k * s.E * s.A)],
        {"A": Output("mg", lambda s: s.A)}, {"A": DoseInto()}, initial={"E": lambda s: s.E0},
    )  # fmt: skip
    reduced = system.reduce()
    assert list(reduced.states) == ["A"]
    found = reduced.course({"k": 0.1, "E0": 2.0}, [1, 5], Regimen(10, unit="mg", into="A"))
    np.testing.assert_allclose(found.A, 10 * np.exp(-0.2 * np.array([1, 5])), rtol=1e-12)


@st.composite
def networks(draw):
    """Random reactions among five species, A to E, each of one or two reactants and products."""
    side = st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=2)
    lines = draw(st.lists(st.tuples(side, side), min_size=1, max_size=4))
    found = [
        f"r{i}: {' + '.join(left)} <-> {' + '.join(right)}; k, kb"
        for i, (left, right) in enumerate(lines)
        if sorted(left) != sorted(right)
    ]
    return found


@settings(max_examples=60, deadline=None)
@given(networks(), st.lists(st.floats(0.1, 3), min_size=5, max_size=5), st.integers(0, 99))
def test_derivatives_of_reduced_networks_are_those_of_the_whole(lines, start, seed):
    """At any state with the totals of the start, on random networks; laws of rank n - rank(S) are all used."""
    if not lines:
        return
    system = ReactionNetwork(
        dict.fromkeys("ABCDE", ""), {"k": "", "kb": ""}, lines, time_unit="",
        initial=dict(zip("ABCDE", start, strict=True)),
    ).system()  # fmt: skip
    reduced = system.reduce() if system.conservation_laws() else system
    matrix = system.stoichiometry().to_numpy().astype(float)
    assert len(reduced.states) == np.linalg.matrix_rank(matrix)
    moved = np.random.default_rng(seed).uniform(-0.05, 0.05, matrix.shape[1])
    x = dict(zip("ABCDE", np.array(start) + matrix @ moved, strict=True))
    k = {"k": 0.7, "kb": 0.3}

    def derivatives(some):
        graphs = some.symbolic()
        known = {**graphs.states, **graphs.parameters}
        given = {known[name]: value for name, value in {**x, **k}.items() if name in known}
        return {
            name: float(graph.eval(given, mode="FAST_COMPILE", on_unused_input="ignore"))
            for name, graph in graphs.derivatives.items()
        }

    whole = derivatives(system)
    for name, value in derivatives(reduced).items():
        assert value == pytest.approx(whole[name], rel=1e-9, abs=1e-9)
