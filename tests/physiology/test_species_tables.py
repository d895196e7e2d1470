"""Species tables hold what the publications say, add up, and agree with each other by allometry."""

import pickle
import statistics
from math import hypot, log

import numpy as np
import pytest
from bodies import parameters, whole_body
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes import Allometry, Calibration, Combined, load_priors, priors_from
from qsp_bayes.calibration import Prior
from qsp_bayes.errors import MechanismError, PriorError
from qsp_bayes.physiology import ARTERIAL, ORGANS, PORTAL, list_species, load_physiology
from qsp_bayes.physiology.species_file import FOLDER, read_species, read_toml
from qsp_bayes.systems import Process, System

SPECIES = ("dog", "human", "monkey", "mouse", "rabbit", "rat")

# Typed from the publications, in their own units: flows in mL/min, masses in g.
DAVIES_AND_MORRIS_FLOWS = {
    ("dog", "kidney"): 216,
    ("dog", "brain"): 45,
    ("dog", "heart"): 54,
    ("dog", "muscle"): 250,
    ("rabbit", "kidney"): 80,
    ("rabbit", "liver"): 177,
    ("rabbit", "muscle"): 155,
    ("monkey", "kidney"): 138,
    ("monkey", "brain"): 72,
    ("monkey", "liver"): 218,
}
BROWN_MASSES = {  # per cent of body weight
    ("mouse", "liver"): 5.49,
    ("mouse", "spleen"): 0.35,
    ("mouse", "brain"): 1.65,
    ("rat", "liver"): 3.66,
    ("rat", "kidney"): 0.73,
    ("rat", "muscle"): 40.43,
    ("rat", "skin"): 19.03,
    ("dog", "liver"): 3.29,
    ("dog", "muscle"): 45.65,
}
REFERENCE_MAN = {  # ICRP 89, kg
    "liver": 1.8,
    "brain": 1.45,
    "muscle": 29.0,
    "skin": 3.3,
    "kidney": 0.31,
    "heart": 0.33,
    "lung": 0.5,
    "spleen": 0.15,
    "pancreas": 0.14,
    "bone": 10.5,
    "adipose": 14.5,
    "gut": 1.17,
    "blood": 5.6,
}
DOUBTFUL = {
    "dog": {"GFR", "V_pancreas", "Q_bone", "Q_pancreas"},
    "human": set(),
    "monkey": {
        "V_lung",
        "V_brain",
        "V_bone",
        "V_spleen",
        "V_pancreas",
        "Q_muscle",
        "Q_bone",
        "Q_pancreas",
        "Q_hepatic_artery",
    },
    "mouse": {"plasma_AGP", "V_spleen", "V_pancreas", "Q_pancreas"},
    "rabbit": {
        "V_bone",
        "V_spleen",
        "V_pancreas",
        "Q_brain",
        "Q_skin",
        "Q_bone",
        "Q_pancreas",
        "Q_hepatic_artery",
    },
    "rat": {"plasma_AGP", "V_pancreas", "Q_muscle", "Q_adipose", "Q_pancreas"},
}


def per_minute(body, name):
    return body[name].value / 0.06


def test_the_list_names_the_six():
    assert tuple(list_species().index) == SPECIES


@pytest.mark.parametrize(("species", "organ"), DAVIES_AND_MORRIS_FLOWS)
def test_flows_are_those_of_davies_and_morris(species, organ):
    flow = per_minute(load_physiology(species), f"Q_{organ}")
    assert flow == pytest.approx(DAVIES_AND_MORRIS_FLOWS[species, organ], rel=1e-9)


@pytest.mark.parametrize(("species", "organ"), BROWN_MASSES)
def test_masses_are_those_of_brown(species, organ):
    body = load_physiology(species)
    share = 100 * body.masses()[organ] / body.body_weight
    assert share == pytest.approx(BROWN_MASSES[species, organ], rel=1e-9)


def test_masses_and_shares_of_cardiac_output_are_those_of_the_reference_man():
    man = load_physiology("human")
    masses = man.masses()
    for organ, mass in REFERENCE_MAN.items():
        assert masses[organ] == pytest.approx(mass, rel=5e-3 if organ == "blood" else 1e-9)
    assert man.cardiac_output / 60 == pytest.approx(6.5)
    shares = {"brain": 12, "kidney": 19, "muscle": 17, "liver": 25.5, "adipose": 5, "heart": 4, "rest": 7.5}
    for organ, share in shares.items():
        assert 100 * man[f"Q_{organ}"].value / man.cardiac_output == pytest.approx(share)


@pytest.mark.parametrize("species", SPECIES)
def test_masses_add_up_to_body_weight_and_flows_to_cardiac_output(species):
    body = load_physiology(species)
    assert sum(body.masses().values()) == pytest.approx(body.body_weight, abs=1e-9)
    assert sum(body[f"Q_{name}"].value for name in ARTERIAL) == pytest.approx(body.cardiac_output, abs=1e-9)
    portal = sum(body[f"Q_{organ}"].value for organ in PORTAL)
    assert body["Q_liver"].value == pytest.approx(portal + body["Q_hepatic_artery"].value, abs=1e-9)
    assert 0.16 < body["Q_liver"].value / body.cardiac_output < 0.34
    assert body["V_rest"].value > 0
    assert body["Q_rest"].value > 0


@pytest.mark.parametrize("species", SPECIES)
def test_all_blood_is_in_vessels_that_the_system_has(species):
    body = load_physiology(species)
    blood = body["blood_volume"].value
    for vascular in ((), ("liver",), ("liver", "brain", "muscle"), ORGANS):
        values = body.values(whole_body(vascular=vascular))
        pools = values["V_arterial"] + values["V_venous"]
        assert pools + sum(values[f"V_{organ}_vascular"] for organ in vascular) == pytest.approx(blood)
        assert values["V_arterial"] / pools == pytest.approx(body["arterial_fraction"].value)
        assert pools > 0.3 * blood


def test_the_liver_of_man_holds_a_tenth_of_the_blood():
    assert load_physiology("human")["V_liver_vascular"].value == pytest.approx(0.53)
    rat = load_physiology("rat")  # Kawai et al. 1994: 0.115 of the liver with its blood
    tissue, blood = rat["V_liver"].value, rat["V_liver_vascular"].value
    assert blood / (tissue + blood) == pytest.approx(0.115)


def test_species_agree_by_allometry_and_misread_figures_would_not():
    output = {s: per_minute(b := load_physiology(s), "cardiac_output") / b.body_weight**0.75 for s in SPECIES}
    filtered = {s: per_minute(b := load_physiology(s), "GFR") / b.body_weight**0.75 for s in SPECIES}
    low, high = 200, 330  # mL/min/kg^0.75
    assert all(low < value < high for value in output.values()), output
    assert all(3 < value < 6 for value in filtered.values()), filtered
    # 8 mL/min in a mouse of 20 g (Davies and Morris), 61.3 mL/min in a dog of 10 kg, 2.08 per kg^0.75 in a monkey
    assert not low < 8 / 0.02**0.75 < high
    assert not 3 < 61.3 / 10**0.75 < 6
    assert not 3 < 2.08 < 6


def test_figures_stored_per_power_of_weight_are_read_per_weight():
    assert per_minute(load_physiology("rabbit"), "cardiac_output") == pytest.approx(212 * 2.5)
    assert per_minute(load_physiology("rabbit"), "GFR") == pytest.approx(3.12 * 2.5)
    assert per_minute(load_physiology("monkey"), "GFR") == pytest.approx(2.08 * 5)


@pytest.mark.parametrize("species", SPECIES)
def test_doubtful_figures_are_marked_with_the_reason(species):
    body = load_physiology(species)
    assert set(body.doubtful) == DOUBTFUL[species]
    for name, reason in body.doubtful.items():
        assert reason in body[name].remark
        assert reason in body.table().loc[name, "doubtful"]


@pytest.mark.parametrize("species", SPECIES)
def test_every_publication_of_a_file_is_cited_in_it(species):
    sources = read_toml(FOLDER / f"{species}.toml")["sources"]
    text = (FOLDER / f"{species}.toml").read_text()
    for name in sources:
        assert text.count(f'"{name}"') > 1
    body = load_physiology(species)
    assert set(sources.values()) <= set(body.sources)
    assert all(figure.source for figure in body.known.values())


def test_the_spread_is_that_between_sources():
    # L: ICRP 1.8 kg, ILSI 0.02448 L/kg and Poulin and Theil 0.026 L/kg of 73 kg
    values = [1.8 / 1.05, 0.02448 * 73, 0.026 * 73]
    liver = load_physiology("human")["V_liver"]
    assert liver.sd_log == pytest.approx(statistics.stdev(map(log, values)))
    # A flow stated as a share varies with cardiac output too.
    output = statistics.stdev([log(6.5), log(5.78)])
    kidney = hypot(statistics.stdev([log(19), log(22.14)]), output)
    assert load_physiology("human")["Q_kidney"].sd_log == pytest.approx(kidney)
    # One source has no spread; the source's own is kept where it is the greater.
    assert load_physiology("dog")["V_kidney"].sd_log == 0
    assert load_physiology("rat")["hepatocellularity"].sd_log == 0.25


@pytest.mark.parametrize("species", SPECIES)
def test_spreads_are_positive_where_sources_differ(species):
    file, body = read_species(FOLDER / f"{species}.toml"), load_physiology(species)
    for prefix, entries in (("", file.scalars), ("V_", file.tissue), ("Q_", file.flow)):
        for name, entry in entries.items():
            if entry.other:
                assert body[f"{prefix}{name}"].sd_log > 0


@settings(deadline=None)
@given(
    species=st.sampled_from(SPECIES),
    volume=st.sampled_from([("L", 1.0), ("mL", 1e3), ("uL", 1e6)]),
    time=st.sampled_from([("h", 1.0), ("min", 1 / 60), ("day", 24.0)]),
)
def test_figures_come_in_the_units_of_the_system(species, volume, time):
    system = whole_body(volume[0], f"{volume[0]}/{time[0]}")
    given_, plain = load_physiology(species).figures(system), load_physiology(species).figures(whole_body())
    for name, figure in given_.items():
        factor = volume[1] * (1.0 if name.startswith("V_") else time[1])
        assert figure.value == pytest.approx(plain[name].value * factor, rel=1e-9)
        assert figure.unit == system.parameters[name]
        assert figure.sd_log == plain[name].sd_log


@settings(deadline=None)
@given(species=st.sampled_from(SPECIES), ratio=st.floats(0.1, 10))
def test_a_scaled_body_still_adds_up(species, ratio):
    body = load_physiology(species)
    other = load_physiology(species, ratio * body.body_weight)
    assert sum(other.masses().values()) == pytest.approx(other.body_weight, rel=1e-9)
    assert sum(other[f"Q_{n}"].value for n in ARTERIAL) == pytest.approx(other.cardiac_output, rel=1e-9)
    assert other["V_liver"].value == pytest.approx(body["V_liver"].value * ratio)
    assert other["GFR"].value == pytest.approx(body["GFR"].value * ratio**0.75)
    assert other["haematocrit"] == body["haematocrit"]


def test_exponents_are_those_asked_for_and_agree_with_scaling():
    system = whole_body(haematocrit="")
    body = load_physiology("rat", volume_exponent=0.9, flow_exponent=0.67)
    exponents = body.exponents(system)
    assert set(exponents) == set(parameters())  # a haematocrit does not scale
    values, heavier = body.values(system), body.scaled(2 * body.body_weight).values(system)
    for name, exponent in exponents.items():
        assert exponent == (0.9 if name.startswith("V_") else 0.67)
        assert heavier[name] / values[name] == pytest.approx(2**exponent)


def test_maximum_life_span_is_sachers_formula_in_its_own_units():
    # Sacher 1959: log10 years = 0.636 log10 brain - 0.225 log10 body + 1.035, in g
    for species, brain in (("human", 1450.0), ("rat", 0.25 * 5.7)):
        body = load_physiology(species)
        years = 10 ** (0.636 * np.log10(brain) - 0.225 * np.log10(1000 * body.body_weight) + 1.035)
        assert body.maximum_life_span == pytest.approx(years, rel=1e-3)


def test_a_calibration_fixes_frees_and_scales_physiology():
    system, man = whole_body(), load_physiology("human")
    free = ["V_liver", "Q_kidney"]
    priors = priors_from(man.figures(system), free)
    assert isinstance(priors["TVV_liver"], Prior)
    calibration = Calibration(
        system,
        {**priors, **{"sigma_prop_Cv": load_priors("theophylline")["sigma_prop_Cc"]}},
        individual=[Allometry("WT", reference=man.body_weight, **man.exponents(system))],
        error={"Cv": Combined()},
        fix=man.values(system, free=free),
    )
    assert set(calibration.variables) - set(calibration.fix) == {
        "TVV_liver",
        "TVQ_kidney",
        "sigma_add_Cv",
        "sigma_prop_Cv",
    }
    assert calibration.fix["TVV_kidney"] == pytest.approx(0.31 / 1.05)
    with pytest.raises(PriorError, match="V_rest"):  # what is left has no spread of its own
        priors_from(man.figures(system), ["V_rest"])
    with pytest.raises(MechanismError, match="'V_livr' cannot be freed"):
        man.values(system, free=["V_livr"])


def test_refusals_name_what_is_wrong_and_what_there_is():
    with pytest.raises(MechanismError, match=r"no species 'rats' \(did you mean 'rat'.*dog, human, monkey"):
        load_physiology("rats")
    with pytest.raises(MechanismError, match="body weight must be positive"):
        load_physiology("rat", body_weight=-1)
    with pytest.raises(MechanismError, match=r"nothing is known of 'V_livr' \(did you mean"):
        load_physiology("rat")["V_livr"]
    strange = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
    with pytest.raises(MechanismError, match=r"no parameter that physiology knows\. It has k"):
        load_physiology("rat").figures(strange)
    wrong = whole_body(plasma_albumin="mmol/L")
    with pytest.raises(MechanismError, match="parameter plasma_albumin: it has the unit 'mmol/L'"):
        load_physiology("rat").values(wrong)


def test_a_body_can_be_copied_and_sent_to_another_process():
    rat = load_physiology("rat", 0.3, flow_exponent=0.7)
    copy = pickle.loads(pickle.dumps(rat))
    assert copy.table().equals(rat.table())
    assert (copy.title, copy.flow_exponent, copy.doubtful) == (rat.title, 0.7, rat.doubtful)
    assert rat.scaled(0.4).title == "Rat, 250 g, adult male, scaled to 0.4 kg"


def test_a_notebook_shows_every_figure_with_its_source():
    page = load_physiology("human")._repr_html_()
    assert "Q_hepatic_artery" in page
    assert "Publication 89" in page
    assert len(load_physiology("human").table()) == len(load_physiology("human").known)
