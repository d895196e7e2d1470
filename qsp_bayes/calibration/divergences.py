"""Divergences: each is solved again, and put down to the solver or to the geometry of the posterior.

Where the log probability is not finite nutpie stores the point before the step that failed, and not the point itself.
It is found again by steps from there as the sampler makes them: as long, in the metric of the posterior, and in random
directions. The first of them that cannot be solved tells subject, state and time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.ode.status import Failure

MOST_POINTS = 250
"""Divergences that are solved again, evenly among all: solving takes time, and they resemble each other."""
MOST_SOLVES = 4000
MOST_PRIOR_DRAWS = 50
LENGTHS = (1.0, 2.0, 4.0)
"""Lengths of the steps that look for a failure, in steps of the sampler: it may have come with some speed."""
NEAR = 0.99
REACH = 2.0
"""A point is near the posterior where no coordinate lies farther from its median than this many times its central 99 %
interval reaches. (The interval alone would not do: failures cut a posterior off exactly where they begin.)"""

ATTRIBUTIONS = {
    "solver": "a subject could not be solved",
    "geometry": "every subject was solved: the posterior bends more sharply than the step can follow",
    "log probability": "log probability or gradient not finite, although every subject could be solved",
    "not solved again": f"more than {MOST_POINTS} divergences: only a part was solved again",
}


@dataclass(frozen=True)
class Divergences:
    """What the sampler has stored of its divergences.

    Attributes
    ----------
    chain, draw : (divergence,) int
    not_finite : (divergence,) bool
        Whether log probability or gradient were not finite.
    start, end, gradient : (divergence, coordinate) float
        Points before and after the step, the latter NaN where `not_finite`, and the gradient before it.
    step_size : (divergence,) float
    coordinates : (coordinate,) str
    median, scale, lower, upper : (coordinate,) float
        Of the posterior: where it lies, its standard deviation, and its central 99 % interval.
    """

    chain: np.ndarray
    draw: np.ndarray
    not_finite: np.ndarray
    start: np.ndarray
    end: np.ndarray
    gradient: np.ndarray
    step_size: np.ndarray
    coordinates: np.ndarray
    median: np.ndarray
    scale: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def is_near(self, point: np.ndarray) -> bool:
        """Tell whether a point lies near the posterior (see `REACH`)."""
        below = REACH * (self.median - self.lower)
        above = REACH * (self.upper - self.median)
        return bool(np.all((point >= self.median - below) & (point <= self.median + above)))


def stored_divergences(statistics: xr.Dataset) -> Divergences | None:
    """Collect the divergences from nutpie's statistics of the draws that are kept; None where there are none."""
    chain, draw = np.nonzero(statistics["diverging"].to_numpy())
    if not len(chain):
        return None
    stored = {
        name: statistics[f"divergence_{name}"].to_numpy()[chain, draw]
        for name in ("start", "end", "start_gradient")
    }
    draws = statistics["unconstrained_draw"].to_numpy()
    draws = draws.reshape(-1, draws.shape[-1])
    tail = (1.0 - NEAR) / 2.0
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1.0 - tail], axis=0)
    return Divergences(
        chain=statistics["chain"].to_numpy()[chain],
        draw=statistics["draw"].to_numpy()[draw],
        not_finite=~np.isfinite(stored["end"]).all(axis=1),
        start=stored["start"],
        end=stored["end"],
        gradient=stored["start_gradient"],
        step_size=statistics["step_size"].to_numpy()[chain, draw],
        coordinates=statistics["unconstrained_parameter"].to_numpy().astype(object),
        median=median,
        scale=draws.std(axis=0),
        lower=lower,
        upper=upper,
    )


def attribute(stored: Divergences, resolver: Resolver, random_seed: int) -> xr.Dataset:
    """Solve the divergences again.

    Returns
    -------
    xarray.Dataset
        With a dimension ``divergence``: ``chain``, ``draw``, ``attribution`` (see `ATTRIBUTIONS`), and where it is
        the solver's, of the subject that failed first, ``subject``, ``state``, ``time`` and ``status``;
        ``near_posterior``; ``start`` and ``point``, in the sampler's space.
    """
    rng = np.random.default_rng(random_seed)
    n = len(stored.chain)
    chosen = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int))
    tries = int(np.clip(MOST_SOLVES // (len(LENGTHS) * len(chosen)), 4, 32))
    point = np.where(stored.not_finite[:, None], stored.start, stored.end)
    attribution = np.full(n, "not solved again", dtype=object)
    failed: list[Failure | None] = [None] * n
    for i in chosen:
        attribution[i] = "log probability" if stored.not_finite[i] else "geometry"
        candidates = steps_from(stored, i, tries, rng) if stored.not_finite[i] else stored.end[i : i + 1]
        for candidate in candidates:
            if failures := resolver.failures_at(candidate):
                failed[i], point[i], attribution[i] = first_failure(failures), candidate, "solver"
                break
    return xr.Dataset(
        {
            "chain": ("divergence", stored.chain),
            "draw": ("divergence", stored.draw),
            "attribution": ("divergence", attribution),
            **failure_columns(failed, "divergence"),
            "near_posterior": ("divergence", np.array([stored.is_near(x) for x in point])),
            "start": (("divergence", "unconstrained_parameter"), stored.start),
            "point": (("divergence", "unconstrained_parameter"), point),
        },
        {"divergence": np.arange(n), "unconstrained_parameter": stored.coordinates},
    )


def steps_from(stored: Divergences, i: int, tries: int, rng: np.random.Generator) -> np.ndarray:
    """Make leapfrog steps from where a divergence started, in random directions, the short ones first."""
    h, scale = stored.step_size[i], stored.scale
    momenta = rng.normal(size=(len(LENGTHS), tries, scale.size)) * np.array(LENGTHS)[:, None, None]
    kick = 0.5 * h * scale * stored.gradient[i]
    moves = h * scale * (momenta + kick)
    return (stored.start[i] + moves).reshape(-1, scale.size)


def first_failure(failures: list[Failure]) -> Failure:
    """Choose the one that failed first: the others would need another explanation anyway."""
    return min(failures, key=lambda failure: failure.time)


def failure_columns(failed: list[Failure | None], dim: str) -> dict[str, tuple[str, np.ndarray]]:
    """Turn failures into arrays; empty texts and NaN where there is none."""
    return {
        "subject": (dim, np.array([f.subject if f else "" for f in failed], dtype=object)),
        "state": (dim, np.array([f.state if f else "" for f in failed], dtype=object)),
        "time": (dim, np.array([f.time if f else np.nan for f in failed], dtype=float)),
        "status": (dim, np.array([f.reason.name if f else "" for f in failed], dtype=object)),
    }


def prior_failures(prior: xr.Dataset, outputs: list[str], resolver: Resolver) -> xr.Dataset | None:
    """Solve again prior draws whose predictions are not finite, a few where there are many.

    Returns
    -------
    xarray.Dataset or None
        With a dimension ``failure``, one entry for each draw and subject: ``draw``, ``subject``, ``state``, ``time``
        and ``status``. None where every draw is solved.
    """
    bad = np.zeros(prior.sizes["draw"], dtype=bool)
    for output in outputs:
        bad |= ~np.isfinite(prior[output].isel(chain=0).to_numpy()).all(axis=-1)
    draws = np.flatnonzero(bad)
    if not len(draws):
        return None
    chosen = np.unique(np.linspace(0, len(draws) - 1, min(len(draws), MOST_PRIOR_DRAWS)).round().astype(int))
    found: list[tuple[int, Failure]] = []
    for draw in draws[chosen]:
        values = {v.name: prior[v.name].isel(chain=0, draw=draw).to_numpy() for v in resolver.model.free_RVs}
        found += [(int(draw), failure) for failure in resolver.failures(values)]
    if not found:
        return None
    return xr.Dataset(
        {
            "draw": ("failure", np.array([draw for draw, _ in found])),
            **failure_columns([failure for _, failure in found], "failure"),
        }
    )
