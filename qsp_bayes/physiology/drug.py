"""Drug: the physicochemical properties and the binding that partition and clearance follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.ionisation import Ionisation, ionisation

CHARGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "neutral": (),
        "acid": ("acid",),
        "base": ("base",),
        "ampholyte": ("acid", "base"),
        "zwitterion": ("acid", "base"),
        "diprotic acid": ("acid", "acid"),
        "diprotic base": ("base", "base"),
    }
)
"""The groups that ionise, in the order of their pKa, by charge class."""


@dataclass(frozen=True)
class Drug:
    r"""A small molecule: lipophilicity, ionisation and binding in plasma and blood.

    The Henderson-Hasselbalch equation gives each ionised form relative to the un-ionised one, and the distribution
    coefficient counts the un-ionised form alone as soluble in lipid:

    .. math::

        \text{acid: } 10^{pH - pKa}, \qquad \text{base: } 10^{pKa - pH}, \qquad
        \log D = \log P - \log_{10}\Bigl(1 + \sum \text{ionised forms}\Bigr)

    ========= ================================================== =========== ====================
    property  what it is                                         unit        typical
    ========= ================================================== =========== ====================
    logP      octanol:water coefficient of the un-ionised form   log10       -2 to 7
    pKa       of each group                                      pH          2 to 12
    fup       fraction unbound in plasma                         1           0.001 to 1
    BP        blood:plasma ratio of concentrations               1           0.55 to 2
    logMA     membrane (phosphatidylcholine):water coefficient   log10       0 to 6
    logDvow   vegetable oil:water coefficient, un-ionised form   log10       -4 to 6
    ========= ================================================== =========== ====================

    Parameters
    ----------
    name : str
    logP : float
    fup : float
        Above 0, at most 1.
    charge : str
        ``neutral``, ``acid``, ``base``, ``ampholyte``, ``zwitterion``, ``diprotic acid`` or ``diprotic base``. An
        ampholyte is uncharged between its two pKa (the base is the weaker group: pKa of the acid above that of the
        base); a zwitterion carries both charges there (pKa of the acid below that of the base).
    pKa : float or tuple of float
        One for each group: none for a neutral drug, acid first and base second for ampholytes and zwitterions, in
        any order for two groups of one kind.
    BP : float, optional
        Partition of strong bases (Rodgers & Rowland) and tissue:blood coefficients need it.
    logMA, logDvow : float, optional
        Measured values. Where left out, logMA is taken as logP (the fallback of Schmitt 2008) and logDvow from the
        regression of Leo, Hansch and Elkins (1971) that Poulin & Theil use, 1.115 logP - 1.35.

    Raises
    ------
    MechanismError
        For an unknown charge class, a number or an order of pKa that does not fit it, and values that cannot be.

    Notes
    -----
    Drugs bind in plasma and tissues as the total does at equilibrium: transporters, saturable binding and metabolism
    in tissues are not part of it. From plasma concentrations alone logP, pKa and fup are not identifiable: fix them.

    References
    ----------
    Leo A, Hansch C, Elkins D (1971). Partition coefficients and their uses. Chem Rev 71:525-616.

    Poulin P, Theil FP (2002). Prediction of pharmacokinetics prior to in vivo studies. 1. Mechanism-based prediction
    of volume of distribution. J Pharm Sci 91:129-156.

    Schmitt W (2008). General approach for the calculation of tissue to plasma partition coefficients. Toxicol In
    Vitro 22:457-467.

    Examples
    --------
    >>> ibuprofen = Drug("ibuprofen", logP=4.0, charge="acid", pKa=4.4, fup=0.01, BP=0.55)
    >>> ibuprofen.pKa
    (4.4,)
    >>> round(ibuprofen.log_D(7.4), 3)
    1.0
    >>> round(ibuprofen.log_vegetable_oil, 2)
    3.11
    """

    name: str
    _: KW_ONLY
    logP: float
    fup: float
    charge: str = "neutral"
    pKa: float | tuple[float, ...] = ()
    BP: float | None = None
    logMA: float | None = None
    logDvow: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pKa", self.constants)
        check_charge(self)
        check_binding(self)
        for field in ("logP", "logMA", "logDvow"):
            value = getattr(self, field)
            if value is not None and not (np.isfinite(value) and abs(value) <= 15):
                raise MechanismError(
                    f"{self.name}: {field} must be a decimal logarithm between -15 and 15; got {value}. "
                    "Take log10 of a coefficient."
                )

    @property
    def constants(self) -> tuple[float, ...]:
        """The pKa of each group, in their order."""
        return tuple(float(value) for value in np.atleast_1d(np.asarray(self.pKa, dtype=float)))

    def ionisation(self, pH: float) -> Ionisation:
        """Return how much is ionised at a pH, relative to the un-ionised form."""
        return ionisation(CHARGES[self.charge], self.constants, pH)

    def log_D(self, pH: float = 7.4) -> float:
        """Return the decimal logarithm of the octanol:water distribution coefficient at a pH."""
        return float(self.logP - np.log10(self.ionisation(pH).total))

    @property
    def log_membrane_affinity(self) -> float:
        """Decimal logarithm of the membrane:water coefficient: `logMA`, or logP where it was not measured."""
        return self.logP if self.logMA is None else self.logMA

    @property
    def log_vegetable_oil(self) -> float:
        """Decimal logarithm of the vegetable oil:water coefficient: `logDvow`, or 1.115 logP - 1.35."""
        return 1.115 * self.logP - 1.35 if self.logDvow is None else self.logDvow

    @property
    def basic_pKa(self) -> float | None:
        """PKa of the strongest basic group, None without one."""
        groups = zip(CHARGES[self.charge], self.constants, strict=True)
        return max((pKa for group, pKa in groups if group == "base"), default=None)


def check_charge(drug: Drug) -> None:
    """Refuse a charge class that is unknown, and pKa that do not fit it."""
    if drug.charge not in CHARGES:
        raise MechanismError(
            f"{drug.name}: charge {drug.charge!r} is not known. Choose one of {', '.join(CHARGES)}."
        )
    groups = CHARGES[drug.charge]
    if len(drug.constants) != len(groups):
        wanted = f"{len(groups)} pKa ({', '.join(groups)})" if groups else "no pKa"
        raise MechanismError(
            f"{drug.name}: a drug of class {drug.charge!r} has {wanted}; got {drug.constants}."
        )
    if any(not (np.isfinite(pKa) and -10 <= pKa <= 20) for pKa in drug.constants):
        raise MechanismError(f"{drug.name}: each pKa must be between -10 and 20; got {drug.constants}.")
    if drug.charge == "zwitterion" and drug.constants[0] >= drug.constants[1]:
        raise MechanismError(
            f"{drug.name}: the acid of a zwitterion has the lower pKa; got acid {drug.constants[0]}, "
            f"base {drug.constants[1]}. Give the acid first, or call it an 'ampholyte'."
        )
    if drug.charge == "ampholyte" and drug.constants[0] < drug.constants[1]:
        raise MechanismError(
            f"{drug.name}: the acid of an ampholyte has the higher pKa; got acid {drug.constants[0]}, "
            f"base {drug.constants[1]}. Give the acid first, or call it a 'zwitterion'."
        )


def check_binding(drug: Drug) -> None:
    """Refuse a fraction that is not one, and a blood:plasma ratio that is not positive."""
    if not (np.isfinite(drug.fup) and 0 < drug.fup <= 1):
        raise MechanismError(
            f"{drug.name}: fup is the fraction unbound in plasma, above 0 and at most 1; got {drug.fup}. "
            "Divide a percentage by 100."
        )
    if drug.BP is not None and not (np.isfinite(drug.BP) and drug.BP > 0):
        raise MechanismError(f"{drug.name}: the blood:plasma ratio BP must be positive; got {drug.BP}.")
