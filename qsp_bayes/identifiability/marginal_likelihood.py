"""The likelihood of a population: of the observations given its variables, individuals integrated out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pymc as pm

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.individual.individual import uncentred
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.expected_information import INDIVIDUAL
from qsp_bayes.identifiability.joint_density import (
    Joint,
    compile_joint,
    compile_natural,
    compile_penalty,
    numbered,
    prior_draws,
    to_unconstrained,
)

STEP = 1e-3
"""Of central differences of the gradient by the effects, whose prior standard deviation is 1."""
CURVATURE_STEP = 1e-2
"""Of second differences of the gradient, in standard deviations of an individual's conditional distribution."""
NEWTON_STEPS = 60
DECREMENT = 1e-12
"""The search for the modes ends where no individual could gain more than half of this."""
SMALLEST_CURVATURE = 1e-8


class Evaluation(NamedTuple):
    """Log-likelihood at a population, its gradient, and the modes of the individuals' effects there."""

    value: float
    gradient: np.ndarray
    effects: np.ndarray


@dataclass(frozen=True, eq=False)
class MarginalLikelihood:
    r"""The log-likelihood of the variables of the population, :math:`\log p(y \mid u)`.

    The variables :math:`u` are on the scale where they are unconstrained. Without random effects the likelihood is
    exact. With them each subject's effects :math:`b_i \sim N(0, I)`, those of its occasions included, are integrated
    out by Laplace's approximation around their mode,

    .. math::

        \log p(y_i \mid u) \approx h_i(\hat b_i) + \tfrac{d_i}{2} \log 2\pi - \tfrac12 \log\det H_i, \qquad
        h_i(b) = \log p(y_i \mid u, b) + \log N(b; 0, I), \quad H_i = -\nabla^2 h_i(\hat b_i)

    The modes of all subjects are found together by Newton's method. The Hessian is that of the whole conditional
    density, not of its linearisation, by central differences of the gradient.

    Attributes
    ----------
    names : list of str
        Variables of the population, one for each number.
    slots : array of int, (subject, effect)
        Where the effects of each subject are in the vector of all effects; -1 where a subject has fewer.
    observed : list of array
        Observed values, one array for each output; `replaced` exchanges them.
    start : array
        Population to start from.
    prior : array, (draw, number)
        Draws of the population from the prior, which tell in what region to search.
    penalty : callable or None
        Log density of the prior and its gradient, which `evaluate` adds.

    Notes
    -----
    The gradient costs no more for more variables of the population. That of :math:`h` is exact at the modes. For
    :math:`\log\det H`, write :math:`H^{-1} = \sum_j v_j v_j^T`: its derivative is that of
    :math:`-\sum_j v_j^T \nabla^2 h\, v_j` with :math:`v_j` held fixed, whose gradient is a second difference of
    gradients of :math:`h`; the modes move by :math:`H^{-1}\,\partial^2 h / \partial b\, \partial u`.

    References
    ----------
    Wolfinger R (1993). Laplace's approximation for nonlinear mixed models. Biometrika 80:791-795.
    """

    names: list[str]
    sizes: Mapping[str, int]
    slots: np.ndarray
    n_effects: int
    observed: list[np.ndarray]
    start: np.ndarray
    prior: np.ndarray
    compiled: Callable[..., Joint]
    natural_values: Callable[[np.ndarray], np.ndarray]
    forward: Callable[[str, Any], np.ndarray]
    penalty: Callable[[np.ndarray], tuple[float, np.ndarray]] | None = None

    @classmethod
    def of(cls, calibration: Calibration, study: Study, *, penalised: bool = False) -> MarginalLikelihood:
        """Compile the likelihood of a study.

        Parameters
        ----------
        calibration : Calibration
        study : Study
        penalised : bool
            Whether the density of the priors of the population counts, in the variables' own units.
        """
        if study.is_planned or not study.n_observations:
            raise CalibrationError(
                f"study {study.name!r} has no observed values: a likelihood needs them. For a design, use "
                "expected_information."
            )
        model = uncentred(calibration).build(study)
        effects = [
            v for v in model.free_RVs if INDIVIDUAL.intersection(model.named_vars_to_dims.get(v.name) or ())
        ]
        population = [v for v in model.free_RVs if v not in effects]
        if not population:
            raise CalibrationError("every variable of the population is fixed: there is nothing to estimate.")
        start = model.initial_point(random_seed=0)
        shapes = {v.name: start[model.rvs_to_values[v].name].shape for v in model.free_RVs}
        sizes = {v.name: int(np.prod(shapes[v.name])) for v in population}
        owners = {v.name: owners_of_effects(model, study, v.name, shapes[v.name]) for v in effects}
        slots = slots_of_subjects([owners[v.name] for v in effects], study.n_subjects)
        return cls(
            names=numbered(model, shapes, list(sizes)),
            sizes=sizes,
            slots=slots,
            n_effects=sum(len(owner) for owner in owners.values()),
            observed=[study.data_arrays()[f"observed_{output}"] for output in calibration.error],
            start=np.concatenate([np.ravel(start[model.rvs_to_values[v].name]) for v in population]),
            prior=prior_draws(model, population),
            compiled=compile_joint(
                model, study, list(calibration.error), population, effects, owners, shapes
            ),
            natural_values=compile_natural(model, population, shapes),
            forward=lambda name, value: to_unconstrained(model, name, value),
            penalty=compile_penalty(model, population, shapes) if penalised else None,
        )

    def replaced(self, observed: Mapping[str, Any] | list[np.ndarray]) -> MarginalLikelihood:
        """Give the likelihood of other observed values in the same design, without compiling again."""
        values = list(observed.values()) if isinstance(observed, Mapping) else observed
        if [np.shape(v) for v in values] != [v.shape for v in self.observed]:
            raise CalibrationError(
                f"expected observed values of the shapes {', '.join(str(v.shape) for v in self.observed)}; got "
                f"{', '.join(str(np.shape(v)) for v in values)}."
            )
        return replace(self, observed=[np.asarray(v, float) for v in values])

    def natural(self, population: np.ndarray) -> np.ndarray:
        """Give the variables of the population in their own units."""
        return self.natural_values(population)

    def unconstrained(self, values: Mapping[str, float]) -> np.ndarray:
        """Give the population, unconstrained, that has these values and is elsewhere at its start.

        Raises
        ------
        CalibrationError
            If a name is none of the population.
        """
        point = self.start.copy()
        at = 0
        for name, size in self.sizes.items():
            if name in values:
                point[at : at + size] = self.forward(name, values[name])
            at += size
        if unknown := set(values).difference(self.sizes):
            raise CalibrationError(
                f"{', '.join(sorted(unknown))}: no variable of the population, which has {', '.join(self.sizes)}."
            )
        return point

    @cached_property
    def prior_sd(self) -> np.ndarray:
        """Standard deviations of the prior."""
        return self.prior.std(axis=0)

    def region(self, size: float) -> tuple[np.ndarray, np.ndarray]:
        """Give the ends of a region of so many standard deviations of the prior to either side of its mean."""
        mean = self.prior.mean(axis=0)
        return mean - size * self.prior_sd, mean + size * self.prior_sd

    def evaluate(self, population: np.ndarray, effects: np.ndarray | None = None) -> Evaluation:
        """Evaluate at a population.

        Parameters
        ----------
        population : array
            Unconstrained.
        effects : array, optional
            Where to start the search for the individuals' modes, such as those of a population close by.

        Returns
        -------
        Evaluation
            Its value is ``-inf`` where the model cannot be solved.
        """
        with np.errstate(all="ignore"):
            found = self.integrated(population, np.zeros(self.n_effects) if effects is None else effects)
        if self.penalty is None or not np.isfinite(found.value):
            return found
        value, gradient = self.penalty(population)
        return Evaluation(found.value + value, found.gradient + gradient, found.effects)

    def integrated(self, population: np.ndarray, effects: np.ndarray) -> Evaluation:
        """Evaluate the likelihood alone."""
        effects, joint, hessians = self.modes(population, effects)
        value = float(joint.by_subject.sum())
        if not np.isfinite(value):
            return Evaluation(-np.inf, np.zeros(len(self.names)), np.zeros(self.n_effects))
        if not self.n_effects:
            return Evaluation(value, joint.by_population, effects)
        values, vectors = np.linalg.eigh(hessians)
        values = np.maximum(values, SMALLEST_CURVATURE)
        value += 0.5 * self.n_effects * np.log(2 * np.pi) - 0.5 * float(np.log(values).sum())
        roots = vectors / np.sqrt(values)[:, None, :]
        slope = joint.by_population + 0.5 * self.slope_of_curvature(population, effects, joint, roots)
        if not np.isfinite(slope).all():
            return Evaluation(-np.inf, np.zeros(len(self.names)), np.zeros(self.n_effects))
        return Evaluation(value, slope, effects)

    def modes(self, population: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, Joint, np.ndarray]:
        """Find the modes of the effects of all subjects, by Newton steps that each subject shortens for itself."""
        joint = self.joint(population, effects)
        if not np.isfinite(joint.by_subject).all() and effects.any():
            effects = np.zeros(self.n_effects)
            joint = self.joint(population, effects)
        if not self.n_effects or not np.isfinite(joint.by_subject).all():
            return effects, joint, np.ones((len(self.slots), 0, 0))
        for _ in range(NEWTON_STEPS):
            hessians = self.hessians(population, effects)
            if not np.isfinite(hessians).all():
                joint.by_subject[:] = np.nan
                break
            values, vectors = np.linalg.eigh(hessians)
            slopes = self.gather(joint.by_effects)
            rotated = np.einsum("sji,sj->si", vectors, slopes) / np.maximum(np.abs(values), 0.1)
            steps = np.einsum("sij,sj->si", vectors, rotated)
            if (steps * slopes).sum(axis=1).max() < DECREMENT:
                break
            effects, joint, moved = self.climb(population, effects, joint, steps)
            if not moved:
                break
        return effects, joint, hessians

    def climb(
        self, population: np.ndarray, effects: np.ndarray, joint: Joint, steps: np.ndarray
    ) -> tuple[np.ndarray, Joint, bool]:
        """Take the steps, each subject's halved until its density does not fall."""
        length = np.ones(len(steps))
        for _ in range(30):
            trial = effects + self.scatter(length[:, None] * steps)
            there = self.joint(population, trial)
            falls = ~(there.by_subject >= joint.by_subject - 1e-12 * np.abs(joint.by_subject))
            if not falls.any():
                return trial, there, True
            length = np.where(falls, length / 2, length)
        return effects, joint, False

    def hessians(self, population: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Give the negative second derivatives by the effects of each subject, (subject, effect, effect)."""
        rows = []
        for k in range(self.slots.shape[1]):
            way = self.scatter(STEP * np.eye(self.slots.shape[1])[k] * np.ones((len(self.slots), 1)))
            ahead, back = (self.joint(population, effects + sign * way).by_effects for sign in (1, -1))
            rows.append(self.gather(back - ahead) / (2 * STEP))
        found = np.stack(rows, axis=1)
        found = (found + found.transpose(0, 2, 1)) / 2
        # Effects that a subject does not have stand on their own, with curvature 1.
        missing = self.slots < 0
        found[missing[:, :, None] | missing[:, None, :]] = 0.0
        subject, effect = np.nonzero(missing)
        found[subject, effect, effect] = 1.0
        return found

    def slope_of_curvature(
        self, population: np.ndarray, effects: np.ndarray, joint: Joint, roots: np.ndarray
    ) -> np.ndarray:
        """Give the gradient of -log det H by the population, the modes moving with it."""
        by_population = np.zeros(len(self.names))
        by_effects = np.zeros(self.n_effects)
        for k in range(roots.shape[2]):
            way = self.scatter(CURVATURE_STEP * roots[:, :, k])
            for sign in (1, -1):
                there = self.joint(population, effects + sign * way)
                by_population += (there.by_population - joint.by_population) / CURVATURE_STEP**2
                by_effects += (there.by_effects - joint.by_effects) / CURVATURE_STEP**2
        # The modes move by inverse(H) times the mixed derivatives: one directional derivative, along this way.
        pull = np.einsum("sik,sjk,sj->si", roots, roots, self.gather(by_effects))
        size = float(np.abs(pull).max(initial=0.0))
        if size == 0.0 or not np.isfinite(size):
            return by_population + size * 0
        length = STEP / size
        ahead, back = (
            self.joint(population, effects + sign * self.scatter(length * pull)).by_population
            for sign in (1, -1)
        )
        return by_population + (ahead - back) / (2 * length)

    def joint(self, population: np.ndarray, effects: np.ndarray) -> Joint:
        """Evaluate the log density of observations and effects."""
        return self.compiled(population, effects, self.observed)

    def gather(self, effects: np.ndarray) -> np.ndarray:
        """Arrange a vector of effects by subject, with 0 for those that a subject does not have."""
        return np.where(self.slots < 0, 0.0, effects[self.slots])

    def scatter(self, by_subject: np.ndarray) -> np.ndarray:
        """Put what is arranged by subject into a vector of effects."""
        found = np.zeros(self.n_effects)
        found[self.slots[self.slots >= 0]] = by_subject[self.slots >= 0]
        return found


def owners_of_effects(model: pm.Model, study: Study, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Name the subject, by position, of each number of an effect in the order of its raveled array."""
    dims = model.named_vars_to_dims[name]
    axis = next(k for k, dim in enumerate(dims) if dim in INDIVIDUAL)
    owner = np.arange(study.n_subjects) if dims[axis] == "subject" else study.events().occasion_subject
    return np.broadcast_to(owner.reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape).ravel()


def slots_of_subjects(owners: list[np.ndarray], n_subjects: int) -> np.ndarray:
    """Give the positions of each subject's effects in the vector of all, padded with -1.

    Examples
    --------
    >>> slots_of_subjects([np.array([0, 1]), np.array([0, 0, 1])], 2)
    array([[ 0,  2,  3],
           [ 1,  4, -1]])
    """
    owner = np.concatenate([*owners, np.zeros(0, int)])
    places = [np.flatnonzero(owner == subject) for subject in range(n_subjects)]
    slots = np.full((n_subjects, max(map(len, places))), -1)
    for subject, place in enumerate(places):
        slots[subject, : len(place)] = place
    return slots
