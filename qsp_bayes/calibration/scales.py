"""Scales on which parameters vary: log, logit, identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt


@dataclass(frozen=True)
class Scale:
    """A link and its inverse: ``parameter = inverse(link(typical value) + effects)``."""

    link: Callable[[Any], Any]
    inverse: Callable[[Any], Any]

    def unit_of_effects(self, unit: str) -> str:
        """Give the unit of standard deviations and effects on this scale, for a parameter of the given unit."""
        return unit if self is SCALES["identity"] else ""


SCALES: dict[str, Scale] = {
    "log": Scale(pt.log, pt.exp),
    "logit": Scale(lambda p: pt.log(p) - pt.log1p(-p), pt.sigmoid),
    "identity": Scale(lambda x: x, lambda x: x),
}
