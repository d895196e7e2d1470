"""Systems with switches against closed solutions in 30 digits, and against scipy with events of its own."""

import dataclasses

import hypothesis.strategies as st
import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from scipy.integrate import solve_ivp

from qsp_bayes.data.events import Events
from qsp_bayes.ode.solvers import Automatic, Rodas5P, Tsit5
from qsp_bayes.systems import Constant, DoseInto, Output, Process, Switch, System

SOLVERS = [Tsit5(rtol=1e-11), Rodas5P(rtol=1e-11), Automatic(rtol=1e-11)]
EVERY_SOLVER = pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(30):
        yield


def events(times, doses=(), output="x", compartments=("x",), **changes):
    """Records of one subject: observations of one output, and doses (time, amount, rate, compartment)."""
    rows = [(time, 0, 0.0, 0.0, -1) for time in times]
    rows += [(dose[0], 1, dose[1], *(dose[2:] or (0.0,)), 0)[:5] for dose in doses]
    rows.sort(key=lambda row: (row[0], -row[1]))
    time, evid, amount, rate, compartment = (np.array(column) for column in zip(*rows, strict=True))
    zeros, observed = np.zeros(len(rows), int), evid == 0
    found = Events(
        subjects=("one",), compartments=compartments, outputs=(output,), subject=zeros, time=time.astype(float),
        evid=evid, compartment=compartment, amount=amount, rate=rate, duration=0.0 * zeros, interval=0.0 * zeros,
        additional=zeros, steady_state=zeros, occasion=zeros, output=np.where(observed, 0, -1),
        occasion_subject=np.zeros(1, int), rows={output: np.flatnonzero(observed)},
        DV={output: np.zeros(observed.sum())},
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


def compiled(system, records, names, solver, amount=False, time=False):
    """Function of parameters, and of amounts and times of records if asked, to values and weighted gradients."""
    parameters = {name: pt.dscalar(name) for name in names}
    given = dict(parameters)
    if amount:
        given["amount"] = pt.dvector("amount")
        records = dataclasses.replace(records, amount=given["amount"])
    if time:
        given["time"] = pt.dvector("time")
        records = dataclasses.replace(records, time=given["time"])
    (output,) = records.outputs
    values = system.solve(records, parameters, solver=solver)[output]
    weights = np.linspace(1.0, 2.0, records.rows[output].size)
    slopes = pt.grad((weights * values).sum(), list(given.values()), disconnected_inputs="ignore")
    return pytensor.function(list(given.values()), [values, *slopes], mode="NUMBA", on_unused_input="ignore")


def slopes_of(function, point, n):
    """Gradient of the weighted sum of a closed solution, by central differences in 30 digits."""
    weights, h = [1 + mp.mpf(k) / (n - 1) for k in range(n)], mp.mpf("1e-12")
    found = []
    for k, x in enumerate(point):
        sides = [function(*point[:k], x + sign * h, *point[k + 1 :]) for sign in (1, -1)]
        found.append(float(sum(w * (a - b) for w, a, b in zip(weights, *sides, strict=True)) / (2 * h)))
    return found


def close(found, expected, tolerance):
    """Compare relatively to the largest entry."""
    expected = np.array([float(x) for x in np.ravel(expected)])
    np.testing.assert_allclose(np.ravel(found), expected, rtol=0, atol=tolerance * np.abs(expected).max())


def agree(system, records, values, solution, solver, tolerance=1e-9, slopes_tolerance=1e-8):
    """Hold values and derivatives by all parameters to a closed solution, a function of them."""
    found, *slopes = compiled(system, records, list(values), solver)(*values.values())
    point = [mp.mpf(value) for value in values.values()]
    close(found, solution(*point), tolerance)
    close(slopes, slopes_of(solution, point, found.size), slopes_tolerance)


TIMES = [0.5, 1.0, 2.0, 3.0, 5.0, 8.0]


def two_speeds(rate, **more):
    return System(
        states={"x": "mg"},
        parameters={"k1": "1/h", "k2": "1/h", "limit": "mg"},
        processes=[Process("loss", {"x": -1}, rate)],
        outputs={"x": Output("mg", lambda s: s.x)},
        doses={"x": DoseInto()},
        **more,
    )


HIGH = Switch("high", lambda s: s.x - s.limit)
RATES = {
    "by name": lambda s: (s.k1 * s.high + s.k2 * (1 - s.high)) * s.x,
    "by the same comparison": lambda s: pt.where(s.limit <= s.x, s.k1, s.k2) * s.x,
    "by the opposite": lambda s: pt.where(s.x < s.limit, s.k2, s.k1) * s.x,
}


def by_two_speeds(k1, k2, limit, dose=10, times=TIMES, start=0):
    crossing = start + mp.log(dose / limit) / k1
    return [
        dose * mp.exp(-k1 * (t - start)) if t < crossing else limit * mp.exp(-k2 * (t - crossing))
        for t in times
    ]


@EVERY_SOLVER
@pytest.mark.parametrize("rate", RATES)
def test_rate_that_jumps_at_a_threshold(rate, solver):
    system = two_speeds(RATES[rate], switches=[HIGH])
    values = {"k1": 0.5, "k2": 0.2, "limit": 4.0}
    agree(system, events(TIMES, [(0.0, 10.0)]), values, by_two_speeds, solver)


def test_derivatives_by_dose_and_times_of_records():
    system = two_speeds(RATES["by name"], switches=[HIGH])
    function = compiled(system, events(TIMES, [(0.25, 10.0)]), ["k1", "k2", "limit"], SOLVERS[1], True, True)
    times, amounts = np.array([0.25, *TIMES]), np.array([10.0, *np.zeros(6)])
    found, *slopes = function(0.5, 0.2, 4.0, amounts, times)

    def solution(dose, *times):
        return by_two_speeds(mp.mpf("0.5"), mp.mpf("0.2"), mp.mpf(4), dose, times[1:], times[0])

    point = [mp.mpf(10), *map(mp.mpf, times)]
    close(found, solution(*point), 1e-9)
    close([slopes[3][0], *slopes[4]], slopes_of(solution, point, 6), 1e-8)


def test_without_the_switch_derivatives_miss_the_crossing():
    system = two_speeds(RATES["by the same comparison"])
    found, *slopes = compiled(system, events(TIMES, [(0.0, 10.0)]), ["k1", "k2", "limit"], SOLVERS[1])(
        0.5, 0.2, 4.0
    )
    expected = slopes_of(by_two_speeds, [mp.mpf("0.5"), mp.mpf("0.2"), mp.mpf(4)], 6)
    close(found, by_two_speeds(0.5, 0.2, 4.0), 1e-6)
    assert slopes[2] == 0.0
    assert abs(expected[2]) > 1.0
    assert abs(slopes[0] - expected[0]) > 1.0


def test_order_of_the_method_is_kept():
    """Steps of lengths in proportion to those between records without effect, all accepted."""
    found = {}
    for name, switches in (("with", [HIGH]), ("without", [])):
        system, errors = two_speeds(RATES["by the same comparison"], switches=switches), []
        for n in (5, 10, 20):
            grid = [(8.0 * k / n, 0.0) for k in range(1, n)]
            solver = Tsit5(rtol=0.5, atol=1e9)
            function = compiled(system, events([8.0], [(0.0, 10.0), *grid]), ["k1", "k2", "limit"], solver)
            exact = float(by_two_speeds(0.8, 0.1, 4.0, times=[8.0])[0])
            errors.append(abs(function(0.8, 0.1, 4.0)[0][0] - exact))
        found[name] = np.log2(errors[0] / errors[-1]) / 2
    assert found["with"] > 4.5
    assert found["without"] < 2.5


@EVERY_SOLVER
def test_crossing_during_an_infusion(solver):
    """x' = R - k x up to the limit, where another elimination adds to it."""
    system = System(
        states={"x": "mg"},
        parameters={"k": "1/h", "more": "1/h", "limit": "mg"},
        processes=[Process("loss", {"x": -1}, lambda s: (s.k + s.more * s.high) * s.x)],
        outputs={"x": Output("mg", lambda s: s.x)},
        doses={"x": DoseInto()},
        switches=[HIGH],
    )

    def solution(k, more, limit):
        rate, end = mp.mpf(3), mp.mpf(6)
        crossing = -mp.log(1 - k * limit / rate) / k
        total = k + more

        def above(t):
            return rate / total + (limit - rate / total) * mp.exp(-total * (t - crossing))

        back = end + mp.log(above(end) / limit) / total
        return [
            rate / k * (1 - mp.exp(-k * t))
            if t < crossing
            else above(t)
            if t < end
            else above(end) * mp.exp(-total * (t - end))
            if t < back
            else limit * mp.exp(-k * (t - back))
            for t in TIMES
        ]

    values = {"k": 0.2, "more": 0.1, "limit": 4.0}
    agree(system, events(TIMES, [(0.0, 18.0, 3.0)]), values, solution, solver)


EMPTYING = System(
    states={"x": "mg", "bile": "mg"},
    parameters={"k": "1/h", "kb": "1/h", "meal": "h", "share": ""},
    processes=[
        Process("loss", {"x": -1}, lambda s: s.k * s.x),
        Process("biliary", {"x": -1, "bile": 1}, lambda s: s.kb * s.x),
    ],
    outputs={"x": Output("mg", lambda s: s.x)},
    doses={"x": DoseInto()},
    switches=[
        Switch(
            "emptying",
            lambda s: s.t - s.meal,
            change={"x": lambda s: s.x + s.share * s.bile, "bile": lambda s: (1 - s.share) * s.bile},
        )
    ],
)


def by_emptying(k, kb, meal, share):
    total = k + kb
    at_meal = 10 * mp.exp(-total * meal)
    after = at_meal + share * kb / total * (10 - at_meal)
    return [10 * mp.exp(-total * t) if t <= meal else after * mp.exp(-total * (t - meal)) for t in TIMES]


@EVERY_SOLVER
def test_change_at_a_time_that_is_a_parameter(solver):
    values = {"k": 0.3, "kb": 0.4, "meal": 2.25, "share": 0.7}
    agree(EMPTYING, events(TIMES, [(0.0, 10.0)]), values, by_emptying, solver)


def test_time_of_a_switch_is_like_the_lag_of_a_dose():
    """Derivatives by a time agree with those that the timeline gives, of a bolus into a saturable system."""
    parts = {
        "states": {"x": "mg"},
        "processes": [Process("loss", {"x": -1}, lambda s: s.vmax * s.x / (s.km + s.x))],
        "outputs": {"x": Output("mg", lambda s: s.x)},
        "constants": {"dose": Constant(10.0, "mg")},
    }
    parameters = {"vmax": "mg/h", "km": "mg", "when": "h"}
    switch = Switch("given", lambda s: s.t - s.when, change={"x": lambda s: s.x + s.dose})
    by_switch = System(parameters=parameters, switches=[switch], **parts)
    by_dose = System(parameters=parameters, doses={"x": DoseInto(lag=lambda s: s.when)}, **parts)
    point = {"vmax": 3.0, "km": 2.0, "when": 1.7}
    first = compiled(by_switch, events(TIMES), point, Rodas5P(rtol=1e-10))(*point.values())
    second = compiled(by_dose, events(TIMES, [(0.0, 10.0)]), point, Rodas5P(rtol=1e-10))(*point.values())
    close(first[0], second[0], 1e-8)
    close(first[1:], second[1:], 1e-7)


BALL = System(
    states={"height": "m", "speed": "m/s"},
    parameters={"g": "m/s^2", "start": "m", "kept": ""},
    processes=[
        Process("fall", {"height": 1}, lambda s: s.speed),
        Process("weight", {"speed": -1}, lambda s: s.g),
    ],
    initial={"height": lambda s: s.start},
    outputs={"height": Output("m", lambda s: s.height)},
    time_unit="s",
    switches=[
        Switch(
            "bounce",
            lambda s: s.height,
            {"height": 0.0, "speed": lambda s: -s.kept * s.speed},
            direction="down",
        )
    ],
)


def by_bounces(g, start, kept, times):
    landing, up, found = mp.sqrt(2 * start / g), mp.sqrt(2 * start * g) * kept, []
    for t in times:
        if t < landing:
            found.append(start - g * t * t / 2)
            continue
        since, speed = t - landing, up
        while since > 2 * speed / g:
            since, speed = since - 2 * speed / g, kept * speed
        found.append(speed * since - g * since * since / 2)
    return found


@EVERY_SOLVER
def test_bouncing_ball(solver):
    times = [0.5, 1.0, 2.0, 2.7, 3.3, 4.0, 4.6]
    agree(
        BALL,
        events(times, output="height", compartments=()),
        {"g": 9.81, "start": 5.0, "kept": 0.8},
        lambda *p: by_bounces(*p, times),
        solver,
        1e-8,
        1e-7,
    )


def test_growth_that_halves_itself_does_so_once_at_each_crossing():
    for direction in ("up", "both"):
        system = System(
            states={"mass": "pg"},
            parameters={"k": "1/h", "limit": "pg"},
            processes=[Process("growth", {"mass": 1}, lambda s: s.k * s.mass)],
            initial={"mass": 1.0},
            outputs={"mass": Output("pg", lambda s: s.mass)},
            switches=[
                Switch(
                    "division",
                    lambda s: s.mass - s.limit,
                    {"mass": lambda s: s.mass / 2},
                    direction=direction,
                )
            ],
        )

        def solution(k, limit):
            found = []
            for t in TIMES:
                mass = mp.exp(k * t)
                while mass > limit:
                    mass /= 2
                found.append(mass)
            return found

        agree(
            system,
            events(TIMES, output="mass", compartments=()),
            {"k": 0.5, "limit": 3.0},
            solution,
            SOLVERS[0],
        )


RESCUE = System(
    states={"x": "mg", "marker": "mg"},
    parameters={"k": "1/h", "kin": "mg/h", "limit": "mg", "rescue": "mg"},
    processes=[
        Process("loss", {"x": -1}, lambda s: s.k * s.x),
        Process("rise", {"marker": 1}, lambda s: s.kin),
    ],
    outputs={"x": Output("mg", lambda s: s.x)},
    doses={"x": DoseInto(), "marker": DoseInto()},
    switches=[
        Switch("call", lambda s: s.marker - s.limit, {"x": lambda s: s.x + s.rescue, "marker": 0.0}),
        Switch("echo", lambda s: s.x - 2 * s.rescue, {"x": lambda s: s.x + s.k * s.t * s.rescue}),
    ],
)


def by_rescue(k, kin, limit, rescue, dose=10):
    """The change at one switch crosses the other: x at the call exceeds twice the rescue dose."""
    call, x, found = limit / kin, mp.mpf(dose), []
    after = x * mp.exp(-k * call) + rescue
    assert x < 2 * rescue < after
    after += k * call * rescue
    assert call < 5 < 8 < 2 * call
    for t in TIMES:
        found.append(x * mp.exp(-k * t) if t < call else after * mp.exp(-k * (t - call)))
    return found


@EVERY_SOLVER
def test_change_that_crosses_another_switch(solver):
    values = {"k": 0.05, "kin": 1.0, "limit": 4.25, "rescue": 6.0}
    agree(RESCUE, events(TIMES, [(0.0, 10.0)]), values, by_rescue, solver)


@EVERY_SOLVER
def test_dose_that_crosses_a_switch_acts_at_once(solver):
    """The marker is dosed across its limit at 2, when an observation that follows the dose is due."""
    records = events(TIMES, [(0.0, 10.0), (2.0, 5.0)], compartments=("x", "marker"))
    into = np.where((records.evid == 1) & (records.time == 2.0), 1, records.compartment)
    records = dataclasses.replace(records, compartment=into)
    names = ["k", "kin", "limit", "rescue"]
    function = compiled(RESCUE, records, names, solver, True, True)
    point = {"k": 0.05, "kin": 0.1, "limit": 4.25, "rescue": 6.0}
    found, *slopes = function(*point.values(), records.amount, records.time)

    def solution(k, kin, limit, rescue, when):
        after = 10 * mp.exp(-k * when) + rescue
        after += k * when * rescue
        before = [10 * mp.exp(-k * t) for t in TIMES[:2]]
        return [*before, *(after * mp.exp(-k * (t - when)) for t in TIMES[2:])]

    arguments = [*map(mp.mpf, point.values()), mp.mpf(2)]
    close(found, solution(*arguments), 1e-9)
    expected = slopes_of(solution, arguments, 6)
    (dosed,) = np.flatnonzero(into == 1)
    close([*slopes[:4], slopes[5][dosed]], expected, 1e-8)


def test_two_switches_at_one_time():
    system = System(
        states={"x": "mg"},
        parameters={"k": "1/h", "first": "h", "second": "h", "add": "mg"},
        processes=[Process("loss", {"x": -1}, lambda s: s.k * (1 + s.b) * s.x)],
        outputs={"x": Output("mg", lambda s: s.x)},
        initial={"x": 10.0},
        switches=[
            Switch("a", lambda s: s.t - s.first, {"x": lambda s: s.x + s.add}),
            Switch("b", lambda s: s.t - s.second),
        ],
    )

    def solution(k, first, second, add):
        found = []
        for t in TIMES:
            slow, fast = min(t, second), max(t - second, 0)
            x = 10 * mp.exp(-k * (slow + 2 * fast))
            if t > first:
                slow = max(min(t, second) - first, 0)
                x += add * mp.exp(-k * (slow + 2 * (t - first - slow)))
            found.append(x)
        return found

    function = compiled(system, events(TIMES), ["k", "first", "second", "add"], SOLVERS[1])
    found, *slopes = function(0.2, 2.5, 2.5, 3.0)
    point = [mp.mpf("0.2"), mp.mpf("2.5"), mp.mpf("2.5"), mp.mpf(3)]
    close(found, solution(*point), 1e-9)
    # the derivative by the first time alone differs between its sides; those by both together, and the others, do not
    shifted = slopes_of(lambda k, time, add: solution(k, time, time, add), [point[0], point[1], point[3]], 6)
    close([slopes[0], slopes[1] + slopes[2], slopes[3]], shifted, 1e-8)


def test_observation_at_the_time_of_a_switch_and_beside_it():
    near = [2.0 - 1e-9, 2.0, 2.0 + 1e-9, 3.0]
    function = compiled(EMPTYING, events(near, [(0.0, 10.0)]), ["k", "kb", "meal", "share"], SOLVERS[1])
    before, at, after, _ = function(0.3, 0.4, 2.0, 0.7)[0]
    left = 10 * np.exp(-1.4)
    assert before == pytest.approx(left, rel=1e-8)
    assert at == pytest.approx(left, rel=1e-8)
    assert after == pytest.approx(left + 0.7 * 4 / 7 * (10 - left), rel=1e-8)


def test_threshold_that_differs_between_records():
    """A limit that falls below the state between two records is crossed there, at a time that does not move."""
    system = two_speeds(RATES["by name"], switches=[HIGH])
    records, limits = events([1.0, 2.0, 3.0, 4.0], [(0.0, 10.0)]), pt.dvector("limits")
    values = system.solve(
        records,
        {"k1": 0.1, "k2": 0.3, "limit": limits},
        levels={"limit": "record"},
        solver=Rodas5P(rtol=1e-11),
    )["x"]
    function = pytensor.function([limits], [values, pt.grad(values.sum(), limits)], mode="NUMBA")
    found, slopes = function([100.0, 100.0, 100.0, 1.0, 1.0])
    slow = 10 * np.exp(-0.3 * np.array([1.0, 2.0]))
    close(found, [*slow, *(slow[1] * np.exp(-0.1 * np.array([1.0, 2.0])))], 1e-9)
    assert not slopes.any()


AUTOINDUCTION = System(
    states={"central": "mg", "enzyme": "mg"},
    parameters={"vmax": "mg/h", "km": "mg", "kdeg": "1/h", "gain": "mg/h", "limit": "mg", "dump": ""},
    processes=[
        Process(
            "loss", {"central": -1}, lambda s: s.vmax * (1 + s.enzyme / s.km) * s.central / (s.km + s.central)
        ),
        Process("turnover", {"enzyme": 1}, lambda s: s.gain * s.induced - s.kdeg * s.enzyme),
    ],
    outputs={"central": Output("mg", lambda s: s.central)},
    doses={"central": DoseInto()},
    switches=[
        Switch("induced", lambda s: s.central - s.limit),
        Switch("full", lambda s: s.enzyme - 0.5 * s.km, {"enzyme": lambda s: s.dump * s.enzyme}),
    ],
)
VALUES = {"vmax": 2.0, "km": 4.0, "kdeg": 0.1, "gain": 0.8, "limit": 5.0, "dump": 0.3}


def by_scipy(point, times):
    """Central by pieces between events that scipy finds."""
    vmax, km, kdeg, gain, limit, dump = point

    def slopes(t, y, induced):
        return [-vmax * (1 + y[1] / km) * y[0] / (km + y[0]), gain * induced - kdeg * y[1]]

    def limit_event(t, y, induced):
        return y[0] - limit

    def full_event(t, y, induced):
        return y[1] - 0.5 * km

    limit_event.terminal = full_event.terminal = True
    full_event.direction = 1.0
    t, y, induced, found = 0.0, np.array([30.0, 0.0]), True, np.full(len(times), np.nan)
    while t < times[-1]:
        inside = [k for k, time in enumerate(times) if time > t]
        piece = solve_ivp(
            slopes, (t, times[-1]), y, "DOP853", args=(induced,), events=[limit_event, full_event],
            rtol=3e-14, atol=1e-14, dense_output=True,
        )  # fmt: skip
        t, y = piece.t[-1], piece.y[:, -1].copy()
        for k in inside:
            if times[k] <= t:
                found[k] = piece.sol(times[k])[0]
        if piece.t_events[0].size:
            induced = False
            y[0] = limit * (1 - 1e-15)
        if piece.t_events[1].size:
            y[1] *= dump
    return found


@EVERY_SOLVER
def test_saturable_system_against_scipy(solver):
    times = [2.0, 5.0, 7.0, 10.0, 15.0, 20.0]
    records = events(times, [(0.0, 30.0)], output="central", compartments=("central",))
    found, *slopes = compiled(AUTOINDUCTION, records, list(VALUES), solver)(*VALUES.values())
    point = np.array(list(VALUES.values()))
    close(found, by_scipy(point, times), 1e-8)
    weights, expected = np.linspace(1.0, 2.0, len(times)), []
    for k in range(point.size):
        step = np.zeros(point.size)
        step[k] = 1e-4 * point[k]
        sides = [by_scipy(point + m * step, times) for m in (1, -1, 2, -2)]
        near, far = sides[0] - sides[1], sides[2] - sides[3]
        expected.append(weights @ (8 * near - far) / (12 * step[k]))
    close(slopes, expected, 1e-6)


@pytest.fixture(scope="module")
def two_speeds_solved():
    system = two_speeds(RATES["by name"], switches=[HIGH])
    return compiled(system, events(TIMES, [(0.0, 10.0)]), ["k1", "k2", "limit"], Automatic(rtol=1e-9))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 3.0), st.floats(0.05, 3.0), st.floats(0.2, 9.8))
def test_any_speeds_and_limit(two_speeds_solved, k1, k2, limit):
    crossing = np.log(10 / limit) / k1
    if min(abs(crossing - t) for t in TIMES) < 1e-6:
        return
    found, *slopes = two_speeds_solved(k1, k2, limit)
    point = [mp.mpf(k1), mp.mpf(k2), mp.mpf(limit)]
    close(found, by_two_speeds(*point), 1e-7)
    close(slopes, slopes_of(by_two_speeds, point, 6), 1e-6)


def test_many_crossings_in_several_subjects():
    """A pendulum counts its passages and pays for each: far more rows than there is room for at first."""
    system = System(
        states={"x": "mg", "y": "mg", "count": ""},
        parameters={"w": "1/h", "fee": ""},
        processes=[
            Process("a", {"x": 1}, lambda s: s.w * s.y),
            Process("b", {"y": -1}, lambda s: s.w * s.x),
        ],
        initial={"x": 1.0},
        outputs={"count": Output("", lambda s: s.count)},
        accumulators=("count",),
        switches=[
            Switch("up", lambda s: s.x, {"count": lambda s: s.count + s.fee}),
            Switch("down", lambda s: s.x, {"count": lambda s: s.count + s.w * s.t}, direction="down"),
        ],
    )
    times, w = [10.0, 60.0], np.array([1.0, 2.0, 0.5])
    one = events(times, output="count", compartments=())
    repeated = {
        name: np.tile(getattr(one, name), 3)
        for name in ("time", "evid", "compartment", "amount", "rate", "duration", "interval", "additional",
                     "steady_state", "output")
    }  # fmt: skip
    subject = np.repeat(np.arange(3), 2)
    records = dataclasses.replace(
        one, subjects=("a", "b", "c"), subject=subject, occasion=subject, occasion_subject=np.arange(3),
        rows={"count": np.arange(6)}, DV={"count": np.zeros(6)}, **repeated,
    )  # fmt: skip
    speeds, fee = pt.dvector("w"), pt.dscalar("fee")
    found = system.solve(records, {"w": speeds, "fee": fee}, solver=Rodas5P(rtol=1e-9))["count"]
    values = pytensor.function([speeds, fee], found, mode="NUMBA")
    both = pytensor.function([speeds, fee], [found, *pt.grad(found.sum(), [speeds, fee])], mode="NUMBA")
    passages = [np.arange(np.pi / 2, speed * time, np.pi) for speed in w for time in times]
    expected = [3.0 * passed[1::2].size + passed[::2].sum() for passed in passages]
    np.testing.assert_allclose(values(w, 3.0), expected, rtol=1e-7)
    with_gradient, by_speed, by_fee = both(w, 3.0)
    np.testing.assert_array_equal(with_gradient, values(w, 3.0))
    np.testing.assert_allclose(by_speed, 0.0, atol=1e-5)
    assert by_fee == pytest.approx(sum(passed[1::2].size for passed in passages))


def test_reset_starts_anew():
    """At 3 all is reset: x is above the limit again, which nothing has crossed, and crosses it a second time."""
    system = System(
        states={"x": "mg", "given": "mg"},
        parameters={"k": "1/h", "limit": "mg", "extra": "mg"},
        processes=[Process("loss", {"x": -1}, lambda s: s.k * (2 - s.high) * s.x)],
        initial={"x": 10.0},
        outputs={"x": Output("mg", lambda s: s.x)},
        doses={"x": DoseInto()},
        switches=[
            HIGH,
            Switch("low", lambda s: s.limit - s.x, {"x": lambda s: s.x - s.extra}),
            Switch("above", lambda s: s.x - s.limit, {"x": lambda s: s.x + 5 * s.extra}),
        ],
    )
    records = events(TIMES, [(4.0, 0.0)])
    records = dataclasses.replace(records, evid=np.where(records.time == 4.0, 3, records.evid))

    def solution(k, limit, extra):
        crossing, found = mp.log(10 / limit) / k, []
        for t in TIMES:
            since = t - 4 if t > 4 else t
            after = (limit - extra) * mp.exp(-2 * k * (since - crossing))
            found.append(10 * mp.exp(-k * since) if since < crossing else after)
        return found

    agree(system, records, {"k": 0.4, "limit": 5.0, "extra": 0.5}, solution, Rodas5P(rtol=1e-11))


@EVERY_SOLVER
def test_peak_that_is_above_for_a_part_of_a_step(solver):
    """A parabola, which the methods follow in a few long steps, tops the limit for a fiftieth of an hour."""
    system = System(
        states={"x": "mg", "y": "mg/h", "paid": "mg"},
        parameters={"g": "mg/h^2", "y0": "mg/h", "limit": "mg"},
        processes=[Process("rise", {"x": 1}, lambda s: s.y), Process("bend", {"y": -1}, lambda s: s.g)],
        initial={"y": lambda s: s.y0},
        outputs={"paid": Output("mg", lambda s: s.paid)},
        switches=[
            Switch("above", lambda s: s.x - s.limit, {"paid": lambda s: s.paid + s.y / s.y0 * s.limit})
        ],
    )

    def solution(g, y0, limit):
        crossing = (y0 - mp.sqrt(y0**2 - 2 * g * limit)) / g
        return [0, (y0 - g * crossing) / y0 * limit]

    values = {"g": 2.0, "y0": 8.0, "limit": 15.9999}
    agree(system, events([3.0, 8.0], output="paid", compartments=()), values, solution, solver, 1e-7, 1e-6)


@EVERY_SOLVER
def test_input_that_goes_linearly_between_records_crosses_a_limit(solver):
    """The input rises by 1 an hour up to 2, then by 2 an hour: it is at the limit at 2 + (limit - 2) / 2."""
    system = System(
        states={"x": "mg"},
        parameters={"k": "1/h", "limit": "", "add": "mg"},
        processes=[Process("loss", {"x": -1}, lambda s: s.k * s.x)],
        initial={"x": 10.0},
        outputs={"x": Output("mg", lambda s: s.x)},
        inputs={"level": ""},
        interpolated=["level"],
        switches=[Switch("high", lambda s: s.level - s.limit, {"x": lambda s: s.x + s.add})],
    )
    records = dataclasses.replace(
        events(TIMES), covariates={"level": np.array([0.5, 1.0, 2.0, 4.0, 8.0, 14.0])}
    )

    def solution(k, limit, add):
        crossing = 2 + (limit - 2) / 2
        return [
            10 * mp.exp(-k * t) + (add * mp.exp(-k * (t - crossing)) if t > crossing else 0) for t in TIMES
        ]

    agree(system, records, {"k": 0.3, "limit": 5.0, "add": 4.0}, solution, solver)
