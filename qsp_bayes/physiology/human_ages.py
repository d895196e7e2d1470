"""The reference individuals of ICRP Publication 89: masses, flows and size at any age between theirs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from qsp_bayes.physiology.organs import ARTERIAL, ORGANS
from qsp_bayes.physiology.species import densities_of_organs
from qsp_bayes.physiology.species_file import REFERENCE, read_toml

Sex = Literal["female", "male"]


@functools.lru_cache(maxsize=1)
def human_ages() -> Mapping[str, Any]:
    """Return the tables of ``reference/human_ages.toml``."""
    return MappingProxyType(read_toml(REFERENCE / "human_ages.toml"))


@dataclass(frozen=True)
class ReferenceIndividual:
    """The reference individual of one sex and age: linear in age between the ages of the publication.

    Parameters
    ----------
    body_weight, height : float
        kg, cm.
    masses : mapping of str to float
        Of organs without blood, of the rest and of all blood, kg; they add up to body weight.
    flows : mapping of str to float
        Arterial flows, L/h; they add up to cardiac output.
    """

    body_weight: float
    height: float
    masses: Mapping[str, float]
    flows: Mapping[str, float]


@functools.lru_cache(maxsize=4096)
def reference_individual(sex: Sex, age: float) -> ReferenceIndividual:
    """Return the reference individual of an age; from 20 years on the adult."""
    table, ages = human_ages()[sex], human_ages()["age"]

    def at(row: list[float]) -> float:
        return float(np.interp(age, ages, row))

    weight = at(table["body_weight"])
    masses = {organ: at(row) for organ, row in table["tissue"].items()}
    blood = at(table["blood_volume"]) * densities_of_organs()["blood"]
    rest = weight - sum(masses.values()) - blood
    masses = {organ: {**masses, "rest": rest}[organ] for organ in ORGANS} | {"blood": blood}
    flows = regional_flows(sex, age, masses, at(table["cardiac_output"]) * 60)
    return ReferenceIndividual(weight, at(table["height"]), MappingProxyType(masses), MappingProxyType(flows))


def regional_flows(sex: Sex, age: float, masses: Mapping[str, float], output: float) -> dict[str, float]:
    """Share the cardiac output of an age among the organs, L/h.

    The adult has the shares of the publication. Before that the brain has the perfusion that was measured, the kidney
    that of the adult, and the others what is left, in proportion to mass and to the perfusion of the adult.
    """
    table, ages = human_ages()[sex], human_ages()["age"]
    shares = {name: share / 100 for name, share in table["flow"].items()}
    shares = {name: {**shares, "rest": 1 - sum(shares.values())}[name] for name in ARTERIAL}
    if age >= ages[-1]:
        return {name: share * output for name, share in shares.items()}
    adult = reference_individual(sex, float(ages[-1]))
    perfusion = {name: adult.flows[name] / adult.masses[organ_of(name)] for name in ARTERIAL}
    # mL/min per 100 g is 0.6 L/h per kg
    measured = [0.6 * value for value in human_ages()["brain_perfusion"]["value"]] + [perfusion["brain"]]
    fixed = {
        "brain": float(np.interp(age, ages, measured)) * masses["brain"],
        "kidney": perfusion["kidney"] * masses["kidney"],
    }
    wanted = {name: perfusion[name] * masses[organ_of(name)] for name in ARTERIAL if name not in fixed}
    left = (output - sum(fixed.values())) / sum(wanted.values())
    return {name: fixed[name] if name in fixed else wanted[name] * left for name in ARTERIAL}


def organ_of(flow: str) -> str:
    """Return the organ that an arterial flow enters."""
    return "liver" if flow == "hepatic_artery" else flow


def masses_of(
    sex: Sex, age: float, body_weight: float, height: float, factors: Mapping[str, float] | None = None
) -> dict[str, float]:
    r"""Return the masses of an individual, kg: organs by height, adipose tissue what is left of body weight.

    .. math:: m_o = f_o\, m_{o,\mathrm{ref}} (H / H_\mathrm{ref})^{b_o}

    `factors` are how far the organs of an individual are from those of others of the same height.
    """
    reference = reference_individual(sex, age)
    relative = height / reference.height
    exponents, factors = human_ages()["height_exponents"], factors or {}
    masses = {
        name: mass * relative ** exponents[name] * factors.get(name, 1.0)
        for name, mass in reference.masses.items()
        if name != "adipose"
    }
    # Skin goes with body surface: with the square root of how heavy the body is for its height.
    masses["skin"] *= (body_weight / (reference.body_weight * relative**2)) ** 0.5
    masses["adipose"] = body_weight - sum(masses.values())
    return {name: masses[name] for name in (*ORGANS, "blood")}
