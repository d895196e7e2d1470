"""Figure: a published number with its unit, its source, and how far sources differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qsp_bayes.errors import MechanismError


@dataclass(frozen=True)
class Figure:
    """A published number: value, unit, where it comes from, and how uncertain it is.

    Parameters
    ----------
    value : float
        Positive.
    unit : str
    source : str
        The publication, or the publications.
    sd_log : float
        Standard deviation of its logarithm: the spread between sources, methods or individuals. 0 where nothing is
        known of it.
    remark : str
        What a reader should know before relying on it.

    Raises
    ------
    MechanismError
        If the value is not a positive number, the spread is negative, or there is no source.

    Examples
    --------
    >>> Figure(1.8, "L", "ICRP Publication 89 (2002)", sd_log=0.1)
    1.8 L (sd_log 0.1; ICRP Publication 89 (2002))
    """

    value: float
    unit: str
    source: str
    sd_log: float = 0.0
    remark: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and self.value > 0):
            raise MechanismError(f"A figure must be a positive number; got {self.value} {self.unit}.")
        if not (np.isfinite(self.sd_log) and self.sd_log >= 0):
            raise MechanismError(f"The spread of a figure must be 0 or more; got sd_log {self.sd_log}.")
        if not self.source.strip():
            raise MechanismError(f"The figure {self.value:g} {self.unit} needs a source.")

    @classmethod
    def between(cls, values: Sequence[float], unit: str, source: str, remark: str = "") -> Figure:
        """Return the geometric mean of what sources or methods say, with their spread.

        Examples
        --------
        >>> Figure.between([1.0, 4.0], "", "two methods")
        2 (sd_log 0.98; two methods)
        """
        logs = np.log(np.asarray(values, dtype=float))
        spread = float(np.std(logs, ddof=1)) if logs.size > 1 else 0.0
        return cls(float(np.exp(np.mean(logs))), unit, source, spread, remark)

    def times(self, factor: float, unit: str) -> Figure:
        """Return it scaled, in another unit; the relative spread stays."""
        return Figure(self.value * factor, unit, self.source, self.sd_log, self.remark)

    def __repr__(self) -> str:
        number = f"{self.value:g} {self.unit}".rstrip()
        return f"{number} (sd_log {self.sd_log:.2g}; {self.source})"
