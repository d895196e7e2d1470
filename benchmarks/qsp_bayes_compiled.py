"""The nonlinear problems through the engine of qsp_bayes: states, and the gradient of one sum with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.replace import vectorize_graph

from benchmarks.problems import Problem
from qsp_bayes.ode.compiled import compile_equations
from qsp_bayes.ode.constants import with_constants
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.nonlinear_op import NonlinearSolve
from qsp_bayes.ode.rows import stack, unstack
from qsp_bayes.ode.solvers import Adaptive

ABSENT = np.zeros((0, 0))


class Found:
    """States of all subjects and the gradient of one sum; all sensitivities only when an error is judged by them.

    qsp_bayes takes gradients in reverse mode, at a cost that does not depend on the number of parameters. All
    sensitivities come from one gradient for each time and state, which nothing but the judgement needs.
    """

    def __init__(
        self, states: np.ndarray, gradient: np.ndarray | None, all_sensitivities: Callable[[], np.ndarray]
    ) -> None:
        self.states, self.gradient, self.all_sensitivities = states, gradient, all_sensitivities

    @cached_property
    def sensitivities(self) -> np.ndarray:
        return self.all_sensitivities()

    def __getitem__(self, k: int) -> np.ndarray:
        return self.sensitivities if k else self.states


def equations_of(problem: Problem) -> Equations:
    time = pt.dscalar("t")
    states = {name: pt.dscalar(name) for name in problem.states}
    parameters = {name: pt.dscalar(name) for name in problem.parameters}
    rates = problem.field(time, list(states.values()), list(parameters.values()))
    derivatives = {
        name: pt.as_tensor_variable(rate, dtype="float64") for name, rate in zip(states, rates, strict=True)
    }
    return Equations(time, states, parameters, derivatives)


def records_of(problem: Problem) -> np.ndarray:
    """Observations and doses as (record, 6): subject, time, evid, state, amount, rate."""
    rows = []
    for subject in range(problem.subjects):
        own = [(subject, time, 0, -1, 0.0, 0.0) for time in problem.times]
        for dose in problem.doses:
            amount = dose.amounts[subject]
            rate = amount / dose.duration if dose.duration else 0.0
            own.append((subject, dose.time, 1, problem.states.index(dose.state), amount, rate))
        rows += sorted(own, key=lambda row: (row[1], -row[2]))
    return np.array(rows)


def constants_of(graphs: Sequence[Variable], rows: Mapping[Variable, Variable]) -> Variable:
    """Values of the constants of a system, (constant, row)."""
    return stack(*(vectorize_graph(graph, rows) for graph in graphs))


def weights_of(n: int) -> np.ndarray:
    """Weights of the states in the sum whose gradient is taken: all different, for their plain sum may be conserved."""
    return np.arange(1, n + 1) / n


def qsp_bayes_compiled(
    problem: Problem, solver: Adaptive, *, sensitivities: bool
) -> Callable[[float, np.ndarray], Found]:
    """Solver of a problem; absolute tolerances are left to qsp_bayes, which knows the size of each state so far."""
    equations = equations_of(problem)
    separated, constants = with_constants(equations)
    compiled = compile_equations(separated)
    n, records = len(problem.states), records_of(problem)
    subject, evid = records[:, 0].astype(int), records[:, 2].astype(int)
    none, values, tolerances = np.zeros(len(records), int), pt.dmatrix("values"), pt.dvector("tolerances")
    given = unstack(values, len(problem.parameters))
    rows = dict(zip(equations.parameters.values(), given, strict=True))
    start = [
        pt.as_tensor_variable(x, dtype="float64") + pt.zeros(values.shape[1]) for x in problem.start(given)
    ]
    options = [0, solver.method, solver.max_steps, 0, compiled.autonomous, compiled.n_factors]
    states = NonlinearSolve(compiled)(
        records[:, 1].copy(), records[:, 4].copy(), ABSENT, ABSENT, records[:, 5][None].copy(), ABSENT,
        np.zeros(len(records)), constants_of(constants, rows), stack(*start), tolerances, subject, subject, evid,
        np.where(evid == 1, records[:, 3], -1).astype(int)[None], none, none, np.arange(n), compiled.rows,
        compiled.columns, np.ones(n, int), np.array(options, int),
    )[0]  # fmt: skip
    weights = pt.tensor("weights", shape=(n, len(records)))
    inputs, outputs = [values, tolerances], [states]
    if sensitivities:
        inputs.append(weights)
        outputs.append(pt.grad((states * weights).sum(), values))
    function = pytensor.function(inputs, outputs, mode="NUMBA", trust_input=True)
    shape = problem.subjects, len(problem.times)
    observed = np.flatnonzero(evid == 0).reshape(shape)
    parameters = np.ascontiguousarray(problem.values.T)
    one_sum = np.repeat(weights_of(n)[:, None], len(records), axis=1)

    def solve(rtol: float, atol: np.ndarray) -> Found:
        asked = np.array([rtol, *[-1.0] * n])

        def all_sensitivities() -> np.ndarray:
            found = np.empty((*shape, n, len(problem.parameters)))
            for time in range(shape[1]):
                for state in range(n):
                    unit = np.zeros_like(one_sum)
                    unit[state, observed[:, time]] = 1.0
                    found[:, time, state] = function(parameters, asked, unit)[1].T
            return found

        def no_sensitivities() -> np.ndarray:
            return np.empty((*shape, n, 0))

        arguments: list[Any] = [parameters, asked, one_sum] if sensitivities else [parameters, asked]
        states, *gradient = function(*arguments)
        return Found(
            states[:, observed].transpose(1, 2, 0),
            gradient[0].T if gradient else None,
            all_sensitivities if sensitivities else no_sensitivities,
        )

    return solve
