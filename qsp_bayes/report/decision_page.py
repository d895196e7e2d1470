"""The decision page: one self-contained HTML file that says which regimen, why, how sure, and for whom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure as MatplotlibFigure

from qsp_bayes.decision import Decision, DecisionSensitivity
from qsp_bayes.errors import DecisionError
from qsp_bayes.report import decision_figure, decision_sensitivity_figure
from qsp_bayes.report.blocks import Block, Facts, Section, Text
from qsp_bayes.report.contents import labelled, metadata
from qsp_bayes.report.decision_facts import assumptions, for_whom, how_computed
from qsp_bayes.report.diagnosis import diagnose
from qsp_bayes.report.evidence import Evidence, evidence_blocks
from qsp_bayes.report.expected_exposure import exposure_table
from qsp_bayes.report.page import publish
from qsp_bayes.report.recommendation import recommend, runner_up


def decision_report(
    decision: Decision,
    to: str | os.PathLike[str] = "decision.html",
    *,
    fit: xr.DataTree | None = None,
    future: xr.DataTree | None = None,
    sensitivity: DecisionSensitivity | None = None,
    value: Evidence | Mapping[str, Evidence] | None = None,
    patient: Evidence | None = None,
    figures: Mapping[str, MatplotlibFigure] | None = None,
) -> Path:
    """Write the page that goes to who has to decide.

    The recommended regimen stands in one large line; below it why, how sure, what would change it, for whom, and how
    it was computed. The file needs no network and no other file, runs no script, and prints. What was not given is
    named where it would stand.

    Parameters
    ----------
    decision : Decision
        From `choose`.
    to : path
        File to write; one that exists is replaced.
    fit : DataTree, optional
        The fit behind it: study, model, priors, and whether the posterior can be used. Where it cannot, nothing is
        recommended.
    future : DataTree, optional
        The simulation behind it: expected exposure and courses, and the covariates of the individuals.
    sensitivity : DecisionSensitivity, optional
        From `decision_sensitivity`.
    value : Evidence or mapping of str to Evidence, optional
        What it is worth to learn more, by caption: objects with a data frame ``table`` and a method ``summary``.
    patient : Evidence, optional
        The one patient it was made for.
    figures : mapping of str to matplotlib figure, optional
        Drawn beside the evidence of the same name: ``"patient"``, ``"value"``, or a caption of `value`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DecisionError
        If the parts are not of one decision, or an object has no table or no summary.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from qsp_bayes.decision import choose
    >>> rng = np.random.default_rng(1)
    >>> level = xr.DataArray(rng.normal(size=(4, 25, 2, 10, 2)), dims=("chain", "draw", "regimen", "subject", "time"),
    ...                      coords={"regimen": ["100 mg", "200 mg"], "time": [0.0, 1.0]})
    >>> future = xr.DataTree.from_dict({"predictions": level.to_dataset(name="Cc")})
    >>> decision = choose(future, lambda x: x["Cc"].max("time"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = decision_report(decision, Path(folder) / "decision.html", future=future)
    ...     decision.best in path.read_text(encoding="utf-8")
    True
    """
    require_one_decision(decision, future, sensitivity)
    figures = dict(figures or {})
    evidence = {"value": value} if isinstance(value, Evidence) else dict(value or {})
    unknown = set(figures) - {"patient", "value", *evidence}
    if unknown:
        raise DecisionError(f"Figure {sorted(unknown)[0]!r} belongs to nothing that was given.")
    compared = compared_regimens(decision)
    exposure = exposure_table(future, compared) if future is not None else None
    study = metadata(fit).get("study", {}) if fit is not None else {}
    about = f" Learned from: {study['title']}." if study.get("title") else ""
    diagnosis = diagnose(fit) if fit is not None else None
    sections = [
        *([Section("patient", "The patient", patient_blocks(patient, figures))] if patient is not None else []),
        Section("attains", "What to expect", expectation(decision, future, compared)),
        Section("sure", "How sure it is", candidates(decision)),
        Section("change", "What would change it", changes(sensitivity, evidence, figures)),
        Section("whom", "For whom", [Facts(for_whom(decision, fit, future)), *assumptions(decision, fit)]),
        Section("computed", "How it was computed", [how_computed(decision, fit)]),
    ]  # fmt: skip
    versions = (metadata(fit) if fit is not None else decision.metadata).get("versions", {})
    summary = recommend(decision, diagnosis, sensitivity, exposure, about)
    return publish(summary, sections, str(versions.get("qsp_bayes", "")), Path(to))


def require_one_decision(
    decision: Decision, future: xr.DataTree | None, sensitivity: DecisionSensitivity | None
) -> None:
    """Require that simulation and sensitivity are those of the decision."""
    if sensitivity is not None and sensitivity.recommended != decision.best:
        raise DecisionError(
            f"The sensitivity is of a decision for {sensitivity.recommended}, this one is for {decision.best}. "
            "Call decision_sensitivity on the same simulation and utility."
        )
    if future is None:
        return
    for group in future.children.values():
        simulated = group.to_dataset().coords.get("regimen")
        if simulated is not None and set(map(str, simulated.values)) != set(decision.table.index):
            raise DecisionError(
                "The simulation holds other regimens than the decision. Give the one that `choose` was given."
            )


def compared_regimens(decision: Decision) -> list[str]:
    """Name the recommended regimen and the runner-up."""
    second = runner_up(decision)
    return [decision.best, *([second] if second else [])]


def patient_blocks(patient: Evidence, figures: Mapping[str, MatplotlibFigure]) -> list[Block]:
    """Print what is known of the patient."""
    return evidence_blocks(patient, "The patient's own parameters", figures.get("patient"))


def expectation(decision: Decision, future: xr.DataTree | None, compared: list[str]) -> list[Block]:
    """Print what the regimens are expected to do."""
    utility = labelled(decision.description, decision_figure.unit_of(decision))
    blocks: list[Block] = [Facts([("Utility", utility)])]
    if future is None:
        return [
            *blocks,
            Text("Expected exposure is not shown: the simulation was not given to this page.", "absent"),
        ]
    chosen = future.map_over_datasets(
        lambda group: group.sel(regimen=compared) if "regimen" in group.dims else group
    )
    chosen.attrs = dict(future.attrs)
    return [*blocks, *decision_figure.profile_blocks(chosen)]


def candidates(decision: Decision) -> list[Block]:
    """Print the choice in words, then all candidates."""
    return [block for block in decision_figure.decision_blocks(decision) if not isinstance(block, Facts)]


def changes(
    sensitivity: DecisionSensitivity | None,
    evidence: Mapping[str, Evidence],
    figures: Mapping[str, MatplotlibFigure],
) -> list[Block]:
    """Print the sensitivity of the decision, and what it is worth to learn more."""
    blocks: list[Block] = []
    if sensitivity is None:
        blocks.append(
            Text("Other assumptions were not tried: give sensitivity=qb.decision_sensitivity(future, utility, fit).",
            "absent")
        )  # fmt: skip
    else:
        blocks += decision_sensitivity_figure.blocks(sensitivity)
    if not evidence:
        blocks.append(
            Text("What to measure next was not asked: give value=, the value of information of this decision.",
            "absent")
        )  # fmt: skip
    for caption, found in evidence.items():
        title = "What to learn next" if caption == "value" else caption
        blocks += evidence_blocks(found, title, figures.get(caption))
    return blocks
