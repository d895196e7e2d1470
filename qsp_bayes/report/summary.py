"""What a decision maker reads in half a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from qsp_bayes.decision import Decision
from qsp_bayes.formatting import alike, count, percent, significant
from qsp_bayes.report.blocks import Column, Table, Tone
from qsp_bayes.report.contents import LIKELIHOOD, draws, metadata, observations, outputs
from qsp_bayes.report.diagnosis import Diagnosis
from qsp_bayes.report.fitted import Fitted
from qsp_bayes.report.parameters import NO_UNIT, Parameter
from qsp_bayes.report.percentiles import predictive_check


@dataclass(frozen=True)
class Finding:
    """One answer: the question, the answer in a few words, and what it rests on."""

    question: str
    answer: str
    detail: str
    tone: Tone


@dataclass(frozen=True)
class Summary:
    """The head of a page.

    Attributes
    ----------
    title, subtitle : str
    findings : sequence of Finding
    estimates : Table or None
        The one table that stands beside the findings.
    kicker : str
        What kind of page it is, in small print above the title.
    document : str
        Name of the document, where its title is too short to stand in a list of files: the title is then the answer
        itself, and printed large.
    """

    title: str
    subtitle: str
    findings: Sequence[Finding]
    estimates: Table | None
    kicker: str = "Bayesian quantitative systems pharmacology report"
    document: str = ""


def summarise(
    fit: xr.DataTree,
    decision: Decision | None,
    diagnosis: Diagnosis,
    parameters: Sequence[Parameter],
    compared: Mapping[str, Sequence[Fitted]],
) -> Summary:
    """Answer what to give, whether the posterior can be used, and whether the model describes the data."""
    content = metadata(fit)
    study, system = content.get("study", {}), content.get("system", {})
    observed = [observations(fit, output) for output in outputs(fit)]
    n_observations = sum(data.value.size for data in observed)
    n_subjects = len({subject for data in observed for subject in data.subject})
    subtitle = f"{count(n_subjects, 'subject')}, {count(n_observations, 'observation')}"
    if system.get("name"):
        subtitle = f"{system['name']}, {subtitle}"
    typical = [parameter for parameter in parameters if parameter.kind in ("typical", "derived")]
    return Summary(
        title=study.get("title") or study.get("name") or "Bayesian calibration",
        subtitle=subtitle,
        findings=[
            *([recommendation(decision, diagnosis)] if decision else []),
            sampling(diagnosis),
            *(adequacy(fit, output, rows) for output, rows in compared.items()),
        ],
        estimates=Table(
            "Typical values of the population, posterior median with 90 % interval",
            [
                Column("Parameter"),
                Column("Unit"),
                *(Column(title, True) for title in ("Median", "5 %", "95 %")),
            ],
            [(p.name.removeprefix("TV"), p.unit or NO_UNIT, *alike(p.posterior[[1, 0, 2]])) for p in typical],
        ),
    )


def recommendation(decision: Decision, diagnosis: Diagnosis) -> Finding:
    """Name the regimen and how sure it is; a posterior that cannot be used recommends nothing."""
    best: Any = decision.table.loc[decision.best]
    detail = (
        f"Best of {count(len(decision.admissible), 'regimen')} with probability {percent(best['p_best'])}; "
        f"expected utility {significant(best['expected_utility'])} (Monte Carlo standard error "
        f"{significant(best['mcse'], 1)}), expected regret {significant(best['expected_regret'], 2)}."
    )
    question = "Recommended regimen"
    if diagnosis.level == "bad":
        return Finding(
            question, "None", f"The posterior cannot be used. It would put {decision.best} first.", "bad"
        )
    if decision.cautions:
        return Finding(question, decision.best, f"{detail} {decision.cautions[0]}", "caution")
    return Finding(question, decision.best, detail, "good" if diagnosis.level == "good" else "caution")


def sampling(diagnosis: Diagnosis) -> Finding:
    """Say whether the posterior can be used."""
    answer = {"good": "Yes", "caution": "With caution", "bad": "No"}[diagnosis.level]
    problems = [check for check in diagnosis.checks if check.level != "good"]
    detail = (
        "; ".join(
            f"{check.name[0].lower()}{check.name[1:]} {check.value}, asked {check.limit}"
            for check in problems
        )
        + "."
        if problems
        else diagnosis.verdict
    )
    return Finding("Can the posterior be used?", answer, detail[0].upper() + detail[1:], diagnosis.level)


def adequacy(fit: xr.DataTree, output: str, compared: Sequence[Fitted]) -> Finding:
    """Say whether replicates of the study look like the study."""
    question = f"Does the model describe {output}?"
    if draws(fit, "population_predictive", LIKELIHOOD + output) is None:
        return Finding(question, "Not checked", "The fit holds no replicates of the study.", "absent")
    check = predictive_check(fit, output)
    problems = [row.verdict for row in compared if not row.is_adequate]
    if not check.is_adequate:
        problems.insert(0, check.verdict)
    if problems:
        return Finding(question, "Not everywhere", " ".join(problems), "caution")
    return Finding(question, "Yes", check.verdict, "good")
