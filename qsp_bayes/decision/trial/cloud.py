"""Cloud: particles, each a population with the parameters of every participant, and what they predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qsp_bayes.decision.trial.mechanism import Mechanism
from qsp_bayes.decision.trial.participant import Evidence


@dataclass(frozen=True, eq=False)
class Cloud:
    """N particles with equal weights, of n participants.

    Attributes
    ----------
    populations : array, (particle, column)
        Unconstrained.
    linked : array, (particle, participant, parameter)
        Parameters of the participants on their links.
    exposure, log_samples, log_event : array, (particle, participant)
        Exposure, log density of the samples, log probability of the outcome.
    predictions : dict of str to array, (particle, sample)
        Of all samples of each output.
    log_prior : dict of str to array, (particle,)
        Of each block of the population.
    """

    populations: np.ndarray
    linked: np.ndarray
    exposure: np.ndarray
    predictions: Mapping[str, np.ndarray]
    log_samples: np.ndarray
    log_event: np.ndarray
    log_prior: Mapping[str, np.ndarray]

    @property
    def log_likelihood(self) -> np.ndarray:
        """Of each participant, (particle, participant)."""
        return self.log_samples + self.log_event

    def take(self, index: np.ndarray) -> Cloud:
        """Give the particles at some positions."""
        return Cloud(
            self.populations[index],
            self.linked[index],
            self.exposure[index],
            {name: values[index] for name, values in self.predictions.items()},
            self.log_samples[index],
            self.log_event[index],
            {name: values[index] for name, values in self.log_prior.items()},
        )

    def accept(self, proposed: Cloud, accepted: np.ndarray) -> Cloud:
        """Take the proposed particles where they are accepted, (particle,)."""
        one, two = accepted[:, None], accepted[:, None, None]
        return Cloud(
            np.where(one, proposed.populations, self.populations),
            np.where(two, proposed.linked, self.linked),
            np.where(one, proposed.exposure, self.exposure),
            {name: np.where(one, proposed.predictions[name], v) for name, v in self.predictions.items()},
            np.where(one, proposed.log_samples, self.log_samples),
            np.where(one, proposed.log_event, self.log_event),
            {name: np.where(accepted, proposed.log_prior[name], v) for name, v in self.log_prior.items()},
        )

    def accept_block(
        self, proposed: Cloud, accepted: np.ndarray, block: str, columns: np.ndarray, part: str
    ) -> Cloud:
        """Take the proposed columns of a block, and the part of the likelihood that they determine."""
        populations = self.populations.copy()
        populations[:, columns] = np.where(
            accepted[:, None], proposed.populations[:, columns], populations[:, columns]
        )
        own = np.where(accepted, proposed.log_prior[block], self.log_prior[block])
        likelihood = np.where(accepted[:, None], getattr(proposed, part), getattr(self, part))
        changed: dict[str, Any] = {part: likelihood}
        return replace(self, populations=populations, log_prior={**self.log_prior, block: own}, **changed)

    def accept_participants(self, proposed: Cloud, accepted: np.ndarray, evidence: Evidence) -> Cloud:
        """Take the proposed parameters of participants where they are accepted, (particle, participant)."""
        return replace(
            self,
            linked=np.where(accepted[..., None], proposed.linked, self.linked),
            exposure=np.where(accepted, proposed.exposure, self.exposure),
            predictions={
                name: np.where(accepted[:, evidence.owner[name]], proposed.predictions[name], values)
                for name, values in self.predictions.items()
            },
            log_samples=np.where(accepted, proposed.log_samples, self.log_samples),
            log_event=np.where(accepted, proposed.log_event, self.log_event),
        )


def predicted(
    mechanism: Mechanism, evidence: Evidence, cloud: Cloud, linked: np.ndarray, who: np.ndarray
) -> Cloud:
    """Give the cloud with other parameters of some participants, solved anew."""
    solutions = mechanism.solve([evidence.schedules[i] for i in who], linked[:, who])
    exposure = cloud.exposure.copy()
    exposure[:, who] = mechanism.exposure(solutions)
    predictions = {}
    for name, owner in evidence.owner.items():
        predictions[name] = cloud.predictions[name].copy()
        for i, solution in zip(who, solutions, strict=True):
            if name in solution.samples:
                predictions[name][:, owner == i] = solution.samples[name]
    return replace(cloud, linked=linked, exposure=exposure, predictions=predictions)


def weighed(mechanism: Mechanism, evidence: Evidence, cloud: Cloud, values: Mapping[str, Any]) -> Cloud:
    """Give the cloud with the likelihood of its predictions under the population's natural values."""
    log_samples = np.zeros_like(cloud.exposure)
    for name, owner in evidence.owner.items():
        density = mechanism.errors[name].log_density(evidence.observed[name], cloud.predictions[name], values)
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        log_samples[:, owner[first]] += np.add.reduceat(density, first, axis=1)
    with np.errstate(all="ignore"):
        event = mechanism.toxicity.log_likelihood(
            evidence.dlt, cloud.exposure, **mechanism.of_toxicity(values)
        )
    event = np.where(np.isnan(cloud.exposure), -np.inf, event)
    return replace(cloud, log_samples=log_samples, log_event=event)
