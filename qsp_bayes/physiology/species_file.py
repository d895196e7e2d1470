"""SpeciesFile: the figures of one species as its TOML file has them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.entry import Entry, check_keys, read_entry
from qsp_bayes.physiology.organs import ARTERIAL, ORGANS, SCALARS

NEEDED = ("body_weight", "cardiac_output", "blood_volume", "haematocrit", "arterial_fraction", "GFR")
TISSUE = tuple(organ for organ in ORGANS if organ != "rest")
FLOW = tuple(flow for flow in ARTERIAL if flow != "rest")
FOLDER = Path(__file__).parent / "species"
REFERENCE = Path(__file__).parent / "reference"


@dataclass(frozen=True)
class SpeciesFile:
    """What a species file holds.

    The file begins with ``title``, ``remark`` and ``[sources]``, the publications by the short names that figures
    cite them by. Each figure is a table: ``value``, ``unit``, ``source``; ``other`` lists what other sources say,
    ``sd_log`` a spread the source itself gives, ``remark`` and ``doubtful`` words. There is

    - one table for each quantity of the whole body: ``[body_weight]``, ``[cardiac_output]``, ``[blood_volume]``,
      ``[haematocrit]``, ``[arterial_fraction]``, ``[GFR]``, and where known the plasma proteins, microsomal protein
      and hepatocellularity;
    - ``[tissue.<organ>]``, the organ without its blood: a mass or a volume, absolute or per kg of body weight;
    - ``[flow.<organ>]`` and ``[flow.hepatic_artery]``, arterial blood flow: absolute or a share of cardiac output;
    - optionally ``[vascular.<organ>]``, the blood in the vessels of an organ, a share of all blood.

    Rest of the body and its flow are never written: they are what is left.
    """

    path: Path
    title: str
    remark: str
    scalars: Mapping[str, Entry]
    tissue: Mapping[str, Entry]
    flow: Mapping[str, Entry]
    vascular: Mapping[str, Entry]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    MechanismError
        If it is not there, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MechanismError(f"{path}: no such file. Check the path.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MechanismError(f"{path.name}: not valid TOML ({error}). Correct the line.") from None


def read_species(path: Path) -> SpeciesFile:
    """Read a species file and check every key of it.

    Raises
    ------
    MechanismError
        Naming file, table and key.

    Examples
    --------
    >>> read_species(FOLDER / "rat.toml").tissue["liver"].value
    36.6
    """
    path = Path(path)
    content = read_toml(path)
    sections = {"tissue": TISSUE, "flow": FLOW, "vascular": ORGANS}
    check_keys(
        content,
        ("title", "remark", "sources", *SCALARS, *sections),
        ("title", "sources", *NEEDED, "tissue", "flow"),
        path.name,
    )
    sources = content["sources"]
    entries = {
        name: read_entry(content[name], f"{path.name}, table [{name}]", sources)
        for name in SCALARS
        if name in content
    }
    found: dict[str, dict[str, Entry]] = {}
    for section, organs in sections.items():
        tables = content.get(section, {})
        check_keys(tables, organs, organs if tables else (), f"{path.name}, table [{section}]")
        found[section] = {
            organ: read_entry(tables[organ], f"{path.name}, table [{section}.{organ}]", sources)
            for organ in organs
            if organ in tables
        }
    return SpeciesFile(path, content["title"], content.get("remark", "").strip(), entries, **found)


def read_shared(section: str) -> dict[str, Entry]:
    """Read what species have in common: ``density`` in kg/L, or ``vascular_fraction``."""
    path = REFERENCE / "bodies.toml"
    content = read_toml(path)
    unit = {"density": "kg/L", "vascular_fraction": ""}[section]
    return {
        organ: read_entry(
            {"unit": unit, **table}, f"{path.name}, table [{section}.{organ}]", content["sources"]
        )
        for organ, table in content[section].items()
    }
