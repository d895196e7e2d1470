"""The whole-body model against equations written by hand, closed forms, mass balance and the laws of scaling."""

import dataclasses

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import qsp_bayes as qb
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk import ORGANS, Lumping, Organ, circulation, transit_times, whole_body_pbpk
from qsp_bayes.systems.solve import default_solver

VOLUME = {
    "lung": 0.5, "heart": 0.33, "brain": 1.45, "muscle": 29.0, "adipose": 15.0, "skin": 3.3, "bone": 10.5,
    "kidney": 0.31, "gut": 1.2, "spleen": 0.15, "pancreas": 0.14, "liver": 1.8, "rest": 4.0,
}  # fmt: skip
SHARE = {
    "heart": 0.04, "brain": 0.12, "muscle": 0.17, "adipose": 0.05, "skin": 0.05, "bone": 0.05, "kidney": 0.19,
    "gut": 0.15, "spleen": 0.03, "pancreas": 0.01, "hepatic_artery": 0.065, "rest": 0.075,
}  # fmt: skip
OUTPUT = 390.0
PARTITION = {organ: 0.4 + 0.35 * k for k, organ in enumerate(VOLUME)}
BODY = {
    **{f"V_{organ}": volume for organ, volume in VOLUME.items()},
    **{f"Q_{organ}": share * OUTPUT for organ, share in SHARE.items()},
    **{f"Kp_{organ}": value for organ, value in PARTITION.items()},
    **{"V_arterial": 1.8, "V_venous": 3.6, "BP": 0.8, "fup": 0.2, "CLint": 900.0, "GFR": 7.0, "CLsec": 60.0},
    **{"Vmax": 300.0, "Km": 0.05, "KA": 0.9, "Fa": 0.7, "MRTS": 0.25, "MRTI": 3.3},
    **{"PS_muscle": 40.0, "V_muscle_vascular": 0.5, "PS_brain": 2.0, "V_brain_vascular": 0.06},
    **{"PS_liver": 900.0, "V_liver_vascular": 0.4, "PS_kidney": 60.0, "V_kidney_vascular": 0.08},
}
VARIANTS = {
    "well-stirred": {},
    "parallel-tube": {"hepatic": "parallel-tube", "absorption": "first-order"},
    "dispersion": {"hepatic": "dispersion", "absorption": "transit"},
    "saturable": {"hepatic": "saturable", "absorption": "first-order"},
    "membranes": {"permeability_limited": ["muscle", "brain", "liver", "kidney"], "absorption": "transit"},
    "secretion": {"renal": ["filtration", "secretion"]},
    "nothing eliminates": {"hepatic": None, "renal": []},
}


def body(**options):
    system = whole_body_pbpk(**options)
    return system, {name: BODY[name] for name in system.parameters}


def by_hand(options):
    """The right-hand side on a dict of amounts, flow by flow, for one of the variants."""
    limited = options.get("permeability_limited", ())
    hepatic, renal = options.get("hepatic", "well-stirred"), options.get("renal", ["filtration"])
    portal, p = ("gut", "spleen", "pancreas"), BODY
    parallel = [organ for organ in VOLUME if organ not in ("lung", "liver")]
    total = sum(p[f"Q_{organ}"] for organ in parallel) + p["Q_hepatic_artery"]
    through_liver = p["Q_hepatic_artery"] + sum(p[f"Q_{organ}"] for organ in portal)

    def leaving(x, organ):
        if organ in limited:
            return x[f"{organ}_vascular"] / p[f"V_{organ}_vascular"]
        return p["BP"] * x[organ] / p[f"V_{organ}"] / p[f"Kp_{organ}"]

    def field(t, y, names):
        x = dict(zip(names, y, strict=True))
        d = dict.fromkeys(names, 0.0)
        enter = {organ: f"{organ}_vascular" if organ in limited else organ for organ in VOLUME}
        artery, vein = x["arterial"] / p["V_arterial"], x["venous"] / p["V_venous"]
        d["venous"] -= total * vein
        d["lung"] += total * (vein - leaving(x, "lung"))
        d["arterial"] += total * (leaving(x, "lung") - artery)
        for organ in parallel:
            flow = p[f"Q_{organ}"]
            d[enter[organ]] += flow * (artery - leaving(x, organ))
            d[enter["liver"] if organ in portal else "venous"] += flow * leaving(x, organ)
        d[enter["liver"]] += p["Q_hepatic_artery"] * artery - through_liver * leaving(x, "liver")
        d["venous"] += through_liver * leaving(x, "liver")
        for organ in limited:
            free = (
                p["fup"] / p["BP"] * leaving(x, organ)
                - p["fup"] * x[organ] / p[f"V_{organ}"] / p[f"Kp_{organ}"]
            )
            d[organ] += p[f"PS_{organ}"] * free
            d[f"{organ}_vascular"] -= p[f"PS_{organ}"] * free
        free = p["fup"] * x["liver"] / p["V_liver"] / p["Kp_liver"]
        ratio = p["fup"] * p["CLint"] / p["BP"] / through_liver
        if hepatic == "saturable":
            lost = p["Vmax"] * free / (p["Km"] + free)
        elif hepatic is None:
            lost = 0.0
        else:
            e = extraction(hepatic, ratio)
            lost = through_liver * e / (1 - e) * free * p["BP"] / p["fup"]
        if hepatic:
            d["liver"] -= lost
            d["metabolised"] += lost
        if "filtration" in renal:
            d[enter["kidney"]] -= p["GFR"] * p["fup"] * artery / p["BP"]
            d["urine"] += p["GFR"] * p["fup"] * artery / p["BP"]
        if "secretion" in renal:
            secreted = p["CLsec"] * p["fup"] * x["kidney"] / p["V_kidney"] / p["Kp_kidney"]
            d["kidney"] -= secreted
            d["urine"] += secreted
        if options.get("absorption") == "first-order":
            d["depot"] -= p["KA"] * x["depot"]
            d["gut"] += p["KA"] * x["depot"]
        if options.get("absorption") == "transit":
            chain, onward = [f"intestine{k}" for k in range(1, 8)], 7 / p["MRTI"]
            d["depot"] -= x["depot"] / p["MRTS"]
            d[chain[0]] += x["depot"] / p["MRTS"]
            for part, following in zip(chain, [*chain[1:], "faeces"], strict=True):
                d[part] -= (onward + p["KA"]) * x[part]
                d[following] += onward * x[part]
                d["gut"] += p["KA"] * x[part]
        return [d[name] for name in names]

    return field


def extraction(model, ratio):
    """The extraction ratio of the models of the liver, by their textbook formulas."""
    if model == "well-stirred":
        return ratio / (1 + ratio)
    if model == "parallel-tube":
        return 1 - np.exp(-ratio)
    dn = 0.17
    a = np.sqrt(1 + 4 * ratio * dn)
    left = (1 + a) ** 2 * np.exp((a - 1) / 2 / dn) - (1 - a) ** 2 * np.exp(-(a + 1) / 2 / dn)
    return 1 - 4 * a / left


def amounts(system):
    """Every state as an output."""

    def amount(name):
        return lambda s: s[name]

    watched = {f"A_{name}": qb.Output("mg", amount(name)) for name in system.states}
    return dataclasses.replace(system, outputs={**system.outputs, **watched})


@pytest.mark.parametrize("name", VARIANTS)
def test_every_state_follows_the_equations_written_by_hand_and_mass_is_balanced(name):
    system, values = body(**VARIANTS[name])
    times = np.array([0.05, 0.3, 1.0, 3.0, 8.0, 24.0, 200.0])
    into = "depot" if "depot" in system.states else "venous"
    found = amounts(system).course(values, times, qb.Regimen(100, unit="mg", into=into))
    given = 100 * values.get("Fa", 1.0)
    total = sum(found[f"A_{state}"] for state in system.states)
    np.testing.assert_allclose(total, given, rtol=1e-9)
    names = list(system.states)
    expected = solve_ivp(
        by_hand(VARIANTS[name]),
        (0, 24),
        [given if state == into else 0.0 for state in names],
        t_eval=times[:-1],
        args=(names,),
        method="LSODA",
        rtol=1e-11,
        atol=1e-13,
    ).y
    for state, course in zip(names, expected, strict=True):
        np.testing.assert_allclose(found[f"A_{state}"][:-1], course, rtol=2e-6, atol=1e-7, err_msg=state)


@pytest.mark.parametrize(
    "limited", [[], ["muscle", "brain", "liver", "kidney"]], ids=["perfusion", "membranes"]
)
def test_without_elimination_the_body_fills_to_its_volume_at_steady_state(limited):
    system, values = body(hepatic=None, renal=[], permeability_limited=limited)
    found = system.course(values, [2000.0], qb.Regimen(100, unit="mg", into="venous"))
    blood = sum(values[name] for name in ("V_arterial", "V_venous", *(f"V_{o}_vascular" for o in limited)))
    expected = blood * BODY["BP"] + sum(PARTITION[organ] * VOLUME[organ] for organ in VOLUME)
    assert 100 / found.Cc.item() == pytest.approx(expected, rel=1e-6)
    assert 100 / found.C_arterial.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("model", ["well-stirred", "parallel-tube", "dispersion"])
def test_at_steady_state_the_liver_extracts_as_its_model_says(model):
    system, values = body(hepatic=model, renal=[])
    infusion = qb.Regimen(5000 * 12.0, unit="mg", duration=5000, into="venous")
    found = system.course(values, [4990.0], infusion)
    flow = sum(values[f"Q_{organ}"] for organ in ("hepatic_artery", "gut", "spleen", "pancreas"))
    e = extraction(model, BODY["fup"] * BODY["CLint"] / BODY["BP"] / flow)
    if model == "well-stirred":
        fub = BODY["fup"] / BODY["BP"]
        assert e == pytest.approx(fub * BODY["CLint"] / (flow + fub * BODY["CLint"]))
    artery = found.C_arterial.item()
    assert found.C_liver.item() * VOLUME["liver"] == pytest.approx(
        PARTITION["liver"] * (1 - e) * VOLUME["liver"] * artery, rel=1e-6
    )
    assert 12.0 / (artery * BODY["BP"]) == pytest.approx(flow * e, rel=1e-6)


def test_renal_clearance_is_filtration_and_secretion_of_what_is_left():
    system, values = body(hepatic=None, renal=["filtration", "secretion"])
    found = system.course(values, [4990.0], qb.Regimen(5000 * 12.0, unit="mg", duration=5000, into="venous"))
    fub, flow = BODY["fup"] / BODY["BP"], values["Q_kidney"]
    filtered, secreted = fub * BODY["GFR"], fub * BODY["CLsec"]
    expected = filtered + (flow - filtered) * secreted / (flow + secreted)
    assert 12.0 / (found.C_arterial.item() * BODY["BP"]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("absorption", ["first-order", "transit"])
def test_bioavailability_is_what_is_absorbed_and_passes_the_liver(absorption):
    system, values = body(absorption=absorption, hepatic="dispersion")
    system = system.accumulate(AUC="Cc")
    area = {
        into: system.course(values, [3000.0], qb.Regimen(100, unit="mg", into=into)).AUC.item()
        for into in ("venous", "depot")
    }
    flow = sum(values[f"Q_{organ}"] for organ in ("hepatic_artery", "gut", "spleen", "pancreas"))
    e = extraction("dispersion", BODY["fup"] * BODY["CLint"] / BODY["BP"] / flow)
    absorbed = {"first-order": BODY["Fa"], "transit": 1 - (1 + BODY["KA"] * BODY["MRTI"] / 7) ** -7}[
        absorption
    ]
    assert area["depot"] / area["venous"] == pytest.approx(absorbed * (1 - e), rel=1e-6)


def disposition(values):
    """Clearance, volume at steady state and terminal half-life that emerge from the body."""
    system = whole_body_pbpk(renal=[]).accumulate(AUC="Cc")
    weight = values["V_muscle"] / BODY["V_muscle"]
    slow = weight**0.25
    found = system.course(
        {name: values[name] for name in system.parameters},
        np.array([60.0, 62.0, 4000.0]) * slow,
        qb.Regimen(100, unit="mg", into="venous"),
    )
    early, late, _ = found.Cc.values
    half_life = np.log(2) * 2.0 * slow / np.log(early / late)
    closed = whole_body_pbpk(hepatic=None, renal=[])
    filled = closed.course(
        {name: values[name] for name in closed.parameters},
        [4000.0 * slow],
        qb.Regimen(100, unit="mg", into="venous"),
    )
    return {"CL": 100 / found.AUC.values[-1], "Vss": 100 / filled.Cc.item(), "half-life": half_life}


def scaled(weight, exponent_of_intrinsic_clearance):
    """The body of an animal of another weight, in shares of the human one."""
    powers = {"V": 1.0, "Q": 0.75, "CLint": exponent_of_intrinsic_clearance}
    relative = weight / 70.0
    return {name: value * relative ** powers.get(name.split("_")[0], 0.0) for name, value in BODY.items()}


def test_a_body_scaled_by_kleibers_law_scales_as_allometry_says():
    human, mouse = disposition(scaled(70.0, 0.75)), disposition(scaled(0.02, 0.75))
    exponent = {name: np.log(human[name] / mouse[name]) / np.log(70 / 0.02) for name in human}
    assert exponent["CL"] == pytest.approx(0.75, abs=1e-6)
    assert exponent["Vss"] == pytest.approx(1.0, abs=1e-6)
    assert exponent["half-life"] == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("power", [0.6, 1.0])
def test_the_exponent_of_clearance_departs_with_that_of_intrinsic_clearance_as_extraction_says(power):
    human, mouse = disposition(scaled(70.0, power)), disposition(scaled(0.02, power))

    def clearance(values):
        flow = sum(values[f"Q_{organ}"] for organ in ("hepatic_artery", "gut", "spleen", "pancreas"))
        fub = values["fup"] / values["BP"]
        return values["BP"] * flow * fub * values["CLint"] / (flow + fub * values["CLint"])

    expected = np.log(clearance(scaled(70.0, power)) / clearance(scaled(0.02, power))) / np.log(70 / 0.02)
    found = np.log(human["CL"] / mouse["CL"]) / np.log(70 / 0.02)
    assert found == pytest.approx(expected, abs=1e-6)
    assert abs(found - 0.75) > 0.02


MINIMAL = Lumping(
    {"slow": ["muscle", "adipose", "skin", "bone"], "rapid": ["heart", "brain", "kidney", "rest"]},
    lung_as_blood=True,
)


def test_organs_with_one_transit_time_are_one_organ():
    without_lung = [organ for organ in ORGANS if organ.name != "lung"]
    lumping = Lumping(MINIMAL.groups, organs=without_lung)
    equal = dict(BODY)
    for name, members in lumping.groups.items():
        for organ in members:
            equal[f"Kp_{organ}"] = (
                {"slow": 2.0, "rapid": 0.05}[name] * equal[f"Q_{organ}"] / equal[f"V_{organ}"]
            )
    options = {"renal": [], "absorption": "first-order"}
    whole = whole_body_pbpk(organs=without_lung, **options)
    small = whole_body_pbpk(organs=lumping.table, **options)
    given = {name: equal[name] for name in whole.parameters}
    lumped = lumping.values(given)
    assert set(lumped) == set(small.parameters)
    times = np.array([0.1, 0.5, 2.0, 8.0, 24.0])
    dose = qb.Regimen(100, unit="mg", into="depot")
    exact, found = whole.course(given, times, dose), small.course(lumped, times, dose)
    np.testing.assert_allclose(found.Cc, exact.Cc, rtol=1e-9)
    mass = sum(exact[f"C_{organ}"] * equal[f"V_{organ}"] for organ in lumping.groups["slow"])
    np.testing.assert_allclose(found.C_slow * lumped["V_slow"], mass, rtol=1e-9)


def test_lumping_keeps_flow_and_volume_where_transit_times_differ():
    options = {"hepatic": None, "renal": []}
    whole, small = whole_body_pbpk(**options), whole_body_pbpk(organs=MINIMAL.table, **options)
    values = {name: BODY[name] for name in whole.parameters}
    dose = qb.Regimen(100, unit="mg", into="venous")
    filled = [
        system.course(given, [3000.0], dose).Cc.item()
        for system, given in ((whole, values), (small, MINIMAL.values(values)))
    ]
    assert filled[0] == pytest.approx(filled[1], rel=1e-6)
    times = transit_times(values)
    assert list(times)[-1] == "adipose"
    assert times["muscle"] == pytest.approx(29.0 * PARTITION["muscle"] / (0.8 * 0.17 * 390))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: whole_body_pbpk(hepatic="sinusoidal"), "hepatic 'sinusoidal' is not known"),
        (lambda: whole_body_pbpk(renal=["reabsorption"]), "renal reabsorption is not known"),
        (lambda: whole_body_pbpk(absorption="rectal"), "absorption 'rectal' is not known"),
        (lambda: whole_body_pbpk(absorption="transit", n_transit=0), "at least 1 compartment"),
        (lambda: whole_body_pbpk(permeability_limited=["tail"]), "there is no organ tail"),
        (lambda: whole_body_pbpk(organs=[Organ("rest")]), "hepatic needs an organ 'liver'"),
        (lambda: whole_body_pbpk(dispersion=0), "it must be positive"),
        (
            lambda: whole_body_pbpk(hepatic="dispersion", permeability_limited=["liver"]),
            "perfusion-limited",
        ),
        (lambda: circulation(organs=[Organ("gut", "liver")]), "drains into 'liver', which does not exist"),
        (lambda: circulation(organs=[Organ("gut"), Organ("gut")]), "two organs are called 'gut'"),
        (lambda: circulation(organs=[Organ("venous")]), "which is blood"),
        (lambda: circulation(organs=[Organ("lung", "arterial")]), "no organ with an arterial flow"),
        (
            lambda: circulation(organs=[Organ("a", "b"), Organ("b", "c"), Organ("c")]),
            "must drain into 'venous' or 'arterial' blood",
        ),
        (
            lambda: circulation(organs=[Organ("lung", "arterial"), Organ("rest", "lung")]),
            "which the whole cardiac output passes",
        ),
        (
            lambda: circulation(organs=[Organ("lung", "arterial"), Organ("gill", "arterial"), Organ("rest")]),
            "two organs drain into arterial blood",
        ),
        (lambda: Organ("brain", exchange="diffusion"), "exchange 'diffusion' is not known"),
        (lambda: Lumping({"slow": ["fat"]}), "there is no organ 'fat'"),
        (lambda: Lumping({"a": ["skin"], "b": ["skin"]}), "stands in two groups"),
        (lambda: Lumping({"a": ["skin", "gut"]}), "must go to one place"),
        (lambda: Lumping({"a": ["liver"]}), "it stays an organ"),
        (lambda: Lumping({"gut": ["skin"]}), "Give the group another name"),
        (lambda: MINIMAL.values({"V_muscle": 1.0}), "the value of V_adipose is missing"),
    ],
)
def test_what_makes_no_body_is_refused(make, says):
    with pytest.raises(MechanismError, match=says):
        make()


def test_a_wrong_flow_is_noticed():
    system, values = body(renal=[])
    wrong = values | {"Q_gut": values["Q_gut"] * 1.01}
    dose = qb.Regimen(100, unit="mg", into="venous")
    right, other = (system.course(v, [1.0], dose).Cc.item() for v in (values, wrong))
    assert abs(other / right - 1) > 1e-5


def test_portal_flow_is_counted_once():
    names = [organ.flow for organ in ORGANS if organ.flow]
    assert len(names) == len(set(names)) == 12
    total = sum(BODY[name] for name in names)
    assert total == pytest.approx(OUTPUT)


def matrix(values, options):
    """The matrix of a linear variant, column by column from the equations written by hand, and its states."""
    names = list(body(**options)[0].states)
    saved = dict(BODY)
    try:
        BODY.update(values)
        field = by_hand(options)
        return np.array([field(0.0, unit, names) for unit in np.eye(len(names))]).T, names
    finally:
        BODY.update(saved)


def plasma(values, times, options):
    """Venous plasma after 100 mg by mouth, by matrix exponentials."""
    A, names = matrix(values, options)
    start = 100 * values["Fa"] * (np.array(names) == "depot")
    vein = names.index("venous")
    return np.array([(expm(A * t) @ start)[vein] for t in times]) / values["V_venous"] / values["BP"]


@pytest.mark.parametrize("apart", [1e-1, 1e-2, 1e-3, 1e-6], ids=lambda apart: f"{apart:g}")
def test_absorption_as_fast_as_an_organ_fills_keeps_values_and_derivatives(apart):
    """Rates that nearly coincide: by eigenvectors down to 1e-4, and by a series below."""
    options = {"absorption": "first-order"}
    system, values = body(**options)
    A, _ = matrix(values, options)
    rates = -np.linalg.eigvals(A).real
    values["KA"] = float(np.sort(rates[rates > 0.3])[1] * (1 + apart))
    times = np.array([0.2, 1.0, 4.0, 12.0])
    events = qb.planned_study(
        qb.Regimen(100, unit="mg", into="depot"),
        qb.Subjects(pd.DataFrame({"WT": [70.0]}, index=["1"]), {"WT": "kg"}, "one"),
        times,
        units=StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"}),
        outputs=["Cc"],
        compartments=list(system.doses),
    ).events()
    KA = pt.dscalar("KA")
    found = system.solve(events, values | {"KA": KA})["Cc"]
    slopes = pt.stack([pt.grad(found[k], KA) for k in range(len(times))])
    evaluated, derivative = pytensor.function([KA], [found, slopes], mode="NUMBA")(values["KA"])
    np.testing.assert_allclose(evaluated, plasma(values, times, options), rtol=1e-9)
    step = 1e-5 * values["KA"]
    above, below = (plasma(values | {"KA": values["KA"] + sign * step}, times, options) for sign in (1, -1))
    np.testing.assert_allclose(derivative, (above - below) / (2 * step), rtol=1e-5)


def test_random_bodies_are_solved_to_one_in_a_billion():
    options = {"absorption": "first-order", "renal": ["filtration", "secretion"]}
    system, values = body(**options)
    random = np.random.default_rng(3)
    times = np.array([0.5, 3.0, 12.0])
    for _ in range(5):
        drawn = {
            name: value if name in ("fup", "Fa") else value * np.exp(0.3 * random.standard_normal())
            for name, value in values.items()
        }
        found = system.course(drawn, times, qb.Regimen(100, unit="mg", into="depot"), outputs=["Cc"])
        np.testing.assert_allclose(found.Cc, plasma(drawn, times, options), rtol=1e-9)


def test_the_solver_is_exact_unless_a_chain_of_equal_compartments_stands_before_the_circulation():
    chosen = {
        kind: default_solver(whole_body_pbpk(absorption=kind).symbolic())
        for kind in ("first-order", "transit")
    }
    assert isinstance(chosen["first-order"], qb.ode.Linear)
    assert isinstance(chosen["transit"], qb.ode.Automatic)
    assert isinstance(default_solver(qb.two_compartment(absorption="transit").symbolic()), qb.ode.Linear)
