"""What a system makes of its switches: names, units, equations, composition, and what it refuses."""

import dataclasses

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data.events import Events
from qsp_bayes.errors import MechanismError, SolverError, UnitsError
from qsp_bayes.ode.solvers import CVODES, Linear, Tsit5
from qsp_bayes.systems import DoseInto, Output, Process, Switch, System
from qsp_bayes.systems.switch import by_sides

HIGH = Switch("high", lambda s: s.Cc - s.limit)
DRUG = System(
    states={"central": "mg"},
    parameters={"CL": "L/h", "Vc": "L", "limit": "mg/L", "more": ""},
    processes=[
        Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * (1 + s.more * s.high) * s.central)
    ],
    outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    doses={"central": DoseInto()},
    switches=[HIGH],
    name="drug",
)
BILE = System(
    states={"central": "mg", "bile": "mg"},
    parameters={"kb": "1/h", "meal": "h"},
    processes=[Process("biliary", {"central": -1, "bile": 1}, lambda s: s.kb * s.central)],
    shared=["central"],
    switches=[
        Switch("emptying", lambda s: s.t - s.meal, {"central": lambda s: s.central + s.bile, "bile": 0.0})
    ],
    name="bile",
)
VALUES = {"CL": 1.5, "Vc": 5.0, "limit": 1.2, "more": 2.0}


def events(**changes):
    zeros, evid = np.zeros(4, int), np.array([1, 0, 0, 0])
    found = Events(
        subjects=("one",), compartments=("central",), outputs=("Cc",), subject=zeros,
        time=np.array([0.0, 1.0, 3.0, 6.0]), evid=evid, compartment=evid - 1, amount=10.0 * evid, rate=0.0 * zeros,
        duration=0.0 * zeros, interval=0.0 * zeros, additional=zeros, steady_state=zeros, occasion=zeros, output=-evid,
        occasion_subject=np.zeros(1, int), rows={"Cc": np.arange(1, 4)}, DV={"Cc": np.zeros(3)},
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


def solved(system, values, solver=None, **changes):
    path = system.solve(events(**changes), values, solver=solver)
    return pytensor.function([], path["Cc"], mode="NUMBA")(), path


def test_equations_show_switches():
    lines = (DRUG + BILE).equations()
    assert "d(central)/dt = -CL/Vc*(1 + more*high)*central - kb*central" in lines
    assert lines[-5:] == [
        "high = 1 if Cc > limit else 0",
        "emptying = 1 if t > meal else 0",
        "central(emptying) = central + bile",
        "bile(emptying) = 0",
        "Cc = central/Vc",
    ]
    assert "<mtext>otherwise</mtext>" in DRUG.equations_html()
    assert (DRUG + BILE).describe()["switches"] == ["high", "emptying"]
    assert "switches high" in repr(DRUG)
    down = dataclasses.replace(BILE, switches=[dataclasses.replace(BILE.switches[0], direction="down")])
    assert "bile(emptying down) = 0" in down.equations()


def test_card_in_a_notebook_names_the_switch():
    assert "<mi>emptying</mi>" in (DRUG + BILE)._repr_html_()


def test_composition_keeps_the_solution():
    both = DRUG + BILE
    values = {**VALUES, "kb": 0.2, "meal": 2.0}
    expected, _ = solved(both, values)
    alone, _ = solved(DRUG, VALUES)
    assert expected[2] < 0.9 * alone[2]
    renamed = both.rename(central="plasma", high="above", limit="threshold", meal="feeding", emptying="flush")
    new = {"limit": "threshold", "meal": "feeding"}
    found, _ = solved(renamed, {new.get(n, n): v for n, v in values.items()}, compartments=("plasma",))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    fixed = both.fix(limit=1.2, meal=2.0)
    rest = {name: value for name, value in values.items() if name not in ("limit", "meal")}
    np.testing.assert_allclose(solved(fixed, rest)[0], expected, rtol=1e-12)
    defined = both.define({"half": "mg/L"}, limit=lambda s: 2 * s.half)
    given = {**{name: value for name, value in values.items() if name != "limit"}, "half": 0.6}
    np.testing.assert_allclose(solved(defined, given)[0], expected, rtol=1e-12)
    slower = both.replace(Process("biliary", {"central": -1, "bile": 1}, lambda s: 0.5 * s.kb * s.central))
    assert slower.switches == both.switches
    assert "meal" in slower.parameters
    np.testing.assert_allclose(solved(slower, {**values, "kb": 0.4})[0], expected, rtol=1e-12)


def test_rate_of_another_system_may_read_a_switch_through_an_expression():
    drug = dataclasses.replace(DRUG, expressions={"active": lambda s: 1 + s.high})
    effect = System(
        {"response": "mg"},
        {"kin": "mg/h"},
        [Process("gain", {"response": 1}, lambda s: s.kin * s.active)],
        inputs={"active": ""},
    )
    assert "d(response)/dt = kin*active" in (drug + effect).equations()


def test_what_is_written_like_the_condition_is_its_side():
    """Comparisons, maxima and minima of the two sides become the side; others stay."""
    limit = {"A": "mg", "B": "mg", "C": "mg", "D": "mg"}
    system = System(
        limit,
        {"k": "1/h", "limit": "mg"},
        [
            Process("a", {"A": -1}, lambda s: s.k * pt.where(s.limit < s.A, s.A, 2 * s.A)),
            Process("b", {"B": 1}, lambda s: s.k * pt.maximum(s.limit, s.A)),
            Process("c", {"C": 1}, lambda s: s.k * pt.minimum(s.A, s.limit)),
            Process("d", {"D": 1}, lambda s: s.k * pt.where(2 * s.limit < s.A, s.A, s.limit)),
        ],
        switches=[Switch("high", lambda s: s.A - s.limit)],
    )
    symbolic = system.symbolic()
    side = symbolic.switches["high"].side
    roots = [*symbolic.states.values(), *symbolic.parameters.values(), side]
    rates = pytensor.function(roots, list(by_sides(symbolic).values()), on_unused_input="ignore")
    above = rates(A=5.0, B=0.0, C=0.0, D=0.0, k=1.0, limit=3.0, high=1.0)
    across = rates(A=5.0, B=0.0, C=0.0, D=0.0, k=1.0, limit=3.0, high=0.0)
    np.testing.assert_array_equal(above, [-5.0, 5.0, 3.0, 3.0])
    np.testing.assert_array_equal(across, [-10.0, 3.0, 5.0, 3.0])


def test_conservation_leaves_out_what_switches_change():
    assert DRUG.conservation_laws() == []
    closed = System(
        {"A": "mg", "B": "mg", "C": "mg"},
        {"k": "1/h"},
        [Process("there", {"A": -1, "B": 1}, lambda s: s.k * s.A)],
    )
    assert closed.conservation_laws() == ["A + B", "C"]
    lost = dataclasses.replace(closed, switches=[Switch("loss", lambda s: s.k * s.t - 1, {"B": 0.0})])
    assert lost.conservation_laws() == ["C"]


@pytest.mark.parametrize(
    ("switch", "error", "words"),
    [
        (Switch("high", lambda s: s.central - s.limit), UnitsError, "condition of switch 'high'"),
        (Switch("high", lambda s: s.Cc - s.limit, {"central": lambda s: s.Cc}), UnitsError, "change of 'central'"),
        (Switch("high", lambda s: s.Cc - s.limit, {"plasma": 0.0}), MechanismError, "no 'plasma'"),
        (Switch("CL", lambda s: s.Cc - s.limit), MechanismError, "'CL' stands among parameters and among switches"),
        (Switch("high", lambda s: s.Cc - s.limits), MechanismError, "Did you mean 'limit'"),
        (Switch("high", lambda s: s.Cc - s.limit * s.high), MechanismError, "only rates may do"),
        (Switch("high", lambda s: s.t, {"central": lambda s: s.high * s.central}), MechanismError, "only rates"),
    ],
)  # fmt: skip
def test_switch_that_does_not_fit(switch, error, words):
    with pytest.raises(error, match=words):
        dataclasses.replace(DRUG, switches=[switch])


def test_switch_that_is_none():
    with pytest.raises(MechanismError, match="expected a function of `s`"):
        Switch("high", 3.0)
    with pytest.raises(MechanismError, match="'upwards', expected 'up', 'down', 'both'"):
        Switch("high", lambda s: s.Cc, direction="upwards")
    with pytest.raises(MechanismError, match="two switches are called 'high'"):
        dataclasses.replace(DRUG, switches=[HIGH, HIGH])
    with pytest.raises(MechanismError, match="output 'side' depends on switch 'high'"):
        dataclasses.replace(DRUG, outputs={**DRUG.outputs, "side": Output("", lambda s: s.high)})
    with pytest.raises(MechanismError, match="initial value of 'central' depends on high"):
        dataclasses.replace(DRUG, initial={"central": lambda s: s.high * s.limit * s.Vc})
    with pytest.raises(MechanismError, match="both have 'high' among their switches"):
        DRUG + System({"B": "mg"}, {"k": "mg/h"}, [Process("p", {"B": 1}, lambda s: s.k * s.high)],
                      switches=[Switch("high", lambda s: s.t)])  # fmt: skip


def test_switch_that_nothing_reads():
    unread = Process(
        "elimination",
        {"central": -1},
        lambda s: s.CL / s.Vc * pt.where(s.Cc / s.limit > 1, 2.0, 1.0) * s.central,
    )
    with pytest.raises(MechanismError, match=r"switch 'high' has no effect.*Write s\.high in a rate"):
        dataclasses.replace(DRUG, processes=[unread])


def test_solvers_that_do_not_fit():
    with pytest.raises(
        SolverError, match=r"Linear\(\) solves systems without switches, and this one has high"
    ):
        solved(DRUG, VALUES, Linear())
    with pytest.raises(
        SolverError, match=r"CVODES\(\) does not solve systems with switches, and this one has high"
    ):
        solved(DRUG, VALUES, CVODES())
    steady = np.array([1, 0, 0, 0])
    with pytest.raises(SolverError, match=r"a steady state \(SS\).* this one has high"):
        solved(DRUG, VALUES, steady_state=steady, interval=12.0 * steady)


def statuses(system, values, solver=None, **changes):
    found, path = solved(system, values, solver, **changes)
    status = path.status()
    values = pytensor.function([], status.variables, mode="NUMBA")()
    return found, status.failures(["one"], *values)


SLIDING = System(
    {"central": "mg"},
    {"k": "mg/h", "limit": "mg"},
    [Process("push", {"central": 1}, lambda s: s.k * (1 - 2 * s.high))],
    {"Cc": Output("mg", lambda s: s.central)},
    {"central": DoseInto()},
    switches=[Switch("high", lambda s: s.central - s.limit)],
)
RESTING = System(
    {"central": "m", "speed": "m/h"},
    {"g": "m/h^2", "kept": ""},
    [Process("fall", {"central": 1}, lambda s: s.speed), Process("weight", {"speed": -1}, lambda s: s.g)],
    {"Cc": Output("m", lambda s: s.central)},
    {"central": DoseInto()},
    switches=[Switch("bounce", lambda s: s.central, {"speed": lambda s: -s.kept * s.speed}, "down")],
)
ENDLESS = dataclasses.replace(
    SLIDING,
    switches=[
        *SLIDING.switches,
        Switch("up", lambda s: s.central - s.limit, {"central": lambda s: s.central - 5 * s.limit}),
        Switch("down", lambda s: -s.central, {"central": lambda s: s.central + 5 * s.limit}),
    ],
)


@pytest.mark.parametrize(
    ("system", "values", "time"),
    [
        (SLIDING, {"k": 3.0, "limit": 4.0}, 2.0),
        (RESTING, {"g": 20.0, "kept": 0.5}, 3.0),
        (ENDLESS, {"k": 1.0, "limit": 4.0}, 0.0),
    ],
    ids=["driven back from both sides", "ball that comes to rest", "changes that undo each other"],
)
@pytest.mark.parametrize("solver", [None, Tsit5()], ids=str)
def test_crossings_without_end_fail_as_chattering(system, values, time, solver):
    found, (failure,) = statuses(system, values, solver)
    assert np.isnan(found).all()
    assert failure.reason.name == "chattering"
    assert failure.time == pytest.approx(time, abs=1e-6)
    assert "switches were crossed over and over" in failure.explain("h")


def test_number_of_steps_is_limited_across_switches():
    swinging = System(
        {"central": "mg", "hidden": "mg"},
        {"k": "1/h", "big": "1/mg/h"},
        [
            Process("a", {"central": 1}, lambda s: s.k * s.hidden),
            Process("b", {"hidden": -1}, lambda s: s.k * s.central * (1 + s.high)),
        ],
        {"Cc": Output("mg", lambda s: s.central)},
        {"central": DoseInto()},
        switches=[Switch("high", lambda s: s.central)],
    )
    values = {"k": 1e4, "big": 1.0}
    found, (failure,) = statuses(swinging, values, Tsit5(max_steps=5000))
    assert np.isnan(found).all()
    assert failure.reason.name == "too many steps"


def test_function_without_a_value_is_a_failure():
    system = dataclasses.replace(
        DRUG, switches=[Switch("high", lambda s: pt.log(2 - s.t * s.CL / s.Vc) * s.Cc - s.limit)]
    )
    found, (failure,) = statuses(system, VALUES | {"CL": 10.0})
    assert np.isnan(found).all()
    assert failure.reason.name == "not finite"
