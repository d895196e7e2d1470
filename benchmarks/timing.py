"""How CPU time is measured: processes alone, measures in turn, medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any, Protocol

import numba
import numpy as np

from benchmarks.engines import Nutpie, Run

MICROSECONDS = 1e6


class Sampler(Protocol):
    def sample(self, *, seed: int, warmup: int, draws: int, chains: int) -> Run: ...


def interleaved(measures: Mapping[str, Callable[[int], float]], repeats: Iterable[int]) -> dict[str, float]:
    """Median of each measure. They are taken in turn: what disturbs the machine disturbs all of them."""
    samples: dict[str, list[float]] = {name: [] for name in measures}
    for repeat in repeats:
        for name, measure in measures.items():
            samples[name].append(measure(repeat))
    return {name: median(values) for name, values in samples.items()}


def compiled_gradient(engine: Nutpie, points: np.ndarray, evaluations: int) -> Callable[[int], float]:
    """Measure of one logp and gradient in microseconds: the compiled function, called from compiled code."""
    function, shared = engine.compiled.logp_func.vm.jit_fn, engine.shared

    @numba.njit
    def evaluate(points: Any, shared: Any, evaluations: int) -> float:
        total = 0.0
        for evaluation in range(evaluations):
            value, gradient = function(points[evaluation % len(points)], *shared)
            total += value + gradient[0]
        return total

    evaluate(points, shared, 1)

    def measure(repeat: int) -> float:
        start = time.process_time()
        evaluate(points, shared, evaluations)
        return (time.process_time() - start) / evaluations * MICROSECONDS

    return measure


def leapfrog_step(engine: Sampler, warmup: int = 1000, draws: int = 2000) -> Callable[[int], float]:
    """Measure of one leapfrog step in microseconds, in the sampling phase.

    It is the difference of two runs of one seed, whose warm-up is therefore the same: neither warm-up nor
    anything that happens once is counted.
    """

    def measure(repeat: int) -> float:
        short = engine.sample(seed=1 + repeat, warmup=warmup, draws=1, chains=1)
        long = engine.sample(seed=1 + repeat, warmup=warmup, draws=draws, chains=1)
        return (long.seconds - short.seconds) / (long.gradients - short.gradients) * MICROSECONDS

    return measure
