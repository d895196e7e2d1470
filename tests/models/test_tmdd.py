"""Target-mediated drug disposition against equations written by hand and balances of mass."""

import dataclasses

import numpy as np
import pytest
from by_scipy import initial_state, integrate, right_hand_side, value

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.models import tmdd, two_compartment
from qsp_bayes.systems import Process
from qsp_bayes.units import Units, conversion_factor

# nmol, L, day: the magnitudes of a monoclonal antibody against a soluble target.
VALUES = {
    "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 3.0, "Q2": 0.1, "Vp2": 2.0, "KA": 0.4,
    "kon": 5.0, "koff": 5.0, "R0": 10.0, "kdeg": 0.5, "kint": 0.2,
}  # fmt: skip
TIMES = np.array([0.01, 0.1, 1, 3, 7, 14, 28, 42])


def concentrations_by_hand(p, drug, peripheral, target, complex_):
    """Mager and Jusko 2001, in concentrations."""
    bound = p["kon"] * drug * target - p["koff"] * complex_
    exchanged = p["Q"] * (drug - peripheral)
    return np.array(
        [
            -p["CL"] / p["Vc"] * drug - exchanged / p["Vc"] - bound,
            exchanged / p["Vp"],
            p["kdeg"] * p["R0"] - p["kdeg"] * target - bound,
            bound - p["kint"] * complex_,
        ]
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("binding", ["koff", "KD"])
def test_derivatives_are_those_of_the_published_equations(binding, seed):
    rng = np.random.default_rng(seed)
    p = {name: number * rng.lognormal(0, 0.5) for name, number in VALUES.items()}
    p["KD"] = p["koff"] / p["kon"]
    concentrations = rng.lognormal(1, 1, 4)
    volumes = np.array([p["Vc"], p["Vp"], p["Vc"], p["Vc"]])
    found = right_hand_side(tmdd(binding=binding), p)(0.0, concentrations * volumes)
    np.testing.assert_allclose(found / volumes, concentrations_by_hand(p, *concentrations), rtol=1e-12)


def test_names_units_and_stoichiometry():
    system = tmdd(absorption="first-order", lag=True, bioavailability=True)
    assert dict(system.parameters) == {
        "KA": "1/day", "F": "", "tlag": "day", "CL": "L/day", "Vc": "L", "Q": "L/day", "Vp": "L",
        "kon": "L/nmol/day", "koff": "1/day", "R0": "nmol/L", "kdeg": "1/day", "kint": "1/day",
    }  # fmt: skip
    assert list(system.states) == ["depot", "central", "peripheral1", "target", "complex"]
    assert list(system.doses) == ["depot", "central"]
    assert list(system.outputs) == ["Cc", "Ctot", "R", "RC", "Rtot", "RO", "suppression"]
    assert system.time_unit == "day"
    assert system.shared == system.share == ()
    assert dict(system.inputs) == {}
    bound = system.stoichiometry()["binding"]
    assert {state: int(change) for state, change in bound.items() if change} == {
        "central": -1,
        "target": -1,
        "complex": 1,
    }
    assert conversion_factor(tmdd(binding="KD").units()["koff"], "1/day") == 1
    assert tmdd(units=Units("h", "ug", "mL")).parameters["kon"] == "mL/ug/h"


def test_the_number_of_compartments():
    assert list(tmdd(compartments=1).states) == ["central", "target", "complex"]
    assert "Q" not in tmdd(compartments=1).parameters
    assert "peripheral2" in tmdd(compartments=3).states
    with pytest.raises(MechanismError, match="1, 2 or 3"):
        tmdd(compartments=4)
    with pytest.raises(MechanismError, match="Choose one of koff, KD"):
        tmdd(binding="Kss")
    with pytest.raises(UnitsError, match="rate of process 'elimination'"):
        dataclasses.replace(tmdd(), parameters=tmdd().parameters | {"CL": "L/h"})


def test_the_target_stays_at_its_baseline_without_drug():
    system = tmdd(absorption="first-order")
    start = initial_state(system, VALUES)
    assert dict(zip(system.states, start, strict=True)) == {
        "depot": 0,
        "central": 0,
        "peripheral1": 0,
        "target": VALUES["R0"] * VALUES["Vc"],
        "complex": 0,
    }
    assert right_hand_side(system, VALUES)(0.0, start) == pytest.approx(np.zeros(5), abs=1e-14)


@pytest.mark.parametrize("dose", [3.0, 300.0])
def test_total_target_is_constant_where_complex_and_target_are_lost_alike(dose):
    p = VALUES | {"kint": VALUES["kdeg"]}
    system = tmdd()
    states = integrate(system, p, initial_state(system, p, central=dose), TIMES)
    np.testing.assert_allclose(states[:, 2] + states[:, 3], p["R0"] * p["Vc"], rtol=1e-7)


def test_bound_target_accumulates_to_ksyn_over_kint_and_returns_to_its_baseline():
    """Under a constant high concentration all target is bound, and lost with kint."""
    system = tmdd(compartments=1)
    infusion = Process("infusion", {"central": +1}, lambda s: 1e5 * s.CL * s.R0)
    fed = dataclasses.replace(system, processes=[*system.processes, infusion])
    states = integrate(fed, VALUES, initial_state(fed, VALUES), np.array([200.0]))
    outputs = dict(zip(fed.states, states[-1], strict=True))
    total = value(fed.symbolic().outputs["Rtot"], fed, VALUES, **outputs)
    assert total == pytest.approx(VALUES["R0"] * VALUES["kdeg"] / VALUES["kint"], rel=1e-4)
    assert value(fed.symbolic().outputs["RO"], fed, VALUES, **outputs) == pytest.approx(1, rel=1e-4)
    after = integrate(system, VALUES, initial_state(system, VALUES, central=300), np.array([400.0]))
    assert after[-1, 1:].sum() == pytest.approx(VALUES["R0"] * VALUES["Vc"], rel=1e-5)


def collecting(system, **where):
    """Let the processes deliver what they take into states that only collect."""
    processes = [
        Process(p.name, {**p.stoichiometry, where[p.name]: 1}, p.rate) if p.name in where else p
        for p in system.processes
    ]
    collected = dict.fromkeys(where.values(), "nmol")
    return dataclasses.replace(
        system, states=system.states | collected, processes=processes, accumulators=tuple(collected)
    )


def test_all_drug_is_somewhere():
    system = collecting(tmdd(absorption="first-order"), elimination="cleared", internalisation="internalised")
    (law,) = system.conservation_laws()
    assert set(law.split(" + ")) == {
        "depot", "central", "peripheral1", "complex", "cleared", "internalised",
    }  # fmt: skip
    dose = 300.0
    start = initial_state(system, VALUES, depot=dose)
    states = dict(zip(system.states, integrate(system, VALUES, start, TIMES).T, strict=True))
    total = sum(states[name] for name in law.split(" + "))
    np.testing.assert_allclose(total, dose, rtol=1e-8)
    assert states["internalised"][-1] > 0.1 * dose


def test_without_turnover_drug_and_target_are_conserved():
    system = tmdd()
    closed = dataclasses.replace(
        system, processes=[p for p in system.processes if p.name in ("binding", "distribution")]
    )
    assert closed.conservation_laws() == ["central + peripheral1 + complex", "target + complex"]
    p = VALUES | {"koff": VALUES["kon"] * 1.0}
    start = np.array([60.0, 0.0, 30.0, 0.0])
    central, _, target, complex_ = integrate(closed, p, start, np.array([500.0]))[-1]
    assert central / p["Vc"] * target / complex_ == pytest.approx(1.0, rel=1e-6)  # KD = koff / kon = 1 nM
    assert target + complex_ == pytest.approx(30.0, rel=1e-8)


def test_without_a_target_the_drug_is_that_of_the_compartments():
    p = VALUES | {"R0": 0.0}
    start = np.array([100.0, 0.0])
    bound = integrate(tmdd(), p, [*start, 0.0, 0.0], TIMES)
    free = integrate(two_compartment(), p, start, TIMES)
    np.testing.assert_allclose(bound[:, :2], free, rtol=1e-6)


def test_outputs():
    system, amounts = tmdd(), {"central": 30.0, "peripheral1": 1.0, "target": 6.0, "complex": 24.0}
    found = {
        name: value(graph, system, VALUES, **amounts) for name, graph in system.symbolic().outputs.items()
    }
    assert found == pytest.approx(
        {"Cc": 10, "Ctot": 18, "R": 2, "RC": 8, "Rtot": 10, "RO": 0.8, "suppression": 0.8}
    )
