"""Facts about a decision: for whom it holds, what was assumed, and how it was computed."""

from __future__ import annotations

from typing import Any

import xarray as xr

from qsp_bayes.decision import Decision
from qsp_bayes.formatting import count, interval
from qsp_bayes.report.blocks import Block, Facts, Text
from qsp_bayes.report.contents import labelled, metadata


def for_whom(
    decision: Decision, fit: xr.DataTree | None, future: xr.DataTree | None
) -> list[tuple[str, Any]]:
    """Tell whom the simulated individuals stand for, and what they were learned from."""
    made = decision.metadata
    rows: list[tuple[str, Any]] = [("Individuals", individuals(made))]
    rows += [("Their " + name, span) for name, span in covariate_spans(future)]
    if made.get("regimens"):
        rows.append(("Regimens", [f"{name}: {text}" for name, text in made["regimens"].items()]))
    if fit is None:
        return rows
    content = metadata(fit)
    study, system = content.get("study", {}), content.get("system", {})
    learned = ", ".join(
        filter(
            None,
            [
                study.get("title") or study.get("name"),
                count(study["n_subjects"], "subject") if "n_subjects" in study else "",
                count(study["n_observations"], "observation") if "n_observations" in study else "",
            ],
        )
    )
    described = content.get("calibration", {})
    named = {
        "Learned from": learned,
        "Left out of the data": study.get("excluded"),
        "Source of the data": study.get("source"),
        "Model": system.get("name"),
        "Individuals differ by": described.get("individual"),
        "Residual error": [f"{output}: {error}" for output, error in described.get("error", {}).items()],
        "Fixed values": [f"{name} = {value:g}" for name, value in described.get("fixed", {}).items()],
        "Priors": [
            f"{row['name']}: {row['distribution']}{' ' + row['unit'] if row.get('unit') else ''}"
            f" ({row.get('source') or 'no source'})"
            for row in content.get("priors", [])
        ],
    }
    return [*rows, *((term, text) for term, text in named.items() if text)]


def individuals(made: dict[str, Any]) -> str:
    """Say how many individuals were simulated, and where their covariates come from."""
    number = made.get("n_subjects", 0)
    if number == 1:
        return "one person"
    origin = f": {made['subjects']}" if made.get("subjects") else ""
    return f"{count(number, 'new individual')}{origin}"


def covariate_spans(future: xr.DataTree | None) -> list[tuple[str, str]]:
    """Give the range of each covariate of the simulated individuals."""
    if future is None or "constant_data" not in future.children:
        return []
    columns = future["constant_data"].to_dataset().data_vars.items()
    return [
        (
            labelled(str(name), str(column.attrs.get("units", ""))),
            interval(float(column.min()), float(column.max())),
        )
        for name, column in columns
        if column.dims == ("subject",) and column.dtype.kind in "if"
    ]


def assumptions(decision: Decision, fit: xr.DataTree | None) -> list[Block]:
    """Say what the recommendation takes for granted."""
    made = decision.metadata
    found = [
        "The utility says what is wanted: another utility may put another regimen first.",
        "Doses are taken as planned, and those treated are like the individuals described here.",
    ]
    if made.get("change"):
        found.append(f"The simulation changed {', '.join(made['change'])} of every individual on purpose.")
    blocks: list[Block] = [Text(" ".join(found))]
    if fit is None:
        blocks.append(
            Text("Study, model and priors are not shown: the fit was not given to this page.", "absent")
        )
    else:
        blocks.append(
            Text("Estimates, diagnostics and predictive checks are in the report on the fit (qb.report).")
        )
    return blocks


def how_computed(decision: Decision, fit: xr.DataTree | None) -> Facts:
    """Print what is needed to make the same decision again."""
    made = decision.metadata
    content = metadata(fit) if fit is not None else {}
    draws = decision.utility.sizes["chain"] * decision.utility.sizes["draw"]
    many = f"population, {count(made.get('n_subjects', 0), 'individual')} in each"
    whom = "patient" if decision.is_for_one else many
    facts: dict[str, Any] = {
        "Simulation": f"{draws} draws of the {whom}; the same under every regimen",
        "Random seed of the simulation": made.get("random_seed"),
        "Random seed of the fit": content.get("random_seed"),
        "Solver": content.get("calibration", {}).get("solver"),
        "Records, SHA-256": content.get("study", {}).get("checksum") or made.get("study"),
        "Sampling": [
            f"{key.replace('_', ' ')}: {value}" for key, value in content.get("sampling", {}).items()
        ],
        "Versions": [
            f"{name} {version}"
            for name, version in (made.get("versions") or content.get("versions", {})).items()
        ],
    }
    return Facts([(term, str(text) if isinstance(text, int) else text) for term, text in facts.items()
                  if text not in (None, [], "")])  # fmt: skip
