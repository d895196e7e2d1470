"""What a system conserves: the left null space of its stoichiometry, in exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

Row = list[Fraction]


def stoichiometry(system: System) -> pd.DataFrame:
    """Tabulate the stoichiometric matrix S: states by processes, with exact entries.

    Integers stand as int and other entries as `Fraction`.
    """
    entries = {
        process.name: [exact(process.stoichiometry.get(state, Fraction(0))) for state in system.states]
        for process in system.processes
    }
    table = pd.DataFrame(entries, index=pd.Index(system.states, name="state"), dtype=object)
    return table.rename_axis(columns="process")


def exact(number: Fraction) -> int | Fraction:
    """Give a whole number as int."""
    return int(number) if number.denominator == 1 else number


def conservation_laws(system: System) -> list[dict[str, int]]:
    """Find the sums of states that no process changes, of states that no switch changes.

    The laws are a basis of the left null space of S (every other conserved sum is a combination of them),
    with whole coefficients; where possible none is negative, so that a law reads as a total.

    Returns
    -------
    list of dict of str to int
        Coefficient of each state that takes part.

    Examples
    --------
    >>> from qsp_bayes.systems import Process, System
    >>> changes = {"drug": -1, "target": -1, "complex": 1}
    >>> bind = Process("binding", changes, lambda s: s.kon * s.drug * s.target)
    >>> conservation_laws(System(dict.fromkeys(changes, "nmol"), {"kon": "1/nmol/h"}, [bind]))
    [{'drug': 1, 'complex': 1}, {'target': 1, 'complex': 1}]
    """
    states = list(system.states)
    changed = {name for switch in system.switches for name in switch.change}
    columns = columns_of(system, changed, states)
    laws = [whole(law) for law in readable(null_space(columns, len(states)))]
    return [{state: value for state, value in zip(states, law, strict=True) if value} for law in laws]


def columns_of(system: System, changed: Collection[str], states: Sequence[str]) -> list[Row]:
    """Return the columns of S, and one for each state that something else changes."""
    columns = [
        [process.stoichiometry.get(state, Fraction(0)) for state in states] for process in system.processes
    ]
    return columns + [[Fraction(state == name) for state in states] for name in sorted(changed)]


def law_text(law: dict[str, int]) -> str:
    """Write a law as a sum.

    Examples
    --------
    >>> law_text({"dimer": 2, "monomer": 1})
    '2*dimer + monomer'
    """
    text = ""
    for state, value in law.items():
        term = state if abs(value) == 1 else f"{abs(value)}*{state}"
        if text:
            text += f" + {term}" if value > 0 else f" - {term}"
        else:
            text = term if value > 0 else f"-{term}"
    return text


def null_space(rows: Iterable[Row], width: int) -> list[Row]:
    """Solve rows y = 0 exactly: a basis of the vectors y.

    The last entries are eliminated first, so that complexes are expressed by what they are made of.
    """
    reduced: list[tuple[int, Row]] = []
    for row in rows:
        for pivot, other in reduced:
            row = [a - row[pivot] * b for a, b in zip(row, other, strict=True)]
        pivot = next((i for i in reversed(range(width)) if row[i]), -1)
        if pivot < 0:
            continue
        row = [a / row[pivot] for a in row]
        reduced = [
            (p, [a - other[pivot] * b for a, b in zip(other, row, strict=True)]) for p, other in reduced
        ]
        reduced.append((pivot, row))
    pivots = dict(reduced)
    basis = []
    for free in (i for i in range(width) if i not in pivots):
        vector = [Fraction(int(i == free)) for i in range(width)]
        for pivot, row in reduced:
            vector[pivot] = -row[free]
        basis.append(vector)
    return basis


def readable(basis: list[Row]) -> list[Row]:
    """Add to laws with negative entries those without, as far as this makes them positive."""
    positive = [law for law in basis if min(law) >= 0]
    result = []
    for law in basis:
        for other in positive:
            lacking = [-a / b for a, b in zip(law, other, strict=True) if a < 0 < b]
            if lacking:
                law = [a + max(lacking) * b for a, b in zip(law, other, strict=True)]
        result.append(law)
    return result


def whole(law: Row) -> list[int]:
    """Scale a law to the smallest whole numbers."""
    scale = math.lcm(*(value.denominator for value in law))
    numbers = [int(value * scale) for value in law]
    return [number // math.gcd(*numbers) for number in numbers]
