"""The right-hand side of a system as a function of numbers, and its integral by scipy."""

import numpy as np
import pytensor
from scipy.integrate import solve_ivp


def right_hand_side(system, parameters, **inputs):
    """dx/dt as a function of time and the states, in their order."""
    graphs = system.symbolic()
    given = {**graphs.parameters, **graphs.inputs}
    function = pytensor.function(
        [graphs.time, *graphs.states.values(), *given.values()],
        list(graphs.derivatives.values()),
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    fixed = [(parameters | inputs)[name] for name in given]
    return lambda t, x: np.array(function(t, *x, *fixed), dtype=float)


def value(graph, system, parameters, **states):
    """The value of one graph."""
    graphs = system.symbolic()
    known = {**graphs.parameters, **graphs.states}
    return float(
        graph.eval(
            {known[name]: number for name, number in (parameters | states).items() if name in known},
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        )
    )


def initial_state(system, parameters, **boluses):
    """The state at the start, with a bolus into each of the states that are named."""
    return np.array(
        [
            value(graph, system, parameters) + boluses.get(name, 0.0)
            for name, graph in system.symbolic().initial.items()
        ]
    )


def integrate(system, parameters, start, times, **options):
    """States at the times, one row for each."""
    solution = solve_ivp(
        right_hand_side(system, parameters),
        (0.0, times[-1]),
        start,
        t_eval=times,
        **{"method": "LSODA", "rtol": 1e-9, "atol": 1e-10} | options,
    )
    assert solution.success
    return solution.y.T
