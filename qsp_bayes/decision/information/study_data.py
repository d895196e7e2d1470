"""Cohort data: what a cohort could be found to be, and how likely that is under every draw of the population."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pymc.pytensorf import compile
from rich.progress import track
from scipy.special import logsumexp

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.simulation.common_individuals import common_individuals
from qsp_bayes.calibration.simulation.simulate import add_residual, new_individuals, plan, predict
from qsp_bayes.data.study import Study
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import DecisionError

if TYPE_CHECKING:
    from qsp_bayes.decision.information.proposed_study import ProposedStudy

EXPLAINED = 0.99
MOST_SUMMARIES = 8


@dataclass(frozen=True, eq=False)
class CohortData:
    """One simulated data set of a cohort for each draw of the population.

    Attributes
    ----------
    calibration : Calibration
    population : Dataset
        Draws (chain, draw).
    cohort : ProposedStudy
    observations : mapping of str to array
        By output (draw, subject, time).
    """

    calibration: Calibration
    population: xr.Dataset
    cohort: ProposedStudy
    observations: Mapping[str, np.ndarray]

    @classmethod
    def simulated(
        cls, calibration: Calibration, population: xr.Dataset, cohort: ProposedStudy, random_seed: int
    ) -> CohortData:
        """Simulate from every draw: individuals afresh, the system, residual error."""
        study = study_of(calibration, cohort, cohort.subjects)
        seeds = [
            int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(1 + len(study.outputs))
        ]
        parameters = new_individuals(calibration, population, study, seeds[0])
        predictions = predict(calibration, [study], parameters)
        shape = (-1, len(cohort.subjects), len(cohort.times))
        observations = {}
        for (output, values), seed in zip(predictions.items(), seeds[1:], strict=True):
            require_finite(output, values)
            observed = add_residual(calibration, output, values, population, seed)
            observations[output] = observed[:, 0].reshape(shape)
        return cls(calibration, population, cohort, observations)

    def summaries(self, n: int) -> np.ndarray:
        """Summarise the first n subjects: principal components of means and log standard deviations by time.

        Returns
        -------
        array
            (draw, summary). One or two subjects are given by their means alone.
        """
        columns = []
        for values in self.observations.values():
            some = values[:, :n]
            scaled = np.log(some) if (values > 0).all() else some
            columns.append(scaled.mean(axis=1))
            if n > 2:
                columns.append(np.log(scaled.std(axis=1, ddof=1)))
        table = np.concatenate(columns, axis=1)
        return principal_components(table)

    def log_likelihoods(
        self, source: np.ndarray, individuals: int, random_seed: int, progressbar: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the log-likelihood of each subject's data under every draw, random effects integrated out.

        Parameters
        ----------
        source : array
            Draws whose data sets are taken.
        individuals : int
            How many individuals are averaged over, for each different row of covariates.
        random_seed : int
        progressbar : bool

        Returns
        -------
        tuple of array
            Log-likelihood (data set, subject, draw); effective number of individuals at the draw that the data set was
            made from (data set, subject).
        """
        table = self.cohort.subjects.table
        rows = table.drop_duplicates()
        # Without covariates all subjects are alike; pandas knows no row of nothing.
        kind = (
            np.zeros(len(table), int)
            if table.columns.empty
            else pd.MultiIndex.from_frame(rows).get_indexer(pd.MultiIndex.from_frame(table))
        )
        n_kinds = int(kind.max()) + 1
        study = study_of(self.calibration, self.cohort, repeated(self.cohort.subjects, kind, individuals))
        seed = int(np.random.SeedSequence([random_seed, 1]).generate_state(1)[0])
        parameters = common_individuals(self.calibration, self.population, study, seed)
        predictions = {
            output: values[:, 0].reshape(len(values), n_kinds, individuals, -1)
            for output, values in predict(self.calibration, [study], parameters).items()
        }
        n_draws = len(next(iter(predictions.values())))
        densities = {
            output: ErrorDensity.of(self.calibration, output, self.population) for output in predictions
        }
        total = np.empty((len(source), len(kind), n_draws))
        ess = np.full((len(source), len(kind)), np.nan)
        for draw in track(range(n_draws), "Likelihood of the cohort", disable=not progressbar):
            own = np.flatnonzero(source == draw)
            for position, one in enumerate(kind):
                density = np.zeros((len(source), individuals))
                for output, values in predictions.items():
                    observed = self.observations[output][source, position][:, None]
                    density += densities[output](observed, values[draw, one][None], draw)
                total[:, position, draw] = logsumexp(density, axis=1) - np.log(individuals)
                for data_set in own:
                    weights = density[data_set] - density[data_set].max()
                    ess[data_set, position] = np.exp(weights).sum() ** 2 / np.exp(2 * weights).sum()
        return total, ess


@dataclass(frozen=True)
class ErrorDensity:
    """Log density of observations of an output around predictions, summed over time."""

    evaluate: Callable[..., np.ndarray]
    parameters: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, calibration: Calibration, output: str, population: xr.Dataset) -> ErrorDensity:
        """Compile the error model of an output, with its parameters at all draws."""
        inputs: dict[str, Any] = {}

        def variable(name: str) -> Any:
            if name in calibration.fix:
                return pt.constant(calibration.fix[name])
            return inputs.setdefault(name, pt.dscalar(name))

        observed = pt.tensor("observed", dtype="float64", shape=(None, 1, None))
        prediction = pt.tensor("prediction", dtype="float64", shape=(1, None, None))
        noise = calibration.error[output].noise(output, prediction, variable)
        density = pm.logp(noise.draw(), observed).sum(axis=-1)
        evaluate = compile([observed, prediction, *inputs.values()], density)
        return cls(evaluate, tuple(population[name].to_numpy().ravel() for name in inputs))

    def __call__(self, observed: np.ndarray, prediction: np.ndarray, draw: int) -> np.ndarray:
        """Give the density of observations (data set, 1, time) around predictions (1, individual, time)."""
        return self.evaluate(observed, prediction, *(values[draw] for values in self.parameters))


def study_of(calibration: Calibration, cohort: ProposedStudy, subjects: Subjects) -> Study:
    """Give the design of a cohort for some subjects."""
    outputs = list(calibration.error) if cohort.outputs is None else list(cohort.outputs)
    if unknown := [name for name in outputs if name not in calibration.error]:
        raise DecisionError(
            f"outputs: {', '.join(unknown)} without an error model. Measure some of {', '.join(calibration.error)}."
        )
    return plan(calibration, cohort.regimen, subjects, np.asarray(cohort.times, dtype=float), outputs)


def repeated(subjects: Subjects, kind: np.ndarray, individuals: int) -> Subjects:
    """Give so many individuals for each different row of covariates, row by row."""
    first = [int(np.argmax(kind == one)) for one in range(int(kind.max()) + 1)]
    table = subjects.table.iloc[np.repeat(first, individuals)]
    return Subjects(table.set_axis(range(len(table))), subjects.units, subjects.origin)


def require_finite(output: str, values: np.ndarray) -> None:
    """Require predictions that are finite."""
    wrong = np.unique(np.argwhere(~np.isfinite(values))[:, 0])
    if len(wrong):
        raise DecisionError(
            f"Predictions of {output} are not finite at {len(wrong)} draws of the population, first at draw "
            f"{wrong[0]} in the order of the decision. Look at the parameters of that draw."
        )


def principal_components(table: np.ndarray) -> np.ndarray:
    """Give the components of standardised columns (draw, column) that hold 99 % of their variance, at most eight.

    Examples
    --------
    >>> twice = np.random.default_rng(1).normal(size=(50, 1)) * np.array([1.0, -3.0])
    >>> principal_components(twice).shape
    (50, 1)
    """
    spread = table.std(axis=0)
    standard = (table - table.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    left, sizes, _ = np.linalg.svd(standard, full_matrices=False)
    share = np.cumsum(sizes**2) / max(float((sizes**2).sum()), np.finfo(float).tiny)
    number = min(int(np.searchsorted(share, EXPLAINED)) + 1, MOST_SUMMARIES, len(sizes))
    return left[:, :number] * sizes[:number]
