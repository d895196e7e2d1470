"""Lumping: organs that fill alike made one, for a minimal physiologically-based model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.circulation import drained
from qsp_bayes.models.pbpk.organ import ORGANS, Organ


@dataclass(frozen=True)
class Lumping:
    r"""Which organs of a table become one, and what the parameters of the smaller model are.

    Perfusion-limited organs side by side, whose transit times :math:`T_i = Kp_i V_i / (BP\, Q_i)` are equal, keep one
    concentration ratio to blood for ever, and are one organ with

    .. math:: Q = \sum_i Q_i, \qquad V = \sum_i V_i, \qquad Kp = \sum_i Kp_i V_i / V .

    Where transit times differ this is an approximation that keeps the blood flow and the volume at steady state. The
    lung, which all blood passes, can become arterial blood, whose volume grows by :math:`Kp\, V / BP`.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Organs by the name of what they become.
    lung_as_blood : bool
        Whether the organ that drains into arterial blood becomes part of it.
    organs : sequence of Organ
        The table; `ORGANS` if left out.

    Raises
    ------
    MechanismError
        For an organ that is unknown or stands twice, and for organs that cannot be lumped: those behind a membrane,
        those whose blood goes elsewhere than that of the others, and those that take the blood of others.

    References
    ----------
    Nestorov IA, Aarons LJ, Arundel PA, Rowland M (1998). Lumping of whole-body physiologically based pharmacokinetic
    models. J Pharmacokinet Biopharm 26:21-46.

    Cao Y, Jusko WJ (2012). Applications of minimal physiologically-based pharmacokinetic models. J Pharmacokinet
    Pharmacodyn 39:711-723.

    Examples
    --------
    >>> minimal = Lumping(
    ...     {"slow": ["adipose", "bone", "muscle", "skin"], "rapid": ["brain", "heart", "kidney", "rest"]},
    ...     lung_as_blood=True,
    ... )
    >>> [organ.name for organ in minimal.table]
    ['gut', 'spleen', 'pancreas', 'liver', 'slow', 'rapid']
    """

    groups: Mapping[str, Sequence[str]]
    lung_as_blood: bool = False
    organs: Sequence[Organ] = ORGANS

    def __post_init__(self) -> None:
        groups = MappingProxyType({name: tuple(members) for name, members in self.groups.items()})
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "organs", tuple(self.organs))
        self.check()

    def check(self) -> None:
        """Raise unless every organ exists, stands once and may be lumped with those it stands with."""
        lumped = self.lumped
        known = [organ.name for organ in self.organs]
        for name in lumped:
            if name not in known:
                raise MechanismError(f"lumping: there is no organ {name!r}. There is {', '.join(known)}.")
            if lumped.count(name) > 1:
                raise MechanismError(f"lumping: {name!r} stands in two groups. Leave it in one.")
            organ = self.organ(name)
            if organ.behind_membrane or drained(organ, self.organs):
                raise MechanismError(
                    f"lumping: {name!r} is behind a membrane, or takes the blood of other organs; it stays an organ."
                )
        kept = [name for name in known if name not in lumped]
        for name, members in self.groups.items():
            ways = {self.organ(member).drains_into for member in members}
            if len(ways) != 1 or "arterial" in ways:
                raise MechanismError(
                    f"lumping: {', '.join(members) or 'nothing'} cannot become {name!r}: the blood of its members must "
                    f"go to one place, and here goes to {', '.join(sorted(ways)) or 'none'}. The lung can become blood."
                )
            if name in kept:
                raise MechanismError(
                    f"lumping: {name!r} is an organ that stays. Give the group another name."
                )

    @property
    def lumped(self) -> list[str]:
        """The organs that do not stay."""
        lungs = [organ.name for organ in self.organs if organ.takes_all and self.lung_as_blood]
        return [*(member for members in self.groups.values() for member in members), *lungs]

    def organ(self, name: str) -> Organ:
        """Return an organ of the table."""
        return next(organ for organ in self.organs if organ.name == name)

    @property
    def table(self) -> tuple[Organ, ...]:
        """The organs of the smaller model, for `whole_body_pbpk`."""
        return (
            *(organ for organ in self.organs if organ.name not in self.lumped),
            *(Organ(name, self.organ(members[0]).drains_into) for name, members in self.groups.items()),
        )

    def values(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the parameters of the smaller model.

        Parameters
        ----------
        values : mapping of str to float
            Parameters of the larger model; those that have nothing to do with lumped organs stay.

        Raises
        ------
        MechanismError
            If a parameter that is needed is not given.
        """
        found = dict(values)
        for name, members in self.groups.items():
            volumes = [taken(found, f"V_{member}") for member in members]
            holds = [
                taken(found, f"Kp_{member}") * volume for member, volume in zip(members, volumes, strict=True)
            ]
            flow = sum(taken(found, str(self.organ(member).flow)) for member in members)
            found |= {f"V_{name}": sum(volumes), f"Kp_{name}": sum(holds) / sum(volumes), f"Q_{name}": flow}
        for organ in self.organs:
            if organ.takes_all and self.lung_as_blood:
                if "V_arterial" not in found or "BP" not in found:
                    raise MechanismError("lumping the lung needs the values of V_arterial and BP.")
                holds_lung = taken(found, f"Kp_{organ.name}") * taken(found, f"V_{organ.name}")
                found["V_arterial"] += holds_lung / found["BP"]
        return found


def transit_times(values: Mapping[str, float], organs: Sequence[Organ] = ORGANS) -> dict[str, float]:
    r"""Return the transit time :math:`Kp_i V_i / (BP\, Q_i)` of every organ with an arterial flow, shortest first.

    Organs with like transit times, and whose blood goes to the same place, can be lumped with little loss.

    Examples
    --------
    >>> values = {"V_muscle": 30, "Kp_muscle": 2, "Q_muscle": 60, "V_rest": 3, "Kp_rest": 1, "Q_rest": 30, "BP": 1}
    >>> transit_times(values, [Organ("muscle"), Organ("rest")])
    {'rest': 0.1, 'muscle': 1.0}
    """
    times = {
        organ.name: values[f"Kp_{organ.name}"]
        * values[f"V_{organ.name}"]
        / (values["BP"] * sum(values[str(o.flow)] for o in (organ, *drained(organ, organs))))
        for organ in organs
        if organ.flow
    }
    return dict(sorted(times.items(), key=lambda item: item[1]))


def taken(values: dict[str, float], name: str) -> float:
    """Take a parameter out of the values."""
    if name not in values:
        raise MechanismError(
            f"lumping: the value of {name} is missing. Give all parameters of the larger model."
        )
    return values.pop(name)
