"""Humans of any age, weight and height, from the reference individuals of ICRP Publication 89."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.assembly import assemble
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.human_ages import Sex, human_ages, masses_of, reference_individual
from qsp_bayes.physiology.organs import ARTERIAL
from qsp_bayes.physiology.physiology import Physiology
from qsp_bayes.physiology.species import densities_of_organs, load_physiology

OLDEST = 100.0
RHODIN = "Rhodin MM et al (2009) Pediatr Nephrol 24:67-76"


def reference_human(
    *,
    sex: Sex = "male",
    age: float = 30.0,
    body_weight: float | None = None,
    height: float | None = None,
) -> Physiology:
    r"""Return the body of a human of a sex, age, weight and height.

    Masses and cardiac output are those of the reference individuals (newborn, 1, 5, 10, 15 years, adult), linear in
    age between them; the adult holds from 20 years on. At a given age they go with height, and adipose tissue takes
    what is left of body weight (Willmann et al.):

    .. math::

        m_o = m_{o,\mathrm{ref}} \left(\frac{H}{H_\mathrm{ref}}\right)^{b_o} \qquad
        m_\mathrm{adipose} = W - \sum_{o} m_o \qquad
        \mathrm{CO} = \mathrm{CO}_\mathrm{ref} \left(\frac{H}{H_\mathrm{ref}}\right)^{0.75}

    with b = 2 for muscle and bone, 1.6 for skin (which also goes with the square root of weight over weight expected
    at that height), 0 for the brain and 0.75 for the others. The kidney filters (Rhodin et al.)

    .. math::

        \mathrm{GFR} = 121.2\ \mathrm{mL/min} \left(\frac{W_H}{70}\right)^{0.75}
        \frac{\mathrm{PMA}^{3.4}}{47.7^{3.4} + \mathrm{PMA}^{3.4}}

    PMA in weeks, 40 at birth; :math:`W_H` the reference weight at that height, so that fat filters nothing.

    Parameters
    ----------
    sex : {"male", "female"}
    age : float
        Years since birth, 0 to 100.
    body_weight : float, optional
        kg. Where left out, the reference weight times the square of relative height.
    height : float, optional
        cm. Where left out, the reference height of that sex and age.

    Returns
    -------
    Physiology
        Its spreads are those between sources for the adult man.

    Raises
    ------
    MechanismError
        For an age out of range, an unknown sex, and a weight so low that no adipose tissue is left.

    Notes
    -----
    Shares of cardiac output of children are not published: the brain has its measured perfusion (Chiron et al. 1992),
    the kidney that of the adult, the others what is left. Cardiac output below five years is that of Alverson et al.:
    the publication's own 1.2 L/min at one year is far too low. Blood flow is not raised by adiposity. Above 50 years
    the adult of the publication is used beyond its age. Haematocrit is that of the adult of the sex; plasma proteins,
    microsomal protein and hepatocellularity are those of the adult man.

    References
    ----------
    ICRP (2002) Publication 89, Ann ICRP 32(3-4). Willmann S et al (2007) J Pharmacokinet Pharmacodyn 34:401-431.
    Rhodin MM et al (2009) Pediatr Nephrol 24:67-76. Chiron C et al (1992) J Nucl Med 33:696-703. Alverson DC et al
    (1987) J Ultrasound Med 6:519-524.

    Examples
    --------
    >>> woman = reference_human(sex="female", age=35)
    >>> woman.body_weight, round(woman.masses()["liver"], 3), round(woman.cardiac_output / 60, 3)
    (60.0, 1.4, 5.9)
    >>> reference_human(age=5)
    Boy of 5 years, 19 kg, 109 cm: cardiac output 204 L/h, blood 1.4 L, liver 0.543 L
    """
    check_sex_and_age(sex, age)
    reference = reference_individual(sex, float(age))
    height = reference.height if height is None else float(height)
    relative = height / reference.height
    weight = reference.body_weight * relative**2 if body_weight is None else float(body_weight)
    for name, value in (("body weight", weight), ("height", height)):
        if not (np.isfinite(value) and value > 0):
            raise MechanismError(f"The {name} must be a positive number; got {value}.")
    masses = masses_of(sex, float(age), weight, height)
    flow_scale = relative ** human_ages()["height_exponents"]["cardiac_output"]
    flows = {name: flow * flow_scale for name, flow in reference.flows.items()}
    return human(
        sex, float(age), height, masses, flows, filtration(float(age), reference.body_weight * relative**2)
    )


def human(
    sex: Sex,
    age: float,
    height: float,
    masses: Mapping[str, float],
    flows: Mapping[str, float],
    filtered: float,
) -> Physiology:
    """Make the Physiology of a human of masses in kg and flows in L/h that are already known."""
    title = f"{name_of(sex, age)} of {age:.3g} years, {sum(masses.values()):.3g} kg, {height:.3g} cm"
    if masses["adipose"] <= 0:
        lean = sum(masses.values()) - masses["adipose"]
        raise MechanismError(
            f"{title}: the other organs and the blood weigh {lean:.3g} kg at this age and height, which leaves nothing "
            "for adipose tissue. Give a greater body weight, or a smaller height."
        )
    man, tables = load_physiology("human"), human_ages()
    densities, organ_source, flow_source = (
        densities_of_organs(),
        tables["organ_source"],
        tables["flow_source"],
    )

    def stated(name: str, value: float, source: str) -> Figure:
        return replace(man.known[name], value=value, source=source, remark="")

    blood = masses["blood"] / densities["blood"]
    known = {
        name: man.known[name]
        for name in (
            "arterial_fraction",
            "plasma_albumin",
            "plasma_AGP",
            "microsomal_protein",
            "hepatocellularity",
        )
    }
    known |= {
        "body_weight": stated("body_weight", sum(masses.values()), organ_source),
        "cardiac_output": stated("cardiac_output", sum(flows.values()), flow_source),
        "blood_volume": stated("blood_volume", blood, organ_source),
        "haematocrit": stated("haematocrit", tables[sex]["haematocrit"], organ_source),
        "GFR": stated("GFR", filtered, RHODIN),
    }
    for organ, mass in masses.items():
        if organ not in ("rest", "blood"):
            known[f"V_{organ}"] = stated(f"V_{organ}", mass / densities[organ], organ_source)
    for name in ARTERIAL:
        if name != "rest":
            known[f"Q_{name}"] = stated(f"Q_{name}", flows[name], flow_source)
    for organ, share in tables[sex]["vascular"].items():
        name = f"V_{organ}_vascular"
        known[name] = stated(name, blood * share / 100, organ_source)
    doubtful = {}
    if age > 50:
        doubtful["body_weight"] = "the adult of the publication is 20 to 50 years old"
    return assemble(
        species="human",
        title=title,
        known=known,
        densities=densities,
        where=title,
        doubtful=doubtful,
        remark=tables["remark"].strip(),
    )


def filtration(age: float, weight: float) -> float:
    """Return the glomerular filtration rate, L/h: size and maturation (Rhodin et al. 2009).

    Examples
    --------
    >>> adult, infant = filtration(30, 70), filtration(1, 70)
    >>> round(adult / 0.06, 1), round(infant / adult, 1)
    (121.2, 0.9)
    """
    weeks = 40 + age * 365.25 / 7
    return 121.2 * 0.06 * (weight / 70) ** 0.75 * weeks**3.4 / (47.7**3.4 + weeks**3.4)


def check_sex_and_age(sex: str, age: float) -> None:
    """Raise unless the sex is known and the age in range."""
    if sex not in get_args(Sex):
        raise MechanismError(
            f"The sex is {sex!r}{close_names(str(sex), get_args(Sex))}; expected 'female' or 'male'."
        )
    if not 0 <= age <= OLDEST:
        raise MechanismError(f"The age must be 0 to {OLDEST:g} years; got {age}.")


def name_of(sex: Sex, age: float) -> str:
    """Name a human of a sex and age."""
    young, grown = {"male": ("Boy", "Man"), "female": ("Girl", "Woman")}[sex]
    return grown if age >= 18 else young
