"""Oral absorption into the gut of a physiologically-based model."""

from __future__ import annotations

from itertools import pairwise

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.organ import Organ
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.units import Units

ABSORPTIONS = ("first-order", "transit")
N_TRANSIT = 7
"""Compartments of the small intestine, by which its transit times are best described: Yu and Amidon (1999)."""


def oral_absorption(
    *, gut: Organ, units: Units | None = None, kind: str = "first-order", n_transit: int = N_TRANSIT
) -> System:
    r"""Build the absorption of doses into ``depot``, to be added to a circulation that has a gut.

    ``"first-order"``: a fraction Fa of the dose is absorbed into the gut's tissue at the rate KA depot, and meets the
    liver on its way.

    ``"transit"``: the compartmental absorption and transit model. The dose is emptied from the stomach (``depot``) at
    rate 1 / MRTS, passes n compartments of the small intestine, each in MRTI / n, is absorbed from all of them at rate
    KA, and what is left goes into the colon, from where it leaves with ``faeces``. Of the dose

    .. math:: F_a = 1 - (1 + KA\, MRTI / n)^{-n}

    is absorbed.

    .. code-block:: text

        first-order   dose --Fa--> [depot] --KA--> [gut]
        transit       dose --> [depot] --> [intestine1] --> ... --> [intestine7] --> [faeces]
                                               | KA                     | KA
                                               v                        v
                                             [gut]                    [gut]

    ========= ======== ================== =======================================================
    parameter unit     typical            what it is
    ========= ======== ================== =======================================================
    KA        1/time   0.1 to 5 1/h       rate constant of absorption, 2 Peff / radius
    Fa        number   0 to 1             fraction of the dose that is absorbed ("first-order")
    MRTS      time     0.25 h (fasted)    mean residence time in the stomach ("transit")
    MRTI      time     3.3 h (human)      mean residence time in the small intestine ("transit")
    ========= ======== ================== =======================================================

    Parameters
    ----------
    gut : Organ
        The gut of the circulation's table.
    units : Units, optional
        h, mg and L if left out.
    kind : {"first-order", "transit"}
    n_transit : int
        Number of compartments of the small intestine.

    Returns
    -------
    System
        A partial system; its state for the gut is shared.

    Raises
    ------
    MechanismError
        For an unknown kind, or less than one compartment.

    Notes
    -----
    Holds for drug in solution; dissolution, degradation and metabolism in the gut wall are not part of it.

    Identifiability: Fa needs intravenous doses. KA and MRTI are told apart by early samples or by faeces.

    References
    ----------
    Yu LX, Amidon GL (1999). A compartmental absorption and transit model for estimating oral drug absorption.
    Int J Pharm 186:119-125.

    Examples
    --------
    >>> for equation in oral_absorption(gut=Organ("gut")).equations():
    ...     print(equation)
    d(depot)/dt = -KA*depot
    d(gut)/dt = KA*depot
    F(depot) = Fa
    """
    if kind not in ABSORPTIONS:
        raise MechanismError(
            f"absorption {kind!r} is not known. Choose one of {', '.join(ABSORPTIONS)}, or None."
        )
    if n_transit < 1:
        raise MechanismError(f"n_transit is {n_transit}; the small intestine has at least 1 compartment.")
    units = units or Units()
    if kind == "first-order":
        return System(
            name="first-order absorption",
            states=dict.fromkeys(["depot", gut.name], units.amount),
            shared=[gut.name],
            parameters={"KA": units.rate, "Fa": ""},
            scales={"Fa": "logit"},
            processes=[absorbed("depot", gut)],
            doses={"depot": DoseInto(F=lambda s: s.Fa)},
            time_unit=units.time,
        )
    intestine = [f"intestine{i + 1}" for i in range(n_transit)]
    emptying = Process("gastric emptying", {"depot": -1, intestine[0]: +1}, lambda s: s.depot / s.MRTS)
    return System(
        name="compartmental absorption and transit",
        states=dict.fromkeys(["depot", *intestine, gut.name, "faeces"], units.amount),
        shared=[gut.name],
        parameters={"KA": units.rate, "MRTS": units.time, "MRTI": units.time},
        processes=[
            emptying,
            *(transit(source, target, n_transit) for source, target in pairwise([*intestine, "faeces"])),
            *(absorbed(part, gut) for part in intestine),
        ],
        doses={"depot": DoseInto()},
        accumulators=["faeces"],
        outputs={"faeces": Output(units.amount, lambda s: s.faeces)},
        time_unit=units.time,
    )


def absorbed(source: str, gut: Organ) -> Process:
    """Absorb drug from the lumen into the tissue of the gut."""
    return Process(f"absorption from {source}", {source: -1, gut.name: +1}, lambda s: s.KA * s[source])


def transit(source: str, target: str, number: int) -> Process:
    """Move drug along the small intestine."""
    return Process(f"transit into {target}", {source: -1, target: +1}, lambda s: number / s.MRTI * s[source])
