"""The order of states and their blocks, on random graphs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.ode.structure import GENERAL, LinearStructure


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_order_is_block_triangular_and_reachability_is_that_of_matrix_powers(graph):
    n, entries = graph
    structure = LinearStructure(n, tuple(sorted(entries)))
    A = np.eye(n, dtype=int)
    A[tuple(structure.pattern.T)] = 1
    reach = np.linalg.matrix_power(A, n) > 0
    np.testing.assert_array_equal(structure.reachable, reach)
    block = np.searchsorted(structure.blocks, np.arange(n), side="right")
    assert sorted(structure.order) == list(range(n))
    assert not (A.astype(bool) & (block[:, None] < block[None, :])).any()
    np.testing.assert_array_equal(block[:, None] == block[None, :], reach & reach.T)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=0, max_size=5))
def test_exchange_along_a_tree_needs_no_general_solver(parents):
    """Parent of state i + 1 is one of the states before it; one more edge closes a cycle."""
    pairs = [(i + 1, p % (i + 1)) for i, p in enumerate(parents)]
    both = [*pairs, *((j, i) for i, j in pairs)]
    structure = LinearStructure(len(pairs) + 1, tuple(both))
    assert not structure.general
    assert (structure.parents == -1).sum() == 1
    order = structure.order
    found = {frozenset((order[i], order[p])) for i, p in enumerate(structure.parents) if p >= 0}
    assert found == {frozenset(pair) for pair in pairs}


def test_a_one_way_cycle_is_general_and_accumulators_come_last():
    structure = LinearStructure(4, ((0, 1), (1, 2), (2, 0), (3, 0)), accumulators=(3,))
    assert structure.general
    assert structure.order[-1] == 3
    assert structure.n_dynamic == 3
    assert (structure.parents[:3] == GENERAL).all()
