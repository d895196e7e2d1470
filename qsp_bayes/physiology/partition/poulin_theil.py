"""Poulin and Theil: tissue:plasma coefficients from water, neutral lipid and phospholipid."""

from __future__ import annotations

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.partition.tissues import Constituents, composition

TABLE = "poulin_theil"
PLASMA_PH = 7.4

# Concentration of binding protein in the interstitium of lean tissues over that in plasma; fat is given none.
PROTEIN_RATIO = 0.5
ADIPOSE_PROTEIN_RATIO = 0.0


def poulin_theil(drug: Drug) -> dict[str, float]:
    r"""Return tissue:plasma coefficients by the method of Poulin and Theil (2002).

    Phospholipid dissolves a drug as 30 % neutral lipid and 70 % water would. The drug binds to the same proteins in
    tissue and in plasma, half as concentrated in lean tissue and none in fat:

    .. math::

        K_p = \frac{K (NL_t + 0.3\,PL_t) + W_t + 0.7\,PL_t}{K (NL_p + 0.3\,PL_p) + W_p + 0.7\,PL_p}
              \cdot \frac{f_{up}}{f_{ut}}, \qquad
        f_{ut} = \frac{1}{1 + 0.5\,(1 - f_{up}) / f_{up}}

    with K the octanol:water coefficient P of the un-ionised form. In adipose K is the vegetable oil:water
    distribution coefficient at pH 7.4 of all forms, and fut is 1.

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
    Holds for drugs that dissolve and bind but are not trapped in acid or bound to acidic phospholipids: it
    under-predicts strong bases, and P stands for charged forms too in lean tissues. Human tissues. Where two groups
    ionise, the coefficient in adipose counts all charged forms, which goes over into that of one group as the other
    pKa moves away; the equations printed for two groups count the most charged form only.

    References
    ----------
    Poulin P, Theil FP (2002). Prediction of pharmacokinetics prior to in vivo studies. 1. Mechanism-based prediction
    of volume of distribution. J Pharm Sci 91:129-156.

    Poulin P, Schoenlein K, Theil FP (2001). Prediction of adipose tissue:plasma partition coefficients for
    structurally unrelated drugs. J Pharm Sci 90:436-447.

    Examples
    --------
    >>> found = poulin_theil(Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032))
    >>> {organ: round(found[organ], 2) for organ in ("muscle", "adipose", "liver")}
    {'muscle': 2.81, 'adipose': 2.24, 'liver': 4.54}
    """
    table = composition(TABLE)

    def coefficient(organ: str, tissue: Constituents) -> float:
        K = lipid_coefficient(drug, organ)
        ratio = dissolved(K, tissue) / dissolved(K, table.plasma)
        return ratio * drug.fup / unbound_in_tissue(drug.fup, organ)

    return table.by_organ(coefficient)


def lipid_coefficient(drug: Drug, organ: str) -> float:
    """Return the lipid:water coefficient that stands for the lipid of an organ."""
    if organ != "adipose":
        return 10.0**drug.logP
    return 10.0**drug.log_vegetable_oil * drug.ionisation(PLASMA_PH).fraction_unionised


def unbound_in_tissue(fup: float, organ: str) -> float:
    """Return the fraction unbound in a tissue, from the protein it has for that of plasma."""
    ratio = ADIPOSE_PROTEIN_RATIO if organ == "adipose" else PROTEIN_RATIO
    return 1.0 / (1.0 + ratio * (1.0 - fup) / fup)


def dissolved(K: float, tissue: Constituents) -> float:
    """Return the concentration over that in water of what is dissolved in water and lipids."""
    lipid, water = in_lipid_and_water(K, tissue)
    return lipid + water + tissue["water"]


def in_lipid_and_water(K: float, tissue: Constituents) -> tuple[float, float]:
    """Return what lipids dissolve, and the part of phospholipid that dissolves as water does."""
    lipid = K * (tissue["neutral_lipid"] + 0.3 * tissue["phospholipid"])
    return lipid, 0.7 * tissue["phospholipid"]
