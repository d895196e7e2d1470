"""Receptors that are made, degraded and internalised: a ligand that binds them changes their number."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.dissociation import dissociation
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def receptor_turnover(*, units: Units | None = None, driver: str = "Cc", binding: str = "koff") -> System:
    r"""Build the turnover of receptors that a ligand binds and carries into the cell.

    .. math::

        \dot R &= k_{syn} - k_{deg} R - k_{on} C R + k_{off} RC, \qquad k_{syn} = R_0 k_{deg}, \quad R(0) = R_0 \\
        \dot{RC} &= k_{on} C R - (k_{off} + k_{int}) RC

    ::

        ksyn              kon C
        ----> receptor <=========> complex ----> (internalised)
                 |        koff              kint
                 v kdeg

    ========= ================================== ================== ===============================================
    parameter what it is                         unit               typical
    ========= ================================== ================== ===============================================
    kon       association rate constant          volume/amount/time positive; 1e5 to 1e7 1/M/s (0.36 to 36 1/nM/h)
    koff, KD  dissociation (one of them)         1/time, or         positive
                                                 amount/volume
    R0        free receptor without ligand       amount/volume      positive
    kdeg      degradation of free receptor       1/time             positive; half-life hours to days
    kint      internalisation of the complex     1/time             positive; half-life minutes to days
    ========= ================================== ================== ===============================================

    Under a constant concentration, with :math:`K_{ss} = (k_{off} + k_{int}) / k_{on}`,

    .. math::

        RO = \frac{C}{C + K_{ss}}, \qquad R = \frac{k_{syn}}{k_{deg} + k_{int} C / K_{ss}}, \qquad
        R_{tot} \to \frac{k_{syn}}{k_{int}} \quad (C \gg K_{ss}).

    Holds where bound ligand is a negligible part of all ligand (else use `qsp_bayes.models.tmdd`), and internalised
    receptors do not return.

    The total after long exposure gives kint/kdeg, the time to get there kint, and recovery kdeg. kon and koff
    are known apart only from early times; later Kss is. R0 needs a measured concentration of receptors.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the free concentration of the ligand.
    binding : {"koff", "KD"}
        Which of the two is a parameter.

    Returns
    -------
    System
        With the outputs R (free), RC (bound), Rtot and RO (fraction bound).

    Raises
    ------
    MechanismError
        For an unknown binding.

    References
    ----------
    Gibiansky L, Gibiansky E, Kakkar T, Ma P (2008). Approximations of the target-mediated drug disposition model
    and identifiability of model parameters. J Pharmacokinet Pharmacodyn 35:573-591.

    Lauffenburger DA, Linderman JJ (1993). Receptors: models for binding, trafficking, and signaling. Oxford
    University Press.

    Examples
    --------
    >>> for equation in receptor_turnover().equations():
    ...     print(equation)
    ksyn = R0*kdeg
    d(receptor)/dt = ksyn - kdeg*receptor - (kon*Cc*receptor - koff*complex)
    d(complex)/dt = kon*Cc*receptor - koff*complex - kint*complex
    receptor(0) = R0
    R = receptor
    RC = complex
    Rtot = receptor + complex
    RO = complex/(receptor + complex)
    """
    units = units or Units()
    parameters, expressions = dissociation(binding, units)
    return System(
        name="receptor turnover",
        states=dict.fromkeys(["receptor", "complex"], units.concentration),
        parameters=parameters | {"R0": units.concentration, "kdeg": units.rate, "kint": units.rate},
        expressions={"ksyn": lambda s: s.R0 * s.kdeg} | expressions,
        inputs={driver: units.concentration},
        initial={"receptor": lambda s: s.R0},
        processes=[
            Process("receptor synthesis", {"receptor": +1}, lambda s: s.ksyn),
            Process("receptor degradation", {"receptor": -1}, lambda s: s.kdeg * s.receptor),
            Process(
                "receptor binding",
                {"receptor": -1, "complex": +1},
                lambda s: s.kon * s[driver] * s.receptor - s.koff * s.complex,
            ),
            Process("internalisation", {"complex": -1}, lambda s: s.kint * s.complex),
        ],
        outputs={
            "R": Output(units.concentration, lambda s: s.receptor),
            "RC": Output(units.concentration, lambda s: s.complex),
            "Rtot": Output(units.concentration, lambda s: s.receptor + s.complex),
            "RO": Output("", lambda s: s.complex / (s.receptor + s.complex)),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Receptor turnover and internalisation']
    """
    units = Units(amount="nmol")
    return {
        "Receptor turnover and internalisation": Example(
            one_compartment(units=units) + receptor_turnover(units=units),
            {"CL": 1.0, "Vc": 50.0, "kon": 0.36, "koff": 0.5, "R0": 1.0, "kdeg": 0.05, "kint": 0.3},
            until=336,
            shows=["R", "RC", "Rtot", "RO"],
            regimen=Regimen(1000, unit="nmol", into="central"),
            holds="Bound ligand is a negligible part of all ligand, and internalised receptors do not return.",
            identifiability="Rtot under exposure gives kint/kdeg; kon and koff merge into Kss after early times.",
            reference="Lauffenburger DA, Linderman JJ (1993), Receptors, Oxford University Press.",
        )
    }
