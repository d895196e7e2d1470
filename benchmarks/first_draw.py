"""CPU seconds from `build` to the first draw: with empty caches, and in a process that finds them filled.

Two of our models, each beside others: the theophylline population model (linear, exact) and the same by hand; a TMDD
population model (nonlinear), the same variables with exponentials in the place of the system, which shows what PyMC,
PyTensor and nutpie take for a population of this size, and a trivial model, which shows what they take for any.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

from benchmarks.comparison import Comparison

REPEATS = 3
BARS = (
    (
        "theophylline",
        "theophylline by hand",
        "theophylline",
        "the model by hand in PyMC",
        {"cold": 15.0, "warm": 5.0},
    ),
    ("tmdd", "trivial", "TMDD population model", "a trivial model in PyMC", {"cold": 25.0, "warm": 10.0}),
    (
        "tmdd",
        "exponentials",
        "TMDD population model",
        "exponentials in its place",
        {"cold": 25.0, "warm": 10.0},
    ),
)
"""Two models of `MODELS`, what the first is called, what the second is, and by how much the first may take longer."""


def theophylline_model() -> Any:
    from benchmarks.theophylline_models import full_engine, theophylline

    return full_engine(theophylline())


def theophylline_by_hand() -> Any:
    from benchmarks.theophylline_models import Observations, handwritten, theophylline

    return handwritten(Observations.of(theophylline()))


def tmdd_model() -> Any:
    from benchmarks.six_subjects import population_model

    return population_model()


def exponentials_model() -> Any:
    import numpy as np
    import pymc as pm

    from benchmarks.six_subjects import ASSAY, PRIORS, SIGMA, study

    events = study().events()
    dose = np.bincount(events.subject, events.amount)
    with pm.Model(coords={"subject": events.subjects}) as model:
        values = {}
        for name, (median, deviation) in PRIORS.items():
            typical = pm.LogNormal(f"TV{name}", np.log(median), deviation)
            omega, eta = pm.HalfNormal(f"omega_{name}", SIGMA), pm.Normal(f"eta_{name}", dims="subject")
            individual = pm.math.exp(pm.math.log(typical) + omega * eta)
            values[name] = pm.Deterministic(name, individual, dims="subject")
        for output, names in {"Cc": ("CL", "V1", "Q", "V2"), "Rtot": ("KD", "R0", "kdeg", "kint")}.items():
            rows = events.rows[output]
            time, subject = events.time[rows], events.subject[rows]
            a, b, c, d = (values[name][subject] for name in names)
            rise, fall = pm.math.exp(-a / b * time), pm.math.exp(-d * time)
            prediction = pm.Deterministic(output, dose[subject] / b * rise + c * fall)
            additive = pm.HalfNormal(f"sigma_add_{output}", ASSAY)
            proportional = pm.HalfNormal(f"sigma_prop_{output}", SIGMA)
            sd = pm.math.sqrt(additive**2 + (proportional * prediction) ** 2)
            pm.Normal(f"DV_{output}", prediction, sd, observed=events.DV[output])
    return model


def trivial_model() -> Any:
    import pymc as pm

    with pm.Model() as model:
        pm.Normal("y", pm.Normal("x"), 1.0, observed=[0.0, 1.0])
    return model


MODELS = {
    "theophylline": theophylline_model,
    "theophylline by hand": theophylline_by_hand,
    "tmdd": tmdd_model,
    "exponentials": exponentials_model,
    "trivial": trivial_model,
}


def stages(name: str) -> dict[str, float]:
    """CPU seconds of each stage in this process; `compile` and `first draw` contain `of which numba`."""
    import numba.core.event as events
    import nutpie
    import pymc  # noqa: F401  (imported by all, before anything is measured)

    import benchmarks.six_subjects
    import benchmarks.theophylline_models  # noqa: F401

    class CompilerTime(events.Listener):
        """CPU seconds spent inside numba's compiler."""

        depth, entered, seconds = 0, 0.0, 0.0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.entered = time.process_time()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                self.seconds += time.process_time() - self.entered

    imports = time.process_time()
    if name in ("theophylline", "tmdd"):
        import qsp_bayes  # noqa: F401
    imports = time.process_time() - imports
    with events.install_listener("numba:compiler_lock", CompilerTime()) as compiler:
        start = time.process_time()
        model = MODELS[name]()
        built = time.process_time()
        compiled = nutpie.compile_pymc_model(model, freeze_model=True)  # as `Calibration.fit` does
        ready = time.process_time()
        nutpie.sample(compiled, tune=1, draws=1, chains=1, cores=1, seed=1, progress_bar=False)
        drawn = time.process_time()
    return {
        "total": drawn - start,
        "build": built - start,
        "compile": ready - built,
        "first draw": drawn - ready,
        "of which numba": compiler.seconds,
        "import, not counted": imports,
    }


def measured(name: str, cache: str) -> dict[str, float]:
    """Stages of a fresh process, all of whose caches are in one folder."""
    environment = {
        **os.environ,
        "HOME": cache,
        "XDG_CACHE_HOME": cache,
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
    }
    command = [sys.executable, "-m", "benchmarks.first_draw", name]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.splitlines()[-1])


def measure() -> list[Comparison]:
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(REPEATS):
        for name in MODELS:
            with tempfile.TemporaryDirectory() as cache:
                for caches in ("cold", "warm"):
                    samples.setdefault((name, caches), []).append(measured(name, cache))
    medians = {
        key: {stage: median(run[stage] for run in runs) for stage in runs[0]} for key, runs in samples.items()
    }
    return [
        Comparison(
            "first_draw",
            f"{title}: build to first draw, {caches}",
            "s",
            peer,
            medians[name, caches]["total"],
            medians[beside, caches]["total"],
            judge="difference",
            at_most=bar,
            details={"ours": medians[name, caches], "theirs": medians[beside, caches]},
        )
        for name, beside, title, peer, bars in BARS
        for caches, bar in bars.items()
    ]


if __name__ == "__main__":
    print(json.dumps(stages(sys.argv[1])))
