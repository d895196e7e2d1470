"""Kinetic binding of a ligand that is not depleted: association, dissociation and their half-lives."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.dissociation import dissociation
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def receptor_binding(*, units: Units | None = None, driver: str = "Cc", binding: str = "koff") -> System:
    r"""Build the kinetics of binding to a constant number of receptors.

    .. math::

        \dot R = -k_{on}\,C\,R + k_{off}\,RC, \qquad \dot{RC} = k_{on}\,C\,R - k_{off}\,RC, \qquad R(0) = R_{tot}

    ::

               kon C
        receptor <====> complex
               koff

    ========= ================================== ================== ===============================================
    parameter what it is                         unit               typical
    ========= ================================== ================== ===============================================
    kon       association rate constant          volume/amount/time positive; 1e5 to 1e7 1/M/s (0.36 to 36 1/nM/h)
    koff      dissociation rate constant         1/time             positive; residence time 1/koff seconds to days
    KD        koff / kon, instead of koff        amount/volume      positive; pM to uM
              (``binding="KD"``)
    Rtot      concentration of all receptors     amount/volume      positive
    ========= ================================== ================== ===============================================

    RO, the occupied fraction, approaches C/(C + KD) at the rate kon C + koff under a constant concentration.

    Holds where the receptors are constant in number, one ligand binds one receptor, and bound ligand is a
    negligible part of it (the driver is not depleted).

    From RO alone, Rtot has no influence: fix it at 1. kon and koff need the approach to equilibrium and a wash-out;
    data in equilibrium give KD alone (choose ``binding="KD"``, so that only kon stays unknown).

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
        With the outputs R (free), RC (bound) and RO (fraction bound). ``receptor + complex`` is conserved.

    Raises
    ------
    MechanismError
        For an unknown binding.

    References
    ----------
    Hulme EC, Trevethick MA (2010). Ligand binding assays at equilibrium: validation and interpretation. Br J
    Pharmacol 161:1219-1237.

    Copeland RA, Pompliano DL, Meek TD (2006). Drug-target residence time and its implications for lead
    optimization. Nat Rev Drug Discov 5:730-739.

    Examples
    --------
    >>> system = receptor_binding()
    >>> for equation in system.equations():
    ...     print(equation)
    d(receptor)/dt = -(kon*Cc*receptor - koff*complex)
    d(complex)/dt = kon*Cc*receptor - koff*complex
    receptor(0) = Rtot
    R = receptor
    RC = complex
    RO = complex/Rtot
    >>> system.conservation_laws()
    ['receptor + complex']
    """
    units = units or Units()
    parameters, expressions = dissociation(binding, units)
    return System(
        name="receptor binding",
        states=dict.fromkeys(["receptor", "complex"], units.concentration),
        parameters=parameters | {"Rtot": units.concentration},
        expressions=expressions,
        inputs={driver: units.concentration},
        initial={"receptor": lambda s: s.Rtot},
        processes=[
            Process(
                "receptor binding",
                {"receptor": -1, "complex": +1},
                lambda s: s.kon * s[driver] * s.receptor - s.koff * s.complex,
            )
        ],
        outputs={
            "R": Output(units.concentration, lambda s: s.receptor),
            "RC": Output(units.concentration, lambda s: s.complex),
            "RO": Output("", lambda s: s.complex / s.Rtot),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Receptor binding kinetics']
    """
    units = Units(amount="nmol")
    return {
        "Receptor binding kinetics": Example(
            one_compartment(units=units) + receptor_binding(units=units),
            {"CL": 10.0, "Vc": 50.0, "kon": 0.36, "koff": 0.05, "Rtot": 1.0},
            until=72,
            shows=["RO"],
            regimen=Regimen(500, unit="nmol", into="central"),
            holds="The number of receptors is constant, and bound ligand is a negligible part of all ligand.",
            identifiability="kon and koff need binding and wash-out over time; Rtot has no influence on RO.",
            reference="Copeland RA, Pompliano DL, Meek TD (2006), Nat Rev Drug Discov 5:730-739.",
        )
    }
