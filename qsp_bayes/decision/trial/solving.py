"""Solving: one compiled function for any number of individuals, each with its own parameters and schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from qsp_bayes.data.events import Events
from qsp_bayes.decision.trial.schedule import FIELDS, Schedule
from qsp_bayes.systems.system import System

WHOLE = ("evid", "compartment", "additional", "steady_state", "output")


@dataclass(frozen=True, eq=False)
class Solution:
    """Outputs of individuals in one schedule: along the grid and at the samples, (individual, time)."""

    grid: Mapping[str, np.ndarray]
    samples: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Solving:
    """A compiled system whose schedules are inputs.

    Attributes
    ----------
    names : list of str
        Parameters, in the order in which they are passed.
    outputs : tuple of str
    """

    names: list[str]
    outputs: tuple[str, ...]
    function: Callable[..., list[np.ndarray]]

    @classmethod
    def of(cls, system: System, names: Sequence[str], outputs: Sequence[str], solver: Any) -> Solving:
        """Compile a system."""
        records = {
            field: pt.lvector(field) if field in WHOLE else pt.dvector(field)
            for field in (*FIELDS, "subject")
        }
        records["subject"] = pt.lvector("subject")
        individuals = pt.lvector("individuals")
        rows = {name: pt.lvector(f"rows_{name}") for name in outputs}
        events = Events(
            subjects=("individual",),
            compartments=tuple(system.doses),
            outputs=tuple(outputs),
            occasion=records["subject"],
            occasion_subject=individuals,
            rows=rows,
            DV=rows,
            **records,
        )
        parameters = {name: pt.dvector(name) for name in names}
        path = system.solve(events, parameters, levels=dict.fromkeys(names, "subject"), solver=solver)
        function = pytensor.function(
            [*parameters.values(), *records.values(), individuals, *rows.values()],
            [path[name] for name in outputs],
            mode="NUMBA",
            on_unused_input="ignore",
        )
        return cls(list(names), tuple(outputs), function)

    def __call__(self, schedules: Sequence[Schedule], parameters: Sequence[np.ndarray]) -> list[Solution]:
        """Solve every schedule for its own rows of individuals.

        Parameters
        ----------
        schedules : sequence of Schedule
        parameters : sequence of array
            Each parameter, (individual, schedule).

        Returns
        -------
        list of Solution
            For each schedule; NaN where an individual cannot be solved.
        """
        number = parameters[0].shape[0]
        flat = [np.ascontiguousarray(values.T).ravel() for values in parameters]
        records = {
            field: np.concatenate([np.tile(schedule.fields[field], number) for schedule in schedules])
            for field in FIELDS
        }
        sizes = np.repeat([schedule.size for schedule in schedules], number)
        individuals = np.arange(len(sizes))
        first = np.cumsum(sizes) - sizes
        rows, cuts = {}, {}
        for name in self.outputs:
            parts = []
            for k, schedule in enumerate(schedules):
                own = np.concatenate([schedule.grid.get(name, EMPTY), schedule.samples.get(name, EMPTY)])
                starts = first[k * number : (k + 1) * number]
                parts.append((starts[:, None] + own[None]).ravel())
            rows[name] = np.concatenate(parts)
            cuts[name] = np.cumsum([len(part) for part in parts])[:-1]
        found = self.function(
            *flat, *records.values(), np.repeat(individuals, sizes), individuals, *rows.values()
        )
        cut = {
            name: [part.reshape(number, -1) for part in np.split(values, cuts[name])]
            for name, values in zip(self.outputs, found, strict=True)
        }
        return [
            Solution(
                {name: cut[name][k][:, : len(at)] for name, at in schedule.grid.items()},
                {name: cut[name][k][:, len(schedule.grid.get(name, EMPTY)) :] for name in schedule.samples},
            )
            for k, schedule in enumerate(schedules)
        ]


EMPTY = np.zeros(0, np.int64)
