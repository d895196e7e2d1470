"""A nonlinear problem by PyMC's own `DifferentialEquation`, which solves for all sensitivities whatever is asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from benchmarks.problems import Problem


def pymc_ode(
    problem: Problem, *, sensitivities: bool
) -> Callable[[float, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Solver of all subjects, each a node of one compiled function. Tolerances are scipy's: there is no choice.

    Only doses at time 0 can be had, as initial states.
    """
    events = problem.events()
    if events[:, :, 0].any() or events[:, :, 3].any():
        raise ValueError(f"{problem.name} has doses after time 0, or infusions")
    N, P = len(problem.states), len(problem.parameters)
    equation = pm.ode.DifferentialEquation(
        lambda y, t, p: problem.field(t, [y[i] for i in range(N)], [p[j] for j in range(P)]),
        problem.times,
        n_states=N,
        n_theta=P,
        t0=0.0,
    )
    values = pt.dmatrix("values")
    outputs = []
    for subject, doses in enumerate(events):
        y0 = np.array(problem.start(problem.values[subject]), float)
        for _, state, amount, _ in doses:
            y0[int(state)] += amount
        outputs.append(equation(y0=y0, theta=values[subject], return_sens=sensitivities))
    if sensitivities:
        function = pytensor.function(
            [values], [pt.stack([y for y, _ in outputs]), pt.stack([S for _, S in outputs])]
        )
    else:
        function = pytensor.function([values], pt.stack(outputs))

    def solve(rtol: float, atol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = function(problem.values)
        if sensitivities:
            # The first sensitivities are by the initial states.
            return found[0], found[1][..., N:]
        return found, np.empty((*found.shape, 0))

    return solve
