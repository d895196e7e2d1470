"""The reference engine itself, against closed forms."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import lambertw

pytest.importorskip("sundials4py", reason="sundials4py (CVODES) is not installed: pip install -e .[test]")

from cvodes import SolverError, complex_step, sensitivities, solve

TIGHT = {"rtol": 1e-12, "atol": 1e-14}
EXACT = 2e-10
"""Relative error that tolerances of 1e-12 leave."""


def test_linear_system_with_bolus_and_infusion() -> None:
    A = np.array([[-1.3, 0.2], [0.7, -0.9]])
    rate, bolus = np.array([2.0, 0.0]), np.array([0.0, 5.0])
    times = [0.5, 1.0, 2.0, 3.0, 7.0]
    events = [(1.0, rate), (2.0, lambda y: y + bolus), (3.0, -rate)]
    found = solve(lambda t, y: A @ y, lambda t, y: A, times, [3.0, 0.0], events, **TIGHT)

    def steady(dt: float) -> np.ndarray:
        """What an infusion that lasts `dt` leaves."""
        return np.linalg.solve(A, (expm(A * dt) - np.eye(2)) @ rate)

    def exact(t: float) -> np.ndarray:
        y = expm(A * t) @ [3.0, 0.0]
        if t > 1:
            y = y + expm(A * max(t - 3, 0)) @ steady(min(t, 3) - 1)
        return y + expm(A * (t - 2)) @ bolus if t >= 2 else y

    np.testing.assert_allclose(found, [exact(t) for t in times], rtol=EXACT)


def test_difference_quotients_serve_where_no_jacobian_is_given() -> None:
    A = np.array([[-1000.0, 3.0], [0.0, -0.5]])
    found = solve(lambda t, y: A @ y, None, [4.0], [1.0, 2.0], **TIGHT)
    np.testing.assert_allclose(found[0], expm(A * 4.0) @ [1.0, 2.0], rtol=EXACT)


def test_explicit_time_and_a_later_start() -> None:
    found = solve(lambda t, y: np.cos([t]), None, [1.5, 4.0], [np.sin(1.5)], start=1.5, **TIGHT)
    np.testing.assert_allclose(found[:, 0], np.sin([1.5, 4.0]), rtol=EXACT)


def test_michaelis_menten_elimination() -> None:
    Vmax, Km, C0 = 10.0, 2.0, 30.0
    times = np.array([0.5, 2.0, 4.0, 8.0])
    found = solve(lambda t, y: -Vmax * y / (Km + y), None, times, [C0], rtol=1e-12, atol=1e-18)
    exact = Km * lambertw(C0 / Km * np.exp((C0 - Vmax * times) / Km)).real
    np.testing.assert_allclose(found[:, 0], exact, rtol=0, atol=EXACT * C0)


def test_sensitivities_of_a_decay_with_bolus_and_infusion() -> None:
    """dy/dt = -k y + u by (k, y0, bolus B, rate u), where u begins with the bolus."""
    k, y0, B, u, at = 0.7, 2.0, 5.0, 3.0, 1.0
    times = np.array([0.5, 1.0, 3.0])
    found, slopes = sensitivities(
        lambda t, y: -k * y,
        lambda t, y: np.array([[-k]]),
        lambda t, y: np.array([[-y[0], 0.0, 0.0, 0.0]]),
        times,
        [y0],
        np.array([[0.0, 1.0, 0.0, 0.0]]),
        [
            (at, lambda y, S: (y + B, S + np.array([[0.0, 0.0, 1.0, 0.0]]))),
            (at, (np.array([u]), np.array([[0.0, 0.0, 0.0, 1.0]]))),
        ],
        scale=[k, y0, B, u],
        **TIGHT,
    )
    since = np.maximum(times - at, 0)
    given = np.where(times >= at, np.exp(-k * since), 0.0)
    filled = -np.expm1(-k * since) / k
    np.testing.assert_allclose(found[:, 0], y0 * np.exp(-k * times) + B * given + u * filled, rtol=EXACT)
    by_k = -times * y0 * np.exp(-k * times) - B * since * given
    by_k += u * (since * np.exp(-k * since) - filled) / k
    exact = np.stack([by_k, np.exp(-k * times), given, filled], axis=1)
    np.testing.assert_allclose(slopes[:, 0], exact, rtol=EXACT, atol=1e-12)


def test_sensitivities_of_michaelis_menten_elimination() -> None:
    """From the implicit solution: C + Km log C = C0 + Km log C0 - Vmax t."""
    p = np.array([10.0, 2.0, 30.0])
    _, Km, C0 = p

    def f(t: float, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return -p[0] * y / (p[1] + y)

    by_state, by_parameter = complex_step(f, 1), complex_step(f, 2)
    times = np.array([0.5, 2.0, 4.0])
    states, slopes = sensitivities(
        lambda t, y: f(t, y, p),
        lambda t, y: by_state(t, y, p),
        lambda t, y: by_parameter(t, y, p),
        times,
        [C0],
        np.array([[0.0, 0.0, 1.0]]),
        scale=p,
        **TIGHT,
    )
    C = states[:, 0]
    exact = np.stack([-times, np.log(C0 / C), np.full(3, 1 + Km / C0)], axis=1) / (1 + Km / C)[:, None]
    np.testing.assert_allclose(slopes[:, 0], exact, rtol=EXACT)


def test_complex_step_is_exact() -> None:
    found = complex_step(lambda t, y, p: [p[0] * y[0] ** 2 + t, np.exp(y[1])], 1)(3.0, [2.0, 1.0], [5.0])
    np.testing.assert_allclose(found, [[20.0, 0.0], [0.0, np.e]], rtol=1e-15)


def test_failures_are_raised() -> None:
    def singular(t: float, y: np.ndarray) -> np.ndarray:
        return y**2

    def broken(t: float, y: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("of the test")

    with pytest.raises(SolverError, match="CVode at t = 0: CV_"):
        solve(singular, None, [2.0], [1.0])
    with pytest.raises(ZeroDivisionError, match="of the test"):
        solve(broken, None, [1.0], [1.0])
    with pytest.raises(ValueError, match="decrease"):
        solve(singular, None, [2.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="before the start"):
        solve(singular, None, [0.5], [1.0], [(-1.0, np.ones(1))])
