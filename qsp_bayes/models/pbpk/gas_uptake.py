"""The gas-uptake model: a volatile compound in a closed chamber and in the animals that breathe its air."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.example import Example
from qsp_bayes.models.pbpk.chamber import chamber_air, checked_number
from qsp_bayes.models.pbpk.circulation import tissue
from qsp_bayes.models.pbpk.organ import Organ, check_organs
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

GAS_UPTAKE_ORGANS = tuple(Organ(name) for name in ("viscera", "muscle", "adipose", "liver"))
"""Organs of the classic gas-uptake models; viscera are all that blood flows through fast, save the liver."""

METABOLISM = ("saturable", "first-order")

EVANS_1994: Mapping[str, float] = MappingProxyType(
    {
        "V_viscera": 0.05 * 0.182, "V_muscle": 0.74 * 0.182, "V_adipose": 0.08 * 0.182, "V_liver": 0.04 * 0.182,
        "Q_viscera": 0.48 * 4, "Q_muscle": 0.32 * 4, "Q_adipose": 0.05 * 4, "Q_liver": 0.15 * 4,
        "PA_viscera": 16.17, "PA_muscle": 13.3, "PA_adipose": 281.48, "PA_liver": 16.17,
        "PB": 5.487, "QP": 4.0, "MW": 153.8, "V_chamber": 3.8 - 0.182, "kloss": 0.02,
    }
)  # fmt: skip
"""A rat of 182 g and carbon tetrachloride in h, mg and L: Evans et al. (1994), as the R package deSolve gives them.

Everything that is known before the experiment: organs as shares of body weight (viscera what is left of 91 % of it),
a cardiac output of 4 L/h and its shares, partition coefficients between tissue or blood and air, and the chamber of
3.8 L.
"""


def gas_uptake_pbpk(
    *,
    units: Units | None = None,
    organs: Sequence[Organ] = GAS_UPTAKE_ORGANS,
    metabolism: Sequence[str] = ("saturable",),
    animals: int = 1,
) -> System:
    r"""Build the model of gas uptake from a closed chamber, with blood and lung at quasi-steady state.

    Blood has no volume of its own. With :math:`C_{inh} = A_{ch} / V_{ch}` the concentration in the chamber,
    :math:`C_{B,i}` in the blood that leaves organ i, :math:`C_{B,ven}` in mixed venous and :math:`C_{B,art}` in
    arterial blood,

    .. math::

        C_{B,i} &= \frac{A_i}{V_i} \frac{P_B}{P_i}, \qquad
        C_{B,ven} = \frac{1}{CO} \sum_i Q_i C_{B,i}, \qquad CO = \sum_i Q_i, \\
        C_{B,art} &= \frac{CO\, C_{B,ven} + QP\, C_{inh}}{CO + QP / P_B}, \\
        \dot A_i &= Q_i (C_{B,art} - C_{B,i}) \quad
        \Bigl[ - \frac{V_{max} C_{B,liver}}{K_m + C_{B,liver}} - CL_{int} C_{B,liver} \text{ in the liver} \Bigr], \\
        \dot A_{ch} &= -n \sum_i Q_i (C_{B,art} - C_{B,i}) - k_{loss} A_{ch}, \qquad
        A_{ch}(0) = V_{ch}\, C_0 \frac{MW}{24\,450}.

    What organs take up, the chamber loses: the sum equals :math:`n\, QP\, (C_{inh} - C_{B,art} / P_B)`, inhaled less
    exhaled, by the equation for arterial blood.

    .. code-block:: text

        [lost] <--kloss-- [chamber]
                            |   ^
                            QP  QP / PB
                            v   |
               +--> arterial blood (lung) ----+-- Q_viscera -->  [viscera] --+
               |                              +-- Q_muscle  -->  [muscle]  --+
               |                              +-- Q_adipose -->  [adipose] --+
               |                              +-- Q_liver   -->  [liver]   --+
               |                                                    | Vmax, Km
               |                                                    v        |
               |                                             [metabolised]   |
               +------------------ venous blood <----------------------------+

    ========== =========== ========================== ============================================================
    parameter  unit        typical                    what it is
    ========== =========== ========================== ============================================================
    V_<organ>  volume      4 to 75 % of body weight   organ
    Q_<organ>  volume/time 5 to 50 % of CO            blood flow; their sum CO is 4 to 6 L/h in a rat
    PA_<organ> number      1 to 10 000                tissue:air partition coefficient
    PB         number      1 to 100                   blood:air partition coefficient
    QP         volume/time 3 to 8 L/h (rat)           alveolar ventilation of one animal
    Vmax       amount/time 0.01 to 10 mg/h (rat)      largest rate of metabolism of the whole liver
    Km         conc.       0.01 to 10 mg/L            concentration in venous blood of the liver at half that rate
    CLint      volume/time 0 to Q_liver               intrinsic clearance of the whole liver, of blood ("first-order")
    V_chamber  volume      3 to 15 L                  air in the chamber: its volume less that of the animals
    kloss      1/time      0.001 to 0.05 1/h          rate constant of loss to walls and leaks
    C0         ppm         1 to 10 000 ppm            concentration in the chamber at the start
    MW         g/mol       30 to 300 g/mol            molar mass (where amounts are masses)
    ========== =========== ========================== ============================================================

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    organs : sequence of Organ
        The table; viscera, muscle, adipose and liver if left out. All drain into venous blood.
    metabolism : sequence of {"saturable", "first-order"}
        How the organ ``liver`` metabolises; empty for not at all.
    animals : int
        How many, all alike, breathe the air of the chamber.

    Returns
    -------
    System
        States are the amounts in the ``chamber``, in every organ of one animal, ``lost`` and ``metabolised``. Outputs
        are the concentration in the chamber, ``Cchamber``, in ppm; those in arterial and venous blood, ``CB_arterial``
        and ``CB_venous``, and in the tissues, ``C_<organ>``; ``metabolised``; and with a liver ``AUC_liver``, the
        integral of the concentration in its tissue. Doses into ``chamber`` are injections of more vapour.

    Raises
    ------
    MechanismError
        For organs that blood does not leave straight for the veins or that are behind a membrane, for unknown
        metabolism or metabolism without a liver, and for fewer than one animal.

    Notes
    -----
    Holds where blood and lung fill much faster than the chamber empties, and the vapour is absorbed in the alveoli
    alone. `whole_body_pbpk(inhalation="closed chamber")` is the model with volumes of blood and lung; it tends to this
    one as these go to 0 (with BP = 1 and Kp = PA / PB).

    Identifiability: exposures below and far above Km tell Vmax and Km apart, if physiology and partition coefficients
    are known; at one exposure only a curve of pairs is told. Loss from the chamber must be known from an empty one.

    References
    ----------
    Gargas ML, Andersen ME, Clewell HJ (1986). A physiologically based simulation approach for determining metabolic
    constants from gas uptake data. Toxicol Appl Pharmacol 86:341-352.

    Evans MV, Crank WD, Yang HM, Simmons JE (1994). Applications of sensitivity analysis to a physiologically based
    pharmacokinetic model for carbon tetrachloride in rats. Toxicol Appl Pharmacol 128:36-44.

    Examples
    --------
    >>> rat = gas_uptake_pbpk(organs=[Organ("muscle"), Organ("liver")])
    >>> for equation in rat.equations()[:12]:
    ...     print(equation)
    C_inhaled = chamber/V_chamber
    CO = Q_muscle + Q_liver
    CB_muscle = muscle*PB/(V_muscle*PA_muscle)
    CB_liver = liver*PB/(V_liver*PA_liver)
    CB_venous = (Q_muscle*CB_muscle + Q_liver*CB_liver)/CO
    CB_arterial = (CO*CB_venous + QP*C_inhaled)/(CO + QP/PB)
    d(chamber)/dt = -kloss*chamber - Q_muscle*(CB_arterial - CB_muscle) - Q_liver*(CB_arterial - CB_liver)
    d(lost)/dt = kloss*chamber
    d(muscle)/dt = Q_muscle*(CB_arterial - CB_muscle)
    d(liver)/dt = Q_liver*(CB_arterial - CB_liver) - Vmax*CB_liver/(Km + CB_liver)
    d(metabolised)/dt = Vmax*CB_liver/(Km + CB_liver)
    d(AUC_liver)/dt = C_liver
    >>> print(rat.conservation_laws()[0])
    chamber + lost + muscle + liver + metabolised
    """
    require_straight(organs)
    unknown = [route for route in metabolism if route not in METABOLISM]
    if unknown:
        raise MechanismError(
            f"metabolism {', '.join(unknown)} is not known. Choose among {', '.join(METABOLISM)}."
        )
    names = [organ.name for organ in organs]
    if metabolism and "liver" not in names:
        raise MechanismError(
            f"metabolism needs an organ 'liver', and the table has {', '.join(names)}. Add Organ('liver'), or give "
            "metabolism=()."
        )
    units = units or Units()
    number = checked_number(animals)
    system = chamber_air(units) + breathing_body(units, organs, number)
    if metabolism:
        system = system + liver_metabolism(units, metabolism)
    if "liver" in names:
        system = system.accumulate(AUC_liver="C_liver")
    return replace(system, name="gas uptake")


def breathing_body(units: Units, organs: Sequence[Organ], animals: int) -> System:
    """Build the organs of one animal, which take up what the chamber loses to each of the animals."""
    return System(
        name="breathing body",
        states=dict.fromkeys(["chamber", *(organ.name for organ in organs)], units.amount),
        shared=["chamber"],
        parameters={
            **{f"V_{organ.name}": units.volume for organ in organs},
            **{str(organ.flow): units.clearance for organ in organs},
            **{f"PA_{organ.name}": "" for organ in organs},
            "PB": "",
            "QP": units.clearance,
        },
        inputs={"C_inhaled": units.concentration},
        expressions={
            "CO": lambda s: sum((s[organ.flow] for organ in organs[1:]), s[organs[0].flow]),
            **{organ.blood: leaving(organ) for organ in organs},
            "CB_venous": mixed(organs),
            "CB_arterial": lambda s: (s.CO * s.CB_venous + s.QP * s.C_inhaled) / (s.CO + s.QP / s.PB),
        },
        processes=[
            Process(f"uptake by {organ.name}", {"chamber": -animals, organ.name: +1}, uptake(organ))
            for organ in organs
        ],
        outputs={
            **{name: Output(units.concentration, itemgetter(name)) for name in ("CB_arterial", "CB_venous")},
            **{f"C_{organ.name}": Output(units.concentration, tissue(organ.name)) for organ in organs},
        },
        time_unit=units.time,
    )


def leaving(organ: Organ) -> Quantity:
    """Return the concentration in the blood that leaves an organ."""
    return lambda s: s[organ.name] * s.PB / (s[f"V_{organ.name}"] * s[f"PA_{organ.name}"])


def mixed(organs: Sequence[Organ]) -> Quantity:
    """Return the concentration in mixed venous blood."""

    def average(s: Any) -> Any:
        flowing = [s[organ.flow] * s[organ.blood] for organ in organs]
        return sum(flowing[1:], flowing[0]) / s.CO

    return average


def uptake(organ: Organ) -> Quantity:
    """Return what blood brings into an organ less what it takes away."""
    return lambda s: s[organ.flow] * (s.CB_arterial - s[organ.blood])


def liver_metabolism(units: Units, routes: Sequence[str]) -> System:
    """Build the metabolism of what is in the blood that leaves the liver."""
    rates: dict[str, Quantity] = {
        "saturable": lambda s: s.Vmax * s.CB_liver / (s.Km + s.CB_liver),
        "first-order": lambda s: s.CLint * s.CB_liver,
    }
    kinetics = {
        "saturable": {"Vmax": f"{units.amount}/{units.time}", "Km": units.concentration},
        "first-order": {"CLint": units.clearance},
    }
    return System(
        name="metabolism",
        states=dict.fromkeys(["liver", "metabolised"], units.amount),
        shared=["liver"],
        accumulators=["metabolised"],
        parameters={name: unit for route in routes for name, unit in kinetics[route].items()},
        inputs={"CB_liver": units.concentration},
        processes=[
            Process(f"{route} metabolism", {"liver": -1, "metabolised": +1}, rates[route]) for route in routes
        ],
        outputs={"metabolised": Output(units.amount, lambda s: s.metabolised)},
        time_unit=units.time,
    )


def require_straight(organs: Sequence[Organ]) -> None:
    """Require organs that arterial blood reaches, that drain into venous blood, and that have no membrane."""
    check_organs(organs)
    for organ in organs:
        if organ.drains_into != "venous":
            raise MechanismError(
                f"organ {organ.name!r} drains into {organ.drains_into!r}, and the gas-uptake model has "
                "mixed venous blood alone. Let it drain into 'venous', or use "
                "whole_body_pbpk(inhalation='closed chamber')."
            )
        if organ.behind_membrane:
            raise MechanismError(
                f"organ {organ.name!r} is behind a membrane, and the organs of the gas-uptake model are "
                "perfusion-limited. Use whole_body_pbpk(inhalation='closed chamber', permeability_limited=[...])."
            )


def examples() -> dict[str, Example]:
    """Return the model with numbers to try it with.

    Examples
    --------
    >>> list(examples())
    ['Gas uptake from a closed chamber']
    """
    return {
        "Gas uptake from a closed chamber": Example(
            gas_uptake_pbpk(),
            {**EVANS_1994, "Vmax": 0.0432, "Km": 0.403, "C0": 100.0},
            until=6,
            shows=["Cchamber", "C_adipose", "C_muscle", "C_liver", "metabolised"],
            holds="blood and lung fill much faster than the chamber empties; the alveoli alone absorb",
            identifiability="exposures below and far above Km tell Vmax and Km apart, if the physiology is known",
            reference="Evans MV et al. (1994). Toxicol Appl Pharmacol 128:36-44.",
        )
    }
