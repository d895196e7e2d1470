"""Networks of the library against equations written by hand, and what they are known for."""

import numpy as np
import pytest
from by_scipy import initial_state, integrate, right_hand_side
from kholodenko import cascade_by_hand
from scipy.integrate import solve_ivp
from scipy.signal import find_peaks

from qsp_bayes.data import Regimen
from qsp_bayes.models import (
    KHOLODENKO_2000,
    enzyme_kinetics,
    gallery,
    mapk_cascade,
    mitotic_oscillator,
    one_compartment,
    receptor_cascade,
    receptor_dimerisation,
    repressilator,
)
from qsp_bayes.models.oscillators import ELOWITZ_2000, GOLDBETER_1991
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.units import Units

ENTRIES = gallery()["Reaction networks and signalling"]


def enzyme_by_hand(p, x):
    s, e, es, _ = x
    bound, made = p["k1"] * e * s - p["k2"] * es, p["kcat"] * es
    return [-bound, -bound + made, bound - made, made]


def dimers_by_hand(p, x, ligand):
    r, lr, d = x
    bound = p["kon"] * ligand * r - p["koff"] * lr
    paired = p["kdim"] * lr**2 - p["kmon"] * d
    return [
        p["kdeg"] * (p["R0"] - r) - bound,
        bound - p["kdeg"] * lr - 2 * paired,
        paired - p["kint"] * d,
    ]


def repressilator_by_hand(p, x):
    """States in the order mRNA, protein of lacI, tetR, cI; each protein represses the next."""
    m, protein = np.array(x[::2]), np.array(x[1::2])
    repressor = np.roll(protein, 1)
    dm = p["a0"] + p["a"] * p["K"] ** p["n"] / (p["K"] ** p["n"] + repressor ** p["n"]) - p["km"] * m
    dp = p["ktl"] * m - p["kp"] * protein
    return np.column_stack([dm, dp]).ravel()


def mitosis_by_hand(p, x):
    c, m, x = x
    v1, v3 = c / (p["Kc"] + c) * p["VM1"], m * p["VM3"]
    return [
        p["vi"] - p["vd"] * x * c / (p["Kd"] + c) - p["kd"] * c,
        v1 * (1 - m) / (p["K1"] + (1 - m)) - p["V2"] * m / (p["K2"] + m),
        v3 * (1 - x) / (p["K3"] + (1 - x)) - p["V4"] * x / (p["K4"] + x),
    ]


HAND = {
    "enzyme": (enzyme_kinetics, ENTRIES["Enzyme with its complex"].parameters, enzyme_by_hand, {}),
    "dimers": (receptor_dimerisation, ENTRIES["Receptor dimers"].parameters, dimers_by_hand, {"L": 3.0}),
    "repressilator": (repressilator, ELOWITZ_2000, repressilator_by_hand, {}),
    "mitosis": (mitotic_oscillator, GOLDBETER_1991, mitosis_by_hand, {}),
}


@pytest.mark.parametrize("name", HAND)
def test_derivatives_are_those_of_the_published_equations(name):
    build, values, by_hand, inputs = HAND[name]
    rng = np.random.default_rng(1)
    for _ in range(3):
        p = {key: number * rng.lognormal(0, 0.5) for key, number in values.items()}
        x = rng.uniform(0.1, 0.9, len(build().states))
        expected = by_hand(p, x, *inputs.values())
        np.testing.assert_allclose(
            right_hand_side(build(), p, **inputs)(0.0, x), expected, rtol=1e-12, atol=1e-14
        )


def test_little_enzyme_follows_michaelis_and_menten():
    """In the limit of little enzyme the velocity is kcat E0 S/(Km + S) after a short start."""
    p = {"k1": 6.0, "k2": 60.0, "kcat": 300.0, "E0": 1e-3, "S0": 100.0}
    km = (p["k2"] + p["kcat"]) / p["k1"]
    times = np.array([50.0, 200.0, 500.0])
    found = enzyme_kinetics().course(p, times, solver=Automatic(rtol=1e-9))
    expected = p["kcat"] * p["E0"] * found.S / (km + found.S)
    np.testing.assert_allclose(found.rate, expected, rtol=2e-5)
    # The integrated law: Km log(S0/S) + S0 - S = kcat E0 t.
    np.testing.assert_allclose(
        km * np.log(p["S0"] / found.S) + p["S0"] - found.S, p["kcat"] * p["E0"] * times, rtol=1e-4
    )


def test_dimers_rise_with_the_square_of_little_ligand():
    p, system = ENTRIES["Receptor dimers"].parameters, receptor_dimerisation()
    little, more = (float(system.course(p, [3000.0], inputs={"L": x}).signal[0]) for x in (1e-4, 2e-4))
    assert more / little == pytest.approx(4.0, rel=1e-2)
    assert float(system.course(p, [3000.0], inputs={"L": 0.0}).R[0]) == pytest.approx(p["R0"])


def test_a_drug_is_the_ligand_of_the_dimers():
    drug = one_compartment(units=Units("min", "nmol", "L")).rename(Cc="L")
    joined = drug + receptor_dimerisation()
    assert joined.inputs == {}
    p = {**ENTRIES["Receptor dimers"].parameters, "CL": 0.05, "Vc": 10.0}
    found = joined.course(p, [30.0, 3000.0], Regimen(100, unit="nmol", into="central"))
    assert found.signal[0] > 0.1
    assert found.signal[1] < 1e-3
    assert found.R[1] == pytest.approx(p["R0"], rel=1e-2)


def test_the_repressilator_oscillates_in_turn():
    """Proteins peak one after another, a third of a period apart, every two to three hours."""
    times = np.linspace(0, 2000, 4001)[1:]
    found = repressilator().course(ELOWITZ_2000, times, outputs=["lacI", "tetR", "cI"])
    peaks = {name: times[find_peaks(found[name].values)[0]] for name in found}
    periods = {name: np.diff(peaks[name][-4:]).mean() for name in peaks}
    assert all(100 < period < 200 for period in periods.values())
    shift = (peaks["cI"][-2] - peaks["lacI"][-2]) / periods["lacI"] % 1
    assert min(abs(shift - 1 / 3), abs(shift - 2 / 3)) < 0.02


def test_mitosis_comes_every_25_minutes():
    """The period of Goldbeter 1991 with its parameters, those of BioModels BIOMD0000000003."""
    times = np.linspace(0, 200, 4001)[1:]
    cyclin = mitotic_oscillator().course(GOLDBETER_1991, times, outputs=["C"]).C.values
    period = np.diff(times[find_peaks(cyclin)[0]][2:]).mean()
    assert 20 < period < 30


EXAMPLE = ENTRIES["MAPK cascade driven by receptor occupancy"]


def driven_cascade_by_hand(p, x):
    """Drug, receptor, and a cascade that the occupied receptors drive."""
    drug, free, bound, *kinases = x
    binding = p["kon"] * drug / p["Vc"] * free - p["koff"] * bound
    return [-p["CL"] / p["Vc"] * drug, -binding, binding, *cascade_by_hand(p, kinases, stimulus=bound)]


def test_the_driven_cascade_is_that_of_scipy():
    """From the dose to active kinase, against the equations by hand and LSODA."""
    p, times = EXAMPLE.parameters, np.linspace(0, 600, 11)[1:]
    start = [4000.0, 1.0, 0.0, 100.0, 0, 300.0, 0, 0, 300.0, 0, 0]
    solved = solve_ivp(
        lambda t, x: driven_cascade_by_hand(p, x), (0, 600), start, "LSODA", times, rtol=1e-10, atol=1e-10
    ).y
    found = EXAMPLE.system.course(p, times, EXAMPLE.regimen, solver=Automatic(rtol=1e-9))
    np.testing.assert_allclose(found.Cc, solved[0] / p["Vc"], rtol=1e-6)
    np.testing.assert_allclose(found.RO, solved[2], rtol=1e-6)
    np.testing.assert_allclose(found.MAPK_active, solved[-1] / 300.0, rtol=1e-5, atol=1e-8)


def test_the_driven_cascade_is_one_system_of_s_and_v():
    system = receptor_cascade()
    assert system.inputs == {}
    assert system.conservation_laws() == [
        "receptor + complex",
        "MKKK + MKKK_P",
        "MKK + MKK_P + MKK_PP",
        "MAPK + MAPK_P + MAPK_PP",
    ]
    table, rates = system.stoichiometry(), system.rates()
    assert list(table.columns) == list(rates.index)
    assert table.loc["complex", "receptor binding"] == 1
    assert rates.loc["receptor binding"].tolist() == [
        "receptor -> complex", "kon*Cc*receptor - koff*complex", "nmol/L/min",
    ]  # fmt: skip
    assert rates.loc["elimination", "unit"] == "nmol/min"
    assert rates.loc["activation of MKKK", "unit"] == "nmol/L/min"
    assert "absorption" in receptor_cascade(absorption="first-order").rates().index


def test_a_saturating_drug_leaves_the_cascade_alone_and_none_leaves_it_inactive():
    p = {**EXAMPLE.parameters, "kon": 1e4, "CL": 1e-6}
    times = np.linspace(0, 200, 9)[1:]
    dose = Regimen(1e6, unit="nmol", into="central")
    driven = receptor_cascade().course(p, times, dose, outputs=["MAPK_active"], solver=Automatic(rtol=1e-8))
    values = {name: p[name] for name in KHOLODENKO_2000}
    free = mapk_cascade(units=Units("min", "nmol", "L")).course(values, times, solver=Automatic(rtol=1e-8))
    np.testing.assert_allclose(driven.MAPK_active, free.MAPK_active, rtol=1e-4, atol=1e-6)
    none = receptor_cascade().course(p, times, outputs=["MAPK_active"])
    np.testing.assert_array_equal(none.MAPK_active, 0.0)


@pytest.mark.parametrize(("name", "until"), [("enzyme", 4.0), ("repressilator", 100.0)])
def test_scipy_finds_the_same_course(name, until):
    build, values, _, _ = HAND[name]
    system, times = build(), np.linspace(0, until, 7)[1:]
    states = integrate(system, values, initial_state(system, values), times)
    found = system.course(values, times, solver=Automatic(rtol=1e-9))
    for k, state in enumerate(system.states):
        scale = np.abs(states[:, k]).max()
        np.testing.assert_allclose(found[state], states[:, k], rtol=1e-5, atol=1e-6 * scale)
