"""PK-Sim standard: unbound coefficients from water, lipid and protein of tissues."""

from __future__ import annotations

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.partition.tissues import Constituents, composition

TABLE = "pk_sim"


def pk_sim(drug: Drug) -> dict[str, float]:
    r"""Return coefficients by the standard method of PK-Sim (Willmann et al. 2005).

    .. math::

        K_{pu} = W_t + K\,L_t + K_{protein}\,Pr_t, \qquad K_{protein} = \frac{5\,(0.81 + 0.11\,K)}{24.92}

    with K the membrane:water coefficient, and W, L and Pr the fractions of water, lipid and protein. Ionisation does
    not enter.

    Kind of coefficient: tissue:unbound plasma, so that Kp is Kpu fup.

    Parameters
    ----------
    drug : Drug

    Returns
    -------
    dict of str to float
        By organ.

    Notes
    -----
    Meant for a membrane affinity, which takes charged forms in; with logP in its place (the fallback) fat takes up
    what the un-ionised form would, whatever is ionised. The regression of K_protein is the one PK-Sim carries;
    Schmitt (2008) rounds it to 0.163 + 0.0221 K.

    References
    ----------
    Willmann S, Lippert J, Schmitt W (2005). From physicochemistry to absorption and distribution: predictive
    mechanistic modelling and computational tools. Expert Opin Drug Metab Toxicol 1:159-168.

    Examples
    --------
    >>> found = pk_sim(Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032))
    >>> {organ: round(0.032 * found[organ], 2) for organ in ("muscle", "adipose", "liver")}
    {'muscle': 0.76, 'adipose': 34.59, 'liver': 3.18}
    """
    K = 10.0**drug.log_membrane_affinity
    protein = 5.0 * (0.81 + 0.11 * K) / 24.92

    def coefficient(organ: str, tissue: Constituents) -> float:
        return tissue["water"] + K * tissue["lipid"] + protein * tissue["protein"]

    return composition(TABLE).by_organ(coefficient)
