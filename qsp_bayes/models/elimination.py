"""How drug leaves the central compartment: linearly, by a saturable process, or by both in parallel.

========= ==================================================== ===========
kind      rate of elimination                                  parameters
========= ==================================================== ===========
linear    CL Cc                                                CL
saturable Vmax Cc / (Km + Cc)                                  Vmax, Km
parallel  both                                                 CL, Vmax, Km
========= ==================================================== ===========

CL has the unit of a volume over time, Vmax that of an amount over time, Km that of a concentration.
"""

from __future__ import annotations

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems import Process
from qsp_bayes.units import Units

LINEAR = Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central)
SATURABLE = Process("saturable elimination", {"central": -1}, lambda s: s.Vmax * s.Cc / (s.Km + s.Cc))

PROCESSES = {"linear": (LINEAR,), "saturable": (SATURABLE,), "parallel": (LINEAR, SATURABLE)}
PARAMETERS = {"linear": ("CL",), "saturable": ("Vmax", "Km"), "parallel": ("CL", "Vmax", "Km")}


def elimination(kind: str, units: Units) -> tuple[tuple[Process, ...], dict[str, str]]:
    """Return the processes of an elimination, and its parameters with their units.

    Parameters
    ----------
    kind : {"linear", "saturable", "parallel"}
    units : Units

    Raises
    ------
    MechanismError
        For an unknown kind.

    Examples
    --------
    >>> processes, parameters = elimination("saturable", Units())
    >>> [process.name for process in processes], parameters
    (['saturable elimination'], {'Vmax': 'mg/h', 'Km': 'mg/L'})
    """
    if kind not in PROCESSES:
        raise MechanismError(f"elimination {kind!r} is not known. Choose one of {', '.join(PROCESSES)}.")
    unit_of = {"CL": units.clearance, "Vmax": f"{units.amount}/{units.time}", "Km": units.concentration}
    return PROCESSES[kind], {name: unit_of[name] for name in PARAMETERS[kind]}
