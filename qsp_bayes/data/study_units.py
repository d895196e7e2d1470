"""StudyUnits: the unit of everything a study holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import UnitsError
from qsp_bayes.units import parse_unit, registry, require_same_unit


@dataclass(frozen=True)
class StudyUnits:
    """Units of time, dose amounts, outputs and covariates.

    Parameters
    ----------
    time : str
        Unit of TIME, DUR and II.
    amount : str
        Unit of AMT; RATE is in `amount` per `time`.
    outputs, covariates : mapping of str to str
        Unit of each; ``""`` for a number without unit.

    Raises
    ------
    UnitsError
        If a unit is unknown, or `time` is no unit of time.

    Examples
    --------
    >>> StudyUnits("h", "mg", {"Cc": "mg/L"}).rate
    'mg/h'
    """

    time: str
    amount: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    covariates: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not registry.Quantity(1, parse_unit(self.time, "TIME")).check("[time]"):
            raise UnitsError(f"TIME: {self.time!r} is not a unit of time. Write 'h', 'min' or 'day'.")
        parse_unit(self.amount, "AMT")
        for name, unit in (*self.outputs.items(), *self.covariates.items()):
            parse_unit(unit, name)
        object.__setattr__(self, "outputs", MappingProxyType(dict(self.outputs)))
        object.__setattr__(self, "covariates", MappingProxyType(dict(self.covariates)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied; the plain mappings can.
        return StudyUnits, (self.time, self.amount, dict(self.outputs), dict(self.covariates))

    @property
    def rate(self) -> str:
        """Unit of infusion rates."""
        return f"{self.amount or '1'}/{self.time}"

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping, for metadata."""
        return {
            "time": self.time,
            "amount": self.amount,
            "outputs": dict(self.outputs),
            "covariates": dict(self.covariates),
        }


def units_of_columns(
    units: Mapping[str, Any], columns: Iterable[str], outputs: tuple[str, ...], covariates: tuple[str, ...]
) -> StudyUnits:
    """Turn units by column, as ``{"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"}``, into `StudyUnits`.

    Raises
    ------
    UnitsError
        If TIME, DV, or AMT of a study with doses has no unit; if a unit is given to a column that is not
        there; if the units of RATE, DUR, II, LIMIT or LLOQ contradict those of AMT, TIME and DV.
    """
    given = {str(column).upper(): unit for column, unit in units.items()}
    present = set(columns)
    for column in given:
        if column not in present:
            raise UnitsError(
                f"units: there is no column {column!r}{close_names(column, present)}. "
                f"Columns are {', '.join(sorted(present))}."
            )
    for column in ("TIME", "DV", *(("AMT",) if "AMT" in present else ())):
        if column not in given:
            raise UnitsError(f"units: column {column} has no unit. Add units={{..., {column!r}: '...'}}.")
    of_outputs = given["DV"] if isinstance(given["DV"], Mapping) else dict.fromkeys(outputs, given["DV"])
    if set(of_outputs) != set(outputs):
        raise UnitsError(
            f"units: DV has units for {', '.join(sorted(of_outputs))}; the outputs are {', '.join(outputs)}. "
            "Give each output its unit: units={'DV': {'Cc': 'mg/L', ...}}."
        )
    study = StudyUnits(
        time=given["TIME"],
        amount=given.get("AMT", ""),
        outputs={name: of_outputs[name] for name in outputs},
        covariates={name: given.get(name, "") for name in covariates},
    )
    for column, want in (("RATE", study.rate), ("DUR", study.time), ("II", study.time)):
        if column in given:
            require_same_unit(given[column], want, f"column {column}")
    for column in ("LIMIT", "LLOQ"):
        for unit in study.outputs.values() if column in given else ():
            require_same_unit(given[column], unit, f"column {column}")
    return study
