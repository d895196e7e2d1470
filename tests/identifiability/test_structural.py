"""Structural identifiability: verdicts of the literature, derivations by hand, and numerical sensitivities."""

import json
from fractions import Fraction
from itertools import pairwise

import by_equations
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from by_equations import cases, system_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import qsp_bayes as qb
from qsp_bayes import Experiment, MechanismError, structural_identifiability
from qsp_bayes.identifiability.structural.combinations import known_directions
from qsp_bayes.identifiability.structural.design import design_of
from qsp_bayes.identifiability.structural.groebner import Endless, distinct_values
from qsp_bayes.identifiability.structural.jacobian import jacobian
from qsp_bayes.identifiability.structural.modular import (
    PRIMES,
    as_fraction,
    intersection,
    null_space,
    rank,
    reduced,
    residue,
)
from qsp_bayes.identifiability.structural.point import Point
from qsp_bayes.identifiability.structural.series import observed
from qsp_bayes.systems.course import dosed
from qsp_bayes.systems.linear import linear_form

CASES = cases()
GLOBAL, LOCAL, NOT = "globally identifiable", "locally identifiable", "not identifiable"

# Rational systems whose solutions are counted within a second or two: here nothing may stay undecided.
COUNTED = (
    "circle_param_two_outputs", "dose_effect_compartment_emax_effect_only", "dose_idr1_conc_and_effect",
    "dose_iv1_mm_bolus", "dose_tmdd_irreversible_free_drug", "generalized_lv_two_outputs",
    "hiv_timevarying_infection_known", "indirect_response_I_infusion", "logistic_predator_prey",
    "lotka_volterra_generic", "lotka_volterra_predator_ic_known", "lotka_volterra_prey_input",
    "mm_elimination_scaled_output_no_input", "modified_lv_symmetric_rates", "oral_glucose_minimal_daisy",
    "pk1_mm_no_input_conc_scaled", "pk1_parallel_mm_linear_infusion", "quadratic_two_state",
    "reciprocal_growth_generic", "reciprocal_growth_known_ic", "ruminal_lipolysis", "sir_births_scaled_prevalence",
    "sir_cquarantine_cd_observed", "stat5_const_receptor", "two_compartment_mm_split",
)  # fmt: skip
COUNTED_SLOWLY = ("dose_tmdd_full_free_drug", "hiv_target_cell_viral_load", "seir_prevalence")


def agree(verdict: str, stated: str, decided: bool) -> bool:
    """Whether a verdict says what the table does; undecided only where that is allowed."""
    if stated == "none":
        return verdict == NOT
    if stated == "identifiable":
        return verdict.startswith((GLOBAL, LOCAL))
    if verdict == LOCAL:
        return not decided
    return verdict == GLOBAL if stated == "global" else verdict.startswith("locally identifiable (")


def contradictions(
    case: by_equations.Case, unknown_start: bool, seconds: float
) -> dict[str, tuple[str, str]]:
    """Verdicts that differ from the table, each with what is stated."""
    experiments = case.unknown_start if unknown_start else case.experiments
    found = structural_identifiability(case.system, experiments, seconds=seconds)
    stated = dict(case.facts["verdict_unknown_start" if unknown_start else "verdict"])
    if not unknown_start:
        starts = case.facts.get("start_verdict", {})
        stated |= {f"{x}(0)": verdict for x, verdict in starts.items() if f"{x}(0)" in found.starts}
        assert found.rank == case.facts["rank"]
    linear = linear_form(case.system.symbolic()) is not None and "emax" not in case.name
    decided = seconds > 0 and (linear or case.name in COUNTED + COUNTED_SLOWLY)
    assert found.error_bound < 1e-6
    return {
        name: (found[name], verdict)
        for name, verdict in stated.items()
        if not agree(found[name], verdict, decided and verdict != "identifiable")
    }


def is_quick(case: by_equations.Case) -> bool:
    return case.name in COUNTED or linear_form(case.system.symbolic()) is not None


def test_the_table_has_all_72_cases_18_of_them_dosed():
    assert len(CASES) == 72
    assert sum(bool(case.arms) for case in CASES.values()) == 18


@pytest.mark.parametrize("name", CASES)
def test_verdicts_are_those_of_the_literature(name):
    """Rank for all of them; number of solutions for every linear system, and where it is quick."""
    case = CASES[name]
    assert contradictions(case, unknown_start=False, seconds=30 if is_quick(case) else 0) == {}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.arms])
def test_the_same_systems_from_an_unknown_start_without_a_dose(name):
    """The dose makes a difference: volumes are known through it alone."""
    case = CASES[name]
    linear = linear_form(case.system.symbolic()) is not None and "emax" not in name
    assert contradictions(case, unknown_start=True, seconds=30 if linear else 0) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not is_quick(case)])
def test_what_is_counted_of_larger_systems_agrees_too(name):
    seconds = 60 if name in COUNTED_SLOWLY else 10
    assert contradictions(CASES[name], unknown_start=False, seconds=seconds) == {}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "combinations" in case.facts])
def test_combinations_of_the_literature_are_determined(name):
    """Adding the gradient of a stated combination does not raise the rank; adding that of a parameter it has may."""
    case = CASES[name]
    design = design_of(case.system, case.experiments, ())
    design.tape.known = {
        variable: design.tape.slot("unknown" if parameter in design.unknowns else "known", parameter)
        for parameter, variable in case.system.symbolic().parameters.items()
    } | {variable: design.pieces[0].start[x] for x, variable in case.system.symbolic().states.items()}
    found = jacobian(design, PRIMES[0], 3, len(design.unknowns) + len(case.system.states) + 6)
    point = Point(PRIMES[0], design.unknowns, 3)
    symbolic = case.system.symbolic()
    names = {**symbolic.parameters, **symbolic.states}
    for text in case.facts["combinations"]:
        slot = design.tape.write(by_equations.formula(text)(names), text)
        row = observed(design.tape, design.pieces[0], point, 0, [slot])[slot][0, 1:]
        assert rank(np.vstack([found.rows, row]), PRIMES[0]) == rank(found.rows, PRIMES[0]), text


def test_a_wrong_table_is_noticed():
    """Flip-flop stated as global, a lost volume as known, and a rank one too large, fail."""
    case = CASES["dose_oral1_F_one_CL"]
    wrong = by_equations.Case(
        "wrong", case.facts | {"verdict": {"ka": "global", "CL": "global", "V": "none"}}
    )
    assert set(contradictions(wrong, False, 10)) == {"ka", "V"}
    with pytest.raises(AssertionError):
        contradictions(by_equations.Case("wrong", case.facts | {"rank": 4}), False, 0)


# Systems of the library, with derivations by hand.


def verdicts(system, *experiments, seconds=20.0, **options):
    return structural_identifiability(system, list(experiments) or None, seconds=seconds, **options)


def test_oral_dose_with_unknown_bioavailability():
    """A = F D e^(-KA t) into central: Cc = (F D KA / Vc) (e^(-KA t) - e^(-k t)) / (k - KA), k = CL / Vc.

    The exponents give the set {KA, k} (two ways to name them), the factor F KA / Vc. Scaling F, CL and Vc alike changes
    neither: CL/F and Vc/F remain.
    """
    found = verdicts(
        qb.one_compartment(absorption="first-order", bioavailability=True), Experiment({"depot": 100}, ["Cc"])
    )
    assert found["KA"] == "locally identifiable (2 solutions)"
    assert {found[name] for name in ("F", "CL", "Vc")} == {NOT}
    assert set(found.combinations) == {"CL/F", "Vc/F"}
    assert found.symmetries.scalings == ({"F": 1, "CL": 1, "Vc": 1},)
    assert found.symmetries.complete
    assert set(found.remedies.fix) == {("F",), ("CL",), ("Vc",)}


def test_oral_dose_without_bioavailability_flips_volume_and_rate():
    """With F = 1 the factor is KA / Vc and k KA = CL KA / Vc: CL has one value, KA and Vc have two."""
    found = verdicts(qb.one_compartment(absorption="first-order"), Experiment({"depot": 100}, ["Cc"]))
    assert found.solutions == {"KA": 2, "CL": 1, "Vc": 2}


def test_an_intravenous_arm_tells_absolute_bioavailability():
    """The bolus gives Vc = D / Cc(0) and k, so that KA is the other exponent and F follows from F KA / Vc."""
    system = qb.one_compartment(absorption="first-order", bioavailability=True)
    found = verdicts(system, Experiment({"depot": 100}, ["Cc"]), Experiment({"central": 100}, ["Cc"]))
    assert set(found.solutions.values()) == {1}


def test_three_compartments_swap_their_peripheral_ones():
    """The transfer function is symmetric in (Q, Vp) and (Q2, Vp2); CL and Vc are not touched by the exchange."""
    found = verdicts(qb.three_compartment(), Experiment({"central": 100}, ["Cc"]))
    assert found.solutions == {"CL": 1, "Vc": 1, "Q": 2, "Vp": 2, "Q2": 2, "Vp2": 2}


def test_metabolite_without_its_own_dose():
    """Cm = (fm k D / Vm) (e^(-km t) - e^(-k t)) / (k - km) with km = CLm / Vm, while Cc tells k, Vc and so which is km.

    fm / Vm and km are left of fm, CLm and Vm: CLm/fm and Vm/fm.
    """
    found = verdicts(qb.with_metabolite(qb.one_compartment()), Experiment({"central": 100}))
    assert (found["CL"], found["Vc"]) == (GLOBAL, GLOBAL)
    assert set(found.combinations) == {"CLm/fm", "Vm/fm"}
    assert found.remedies.observe["metabolite"] == ("fm", "CLm", "Vm")


def test_enterohepatic_recycling_from_plasma():
    """Only CL + CLb leaves central and only CLb Fb comes back; bile and gut are passed in one order or the other.

    So CL, CLb and Fb are known as CL + CLb and CLb Fb; kb and ka can change places.
    """
    system = qb.one_compartment() + qb.enterohepatic()
    found = verdicts(system, Experiment({"central": 100}, ["Cc"]))
    assert {name for name, verdict in found.parameters.items() if verdict == NOT} == {"CL", "CLb", "Fb"}
    assert set(found.combinations) == {"CLb*Fb", "CL + CLb"}
    assert found.symmetries.complete
    assert (found.solutions["kb"], found.solutions["ka"], found.solutions["Vc"]) == (2, 2, 1)


def test_michaelis_menten_target_shows_the_product_of_kint_and_r0():
    """The rate is kint R0 Cc / (Kss + Cc), all that free drug sees of the target."""
    system = qb.tmdd(compartments=1, approximation="Michaelis-Menten")
    found = verdicts(system, Experiment({"central": 100}, ["Cc"]))
    assert found.combinations == ("R0*kint",)
    assert {found[name] for name in ("CL", "Vc", "Kss")} == {GLOBAL}
    assert "RC" in found.remedies.observe_for["kint"]


def test_full_tmdd_from_free_drug_alone():
    """Cc(0) = D/Vc; Cc' = -(k + kon R0) Cc(0); each further derivative brings the next of kon, koff, R0, kdeg, kint."""
    found = verdicts(qb.tmdd(compartments=1), Experiment({"central": 100}, ["Cc"]), seconds=60)
    assert found.identifiable
    assert set(found.solutions.values()) == {1}


def test_full_tmdd_under_the_skin_loses_the_scale_of_amounts():
    """A depot with unknown F and no intravenous arm: F D / Vc is all that free drug sees of F and Vc.

    The amounts scale together: CL with Vc and F; kon, R0 and the rate constants act on concentrations and stay.
    """
    system = qb.tmdd(compartments=1, absorption="first-order", bioavailability=True)
    found = verdicts(system, Experiment({"depot": 100}, ["Cc"]), seconds=0)
    assert {name for name, verdict in found.parameters.items() if verdict == NOT} == {"F", "CL", "Vc"}
    assert set(found.combinations) == {"CL/F", "Vc/F"}


def test_irreversible_binding_does_not_show_internalisation():
    """Nothing comes back from the complex, so that kint is in no equation of free drug: it moves alone."""
    system = qb.tmdd(compartments=1, approximation="irreversible")
    found = verdicts(system, Experiment({"central": 100}, ["Cc"]), seconds=0)
    assert [name for name, verdict in found.parameters.items() if verdict == NOT] == ["kint"]
    assert found.symmetries.together == (("kint",),)
    assert found.remedies.fix == (("kint",),)


def test_saturable_elimination_needs_the_dose():
    """C' = -(Vmax/Vc) C / (Km + C): without a known amount only Vmax/Vc and Km; Cc(0) = D/Vc adds Vc."""
    system = qb.one_compartment(elimination="saturable")
    assert set(verdicts(system, Experiment({"central": 100})).solutions.values()) == {1}
    unknown = verdicts(system, Experiment(initial="unknown"))
    assert unknown["Km"] == GLOBAL
    assert "Vmax/Vc" in unknown.combinations
    # Cc(0) is known as well: the amount at the start is as unknown as the volume.
    assert unknown["central(0)"] == NOT


def test_indirect_response_without_concentrations():
    """Only C / IC50 acts, and C = A / Vc with A' = -k A known by its rate: Vc IC50 and CL / Vc are what is seen."""
    system = qb.one_compartment() + qb.indirect_response()
    found = verdicts(system, Experiment({"central": 100}, ["response"]), seconds=0)
    assert set(found.combinations) == {"CL*IC50", "Vc*IC50"}
    with_levels = verdicts(system, Experiment({"central": 100}, ["Cc", "response"]))
    assert set(with_levels.solutions.values()) == {1}


def test_effect_compartment_flips_with_elimination():
    """Ce is a Bateman function of k and ke0, which its effect E0 + Emax Ce / (EC50 + Ce) keeps: two names for each."""
    system = qb.one_compartment() + qb.effect_compartment() + qb.direct_effect(driver="Ce")
    found = verdicts(system, Experiment({"central": 100}, ["E"]), seconds=30)
    assert found.solutions["ke0"] == 2
    both = verdicts(system, Experiment({"central": 100}, ["Cc", "E"]))
    assert set(both.solutions.values()) == {1}


def test_receptor_cascade_knows_kinases_up_to_their_units():
    """Active kinase is a share of its total: scaling concentrations, K and V of one level changes nothing."""
    found = verdicts(qb.mapk_cascade(), Experiment(outputs=["MAPK_active"]), seconds=0)
    combinations = set(found.combinations)
    for level, constants in {"MKKK_total": "K1 K2 V2", "MKK_total": "K3 K4 K5 K6 V5 V6"}.items():
        assert {f"{constant}/{level}" for constant in constants.split()} <= combinations
    assert found.conditions


def test_a_lag_time_is_seen_where_the_dose_is():
    """Nothing happens before tlag. A lag of doses into a depot that reaches nothing observed is not seen."""
    oral = qb.one_compartment(absorption="first-order", lag=True)
    assert verdicts(oral, Experiment({"depot": 100}, ["Cc"])).solutions["tlag"] == 1
    apart = system_of(["A' = -k*A", "B' = -m*B"], ["y = A"], ["k", "m"], doses={"A": "", "B": ""})
    lagged = qb.System(
        apart.states, {**apart.parameters, "lag": ""}, apart.processes, apart.outputs,
        {"A": qb.DoseInto(), "B": qb.DoseInto(lag=lambda s: s.lag)}, time_unit="",
    )  # fmt: skip
    assert verdicts(lagged, Experiment({"A": 1, "B": 1})).parameters == {"k": GLOBAL, "m": NOT, "lag": NOT}


def test_the_end_of_an_infusion_of_known_rate_shows_bioavailability():
    """With a rate R the infusion lasts F D / R, which is seen; with a known duration only F D / duration Vc is."""
    system = system_of(["A' = -k*A"], ["y = A/V"], ["k", "V", "F"], doses={"A": "F"})
    assert set(verdicts(system, Experiment({"A": 100}, rates={"A": 10})).solutions.values()) == {1}
    assert verdicts(system, Experiment({"A": 100}, durations={"A": 10})).combinations == ("F/V",) or (
        verdicts(system, Experiment({"A": 100}, durations={"A": 10})).combinations == ("V/F",)
    )


def test_zero_order_absorption_shows_its_duration():
    found = verdicts(
        qb.one_compartment(absorption="zero-order", bioavailability=True), Experiment({"depot": 100}, ["Cc"])
    )
    assert found["duration"] == GLOBAL
    assert set(found.combinations) == {"CL/F", "Vc/F"}


def test_parallel_absorption_can_exchange_its_depots():
    """Fr, KA and 1 - Fr, KA2 change places, and with them k: three exponents, any of which may be elimination."""
    found = verdicts(
        qb.one_compartment(absorption="parallel"), Experiment({"depot": 100}, ["Cc"]), seconds=30
    )
    assert found.identifiable
    assert found.solutions["KA"] == found.solutions["KA2"] >= 2


def test_a_baseline_at_rest_is_solved_for():
    """A' = kin - k A rests at kin/k; the dose jumps by D/V on top: y(0+) = kin/(k V) + D/V, y(inf) = kin/(k V)."""
    system = system_of(["A' = kin - k*A"], ["y = A/V"], ["kin", "k", "V"], doses={"A": ""})
    assert set(verdicts(system, Experiment({"A": 100}, initial="steady")).solutions.values()) == {1}
    undosed = verdicts(system, Experiment(initial="steady"))
    assert set(undosed.parameters.values()) == {NOT}
    assert undosed.combinations == ("kin/(k*V)",) or undosed.combinations == ("k*V/kin",)


def test_a_nonlinear_system_rests_without_drug():
    """TMDD rests at a target of R0 without drug, as the library says it starts."""
    system = qb.tmdd(compartments=1)
    arms = [Experiment({"central": 100}, ["Cc"], initial=start) for start in ("system", "steady")]
    first, second = (verdicts(system, arm, seconds=0) for arm in arms)
    assert first.parameters == second.parameters
    stuck = system_of(["x' = a - b*x^2"], ["y = x"], ["a", "b"])
    with pytest.raises(MechanismError, match="not linear"):
        verdicts(stuck, Experiment(initial="steady"))


def test_the_exponent_of_a_covariate_needs_two_individuals():
    """One weight gives CL WT^theta only; two weights give the ratio, and so theta."""
    system = qb.System(
        {"A": "mg"}, {"CL": "L/h", "V": "L", "theta": ""},
        [qb.Process("elimination", {"A": -1}, lambda s: s.CL * s.size**s.theta / s.V * s.A)],
        {"Cc": qb.Output("mg/L", lambda s: s.A / s.V)}, {"A": qb.DoseInto()}, inputs={"size": ""},
    )  # fmt: skip
    one = verdicts(system, Experiment({"A": 100}))
    assert one.parameters == {"CL": NOT, "V": LOCAL, "theta": NOT}
    two = verdicts(system, Experiment({"A": 100}), Experiment({"A": 100}))
    assert two.identifiable


def test_a_known_parameter_settles_what_moves_with_it():
    """What `fix` suggests holds when asked again with the parameter known."""
    for system, experiment in (
        (qb.one_compartment() + qb.enterohepatic(), Experiment({"central": 100}, ["Cc"])),
        (qb.with_metabolite(qb.one_compartment()), Experiment({"central": 100}, ["Cc"])),
    ):
        found = verdicts(system, experiment, seconds=0)
        assert found.remedies.fix
        for names in found.remedies.fix:
            assert verdicts(system, experiment, known=names, seconds=0).identifiable
        for name, settled in found.remedies.observe.items():
            more = Experiment(experiment.doses, [*experiment.outputs, name])
            again = verdicts(system, more, seconds=0)
            assert {x for x in settled if again[x] == NOT} == set()


def test_a_power_of_zero_decides_only_what_it_can():
    """With a sigmoid relation C^gamma has no power series at the first dose by mouth; Vc IC50 is still not two things.

    As a ratio (C/IC50)^gamma the effect cannot tell Vc from 1/IC50: both stay open even with gamma = 2.
    """
    system = qb.one_compartment(absorption="first-order") + qb.indirect_response(relation="sigmoid")
    found = verdicts(system, Experiment({"depot": 100}, ["response"]), seconds=0)
    assert {found[name] for name in ("CL", "Vc", "IC50")} == {NOT}
    assert found["gamma"] == LOCAL
    assert "power series" in found.conditions[0]
    assert not found.symmetries.complete


def test_what_only_the_lost_link_could_tell_is_not_decided():
    """y = c x^n with x' = k z, z' = -k z: the dose gives the scale of x, and so c, which unknown states do not."""
    system = qb.System(
        {"x": "", "z": ""}, {"k": "", "n": "", "c": ""},
        [qb.Process("x", {"x": 1}, lambda s: s.k * s.z), qb.Process("z", {"z": -1}, lambda s: s.k * s.z)],
        {"y": qb.Output("", lambda s: s.c * s.x**s.n)}, {"z": qb.DoseInto()}, time_unit="",
    )  # fmt: skip
    found = verdicts(system, Experiment({"z": 1}), seconds=0)
    assert found["k"] == LOCAL
    assert found["c"] == "not decided"
    assert verdicts(system.fix(n=2.0), Experiment({"z": 1}), seconds=0).identifiable


def test_two_lag_times_are_seen_one_after_the_other():
    """Each depot arrives at a time of its own; the first response alone gives its share, KA and the set of rates."""
    found = verdicts(qb.one_compartment(absorption="parallel", lag=True), Experiment({"depot": 100}, ["Cc"]))
    assert (found["tlag"], found["tlag2"]) == (GLOBAL, GLOBAL)
    assert found.identifiable


def test_a_later_dose_tells_what_the_first_one_could_not():
    """x' = -k x - m z x with z' = 0: the first dose of z meets no x, and m is seen from the second one on."""
    system = qb.System(
        {"x": "", "z": ""}, {"k": "", "m": "", "a": ""},
        [qb.Process("x", {"x": 1}, lambda s: s.a - s.k * s.x - s.m * s.z * s.x)],
        {"y": qb.Output("", lambda s: s.x)}, {"z": qb.DoseInto()}, time_unit="",
    )  # fmt: skip
    once = verdicts(system, Experiment({"z": 1}))
    assert once.parameters == {"k": NOT, "m": NOT, "a": GLOBAL}
    again = verdicts(system, Experiment({"z": 1}, repeated=True))
    assert again.identifiable


GALLERY = {title: entry for chapter in qb.gallery().values() for title, entry in chapter.items()}


@pytest.mark.parametrize("title", GALLERY)
def test_every_entry_of_the_library_is_decided_or_refused(title):
    """What is decided is consistent: rank and open directions add up, and remedies hold when asked again."""
    entry = GALLERY[title]
    doses = {} if entry.regimen is None else {entry.regimen.into: entry.regimen.amount}
    experiment = Experiment(doses, entry.shows)
    if entry.system.switches or entry.system.symbolic().releases:
        with pytest.raises(MechanismError, match=r"has (switches|releases)"):
            structural_identifiability(entry.system, [experiment])
        return
    found = verdicts(entry.system, experiment, seconds=0)
    assert set(found.parameters) == set(entry.system.parameters)
    assert found.error_bound < 1e-4
    for names in found.remedies.fix[:1]:
        assert verdicts(entry.system, experiment, known=names, seconds=0, random_seed=9).identifiable


# Numerical sensitivities, which share no code with the exact ones.


def oral(t, x, p):
    return [-p["KA"] * x[0], p["KA"] * x[0] - p["CL"] / p["Vc"] * x[1]]


def with_metabolite(t, x, p):
    k = p["CL"] / p["Vc"]
    return [-k * x[0], p["fm"] * k * x[0] - p["CLm"] / p["Vm"] * x[1]]


def recycled(t, x, p):
    central, bile, gut = x
    into_bile, back = p["CLb"] / p["Vc"] * central, p["Fb"] * p["ka"] * gut
    out = p["CL"] / p["Vc"] * central
    return [-out - into_bile + back, into_bile - p["kb"] * bile, p["kb"] * bile - p["ka"] * gut]


def saturable(t, x, p):
    c = x[0] / p["Vc"]
    return [-p["CL"] * c - p["kint"] * p["R0"] * p["Vc"] * c / (p["Kss"] + c)]


def irreversible(t, x, p):
    binding = p["kon"] * x[0] / p["Vc"] * x[1]
    return [-p["CL"] / p["Vc"] * x[0] - binding, p["kdeg"] * (p["R0"] * p["Vc"] - x[1]) - binding]


def inhibited(t, x, p):
    c = x[0] / p["Vc"]
    production = p["E0"] * p["kout"] * (1 - p["Imax"] * c / (p["IC50"] + c))
    return [-p["CL"] * c, production - p["kout"] * x[1]]


OPEN = {
    "oral, F": (
        qb.one_compartment(absorption="first-order", bioavailability=True), Experiment({"depot": 100}, ["Cc"]),
        {"KA": 1.2, "F": 0.7, "CL": 4.0, "Vc": 20.0},
        oral, lambda p: [100 * p["F"], 0], lambda x, p: [x[1] / p["Vc"]],
    ),
    "metabolite": (
        qb.with_metabolite(qb.one_compartment()), Experiment({"central": 100}),
        {"CL": 4.0, "Vc": 20.0, "fm": 0.4, "CLm": 2.0, "Vm": 9.0},
        with_metabolite, lambda p: [100, 0], lambda x, p: [x[0] / p["Vc"], x[1] / p["Vm"]],
    ),
    "enterohepatic": (
        qb.one_compartment() + qb.enterohepatic(), Experiment({"central": 100}, ["Cc"]),
        {"CL": 4.0, "Vc": 20.0, "CLb": 6.0, "kb": 0.3, "ka": 1.1, "Fb": 0.6},
        recycled, lambda p: [100, 0, 0], lambda x, p: [x[0] / p["Vc"]],
    ),
    "Michaelis-Menten target": (
        qb.tmdd(compartments=1, approximation="Michaelis-Menten"), Experiment({"central": 100}, ["Cc"]),
        {"CL": 0.5, "Vc": 3.0, "Kss": 1.3, "R0": 4.0, "kint": 0.2},
        saturable, lambda p: [100], lambda x, p: [x[0] / p["Vc"]],
    ),
    "irreversible target": (
        qb.tmdd(compartments=1, approximation="irreversible"), Experiment({"central": 100}, ["Cc"]),
        {"CL": 0.5, "Vc": 3.0, "kon": 0.1, "R0": 4.0, "kdeg": 0.1, "kint": 0.2},
        irreversible, lambda p: [100, p["R0"] * p["Vc"]], lambda x, p: [x[0] / p["Vc"]],
    ),
    "indirect response alone": (
        qb.one_compartment() + qb.indirect_response(), Experiment({"central": 100}, ["response"]),
        {"CL": 4.0, "Vc": 20.0, "E0": 10.0, "kout": 0.3, "Imax": 0.8, "IC50": 0.9},
        inhibited, lambda p: [100, p["E0"]], lambda x, p: [x[1]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPEN)
def test_open_directions_are_those_of_numerical_sensitivities(name):
    """The null space of finite differences of scipy's solution, over a dense design, has the exact dimension, moves
    exactly the parameters that are not identifiable, and leaves every combination where it is."""
    system, experiment, values, rates, start, observe = OPEN[name]
    found = verdicts(system, experiment, seconds=0)
    assert set(values) == set(found.parameters)
    times, step = np.linspace(0.05, 40, 120), 1e-4

    def path(direction, size):
        p = {name: v * np.exp(size * d) for (name, v), d in zip(values.items(), direction, strict=True)}
        solved = solve_ivp(rates, (0, 40), start(p), "LSODA", times, rtol=1e-11, atol=1e-12, args=(p,))
        return np.concatenate(observe(solved.y, p)), p

    def slope(direction):
        return (path(direction, step)[0] - path(direction, -step)[0]) / (2 * step)

    sensitivity = np.array([slope(direction) for direction in np.eye(len(values))]).T
    sensitivity /= np.linalg.norm(sensitivity, axis=0).max()
    _, sizes, directions = np.linalg.svd(sensitivity)
    dimension = len(values) - found.rank
    assert dimension > 0
    assert sizes[-dimension:].max() < 1e-6 < 1e-5 < sizes[-dimension - 1]
    for parameter, moved in zip(values, directions[-dimension:].T, strict=True):
        assert (np.abs(moved).max() > 1e-3) == (found[parameter] == NOT), parameter
    for row in found.symmetries.scalings:
        assert np.linalg.norm(sensitivity @ [float(row.get(p, 0)) for p in values]) < 1e-6
    for text in found.combinations:
        formula = by_equations.formula(text)
        for direction in directions[-dimension:]:
            forth, back = (formula(path(direction, size)[1]) for size in (step, -step))
            assert abs(np.log(forth / back) / (2 * step)) < 1e-4, text


@pytest.mark.parametrize("name", OPEN)
def test_open_directions_are_those_of_the_gradients_that_sampling_uses(name):
    """Random combinations of rows of the library's sensitivities have the null space of exact arithmetic."""
    system, experiment, values, *_ = OPEN[name]
    found = verdicts(system, experiment, seconds=0)
    outputs = experiment.outputs or tuple(system.outputs)
    ((route, dose),) = experiment.doses.items()
    amount = system.states[route]
    events = dosed(
        system, qb.Regimen(float(dose), unit=amount, into=route), np.linspace(0.5, 40, 40), outputs
    )
    symbols = {parameter: pt.dscalar(parameter) for parameter in values}
    path = system.solve(events, symbols)
    weights = [pt.dvector() for _ in outputs]
    number = sum(pt.dot(weight, path[output]) for weight, output in zip(weights, outputs, strict=True))
    gradient = pytensor.function(
        [*weights, *symbols.values()], pt.grad(number, list(symbols.values())), mode="NUMBA"
    )
    rng = np.random.default_rng(1)
    point = np.array([values[parameter] for parameter in symbols])
    # By the logarithms of the parameters, of which exact scalings are directions.
    rows = np.array(
        [point * gradient(*(rng.normal(size=40) for _ in outputs), *point) for _ in range(4 * len(values))]
    )
    rows /= np.linalg.norm(rows, axis=0).max()
    _, sizes, directions = np.linalg.svd(rows)
    dimension = len(values) - found.rank
    assert sizes[-dimension:].max() < 1e-6 < 1e-5 < sizes[-dimension - 1]
    for parameter, moved in zip(symbols, directions[-dimension:].T, strict=True):
        assert (np.abs(moved).max() > 1e-3) == (found[parameter] == NOT), parameter
    for row in found.symmetries.scalings:
        assert np.linalg.norm(rows @ [float(row.get(parameter, 0)) for parameter in symbols]) < 1e-6


# Exact arithmetic against fractions and closed forms.


def test_the_primes_are_primes_that_leave_3_divided_by_4():
    for prime in PRIMES:
        assert prime < 2**31
        assert prime % 4 == 3
        assert all(prime % divisor for divisor in range(3, 46342, 2))
    assert all(a > b for a, b in pairwise(PRIMES))


@given(st.fractions(max_denominator=1000).filter(lambda f: abs(f.numerator) < 30000))
def test_fractions_come_back_from_residues(fraction):
    assert as_fraction(residue(fraction, PRIMES[0]), PRIMES[0]) == fraction


@given(st.integers(0, 4), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_matrix_made_of_factors_has_their_rank(size, seed):
    random = np.random.default_rng(seed)
    left, right = random.integers(0, PRIMES[0], (6, size)), random.integers(0, PRIMES[0], (size, 5))
    product = np.zeros((6, 5), np.int64)
    for k in range(size):
        product = (product + left[:, [k]] * right[k] % PRIMES[0]) % PRIMES[0]
    assert rank(product, PRIMES[0]) == size
    null = null_space(product, PRIMES[0])
    assert len(null) == 5 - size
    for vector in null:
        assert not ((product * vector % PRIMES[0]).sum(axis=1) % PRIMES[0]).any()
    assert len(intersection([product, product], PRIMES[0])) == size
    assert reduced(product, PRIMES[0])[0].shape == (size, 5)


def coefficients(system, experiment, order, parameters):
    """Exact coefficients of y and of its derivatives by the parameters, at chosen values, as residues."""
    design = design_of(system, [experiment], ())
    point = Point(PRIMES[0], design.unknowns, 1)
    point.values |= {name: residue(value, PRIMES[0]) for name, value in parameters.items()}
    slot = design.pieces[0].watched["y"]
    return observed(design.tape, design.pieces[0], point, order, [slot])[slot]


def test_the_series_of_a_bolus_is_that_of_an_exponential():
    """y = D/V e^(-k t): y_k = D/V (-k)^n / n!, dy/dk = -t y, dy/dV = -y/V."""
    system = system_of(["A' = -k*A"], ["y = A/V"], ["k", "V"], doses={"A": ""})
    k, V = Fraction(2, 3), Fraction(7, 5)
    found = coefficients(system, Experiment({"A": 100}), 6, {"k": k, "V": V})
    series = [100 / V]
    for n in range(1, 7):
        series.append(series[-1] * -k / n)
    p = PRIMES[0]
    assert found[:, 0].tolist() == [residue(y, p) for y in series]
    assert found[:, 1].tolist() == [residue(y, p) for y in [Fraction(0), *(-y for y in series[:-1])]]
    assert found[:, 2].tolist() == [residue(-y / V, p) for y in series]


def function_system(output):
    return qb.System(
        {"x": ""}, {"k": ""}, [qb.Process("x", {"x": 1}, lambda s: s.k * (1 + s.x))],
        {"y": qb.Output("", output)}, initial={"x": lambda s: s.k}, time_unit="",
    )  # fmt: skip


@pytest.mark.parametrize(
    "nothing",
    [
        lambda s: pt.sin(s.x) ** 2 + pt.cos(s.x) ** 2 - 1.0,
        lambda s: pt.sqrt((1 + s.x) ** 2) - (1 + s.x),
        lambda s: pt.sqrt(1 + s.x) ** 2 - (1 + s.x),
        lambda s: pt.exp(s.x) * pt.exp(s.x) / pt.exp(s.x) - pt.exp(s.x),
        lambda s: pt.log(1 + s.x) - pt.log1p(s.x),
        lambda s: pt.sigmoid(s.x) - pt.exp(s.x) / (1.0 + pt.exp(s.x)),
        lambda s: pt.tanh(s.x) - pt.sinh(s.x) / pt.cosh(s.x),
        lambda s: (1 + s.x) ** s.k * (1 + s.x) ** s.k - ((1 + s.x) ** s.k) ** 2,
        lambda s: (1 + s.x) ** 3 - (1 + s.x) * (1 + s.x) ** 2,
        lambda s: (1 + s.x) ** -2 * (1 + s.x) - 1 / (1 + s.x),
        lambda s: pt.maximum(1 + s.x, 0.5) - abs(1 + s.x),
        lambda s: pt.switch(pt.lt(1 + s.x, 0), 5.0, s.x) - s.x,
    ],
)
def test_functions_obey_their_identities(nothing):
    """Each of these is 0 whatever x and k are, in every coefficient and every derivative."""
    point_values = {"k": Fraction(3)}
    found = coefficients(function_system(nothing), Experiment(), 7, point_values)
    assert not found.any()


def test_derivatives_of_functions_are_known():
    """y = log(1 + x) with x' = k (1 + x) is log(1 + k) + k t; a sine has the cosine as its slope, up to k (1 + x)."""
    found = coefficients(function_system(lambda s: pt.log(1 + s.x)), Experiment(), 4, {"k": Fraction(3)})
    assert found[1].tolist() == [3, 1]
    assert not found[2:].any()
    assert found[0, 1] == residue(Fraction(1, 4), PRIMES[0])
    slope = function_system(lambda s: pt.sin(s.x) ** 2 + (pt.cos(s.x) * 2) ** 2)
    assert coefficients(slope, Experiment(), 4, {"k": Fraction(3)})[1:].any()


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=3, unique=True),
    st.integers(1, 100),
    st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_a_groebner_basis_counts_the_values_that_equations_were_made_with(roots, slope, shift):
    """prod (x - r) = 0 and y = slope (x + shift)^2, hidden by mixing the equations with each other."""
    p = PRIMES[0]
    polynomial = [1]
    for root in roots:
        polynomial = [
            ((polynomial[k - 1] if k else 0) - root * (polynomial[k] if k < len(polynomial) else 0)) % p
            for k in range(len(polynomial) + 1)
        ]
    first = {(k, 0): value for k, value in enumerate(polynomial) if value}
    terms = {(0, 1): 1, (2, 0): -slope % p, (1, 0): -2 * slope * shift % p, (0, 0): -slope * shift**2 % p}
    second = {monomial: value for monomial, value in terms.items() if value}
    mixed = dict(second)
    for (a, b), value in first.items():
        mixed[a, b + 1] = (mixed.get((a, b + 1), 0) + value) % p
    values = {slope * (root + shift) ** 2 % p for root in roots}
    counts = distinct_values([first, {m: v for m, v in mixed.items() if v}], {"x": 0, "y": 1}, p, 20.0)
    assert counts == {"x": len(roots), "y": len(values)}


def test_endless_solutions_are_noticed():
    with pytest.raises(Endless):
        distinct_values([{(1, 1): 1, (0, 0): 100}], {"x": 0}, 101, 10.0)


def test_directions_known_beside_hidden_unknowns():
    """Of y1 = a + h, y2 = a + b + h with h nobody asks for, only b is known."""
    from qsp_bayes.identifiability.structural.jacobian import Jacobian

    rows = np.array([[1, 0, 1], [1, 1, 1]])
    j = Jacobian(7, np.ones(3, np.int64), rows, np.zeros(2, np.int64), {})
    assert known_directions(j, 2).tolist() == [[0, 1]]


# What users meet.


def test_the_arms_of_a_study():
    study = qb.load_dataset("theophylline")
    system = qb.one_compartment(absorption="first-order", bioavailability=True)
    arms = qb.experiments_of(study, system)
    given = study.records["AMT"][study.records["EVID"] == 1]
    assert [dict(arm.doses) for arm in arms] == [{"depot": given.min()}, {"depot": given.max()}]
    found = structural_identifiability(system, study)
    assert set(found.combinations) == {"CL/F", "Vc/F"}
    assert found.solutions["KA"] == 2
    with pytest.raises(MechanismError, match="observes Cc, of which system"):
        structural_identifiability(system_of(["A' = -k*A"], ["y = A"], ["k"]), study)


@pytest.mark.parametrize(
    ("name", "kind", "repeated"),
    [
        ("indomethacin", "bolus", {False}),
        ("remifentanil", "infusion", {False}),
        ("quinidine", "bolus", {False, True}),
    ],
)
def test_the_kinds_of_dose_in_real_studies(name, kind, repeated):
    """Indomethacin was injected, remifentanil infused, and quinidine taken again and again."""
    study = qb.load_dataset(name)
    system = qb.one_compartment(absorption="first-order")
    arms = qb.experiments_of(study, system)
    assert {"infusion" if arm.rates or arm.durations else "bolus" for arm in arms} == {kind}
    assert {arm.repeated for arm in arms} <= repeated
    # KA plays no part in a study that doses the blood.
    by_mouth = any("depot" in arm.doses for arm in arms)
    assert (structural_identifiability(system, study)["KA"] != NOT) == by_mouth


def test_the_result_as_plain_values_and_as_a_table():
    found = verdicts(qb.with_metabolite(qb.one_compartment()), Experiment({"central": 100}))
    described = json.loads(json.dumps(found.describe()))
    assert described["parameters"]["fm"] == NOT
    assert described["fix"] == [["fm"], ["CLm"], ["Vm"]]
    table = found.table()
    assert table.loc["CL", "solutions"] == 1
    assert table.loc["fm", "or observe"] == "metabolite"
    assert table.loc["Vc", "unit"] == "L"
    assert "known together" in found._repr_html_()
    assert repr(found) == "\n".join(
        [
            "Structural identifiability of one compartment with metabolite",
            "  globally identifiable: CL, Vc",
            "  not identifiable: fm, CLm, Vm",
            "  known together: CLm/fm, Vm/fm",
            "  to know all parameters, fix fm or CLm or Vm",
            "  observing metabolite would determine fm, CLm, Vm",
        ]
    )


def test_the_same_seed_gives_the_same_result():
    system, experiment = qb.one_compartment() + qb.enterohepatic(), Experiment({"central": 100}, ["Cc"])
    first, second = (verdicts(system, experiment, random_seed=5).describe() for _ in range(2))
    assert first == second
    other = verdicts(system, experiment, random_seed=6)
    assert other.parameters == first["parameters"]


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        (qb.one_compartment(absorption="weibull"), {}, "has releases"),
        (qb.one_compartment() + qb.enterohepatic(emptying="meals"), {}, "has switches"),
        (qb.one_compartment(), {"known": ["CI"]}, "no parameter 'CI'"),
        (qb.one_compartment(), {"experiments": [Experiment({"depot": 1})]}, "has no 'depot'"),
        (qb.one_compartment(), {"experiments": [Experiment({"central": 1}, ["Cp"])]}, "has no 'Cp'"),
        (qb.one_compartment(), {"experiments": []}, "no experiments"),
        (function_system(lambda s: pt.erf(s.x)), {}, "uses 'erf'"),
        (function_system(lambda s: s.k * 0 / (s.x - s.x)), {}, "no power series at any time"),
    ],
)
def test_what_cannot_be_decided_is_refused(system, options, message):
    with pytest.raises(MechanismError, match=message):
        structural_identifiability(system, **options)


def test_experiments_that_contradict_themselves_are_refused():
    with pytest.raises(MechanismError, match="without a dose"):
        Experiment(rates={"central": 1})
    with pytest.raises(MechanismError, match="'unknwon' is none of"):
        Experiment(initial="unknwon")
    with pytest.raises(MechanismError, match="'constnat' is none of"):
        Experiment(inputs={"WT": "constnat"})
