"""The library's whole-body model of 15 organs in 12 subjects, beside CVODES and Stan.

The system of problem P3, as `whole_body_pbpk` builds it and the exact engine solves it: states and the gradient of one
sum, beside CVODES with all forward sensitivities, tuned to errors of 1e-6 and 1e-5. Then the posterior of the oral dose
alone: with the parameters p of P3 common to all subjects, and CLint of subject i multiplied by exp(omega eta_i)::

    log p_j ~ Normal(log median_j, 0.5),   omega, sigma ~ HalfNormal(0.5),   eta_i ~ Normal(0, 1)
    log y ~ Normal(log C_venous, sigma)

beside Stan by `ode_bdf`, and by `matrix_exp`, whose gradient is exact and is what errors count against.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt

from benchmarks.accuracy import by_scipy, errors, reference
from benchmarks.comparison import Comparison
from benchmarks.engines import MissingPeerError, Nutpie, StanProgram
from benchmarks.gradient import relative_error
from benchmarks.nonlinear import Tuned, cvodes, tuned
from benchmarks.problems import (
    CARDIAC_OUTPUT,
    PARTITION,
    TO_LIVER,
    TO_VEIN,
    UNBOUND,
    VOLUME,
    Problem,
    physiological,
)
from benchmarks.qsp_bayes_compiled import weights_of
from benchmarks.solve import called, compiled
from benchmarks.timing import compiled_gradient, interleaved
from qsp_bayes.data import read_nonmem
from qsp_bayes.data.events import Events
from qsp_bayes.models.pbpk import whole_body_pbpk
from qsp_bayes.systems import Output, System

MEDIANS = (300.0, 1.0, 1.0, 1.0, 1.2)
DEVIATION, SCALE, NOISE, SEED = 0.5, 0.5, 0.1, 11
NAMES = {"artery": "arterial", "vein": "venous", "lumen": "depot"}
"""What the library calls states of P3 otherwise."""
PARAMETERS = ("CLint", "muscle_scale", "adipose_scale", "others", "KA")
"""What the library calls the parameters of P3."""
GRADIENT_TARGET = 1e-5
TOLERANCES = np.logspace(-3.0, -9.0, 13).tolist()
BAR = 0.1
"""Largest ratio of our time to a peer's."""

STAN = """
functions {
  // Amounts over the scale of their partition coefficient: what leaves an organ goes with it.
  vector held(vector x, vector p, array[] int scale) {
    vector[num_elements(x)] e = x;
    for (j in 1:num_elements(x)) if (scale[j] > 0) e[j] = x[j] / p[scale[j]];
    return e;
  }
  vector amounts(real t, vector x, vector p, matrix fixed, array[] int scale, array[] int at, real lost) {
    vector[num_elements(x)] e = held(x, p, scale);
    vector[num_elements(x)] dx = fixed * e;
    dx[at[1]] -= lost * p[1] * e[at[1]];
    dx[at[2]] -= p[5] * x[at[2]];
    dx[at[3]] += p[5] * x[at[2]];
    return dx;
  }
  matrix rates(vector p, matrix fixed, array[] int scale, array[] int at, real lost) {
    matrix[rows(fixed), cols(fixed)] A = fixed;
    for (j in 1:cols(fixed)) if (scale[j] > 0) A[, j] = fixed[, j] / p[scale[j]];
    A[at[1], at[1]] -= lost * p[1] / p[scale[at[1]]];
    A[at[2], at[2]] -= p[5];
    A[at[3], at[2]] += p[5];
    return A;
  }
}
data {
  int S; int T; int N;
  array[T] real time;
  matrix[S, T] y;
  vector[5] log_median;
  real deviation; real sigma_scale; real tolerance;
  vector[N] first;
  matrix[N, N] fixed;
  array[N] int scale;
  // liver, lumen, gut
  array[3] int at;
  int vein;
  real volume;
  real lost;
}
parameters {
  vector[5] log_p;
  real<lower=0> omega;
  vector[S] eta;
  real<lower=0> sigma;
}
model {
  log_p ~ normal(log_median, deviation);
  omega ~ normal(0, sigma_scale);
  eta ~ normal(0, 1);
  sigma ~ normal(0, sigma_scale);
  for (s in 1:S) {
    vector[5] p = exp(log_p);
    p[1] = p[1] * exp(omega * eta[s]);
    row_vector[T] predicted;
    SOLUTION
    y[s] ~ normal(log(predicted / volume), sigma);
  }
}
"""
SOLUTIONS = {
    "ode_bdf": """
    array[T] vector[N] x
      = ode_bdf_tol(amounts, first, 0.0, time, tolerance, tolerance, 10000000, p, fixed, scale, at, lost);
    for (k in 1:T) predicted[k] = x[k][vein];
    """,
    "matrix_exp": """
    matrix[N, N] A = rates(p, fixed, scale, at, lost);
    vector[N] x = first;
    real now = 0;
    for (k in 1:T) {
      x = matrix_exp((time[k] - now) * A) * x;
      now = time[k];
      predicted[k] = x[vein];
    }
    """,
}


def system() -> System:
    """The library's model with the physiology and the parameters of P3."""
    flows = {organ: share * CARDIAC_OUTPUT for organ, share in (TO_VEIN | TO_LIVER).items()}
    body = whole_body_pbpk(absorption="first-order", renal=[]).fix(
        **{f"V_{NAMES.get(organ, organ)}": volume for organ, volume in VOLUME.items()},
        **{f"Q_{organ}": flow for organ, flow in flows.items()},
        Q_hepatic_artery=CARDIAC_OUTPUT - sum(flows.values()),
        BP=1.0,
        fup=UNBOUND,
        Fa=1.0,
    )
    return body.define(
        dict.fromkeys(["muscle_scale", "adipose_scale", "others"], ""),
        **{f"Kp_{organ}": scaled_by(scale_of(organ), value) for organ, value in PARTITION.items()},
    )


def scale_of(organ: str) -> str:
    """The parameter that scales the partition coefficient of an organ."""
    return f"{organ}_scale" if organ in ("muscle", "adipose") else "others"


def scaled_by(scale: str, value: float) -> Callable[[Any], Any]:
    return lambda s: value * s[scale]


def events_of(problem: Problem, observations: np.ndarray | None = None) -> Events:
    """Doses and times of a problem; observations (subject, time) of venous plasma where given."""
    into = {"lumen": 1, "vein": 2}
    rows = []
    for subject in range(problem.subjects):
        for k, time in enumerate(problem.times):
            value = 1.0 if observations is None else observations[subject, k]
            rows.append(
                {"ID": subject, "TIME": time, "EVID": 0, "AMT": 0.0, "RATE": 0.0, "CMT": 2, "DV": value}
            )
        for dose in problem.doses:
            amount = dose.amounts[subject] * (VOLUME["vein"] if dose.state == "vein" else 1.0)
            rate = amount / dose.duration if dose.duration else 0.0
            rows.append(
                {
                    "ID": subject,
                    "TIME": dose.time,
                    "EVID": 1,
                    "AMT": amount,
                    "RATE": rate,
                    "CMT": into[dose.state],
                }
            )
    data = pd.DataFrame(rows).sort_values(["ID", "TIME"], kind="stable").astype({"DV": object})
    data["DV"] = data["DV"].where(data["EVID"] == 0, ".")
    study = read_nonmem(
        data,
        units={"TIME": "h", "AMT": "mg", "DV": "mg/L"},
        compartments={1: "depot", 2: "venous"},
        outputs="Cc",
    )
    return study.events()


class Found:
    """Solutions of the library by subject: states (subject, time, state) and their sensitivities when asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        states = [NAMES.get(name, name) for name in problem.states]
        units = {name: "mg" if name == "depot" else "mg/L" for name in states}
        body = dataclasses.replace(
            system(),
            outputs={f"y_{name}": Output(unit, in_units_of_p3(name)) for name, unit in units.items()},
        )
        events = events_of(problem)
        rows = events.rows["Cc"]
        events = dataclasses.replace(
            events, outputs=tuple(body.outputs), rows=dict.fromkeys(body.outputs, rows), DV={}
        )
        variables = [pt.vector(name, shape=(problem.subjects,)) for name in PARAMETERS]
        path = body.solve(events, dict(zip(PARAMETERS, variables, strict=True)))
        found = pt.stack([path[output] for output in body.outputs])
        flat = found.ravel()
        self.values = tuple(np.ascontiguousarray(column) for column in problem.values.T)
        weights = weights_of(len(states))[:, None]
        gradients = pt.grad((weights * found).sum(), variables)
        self.of_states = pytensor.function(variables, [flat], mode="NUMBA")
        self.with_gradient = pytensor.function(variables, [flat, *gradients], mode="NUMBA")
        cotangent = pt.dmatrix("cotangent")
        self.pulled = pytensor.function(
            [cotangent, *variables], pt.grad((cotangent * found).sum(), variables), mode="NUMBA"
        )

    def solution(self) -> tuple[np.ndarray, np.ndarray]:
        """States, and all sensitivities, each from a gradient of its own."""
        subjects, times, n = self.problem.subjects, len(self.problem.times), len(self.problem.states)
        (states,) = self.of_states(*self.values)
        sensitivities = np.empty((subjects, times, n, len(PARAMETERS)))
        for state in range(n):
            for time in range(times):
                cotangent = np.zeros((n, subjects, times))
                cotangent[state, :, time] = 1.0
                gradients = self.pulled(cotangent.reshape(n, -1), *self.values)
                sensitivities[:, time, state] = np.stack(gradients, axis=1)
        return np.moveaxis(states.reshape(n, subjects, times), 0, -1), sensitivities


def in_units_of_p3(name: str) -> Callable[[Any], Any]:
    """A state as P3 has it: a concentration, save in the lumen."""
    return (lambda s: s.depot) if name == "depot" else (lambda s: s[name] / s[f"V_{name}"])


def oral() -> Problem:
    """P3 with its oral dose alone."""
    problem = physiological()
    return dataclasses.replace(problem, doses=problem.doses[:1])


def observations() -> np.ndarray:
    """Simulated concentrations in venous plasma (subject, time): subjects differ in CLint alone."""
    problem = oral()
    generator = np.random.default_rng(SEED)
    values = np.tile(MEDIANS, (problem.subjects, 1))
    values[:, 0] *= np.exp(0.3 * generator.standard_normal(problem.subjects))
    states, _ = by_scipy(dataclasses.replace(problem, values=values), "LSODA")
    exact = states[..., problem.states.index("vein")]
    return exact * np.exp(NOISE * generator.standard_normal(exact.shape))


def model() -> pm.Model:
    """The posterior through the library."""
    events = events_of(oral(), observations())
    with pm.Model() as built:
        log_p = pm.Normal("log_p", np.log(MEDIANS), DEVIATION, shape=len(MEDIANS))
        omega = pm.HalfNormal("omega", SCALE)
        eta = pm.Normal("eta", shape=len(events.subjects))
        values: dict[str, Any] = {name: pm.math.exp(log_p[k]) for k, name in enumerate(PARAMETERS)}
        values["CLint"] = values["CLint"] * pm.math.exp(omega * eta)
        path = system().solve(events, values)
        sigma = pm.HalfNormal("sigma", SCALE)
        pm.Normal("log_y", pm.math.log(path["Cc"]), sigma, observed=np.log(events.DV["Cc"]))
    return built


class Ours(Nutpie):
    """The posterior through the library, at points in the order of Stan's."""

    def __init__(self) -> None:
        super().__init__(model())

    def gradient(self, points: np.ndarray) -> np.ndarray:
        order = order_of_points()
        found = self.logp_and_gradient(self.arranged(points, order))[1]
        return found[:, [self.names.index(name) for name in order]]


def order_of_points() -> list[str]:
    subjects = oral().subjects
    return [
        *(f"log_p_{k}" for k in range(len(MEDIANS))),
        "omega_log__",
        *(f"eta_{i}" for i in range(subjects)),
        "sigma_log__",
    ]


def points(n: int) -> np.ndarray:
    """Unconstrained points about the truth."""
    generator = np.random.default_rng(SEED)
    center = [*np.log(MEDIANS), np.log(0.3), *np.zeros(oral().subjects), np.log(NOISE)]
    return np.array(center) + 0.1 * generator.standard_normal((n, len(center)))


def stan(solution: str, tolerance: float = 0.0) -> StanProgram:
    """The Stan program of the posterior."""
    problem, states = oral(), list(physiological().states)
    volumes = np.array([VOLUME.get(name, 1.0) for name in states])
    n = len(states)
    still = [0.0, 1.0, 1.0, 1.0, 0.0]
    # The field is linear: its columns are what it gives for one unit of each state.
    columns = np.array([problem.field(0.0, list(unit), still) for unit in np.eye(n)], dtype=float).T
    scales = {"muscle": 2, "adipose": 3}
    first = np.zeros(n)
    first[states.index("lumen")] = problem.doses[0].amounts[0]
    data = {
        "S": problem.subjects,
        "T": len(problem.times),
        "N": n,
        "time": problem.times.tolist(),
        "y": np.log(observations()).tolist(),
        "log_median": np.log(MEDIANS).tolist(),
        "deviation": DEVIATION,
        "sigma_scale": SCALE,
        "tolerance": tolerance,
        "first": first.tolist(),
        "fixed": (volumes[:, None] * columns / volumes).tolist(),
        "scale": [scales.get(name, 4) if name in PARTITION else 0 for name in states],
        "at": [states.index(name) + 1 for name in ("liver", "lumen", "gut")],
        "vein": states.index("vein") + 1,
        "volume": VOLUME["vein"],
        "lost": UNBOUND / PARTITION["liver"] / VOLUME["liver"],
    }
    return StanProgram(STAN.replace("SOLUTION", SOLUTIONS[solution]), data)


def solving() -> list[Comparison]:
    """States, and states with sensitivities, beside CVODES."""
    problem = physiological()
    exact = reference("P3")
    found = Found(problem)
    achieved = errors(problem, found.solution(), exact)
    lines = []
    for sensitivities in (False, True):
        truth = exact if sensitivities else (exact[0], exact[1][..., :0])
        peer = tuned(
            cvodes(problem, sensitivities=sensitivities),
            np.abs(exact[0]).max(axis=1),
            partial(errors, problem, exact=truth),
        )
        function = (found.with_gradient if sensitivities else found.of_states).vm.jit_fn
        measures = {"ours": compiled(function, found.values, 50)}
        kinds = ("states", "sensitivities") if sensitivities else ("states",)
        recorded = {f"{kind}, ours": error for kind, error in zip(kinds, achieved, strict=False)}
        details: dict[str, str] = {"ours": "Linear"}
        if isinstance(peer, Tuned):
            measures["CVODES"] = called(peer.solve)
            recorded |= {f"{kind}, CVODES": error for kind, error in zip(kinds, peer.achieved, strict=False)}
            details["CVODES"] = f"{peer.setting}, rtol {peer.rtol:g}, share {peer.share:g}"
        result = interleaved(measures, repeats=range(7))
        lines.append(
            Comparison(
                "pbpk",
                f"15 organs, 12 subjects: {' + '.join(kinds)}",
                "us",
                "CVODES",
                result["ours"],
                result.get("CVODES"),
                at_most=BAR if sensitivities else None,
                errors=recorded,
                details=details,
                missing="" if isinstance(peer, Tuned) else peer,
            )
        )
    return lines


def tuned_bdf(at: np.ndarray, exact: np.ndarray) -> tuple[StanProgram, float, float]:
    """Stan by `ode_bdf` at the loosest tolerance that meets the error of the gradient."""
    for tolerance in TOLERANCES:
        program = stan("ode_bdf", tolerance)
        error = relative_error(program.gradient(at), exact)
        if error <= GRADIENT_TARGET:
            return program, tolerance, error
    raise ArithmeticError(f"no tolerance gives Stan a gradient with an error of {GRADIENT_TARGET:g}")


def posterior() -> list[Comparison]:
    """Log density and gradient of the posterior, beside Stan."""
    ours, at = Ours(), points(2)
    measures: dict[str, Callable[[int], float]] = {
        "ours": compiled_gradient(ours, ours.arranged(points(16), order_of_points()), 50)
    }
    missing, recorded, tolerances = "", {}, {}
    try:
        exact = stan("matrix_exp")
        truth = exact.gradient(at)
        recorded["ours"] = relative_error(ours.gradient(at), truth)
        by_bdf, tolerances["ode_bdf"], recorded["ode_bdf"] = tuned_bdf(at, truth)
        measures |= {
            "matrix_exp": partial(seconds_of_gradient, exact, at),
            "ode_bdf": partial(seconds_of_gradient, by_bdf, at),
        }
    except MissingPeerError as error:
        missing = str(error)
    result = interleaved(measures, repeats=range(3))
    return [
        Comparison(
            "pbpk",
            "15 organs, 12 subjects: logp + gradient of a posterior",
            "us",
            f"{peer} in Stan",
            result["ours"],
            result.get(peer),
            at_most=BAR,
            errors=recorded,
            tolerances=tolerances,
            missing=missing,
        )
        for peer in ("ode_bdf", "matrix_exp")
    ]


def seconds_of_gradient(program: StanProgram, at: Sequence[Any] | np.ndarray, repeat: int) -> float:
    """CPU time of one gradient in microseconds, as Stan's own process counts it."""
    return program.microseconds_of_gradient(np.asarray(at))


def measure() -> list[Comparison]:
    return [*solving(), *posterior()]
