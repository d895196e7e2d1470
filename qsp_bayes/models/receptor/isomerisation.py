"""Binding in two steps: a loose complex that becomes a tight one by a change of its form."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def two_step_binding(*, units: Units | None = None, driver: str = "Cc") -> System:
    r"""Build binding followed by an isomerisation of the complex (induced fit).

    .. math::

        \dot R &= -k_{on} C R + k_{off} RC \\
        \dot{RC} &= k_{on} C R - k_{off} RC - k_f RC + k_r RC^* \\
        \dot{RC}^* &= k_f RC - k_r RC^*

    ::

               kon C             kf
        receptor <====> complex <====> tight_complex
               koff              kr

    ========= ================================== ================== ===============================================
    parameter what it is                         unit               typical
    ========= ================================== ================== ===============================================
    kon       association rate constant          volume/amount/time positive; 1e5 to 1e7 1/M/s (0.36 to 36 1/nM/h)
    koff      dissociation of the loose complex  1/time             positive; much faster than kr
    kf        loose to tight                     1/time             positive
    kr        tight to loose                     1/time             positive; sets the residence time
    Rtot      concentration of all receptors     amount/volume      positive
    ========= ================================== ================== ===============================================

    In equilibrium RO = C/(C + KDapp) with the apparent dissociation constant
    :math:`K_{D,app} = (k_{off}/k_{on}) / (1 + k_f/k_r)`.

    Holds where the number of receptors is constant and ligand is not depleted. The tight form is reached through
    the loose one only.

    Equilibrium gives KDapp alone. Wash-outs with two phases give koff, kf and kr; with one phase only their
    combination kr koff/(koff + kf), and `receptor_binding` says as much. Rtot has no influence on RO.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the free concentration of the ligand.

    Returns
    -------
    System
        With the outputs RO (fraction in either complex), RO_tight (fraction in the tight one) and KDapp.
        The sum of the states is conserved.

    References
    ----------
    Copeland RA (2011). Conformational adaptation in drug-target interactions and residence time. Future Med Chem
    3:1491-1501.

    Tummino PJ, Copeland RA (2008). Residence time of receptor-ligand complexes and its effect on biological
    function. Biochemistry 47:5481-5492.

    Examples
    --------
    >>> system = two_step_binding()
    >>> for equation in system.equations():
    ...     print(equation)
    d(receptor)/dt = -(kon*Cc*receptor - koff*complex)
    d(complex)/dt = kon*Cc*receptor - koff*complex - (kf*complex - kr*tight_complex)
    d(tight_complex)/dt = kf*complex - kr*tight_complex
    receptor(0) = Rtot
    RO = (complex + tight_complex)/Rtot
    RO_tight = tight_complex/Rtot
    KDapp = koff/kon/(1 + kf/kr)
    >>> system.conservation_laws()
    ['receptor + complex + tight_complex']
    """
    units = units or Units()
    return System(
        name="two-step binding",
        states=dict.fromkeys(["receptor", "complex", "tight_complex"], units.concentration),
        parameters={
            "kon": f"{units.volume}/{units.amount}/{units.time}",
            "koff": units.rate,
            "kf": units.rate,
            "kr": units.rate,
            "Rtot": units.concentration,
        },
        inputs={driver: units.concentration},
        initial={"receptor": lambda s: s.Rtot},
        processes=[
            Process(
                "receptor binding",
                {"receptor": -1, "complex": +1},
                lambda s: s.kon * s[driver] * s.receptor - s.koff * s.complex,
            ),
            Process(
                "isomerisation",
                {"complex": -1, "tight_complex": +1},
                lambda s: s.kf * s.complex - s.kr * s.tight_complex,
            ),
        ],
        outputs={
            "RO": Output("", lambda s: (s.complex + s.tight_complex) / s.Rtot),
            "RO_tight": Output("", lambda s: s.tight_complex / s.Rtot),
            "KDapp": Output(units.concentration, lambda s: s.koff / s.kon / (1 + s.kf / s.kr)),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Two-step binding (induced fit)']
    """
    return {
        "Two-step binding (induced fit)": Example(
            two_step_binding(units=Units(amount="nmol")),
            {"kon": 0.36, "koff": 4.0, "kf": 1.0, "kr": 0.02, "Rtot": 1.0},
            until=24,
            shows=["RO", "RO_tight"],
            inputs={"Cc": 2.0},
            holds="The tight complex is reached through the loose one only; ligand is not depleted.",
            identifiability="Equilibrium gives the apparent KD alone; rate constants need phases of wash-out.",
            reference="Copeland RA (2011), Future Med Chem 3:1491-1501.",
        )
    }
