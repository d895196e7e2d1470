"""Soluble targets and drugs with two targets: equations by hand, equilibrium, limits and balances."""

import dataclasses

import numpy as np
import pytest
from by_scipy import initial_state, integrate, right_hand_side, value

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import bispecific_tmdd, soluble_tmdd, tmdd
from qsp_bayes.ode import Automatic
from qsp_bayes.systems import Process

SOLUBLE = {
    "CL": 0.2, "Vc": 3.0, "Q": 0.6, "Vp": 4.0, "kon": 30.0, "KD": 0.5, "R0": 0.4,
    "CL_target": 8.0, "CL_complex": 0.3, "Q_target": 1.5,
}  # fmt: skip
BOTH = {
    "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 4.0,
    "kon_A": 2.0, "koff_A": 3.0, "R0_A": 4.0, "kdeg_A": 0.5, "kint_A": 0.8,
    "kon_B": 5.0, "koff_B": 1.0, "R0_B": 2.0, "kdeg_B": 0.7, "kint_B": 0.3,
    "kint_AB": 1.1, "alpha": 4.0,
}  # fmt: skip
TIMES = np.array([0.01, 0.1, 1.0, 5.0, 20.0, 40.0])


def soluble_by_hand(p, y):
    """Drug, target, complex in plasma, and the same in tissue, as concentrations."""
    C, R, B, Cp, Rp, Bp = y
    plasma, tissue = (p["kon"] * (c * r - p["KD"] * b) for c, r, b in ((C, R, B), (Cp, Rp, Bp)))
    drug, target, both = p["Q"] * (C - Cp), p["Q_target"] * (R - Rp), p["Q"] * (B - Bp)
    return np.array(
        [
            (-p["CL"] * C - drug) / p["Vc"] - plasma,
            (p["CL_target"] * (p["R0"] - R) - target) / p["Vc"] - plasma,
            (-p["CL_complex"] * B - both) / p["Vc"] + plasma,
            drug / p["Vp"] - tissue,
            target / p["Vp"] - tissue,
            both / p["Vp"] + tissue,
        ]
    )


def amounts_of(system, names, concentrations, p):
    volumes = {name: p["Vp" if "peripheral" in name else "Vc"] for name in names}
    return {name: c * volumes[name] for name, c in zip(names, concentrations, strict=True)}, volumes


def check_slopes(system, names, concentrations, p, expected):
    """Compare the slopes of the amounts of a system with those of concentrations by hand."""
    amounts, volumes = amounts_of(system, names, concentrations, p)
    found = dict(
        zip(system.states, right_hand_side(system, p)(0.0, [amounts[s] for s in system.states]), strict=True)
    )
    np.testing.assert_allclose([found[n] / volumes[n] for n in names], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_soluble_target_follows_the_equations_written_by_hand(seed):
    concentrations = np.random.default_rng(seed).lognormal(0, 1, 6)
    names = ["central", "target", "complex", "peripheral1", "target_peripheral1", "complex_peripheral1"]
    system = soluble_tmdd(approximation="full")
    expected = soluble_by_hand(SOLUBLE, concentrations)
    check_slopes(system, names, concentrations, SOLUBLE, expected)
    # At equilibrium totals change as their parts do, whatever the binding.
    equilibrium = concentrations.copy()
    equilibrium[[2, 5]] = equilibrium[[0, 3]] * equilibrium[[1, 4]] / SOLUBLE["KD"]
    slopes = soluble_by_hand(SOLUBLE, equilibrium)
    totals = ["central", "target", "peripheral1", "target_peripheral1"]
    parts = [(0, 2), (1, 2), (3, 5), (4, 5)]
    check_slopes(
        soluble_tmdd(),
        totals,
        [equilibrium[i] + equilibrium[j] for i, j in parts],
        SOLUBLE,
        [slopes[i] + slopes[j] for i, j in parts],
    )


def test_fast_binding_to_a_soluble_target_is_equilibrium_to_first_order():
    regimen = Regimen(20.0, unit="nmol", into="central")
    times = np.array([1.0, 7.0, 21.0, 42.0])
    at_once = soluble_tmdd()
    expected = at_once.course(
        {name: SOLUBLE[name] for name in at_once.parameters}, times, regimen, solver=Automatic(rtol=1e-10)
    )
    errors = []
    for kon in (1e3, 2e3):
        found = soluble_tmdd(approximation="full").course(
            SOLUBLE | {"kon": kon}, times, regimen, solver=Automatic(rtol=1e-10)
        )
        errors.append(float(np.abs(found["R"] / expected["R"] - 1).max()))
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.05)
    assert errors[1] < 1e-2


@pytest.mark.parametrize("approximation", ["full", "QE"])
def test_a_soluble_target_rests_without_drug_and_accumulates_with_it(approximation):
    system = soluble_tmdd(approximation=approximation)
    p = {name: SOLUBLE[name] for name in system.parameters}
    start = initial_state(system, p)
    np.testing.assert_allclose(right_hand_side(system, p)(0.0, start), 0, atol=1e-13)
    # Under much drug all target is bound: what is made, CL_target R0, leaves as complex with CL_complex.
    much = Process("infusion", {"central": +1}, lambda s: 1e6 * s.CL * s.KD)
    fed = dataclasses.replace(system, processes=[*system.processes, much])
    last = dict(zip(fed.states, integrate(fed, p, initial_state(fed, p), np.array([900.0]))[-1], strict=True))
    total = value(fed.symbolic().outputs["Rtot"], fed, p, **last)
    assert total == pytest.approx(p["CL_target"] * p["R0"] / p["CL_complex"], rel=1e-4)
    assert value(fed.symbolic().outputs["suppression"], fed, p, **last) > 0.99


def test_a_soluble_target_in_plasma_alone_is_the_model_of_a_target_on_cells_with_rates_for_clearances():
    one = soluble_tmdd(compartments=1)
    p = {name: SOLUBLE[name] for name in one.parameters}
    cells = {name: p[name] for name in ("CL", "Vc", "KD", "R0")}
    cells |= {"kdeg": p["CL_target"] / p["Vc"], "kint": p["CL_complex"] / p["Vc"]}
    regimen = Regimen(10.0, unit="nmol", into="central")
    found = one.course(p, TIMES, regimen)
    expected = tmdd(compartments=1, approximation="QE").course(cells, TIMES, regimen)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_drug_against_a_soluble_target_is_conserved():
    for system, bound in (
        (soluble_tmdd(), ()),
        (soluble_tmdd(approximation="full"), ("complex", "complex_peripheral1")),
    ):
        goals = {"elimination": "cleared", "clearance of complex": "cleared"}
        processes = [
            Process(p.name, {**p.stoichiometry, goals[p.name]: 1}, p.rate) if p.name in goals else p
            for p in system.processes
        ]
        closed = dataclasses.replace(
            system, states={**system.states, "cleared": "nmol"}, processes=processes, accumulators=["cleared"]
        )
        laws = [set(law.split(" + ")) for law in closed.conservation_laws()]
        assert {"central", "peripheral1", "cleared", *bound} in laws


def bispecific_by_hand(p, y):
    """Drug, targets A and B, drug:A, drug:B, A:drug:B, drug in tissue, as concentrations."""
    C, A, B, CA, CB, both, tissue = y
    to_A = p["kon_A"] * C * A - p["koff_A"] * CA
    to_B = p["kon_B"] * C * B - p["koff_B"] * CB
    then_B = p["kon_B"] * CA * B - p["koff_B"] / p["alpha"] * both
    then_A = p["kon_A"] * CB * A - p["koff_A"] / p["alpha"] * both
    out = p["Q"] * (C - tissue)
    return np.array(
        [
            (-p["CL"] * C - out) / p["Vc"] - to_A - to_B,
            p["kdeg_A"] * (p["R0_A"] - A) - to_A - then_A,
            p["kdeg_B"] * (p["R0_B"] - B) - to_B - then_B,
            to_A - then_B - p["kint_A"] * CA,
            to_B - then_A - p["kint_B"] * CB,
            then_A + then_B - p["kint_AB"] * both,
            out / p["Vp"],
        ]
    )


NAMES = ["central", "target_A", "target_B", "complex_A", "complex_B", "ternary", "peripheral1"]


@pytest.mark.parametrize("seed", range(3))
def test_two_targets_follow_the_equations_written_by_hand(seed):
    concentrations = np.random.default_rng(seed).lognormal(0, 1, 7)
    expected = bispecific_by_hand(BOTH, concentrations)
    check_slopes(bispecific_tmdd(), NAMES, concentrations, BOTH, expected)
    # Without ternary complex: nothing binds twice.
    apart = concentrations.copy()
    apart[5] = 0.0
    competing = bispecific_by_hand(BOTH | {"kon_A": 0.0, "kon_B": 0.0}, apart)
    for arm, target, bound in (("A", 1, 3), ("B", 2, 4)):
        binding = BOTH[f"kon_{arm}"] * apart[0] * apart[target]
        competing += binding * (np.eye(7)[bound] - np.eye(7)[0] - np.eye(7)[target])
    names = [name for name in NAMES if name != "ternary"]
    kept = [i for i in range(7) if i != 5]
    known = {k: v for k, v in BOTH.items() if k not in ("alpha", "kint_AB")}
    check_slopes(bispecific_tmdd(ternary=False), names, apart[kept], known, competing[kept])


def test_binding_of_both_arms_comes_to_the_equilibrium_that_cooperativity_sets():
    """Without turnover KD_A KD_B RC_AB = alpha C R_A R_B, by either way, and drug and targets are conserved."""
    system = bispecific_tmdd(compartments=1)
    still = BOTH | dict.fromkeys(("CL", "kdeg_A", "kdeg_B", "kint_A", "kint_B", "kint_AB"), 0.0)
    still = {name: still[name] for name in system.parameters}
    regimen = Regimen(9.0, unit="nmol", into="central")
    found = system.course(still, [200.0], regimen, solver=Automatic(rtol=1e-10)).isel(time=0)
    KD = {name: still[f"koff_{name}"] / still[f"kon_{name}"] for name in "AB"}
    expected = still["alpha"] * found["Cc"] * found["R_A"] * found["R_B"] / (KD["A"] * KD["B"])
    assert float(found["RC_AB"]) == pytest.approx(float(expected), rel=1e-7)
    assert float(found["RC_A"]) == pytest.approx(float(found["Cc"] * found["R_A"] / KD["A"]), rel=1e-7)
    assert float(found["Ctot"]) == pytest.approx(3.0, rel=1e-9)
    assert float(found["Rtot_A"]) == pytest.approx(still["R0_A"], rel=1e-9)
    assert float(found["RO_B"]) == pytest.approx(1 - float(found["R_B"]) / still["R0_B"], rel=1e-7)


def test_more_drug_can_make_less_ternary_complex():
    """The hook effect: with drug far in excess every target holds a drug of its own."""
    system = bispecific_tmdd(compartments=1)
    still = (
        BOTH | {"alpha": 1.0} | dict.fromkeys(("CL", "kdeg_A", "kdeg_B", "kint_A", "kint_B", "kint_AB"), 0.0)
    )
    still = {name: still[name] for name in system.parameters}
    held = [
        float(system.course(still, [200.0], Regimen(dose, unit="nmol", into="central"))["RC_AB"][0])
        for dose in (0.3, 10.0, 1e4)
    ]
    assert held[1] > 5 * held[0]
    assert held[1] > 50 * held[2]


def test_without_the_second_target_the_first_is_that_of_one_target():
    system = bispecific_tmdd(compartments=1, ternary=False)
    p = {name: BOTH[name] for name in system.parameters} | {"R0_B": 0.0}
    one = {name.removesuffix("_A"): x for name, x in p.items() if not name.endswith("_B")}
    regimen = Regimen(30.0, unit="nmol", into="central")
    outputs = ["Cc", "R_A", "RO_A"]
    tight = Automatic(rtol=1e-9)
    found = system.course(p, TIMES[:5], regimen, outputs=outputs, solver=tight)
    expected = tmdd(compartments=1).course(one, TIMES[:5], regimen, solver=tight)
    for name in outputs:
        np.testing.assert_allclose(found[name], expected[name.removesuffix("_A")], rtol=1e-6)


def test_laws_of_conservation_of_two_targets():
    system = bispecific_tmdd()
    only = [p for p in system.processes if "binding" in p.name or p.name == "distribution"]
    closed = dataclasses.replace(system, processes=only)
    assert {frozenset(law.split(" + ")) for law in closed.conservation_laws()} == {
        frozenset({"central", "peripheral1", "complex_A", "complex_B", "ternary"}),
        frozenset({"target_A", "complex_A", "ternary"}),
        frozenset({"target_B", "complex_B", "ternary"}),
    }


def test_what_does_not_exist_is_refused():
    with pytest.raises(MechanismError, match="Choose one of full, QE"):
        soluble_tmdd(approximation="QSS")
    with pytest.raises(MechanismError, match="has 1 or 2"):
        soluble_tmdd(compartments=3)
    with pytest.raises(MechanismError, match="Choose one of koff, KD"):
        bispecific_tmdd(binding="Kss")
    with pytest.raises(MechanismError, match="1, 2 or 3"):
        bispecific_tmdd(compartments=4)
    assert "koff_A" not in bispecific_tmdd(binding="KD").parameters
