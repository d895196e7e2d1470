"""The gallery: every entry of the library with numbers to try it with, by chapter."""

from __future__ import annotations

from qsp_bayes.models import (
    compartments,
    networks,
    oscillators,
    pharmacodynamics,
    receptor,
    receptor_cascade,
    signalling,
)
from qsp_bayes.models.example import Example

CHAPTERS = {
    "Compartments, absorption and elimination": (compartments,),
    "Receptors": (receptor,),
    "Reaction networks and signalling": (networks, oscillators, signalling, receptor_cascade),
    "Pharmacodynamics": (pharmacodynamics,),
}
"""Modules whose entries each chapter shows."""


def gallery() -> dict[str, dict[str, Example]]:
    """Return the entries of the library by chapter and title.

    Examples
    --------
    >>> for chapter, entries in gallery().items():
    ...     print(f"{chapter}: {', '.join(entries)}")  # doctest: +ELLIPSIS
    Compartments, absorption and elimination: one compartment, two compartments, three compartments, ...
    """
    chapters: dict[str, dict[str, Example]] = {}
    for chapter, modules in CHAPTERS.items():
        chapters[chapter] = {title: entry for module in modules for title, entry in module.examples().items()}
    return chapters
