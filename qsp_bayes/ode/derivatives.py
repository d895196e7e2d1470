"""The graphs of everything that the nonlinear solver evaluates: f, its Jacobian, and both pulled back."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytensor
import pytensor.tensor as pt
from pytensor.gradient import NullTypeGradError, grad
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.null_type import NullType
from pytensor.graph.rewriting.basic import MergeOptimizer
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.scalar.basic import Pow
from pytensor.tensor.elemwise import Elemwise

from qsp_bayes.errors import SolverError
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.expressions import check_available

LEFT_OUT = (
    *("fusion", "inplace", "add_mul_fusion", "local_pow_to_nested_squaring"),  # hide operations in others
    "local_greedy_distributor",  # multiplies sums out, slowly and for nothing
    *("BlasOpt", "local_usmm"),  # look for a library of matrices, and warn where there is none
)
"""Rewrites that do not serve scalars."""


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Simplified graphs of f and its derivatives.

    Attributes
    ----------
    slopes : tuple of Variable
        f of each state.
    jacobian : dict of (int, int) to Variable
        Entries of df/dy that are not zero, row by row.
    time_slopes : dict of int to Variable
        Entries of df/dt that are not zero.
    v : tuple of Variable
        What `pull` multiplies f with.
    pull : dict of Variable to Variable
        Derivative of the sum of v f with respect to each state and parameter that it depends on.
    M, tau : tuple of Variable
        What `pull_jacobian` multiplies the entries of df/dy and df/dt with.
    pull_jacobian : dict of Variable to Variable
        Derivative of the sum of M df/dy and tau df/dt.
    """

    slopes: tuple[Variable, ...]
    jacobian: Mapping[tuple[int, int], Variable]
    time_slopes: Mapping[int, Variable]
    v: tuple[Variable, ...]
    pull: Mapping[Variable, Variable]
    M: tuple[Variable, ...]
    tau: tuple[Variable, ...]
    pull_jacobian: Mapping[Variable, Variable]


@contextmanager
def quickly() -> Iterator[None]:
    """Make graphs without notes of where each node was made, and without searches for garbage among them.

    Both together would take half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        with pytensor.config.change_flags(traceback__limit=0):
            yield
    finally:
        if enabled:
            gc.enable()


@quickly()
def derive(equations: Equations) -> Derivatives:
    """Differentiate the equations.

    Raises
    ------
    SolverError
        For an operation without a derivative, or whose derivative cannot be compiled.

    Examples
    --------
    >>> t, x, k = (pt.dscalar(name) for name in ("t", "x", "k"))
    >>> found = derive(Equations(t, {"x": x}, {"k": k}, {"x": -k * x}))
    >>> [variable.name for variable in found.pull], [variable.name for variable in found.pull_jacobian]
    (['x', 'k'], ['k'])
    """
    states = list(equations.states.values())
    names = list(equations.states)
    slopes = guard_powers([pt.cast(equations.derivatives[name], "float64") for name in names], states)
    slopes = simplify(slopes)

    entries: dict[tuple[int, int], Variable] = {}
    place = {variable: j for j, variable in enumerate([*states, equations.time])}
    for i, (name, slope) in enumerate(zip(names, slopes, strict=True)):
        found = gradient(slope, list(place), f"the derivative of state {name!r}")
        entries |= {(i, place[variable]): graph for variable, graph in found.items()}
    entries = dict(zip(entries, simplify(list(entries.values())), strict=True))
    entries = {where: entries[where] for where in sorted(entries) if not is_zero(entries[where])}
    jacobian = {(i, j): graph for (i, j), graph in entries.items() if j < len(states)}
    time_slopes = {i: graph for (i, j), graph in entries.items() if j == len(states)}
    for (i, _), graph in entries.items():
        check_available({f"state {names[i]!r}": [graph]}, "a derivative of dx/dt")

    v, tau = ([pt.dscalar() for _ in names] for _ in range(2))
    M = [pt.dscalar() for _ in jacobian]
    wanted = called_in_messages(equations)
    pull = pulled(list(zip(v, slopes, strict=True)), wanted, "a derivative")
    weighted = [*zip(M, jacobian.values(), strict=True), *((tau[i], g) for i, g in time_slopes.items())]
    return Derivatives(
        slopes=tuple(slopes),
        jacobian=jacobian,
        time_slopes=time_slopes,
        v=tuple(v),
        pull=pull,
        M=tuple(M),
        tau=tuple(tau),
        pull_jacobian=pulled(weighted, wanted, "a second derivative"),
    )


def called_in_messages(equations: Equations) -> dict[Variable, str]:
    """Return what messages call each state and parameter."""
    states = {variable: f"state {name!r}" for name, variable in equations.states.items()}
    return states | {variable: f"parameter {name!r}" for name, variable in equations.parameters.items()}


def guard_powers(graphs: Sequence[Variable], states: Sequence[Variable]) -> list[Variable]:
    """Take powers of what depends on a state as those of 0 where it is negative, unless the exponent is a whole number.

    A state that is 0 is a little below it in some stage of a step, where a Hill function would have no value; and its
    derivative by the exponent, x^n log(x), has none at 0 itself.

    Examples
    --------
    >>> x, n = pt.dscalars("x", "n")
    >>> (power,) = guard_powers([x**n], [x])
    >>> slopes = pt.grad(power, [x, n])
    >>> [float(graph.eval({x: -1e-9, n: 1.5})) for graph in (power, *slopes)]
    [0.0, 0.0, 0.0]
    """
    whole = FunctionGraph(outputs=list(graphs), clone=True, copy_inputs=False)
    for node in whole.toposort():
        if not (isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Pow)):
            continue
        base, exponent = node.inputs
        is_whole = isinstance(exponent, Constant) and float(exponent.data).is_integer()
        if not is_whole and set(states) & set(graph_inputs([base])):
            positive = base > 0.0
            guarded = pt.switch(positive, pt.switch(positive, base, 1.0) ** exponent, 0.0**exponent)
            whole.replace(node.out, pt.cast(guarded, node.out.type.dtype))
    return list(whole.outputs)


def pulled(
    weighted: Sequence[tuple[Variable, Variable]], wanted: Mapping[Variable, str], what: str
) -> dict[Variable, Variable]:
    """Differentiate a sum of weights times graphs, in one sweep backwards, and simplify.

    `wanted` says what each variable is called in messages.
    """
    terms = [weight * graph for weight, graph in weighted if not isinstance(graph, Constant)]
    if not terms:
        return {}
    total = terms[0] if len(terms) == 1 else pt.add(*terms)
    found = gradient(total, list(wanted), what)
    simple = dict(zip(found, simplify(list(found.values())), strict=True))
    kept = {variable: simple[variable] for variable in wanted if variable in simple}
    kept = {variable: graph for variable, graph in kept.items() if not is_zero(graph)}
    check_available({wanted[variable]: [graph] for variable, graph in kept.items()}, f"{what} by it")
    return kept


def gradient(graph: Variable, wanted: Sequence[Variable], what: str) -> dict[Variable, Variable]:
    """Differentiate a graph with respect to those of the variables that it depends on."""
    present = set(graph_inputs([graph]))
    wanted = [variable for variable in wanted if variable in present]
    if not wanted:
        return {}
    try:
        found = grad(graph, wanted, disconnected_inputs="ignore", return_disconnected="none")
    except (NullTypeGradError, NotImplementedError) as error:
        raise SolverError(f"{what}: an operation has no derivative. {error}") from error
    if any(isinstance(graph.type, NullType) for graph in found if graph is not None):
        raise SolverError(f"{what}: an operation has no derivative.")
    return {variable: graph for variable, graph in zip(wanted, found, strict=True) if graph is not None}


def simplify(graphs: Sequence[Variable]) -> list[Variable]:
    """Simplify graphs and merge what they have in common, leaving the originals as they are."""
    if not graphs:
        return []
    whole = FunctionGraph(outputs=list(graphs), clone=True, copy_inputs=False)
    MergeOptimizer().rewrite(whole)
    rewrite_graph(whole, include=("canonicalize", "stabilize", "specialize"), exclude=LEFT_OUT)
    MergeOptimizer().rewrite(whole)
    return list(whole.outputs)


def is_zero(graph: Variable) -> bool:
    """Whether a graph is the number 0."""
    return isinstance(graph, Constant) and float(graph.data) == 0.0
