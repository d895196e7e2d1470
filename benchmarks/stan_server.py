"""Answer requests about one Stan program, a line of JSON each: see `benchmarks.engines.Stan`."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpstan.cache
import httpstan.services_stub
import numpy as np
import stan


def worker_seconds() -> float:
    """CPU seconds so far of the processes in which Stan samples."""
    workers = httpstan.services_stub.executor._processes or {}
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in workers) * 1e-9


def sample(program: str, data: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    posterior = stan.build(program, data=data, random_seed=request["seed"])
    # A fit of the same seed that was kept from an earlier run would cost nothing now.
    shutil.rmtree(httpstan.cache.model_directory(posterior.model_name) / "fits", ignore_errors=True)
    start = worker_seconds()
    fit = posterior.sample(
        num_chains=len(request["starts"]),
        init=request["starts"],
        num_warmup=request["warmup"],
        num_samples=request["draws"],
        delta=request["target_accept"],
        refresh=0,
    )
    seconds = worker_seconds() - start
    return {
        "seconds": seconds,
        "gradients": int(fit["n_leapfrog__"].sum()),
        "draws": {
            name: by_chain(fit[name], len(request["starts"])).tolist() for name in posterior.param_names
        },
    }


def by_chain(values: np.ndarray, chains: int) -> np.ndarray:
    """Draws as (chain, draw, ...); pystan puts them last, the chain varying fastest."""
    return np.moveaxis(values.reshape(*values.shape[:-1], -1, chains), (-1, -2), (0, 1))


def answers(requests: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Build the program of the first request, then answer the others."""
    first = next(requests)
    posterior = stan.build(first["program"], data=first["data"])
    yield {"built": posterior.model_name}
    for request in requests:
        if "points" in request:
            start = time.process_time() + worker_seconds()
            gradients = [posterior.grad_log_prob(point) for point in request["points"]]
            yield {"gradients": gradients, "seconds": time.process_time() + worker_seconds() - start}
        else:
            yield sample(first["program"], first["data"], request)


if __name__ == "__main__":
    replies = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for answer in answers(map(json.loads, sys.stdin)):
            print(json.dumps(answer), file=replies, flush=True)
