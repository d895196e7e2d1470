"""Classical reaction networks: an enzyme with its complex, and a receptor that dimerises."""

from __future__ import annotations

import operator

from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, ReactionNetwork, System
from qsp_bayes.units import Units

IN_VITRO = Units(time="min", amount="nmol", volume="L")


def enzyme_kinetics(*, units: Units | None = None) -> System:
    r"""Build an enzyme that binds its substrate and turns it into product, without the steady-state assumption.

    ::

                k1          kcat
        E + S  <-->  ES  ------->  E + P
                k2

    .. math::

        \dot S &= -k_1 E S + k_2 ES, \qquad \dot P = k_{cat} ES \\
        \dot E &= -k_1 E S + (k_2 + k_{cat}) ES = -\dot{ES}

    ========= ============================== ===================== ====================
    parameter what it is                     unit                  typical range
    ========= ============================== ===================== ====================
    k1        association                    volume/amount/time    0.006 to 60 L/nmol/min
    k2        dissociation                   1/time                0.1 to 1e4 1/min
    kcat      turnover number                1/time                1 to 1e5 1/min
    E0        enzyme                         amount/volume         0.01 to 1e3 nmol/L
    S0        substrate at the start         amount/volume         1 to 1e6 nmol/L
    ========= ============================== ===================== ====================

    Parameters
    ----------
    units : Units, optional
        min, nmol and L if left out, so that concentrations are in nmol/L (nM).

    Returns
    -------
    System
        With the outputs S, P, E and ES, and `rate`, the velocity kcat ES. E + ES and S + ES + P are conserved.

    Notes
    -----
    Holds in one well-mixed volume, for a product that neither returns nor inhibits. Where E0 is far below
    S + Km, with Km = (k2 + kcat)/k1, the velocity is kcat E0 S/(Km + S) after a start of the order of
    1/(k1 (S + Km)). From the course of the product later than that only kcat E0 and Km can be told; k1, k2 and
    kcat apart need the start, or enzyme in excess.

    References
    ----------
    Michaelis L, Menten ML (1913). Die Kinetik der Invertinwirkung. Biochem Z 49:333-369.
    Briggs GE, Haldane JBS (1925). A note on the kinetics of enzyme action. Biochem J 19:338-339.

    Examples
    --------
    >>> system = enzyme_kinetics()
    >>> system.rates()["rate"].tolist()
    ['k1*E*S - k2*ES', 'kcat*ES']
    >>> for equation in system.reduce("E", "S").equations()[:6]:
    ...     print(equation)
    E_total = E0
    E = E0 - ES
    S_total = S0
    S = S0 - ES - P
    d(ES)/dt = k1*E*S - k2*ES - kcat*ES
    d(P)/dt = kcat*ES
    """
    units = units or IN_VITRO
    concentration = units.concentration
    return ReactionNetwork(
        name="enzyme",
        states=dict.fromkeys(["S", "E", "ES", "P"], concentration),
        parameters={
            "k1": f"{units.volume}/{units.amount}/{units.time}",
            "k2": units.rate,
            "kcat": units.rate,
            "E0": concentration,
            "S0": concentration,
        },
        reactions=["binding: E + S <-> ES; k1, k2", "catalysis: ES -> E + P; kcat"],
        initial={"E": "E0", "S": "S0"},
        outputs={name: Output(concentration, operator.itemgetter(name)) for name in ("S", "E", "ES", "P")}
        | {"rate": Output(f"{concentration}/{units.time}", lambda s: s.kcat * s.ES)},
        time_unit=units.time,
    ).system()


def receptor_dimerisation(*, units: Units | None = None) -> System:
    r"""Build a receptor that dimerises when its ligand has bound, as receptor tyrosine kinases do.

    ::

        (made)                kon             kdim
          |  ksyn = R0 kdeg   --->          <----->
          v            L + R  <---  LR   2 LR     D
          R ---> kdeg         koff   |  kdeg      |  kint
                                     v            v

    .. math::

        \dot R &= k_{syn} - k_{deg} R - k_{on} L R + k_{off} LR \\
        \dot{LR} &= k_{on} L R - k_{off} LR - k_{deg} LR - 2 k_{dim} LR^2 + 2 k_{mon} D \\
        \dot D &= k_{dim} LR^2 - (k_{mon} + k_{int}) D, \qquad R(0) = R_0

    ========= ================================== ===================== ========================
    parameter what it is                         unit                  typical range
    ========= ================================== ===================== ========================
    kon       association of the ligand          volume/amount/time    0.006 to 6 L/nmol/min
    koff      its dissociation                   1/time                0.001 to 10 1/min
    kdim      pairing of bound receptors         volume/amount/time    0.01 to 100 L/nmol/min
    kmon      their parting                      1/time                0.01 to 100 1/min
    R0        receptor without ligand            amount/volume         0.01 to 100 nmol/L
    kdeg      loss of single receptors           1/time                0.0005 to 0.05 1/min
    kint      internalisation of dimers          1/time                0.01 to 1 1/min
    ========= ================================== ===================== ========================

    Parameters
    ----------
    units : Units, optional
        min, nmol and L if left out.

    Returns
    -------
    System
        With the input ``L``, the concentration of the ligand: bind it with ``+`` to a system that has it, such as
        ``one_compartment(units=...).rename(Cc="L")``. The output `signal` is 2 D/R0, the receptors in dimers as a
        fraction of the baseline.

    Notes
    -----
    Holds where the receptors take up so little ligand that its concentration does not notice. The response rises with
    the square of the ligand where few receptors are bound. From `signal` alone kdim and R0 only appear as the product
    kdim R0; R0 needs counts of receptors, and koff and kmon the decline after the ligand has gone.

    References
    ----------
    Lauffenburger DA, Linderman JJ (1993). Receptors: Models for Binding, Trafficking, and Signaling. Oxford
    University Press.

    Examples
    --------
    >>> for equation in receptor_dimerisation().equations()[:4]:
    ...     print(equation)
    d(R)/dt = R0*kdeg - kdeg*R - (kon*L*R - koff*LR)
    d(LR)/dt = kon*L*R - koff*LR - kdeg*LR - 2*(kdim*LR^2 - kmon*D)
    d(D)/dt = kdim*LR^2 - kmon*D - kint*D
    R(0) = R0
    """
    units = units or IN_VITRO
    concentration, second_order = units.concentration, f"{units.volume}/{units.amount}/{units.time}"
    return ReactionNetwork(
        name="receptor dimers",
        states=dict.fromkeys(["R", "LR", "D"], concentration),
        parameters={
            "kon": second_order,
            "koff": units.rate,
            "kdim": second_order,
            "kmon": units.rate,
            "R0": concentration,
            "kdeg": units.rate,
            "kint": units.rate,
        },
        inputs={"L": concentration},
        reactions=[
            "synthesis: -> R; R0*kdeg",
            "degradation: R -> ; kdeg",
            "binding: R <-> LR; kon*L*R - koff*LR",
            "degradation of bound receptor: LR -> ; kdeg",
            "dimerisation: 2 LR <-> D; kdim, kmon",
            "internalisation: D -> ; kint",
        ],
        initial={"R": "R0"},
        outputs={name: Output(concentration, operator.itemgetter(name)) for name in ("R", "LR", "D")}
        | {"signal": Output("", lambda s: 2 * s.D / s.R0)},
        time_unit=units.time,
    ).system()


def examples() -> dict[str, Example]:
    """Return the entries of this module with numbers to try them with."""
    return {
        "Enzyme with its complex": Example(
            enzyme_kinetics(),
            {"k1": 0.6, "k2": 6.0, "kcat": 30.0, "E0": 5.0, "S0": 500.0},
            until=10,
            shows=["S", "ES", "P"],
            holds="One well-mixed volume; the product neither returns nor inhibits.",
            identifiability="A course of the product tells kcat E0 and Km; k1 and k2 apart need its start.",
            reference="Briggs GE, Haldane JBS (1925). Biochem J 19:338-339.",
        ),
        "Receptor dimers": Example(
            receptor_dimerisation(),
            {"kon": 0.1, "koff": 0.3, "kdim": 1.0, "kmon": 0.5, "R0": 2.0, "kdeg": 0.005, "kint": 0.1},
            until=240,
            shows=["R", "LR", "D"],
            inputs={"L": 5.0},
            holds="The receptors take up so little ligand that its concentration does not notice.",
            identifiability="The signal tells kdim R0 as a product; koff and kmon need the decline after the ligand.",
            reference="Lauffenburger DA, Linderman JJ (1993). Receptors. Oxford University Press.",
        ),
    }
