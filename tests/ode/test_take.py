"""Entries taken from a vector, and their adjoint, against numpy."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.ode.take import Take

MODES = ("NUMBA", "FAST_COMPILE")
INDEX = np.array([2, 0, 2, 2, 1])


@pytest.mark.parametrize("mode", MODES)
def test_entries_and_their_derivatives_of_both_orders(mode):
    vector, index = pt.dvector(), pt.lvector()
    taken = Take()(vector, index)
    slopes = pt.grad((taken**3).sum(), vector)
    curvature = pt.grad((slopes * np.arange(4.0)).sum(), vector)
    function = pytensor.function([vector, index], [taken, slopes, curvature], mode=mode)
    given = np.array([1.0, 2.0, 3.0, 4.0])
    found, first, second = function(given, INDEX)
    count = np.array([1, 1, 3, 0])
    np.testing.assert_array_equal(found, given[INDEX])
    np.testing.assert_allclose(first, count * 3 * given**2)
    np.testing.assert_allclose(second, count * 6 * given * np.arange(4))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("outside", [-1, 3])
def test_positions_outside_are_refused(mode, outside):
    vector, index = pt.dvector(), pt.lvector()
    function = pytensor.function([vector, index], Take()(vector, index), mode=mode)
    with pytest.raises(IndexError, match="outside"):
        function(np.ones(3), np.array([0, outside]))
