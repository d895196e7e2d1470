"""Target-mediated drug disposition: binding to a target that turns over shapes how the drug is disposed of."""

from __future__ import annotations

import dataclasses

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import compartments as compartments_of
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

BINDINGS = ("koff", "KD")


def tmdd(
    *,
    units: Units | None = None,
    compartments: int = 2,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    binding: str = "koff",
) -> System:
    r"""Build the full model of target-mediated drug disposition.

    Free drug binds in the central compartment to a target that is made and degraded; the complex dissociates or
    is internalised. With amounts :math:`A_c, A_p` of free drug, :math:`A_R` of free target and :math:`A_{RC}` of
    complex, and :math:`C_c = A_c / V_c`,

    .. math::

        \dot A_c &= u(t) - CL\,C_c - Q (C_c - A_p / V_p) - k_{on} C_c A_R + k_{off} A_{RC} \\
        \dot A_p &= Q (C_c - A_p / V_p) \\
        \dot A_R &= k_{syn} V_c - k_{deg} A_R - k_{on} C_c A_R + k_{off} A_{RC}, \qquad A_R(0) = R_0 V_c \\
        \dot A_{RC} &= k_{on} C_c A_R - (k_{off} + k_{int}) A_{RC}

    where :math:`k_{syn} = R_0 k_{deg}` keeps the target at its baseline :math:`R_0` while there is no drug.

    ====== ======================================== ====================
    output what it is                               unit
    ====== ======================================== ====================
    Cc     free drug, :math:`A_c / V_c`             amount/volume
    Ctot   free and bound drug                      amount/volume
    R      free target                              amount/volume
    RC     complex                                  amount/volume
    Rtot   free and bound target                    amount/volume
    RO     receptor occupancy, :math:`RC / R_{tot}` fraction
    ====== ======================================== ====================

    Parameters
    ----------
    units : Units, optional
        day, nmol and L if left out, so that concentrations are in nmol/L (nM). Drug and target are counted in one
        unit: with a mass, target and complex are in equivalents of drug mass.
    compartments : {1, 2, 3}
        Number of compartments of the free drug, the central one included.
    absorption, n_transit, lag, bioavailability
        As for `one_compartment`: how doses into ``depot``, such as subcutaneous ones, reach the central
        compartment.
    binding : {"koff", "KD"}
        Whether koff (1/time) is a parameter, or the dissociation constant KD (a concentration), with
        koff = kon KD.

    Returns
    -------
    System
        With the parameters of the compartments and the absorption, and kon (volume/amount/time), koff or KD,
        R0 (amount/volume), kdeg and kint (1/time).

    Raises
    ------
    MechanismError
        For an unknown absorption, binding or number of compartments.

    References
    ----------
    Mager DE, Jusko WJ (2001). General pharmacokinetic model for drugs exhibiting target-mediated drug
    disposition. J Pharmacokinet Pharmacodyn 28:507-532.

    Examples
    --------
    >>> for equation in tmdd(compartments=1, binding="KD").equations():
    ...     print(equation)
    ksyn = R0*kdeg
    koff = kon*KD
    d(central)/dt = -CL/Vc*central - (kon*Cc*target - koff*complex)
    d(target)/dt = ksyn*Vc - kdeg*target - (kon*Cc*target - koff*complex)
    d(complex)/dt = kon*Cc*target - koff*complex - kint*complex
    target(0) = R0*Vc
    Cc = central/Vc
    Ctot = Cc + RC
    R = target/Vc
    RC = complex/Vc
    Rtot = R + RC
    RO = complex/(target + complex)
    """
    units = units or Units(time="day", amount="nmol")
    if compartments not in (1, 2, 3):
        raise MechanismError(f"compartments is {compartments!r}; the free drug has 1, 2 or 3.")
    drug = compartments_of(compartments, units, absorption, n_transit, lag, bioavailability)
    return dataclasses.replace(
        drug + target(units, binding), name="target-mediated drug disposition", share=()
    )


def target(units: Units, binding: str) -> System:
    """Build a target that binds the drug in the central compartment, to be added to a disposition.

    Examples
    --------
    >>> target(Units(time="day", amount="nmol"), "koff").parameters["kon"]
    'L/nmol/day'
    """
    if binding not in BINDINGS:
        raise MechanismError(f"binding {binding!r} is not known. Choose one of {', '.join(BINDINGS)}.")
    return System(
        name="target",
        states=dict.fromkeys(["central", "target", "complex"], units.amount),
        shared=["central"],
        parameters={
            "Vc": units.volume,
            "kon": f"{units.volume}/{units.amount}/{units.time}",
            binding: units.rate if binding == "koff" else units.concentration,
            "R0": units.concentration,
            "kdeg": units.rate,
            "kint": units.rate,
        },
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions={"ksyn": lambda s: s.R0 * s.kdeg}
        | ({"koff": lambda s: s.kon * s.KD} if binding == "KD" else {}),
        initial={"target": lambda s: s.R0 * s.Vc},
        processes=[
            Process("synthesis", {"target": +1}, lambda s: s.ksyn * s.Vc),
            Process("degradation", {"target": -1}, lambda s: s.kdeg * s.target),
            Process(
                "binding",
                {"central": -1, "target": -1, "complex": +1},
                lambda s: s.kon * s.Cc * s.target - s.koff * s.complex,
            ),
            Process("internalisation", {"complex": -1}, lambda s: s.kint * s.complex),
        ],
        outputs={
            "Ctot": Output(units.concentration, lambda s: s.Cc + s.RC),
            "R": Output(units.concentration, lambda s: s.target / s.Vc),
            "RC": Output(units.concentration, lambda s: s.complex / s.Vc),
            "Rtot": Output(units.concentration, lambda s: s.R + s.RC),
            "RO": Output("", lambda s: s.complex / (s.target + s.complex)),
        },
        time_unit=units.time,
    )
