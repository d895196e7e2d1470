"""Time per gradient and memory with the study's subjects taken 1, 10 and 100 times."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

from benchmarks.comparison import Comparison

COPIES = (1, 10, 100)
SUBJECTS = 12


def gradient_and_memory(engine: str, copies: int) -> dict[str, float]:
    """Microseconds per gradient and peak memory in MiB of this process."""
    from benchmarks.engines import Nutpie
    from benchmarks.theophylline_models import Observations, full_engine, handwritten, theophylline
    from benchmarks.timing import compiled_gradient, interleaved

    records = theophylline(copies)
    sampler = Nutpie(full_engine(records) if engine == "ours" else handwritten(Observations.of(records)))
    points = sampler.initial_points(16)
    time = interleaved({"gradient": compiled_gradient(sampler, points, 4000 // copies)}, repeats=range(9))
    sampler.sample(seed=1, warmup=20, draws=20, chains=1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"us": time["gradient"], "MiB": memory}


def measured(engine: str, copies: int) -> dict[str, float]:
    """Figures of a fresh process, whose peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.scaling", engine, str(copies)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(answer.splitlines()[-1])


def measure() -> list[Comparison]:
    ours = {copies: measured("ours", copies) for copies in COPIES}
    theirs = {copies: measured("by hand", copies) for copies in COPIES}
    few, many = COPIES[-2:]
    times = [
        Comparison(
            "scaling",
            f"logp + gradient, {SUBJECTS * copies} subjects",
            "us",
            "closed form by hand in PyMC",
            ours[copies]["us"],
            theirs[copies]["us"],
        )
        for copies in COPIES
    ]
    return [
        *times,
        Comparison(
            "scaling",
            "per subject, most to fewer subjects",
            "us",
            f"itself at {SUBJECTS * few} subjects",
            ours[many]["us"] / (SUBJECTS * many),
            ours[few]["us"] / (SUBJECTS * few),
            at_most=1.25,
        ),
        Comparison(
            "scaling",
            f"peak memory, {SUBJECTS * many} subjects",
            "MiB",
            "closed form by hand in PyMC",
            ours[many]["MiB"],
            theirs[many]["MiB"],
            judge="value",
            at_most=2048.0,
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(gradient_and_memory(sys.argv[1], int(sys.argv[2]))))
