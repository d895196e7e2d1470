"""Join a system, its parameters and the events of a study into one PyTensor graph of the outputs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import Elemwise

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.op import LinearSolve
from qsp_bayes.ode.records import NO_STATE, UNKNOWN_STATE
from qsp_bayes.ode.rows import Stack, Unstack
from qsp_bayes.systems.equilibrium import check_steady_states
from qsp_bayes.systems.linear import LinearForm, linear_form
from qsp_bayes.systems.symbolic import Delivery, SymbolicSystem

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

Level = Literal["scalar", "subject", "occasion", "record"]
LEVELS: tuple[Level, ...] = ("scalar", "subject", "occasion", "record")
"""From coarse to fine."""

ABSENT = np.zeros((0, 0))
DOSING = (1, 4)
"""EVID of the records that give a dose."""


@dataclass(frozen=True)
class Linear:
    """The exact solver of linear systems; it has nothing to set."""


@dataclass(frozen=True, eq=False)
class ParameterTable:
    """Parameters and covariates at the finest level at which any of them varies.

    Attributes
    ----------
    values : dict of str to variable
        0-d where the quantity is the same for all, otherwise one entry per row.
    level : str
        What a row is.
    row : (record,) int
        The row that holds at each record.
    """

    values: Mapping[str, Variable]
    level: Level
    row: Variable

    @classmethod
    def build(cls, events: Events, values: Mapping[str, Any], levels: Mapping[str, Level]) -> ParameterTable:
        """Spread every quantity to the rows of the finest level."""
        tensors = {name: pt.as_tensor_variable(value, dtype="float64") for name, value in values.items()}
        own = {name: level_of(name, tensor, levels) for name, tensor in tensors.items()}
        finest: Level = max(own.values(), key=LEVELS.index, default="scalar")
        subject, occasion = pt.as_tensor_variable(events.subject), pt.as_tensor_variable(events.occasion)
        row = {
            "scalar": lambda: pt.zeros_like(subject),
            "subject": lambda: subject,
            "occasion": lambda: occasion,
            "record": lambda: pt.arange(subject.shape[0], dtype="int64"),
        }[finest]()
        spread: dict[tuple[Level, Level], Any] = {
            ("subject", "occasion"): events.occasion_subject,
            ("subject", "record"): subject,
            ("occasion", "record"): occasion,
        }
        return cls(
            {
                name: tensor if own[name] in ("scalar", finest) else tensor[spread[own[name], finest]]
                for name, tensor in tensors.items()
            },
            finest,
            row,
        )

    def at(self, rows: Variable | None = None) -> dict[str, Variable]:
        """Return the quantities at some records (at all of them by default)."""
        index = self.row if rows is None else self.row[rows]
        if self.level == "record" and rows is None:
            return dict(self.values)
        return {name: value if value.ndim == 0 else value[index] for name, value in self.values.items()}


def level_of(name: str, tensor: Variable, levels: Mapping[str, Level]) -> Level:
    """Level at which a quantity varies: as stated, else "scalar" or "subject" by its number of dimensions."""
    if tensor.ndim > 1:
        raise SolverError(
            f"parameter {name!r} has {tensor.ndim} dimensions; give a scalar or one value per row."
        )
    if tensor.ndim == 0:
        return "scalar"
    level = levels.get(name, "subject")
    if level not in LEVELS[1:]:
        raise SolverError(f"parameter {name!r}: level {level!r} is not one of {', '.join(LEVELS[1:])}.")
    return level


def known_value(array: Any) -> np.ndarray | None:
    """Return the numbers an array holds now, where that can be told without compiling anything."""
    if isinstance(array, Variable) and is_cast(array):
        return known_value(array.owner.inputs[0])
    if isinstance(array, SharedVariable):
        return np.asarray(array.get_value(borrow=True))
    if isinstance(array, Constant):
        return np.asarray(array.data)
    return None if isinstance(array, Variable) else np.asarray(array)


def is_cast(variable: Variable) -> bool:
    """Tell whether a variable is another one as another type; integer `pm.Data` come so."""
    op = None if variable.owner is None else variable.owner.op
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, Cast)


class Path:
    """The solution: ``path["Cc"]`` is output Cc at the observations of Cc, in the order of ``events.rows["Cc"]``."""

    def __init__(
        self,
        symbolic: SymbolicSystem,
        events: Events,
        table: ParameterTable,
        states: Mapping[str, Variable],
    ) -> None:
        self._symbolic, self._events, self._table = symbolic, events, table
        self._states = states

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names that can be asked for."""
        return tuple(name for name in self._symbolic.outputs if name in self._events.rows)

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
        return evaluate(graph, self._symbolic, values, states | time)


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


def stack_rows(graphs: list[Variable], like: Variable | None) -> Variable:
    """Stack graphs of 0 or 1 dimensions into (graph, row), with as many rows as `like` has."""
    if like is not None and all(graph.ndim == 0 for graph in graphs):
        graphs = [pt.alloc(graphs[0], like.shape[0]), *graphs[1:]]
    return Stack()(*graphs)


def solve(
    system: System,
    events: Events,
    params: Mapping[str, Any],
    *,
    levels: Mapping[str, Level] | None = None,
    covariates: Mapping[str, Any] | None = None,
    solver: Linear | None = None,
) -> Path:
    """Solve a system for every subject of `events`.

    Parameters
    ----------
    system : System
    events : Events
        Of numpy arrays or `pm.Data` variables.
    params : mapping of str to scalar or vector
        One entry per parameter of the system. A vector has one value per subject unless `levels` says otherwise.
    levels : mapping of str to {"subject", "occasion", "record"}, optional
    covariates : mapping of str to scalar or vector, optional
        Values of the system's inputs. An input that is missing here is taken, record by record, from the covariate of
        the same name.
    solver : Linear, optional
        Chosen by the system where omitted.

    Returns
    -------
    Path

    Raises
    ------
    SolverError
        For a missing or unknown parameter, a system that is not linear, or a dose that the system does not accept.
    """
    symbolic = system.symbolic()
    values = given_values(symbolic, events, params, covariates or {})
    unfed: dict[str, Level] = {name: "record" for name in symbolic.inputs if name not in (covariates or {})}
    table = ParameterTable.build(events, values, {**unfed, **(levels or {})})
    form = linear_form(symbolic)
    if form is None:
        raise SolverError(
            "the system is not linear: some rate depends on a state, or on time, other than proportionally. "
            "Only linear systems can be solved by this version; simplify the rate."
        )
    if solver is not None and not isinstance(solver, Linear):
        raise SolverError(
            f"solver {solver!r} is not one that this version has: Linear(), or none to choose it here."
        )
    sources = fed_for_ever(symbolic, form, events)
    if sources:
        check_steady_states(system, form, sources)
    wanted = tuple(name for name in symbolic.outputs if name in events.rows)
    observed = states_of(symbolic, wanted)
    states = linear_states(symbolic, form, events, table, observed)
    return Path(symbolic, events, table, states)


def given_values(
    symbolic: SymbolicSystem, events: Events, params: Mapping[str, Any], covariates: Mapping[str, Any]
) -> dict[str, Any]:
    """Check that every parameter and input has a value, and nothing else."""
    missing = [name for name in symbolic.parameters if name not in params]
    unknown = [name for name in params if name not in symbolic.parameters]
    if missing or unknown:
        raise SolverError(
            "; ".join(
                ([f"no value for parameter {', '.join(missing)}"] if missing else [])
                + ([f"the system has no parameter {', '.join(unknown)}"] if unknown else [])
            )
            + f". Its parameters are {', '.join(symbolic.parameters)}."
        )
    inputs = {}
    for name in symbolic.inputs:
        if name not in covariates and name not in events.covariates:
            raise SolverError(
                f"input {name!r} has no value: bind it with `+` to a system that gives it, pass it in `covariates`, "
                f"or name a covariate so (the data have {', '.join(events.covariates) or 'none'})."
            )
        inputs[name] = covariates.get(name, events.covariates.get(name))
    return {**params, **inputs}


def linear_states(
    symbolic: SymbolicSystem,
    form: LinearForm,
    events: Events,
    table: ParameterTable,
    observed: tuple[str, ...],
) -> dict[str, Variable]:
    """Observed states, each by record, from the exact engine."""
    structure = form.structure
    vector = next((value for value in table.values.values() if value.ndim), None)
    rowwise = functools.partial(evaluate, symbolic=symbolic, values=table.values)
    affine = initial = pt.as_tensor_variable(ABSENT)
    if form.affine:
        zero = pt.constant(0.0)
        affine = stack_rows([rowwise(form.affine.get(k, zero)) for k in structure.order], vector)
    starts = list(symbolic.initial.values())
    if any(not (isinstance(start, Constant) and start.data == 0) for start in starts):
        initial = stack_rows([rowwise(starts[k]) for k in structure.order], vector)
    names = list(symbolic.states)
    states, *_ = LinearSolve(structure.general)(
        *deliveries(symbolic, structure.position, events, table).values(),
        stack_rows([rowwise(value) for value in form.values], vector),
        affine,
        initial,
        *(pt.as_tensor_variable(x) for x in (events.subject, table.row, events.evid)),
        delivery_states(symbolic, structure.position, events),
        *(pt.as_tensor_variable(x) for x in (events.additional, events.steady_state)),
        structure.pattern,
        structure.reachable,
        structure.blocks,
        structure.block_of,
        structure.parents,
        structure.position[[names.index(name) for name in observed]],
        np.array([structure.n_dynamic, events.carry == "locf"], np.int64),
    )
    rows = Unstack(len(observed))(states, return_list=True) if observed else []
    return dict(zip(observed, rows, strict=True))


def fed_for_ever(symbolic: SymbolicSystem, form: LinearForm, events: Events) -> set[int]:
    """Solver positions of the states that a steady state (SS) feeds, where the data are known already."""
    evid, steady_state = known_value(events.evid), known_value(events.steady_state)
    compartment = known_value(events.compartment)
    if evid is None or steady_state is None or compartment is None:
        return set()
    names, position = list(symbolic.states), form.structure.position
    steady = np.isin(evid, DOSING) & (steady_state > 0)
    fed = {
        int(position[names.index(route.state)])
        for c in np.unique(compartment[steady]).tolist()
        if c >= 0
        for route in symbolic.deliveries.get(events.compartments[c], ())
    }
    if (steady & (steady_state == 1)).any():  # it replaces the state, by what constant production leaves
        fed |= {int(position[k]) for k in form.affine}
    return fed


def delivery_states(symbolic: SymbolicSystem, position: np.ndarray, events: Events) -> Variable:
    """Solver position of the state that each record delivers into, (route, record)."""
    names = list(symbolic.states)
    n_routes = max((len(routes) for routes in symbolic.deliveries.values()), default=1)
    target = np.full((n_routes, len(events.compartments) + 1), NO_STATE, np.int64)
    target[0] = UNKNOWN_STATE
    for c, name in enumerate(events.compartments):
        for k, route in enumerate(symbolic.deliveries.get(name, ())):
            target[k, c] = position[names.index(route.state)]
    compartment, evid = known_value(events.compartment), known_value(events.evid)
    if compartment is not None and evid is not None:
        dosed: list[int] = np.unique(compartment[np.isin(evid, DOSING)]).tolist()
        refused = [
            events.compartments[c] if c >= 0 else "(none)" for c in dosed if target[0, c] == UNKNOWN_STATE
        ]
        if refused:
            raise SolverError(
                f"the data give doses into {', '.join(refused)}, but the system takes doses into "
                f"{', '.join(symbolic.deliveries) or 'no compartment'}. Name the compartments at reading "
                '(compartments={1: "depot"}), or declare the dose in the system (doses={"depot": DoseInto()}).'
            )
    return pt.constant(target)[:, pt.as_tensor_variable(events.compartment)]


def deliveries(
    symbolic: SymbolicSystem, position: np.ndarray, events: Events, table: ParameterTable
) -> dict[str, Variable]:
    """Times, amounts, and how each route shapes the dose: the float inputs of the solver that come before A."""
    n_routes = max((len(routes) for routes in symbolic.deliveries.values()), default=1)
    compartment = pt.as_tensor_variable(events.compartment)
    code, stated = pt.as_tensor_variable(events.rate), pt.as_tensor_variable(events.duration)
    at_record = table.at()

    def shaped(field: str, absent: float) -> list[Variable | None]:
        """By route, the value of a delivery's field at every record; None where no compartment declares it."""
        rows: list[Variable | None] = []
        for k in range(n_routes):
            row = None
            for c, name in enumerate(events.compartments):
                routes: tuple[Delivery, ...] = symbolic.deliveries.get(name, ())
                graph = getattr(routes[k], field) if k < len(routes) else None
                if graph is not None:
                    value = evaluate(graph, symbolic, at_record)
                    row = pt.where(pt.eq(compartment, c), value, absent if row is None else row)
            rows.append(row)
        return rows

    def table_of(rows: list[Variable | None], absent: float) -> Variable:
        if all(row is None for row in rows):
            return pt.as_tensor_variable(ABSENT)
        return Stack()(*(absent if row is None else row for row in rows))

    check_modelled(symbolic, events)
    plain = pt.eq(code, 0.0) & pt.eq(stated, 0.0)
    rates: list[Variable | None] = []
    durations: list[Variable | None] = []
    for rate, duration in zip(shaped("rate", 0.0), shaped("duration", 0.0), strict=True):
        given = pt.maximum(code, 0.0)
        rates.append(given if rate is None else pt.where(plain | pt.eq(code, -1.0), rate, given))
        durations.append(
            stated if duration is None else pt.where(plain | pt.eq(code, -2.0), duration, stated)
        )
    return {
        "time": pt.as_tensor_variable(events.time),
        "amount": pt.as_tensor_variable(events.amount),
        "bioavailability": table_of(shaped("F", 1.0), 1.0),
        "lag": table_of(shaped("lag", 0.0), 0.0),
        "rate": table_of(rates, 0.0),
        "duration": table_of(durations, 0.0),
        "interval": pt.as_tensor_variable(events.interval),
    }


def check_modelled(symbolic: SymbolicSystem, events: Events) -> None:
    """Refuse RATE = -1 or -2 where the compartment declares no rate or duration."""
    code, compartment = known_value(events.rate), known_value(events.compartment)
    if code is None or compartment is None:
        return
    for number, field in ((-1, "rate"), (-2, "duration")):
        for c in np.unique(compartment[code == number]):
            name = events.compartments[c]
            if not any(getattr(route, field) is not None for route in symbolic.deliveries.get(name, ())):
                raise SolverError(
                    f"the data ask for a modelled {field} (RATE = {number}) of doses into {name!r}, but the system "
                    f'declares none: write doses={{"{name}": DoseInto({field}=lambda s: s.{field})}}.'
                )
