"""Rows stacked to a matrix and taken apart again, and their derivatives, against numpy."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.ode.rows import GROUP, stack, unstack

kinds = st.lists(st.sampled_from(["vector", "scalar", "number"]), min_size=1, max_size=3 * GROUP)


@settings(max_examples=15, deadline=None)
@given(kinds, st.integers(1, 4))
def test_the_rows_of_a_stack(kinds, length):
    vectors, scalars = pt.dmatrix(), pt.dvector()
    rng = np.random.default_rng(len(kinds))
    rows, expected = [], []
    values, numbers = rng.normal(size=(len(kinds), length)), rng.normal(size=len(kinds))
    for k, kind in enumerate(kinds):
        rows.append({"vector": vectors[k], "scalar": scalars[k], "number": numbers[k]}[kind])
        expected.append(values[k] if kind == "vector" else np.full(length, numbers[k]))
    if "vector" not in kinds:
        expected = [row[:1] for row in expected]
    matrix = stack(*rows)
    weights = rng.normal(size=np.shape(expected))
    gradients = pt.grad((matrix * weights).sum(), [vectors, scalars], disconnected_inputs="ignore")
    function = pytensor.function(
        [vectors, scalars], [matrix, *gradients], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    found, by_vector, by_scalar = function(values, numbers)
    np.testing.assert_array_equal(found, expected)
    for k, kind in enumerate(kinds):
        np.testing.assert_allclose(by_vector[k], weights[k] if kind == "vector" else 0.0)
        np.testing.assert_allclose(by_scalar[k], weights[k].sum() if kind == "scalar" else 0.0)


@pytest.mark.parametrize("n", [1, 2, GROUP, GROUP + 1, 3 * GROUP, GROUP**2 + GROUP + 2])
def test_compiled_stacks_are_those_of_numpy(n):
    matrix = pt.dmatrix()
    rows = unstack(matrix, n)
    again = stack(*reversed(rows), 2.0, 3.0)
    gradient = pt.grad((again**2).sum(), matrix)
    given = np.random.default_rng(n).normal(size=(n, 3))
    found, slopes = pytensor.function([matrix], [again, gradient], mode="NUMBA")(np.asfortranarray(given))
    np.testing.assert_array_equal(found, [*given[::-1], [2.0] * 3, [3.0] * 3])
    np.testing.assert_allclose(slopes, 2 * given)


def test_vectors_of_different_lengths_are_refused():
    first, second = pt.dvectors(2)
    with pytest.raises(ValueError, match="differ in length"):
        pytensor.function([first, second], stack(first, second), mode="NUMBA")(np.ones(2), np.ones(3))


def test_what_nothing_depends_on_has_no_derivative():
    matrix = pt.dmatrix()
    n = 2 * GROUP + 3
    gradient = pt.grad(unstack(matrix, n)[-1].sum(), matrix)
    slopes = pytensor.function([matrix], gradient, mode="FAST_COMPILE")(np.ones((n, 2)))
    np.testing.assert_array_equal(slopes, [[0.0, 0.0]] * (n - 1) + [[1.0, 1.0]])
