"""The cascade of kinases against equations written by hand, and the oscillation that made it known."""

import numpy as np
import pytest
from by_scipy import initial_state, integrate, right_hand_side
from kholodenko import cascade_by_hand
from scipy.integrate import solve_ivp

from qsp_bayes.models import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

# The initial concentrations of BioModels BIOMD0000000010, in nM.
PUBLISHED_START = np.array([90.0, 10.0, 280.0, 10.0, 10.0, 280.0, 10.0, 10.0])


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_are_those_written_by_hand(seed):
    rng = np.random.default_rng(seed)
    p = {name: number * rng.lognormal(0, 0.5) for name, number in KHOLODENKO_2000.items()}
    x = rng.uniform(1, 300, 8)
    np.testing.assert_allclose(
        right_hand_side(mapk_cascade(), p)(0.0, x), cascade_by_hand(p, x), rtol=1e-12, atol=1e-14
    )


def test_the_stimulus_multiplies_the_first_rate():
    x = PUBLISHED_START
    stimulated = right_hand_side(mapk_cascade(stimulus=True), KHOLODENKO_2000, stimulus=0.3)(0.0, x)
    weaker = cascade_by_hand({**KHOLODENKO_2000, "V1": 0.3 * KHOLODENKO_2000["V1"]}, x)
    np.testing.assert_allclose(stimulated, weaker, rtol=1e-12, atol=1e-14)


def test_names_units_and_conservation():
    system = mapk_cascade()
    assert list(system.parameters) == list(KHOLODENKO_2000)
    assert system.parameters["V1"] == "nmol/L/s"
    assert system.parameters["k3"] == "1/s"
    assert system.parameters["K10"] == "nmol/L"
    assert mapk_cascade(units=Units("min", "umol", "L")).parameters["k7"] == "1/min"
    assert system.conservation_laws() == [
        "MKKK + MKKK_P",
        "MKK + MKK_P + MKK_PP",
        "MAPK + MAPK_P + MAPK_PP",
    ]
    assert (system.stoichiometry().sum(axis=0) == 0).all()
    start = initial_state(system, KHOLODENKO_2000)
    assert list(start) == [100, 0, 300, 0, 0, 300, 0, 0]


def peaks(times, values):
    """Times and heights of the local maxima."""
    inner = (values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])
    return times[1:-1][inner], values[1:-1][inner]


def test_the_published_parameters_make_it_oscillate_between_low_and_full_activity():
    """Kholodenko 2000: sustained, up to almost all of the protein, with a period between minutes and hours."""
    times = np.arange(0.0, 11000.0, 2.0)
    states = integrate(mapk_cascade(), KHOLODENKO_2000, PUBLISHED_START, times, rtol=1e-7)
    for tier in ([0, 1], [2, 3, 4], [5, 6, 7]):
        np.testing.assert_allclose(states[:, tier].sum(axis=1), PUBLISHED_START[tier].sum(), rtol=1e-7)
    at, heights = peaks(times[times > 4000], states[times > 4000, 7])
    periods = np.diff(at)
    assert len(periods) >= 4
    assert np.ptp(periods) < 5
    assert np.ptp(heights) < 0.1
    assert periods.mean() == pytest.approx(1300, abs=5)
    by_another_method = solve_ivp(
        lambda t, x: cascade_by_hand(KHOLODENKO_2000, x),
        (0, 5000),
        PUBLISHED_START,
        "DOP853",
        [5000],
        rtol=1e-9,
    )
    np.testing.assert_allclose(states[times == 5000][0], by_another_method.y[:, 0], rtol=1e-3)
    assert heights.mean() > 0.95 * KHOLODENKO_2000["MAPK_total"]
    assert states[times > 4000, 7].min() < 0.15 * KHOLODENKO_2000["MAPK_total"]


def test_without_feedback_there_is_no_oscillation():
    times = np.arange(0.0, 12000.0, 10.0)
    active = integrate(mapk_cascade(), {**KHOLODENKO_2000, "KI": 1e9}, PUBLISHED_START, times)[:, 7]
    assert np.ptp(active[times > 8000]) < 1e-3


def test_a_ligand_of_another_system_can_be_the_stimulus():
    ligand = System(
        {"ligand": "nmol/L"},
        {"decay": "1/s", "EC50": "nmol/L"},
        [Process("decay of ligand", {"ligand": -1}, lambda s: s.decay * s.ligand)],
        outputs={"stimulus": Output("", lambda s: s.ligand / (s.EC50 + s.ligand))},
        time_unit="s",
    )
    both = ligand + mapk_cascade(stimulus=True)
    assert dict(both.inputs) == {}
    assert "V1*stimulus*MKKK" in both.equations()[1]
