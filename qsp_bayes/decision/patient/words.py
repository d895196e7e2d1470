"""Words about a patient: how the posterior was obtained, and what stands in its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

LARGEST_RHAT = 1.01
FEW_EFFECTIVE = 400
"""Effective draws that quantiles and their standard errors need (Vehtari 2021)."""
SURPRISING = 0.001
"""Tail probability of a level, shared by all levels of the patient, below which it is questioned."""


def how_obtained(facts: Mapping[str, Any]) -> str:
    """Say how a posterior was obtained.

    Examples
    --------
    >>> how_obtained({"way": "prior"})
    "There are no levels yet: this is the prediction of the population for the patient's covariates."
    """
    if facts["way"] == "prior":
        return (
            "There are no levels yet: this is the prediction of the population for the patient's covariates."
        )
    weights = (
        f"Pareto k {number(facts['pareto_k'])}, {facts['importance_ess']:.0f} effective of "
        f"{facts['proposals']} proposals"
    )
    if facts["way"] == "importance":
        stages = facts["stages"]
        learned = f", improved {stages} {'time' if stages == 1 else 'times'}" if stages else ""
        return f"Importance resampling from the posterior of the population ({weights}{learned})."
    with_study = facts["way"] == "NUTS with the study"
    return (
        f"NUTS, {'study and patient together' if with_study else 'the population taken as normal'}, because "
        f"importance sampling could not be trusted ({weights}). Largest R-hat {facts['rhat']:.3f}."
    )


def cautions_of(facts: Mapping[str, Any], levels: pd.DataFrame) -> tuple[str, ...]:
    """Say what a posterior cannot tell, and which levels are hard to believe."""
    found = []
    if facts["way"] == "NUTS, normal population":
        found.append(
            "The posterior of the population was replaced by a normal distribution on its unconstrained scale: "
            "pass study= for the exact posterior."
        )
    if facts.get("rhat", 1.0) > LARGEST_RHAT:
        found.append(f"The chains have not converged (R-hat {facts['rhat']:.3f}): ask for more draws.")
    if facts["way"] == "importance" and facts["importance_ess"] < FEW_EFFECTIVE:
        found.append(
            f"Only {facts['importance_ess']:.0f} proposals are effective: intervals are rough. A fit with more "
            "draws, or one that knows the population better, gives more."
        )
    if facts.get("unsolved", 0):
        found.append(
            f"The system could not be solved for up to {facts['unsolved']} of {facts['proposals']} proposals, which "
            "were taken as impossible: another solver, or tighter priors, may be needed."
        )
    if facts.get("diverging", 0):
        found.append(f"NUTS diverged in {facts['diverging']} draws: the posterior may be incomplete.")
    for row in levels.itertuples():
        if row.tail_probability < SURPRISING / len(levels):
            shown = f"{row.tail_probability:.1g}"
            probability = f"of {shown}" if row.tail_probability > 0 else "too small for the draws to show"
            found.append(
                f"{row.output} {row.observed:g} at {row.time:g} is hard to believe in this population: levels as far "
                f"from what is expected have a probability {probability}. Check the doses, their times and the assay."
            )
    return tuple(found)


def number(k: float | str) -> str:
    """Print a Pareto k."""
    return k if isinstance(k, str) else f"{k:.2f}"
