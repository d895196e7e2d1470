"""Five hundred subjects, twenty regimens, a hundred draws and a hundred times fit into memory."""

import pytest

from benchmarks.decision_throughput import DRAWS, MEBIBYTES, REGIMENS, SUBJECTS, TIMES, measured


@pytest.mark.slow
def test_memory_of_a_choice_among_twenty_regimens():
    """Stored, the paths alone would take 763 MiB, and their reduction as much again; in blocks it stays small."""
    found = measured()
    stored = SUBJECTS * REGIMENS * DRAWS * len(TIMES) * 8 / 2**20
    assert found["MiB"] < MEBIBYTES
    assert found["MiB"] - found["MiB before"] < 0.75 * stored
