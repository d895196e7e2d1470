"""Human equivalent dose: doses of animals brought to humans by body surface area."""

from __future__ import annotations

from types import MappingProxyType

from qsp_bayes.errors import MechanismError

KM = MappingProxyType(
    {
        "mouse": 3.0,
        "hamster": 5.0,
        "rat": 6.0,
        "guinea pig": 8.0,
        "rabbit": 12.0,
        "monkey": 12.0,
        "dog": 20.0,
        "child": 25.0,
        "human": 37.0,
    }
)
"""Body weight over body surface area, kg/m2, by species: an adult of 60 kg, a child of 20 kg (FDA 2005)."""


def human_equivalent_dose(dose: float, species: str, human: str = "human") -> float:
    r"""Give the human dose (mg/kg) of the same mg/m2 as a dose of an animal (mg/kg).

    .. math:: \mathrm{HED} = D_\mathrm{animal} \frac{K_{m,\mathrm{animal}}}{K_{m,\mathrm{human}}}

    Parameters
    ----------
    dose : float
        Of the animal, in mg/kg (or another amount per kg).
    species : str
        One of ``KM``.
    human : {"human", "child"}

    Returns
    -------
    float
        In the unit of `dose`, for each kg of the human. Divided by a safety factor, by default 10, the one of the most
        appropriate species is the maximum recommended starting dose of the guidance.

    Raises
    ------
    MechanismError
        For a species without a factor, or a dose that is not positive.

    Notes
    -----
    Surface area stands for an exponent of about 2/3 of body weight for every drug. It is not meant for large proteins
    in the vascular space (scaled in mg/kg), nor for drugs given where they act.

    References
    ----------
    FDA (2005) Guidance for Industry: Estimating the Maximum Safe Starting Dose in Initial Clinical Trials for
    Therapeutics in Adult Healthy Volunteers, table 1.

    Examples
    --------
    >>> round(human_equivalent_dose(50, "rat"), 1)
    8.1
    """
    for name in (species, human):
        if name not in KM:
            raise MechanismError(f"There is no Km of {name!r}. There is {', '.join(KM)}.")
    if not dose > 0:
        raise MechanismError(f"dose must be positive; got {dose}.")
    return dose * KM[species] / KM[human]
