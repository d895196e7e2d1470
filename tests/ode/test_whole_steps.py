"""Steps that are written out line by line are those of the loops, forward and back."""

import numpy as np
import pytensor.tensor as pt
import pytest
from numba import njit
from rooms import arrays, with_loops

from qsp_bayes.ode import rodas5p, tsit5
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.field import at, jacobian, slopes, stages_at
from qsp_bayes.ode.path import LENGTH, START
from qsp_bayes.ode.whole_steps import STEP_SIGNATURES

STATES, PARAMETERS = (
    ("drug", "tissue", "target", "bound"),
    ("kel", "kpt", "ktp", "kon", "koff", "kdeg", "kint", "R0"),
)


def binding(t, drug, tissue, target, bound, kel, kpt, ktp, kon, koff, kdeg, kint, R0):
    flux = kon * drug * target - koff * bound
    return [
        -(kel + kpt) * drug + ktp * tissue - flux,
        kpt * drug - ktp * tissue,
        kdeg * (R0 - target) - flux,
        flux - kint * bound,
    ]


def forced(t, drug, tissue, target, bound, kel, kpt, ktp, kon, koff, kdeg, kint, R0):
    rhythm = 1 + 0.3 * pt.cos(2 * np.pi * t / 24)
    hill = drug**kint / (kon**kint + drug**kint)
    return [
        -kel * rhythm * drug,
        kpt * hill - ktp * tissue,
        R0 * pt.exp(-koff * t) - kdeg * target * tissue,
        1.0,
    ]


def compiled(function):
    t, *variables = (pt.dscalar(name) for name in ("t", *STATES, *PARAMETERS))
    rates = [pt.as_tensor_variable(rate, dtype="float64") for rate in function(t, *variables)]
    return compile_equations(
        Equations(
            t,
            dict(zip(STATES, variables, strict=False)),
            dict(zip(PARAMETERS, variables[4:], strict=True)),
            dict(zip(STATES, rates, strict=True)),
        )
    )


@njit
def step_and_back(field, room, path, t, h, stiff):
    """One step, and the adjoint of it; also with what dense output adds where it is `observed`."""
    path.times[0, START], path.times[0, LENGTH] = t, h
    if stiff:
        jacobian(field, t, at(path.states, 0), room.p, room.J, room.T)
        rodas5p.attempt(field, t, h, room, path, 0)
        for i in range(room.new.size):
            rodas5p.dense_adjoint(0.3, i, 1.5 - i, room)
        rodas5p.adjoint(field, room, path, 0)
    else:
        slopes(field, t, at(path.states, 0), room.p, room.u, stages_at(path.stages, 0))
        tsit5.attempt(field, t, h, room, path, 0)
        for i in range(room.new.size):
            tsit5.dense_adjoint(0.3, i, h, 1.5 - i, room)
        tsit5.adjoint(field, room, path, 0, True)


def outcome(field, room, path, stiff):
    generator = np.random.default_rng(5)
    for array in room:
        array[...] = 0.0
    room.p[:] = generator.uniform(0.5, 2.0, room.p.size)
    room.u[:] = generator.uniform(0.0, 1.0, room.u.size)
    room.lam[:] = generator.normal(size=room.lam.size)
    path.states[0] = generator.uniform(0.5, 2.0, room.new.size)
    step_and_back(field, room, path, 1.7, 0.11, stiff)
    return {
        "new": room.new, "error": room.error, "stages": path.stages[0, : 8 if stiff else 7],
        "lam": room.lam, "u_bar": room.u_bar, "p_bar": room.p_bar,
    }  # fmt: skip


@pytest.mark.parametrize("stiff", [True, False], ids=["Rodas5P", "Tsit5"])
@pytest.mark.parametrize("function", [binding, forced])
def test_steps_written_out_are_those_of_the_loops(function, stiff):
    found = compiled(function)
    assert set(STEP_SIGNATURES) <= set(found.symbols)
    field, room, path = arrays(found)
    expected = {name: x.copy() for name, x in outcome(with_loops(field), room, path, stiff).items()}
    for name, array in outcome(field, room, path, stiff).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-11, atol=1e-13, err_msg=name)
    assert np.abs(expected["p_bar"]).min() > 0 or function is forced


def test_a_large_system_is_left_to_the_loops():
    t = pt.dscalar("t")
    states = {f"s{i}": pt.dscalar(f"s{i}") for i in range(40)}
    chain = list(states.values())
    slopes_ = {name: chain[i - 1] * chain[i] - x**2 for i, (name, x) in enumerate(states.items())}
    assert not set(STEP_SIGNATURES) & set(compile_equations(Equations(t, states, {}, slopes_)).symbols)
