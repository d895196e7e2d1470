"""Where a linear system has no steady state: groups of states that doses enter and nothing leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pytensor.graph.traversal import ancestors
from scipy.optimize import linprog

from qsp_bayes.errors import SolverError

if TYPE_CHECKING:
    from qsp_bayes.systems.linear import LinearForm
    from qsp_bayes.systems.system import System


def closed_groups(system: System, form: LinearForm) -> list[tuple[str, ...]]:
    """Find the groups of states that exchange with each other and that no process empties.

    A group (a strongly connected block of A, without accumulators) is closed where some sum of its states with
    positive weights c is changed by none of the processes whose rates depend on them: c S_p = 0. Whatever enters
    such a group stays, whatever the parameters are.

    Examples
    --------
    >>> from qsp_bayes.systems import DoseInto, Process, System
    >>> from qsp_bayes.systems.linear import linear_form
    >>> system = System(
    ...     {"blood": "mg", "tissue": "mg"},
    ...     {"k": "1/h"},
    ...     [Process("exchange", {"blood": -1, "tissue": 1}, lambda s: s.k * (s.blood - s.tissue))],
    ...     doses={"blood": DoseInto()},
    ... )
    >>> closed_groups(system, linear_form(system.symbolic()))
    [('blood', 'tissue')]
    """
    symbolic, structure = system.symbolic(), form.structure
    names = [list(symbolic.states)[k] for k in structure.order]
    closed = []
    for start, stop in zip(structure.blocks[:-1], structure.blocks[1:], strict=True):
        if start >= structure.n_dynamic:
            break
        group = tuple(names[start:stop])
        members = {symbolic.states[name] for name in group}
        changes = np.array(
            [
                [float(process.stoichiometry.get(name, 0)) for name in group]
                for process in system.processes
                if members & set(ancestors([symbolic.rates[process.name]]))
            ]
        ).reshape(-1, len(group))
        weights = linprog(np.ones(len(group)), A_eq=changes, b_eq=np.zeros(len(changes)), bounds=(1, None))
        if weights.status == 0:
            closed.append(group)
    return closed


def check_steady_states(system: System, form: LinearForm, sources: set[int]) -> None:
    """Refuse a steady state of doses, or of constant production, that ends in a closed group.

    Parameters
    ----------
    sources : set of int
        Solver positions of the states that are fed for ever.

    Raises
    ------
    SolverError
        Naming the states, and what to do.
    """
    position, names = form.structure.position, list(system.states)
    for group in closed_groups(system, form):
        first = position[names.index(group[0])]
        if any(form.structure.reachable[first, source] for source in sources):
            raise SolverError(
                f"the data ask for a steady state (SS), but nothing leaves {' and '.join(group)}: what enters stays "
                "for ever. Add an elimination, name a state that only collects in `accumulators`, or give the doses "
                "one by one (ADDL, II) without SS."
            )
