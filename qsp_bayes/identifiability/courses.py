"""Courses: a system solved for many sets of parameters under one regimen, with one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr

from qsp_bayes.data.events import Events
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.threads import threads, usable_cores
from qsp_bayes.systems.course import dosed, undosed
from qsp_bayes.systems.system import System

BATCH = 256
BY_RECORD = (
    "time", "evid", "compartment", "amount", "rate", "duration", "interval", "additional", "steady_state", "output",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Courses:
    """The outputs of a system along a grid of times, as a function of its parameters.

    Attributes
    ----------
    system : System
    grid : array
    outputs : tuple of str
    names : tuple of str
        Parameters, in the order of the columns.
    solve : callable
        Of one vector for each parameter, `BATCH` long.
    """

    system: System
    grid: np.ndarray
    outputs: tuple[str, ...]
    names: tuple[str, ...]
    solve: Callable[..., Any]

    @classmethod
    def of(
        cls,
        system: System,
        names: Sequence[str],
        fix: Mapping[str, float],
        times: Iterable[float],
        regimen: Regimen | None,
        *,
        outputs: Sequence[str] | None = None,
        inputs: Mapping[str, float] | None = None,
        solver: Any = None,
    ) -> Courses:
        """Compile a system for the parameters that vary; the others are fixed."""
        chosen = tuple(system.outputs if outputs is None else outputs)
        grid = np.asarray(list(times), float)
        one = undosed(grid, chosen) if regimen is None else dosed(system, regimen, grid, chosen)
        events = repeated(one, BATCH)
        covariates = {name: np.full(events.time.size, float(x)) for name, x in (inputs or {}).items()}
        symbols = {name: pt.dvector(name) for name in names}
        path = system.solve(
            events,
            {**fix, **symbols},
            levels=dict.fromkeys(names, "subject"),
            covariates=covariates,
            solver=solver,
        )
        solve = pytensor.function(
            list(symbols.values()), [path[name] for name in chosen], mode="NUMBA", on_unused_input="ignore"
        )
        return cls(system, grid, chosen, tuple(names), solve)

    def __call__(self, parameters: np.ndarray) -> xr.Dataset:
        """Solve for rows of parameters.

        Returns
        -------
        xarray.Dataset
            Outputs with the dims of a simulation: chain, draw (the rows), regimen, subject, time.

        Raises
        ------
        CalibrationError
            If some rows cannot be solved, with the first of them.
        """
        parts = []
        with threads(usable_cores()):
            for start in range(0, len(parameters), BATCH):
                rows = parameters[start : start + BATCH]
                full = np.concatenate([rows, np.repeat(rows[-1:], BATCH - len(rows), axis=0)])
                found = self.solve(*np.ascontiguousarray(full.T))
                parts.append([np.reshape(x, (BATCH, -1))[: len(rows)] for x in found])
        units = self.system.units()
        values = {}
        for name, pieces in zip(self.outputs, zip(*parts, strict=True), strict=True):
            array = np.concatenate(pieces)
            if not np.isfinite(array).all():
                bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
                point = ", ".join(f"{n}={x:.4g}" for n, x in zip(self.names, parameters[bad[0]], strict=True))
                raise CalibrationError(
                    f"{name} is not finite for {len(bad)} of {len(array)} sets of parameters, first at {point}. "
                    "Narrow the distributions, or look with solver_check at what fails."
                )
            dims = ("chain", "draw", "regimen", "subject", "time")
            values[name] = (dims, array[None, :, None, None, :], {"units": units[name]})
        return xr.Dataset(
            values, {"time": self.grid, "regimen": ["regimen"], "subject": ["typical"], "chain": [0]}
        )


def repeated(events: Events, n: int) -> Events:
    """Repeat the records of one subject for n subjects."""
    size = len(events.time)
    owner = np.repeat(np.arange(n), size)
    tiled: dict[str, Any] = {name: np.tile(events[name], n) for name in BY_RECORD}
    return replace(
        events,
        subjects=tuple(str(k) for k in range(n)),
        subject=owner,
        occasion=owner,
        occasion_subject=np.arange(n),
        rows={
            name: (rows[None] + size * np.arange(n)[:, None]).ravel() for name, rows in events.rows.items()
        },
        DV={name: np.tile(values, n) for name, values in events.DV.items()},
        covariates={},
        **tiled,
    )
