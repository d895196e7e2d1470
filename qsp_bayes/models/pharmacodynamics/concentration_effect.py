"""Concentration-effect relations, which the mechanisms of this package share.

========= =========================================== ======================================
relation  effect f(C)                                 parameters
========= =========================================== ======================================
linear    slope C                                     slope
emax      Emax C / (EC50 + C)                         Emax, EC50
sigmoid   Emax (C/EC50)^gamma / (1 + (C/EC50)^gamma)  Emax, EC50, gamma
========= =========================================== ======================================

What inhibits has Imax, between 0 and 1, and IC50 in the place of Emax and EC50.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.power import power

RELATIONS = ("linear", "emax", "sigmoid")
DIRECTIONS = ("stimulation", "inhibition")


@dataclass(frozen=True, eq=False)
class ConcentrationEffect:
    """What a concentration does: parameters with their units and scales, and f as a function of `s`."""

    parameters: Mapping[str, str]
    scales: Mapping[str, str]
    value: Callable[[Any], Any]


def concentration_effect(
    relation: str,
    driver: str,
    driver_unit: str,
    *,
    effect_unit: str = "",
    direction: str = "stimulation",
    fraction: bool = False,
) -> ConcentrationEffect:
    """Build a relation between a concentration and its effect.

    Parameters
    ----------
    relation : {"linear", "emax", "sigmoid"}
    driver, driver_unit : str
        The input that is the concentration, and its unit.
    effect_unit : str
        Unit of the effect; a fraction where left out.
    direction : {"stimulation", "inhibition"}
        Whether the largest effect is Emax, or Imax, which is a fraction.
    fraction : bool
        Whether Emax is a fraction as well, an efficacy.

    Raises
    ------
    MechanismError
        For an unknown relation or direction.

    Examples
    --------
    >>> concentration_effect("sigmoid", "Cc", "mg/L", direction="inhibition").parameters
    {'Imax': '', 'IC50': 'mg/L', 'gamma': ''}
    """
    if relation not in RELATIONS:
        raise MechanismError(f"relation {relation!r} is not known. Choose one of {', '.join(RELATIONS)}.")
    if direction not in DIRECTIONS:
        raise MechanismError(f"direction {direction!r} is not known. Choose one of {', '.join(DIRECTIONS)}.")
    if relation == "linear":
        slope = f"({effect_unit or '1'})/({driver_unit or '1'})"
        return ConcentrationEffect({"slope": slope}, {}, lambda s: s.slope * s[driver])
    inhibits = direction == "inhibition"
    largest, half = ("Imax", "IC50") if inhibits else ("Emax", "EC50")
    parameters = {largest: "" if inhibits else effect_unit, half: driver_unit}
    scales = {largest: "logit"} if inhibits or fraction else {}
    if relation == "emax":
        return ConcentrationEffect(
            parameters, scales, lambda s: s[largest] * s[driver] / (s[half] + s[driver])
        )

    def sigmoid(s: Any) -> Any:
        ratio = power(s[driver] / s[half], s.gamma)
        return s[largest] * ratio / (1 + ratio)

    return ConcentrationEffect(parameters | {"gamma": ""}, scales, sigmoid)
