"""Release: a process that moves each dose on by the time since it arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Process, Quantity
from qsp_bayes.systems.profile import Profile

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


def unread(s: Any) -> Any:
    """Stand for the rate of a release, which is a function of the doses and not of the system."""
    raise MechanismError("the rate of a release follows from the doses; no function gives it.")


@dataclass(frozen=True, eq=False, init=False)
class Release(Process):
    r"""A process that moves what doses bring to a state on to another one, as a function of the time since each.

    Of each dose of amount D with the bioavailability F that arrived in `source` at :math:`t_i` a fraction is released
    that only depends on :math:`t - t_i`. The rate is the sum over the doses,

    .. math:: v(t) = \sum_i F_i D_i\, f(t - t_i;\ \mathrm{parameters}_i)

    with the density f of the `profile`. Bioavailability, lag time and the parameters of the profile are those at the
    record that wrote the dose, of its additional doses too.

    Parameters
    ----------
    name : str
    source, into : str
        States: doses reach the one, and the amount goes on to the other. Nothing else may change `source`.
    profile : Profile
        `Weibull` or `Gamma`.

    Raises
    ------
    MechanismError
        For a profile that is none. The system refuses a source that no dose reaches, or that something else changes;
        a solve refuses infusions into it and steady states (SS).

    Notes
    -----
    - A reset (EVID 3, 4) ends what earlier doses would still release.
    - The right-hand side has a term for each dose of the subject with the most doses, ADDL included: the time of
      a solve grows with the square of their number and compilation with it: half a minute for some ten doses, minutes
      for thirty. It is a mechanism for single doses and short courses.
    - The number of doses is fixed where a model is built; a subject whom new data (``pm.set_data``) give more of them
      cannot be solved and is NaN.

    Examples
    --------
    >>> from qsp_bayes.systems import DoseInto, System, Weibull
    >>> slow = Release("absorption", "depot", "central", Weibull(lambda s: s.td, lambda s: s.beta))
    >>> system = System(
    ...     {"depot": "mg", "central": "mg"},
    ...     {"td": "h", "beta": "", "kel": "1/h"},
    ...     [slow, Process("elimination", {"central": -1}, lambda s: s.kel * s.central)],
    ...     doses={"depot": DoseInto()},
    ... )
    >>> for equation in system.equations():
    ...     print(equation)
    release(depot) = sum over doses of dose*weibull(t - arrival, td, beta)
    d(depot)/dt = -release(depot)
    d(central)/dt = release(depot) - kel*central
    """

    source: str
    into: str
    profile: Profile
    rate: Quantity = field(init=False, repr=False, default=unread)

    def __init__(self, name: str, source: str, into: str, profile: Profile) -> None:
        if not isinstance(profile, Profile):
            raise MechanismError(
                f"process {name!r}: the profile is {profile!r}, expected Weibull(scale=..., shape=...) or "
                "Gamma(n=..., mean=...)."
            )
        if source == into:
            raise MechanismError(
                f"process {name!r} releases from {source!r} into itself. Name another state."
            )
        given = {"name": name, "source": source, "into": into, "profile": profile, "rate": unread}
        for attribute, value in {**given, "stoichiometry": {source: -1, into: +1}}.items():
            object.__setattr__(self, attribute, value)
        self.__post_init__()


@dataclass(frozen=True)
class Released:
    """The graphs of a release: what stands for its rate, and the quantities of its profile, free of states and time."""

    rate: TensorVariable
    source: str
    into: str
    profile: Profile
    quantities: tuple[TensorVariable, ...]


def check_releases(system: System) -> None:
    """Refuse a release whose source no dose reaches, or that something else changes.

    Raises
    ------
    MechanismError
        Naming the release and what else changes its source.
    """
    for release in system.processes:
        if not isinstance(release, Release):
            continue
        where = f"system {system.name!r}, release {release.name!r}: {release.source!r}"
        others = [
            f"process {p.name!r}"
            for p in system.processes
            if p is not release and release.source in p.stoichiometry
        ]
        others += [f"switch {switch.name!r}" for switch in system.switches if release.source in switch.change]
        others += [f"a start of {release.source!r}"] * (release.source in system.initial)
        if others:
            raise MechanismError(
                f"{where} is also changed by {', '.join(others)}. What a release moves came from doses alone: "
                "let the other act on a state of its own."
            )
        routes = [
            route for routes in system.doses.values() for route in routes if route.state == release.source
        ]
        if not routes:
            raise MechanismError(
                f'{where} receives no dose. Write doses={{"{release.source}": DoseInto()}} in the same system.'
            )
        if any(route.rate is not None or route.duration is not None for route in routes):
            raise MechanismError(
                f"{where} is dosed at a rate, or over a duration. A release counts the time from one arrival: "
                "leave rate and duration out."
            )
