"""The graphs of what the solver evaluates where there are switches: functions and changes, both pulled back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.ode.derivatives import called_in_messages, gradient, guard_powers, pulled, quickly, simplify
from qsp_bayes.ode.equations import Equations


@dataclass(frozen=True, eq=False)
class SwitchDerivatives:
    """Simplified graphs of the functions g of the switches, of the changes c, and of their derivatives.

    Attributes
    ----------
    functions : tuple of Variable
        g of each switch.
    flow : tuple of Variable
        Slopes of the states, which `slopes` take.
    slopes : tuple of Variable
        dg/dt + dg/dy flow.
    v : tuple of Variable
        What `pull` multiplies g with.
    pull : dict of Variable to Variable
        Derivative of the sum of v g with respect to each state and parameter that it depends on.
    changes : tuple of Variable
        c of each state, switch by switch: the state itself where a switch leaves it.
    w : tuple of Variable
        What `pull_change` multiplies c with.
    pull_change : dict of Variable to Variable
        Derivative of the sum of w c with respect to each state, each parameter, and the time.
    """

    functions: tuple[Variable, ...]
    flow: tuple[Variable, ...]
    slopes: tuple[Variable, ...]
    v: tuple[Variable, ...]
    pull: Mapping[Variable, Variable]
    changes: tuple[Variable, ...]
    w: tuple[Variable, ...]
    pull_change: Mapping[Variable, Variable]


@quickly()
def derive_switches(equations: Equations) -> SwitchDerivatives:
    """Differentiate the functions and the changes of the switches.

    Raises
    ------
    SolverError
        For an operation without a derivative, or whose derivative cannot be compiled.

    Examples
    --------
    >>> from qsp_bayes.ode.equations import Switching
    >>> t, x, limit, side = (pt.dscalar(name) for name in ("t", "x", "limit", "side"))
    >>> switches = {"high": Switching(side, x - limit, change={"x": x / 2})}
    >>> found = derive_switches(Equations(t, {"x": x}, {"limit": limit}, {"x": x}, switches))
    >>> [variable.name for variable in found.pull], [variable.name for variable in found.pull_change]
    (['x', 'limit'], ['x'])
    """
    states, switches = equations.states, equations.switches
    graphs = [switch.when for switch in switches.values()]
    changes = [
        switch.change.get(name, state) for switch in switches.values() for name, state in states.items()
    ]
    doubles = [pt.cast(graph, "float64") for graph in [*graphs, *changes]]
    whole = simplify(guard_powers(doubles, list(states.values())))
    graphs, changes = whole[: len(graphs)], whole[len(graphs) :]
    wanted = called_in_messages(equations)
    flow, v, w = ([pt.dscalar() for _ in range(size)] for size in (len(states), len(graphs), len(changes)))
    slopes, slope_of = [], dict(zip(states.values(), flow, strict=True))
    for name, graph in zip(switches, graphs, strict=True):
        found = gradient(graph, [equations.time, *slope_of], f"the function of switch {name!r}")
        terms = [part * slope_of[x] if x in slope_of else part for x, part in found.items()]
        slopes.append(sum(terms, start=pt.constant(0.0)))
    return SwitchDerivatives(
        functions=tuple(graphs),
        flow=tuple(flow),
        slopes=tuple(simplify(slopes)),
        v=tuple(v),
        pull=pulled(list(zip(v, graphs, strict=True)), wanted, "a derivative of a switch"),
        changes=tuple(changes),
        w=tuple(w),
        pull_change=pulled(
            list(zip(w, changes, strict=True)),
            {**wanted, equations.time: "the time"},
            "a derivative of the change at a switch",
        ),
    )
