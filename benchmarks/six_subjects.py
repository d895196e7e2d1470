"""The posterior of target-mediated disposition in six subjects, beside Stan's `ode_bdf`.

With the parameters p of `benchmarks.problems.six_subjects`, common to all subjects, and for each of the two outputs
f (free drug, amount / V1; total target, target + complex)::

    log p_j ~ Normal(log median_j, deviation_j),   sigma_drug, sigma_target ~ HalfNormal(0.5)
    y ~ Normal(f, sqrt(0.1^2 + (sigma f)^2))

``python -m benchmarks.six_subjects`` measures Stan alone.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from benchmarks.accuracy import by_scipy
from benchmarks.comparison import Comparison
from benchmarks.engines import TARGET_ACCEPT, MissingPeerError, Nutpie, Run, StanProgram, worst_ess
from benchmarks.gradient import relative_error
from benchmarks.problems import KON, STUDY, TRUTH, Dose, six_subjects
from benchmarks.timing import Sampler, interleaved, leapfrog_step
from qsp_bayes.calibration import IIV, Calibration, Combined, Prior
from qsp_bayes.data import Study, read_nonmem
from qsp_bayes.models.tmdd import tmdd
from qsp_bayes.ode.solvers import Automatic

PRIORS = {
    "CL": (0.5, 0.7),
    "V1": (4.0, 0.5),
    "Q": (0.5, 0.7),
    "V2": (4.0, 0.7),
    "KD": (2.0, 1.0),
    "R0": (5.0, 1.0),
    "kdeg": (0.3, 0.7),
    "kint": (0.3, 0.7),
}
"""Median and standard deviation of the logarithm."""
SIGMA, ASSAY = 0.5, 0.1
"""Scale of the half-normal priors of the proportional errors; additive error (nM), which is known."""
SOURCE = "benchmark"
SAMPLED = ("log_p", "sigma_drug", "sigma_target")
TOLERANCES = np.logspace(-3.0, -9.0, 13).tolist()
"""Relative ones, from which each engine's is chosen. Stan gets the same as absolute ones: its states are shares of the
dose and of the baseline."""
GRADIENT_TARGET = 1e-5
"""Largest relative error of the gradient near the truth: every engine gets the loosest tolerance that meets it."""
LEAPFROG: dict[str, Any] = {"warmup": 200, "draws": 100}
SAMPLING: dict[str, Any] = {"warmup": 500, "draws": 500, "chains": 2}

STAN = """
functions {
  // States as shares: free drug in both compartments of dose / V1, target and complex of R0.
  // So the initial state is data, and Stan need not differentiate by it.
  vector shares(real t, vector y, vector p, real dose, real kon) {
    real CL = p[1]; real V1 = p[2]; real Q = p[3]; real V2 = p[4];
    real KD = p[5]; real R0 = p[6]; real kdeg = p[7]; real kint = p[8];
    real unit = dose / V1;
    real binding = kon * (unit * y[1] * y[3] - KD * y[4]);
    real exchange = Q * (y[1] - y[2]);
    return [-CL / V1 * y[1] - exchange / V1 - binding * R0 / unit,
            exchange / V2,
            kdeg * (1 - y[3]) - binding,
            binding - kint * y[4]]';
  }
}
data {
  int S;
  int T;
  array[T] real time;
  vector[S] dose;
  matrix[T, S] free_drug;
  matrix[T, S] total_target;
  vector[8] log_median;
  vector[8] deviation;
  real sigma_scale;
  real assay;
  real kon;
  real tolerance;
}
transformed data {
  vector[4] start = [1, 0, 1, 0]';
}
parameters {
  vector[8] log_p;
  real<lower=0> sigma_drug;
  real<lower=0> sigma_target;
}
model {
  vector[8] p = exp(log_p);
  log_p ~ normal(log_median, deviation);
  sigma_drug ~ normal(0, sigma_scale);
  sigma_target ~ normal(0, sigma_scale);
  for (s in 1:S) {
    array[T] vector[4] y = ode_bdf_tol(shares, start, 0.0, time, tolerance, tolerance, 10000000,
                                       p, dose[s], kon);
    vector[T] free = to_vector(y[, 1]) * dose[s] / p[2];
    vector[T] total = to_vector(y[, 3]) + to_vector(y[, 4]);
    free_drug[, s] ~ normal(free, sqrt(square(assay) + square(sigma_drug * free)));
    total_target[, s] ~ normal(p[6] * total, sqrt(square(assay) + square(sigma_target * p[6] * total)));
  }
}
"""


class Stan:
    """The Stan program of this posterior."""

    def __init__(self, tolerance: float) -> None:
        medians, deviations = zip(*PRIORS.values(), strict=True)
        data = {
            "S": len(STUDY["dose"]),
            "T": len(STUDY["time"]),
            "time": STUDY["time"],
            "dose": STUDY["dose"],
            "free_drug": STUDY["free_drug"],
            "total_target": STUDY["total_target"],
            "log_median": np.log(medians).tolist(),
            "deviation": list(deviations),
            "sigma_scale": SIGMA,
            "assay": ASSAY,
            "kon": KON,
            "tolerance": tolerance,
        }
        self.program = StanProgram(STAN, data)

    def sample(self, *, seed: int, warmup: int, draws: int, chains: int) -> Run:
        generator = np.random.default_rng(seed)
        medians = np.log([median for median, _ in PRIORS.values()])
        starts = [
            {
                "log_p": (medians + generator.uniform(-0.5, 0.5, len(medians))).tolist(),
                "sigma_drug": 0.2,
                "sigma_target": 0.2,
            }
            for _ in range(chains)
        ]
        return self.program.sample_from(starts, seed=seed, warmup=warmup, draws=draws)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        return self.program.gradient(points)


def study() -> Study:
    """The observations of both outputs, and the doses."""
    rows = []
    for subject, dose in enumerate(STUDY["dose"]):
        rows.append({"ID": subject, "TIME": 0.0, "EVID": 1, "AMT": dose, "DVID": 0, "DV": "."})
        for k, time in enumerate(STUDY["time"]):
            for code, name in ((1, "free_drug"), (2, "total_target")):
                value = STUDY[name][k][subject]
                rows.append({"ID": subject, "TIME": time, "EVID": 0, "AMT": 0, "DVID": code, "DV": value})
    units = {"TIME": "day", "AMT": "nmol", "DV": {"Cc": "nmol/L", "Rtot": "nmol/L"}}
    data = pd.DataFrame(rows).assign(CMT=1)
    return read_nonmem(data, units=units, compartments={1: "central"}, outputs={1: "Cc", 2: "Rtot"})


def population_model() -> pm.Model:
    """What a user builds for these data: all parameters but kon differ between subjects."""
    names = {"V1": "Vc", "V2": "Vp"}
    system = tmdd(compartments=2, binding="KD").fix(kon=KON)
    priors: dict[str, Prior] = {}
    for key, (median, deviation) in PRIORS.items():
        name = names.get(key, key)
        priors[f"TV{name}"] = Prior(
            median=median, sd_log=deviation, unit=system.parameters[name], source=SOURCE
        )
        priors[f"omega_{name}"] = Prior(distribution="HalfNormal", sigma=SIGMA, unit="", source=SOURCE)
    for output in ("Cc", "Rtot"):
        for kind, unit in (("add", "nmol/L"), ("prop", "")):
            priors[f"sigma_{kind}_{output}"] = Prior(
                distribution="HalfNormal", sigma=SIGMA, unit=unit, source=SOURCE
            )
    return Calibration(
        system,
        priors,
        individual=[IIV(*(names.get(key, key) for key in PRIORS))],
        error={"Cc": Combined(), "Rtot": Combined()},
    ).build(study())


def model(*, tolerance: float = 1e-6) -> pm.Model:
    """The posterior through qsp_bayes: the library's system, its events, and PyMC's distributions."""
    events = study().events()
    medians, deviations = np.array(list(PRIORS.values())).T
    names = {"V1": "Vc", "V2": "Vp"}
    system = tmdd(compartments=2, binding="KD").fix(kon=KON)
    with pm.Model() as built:
        log_p = pm.Normal("log_p", np.log(medians), deviations, shape=len(medians))
        path = system.solve(
            events,
            {names.get(p, p): pm.math.exp(log_p[k]) for k, p in enumerate(PRIORS)},
            solver=Automatic(rtol=tolerance),
        )
        for output, sigma in (("Cc", "sigma_drug"), ("Rtot", "sigma_target")):
            sd = pm.math.sqrt(ASSAY**2 + (pm.HalfNormal(sigma, SIGMA) * path[output]) ** 2)
            pm.Normal(output, path[output], sd, observed=events.DV[output])
    return built


class Ours(Nutpie):
    """The posterior through qsp_bayes; its draws are named as those of Stan."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(model(tolerance=tolerance))

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """Gradients at unconstrained points in the order of Stan's."""
        order = [*(f"log_p_{k}" for k in range(len(PRIORS))), "sigma_drug_log__", "sigma_target_log__"]
        return self.logp_and_gradient(self.arranged(points, order))[1]


def exact_gradient(points: np.ndarray) -> np.ndarray:
    """Gradients of the log posterior density at unconstrained points (log_p, log sigma_drug, log sigma_target).

    From tight solutions of scipy, with the derivatives of the densities written out.
    """
    study, n = six_subjects(), len(points)
    doses, V1 = study.doses[0].amounts, np.exp(points[:, 1])
    problem = dataclasses.replace(
        study,
        values=np.repeat(np.exp(points[:, :8]), len(doses), axis=0),
        doses=(Dose(0.0, "amount", np.tile(doses, n)),),
    )
    states, slopes = by_scipy(problem, "LSODA")
    slopes = slopes * problem.values[:, None, None, :]
    shape = n, len(doses), len(study.times)
    amount, target, complex_ = (states[..., i].reshape(shape) for i in (0, 2, 3))
    by_amount, by_target, by_complex = (slopes[:, :, i].reshape(*shape, 8) for i in (0, 2, 3))

    drug = amount / V1[:, None, None]
    by_drug = by_amount / V1[:, None, None, None]
    by_drug[..., 1] -= drug
    outputs = ((drug, by_drug, "free_drug"), (target + complex_, by_target + by_complex, "total_target"))

    medians, deviations = np.array(list(PRIORS.values())).T
    gradient = np.empty_like(points)
    gradient[:, :8] = (np.log(medians) - points[:, :8]) / deviations**2
    for position, (f, by_f, name) in enumerate(outputs, start=8):
        sigma = np.exp(points[:, position])[:, None, None]
        residual = np.array(STUDY[name]).T - f
        variance = ASSAY**2 + (sigma * f) ** 2
        excess = (residual**2 / variance - 1) / variance
        gradient[:, :8] += ((residual / variance + excess * sigma**2 * f)[..., None] * by_f).sum(axis=(1, 2))
        of_data = (excess * (sigma * f) ** 2).sum(axis=(1, 2))
        # The half-normal prior, and the change of variables.
        gradient[:, position] = of_data - (sigma[:, 0, 0] / SIGMA) ** 2 + 1
    return gradient


def points_about_the_truth(n: int) -> np.ndarray:
    """Unconstrained points about the truth, where errors are compared."""
    truth = np.log([*TRUTH, 0.1, 0.1])
    return truth + 0.1 * np.random.default_rng(0).standard_normal((n, len(truth)))


def efficiency(engine: Sampler) -> Any:
    """Measure of the worst bulk ESS per CPU second of a whole run, warm-up included and compilation not."""

    def measure(repeat: int) -> float:
        run = engine.sample(seed=1 + repeat, **SAMPLING)
        return worst_ess({name: run.draws[name] for name in SAMPLED}) / run.seconds

    return measure


def tuned(kind: type[Ours] | type[Stan]) -> tuple[Any, float, float]:
    """An engine at the loosest tolerance that meets the error of the gradient, that tolerance, and the error."""
    points = points_about_the_truth(4)
    exact = exact_gradient(points)
    for tolerance in TOLERANCES:
        engine = kind(tolerance)
        error = relative_error(engine.gradient(points), exact)
        if error <= GRADIENT_TARGET:
            return engine, tolerance, error
    raise ArithmeticError(
        f"no tolerance gives {kind.__name__} a gradient with an error of {GRADIENT_TARGET:g}"
    )


def measure() -> list[Comparison]:
    engines: dict[str, Sampler] = {}
    missing, errors, tolerances = "", {}, {"target_accept": TARGET_ACCEPT}
    for name, kind in (("ours", Ours), ("Stan", Stan)):
        try:
            engines[name], tolerances[name], errors[f"gradient, {name}"] = tuned(kind)
        except MissingPeerError as error:
            missing = str(error)
    steps = interleaved(
        {name: leapfrog_step(engine, **LEAPFROG) for name, engine in engines.items()}, repeats=range(2)
    )
    effective = interleaved({name: efficiency(engine) for name, engine in engines.items()}, repeats=range(1))
    shared: dict[str, Any] = {
        "name": "six_subjects",
        "peer": "ode_bdf in Stan",
        "errors": errors,
        "tolerances": tolerances,
        "missing": missing,
    }
    return [
        Comparison(
            quantity="leapfrog step while sampling",
            unit="us",
            ours=steps["ours"],
            theirs=steps.get("Stan"),
            at_most=0.1,
            details=LEAPFROG,
            **shared,
        ),
        Comparison(
            quantity="worst bulk ESS per CPU second",
            unit="1/s",
            ours=effective["ours"],
            theirs=effective.get("Stan"),
            at_least=10.0,
            details=SAMPLING,
            **shared,
        ),
    ]


def print_peer() -> None:
    """Figures of Stan alone."""
    stan, tolerance, error = tuned(Stan)
    print(f"gradient of Stan: relative error {error:.1e} at the tolerance {tolerance:.1e}", flush=True)
    print(f"leapfrog step: {leapfrog_step(stan, **LEAPFROG)(0):.0f} us", flush=True)
    print(f"worst bulk ESS per CPU second: {efficiency(stan)(0):.3f}")


if __name__ == "__main__":
    print_peer()
