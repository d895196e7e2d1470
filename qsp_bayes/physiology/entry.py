"""Entry: one figure of a species file as it is written there, with what other sources say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.units import conversion_factor

KEYS = ("value", "unit", "source", "other", "sd_log", "remark", "doubtful")
OTHER_KEYS = ("value", "unit", "source")

Convert = Callable[[float, str], float]


@dataclass(frozen=True)
class Entry:
    r"""One table of a species file.

    The figure is `value`; its spread is the standard deviation of the logarithms of `value` and of what `other`
    sources say, or `sd_log` where the source itself gives a greater one:

    .. math:: \mathrm{sd\_log}^2 = \frac{1}{n-1}\sum_i (\log x_i - \overline{\log x})^2

    Parameters
    ----------
    where : str
        File and table, for messages.
    value : float
    unit : str
    source : tuple of str
        Full publications.
    other : tuple of (float, str)
        Values of other sources, each with its unit.
    sd_log : float
    remark, doubtful : str
        What to know, and why it should not be relied on.
    """

    where: str
    value: float
    unit: str
    source: tuple[str, ...]
    other: tuple[tuple[float, str], ...] = ()
    sd_log: float = 0.0
    remark: str = ""
    doubtful: str = ""

    def figure(self, convert: Convert, unit: str) -> Figure:
        """Return the figure in the unit that `convert` leads to."""
        try:
            values = [convert(value, own) for value, own in ((self.value, self.unit), *self.other)]
        except UnitsError as error:
            raise MechanismError(f"{self.where}, key unit: {error}") from None
        spread = float(np.std(np.log(values), ddof=1)) if len(values) > 1 else 0.0
        doubt = f"Doubtful: {self.doubtful}" if self.doubtful else ""
        remark = ". ".join(part for part in (self.remark, doubt) if part)
        return Figure(values[0], unit, "; ".join(self.source), max(spread, self.sd_log), remark)


def read_entry(table: Any, where: str, sources: Mapping[str, str]) -> Entry:
    """Read one table, refusing keys that are unknown or missing, and sources that are not listed.

    Raises
    ------
    MechanismError
        Naming file, table and key.
    """
    if not isinstance(table, dict):
        raise MechanismError(f"{where}: expected a table with value, unit and source; got {table!r}.")
    check_keys(table, KEYS, ("value", "unit", "source"), where)
    names = [table["source"]] if isinstance(table["source"], str) else list(table["source"])
    listed = list(table.get("other", []))
    for row in listed:
        check_keys(row, OTHER_KEYS, ("value", "source"), f"{where}, key other")
    for name in (*names, *(row["source"] for row in listed)):
        if name not in sources:
            raise MechanismError(
                f"{where}, key source: {name!r} is not in [sources]{close_names(name, sources)}. "
                f"Add the publication there; it has {', '.join(sources)}."
            )
    for row in (table, *listed):
        if not (isinstance(row["value"], int | float) and row["value"] > 0):
            raise MechanismError(f"{where}, key value: expected a positive number; got {row['value']!r}.")
    if not table.get("sd_log", 0) >= 0:
        raise MechanismError(f"{where}, key sd_log: expected 0 or more; got {table['sd_log']!r}.")
    others = tuple((float(row["value"]), str(row.get("unit", table["unit"]))) for row in listed)
    cited = dict.fromkeys([*names, *(row["source"] for row in listed)])
    return Entry(
        where,
        float(table["value"]),
        table["unit"],
        tuple(sources[name] for name in cited),
        others,
        **{key: table[key] for key in ("sd_log", "remark", "doubtful") if key in table},
    )


def check_keys(table: Mapping[str, Any], known: Iterable[str], needed: Iterable[str], where: str) -> None:
    """Raise for a key that is not known, or one that is missing."""
    known = tuple(known)
    for key in table:
        if key not in known:
            raise MechanismError(
                f"{where}, key {key}: not known{close_names(key, known)}. Keys are {', '.join(known)}."
            )
    for key in needed:
        if key not in table:
            raise MechanismError(f"{where}, key {key}: missing. Add it.")


def converter(wanted: Mapping[str, float]) -> Convert:
    """Return a function that converts to one unit, from any of those `wanted` with the factor it stands for.

    Examples
    --------
    >>> to_litres_per_hour = converter({"L/h": 1.0, "": 6.0})  # a share is one of 6 L/h
    >>> to_litres_per_hour(50.0, "mL/min"), to_litres_per_hour(25.0, "percent")
    (3.0, 1.5)
    """

    def convert(value: float, unit: str) -> float:
        for reachable, factor in wanted.items():
            own = conversion_factor(unit, reachable)
            if own is not None:
                return value * own * factor
        raise UnitsError(
            f"{unit!r} cannot be converted. Use a unit such as {', '.join(repr(unit) for unit in wanted)}."
        )

    return convert
