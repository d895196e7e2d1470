"""Viral dynamics against steady states, closed forms of its decline, and the final size of an infection."""

import dataclasses

import numpy as np
import pytest

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import viral_dynamics
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.units import Units

DAY = Units(time="day")
FINE = Rodas5P(rtol=1e-9)

VIRUS = {
    "s": 1.3e5, "d": 0.01, "beta": 5e-8, "delta": 0.14, "p": 5.0, "c": 6.2, "Emax": 0.9, "EC50": 1e-9,
}  # fmt: skip
RATIO = 5e-8 * 5.0 * 1.3e5 / 0.01 / (6.2 * 0.14)


def test_a_chronic_infection_stays_in_its_steady_state():
    found = viral_dynamics(units=DAY).course(VIRUS, [0.0, 1.0, 100.0, 1e4], inputs={"Cc": 0.0})
    for name in ("T", "I", "V"):
        np.testing.assert_allclose(found[name], found[name][0], rtol=1e-12)
    np.testing.assert_allclose(found.reproductive_number, RATIO, rtol=1e-14)
    assert RATIO > 1
    assert float(found["T"][0]) == pytest.approx(1.3e5 / 0.01 / RATIO, rel=1e-13)  # each infects one other


def test_drug_moves_the_steady_state_or_clears_the_virus():
    """Drug of efficacy e leaves (1 - e) of the reproductive number: below 1 the virus dies out."""
    partial = VIRUS | {"Emax": 0.5}
    left = 0.5 * RATIO
    found = viral_dynamics(units=DAY).course(partial, [4e3], inputs={"Cc": 1.0}, solver=FINE)
    assert float(found["T"][0]) == pytest.approx(1.3e5 / 0.01 / left, rel=1e-6)
    assert float(found.I[0]) == pytest.approx(1.3e5 / 0.14 * (1 - 1 / left), rel=1e-6)
    assert float(found.V[0]) == pytest.approx(0.5 * 5 * float(found.I[0]) / 6.2, rel=1e-6)
    cleared = viral_dynamics(units=DAY).course(VIRUS, [0.0, 1e3], inputs={"Cc": 1.0})
    assert 0.1 * RATIO < 1
    assert float(cleared.V[1]) < 1e-6 * float(cleared.V[0])


def test_virus_declines_as_perelson_says():
    """Where no cell is infected any more: V0 (c exp(-delta t) - delta exp(-c t)) / (c - delta)."""
    p, times = VIRUS | {"Emax": 1.0, "EC50": 1e-14}, np.array([0.0, 0.1, 0.5, 2.0, 7.0, 14.0])
    blocked = viral_dynamics(units=DAY, blocks="infection").course(p, times, inputs={"Cc": 1.0}, solver=FINE)
    V0 = float(blocked.V[0])
    expected = V0 * (6.2 * np.exp(-0.14 * times) - 0.14 * np.exp(-6.2 * times)) / (6.2 - 0.14)
    np.testing.assert_allclose(blocked.V, expected, rtol=1e-7)
    stopped = viral_dynamics(units=DAY).course(p, times[:4], inputs={"Cc": 1.0}, solver=FINE)
    np.testing.assert_allclose(stopped.V, V0 * np.exp(-6.2 * times[:4]), rtol=1e-7, atol=1e-9 * V0)


INFLUENZA = {
    "T0": 4e8, "V0": 0.1, "beta": 2.7e-5, "delta": 4.0, "p": 0.012, "c": 3.0, "Emax": 0.9, "EC50": 1.0,
}  # fmt: skip


def test_an_acute_infection_ends_where_its_final_size_says():
    """ln(T0/T) = beta/c (V0 + p/delta (T0 - T)) once the virus is gone, and V grows at first as R0 > 1 demands."""
    system = viral_dynamics(units=DAY, cells="", infection="acute")
    found = system.course(INFLUENZA, [0.0, 0.2, 1.0, 1.5, 60.0], inputs={"Cc": 0.0}, solver=FINE)
    p, T = INFLUENZA, float(found["T"][-1])
    infected = p["beta"] / p["c"] * (p["V0"] + p["p"] / p["delta"] * (p["T0"] - T))
    assert np.log(p["T0"] / T) == pytest.approx(infected, rel=1e-5)
    ratio = p["beta"] * p["p"] * p["T0"] / (p["c"] * p["delta"])
    assert float(found.reproductive_number[0]) == pytest.approx(ratio, rel=1e-14)
    # Growth while target cells are plenty: (r + c)(r + delta) = beta p T0.
    half_trace = (p["c"] + p["delta"]) / 2
    r = -half_trace + np.sqrt(half_trace**2 - p["c"] * p["delta"] * (1 - ratio))
    assert np.log(float(found.V[3] / found.V[2])) / 0.5 == pytest.approx(r, rel=0.01)


def test_an_infection_below_the_threshold_dies_out():
    system = viral_dynamics(units=DAY, cells="", infection="acute")
    found = system.course(INFLUENZA | {"p": 0.001}, [0.0, 60.0], inputs={"Cc": 0.0})
    assert float(found.reproductive_number[0]) < 1
    assert float(found.V[1]) < 1e-3 * INFLUENZA["V0"]
    assert float(found["T"][1]) > 0.999 * INFLUENZA["T0"]


def test_infection_only_moves_cells_and_drug_collects_nothing():
    """Without turnover and death, target and infected cells are conserved: over 10 000 days."""
    system = viral_dynamics(units=DAY, cells="", infection="acute")
    closed = dataclasses.replace(
        system, processes=[process for process in system.processes if not process.name.startswith("death")]
    )
    assert closed.conservation_laws() == ["target + infected"]
    found = closed.course(INFLUENZA, [1.0, 10.0, 1e4], inputs={"Cc": 0.5})
    np.testing.assert_allclose(found["T"] + found.I, INFLUENZA["T0"], rtol=1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(MechanismError, match="Choose one of chronic, acute"):
        viral_dynamics(infection="latent")
    with pytest.raises(MechanismError, match="Choose one of production, infection"):
        viral_dynamics(blocks="entry")
    with pytest.raises(MechanismError, match="Choose one of emax, sigmoid"):
        viral_dynamics(relation="linear")
