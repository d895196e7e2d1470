"""What of a regimen is free: the doses it lays out are those of the regimen itself; what cannot be is refused."""

import numpy as np
import pytest

from qsp_bayes.data import Regimen
from qsp_bayes.decision.continuous.free_dose import Between, FreeRegimen
from qsp_bayes.errors import DecisionError

JOINED = Regimen(100, every=8, until=60, into="central", duration=1.0) + Regimen(300, into="central")
FREE = {
    "dose": Between(50, 600, of="amount"),
    "interval": Between(4, 24, of="every"),
    "loading": Between(0, 800, of="amount", course=1),
}


@pytest.mark.parametrize("interval", [4.0, 7.3, 12.0, 24.0])
@pytest.mark.parametrize("end", [30.0, 48.0, 72.0])
def test_the_layout_is_that_of_the_regimen_before_the_end(interval, end):
    free = FreeRegimen(JOINED, FREE)
    regimen = free.at([200, interval, 500])
    layout = free.layout([200, interval, 500], end)
    courses = regimen.courses
    times = np.array(
        [
            courses[c].start + k * (courses[c].every or 0)
            for c, k in zip(layout.course, layout.index, strict=True)
        ]
    )
    assert sorted(times) == pytest.approx([t for t in regimen.dose_times() if t < end])
    assert regimen.courses[1].amount == 500


def test_doses_that_set_a_steady_state_come_first():
    regimen = Regimen(50, into="central") + Regimen(
        100, every=12, steady_state=True, until=36, into="central"
    )
    layout = FreeRegimen(regimen, {"dose": Between(1, 2, of="amount", course=1)}).layout([1.5], 72)
    assert layout.steady_state.tolist() == [2, 0, 0, 0]
    assert layout.course.tolist() == [1, 0, 1, 1]


def test_names_units_and_where_the_search_starts():
    free = FreeRegimen(JOINED, {**FREE, "length": Between(2, 3, of="duration")})
    assert free.given.tolist() == [100, 8, 300, 2]
    assert [free.unit(name, "h") for name in free.names] == ["mg", "h", "mg", "h"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Between(1, 2, of="dose"), "of is 'dose'; it must be one of amount"),
        (lambda: Between(2, 1, of="amount"), "bounds of amount are 2 and 1"),
        (lambda: Between(0, 1, of="every"), "expected a positive number"),
        (lambda: Between(0, np.inf, of="amount"), "bounds of amount"),
        (lambda: FreeRegimen(JOINED, {}), "Nothing is free"),
        (lambda: FreeRegimen(JOINED, {"dose": (1, 2)}), r"free\['dose'\] is \(1, 2\)"),
        (lambda: FreeRegimen(JOINED, {"x": Between(1, 2, of="amount", course=2)}), "no course 2"),
        (lambda: FreeRegimen(JOINED, {"x": Between(1, 2, of="every", course=1)}), "has no every"),
        (
            lambda: FreeRegimen(JOINED, {"a": Between(1, 2, of="amount"), "b": Between(1, 3, of="amount")}),
            "free twice",
        ),
        (lambda: FreeRegimen(JOINED, {"start": Between(0, 70, of="start")}), r"free\['start'\] at 70"),
    ],
)
def test_what_cannot_be_is_refused(made, message):
    with pytest.raises(DecisionError, match=message):
        made()
