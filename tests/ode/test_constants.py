"""Equations written in terms of their constants say the same, and work out nothing twice that does not change."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import graph_inputs

from qsp_bayes.ode.codegen import source
from qsp_bayes.ode.constants import with_constants
from qsp_bayes.ode.equations import Equations

STATES, PARAMETERS = ("a", "b"), ("k", "V", "Km", "n")
SYSTEMS = {
    "ratios": lambda t, a, b, k, V, Km, n: [k * (a / V) / (Km / V + a / V), -(k / V) * b / n],
    "nested": lambda t, a, b, k, V, Km, n: [-(k * (2.0 * (a / V) * n)), k * b * (V / (Km * (b / n)))],
    "constants alone": lambda t, a, b, k, V, Km, n: [k * V, pt.exp(-Km) * n],
    "numbers": lambda t, a, b, k, V, Km, n: [pt.constant(2.0), 3.0 * a / 4.0],
    "powers": lambda t, a, b, k, V, Km, n: [k * (a / V) ** n / (Km**n + (a / V) ** n), -(a**2) / k**2],
    "time": lambda t, a, b, k, V, Km, n: [k / V * pt.cos(2 * np.pi * t / 24) * a, t / n],
    "branches": lambda t, a, b, k, V, Km, n: [pt.switch(a / V > Km, k * V, b), pt.maximum(k / V, b / V)],
    "one factor in two places": lambda t, a, b, k, V, Km, n: [k / V * a - k / V * b, (k / V) * b],
    "whole numbers": lambda t, a, b, k, V, Km, n: [pt.constant(2, dtype="int8") * a / V, -b],
}


def equations_of(name: str) -> Equations:
    t, *variables = (pt.dscalar(x) for x in ("t", *STATES, *PARAMETERS))
    slopes = SYSTEMS[name](t, *variables)
    states, parameters = variables[:2], variables[2:]
    return Equations(
        t,
        dict(zip(STATES, states, strict=True)),
        dict(zip(PARAMETERS, parameters, strict=True)),
        {name: pt.as_tensor_variable(x, dtype="float64") for name, x in zip(STATES, slopes, strict=True)},
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_equations_say_the_same(name):
    before = equations_of(name)
    after, values = with_constants(before)
    point = dict(zip(before.variables, np.random.default_rng(3).uniform(0.5, 2.0, 7), strict=True))
    constants = pytensor.function(
        list(before.parameters.values()), list(values), mode="FAST_COMPILE", on_unused_input="ignore"
    )(*(point[x] for x in before.parameters.values()))
    states = {x: point[x] for x in (before.time, *before.states.values())}
    inside = states | dict(zip(after.parameters.values(), constants, strict=True))
    for state in STATES:
        expected = before.derivatives[state].eval(point, on_unused_input="ignore")
        found = after.derivatives[state].eval(inside, on_unused_input="ignore")
        assert float(found) == pytest.approx(float(expected), rel=1e-14)


def test_a_division_by_a_parameter_is_not_repeated():
    after, _ = with_constants(equations_of("ratios"))
    text = source(after)
    slopes = text[text.index("def slopes_lines") : text.index("def slopes(")]
    assert slopes.count("/") == 1  # by what depends on the state


def test_a_constant_in_two_places_is_one():
    after, values = with_constants(equations_of("one factor in two places"))
    assert list(after.parameters) == ["constant1"]
    by_name = {variable.name: variable for variable in graph_inputs(values)}
    assert float(values[0].eval({by_name["k"]: 3.0, by_name["V"]: 4.0})) == 0.75


def test_names_of_states_and_parameters_are_not_taken():
    t, x, k, V = (pt.dscalar(name) for name in ("t", "x", "k", "V"))
    after, _ = with_constants(
        Equations(t, {"constant1": x}, {"k": k, "constant2": V}, {"constant1": -k / V * x + V})
    )
    assert list(after.parameters) == ["constant3", "constant2"]
    assert after.parameters["constant2"] is not after.parameters["constant3"]
