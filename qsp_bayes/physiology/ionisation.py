"""Ionisation: the charged forms of a drug at a pH, relative to the un-ionised form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ionisation:
    """The charged forms of a drug, each as a ratio to the un-ionised form.

    Parameters
    ----------
    cation, anion : float
        All forms of net positive and of net negative charge.
    both : float
        The form of an ampholyte or zwitterion that carries one charge of each sign.

    Examples
    --------
    >>> at_plasma = Ionisation(cation=9.0)
    >>> at_plasma.total, at_plasma.fraction_unionised
    (10.0, 0.1)
    """

    cation: float = 0.0
    anion: float = 0.0
    both: float = 0.0

    @property
    def charged(self) -> float:
        """All forms of net charge, relative to the un-ionised one: X, Y and Z of Rodgers and Rowland."""
        return self.cation + self.anion

    @property
    def total(self) -> float:
        """All forms, the un-ionised one included."""
        return 1.0 + self.cation + self.anion + self.both

    @property
    def fraction_unionised(self) -> float:
        """Part of the drug that is not ionised."""
        return 1.0 / self.total

    @property
    def fraction_uncharged(self) -> float:
        """Part of the drug without net charge: un-ionised, or with one charge of each sign."""
        return (1.0 + self.both) / self.total

    @property
    def fraction_cation(self) -> float:
        """Part of the drug of net positive charge."""
        return self.cation / self.total

    @property
    def fraction_anion(self) -> float:
        """Part of the drug of net negative charge."""
        return self.anion / self.total


def ionisation(groups: Sequence[str], pKa: Sequence[float], pH: float) -> Ionisation:
    r"""Return the charged forms at a pH by the equation of Henderson and Hasselbalch.

    Two groups of one kind ionise one after the other, the stronger first; an acid and a base do so independently:

    .. math::

        \text{diprotic acid: } & 10^{pH - pKa_1} + 10^{2 pH - pKa_1 - pKa_2} \\
        \text{diprotic base: } & 10^{pKa_1 - pH} + 10^{pKa_1 + pKa_2 - 2 pH} \\
        \text{acid and base: } & 10^{pH - pKa_a} + 10^{pKa_b - pH} + 10^{pKa_b - pKa_a}

    Parameters
    ----------
    groups : sequence of str
        ``acid`` or ``base`` for each group; at most two.
    pKa : sequence of float
        Of each group.
    pH : float

    Returns
    -------
    Ionisation

    Examples
    --------
    >>> ionisation(["acid"], [6.4], 7.4).anion
    10.0
    >>> ionisation(["base", "base"], [7.4, 8.4], 7.4).cation
    20.0
    """
    exponents = {"acid": [pH - value for value in pKa], "base": [value - pH for value in pKa]}
    acids = sorted((exponents["acid"][i] for i, group in enumerate(groups) if group == "acid"), reverse=True)
    bases = sorted((exponents["base"][i] for i, group in enumerate(groups) if group == "base"), reverse=True)
    both = 10.0 ** (acids[0] + bases[0]) if acids and bases else 0.0
    return Ionisation(cation=in_turn(bases), anion=in_turn(acids), both=both)


def in_turn(exponents: Sequence[float]) -> float:
    """Sum of the forms of groups that ionise one after the other, given in that order."""
    return float(sum(10.0 ** sum(exponents[: count + 1]) for count in range(len(exponents))))
