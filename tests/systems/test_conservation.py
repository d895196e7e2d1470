"""Conservation laws against linear algebra that shares no code with them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import Process, System
from qsp_bayes.systems.conservation import conservation_laws, law_text

COEFFICIENTS = st.sampled_from([-2, -1, 0, 0, 0, 1, 2, Fraction(1, 2), Fraction(-1, 3)])


def network(columns):
    states = [f"x{i}" for i in range(len(columns[0]))]
    processes = [
        Process(f"p{j}", dict(zip(states, column, strict=True)), lambda s: s.v)
        for j, column in enumerate(columns)
        if any(column)
    ]
    return System(dict.fromkeys(states, "mg"), {"v": "mg/h"}, processes)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(COEFFICIENTS, min_size=n, max_size=n), min_size=1, max_size=6)
    )
)
def test_laws_are_a_basis_of_what_no_process_changes(columns):
    system = network(columns)
    matrix = system.stoichiometry().to_numpy()
    laws = [[law.get(state, 0) for state in system.states] for law in conservation_laws(system)]
    for law in laws:
        for j in range(matrix.shape[1]):
            assert sum(a * b for a, b in zip(law, matrix[:, j], strict=True)) == 0
    rank = np.linalg.matrix_rank(matrix.astype(float)) if matrix.size else 0
    assert len(laws) == len(system.states) - rank
    if laws:
        assert np.linalg.matrix_rank(np.array(laws, dtype=float)) == len(laws)


def test_laws_read_as_totals():
    binding = {"drug": -1, "target": -1, "complex": +1}
    rate = lambda s: s.kon * s.drug * s.target  # noqa: E731
    system = System(dict.fromkeys(binding, "nmol"), {"kon": "1/nmol/h"}, [Process("binding", binding, rate)])
    assert system.conservation_laws() == ["drug + complex", "target + complex"]
    reverse = System(
        dict.fromkeys(["complex", "target", "drug"], "nmol"),
        {"kon": "1/nmol/h"},
        [Process("b", binding, rate)],
    )
    assert all("-" not in law for law in reverse.conservation_laws())


def test_dimers_count_twice():
    pairs = System(
        {"monomer": "nmol", "dimer": "nmol"},
        {"k": "1/nmol/h"},
        [Process("pairing", {"monomer": -1, "dimer": "1/2"}, lambda s: s.k * s.monomer**2)],
    )
    assert pairs.conservation_laws() == ["monomer + 2*dimer"]
    assert pairs.stoichiometry().loc["dimer", "pairing"] == Fraction(1, 2)
    assert law_text({"a": -1, "b": 2}) == "-a + 2*b"


def test_an_open_system_conserves_nothing_and_a_collector_closes_it():
    assert one_compartment(absorption="first-order").conservation_laws() == []
    excretion = Process("elimination", {"central": -1, "urine": +1}, lambda s: s.CL / s.Vc * s.central)
    closed = System(
        {"central": "mg", "urine": "mg"}, {"CL": "L/h", "Vc": "L"}, [excretion], accumulators=["urine"]
    )
    assert closed.conservation_laws() == ["central + urine"]


def test_stoichiometry_is_rational():
    with pytest.raises(MechanismError, match="not rational"):
        Process("p", {"A": 0.1}, lambda s: s.v)
    with pytest.raises(MechanismError, match="changes no state"):
        Process("p", {}, lambda s: s.v)
    assert Process("p", {"A": 2.0}, lambda s: s.v).stoichiometry["A"] == 2
