"""Wall time and peak memory of a choice among many regimens: 500 subjects, 20 regimens, 100 draws, 100 times.

The system has two compartments and oral doses. Two measures of exposure are kept of each of the 10^6 paths, and the
choice is made by both. The posterior is made by hand: what is measured begins with `Calibration.simulate`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import xarray as xr

import qsp_bayes as qb
from benchmarks.comparison import Comparison
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.ode.threads import usable_cores

SUBJECTS, REGIMENS, DRAWS, CHAINS = 500, 20, 100, 4
TIMES = np.linspace(0.0, 72.0, 100)
SECONDS, MEBIBYTES = 60.0, 4096.0
"""Bars, compilation included."""
TYPICAL = {"KA": 1.0, "CL": 3.0, "Vc": 30.0, "Q": 5.0, "Vp": 50.0}
VARYING = ("CL", "Vc")


def calibration() -> qb.Calibration:
    system = qb.two_compartment(absorption="first-order")
    source = "made for this benchmark"
    priors = {
        f"TV{name}": qb.Prior(median=value, sd_log=0.3, unit=system.parameters[name], source=source)
        for name, value in TYPICAL.items()
    }
    for name in (*(f"omega_{name}" for name in VARYING), "sigma_prop_Cc"):
        priors[name] = qb.Prior(distribution="HalfNormal", sigma=0.5, unit="", source=source)
    individual = [qb.Allometry("WT", CL=0.75, Vc=1.0, reference=70), qb.IIV(*VARYING)]
    return qb.Calibration(system, priors, individual, {"Cc": qb.Proportional()})


def posterior(made: qb.Calibration, draws: int) -> xr.DataTree:
    """A fit of no data: draws around known values."""
    rng = np.random.default_rng(1)
    median = {f"TV{name}": value for name, value in TYPICAL.items()}
    median |= {f"omega_{name}": 0.3 for name in VARYING} | {"sigma_prop_Cc": 0.1}
    size = (CHAINS, draws // CHAINS)
    values = {
        name: (("chain", "draw"), value * np.exp(0.1 * rng.normal(size=size)))
        for name, value in median.items()
    }
    fit = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(values, {"chain": range(size[0]), "draw": range(size[1])})}
    )
    units = qb.data.StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"})
    study = qb.planned_study(qb.Regimen(100), people(2), [1.0], units=units)
    fit.attrs = as_attribute(describe_fit(made, study, 1, {}))
    return fit


def people(n: int) -> qb.Subjects:
    weights = np.random.default_rng(2).normal(70.0, 12.0, n).clip(40.0, 120.0)
    table = pd.DataFrame({"WT": weights}, index=[f"new {i}" for i in range(1, n + 1)])
    return qb.Subjects(table, {"WT": "kg"}, "made for this benchmark")


def candidates(n: int) -> dict[str, qb.Regimen]:
    doses = 50 * np.arange(1, n // 2 + 1)
    return {
        f"{dose} mg q{every}h": qb.Regimen(float(dose), every=every, until=72)
        for dose in doses
        for every in (8, 12)
    }


MEASURES = {
    "benefit": lambda x: qb.time_within(x["Cc"], 2, 6),
    "harm": lambda x: qb.time_above(x["Cc"], 6) + 0.1 * x["n_doses"],
}


@contextmanager
def counted() -> Iterator[dict[str, float]]:
    """Seconds of what is done, as they pass on a clock and on all processors."""
    found: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield found
    found["seconds"], found["cpu"] = time.perf_counter() - wall, time.process_time() - cpu


def figures() -> dict[str, float]:
    """Figures of this process."""
    made = calibration()
    fit, before = posterior(made, DRAWS), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with counted() as found:
        future = made.simulate(
            fit,
            candidates(REGIMENS),
            people(SUBJECTS),
            TIMES,
            draws=DRAWS,
            measures=MEASURES,
            progressbar=True,
        )
        decision = qb.choose(future, lambda x: x["benefit"] - 0.5 * x["harm"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert len(decision.table) == REGIMENS
    return {**found, "MiB": peak, "MiB before": before}


def measured(cache: str | None = None) -> dict[str, float]:
    """Figures of a fresh process, whose peak memory is its own, with its caches in a folder, or where they are."""
    environment = dict(os.environ)
    if cache is not None:
        environment |= {
            "NUMBA_CACHE_DIR": f"{cache}/numba",
            "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
        }
    command = [sys.executable, "-m", "benchmarks.decision_throughput"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.splitlines()[-1])


def measure() -> list[Comparison]:
    size = f"{SUBJECTS} subjects, {REGIMENS} regimens, {DRAWS} draws, {len(TIMES)} times"
    with tempfile.TemporaryDirectory() as cache:
        found = {state: measured(cache) for state in ("cold", "warm")}
    lines = []
    for state, line in found.items():
        details = {"cores": usable_cores(), "CPU seconds": line["cpu"], "MiB before": line["MiB before"]}
        lines += [
            Comparison(
                "decision_throughput",
                f"{size}: simulate and choose, {state}, wall time",
                "s",
                "none",
                line["seconds"],
                judge="value",
                at_most=SECONDS,
                details=details,
            ),
            Comparison(
                "decision_throughput",
                f"{size}: peak memory, {state}",
                "MiB",
                "none",
                line["MiB"],
                judge="value",
                at_most=MEBIBYTES,
                details=details,
            ),
        ]
    return lines


if __name__ == "__main__":
    print(json.dumps(figures()))
