"""The states of a linear system, from the exact engine."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.data.events import Events
from qsp_bayes.ode.op import LinearSolve
from qsp_bayes.ode.status import Status, observed_status
from qsp_bayes.systems.deliveries import deliveries, delivery_states, steady_doses
from qsp_bayes.systems.equilibrium import check_steady_states
from qsp_bayes.systems.linear import LinearForm
from qsp_bayes.systems.parameter_table import ParameterTable
from qsp_bayes.systems.solution import ABSENT, by_state, initial_rows, rows_of
from qsp_bayes.systems.system import System


def linear_states(
    system: System,
    form: LinearForm,
    events: Events,
    table: ParameterTable,
    observed: tuple[str, ...],
) -> tuple[dict[str, Variable], Status]:
    """Observed states, each by record, and how each subject ended, from the exact engine.

    Raises
    ------
    SolverError
        For a steady state that does not exist.
    """
    symbolic, structure = system.symbolic(), form.structure
    position, names = structure.position, list(symbolic.states)
    fed, replaced = steady_doses(symbolic, events)
    if fed:
        sources = {int(position[names.index(name)]) for name in fed}
        if replaced:  # by what constant production leaves
            sources |= {int(position[k]) for k in form.affine}
        check_steady_states(system, form, sources)
    affine = pt.as_tensor_variable(ABSENT)
    if form.affine:
        zero = pt.constant(0.0)
        affine = rows_of((form.affine.get(k, zero) for k in structure.order), symbolic, table)
    states, *_ = LinearSolve(structure.general)(
        *deliveries(symbolic, position, events, table).values(),
        rows_of(form.values, symbolic, table),
        affine,
        initial_rows(symbolic, table, structure.order),
        *(pt.as_tensor_variable(x) for x in (events.subject, table.row, events.evid)),
        delivery_states(symbolic, position, events),
        *(pt.as_tensor_variable(x) for x in (events.additional, events.steady_state)),
        structure.pattern,
        structure.reachable,
        structure.blocks,
        structure.block_of,
        structure.parents,
        position[[names.index(name) for name in observed]],
        np.array([structure.n_dynamic, events.carry == "locf"], np.int64),
    )
    subject, time = (pt.as_tensor_variable(x) for x in (events.subject, events.time))
    return by_state(states, observed), observed_status(states, subject, time, names)
