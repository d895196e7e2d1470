"""How a dose reaches the central compartment: partial systems that share the state ``central``.

=========== ====================================================== ====================================
kind        what happens to a dose into ``depot``                  parameters
=========== ====================================================== ====================================
first-order it leaves the depot at rate KA depot                   KA
zero-order  it enters central at a constant rate for a duration    duration
mixed       a fraction Fr is first-order, the rest zero-order      KA, Fr, duration
transit     it passes n transit compartments at rate constant KTR  MTT, with KTR = (n + 1) / MTT
=========== ====================================================== ====================================

In all of them a lag time delays, and bioavailability scales, the whole dose.
"""

from __future__ import annotations

from itertools import pairwise

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems import DoseInto, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

PARAMETERS = {
    "first-order": ["KA"],
    "zero-order": ["duration"],
    "mixed": ["KA", "Fr", "duration"],
    "transit": ["MTT"],
}
SCALES = {"F": "logit", "Fr": "logit"}


def absorption(
    kind: str, units: Units, *, n_transit: int = 3, lag: bool = False, bioavailability: bool = False
) -> System:
    r"""Build the absorption of doses into the compartment ``depot``, to be added to a disposition.

    Parameters
    ----------
    kind : {"first-order", "zero-order", "mixed", "transit"}
    units : Units
    n_transit : int
        Number n of transit compartments. The time from the dose to the central compartment is Erlang
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

    References
    ----------
    Savic RM, Jonker DM, Kerbusch T, Karlsson MO (2007). Implementation of a transit compartment model for
    describing drug absorption in pharmacokinetic studies. J Pharmacokinet Pharmacodyn 34:711-726.

    Examples
    --------
    >>> for equation in absorption("transit", Units(), n_transit=1, lag=True).equations():
    ...     print(equation)
    KTR = 2/MTT
    d(depot)/dt = -KTR*depot
    d(transit1)/dt = KTR*depot - KTR*transit1
    d(central)/dt = KTR*transit1
    lag(depot) = tlag
    """
    if kind not in PARAMETERS:
        raise MechanismError(
            f"absorption {kind!r} is not known. Choose one of {', '.join(PARAMETERS)}, or 'iv'."
        )
    if n_transit < 1:
        raise MechanismError(f"n_transit is {n_transit}; a transit model has at least 1 transit compartment.")
    unit_of = {
        "KA": units.rate,
        "duration": units.time,
        "MTT": units.time,
        "tlag": units.time,
        "F": "",
        "Fr": "",
    }
    names = PARAMETERS[kind] + ["F"] * bioavailability + ["tlag"] * lag
    transits = [f"transit{i + 1}" for i in range(n_transit)] if kind == "transit" else []
    chain = ["central"] if kind == "zero-order" else ["depot", *transits, "central"]
    return System(
        name=f"{kind} absorption",
        states=dict.fromkeys(chain, units.amount),
        shared=["central"],
        parameters={name: unit_of[name] for name in names},
        scales={name: scale for name, scale in SCALES.items() if name in names},
        expressions={"KTR": lambda s: (n_transit + 1) / s.MTT} if transits else {},
        processes=[
            transfer(f"transfer{i}", source, target, "KTR" if transits else "KA")
            for i, (source, target) in enumerate(pairwise(chain), start=1)
        ],
        doses={"depot": routes(kind, lag, bioavailability)},
        time_unit=units.time,
    )


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
    if kind == "zero-order":
        return [DoseInto("central", F=part(None), lag=delay, duration=lambda s: s.duration)]
    if kind == "mixed":
        return [
            DoseInto("depot", F=part(lambda s: s.Fr), lag=delay),
            DoseInto("central", F=part(lambda s: 1 - s.Fr), lag=delay, duration=lambda s: s.duration),
        ]
    return [DoseInto("depot", F=part(None), lag=delay)]
