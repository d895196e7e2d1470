"""TrialPosterior: what is known after each cohort, by sequential Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from qsp_bayes.decision.trial.cloud import Cloud, predicted, weighed
from qsp_bayes.decision.trial.mechanism import Mechanism
from qsp_bayes.decision.trial.moves import Moves
from qsp_bayes.decision.trial.participant import Evidence, Participant
from qsp_bayes.errors import DecisionError

STAGES = 60


@dataclass(frozen=True)
class TrialPrecision:
    """How much a trial computes for each decision.

    Parameters
    ----------
    particles : int
        Populations that represent the posterior.
    individuals : int
        New individuals over whom the probability of a toxicity is averaged; a power of 2.
    sweeps : int
        Rounds of moves after a cohort has been taken in. After one, particles still resemble each other: the mean of a
        parameter of the kinetics is off by some 0.2 of its posterior standard deviation, at random from trial to trial,
        which operating characteristics average out. After twenty they are nearly independent.
    """

    particles: int = 400
    individuals: int = 32
    sweeps: int = 1

    def __post_init__(self) -> None:
        for name, least in (("particles", 20), ("individuals", 1), ("sweeps", 1)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise DecisionError(f"{name} is {value}; expected a whole number of at least {least}.")


@dataclass(frozen=True, eq=False)
class TrialPosterior:
    r"""The posterior of the population and of every participant, as a cloud of equally weighted particles.

    A cohort is taken in by raising its likelihood from power 0 to 1 in stages, each so long that half of the effective
    particles remain; after each stage particles are resampled and moved by steps that leave the target as it is (see
    `Moves`). The random effects of the participants are part of the particles, so that no likelihood is approximated:
    the only error is that of a finite number of particles.

    Attributes
    ----------
    cloud : Cloud
    evidence : Evidence
    log_evidence : float
        Log probability of everything seen so far, as the product of the ratios between stages.
    stages : tuple of int
        Number of stages of each update.

    References
    ----------
    Chopin N (2002). A sequential particle filter method for static models. Biometrika 89:539-552.

    Del Moral P, Doucet A, Jasra A (2006). Sequential Monte Carlo samplers. J R Stat Soc B 68:411-436.
    """

    mechanism: Mechanism
    precision: TrialPrecision
    moves: Moves
    cloud: Cloud
    evidence: Evidence = field(default_factory=lambda: Evidence([]))
    log_evidence: float = 0.0
    stages: tuple[int, ...] = ()

    @classmethod
    def prior(
        cls, mechanism: Mechanism, precision: TrialPrecision, rng: np.random.Generator
    ) -> TrialPosterior:
        """Start with draws of the prior."""
        populations = mechanism.population.draws(precision.particles, int(rng.integers(2**31)))
        number = len(populations)
        empty = np.zeros((number, 0))
        cloud = Cloud(
            populations,
            np.zeros((number, 0, len(mechanism.individuals.names))),
            empty,
            {},
            empty,
            empty,
            mechanism.population.log_prior(populations),
        )
        return cls(mechanism, precision, Moves(mechanism, rng), cloud)

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Variables of the population in their own units, one row for each particle."""
        return self.mechanism.population.natural(self.cloud.populations)

    def updated(self, participants: Sequence[Participant]) -> TrialPosterior:
        """Give the posterior after more participants were seen."""
        if not participants:
            return self
        evidence = self.evidence.joined(participants)
        n, new = len(self.evidence), np.arange(len(self.evidence), len(evidence))
        cloud = self.enrolled(evidence, new)
        power = np.ones(len(evidence))
        power[new] = 0.0
        log_evidence, stages = self.log_evidence, 0
        while power[new[0]] < 1.0:
            gain = cloud.log_likelihood[:, new].sum(axis=1)
            length = stage_length(gain, 1.0 - power[new[0]])
            weights = length * gain
            log_evidence += float(logsumexp(weights) - np.log(len(weights)))
            cloud = cloud.take(resampled(weights, self.moves.rng))
            power[new] = min(1.0, power[new[0]] + length)
            stages += 1
            if stages > STAGES:
                raise DecisionError(
                    f"The {len(evidence) - n} new participants cannot be reconciled with the model in {STAGES} "
                    "stages. Look for samples in another unit, or with a time or dose that was not recorded."
                )
            cloud = self.renewed(cloud, evidence, power, new, walk=False)
        everyone = np.arange(len(evidence))
        for _ in range(self.precision.sweeps):
            cloud = self.moves.population(cloud, evidence, power, centred=False)
            for walk in (False, True):
                cloud = self.renewed(cloud, evidence, power, everyone, walk=walk)
        return replace(
            self, cloud=cloud, evidence=evidence, log_evidence=log_evidence, stages=(*self.stages, stages)
        )

    def enrolled(self, evidence: Evidence, new: np.ndarray) -> Cloud:
        """Draw the parameters of new participants from each particle's population, and solve for them."""
        individuals, cloud = self.mechanism.individuals, self.cloud
        values = self.values
        shift, factor = individuals.linear(values, evidence.covariates[new])
        effects = self.moves.rng.standard_normal((len(shift), len(new), len(individuals.varying)))
        shift[..., individuals.varying] += np.einsum("sjk,sik->sij", factor, effects)
        number, added = len(shift), np.zeros((len(shift), len(new)))
        wider = replace(
            cloud,
            exposure=np.concatenate([cloud.exposure, added], axis=1),
            predictions={
                name: np.concatenate(
                    [
                        cloud.predictions.get(name, np.zeros((number, 0))),
                        np.zeros((number, int((owner >= new[0]).sum()))),
                    ],
                    axis=1,
                )
                for name, owner in evidence.owner.items()
            },
        )
        linked = np.concatenate([cloud.linked, shift], axis=1)
        wider = predicted(self.mechanism, evidence, wider, linked, new)
        return weighed(self.mechanism, evidence, wider, values)

    def renewed(
        self, cloud: Cloud, evidence: Evidence, power: np.ndarray, who: np.ndarray, *, walk: bool
    ) -> Cloud:
        """Move the particles: participants, then the population given them, then errors and toxicity."""
        cloud = self.moves.participants(cloud, evidence, power, who, walk=walk)
        cloud = self.moves.population(cloud, evidence, power, centred=True)
        return self.moves.others(cloud, evidence, power)


def stage_length(gain: np.ndarray, most: float) -> float:
    """Give the power by which the likelihood may be raised for half of the effective particles to remain."""
    if not np.isfinite(gain).any():
        raise DecisionError(
            "No particle can explain the new participants: the system cannot be solved for them, or their outcome has "
            "probability 0. Check doses and units of the data, and the priors."
        )

    def short(length: float) -> float:
        return effective(length * gain) / len(gain) - 0.5

    # Particles that cannot be at all leave with the first stage, however short it is.
    if short(most) >= 0 or short(1e-9 * most) <= 0:
        return most if short(most) >= 0 else 1e-9 * most
    return float(brentq(short, 1e-9 * most, most, xtol=1e-6 * most))


def effective(log_weights: np.ndarray) -> float:
    """Effective number of particles with these weights.

    Examples
    --------
    >>> effective(np.array([0.0, 0.0, -np.inf, -np.inf]))
    2.0
    """
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())


def resampled(log_weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw positions in proportion to their weights, systematically: as evenly as the weights allow."""
    weights = np.exp(log_weights - log_weights.max())
    edges = np.cumsum(weights) / weights.sum()
    at = (rng.uniform() + np.arange(len(weights))) / len(weights)
    return np.minimum(np.searchsorted(edges, at), len(weights) - 1)
