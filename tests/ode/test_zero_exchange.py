"""A rate of exactly 0 on a path that the derivative needs."""

import numpy as np
from reference import Flows, derivative, dose, engine, observe


def test_derivative_of_a_rate_that_is_zero() -> None:
    system = Flows({"ke": ("x", None), "k12": ("x", "p"), "k21": ("p", "x")})
    rates = {"ke": 0.3, "k12": 0.0, "k21": 0.23}
    ours = engine(system).gradient([dose(0, "x", 100), *observe([10.0])], rates, np.array([[1.0, 0.0]]))[
        "k12"
    ]
    exact = derivative(lambda p: system.exact(p, [(0, "x", 100, 0)], [10])[0][0], rates, "k12")
    assert abs(ours - float(exact)) < 1e-8 * abs(float(exact))
