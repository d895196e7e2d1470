"""StructuralIdentifiability: the verdict on every parameter, what is known together, and what would help."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qsp_bayes.identifiability.structural.combinations import Symmetries
from qsp_bayes.identifiability.structural.remedies import Remedies

GLOBAL, LOCAL, NOT = "globally identifiable", "locally identifiable", "not identifiable"
UNDECIDED = "not decided"
RANK = {GLOBAL: 0, LOCAL: 2, UNDECIDED: 3, NOT: 4}


@dataclass(frozen=True, repr=False)
class StructuralIdentifiability:
    """What perfect data of one individual in each experiment determine, as `structural_identifiability` finds it.

    Attributes
    ----------
    system : str
        Name of the system.
    parameters : mapping of str to str
        Verdict on each parameter: "globally identifiable", "locally identifiable (n solutions)", "locally identifiable"
        where it is not decided whether there are others, "not identifiable", or "not decided" (see `conditions`).
        Solutions are counted over the complex numbers, so that some of n may be negative or not real.
    starts : mapping of str to str
        The same for unknown initial values.
    solutions : mapping of str to int or None
        Number of values of each that give the same data, None where that was not decided or is infinite.
    rank, unknowns : int
        How many independent functions of how many unknowns the data determine.
    order, settled : int
        Highest coefficient of the power series that was compared, and the one after which the rank grew no more.
    primes : tuple of int
        The arithmetic was done modulo each.
    error_bound : float
        Bound of the probability that random points gave another verdict on the rank than generic parameters.
    symmetries : Symmetries
        What data tell of unknowns that they do not determine, and how those move.
    remedies : Remedies
        Which parameters to fix, or what else to observe.
    units : mapping of str to str
    experiments : tuple of dict
    known : tuple of str
        Parameters that were taken as known.
    conditions : tuple of str
        What the verdict supposes.
    """

    system: str
    parameters: Mapping[str, str]
    starts: Mapping[str, str]
    solutions: Mapping[str, int | None]
    rank: int
    unknowns: int
    order: int
    settled: int
    primes: tuple[int, ...]
    error_bound: float
    symmetries: Symmetries
    remedies: Remedies
    units: Mapping[str, str]
    experiments: tuple[dict[str, Any], ...]
    known: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    @property
    def combinations(self) -> tuple[str, ...]:
        """Products and sums that data determine, of unknowns that they do not."""
        return self.symmetries.combinations

    @property
    def identifiable(self) -> bool:
        """Whether data determine every parameter, at least locally."""
        return not {NOT, UNDECIDED} & set(self.parameters.values())

    def __getitem__(self, name: str) -> str:
        """Return the verdict on a parameter or an initial value."""
        return {**self.parameters, **self.starts}[name]

    def table(self) -> pd.DataFrame:
        """Return one row for each unknown: verdict, solutions, and what would make it identifiable."""
        rows = {
            name: {
                "unit": self.units.get(name, ""),
                "verdict": verdict,
                "solutions": self.solutions.get(name),
                "fix one of": ", ".join(self.remedies.fix_for.get(name, ())),
                "or observe": ", ".join(self.remedies.observe_for.get(name, ())),
            }
            for name, verdict in {**self.parameters, **self.starts}.items()
        }
        table = pd.DataFrame.from_dict(rows, orient="index").astype({"solutions": "Int64"})
        return table.rename_axis(index="unknown")

    def describe(self) -> dict[str, Any]:
        """Return the result as plain values that JSON can hold."""
        moves = {
            kind: [{name: str(weight) for name, weight in row.items()} for row in rows]
            for kind, rows in (("scalings", self.symmetries.scalings), ("shifts", self.symmetries.shifts))
        }
        return {
            "system": self.system,
            "experiments": list(self.experiments),
            "known": list(self.known),
            "parameters": dict(self.parameters),
            "starts": dict(self.starts),
            "solutions": dict(self.solutions),
            "combinations": list(self.combinations),
            "combinations_complete": self.symmetries.complete,
            **moves,
            "together": [list(group) for group in self.symmetries.together],
            "fix": [list(names) for names in self.remedies.fix],
            "observe": {name: list(names) for name, names in self.remedies.observe.items()},
            "rank": self.rank,
            "unknowns": self.unknowns,
            "order": self.order,
            "settled": self.settled,
            "primes": list(self.primes),
            "error_bound": self.error_bound,
            "conditions": list(self.conditions),
        }

    def sentences(self) -> list[str]:
        """Say the result in words."""
        said = []
        verdicts = {**self.parameters, **self.starts}
        for verdict in sorted(set(verdicts.values()), key=lambda verdict: (RANK.get(verdict, 1), verdict)):
            names = [name for name, other in verdicts.items() if other == verdict]
            undecided = "; whether globally is not decided" if verdict == LOCAL else ""
            said.append(f"{verdict}: {', '.join(names)}{undecided}")
        if self.combinations:
            rest = (
                "" if self.symmetries.complete else ", and perhaps more that is neither a product nor a sum"
            )
            said.append(f"known together: {', '.join(self.combinations)}{rest}")
        elif not self.symmetries.complete:
            groups = "; ".join(", ".join(group) for group in self.symmetries.together)
            said.append(f"move together: {groups}")
        if self.remedies.fix:
            said.append(
                f"to know all parameters, fix {' or '.join(' and '.join(s) for s in self.remedies.fix)}"
            )
        for name, settled in self.remedies.observe.items():
            said.append(f"observing {name} would determine {', '.join(settled)}")
        return [*said, *self.conditions]

    def __repr__(self) -> str:
        lines = [f"Structural identifiability of {self.system}", *(f"  {line}" for line in self.sentences())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in self.sentences())
        title = f"<p><b>Structural identifiability of {html.escape(self.system)}</b></p>"
        return f"{title}{self.table().to_html(na_rep='')}<ul>{lines}</ul>"
