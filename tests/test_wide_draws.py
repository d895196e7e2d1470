"""Ten thousand draws from very wide priors: every subject is solved right or reported as a failure.

The authority is CVODES at tight tolerances, with forward sensitivities, through code that shares nothing with the
engine. ``make test-slow PYTEST_ARGS="tests/test_wide_draws.py -s"`` prints the figures.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.problems import PROBLEMS, Problem, cascade

pytest.importorskip("sundials4py")

N_DRAWS, DEVIATION, BLOCK = 2000, 1.5, 250
WRONG, WRONG_GRADIENT = 1e-3, 1e-2
"""Relative errors, far above what the tolerance of 1e-6 allows, and far below what a wrong path has."""
MAKERS = {**PROBLEMS, "cascade": cascade}


def wide(problem: Problem, block: int) -> Problem:
    """The problem with log-normal parameters about its first subject's, and the doses of all its subjects in turn."""
    generator = np.random.default_rng([11, block])
    medians = np.exp(np.log(problem.values).mean(axis=0))
    values = medians * np.exp(DEVIATION * generator.standard_normal((BLOCK, len(medians))))
    doses = [dataclasses.replace(dose, amounts=np.resize(dose.amounts, BLOCK)) for dose in problem.doses]
    return dataclasses.replace(problem, values=values, doses=tuple(doses))


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_wide_draws_are_right_or_fail(name: str) -> None:
    from benchmarks.cvodes_compiled import cvodes_compiled
    from benchmarks.qsp_bayes_compiled import qsp_bayes_compiled, weights_of
    from qsp_bayes.ode.solvers import Automatic

    failed, unknown, wrong, worst, worst_gradient = 0, 0, [], 0.0, 0.0
    for block in range(N_DRAWS // BLOCK):
        problem = wide(MAKERS[name](), block)
        found = qsp_bayes_compiled(problem, Automatic(), sensitivities=True)(1e-6, np.empty(0))
        largest = np.nanmax(np.abs(found.states), axis=1)
        exact, sensitivities = cvodes_compiled(
            problem, sensitivities=True, method="BDF", correction="staggered", controlled=True
        )(1e-10, 1e-14 * (largest + largest.max(axis=1, keepdims=True)) + 1e-300)
        weighted = sensitivities * weights_of(len(problem.states))[:, None] * problem.values[:, None, None]
        gradient, size = weighted.sum(axis=(1, 2)), np.abs(weighted).sum(axis=(1, 2))

        ours_fails = np.isnan(found.states).any(axis=(1, 2))
        theirs_fails = ~np.isfinite(exact).all(axis=(1, 2)) | ~np.isfinite(gradient).all(axis=1)
        # A failure is one of the whole subject, and its gradient says so too.
        assert np.isnan(found.states[ours_fails]).all()
        assert np.isnan(found.gradient[ours_fails]).all()
        assert np.isfinite(found.gradient[~ours_fails]).all()

        largest = np.abs(exact).max(axis=1, keepdims=True)
        error = np.abs(found.states - exact) / (largest + 1e-3 * largest.max(axis=2, keepdims=True))
        error = error.max(axis=(1, 2))
        of_gradient = np.abs(found.gradient * problem.values - gradient)
        of_gradient = (of_gradient / (size + 1e-3 * size.max(axis=1, keepdims=True))).max(axis=1)
        both = ~ours_fails & ~theirs_fails
        failed, unknown = failed + ours_fails.sum(), unknown + (theirs_fails & ~ours_fails).sum()
        worst, worst_gradient = max(worst, error[both].max()), max(worst_gradient, of_gradient[both].max())
        bad = both & ~((error < WRONG) & (of_gradient < WRONG_GRADIENT))
        wrong += [(block, k, error[k], of_gradient[k]) for k in np.flatnonzero(bad)]
    print(
        f"\n{name}: {N_DRAWS} draws, {failed} failures reported, {unknown} without a reference, largest error "
        f"{worst:.1e} in states and {worst_gradient:.1e} in the gradient"
    )
    assert not wrong, wrong
    assert failed < 0.02 * N_DRAWS
