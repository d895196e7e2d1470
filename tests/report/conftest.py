"""One fabricated fit for all tests of the report layer."""

import pytest
from fabricated import make_fit


@pytest.fixture(scope="session")
def good_fit():
    """Independent draws, data from the model itself. Read only."""
    return make_fit()


@pytest.fixture
def fit(good_fit):
    """A copy to change."""
    return good_fit.copy(deep=True)
