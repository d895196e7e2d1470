"""EscalationDesign: dose levels, cohorts, and the rules that choose among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.decision.first_dose.first_doses import FirstInHuman
from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.escalation_decision import EscalationDecision
from qsp_bayes.decision.trial.rules import EWOC, Backfill, NoSkipping, Rule
from qsp_bayes.decision.trial.standing import Standing
from qsp_bayes.errors import DecisionError

Recommend = Callable[[DoseToxicity], str | None]


@dataclass(frozen=True, eq=False)
class EscalationDesign:
    """A trial that escalates doses, cohort by cohort.

    The next cohort gets the highest dose that all rules allow. A cohort is complete, its window for toxicities over and
    its samples measured, before the next dose is chosen.

    Parameters
    ----------
    doses : mapping of str to Regimen
        Dose levels by label, from the lowest up.
    target : float
        P(DLT) at the maximum tolerated dose.
    cohort : int
        Subjects in each cohort.
    start : str, optional
        Dose of the first cohort; the lowest where left out. See `starting_dose` for one that a first-in-human
        assessment allows. The rules hold for it too: under the prior they must allow it.
    max_subjects : int
        Subjects of the escalation, in all; the trial stops before a cohort that would exceed it.
    rules : sequence of Rule
        All are asked before each cohort.
    recommend : callable, optional
        From the `DoseToxicity` at the end to the label of the dose to recommend, or None. Where left out, it is the
        highest dose that a cohort has completed and the rules of overdose control allow.

    Raises
    ------
    DecisionError
        If the parts do not fit together.

    Notes
    -----
    Under EWOC with bound b, each dose is chosen with P(dose > MTD | data) <= b. If truth is drawn from the prior, the
    expected share of decisions above the true MTD is thus at most b, the first one included, because a start that the
    prior does not allow is refused. Where after a cohort no dose is left, not even the lowest, the trial stops.

    References
    ----------
    Babb J, Rogatko A, Zacks S (1998) Stat Med 17:1103-1120. Neuenschwander B, Branson M, Gsponer T (2008) Stat Med
    27:2420-2439.

    Examples
    --------
    >>> design = EscalationDesign(
    ...     {f"{dose} mg": Regimen(dose, unit="mg", into="central") for dose in (10, 20, 40)},
    ...     target=0.25, rules=[EWOC(0.25), NoSkipping()], max_subjects=24,
    ... )
    >>> print(design)
    cohorts of 3 at 10 mg, 20 mg, 40 mg from 10 mg; MTD at P(DLT) = 0.25; at most 24 subjects; EWOC (P(dose > MTD) \
<= 0.25); no skipping of untried doses
    """

    doses: Mapping[str, Regimen]
    target: float = 0.25
    cohort: int = 3
    start: str | None = None
    max_subjects: int = 36
    rules: Sequence[Rule] = (EWOC(), NoSkipping())
    recommend: Recommend | None = None

    def __post_init__(self) -> None:
        doses = {str(label): regimen for label, regimen in self.doses.items()}
        if not doses or not all(isinstance(regimen, Regimen) for regimen in doses.values()):
            raise DecisionError("doses is a mapping of labels to regimens, such as {'10 mg': Regimen(10)}.")
        totals = [
            sum(course.amount * course.n_doses for course in regimen.courses) for regimen in doses.values()
        ]
        if (np.diff(totals) <= 0).any():
            raise DecisionError(
                f"doses must be listed from the lowest up; their total amounts are "
                f"{', '.join(f'{label}: {total:g}' for label, total in zip(doses, totals, strict=True))}."
            )
        if self.start is not None and self.start not in doses:
            raise DecisionError(f"start {self.start!r} is not one of {', '.join(doses)}.")
        if not 0 < self.target < 1:
            raise DecisionError(f"target is {self.target}; it is a probability between 0 and 1.")
        for what, value in (("cohort", self.cohort), ("max_subjects", self.max_subjects)):
            if value != int(value) or value < 1:
                raise DecisionError(f"{what} is {value}; expected a whole number of at least 1.")
        if self.max_subjects < self.cohort:
            raise DecisionError(
                f"max_subjects ({self.max_subjects}) leaves no room for a cohort of {self.cohort}."
            )
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise DecisionError(f"rules: {rule!r} is no rule; write EWOC(), NoSkipping(), ...")
        object.__setattr__(self, "doses", MappingProxyType(doses))
        object.__setattr__(self, "rules", tuple(self.rules))

    @property
    def labels(self) -> list[str]:
        """Labels of the dose levels."""
        return list(self.doses)

    @property
    def first(self) -> int:
        """Position of the dose of the first cohort."""
        return 0 if self.start is None else self.labels.index(self.start)

    def safe(self, standing: Standing) -> np.ndarray:
        """Tell which doses the rules of overdose control allow, (dose,)."""
        own = [rule.allowed(standing) for rule in self.rules if rule.of_safety]
        return np.logical_and.reduce([np.ones(len(self.doses), bool), *own])

    def decide(self, standing: Standing) -> EscalationDecision:
        """Choose the dose of the next cohort, or stop.

        Raises
        ------
        DecisionError
            If the rules do not even allow the start.
        """
        table = standing.known.table
        verdicts = [rule.allowed(standing) for rule in self.rules]
        allowed = np.logical_and.reduce([np.ones(len(self.doses), bool), *verdicts])
        if standing.cohorts == 0:
            if not allowed[self.first]:
                raise DecisionError(
                    f"The rules do not allow the start at {self.labels[self.first]} under the prior: "
                    f"{self.objections(standing, self.first)}. Start lower, add lower doses, or state a prior that "
                    "knows more."
                )
            return EscalationDecision(self.labels[self.first], None, {}, "the start of the design", table)
        if not allowed.any():
            reason = f"safety: {self.labels[0]}: {self.objections(standing, 0)}"
            return EscalationDecision(None, reason, {}, "no dose is left", table)
        dose = int(np.flatnonzero(allowed)[-1])
        if standing.treated.sum() + self.cohort > self.max_subjects:
            reason = f"size: {standing.treated.sum()} of at most {self.max_subjects} subjects"
            return EscalationDecision(None, reason, {}, reason, table)
        for rule in self.rules:
            if found := rule.stop(standing, dose):
                return EscalationDecision(None, found, {}, str(rule), table)
        safe = self.safe(standing)
        beside: dict[int, int] = {}
        for rule in self.rules:
            if isinstance(rule, Backfill):
                beside |= rule.added(standing, dose, safe)
        why = "the highest dose"
        if dose + 1 < len(self.doses):
            why = f"not {self.labels[dose + 1]}: {self.objections(standing, dose + 1)}"
        return EscalationDecision(
            self.labels[dose], None, {self.labels[k]: n for k, n in beside.items()}, why, table
        )

    def objections(self, standing: Standing, dose: int) -> str:
        """Say why the rules do not allow a dose."""
        return "; ".join(
            rule.objection(standing, dose) for rule in self.rules if not rule.allowed(standing)[dose]
        )

    def recommendation(self, standing: Standing, stop: str) -> str | None:
        """Recommend a dose at the end of a trial; None after a stop for safety."""
        if stop.startswith("safety"):
            return None
        if self.recommend is not None:
            chosen = self.recommend(standing.known)
            if chosen is not None and chosen not in self.doses:
                raise DecisionError(
                    f"recommend gave {chosen!r}, which is not one of {', '.join(self.doses)}."
                )
            return chosen
        open_doses = np.flatnonzero(self.safe(standing) & (standing.treated > 0))
        return self.labels[open_doses[-1]] if len(open_doses) else None

    def __str__(self) -> str:
        parts = [
            f"cohorts of {self.cohort} at {', '.join(self.labels)} from {self.labels[self.first]}",
            f"MTD at P(DLT) = {self.target:g}",
            f"at most {self.max_subjects} subjects",
            *map(str, self.rules),
        ]
        return "; ".join(parts)


def starting_dose(doses: Mapping[str, Regimen], found: FirstInHuman) -> str:
    """Give the highest dose level not above what a first-in-human assessment allows.

    Parameters
    ----------
    doses : mapping of str to Regimen
        Dose levels of single doses, in the unit of the assessment.
    found : FirstInHuman
        From `first_in_human`: its highest allowed dose counts.

    Returns
    -------
    str
        Label of the level, for ``EscalationDesign(start=...)``.

    Raises
    ------
    DecisionError
        If the assessment allows no dose, the units differ, or every level is above it.
    """
    allowed, unit = found.highest(), found.settings["unit"]
    if allowed is None:
        raise DecisionError(
            "The first-in-human assessment allows none of its doses; there is nothing to start with."
        )
    highest = float(found.data["dose"].sel(regimen=allowed))
    for label, regimen in doses.items():
        if regimen.unit != unit or regimen.per is not None:
            raise DecisionError(
                f"{label} is in {regimen.unit}{f' per {regimen.per}' if regimen.per else ''}; the assessment is in "
                f"{unit}. State both alike."
            )
    below = [
        label
        for label, regimen in doses.items()
        if sum(course.amount for course in regimen.courses) <= highest * (1 + 1e-9)
    ]
    if not below:
        raise DecisionError(
            f"All dose levels are above {highest:g} {unit}, the highest dose allowed. Add lower ones."
        )
    return below[-1]
