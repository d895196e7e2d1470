"""Generated functions of switches against derivatives in 40 digits, and what equations refuse of them."""

import ctypes

import mpmath as mp
import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import graph_inputs

from qsp_bayes.errors import SolverError
from qsp_bayes.ode.codegen import EVERY_SIGNATURE, fingerprint
from qsp_bayes.ode.compiled import NEVER, compile_equations
from qsp_bayes.ode.constants import with_constants
from qsp_bayes.ode.equations import Equations, Switching


def functions(lib, t, y, p):
    """Two functions g, and what the first one changes."""
    g = [y[0] * y[1] - p[0] * lib.exp(-t / p[1]), lib.sin(t) - p[1]]
    return g, {"y": lib.sqrt(y[0]) * p[0] + t * t * y[1]}


def equations(**changes):
    t, y, z, a, b, side, other = (pt.dscalar(name) for name in ("t", "y", "z", "a", "b", "side", "other"))
    g, change = functions(pt, t, [y, z], [a, b])
    switches = {"first": Switching(side, g[0], -1, change), "second": Switching(other, g[1])}
    parts = {"switches": switches, "derivatives": {"y": -a * y * side, "z": b * z + other}}
    return Equations(t, {"y": y, "z": z}, {"a": a, "b": b}, **(parts | changes))


def call(found, name, *arguments):
    kinds = [ctypes.c_double if a == "t" else ctypes.c_void_p for a in EVERY_SIGNATURE[name].split(", ")]
    values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    assert ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(found.addresses[name])(*values) == 0


def derivatives(function, point):
    """Jacobian (output, argument) in 40 digits."""
    with mp.workdps(40):
        arguments = [mp.mpf(x) for x in point]

        def slope(k, i):
            return mp.diff(lambda x: function(*arguments[:i], x, *arguments[i + 1 :])[k], arguments[i])

        return np.array(
            [[float(slope(k, i)) for i in range(len(point))] for k in range(len(function(*arguments)))]
        )


def test_functions_and_their_derivatives():
    found = compile_equations(equations())
    assert found.directions == (-1, NEVER)
    t, y, p, flow = 0.7, np.array([1.3, 0.4]), np.array([0.9, 1.7, 1.0, 0.0]), np.array([0.3, -2.0])
    point = [t, *y, *p[:2]]

    def of_g(t, y, z, a, b):
        return functions(mp, t, [y, z], [a, b])[0]

    def of_states(t, y, z, a, b):
        return [functions(mp, t, [y, z], [a, b])[1]["y"], z, y, z]

    g, c = of_g(*map(mp.mpf, point)), of_states(*map(mp.mpf, point))
    out, new = np.empty(2), np.empty(4)
    call(found, "switches", t, y, p, out)
    np.testing.assert_allclose(out, [float(x) for x in g], rtol=1e-14)
    call(found, "change", t, y, p, new)
    np.testing.assert_allclose(new, [float(x) for x in c], rtol=1e-14)
    by_g, by_c = derivatives(of_g, point), derivatives(of_states, point)
    call(found, "switch_slopes", t, y, p, flow, out)
    np.testing.assert_allclose(out, by_g[:, 0] + by_g[:, 1:3] @ flow, rtol=1e-13)
    for name, slopes, weights in (
        ("pull_switches", by_g, np.array([0.5, -3.0])),
        ("pull_change", by_c, np.array([0.5, -3.0, 1.1, 0.2])),
    ):
        y_bar, p_bar, t_bar = np.ones(2), np.ones(4), np.ones(1)
        bars = [y_bar, p_bar] if name == "pull_switches" else [y_bar, p_bar, t_bar]
        call(found, name, t, y, p, weights, *bars)
        expected = 1.0 + weights @ slopes
        np.testing.assert_allclose([*y_bar, *p_bar], [*expected[1:], 1.0, 1.0], rtol=1e-13)
        if name == "pull_change":
            np.testing.assert_allclose(t_bar, expected[:1], rtol=1e-13)


def test_rates_read_the_sides_behind_the_parameters():
    found, y, out = compile_equations(equations()), np.array([2.0, 3.0]), np.empty(2)
    for side, other in ((1.0, 0.0), (0.0, 1.0)):
        call(found, "slopes", 0.0, y, np.array([0.5, 0.25, side, other]), np.zeros(2), out)
        np.testing.assert_allclose(out, [-side, 0.75 + other])


def test_systems_without_switches_have_none_of_the_functions():
    plain = equations(switches={}, derivatives={"y": pt.constant(0.0), "z": pt.constant(0.0)})
    assert not set(compile_equations(plain).addresses) & {"switches", "change"}


def test_fingerprint_tells_switches_apart():
    one = equations()
    first, second = one.switches.values()
    others = [
        {"first": Switching(first.side, first.when, 1, first.change), "second": second},
        {"first": Switching(first.side, first.when + 1, -1, first.change), "second": second},
        {"first": Switching(first.side, first.when, -1, {"z": first.change["y"]}), "second": second},
    ]
    given = (one.time, one.states, one.parameters, one.derivatives)
    assert len({fingerprint(one), *(fingerprint(Equations(*given, other)) for other in others)}) == 4


def test_refusals():
    one = equations()
    first, second = one.switches.values()
    given, stray = (one.time, one.states, one.parameters, one.derivatives), pt.dscalar("stray")
    for switch, words in (
        (Switching(first.side, first.when, 1, {"x": stray}), "switch 'first' changes 'x', which is no state"),
        (Switching(first.side, first.when + stray), "switch 'first': its function depends on stray"),
        (Switching(first.side, first.when, 1, {"y": stray}), "the new value of 'y' depends on stray"),
        (Switching(first.side, pt.dvector("v")), "not a scalar"),
        (Switching(second.side, first.when), "are one variable"),
    ):
        with pytest.raises(SolverError, match=words):
            Equations(*given, {"first": switch, "second": second})
    unknown = Switching(first.side, pt.erfinv(first.when))
    with pytest.raises(SolverError, match="switch 'first'"):
        fingerprint(Equations(*given, {"first": unknown, "second": second}))


def test_constants_are_taken_out_of_switches_and_sides_are_none():
    plain = equations()
    found, values = with_constants(plain)
    assert {switch.side for switch in plain.switches.values()}.isdisjoint(graph_inputs(values))
    numbers = dict(zip(plain.variables, (0.7, 1.3, 0.4, 0.9, 1.7), strict=True))
    numbers |= {switch.side: 0.25 + k for k, switch in enumerate(plain.switches.values())}
    worked_out = [value.eval(numbers, on_unused_input="ignore") for value in values]
    constants = dict(zip(found.parameters.values(), worked_out, strict=True))
    assert list(found.switches) == list(plain.switches)
    for name, switch in found.switches.items():
        before = plain.switches[name]
        assert (switch.direction, switch.side, list(switch.change)) == (
            before.direction, before.side, list(before.change)
        )  # fmt: skip
        graphs = zip(
            [switch.when, *switch.change.values()], [before.when, *before.change.values()], strict=True
        )
        for new, old in graphs:
            assert not {*plain.parameters.values()} & {*graph_inputs([new])} - {*found.parameters.values()}
            expected = old.eval(numbers, on_unused_input="ignore")
            assert new.eval(numbers | constants, on_unused_input="ignore") == pytest.approx(
                expected, rel=1e-14
            )
    for state, slope in found.derivatives.items():
        expected = plain.derivatives[state].eval(numbers, on_unused_input="ignore")
        assert slope.eval(numbers | constants, on_unused_input="ignore") == pytest.approx(expected, rel=1e-14)
