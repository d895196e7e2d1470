"""Every entry of the gallery runs, is described, and keeps what its equations say it keeps."""

import numpy as np
import pytest

from qsp_bayes.models import gallery

ENTRIES = {title: entry for entries in gallery().values() for title, entry in entries.items()}


def test_titles_are_unique():
    assert len(ENTRIES) == sum(len(entries) for entries in gallery().values())


@pytest.mark.parametrize("title", ENTRIES)
def test_entry(title):
    entry = ENTRIES[title]
    assert entry.holds
    assert entry.identifiability
    assert entry.reference
    course = entry.course(number=60)
    for name in entry.shows:
        values = course[name].to_numpy()
        assert np.isfinite(values).all()
        assert np.ptp(values) > 0, "nothing to look at"
