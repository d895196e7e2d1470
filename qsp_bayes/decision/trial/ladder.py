"""Ladder: the dose levels of a trial, and how toxic each is in a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, qmc

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.decision.trial.mechanism import Mechanism
from qsp_bayes.decision.trial.schedule import FIELDS, Schedule, planned_schedules
from qsp_bayes.decision.trial.solving import Solution
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.errors import DecisionError

PROBES = 32
"""Populations in which it is tried whether outputs are proportional to the dose."""


@dataclass(frozen=True, eq=False)
class Ladder:
    """Dose levels as schedules.

    Attributes
    ----------
    mechanism : Mechanism
    labels : list of str
    covariates : array, (recruit, covariate)
        Of those whom the trial recruits from.
    schedules : dict of str to list of Schedule
        For each dose, one for each recruit.
    factors : array or None
        Amounts over those of the first dose, where all outputs are proportional to the dose: one solution then serves
        all doses. None where each dose must be solved.
    """

    mechanism: Mechanism
    labels: list[str]
    covariates: np.ndarray
    schedules: Mapping[str, list[Schedule]]
    factors: np.ndarray | None = None

    @classmethod
    def of(cls, model: TrialModel, mechanism: Mechanism, doses: Mapping[str, Regimen]) -> Ladder:
        """Plan the dose levels for everyone whom the trial may recruit."""
        system = model.calibration.system
        for label, regimen in doses.items():
            for compartment in regimen.compartments:
                if compartment not in system.doses:
                    raise DecisionError(
                        f"dose {label} goes into {compartment!r}; system {system.name!r} takes doses into "
                        f"{', '.join(system.doses)}. Correct into= of the regimen."
                    )
        schedules = {
            label: planned_schedules(
                system, regimen, model.recruits, mechanism.times, model.outputs, model.samples
            )
            for label, regimen in doses.items()
        }
        ladder = cls(mechanism, list(doses), model.recruits.table.to_numpy(dtype=float), schedules)
        return cls(ladder.mechanism, ladder.labels, ladder.covariates, schedules, ladder.proportions())

    def proportions(self) -> np.ndarray | None:
        """Give the amounts over those of the first dose where that is how doses and outputs differ, else None."""
        first = self.schedules[self.labels[0]]
        factors = []
        for label in self.labels:
            pairs = list(zip(first, self.schedules[label], strict=True))
            found = {
                round(float(b.fields["amount"].sum() / a.fields["amount"].sum()), 12)
                for a, b in pairs
                if a.fields["amount"].sum() > 0
            }
            if len(found) != 1 or not all(same(a.scaled(*found), b) for a, b in pairs):
                return None
            factors.append(found.pop())
        populations = self.mechanism.population.draws(PROBES, 0)
        effects = np.random.default_rng(0).standard_normal((1, len(self.mechanism.individuals.varying)))
        linked = self.individuals(populations, effects, self.covariates[:1])
        solutions = [self.mechanism.solve([self.schedules[label][0]], linked)[0] for label in self.labels]
        for factor, solution in zip(factors, solutions, strict=True):
            for name, values in solution.grid.items():
                expected = factor * solutions[0].grid[name]
                if not np.allclose(
                    values, expected, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(expected), initial=0.0)
                ):
                    return None
        return np.array(factors)

    def individuals(self, populations: np.ndarray, effects: np.ndarray, covariates: np.ndarray) -> np.ndarray:
        """Give the parameters of the same individuals in each population, (population, individual, parameter)."""
        made = self.mechanism.individuals
        shift, factor = made.linear(self.mechanism.population.natural(populations), covariates)
        shift[..., made.varying] += np.einsum("sjk,ik->sij", factor, effects)
        return shift

    def probability(self, populations: np.ndarray, number: int, random_seed: int) -> np.ndarray:
        """Probability of a toxicity, averaged over new individuals, (population, dose).

        The effects of the individuals are evenly spread (scrambled Sobol points), and common to all populations and
        doses.
        """
        rng = np.random.default_rng(random_seed)
        size = len(self.mechanism.individuals.varying)
        effects = np.zeros((number, 0))
        if size:
            # Sobol points are even when their number is a power of 2; of others, the first are taken.
            points = qmc.Sobol(size, rng=rng).random_base2(int(np.ceil(np.log2(max(number, 2)))))
            effects = norm.ppf(np.clip(points[:number], 1e-9, 1 - 1e-9))
        who = rng.integers(len(self.covariates), size=number)
        if not size and len(self.covariates) == 1:
            effects, who = effects[:1], who[:1]
        linked = self.individuals(populations, effects, self.covariates[who])
        toxicity = self.mechanism.of_toxicity(self.mechanism.population.natural(populations))
        found = np.empty((len(populations), len(self.labels)))
        solutions: Sequence[Solution] = []
        for k, label in enumerate(self.labels):
            if self.factors is None or k == 0:
                solutions = self.mechanism.solve([bare(self.schedules[label][i]) for i in who], linked)
            factor = 1.0 if self.factors is None else self.factors[k]
            shown = [scaled(solution, factor) for solution in solutions]
            exposure = self.mechanism.exposure(shown)
            found[:, k] = self.mechanism.toxicity.probability(exposure, **toxicity).mean(axis=1)
        return found


def same(first: Schedule, second: Schedule) -> bool:
    """Tell whether two schedules agree, but for rounding."""
    return first.size == second.size and all(
        np.allclose(first.fields[name], second.fields[name], rtol=1e-12, atol=0.0) for name in FIELDS
    )


def bare(schedule: Schedule) -> Schedule:
    """Give the schedule without its samples, which exposure does not need."""
    return Schedule(schedule.fields, schedule.grid, {})


def scaled(solution: Solution, factor: float) -> Solution:
    """Give the grid of a solution for a dose so many times as high."""
    return Solution({name: factor * values for name, values in solution.grid.items()}, {})
