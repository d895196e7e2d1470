"""A closed chamber: air that animals breathe again and again, so that what disappears from it is in them."""

from __future__ import annotations

from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.organ import Organ
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.systems.declarations import Constant
from qsp_bayes.units import Units, conversion_factor

MOLAR_VOLUME = 24.45
"""Litres that a mole of an ideal gas takes at 25 degrees Celsius and 1 atmosphere."""


def closed_chamber(*, lung: Organ, units: Units | None = None, animals: int = 1) -> System:
    r"""Build the exchange of a vapour between the air of a closed chamber and the lung of a circulation.

    The concentration that is inhaled, :math:`C_{inh} = A_{ch} / V_{ch}`, and the blood that leaves the lung come to
    equilibrium in the alveoli, where a ventilation QP brings vapour in and takes it out. With n animals,

    .. math::

        \dot A_{ch} &= -n\, QP \Bigl(C_{inh} - \frac{C_{B,lung}}{P_B}\Bigr) - k_{loss} A_{ch}, \qquad
        A_{ch}(0) = V_{ch}\, C_0 \frac{MW}{24\,450} \\
        \dot A_{lung} &= \dots + QP \Bigl(C_{inh} - \frac{C_{B,lung}}{P_B}\Bigr)

    with C0 in ppm, MW in g/mol, and 24.45 L the volume of a mole of gas at 25 degrees Celsius.

    .. code-block:: text

        [chamber] --kloss--> [lost]
          |   ^
          QP  QP / PB
          v   |
        [ lung ] --> arterial blood --> ... --> venous blood --> [lung]

    ========= =========== ==================== ==================================================================
    parameter unit        typical              what it is
    ========= =========== ==================== ==================================================================
    V_chamber volume      3 to 15 L            air in the chamber: its volume less that of the animals
    kloss     1/time      0.001 to 0.05 1/h    rate constant of loss to walls and leaks, from runs without animals
    QP        volume/time 3 to 8 L/h (rat)     alveolar ventilation of one animal
    PB        number      1 to 100             blood:air partition coefficient
    C0        ppm         1 to 10 000 ppm      concentration in the chamber at the start
    MW        g/mol       30 to 300 g/mol      molar mass (where amounts are masses)
    ========= =========== ==================== ==================================================================

    Parameters
    ----------
    lung : Organ
        The lung of the circulation's table.
    units : Units, optional
        h, mg and L if left out.
    animals : int
        How many, all alike, breathe the air of the chamber.

    Returns
    -------
    System
        A partial system. Its states are the amounts in the ``chamber`` and ``lost`` from it, its output is the
        concentration in the chamber, ``Cchamber``, in ppm. Doses into ``chamber`` are injections of more vapour.

    Raises
    ------
    MechanismError
        For fewer than one animal, for a lung behind a membrane, and for an amount that is neither a mass nor an amount
        of substance.

    Notes
    -----
    Holds where the air is mixed, oxygen and carbon dioxide are kept constant, and the vapour is absorbed in the alveoli
    alone: not for compounds that the upper airways take up or metabolise.

    Identifiability: the course in the chamber tells the uptake and, once tissues have filled, metabolism; kloss must be
    known from an empty chamber, since loss and metabolism at low concentration look alike.

    References
    ----------
    Gargas ML, Andersen ME, Clewell HJ (1986). A physiologically based simulation approach for determining metabolic
    constants from gas uptake data. Toxicol Appl Pharmacol 86:341-352.

    Examples
    --------
    >>> for equation in closed_chamber(lung=Organ("lung", "arterial"), animals=3).equations():
    ...     print(equation)
    C_inhaled = chamber/V_chamber
    d(chamber)/dt = -kloss*chamber - 3*QP*(C_inhaled - CB_lung/PB)
    d(lost)/dt = kloss*chamber
    d(lung)/dt = QP*(C_inhaled - CB_lung/PB)
    chamber(0) = C0*MW*per_ppm*V_chamber
    Cchamber = C_inhaled/(MW*per_ppm)
    """
    if lung.behind_membrane:
        raise MechanismError(
            f"inhalation: {lung.name!r} is behind a membrane, and the gas that is inhaled is at equilibrium with the "
            "blood that leaves it. Leave it out of permeability_limited."
        )
    units = units or Units()
    exchange = System(
        name="gas exchange",
        states=dict.fromkeys(["chamber", lung.name], units.amount),
        shared=["chamber", lung.name],
        parameters={"QP": units.clearance, "PB": ""},
        inputs={"C_inhaled": units.concentration, lung.blood: units.concentration},
        processes=[
            Process(
                "gas exchange",
                {"chamber": -checked_number(animals), lung.name: +1},
                lambda s: s.QP * (s.C_inhaled - s[lung.blood] / s.PB),
            )
        ],
        time_unit=units.time,
    )
    return chamber_air(units) + exchange


def chamber_air(units: Units) -> System:
    """Build the air of a closed chamber, without animals."""
    factor, unit = amount_per_ppm(units)
    weighs = bool(unit)

    def for_each_ppm(s: Any) -> Any:
        """Return the concentration, in amount per volume, that one ppm is."""
        return s.MW * s.per_ppm if weighs else s.per_ppm

    per_ppm = f"{units.concentration}/ppm" + (f"/({unit})" if weighs else "")
    return System(
        name="closed chamber",
        states=dict.fromkeys(["chamber", "lost"], units.amount),
        accumulators=["lost"],
        parameters={
            "V_chamber": units.volume,
            "kloss": units.rate,
            "C0": "ppm",
            **({"MW": unit} if weighs else {}),
        },
        constants={"per_ppm": Constant(factor, per_ppm)},
        expressions={"C_inhaled": lambda s: s.chamber / s.V_chamber},
        initial={"chamber": lambda s: s.C0 * for_each_ppm(s) * s.V_chamber},
        doses={"chamber": DoseInto()},
        processes=[Process("loss", {"chamber": -1, "lost": +1}, lambda s: s.kloss * s.chamber)],
        outputs={"Cchamber": Output("ppm", lambda s: s.C_inhaled / for_each_ppm(s))},
        time_unit=units.time,
    )


def amount_per_ppm(units: Units) -> tuple[float, str]:
    """Return the amount in a volume of air at 1 ppm, and the unit of the molar mass that it is to be multiplied by.

    The unit is empty where the amount is one of substance: then no molar mass is needed.

    Examples
    --------
    >>> round(1 / amount_per_ppm(Units())[0], 6), amount_per_ppm(Units())[1]
    (24450.0, 'g/mol')
    >>> round(amount_per_ppm(Units(amount="nmol"))[0], 3), amount_per_ppm(Units(amount="nmol"))[1]
    (40.9, '')
    """
    litres = conversion_factor(units.volume, "L")
    for base, unit in (("g", "g/mol"), ("mol", "")):
        factor = conversion_factor(base, units.amount)
        if factor is not None and litres is not None:
            return 1e-6 * litres * factor / MOLAR_VOLUME, unit
    raise MechanismError(
        f"a concentration in ppm needs an amount that is a mass or an amount of substance, and the unit is "
        f"{units.amount!r}. Write units such as Units(amount='mg')."
    )


def checked_number(animals: int) -> int:
    """Require a whole number of animals, one or more."""
    if animals != int(animals) or animals < 1:
        raise MechanismError(f"animals is {animals}; a whole number, 1 or more, breathe in a closed chamber.")
    return int(animals)
