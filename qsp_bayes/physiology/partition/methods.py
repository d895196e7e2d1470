"""The methods of partition: a row of facts for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.partition.berezhkovskiy import berezhkovskiy
from qsp_bayes.physiology.partition.pk_sim import pk_sim
from qsp_bayes.physiology.partition.poulin_theil import poulin_theil
from qsp_bayes.physiology.partition.rodgers_rowland import remarks as rodgers_rowland_remarks
from qsp_bayes.physiology.partition.rodgers_rowland import rodgers_rowland
from qsp_bayes.physiology.partition.schmitt import PLASMA_PH, schmitt


@dataclass(frozen=True)
class Method:
    """One method: its function of drug and haematocrit, the kind of coefficient that it gives, and its table."""

    coefficients: Callable[[Drug, float], Mapping[str, float]]
    kind: str
    table: str
    remarks: Callable[[Drug, float], tuple[str, ...]] = lambda drug, haematocrit: ()


def membrane_remarks(drug: Drug, haematocrit: float) -> tuple[str, ...]:
    """Say that logP stands for a membrane affinity that was not measured."""
    if drug.logMA is not None:
        return ()
    ionised = drug.ionisation(PLASMA_PH).fraction_unionised < 0.5
    caution = ", which is too much for a drug that is mostly ionised" if ionised else ""
    return (f"membrane affinity taken as logP{caution}",)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "Poulin-Theil": Method(lambda drug, _: poulin_theil(drug), "tissue:plasma", "poulin_theil"),
        "Berezhkovskiy": Method(lambda drug, _: berezhkovskiy(drug), "tissue:plasma", "poulin_theil"),
        "Rodgers-Rowland": Method(rodgers_rowland, "unbound", "rodgers_rowland", rodgers_rowland_remarks),
        "Schmitt": Method(lambda drug, _: schmitt(drug), "unbound", "schmitt", membrane_remarks),
        "PK-Sim": Method(lambda drug, _: pk_sim(drug), "unbound", "pk_sim", membrane_remarks),
    }
)
"""Every method by name."""


def method_named(name: str) -> Method:
    """Return a method, or refuse a name that is none."""
    if name not in METHODS:
        raise MechanismError(f"There is no method of partition {name!r}. Choose one of {', '.join(METHODS)}.")
    return METHODS[name]
