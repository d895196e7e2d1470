"""What the methods of partition say of one drug, side by side, and their spread as figures."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.partition.coefficients import PartitionCoefficients, partition_coefficients
from qsp_bayes.physiology.partition.methods import METHODS
from qsp_bayes.physiology.partition.tissues import ORGANS


def partition_figures(
    drug: Drug, methods: Iterable[str] | None = None, *, haematocrit: float = 0.45
) -> dict[str, Figure]:
    """Return what several methods say of each organ: their geometric mean, and their spread.

    The spread between methods is a first idea of how uncertain a prediction is, offered as a prior:
    ``priors_from(partition_figures(drug), ["Kp_liver", "Kp_muscle"])``.

    Parameters
    ----------
    drug : Drug
    methods : iterable of str, optional
        All where left out.
    haematocrit : float

    Returns
    -------
    dict of str to Figure
        By parameter, ``Kp_<organ>``, of the kind tissue:plasma.

    Raises
    ------
    MechanismError
        For an unknown method, and for a drug that lacks what one of them needs: name those that it suits.

    Notes
    -----
    Methods share assumptions and partly data: where all are wrong together (active transport, lysosomal trapping)
    their spread is too small. Where a drug is mostly ionised and its membrane affinity (`logMA`) was not measured,
    ``PK-Sim`` and ``Schmitt`` over-predict, for acids many times: name the methods that suit the drug. One method alone
    gives a spread of 0, which `priors_from` refuses.

    Examples
    --------
    >>> drug = Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)
    >>> found = partition_figures(drug, ["Poulin-Theil", "Rodgers-Rowland"])["Kp_muscle"]
    >>> round(found.value, 3), round(found.sd_log, 3), found.source
    (1.281, 1.109, 'midazolam by Poulin-Theil, Rodgers-Rowland: tissue composition')
    """
    found = by_method(drug, methods, haematocrit)
    source = f"{drug.name} by {', '.join(found)}: tissue composition"
    return {
        f"Kp_{organ}": Figure.between(
            [partition.values[organ] for partition in found.values()], "", source, organ_remark(found, organ)
        )
        for organ in ORGANS
    }


def compare_partition_methods(
    drug: Drug, methods: Iterable[str] | None = None, *, haematocrit: float = 0.45
) -> pd.DataFrame:
    """Tabulate tissue:plasma coefficients by organ and method.

    Parameters
    ----------
    drug : Drug
    methods : iterable of str, optional
        All where left out.
    haematocrit : float

    Returns
    -------
    pandas.DataFrame
        Organs in rows; a column for each method, ``geometric mean`` and ``sd_log`` across them.

    Raises
    ------
    MechanismError
        As `partition_figures`.

    Examples
    --------
    >>> drug = Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)
    >>> print(compare_partition_methods(drug).loc[["muscle", "adipose", "liver"]].round(2).T.to_string())
    organ            muscle  adipose  liver
    Poulin-Theil       2.81     2.24   4.54
    Berezhkovskiy      1.34     3.49   1.97
    Rodgers-Rowland    0.58     3.67   0.98
    Schmitt            0.74    33.08   3.40
    PK-Sim             0.76    34.59   3.18
    geometric mean     1.04     8.01   2.48
    sd_log             0.63     1.33   0.60
    """
    found = by_method(drug, methods, haematocrit)
    table = pd.DataFrame({name: dict(partition.values) for name, partition in found.items()})
    figures = partition_figures(drug, found, haematocrit=haematocrit)
    table["geometric mean"] = [figures[f"Kp_{organ}"].value for organ in table.index]
    table["sd_log"] = [figures[f"Kp_{organ}"].sd_log for organ in table.index]
    return table.rename_axis("organ")


def by_method(
    drug: Drug, methods: Iterable[str] | None, haematocrit: float
) -> dict[str, PartitionCoefficients]:
    """Return what each method says."""
    names = METHODS if methods is None else methods
    return {name: partition_coefficients(drug, name, haematocrit=haematocrit) for name in names}


def organ_remark(found: dict[str, PartitionCoefficients], organ: str) -> str:
    """Return the substitutes of an organ, and what methods remark on the drug."""
    substitutes = {partition.substitutes.get(organ) for partition in found.values()} - {None}
    remarks = {remark for partition in found.values() for remark in partition.remarks}
    return "; ".join(sorted(str(part) for part in substitutes | remarks))
