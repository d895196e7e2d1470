"""The problems that engines are compared on mean the same to each of them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import errors, reference
from benchmarks.problems import PROBLEMS
from benchmarks.straight_line import straight_line

STEP = 1e-30


@pytest.mark.parametrize("name", PROBLEMS)
def test_compiled_right_hand_sides_and_their_derivatives(name: str) -> None:
    problem = PROBLEMS[name]()
    model = straight_line(problem)
    N, P = len(problem.states), len(problem.parameters)
    y, p = np.random.default_rng(0).uniform(0.5, 2.0, N), problem.values[0]

    def by_complex_step(j: int) -> np.ndarray:
        x = np.concatenate([y, p]).astype(complex)
        x[j] += 1j * STEP
        return np.imag(problem.field(0.0, x[:N], x[N:])) / STEP

    exact = np.stack([by_complex_step(j) for j in range(N + P)], axis=1)
    rates, J, F = np.empty(N), np.empty(len(model.by_state)), np.empty(len(model.by_parameter))
    model.rates(0.0, y, p, rates)
    model.slopes(0.0, y, p, J, F)
    found = np.zeros((N, N + P))
    found[tuple(model.by_state.T)] = J
    found[model.by_parameter[:, 0], N + model.by_parameter[:, 1]] = F
    np.testing.assert_allclose(rates, problem.field(0.0, y, p), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_events_are_the_doses(name: str) -> None:
    problem = PROBLEMS[name]()
    events = problem.events()
    assert events.shape[0] == problem.subjects
    assert (np.diff(events[:, :, 0], axis=1) >= 0).all()
    assert not np.isin(problem.times, events[:, :, 0]).any()
    np.testing.assert_array_equal(events[:, :, 3].sum(axis=1), 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_peer_and_reference_agree(name: str) -> None:
    pytest.importorskip("sundials4py", reason="sundials4py (CVODES) is not installed: pip install -e .[test]")
    from benchmarks.cvodes_compiled import cvodes_compiled

    problem, exact = PROBLEMS[name](), reference(name)
    solve = cvodes_compiled(problem, sensitivities=True, method="BDF")
    found = solve(1e-11, 1e-14 * np.abs(exact[0]).max(axis=1))
    assert max(errors(problem, found, exact)) < 1e-8
