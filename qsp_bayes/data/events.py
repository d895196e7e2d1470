"""Events: the records of a study as flat arrays, which is all that a solver sees of the data.

Records stand one after the other, subject by subject, in file order. The arrays are numpy arrays when they
come from `Study.events` and `pm.Data` variables when they come from `Study.as_pymc_data`, so that a new
design can be set on a built model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Events:
    """Flat records of a batch of subjects.

    Attributes
    ----------
    subjects : tuple of str
        Subject labels; `subject` holds positions in it.
    compartments, outputs : tuple of str
        Names that `compartment` and `output` point into. ``-1`` points nowhere.
    carry : {"nocb", "locf"}
        Whether parameters and covariates at a record apply back to the previous record (next observation
        carried backward, NONMEM's convention) or forward to the next one.
    subject, time, evid, compartment, amount, rate, duration, interval, additional, steady_state, occasion,
    output
        One entry per record (dim ``record``). `rate` keeps NONMEM's -1 (modelled rate) and -2 (modelled
        duration); `duration` is 0 where the file states none, or a rate too; `interval` is II, `additional`
        is ADDL, `steady_state` is SS. `occasion` is the position of the record's (subject, occasion) pair in
        `occasions`.
    occasion_subject : array of int
        The subject position of each (subject, occasion) pair (dim ``occasion``).
    rows : mapping of str to array of int
        For each output, the positions of the records that hold an observation of it (dim ``obs_<output>``).
    DV : mapping of str to array of float
        For each output, the observed values, aligned with `rows`.
    covariates : mapping of str to array of float
        Covariates by record (dim ``record``), already carried to every record.
    """

    subjects: tuple[str, ...]
    compartments: tuple[str, ...]
    outputs: tuple[str, ...]
    subject: Any
    time: Any
    evid: Any
    compartment: Any
    amount: Any
    rate: Any
    duration: Any
    interval: Any
    additional: Any
    steady_state: Any
    occasion: Any
    output: Any
    occasion_subject: Any
    rows: Mapping[str, Any]
    DV: Mapping[str, Any]
    covariates: Mapping[str, Any] = field(default_factory=dict)
    carry: Literal["nocb", "locf"] = "nocb"

    def __getitem__(self, name: str) -> Any:
        """Give a field by name, as in ``events["DV"]["Cc"]``."""
        return getattr(self, name)
