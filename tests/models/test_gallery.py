"""Every entry of the gallery runs, is described, and conserves what the null space of its stoichiometry says."""

import dataclasses

import numpy as np
import pytest

from qsp_bayes.models import gallery
from qsp_bayes.systems import Output
from qsp_bayes.systems.conservation import conservation_laws

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
    assert any(np.ptp(course[name].values) > 0 for name in entry.shows), "nothing to look at"


CLOSED = [title for title, entry in ENTRIES.items() if conservation_laws(entry.system)]


@pytest.mark.parametrize("title", CLOSED)
def test_what_is_conserved_stays_for_ten_thousand_units_of_time(title):
    entry = ENTRIES[title]
    system, laws = entry.system, conservation_laws(entry.system)

    def total(law):
        return lambda s: sum(number * s[state] for state, number in law.items())

    totals = {f"total{k}": Output(system.states[next(iter(law))], total(law)) for k, law in enumerate(laws)}
    watched = dataclasses.replace(system, outputs={**system.outputs, **totals})
    times = np.concatenate([[1e-6], np.geomspace(1, 1e4, 12)])
    found = watched.course(entry.parameters, times, entry.regimen, outputs=[*totals], inputs=entry.inputs)
    for law in totals:
        np.testing.assert_allclose(found[law], found[law][0], rtol=1e-9)
