"""Every entry of pharmacodynamics runs with the numbers that come with it."""

import numpy as np
import pytest

from qsp_bayes.models import pharmacodynamics


@pytest.mark.parametrize("title", pharmacodynamics.examples())
def test_every_example_runs_and_says_what_must_be_known(title):
    example = pharmacodynamics.examples()[title]
    assert set(example.parameters) == set(example.system.parameters)
    found = example.course(40)
    assert set(found.data_vars) == set(example.shows)
    for name, course in found.items():
        assert np.isfinite(course).all(), name
        assert float(course.max() - course.min()) > 1e-3 * float(course.max()), name
    assert min(map(len, (example.holds, example.identifiability, example.reference))) > 20
