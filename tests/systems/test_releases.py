"""Releases against superposed quadratures of scipy's distributions, into one compartment with linear elimination."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, weibull_min

from qsp_bayes.data import Regimen, read_nonmem
from qsp_bayes.errors import MechanismError, SolverError, UnitsError
from qsp_bayes.ode.solvers import CVODES, Automatic, Linear, Rodas5P, Tsit5
from qsp_bayes.systems import DoseInto, Gamma, Output, Process, Release, Switch, System, Weibull

KEL, FRACTION, LAG = 0.2, 0.7, 0.4
WEIBULL = Weibull(scale=lambda s: s.td, shape=lambda s: s.beta)
GAMMA = Gamma(n=lambda s: s.n, mean=lambda s: s.MTT)
PROFILES = {
    "weibull, at once": (WEIBULL, {"td": 2.0, "beta": 0.6}, weibull_min(0.6, scale=2.0)),
    "weibull, delayed": (WEIBULL, {"td": 2.0, "beta": 2.3}, weibull_min(2.3, scale=2.0)),
    "gamma, n below 1": (GAMMA, {"n": 0.3, "MTT": 2.0}, gamma(1.3, scale=2.0 / 1.3)),
    "gamma": (GAMMA, {"n": 3.7, "MTT": 2.0}, gamma(4.7, scale=2.0 / 4.7)),
}
SLOW = pytest.mark.slow
SOME = [pytest.param(name, marks=() if name in ("weibull, at once", "gamma") else SLOW) for name in PROFILES]
UNIT = {"td": "h", "beta": "", "n": "", "MTT": "h"}
TIMES = np.array([0.3, 1.0, 3.0, 11.9, 12.2, 13.0, 20.0, 30.0, 41.0])


def absorbing(profile, names, **more):
    """A depot that releases by a profile into one compartment."""
    return System(
        states={"depot": "mg", "central": "mg"},
        parameters={name: UNIT[name] for name in names} | {"kel": "1/h", "F": "", "tlag": "h"},
        processes=[
            Release("absorption", "depot", "central", profile),
            Process("elimination", {"central": -1}, lambda s: s.kel * s.central),
        ],
        outputs={"depot": Output("mg", lambda s: s.depot), "central": Output("mg", lambda s: s.central)},
        doses={"depot": DoseInto(F=lambda s: s.F, lag=lambda s: s.tlag), "central": DoseInto()},
        **more,
    )


def left(dist, kel, elapsed):
    """Of a unit dose, what is in the central compartment after a time: by parts, since a density may be infinite."""
    if elapsed <= 0:
        return 0.0
    breaks = [min(elapsed / 2, x) for x in (0.01, 0.3, 2.0)]
    kept, _ = quad(
        lambda s: dist.cdf(s) * np.exp(-kel * (elapsed - s)), 0, elapsed, epsabs=1e-13, epsrel=1e-11, points=breaks,
        limit=400,
    )  # fmt: skip
    return dist.cdf(elapsed) - kel * kept


def study(rows, carry="nocb"):
    """Records of subjects: (ID, TIME, AMT, more)."""
    table = [
        {"ID": i, "TIME": t, "AMT": a, "EVID": int(a > 0), "DV": "." if a else 1.0, "CMT": 1, "II": 0, "ADDL": 0}
        | {"SS": 0, "RATE": 0, "W": 1.0} | more
        for i, t, a, more in rows
    ]  # fmt: skip
    units = {"TIME": "h", "AMT": "mg", "DV": "mg", "W": ""}
    return read_nonmem(
        pd.DataFrame(table), units=units, compartments={1: "depot", 2: "central"}, outputs="central",
        covariates=["W"], carry=carry,
    )  # fmt: skip


def centrals(system, events, values, solver=None, **options):
    graph = system.solve(events, values, solver=solver or Rodas5P(rtol=1e-11, atol=1e-12), **options)[
        "central"
    ]
    return pytensor.function([], graph, mode="NUMBA")()


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("carry", ["nocb", pytest.param("locf", marks=SLOW)])
def test_doses_are_superposed(name, carry):
    """A single dose; two, and additional ones, with a dose into central between them."""
    profile, values, dist = PROFILES[name]
    system = absorbing(profile, values)
    doses = {1: [(0.0, 100.0)], 2: [(1.0, 50.0)] + [(4.0 + 6.0 * k, 80.0) for k in range(4)]}
    rows = [(1, 0.0, 100.0, {}), *((1, t, 0.0, {}) for t in TIMES)]
    second = [(2, 1.0, 50.0, {}), (2, 4.0, 80.0, {"II": 6.0, "ADDL": 3}), (2, 5.0, 10.0, {"CMT": 2})]
    rows += sorted([*second, *((2, t, 0.0, {}) for t in TIMES)], key=lambda row: row[1])
    found = centrals(
        system, study(rows, carry).events(), values | {"kel": KEL, "F": FRACTION, "tlag": LAG}
    ).reshape(2, -1)
    for i in (1, 2):
        expected = [FRACTION * sum(a * left(dist, KEL, t - s - LAG) for s, a in doses[i]) for t in TIMES]
        if i == 2:
            expected = expected + 10.0 * np.where(TIMES > 5, np.exp(-KEL * (TIMES - 5)), 0)
        np.testing.assert_allclose(found[i - 1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", [pytest.param("weibull, at once", marks=SLOW), "gamma, n below 1"])
def test_every_solver_finds_the_same(name):
    profile, values, dist = PROFILES[name]
    system = absorbing(profile, values)
    events = study([(1, 0.0, 100.0, {"II": 5.0, "ADDL": 2}), *((1, t, 0.0, {}) for t in TIMES)]).events()
    expected = [sum(100 * left(dist, KEL, t - s) for s in (0, 5, 10)) for t in TIMES]
    solvers = (Tsit5(rtol=1e-9), Automatic(rtol=1e-9), CVODES(rtol=1e-10, atol=1e-9), Automatic())
    data = values | {"kel": KEL, "F": 1.0, "tlag": 0.0}
    graphs = [system.solve(events, data, solver=solver)["central"] for solver in solvers]
    *tight, usual = pytensor.function([], graphs, mode="NUMBA")()
    np.testing.assert_allclose(tight, [expected] * 3, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(usual, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(SolverError, match=r"Linear\(\) solves linear systems only"):
        centrals(system, events, values | {"kel": KEL, "F": 1.0, "tlag": 0.0}, Linear())


@pytest.mark.parametrize("name", SOME)
def test_all_that_is_given_is_absorbed_and_nothing_is_lost(name):
    profile, values, _ = PROFILES[name]
    system = absorbing(profile, values)
    closed = dataclasses.replace(system, processes=system.processes[:1]).fix(kel=0.0)
    assert closed.conservation_laws() == ["depot + central"]
    times = np.concatenate([TIMES, [100.0, 1e4]])
    found = closed.course(
        values | {"F": FRACTION, "tlag": LAG}, times, Regimen(100, unit="mg", every=5, doses=3),
        solver=Rodas5P(rtol=1e-10, atol=1e-10),
    )  # fmt: skip
    given = FRACTION * 100 * sum(times > s + LAG for s in (0, 5, 10))
    np.testing.assert_allclose(found.depot + found.central, given, rtol=1e-9)
    assert found.central[-1] == pytest.approx(FRACTION * 300, rel=1e-9)
    assert (found.depot > -1e-7).all()


@pytest.mark.parametrize("n", [1, 4])
def test_a_whole_n_is_a_chain_of_transit_compartments(n):
    from qsp_bayes.models import one_compartment

    chain = one_compartment(absorption="transit", n_transit=n)
    regimen = Regimen(100, unit="mg", every=8, doses=3)
    expected = chain.course({"MTT": 3.0, "CL": 2.0, "Vc": 10.0}, TIMES, regimen).Cc * 10
    found = absorbing(GAMMA, ["n", "MTT"]).course(
        {"n": float(n), "MTT": 3.0, "kel": 0.2, "F": 1.0, "tlag": 0.0}, TIMES, regimen,
        solver=Rodas5P(rtol=1e-11, atol=1e-11),
    )  # fmt: skip
    np.testing.assert_allclose(found.central, expected, rtol=1e-7)


@pytest.mark.parametrize("profile", [WEIBULL, GAMMA], ids=["weibull", "gamma"])
def test_a_shape_of_one_is_first_order(profile):
    rate = 0.9
    values = {"td": 1 / rate, "beta": 1.0} if profile is WEIBULL else {"n": 0.0, "MTT": 1 / rate}
    found = absorbing(profile, values).course(
        values | {"kel": KEL, "F": 1.0, "tlag": 0.0}, TIMES, Regimen(100, unit="mg"), solver=Tsit5(rtol=1e-10)
    )
    bateman = 100 * rate / (rate - KEL) * (np.exp(-KEL * TIMES) - np.exp(-rate * TIMES))
    np.testing.assert_allclose(found.central, bateman, rtol=1e-6)


@pytest.mark.parametrize("name", SOME)
def test_derivatives_are_those_of_the_superposition(name):
    """By the parameters, the bioavailability, the lag time, the amounts and the times."""
    profile, values, _ = PROFILES[name]
    system, law = absorbing(profile, values), gamma if profile is GAMMA else weibull_min
    rows = [(1, 0.0, 100.0, {}), (1, 1.0, 0.0, {}), (1, 3.0, 60.0, {"II": 2.0, "ADDL": 1})]
    rows += [(1, t, 0.0, {}) for t in (4.0, 6.5, 12.0)]
    events = study(rows).events()
    names = [*values, "kel", "F", "tlag"]
    parameters = {name: pt.dscalar(name) for name in names}
    time, amount = pt.dvector("time"), pt.dvector("amount")
    weights = np.array([1.0, 0.5, 2.0, 1.5])
    path = system.solve(
        dataclasses.replace(events, time=time, amount=amount),
        parameters,
        solver=Rodas5P(rtol=1e-11, atol=1e-11),
    )
    total = (path["central"] * weights).sum()
    inputs = [*parameters.values(), time, amount]
    function = pytensor.function(inputs, pt.grad(total, inputs, disconnected_inputs="ignore"), mode="NUMBA")
    point = [*values.values(), KEL, FRACTION, LAG, events.time, events.amount]
    found = np.concatenate([np.atleast_1d(x) for x in function(*point)])

    def exact(flat):
        first, second, kel, fraction, lag = flat[:5]
        times, amounts = flat[5 : 5 + len(rows)], flat[5 + len(rows) :]
        dist = law(second, scale=first) if law is weibull_min else law(first + 1, scale=second / (first + 1))
        doses = [(times[0], amounts[0]), (times[2], amounts[2]), (times[2] + 2.0, amounts[2])]
        observed = times[[1, 3, 4, 5]]
        return sum(
            w * fraction * sum(a * left(dist, kel, t - s - lag) for s, a in doses)
            for w, t in zip(weights, observed, strict=True)
        )

    flat = np.concatenate([np.atleast_1d(x) for x in point]).astype(float)
    arrivals = (4, 5, 7) if name == "weibull, at once" else ()  # where the slope at the arrival is infinite
    for k in range(flat.size):
        sides = [exact(flat + sign * 1e-5 * np.eye(flat.size)[k]) for sign in (1, -1)]
        close = 1e-3 if k in arrivals else 2e-5
        assert found[k] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=close, abs=close), k


@pytest.mark.parametrize(
    ("name", "carry", "evid"),
    [
        pytest.param("weibull, at once", "nocb", 3, marks=SLOW),
        ("gamma", "nocb", 4),
        pytest.param("gamma", "locf", 3, marks=SLOW),
    ],
)
def test_a_reset_ends_what_earlier_doses_would_release(name, carry, evid):
    """The additional doses too; the dose of the reset's own record is given."""
    profile, values, dist = PROFILES[name]
    reset = (1, 7.0, 40.0 * (evid == 4), {"EVID": evid, "DV": "."})
    rows = [
        (1, 0.0, 100.0, {"II": 4.0, "ADDL": 2}),
        (1, 3.0, 0.0, {}),
        (1, 7.0, 0.0, {}),
        reset,
        (1, 7.0, 0.0, {}),
    ]
    rows += [(1, 8.0, 0.0, {}), (1, 12.0, 0.0, {}), (1, 13.0, 30.0, {}), (1, 15.0, 0.0, {})]
    rows += [(2, 0.0, 100.0, {}), *((2, t, 0.0, {}) for t in (3.0, 8.0))]  # another subject, without reset
    data = values | {"kel": KEL, "F": 1.0, "tlag": 0.5}
    found = centrals(absorbing(profile, values), study(rows, carry).events(), data)
    before = [sum(100 * left(dist, KEL, t - s - 0.5) for s in (0, 4)) for t in (3, 7)]
    doses = [(7, 40.0 * (evid == 4)), (13, 30.0)]
    after = [sum(a * left(dist, KEL, t - s - 0.5) for s, a in doses) for t in (7, 8, 12, 15)]
    other = [100 * left(dist, KEL, t - 0.5) for t in (3, 8)]
    np.testing.assert_allclose(found, [*before, *after, *other], rtol=1e-7, atol=1e-8)


def test_a_dose_keeps_the_parameters_of_its_record():
    """The scale doubles with the covariate at the second dose; the first goes on as it began."""
    system = absorbing(
        dataclasses.replace(WEIBULL, scale=lambda s: s.td * s.W), ["td", "beta"], inputs={"W": ""}
    )
    rows = [(1, 0.0, 100.0, {}), (1, 2.0, 0.0, {}), (1, 3.0, 100.0, {"W": 2.0})]
    rows += [(1, t, 0.0, {"W": 2.0}) for t in (4.0, 9.0)]
    found = centrals(
        system, study(rows).events(), {"td": 2.0, "beta": 1.5, "kel": KEL, "F": 1.0, "tlag": 0.0}
    )
    first, second = weibull_min(1.5, scale=2.0), weibull_min(1.5, scale=4.0)
    expected = [100 * (left(first, KEL, t) + left(second, KEL, t - 3)) for t in (2, 4, 9)]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_new_data_go_through_the_same_graph_and_more_doses_than_slots_are_nan():
    profile, values, dist = PROFILES["gamma"]
    system = absorbing(profile, values)
    rows = [(1, 0.0, 100.0, {}), (1, 5.0, 50.0, {}), (1, 9.0, 0.0, {}), (2, 0.0, 70.0, {}), (2, 9.0, 0.0, {})]
    with pm.Model():
        events = study(rows).as_pymc_data()
        path = system.solve(
            events, values | {"kel": KEL, "F": 1.0, "tlag": 0.0}, solver=Rodas5P(rtol=1e-11, atol=1e-11)
        )
        function = pytensor.function([], path["central"], mode="NUMBA")
        exchanged = {"record_time": [0.0, 9.0, 0.0, 2.0, 9.0], "record_amount": [80.0, 0.0, 70.0, 20.0, 0.0]}
        exchanged |= {"record_evid": [1, 0, 1, 1, 0], "record_subject": [0, 0, 1, 1, 1]}
        exchanged |= {"record_compartment": [0, -1, 0, 0, -1]}
        rows_of = {"rows_central": [1, 4]}
        first = function()
        pm.set_data({name: np.array(x) for name, x in (exchanged | rows_of).items()})
        second = function()
        pm.set_data(
            {"record_additional": np.array([0, 0, 1, 0, 0]), "record_interval": np.array([0, 0, 1.0, 0, 0])}
        )
        third = function()
    of = lambda *doses: sum(a * left(dist, KEL, 9 - s) for s, a in doses)  # noqa: E731
    np.testing.assert_allclose(first, [of((0, 100), (5, 50)), of((0, 70))], rtol=1e-7)
    np.testing.assert_allclose(second, [of((0, 80)), of((0, 70), (2, 20))], rtol=1e-7)
    np.testing.assert_allclose(third, [of((0, 80)), np.nan], rtol=1e-7)


def test_switches_see_and_change_the_amounts_and_not_what_is_integrated():
    """At a limit of the central amount two thirds of it are taken away, once."""
    profile, values, dist = PROFILES["weibull, at once"]
    system = absorbing(profile, values)
    system = dataclasses.replace(
        system,
        switches=[Switch("tap", lambda s: s.t - s.t_tap, change={"central": lambda s: s.central / 3.0})],
        parameters=dict(system.parameters) | {"t_tap": "h"},
    )
    found = system.course(
        values | {"kel": KEL, "F": 1.0, "tlag": 1.0, "t_tap": 3.0}, TIMES, Regimen(100, unit="mg"),
        solver=Rodas5P(rtol=1e-11, atol=1e-11),
    )  # fmt: skip
    taken = 100 * left(dist, KEL, 2.0) * 2 / 3
    expected = [100 * left(dist, KEL, t - 1) - taken * np.exp(-KEL * (t - 3)) * (t > 3) for t in TIMES]
    keep = TIMES != 3.0  # at the very time of the switch the record acts first
    np.testing.assert_allclose(found.central[keep], np.array(expected)[keep], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "changed"),
    [("weibull, at once", {"beta": -0.5}), ("gamma", {"n": -0.2}), ("gamma", {"MTT": -1.0})],
)
def test_parameters_of_no_distribution_are_no_solution(name, changed):
    profile, values, _ = PROFILES[name]
    events = study([(1, 0.0, 100.0, {}), (1, 5.0, 0.0, {})]).events()
    found = centrals(
        absorbing(profile, values), events, values | {"kel": KEL, "F": 1.0, "tlag": 0.0} | changed
    )
    assert np.isnan(found).all()


def test_what_cannot_be_released_is_refused_by_name():
    system, values = (
        absorbing(WEIBULL, ["td", "beta"]),
        {"td": 2.0, "beta": 1.0, "kel": KEL, "F": 1.0, "tlag": 0.0},
    )
    observed = (1, 20.0, 0.0, {})
    with pytest.raises(SolverError, match=r"steady state \(SS\) of doses into 'depot'"):
        system.solve(study([(1, 0.0, 10.0, {"SS": 1, "II": 12.0}), observed]).events(), values)
    with pytest.raises(SolverError, match=r"infuse into 'depot'.*'absorption'"):
        system.solve(study([(1, 0.0, 10.0, {"RATE": 5.0}), observed]).events(), values)
    events = study([(1, 0.0, 10.0, {}), observed]).events()
    with pytest.raises(SolverError, match="not known yet"):
        system.solve(dataclasses.replace(events, evid=pt.lvector()), values)
    decay = Process("decay", {"depot": -1}, lambda s: s.kel * s.depot)
    with pytest.raises(MechanismError, match="also changed by process 'decay'"):
        dataclasses.replace(system, processes=[*system.processes, decay])
    with pytest.raises(MechanismError, match="a start of 'depot'"):
        dataclasses.replace(system, initial={"depot": 1.0})
    with pytest.raises(MechanismError, match="receives no dose"):
        dataclasses.replace(system, doses={"central": DoseInto()})
    with pytest.raises(MechanismError, match="over a duration"):
        dataclasses.replace(system, doses={"depot": DoseInto(duration=1.0)})
    with pytest.raises(UnitsError, match="scale of release 'absorption'"):
        dataclasses.replace(system, parameters=dict(system.parameters) | {"td": "mg"})
    late = Release("absorption", "depot", "central", Weibull(lambda s: s.t, lambda s: s.beta))
    with pytest.raises(MechanismError, match="depends on t"):
        dataclasses.replace(system, processes=[late, system.processes[1]])
    with pytest.raises(MechanismError, match="expected Weibull"):
        Release("absorption", "depot", "central", "weibull")
    with pytest.raises(MechanismError, match="into itself"):
        Release("absorption", "depot", "depot", WEIBULL)


def test_a_release_is_renamed_and_described_like_any_process():
    system = absorbing(WEIBULL, ["td", "beta"]).rename(depot="gut", td="scale", absorption="uptake")
    assert system.equations()[:3] == [
        "release(gut) = sum over doses of dose*weibull(t - arrival, scale, beta)",
        "d(gut)/dt = -release(gut)",
        "d(central)/dt = release(gut) - kel*central",
    ]
    assert "<mtext>sum over doses of </mtext>" in system.equations_html()
    assert system.stoichiometry()["uptake"].to_dict() == {"gut": -1, "central": 1}
    assert "release(gut)" in system.diagram().svg
    replaced = system.replace(Process("uptake", {"gut": -1, "central": 1}, lambda s: s.kel * s.gut))
    assert "scale" not in replaced.parameters
    assert "td" in absorbing(WEIBULL, ["td", "beta"]).replace(system.processes[1]).parameters
