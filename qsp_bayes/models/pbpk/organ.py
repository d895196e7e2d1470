"""Organ: a row of the table that a physiologically-based model is written over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.organs import ORGANS as NAMES
from qsp_bayes.physiology.organs import PORTAL

Exchange = Literal["perfusion", "permeability"]
BLOOD = ("venous", "arterial")


@dataclass(frozen=True)
class Organ:
    """An organ, the blood it gets and gives, and how drug gets into it.

    Parameters
    ----------
    name : str
        Name of its state, and of its parameters ``V_<name>``, ``Kp_<name>``.
    drains_into : str
        Where its blood goes: ``"venous"`` blood, ``"arterial"`` blood (the lung), or another organ (portal vein).
    supply : str, optional
        The parameter that is its own flow of blood from the artery, ``Q_<name>`` where left out. An organ that drains
        into arterial blood takes the whole cardiac output from venous blood instead.
    exchange : {"perfusion", "permeability"}
        Whether it is at equilibrium with the blood that leaves it, or behind a membrane with the permeability-surface
        area product ``PS_<name>``, and then with blood of its own (``V_<name>_vascular``).

    Raises
    ------
    MechanismError
        For an unknown exchange.

    Examples
    --------
    >>> Organ("muscle").flow
    'Q_muscle'
    """

    name: str
    drains_into: str = "venous"
    supply: str | None = None
    exchange: Exchange = "perfusion"

    def __post_init__(self) -> None:
        if self.exchange not in ("perfusion", "permeability"):
            raise MechanismError(
                f"organ {self.name!r}: exchange {self.exchange!r} is not known. Choose 'perfusion' or 'permeability'."
            )

    @property
    def takes_all(self) -> bool:
        """Whether the whole cardiac output passes it, from venous to arterial blood."""
        return self.drains_into == "arterial"

    @property
    def flow(self) -> str | None:
        """The parameter that is its arterial flow; None where the whole cardiac output passes it."""
        return None if self.takes_all else self.supply or f"Q_{self.name}"

    @property
    def behind_membrane(self) -> bool:
        """Whether drug gets into it through a membrane."""
        return self.exchange == "permeability"

    @property
    def entry(self) -> str:
        """The state that blood brings drug into."""
        return f"{self.name}_vascular" if self.behind_membrane else self.name

    @property
    def blood(self) -> str:
        """The expression for the concentration in the blood that leaves it."""
        return f"CB_{self.name}"

    @property
    def plasma(self) -> str:
        """The expression for the plasma concentration that its tissue would be at equilibrium with."""
        return f"Cp_{self.name}"


def organ_of_a_mammal(name: str) -> Organ:
    """Return the row of one of the organs that physiology knows."""
    if name == "lung":
        return Organ(name, drains_into="arterial")
    if name == "liver":
        return Organ(name, supply="Q_hepatic_artery")
    return Organ(name, drains_into="liver" if name in PORTAL else "venous")


ORGANS = tuple(organ_of_a_mammal(name) for name in NAMES)
"""The organs of a mammal, as `load_physiology` names them."""


def with_membranes(organs: Iterable[Organ], permeability_limited: Iterable[str]) -> tuple[Organ, ...]:
    """Put a membrane around some of the organs.

    Raises
    ------
    MechanismError
        For an organ that is not among them.

    Examples
    --------
    >>> [organ.name for organ in with_membranes(ORGANS, ["brain"]) if organ.behind_membrane]
    ['brain']
    """
    organs, limited = tuple(organs), set(permeability_limited)
    unknown = sorted(limited.difference(organ.name for organ in organs))
    if unknown:
        raise MechanismError(
            f"permeability_limited: there is no organ {', '.join(unknown)}. "
            f"There is {', '.join(organ.name for organ in organs)}."
        )
    return tuple(replace(o, exchange="permeability") if o.name in limited else o for o in organs)


def check_organs(organs: Sequence[Organ]) -> None:
    """Require that blood finds its way: names are unique, and every organ drains into one that exists.

    Raises
    ------
    MechanismError
        Naming the organ.
    """
    names = [organ.name for organ in organs]
    for name in {*names}:
        if names.count(name) > 1:
            raise MechanismError(f"two organs are called {name!r}. Rename one of them.")
        if name in BLOOD:
            raise MechanismError(f"an organ cannot be called {name!r}, which is blood. Rename it.")
    for organ in organs:
        if organ.drains_into not in (*BLOOD, *names):
            raise MechanismError(
                f"organ {organ.name!r} drains into {organ.drains_into!r}, which does not exist. "
                f"There is {', '.join((*BLOOD, *names))}."
            )
        onward = next((other for other in organs if other.name == organ.drains_into), None)
        if onward is not None and onward.drains_into not in BLOOD:
            raise MechanismError(
                f"organ {organ.name!r} drains into {onward.name!r}, which drains into {onward.drains_into!r}. An organ "
                "that takes the blood of others must drain into 'venous' or 'arterial' blood."
            )
        if onward is not None and onward.takes_all:
            raise MechanismError(
                f"organ {organ.name!r} drains into {onward.name!r}, which the whole cardiac output passes. Let it "
                "drain into 'venous'."
            )
    if sum(organ.takes_all for organ in organs) > 1:
        raise MechanismError("two organs drain into arterial blood; only one, the lung, may.")
    if not any(organ.flow for organ in organs):
        raise MechanismError(
            "there is no organ with an arterial flow. Give at least one, such as Organ('rest')."
        )
