"""How a dose reaches the central compartment: partial systems that share the state ``central``.

=============== ====================================================================== ====================
kind            what happens to a dose into ``depot``                                  parameters
=============== ====================================================================== ====================
first-order     it leaves the depot at rate KA depot                                   KA
zero-order      it enters central at a constant rate for a duration                    duration
mixed           a fraction Fr is first-order, the rest zero-order, both from the start KA, Fr, duration
sequential      the rest first, zero-order; then the fraction Fr, first-order          KA, Fr, duration
zero-into-depot it enters the depot at a constant rate, and leaves it by first order   KA, duration
parallel        fractions Fr and 1 - Fr leave two depots, each by first order          KA, KA2, Fr
saturable       it leaves the depot at rate VmaxA depot / (KmA + depot)                VmaxA, KmA
transit         it passes n transit compartments at rate constant KTR                  MTT
gamma           the same with any n, as a function of the time since each dose         n, MTT
savic           the same into an absorption site, which it leaves by first order       n, MTT, KA
weibull         a fraction 1 - exp(-(time / td)^beta) of each dose is absorbed         td, beta
=============== ====================================================================== ====================

KTR = (n + 1) / MTT. In all of them a lag time delays, and bioavailability scales, the whole dose; parallel absorption
has a lag time of each depot.
"""

from __future__ import annotations

from itertools import pairwise

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.example import Example
from qsp_bayes.systems import DoseInto, Gamma, Process, Release, System, Weibull
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

PARAMETERS = {
    "first-order": ["KA"],
    "zero-order": ["duration"],
    "mixed": ["KA", "Fr", "duration"],
    "sequential": ["KA", "Fr", "duration"],
    "zero-into-depot": ["KA", "duration"],
    "parallel": ["KA", "KA2", "Fr"],
    "saturable": ["VmaxA", "KmA"],
    "transit": ["MTT"],
    "gamma": ["n", "MTT"],
    "savic": ["n", "MTT", "KA"],
    "weibull": ["td", "beta"],
}
IDENTIFIABILITY = {
    "first-order": "KA and CL / Vc can be exchanged (flip-flop).",
    "zero-order": "The duration needs samples on both sides of its end.",
    "mixed": "Fr, KA and duration need dense samples during absorption.",
    "sequential": "Fr, KA and duration need dense samples during absorption.",
    "zero-into-depot": "KA and 1 / duration are confused where either is much faster.",
    "parallel": "The two depots can be exchanged: give KA and KA2 priors that do not overlap.",
    "saturable": "At low doses only VmaxA / KmA is seen.",
    "transit": "MTT needs samples before the peak.",
    "gamma": "n and MTT are told apart by samples before the peak only.",
    "savic": "n, MTT and KA need dense samples before the peak.",
    "weibull": "td and beta are told apart by samples before the peak.",
}
SCALES = {"F": "logit", "Fr": "logit"}
STATES = {
    "zero-order": ["central"],
    "parallel": ["depot", "depot2", "central"],
    "savic": ["depot", "gut", "central"],
}
"""States of the kinds that have others than depot and central."""


def absorption(
    kind: str, units: Units, *, n_transit: int = 3, lag: bool = False, bioavailability: bool = False
) -> System:
    r"""Build the absorption of doses into the compartment ``depot``, to be added to a disposition.

    .. code-block:: text

        first-order      dose --> [depot] --KA--> [central]
        zero-order       dose ==duration==> [central]
        sequential       dose ==duration==> [central], then --> [depot] --KA--> [central]
        zero-into-depot  dose ==duration==> [depot] --KA--> [central]
        parallel         dose --Fr--> [depot] --KA--> [central] <--KA2-- [depot2] <--1 - Fr-- dose
        saturable        dose --> [depot] --VmaxA, KmA--> [central]
        transit          dose --> [depot] --KTR--> [transit1] --KTR--> ... --KTR--> [central]
        gamma, weibull   dose --> [depot] --by the time since the dose--> [central]
        savic            dose --> [depot] --by the time since the dose--> [gut] --KA--> [central]

    ========= ============ ==================== ==================================================================
    parameter unit         typical              what it is
    ========= ============ ==================== ==================================================================
    KA, KA2   1/time       0.1 to 5 1/h         rate constants of absorption
    duration  time         0.5 to 12 h          of the zero-order input
    Fr        number       0 to 1               fraction of the dose that takes the first-order (the first) route
    VmaxA     amount/time  a dose in 1 to 10 h  largest rate of absorption
    KmA       amount       0.1 to 10 doses      amount in the depot at half that rate
    MTT       time         0.3 to 5 h           mean transit time
    n         number       0 to 30              number of transit compartments
    td        time         0.5 to 12 h          time until 63.2 % are absorbed
    beta      number       0.4 to 5             shape; 1 is first-order, less begins fast, more is delayed
    tlag      time         0 to 2 h             lag time (tlag2 that of the second depot)
    F         number       0 to 1               bioavailability
    ========= ============ ==================== ==================================================================

    Parameters
    ----------
    kind : str
        One of the table above.
    units : Units
    n_transit : int
        Number n of transit compartments of ``"transit"``. The time from the dose to the central compartment is Erlang
        distributed with shape n + 1 and mean MTT, :math:`K_{TR} = (n + 1) / MTT`.
    lag : bool
        Whether absorption starts a time tlag after the dose.
    bioavailability : bool
        Whether a fraction F of the dose is absorbed instead of all of it.

    Returns
    -------
    System
        A partial system; its state `central` is shared.

    Raises
    ------
    MechanismError
        For an unknown kind, or less than one transit compartment.

    Notes
    -----
    Identifiability: F needs intravenous data. KA and the elimination rate constant can be exchanged (flip-flop).
    Parallel depots can be exchanged with each other: give the two rate constants priors that do not overlap. Of a
    saturable absorption only VmaxA / KmA is seen at low doses. n and MTT are told apart by early samples only. A lag
    time beside Weibull or gamma absorption, which delay by themselves, is rarely identifiable.

    ``gamma``, ``savic`` and ``weibull`` follow each dose (see `qsp_bayes.systems.Release`): steady states (SS) and
    infusions into the depot are refused, and elimination may be of any kind.

    References
    ----------
    Holford NHG, Ambros RJ, Stoeckel K (1992). Models for describing absorption rate and estimating extent of
    bioavailability: application to cefetamet pivoxil. J Pharmacokinet Biopharm 20:421-442.

    Savic RM, Jonker DM, Kerbusch T, Karlsson MO (2007). Implementation of a transit compartment model for
    describing drug absorption in pharmacokinetic studies. J Pharmacokinet Pharmacodyn 34:711-726.

    Piotrovskii VK (1987). The use of Weibull distribution to describe the in vivo absorption kinetics.
    J Pharmacokinet Biopharm 15:681-686.

    Examples
    --------
    >>> for equation in absorption("transit", Units(), n_transit=1, lag=True).equations():
    ...     print(equation)
    KTR = 2/MTT
    d(depot)/dt = -KTR*depot
    d(transit1)/dt = KTR*depot - KTR*transit1
    d(central)/dt = KTR*transit1
    lag(depot) = tlag
    >>> for equation in absorption("savic", Units()).equations():
    ...     print(equation)
    release(depot) = sum over doses of dose*gamma(t - arrival, n, MTT)
    d(depot)/dt = -release(depot)
    d(gut)/dt = release(depot) - KA*gut
    d(central)/dt = KA*gut
    """
    if kind not in PARAMETERS:
        raise MechanismError(
            f"absorption {kind!r} is not known. Choose one of {', '.join(PARAMETERS)}, or 'iv'."
        )
    if n_transit < 1:
        raise MechanismError(f"n_transit is {n_transit}; a transit model has at least 1 transit compartment.")
    unit_of = {
        "KA": units.rate,
        "KA2": units.rate,
        "VmaxA": f"{units.amount}/{units.time}",
        "KmA": units.amount,
        "duration": units.time,
        "MTT": units.time,
        "td": units.time,
        "tlag": units.time,
        "tlag2": units.time,
    }
    lags = ["tlag", "tlag2"] if kind == "parallel" else ["tlag"]
    names = PARAMETERS[kind] + ["F"] * bioavailability + lags * lag
    transits = [f"transit{i + 1}" for i in range(n_transit)] if kind == "transit" else []
    states = STATES.get(kind, ["depot", *transits, "central"])
    return System(
        name=f"{kind} absorption",
        states=dict.fromkeys(states, units.amount),
        shared=["central"],
        parameters={name: unit_of.get(name, "") for name in names},
        scales={name: scale for name, scale in SCALES.items() if name in names},
        expressions={"KTR": lambda s: (n_transit + 1) / s.MTT} if transits else {},
        processes=transfers(kind, states),
        doses={"depot": routes(kind, lag, bioavailability)},
        time_unit=units.time,
    )


def transfers(kind: str, states: list[str]) -> list[Process]:
    """Move drug from state to state into the central compartment."""
    profiles = {
        "gamma": Gamma(n=lambda s: s.n, mean=lambda s: s.MTT),
        "savic": Gamma(n=lambda s: s.n, mean=lambda s: s.MTT),
        "weibull": Weibull(scale=lambda s: s.td, shape=lambda s: s.beta),
    }
    if kind == "parallel":
        second = Process("second absorption", {"depot2": -1, "central": +1}, lambda s: s.KA2 * s.depot2)
        return [transfer("absorption", "depot", "central", "KA"), second]
    if kind == "saturable":
        rate: Quantity = lambda s: s.VmaxA * s.depot / (s.KmA + s.depot)  # noqa: E731
        return [Process("absorption", {"depot": -1, "central": +1}, rate)]
    if kind == "savic":
        return [
            Release("transit", "depot", "gut", profiles[kind]),
            transfer("absorption", "gut", "central", "KA"),
        ]
    if kind in profiles:
        return [Release("absorption", "depot", "central", profiles[kind])]
    return [
        transfer(f"transfer{i}", source, target, "KTR" if kind == "transit" else "KA")
        for i, (source, target) in enumerate(pairwise(states), start=1)
    ]


def transfer(name: str, source: str, target: str, rate_constant: str) -> Process:
    """Move drug from one compartment to the next by first order."""
    name = "absorption" if target == "central" else name
    return Process(name, {source: -1, target: +1}, lambda s: s[rate_constant] * s[source])


def routes(kind: str, lag: bool, bioavailability: bool) -> list[DoseInto]:
    """Say which states a dose reaches, and how."""

    def part(fraction: Quantity | None) -> Quantity | None:
        """Give the part of the dose that takes a route."""
        if not bioavailability:
            return fraction
        return (lambda s: s.F) if fraction is None else (lambda s: s.F * fraction(s))

    delay: Quantity | None = (lambda s: s.tlag) if lag else None
    duration: Quantity = lambda s: s.duration  # noqa: E731
    first, rest = part(lambda s: s.Fr), part(lambda s: 1 - s.Fr)
    match kind:
        case "zero-order":
            return [DoseInto("central", F=part(None), lag=delay, duration=duration)]
        case "zero-into-depot":
            return [DoseInto("depot", F=part(None), lag=delay, duration=duration)]
        case "mixed":
            return [
                DoseInto("depot", F=first, lag=delay),
                DoseInto("central", F=rest, lag=delay, duration=duration),
            ]
        case "sequential":
            after: Quantity = (lambda s: s.tlag + s.duration) if lag else duration
            return [
                DoseInto("depot", F=first, lag=after),
                DoseInto("central", F=rest, lag=delay, duration=duration),
            ]
        case "parallel":
            second: Quantity | None = (lambda s: s.tlag2) if lag else None
            return [DoseInto("depot", F=first, lag=delay), DoseInto("depot2", F=rest, lag=second)]
    return [DoseInto("depot", F=part(None), lag=delay)]


def examples() -> dict[str, Example]:
    """Return every entry of this module, into one compartment, with numbers to try it with."""
    from qsp_bayes.models.compartments import one_compartment  # which is made of this module

    holford = "Holford NHG, Ambros RJ, Stoeckel K (1992). J Pharmacokinet Biopharm 20:421-442."
    savic = "Savic RM et al. (2007). J Pharmacokinet Pharmacodyn 34:711-726."
    weibull = "Piotrovskii VK (1987). J Pharmacokinet Biopharm 15:681-686."
    textbook = "Gabrielsson J, Weiner D (2016). Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed."
    split = {"KA": 1.0, "Fr": 0.5, "duration": 4.0}
    rows = (
        ("first-order", {"KA": 1.0}, "Absorption is proportional to what is left.", textbook),
        ("zero-order", {"duration": 4.0}, "Absorption is constant, as from a controlled release.", holford),
        ("mixed", split, "Two parts of the dose are absorbed at the same time.", holford),
        ("sequential", split, "An immediate part is followed by the rest.", holford),
        (
            "zero-into-depot",
            {"KA": 1.0, "duration": 4.0},
            "Release is constant, uptake first-order.",
            holford,
        ),
        ("parallel", {"KA": 2.0, "KA2": 0.15, "Fr": 0.4}, "Two sites absorb side by side.", holford),
        ("saturable", {"VmaxA": 15.0, "KmA": 20.0}, "A carrier takes up drug.", textbook),
        ("transit", {"MTT": 2.0}, "Drug passes a whole number of equal compartments.", savic),
        ("gamma", {"MTT": 2.0, "n": 4.6}, "The delay is gamma distributed.", savic),
        (
            "savic",
            {"MTT": 1.5, "n": 6.3, "KA": 0.8},
            "The delay is gamma distributed, uptake first-order.",
            savic,
        ),
        ("weibull", {"td": 3.0, "beta": 1.6}, "The delay is Weibull distributed.", weibull),
    )
    found = {}
    for kind, values, holds, reference in rows:
        found[f"Absorption, {kind}"] = Example(
            one_compartment(absorption=kind),
            values | {"CL": 5.0, "Vc": 40.0},
            until=36,
            shows=["Cc"],
            regimen=Regimen(100, unit="mg", every=12, doses=2),
            holds=holds,
            identifiability=IDENTIFIABILITY[kind],
            reference=reference,
        )
    return found
