"""What a system shows of itself: a line, a card for notebooks, and plain values for metadata."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qsp_bayes.systems.conservation import conservation_laws, law_text, stoichiometry
from qsp_bayes.systems.diagram import draw
from qsp_bayes.systems.equations import equations_html, equations_text
from qsp_bayes.systems.rates import rates

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System


def summary(system: System) -> str:
    """Describe a system in a line."""
    parts = [f"{kind} {', '.join(names)}" for kind, names in system.names().items() if names]
    return f"<System {system.name}: {'; '.join(parts)}>"


def describe(system: System) -> dict[str, Any]:
    """Return what documents a system, as plain values that JSON can hold."""
    table = stoichiometry(system)
    return {
        "name": system.name,
        "time_unit": system.time_unit,
        "states": dict(system.states),
        "parameters": dict(system.parameters),
        "scales": dict(system.scales),
        "inputs": dict(system.inputs),
        "interpolated": list(system.interpolated),
        "constants": {name: [constant.value, constant.unit] for name, constant in system.constants.items()},
        "outputs": {name: output.unit for name, output in system.outputs.items()},
        "accumulators": list(system.accumulators),
        "switches": [switch.name for switch in system.switches],
        "compartments": {name: [route.state for route in routes] for name, routes in system.doses.items()},
        "equations": equations_text(system),
        "equations_html": equations_html(system),
        "stoichiometry": {
            "states": list(table.index),
            "processes": list(table.columns),
            "matrix": [
                [entry if isinstance(entry, int) else str(entry) for entry in row] for row in table.to_numpy()
            ],
        },
        "conservation": [law_text(law) for law in conservation_laws(system)],
        "diagram_svg": draw(system).svg,
    }


def card(system: System) -> str:
    """Show a system in a notebook: diagram, equations, units, laws, stoichiometry and rates."""
    laws = [law_text(law) for law in conservation_laws(system)]
    units = {
        "States": system.states,
        "Parameters": system.parameters,
        "Inputs": {
            f"{name} between records" if name in system.interpolated else name: unit
            for name, unit in system.inputs.items()
        },
        "Constants": {name: f"{c.value:g} {c.unit}" for name, c in system.constants.items()},
        "Outputs": {name: output.unit for name, output in system.outputs.items()},
    }
    conserved = "; ".join(laws) if laws else "nothing: matter enters or leaves"
    return (
        f"<div class='qsp-system'><h4>{html.escape(system.name)}</h4>"
        f"{draw(system).svg}{equations_html(system)}"
        f"<p>{''.join(units_line(kind, items) for kind, items in units.items())}"
        f"<b>Conserved:</b> {html.escape(conserved)}</p>"
        f"{stoichiometry(system).to_html(border=0)}{rates(system).to_html(border=0)}</div>"
    )


def units_line(kind: str, units: Mapping[str, str]) -> str:
    """List names with their units, or nothing where there are none."""
    listed = ", ".join(f"{name} ({unit or '1'})" for name, unit in units.items())
    return f"<b>{kind}:</b> {html.escape(listed)}<br>" if units else ""
