"""Targets that the drug binds at once: partial systems that follow totals, or nothing but the rate of loss.

The state ``central`` is the *total* drug there (in the Michaelis-Menten model the free drug, since the bound part
is taken for nothing), ``target`` the total target, so that a dose adds to the total and equilibrates at once.
"""

from __future__ import annotations

import dataclasses

from qsp_bayes.models.compartments import PERIPHERALS
from qsp_bayes.models.tmdd.equilibrium import larger_root, root_of, target_excess
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units


def of_free_drug(drug: System) -> System:
    """Let a disposition act on the free drug Cc, which another system gives, while `central` is the total."""
    peripherals = [row for row in PERIPHERALS if row[1] in drug.states]
    changed = drug.replace(
        Process("elimination", {"central": -1}, lambda s: s.CL * s.Cc),
        *(exchange(*row) for row in peripherals),
    )
    return dataclasses.replace(changed, outputs={}, inputs={"Cc": drug.outputs["Cc"].unit})


def exchange(name: str, state: str, clearance: str, volume: str) -> Process:
    """Exchange free drug between the central and a peripheral compartment, net flow counted outwards."""
    return Process(name, {"central": -1, state: +1}, lambda s: s[clearance] * (s.Cc - s[state] / s[volume]))


def equilibrium_target(units: Units, constant: str) -> System:
    """Build a target that turns over and is always at equilibrium (KD) or at steady state (Kss) with the drug.

    Examples
    --------
    >>> equilibrium_target(Units(time="day", amount="nmol"), "Kss").equations()[4]
    'd(target)/dt = ksyn*Vc - kdeg*R*Vc - kint*RC*Vc'
    """
    return System(
        name="target at equilibrium" if constant == "KD" else "target at steady state",
        states=dict.fromkeys(["central", "target"], units.amount),
        shared=["central"],
        parameters={
            "Vc": units.volume,
            constant: units.concentration,
            "R0": units.concentration,
            "kdeg": units.rate,
            "kint": units.rate,
        },
        share=["Vc"],
        expressions={"ksyn": lambda s: s.R0 * s.kdeg} | equilibrium(constant),
        initial={"target": lambda s: s.R0 * s.Vc},
        processes=[
            Process("synthesis", {"target": +1}, lambda s: s.ksyn * s.Vc),
            Process("degradation", {"target": -1}, lambda s: s.kdeg * s.R * s.Vc),
            Process("internalisation", {"central": -1, "target": -1}, lambda s: s.kint * s.RC * s.Vc),
        ],
        outputs=free_drug(units, constant)
        | outputs(units, constant, lambda s: s.central / s.Vc, lambda s: s.target / s.Vc),
        time_unit=units.time,
    )


def wagner_target(units: Units) -> System:
    """Build a target that is constant in total and always at steady state with the drug.

    Examples
    --------
    >>> wagner_target(Units(time="day", amount="nmol")).equations()[2]
    'd(central)/dt = -kint*RC*Vc'
    """
    return System(
        name="target at steady state, constant in total",
        states={"central": units.amount},
        shared=["central"],
        parameters=constant_parameters(units),
        share=["Vc"],
        expressions=equilibrium("Kss"),
        processes=[Process("internalisation", {"central": -1}, lambda s: s.kint * s.RC * s.Vc)],
        outputs=free_drug(units, "Kss") | outputs(units, "Kss", lambda s: s.central / s.Vc, lambda s: s.R0),
        time_unit=units.time,
    )


def saturable_target(units: Units) -> System:
    """Build a target that only eliminates, as an enzyme does: what it holds is taken for nothing.

    Examples
    --------
    >>> saturable_target(Units(time="day", amount="nmol")).equations()[:2]
    ['Vmax = kint*R0*Vc', 'd(central)/dt = -Vmax*Cc/(Kss + Cc)']
    """
    return System(
        name="target as an enzyme",
        states={"central": units.amount},
        shared=["central"],
        parameters=constant_parameters(units),
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions={"Vmax": lambda s: s.kint * s.R0 * s.Vc},
        processes=[Process("internalisation", {"central": -1}, lambda s: s.Vmax * s.Cc / (s.Kss + s.Cc))],
        outputs=outputs(units, "Kss", lambda s: s.Cc + s.RC, lambda s: s.R0),
        time_unit=units.time,
    )


def constant_parameters(units: Units) -> dict[str, str]:
    """Name the parameters of a target that is constant in total."""
    return {
        "Vc": units.volume,
        "Kss": units.concentration,
        "R0": units.concentration,
        "kint": units.rate,
    }


def equilibrium(constant: str) -> dict[str, Quantity]:
    """Name the parts of the root that gives the free drug (see `equilibrium.free_drug`)."""
    return {
        "target_excess": lambda s: target_excess(s.Ctot, s.Rtot, s[constant]),
        "larger_root": lambda s: larger_root(s.target_excess, s.Ctot, s[constant]),
    }


def free_drug(units: Units, constant: str) -> dict[str, Output]:
    """Give the free drug from the totals."""
    return {
        "Cc": Output(
            units.concentration, lambda s: root_of(s.target_excess, s.larger_root, s.Ctot, s[constant])
        )
    }


def outputs(units: Units, constant: str, total_drug: Quantity, total_target: Quantity) -> dict[str, Output]:
    """Give what else can be measured, from the free drug and the totals."""
    return {
        "Ctot": Output(units.concentration, total_drug),
        "R": Output(units.concentration, lambda s: s.Rtot / (1 + s.Cc / s[constant])),
        "RC": Output(units.concentration, lambda s: s.Rtot * s.RO),
        "Rtot": Output(units.concentration, total_target),
        "RO": Output("", lambda s: s.Cc / (s[constant] + s.Cc)),
        "suppression": Output("", lambda s: 1 - s.R / s.R0),
    }
