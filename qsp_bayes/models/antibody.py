"""Therapeutic antibodies: two compartments, with or without a target, and the minimal PBPK model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import two_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.tmdd import tmdd
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

DAVDA_2014: Mapping[str, float] = MappingProxyType(
    {"F": 0.744, "KA": 0.282, "CL": 0.200, "Vc": 3.61, "Vp": 2.75, "Q": 0.747}
)
"""Typical parameters of `antibody` in L and day, four antibodies against soluble targets in healthy adults of 70 kg.

Davda JP, Dodds MG, Gibbs MA, Wisdom W, Gibbs JP (2014), mAbs 6:1094-1102, table 3.
"""

CAO_2013: Mapping[str, float] = MappingProxyType(
    {"Vc": 2.6, "Vlymph": 2.6, "ISF": 15.6, "Kp": 0.8, "L": 2.9, "sigmaL": 0.2}
)
"""Physiology of `mpbpk_antibody` in L and day: plasma, lymph, interstitial fluid, its available fraction for IgG1,
lymph flow and lymphatic reflection coefficient of an adult of 70 kg, as Cao, Balthasar and Jusko (2013) used them.

The volume of the lymph compartment is taken to be that of plasma.
"""

TIGHT_VOLUME, TIGHT_FLOW = 0.65, 0.33
"""Shares of the tight tissues (muscle, skin, adipose, brain) in interstitial volume and in lymph flow."""

CLEARANCES = ("plasma", "interstitial")
ROUTES = ("first-order", "lymph")


def antibody(
    *, units: Units | None = None, subcutaneous: bool = True, target: bool = False, binding: str = "koff"
) -> System:
    r"""Build the two-compartment model of an antibody, with or without target-mediated disposition.

    .. code-block:: text

        [depot] --F, KA--> [central] <--Q--> [peripheral1]
                               |  \
                            CL |   <--kon, koff--> [complex] --kint-->
                               v        [target]

    ========= =========== ================== =================================================
    parameter unit        typical            what it is
    ========= =========== ================== =================================================
    CL        volume/time 0.1 to 0.5 L/day   clearance other than through the target
    Vc        volume      2.4 to 5.5 L       central volume, about that of plasma
    Q         volume/time 0.3 to 1 L/day     intercompartmental clearance
    Vp        volume      1.3 to 6.8 L       peripheral volume
    KA        1/time      0.1 to 0.5 1/day   absorption from under the skin
    F         number      0.5 to 0.9         bioavailability
    kon ...                                  of the target: see `tmdd`
    ========= =========== ================== =================================================

    Parameters
    ----------
    units : Units, optional
        day, mg and L if left out; with a target day, nmol and L.
    subcutaneous : bool
        Whether doses into ``depot`` are absorbed by first order with a bioavailability.
    target : bool
        Whether the antibody binds a target that turns over (`tmdd`).
    binding : {"koff", "KD"}
        As for `tmdd`.

    Returns
    -------
    System

    Notes
    -----
    Without a target it holds for soluble targets at low levels, or at doses far above what binds.

    Identifiability: F needs intravenous doses; KA is slow, and is confused with Q without early samples.

    References
    ----------
    Davda JP, Dodds MG, Gibbs MA, Wisdom W, Gibbs JP (2014). A model-based meta-analysis of monoclonal antibody
    pharmacokinetics to guide optimal first-in-human study design. mAbs 6:1094-1102.

    Dirks NL, Meibohm B (2010). Population pharmacokinetics of therapeutic monoclonal antibodies.
    Clin Pharmacokinet 49:633-659.

    Examples
    --------
    >>> list(antibody().parameters)
    ['KA', 'F', 'CL', 'Vc', 'Q', 'Vp']
    >>> antibody(target=True).outputs["RO"].unit
    ''
    """
    absorption = "first-order" if subcutaneous else None
    if target:
        return tmdd(units=units, absorption=absorption, bioavailability=subcutaneous, binding=binding)
    return two_compartment(
        units=units or Units(time="day", amount="mg"), absorption=absorption, bioavailability=subcutaneous
    )


def mpbpk_antibody(
    *,
    units: Units | None = None,
    clearance: str = "plasma",
    subcutaneous: str | None = None,
    physiology: Mapping[str, float] | None = CAO_2013,
) -> System:
    r"""Build the second-generation minimal physiologically-based model of an antibody.

    Antibody leaves plasma by convection into the interstitial fluid of tight and of leaky tissues, and comes back with
    the lymph. With :math:`V_t = 0.65\, K_p\, ISF`, :math:`V_l = 0.35\, K_p\, ISF`, :math:`L_1 = 0.33 L` and
    :math:`L_2 = 0.67 L`,

    .. math::

        V_c \dot C_c &= L\, C_{lymph} - L_1 (1 - \sigma_1) C_c - L_2 (1 - \sigma_2) C_c - CL\, C_c \\
        V_t \dot C_t &= L_1 (1 - \sigma_1) C_c - L_1 (1 - \sigma_L) C_t - CL_i C_t \\
        V_l \dot C_l &= L_2 (1 - \sigma_2) C_c - L_2 (1 - \sigma_L) C_l - CL_i C_l \\
        V_{lymph} \dot C_{lymph} &= L_1 (1 - \sigma_L) C_t + L_2 (1 - \sigma_L) C_l - L\, C_{lymph}

    .. code-block:: text

                       +--L1 (1 - sigma1)--> [tight] --L1 (1 - sigmaL)--+
        CL <-- [central]                                                v
                  ^    +--L2 (1 - sigma2)--> [leaky] --L2 (1 - sigmaL)--> [lymph]
                  +--------------------------- L ------------------------+

    ========= =========== =================== ============================================================
    parameter unit        typical             what it is
    ========= =========== =================== ============================================================
    sigma1    number      0.883 to 0.987      vascular reflection coefficient of tight tissues
    sigma2    number      0.311 to 0.837      that of leaky tissues (liver, kidney, heart, ...)
    CL        volume/time 0.15 to 0.8 L/day   clearance from plasma
    CLi       volume/time 0.2 to 3 L/day      or clearance from the interstitial fluid of each tissue
    KA        1/time      0.1 to 0.5 1/day    absorption from under the skin
    F         number      0.5 to 0.9          bioavailability
    Vc        volume      2.6 L               plasma
    Vlymph    volume      2.6 L               lymph
    ISF       volume      15.6 L              interstitial fluid
    Kp        number      0.8                 fraction of it that is available (0.8 IgG1, 0.4 IgG4)
    L         volume/time 2.9 L/day           lymph flow
    sigmaL    number      0.2                 lymphatic reflection coefficient
    ========= =========== =================== ============================================================

    Parameters
    ----------
    units : Units, optional
        day, mg and L if left out.
    clearance : {"plasma", "interstitial"}
        Where antibody is eliminated (models A and B of the publication).
    subcutaneous : {None, "first-order", "lymph"}
        Whether doses into ``depot`` go by first order into plasma, or into the lymph.
    physiology : mapping of str to float, optional
        Values of Vc, Vlymph, ISF, Kp, L and sigmaL in the units of the system, which become constants; None leaves them
        parameters.

    Returns
    -------
    System
        Its outputs are the concentrations Cc in plasma, Ctight, Cleaky and Clymph.

    Raises
    ------
    MechanismError
        For an unknown clearance or route, and for units other than day and L with the physiology in day and L.

    Notes
    -----
    Holds for antibodies without target-mediated disposition, in whom convection is all of distribution.

    Identifiability: from plasma alone the publication fixed the physiology, and for some antibodies sigma1; clearance
    from plasma and from interstitial fluid fit alike. Without tissue data do not estimate physiology.

    References
    ----------
    Cao Y, Balthasar JP, Jusko WJ (2013). Second-generation minimal physiologically-based pharmacokinetic model for
    monoclonal antibodies. J Pharmacokinet Pharmacodyn 40:597-607. doi 10.1007/s10928-013-9332-2.

    Examples
    --------
    >>> for equation in mpbpk_antibody().equations()[4:8]:
    ...     print(equation)
    d(central)/dt = -CL*Cc - L1*(1 - sigma1)*Cc - L2*(1 - sigma2)*Cc + L*Clymph
    d(tight)/dt = L1*(1 - sigma1)*Cc - L1*(1 - sigmaL)*Ctight
    d(leaky)/dt = L2*(1 - sigma2)*Cc - L2*(1 - sigmaL)*Cleaky
    d(lymph)/dt = L1*(1 - sigmaL)*Ctight + L2*(1 - sigmaL)*Cleaky - L*Clymph
    >>> list(mpbpk_antibody(subcutaneous="lymph").parameters)
    ['sigma1', 'sigma2', 'CL', 'KA', 'F']
    """
    if clearance not in CLEARANCES:
        raise MechanismError(f"clearance {clearance!r} is not known. Choose one of {', '.join(CLEARANCES)}.")
    if subcutaneous not in (None, *ROUTES):
        raise MechanismError(
            f"subcutaneous {subcutaneous!r} is not known. Choose one of {', '.join(ROUTES)}."
        )
    units = units or Units(time="day", amount="mg")
    if physiology is CAO_2013 and (units.time, units.volume) != ("day", "L"):
        raise MechanismError(
            f"the physiology CAO_2013 is in day and L, and the units are {units.time} and {units.volume}. Give "
            "`physiology` in these, or None to make it parameters."
        )
    system = System(
        name="minimal PBPK model of an antibody",
        states=dict.fromkeys(["central", "tight", "leaky", "lymph"], units.amount),
        parameters={
            "sigma1": "",
            "sigma2": "",
            "CL" if clearance == "plasma" else "CLi": units.clearance,
            **dict.fromkeys(["Vc", "Vlymph", "ISF"], units.volume),
            "Kp": "",
            "L": units.clearance,
            "sigmaL": "",
        },
        scales=dict.fromkeys(["sigma1", "sigma2", "Kp", "sigmaL"], "logit"),
        expressions={
            "Vtight": lambda s: TIGHT_VOLUME * s.Kp * s.ISF,
            "Vleaky": lambda s: (1 - TIGHT_VOLUME) * s.Kp * s.ISF,
            "L1": lambda s: TIGHT_FLOW * s.L,
            "L2": lambda s: (1 - TIGHT_FLOW) * s.L,
        },
        processes=[*eliminations(clearance), *convections()],
        outputs={
            "Cc": concentration(units, "central", "Vc"),
            "Ctight": concentration(units, "tight", "Vtight"),
            "Cleaky": concentration(units, "leaky", "Vleaky"),
            "Clymph": concentration(units, "lymph", "Vlymph"),
        },
        doses={"central": DoseInto()},
        time_unit=units.time,
    )
    if physiology is not None:
        system = system.fix(**physiology)
    return system if subcutaneous is None else system + skin(units, subcutaneous)


def concentration(units: Units, state: str, volume: str) -> Output:
    """Return the concentration of a state in its volume."""
    return Output(units.concentration, lambda s: s[state] / s[volume])


def eliminations(clearance: str) -> list[Process]:
    """Clear antibody from plasma, or from the interstitial fluid of both kinds of tissue."""
    if clearance == "plasma":
        return [Process("elimination", {"central": -1}, lambda s: s.CL * s.Cc)]
    return [
        Process("elimination from tight tissues", {"tight": -1}, lambda s: s.CLi * s.Ctight),
        Process("elimination from leaky tissues", {"leaky": -1}, lambda s: s.CLi * s.Cleaky),
    ]


def convections() -> list[Process]:
    """Carry antibody from plasma through the tissues into the lymph and back."""

    def carried(flow: str, reflection: str, source: str) -> Quantity:
        def rate(s: Any) -> Any:
            return s[flow] * (1 - s[reflection]) * s[source]

        return rate

    rows = (
        ("into tight tissues", "central", "tight", carried("L1", "sigma1", "Cc")),
        ("into leaky tissues", "central", "leaky", carried("L2", "sigma2", "Cc")),
        ("lymph of tight tissues", "tight", "lymph", carried("L1", "sigmaL", "Ctight")),
        ("lymph of leaky tissues", "leaky", "lymph", carried("L2", "sigmaL", "Cleaky")),
        ("lymph into plasma", "lymph", "central", lambda s: s.L * s.Clymph),
    )
    return [Process(name, {source: -1, target: +1}, rate) for name, source, target, rate in rows]


def skin(units: Units, route: str) -> System:
    """Build the absorption of subcutaneous doses, into plasma or into the lymph."""
    target = "lymph" if route == "lymph" else "central"
    return System(
        name="subcutaneous absorption",
        states=dict.fromkeys(["depot", target], units.amount),
        shared=[target],
        parameters={"KA": units.rate, "F": ""},
        scales={"F": "logit"},
        processes=[Process("absorption", {"depot": -1, target: +1}, lambda s: s.KA * s.depot)],
        doses={"depot": DoseInto(F=lambda s: s.F)},
        time_unit=units.time,
    )


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    cao = "Cao Y, Balthasar JP, Jusko WJ (2013). J Pharmacokinet Pharmacodyn 40:597-607."
    davda = "Davda JP et al. (2014). mAbs 6:1094-1102."
    pamab = {"sigma1": 0.950, "sigma2": 0.779, "CL": 0.20808}
    convection = "Convection is all of distribution, and there is no target-mediated disposition."
    physiology = "From plasma alone physiology stays fixed; the place of clearance is not identified."
    tissues = ["Cc", "Ctight", "Cleaky", "Clymph"]
    under_skin = Regimen(150, unit="mg", every=28, doses=3)
    return {
        "Antibody, two compartments": Example(
            antibody(),
            DAVDA_2014,
            until=84,
            shows=["Cc"],
            regimen=under_skin,
            holds="There is little target, or all of it is bound.",
            identifiability="F needs intravenous doses.",
            reference=davda,
            log=True,
        ),
        "Antibody with a target": Example(
            antibody(target=True),
            {**DAVDA_2014, "kon": 5.0, "koff": 1.0, "R0": 1.0, "kdeg": 0.5, "kint": 0.2},
            until=84,
            shows=["Cc", "Rtot", "RO"],
            regimen=Regimen(1000, unit="nmol"),
            holds="Binding in the central compartment to a target that turns over.",
            identifiability="kon and koff are seen as KD unless binding is slow; free drug and total target help.",
            reference="Mager DE, Jusko WJ (2001). J Pharmacokinet Pharmacodyn 28:507-532.",
            log=True,
        ),
        "Minimal PBPK of an antibody": Example(
            mpbpk_antibody(),
            pamab,
            until=56,
            shows=tissues,
            regimen=Regimen(700, unit="mg", into="central"),
            holds=convection,
            identifiability=physiology,
            reference=cao,
            log=True,
        ),
        "Minimal PBPK, clearance from interstitial fluid": Example(
            mpbpk_antibody(clearance="interstitial"),
            {"sigma1": 0.950, "sigma2": 0.779, "CLi": 0.5},
            until=56,
            shows=tissues,
            regimen=Regimen(700, unit="mg", into="central"),
            holds=convection,
            identifiability=physiology,
            reference=cao,
            log=True,
        ),
        "Minimal PBPK, subcutaneous doses into plasma": Example(
            mpbpk_antibody(subcutaneous="first-order"),
            pamab | {"KA": 0.282, "F": 0.744},
            until=84,
            shows=tissues,
            regimen=under_skin,
            holds=convection,
            identifiability=physiology + " F needs intravenous doses.",
            reference=cao,
        ),
        "Minimal PBPK, subcutaneous doses into lymph": Example(
            mpbpk_antibody(subcutaneous="lymph"),
            pamab | {"KA": 0.5, "F": 0.744},
            until=84,
            shows=tissues,
            regimen=under_skin,
            holds=convection + " The dose is taken up by lymphatic vessels.",
            identifiability=physiology + " KA is confused with the transit through lymph.",
            reference=cao,
        ),
    }
