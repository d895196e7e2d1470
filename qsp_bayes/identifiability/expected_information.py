"""Expected information: what a design would tell of a population, before there are any data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.individual.individual import uncentred
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.joint_density import (
    PRIOR_DRAWS,
    compile_natural,
    numbered,
    prior_draws,
    split,
    to_unconstrained,
)

STEP = 1e-4
"""Of central differences, in the space where variables are unconstrained."""
INDIVIDUAL = {"subject", "occasion"}


def expected_information(
    calibration: Calibration,
    study: Study,
    *,
    draws: int = 20,
    at: Mapping[str, float] | None = None,
    random_seed: int = 0,
) -> xr.Dataset:
    r"""Predict how well a design would inform the population, by its expected Fisher information.

    With the variables :math:`u` of the population on the scale where they are unconstrained (logarithms of what is
    positive), predictions :math:`f_i` of subject i at the typical individual, their derivatives :math:`G_i` by its
    standard normal effects, and residual variances :math:`R_i`, observations are taken as normal around :math:`f_i`
    with the covariance :math:`\Sigma_i = G_i G_i^T + R_i`. Then

    .. math::

        M_{kl} = \sum_i \frac{\partial f_i}{\partial u_k}^T \Sigma_i^{-1} \frac{\partial f_i}{\partial u_l}
        + \tfrac12 \operatorname{tr}\Bigl(\Sigma_i^{-1} \frac{\partial \Sigma_i}{\partial u_k}
        \Sigma_i^{-1} \frac{\partial \Sigma_i}{\partial u_l}\Bigr)

    the second part for standard deviations alone. Standard errors of maximum likelihood are the roots of the diagonal
    of :math:`M^{-1}`; standard deviations of the posterior those of :math:`(M + \Lambda)^{-1}`, with the precisions
    :math:`\Lambda` of the priors. All are medians over draws of the prior.

    Parameters
    ----------
    calibration : Calibration
    study : Study
        Observed or planned: only its design is used.
    draws : int
        Draws of the population from the prior, for each of which the information is worked out.
    at : mapping of str to float, optional
        One population to work it out for instead: a value for each of its variables.
    random_seed : int

    Returns
    -------
    xarray.Dataset
        By ``variable``: ``standard_error`` (infinite where the design does not inform it), ``posterior_sd``,
        ``prior_sd``, ``contraction`` (the share of the prior's variance that the data take away); by ``variable`` and
        ``variable_bis``: ``correlation`` of the posterior, ``information`` (mean over draws); by ``direction``, largest
        first: ``spectrum``, the eigenvalues of the information in units of the prior, and ``loading`` of the variables.
        All on the unconstrained scale: a standard error of 0.1 of a positive variable is 10 %.

    Raises
    ------
    CalibrationError
        If `at` leaves out a variable or names one that is none, or if predictions are not finite at a population.

    Notes
    -----
    First order: the model is linear in the effects of individuals, whose distribution is then normal, and the part of
    fixed effects in the variance is left out, which makes standard errors of rich designs more accurate (the block form
    of PFIM and of most software). It breaks for sparse designs with large variability. Censoring is not counted.

    References
    ----------
    Mentré F, Mallet A, Baccar D (1997). Optimal design in random-effects regression models. Biometrika 84:429-442.

    Nyberg J et al (2015). Methods and software tools for design evaluation in population pharmacokinetics-
    pharmacodynamics studies. Br J Clin Pharmacol 79:6-17.

    Examples
    --------
    >>> from qsp_bayes.calibration import Calibration, Combined, IIV, load_priors
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> calibration = Calibration(
    ...     one_compartment(absorption="first-order"), load_priors("theophylline"), individual=[IIV("CL", "Vc", "KA")],
    ...     error={"Cc": Combined()},
    ... )
    >>> found = expected_information(calibration, load_dataset("theophylline"), draws=5)
    >>> bool(found.standard_error.sel(variable="TVCL") < 0.2)
    True
    """
    population = Population.of(calibration, study)
    prior = population.prior_draws(PRIOR_DRAWS, random_seed)
    points = prior[:draws] if at is None else population.unconstrained(at)[None]
    informations = np.array([population.information(point) for point in points])
    spread = prior.std(axis=0)
    return summarise(population.names, informations, spread)


def summarise(names: list[str], informations: np.ndarray, prior_sd: np.ndarray) -> xr.Dataset:
    """Turn the information of each draw into standard errors, contractions, correlations and directions."""
    posterior = np.linalg.inv(informations + np.diag(prior_sd**-2.0))
    sd = np.sqrt(np.diagonal(posterior, axis1=1, axis2=2))
    average = informations.mean(axis=0)
    scaled = prior_sd[:, None] * average * prior_sd
    values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
    both = ("variable", "variable_bis")
    return xr.Dataset(
        {
            "standard_error": ("variable", np.median([standard_errors(m) for m in informations], axis=0)),
            "posterior_sd": ("variable", np.median(sd, axis=0)),
            "prior_sd": ("variable", prior_sd),
            "contraction": ("variable", np.median(1 - (sd / prior_sd) ** 2, axis=0)),
            "correlation": (both, np.median(posterior / (sd[:, :, None] * sd[:, None, :]), axis=0)),
            "information": (both, average),
            "spectrum": ("direction", values[::-1]),
            "loading": (("direction", "variable"), vectors.T[::-1]),
        },
        {"variable": names, "variable_bis": names},
    )


def standard_errors(information: np.ndarray, noise: float = 1e-9) -> np.ndarray:
    """Give standard errors of maximum likelihood; infinite for what lies in a direction without information.

    Eigenvalues of the scaled information below the share `noise` of the largest count as none.

    Examples
    --------
    >>> standard_errors(np.array([[4.0, 0.0], [0.0, 0.0]]))
    array([0.5, inf])
    """
    size = np.sqrt(np.where(np.diag(information) > 0, np.diag(information), 1.0))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    known = values > noise * max(values.max(), 1.0)
    variance = (vectors[:, known] ** 2 / values[known]).sum(axis=1)
    unknown = (vectors[:, ~known] ** 2).sum(axis=1) > 1e-6
    return np.where(unknown, np.inf, np.sqrt(variance) / size)


def require_finite(predictions: np.ndarray, subject: np.ndarray) -> None:
    """Require that a design can be predicted at the population that was drawn."""
    bad = np.unique(subject[~np.isfinite(predictions)])
    if bad.size:
        raise CalibrationError(
            f"the predictions of subject {bad[0]} (counted from 0) are not finite at a population drawn from the "
            "prior. Where the logarithm is observed, it is that of 0 where nothing is left: leave such samples out, "
            "narrow the priors, or give one population by at={...}. Otherwise look with solver_check at what fails."
        )


@dataclass(frozen=True, eq=False)
class Slopes:
    """The covariance of each subject's observations, and derivatives of means and covariances by the population."""

    covariances: list[np.ndarray]
    of_mean: np.ndarray
    of_covariances: list[list[np.ndarray]]

    def of_subject(self, subject: int, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give what belongs to one subject, `own` marking its observations."""
        changes = np.array([of_covariance[subject] for of_covariance in self.of_covariances])
        return self.covariances[subject], self.of_mean[:, own], changes


@dataclass(frozen=True, eq=False)
class Population:
    """The model of a design as a function of the population, unconstrained, and of the effects of individuals.

    Attributes
    ----------
    population : list of variables
        Those that describe no single individual.
    names : list of str
        Their names, one for each number.
    of_variance : array of bool
        Which of them are standard deviations, correlations and errors.
    predict : callable
        Of the values of all free variables: predictions, and standard deviations of residuals, of all observations.
    """

    model: pm.Model
    population: list[Any]
    names: list[str]
    of_variance: np.ndarray
    shapes: Mapping[str, tuple[int, ...]]
    effects: Mapping[str, list[np.ndarray]]
    subject: np.ndarray
    predict: Callable[..., Any]

    @classmethod
    def of(cls, calibration: Calibration, study: Study) -> Population:
        """Build the model of the design of a study, in which observations are still to be made."""
        plan = planned(study)
        model = uncentred(calibration).build(plan)
        outputs = list(calibration.error)
        observed = [model[f"DV_{output}"] for output in outputs]
        free = [variable for variable in model.free_RVs if variable not in observed]
        laws = [variable.owner.op.dist_params(variable.owner) for variable in observed]
        # (mu, sigma) of normal and log-normal laws, (nu, mu, sigma) of Student's t.
        graphs = [law[-2] for law in laws] + [information_scale(law) for law in laws]
        values = [model.rvs_to_values[variable] for variable in free]
        compiled = pytensor.function(
            values, model.replace_rvs_by_values(graphs), on_unused_input="ignore", mode="NUMBA"
        )
        sizes = [len(plan.rows[output]) for output in outputs]

        def predict(*point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = [np.broadcast_to(x, n) for x, n in zip(compiled(*point), sizes * 2, strict=True)]
            return np.concatenate(found[: len(outputs)]), np.concatenate(found[len(outputs) :])

        start = model.initial_point(random_seed=0)
        shapes = {v.name: start[model.rvs_to_values[v].name].shape for v in free}
        dims = {v.name: model.named_vars_to_dims.get(v.name) or () for v in free}
        effects = {
            name: directions(plan, own, shapes[name])
            for name, own in dims.items()
            if INDIVIDUAL.intersection(own)
        }
        population = [v for v in free if v.name not in effects]
        names = numbered(model, shapes, [v.name for v in population])
        of_variance = np.array([not name.startswith(("TV", "e_")) for name in names])
        subject = np.concatenate([plan.subject_index[plan.rows[output]] for output in outputs])
        return cls(model, population, names, of_variance, shapes, effects, subject, predict)

    def point(self, population: np.ndarray, moved: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Give the values of all free variables: the population's, and effects that are 0 unless moved."""
        names = [variable.name for variable in self.population]
        own = dict(zip(names, split(population, self.shapes, names), strict=True))
        return [
            own[name] if name in own else moved.get(name, np.zeros(shape))
            for name, shape in self.shapes.items()
        ]

    def moments(self, population: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give predictions of the typical individual, their derivatives by effects, and the sd of residuals."""
        mean, sd = self.predict(*self.point(population, {}))
        slopes = []
        for name, ways in self.effects.items():
            for way in ways:
                ahead, back = (
                    self.predict(*self.point(population, {name: sign * STEP * way}))[0] for sign in (1, -1)
                )
                slopes.append((ahead - back) / (2 * STEP))
        return mean, np.array(slopes).reshape(len(slopes), mean.size), sd

    def covariances(self, population: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Give predictions, and the covariance of the observations of each subject."""
        mean, slopes, sd = self.moments(population)
        found = []
        for subject in range(self.subject.max() + 1):
            own = self.subject == subject
            found.append(slopes[:, own].T @ slopes[:, own] + np.diag(sd[own] ** 2))
        return mean, found

    def information(self, population: np.ndarray) -> np.ndarray:
        """Give the expected Fisher information about the population, (variable, variable)."""
        slopes = self.slopes(population)
        total = np.zeros((len(self.names), len(self.names)))
        for subject in range(self.subject.max() + 1):
            own = self.subject == subject
            if own.any():
                total += self.information_of(*slopes.of_subject(subject, own))
        return total

    def slopes(self, population: np.ndarray) -> Slopes:
        """Give the moments of the observations and how they change with the population."""
        mean, covariances = self.covariances(population)
        require_finite(mean, self.subject)
        of_mean, of_covariances = [], []
        for way in STEP * np.eye(len(self.names)):
            ahead, back = self.covariances(population + way), self.covariances(population - way)
            of_mean.append((ahead[0] - back[0]) / (2 * STEP))
            of_covariances.append([(a - b) / (2 * STEP) for a, b in zip(ahead[1], back[1], strict=True)])
        return Slopes(covariances, np.array(of_mean), of_covariances)

    def information_of(
        self, covariance: np.ndarray, of_mean: np.ndarray, of_covariance: np.ndarray
    ) -> np.ndarray:
        """Give the information of one subject, or of a stack of cases of one.

        Parameters
        ----------
        covariance : array, (..., observation, observation)
        of_mean : array, (..., variable, observation)
        of_covariance : array, (..., variable, observation, observation)
        """
        inverse = np.linalg.inv(covariance)
        found = of_mean @ inverse @ np.swapaxes(of_mean, -1, -2)
        scaled = inverse[..., None, :, :] @ of_covariance
        of_pair = 0.5 * np.einsum("...kab,...lba->...kl", scaled, scaled)
        found = found + np.where(np.outer(self.of_variance, self.of_variance), of_pair, 0.0)
        return (found + np.swapaxes(found, -1, -2)) / 2

    def prior_draws(self, draws: int, random_seed: int) -> np.ndarray:
        """Draw populations from the prior, unconstrained, (draw, variable)."""
        return prior_draws(self.model, self.population, draws, random_seed)

    def unconstrained(self, values: Mapping[str, float]) -> np.ndarray:
        """Give one population, unconstrained."""
        names = [variable.name for variable in self.population]
        if set(values) != set(names):
            raise CalibrationError(
                f"at: give a value for each of {', '.join(names)}; got {', '.join(values) or 'none'}."
            )
        return np.concatenate([np.ravel(to_unconstrained(self.model, name, values[name])) for name in names])

    def natural(self, population: np.ndarray) -> dict[str, Any]:
        """Give the values of the variables of one population by name, in their own units."""
        names = [variable.name for variable in self.population]
        values = split(self.to_natural(population), self.shapes, names)
        return {name: x if x.ndim else float(x) for name, x in zip(names, values, strict=True)}

    @cached_property
    def to_natural(self) -> Callable[[np.ndarray], np.ndarray]:
        """The way back from the unconstrained scale."""
        return compile_natural(self.model, self.population, self.shapes)


def information_scale(law: list[Any]) -> Any:
    """Give the standard deviation of the normal law that tells as much of the location as an error's law does."""
    if len(law) == 2:
        return law[1]
    nu, _, sigma = law
    return sigma * pm.math.sqrt((nu + 3) / (nu + 1))


def planned(study: Study) -> Study:
    """Give the design of a study, without what was observed."""
    return replace(study, table=study.table.assign(DV=np.nan, CENS=0, LIMIT=np.nan))


def directions(study: Study, dims: tuple[Any, ...], shape: tuple[int, ...]) -> list[np.ndarray]:
    """Give arrays of 0 and 1 that move one effect of every subject at once.

    Subjects do not touch each other: their own effects can be moved together. Of occasions, the first ones of all
    subjects are moved together, then the second ones, and so on.
    """
    axis = next(k for k, dim in enumerate(dims) if dim in INDIVIDUAL)
    groups = [np.ones(shape[axis])]
    if dims[axis] == "occasion":
        labels = [label.rpartition("/")[0] for label in study.occasions]
        rank = np.array([labels[:k].count(label) for k, label in enumerate(labels)])
        groups = [(rank == r).astype(float) for r in range(rank.max() + 1)]
    others = [range(n) for k, n in enumerate(shape) if k != axis]
    found = []
    for position in np.ndindex(*(len(other) for other in others)):
        for group in groups:
            way = np.zeros(shape)
            index: list[Any] = list(position)
            index.insert(axis, slice(None))
            way[tuple(index)] = group
            found.append(way)
    return found
