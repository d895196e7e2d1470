"""Rodgers and Rowland: unbound coefficients from tissue water, lipids, acidic phospholipids and proteins."""

from __future__ import annotations

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.partition.tissues import Constituents, composition

TABLE = "rodgers_rowland"
PLASMA_PH, CELL_PH, BLOOD_CELL_PH = 7.4, 7.0, 7.22

STRONG_BASE = 7.0
"""pKa of a base from which it binds to acidic phospholipids rather than to albumin."""


def rodgers_rowland(drug: Drug, haematocrit: float = 0.45) -> dict[str, float]:
    r"""Return coefficients by the methods of Rodgers, Leahy and Rowland (2005) and Rodgers and Rowland (2006).

    The un-ionised form is at equilibrium between the waters of plasma (pH 7.4) and cells (pH 7.0) and lipids:

    .. math::

        K_{pu} = f_{EW} + \frac{1 + X}{1 + Y} f_{IW} + \frac{P f_{NL} + (0.3 P + 0.7) f_{NP}}{1 + Y} + B

    with X and Y the charged forms relative to the un-ionised one at pH 7.0 and 7.4, P the octanol:water coefficient
    (vegetable oil:water in adipose), and B the binding in the tissue. A base with a pKa of 7 or more (2005) binds as
    a cation to acidic phospholipids; how strongly follows from the concentration in blood cells (pH 7.22):

    .. math::

        B &= K_{AP} [AP]_t \frac{X_+}{1 + Y}, \qquad
        K_{pu,BC} = \frac{BP - (1 - Hct)}{Hct\,f_{up}} \\
        K_{AP} &= \left(K_{pu,BC} - \frac{1 + Z}{1 + Y} f_{IW,BC}
                 - \frac{P f_{NL,BC} + (0.3 P + 0.7) f_{NP,BC}}{1 + Y}\right) \frac{1 + Y}{[AP]_{BC}\,Z_+}

    All others (2006) bind to what binds them in plasma, in proportion to its concentration in tissue: lipoproteins
    for a neutral drug, albumin for acids, weak bases and what has both groups:

    .. math::

        B = \left(\frac{1}{f_{up}} - 1 - \frac{P f_{NL,p} + (0.3 P + 0.7) f_{NP,p}}{1 + Y}\right)
            \frac{[PR]_t}{[PR]_p}

    ::

        plasma water == extracellular water == intracellular water == lipids
             ||                ||                     ||
         proteins          proteins            acidic phospholipids

    Kind of coefficient: tissue:unbound plasma, so that Kp is Kpu fup.

    Parameters
    ----------
    drug : Drug
        With BP if it is a base with a pKa of 7 or more.
    haematocrit : float
        0.45 in the publications.

    Returns
    -------
    dict of str to float
        By organ.

    Raises
    ------
    MechanismError
        Without BP for a strong base, for a BP below 1 - haematocrit (what plasma alone makes up of blood), and for a
        haematocrit that is not between 0 and 1.

    Notes
    -----
    Rat tissues. Where fup or BP is higher than lipids alone would have it, the association constant comes out
    negative; it is then taken as 0, as PK-Sim does, and `remarks` says so. As published, X, Y and Z count the forms
    of net charge only, not the one that carries both charges; of these, cations alone bind to acidic phospholipids.
    The methods meet neither at pKa 7 nor between neutral drugs and others: binding moves from albumin to
    phospholipids and to lipoproteins there.

    References
    ----------
    Rodgers T, Leahy D, Rowland M (2005). Physiologically based pharmacokinetic modeling 1: predicting the tissue
    distribution of moderate-to-strong bases. J Pharm Sci 94:1259-1276.

    Rodgers T, Rowland M (2006). Physiologically based pharmacokinetic modelling 2: predicting the tissue distribution
    of acids, very weak bases, neutrals and zwitterions. J Pharm Sci 95:1238-1257.

    Examples
    --------
    >>> found = rodgers_rowland(Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032))
    >>> {organ: round(0.032 * found[organ], 2) for organ in ("muscle", "adipose", "liver")}
    {'muscle': 0.58, 'adipose': 3.67, 'liver': 0.98}
    """
    table = composition(TABLE)
    plasma, cells = drug.ionisation(PLASMA_PH), drug.ionisation(CELL_PH)
    relative = 1.0 + plasma.charged
    strong = is_strong_base(drug)
    affinity = max(0.0, association(drug, haematocrit))
    ratio = "lipoprotein_ratio" if drug.charge == "neutral" else "albumin_ratio"

    def coefficient(organ: str, tissue: Constituents) -> float:
        P = 10.0 ** (drug.log_vegetable_oil if organ == "adipose" else drug.logP)
        water = (
            tissue["extracellular_water"] + (1.0 + cells.charged) / relative * tissue["intracellular_water"]
        )
        if strong:
            binding = affinity * tissue["acidic_phospholipid"] * cells.cation / relative
        else:
            binding = affinity * tissue[ratio]
        return water + in_lipids(P, tissue) / relative + binding

    return table.by_organ(coefficient)


def is_strong_base(drug: Drug) -> bool:
    """Whether a drug binds to acidic phospholipids: its strongest base has a pKa of 7 or more."""
    return drug.basic_pKa is not None and drug.basic_pKa >= STRONG_BASE


def association(drug: Drug, haematocrit: float = 0.45) -> float:
    """Return the association constant with acidic phospholipids, or with the proteins of plasma (times these).

    Negative where lipids alone explain more than what was observed.
    """
    if not 0 < haematocrit < 1:
        raise MechanismError(f"The haematocrit must be between 0 and 1; got {haematocrit}.")
    table = composition(TABLE)
    P, relative = 10.0**drug.logP, 1.0 + drug.ionisation(PLASMA_PH).charged
    if not is_strong_base(drug):
        return 1.0 / drug.fup - 1.0 - in_lipids(P, table.plasma) / relative
    cells, forms = table.blood_cells, drug.ionisation(BLOOD_CELL_PH)
    unexplained = (
        blood_cell_coefficient(drug, haematocrit)
        - (1.0 + forms.charged) / relative * cells["intracellular_water"]
        - in_lipids(P, cells) / relative
    )
    return unexplained * relative / (cells["acidic_phospholipid"] * forms.cation)


def blood_cell_coefficient(drug: Drug, haematocrit: float) -> float:
    """Return the concentration in blood cells over the unbound concentration in plasma."""
    if drug.BP is None:
        raise MechanismError(
            f"{drug.name}: the method of Rodgers and Rowland takes the binding of a base with a pKa of 7 or more "
            "from the blood:plasma ratio. Give Drug(..., BP=...), or choose another method."
        )
    in_blood_cells = drug.BP - (1.0 - haematocrit)
    if in_blood_cells < 0:
        raise MechanismError(
            f"{drug.name}: a blood:plasma ratio of {drug.BP} is below 1 - haematocrit ({1 - haematocrit:g}), that of a "
            "drug that does not enter blood cells at all. Check BP and the haematocrit."
        )
    return in_blood_cells / (haematocrit * drug.fup)


def in_lipids(P: float, tissue: Constituents) -> float:
    """Return what neutral lipid and neutral phospholipid hold of the un-ionised form, over that in water."""
    return P * tissue["neutral_lipid"] + (0.3 * P + 0.7) * tissue["neutral_phospholipid"]


def remarks(drug: Drug, haematocrit: float = 0.45) -> tuple[str, ...]:
    """Return what a reader should know of an estimate: an association constant that had to be taken as 0."""
    if association(drug, haematocrit) >= 0:
        return ()
    what, data = ("acidic phospholipids", "BP") if is_strong_base(drug) else ("plasma proteins", "fup")
    return (f"lipids alone explain more than {data} leaves: binding to {what} taken as 0",)
