"""The organs of a body, as every part of physiology and of whole-body models names them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

ORGANS = (
    "lung",
    "heart",
    "brain",
    "muscle",
    "adipose",
    "skin",
    "bone",
    "kidney",
    "gut",
    "spleen",
    "pancreas",
    "liver",
    "rest",
)
"""All organs; the rest is what the others leave of body weight and of cardiac output."""

PORTAL = ("gut", "spleen", "pancreas")
"""Organs whose blood goes on to the liver through the portal vein."""

ARTERIAL = (*(organ for organ in ORGANS if organ not in ("lung", "liver")), "hepatic_artery")
"""What arterial blood flows through; these flows add up to cardiac output."""

Kind = Literal["volume", "flow"]

SCALARS: MappingProxyType[str, str] = MappingProxyType(
    {
        "body_weight": "kg",
        "cardiac_output": "L/h",
        "blood_volume": "L",
        "haematocrit": "",
        "arterial_fraction": "",
        "GFR": "L/h",
        "plasma_albumin": "g/L",
        "plasma_AGP": "g/L",
        "microsomal_protein": "mg/g",
        "hepatocellularity": "1/g",
    }
)
"""Figures that belong to no organ, with the unit they are kept in."""


def scaling_of(name: str) -> Kind | None:
    """Say whether a figure scales with body weight as volumes do, as flows do, or not at all.

    Examples
    --------
    >>> scaling_of("V_liver"), scaling_of("Q_kidney"), scaling_of("GFR"), scaling_of("haematocrit")
    ('volume', 'flow', 'flow', None)
    """
    if name.startswith("V_") or name == "blood_volume":
        return "volume"
    if name.startswith("Q_") or name in ("cardiac_output", "GFR"):
        return "flow"
    return None
