"""Drugs of every charge class, typed as plain numbers, and the charged forms of each class written out."""

from qsp_bayes.physiology import Drug

# name: charge, pKa (acid before base), logP, fup, BP.
# Midazolam and ofloxacin: as compiled for Utsey et al. (2020), Drug Metab Dispos 48:903-916. All others are
# illustrative: of the size the literature gives, not taken from one source.
TABLE = {
    "propranolol": ("base", (9.45,), 3.48, 0.13, 0.80),
    "imipramine": ("base", (9.50,), 4.80, 0.10, 1.10),
    "midazolam": ("base", (6.00,), 3.13, 0.032, 0.664),
    "diazepam": ("base", (3.40,), 2.82, 0.02, 0.58),
    "warfarin": ("acid", (5.00,), 2.70, 0.012, 0.58),
    "diclofenac": ("acid", (4.00,), 4.50, 0.004, 0.56),
    "digoxin": ("neutral", (), 1.26, 0.75, 1.07),
    "cyclosporin": ("neutral", (), 3.00, 0.04, 1.36),
    "ofloxacin": ("zwitterion", (5.97, 9.28), -0.40, 0.77, 0.92),
    "weak zwitterion": ("zwitterion", (3.00, 5.50), 1.50, 0.30, 0.90),
    "morphine": ("ampholyte", (9.90, 8.20), 0.89, 0.65, 1.02),
    "aciclovir": ("ampholyte", (9.30, 2.30), -1.56, 0.85, 1.00),
    "dicarboxylic acid": ("diprotic acid", (3.50, 5.50), 2.00, 0.05, 0.60),
    "chloroquine": ("diprotic base", (8.40, 10.20), 4.60, 0.40, 3.00),
    "weak diprotic base": ("diprotic base", (2.50, 5.50), 2.50, 0.20, 0.80),
}


def drug(name: str) -> Drug:
    charge, pKa, logP, fup, BP = TABLE[name]
    return Drug(name, charge=charge, pKa=pKa, logP=logP, fup=fup, BP=BP)


def forms(name: str, pH: float) -> tuple[float, float, float]:
    """Cations, anions and the doubly charged form over the un-ionised one, class by class."""
    charge, pKa, *_ = TABLE[name]
    match charge:
        case "neutral":
            return 0.0, 0.0, 0.0
        case "acid":
            return 0.0, 10 ** (pH - pKa[0]), 0.0
        case "base":
            return 10 ** (pKa[0] - pH), 0.0, 0.0
        case "diprotic acid":
            return 0.0, 10 ** (pH - pKa[0]) + 10 ** (2 * pH - pKa[0] - pKa[1]), 0.0
        case "diprotic base":
            return 10 ** (pKa[1] - pH) + 10 ** (pKa[0] + pKa[1] - 2 * pH), 0.0, 0.0
        case _:
            return 10 ** (pKa[1] - pH), 10 ** (pH - pKa[0]), 10 ** (pKa[1] - pKa[0])
