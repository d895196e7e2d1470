"""Species: the tables that ship with the package, and the bodies they describe."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.assembly import assemble
from qsp_bayes.physiology.entry import converter
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.organs import ORGANS, SCALARS
from qsp_bayes.physiology.physiology import Physiology
from qsp_bayes.physiology.species_file import FOLDER, SpeciesFile, read_shared, read_species
from qsp_bayes.units import conversion_factor

if TYPE_CHECKING:
    import pandas as pd


def list_species() -> pd.DataFrame:
    """List the species that `load_physiology` knows, one row each.

    Examples
    --------
    >>> list_species()["body_weight"].to_dict()
    {'dog': 10.0, 'human': 73.0, 'monkey': 5.0, 'mouse': 0.02, 'rabbit': 2.5, 'rat': 0.25}
    """
    import pandas as pd

    rows = {}
    for path in sorted(FOLDER.glob("*.toml")):
        body = load_physiology(path.stem)
        rows[path.stem] = {
            "title": body.title,
            "body_weight": body.body_weight,
            "cardiac_output": body.cardiac_output,
            "GFR": body["GFR"].value,
            "doubtful": ", ".join(body.doubtful),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("species")


def load_physiology(
    species: str | Path,
    body_weight: float | None = None,
    *,
    volume_exponent: float = 1.0,
    flow_exponent: float = 0.75,
) -> Physiology:
    r"""Load the body of a species, at its own weight or scaled to another.

    .. math:: V = V_0 (W / W_0)^{1} \qquad Q = Q_0 (W / W_0)^{0.75}

    Parameters
    ----------
    species : str or Path
        One of ``list_species().index``, or the path of a file of the same form (see `SpeciesFile`).
    body_weight : float, optional
        In kg; that of the table where left out.
    volume_exponent, flow_exponent : float
        How volumes and flows (GFR among them) go with body weight.

    Returns
    -------
    Physiology

    Raises
    ------
    MechanismError
        For a species that is not known, and for a file that cannot be read, naming table and key.

    Notes
    -----
    A spread (``sd_log``) is how far sources differ; 0 where there is one source only. That of a flow given as a share
    of cardiac output includes that of cardiac output.

    References
    ----------
    Brown RP et al (1997) Toxicol Ind Health 13:407-484. Davies B, Morris T (1993) Pharm Res 10:1093-1095.
    ICRP (2002) Publication 89, Ann ICRP 32(3-4).

    Examples
    --------
    >>> load_physiology("rat", body_weight=0.3)["V_kidney"]
    0.00208571 L (sd_log 0; Brown RP, ...)
    """
    own = isinstance(species, Path) or species.endswith(".toml")
    body = read_physiology(Path(species)) if own else shipped_physiology(str(species))
    body = replace(body, volume_exponent=volume_exponent, flow_exponent=flow_exponent)
    return body if body_weight is None else body.scaled(body_weight)


@functools.lru_cache(maxsize=32)
def shipped_physiology(species: str) -> Physiology:
    """Read the file of a species that ships with the package, once."""
    known = sorted(file.stem for file in FOLDER.glob("*.toml"))
    if species not in known:
        raise MechanismError(
            f"There is no species {species!r}{close_names(species, known)}. Choose from {', '.join(known)}, "
            "or give the path of a TOML file of your own."
        )
    return read_physiology(FOLDER / f"{species}.toml")


def read_physiology(path: Path) -> Physiology:
    """Read a species file and put the body together."""
    file = read_species(path)
    densities = densities_of_organs()
    known = whole_body(file)
    weight, output = known["body_weight"].value, known["cardiac_output"]
    for organ, entry in file.tissue.items():
        density = densities[organ]
        to_litres = converter({"L": 1.0, "L/kg": weight, "kg": 1 / density, "": weight / density})
        known[f"V_{organ}"] = entry.figure(to_litres, "L")
    for name, entry in file.flow.items():
        figure = entry.figure(converter({"L/h": 1.0, "": output.value}), "L/h")
        is_share = conversion_factor(entry.unit, "") is not None
        spread = float(np.hypot(figure.sd_log, output.sd_log)) if is_share else figure.sd_log
        known[f"Q_{name}"] = replace(figure, sd_log=spread)
    doubtful = {
        f"{prefix}{name}": entry.doubtful
        for prefix, entries in (("", file.scalars), ("V_", file.tissue), ("Q_", file.flow))
        for name, entry in entries.items()
        if entry.doubtful
    }
    body = assemble(
        species=path.stem,
        title=file.title,
        known=known,
        densities=densities,
        where=path.name,
        doubtful=doubtful,
        remark=file.remark,
    )
    return replace(body, known={**body.known, **vascular_volumes(file, body)})


def whole_body(file: SpeciesFile) -> dict[str, Figure]:
    """Return the figures that belong to no organ, each in its unit of `SCALARS`; per kg of body weight is allowed."""
    weight = file.scalars["body_weight"].figure(converter({"kg": 1.0}), "kg")
    known = {}
    for name, entry in file.scalars.items():
        unit = SCALARS[name]
        per_weight = {f"{unit}/kg": weight.value} if unit in ("L", "L/h") else {}
        known[name] = entry.figure(converter({unit: 1.0, **per_weight}), unit)
    return known


def vascular_volumes(file: SpeciesFile, body: Physiology) -> dict[str, Figure]:
    """Return the blood in the vessels of each organ: the file's shares of all blood, or those of rat organs."""
    blood = body.known["blood_volume"].value
    if file.vascular:
        return {
            f"V_{organ}_vascular": entry.figure(converter({"L": 1.0, "": blood}), "L")
            for organ, entry in file.vascular.items()
        }
    shares = read_shared("vascular_fraction")
    found = {}
    for organ in ORGANS:
        share = shares[organ].value
        tissue = body.known[f"V_{organ}"].value
        found[f"V_{organ}_vascular"] = shares[organ].figure(converter({"": tissue / (1 - share)}), "L")
    return found


@functools.lru_cache(maxsize=1)
def densities_of_organs() -> Mapping[str, float]:
    """Return the density of each organ and of blood, kg/L."""
    return {organ: entry.value for organ, entry in read_shared("density").items()}
