"""Trial: one simulated trial, from the first cohort to the recommendation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qsp_bayes.decision.trial.design import EscalationDesign
from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.ladder import Ladder
from qsp_bayes.decision.trial.posterior import TrialPosterior, TrialPrecision
from qsp_bayes.decision.trial.standing import Standing
from qsp_bayes.decision.trial.truth import Truth
from qsp_bayes.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Trial(Result):
    """A simulated trial.

    Attributes
    ----------
    scenario : str
    doses : list of str
    history : pandas.DataFrame
        One row for each cohort: ``dose``, ``subjects``, ``dlts``, ``backfill`` (subjects beside it) with
        ``backfill_dose`` and ``backfill_dlts``, ``p_above_mtd`` of the dose when it was chosen, ``above_mtd`` (whether
        it is above the true MTD), ``why`` it was chosen, what came ``next``, and P(dose > MTD) of each dose after the
        cohort (``P(10 mg > MTD)``).
    true_probability : array, (dose,)
    true_mtd, recommended : str or None
    stop : str
    treated, backfilled, dlts : array, (dose,)
        Subjects of the escalation, subjects beside it, toxicities of both.
    """

    scenario: str
    doses: list[str]
    history: pd.DataFrame
    true_probability: np.ndarray
    true_mtd: str | None
    recommended: str | None
    stop: str
    treated: np.ndarray
    backfilled: np.ndarray
    dlts: np.ndarray

    @property
    def table(self) -> pd.DataFrame:
        """The history: one row for each cohort."""
        return self.history

    def summary(self) -> str:
        """Tell how the trial ended."""
        chosen = f"{self.recommended} is recommended" if self.recommended else "no dose is recommended"
        truth = f"the true MTD is {self.true_mtd}" if self.true_mtd else "every dose is above the true MTD"
        return (
            f"After {len(self.history)} cohorts, {int(self.treated.sum() + self.backfilled.sum())} subjects and "
            f"{int(self.dlts.sum())} dose-limiting toxicities the trial stopped ({self.stop}); {chosen}, {truth}."
        )


def run_trial(
    design: EscalationDesign,
    ladder: Ladder,
    truth: Truth,
    precision: TrialPrecision,
    rng: np.random.Generator,
    scenario: str,
) -> Trial:
    """Simulate one trial in a known population."""
    nodes = int(rng.integers(2**31))
    posterior = TrialPosterior.prior(ladder.mechanism, precision, rng)
    rows: list[dict[str, object]] = []

    def standing() -> Standing:
        probability = ladder.probability(posterior.cloud.populations, precision.individuals, nodes)
        known = DoseToxicity(ladder.labels, probability, design.target)
        return Standing.of(known, design.first, posterior.evidence.participants, len(rows))

    now = standing()
    chosen = design.decide(now)
    while chosen.dose is not None:
        dose = ladder.labels.index(chosen.dose)
        seen = len(posterior.evidence)
        cohort = truth.treat(chosen.dose, design.cohort, seen, rng)
        beside = [
            participant
            for label, number in chosen.backfill.items()
            for participant in truth.treat(label, number, seen + len(cohort), rng, backfill=True)
        ]
        rows.append(
            {
                "dose": chosen.dose,
                "subjects": len(cohort),
                "dlts": sum(int(p.dlt) for p in cohort),
                "backfill_dose": next(iter(chosen.backfill), ""),
                "backfill": len(beside),
                "backfill_dlts": sum(int(p.dlt) for p in beside),
                "p_above_mtd": float(now.known.above[dose]),
                "above_mtd": dose > truth.mtd,
                "why": chosen.why,
            }
        )
        posterior = posterior.updated([*cohort, *beside])
        now = standing()
        chosen = design.decide(now)
        rows[-1]["next"] = chosen.dose or f"stop: {chosen.stop}"
        above = zip(ladder.labels, now.known.above, strict=True)
        rows[-1] |= {f"P({label} > MTD)": float(p) for label, p in above}
    stop = str(chosen.stop)
    return Trial(
        scenario,
        ladder.labels,
        pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="cohort")),
        truth.known.probability[0],
        ladder.labels[truth.mtd] if truth.mtd >= 0 else None,
        design.recommendation(now, stop),
        stop,
        now.treated,
        now.backfilled,
        now.dlts,
    )
