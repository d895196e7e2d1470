"""Tumours against quadrature, closed forms, and balances of cells."""

import dataclasses

import numpy as np
import pytest
from by_scipy import right_hand_side
from evaluated import with_all_states
from scipy.integrate import quad

from qsp_bayes.errors import UnitsError
from qsp_bayes.models import claret_tumour, one_compartment, simeoni_tumour
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.systems import Process
from qsp_bayes.units import Units

DAY = Units(time="day")
FINE = Rodas5P(rtol=1e-9)

TUMOUR = {"w0": 0.05, "lambda0": 0.273, "lambda1": 0.814, "k1": 0.968, "k2": 0.629}


def test_tumours_grow_exponentially_then_linearly():
    """Growth is separable: the time to reach w is an integral, known by quadrature."""
    times = np.array([0.0, 1.0, 5.0, 12.0, 15.0, 18.0, 30.0, 60.0])
    found = simeoni_tumour(units=DAY).course(TUMOUR, times, inputs={"Cc": 0.0}, solver=FINE)
    w, ratio = found.tumour.values, 0.814 / 0.273
    for t, reached in zip(times[1:], w[1:], strict=True):
        until = quad(
            lambda x: (1 + np.exp(20 * (x - np.log(ratio)))) ** (1 / 20) / 0.273,
            np.log(0.05),
            np.log(reached),
            epsabs=1e-12,
            epsrel=1e-12,
            points=[np.log(ratio)] if reached > ratio else None,
        )[0]
        assert until == pytest.approx(t, rel=1e-7)
    np.testing.assert_allclose(w[:3], 0.05 * np.exp(0.273 * times[:3]), rtol=1e-8)
    assert (w[-1] - w[-2]) / 30 == pytest.approx(0.814, rel=1e-7)


def test_simeoni_without_a_linear_phase_is_exponential():
    times = np.array([1.0, 10.0, 40.0])
    found = simeoni_tumour(units=DAY).course(
        TUMOUR | {"lambda1": 1e9}, times, inputs={"Cc": 0.0}, solver=FINE
    )
    np.testing.assert_allclose(found.tumour, 0.05 * np.exp(0.273 * times), rtol=1e-8)


def test_tumours_under_drug_are_those_of_simeoni():
    p, C = TUMOUR, 0.9
    free = simeoni_tumour(units=DAY, psi=None)
    x = np.array([2.5, 0.7, 0.4, 0.2])
    growth = 0.273 * x[0] / (1 + (0.273 * x.sum() / 0.814) ** 20) ** (1 / 20)
    killed = 0.629 * C * x[0]
    by_hand = [growth - killed, killed - 0.968 * x[1], 0.968 * (x[1] - x[2]), 0.968 * (x[2] - x[3])]
    np.testing.assert_allclose(
        right_hand_side(simeoni_tumour(units=DAY), p, Cc=C)(0.0, x), by_hand, rtol=1e-12
    )
    found = right_hand_side(free, p | {"psi": 20.0}, Cc=C)(0.0, x)
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)


@pytest.mark.parametrize(("share", "eradicated"), [(0.9, False), (1.1, True)])
def test_the_threshold_concentration_is_lambda0_over_k2(share, eradicated):
    C = share * TUMOUR["lambda0"] / TUMOUR["k2"]
    found = simeoni_tumour(units=DAY).course(TUMOUR, [0.0, 500.0], inputs={"Cc": C})
    assert bool(found.tumour[1] < 0.01 * found.tumour[0]) == eradicated
    assert bool(found.tumour[1] > found.tumour[0]) == (not eradicated)


def test_tumour_size_is_that_of_claret():
    p = {"y0": 80.0, "KL": 0.02, "KD": 0.05, "resistance": 0.06}
    times = np.array([0.0, 1.0, 10.0, 30.0, 100.0])
    units = Units(time="week")
    found = claret_tumour(units=units).course(p, times, inputs={"Cc": 2.0}, solver=FINE)
    expected = 80 * np.exp(0.02 * times - 0.05 * 2 * -np.expm1(-0.06 * times) / 0.06)
    np.testing.assert_allclose(found.tumour, expected, rtol=1e-8)
    lowest = np.log(0.05 * 2 / 0.02) / 0.06
    near = claret_tumour(units=units).course(
        p, lowest + np.array([-1, 0, 1.0]), inputs={"Cc": 2.0}, solver=FINE
    )
    assert near.tumour.values.argmin() == 1
    still = claret_tumour(units=units).course(p | {"KL": 0.0}, [1.0, 1e4], inputs={"Cc": 0.0})
    np.testing.assert_allclose(still.tumour, 80, rtol=1e-12)


def test_all_tumour_cells_are_somewhere():
    """What grows is alive, damaged or dead."""
    system = simeoni_tumour(units=DAY)
    processes = [
        Process("death", {"damaged3": -1, "dead": +1}, process.rate) if process.name == "death" else process
        for process in system.processes
        if process.name != "growth"
    ]
    closed = with_all_states(
        dataclasses.replace(
            system, states={**system.states, "dead": "g"}, processes=processes, accumulators=["dead"]
        )
    )
    (law,) = closed.conservation_laws()
    found = closed.course(TUMOUR, [0.5, 5.0, 1e4], inputs={"Cc": 1.0})
    np.testing.assert_allclose(sum(found[name] for name in law.split(" + ")), 0.05, rtol=1e-9)
    assert float(found.dead[-1]) == pytest.approx(0.05, rel=1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnitsError, match="time of"):
        one_compartment() + simeoni_tumour(units=DAY)
