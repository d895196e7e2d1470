"""Left-out predictions: replicates of individuals that a fit has not seen, and how likely their data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy.special import logsumexp

from qsp_bayes.calibration.fit import population_names, thin
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

INTERVAL = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Predicted:
    """Replicates of a left-out species, and how likely its data are.

    Attributes
    ----------
    study : Study
        The left-out data.
    replicates : mapping of str to array
        By output: observations of new individuals (population draw, individual, observation).
    log_likelihood : array
        Of the data of each subject (population draw, individual, subject).
    """

    study: Study
    replicates: Mapping[str, np.ndarray]
    log_likelihood: np.ndarray

    @classmethod
    def of(
        cls,
        calibration: Calibration,
        fit: xr.DataTree,
        study: Study,
        population_draws: int,
        individuals: int,
        random_seed: int,
    ) -> Predicted:
        """Draw new individuals in the design of a study, and the density of its observations for each."""
        model = calibration.build(study)
        names = population_names(model)
        each = thin(fit["posterior"].to_dataset()[names], population_draws).stack(sample=("chain", "draw"))
        each = each.drop_vars(["chain", "draw", "sample"]).transpose("sample", ...)
        n_draws = each.sizes["sample"]
        # One long chain: every draw of the population as often as there are new individuals for it.
        population = each.isel(sample=np.repeat(np.arange(n_draws), individuals))
        population = population.rename(sample="draw").expand_dims(chain=[0])
        afresh = [variable.name for variable in model.free_RVs if variable.name not in names]
        observed = [variable.name for variable in model.observed_RVs]
        with model, quiet_pymc():
            drawn = pm.sample_posterior_predictive(
                population, var_names=[*afresh, *observed], random_seed=random_seed, progressbar=False
            )["posterior_predictive"].to_dataset()
            everything = population.assign({name: drawn[name] for name in afresh})
            tree = xr.DataTree.from_dict({"posterior": everything})
            pm.stats.compute_log_likelihood(tree, progressbar=False)
        likelihood = tree["log_likelihood"].to_dataset()
        total = np.zeros((n_draws, individuals, study.n_subjects))
        for output in calibration.error:
            density = by_individual(likelihood[f"DV_{output}"], n_draws)
            owner = study.subject_index[study.rows[output]]
            for subject in range(study.n_subjects):
                total[..., subject] += density[..., owner == subject].sum(axis=-1)
        replicates = {output: by_individual(drawn[f"DV_{output}"], n_draws) for output in calibration.error}
        return cls(study, replicates, total)

    def row(self, output: str) -> dict[str, float]:
        """Give the row of the table."""
        records = self.study.table.iloc[self.study.rows[output]]
        time, observed, replicates = (
            records["TIME"].to_numpy(),
            records["DV"].to_numpy(),
            self.replicates[output].reshape(-1, len(records)),
        )
        exposure, replicated = mean_exposure(time, observed), mean_exposure(time, replicates)
        ratio = np.quantile(replicated / exposure, INTERVAL)
        low, _, high = np.quantile(replicates, INTERVAL, axis=0)
        above = float(np.mean(replicated >= exposure))
        elpd, error = log_density(self.log_likelihood)
        return {
            "ratio": ratio[1],
            "ratio_low": ratio[0],
            "ratio_high": ratio[2],
            "tail_probability": min(1.0, 2 * min(above, 1 - above)),
            "coverage": float(np.mean((observed >= low) & (observed <= high))),
            "observations": len(records),
            "elpd": elpd,
            "elpd_mcse": error,
        }

    def observations(self, output: str) -> pd.DataFrame:
        """Give the observations of an output with their predictive quantiles."""
        records = self.study.table.iloc[self.study.rows[output]]
        replicates = self.replicates[output].reshape(-1, len(records))
        low, median, high = np.quantile(replicates, INTERVAL, axis=0)
        return pd.DataFrame(
            {
                "subject": records["ID"].to_numpy(),
                "output": output,
                "time": records["TIME"].to_numpy(),
                "observed": records["DV"].to_numpy(),
                "low": low,
                "median": median,
                "high": high,
            }
        )


def mean_exposure(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give the area under the mean course: the mean at each time, joined by straight lines.

    With a single time, the mean there. `values` has the observations along its last axis.

    Examples
    --------
    >>> mean_exposure(np.array([0.0, 0.0, 2.0]), np.array([1.0, 3.0, 4.0]))
    np.float64(6.0)
    """
    grid, place = np.unique(time, return_inverse=True)
    mean = values @ (np.eye(len(grid))[place] / np.bincount(place)[place][:, None])
    return np.trapezoid(mean, grid, axis=-1) if len(grid) > 1 else mean[..., 0]


def by_individual(values: xr.DataArray, n_draws: int) -> np.ndarray:
    """Give values of one long chain as (population draw, individual, observation)."""
    flat = values.squeeze("chain").transpose("draw", ...).to_numpy()
    return flat.reshape(n_draws, -1, flat.shape[-1])


def log_density(log_likelihood: np.ndarray) -> tuple[float, float]:
    """Give the sum over subjects of the log predictive density of their data, and its Monte Carlo standard error.

    The subjects share the draws of the population (first axis), and so do the errors of their densities.

    Examples
    --------
    >>> log_density(np.log(np.full((3, 2, 5), 0.5)))[0] == 5 * np.log(0.5)
    np.True_
    """
    n_draws, individuals, _ = log_likelihood.shape
    by_draw = logsumexp(log_likelihood, axis=1) - np.log(individuals)
    total = logsumexp(by_draw, axis=0) - np.log(n_draws)
    if not np.isfinite(total).all():
        # None of the new individuals comes near the data of some subject.
        return float(total.sum()), float("nan")
    relative = np.exp(by_draw - total).sum(axis=1)
    return float(total.sum()), float(np.std(relative, ddof=1) / np.sqrt(n_draws))
