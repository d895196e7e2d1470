"""Join a system, its parameters and the events of a study into one PyTensor graph of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.solvers import Adaptive, Automatic, Linear, Solver
from qsp_bayes.systems.interpolation import ramps, with_ramps
from qsp_bayes.systems.linear import linear_form
from qsp_bayes.systems.linear_solution import linear_states
from qsp_bayes.systems.nonlinear_solution import nonlinear_states
from qsp_bayes.systems.parameter_table import Level, ParameterTable
from qsp_bayes.systems.solution import Path, states_of
from qsp_bayes.systems.superposition import with_releases
from qsp_bayes.systems.symbolic import SymbolicSystem

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


def solve(
    system: System,
    events: Events,
    params: Mapping[str, Any],
    *,
    levels: Mapping[str, Level] | None = None,
    covariates: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
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
    solver : Solver, optional
        Where left out `Linear` for a linear system, save one that it would be slow on (see `default_solver`), and
        `Automatic` for any other.

    Returns
    -------
    Path

    Raises
    ------
    SolverError
        For a missing or unknown parameter, a dose that the system does not accept, a rate that cannot be compiled, or
        a solver that does not fit the system.
    """
    if not isinstance(solver, Solver | None):
        raise SolverError(
            f"solver {solver!r} is none. Choose Linear(), Automatic(), Rodas5P(), Tsit5() or CVODES(), or leave it out."
        )
    symbolic = system.symbolic()
    values = given_values(symbolic, events, params, covariates or {})
    unfed: dict[str, Level] = {name: "record" for name in symbolic.inputs if name not in (covariates or {})}
    symbolic, values, levels = with_ramps(symbolic, events, values, {**unfed, **(levels or {})})
    symbolic, values, levels = with_releases(symbolic, events, values, levels)
    table = ParameterTable.build(events, values, levels)
    wanted = tuple(name for name in symbolic.outputs if name in events.rows)
    observed = states_of(symbolic, wanted)
    form = linear_form(symbolic)
    if solver is None:
        solver = default_solver(symbolic)
    if isinstance(solver, Adaptive):
        states, status = nonlinear_states(symbolic, events, table, observed, solver)
    elif form is not None:
        states, status = linear_states(system, form, events, table, observed)
    elif symbolic.switches:
        raise SolverError(
            f"Linear() solves systems without switches, and this one has {', '.join(symbolic.switches)}. "
            "Leave `solver` out, or choose Rodas5P() or Tsit5()."
        )
    else:
        raise SolverError(
            "Linear() solves linear systems only, and some rate of this one depends on a state, or on time, other than "
            "proportionally. Leave `solver` out, or choose Rodas5P() or Tsit5()."
        )
    return Path(symbolic, events, table, states, status)


def default_solver(symbolic: SymbolicSystem) -> Solver:
    """Return the solver that a system gets where none is chosen.

    `Linear` if it is linear, unless its matrix has no eigenvectors and may be stiff (a chain of equal transit
    compartments before a whole body); else `Automatic`.
    """
    form = linear_form(ramps(symbolic).symbolic)
    return Automatic() if form is None or form.series_would_be_slow else Linear()


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
