"""The numeric columns of a file, with EVID, MDV and CENS derived where they are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qsp_bayes.data.cells import Cells
from qsp_bayes.data.words import counted


@dataclass(frozen=True)
class RecordColumns:
    """The numeric columns of a file, one entry per record; NaN in AMT and `MDV_given` is a missing cell."""

    subject: np.ndarray
    TIME: np.ndarray
    EVID: np.ndarray
    AMT: np.ndarray
    RATE: np.ndarray
    DUR: np.ndarray
    II: np.ndarray
    ADDL: np.ndarray
    SS: np.ndarray
    MDV: np.ndarray
    MDV_given: np.ndarray
    DV: np.ndarray
    CENS: np.ndarray
    LIMIT: np.ndarray

    @property
    def dose(self) -> np.ndarray:
        """Records that give a dose."""
        return np.isin(self.EVID, (1, 4))

    @property
    def observed(self) -> np.ndarray:
        """Records that hold an observation."""
        return (self.EVID == 0) & (self.MDV == 0)

    @property
    def going_back(self) -> np.ndarray:
        """Records earlier than the record of the same subject before them."""
        back = np.zeros(len(self.TIME), dtype=bool)
        back[1:] = (self.subject[1:] == self.subject[:-1]) & (self.TIME[1:] < self.TIME[:-1])
        return back

    @property
    def constant_infusion(self) -> np.ndarray:
        """Infusions that have run for ever: SS=1, AMT=0, RATE>0, II=0."""
        return self.dose & (self.SS == 1) & (self.AMT == 0) & (self.RATE > 0) & (self.II == 0)


def record_columns(cells: Cells, subject: np.ndarray) -> tuple[RecordColumns, list[str]]:
    """Read the numeric columns and derive EVID, MDV and CENS where they are missing."""
    amount, rate, duration = cells.numbers("AMT"), cells.numbers("RATE", 0.0), cells.numbers("DUR", 0.0)
    steady_state = cells.whole_numbers("SS", "0, 1 or 2")
    value = cells.numbers("DV")
    mdv_given = cells.whole_numbers("MDV", "0 or 1", absent=np.nan)
    evid = cells.whole_numbers("EVID", "0, 1, 2, 3 or 4", absent=np.nan)
    doses = (np.nan_to_num(amount) != 0) | (rate != 0) | (steady_state != 0)
    evid = np.where(np.isnan(evid), np.where(doses, 1.0, np.where(mdv_given == 1, 2.0, 0.0)), evid)

    notes = []
    censored = cells.whole_numbers("CENS", "-1, 0 or 1", absent=0.0)
    if "LLOQ" in cells:
        lower = cells.numbers("LLOQ")
        if "CENS" not in cells:
            censored = np.where((evid == 0) & (value < lower), 1.0, 0.0)
            notes.append(f"{counted(int(censored.sum()), 'observation')} below LLOQ taken as censored")
        value = np.where((censored == 1) & ~np.isnan(lower), lower, value)
    mdv = np.where(np.isnan(mdv_given), np.where((evid == 0) & ~np.isnan(value), 0.0, 1.0), mdv_given)
    # A missing value that is marked as censored must be reported, not taken for an absent observation.
    mdv = np.where(np.isnan(mdv_given) & (evid == 0) & (censored != 0), 0.0, mdv)
    without_value = int(((evid == 0) & (mdv == 1) & np.isnan(mdv_given)).sum())
    if without_value:
        notes.append(
            f"{counted(without_value, 'record')} with EVID 0 and no DV taken as no observation (MDV 1)"
        )
    columns = RecordColumns(
        subject=subject,
        TIME=cells.numbers("TIME"),
        EVID=evid,
        AMT=amount,
        RATE=rate,
        DUR=duration,
        II=cells.numbers("II", 0.0),
        ADDL=cells.whole_numbers("ADDL", "a whole number"),
        SS=steady_state,
        MDV=mdv,
        MDV_given=mdv_given,
        DV=value,
        CENS=censored,
        LIMIT=cells.numbers("LIMIT"),
    )
    return columns, notes
