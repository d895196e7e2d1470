"""The nonlinear problems in JAX by diffrax: states, forward sensitivities, and a gradient by reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import Problem

jax.config.update("jax_enable_x64", True)

MAXIMUM_STEPS = 2**20
REVERSE_STEPS = 2**14
"""Reverse mode keeps checkpoints by the largest number of steps."""


def paths(problem: Problem, solver: str, adjoint: Any, steps: int) -> Callable[..., Any]:
    """Function of one subject's (parameters, events, rtol, atol) that gives its states (time, state).

    The times of events are the same for all subjects, so the stretches between them are unrolled.
    """
    times = problem.times
    at = problem.events()[0, :, 0]
    ends = np.unique(np.append(at[at > 0], times[-1]))

    def field(t: Any, y: Any, arguments: Any) -> Any:
        p, inputs = arguments
        return jnp.stack(problem.field(t, y, p)) + inputs

    def solve(p: Any, events: Any, rtol: Any, atol: Any) -> Any:
        y, inputs = jnp.stack([jnp.asarray(x, float) for x in problem.start(p)]), jnp.zeros(len(atol))
        rows, now = [], 0.0
        for end in ends:
            for event in np.flatnonzero(at == now):
                state = events[event, 1].astype(int)
                y = y.at[state].add(events[event, 2])
                inputs = inputs.at[state].add(events[event, 3])
            inside = times[(times > now) & (times <= end)]
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                getattr(diffrax, solver)(),
                now,
                end,
                None,
                y,
                (p, inputs),
                saveat=diffrax.SaveAt(ts=jnp.append(inside, end)),
                stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
                adjoint=adjoint,
                max_steps=steps,
                throw=False,
            )
            # What the solver could not reach is infinite.
            rows.append(solution.ys[:-1])
            y, now = solution.ys[-1], end
        return jnp.concatenate(rows)

    return solve


def over_subjects(function: Callable[..., Any], mapping: Literal["vmap", "map"]) -> Callable[..., Any]:
    """All subjects in step, or one after another."""

    def mapped(values: Any, events: Any, rtol: Any, atol: Any) -> Any:
        if mapping == "vmap":
            return jax.vmap(function, in_axes=(0, 0, None, 0))(values, events, rtol, atol)
        return jax.lax.map(lambda subject: function(*subject[:2], rtol, subject[2]), (values, events, atol))

    return mapped


def diffrax_compiled(
    problem: Problem, *, sensitivities: bool, solver: str, mapping: Literal["vmap", "map"]
) -> Callable[[float, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Solver of all subjects, of the relative tolerance and the absolute tolerances (subject, state)."""
    states = paths(problem, solver, diffrax.ForwardMode(), MAXIMUM_STEPS)

    def both(p: Any, events: Any, rtol: Any, atol: Any) -> Any:
        def twice(p: Any) -> Any:
            found = states(p, events, rtol, atol)
            return found, found

        slopes, found = jax.jacfwd(twice, has_aux=True)(p)
        return found, slopes

    compiled = jax.jit(over_subjects(both if sensitivities else states, mapping))
    values, events = problem.values, problem.events()

    def solve(rtol: float, atol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = jax.block_until_ready(compiled(values, events, rtol, atol))
        if sensitivities:
            return np.asarray(found[0]), np.asarray(found[1])
        return np.asarray(found), np.empty((*found.shape, 0))

    return solve


def diffrax_gradient(
    problem: Problem, weights: np.ndarray, *, solver: str, mapping: Literal["vmap", "map"]
) -> Callable[[float, np.ndarray], np.ndarray]:
    """Gradient (subject, parameter) of the weighted sum of states, by reverse mode through the steps."""
    states = paths(problem, solver, diffrax.RecursiveCheckpointAdjoint(), REVERSE_STEPS)
    solve_all = over_subjects(states, mapping)
    events = problem.events()

    def total(values: Any, rtol: Any, atol: Any) -> Any:
        return (weights * solve_all(values, events, rtol, atol)).sum()

    compiled = jax.jit(jax.grad(total))
    return lambda rtol, atol: np.asarray(jax.block_until_ready(compiled(problem.values, rtol, atol)))
