"""Samplers that are measured in the same way: CPU seconds, gradients and draws of a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import arviz_stats
import numpy as np
import nutpie
import pymc as pm
import xarray as xr

from benchmarks.theophylline_models import PARAMETERS, SAMPLED, STAN, Observations, stan_data, stan_start

TARGET_ACCEPT = 0.8


@dataclass(frozen=True)
class Run:
    """CPU seconds of a whole run; leapfrog steps and draws (chain, draw, ...) after its warm-up."""

    seconds: float
    gradients: int
    draws: dict[str, np.ndarray]

    @property
    def worst_ess(self) -> float:
        """Bulk effective sample size of the worst of all sampled parameters."""
        return worst_ess({name: self.draws[name] for name in SAMPLED})


def worst_ess(draws: Mapping[str, np.ndarray]) -> float:
    """Bulk effective sample size of the worst entry of draws (chain, draw, ...)."""
    named = {
        name: (("chain", "draw", *(f"{name}_{axis}" for axis in range(values.ndim - 2))), values)
        for name, values in draws.items()
    }
    sizes = arviz_stats.ess(xr.Dataset(named), method="bulk")
    return min(float(values.min()) for values in sizes.data_vars.values())


class Nutpie:
    """A PyMC model compiled and sampled by nutpie."""

    def __init__(self, model: pm.Model, target_accept: float = TARGET_ACCEPT) -> None:
        self.compiled: Any = nutpie.compile_pymc_model(model)
        self.target_accept = target_accept
        self.names = list(self.compiled.coords["unconstrained_parameter"])

    def sample(self, *, seed: int, warmup: int, draws: int, chains: int) -> Run:
        start = time.process_time()
        tree = nutpie.sample(
            self.compiled,
            seed=seed,
            tune=warmup,
            draws=draws,
            chains=chains,
            cores=1,
            target_accept=self.target_accept,
            progress_bar=False,
            save_warmup=False,
        )
        seconds = time.process_time() - start
        posterior = {name: values.to_numpy() for name, values in tree["posterior"].data_vars.items()}
        return Run(seconds, int(tree["sample_stats"]["n_steps"].sum()), posterior)

    def arranged(self, points: np.ndarray, order: list[str]) -> np.ndarray:
        """Points, or gradients, whose columns are in `order`, in this model's own order."""
        return np.ascontiguousarray(points[:, [order.index(name) for name in self.names]])

    def posterior_points(self, order: list[str]) -> np.ndarray:
        """Unconstrained draws of the posterior, columns in `order`."""
        tree = nutpie.sample(
            self.compiled,
            seed=7,
            tune=500,
            draws=64,
            chains=1,
            cores=1,
            progress_bar=False,
            store_unconstrained=True,
        )
        draws = tree["sample_stats"]["unconstrained_draw"].to_numpy()[0]
        return draws[:, [self.names.index(name) for name in order]]

    def initial_points(self, n: int) -> np.ndarray:
        """Points at which a sampler may start."""
        return np.stack([self.compiled.initial_point_func(seed) for seed in range(n)])

    def logp_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        function, shared = self.compiled.logp_func.vm.jit_fn, self.shared
        values, gradients = zip(
            *((float(v), g.copy()) for v, g in (function(x, *shared) for x in points)), strict=True
        )
        return np.array(values), np.array(gradients)

    @property
    def shared(self) -> tuple[np.ndarray, ...]:
        """Values of the model's data, in the order in which the compiled function takes them."""
        keys = self.compiled.shared_var_keys
        return tuple(
            self.compiled.shared_data[keys[variable]] for variable in self.compiled.logp_func.get_shared()
        )


class MissingPeerError(Exception):
    """A peer that cannot run here; the message says why."""


class StanProgram:
    """A Stan program and its data, in a process of its own: pystan starts servers and forks."""

    def __init__(self, program: str, data: Mapping[str, Any], target_accept: float = TARGET_ACCEPT) -> None:
        self.target_accept = target_accept
        if find_spec("stan") is None:
            raise MissingPeerError("pystan is not installed (pip install -e .[bench])")
        if shutil.which("g++") is None and shutil.which("clang++") is None:
            raise MissingPeerError("pystan needs a C++ compiler, and there is none")
        command = [sys.executable, "-m", "benchmarks.stan_server"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.ask(program=program, data=data)

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise MissingPeerError(
                f"the process of pystan ended with code {self.process.wait()} while building or running "
                "the program (python -m benchmarks.stan_server says why; below 0, it was stopped by that signal)"
            )
        return json.loads(answer)

    def sample_from(self, starts: list[dict[str, Any]], *, seed: int, warmup: int, draws: int) -> Run:
        """Sample one chain from each start; the draws are the program's own."""
        answer = self.ask(
            seed=seed, warmup=warmup, draws=draws, starts=starts, target_accept=self.target_accept
        )
        stan = {name: np.asarray(values) for name, values in answer["draws"].items()}
        return Run(answer["seconds"], answer["gradients"], stan)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """Gradients of the log posterior density at unconstrained points."""
        return np.array(self.ask(points=points.tolist())["gradients"])

    def microseconds_of_gradient(self, points: np.ndarray) -> float:
        """CPU time of one gradient, a mean over the points."""
        return self.ask(points=points.tolist())["seconds"] / len(points) * 1e6


class Stan(StanProgram):
    """The Stan program of the theophylline model."""

    def __init__(self, observations: Observations) -> None:
        super().__init__(STAN, stan_data(observations))
        self.subjects = len(observations.dose)

    def sample(self, *, seed: int, warmup: int, draws: int, chains: int) -> Run:
        generator = np.random.default_rng(seed)
        starts = [stan_start(generator, self.subjects) for _ in range(chains)]
        run = self.sample_from(starts, seed=seed, warmup=warmup, draws=draws)
        stan = run.draws
        named = {"sigma_add_Cc": stan["sigma_add"][:, :, 0], "sigma_prop_Cc": stan["sigma_prop"][:, :, 0]}
        for position, name in enumerate(PARAMETERS):
            named[f"TV{name}"] = np.exp(stan["log_typical"][:, :, position])
            named[f"omega_{name}"] = stan["omega"][:, :, position]
            named[f"eta_{name}"] = stan["eta"][:, :, position]
        return Run(run.seconds, run.gradients, named)
