"""EscalationDecision: the dose of the next cohort, or why the trial stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from qsp_bayes.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class EscalationDecision(Result):
    """A decision between two cohorts.

    Attributes
    ----------
    dose : str or None
        For the next cohort; None where the trial stops.
    stop : str or None
        Why it stops.
    backfill : dict of str to int
        Subjects to treat at lower doses beside the cohort.
    why : str
        What decided.
    table : pandas.DataFrame
        One row for each dose: ``p_dlt``, its 90 % interval, ``p_mtd`` and ``p_above_mtd``.
    """

    dose: str | None
    stop: str | None
    backfill: Mapping[str, int]
    why: str
    table: pd.DataFrame

    @property
    def marked(self) -> list[str]:
        """The dose of the next cohort."""
        return [] if self.dose is None else [self.dose]

    def summary(self) -> str:
        """State the decision and its reason."""
        if self.dose is None:
            return f"The trial stops ({self.stop})."
        row = self.table.loc[self.dose]
        beside = "".join(f" Beside it, {n} subjects at {dose}." for dose, n in self.backfill.items())
        return (
            f"Next cohort: {self.dose} ({self.why}). P(DLT) there is {row['p_dlt']:.2f} (90 % interval "
            f"{row['q05']:.2f} to {row['q95']:.2f}); it is above the MTD with probability "
            f"{row['p_above_mtd']:.2f}.{beside}"
        )
