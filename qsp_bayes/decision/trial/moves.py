"""Moves: Metropolis-Hastings steps of all particles at once, which leave the posterior as it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from qsp_bayes.decision.trial.cloud import Cloud, predicted, weighed
from qsp_bayes.decision.trial.mechanism import Mechanism
from qsp_bayes.decision.trial.participant import Evidence

ACCEPTANCE = 0.3
"""Share of accepted random walks that their step size aims at."""
INFLATION = 1.2
"""Of the standard deviation of independent proposals, over that of the cloud."""


@dataclass(eq=False)
class Moves:
    r"""Steps that renew particles.

    With u the population, v the parameters of the participants, :math:`\phi_i` the power of the likelihood of
    participant i (1, or less while a cohort is being taken in), the target is

    .. math:: p(u) \prod_i N(v_i; a(u, x_i), B(u) B(u)^T)\, L_i(u, v_i)^{\phi_i}

    Proposals take their size from the cloud. Participants are renewed one by one, given the population. The population
    is renewed given the participants' parameters (centred), which costs no solution unless some parameter does not
    vary, and given their random effects (non-centred): together they move where either alone would not.

    Attributes
    ----------
    acceptance : dict of str to float
        Share of accepted proposals in the last step of each kind.

    References
    ----------
    Yu Y, Meng XL (2011). To center or not to center: that is not the question. J Comput Graph Stat 20:531-570.
    """

    mechanism: Mechanism
    rng: np.random.Generator
    acceptance: dict[str, float] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)

    def participants(
        self, cloud: Cloud, evidence: Evidence, power: np.ndarray, who: np.ndarray, *, walk: bool
    ) -> Cloud:
        """Renew the parameters of some participants."""
        varying = self.mechanism.individuals.varying
        if not len(varying) or not len(who):
            return cloud
        values = self.mechanism.population.natural(cloud.populations)
        shift, factor = self.mechanism.individuals.linear(values, evidence.covariates[who])
        inverse = np.linalg.inv(factor)
        shift = shift[..., varying]
        now = cloud.linked[:, who][..., varying]
        middle = now.mean(axis=0)
        root = roots(now - middle)
        noise = self.rng.standard_normal(now.shape)
        kind = "participants, walk" if walk else "participants, independent"
        if walk:
            proposal = now + self.step(kind, len(varying)) * np.einsum("ijk,sik->sij", root, noise)
            correction = np.zeros(now.shape[:2])
        else:
            proposal = middle + INFLATION * np.einsum("ijk,sik->sij", root, noise)
            old = np.einsum("ijk,sik->sij", np.linalg.inv(root), now - middle) / INFLATION
            correction = 0.5 * ((noise**2).sum(axis=-1) - (old**2).sum(axis=-1))
        linked = cloud.linked.copy()
        linked[np.ix_(np.arange(len(linked)), who, varying)] = proposal
        there = weighed(
            self.mechanism, evidence, predicted(self.mechanism, evidence, cloud, linked, who), values
        )
        gain = log_normal(inverse, proposal - shift) - log_normal(inverse, now - shift)
        gain = gain + power[who] * difference(there.log_likelihood[:, who], cloud.log_likelihood[:, who])
        accepted = np.zeros(cloud.exposure.shape, bool)
        accepted[:, who] = self.decide(kind, gain + correction)
        return cloud.accept_participants(there, accepted, evidence)

    def population(self, cloud: Cloud, evidence: Evidence, power: np.ndarray, *, centred: bool) -> Cloud:
        """Renew what concerns the individuals, their parameters being kept (centred) or their random effects."""
        individuals = self.mechanism.individuals
        varying, fixed = individuals.varying, len(individuals.names) - len(individuals.varying)
        if not len(self.mechanism.population.blocks["individuals"]) or (not centred and not len(evidence)):
            return cloud
        kind = "population, centred" if centred else "population, non-centred"
        proposal = self.walk(kind, cloud.populations, "individuals")
        there = self.at(cloud, proposal)
        gain = there.log_prior["individuals"] - cloud.log_prior["individuals"]
        if len(evidence):
            old, new = (self.mechanism.population.natural(x) for x in (cloud.populations, proposal))
            shift, factor = individuals.linear(old, evidence.covariates)
            new_shift, new_factor = individuals.linear(new, evidence.covariates)
            linked = new_shift.copy()
            now = cloud.linked[..., varying]
            inverse = np.linalg.inv(factor)
            if centred:
                linked[..., varying] = now
                new_inverse = np.linalg.inv(new_factor)
                gain = gain + (
                    log_normal(new_inverse, now - new_shift[..., varying])
                    - log_normal(inverse, now - shift[..., varying])
                ).sum(axis=1)
            else:
                effects = np.einsum("sjk,sik->sij", inverse, now - shift[..., varying])
                linked[..., varying] += np.einsum("sjk,sik->sij", new_factor, effects)
            if fixed or not centred:
                everyone = np.arange(len(evidence))
                there = predicted(self.mechanism, evidence, there, linked, everyone)
                there = weighed(self.mechanism, evidence, there, new)
                gain = gain + difference(there.log_likelihood, cloud.log_likelihood) @ power
        return cloud.accept(there, self.decide(kind, gain))

    def others(self, cloud: Cloud, evidence: Evidence, power: np.ndarray) -> Cloud:
        """Renew the variables of the errors, and those of the toxicity, which are independent given the predictions."""
        blocks = self.mechanism.population.blocks
        parts = {
            block: part
            for block, part in (("errors", "log_samples"), ("toxicity", "log_event"))
            if len(blocks[block])
        }
        proposal = cloud.populations
        for block in parts:
            proposal = self.walk(block, proposal, block)
        there = self.at(cloud, proposal)
        if len(evidence):
            natural = self.mechanism.population.natural(proposal)
            there = weighed(self.mechanism, evidence, there, natural)
        for block, part in parts.items():
            gain = there.log_prior[block] - cloud.log_prior[block]
            gain = gain + difference(getattr(there, part), getattr(cloud, part)) @ power
            cloud = cloud.accept_block(there, self.decide(block, gain), block, blocks[block], part)
        return cloud

    def at(self, cloud: Cloud, populations: np.ndarray) -> Cloud:
        """Give the cloud at other populations, its predictions unchanged."""
        return replace(
            cloud, populations=populations, log_prior=self.mechanism.population.log_prior(populations)
        )

    def walk(self, kind: str, populations: np.ndarray, block: str) -> np.ndarray:
        """Propose other values of a block, by a random walk with the covariance of the cloud."""
        columns = self.mechanism.population.blocks[block]
        own = populations[:, columns]
        root = roots((own - own.mean(axis=0))[:, None])[0]
        # One small step in three keeps particles moving where the cloud is not like a normal distribution.
        size = self.step(kind, len(columns)) * self.rng.choice([1.0, 1.0, 0.25], size=(len(own), 1))
        proposal = populations.copy()
        proposal[:, columns] = own + size * (self.rng.standard_normal(own.shape) @ root.T)
        return proposal

    def step(self, kind: str, dimensions: int) -> float:
        """Give the size of a random walk: what is best for a normal target, corrected by what was accepted before."""
        return self.steps.setdefault(kind, 1.0) * 2.38 / np.sqrt(dimensions)

    def decide(self, kind: str, gain: np.ndarray) -> np.ndarray:
        """Accept or reject proposals whose log density changes by `gain`."""
        with np.errstate(invalid="ignore"):
            accepted = np.log(self.rng.uniform(size=gain.shape)) < gain
        self.acceptance[kind] = float(accepted.mean())
        if kind in self.steps:
            change = np.exp(self.acceptance[kind] - ACCEPTANCE)
            self.steps[kind] = float(np.clip(self.steps[kind] * change, 0.05, 3.0))
        return accepted


def difference(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Subtract log likelihoods: a proposal that cannot be is minus infinity, whatever it is compared with."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isneginf(new) | np.isnan(new), -np.inf, new - old)


def log_normal(inverse: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Log density, up to a constant, of deviations (particle, participant, parameter) with given inverse factors."""
    effects = np.einsum("sjk,sik->sij", inverse, away)
    return -0.5 * (effects**2).sum(axis=-1) + np.linalg.slogdet(inverse)[1][:, None]


def roots(away: np.ndarray) -> np.ndarray:
    """Cholesky factors of the covariances, (item, d, d), of deviations (particle, item, d)."""
    covariance = np.einsum("sij,sik->ijk", away, away) / len(away)
    diagonal = np.einsum("ijj->ij", covariance)
    floor = 1e-8 * (diagonal + 1e-12)
    return np.linalg.cholesky(covariance + floor[:, :, None] * np.eye(away.shape[2]))
