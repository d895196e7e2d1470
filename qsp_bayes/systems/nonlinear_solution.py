"""The states of a nonlinear system, from the integrators."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.constants import with_constants
from qsp_bayes.ode.cvodes_op import CvodesSolve
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.nonlinear_op import NonlinearSolve
from qsp_bayes.ode.solvers import CVODES, Adaptive
from qsp_bayes.ode.status import Status, observed_status, recorded_status
from qsp_bayes.ode.switching import MAX_SWITCHES
from qsp_bayes.systems.deliveries import deliveries, delivery_states, steady_doses
from qsp_bayes.systems.parameter_table import ParameterTable
from qsp_bayes.systems.solution import by_state, initial_rows, rows_of
from qsp_bayes.systems.switch import by_sides
from qsp_bayes.systems.symbolic import SymbolicSystem


@functools.lru_cache(maxsize=128)
def equations_of(symbolic: SymbolicSystem) -> tuple[Equations, tuple[Variable, ...]]:
    """Return the equations that the code generator reads, and their constants as graphs of parameters and inputs.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> equations, constants = equations_of(qb.one_compartment(elimination="saturable").symbolic())
    >>> list(equations.parameters)
    ['Km', 'constant1', 'constant2']
    """
    functions = [graph for switch in symbolic.switches.values() for graph in switch.graphs]
    reached = set(ancestors([*symbolic.derivatives.values(), *functions]))
    quantities = {**symbolic.parameters, **symbolic.inputs}
    return with_constants(
        Equations(
            symbolic.time,
            dict(symbolic.states),
            {name: variable for name, variable in quantities.items() if variable in reached},
            by_sides(symbolic),
            symbolic.switches,
        )
    )


def check_switches(symbolic: SymbolicSystem, events: Events, by_cvodes: bool) -> None:
    """Refuse what a system with switches cannot do."""
    if not symbolic.switches:
        return
    names = ", ".join(symbolic.switches)
    if len(symbolic.switches) > MAX_SWITCHES:
        raise SolverError(
            f"the system has {len(symbolic.switches)} switches; at most {MAX_SWITCHES} can be solved."
        )
    if by_cvodes:
        raise SolverError(
            f"CVODES() does not solve systems with switches, and this one has {names}. Choose Rodas5P() or Automatic()."
        )
    if steady_doses(symbolic, events)[0]:
        raise SolverError(
            "the data ask for a steady state (SS), which is not found for systems with switches; this one has "
            f"{names}. Give the doses that led to it one by one (ADDL, II)."
        )


def nonlinear_states(
    symbolic: SymbolicSystem,
    events: Events,
    table: ParameterTable,
    observed: tuple[str, ...],
    solver: Adaptive,
) -> tuple[dict[str, Variable], Status]:
    """Observed states, each by record, and how each subject ended, from the integrators.

    Raises
    ------
    SolverError
        For a rate that cannot be compiled, a solver that is not installed, an absolute tolerance of an unknown state,
        a steady state by CVODES, or a system with switches by CVODES or with a steady state.
    """
    equations, constants = equations_of(symbolic)
    compiled = compile_equations(equations)
    names = list(symbolic.states)
    position = np.arange(len(names))
    options = [
        events.carry == "locf",
        solver.method,
        solver.max_steps,
        False,  # what needs the path to be kept asks for it
        compiled.autonomous,
        compiled.n_factors,
        *compiled.directions,
    ]
    by_cvodes = isinstance(solver, CVODES)
    check_switches(symbolic, events, by_cvodes)
    if by_cvodes and steady_doses(symbolic, events)[0]:
        raise SolverError(
            "the data ask for a steady state (SS), which CVODES does not find. Choose Rodas5P() or Automatic(), or "
            "give the doses that led to it one by one (ADDL, II)."
        )
    states, *memory = (
        (CvodesSolve if by_cvodes else NonlinearSolve)(compiled)
        .make_node(
            *deliveries(symbolic, position, events, table).values(),
            rows_of(constants, symbolic, table),
            initial_rows(symbolic, table, range(len(names))),
            solver.tolerances(names),
            *(pt.as_tensor_variable(x) for x in (events.subject, table.row, events.evid)),
            delivery_states(symbolic, position, events),
            *(pt.as_tensor_variable(x) for x in (events.additional, events.steady_state)),
            np.array([names.index(name) for name in observed], np.int64),
            compiled.rows,
            compiled.columns,
            np.array([name not in symbolic.accumulators for name in names], np.int64),
            np.array(options, np.int64),
        )
        .outputs
    )
    if by_cvodes:
        subject, time = pt.as_tensor_variable(events.subject), pt.as_tensor_variable(events.time)
        return by_state(states, observed), observed_status(states, subject, time, names)
    return by_state(states, observed), recorded_status(memory[0], names)
