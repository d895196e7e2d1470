"""Truth: the population in which a simulated trial takes place, and the subjects it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from qsp_bayes.calibration.prior import Prior
from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.ladder import Ladder
from qsp_bayes.decision.trial.participant import Participant
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.errors import DecisionError

INDIVIDUALS = 1024
"""New individuals over whom the true probability of a toxicity is averaged."""
PRIOR = "prior"
"""Name of the scenario in which each trial has a truth of its own, drawn from the prior."""


@dataclass(frozen=True)
class Scenario:
    """A fixed truth.

    Parameters
    ----------
    name : str
    values : mapping of str to float
        Variables of the population in their own units: ``{"TVCL": 5, "dlt_intercept": 0.0}``. Those left out are at
        the medians of their priors, and correlations at 0.

    Examples
    --------
    >>> Scenario("sensitive patients", {"dlt_intercept": 0.5}).name
    'sensitive patients'
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name == PRIOR:
            raise DecisionError(
                f"A scenario cannot be called {PRIOR!r}: that stands for truth drawn from the prior."
            )
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def complete(self, model: TrialModel, names: list[str]) -> dict[str, float]:
        """Give the values of all variables of the population."""
        unknown = set(self.values) - set(names)
        if unknown:
            raise DecisionError(
                f"scenario {self.name!r}: {', '.join(sorted(unknown))} is no variable of the trial; there are "
                f"{', '.join(names)}."
            )
        priors = {**model.calibration.priors, **model.toxicity.priors}
        found = {}
        for name in names:
            prior = priors.get(name)
            if name in self.values:
                found[name] = float(self.values[name])
            elif name.endswith("_canonical"):  # (1 + r) / 2 of the partial correlations r: none
                found[name] = 0.5
            elif isinstance(prior, Prior):
                found[name] = float(prior.median)
            else:
                raise DecisionError(
                    f"scenario {self.name!r}: give a value of {name}, whose median is not known."
                )
        return found


@dataclass(frozen=True, eq=False)
class Truth:
    """A population that is known, and how toxic each dose is in it.

    Attributes
    ----------
    population : array, (1, column)
    known : DoseToxicity
        Of this one population.
    """

    ladder: Ladder
    population: np.ndarray
    known: DoseToxicity

    @classmethod
    def of(cls, ladder: Ladder, population: np.ndarray, target: float, random_seed: int) -> Truth:
        """Work out how toxic each dose is."""
        probability = ladder.probability(population, INDIVIDUALS, random_seed)
        return cls(ladder, population, DoseToxicity(ladder.labels, probability, target))

    @property
    def mtd(self) -> int:
        """Position of the true MTD, -1 below the lowest dose."""
        return int(self.known.mtd[0])

    def treat(
        self, dose: str, number: int, first: int, rng: np.random.Generator, *, backfill: bool = False
    ) -> list[Participant]:
        """Recruit subjects at random, treat them, and observe them."""
        mechanism, ladder = self.ladder.mechanism, self.ladder
        who = rng.integers(len(ladder.covariates), size=number)
        effects = rng.standard_normal((number, len(mechanism.individuals.varying)))
        linked = ladder.individuals(self.population, effects, ladder.covariates[who])
        schedules = [ladder.schedules[dose][i] for i in who]
        solutions = mechanism.solve(schedules, linked)
        values = mechanism.population.natural(self.population)
        exposure = mechanism.exposure(solutions)
        risk = mechanism.toxicity.probability(exposure, **mechanism.of_toxicity(values))[0]
        dlt = rng.uniform(size=number) < risk
        participants = []
        for k, solution in enumerate(solutions):
            samples = {
                name: mechanism.errors[name].observations(predicted, values, int(rng.integers(2**31)))[0]
                for name, predicted in solution.samples.items()
            }
            participants.append(
                Participant(
                    f"{first + k + 1}",
                    dose,
                    schedules[k],
                    ladder.covariates[who[k]],
                    samples,
                    float(dlt[k]),
                    backfill,
                )
            )
        return participants
