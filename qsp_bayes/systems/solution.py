"""The solution of a system: its outputs as graphs of the states that an engine observes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.rows import stack, unstack
from qsp_bayes.ode.status import Status
from qsp_bayes.systems.parameter_table import ParameterTable
from qsp_bayes.systems.symbolic import SymbolicSystem

ABSENT = np.zeros((0, 0))
"""What an engine takes for a table that there is not."""


class Path:
    """The solution: ``path["Cc"]`` is output Cc at the observations of Cc, in the order of ``events.rows["Cc"]``."""

    def __init__(
        self,
        symbolic: SymbolicSystem,
        events: Events,
        table: ParameterTable,
        states: Mapping[str, Variable],
        status: Status,
    ) -> None:
        self._symbolic, self._events, self._table = symbolic, events, table
        self._states = states
        self._status = status

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names that can be asked for."""
        return tuple(name for name in self._symbolic.outputs if name in self._events.rows)

    def status(self) -> Status:
        """How the solution of each subject ended: whether it failed, when, and because of which state.

        A subject that cannot be solved is NaN in every output; nothing is raised. Compile what is returned beside the
        outputs to learn why.

        Returns
        -------
        Status
            Variables `status`, `time` and `state`, one entry per subject; ``status.failures(subjects, *values)``
            puts their values into words.

        Examples
        --------
        >>> import pytensor
        >>> import qsp_bayes as qb
        >>> study = qb.load_dataset("theophylline")
        >>> system = qb.one_compartment(absorption="first-order", lag=True)
        >>> params = {"KA": 1.5, "CL": 3.0, "Vc": 30.0, "tlag": -1.0}
        >>> status = system.solve(study.events(), params).status()
        >>> values = pytensor.function([], status.variables)()
        >>> print(status.failures(study.subjects, *values)[0].describe("h"))
        Subject 1: cannot be solved, from t = 0 h on.
        """
        return self._status

    def __getitem__(self, output: str) -> Variable:
        if output not in self.outputs:
            raise SolverError(
                f"there is no output {output!r} to predict; the system and the data share "
                f"{', '.join(self.outputs) or 'no output'}."
            )
        rows = pt.as_tensor_variable(self._events.rows[output])
        graph = self._symbolic.outputs[output]
        values = self._table.at(rows)
        states = {
            self._symbolic.states[name]: self._states[name][rows]
            for name in states_of(self._symbolic, (output,))
        }
        time = {self._symbolic.time: pt.as_tensor_variable(self._events.time)[rows]}
        found = evaluate(graph, self._symbolic, values, states | time)
        # A quantity that no state changes, and that all subjects have alike.
        return found if found.ndim else pt.alloc(found, rows.shape[0])


def states_of(symbolic: SymbolicSystem, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """States that some outputs depend on."""
    reached = set(ancestors([symbolic.outputs[name] for name in outputs]))
    return tuple(name for name, state in symbolic.states.items() if state in reached)


def evaluate(
    graph: Variable,
    symbolic: SymbolicSystem,
    values: Mapping[str, Variable],
    more: Mapping[Variable, Variable] | None = None,
) -> Variable:
    """Put tensors in the place of a scalar graph's quantities."""
    reached = set(ancestors([graph]))
    scalars = {**symbolic.parameters, **symbolic.inputs}
    replacements = {scalars[name]: value for name, value in values.items() if scalars[name] in reached}
    replacements |= {scalar: value for scalar, value in (more or {}).items() if scalar in reached}
    return vectorize_graph(graph, replacements) if replacements else graph


def rows_of(graphs: Iterable[Variable], symbolic: SymbolicSystem, table: ParameterTable) -> Variable:
    """Put the rows of a parameter table into scalar graphs, (graph, row)."""
    vector = next((value for value in table.values.values() if value.ndim), None)
    found = [evaluate(graph, symbolic, table.values) for graph in graphs]
    if not found:
        return pt.zeros((0, 1 if vector is None else vector.shape[0]))
    if vector is not None and all(graph.ndim == 0 for graph in found):
        found[0] = pt.alloc(found[0], vector.shape[0])
    return stack(*found)


def by_state(states: Variable, observed: tuple[str, ...]) -> dict[str, Variable]:
    """Return the rows of the states that an engine observes, by name."""
    rows = unstack(states, len(observed)) if observed else []
    return dict(zip(observed, rows, strict=True))


def initial_rows(symbolic: SymbolicSystem, table: ParameterTable, order: Iterable[int]) -> Variable:
    """Initial states, (state, row), in an order; empty where all are 0."""
    starts = list(symbolic.initial.values())
    if all(isinstance(start, Constant) and start.data == 0 for start in starts):
        return pt.as_tensor_variable(ABSENT)
    return rows_of((starts[k] for k in order), symbolic, table)
