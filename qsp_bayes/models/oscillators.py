"""Networks that oscillate: genes that repress one another, and the cell cycle of an embryo."""

from __future__ import annotations

import math

from qsp_bayes.models.example import Example
from qsp_bayes.systems import ReactionNetwork, System
from qsp_bayes.units import Units

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
    time = (units or Units(time="min")).time
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
