"""Viral dynamics limited by target cells: infection, production and clearance of virus, and what drug blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

INFECTIONS = ("chronic", "acute")
TARGETS = ("production", "infection")


def viral_dynamics(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    cells: str = "1/mL",
    virus: str = "1/mL",
    infection: str = "chronic",
    blocks: str = "production",
    relation: str = "emax",
) -> System:
    r"""Build an infection that is limited by its target cells, and a drug that blocks a step of it.

    .. math::

        \dot T &= s - d\,T - (1 - \eta) \beta T V \\
        \dot I &= (1 - \eta) \beta T V - \delta I \\
        \dot V &= (1 - \epsilon) p I - c V

    where drug acts with the efficacy :math:`E_{max} C / (EC_{50} + C)` on production (epsilon) or on infection (eta).
    Without drug a chronic infection starts in its steady state

    .. math:: T = \frac{c\,\delta}{p\,\beta}, \qquad I = \frac{s}{\delta} - \frac{c\,d}{p\,\beta}, \qquad V = p I / c,

    and an acute one (without s and d) from T0 target cells, no infected cell and the virus V0. One infected cell
    infects :math:`\beta p T_{free} / (c \delta)` others in a host without infection: the basic reproductive number,
    with :math:`T_{free} = s/d` or T0.

    ::

        s                beta V           delta
        ---> target  ------------> infected ---->
               | d                   |
               v                     + p ---> virus ----> c

    ========= ============================== ================= ==================================================
    parameter what it is                     unit              typical
    ========= ============================== ================= ==================================================
    s         supply of target cells         cells/time        positive
    d         death of target cells          1/time            positive; 0.001 to 0.1 1/day
    beta      infection                      1/virus/time      positive
    delta     death of infected cells        1/time            positive; 0.1 to 1 1/day (HIV, HCV),
                                                               1 to 5 1/day (influenza)
    p         production of virus            virus/cells/time  positive
    c         clearance of virus             1/time            positive; 3 to 25 1/day
    T0, V0    target cells and virus at the  cells, virus      positive
              start (acute)
    Emax      largest efficacy               1                 0 to 1
    EC50      concentration of half of it    amount/volume     positive
    ========= ============================== ================= ==================================================

    Holds without an immune response that changes, and without resistant virus. A chronic infection needs a basic
    reproductive number above 1: below it the steady state is not positive.

    Viral load alone does not identify p, beta and s (or T0) apart: scaling target and infected cells by a factor, and p
    by its inverse, changes nothing. Fix T0, or s and d. The fast first decline under drug gives c and the efficacy, the
    slow second one delta.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out; infections are usually written in ``Units(time="day")``.
    driver : str
        Name of the input that acts.
    driver_unit : str, optional
        Its unit, and that of EC50; the concentration of `units` if left out.
    cells, virus : str
        Units of cells and virus.
    infection : {"chronic", "acute"}
    blocks : {"production", "infection"}
        What drug acts on.
    relation : {"emax", "sigmoid"}

    Returns
    -------
    System
        With the outputs T, I, V and ``reproductive_number``.

    Raises
    ------
    MechanismError
        For an unknown infection, step or relation.

    References
    ----------
    Neumann AU, Lam NP, Dahari H, Gretch DR, Wiley TE, Layden TJ, Perelson AS (1998). Hepatitis C viral dynamics in
    vivo and the antiviral efficacy of interferon-alpha therapy. Science 282:103-107.

    Baccam P, Beauchemin C, Macken CA, Hayden FG, Perelson AS (2006). Kinetics of influenza A virus infection in humans.
    J Virol 80:7590-7599. doi:10.1128/JVI.01623-05

    Examples
    --------
    >>> for equation in viral_dynamics().equations():
    ...     print(equation)
    d(target)/dt = s - d*target - beta*target*virus
    d(infected)/dt = beta*target*virus - delta*infected
    d(virus)/dt = (1 - Emax*Cc/(EC50 + Cc))*p*infected - c*virus
    target(0) = c*delta/(p*beta)
    infected(0) = s/delta - c*d/(p*beta)
    virus(0) = p/c*(s/delta - c*d/(p*beta))
    T = target
    I = infected
    V = virus
    reproductive_number = beta*p*s/d/(c*delta)
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    for what, given, known in (("infection", infection, INFECTIONS), ("blocks", blocks, TARGETS)):
        if given not in known:
            raise MechanismError(f"{what} {given!r} is not known. Choose one of {', '.join(known)}.")
    if relation == "linear":
        raise MechanismError(
            "relation 'linear' is no efficacy, which ends at 1. Choose one of emax, sigmoid."
        )
    efficacy = concentration_effect(relation, driver, unit, fraction=True)

    def left(step: str, rate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what drug leaves of the rate of a step."""
        return (lambda s: (1 - efficacy.value(s)) * rate(s)) if blocks == step else rate

    chronic = infection == "chronic"
    host = {"s": f"({cells or '1'})/{units.time}", "d": units.rate} if chronic else {"T0": cells, "V0": virus}
    rates = {
        "beta": f"1/({virus or '1'})/{units.time}",
        "delta": units.rate,
        "p": f"({virus or '1'})/({cells or '1'})/{units.time}",
        "c": units.rate,
    }
    turnover = [
        Process("supply of target cells", {"target": +1}, lambda s: s.s),
        Process("death of target cells", {"target": -1}, lambda s: s.d * s.target),
    ]
    return System(
        name=f"{infection} viral infection",
        states={"target": cells, "infected": cells, "virus": virus},
        parameters=host | rates | dict(efficacy.parameters),
        scales=efficacy.scales,
        inputs={driver: unit},
        initial={
            "target": lambda s: s.c * s.delta / (s.p * s.beta),
            "infected": lambda s: s.s / s.delta - s.c * s.d / (s.p * s.beta),
            "virus": lambda s: s.p / s.c * (s.s / s.delta - s.c * s.d / (s.p * s.beta)),
        }
        if chronic
        else {"target": lambda s: s.T0, "virus": lambda s: s.V0},
        processes=[
            *(turnover if chronic else []),
            Process(
                "infection",
                {"target": -1, "infected": +1},
                left("infection", lambda s: s.beta * s.target * s.virus),
            ),
            Process("death of infected cells", {"infected": -1}, lambda s: s.delta * s.infected),
            Process("production of virus", {"virus": +1}, left("production", lambda s: s.p * s.infected)),
            Process("clearance of virus", {"virus": -1}, lambda s: s.c * s.virus),
        ],
        outputs={
            "T": Output(cells, lambda s: s.target),
            "I": Output(cells, lambda s: s.infected),
            "V": Output(virus, lambda s: s.virus),
            "reproductive_number": Output(
                "", lambda s: s.beta * s.p * (s.s / s.d if chronic else s.T0) / (s.c * s.delta)
            ),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Chronic viral infection under a drug that blocks production', 'Acute viral infection (influenza)']
    """
    units = Units(time="day")
    return {
        "Chronic viral infection under a drug that blocks production": Example(
            one_compartment(units=units) + viral_dynamics(units=units),
            {
                "CL": 100.0, "Vc": 50.0, "s": 1.3e5, "d": 0.01, "beta": 5e-8, "delta": 0.14, "p": 5.0, "c": 6.2,
                "Emax": 0.99, "EC50": 0.1,
            },
            until=21,
            shows=["V"],
            regimen=Regimen(200, unit="mg", into="central", every=0.5, until=14),
            holds="The immune response does not change, and there is no resistant virus.",
            identifiability="The first decline gives c and the efficacy, the second delta; p, beta and s need a fixed "
            "scale of cells.",
            reference="Neumann AU et al. (1998), Science 282:103-107 (c and delta); other values are illustrations.",
            log=True,
        ),
        "Acute viral infection (influenza)": Example(
            viral_dynamics(units=units, cells="", infection="acute"),
            {
                "T0": 4e8, "V0": 0.1, "beta": 2.7e-5, "delta": 4.0, "p": 0.012, "c": 3.0, "Emax": 0.9, "EC50": 1.0,
            },
            until=10,
            shows=["V"],
            inputs={"Cc": 0.0},
            holds="The infection ends because target cells run out; there is no immune response.",
            identifiability="Viral load gives p T0, not p and T0: fix T0.",
            reference="Baccam P et al. (2006), J Virol 80:7590-7599, doi:10.1128/JVI.01623-05; values of that order.",
            log=True,
        ),
    }  # fmt: skip
