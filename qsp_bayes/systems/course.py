"""The course of a system in one individual: its outputs at given times, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytensor
import xarray as xr

from qsp_bayes.data.events import Events
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.errors import MechanismError, SolverError
from qsp_bayes.systems.scope import unknown_name

if TYPE_CHECKING:
    from qsp_bayes.ode.solvers import Solver
    from qsp_bayes.systems.system import System

SUBJECT = "1"


def course(
    system: System,
    params: Mapping[str, float],
    times: Iterable[float],
    regimen: Regimen | None = None,
    *,
    outputs: Sequence[str] | None = None,
    inputs: Mapping[str, float] | None = None,
    solver: Solver | None = None,
) -> xr.Dataset:
    """Solve a system for one individual (see `System.course`)."""
    outputs = tuple(system.outputs if outputs is None else outputs)
    if not outputs:
        raise MechanismError(f"system {system.name!r} has no output to follow. Declare one in `outputs`.")
    for name in outputs:
        if name not in system.outputs:
            raise unknown_name(name, {"outputs": system.outputs}, f"system {system.name!r}")
    grid = np.asarray(list(times), dtype=np.float64)
    events = undosed(grid, outputs) if regimen is None else dosed(system, regimen, grid, outputs)
    covariates = {name: np.full(events.time.size, float(x)) for name, x in (inputs or {}).items()}
    path = system.solve(events, dict(params), covariates=covariates, solver=solver)
    status = path.status()
    *found, code, time, state = pytensor.function(
        [], [*(path[name] for name in outputs), *status.variables], mode="NUMBA"
    )()
    failures = status.failures((SUBJECT,), code, time, state)
    if failures:
        raise SolverError(f"system {system.name!r}: {failures[0].describe(system.time_unit)}")
    units = system.units()
    values = {
        name: ("time", np.asarray(x), {"units": units[name]}) for name, x in zip(outputs, found, strict=True)
    }
    return xr.Dataset(values, {"time": ("time", grid, {"units": system.time_unit})})


def dosed(system: System, regimen: Regimen, grid: np.ndarray, outputs: Sequence[str]) -> Events:
    """Give the events of a regimen, in the units of the system."""
    for compartment in regimen.compartments:
        if compartment not in system.doses:
            raise MechanismError(
                f"the regimen doses into {compartment!r}, but system {system.name!r} takes doses into "
                f"{', '.join(system.doses) or 'no compartment'}."
            )
    (amount,) = {system.states[system.doses[name][0].state] for name in regimen.compartments}
    units = system.units()
    plan = StudyUnits(system.time_unit, amount, {name: units[name] for name in outputs})
    return planned_study(regimen, pd.DataFrame(index=[SUBJECT]), grid, units=plan).events()


def undosed(grid: np.ndarray, outputs: Sequence[str]) -> Events:
    """Give observations of every output at every time, and nothing else."""
    if grid.size == 0 or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise MechanismError("times are at least one, increasing; correct them.")
    n, m = grid.size, len(outputs)
    whole, real = np.zeros(n * m, np.int64), np.zeros(n * m)
    output = np.tile(np.arange(m), n)
    return Events(
        subjects=(SUBJECT,),
        compartments=(),
        outputs=tuple(outputs),
        subject=whole,
        time=np.repeat(grid, m),
        evid=whole,
        compartment=whole - 1,
        amount=real,
        rate=real,
        duration=real,
        interval=real,
        additional=whole,
        steady_state=whole,
        occasion=whole,
        output=output,
        occasion_subject=np.zeros(1, np.int64),
        rows={name: np.flatnonzero(output == k) for k, name in enumerate(outputs)},
        DV={name: np.full(n, np.nan) for name in outputs},
    )
