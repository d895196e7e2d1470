"""Nonlinear systems against closed solutions in 30 digits, equations written by hand, and balances of mass."""

import dataclasses
import functools

import mpmath as mp
import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import solve_ivp
from scipy.special import wrightomega

from qsp_bayes.data import Regimen, planned_study, read_nonmem
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.models import KHOLODENKO_2000, mapk_cascade, one_compartment, tmdd
from qsp_bayes.ode.solvers import Automatic, Rodas5P, Tsit5
from qsp_bayes.systems import DoseInto, Output, Process, System

SOLVERS = {kind.__name__: kind(rtol=1e-11) for kind in (Automatic, Rodas5P, Tsit5)}
MM = one_compartment(elimination="saturable")
MM_VALUES = {"Vmax": 12.0, "Km": 3.0, "Vc": 10.0}
COLUMNS = ["ID", "TIME", "AMT", "EVID", "DV", "OCC"]
rng = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(30):
        yield


def read(rows, **covariates):
    """Events of records (ID, TIME, AMT, EVID, DV, OCC) of one compartment and one output."""
    data = pd.DataFrame(rows, columns=COLUMNS).assign(CMT=1, **covariates)
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"} | dict.fromkeys(covariates, "")
    study = read_nonmem(
        data, units=units, compartments={1: "central"}, outputs={1: "Cc"}, covariates=list(covariates)
    )
    return study.events()


def graph(system, events, params, solvers, *, weights, levels=None, covariates=None):
    """Compile values and gradients of a weighted sum for some solvers in one function of `params`."""
    results = []
    for solver in solvers:
        path = system.solve(events, params, levels=levels, covariates=covariates, solver=solver)
        values = [path[name] for name in weights]
        total = sum((w * v).sum() for w, v in zip(weights.values(), values, strict=True))
        wrt = [*params.values(), *(covariates or {}).values()]
        results += [*values, *pt.grad(total, wrt, disconnected_inputs="ignore")]
    compiled = pytensor.function(
        [*params.values(), *(covariates or {}).values()], results, mode="NUMBA", on_unused_input="ignore"
    )

    def call(*arguments):
        found = iter(compiled(*arguments))
        return [({name: next(found) for name in weights}, [next(found) for _ in arguments]) for _ in solvers]

    return call


def gradient(function, point, step="1e-10"):
    """Central differences in 30 digits."""
    h, found = mp.mpf(step), []
    for k, x in enumerate(point):
        sides = [[*point[:k], x + sign * h, *point[k + 1 :]] for sign in (1, -1)]
        found.append(float((function(sides[0]) - function(sides[1])) / (2 * h)))
    return np.array(found)


def close(found, expected, tolerance, message=""):
    """Compare relatively to the largest entry."""
    expected = np.asarray(expected, dtype=float)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=message)


def by_lambert(table, Vmax, Km, Vc, amounts):
    """Concentrations at the observations of one subject; parameters by record, which hold until it (NOCB)."""
    drug, t, found = mp.mpf(0), mp.mpf(0), []
    for k, (time, evid) in enumerate(zip(table["TIME"], table["EVID"], strict=True)):
        if drug > 0:
            ratio, rate = drug / Vc[k] / Km[k], Vmax[k] / Vc[k] / Km[k]
            drug = Vc[k] * Km[k] * mp.lambertw(ratio * mp.exp(ratio - rate * (mp.mpf(float(time)) - t))).real
        t = mp.mpf(float(time))
        if evid == 0:
            found.append(drug / Vc[k])
        drug += amounts[k]
    return found


# Two doses, of which the second meets what is left of the first; placebo; and doses below, at and far above Km.
DOSES = [0.0, 5.0, 60.0, 900.0]
TIMES = [0.1, 1.0, 4.0, 9.0, 11.0, 15.0, 40.0]
ROWS = [
    row
    for subject, dose in enumerate(DOSES)
    for row in sorted(
        [
            (subject, 0.0, dose, 1, ".", 1),
            (subject, 10.0, dose / 2, 1, ".", 2),
            *((subject, t, 0.0, 0, 1.0, 1 + (t > 10)) for t in TIMES),
        ],
        key=lambda row: row[1],
    )
]
TABLE = pd.DataFrame(ROWS, columns=COLUMNS)
MM_DRAW = {name: x * rng.lognormal(0, 0.2, len(DOSES)) for name, x in MM_VALUES.items()}
MM_WEIGHTS = {"Cc": rng.normal(size=len(DOSES) * len(TIMES))}


@pytest.fixture(scope="module")
def michaelis_menten():
    events = read(ROWS)
    params = {name: pt.dvector(name) for name in MM_VALUES}
    amount = pt.dvector("amount")
    results = []
    for solver in SOLVERS.values():
        path = MM.solve(dataclasses.replace(events, amount=amount), params, solver=solver)
        wrt = [*params.values(), amount]
        results += [path["Cc"], *pt.grad((path["Cc"] * MM_WEIGHTS["Cc"]).sum(), wrt)]
    function = pytensor.function([*params.values(), amount], results, mode="NUMBA")

    def call(draw):
        found = function(*draw.values(), TABLE["AMT"].to_numpy())
        return {name: found[5 * k : 5 * k + 5] for k, name in enumerate(SOLVERS)}

    return call


def test_michaelis_menten_follows_lambert_w(michaelis_menten):
    found = michaelis_menten(MM_DRAW)
    observed = 0
    for subject, table in TABLE.groupby("ID"):
        n, point = len(table), [mp.mpf(float(MM_DRAW[name][subject])) for name in MM_VALUES]
        amounts = [mp.mpf(float(x)) for x in table["AMT"]]
        rows = slice(observed, observed + len(TIMES))
        observed += len(TIMES)
        weights = MM_WEIGHTS["Cc"][rows]

        def course(x, table=table, n=n):
            return by_lambert(table, *([value] * n for value in x[:3]), x[3:])

        def total(x, weights=weights, course=course):
            return mp.fsum(float(w) * c for w, c in zip(weights, course(x), strict=True))

        expected = np.array([float(c) for c in course(point + amounts)])
        slopes = gradient(total, point + amounts) if subject else None
        for name, (Cc, *bars) in found.items():
            np.testing.assert_allclose(Cc[rows], expected, rtol=1e-8, atol=1e-9 * expected.max())
            for k, bar in enumerate(bars[:3]):
                expected_bar = slopes[k] if subject else 0.0
                assert bar[subject] == pytest.approx(expected_bar, rel=1e-7, abs=1e-9), (
                    f"{name} {subject} {k}"
                )
            if subject:
                doses = table["EVID"].to_numpy() == 1
                close(bars[3][table.index][doses], slopes[3:][doses], 1e-8, name)


def test_an_impossible_draw_is_nan_for_its_subject_alone(michaelis_menten):
    good = michaelis_menten(MM_DRAW)
    for name, bad in [("Vmax", np.nan), ("Km", np.nan), ("Vc", 0.0), ("Vmax", np.inf), ("Km", -2.0)]:
        draw = {key: x.copy() for key, x in MM_DRAW.items()}
        draw[name][2] = bad
        found = michaelis_menten(draw)
        for solver in SOLVERS:
            for at, (a, b) in enumerate(zip(found[solver], good[solver], strict=True)):
                owner = TABLE["ID"][TABLE["EVID"] == 0] if at == 0 else TABLE["ID"] if at == 4 else range(4)
                own = np.asarray(owner) == 2
                np.testing.assert_array_equal(a[~own], b[~own], err_msg=f"{solver} {name} {bad}")
                if at == 0:
                    assert np.isnan(a[own]).any(), f"{solver} {name} {bad}"
                elif at < 4:
                    assert np.isnan(a[own]).all(), f"{solver} {name} {bad}"


def test_the_time_to_halve_halves():
    p = MM_VALUES
    for dose in (1.0, 100.0, 2000.0):
        halving = p["Vc"] / p["Vmax"] * (p["Km"] * np.log(2) + dose / p["Vc"] / 2)
        events = read([(1, 0.0, dose, 1, ".", 1), (1, halving, 0.0, 0, 1.0, 1)])
        found = MM.solve(events, p, solver=Automatic(rtol=1e-10))["Cc"].eval(mode="NUMBA")
        assert found.item() == pytest.approx(dose / p["Vc"] / 2, rel=1e-8)


def test_too_few_steps_give_nan():
    path = MM.solve(read(ROWS), MM_VALUES, solver=Rodas5P(rtol=1e-10, max_steps=10))
    found = path["Cc"].eval(mode="NUMBA").reshape(len(DOSES), -1)
    assert (found[0] == 0).all()
    assert np.isnan(found[3]).all()


def test_covariates_occasions_and_records():
    """A covariate that scales Vmax, Vmax by record, Km by occasion and Vc by subject, in one model."""
    factor = rng.lognormal(0, 0.3, len(TABLE))
    events = read(ROWS, RENAL=factor)
    system = dataclasses.replace(
        MM.define({"Vmax1": "mg/h"}, Vmax=lambda s: s.Vmax1), inputs={"RENAL": ""}
    ).define({"Vmax0": "mg/h"}, Vmax1=lambda s: s.Vmax0 * s.RENAL)
    levels = {"Vmax0": "record", "Km": "occasion", "RENAL": "record"}
    params = {name: pt.dvector(name) for name in system.parameters}
    renal = pt.dvector("RENAL")
    call = graph(
        system, events, params, [Automatic(rtol=1e-11)], weights=MM_WEIGHTS, levels=levels,
        covariates={"RENAL": renal},
    )  # fmt: skip
    sizes = {"Vmax0": len(TABLE), "Km": 2 * len(DOSES), "Vc": len(DOSES)}
    typical = MM_VALUES | {"Vmax0": 12.0}
    draw = {name: typical[name] * rng.lognormal(0, 0.3, sizes[name]) for name in params}
    ((values, bars),) = call(*draw.values(), factor)
    fed = system.solve(events, draw, levels={k: v for k, v in levels.items() if k != "RENAL"})
    close(fed["Cc"].eval(mode="NUMBA"), values["Cc"], 1e-5)
    bars = dict(zip([*params, "RENAL"], bars, strict=True))
    for subject, table in TABLE.groupby("ID"):
        if not subject:
            continue
        index, n = table.index.to_numpy(), len(table)
        occasion = table["OCC"].to_numpy() - 1
        rows = slice(subject * len(TIMES), (subject + 1) * len(TIMES))

        def course(x, table=table, n=n, occasion=occasion):
            Vmax = [a * b for a, b in zip(x[:n], x[n : 2 * n], strict=True)]
            Km = [x[2 * n + k] for k in occasion]
            return by_lambert(table, Vmax, Km, [x[-1]] * n, [mp.mpf(float(a)) for a in table["AMT"]])

        def total(x, course=course, rows=rows):
            return mp.fsum(float(w) * c for w, c in zip(MM_WEIGHTS["Cc"][rows], course(x), strict=True))

        parts = [draw["Vmax0"][index], factor[index], draw["Km"][2 * subject : 2 * subject + 2]]
        point = [mp.mpf(float(x)) for x in [*np.concatenate(parts), draw["Vc"][subject]]]
        close(values["Cc"][rows], [float(c) for c in course(point)], 1e-9)
        expected = gradient(total, point)
        found = [
            bars["Vmax0"][index],
            bars["RENAL"][index],
            bars["Km"][2 * subject : 2 * subject + 2],
            bars["Vc"][subject : subject + 1],
        ]
        close(np.concatenate(found), expected, 1e-8, f"subject {subject}")


CIRCADIAN = System(
    states={"central": "mg"},
    parameters={"CL": "L/h", "Vc": "L", "swing": "", "peak": "h", "period": "h", "tlag": "h"},
    processes=[
        Process(
            "elimination",
            {"central": -1},
            lambda s: s.CL * (1 + s.swing * pt.cos(2 * np.pi * (s.t - s.peak) / s.period)) / s.Vc * s.central,
        )
    ],
    outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    doses={"central": DoseInto(lag=lambda s: s.tlag)},
)


def by_integrating_clearance(times, doses, CL, Vc, swing, peak, period, tlag):
    def cleared(t):
        turn = 2 * mp.pi / period
        return CL / Vc * (t + swing / turn * mp.sin(turn * (t - peak)))

    return [
        mp.fsum(
            dose * mp.exp(cleared(start + tlag) - cleared(t)) for start, dose in doses if t >= start + tlag
        )
        / Vc
        for t in times
    ]


def test_rates_that_depend_on_time():
    """Circadian clearance, where all that acts at a time (doses after a lag, too) must know what time it is."""
    doses = [(0.0, 100.0), (10.0, 60.0), (29.0, 80.0)]
    times = [1.0, 3.3, 9.5, 12.0, 20.0, 28.0, 31.0, 47.0, 60.0]
    rows = [(1, t, dose, 1, ".", 1) for t, dose in doses] + [(1, t, 0.0, 0, 1.0, 1) for t in times]
    events = read(sorted(rows, key=lambda row: row[1]))
    draw = {"CL": 1.3, "Vc": 12.0, "swing": 0.6, "peak": 5.0, "period": 24.0, "tlag": 0.7}
    weights = {"Cc": rng.normal(size=len(times))}
    params = {name: pt.dscalar(name) for name in draw}
    call = graph(CIRCADIAN, events, params, SOLVERS.values(), weights=weights)

    def course(x):
        return by_integrating_clearance([mp.mpf(t) for t in times], doses, *x)

    def total(x):
        return mp.fsum(float(w) * c for w, c in zip(weights["Cc"], course(x), strict=True))

    point = [mp.mpf(x) for x in draw.values()]
    expected, slopes = [float(c) for c in course(point)], gradient(total, point)
    for name, (values, bars) in zip(SOLVERS, call(*draw.values()), strict=True):
        close(values["Cc"], expected, 1e-9, name)
        close(bars, slopes, 1e-8, name)


def tmdd_by_hand(t, x, p):
    """Amounts, as Mager and Jusko 2001."""
    drug, peripheral, target, bound = x
    concentration = drug / p["Vc"]
    binding = p["kon"] * concentration * target - p["koff"] * bound
    exchange = p["Q"] * (concentration - peripheral / p["Vp"])
    return np.stack(
        [
            -p["CL"] * concentration - exchange - binding,
            exchange,
            p["kdeg"] * (p["R0"] * p["Vc"] - target) - binding,
            binding - p["kint"] * bound,
        ]
    )


def tmdd_outputs(x, p):
    drug, _, target, bound = x
    return {"Cc": drug / p["Vc"], "Rtot": (target + bound) / p["Vc"], "RO": bound / (target + bound)}


def cascade_by_hand(t, x, p):
    """Kholodenko 2000, with n = 2."""
    a, ap, b, bp, bpp, c, cp, cpp = x

    def v(n, substrate, enzyme=None):
        capacity = p[f"V{n}"] if enzyme is None else p[f"k{n}"] * enzyme
        return capacity * substrate / (p[f"K{n}"] + substrate)

    v1 = v(1, a) / (1 + (cpp / p["KI"]) ** 2)
    v2, v3, v4, v5, v6 = v(2, ap), v(3, b, ap), v(4, bp, ap), v(5, bpp), v(6, bp)
    v7, v8, v9, v10 = v(7, c, bpp), v(8, cp, bpp), v(9, cpp), v(10, cp)
    return np.stack(
        [v2 - v1, v1 - v2, v6 - v3, v3 + v5 - v4 - v6, v4 - v5, v10 - v7, v7 + v9 - v8 - v10, v8 - v9]
    )


def cascade_outputs(x, p):
    return {"MAPK_active": x[7] / (x[5] + x[6] + x[7])}


def tmdd_start(p):
    zero = 0 * p["Vc"]
    return np.stack([zero, zero, p["R0"] * p["Vc"], zero])


def cascade_start(p):
    zero = 0 * p["K1"]
    return np.stack([p["MKKK_total"], zero, p["MKK_total"], zero, zero, p["MAPK_total"], zero, zero])


def reference(function, start, outputs, p, doses, times, method, rtol, atol=None):
    """Outputs at the times, by scipy, for all draws at once where `p` holds vectors; a dose goes into state 0."""
    x, t, found = start(p), 0.0, []
    shape = x.shape
    doses = dict(doses)
    for stop in sorted({*times, *doses}):
        if stop > t:
            solution = solve_ivp(
                lambda t, y: function(t, y.reshape(shape), p).ravel(),
                (t, stop),
                x.ravel(),
                method,
                rtol=rtol,
                atol=rtol * np.abs(x).max() * 1e-3 if atol is None else atol,
            )
            assert solution.success
            x, t = solution.y[:, -1].reshape(shape), stop
        if stop in times:
            found.append(outputs(x, p))
        if stop in doses:
            x = x.copy()
            x[0] += doses[stop]
    return {name: np.stack([at[name] for at in found], axis=-1) for name in found[0]}


def differences(function, p, step=1e-3):
    """Values of `function` of a dict of vectors, and fourth-order differences by each entry, all in one call."""
    shifts = [1 + k * step for k in (-2, -1, 1, 2)]
    draws = {
        name: np.concatenate([[x], *[[x * s if name == other else x for s in shifts] for other in p]])
        for name, x in p.items()
    }
    found = function(draws)
    values = {name: x[0] for name, x in found.items()}
    slopes = {}
    for name, x in found.items():
        groups = np.moveaxis(x[1:].reshape(len(p), 4, -1), 1, 0)
        widths = step * np.array(list(p.values()))[:, None]
        slopes[name] = (groups[0] - 8 * groups[1] + 8 * groups[2] - groups[3]) / (12 * widths)
    return values, slopes


# Two doses, the larger far above the target and the smaller below it.
TMDD_VALUES = {
    "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 3.0, "kon": 5.0, "koff": 4.0, "R0": 10.0, "kdeg": 0.5, "kint": 0.2,
}  # fmt: skip
TMDD_DOSES, TMDD_TIMES = [(0.0, 300.0), (21.0, 15.0)], [0.01, 0.1, 1, 3, 7, 14, 20.9, 21.2, 28, 42]


def planned(doses, times, n, outputs, time):
    subjects = pd.DataFrame({"nothing": np.ones(n)})
    units = StudyUnits(time, "nmol", outputs, {"nothing": ""})
    first, *others = (Regimen(x, unit="nmol", start=t, into="central") for t, x in doses)
    regimen = functools.reduce(lambda a, b: a + b, others, first)
    return planned_study(regimen, subjects, times, units=units).events()


CASCADE_TIMES = [50.0, 200.0, 400.0, 600.0, 900.0, 1300.0, 1700.0]
CASCADE = mapk_cascade().fix(n=2.0)
CASCADE_VALUES = {name: x for name, x in KHOLODENKO_2000.items() if name != "n"}


def resting(subjects, times):
    """Events of a cascade that is observed and not disturbed."""
    rows = [(k, t, 0.0, 0, 1.0, 1) for k in subjects for t in times]
    units = {"TIME": "s", "AMT": "nmol", "DV": ""}
    data = pd.DataFrame(rows, columns=COLUMNS).assign(CMT=1)
    study = read_nonmem(data, units=units, compartments={1: "none"}, outputs={1: "MAPK_active"})
    return study.events()


def check_against_differences(system, events, function, p, outputs, tolerance):
    expected, slopes = differences(function, p)
    params = {name: pt.dscalar(name) for name in p}
    weights = {name: rng.normal(size=expected[name].size) / expected[name].max() for name in outputs}
    call = graph(system, events, params, SOLVERS.values(), weights=weights)
    total = sum(slopes[name] @ weights[name] for name in outputs)
    share = np.array(list(p.values()))
    for solver, (values, bars) in zip(SOLVERS, call(*p.values()), strict=True):
        for name in outputs:
            close(values[name], expected[name], 1e-8, f"{solver} {name}")
        close(np.array(bars) * share, total * share, tolerance, solver)


def test_target_mediated_disposition_against_scipy():
    outputs = {"Cc": "nmol/L", "Rtot": "nmol/L", "RO": ""}
    events = planned(TMDD_DOSES, TMDD_TIMES, 1, outputs, "day")
    function = functools.partial(
        reference, tmdd_by_hand, tmdd_start, tmdd_outputs, doses=TMDD_DOSES, times=TMDD_TIMES,
        method="DOP853", rtol=1e-12,
    )  # fmt: skip
    check_against_differences(tmdd(), events, function, TMDD_VALUES, outputs, 1e-7)


def test_the_cascade_against_scipy():
    """From rest through the first peak, with sensitivities of all parameters, initial totals among them."""
    events = resting([1], CASCADE_TIMES)
    function = functools.partial(
        reference, cascade_by_hand, cascade_start, cascade_outputs, doses=[], times=CASCADE_TIMES,
        method="DOP853", rtol=1e-12,
    )  # fmt: skip
    check_against_differences(CASCADE, events, function, CASCADE_VALUES, ["MAPK_active"], 1e-6)


@pytest.mark.parametrize("solver", [Automatic, Rodas5P])
def test_a_power_of_a_state_that_starts_at_zero(solver):
    events = resting([1], [200.0, 600.0])
    n = pt.dscalar("n")
    path = mapk_cascade().solve(events, dict(KHOLODENKO_2000) | {"n": n}, solver=solver())
    values = path["MAPK_active"]
    found = pytensor.function([n], [values, pt.grad(values.sum(), n)], mode="NUMBA")(1.3)
    np.testing.assert_allclose(found[0], [0.825808, 0.994397], rtol=1e-5)
    assert found[1] == pytest.approx(-0.0252, abs=2e-3)


@pytest.mark.parametrize("solver", [Automatic, Rodas5P, Tsit5])
def test_all_drug_is_somewhere_at_any_tolerance(solver):
    """What conservation laws say holds to rounding, however coarse the steps, on and between them."""
    system = tmdd()
    processes = [
        Process(p.name, {**p.stoichiometry, goal: 1}, p.rate)
        if (goal := {"elimination": "cleared", "internalisation": "internalised"}.get(p.name))
        else p
        for p in system.processes
    ]
    states = [*system.states, "cleared", "internalised"]
    closed = dataclasses.replace(
        system,
        states=dict.fromkeys(states, "nmol"),
        processes=processes,
        accumulators=["cleared", "internalised"],
        outputs=dict(system.outputs)
        | {f"{name}_": Output("nmol", lambda s, name=name: s[name]) for name in states},
    )
    (law,) = closed.conservation_laws()
    events = planned(TMDD_DOSES, TMDD_TIMES, 1, {f"{name}_": "nmol" for name in states}, "day")
    path = closed.solve(events, TMDD_VALUES, solver=solver(rtol=1e-3))
    total = sum(path[f"{name}_"] for name in law.split(" + ")).eval(mode="NUMBA")
    expected = [sum(dose for start, dose in TMDD_DOSES if start < t) for t in TMDD_TIMES]
    np.testing.assert_allclose(total, expected, rtol=1e-11)


N_DRAWS = 300


def wide(values, seed=1):
    draws = np.random.default_rng(seed)
    return {name: x * draws.lognormal(0, 1.5, N_DRAWS) for name, x in values.items()}


def report(name, solver, found, expected, bars):
    """Require that every subject is right or NaN, and say how many are which."""
    scale = np.nanmax(np.abs(expected), axis=1, keepdims=True) + 1e-300
    missing = np.isnan(found).any(axis=1)
    known = np.isfinite(expected).all(axis=1)
    error = np.abs(found - expected).max(axis=1) / scale[:, 0]
    finite = np.isfinite(np.array(bars)).all(axis=0)
    print(
        f"{name}, {solver}: {N_DRAWS} draws, {missing.sum()} NaN, {(~known).sum()} without a reference, "
        f"largest error {np.nanmax(error[known]):.1e}, median {np.nanmedian(error):.1e}; "
        f"{(~finite).sum()} without a gradient"
    )
    wrong = np.flatnonzero(~missing & known & ~(error < 1e-3))
    assert not wrong.size, f"{name}, {solver}: draws {wrong.tolist()}, errors {error[wrong]}"
    return missing, finite


def solve_all(system, events, draws, output, solver):
    params = {name: pt.dvector(name) for name in draws}
    path = system.solve(events, params, solver=solver)
    grad = pt.grad(path[output].sum(), list(params.values()), disconnected_inputs="ignore")
    function = pytensor.function(list(params.values()), [path[output], *grad], mode="NUMBA")
    values, *bars = function(*draws.values())
    return values.reshape(N_DRAWS, -1), bars


def one_by_one(function, start, outputs, draws, doses, times, output, method, rtol, atol):
    found = []
    for k in range(N_DRAWS):
        p = {name: x[k] for name, x in draws.items()}
        try:
            found.append(reference(function, start, outputs, p, doses, times, method, rtol, atol)[output])
        except (AssertionError, FloatingPointError):
            found.append(np.full(len(times), np.nan))
    return np.array(found)


@functools.cache
def tmdd_of_wide_draws():
    return one_by_one(
        tmdd_by_hand, tmdd_start, tmdd_outputs, wide(TMDD_VALUES), TMDD_DOSES, TMDD_TIMES, "Cc",
        "Radau", 1e-8, 1e-8,
    )  # fmt: skip


@functools.cache
def cascade_of_wide_draws():
    """In some draws hardly anything is ever active: errors must be relative to that."""
    return one_by_one(
        cascade_by_hand, cascade_start, cascade_outputs, wide(CASCADE_VALUES), [], CASCADE_TIMES, "MAPK_active",
        "LSODA", 1e-11, 1e-18,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("solver", [Automatic, Rodas5P], ids=["Automatic", "Rodas5P"])
def test_wide_draws_of_michaelis_menten(solver):
    times, dose = np.geomspace(0.01, 200, 20), 300.0
    draws = wide(MM_VALUES)
    subjects = pd.DataFrame({"nothing": np.ones(N_DRAWS)})
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"nothing": ""})
    events = planned_study(Regimen(dose, into="central"), subjects, times, units=units).events()
    found, bars = solve_all(MM, events, draws, "Cc", solver())
    Vmax, Km, Vc = (draws[name][:, None] for name in MM_VALUES)
    ratio = dose / Vc / Km
    expected = Km * wrightomega(np.log(ratio) + ratio - Vmax / Vc / Km * times)
    missing, finite = report("Michaelis-Menten", solver.__name__, found, expected, bars)
    assert not missing.any()
    assert finite.all()


@pytest.mark.slow
@pytest.mark.parametrize("solver", [Automatic, Rodas5P], ids=["Automatic", "Rodas5P"])
def test_wide_draws_of_target_mediated_disposition(solver):
    draws = wide(TMDD_VALUES)
    events = planned(TMDD_DOSES, TMDD_TIMES, N_DRAWS, {"Cc": "nmol/L"}, "day")
    found, bars = solve_all(tmdd(), events, draws, "Cc", solver())
    expected = tmdd_of_wide_draws()
    report("TMDD", solver.__name__, found, expected, bars)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [Automatic, Rodas5P], ids=["Automatic", "Rodas5P"])
def test_wide_draws_of_the_cascade(solver):
    draws = wide(CASCADE_VALUES)
    events = resting(range(N_DRAWS), CASCADE_TIMES)
    found, bars = solve_all(CASCADE, events, draws, "MAPK_active", solver())
    expected = cascade_of_wide_draws()
    report("MAPK cascade", solver.__name__, found, expected, bars)
