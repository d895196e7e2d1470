"""Targets that the drug binds at a finite rate: partial systems, to be added to a disposition of free drug."""

from __future__ import annotations

from qsp_bayes.models.dissociation import dissociation
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def target(units: Units, binding: str) -> System:
    """Build a target that is made, degraded, bound, freed and internalised: that of the full model.

    Examples
    --------
    >>> target(Units(time="day", amount="nmol"), "koff").parameters["kon"]
    'L/nmol/day'
    """
    return System(
        name="target",
        states=dict.fromkeys(["central", "target", "complex"], units.amount),
        shared=["central"],
        parameters=parameters(units, binding, kdeg=units.rate),
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions={"ksyn": lambda s: s.R0 * s.kdeg} | dissociation(binding, units)[1],
        initial={"target": lambda s: s.R0 * s.Vc},
        processes=[
            *TURNOVER,
            Process(
                "binding",
                {"central": -1, "target": -1, "complex": +1},
                lambda s: s.kon * s.Cc * s.target - s.koff * s.complex,
            ),
            INTERNALISATION,
        ],
        outputs=outputs(units),
        time_unit=units.time,
    )


def irreversible_target(units: Units) -> System:
    """Build a target that keeps what it has bound until the complex is internalised.

    Examples
    --------
    >>> irreversible_target(Units(time="day", amount="nmol")).equations()[3]
    'd(complex)/dt = kon*Cc*target - kint*complex'
    """
    known = parameters(units, "koff", kdeg=units.rate)
    return System(
        name="target, bound for good",
        states=dict.fromkeys(["central", "target", "complex"], units.amount),
        shared=["central"],
        parameters={name: unit for name, unit in known.items() if name != "koff"},
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions={"ksyn": lambda s: s.R0 * s.kdeg},
        initial={"target": lambda s: s.R0 * s.Vc},
        processes=[
            *TURNOVER,
            Process(
                "binding",
                {"central": -1, "target": -1, "complex": +1},
                lambda s: s.kon * s.Cc * s.target,
            ),
            INTERNALISATION,
        ],
        outputs=outputs(units),
        time_unit=units.time,
    )


def constant_target(units: Units, binding: str) -> System:
    """Build a target of which there is always as much, free and bound together.

    Examples
    --------
    >>> constant_target(Units(time="day", amount="nmol"), "KD").equations()[2]
    'd(complex)/dt = kon*Cc*(R0*Vc - complex) - koff*complex - kint*complex'
    """
    return System(
        name="target, constant in total",
        states=dict.fromkeys(["central", "complex"], units.amount),
        shared=["central"],
        parameters=parameters(units, binding),
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions=dissociation(binding, units)[1],
        processes=[
            Process(
                "binding",
                {"central": -1, "complex": +1},
                lambda s: s.kon * s.Cc * (s.R0 * s.Vc - s.complex) - s.koff * s.complex,
            ),
            INTERNALISATION,
        ],
        outputs=outputs(units)
        | {
            "R": Output(units.concentration, lambda s: s.R0 - s.RC),
            "Rtot": Output(units.concentration, lambda s: s.R0),
            "RO": Output("", lambda s: s.RC / s.R0),
        },
        time_unit=units.time,
    )


TURNOVER = (
    Process("synthesis", {"target": +1}, lambda s: s.ksyn * s.Vc),
    Process("degradation", {"target": -1}, lambda s: s.kdeg * s.target),
)
INTERNALISATION = Process("internalisation", {"complex": -1}, lambda s: s.kint * s.complex)


def parameters(units: Units, binding: str, **others: str) -> dict[str, str]:
    """Name the parameters of binding and of the target, with their units."""
    of_binding, _ = dissociation(binding, units)
    return {"Vc": units.volume, **of_binding, "R0": units.concentration, **others, "kint": units.rate}


def outputs(units: Units) -> dict[str, Output]:
    """Give what can be measured of drug and target."""
    return {
        "Ctot": Output(units.concentration, lambda s: s.Cc + s.RC),
        "R": Output(units.concentration, lambda s: s.target / s.Vc),
        "RC": Output(units.concentration, lambda s: s.complex / s.Vc),
        "Rtot": Output(units.concentration, lambda s: s.R + s.RC),
        "RO": Output("", lambda s: s.complex / (s.target + s.complex)),
        "suppression": Output("", lambda s: 1 - s.R / s.R0),
    }
