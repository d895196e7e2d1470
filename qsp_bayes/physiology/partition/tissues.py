"""Composition: what tissues are made of, as published tables of water, lipids and proteins state it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.organs import ORGANS

LEAN_SOFT_TISSUES = ("lung", "heart", "muscle", "skin", "kidney", "gut", "spleen", "pancreas", "liver")
"""Tissues whose mean stands for the rest of the body: without fat, bone and the brain."""

Constituents = Mapping[str, float]


@dataclass(frozen=True)
class Composition:
    """A table of tissue composition.

    Parameters
    ----------
    name, species, source : str
        Which table it is, whose tissues they are, the primary publication.
    tissues : mapping of str to mapping
        Constituents by organ.
    plasma, blood_cells : mapping of str to float
        Constituents of these, where the method has them.
    substitutes : mapping of str to str
        Organs whose figures are not in the publication, with what stands for them.
    remarks : mapping of str to str
        Doubtful figures.

    Examples
    --------
    >>> table = composition("poulin_theil")
    >>> table.species, table.tissues["adipose"]["neutral_lipid"]
    ('human', 0.79)
    >>> sorted(table.substitutes)
    ['pancreas', 'rest']
    """

    name: str
    species: str
    source: str
    tissues: Mapping[str, Constituents]
    plasma: Constituents
    blood_cells: Constituents
    substitutes: Mapping[str, str]
    remarks: Mapping[str, str]

    def by_organ(self, coefficient: Callable[[str, Constituents], float]) -> dict[str, float]:
        """Work out a coefficient of every organ; that of the rest is the mean over the lean soft tissues."""
        found = {organ: float(coefficient(organ, tissue)) for organ, tissue in self.tissues.items()}
        found["rest"] = sum(found[organ] for organ in LEAN_SOFT_TISSUES) / len(LEAN_SOFT_TISSUES)
        return {organ: found[organ] for organ in ORGANS}


@cache
def composition(name: str) -> Composition:
    """Read one of the tables that come with the package.

    Parameters
    ----------
    name : str
        Name of a file in ``composition/``, without ``.toml``.

    Raises
    ------
    MechanismError
        If there is no such table.
    """
    folder = Path(__file__).parent / "composition"
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise MechanismError(f"There is no table of composition {name!r}. There is {known}.")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    rest = f"mean over {', '.join(LEAN_SOFT_TISSUES)}"
    return Composition(
        name=table["name"],
        species=table["species"],
        source=table["source"],
        tissues=MappingProxyType({organ: MappingProxyType(row) for organ, row in table["tissues"].items()}),
        plasma=MappingProxyType(table.get("plasma", {})),
        blood_cells=MappingProxyType(table.get("blood_cells", {})),
        substitutes=MappingProxyType({**table["substitutes"], "rest": rest}),
        remarks=MappingProxyType(table["remarks"]),
    )
