"""Schedule: the doses and observation times of one subject, as a solver sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from qsp_bayes.data.event_arrays import NUMERIC_FIELDS
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.systems.system import System

FIELDS = (*NUMERIC_FIELDS, "compartment", "output")


@dataclass(frozen=True, eq=False)
class Schedule:
    """Records of one subject.

    Attributes
    ----------
    fields : dict of str to array
        The columns of `Events` by record.
    grid : dict of str to array of int
        Records that show each output along the times from which exposure is measured.
    samples : dict of str to array of int
        Records at which each output is observed.
    """

    fields: Mapping[str, np.ndarray]
    grid: Mapping[str, np.ndarray]
    samples: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        """Number of records."""
        return len(self.fields["time"])

    def scaled(self, factor: float) -> Schedule:
        """Give the same schedule with other amounts and rates."""
        changed = {name: self.fields[name] * factor for name in ("amount", "rate")}
        return replace(self, fields={**self.fields, **changed})


def units_of(system: System, outputs: Sequence[str], covariates: Mapping[str, str]) -> StudyUnits:
    """Give the units of a plan for a system."""
    first = next(iter(system.doses.values()))
    return StudyUnits(
        system.time_unit,
        system.states[first[0].state],
        {name: system.outputs[name].unit for name in outputs},
        covariates,
    )


def planned_schedules(
    system: System,
    regimen: Regimen,
    subjects: Subjects,
    times: np.ndarray,
    outputs: Sequence[str],
    samples: Mapping[str, np.ndarray],
) -> list[Schedule]:
    """Give the schedule of each subject under a regimen, observed at the planned times."""
    every = np.unique(np.concatenate([times, *samples.values()]))
    shown = [*outputs, *(name for name in samples if name not in outputs)]
    study = planned_study(
        regimen,
        subjects,
        every,
        units=units_of(system, shown, subjects.units),
        outputs=shown,
        compartments=list(system.doses),
    )
    events, size = study.events(), len(study.table) // len(subjects)
    own = {name: rows[: len(every)] for name, rows in events.rows.items()}
    grid = {name: own[name][np.searchsorted(every, times)] for name in outputs}
    sampled = {name: own[name][np.searchsorted(every, t)] for name, t in samples.items()}
    return [
        Schedule(
            {field: events[field][start : start + size].copy() for field in FIELDS},
            grid,
            sampled,
        )
        for start in range(0, len(study.table), size)
    ]


def observed_schedule(
    system: System, study: Study, subject: str, times: np.ndarray, outputs: Sequence[str]
) -> Schedule:
    """Give the schedule of a subject of a study: its own doses and samples, and the times of exposure.

    At the time of a dose the exposure is that before it, as in a planned study.
    """
    own = study.table[study.table["ID"] == subject]
    empty = own.iloc[[0] * (len(times) * len(outputs))].assign(
        TIME=np.repeat(times, len(outputs)), EVID=0, MDV=0, AMT=0.0, RATE=0.0, DUR=0.0, II=0.0, ADDL=0, SS=0,
        COMPARTMENT="", DV=np.nan, OUTPUT=np.tile(list(outputs), len(times)),
    )  # fmt: skip
    both = pd.concat([empty.assign(own=False), own.assign(own=True)], ignore_index=True)
    both = both.sort_values("TIME", kind="stable", ignore_index=True)
    names = tuple(dict.fromkeys([*outputs, *study.outputs]))
    events = replace(
        study, table=both.drop(columns="own"), outputs=names, compartments=tuple(system.doses)
    ).events()
    mine = both["own"].to_numpy()
    return Schedule(
        {field: events[field] for field in FIELDS},
        {name: rows[~mine[rows]] for name, rows in events.rows.items() if name in outputs},
        {name: rows[mine[rows]] for name, rows in events.rows.items() if name in study.outputs},
    )
