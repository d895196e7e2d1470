"""Systems without units from equations as text, and the table of cases with known verdicts."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qsp_bayes import DoseInto, Output, Process, System
from qsp_bayes.identifiability.structural import Experiment
from qsp_bayes.systems.formula import quantity
from qsp_bayes.systems.formula_text import parse_formula

FILES = sorted((Path(__file__).parent / "cases").glob("*.toml"))


def sides(line: str, sign: str) -> tuple[str, str]:
    """Split ``x' = -k*x`` or ``y = x/V`` at its sign."""
    left, right = line.split(sign, 1)
    return left.strip(), right.strip()


def formula(text: str):
    return quantity(parse_formula(text))


def system_of(equations, observed, parameters, inputs=(), start=None, doses=None, name="case") -> System:
    """Build a system without units: one process for each derivative."""
    derivatives = dict(sides(line, "' =") for line in equations)
    return System(
        name=name,
        states=dict.fromkeys(derivatives, ""),
        parameters=dict.fromkeys(parameters, ""),
        inputs=dict.fromkeys(inputs, ""),
        processes=[Process(f"change of {x}", {x: 1}, formula(text)) for x, text in derivatives.items()],
        outputs={y: Output("", formula(text)) for y, text in (sides(line, " =") for line in observed)},
        initial={x: formula(text) for x, text in (start or {}).items()},
        doses={x: DoseInto(F=formula(share)) if share else DoseInto() for x, share in (doses or {}).items()},
        time_unit="",
    )


@dataclass(frozen=True)
class Case:
    """A row of the table: a system, its experiments, and what is known of them."""

    name: str
    facts: dict

    @cached_property
    def arms(self) -> list[dict]:
        return self.facts.get("doses", [])

    @cached_property
    def system(self) -> System:
        start = {
            x: text for x, text in self.facts.get("start", {}).items() if text not in ("known", "unknown")
        }
        return system_of(
            self.facts["equations"], self.facts["observed"], self.facts["parameters"],
            self.facts.get("inputs", ()), start, {arm["into"]: arm.get("share") for arm in self.arms}, self.name,
        )  # fmt: skip

    @cached_property
    def unknown_start(self) -> list[Experiment]:
        inputs = dict.fromkeys(self.facts.get("inputs", ()), "varying")
        return [Experiment(initial="unknown", inputs=inputs)]

    @cached_property
    def experiments(self) -> list[Experiment]:
        if not self.arms:
            start = self.facts.get("start")
            return [Experiment(initial=start)] if start else self.unknown_start
        # An arm that observes one experiment only has no name, so that none is shown.
        return [
            Experiment({arm["into"]: arm["amount"]}, name=arm["arm"] if len(self.arms) > 1 else "")
            for arm in self.arms
        ]


def cases() -> dict[str, Case]:
    """Return the table."""
    return {
        name: Case(name, facts)
        for file in FILES
        for name, facts in tomllib.loads(file.read_text(encoding="utf-8")).items()
    }
