"""Lumping: some organs made part of another, for systems that have fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.organs import ARTERIAL, PORTAL
from qsp_bayes.physiology.physiology import Physiology

LUMPABLE = tuple(organ for organ in ARTERIAL if organ != "hepatic_artery")


def lump(physiology: Physiology, into: str, organs: Sequence[str]) -> Physiology:
    """Return the body with `organs` made part of `into`.

    Raises
    ------
    MechanismError
        For an organ that there is not, and for lung and liver.
    """
    for organ in (into, *organs):
        if organ not in LUMPABLE or f"V_{organ}" not in physiology.known:
            raise MechanismError(
                f"{physiology.title}: {organ!r} cannot be lumped{close_names(organ, LUMPABLE)}. "
                f"Choose among {', '.join(name for name in LUMPABLE if f'V_{name}' in physiology.known)}."
            )
    if not organs or into in organs or len(set(organs)) < len(organs):
        raise MechanismError(
            f"{physiology.title}: lump other organs into {into!r}, each once; got {organs!r}."
        )
    known, members = dict(physiology.known), (into, *organs)
    for pattern in ("V_{}", "V_{}_vascular", "Q_{}"):
        known[pattern.format(into)] = total([known[pattern.format(organ)] for organ in members])
        for organ in organs:
            del known[pattern.format(organ)]
    volumes = [physiology.known[f"V_{organ}"].value for organ in members]
    densities = dict(physiology.densities)
    densities[into] = float(np.average([densities[organ] for organ in members], weights=volumes))
    inflow = [f"Q_{name}" for name in (*PORTAL, "hepatic_artery") if f"Q_{name}" in known]
    known["Q_liver"] = total([known[name] for name in inflow])
    doubtful = {name: why for name, why in physiology.doubtful.items() if name in known}
    return replace(physiology, known=known, densities=densities, doubtful=doubtful)


def total(figures: Sequence[Figure]) -> Figure:
    """Add figures up; their absolute errors are taken as independent."""
    value = sum(figure.value for figure in figures)
    spread = float(np.hypot.reduce([figure.value * figure.sd_log for figure in figures])) / value
    sources = dict.fromkeys(part for figure in figures for part in figure.source.split("; "))
    return Figure(value, figures[0].unit, "; ".join(sources), spread)
