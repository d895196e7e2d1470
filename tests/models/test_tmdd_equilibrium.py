"""Free drug from the totals, against the quadratic formula with sixty digits."""

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.models.tmdd.equilibrium import free_drug
from qsp_bayes.ode.derivatives import simplify

ARGUMENTS = pt.dscalars("total_drug", "total_target", "K")
GRAPH = free_drug(*ARGUMENTS)
WANTED = [GRAPH, *pt.grad(GRAPH, list(ARGUMENTS))]
AS_WRITTEN = pytensor.function(ARGUMENTS, WANTED, mode="FAST_COMPILE")
# What the engine makes machine code of: regrouped sums would lose digits.
AS_SIMPLIFIED = pytensor.function(ARGUMENTS, simplify(WANTED), mode="FAST_COMPILE")
FORMS = pytest.mark.parametrize("function", [AS_WRITTEN, AS_SIMPLIFIED], ids=["written", "simplified"])


def exact(total_drug, total_target, K):
    """The root and its derivatives, with sixty digits."""
    with mpmath.workdps(60):
        A, B, K = (mpmath.mpf(float(x)) for x in (total_drug, total_target, K))
        spread = mpmath.sqrt((A - B - K) ** 2 + 4 * K * A)
        C = (A - B - K + spread) / 2
        return [float(x) for x in (C, (C + K) / spread, -C / spread, (A - C) / spread)]


def ratios(number, seed=0):
    """Totals and constants over 24 orders of magnitude, a third near equality and where b changes its sign."""
    rng = np.random.default_rng(seed)
    for i in range(number):
        drug, target, K = 10.0 ** rng.uniform(-12, 12, 3)
        if i % 3 == 0:
            target = drug * (1 + rng.choice([-1, 0, 1]) * 10.0 ** rng.uniform(-16, -1))
        if i % 7 == 0:
            target = max(drug - K, 0.0)
        yield drug, target, K


@FORMS
def test_no_digit_is_lost_whatever_the_ratios(function):
    for case in ratios(2000):
        found, expected = function(*case), exact(*case)
        # The last, dC/dK, may be far smaller than its parts: it is right beside 1, which no derivative exceeds.
        for k in range(3):
            assert found[k] == pytest.approx(expected[k], rel=1e-14, abs=0), (case, k)
        assert found[3] == pytest.approx(expected[3], rel=1e-12, abs=1e-14 * max(1, expected[0] / case[2]))


def test_the_textbook_formula_would_fail():
    """The case that the other form is there for: a deliberately wrong variant loses every digit."""
    drug, target, K = 1e-9, 1e3, 1e-9
    b = drug - target - K
    assert (b + np.sqrt(b**2 + 4 * K * drug)) / 2 == pytest.approx(0, abs=1e-30)
    assert float(AS_SIMPLIFIED(drug, target, K)[0]) == pytest.approx(exact(drug, target, K)[0], rel=1e-14)
    assert exact(drug, target, K)[0] == pytest.approx(1e-21, rel=1e-6)


@FORMS
@pytest.mark.parametrize("target", [0.0, 1e-9, 5.0, 1e9])
def test_without_drug_the_derivative_is_the_free_share(function, target):
    value, by_drug, by_target, by_K = function(0.0, target, 2.0)
    assert value == by_target == by_K == 0
    assert by_drug == pytest.approx(2 / (2 + target), rel=1e-15)


@FORMS
def test_the_change_of_form_is_not_seen(function):
    """At b = 0, which round numbers hit, one derivative of |b| would be 0 and halve that of the root."""
    at = function(6.0, 5.0, 1.0)
    for step in (-1e-9, 0.0, 1e-9):
        found = function(6.0 + step, 5.0, 1.0)
        np.testing.assert_allclose(found, exact(6.0 + step, 5.0, 1.0), rtol=1e-14)
        np.testing.assert_allclose(found, at, rtol=1e-8)


POSITIVE = st.floats(1e-9, 1e9)


@settings(max_examples=200, deadline=None)
@given(drug=POSITIVE, target=POSITIVE, K=POSITIVE)
def test_the_law_of_mass_action_holds(drug, target, K):
    """K RC = C R, and free drug lies between what the target could leave and all there is."""
    free = float(AS_WRITTEN(drug, target, K)[0])
    bound = target * free / (K + free)
    assert free + bound == pytest.approx(drug, rel=1e-12)
    assert K * bound == pytest.approx(free * target * K / (K + free), rel=1e-12)
    assert max(0.0, (drug - target) * (1 - 1e-12)) <= free <= drug * (1 + 1e-12)
