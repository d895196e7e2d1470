"""Effective samples of the worst parameter per CPU second: same priors, rows, acceptance target and draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.engines import TARGET_ACCEPT, MissingPeerError, Nutpie, Stan
from benchmarks.theophylline_models import Observations, full_engine, handwritten, theophylline
from benchmarks.timing import interleaved

SETTINGS: dict[str, Any] = {"warmup": 1000, "draws": 1000, "chains": 4}


def efficiency(engine: Nutpie | Stan) -> Callable[[int], float]:
    """Measure of the worst bulk ESS per CPU second of a whole run, warm-up included and compilation not."""

    def measure(repeat: int) -> float:
        run = engine.sample(seed=1 + repeat, **SETTINGS)
        return run.worst_ess / run.seconds

    return measure


def measure() -> list[Comparison]:
    records = theophylline()
    observations = Observations.of(records)
    engines: dict[str, Nutpie | Stan] = {
        "ours": Nutpie(full_engine(records)),
        "by hand": Nutpie(handwritten(observations)),
    }
    missing = ""
    try:
        engines["Stan"] = Stan(observations)
    except MissingPeerError as error:
        missing = str(error)
    result = interleaved({name: efficiency(engine) for name, engine in engines.items()}, repeats=range(5))

    def line(peer: str, theirs: float | None, at_least: float, missing: str = "") -> Comparison:
        return Comparison(
            "sampling",
            "worst bulk ESS per CPU second",
            "1/s",
            peer,
            result["ours"],
            theirs,
            at_least=at_least,
            tolerances={"target_accept": TARGET_ACCEPT},
            details=SETTINGS,
            missing=missing,
        )

    return [
        line("closed form by hand in PyMC", result["by hand"], 0.5),
        line("closed form in Stan", result.get("Stan"), 1.0, missing),
    ]
