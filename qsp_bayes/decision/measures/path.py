"""Path: the course of an output over time, where it is something other than an array of numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Path(ABC):
    """What a measure of exposure is asked of when ``x["Cc"]`` is no `xarray.DataArray`.

    One utility, such as ``lambda x: time_within(x["Cc"], 10, 20)``, is thus read in several ways: with numbers it
    gives a value for each simulated individual, with a graph its derivatives by the doses, with units its unit.
    """

    @abstractmethod
    def duration(self) -> Any:
        """Span of time that the path covers."""

    @abstractmethod
    def time_within(self, low: float, high: float) -> Any:
        """Time that the path spends between two bounds, which may be infinite."""

    @abstractmethod
    def auc(self) -> Any:
        """Area under the path."""

    @abstractmethod
    def cmax(self) -> Any:
        """Largest value."""

    @abstractmethod
    def cmin(self) -> Any:
        """Smallest value."""

    @abstractmethod
    def value_at(self, time: float | None) -> Any:
        """Value at a time, before a dose given then; at the end where `time` is None."""

    def require_unit(self, unit: str, where: str) -> None:  # noqa: B027
        """Require the unit that a threshold is given in; a path that knows no units requires nothing.

        The unit of a utility is checked before, once, whatever it is then evaluated with.
        """
