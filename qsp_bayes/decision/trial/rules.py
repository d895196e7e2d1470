"""Rules of an escalation: what each allows, and when it stops the trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsp_bayes.decision.trial.standing import Standing
from qsp_bayes.errors import DecisionError


@dataclass(frozen=True)
class Rule:
    """What all rules share: one that says nothing allows every dose and never stops the trial.

    Attributes
    ----------
    of_safety : bool
        Whether the rule judges the dose itself: then it also limits backfilling and the recommendation at the end.
    """

    of_safety: ClassVar[bool] = False

    def allowed(self, standing: Standing) -> np.ndarray:
        """Tell which doses the rule allows, (dose,)."""
        return np.ones(len(standing.known.doses), bool)

    def objection(self, standing: Standing, dose: int) -> str:
        """Say why the rule does not allow a dose."""
        return f"{self} does not allow it"

    def stop(self, standing: Standing, dose: int) -> str | None:
        """Say why the trial stops rather than treat the next cohort at `dose`; None where it goes on."""
        return None


@dataclass(frozen=True)
class EWOC(Rule):
    r"""Escalation with overdose control: :math:`P(d > \mathrm{MTD} \mid \text{data}) \le \text{bound}`.

    Parameters
    ----------
    bound : float
        The feasibility bound.

    References
    ----------
    Babb J, Rogatko A, Zacks S (1998). Cancer phase I clinical trials: efficient dose escalation with overdose control.
    Stat Med 17:1103-1120.

    Examples
    --------
    >>> print(EWOC(0.25))
    EWOC (P(dose > MTD) <= 0.25)
    """

    of_safety: ClassVar[bool] = True
    bound: float = 0.25

    def __post_init__(self) -> None:
        require_probability("EWOC", "bound", self.bound)

    def allowed(self, standing: Standing) -> np.ndarray:
        """Tell which doses are above the MTD with a probability of at most the bound."""
        return standing.known.above <= self.bound

    def objection(self, standing: Standing, dose: int) -> str:
        """Say why the rule does not allow a dose."""
        return f"P(dose > MTD) = {standing.known.above[dose]:.2f} > {self.bound:g}"

    def __str__(self) -> str:
        return f"EWOC (P(dose > MTD) <= {self.bound:g})"


@dataclass(frozen=True)
class IntervalOverdoseControl(Rule):
    r"""Control of excessive toxicity: :math:`P(p_d > \text{level} \mid \text{data}) < \text{bound}`.

    Parameters
    ----------
    level : float
        Probability of a toxicity above which a dose is an overdose.
    bound : float

    References
    ----------
    Neuenschwander B, Branson M, Gsponer T (2008). Critical aspects of the Bayesian approach to phase I cancer trials.
    Stat Med 27:2420-2439.
    """

    of_safety: ClassVar[bool] = True
    level: float = 0.33
    bound: float = 0.25

    def __post_init__(self) -> None:
        require_probability("IntervalOverdoseControl", "level", self.level)
        require_probability("IntervalOverdoseControl", "bound", self.bound)

    def allowed(self, standing: Standing) -> np.ndarray:
        """Tell which doses are an overdose with a probability below the bound."""
        return standing.known.exceeding(self.level) < self.bound

    def objection(self, standing: Standing, dose: int) -> str:
        """Say why the rule does not allow a dose."""
        return (
            f"P(P(DLT) > {self.level:g}) = {standing.known.exceeding(self.level)[dose]:.2f} >= {self.bound:g}"
        )

    def __str__(self) -> str:
        return f"interval overdose control (P(P(DLT) > {self.level:g}) < {self.bound:g})"


@dataclass(frozen=True)
class NoSkipping(Rule):
    """No dose more than one step above the highest that a cohort has completed."""

    def allowed(self, standing: Standing) -> np.ndarray:
        """Tell which doses are not beyond the next untried one."""
        return np.arange(len(standing.known.doses)) <= max(standing.highest + 1, standing.start)

    def objection(self, standing: Standing, dose: int) -> str:
        """Say why the rule does not allow a dose."""
        return f"{standing.known.doses[dose - 1]} has not been tried"

    def __str__(self) -> str:
        return "no skipping of untried doses"


@dataclass(frozen=True)
class StopForSafety(Rule):
    """Stop where the lowest dose is above the MTD with a probability above `bound`.

    A trial also stops for safety, whatever this rule says, where the rules of overdose control leave no dose.
    """

    bound: float = 0.5

    def __post_init__(self) -> None:
        require_probability("StopForSafety", "bound", self.bound)

    def stop(self, standing: Standing, dose: int) -> str | None:
        """Stop where the lowest dose is too toxic."""
        risk = standing.known.above[0]
        if risk <= self.bound:
            return None
        return f"safety: the lowest dose is above the MTD with probability {risk:.2f} > {self.bound:g}"

    def __str__(self) -> str:
        return f"stop for safety (P(lowest dose > MTD) > {self.bound:g})"


@dataclass(frozen=True)
class StopForPrecision(Rule):
    """Stop where the dose of the next cohort is known to be the MTD well enough.

    Parameters
    ----------
    probability : float
        P(dose = MTD) that is enough; 0 asks for nothing.
    subjects : int
        Subjects of the escalation who must have been treated at that dose.
    """

    probability: float = 0.0
    subjects: int = 6

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise DecisionError(
                f"StopForPrecision: probability is {self.probability}; it must lie between 0 and 1."
            )
        require_count("StopForPrecision", "subjects", self.subjects)

    def stop(self, standing: Standing, dose: int) -> str | None:
        """Stop where enough is known at the dose that the next cohort would be given."""
        sure, there = standing.known.is_mtd[dose], int(standing.treated[dose])
        if sure < self.probability or there < self.subjects:
            return None
        return f"precision: {there} subjects at {standing.known.doses[dose]}, P(MTD) = {sure:.2f}"

    def __str__(self) -> str:
        asked = f" and P(dose = MTD) >= {self.probability:g}" if self.probability else ""
        return f"stop for precision ({self.subjects} subjects at the next dose{asked})"


@dataclass(frozen=True)
class MaximumCohorts(Rule):
    """Stop after a number of cohorts."""

    cohorts: int = 10

    def __post_init__(self) -> None:
        require_count("MaximumCohorts", "cohorts", self.cohorts)

    def stop(self, standing: Standing, dose: int) -> str | None:
        """Stop after so many cohorts."""
        return f"{standing.cohorts} cohorts" if standing.cohorts >= self.cohorts else None

    def __str__(self) -> str:
        return f"at most {self.cohorts} cohorts"


@dataclass(frozen=True)
class Backfill(Rule):
    """Treat further subjects at lower doses that a cohort has completed, beside each cohort.

    They go to the highest such dose that the rules of overdose control still allow and that has room. Their samples and
    toxicities inform the posterior; they complete no dose, count for no other rule, and are not part of
    ``max_subjects``.

    Parameters
    ----------
    subjects : int
        Beside each cohort.
    most : int
        At each dose, in all.
    """

    subjects: int = 3
    most: int = 6

    def __post_init__(self) -> None:
        require_count("Backfill", "subjects", self.subjects)
        require_count("Backfill", "most", self.most)

    def added(self, standing: Standing, dose: int, safe: np.ndarray) -> dict[int, int]:
        """Give how many subjects to add at which dose, when the next cohort is treated at `dose`."""
        for lower in range(min(dose, standing.highest + 1) - 1, -1, -1):
            room = min(self.subjects, self.most - int(standing.backfilled[lower]))
            if standing.treated[lower] and safe[lower] and room > 0:
                return {lower: room}
        return {}

    def __str__(self) -> str:
        return f"backfill ({self.subjects} beside each cohort, at most {self.most} at each lower dose)"


def require_probability(rule: str, what: str, value: float) -> None:
    """Require a probability between 0 and 1."""
    if not 0 < value < 1:
        raise DecisionError(f"{rule}: {what} is {value}; it must lie between 0 and 1.")


def require_count(rule: str, what: str, value: int) -> None:
    """Require a whole number of at least 1."""
    if value != int(value) or value < 1:
        raise DecisionError(f"{rule}: {what} is {value}; expected a whole number of at least 1.")
