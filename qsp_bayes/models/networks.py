"""Classical reaction networks: an enzyme, dimers of a receptor, and two oscillators, each written as reactions."""

from __future__ import annotations

import math
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


GENES = (("lacI", "cI"), ("tetR", "lacI"), ("cI", "tetR"))
"""Each gene of the repressilator, and the one whose protein represses it."""


def repressilator(*, units: Units | None = None) -> System:
    r"""Build the repressilator: three genes, each repressed by the protein of another, in a ring.

    ::

        lacI --| tetR --| cI --| lacI        each: gene -> mRNA -> protein
                                                            |        |
                                                            v        v

    .. math::

        \dot m_i &= a_0 + \frac{a}{1 + (p_j / K)^n} - k_m m_i \\
        \dot p_i &= k_{tl} m_i - k_p p_i

    for each gene i and its repressor j, in molecules per cell.

    ========= ====================================== ============== ====================
    parameter what it is                             unit           typical range
    ========= ====================================== ============== ====================
    a         transcription without repressor        1/time         1 to 100 1/min
    a0        transcription under full repression    1/time         0 to 1 1/min
    K         repressor at half of a                 molecules      1 to 1000
    n         Hill exponent                          number         1 to 4
    km        loss of mRNA                           1/time         0.1 to 1 1/min
    ktl       proteins from an mRNA                  1/time         1 to 100 1/min
    kp        loss of protein                        1/time         0.01 to 0.5 1/min
    mRNA0     mRNA of tetR at the start              molecules      1 to 100
    ========= ====================================== ============== ====================

    Parameters
    ----------
    units : Units, optional
        Only the time is used; min if left out.

    Returns
    -------
    System
        All mRNAs and proteins are outputs. tetR starts with mRNA0 molecules of mRNA, everything else with none: from
        equal starts the three would stay equal.

    Notes
    -----
    Holds for many molecules; a cell has so few that its oscillations lose their phase. The three genes share their
    parameters. Proteins alone tell a ktl/K, not the two apart; the period tells the slower of km and kp best.

    References
    ----------
    Elowitz MB, Leibler S (2000). A synthetic oscillatory network of transcriptional regulators. Nature 403:335-338.
    BioModels BIOMD0000000012.

    Examples
    --------
    >>> repressilator().rates().loc["transcription of lacI"].tolist()
    ['-> lacI_mRNA', 'a0 + a/(1 + (cI/K)^n)', '1/min']
    """
    time = (units or IN_VITRO).time
    rate = f"1/{time}"
    reactions = []
    for gene, repressor in GENES:
        reactions += [
            f"transcription of {gene}: -> {gene}_mRNA; a0 + repression(a, {repressor}, K, n)",
            f"loss of {gene} mRNA: {gene}_mRNA -> ; km",
            f"translation of {gene}: -> {gene}; ktl*{gene}_mRNA",
            f"loss of {gene}: {gene} -> ; kp",
        ]
    return ReactionNetwork(
        name="repressilator",
        states={name: "" for gene, _ in GENES for name in (f"{gene}_mRNA", gene)},
        parameters={
            "a": rate,
            "a0": rate,
            "K": "",
            "n": "",
            "km": rate,
            "ktl": rate,
            "kp": rate,
            "mRNA0": "",
        },
        reactions=reactions,
        initial={"tetR_mRNA": "mRNA0"},
        time_unit=time,
    ).system()


def mitotic_oscillator(*, units: Units | None = None) -> System:
    r"""Build the minimal oscillator of mitosis: cyclin activates a kinase, which activates the protease of cyclin.

    ::

        vi --> C --> kd, and by X: vd
               |
               v activates
        1-M <====> M (cdc2 kinase)
                   |
                   v activates
        1-X <====> X (cyclin protease)

    .. math::

        \dot C &= v_i - k_d C - v_d X \frac{C}{K_d + C} \\
        \dot M &= V_{M1} \frac{C}{K_c + C} \frac{1 - M}{K_1 + 1 - M} - V_2 \frac{M}{K_2 + M} \\
        \dot X &= V_{M3} M \frac{1 - X}{K_3 + 1 - X} - V_4 \frac{X}{K_4 + X}

    with the concentration C of cyclin and the active fractions M and X.

    ============== ======================================== ================== ===================
    parameter      what it is                               unit               typical range
    ============== ======================================== ================== ===================
    vi             synthesis of cyclin                      amount/volume/time 0.005 to 0.1 uM/min
    kd             its degradation without protease         1/time             0.001 to 0.1 1/min
    vd             its greatest degradation by protease     amount/volume/time 0.05 to 1 uM/min
    Kd, Kc         cyclin at half of vd, and of VM1         amount/volume      0.01 to 1 uM
    VM1, V2        activation, inactivation of the kinase   1/time             0.1 to 10 1/min
    VM3, V4        the same of the protease                 1/time             0.1 to 10 1/min
    K1, K2, K3, K4 Michaelis constants, by the total        number             0.001 to 10
    ============== ======================================== ================== ===================

    Parameters
    ----------
    units : Units, optional
        min, umol and L if left out.

    Returns
    -------
    System
        With the outputs C, M and X, which start at 0.01.

    Notes
    -----
    Holds for an embryo's early divisions, which need no growth. It oscillates where K1 to K4 are so small, and the
    thresholds so sharp, that the delay is long enough. Courses of C alone leave K1 to K4 open below about 0.01.

    References
    ----------
    Goldbeter A (1991). A minimal cascade model for the mitotic oscillator involving cyclin and cdc2 kinase.
    Proc Natl Acad Sci USA 88:9107-9111. BioModels BIOMD0000000003.

    Examples
    --------
    >>> print(mitotic_oscillator().equations()[0])
    d(C)/dt = vi - kd*C - vd*X*C/(Kd + C)
    """
    units = units or Units(time="min", amount="umol", volume="L")
    concentration, rate = units.concentration, units.rate
    return ReactionNetwork(
        name="mitotic oscillator",
        states={"C": concentration, "M": "", "X": ""},
        parameters={
            "vi": f"{concentration}/{units.time}",
            "kd": rate,
            "vd": f"{concentration}/{units.time}",
            "Kd": concentration,
            "Kc": concentration,
        }
        | dict.fromkeys(["VM1", "V2", "VM3", "V4"], rate)
        | dict.fromkeys(["K1", "K2", "K3", "K4"], ""),
        reactions=[
            "synthesis of cyclin: -> C; vi",
            "degradation of cyclin: C -> ; kd",
            "degradation by protease: C -> ; michaelis_menten(vd*X, Kd)",
            "activation of kinase: -> M; VM1*C/(Kc + C)*(1 - M)/(K1 + 1 - M)",
            "inactivation of kinase: M -> ; michaelis_menten(V2, K2)",
            "activation of protease: -> X; VM3*M*(1 - X)/(K3 + 1 - X)",
            "inactivation of protease: X -> ; michaelis_menten(V4, K4)",
        ],
        initial={"C": 0.01, "M": 0.01, "X": 0.01},
        time_unit=units.time,
    ).system()


ELOWITZ_2000 = {
    "a": 60 * (0.5 - 5e-4), "a0": 60 * 5e-4, "K": 40.0, "n": 2.0, "km": math.log(2) / 2, "ktl": 20 * math.log(2) / 2,
    "kp": math.log(2) / 10, "mRNA0": 20.0,
}  # fmt: skip
GOLDBETER_1991 = {
    "vi": 0.025, "kd": 0.01, "vd": 0.25, "Kd": 0.02, "Kc": 0.5, "VM1": 3.0, "V2": 1.5, "VM3": 1.0, "V4": 0.5,
    "K1": 0.005, "K2": 0.005, "K3": 0.005, "K4": 0.005,
}  # fmt: skip


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
        "Repressilator": Example(
            repressilator(),
            ELOWITZ_2000,
            until=1000,
            shows=["lacI", "tetR", "cI"],
            holds="Many molecules in each cell; the three genes are alike.",
            identifiability="Proteins tell ktl/K and not the two apart; the period tells the slower of km and kp.",
            reference="Elowitz MB, Leibler S (2000). Nature 403:335-338.",
        ),
        "Mitotic oscillator": Example(
            mitotic_oscillator(),
            GOLDBETER_1991,
            until=120,
            shows=["C", "M", "X"],
            holds="Early divisions of an embryo, which need no growth.",
            identifiability="Courses of cyclin leave K1 to K4 open where they are small.",
            reference="Goldbeter A (1991). Proc Natl Acad Sci USA 88:9107-9111.",
        ),
    }
