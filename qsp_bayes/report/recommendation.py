"""Recommendation: the head of a decision page, which answers in large print."""

from __future__ import annotations

from typing import Any

from qsp_bayes.decision import Decision, DecisionSensitivity
from qsp_bayes.formatting import count, interval, join, percent, significant
from qsp_bayes.report.blocks import Table
from qsp_bayes.report.decision_figure import unit_of
from qsp_bayes.report.diagnosis import Diagnosis
from qsp_bayes.report.summary import Finding, Summary, sampling

KICKER = "Dose recommendation"


def recommend(
    decision: Decision,
    diagnosis: Diagnosis | None,
    sensitivity: DecisionSensitivity | None,
    exposure: Table | None,
    about: str,
) -> Summary:
    """Answer which regimen, what it attains, how sure that is and what would change it."""
    usable = diagnosis is None or diagnosis.level != "bad"
    number = count(len(decision.table), "regimen")
    subtitle = f"Of {number}, the one of highest expected utility.{about}"
    if len(decision.admissible) < len(decision.table):
        subtitle = (
            f"Of {number}, {len(decision.admissible)} keep to the constraints; of these, the one of highest expected "
            f"utility.{about}"
        )
    if not usable:
        subtitle = f"The posterior cannot be used. It would put {decision.best} first of {number}.{about}"
    return Summary(
        title=decision.best if usable else "No recommendation",
        subtitle=subtitle,
        findings=[
            attains(decision),
            sureness(decision),
            change(sensitivity),
            *([sampling(diagnosis)] if diagnosis is not None else []),
        ],
        estimates=exposure,
        kicker=KICKER,
        document=f"{KICKER}: {decision.best}" if usable else f"{KICKER}: none",
    )


def with_unit(value: float, decision: Decision, digits: int = 3) -> str:
    """Print a utility with its unit, where it has one."""
    return f"{significant(value, digits)} {unit_of(decision)}".rstrip()


def attains(decision: Decision) -> Finding:
    """Say what the regimen is expected to be worth."""
    row: Any = decision.table.loc[decision.best]
    span = f"{interval(row['q05'], row['q95'])} with 90 % probability"
    if decision.is_for_one:
        detail = f"{decision.description}: {span} for this patient."
    else:
        detail = (
            f"{decision.description}: the mean over individuals, {span}. It serves "
            f"{percent(row['share_best_served'])} of individuals better than any other candidate."
        )
    return Finding(
        "What is it expected to attain?", with_unit(row["expected_utility"], decision), detail, "good"
    )


def sureness(decision: Decision) -> Finding:
    """Say how probable it is to be the best, and what is at stake."""
    row: Any = decision.table.loc[decision.best]
    detail = f"{regret_in_words(decision)} {runner_up_in_words(decision)}".strip()
    if decision.cautions:
        detail = f"{detail} {decision.cautions[0]}"
    return Finding(
        "How sure is it?",
        f"Best with probability {percent(row['p_best'])}",
        detail,
        "caution" if decision.cautions or row["p_best"] < 0.5 else "good",
    )


def regret_in_words(decision: Decision) -> str:
    """Say what perfect knowledge of the population, or of the patient, would add."""
    row: Any = decision.table.loc[decision.best]
    of_whom = "the patient" if decision.is_for_one else "the population"
    if row["expected_regret"] == 0:
        return f"No knowledge of {of_whom} could lead to a better choice among these regimens."
    return (
        f"Knowing {of_whom} exactly would add {with_unit(row['expected_regret'], decision, 2)} on average "
        "(expected regret): no study can be worth more."
    )


def runner_up(decision: Decision) -> str | None:
    """Name the second best of the admissible regimens."""
    rivals = decision.table["expected_utility"][decision.admissible].drop(index=decision.best)
    return str(rivals.idxmax()) if len(rivals) else None


def runner_up_in_words(decision: Decision) -> str:
    """Say which regimen comes next, and what it loses."""
    second = runner_up(decision)
    if second is None:
        return ""
    row: Any = decision.table.loc[second]
    return (
        f"The runner-up, {second}, loses {with_unit(-row['difference'], decision, 2)} "
        f"(Monte Carlo standard error {significant(row['difference_mcse'], 1)})."
    )


def change(sensitivity: DecisionSensitivity | None) -> Finding:
    """Say what would move the recommendation."""
    question = "What would change it?"
    if sensitivity is None or sensitivity.table.empty:
        return Finding(
            question, "Not examined", "No other assumptions were tried: see decision_sensitivity.", "absent"
        )
    verdict = sensitivity.table["verdict"]
    moved, unsure = verdict.index[verdict == "moved"], verdict.index[verdict == "not told apart"]
    total = f"It was tried under {count(len(verdict), 'other assumption')}."
    if len(moved):
        return Finding(
            question, f"{len(moved)} of {len(verdict)}", f"{total} It moves under: {join(moved)}.", "caution"
        )
    if len(unsure):
        detail = f"{total} None moves it; it is not told apart from another regimen under: {join(unsure)}."
        return Finding(question, "Nothing for sure", detail, "caution")
    return Finding(question, "Nothing that was tried", total, "good")
