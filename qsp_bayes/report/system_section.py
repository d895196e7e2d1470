"""The mechanism: its diagram, equations, stoichiometry and conservation laws."""

from __future__ import annotations

from typing import Any

import xarray as xr

from qsp_bayes.report.blocks import Block, Column, Equations, Facts, Figure, Image, Section, Table, Text
from qsp_bayes.report.contents import metadata
from qsp_bayes.report.sanitise import sanitised
from qsp_bayes.report.style import svg_uri

DIAGRAM_WIDTH = 640


def section(fit: xr.DataTree) -> Section:
    """Print what the fit says of its system; it comes from a file, so the drawing is embedded as an image."""
    content = metadata(fit)
    system, calibration = content.get("system", {}), content.get("calibration", {})
    if not system:
        return Section(
            "system", "System", [Text("The system is not shown: the fit does not describe it.", "absent")]
        )
    name = system.get("name", "system")
    blocks: list[Block] = []
    if system.get("diagram_svg"):
        alt = f"Diagram of {name}: states {', '.join(system.get('states', []))}."
        blocks.append(
            Figure(f"Diagram of {name}", [Image(svg_uri(system["diagram_svg"]), alt, DIAGRAM_WIDTH)])
        )
    if system.get("equations") or system.get("equations_html"):
        blocks.append(Equations(system.get("equations", []), sanitised(system.get("equations_html") or "")))
    stoichiometry = system.get("stoichiometry")
    if stoichiometry:
        blocks.append(
            Table(
                "Stoichiometry: what one unit of each process adds to each state",
                [Column("State"), *(Column(process, True) for process in stoichiometry["processes"])],
                [
                    (state, *(coefficient(value) for value in row))
                    for state, row in zip(stoichiometry["states"], stoichiometry["matrix"], strict=True)
                ],
            )
        )
    facts = [
        ("Conserved", system.get("conservation") or "no quantity is conserved"),
        ("Individuals", calibration.get("individual")),
        (
            "Observation error",
            [f"{output}: {error}" for output, error in calibration.get("error", {}).items()],
        ),
        ("Fixed", [f"{name} = {value:g}" for name, value in calibration.get("fixed", {}).items()]),
        ("Solver", calibration.get("solver")),
        (
            "Parameters",
            [f"{name} ({unit or 'no unit'})" for name, unit in system.get("parameters", {}).items()],
        ),
    ]
    blocks.append(Facts([(term, text) for term, text in facts if text]))
    return Section("system", "System", blocks)


def coefficient(value: Any) -> str:
    """Print a stoichiometric coefficient, nothing for zero.

    Examples
    --------
    >>> coefficient(-1), coefficient(0.5), coefficient("1/2"), coefficient(0)
    ('−1', '+0.5', '1/2', '')
    """
    if isinstance(value, str):
        return "" if value == "0" else value
    return f"{value:+g}".replace("-", "−") if value else ""
