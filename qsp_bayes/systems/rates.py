"""The rates of a system as a table: what each process turns into what, how fast, and in which unit."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import pandas as pd

from qsp_bayes.systems.notation import Text, names_of, write
from qsp_bayes.systems.symbolic import symbolic

if TYPE_CHECKING:
    from qsp_bayes.systems.declarations import Process
    from qsp_bayes.systems.system import System


def rates(system: System) -> pd.DataFrame:
    """Tabulate the vector v of rates: a row for each process, in the order of the columns of S.

    Examples
    --------
    >>> from qsp_bayes.models import mapk_cascade
    >>> table = rates(mapk_cascade())
    >>> table.loc["phosphorylation of MKK", "rate"]
    'k3*MKKK_P*MKK/(K3 + MKK)'
    """
    graphs = symbolic(system)
    names = names_of(graphs)
    rows = {
        process.name: {
            "reaction": arrow(process),
            "rate": write(graphs.rates[process.name], names, Text()),
            "unit": f"{system.states[next(iter(process.stoichiometry))] or 1}/{system.time_unit}",
        }
        for process in system.processes
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["reaction", "rate", "unit"])
    return table.rename_axis(index="process")


def arrow(process: Process) -> str:
    """Write the stoichiometry of a process with an arrow.

    Examples
    --------
    >>> from qsp_bayes.systems import Process
    >>> arrow(Process("pairing", {"A": -2, "A2": 1}, lambda s: s.k * s.A**2))
    '2 A -> A2'
    """
    taken = [(state, -change) for state, change in process.stoichiometry.items() if change < 0]
    made = [(state, change) for state, change in process.stoichiometry.items() if change > 0]
    return f"{side(taken)} -> {side(made)}".strip()


def side(terms: Iterable[tuple[str, Fraction]]) -> str:
    """Write one side of an arrow."""
    return " + ".join(state if size == 1 else f"{size} {state}" for state, size in terms)
