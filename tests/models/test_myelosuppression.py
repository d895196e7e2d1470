"""Blood cells against Friberg's equations written by hand, and their steady states."""

import numpy as np
import pytest
from by_scipy import right_hand_side
from scipy.integrate import solve_ivp

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models import myelosuppression, two_compartment
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.units import Units

FINE = Rodas5P(rtol=1e-9)

PACLITAXEL = {
    "CL": 285.0, "Vc": 290.0, "Q": 204.0, "Vp": 995.0, "Circ0": 7.21, "MTT": 124.0, "gamma": 0.239, "slope": 28.9,
}  # fmt: skip
CELLS = {name: PACLITAXEL[name] for name in ("Circ0", "MTT", "gamma", "slope")}


def friberg(x, C, p, n=3):
    """The published equations."""
    ktr = (n + 1) / p["MTT"]
    prol, *transit, circ = x
    chain = [prol, *transit]
    feedback = (p["Circ0"] / circ) ** p["gamma"]
    return [
        ktr * prol * (1 - p["slope"] * C) * feedback - ktr * prol,
        *(ktr * (a - b) for a, b in zip(chain, [*transit, circ], strict=True)),
    ]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_derivatives_of_blood_cells_are_those_of_friberg(n):
    x = np.linspace(2.0, 9.0, n + 2)
    found = right_hand_side(myelosuppression(n_transit=n), CELLS, Cc=0.02)(0.0, x)
    np.testing.assert_allclose(found, friberg(x, 0.02, CELLS, n), rtol=1e-13)


def test_blood_cells_keep_their_baseline_and_reach_their_steady_state():
    """Under a constant concentration proliferation is restored where (Circ0/Circ)^gamma = 1/(1 - f)."""
    system = myelosuppression()
    baseline = system.course(CELLS, [1.0, 100.0, 1e4], inputs={"Cc": 0.0})
    np.testing.assert_allclose(baseline.Circ, 7.21, rtol=1e-12)
    C = 0.003
    steady = system.course(CELLS, [2e4], inputs={"Cc": C}, solver=FINE)
    assert float(steady.Circ[0]) == pytest.approx(7.21 * (1 - 28.9 * C) ** (1 / 0.239), rel=1e-8)
    saturated = myelosuppression(relation="emax").course(
        {"Circ0": 7.21, "MTT": 124.0, "gamma": 0.239, "Emax": 0.2, "EC50": 1e-9},
        [2e4],
        inputs={"Cc": 1.0},
        solver=FINE,
    )
    assert float(saturated.Circ[0]) == pytest.approx(7.21 * 0.8 ** (1 / 0.239), rel=1e-7)


def test_leukocytes_under_paclitaxel():
    """A 3-hour infusion: equations written by hand, restarted where the infusion ends."""
    p, rate, end = PACLITAXEL, 350.0 / 3, 3.0

    def slopes(t, x, rate):
        c, q = x[0] / p["Vc"], x[1] / p["Vp"]
        flow = p["Q"] * (c - q)
        return [rate - p["CL"] * c - flow, flow, *friberg(x[2:], c, p)]

    start = [0.0, 0.0, *[7.21] * 5]
    middle = solve_ivp(
        slopes, (0, end), start, args=(rate,), method="LSODA", rtol=1e-12, atol=1e-13
    ).y[:, -1]  # fmt: skip
    times = np.array([24.0, 100.0, 200.0, 240.0, 300.0, 504.0])
    after = solve_ivp(
        slopes, (end, 504), middle, t_eval=times, args=(0.0,), method="LSODA", rtol=1e-12, atol=1e-13
    )  # fmt: skip
    units = Units(amount="umol")
    system = two_compartment(units=units) + myelosuppression(units=units)
    dose = Regimen(350, unit="umol", into="central", duration=3)
    found = system.course(p, times, dose, solver=FINE)
    np.testing.assert_allclose(found.Circ, after.y[-1], rtol=1e-7)
    assert found.Circ.min() < 4.5  # the nadir comes after more than a week
    assert 150 < times[found.Circ.values.argmin()] < 350


def test_cells_that_all_die_leave_numbers_behind():
    """A hundred times the dose: no power of what a solver finds below zero."""
    units = Units(amount="umol")
    system = two_compartment(units=units) + myelosuppression(units=units)
    found = system.course(PACLITAXEL, np.linspace(0, 2000, 50), Regimen(35_000, unit="umol", into="central"))
    assert np.isfinite(found.Circ).all()
    assert found.Circ.min() < 1e-3


def test_what_does_not_fit_is_refused():
    with pytest.raises(MechanismError, match="Choose one of linear, emax"):
        myelosuppression(relation="sigmoid")
    with pytest.raises(MechanismError, match="at least 1 maturing"):
        myelosuppression(n_transit=0)
