"""Schmitt: unbound coefficients from the interstitium and the constituents of cells."""

from __future__ import annotations

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.ionisation import Ionisation
from qsp_bayes.physiology.partition.tissues import Constituents, composition

TABLE = "schmitt"
PLASMA_PH = 7.4

CHARGED_IN_LIPID = 1e-3
"""Coefficient of a charged form in neutral lipid, relative to that of the uncharged one (alpha)."""
CATION_IN_ACIDIC_PHOSPHOLIPID = 20.0
ANION_IN_ACIDIC_PHOSPHOLIPID = 0.05
INTERSTITIAL_PROTEIN = 0.37
"""Protein of the interstitium relative to that of plasma."""


def schmitt(drug: Drug) -> dict[str, float]:
    r"""Return coefficients by the method of Schmitt (2008).

    Cells exchange the forms that cross membranes, so that charged forms are trapped by pH; in the interstitium the
    drug binds to 37 % of the protein of plasma:

    .. math::

        K_{pu} &= F_{int} \left(W_p + 0.37 \left(\frac{1}{f_{up}} - W_p\right)\right)
                  + F_{cell}\,\kappa \left(W + K_{nl} NL + K_{np} NP + K_{ap} AP + K_{pr} Pr\right) \\
        \kappa &= \frac{(u + \alpha c)_{plasma}}{(u + \alpha c)_{cell}}, \qquad
        K_{nl} = P (u + \alpha c), \qquad K_{np} = MA \\
        K_{ap} &= MA\,(u + 20\,c_+ + 0.05\,c_-), \qquad K_{pr} = 0.163 + 0.0221\,MA

    with u the fraction without net charge, c (c+, c-) the charged fraction, alpha 0.001, Wp = 1 - 0.0695 the water
    of plasma, and NL, NP, AP and Pr the neutral lipid, neutral and acidic phospholipid and protein of cells.

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
    The equations are those of Schmitt (2008) as Pearce et al. (2017) restate them, without the calibration to
    observed coefficients that these add. Implementations that use the composition of whole tissue leave out the
    interstitium and pH trapping. The pH of cells differs between organs (lung 6.6, liver 7.23), and bases with it.
    Best with a measured membrane affinity.

    References
    ----------
    Schmitt W (2008). General approach for the calculation of tissue to plasma partition coefficients. Toxicol In
    Vitro 22:457-467. Corrigendum 22:1666.

    Pearce RG, Setzer RW, Davis JL, Wambaugh JF (2017). Evaluation and calibration of high-throughput predictions of
    chemical distribution to tissues. J Pharmacokinet Pharmacodyn 44:549-565.

    Examples
    --------
    >>> found = schmitt(Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032))
    >>> {organ: round(0.032 * found[organ], 2) for organ in ("muscle", "adipose", "liver")}
    {'muscle': 0.74, 'adipose': 33.08, 'liver': 3.4}
    """
    table = composition(TABLE)
    plasma_water = 1.0 - table.plasma["protein"]
    interstitium = plasma_water + INTERSTITIAL_PROTEIN * (1.0 / drug.fup - plasma_water)
    crossing_in_plasma = crossing(drug.ionisation(PLASMA_PH))

    def coefficient(organ: str, tissue: Constituents) -> float:
        trapping = crossing_in_plasma / crossing(drug.ionisation(tissue["pH"]))
        return tissue["interstitium"] * interstitium + tissue["cells"] * trapping * in_cells(drug, tissue)

    return table.by_organ(coefficient)


def crossing(forms: Ionisation) -> float:
    """Return how much of the drug dissolves in neutral lipid, relative to its uncharged form."""
    return forms.fraction_uncharged + CHARGED_IN_LIPID * (forms.fraction_cation + forms.fraction_anion)


def in_cells(drug: Drug, tissue: Constituents) -> float:
    """Return the concentration in cells over that in their water."""
    forms = drug.ionisation(tissue["pH"])
    membrane = 10.0**drug.log_membrane_affinity
    acidic = (
        forms.fraction_uncharged
        + CATION_IN_ACIDIC_PHOSPHOLIPID * forms.fraction_cation
        + ANION_IN_ACIDIC_PHOSPHOLIPID * forms.fraction_anion
    )
    return (
        tissue["water"]
        + 10.0**drug.logP * crossing(forms) * tissue["neutral_lipid"]
        + membrane * tissue["neutral_phospholipid"]
        + membrane * acidic * tissue["acidic_phospholipid"]
        + (0.163 + 0.0221 * membrane) * tissue["protein"]
    )
