"""How a study shows itself, in a terminal and in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qsp_bayes.data.words import counted

if TYPE_CHECKING:
    from qsp_bayes.data.study import Study


def unit_text(unit: str) -> str:
    """Unit in brackets; nothing for a number without unit."""
    return f" [{unit}]" if unit else ""


def facts(study: Study) -> dict[str, list[str]]:
    """What there is to say about a study, by heading; headings with nothing to say are absent."""
    table, units, provenance = study.table, study.units, study.provenance
    amount = unit_text(units.amount) + (" (ASSUMED)" if "AMT" in provenance.assumed else "")
    varying = [
        name for name in study.covariates if table.groupby("ID", sort=False)[name].nunique().gt(1).any()
    ]
    censored = {output: int((study.censoring(output).CENS != 0).sum()) for output in study.outputs}
    outputs = [
        f"{output}{unit_text(units.outputs[output])}: {len(rows)}"
        + (f", {censored[output]} censored" if censored[output] else "")
        for output, rows in study.rows.items()
    ]
    covariates = [
        f"{name}{unit_text(units.covariates.get(name, ''))}{' (varies in time)' if name in varying else ''}"
        for name in study.covariates
    ]
    occasions = len(study.occasions)
    dosed = [name for name in study.compartments if (table["COMPARTMENT"] == name).any()]
    found = {
        "Observations": outputs,
        "Doses": [f"into {', '.join(dosed)}, amounts{amount}"] if dosed else [],
        "Time": [f"{table['TIME'].min():g} to {table['TIME'].max():g} {units.time}"],
        "Covariates": [", ".join(covariates) + f" ({study.carry.upper()})"] if covariates else [],
        "Occasions": [f"{occasions}"] if occasions > study.n_subjects else [],
        "Route": [provenance.route] if provenance.route else [],
        "Assumed": [", ".join(provenance.assumed)] if provenance.assumed else [],
        "Caveats": list(provenance.caveats),
        "Excluded": list(provenance.excluded),
        "Notes": list(provenance.notes),
        "Source": list(provenance.source),
        "Numbers from": [provenance.package] if provenance.package else [],
        "License": [provenance.license] if provenance.license else [],
        "Checksum": [study.checksum],
    }
    return {heading: lines for heading, lines in found.items() if lines}


def counts(study: Study) -> str:
    """Numbers of subjects, doses, observations and records."""
    numbers = (
        (study.n_subjects, "subject"),
        (study.n_doses, "dose"),
        (study.n_observations, "planned observation" if study.is_planned else "observation"),
        (len(study.table), "record"),
    )
    return ", ".join(counted(number, noun) for number, noun in numbers)


def study_as_text(study: Study) -> str:
    """Plain text, a dozen lines."""
    shown = (
        "Observations",
        "Doses",
        "Time",
        "Covariates",
        "Occasions",
        "Assumed",
        "Caveats",
        "Excluded",
        "Source",
    )
    found = facts(study)
    lines = [f"{heading}: {'; '.join(found[heading])}" for heading in shown if heading in found]
    return "\n  ".join([f"Study {study.name!r}: {study.title or study.name}", counts(study), *lines])


def study_as_html(study: Study, first: int = 8) -> str:
    """Heading, counts, provenance and caveats, and the first records; every text is escaped."""
    items = "".join(
        f"<tr><th style='text-align:left;vertical-align:top'>{escape(heading)}</th>"
        f"<td style='text-align:left'>{'<br>'.join(escape(line) for line in lines)}</td></tr>"
        for heading, lines in facts(study).items()
    )
    rows = study.table.head(first).to_html(index=False, escape=True, na_rep="", border=0)
    return (
        "<div class='qsp-bayes-study'>"
        f"<h4>Study {escape(study.name)}: {escape(study.title or study.name)}</h4>"
        f"<p>{escape(counts(study))}</p>"
        f"<table>{items}</table>"
        f"<p>First {min(first, len(study.table))} of {len(study.table)} records</p>{rows}"
        "</div>"
    )
