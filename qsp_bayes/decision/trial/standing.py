"""Standing: where an escalation stands between two cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.participant import Participant


@dataclass(frozen=True, eq=False)
class Standing:
    """What rules look at.

    Attributes
    ----------
    known : DoseToxicity
        The posterior of the toxicity at each dose.
    start : int
        Position of the dose of the first cohort.
    treated, backfilled, dlts : array, (dose,)
        Subjects of the escalation, subjects beside it, and toxicities of both.
    cohorts : int
        Completed cohorts.
    """

    known: DoseToxicity
    start: int
    treated: np.ndarray
    backfilled: np.ndarray
    dlts: np.ndarray
    cohorts: int

    @classmethod
    def of(
        cls, known: DoseToxicity, start: int, participants: Sequence[Participant], cohorts: int
    ) -> Standing:
        """Count the participants by dose."""
        doses = list(known.doses)
        at = np.array([doses.index(p.dose) for p in participants], int)
        beside = np.array([p.backfill for p in participants], bool)
        dlt = np.array([p.dlt == 1.0 for p in participants], bool)
        treated, backfilled, dlts = (
            np.bincount(at[which], minlength=len(doses)) for which in (~beside, beside, dlt)
        )
        return cls(known, start, treated, backfilled, dlts, cohorts)

    @property
    def highest(self) -> int:
        """Position of the highest dose that a cohort has completed, -1 before the first."""
        return int(np.max(np.flatnonzero(self.treated), initial=-1))
