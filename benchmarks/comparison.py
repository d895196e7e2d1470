"""One measured line: this project beside one peer, and the bar that it has to clear."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PACKAGES = (
    "qsp-bayes",
    "pymc",
    "pytensor",
    "nutpie",
    "numba",
    "numpy",
    "scipy",
    "arviz-stats",
    "pystan",
    "httpstan",
    "diffrax",
    "sundials4py",
)


@dataclass(frozen=True)
class Comparison:
    """Two figures in one unit, and what is asked of them.

    Parameters
    ----------
    name : str
        Row of the benchmark.
    quantity, unit : str
        What was measured, in what unit.
    peer : str
        What it is measured against.
    ours, theirs : float
        The figures; `theirs` is None where the peer is missing or there is none.
    judge : {"ratio", "difference", "value"}
        Whether ours / theirs, ours - theirs or ours is held to the bar.
    at_most, at_least : float, optional
        The bar. Without one the line is only reported.
    errors, tolerances : mapping
        Achieved errors of both, and the tolerances that were asked for, by name.
    details : mapping
        What explains the figures.
    missing : str
        Why the peer is missing.
    """

    name: str
    quantity: str
    unit: str
    peer: str
    ours: float
    theirs: float | None = None
    judge: Literal["ratio", "difference", "value"] = "ratio"
    at_most: float | None = None
    at_least: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""

    @property
    def judged(self) -> float | None:
        """The figure that is held to the bar."""
        if self.judge == "value":
            return self.ours
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.judge == "ratio" else self.ours - self.theirs

    @property
    def bar(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def verdict(self) -> str:
        if self.missing:
            return f"peer missing: {self.missing}"
        if self.judged is None or not self.bar:
            return ""
        met = (
            self.judged <= self.at_most if self.at_most is not None else self.judged >= (self.at_least or 0.0)
        )
        return "met" if met else "NOT MET"

    def record(self) -> dict[str, Any]:
        """The line as it stands in the results file."""
        ratio = None if not self.theirs else self.ours / self.theirs
        return {
            **dataclasses.asdict(self),
            "ratio": ratio,
            "judged": self.judged,
            "bar": self.bar,
            "verdict": self.verdict,
        }


def table(comparisons: list[Comparison]) -> str:
    """Lines for people."""
    head = ("row", "quantity", "unit", "ours", "peer", "theirs", "judged by", "figure", "bar", "verdict")
    rows = [
        (
            line.name,
            line.quantity,
            line.unit,
            f"{line.ours:.4g}",
            line.peer,
            "-" if line.theirs is None else f"{line.theirs:.4g}",
            line.judge,
            "-" if line.judged is None else f"{line.judged:.3g}",
            line.bar,
            line.verdict,
        )
        for line in comparisons
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))


def circumstances() -> dict[str, Any]:
    """Versions and machine, for the results file."""
    installed = {name: version for name in PACKAGES if (version := installed_version(name))}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **installed},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
    }


def installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Name of the processor, as Linux gives it."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor()
    names = (
        line.split(":")[1].strip()
        for line in information.read_text().splitlines()
        if line.startswith("model name")
    )
    return next(names, platform.processor())
