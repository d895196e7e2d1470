"""Better starting points, where those of the sampler fail: draws from the prior, then a search from the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pymc.initial_point import make_initial_point_fn
from scipy.optimize import minimize

from qsp_bayes.calibration.resolve import Resolver

PRIOR_DRAWS = 100
STARTS = 4
SEARCH_STEPS = 300
OPTIMISER_STEPS = 20
"""Few: the start shall leave the region of trouble, and not run into the mode, which is far from where the mass is."""

Evaluate = Callable[[np.ndarray], Any]
"""Log probability and gradient at a point of the sampler's space."""


def find_starts(resolver: Resolver, evaluate: Evaluate, random_seed: int) -> list[np.ndarray]:
    """Look for points at which log probability and gradient are finite.

    Parameters
    ----------
    resolver : Resolver
        The model.
    evaluate : callable
        Log probability and gradient at a point.
    random_seed : int

    Returns
    -------
    list of array
        Up to `STARTS` points, the best first; none where nothing was found.
    """
    draws = prior_points(resolver, random_seed)
    with np.errstate(all="ignore"):
        evaluated = [(*evaluate(point), point) for point in draws]
        sound = [(float(logp), point) for logp, gradient, point in evaluated if is_sound(logp, gradient)]
        best = [point for _, point in sorted(sound, key=lambda pair: -pair[0])][:STARTS]
        if not best:
            found = search(resolver, evaluate, draws, np.random.default_rng(random_seed))
            best = [] if found is None else [found]
        return [improve(evaluate, point) for point in best]


def chooser(starts: list[np.ndarray]) -> Callable[[Any], np.ndarray]:
    """Make the function that gives a chain its start, by its seed."""

    def choose(seed: Any = None) -> np.ndarray:
        return starts[int(np.random.default_rng(seed).integers(len(starts)))].copy()

    return choose


def prior_points(resolver: Resolver, random_seed: int) -> list[np.ndarray]:
    """Draw points from the prior."""
    model = resolver.model
    draw = make_initial_point_fn(model=model, default_strategy="prior", return_transformed=True)
    names = [model.rvs_to_values[variable].name for variable in model.free_RVs]
    points = []
    for k in range(PRIOR_DRAWS):
        values = draw(random_seed + k)
        points.append(np.concatenate([np.ravel(values[name]) for name in names]).astype(float))
    return points


def is_sound(logp: float, gradient: np.ndarray) -> bool:
    """Tell whether sampling can start at a point of this log probability and gradient."""
    return bool(np.isfinite(logp) and np.isfinite(gradient).all())


def score(resolver: Resolver, evaluate: Evaluate, point: np.ndarray) -> tuple[bool, int, float]:
    """Rank points: sound ones first, then those at which few subjects fail, and late."""
    failures = resolver.failures_at(point)
    return is_sound(*evaluate(point)), -len(failures), sum(failure.time for failure in failures)


def search(
    resolver: Resolver, evaluate: Evaluate, draws: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray | None:
    """Search from the best draw by random steps, longer after a success and shorter after a failure.

    Where nothing is finite there is no slope to follow, but how many subjects fail, and when, shows the direction.
    """
    scores = [score(resolver, evaluate, point) for point in draws]
    best = max(range(len(draws)), key=scores.__getitem__)
    point, reached = draws[best], scores[best]
    scale = np.std(draws, axis=0)
    length = 0.5
    for _ in range(SEARCH_STEPS):
        if reached[0]:
            return point
        candidate = point + length * scale * rng.normal(size=point.size)
        its = score(resolver, evaluate, candidate)
        if its > reached:
            point, reached = candidate, its
            length = min(1.5 * length, 3.0)
        else:
            length = max(0.9 * length, 0.05)
    return point if reached[0] else None


def improve(evaluate: Evaluate, point: np.ndarray) -> np.ndarray:
    """Climb a few steps from a sound point; return it as it is where that leads nowhere."""

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        logp, gradient = evaluate(x)
        if not is_sound(logp, gradient):
            return 1e100, np.zeros(x.size)
        return -float(logp), -np.asarray(gradient)

    found = minimize(objective, point, jac=True, method="L-BFGS-B", options={"maxiter": OPTIMISER_STEPS}).x
    return found if is_sound(*evaluate(found)) else point
