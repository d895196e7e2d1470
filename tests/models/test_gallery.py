"""Every entry of the gallery runs and is described."""

import numpy as np
import pytest

from qsp_bayes.models import gallery

ENTRIES = {title: entry for entries in gallery().values() for title, entry in entries.items()}


def test_titles_are_unique():
    assert len(ENTRIES) == sum(len(entries) for entries in gallery().values())


@pytest.mark.parametrize("title", ENTRIES)
def test_entry(title):
    entry = ENTRIES[title]
    assert set(entry.parameters) == set(entry.system.parameters)
    assert min(map(len, (entry.holds, entry.identifiability, entry.reference))) > 20
    course = entry.course(number=60)
    assert list(course) == list(entry.shows)
    assert all(np.isfinite(course[name]).all() for name in entry.shows)
    assert any(np.ptp(course[name]) > 0 for name in entry.shows), "nothing to look at"
