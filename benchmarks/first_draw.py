"""CPU seconds from `build` to the first draw: with empty caches, and in a process that finds them filled."""

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
BY_HAND = "the model by hand in PyMC"


def stages(engine: str) -> dict[str, float]:
    """CPU seconds of each stage in this process; `compile` and `first draw` contain `of which numba`."""
    import numba.core.event as events
    import nutpie
    import pymc  # noqa: F401  (imported by both, before anything is measured)

    from benchmarks.theophylline_models import Observations, full_engine, handwritten, theophylline

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
    if engine == "ours":
        import qsp_bayes  # noqa: F401
    imports = time.process_time() - imports
    records = theophylline()
    with events.install_listener("numba:compiler_lock", CompilerTime()) as compiler:
        start = time.process_time()
        model = full_engine(records) if engine == "ours" else handwritten(Observations.of(records))
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


def measured(engine: str, cache: str) -> dict[str, float]:
    """Stages of a fresh process, all of whose caches are in one folder."""
    environment = {
        **os.environ,
        "HOME": cache,
        "XDG_CACHE_HOME": cache,
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor",
    }
    command = [sys.executable, "-m", "benchmarks.first_draw", engine]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.splitlines()[-1])


def measure() -> list[Comparison]:
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(REPEATS):
        for engine in ("ours", "by hand"):
            with tempfile.TemporaryDirectory() as cache:
                for caches in ("cold", "warm"):
                    samples.setdefault((engine, caches), []).append(measured(engine, cache))
    medians = {
        key: {stage: median(run[stage] for run in runs) for stage in runs[0]} for key, runs in samples.items()
    }
    return [
        Comparison(
            "first_draw",
            f"build to first draw, {caches}",
            "s",
            BY_HAND,
            medians["ours", caches]["total"],
            medians["by hand", caches]["total"],
            judge="difference",
            at_most=bar,
            details={"ours": medians["ours", caches], "theirs": medians["by hand", caches]},
        )
        for caches, bar in (("cold", 15.0), ("warm", 5.0))
    ]


if __name__ == "__main__":
    print(json.dumps(stages(sys.argv[1])))
