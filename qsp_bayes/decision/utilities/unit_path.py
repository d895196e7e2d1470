"""UnitPath: the unit of a path and of every measure of it."""

from __future__ import annotations

from dataclasses import dataclass

import pint

from qsp_bayes.decision.measures.path import Path
from qsp_bayes.decision.utilities.quantity import Quantity
from qsp_bayes.units import parse_unit, require_same_unit

HOUR = parse_unit("h")


@dataclass(frozen=True, eq=False)
class UnitPath(Quantity, Path):
    """A path of which only the unit is known; arithmetic gives another path, a measure gives a `Quantity`.

    Parameters
    ----------
    unit, text, ratio
        See `Quantity`.
    time : pint.Unit
        Unit of time.
    """

    time: pint.Unit = HOUR

    def require_unit(self, unit: str, where: str) -> None:
        """Require the unit that a threshold is given in."""
        require_same_unit(unit, self.spelled, where)

    def duration(self) -> Quantity:
        """Span of time, in its unit."""
        return Quantity(self.time, f"duration({self.text})")

    def time_within(self, low: float, high: float) -> Quantity:
        """Time, in its unit."""
        return Quantity(self.time, f"time_within({self.text}, {low:g}, {high:g})")

    def auc(self) -> Quantity:
        """Area, in the unit of the path times that of time."""
        return Quantity(self.unit * self.time, f"auc({self.text})", self.ratio)

    def cmax(self) -> Quantity:
        """Largest value, in the unit of the path."""
        return Quantity(self.unit, f"cmax({self.text})", self.ratio)

    def cmin(self) -> Quantity:
        """Smallest value, in the unit of the path."""
        return Quantity(self.unit, f"cmin({self.text})", self.ratio)

    def value_at(self, time: float | None) -> Quantity:
        """Value at a time, in the unit of the path."""
        when = "" if time is None else f", {time:g}"
        return Quantity(self.unit, f"value_at({self.text}{when})", self.ratio)
