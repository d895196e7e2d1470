"""Berezhkovskiy: tissue:plasma coefficients after Poulin and Theil, with binding in the water alone."""

from __future__ import annotations

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.partition.poulin_theil import (
    TABLE,
    in_lipid_and_water,
    lipid_coefficient,
    unbound_in_tissue,
)
from qsp_bayes.physiology.partition.tissues import Constituents, composition


def berezhkovskiy(drug: Drug) -> dict[str, float]:
    r"""Return tissue:plasma coefficients by the method of Berezhkovskiy (2004).

    As Poulin and Theil, but proteins bind what is in the water, not what is in lipids:

    .. math::

        K_p = \frac{K (NL_t + 0.3\,PL_t) + W_t / f_{ut} + 0.7\,PL_t}
                   {K (NL_p + 0.3\,PL_p) + W_p / f_{up} + 0.7\,PL_p}

    with K and fut as in `poulin_theil`.

    Kind of coefficient: tissue:plasma, total over total concentration.

    Parameters
    ----------
    drug : Drug

    Returns
    -------
    dict of str to float
        By organ.

    Notes
    -----
    Equals the method of Poulin and Theil where fup is 1. Without binding to proteins in fat (fut 1 in adipose, as
    PK-Sim has it; some implementations take half of the protein of plasma there too). Under-predicts strong bases.
    Human tissues.

    References
    ----------
    Berezhkovskiy LM (2004). Volume of distribution at steady state for a linear pharmacokinetic system with
    peripheral elimination. J Pharm Sci 93:1628-1640.

    Examples
    --------
    >>> found = berezhkovskiy(Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032))
    >>> {organ: round(found[organ], 2) for organ in ("muscle", "adipose", "liver")}
    {'muscle': 1.34, 'adipose': 3.49, 'liver': 1.97}
    """
    table = composition(TABLE)

    def coefficient(organ: str, tissue: Constituents) -> float:
        K = lipid_coefficient(drug, organ)
        bound = [unbound_in_tissue(drug.fup, organ), drug.fup]
        in_tissue, in_plasma = (
            sum(in_lipid_and_water(K, phase)) + phase["water"] / unbound
            for phase, unbound in zip((tissue, table.plasma), bound, strict=True)
        )
        return in_tissue / in_plasma

    return table.by_organ(coefficient)
