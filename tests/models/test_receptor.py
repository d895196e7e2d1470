"""Receptors against closed forms of binding, matrix exponentials, and the graphical methods of pharmacology."""

import numpy as np
import pytest
from by_scipy import right_hand_side
from evaluated import outputs_of, with_all_states
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.models import (
    competitive_binding,
    one_compartment,
    operational_agonism,
    receptor_binding,
    receptor_occupancy,
    receptor_turnover,
    tmdd,
    transducer,
    two_step_binding,
)
from qsp_bayes.ode.solvers import Rodas5P
from qsp_bayes.units import Units

NM = Units(amount="nmol")
TIMES = np.array([0.0, 0.05, 0.3, 1.0, 3.0, 10.0, 40.0])
BINDING = {"kon": 0.36, "koff": 0.5, "Rtot": 2.0}
TURNOVER = {"kon": 0.36, "koff": 0.5, "R0": 1.5, "kdeg": 0.05, "kint": 0.3}
positive = st.floats(1e-2, 1e2)

occupancy = outputs_of(receptor_occupancy(hill=True))
agonism = outputs_of(operational_agonism(antagonist="Ca", inactivation=True))
transduced = outputs_of(transducer())


@given(C=positive, KD=positive, n=st.floats(0.3, 5))
@settings(deadline=None)
def test_occupancy_is_that_of_hill(C, KD, n):
    assert occupancy(Cc=C, KD=KD, n=n)["RO"] == pytest.approx(C**n / (KD**n + C**n), rel=1e-12)
    assert occupancy(Cc=KD, KD=KD, n=n)["RO"] == pytest.approx(0.5, rel=1e-14)
    assert max(occupancy(Cc=C, KD=KD, n=n)["RO"] for C in (0.0, -1e-9)) < 1e-50


@pytest.mark.parametrize("C", [0.03, 1.0, 40.0])
def test_binding_approaches_equilibrium_at_the_rate_that_is_observed(C):
    """RO = C/(C + KD) (1 - exp(-(kon C + koff) t)) under a constant concentration."""
    kon, koff = BINDING["kon"], BINDING["koff"]
    expected = C / (C + koff / kon) * -np.expm1(-(kon * C + koff) * TIMES)
    found = receptor_binding(units=NM).course(BINDING, TIMES, inputs={"Cc": C}, outputs=["RO"])
    np.testing.assert_allclose(found.RO, expected, rtol=1e-9, atol=1e-15)
    by_KD = {"kon": kon, "KD": koff / kon, "Rtot": 2.0}
    found = receptor_binding(units=NM, binding="KD").course(by_KD, TIMES, inputs={"Cc": C}, outputs=["RO"])
    np.testing.assert_allclose(found.RO, expected, rtol=1e-9, atol=1e-15)


def test_equilibrium_of_the_kinetic_models_is_that_of_the_algebraic_ones():
    C, Ci, late = 3.0, 5.0, [1e4]
    found = receptor_binding(units=NM).course(BINDING, late, inputs={"Cc": C})
    assert float(found.RO[0]) == pytest.approx(C / (C + 0.5 / 0.36), rel=1e-9)
    p = {"kon": 0.36, "koff": 0.5, "kon_i": 0.1, "koff_i": 0.02, "Rtot": 2.0}
    found = competitive_binding(units=NM).course(p, late, inputs={"Cc": C, "Ci": Ci})
    gaddum = outputs_of(competitive_binding(units=NM, kind="equilibrium"))
    expected = gaddum(KD=0.5 / 0.36, Ki=0.2, Cc=C, Ci=Ci)
    assert float(found.RO[0]) == pytest.approx(expected["RO"], rel=1e-9)
    assert float(found.RO_i[0]) == pytest.approx(expected["RO_i"], rel=1e-9)
    assert expected["RO"] == pytest.approx(C / (C + 0.5 / 0.36 * (1 + Ci / 0.2)), rel=1e-14)


def test_competition_is_that_of_motulsky_and_mahan():
    k1, k2, k3, k4, L, i = 0.1, 0.3, 0.05, 0.01, 5.0, 2.0
    a, b = k1 * L + k2, k3 * i + k4
    root = np.sqrt((a - b) ** 2 + 4 * k1 * k3 * L * i)
    fast, slow = (a + b + root) / 2, (a + b - root) / 2
    expected = (
        k1 * L / (fast - slow)
        * (
            k4 * (fast - slow) / (fast * slow)
            + (k4 - fast) / fast * np.exp(-fast * TIMES)
            - (k4 - slow) / slow * np.exp(-slow * TIMES)
        )
    )  # fmt: skip
    p = {"kon": k1, "koff": k2, "kon_i": k3, "koff_i": k4, "Rtot": 3.0}
    found = competitive_binding(units=NM).course(p, TIMES, inputs={"Cc": L, "Ci": i})
    np.testing.assert_allclose(found.RO, expected, rtol=1e-9, atol=1e-12)
    assert expected.max() > 1.5 * expected[-1]  # the overshoot that tells a slow competitor


def test_two_steps_are_the_exponential_of_their_matrix():
    p, C = {"kon": 0.36, "koff": 4.0, "kf": 1.0, "kr": 0.02, "Rtot": 2.0}, 2.0
    A = np.array([[-0.36 * C, 4.0, 0.0], [0.36 * C, -5.0, 0.02], [0.0, 1.0, -0.02]])
    expected = np.array([expm(A * t) @ [2.0, 0.0, 0.0] for t in TIMES])
    system = with_all_states(two_step_binding(units=NM))
    found = system.course(p, TIMES, inputs={"Cc": C})
    for k, state in enumerate(["receptor", "complex", "tight_complex"]):
        np.testing.assert_allclose(found[state], expected[:, k], rtol=1e-9, atol=1e-12)
    late = system.course(p, [1e4], inputs={"Cc": C})
    KDapp = 4.0 / 0.36 / (1 + 1.0 / 0.02)
    assert float(late.KDapp[0]) == pytest.approx(KDapp, rel=1e-14)
    assert float(late.RO[0]) == pytest.approx(C / (C + KDapp), rel=1e-9)


@pytest.mark.parametrize("C", [0.01, 2.0, 500.0])
def test_turnover_settles_where_internalisation_puts_it(C):
    p = TURNOVER
    Kss, ksyn = (p["koff"] + p["kint"]) / p["kon"], p["R0"] * p["kdeg"]
    (found,) = (
        receptor_turnover(units=NM).course(p, [5e3], inputs={"Cc": C}).to_dataframe().to_dict("records")
    )
    assert found["RO"] == pytest.approx(C / (C + Kss), rel=1e-9)
    R = ksyn / (p["kdeg"] + p["kint"] * C / Kss)
    assert found["R"] == pytest.approx(R, rel=1e-9)
    assert found["Rtot"] == pytest.approx(R * (1 + C / Kss), rel=1e-9)
    if 100 * Kss < C:
        assert found["Rtot"] == pytest.approx(ksyn / p["kint"], rel=0.01)


def test_receptors_keep_their_baseline_without_ligand():
    found = receptor_turnover(units=NM).course(TURNOVER, [1.0, 100.0, 1e4], inputs={"Cc": 0.0})
    np.testing.assert_allclose(found.R, TURNOVER["R0"], rtol=1e-12)
    np.testing.assert_allclose(found.RC, 0, atol=1e-15)


def test_turnover_without_depletion_is_the_limit_of_tmdd_where_drug_is_plenty():
    """With hardly any receptors, the drug of the full model does not notice them."""
    R0, times = 1e-7, np.array([1.0, 5.0, 24.0, 72.0, 200.0])
    drug = {"CL": 1.0, "Vc": 50.0}
    dose = Regimen(500, unit="nmol", into="central")
    joined = one_compartment(units=NM) + receptor_turnover(units=NM)
    values = drug | TURNOVER | {"R0": R0}
    found = joined.course(values, times, dose, solver=Rodas5P(rtol=1e-9))
    full = tmdd(units=NM, compartments=1).course(values, times, dose, solver=Rodas5P(rtol=1e-9))
    for name in ("RO", "R", "RC"):
        np.testing.assert_allclose(found[name], full[name], rtol=1e-5)


CLOSED = [
    (receptor_binding, BINDING),
    (competitive_binding, {"kon": 0.36, "koff": 0.5, "kon_i": 0.1, "koff_i": 0.02, "Rtot": 2.0}),
    (two_step_binding, {"kon": 0.36, "koff": 4.0, "kf": 1.0, "kr": 0.02, "Rtot": 2.0}),
]


@pytest.mark.parametrize(("build", "values"), CLOSED, ids=[build.__name__ for build, _ in CLOSED])
def test_receptors_are_conserved_under_doses(build, values):
    """Over 10 000 h with a dose every 500 h, by the integrator that every nonlinear system gets."""
    system = with_all_states(one_compartment(units=NM) + build(units=NM))
    (law,) = system.conservation_laws()
    doses = Regimen(2000, unit="nmol", into="central", every=500, until=10_000)
    inputs = {"Ci": 1.0} if "Ci" in system.inputs else {}
    times = np.linspace(0, 1e4, 101)
    found = system.course({"CL": 1.0, "Vc": 50.0} | values, times, doses, inputs=inputs)
    total = sum(found[state] for state in law.split(" + "))
    np.testing.assert_allclose(total, values["Rtot"], rtol=1e-9)
    assert float(found.RO.max()) > 0.3  # much is bound meanwhile


def test_derivatives_of_turnover_are_those_written_by_hand():
    p, C, R, RC = TURNOVER, 3.0, 0.7, 0.4
    bound = p["kon"] * C * R - p["koff"] * RC
    expected = [p["kdeg"] * (p["R0"] - R) - bound, bound - p["kint"] * RC]
    found = right_hand_side(receptor_turnover(units=NM), p, Cc=C)(0.0, [R, RC])
    np.testing.assert_allclose(found, expected, rtol=1e-13)


operational = {
    "KD": positive, "Em": positive, "tau": st.floats(0.1, 100), "n": st.floats(0.5, 3), "KB": positive,
    "q": st.floats(0.02, 1),
}  # fmt: skip


@given(C=positive, p=st.fixed_dictionaries(operational))
@settings(deadline=None)
def test_agonism_is_that_of_black_and_leff(C, p):
    found = agonism(Cc=C, Ca=0.0, **p)
    tau, n = p["q"] * p["tau"], p["n"]
    effect = p["Em"] * tau**n * C**n / ((p["KD"] + C) ** n + tau**n * C**n)
    assert found["E"] == pytest.approx(effect, rel=1e-10)
    assert found["Emax"] == pytest.approx(agonism(Cc=1e12, Ca=0.0, **p)["E"], rel=1e-6)
    half = agonism(Cc=found["EC50"], Ca=0.0, **p)
    assert half["E"] == pytest.approx(found["Emax"] / 2, rel=1e-9)
    assert transduced(RO=found["RO"], Em=p["Em"], tau=tau, n=n)["E"] == pytest.approx(effect, rel=1e-10)


@given(C=positive, B=positive, p=st.fixed_dictionaries(operational))
@settings(deadline=None)
def test_an_antagonist_shifts_the_curve_as_schild_says(C, B, p):
    shifted = C * (1 + B / p["KB"])
    assert agonism(Cc=shifted, Ca=B, **p)["E"] == pytest.approx(agonism(Cc=C, Ca=0.0, **p)["E"], rel=1e-9)


@given(C=positive, p=st.fixed_dictionaries(operational))
@settings(deadline=None)
def test_equal_effects_before_and_after_inactivation_are_furchgotts(C, p):
    """1/C = 1/(q C') + (1 - q)/(q KD), whatever the transducer is."""
    inverse = (1 / C - (1 - p["q"]) / (p["q"] * p["KD"])) * p["q"]
    if inverse > 1e-6:  # the effect can still be reached
        before = agonism(Cc=C, Ca=0.0, **(p | {"q": 1.0}))["E"]
        after = agonism(Cc=1 / inverse, Ca=0.0, **p)["E"]
        assert after == pytest.approx(before, rel=1e-6)


def test_with_spare_receptors_half_the_effect_needs_few_receptors():
    p = {"KD": 100.0, "Em": 100.0, "tau": 100.0, "n": 1.0, "KB": 1.0, "q": 1.0}
    found = agonism(Cc=1.0, Ca=0.0, **p)
    assert found["EC50"] == pytest.approx(100 / 101, rel=1e-12)
    half = agonism(Cc=found["EC50"], Ca=0.0, **p)
    assert half["RO"] < 0.01
    lost = agonism(Cc=1.0, Ca=0.0, **(p | {"q": 0.1}))
    assert lost["EC50"] > 8 * found["EC50"]  # first the curve moves to the right
    assert lost["Emax"] > 0.9 * found["Emax"]  # and its top stays


def test_what_does_not_fit_is_refused():
    with pytest.raises(MechanismError, match="Choose one of koff, KD"):
        receptor_binding(binding="Kss")
    with pytest.raises(MechanismError, match="Choose one of equilibrium, kinetic"):
        competitive_binding(kind="slow")
    with pytest.raises(MechanismError, match="two names"):
        competitive_binding(competitor="Cc")
    with pytest.raises(UnitsError, match=r"input 'Cc' of 'receptor occupancy'"):
        one_compartment() + receptor_occupancy(units=NM)
    assert (one_compartment() + receptor_occupancy()).units()["KD"] == "mg/L"
