"""Autoinduction: a drug raises the synthesis of the enzyme that eliminates it."""

from __future__ import annotations

import dataclasses

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

EFFECTS = ("saturable", "linear")


def autoinduction(system: System, *, effect: str = "saturable") -> System:
    r"""Let an enzyme that the drug induces carry the clearance of a system.

    The amount E of enzyme, relative to its baseline, turns over; the drug raises its synthesis:

    .. math::

        \dot E = k_{enz} \left(1 + \frac{E_{max} C_c}{EC_{50} + C_c}\right) - k_{enz} E, \qquad E(0) = 1, \qquad
        CL = CL_0\,E

    .. code-block:: text

                 --kenz (1 + effect)--> [enzyme] --kenz-->
                          ^                |
                          | Cc             v
        dose --> [central] ------------ CL0 E --->

    ========= =========== ================== ===================================================
    parameter unit        typical            what it is
    ========= =========== ================== ===================================================
    CL0       volume/time that of the drug   clearance before induction
    kenz      1/time      0.005 to 0.03 1/h  turnover of the enzyme (half-life of 1 to 6 days)
    Emax      number      0.5 to 10          largest rise of the synthesis
    EC50      amount/vol. that of the drug   concentration of half that rise
    slope     vol./amount                    rise for each unit of concentration, if it is linear
    ========= =========== ================== ===================================================

    Parameters
    ----------
    system : System
        With a parameter CL and an output Cc, such as `one_compartment`.
    effect : {"saturable", "linear"}
        How the synthesis rises with the concentration; ``"linear"`` is :math:`1 + slope\, C_c`.

    Returns
    -------
    System
        With a state and output ``enzyme``, a number, and CL as an expression.

    Raises
    ------
    MechanismError
        For an unknown effect, or a system without CL or Cc.

    Notes
    -----
    Holds where total plasma concentration drives induction without delay, and all of CL is through the enzyme.

    Identifiability: kenz needs samples while clearance rises, in the first days of treatment; Emax and EC50 need
    several dose levels (at one level only the rise that is reached is known).

    References
    ----------
    Hassan M, Svensson US, Ljungman P et al. (1999). A mechanism-based pharmacokinetic-enzyme model for
    cyclophosphamide autoinduction in breast cancer patients. Br J Clin Pharmacol 48:669-677.

    Smythe W et al. (2012). A semimechanistic pharmacokinetic-enzyme turnover model for rifampin autoinduction in adult
    tuberculosis patients. Antimicrob Agents Chemother 56:2091-2098.

    Examples
    --------
    >>> for equation in autoinduction(one_compartment(), effect="linear").equations():
    ...     print(equation)
    CL = CL0*enzyme
    d(central)/dt = -CL/Vc*central
    d(enzyme)/dt = kenz*(1 + slope*Cc) - kenz*enzyme
    enzyme(0) = 1
    Cc = central/Vc
    """
    if effect not in EFFECTS:
        raise MechanismError(f"effect {effect!r} is not known. Choose one of {', '.join(EFFECTS)}.")
    if "CL" not in system.parameters or "Cc" not in system.outputs:
        raise MechanismError(
            f"system {system.name!r} needs a parameter CL and an output Cc for its enzyme to be induced."
        )
    induced = system + turnover(effect, system.outputs["Cc"].unit, system.time_unit)
    return dataclasses.replace(
        induced.define({"CL0": system.parameters["CL"]}, CL=lambda s: s.CL0 * s.enzyme),
        name=f"{system.name} with autoinduction",
    )


def turnover(effect: str, concentration: str, time: str) -> System:
    """Build the turnover of an enzyme whose synthesis an input Cc raises.

    Examples
    --------
    >>> turnover("saturable", "mg/L", "h").equations()[0]
    'd(enzyme)/dt = kenz*(1 + Emax*Cc/(EC50 + Cc)) - kenz*enzyme'
    """
    parameters = {"kenz": f"1/{time}"}
    rise: Quantity
    if effect == "linear":
        parameters |= {"slope": f"1/({concentration})"}
        rise = lambda s: s.slope * s.Cc  # noqa: E731
    else:
        parameters |= {"Emax": "", "EC50": concentration}
        rise = lambda s: s.Emax * s.Cc / (s.EC50 + s.Cc)  # noqa: E731
    return System(
        name="enzyme turnover",
        states={"enzyme": ""},
        parameters=parameters,
        inputs={"Cc": concentration},
        initial={"enzyme": 1.0},
        processes=[
            Process("synthesis of enzyme", {"enzyme": +1}, lambda s: s.kenz * (1.0 + rise(s))),
            Process("degradation of enzyme", {"enzyme": -1}, lambda s: s.kenz * s.enzyme),
        ],
        outputs={"enzyme": Output("", lambda s: s.enzyme)},
        time_unit=time,
    )


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    return {
        "Autoinduction": Example(
            autoinduction(one_compartment(absorption="first-order", units=Units())),
            {"KA": 1.2, "CL0": 8.0, "Vc": 55.0, "kenz": 0.006, "Emax": 1.5, "EC50": 1.0},
            until=14 * 24,
            shows=["Cc", "enzyme"],
            regimen=Regimen(600, unit="mg", every=24, doses=14),
            holds="The plasma concentration drives induction, and all of CL is through the enzyme.",
            identifiability="kenz needs samples in the first days, Emax and EC50 several dose levels.",
            reference="Smythe W et al. (2012). Antimicrob Agents Chemother 56:2091-2098.",
        )
    }
