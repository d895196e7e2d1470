"""The report: one self-contained HTML file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr

from qsp_bayes.decision import Decision
from qsp_bayes.report import (
    cross_validation,
    decision_figure,
    diagnosis,
    estimates,
    fitted,
    goodness_of_fit,
    individual_fits,
    ladder_figure,
    parameters,
    priors,
    study_figure,
    system_section,
    vpc,
)
from qsp_bayes.report.blocks import Facts, Section, Text
from qsp_bayes.report.contents import metadata, outputs
from qsp_bayes.report.summary import Summary, summarise


def report(
    fit: xr.DataTree,
    decision: Decision | None = None,
    to: str | os.PathLike[str] = "report.html",
    future: xr.DataTree | None = None,
) -> Path:
    """Write a report on a fit, and on the decision made with it, as one HTML file.

    The file needs no network and no other file, runs no script, and prints. What the fit does not hold is
    named where it would stand.

    Parameters
    ----------
    fit : DataTree
        As `Calibration.fit` gives it, or as read back from a file.
    decision : Decision, optional
        As `choose` gives it.
    to : path
        File to write; one that exists is replaced.
    future : DataTree, optional
        As `Calibration.simulate` gives it: the predicted course under each regimen is drawn.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    CalibrationError
        If this is not a fit, or it holds no posterior or no observations.
    """
    verdict = diagnosis.diagnose(fit)
    left_out = {output: cross_validation.cross_validate(fit, output) for output in outputs(fit)}
    compared = {output: fitted.fitted(fit, output, found) for output, found in left_out.items()}
    sections = [
        decision_figure.section(decision, future),
        study_figure.section(fit),
        system_section.section(fit),
        priors.section(fit),
        ladder_figure.section(fit),
        estimates.section(fit),
        diagnosis.section(fit, verdict),
        individual_fits.section(fit),
        goodness_of_fit.section(compared),
        vpc.section(fit),
        cross_validation.section(fit, left_out),
        reproducibility(fit),
    ]
    summary = summarise(fit, decision, verdict, parameters.parameters(fit), compared)
    return publish(summary, sections, metadata(fit).get("versions", {}).get("qsp_bayes", ""), Path(to))


def publish(summary: Summary, sections: Sequence[Section], version: str, path: Path) -> Path:
    """Print a head and sections as one file."""
    page = (
        environment()
        .get_template("template.html.jinja")
        .render(summary=summary, sections=sections, date=f"{datetime.now(UTC):%d %B %Y}", version=version)
    )
    # A number and its percent sign stay on one line.
    return write(page.replace(" %", "\N{NO-BREAK SPACE}%"), path)


def environment() -> jinja2.Environment:
    """Give the template environment: every text is escaped, and a name that does not exist is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("qsp_bayes.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write(page: str, path: Path) -> Path:
    """Write to a temporary name first, so that no reader sees half a report."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".html")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(page)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    return path


def reproducibility(fit: xr.DataTree) -> Section:
    """Print what is needed to make the same fit again."""
    content = metadata(fit)
    facts: dict[str, Any] = {
        "Random seed": content.get("random_seed"),
        "Records, SHA-256": content.get("study", {}).get("checksum"),
        "File, SHA-256": content.get("study", {}).get("sha256"),
        "Sampling": [
            f"{name.replace('_', ' ')}: {value}" for name, value in content.get("sampling", {}).items()
        ],
        "Versions": [f"{name} {version}" for name, version in content.get("versions", {}).items()],
    }
    known = [
        (term, str(text) if isinstance(text, int) else text)
        for term, text in facts.items()
        if text not in (None, [], "")
    ]
    if not known:
        return Section(
            "reproducibility", "Reproducibility", [Text("The fit does not say how it was made.", "absent")]
        )
    return Section("reproducibility", "Reproducibility", [Facts(known)])
