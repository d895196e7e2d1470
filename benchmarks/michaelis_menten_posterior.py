"""posteriordb's one-compartment Michaelis-Menten posterior, `one_comp_mm_elim_abs`, beside Stan's `ode_rk45`.

A dose of D = 30 mg is absorbed into V = 2 L from time 0 on, where C(0) = 0, and is observed at 20 times::

    dC/dt = k_a D/V exp(-k_a t) - V_m/V C/(K_m + C)
    log y ~ Normal(log C, sigma),   k_a, K_m, V_m, sigma ~ HalfCauchy(1)

The observations are simulated as posteriordb's are. C stays far above K_m, of which they say little: its posterior has
the prior's heavy tail, up to where elimination becomes linear. Both engines sample with an acceptance target of 0.99,
at which the tail is explored.

``python -m benchmarks.michaelis_menten_posterior`` measures Stan alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from statistics import median
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from benchmarks.accuracy import by_scipy
from benchmarks.comparison import Comparison
from benchmarks.engines import MissingPeerError, Nutpie, Run, StanProgram
from benchmarks.gradient import relative_error
from benchmarks.problems import Dose, Problem, michaelis_menten
from benchmarks.timing import Sampler, interleaved
from qsp_bayes.data import Study, read_nonmem
from qsp_bayes.models import one_compartment

DOSE, VOLUME = 30.0, 2.0
"""mg, L."""
TIMES = np.arange(0.5, 10.5, 0.5)
"""Days."""
TRUTH = {"k_a": 0.75, "K_m": 0.25, "V_m": 1.0, "sigma": 0.1}
"""1/day, mg/L, mg/day, and the standard deviation of log y."""
SEED = 1
TARGET_ACCEPT = 0.99
STAN_TOLERANCE = 1e-6
"""Relative and absolute: the default of `ode_rk45`."""
SAMPLING: dict[str, Any] = {"warmup": 500, "draws": 500, "chains": 2}
REPEATS = 3
QUANTILES = (0.05, 0.5, 0.95)

STAN = """
functions {
  vector elimination(real t, vector C, real k_a, real K_m, real V_m, real dose, real volume) {
    return [k_a * dose / volume * exp(-k_a * t) - V_m / volume * C[1] / (K_m + C[1])]';
  }
}
data {
  int T;
  array[T] real time;
  vector[T] y;
  real dose;
  real volume;
  real tolerance;
}
transformed data {
  vector[1] start = [0]';
}
parameters {
  real<lower=0> k_a;
  real<lower=0> K_m;
  real<lower=0> V_m;
  real<lower=0> sigma;
}
model {
  array[T] vector[1] C = ode_rk45_tol(elimination, start, 0.0, time, tolerance, tolerance, 10000000,
                                      k_a, K_m, V_m, dose, volume);
  k_a ~ cauchy(0, 1);
  K_m ~ cauchy(0, 1);
  V_m ~ cauchy(0, 1);
  sigma ~ cauchy(0, 1);
  y ~ lognormal(log(to_vector(C[, 1])), sigma);
}
"""


class Stan:
    """The Stan program of this posterior."""

    def __init__(self) -> None:
        data = {
            "T": len(TIMES),
            "time": TIMES.tolist(),
            "y": observations().tolist(),
            "dose": DOSE,
            "volume": VOLUME,
            "tolerance": STAN_TOLERANCE,
        }
        self.program = StanProgram(STAN, data, TARGET_ACCEPT)

    def sample(self, *, seed: int, warmup: int, draws: int, chains: int) -> Run:
        generator = np.random.default_rng(seed)
        starts = [
            {name: float(np.exp(generator.uniform(-1.0, 1.0))) for name in TRUTH} for _ in range(chains)
        ]
        run = self.program.sample_from(starts, seed=seed, warmup=warmup, draws=draws)
        return dataclasses.replace(run, draws={name: run.draws[name][:, :, 0] for name in TRUTH})

    def gradient(self, points: np.ndarray) -> np.ndarray:
        return self.program.gradient(points)


def solved(k_a: np.ndarray, K_m: np.ndarray, V_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations (draw, time), tight, and their derivatives with respect to k_a, K_m and V_m, by scipy."""
    n = len(k_a)
    problem: Problem = dataclasses.replace(
        michaelis_menten(),
        values=np.stack([k_a, np.full(n, VOLUME), V_m, K_m], axis=1),
        times=TIMES,
        doses=(Dose(0.0, "depot", np.full(n, DOSE)),),
    )
    states, slopes = by_scipy(problem, "DOP853")
    return states[:, :, 1], slopes[:, :, 1][..., [0, 3, 2]]


@functools.cache
def observations() -> np.ndarray:
    """Simulated concentrations."""
    C, _ = solved(*(np.array([TRUTH[name]]) for name in ("k_a", "K_m", "V_m")))
    noise = np.random.default_rng(SEED).standard_normal(len(TIMES))
    return C[0] * np.exp(TRUTH["sigma"] * noise)


def study() -> Study:
    """The dose and the observations."""
    rows = [{"TIME": 0.0, "AMT": DOSE, "EVID": 1, "DV": "."}]
    rows += [{"TIME": t, "AMT": 0.0, "EVID": 0, "DV": y} for t, y in zip(TIMES, observations(), strict=True)]
    units = {"TIME": "day", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(
        pd.DataFrame(rows).assign(ID=1, CMT=1), units=units, compartments={1: "depot"}, outputs="Cc"
    )


def model() -> pm.Model:
    """The posterior through qsp_bayes: the library's system, its events, and PyMC's distributions."""
    events = study().events()
    system = one_compartment(absorption="first-order", elimination="saturable").fix(Vc=VOLUME)
    with pm.Model() as built:
        k_a, K_m, V_m, sigma = (pm.HalfCauchy(name, 1.0) for name in TRUTH)
        path = system.solve(events, {"KA": k_a, "Km": K_m, "Vmax": V_m})
        pm.LogNormal("y", pm.math.log(path["Cc"]), sigma, observed=events.DV["Cc"])
    return built


def our_gradient(engine: Nutpie, points: np.ndarray) -> np.ndarray:
    """Gradients at unconstrained points in the order of Stan's."""
    order = [f"{name}_log__" for name in TRUTH]
    gradients = engine.logp_and_gradient(engine.arranged(points, order))[1]
    return gradients[:, [engine.names.index(name) for name in order]]


def exact_gradient(points: np.ndarray) -> np.ndarray:
    """Gradients of the log posterior density at unconstrained points, the logarithms of the parameters.

    From tight solutions of scipy, with the derivatives of the densities written out.
    """
    values = np.exp(points)
    C, by_parameter = solved(*values[:, :3].T)
    residual, sigma = np.log(observations()) - np.log(C), values[:, 3:]
    by_log = by_parameter / C[..., None] * values[:, None, :3]
    of_prior = 1.0 - 2.0 * values**2 / (1.0 + values**2)  # with the change of variables
    of_data = np.empty_like(points)
    of_data[:, :3] = ((residual / sigma**2)[..., None] * by_log).sum(axis=1)
    of_data[:, 3] = (residual**2 / sigma**2 - 1.0).sum(axis=1)
    return of_prior + of_data


def points_about_the_truth(n: int) -> np.ndarray:
    """Unconstrained points about the truth, where errors are compared."""
    return np.log(list(TRUTH.values())) + 0.3 * np.random.default_rng(0).standard_normal((n, len(TRUTH)))


def logarithms(draws: dict[str, np.ndarray]) -> xr.Dataset:
    """Logarithms of draws (chain, draw)."""
    return xr.Dataset({name: (("chain", "draw"), np.log(draws[name])) for name in TRUTH})


def sizes(runs: list[Run], method: str) -> float:
    """Median effective sample size of log K_m per CPU second of whole runs."""
    found = [
        arviz_stats.ess(logarithms(run.draws)[["K_m"]], method=method)["K_m"] / run.seconds for run in runs
    ]
    return median(map(float, found))


def disagreement(ours: list[Run], theirs: list[Run]) -> dict[str, float]:
    """Largest difference of means and of quantiles of all runs together, in its Monte Carlo standard error."""
    a, b = (xr.concat([logarithms(run.draws) for run in runs], "chain") for runs in (ours, theirs))
    kinds: dict[str, tuple[Callable[[xr.Dataset], xr.Dataset], dict[str, Any]]] = {
        "mean": (lambda x: x.mean(), {"method": "mean"}),
        **{
            f"{q:.0%} quantile": (lambda x, q=q: x.quantile(q), {"method": "quantile", "prob": q})
            for q in QUANTILES
        },
    }
    found = {}
    for kind, (statistic, how) in kinds.items():
        error = np.sqrt(arviz_stats.mcse(a, **how) ** 2 + arviz_stats.mcse(b, **how) ** 2)
        found[f"{kind}, in standard errors"] = max(
            float(x) for x in (np.abs(statistic(a) - statistic(b)) / error).data_vars.values()
        )
    return found


def measure() -> list[Comparison]:
    engine, points = Nutpie(model(), TARGET_ACCEPT), points_about_the_truth(8)
    exact = exact_gradient(points)
    engines: dict[str, Sampler] = {"ours": engine}
    missing, errors = "", {"gradient of ours": relative_error(our_gradient(engine, points), exact)}
    try:
        stan = Stan()
        errors["gradient of Stan"] = relative_error(stan.gradient(points), exact)
        engines["Stan"] = stan
    except MissingPeerError as error:
        missing = str(error)
    runs: dict[str, list[Run]] = {name: [] for name in engines}

    def sampling(name: str) -> Callable[[int], float]:
        def sample(repeat: int) -> float:
            runs[name].append(engines[name].sample(seed=1 + repeat, **SAMPLING))
            return runs[name][-1].seconds

        return sample

    seconds = interleaved({name: sampling(name) for name in engines}, repeats=range(REPEATS))
    if "Stan" in runs:
        errors |= disagreement(runs["ours"], runs["Stan"])
    details = SAMPLING | {f"CPU seconds of {name}": value for name, value in seconds.items()}
    details |= {
        f"leapfrog steps of {name}": median(r.gradients for r in found) for name, found in runs.items()
    }
    return [
        Comparison(
            name="michaelis_menten_posterior",
            quantity=f"{method} ESS of log K_m per CPU second",
            unit="1/s",
            peer="ode_rk45 in Stan",
            ours=sizes(runs["ours"], method),
            theirs=sizes(runs["Stan"], method) if "Stan" in runs else None,
            at_least=5.0,
            errors=errors,
            tolerances={"target_accept": TARGET_ACCEPT, "Stan": STAN_TOLERANCE},
            details=details,
            missing=missing,
        )
        for method in ("bulk", "tail")
    ]


def print_peer() -> None:
    """Figures of Stan alone."""
    stan, points = Stan(), points_about_the_truth(8)
    print(
        f"gradient of Stan: relative error {relative_error(stan.gradient(points), exact_gradient(points)):.1e}"
    )
    run = stan.sample(seed=1, **SAMPLING)
    for method in ("bulk", "tail"):
        print(f"{method} ESS of log K_m per CPU second: {sizes([run], method):.3f}")
    print(f"CPU seconds: {run.seconds:.1f}")


if __name__ == "__main__":
    print_peer()
