"""PartitionCoefficients: how a drug distributes between tissues and plasma at equilibrium, by one method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.partition.methods import method_named
from qsp_bayes.physiology.partition.tissues import composition

KINDS = ("tissue:plasma", "tissue:blood", "unbound")


@dataclass(frozen=True)
class PartitionCoefficients:
    """Partition coefficients of a drug, with their kind, method and what stands for figures that nobody published.

    Parameters
    ----------
    drug : Drug
    method : str
    kind : str
        ``tissue:plasma`` (Kp: total concentration in the tissue, without its blood, over total in plasma),
        ``tissue:blood`` (Kp / BP) or ``unbound`` (Kpu = Kp / fup: over unbound in plasma).
    values : mapping of str to float
        By organ.
    composition, species, source : str
        Table of tissue composition, whose tissues these are, and the publication.
    substitutes : mapping of str to str
        Organs that the publication does not have, and what stands for them.
    remarks : tuple of str
        What to know of the drug by this method before relying on it.
    doubts : mapping of str to str
        Organs whose published composition is in doubt, and why.

    Examples
    --------
    >>> drug = Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)
    >>> partition = partition_coefficients(drug)
    >>> partition
    PartitionCoefficients(midazolam, Rodgers-Rowland, tissue:plasma, 13 organs)
    >>> round(partition.values["liver"], 3), round(partition.to("tissue:blood").values["liver"], 3)
    (0.979, 1.474)
    >>> partition.substitutes
    mappingproxy({'rest': 'mean over lung, heart, muscle, skin, kidney, gut, spleen, pancreas, liver'})
    """

    drug: Drug
    method: str
    kind: str
    values: Mapping[str, float]
    composition: str
    species: str
    source: str
    substitutes: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("values", "substitutes", "doubts"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def to(self, kind: str) -> PartitionCoefficients:
        """Return them as another kind: ``tissue:plasma``, ``tissue:blood`` or ``unbound``.

        Raises
        ------
        MechanismError
            For another kind, and for tissue:blood of a drug without BP.
        """
        factor = per_plasma(self.drug, kind) / per_plasma(self.drug, self.kind)
        return replace(self, kind=kind, values={organ: K * factor for organ, K in self.values.items()})

    def parameters(self) -> dict[str, float]:
        """Return the values of the parameters ``Kp_<organ>`` (tissue:plasma) of a whole-body model."""
        return {f"Kp_{organ}": K for organ, K in self.to("tissue:plasma").values.items()}

    def figures(self, sd_log: float = 0.0) -> dict[str, Figure]:
        """Return the parameters ``Kp_<organ>`` (tissue:plasma) as figures with their source.

        Parameters
        ----------
        sd_log : float
            Spread of each: 0 (not known) for one method. `partition_figures` gives that between methods.
        """
        return {
            name: Figure(
                K, "", f"{self.method}: {self.source}", sd_log, self.remark(name.removeprefix("Kp_"))
            )
            for name, K in self.parameters().items()
        }

    def remark(self, organ: str) -> str:
        """Return what to know of one organ: species, substitute, doubts, and what holds for the drug."""
        known = [notes[organ] for notes in (self.doubts, self.substitutes) if organ in notes]
        return "; ".join([f"composition of tissues: {self.species}", *self.remarks, *known])

    def __repr__(self) -> str:
        return (
            f"PartitionCoefficients({self.drug.name}, {self.method}, {self.kind}, {len(self.values)} organs)"
        )


def per_plasma(drug: Drug, kind: str) -> float:
    """Return what a tissue:plasma coefficient is multiplied by to be of a kind."""
    if kind not in KINDS:
        raise MechanismError(f"There is no coefficient of kind {kind!r}. Choose one of {', '.join(KINDS)}.")
    if kind == "tissue:blood" and drug.BP is None:
        raise MechanismError(
            f"{drug.name}: a tissue:blood coefficient needs the blood:plasma ratio. Give Drug(..., BP=...)."
        )
    return {"tissue:plasma": 1.0, "tissue:blood": 1.0 / (drug.BP or 1.0), "unbound": 1.0 / drug.fup}[kind]


def partition_coefficients(
    drug: Drug, method: str = "Rodgers-Rowland", *, haematocrit: float = 0.45
) -> PartitionCoefficients:
    r"""Predict how a drug distributes between tissues and plasma from the composition of tissues.

    =================== ============================================ ======= =====================================
    method              what it rests on                             tissues where it is at home
    =================== ============================================ ======= =====================================
    ``Poulin-Theil``    water, lipids, protein of the interstitium   human   neutral and weakly ionised drugs
    ``Berezhkovskiy``   the same, binding in water alone             human   the same
    ``Rodgers-Rowland`` waters, lipids, acidic phospholipids,        rat     all classes; strong bases need BP
                        albumin, lipoprotein
    ``Schmitt``         interstitium, cells, phospholipids, pH       any     all classes; best with logMA
    ``PK-Sim``          water, lipid, protein                        human   with logMA, moderately lipophilic
    =================== ============================================ ======= =====================================

    Parameters
    ----------
    drug : Drug
    method : str
    haematocrit : float
        For the binding of strong bases by ``Rodgers-Rowland``.

    Returns
    -------
    PartitionCoefficients
        Of the kind tissue:plasma, for all organs of a whole-body model.

    Raises
    ------
    MechanismError
        For an unknown method, and a drug that lacks what the method needs.

    Notes
    -----
    For many drugs predictions are within threefold of what is observed, for some they are not. Plasma
    concentrations alone inform about the volume of distribution and a few groups of tissues, not about each
    coefficient: give them priors (`partition_figures`), or scale all by one factor.

    References
    ----------
    Those of `poulin_theil`, `berezhkovskiy`, `rodgers_rowland`, `schmitt` and `pk_sim` in
    `qsp_bayes.physiology.partition`.

    Examples
    --------
    >>> drug = Drug("propranolol", logP=3.48, charge="base", pKa=9.45, fup=0.13, BP=0.8)
    >>> found = partition_coefficients(drug, "Poulin-Theil")
    >>> round(found.values["muscle"], 2)
    3.3
    >>> found.substitutes["pancreas"]
    'not in Poulin & Theil (2002): as PK-Sim has it, lipids of the rat (Rodgers, Leahy & Rowland 2005)'
    """
    chosen, table = method_named(method), composition(method_named(method).table)
    native = PartitionCoefficients(
        drug=drug,
        method=method,
        kind=chosen.kind,
        values=chosen.coefficients(drug, haematocrit),
        composition=table.name,
        species=table.species,
        source=table.source,
        substitutes=table.substitutes,
        remarks=chosen.remarks(drug, haematocrit),
        doubts=table.remarks,
    )
    return native.to("tissue:plasma")
