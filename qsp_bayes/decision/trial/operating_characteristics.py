"""OperatingCharacteristics: what a design does, over simulated trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qsp_bayes.decision.trial.design import EscalationDesign
from qsp_bayes.decision.trial.trial import Trial
from qsp_bayes.decision.trial.truth import PRIOR
from qsp_bayes.formatting import significant
from qsp_bayes.result import Result

NONE = "none"
"""Label of no dose: nothing recommended, or a true MTD below the lowest dose."""
COLUMNS = {
    "correct": "correct dose",
    "selected_above": "recommended above MTD",
    "decisions_above": "decisions above MTD",
    "subjects_above": "subjects above MTD",
    "subjects": "subjects",
    "dlts": "DLTs",
    "stopped_for_safety": "stopped for safety",
}


@dataclass(frozen=True, eq=False, repr=False)
class OperatingCharacteristics(Result):
    """Simulated trials of a design.

    Attributes
    ----------
    design : str
        The design in words.
    doses : list of str
    target : float
        P(DLT) at the MTD.
    trials : list of Trial
    asked : int
        Number of trials that were asked for; more than there are after an interruption.
    random_seed : int
    """

    design: str
    doses: list[str]
    target: float
    trials: Sequence[Trial]
    asked: int
    random_seed: int

    @classmethod
    def of(
        cls, design: EscalationDesign, trials: Sequence[Trial], *, asked: int, random_seed: int
    ) -> OperatingCharacteristics:
        """Gather trials."""
        return cls(str(design), design.labels, design.target, list(trials), asked, random_seed)

    @property
    def scenarios(self) -> list[str]:
        """Names of the scenarios."""
        return list(dict.fromkeys(trial.scenario for trial in self.trials))

    @property
    def by_trial(self) -> pd.DataFrame:
        """One row for each trial: what `table` averages."""
        rows = [numbers(trial) for trial in self.trials]
        return pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="trial"))

    @property
    def table(self) -> pd.DataFrame:
        """One row for each scenario, each figure with its Monte Carlo standard error (``_mcse``).

        ``correct``: share of trials that recommend the true MTD (or none, where every dose is above it).
        ``selected_above``: share that recommend a dose above it. ``decisions_above``: of all cohorts, the share treated
        above the true MTD; ``stated``: the mean of P(dose > MTD) when these doses were chosen, which `decisions_above`
        agrees with where truth is drawn from the prior. ``subjects_above``: share of all subjects. ``subjects``,
        ``dlts``: mean number in a trial. ``stopped_for_safety``: share of trials. ``trials``: their number.
        """
        frame = self.by_trial
        rows = {}
        for scenario in self.scenarios:
            own = frame[frame["scenario"] == scenario]
            figures = {
                "correct": mean(own["correct"]),
                "selected_above": mean(own["selected_above"]),
                "decisions_above": ratio(own["decisions_above"], own["decisions"]),
                "stated": ratio(own["stated"], own["decisions"]),
                "subjects_above": ratio(own["subjects_above"], own["subjects"]),
                "subjects": mean(own["subjects"]),
                "dlts": mean(own["dlts"]),
                "stopped_for_safety": mean(own["stopped_for_safety"]),
            }
            rows[scenario] = {
                **{key: value for name, (x, se) in figures.items() for key, value in ((name, x), (f"{name}_mcse", se))},
                "trials": len(own),
            }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario")

    @property
    def by_dose(self) -> pd.DataFrame:
        """One row for each scenario and dose.

        ``p_dlt``: true probability of a toxicity (its mean where truth is drawn from the prior); ``is_mtd``,
        ``recommended``: shares of trials, with ``recommended_mcse``; ``subjects``: mean number treated, backfilled ones
        included, with ``subjects_mcse``; ``dlts``: mean number. The row "none" stands for no dose.
        """
        rows = []
        for scenario in self.scenarios:
            own = [trial for trial in self.trials if trial.scenario == scenario]
            for k, dose in enumerate([*self.doses, NONE]):
                real = dose != NONE
                label = dose if real else None
                recommended, error = mean([trial.recommended == label for trial in own])
                subjects, spread = mean(
                    [trial.treated[k] + trial.backfilled[k] if real else 0 for trial in own]
                )
                rows.append(
                    {
                        "scenario": scenario,
                        "dose": dose,
                        "p_dlt": np.mean([trial.true_probability[k] for trial in own]) if real else np.nan,
                        "is_mtd": np.mean([trial.true_mtd == label for trial in own]),
                        "recommended": recommended,
                        "recommended_mcse": error,
                        "subjects": subjects,
                        "subjects_mcse": spread,
                        "dlts": np.mean([trial.dlts[k] if real else 0 for trial in own]),
                    }
                )
        return pd.DataFrame(rows).set_index(["scenario", "dose"])

    @property
    def stops(self) -> pd.Series:
        """Why trials stopped: number of each kind of reason, by scenario."""
        frame = self.by_trial
        return frame.groupby(["scenario", "stop"], sort=False).size().rename("trials")

    @property
    def history(self) -> pd.DataFrame:
        """One row for each cohort of each trial; see `Trial`."""
        return pd.concat({k: trial.history for k, trial in enumerate(self.trials)}, names=["trial"])

    @property
    def title(self) -> str:
        """The design, in words."""
        return self.design

    @property
    def shown(self) -> pd.DataFrame:
        """The figures that a reader looks at first, their Monte Carlo standard errors in brackets."""
        table = self.table
        return pd.DataFrame(
            {
                f"{title} (MCSE)": [
                    f"{significant(x)} ({significant(error, 1)})"
                    for x, error in zip(table[name], table[f"{name}_mcse"], strict=True)
                ]
                for name, title in COLUMNS.items()
            },
            index=table.index,
        )

    def summary(self) -> str:
        """Sentences that state what the design does."""
        sentences = []
        if len(self.trials) < self.asked:
            sentences.append(
                f"Interrupted: {len(self.trials)} of {self.asked} trials are done, and only these count."
            )
        for scenario, row in self.table.iterrows():
            where = "Truth drawn from the prior" if scenario == PRIOR else f"Scenario {scenario}"
            sentences.append(
                f"{where} ({row['trials']:.0f} trials): the recommended dose is the MTD in "
                f"{percent(row, 'correct')} and above it in {percent(row, 'selected_above')}; "
                f"{percent(row, 'decisions_above')} of cohorts and {percent(row, 'subjects_above')} of subjects are "
                f"treated above it; {row['subjects']:.1f} subjects and {row['dlts']:.1f} dose-limiting toxicities in a "
                f"trial; {percent(row, 'stopped_for_safety')} stop for safety."
            )
        return " ".join(sentences)


def numbers(trial: Trial) -> dict[str, Any]:
    """Give the figures of one trial."""
    doses = trial.doses
    mtd = -1 if trial.true_mtd is None else doses.index(trial.true_mtd)
    chosen = -1 if trial.recommended is None else doses.index(trial.recommended)
    everyone = trial.treated + trial.backfilled
    return {
        "scenario": trial.scenario,
        "true_mtd": trial.true_mtd or NONE,
        "recommended": trial.recommended or NONE,
        "correct": chosen == mtd,
        "selected_above": chosen > mtd,
        "decisions": len(trial.history),
        "decisions_above": int(trial.history["above_mtd"].sum()),
        "stated": float(trial.history["p_above_mtd"].sum()),
        "subjects": int(everyone.sum()),
        "subjects_above": int(everyone[mtd + 1 :].sum()),
        "dlts": int(trial.dlts.sum()),
        "stopped_for_safety": trial.stop.startswith("safety"),
        "stop": trial.stop.partition(":")[0],
    }


def mean(values: Any) -> tuple[float, float]:
    """Mean over trials and its standard error."""
    x = np.asarray(values, float)
    return float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else np.nan


def ratio(part: Any, whole: Any) -> tuple[float, float]:
    r"""Share over all trials together and its standard error, trials being independent.

    .. math:: R = \frac{\sum_t a_t}{\sum_t b_t}, \qquad
              \mathrm{SE} \approx \frac{\sqrt{\tfrac{n}{n - 1} \sum_t (a_t - R b_t)^2}}{\sum_t b_t}

    Examples
    --------
    >>> ratio([1, 0, 1, 0], [2, 2, 2, 2])[0]
    0.25
    """
    a, b = np.asarray(part, float), np.asarray(whole, float)
    share = a.sum() / b.sum()
    spread = np.sqrt(((a - share * b) ** 2).sum() * len(a) / max(len(a) - 1, 1)) / b.sum()
    return float(share), float(spread) if len(a) > 1 else np.nan


def percent(row: pd.Series, name: str) -> str:
    """Print a share with its standard error."""
    return f"{100 * row[name]:.0f} % (MCSE {100 * row[f'{name}_mcse']:.1g})"
