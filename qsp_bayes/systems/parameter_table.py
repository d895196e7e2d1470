"""Parameters and covariates spread to one table: a row for each subject, occasion or record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from qsp_bayes.data.events import Events
from qsp_bayes.errors import SolverError
from qsp_bayes.ode.take import Take

Level = Literal["scalar", "subject", "occasion", "record"]
LEVELS: tuple[Level, ...] = ("scalar", "subject", "occasion", "record")
"""From coarse to fine."""


@dataclass(frozen=True, eq=False)
class ParameterTable:
    """Parameters and covariates at the finest level at which any of them varies.

    Attributes
    ----------
    values : dict of str to variable
        0-d where the quantity is the same for all, otherwise one entry per row.
    level : str
        What a row is.
    row : (record,) int
        The row that holds at each record.
    """

    values: Mapping[str, Variable]
    level: Level
    row: Variable

    @classmethod
    def build(cls, events: Events, values: Mapping[str, Any], levels: Mapping[str, Level]) -> ParameterTable:
        """Spread every quantity to the rows of the finest level."""
        tensors = {name: pt.as_tensor_variable(value, dtype="float64") for name, value in values.items()}
        own = {name: level_of(name, tensor, levels) for name, tensor in tensors.items()}
        finest: Level = max(own.values(), key=LEVELS.index, default="scalar")
        subject, occasion = pt.as_tensor_variable(events.subject), pt.as_tensor_variable(events.occasion)
        row = {
            "scalar": lambda: pt.zeros_like(subject),
            "subject": lambda: subject,
            "occasion": lambda: occasion,
            "record": lambda: pt.arange(subject.shape[0], dtype="int64"),
        }[finest]()
        spread: dict[tuple[Level, Level], Any] = {
            ("subject", "occasion"): events.occasion_subject,
            ("subject", "record"): subject,
            ("occasion", "record"): occasion,
        }
        return cls(
            {
                name: tensor if own[name] in ("scalar", finest) else Take()(tensor, spread[own[name], finest])
                for name, tensor in tensors.items()
            },
            finest,
            row,
        )

    def at(self, rows: Variable | None = None) -> dict[str, Variable]:
        """Return the quantities at some records (at all of them by default)."""
        index = self.row if rows is None else self.row[rows]
        if self.level == "record" and rows is None:
            return dict(self.values)
        return {
            name: value if value.ndim == 0 else Take()(value, index) for name, value in self.values.items()
        }


def level_of(name: str, tensor: Variable, levels: Mapping[str, Level]) -> Level:
    """Level at which a quantity varies: as stated, else "scalar" or "subject" by its number of dimensions."""
    if tensor.ndim > 1:
        raise SolverError(
            f"parameter {name!r} has {tensor.ndim} dimensions; give a scalar or one value per row."
        )
    if tensor.ndim == 0:
        return "scalar"
    level = levels.get(name, "subject")
    if level not in LEVELS[1:]:
        raise SolverError(f"parameter {name!r}: level {level!r} is not one of {', '.join(LEVELS[1:])}.")
    return level
