"""Provenance: where the numbers of a study come from, and what a reader must know before trusting them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """Where a study comes from.

    Attributes
    ----------
    source : tuple of str
        Publications.
    package : str
        Where the numbers were taken from.
    license : str
        Terms under which they may be passed on.
    route : str
        How the drug was given.
    notes : tuple of str
        Facts worth knowing, among them what reading the file had to do.
    caveats : tuple of str
        What limits the conclusions.
    assumed : tuple of str
        Columns whose values are assumed, not reported.
    excluded : tuple of str
        What was left out, and why.
    file, sha256 : str
        The file read and its checksum.
    """

    source: tuple[str, ...] = ()
    package: str = ""
    license: str = ""
    route: str = ""
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""
