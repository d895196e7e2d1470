"""Clearance of humans from animals: simple allometry, its corrections, and the rule of exponents between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.allometry import require_positive, simple_allometry

HUMAN_WEIGHT, HUMAN_BRAIN_WEIGHT = 70.0, 1.53
"""Body and brain weight (kg) of an adult, as the literature on interspecies scaling uses them."""

SIMPLE_LOW = "simple allometry, likely too low"
SIMPLE = "simple allometry"
MLP = "maximum life span"
BRAIN = "brain weight"
BRAIN_HIGH = "brain weight, likely too high"
METHODS = (SIMPLE_LOW, SIMPLE, MLP, BRAIN, BRAIN_HIGH)
"""What the rule of exponents can say, by growing exponent."""


def rule_of_exponents(exponent: Any) -> Any:
    r"""Say by the exponent of simple allometry which method is to predict the clearance of humans.

    ============== =====================================================================
    exponent b      method
    ============== =====================================================================
    below 0.55      simple allometry, which then tends to predict too little
    0.55 to 0.71    simple allometry
    0.71 and above  clearance times maximum life-span potential (MLP)
    1.0 and above   clearance times brain weight
    above 1.3       the same, which then tends to predict too much
    ============== =====================================================================

    Parameters
    ----------
    exponent : float or array
        Of simple allometry. An array of posterior draws gives the method at each draw; see `method_probabilities`.

    Returns
    -------
    str or array of str
        One of ``METHODS``.

    Notes
    -----
    The rule is a convention found on published drugs, with steps at which the prediction jumps severalfold. Where
    draws of the exponent fall on both sides of a step, the rule has no answer, and the probabilities say so.

    References
    ----------
    Mahmood I, Balian JD (1996) Xenobiotica 26:887-895. Mahmood I (2006) J Pharm Sci 95:1810-1821. Huh Y, Smith DE,
    Feng MR (2011) Xenobiotica 41:972-987 (the steps at 0.71 and 1).

    Examples
    --------
    >>> rule_of_exponents(0.62), rule_of_exponents(0.85)
    ('simple allometry', 'maximum life span')
    """
    b = np.asarray(exponent, dtype=float)
    if np.isnan(b).any():
        raise MechanismError("rule_of_exponents: an exponent is missing (NaN).")
    # Above 1.3 means beyond it, the other steps as in the table.
    step = (b >= 0.55).astype(int) + (b >= 0.71) + (b >= 1.0) + (b > 1.3)
    found = np.array(METHODS, dtype=object)[step]
    return found if b.ndim else str(found)


def method_probabilities(exponent: Any) -> dict[str, float]:
    """Give the share of draws of the exponent at which the rule of exponents says each method.

    Examples
    --------
    >>> method_probabilities([0.66, 0.69, 0.72, 0.75])
    {'simple allometry, likely too low': 0.0, 'simple allometry': 0.5, 'maximum life span': 0.5, 'brain weight': 0.0,
     'brain weight, likely too high': 0.0}
    """
    methods = np.ravel(rule_of_exponents(np.atleast_1d(np.asarray(exponent, dtype=float))))
    return {name: float(np.mean(methods == name)) for name in METHODS}


def maximum_life_span(brain_weight: Any, body_weight: Any) -> Any:
    r"""Give the maximum life-span potential (years) of a species by Sacher's equation.

    .. math:: \mathrm{MLP} = 185.4\, \mathrm{BrW}^{0.636}\, W^{-0.225}

    Parameters
    ----------
    brain_weight, body_weight : float or array
        In kg.

    References
    ----------
    Sacher GA (1959) in: Wolstenholme GEW, O'Connor M (eds) The Lifespan of Animals, CIBA Foundation Colloquia on Ageing
    5:115-141. Boxenbaum H (1982) J Pharmacokinet Biopharm 10:201-227.

    Examples
    --------
    >>> round(float(maximum_life_span(1.53, 70)), 1)
    93.4
    """
    require_positive(brain_weight=brain_weight, body_weight=body_weight)
    return 185.4 * np.asarray(brain_weight) ** 0.636 * np.asarray(body_weight) ** -0.225


def corrected_allometry(
    weights: Any, clearances: Any, factors: Any, human_factor: float, human_weight: float = HUMAN_WEIGHT
) -> float:
    r"""Predict the clearance of humans from the product of clearance and a factor of the species.

    .. math:: \mathrm{CL}_s f_s = a W_s^b, \qquad \mathrm{CL}_\mathrm{human} = \frac{a
    W_\mathrm{human}^b}{f_\mathrm{human}}

    Parameters
    ----------
    weights, clearances, factors : array
        One entry for each animal species. The factor is the maximum life-span potential (`maximum_life_span`), the
        brain weight, or for unbound clearance the reciprocal of the unbound fraction.
    human_factor, human_weight : float
        In the units of `factors` and `weights`.

    Returns
    -------
    float
        In the unit of `clearances`.

    References
    ----------
    Mahmood I, Balian JD (1996) Xenobiotica 26:887-895.

    Examples
    --------
    A factor that is the same in all species corrects nothing:

    >>> weights, clearances = [0.02, 0.25, 10], [0.05, 0.30, 5.2]
    >>> round(corrected_allometry(weights, clearances, [1, 1, 1], 1), 1)
    21.8
    """
    require_positive(factors=factors, human_factor=human_factor)
    product = simple_allometry(
        weights, np.asarray(clearances, dtype=float) * np.asarray(factors, dtype=float)
    )
    return float(product.predict(human_weight)) / human_factor


def fu_corrected_intercept(coefficient: Any, rat_fu: Any, human_fu: Any) -> Any:
    r"""Predict the clearance of humans (mL/min) by the fu-corrected intercept method.

    .. math:: \mathrm{CL} = 33.35 \left(\frac{a}{R_{fu}}\right)^{0.770}\ \mathrm{mL/min}, \qquad
              R_{fu} = \frac{f_{u,\mathrm{rat}}}{f_{u,\mathrm{human}}}

    Parameters
    ----------
    coefficient : float or array
        a of simple allometry, the clearance in mL/min at 1 kg.
    rat_fu, human_fu : float or array
        Unbound fractions in plasma.

    References
    ----------
    Tang H, Mayersohn M (2005) Drug Metab Dispos 33:1297-1303, doi:10.1124/dmd.105.004143.

    Examples
    --------
    >>> round(float(fu_corrected_intercept(10.0, 0.2, 0.1)), 1)
    115.2
    """
    require_positive(coefficient=coefficient, rat_fu=rat_fu, human_fu=human_fu)
    return 33.35 * (np.asarray(coefficient) / (np.asarray(rat_fu) / np.asarray(human_fu))) ** 0.770
