"""Volume of distribution at steady state, from tissue volumes and partition coefficients."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.partition.coefficients import PartitionCoefficients

BLOOD = ("V_arterial", "V_venous")


def steady_state_volume(
    partition: PartitionCoefficients, volumes: Mapping[str, float], BP: float | None = None
) -> float:
    r"""Return the volume of distribution at steady state, relative to plasma.

    .. math:: V_{ss} = BP\,V_{blood} + \sum_{organs} K_p V

    Parameters
    ----------
    partition : PartitionCoefficients
        Of any kind; tissue:plasma coefficients are taken.
    volumes : mapping of str to float
        By parameter of a whole-body model: ``V_<organ>`` of tissues without their blood, ``V_arterial``,
        ``V_venous`` and any ``V_<organ>_vascular``, in one unit. Organs that a body does not have may be left out.
    BP : float, optional
        Blood:plasma ratio; that of the drug where left out.

    Returns
    -------
    float
        In the unit of the volumes: amount in the body over the concentration in plasma.

    Raises
    ------
    MechanismError
        Without a blood:plasma ratio or the volumes of blood, and for volumes of unknown names or below 0.

    Notes
    -----
    Holds at equilibrium and without elimination by the tissues; where an organ extracts the drug its concentration
    at steady state is lower by the factor 1 - E (Berezhkovskiy 2004).

    References
    ----------
    Sawada Y, Hanano M, Sugiyama Y, Harashima H, Iga T (1984). Prediction of the volumes of distribution of basic
    drugs in humans based on data from animals. J Pharmacokinet Biopharm 12:587-596.

    Berezhkovskiy LM (2004). Volume of distribution at steady state for a linear pharmacokinetic system with
    peripheral elimination. J Pharm Sci 93:1628-1640.

    Examples
    --------
    >>> from qsp_bayes.physiology import Drug, partition_coefficients
    >>> drug = Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)
    >>> body = {"V_arterial": 1.7, "V_venous": 3.9, "V_muscle": 29.0, "V_adipose": 18.2, "V_liver": 1.7}
    >>> round(steady_state_volume(partition_coefficients(drug), body), 1)
    89.2
    """
    ratio = partition.drug.BP if BP is None else BP
    if ratio is None:
        raise MechanismError(
            f"{partition.drug.name}: the volume of distribution needs the blood:plasma ratio. Give BP."
        )
    missing = [name for name in BLOOD if name not in volumes]
    if missing:
        raise MechanismError(f"The volumes lack {', '.join(missing)}: the blood is part of the volume.")
    K = partition.to("tissue:plasma").values
    known = {f"V_{organ}": value for organ, value in K.items()}
    known |= dict.fromkeys([*BLOOD, *(f"V_{organ}_vascular" for organ in K)], ratio)
    unknown = [name for name in volumes if name not in known]
    if unknown:
        raise MechanismError(
            f"There is no coefficient for {', '.join(unknown)}. Give V_<organ> for organs of {', '.join(K)}."
        )
    negative = [name for name, value in volumes.items() if not value >= 0]
    if negative:
        raise MechanismError(f"Volumes must be 0 or more: {', '.join(negative)}.")
    return float(sum(known[name] * value for name, value in volumes.items()))
