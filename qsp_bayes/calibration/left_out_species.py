"""Leave one species out: does a calibration without a species predict that species?"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy.special import logsumexp

from qsp_bayes.calibration.fit import population_names, thin
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.species import Species
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

INTERVAL = (0.05, 0.5, 0.95)
SURPRISING = 0.05
"""Tail probability of a species' exposure below which the species is called out."""


@dataclass(frozen=True, eq=False, repr=False)
class LeftOutSpecies:
    """Each species predicted from the others, as made by :func:`leave_one_species_out`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each species and output: ``ratio``, the predicted exposure over the observed one (median), with
        ``ratio_low`` and ``ratio_high`` (90 % interval); ``tail_probability`` (two-sided) of the observed exposure
        among the predicted ones; ``coverage``, the share of the observations within their 90 % predictive intervals,
        with ``observations``, how many there are; ``elpd``, the log predictive density of the data of its
        individuals, with its Monte Carlo standard error ``elpd_mcse`` (both the same for all outputs of a species).
    observations : pandas.DataFrame
        One row for each observation: ``species``, ``subject``, ``output``, ``time``, ``observed``, and the predictive
        quantiles ``low``, ``median``, ``high`` (5, 50 and 95 %).
    units : mapping of str to str
        Of the outputs, and of ``time``.
    """

    table: pd.DataFrame
    observations: pd.DataFrame
    units: Mapping[str, str]

    @property
    def surprising(self) -> list[str]:
        """Species whose exposure lies in the outer 5 % of what the others predict."""
        rows = self.table[self.table["tail_probability"] < SURPRISING]
        return list(dict.fromkeys(rows.index.get_level_values("species")))

    @property
    def verdict(self) -> str:
        """What the comparison says, in words."""
        sentences = []
        for (species, output), row in self.table.iterrows():
            if row["tail_probability"] < SURPRISING:
                size = f"{row['ratio']:.2g} times" if row["ratio"] >= 1 else f"1/{1 / row['ratio']:.2g} of"
                sentences.append(
                    f"The {species} does not follow from the others: its predicted exposure ({output}) is {size} the "
                    f"observed one (90 % interval of the ratio {row['ratio_low']:.2g} to {row['ratio_high']:.2g}, "
                    f"tail probability {at_least(row['tail_probability'])})."
                )
        if sentences:
            return " ".join(
                [
                    *sentences,
                    "Look for what sets it apart (enzymes, transporters, binding, the assay), and explain it by a "
                    "covariate or leave the species out for that reason.",
                ]
            )
        low, high = self.table["ratio"].min(), self.table["ratio"].max()
        return (
            f"Every species follows from the others: predicted over observed exposure is {low:.2g} to {high:.2g} "
            "(medians), each within the uncertainty of its prediction."
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.verdict)}</p>{self.table.round(3).to_html(border=0)}"

    def __repr__(self) -> str:
        return f"{self.verdict}\n\n{self.table.round(3).to_string()}"


def leave_one_species_out(
    calibration: Calibration,
    study: Study,
    *,
    population_draws: int = 200,
    individuals: int = 50,
    random_seed: int = 0,
    **sampling: Any,
) -> LeftOutSpecies:
    r"""Fit without each species in turn, and compare what that fit predicts of the species with its data.

    Individuals of a left-out species are new, and so is the species: with :math:`\theta_k` the draws of the population
    given the other species, the effect of the left-out one drawn from its prior,

    .. math:: \mathrm{elpd} = \sum_i \log \frac{1}{KJ} \sum_k \sum_j p(y_i \mid \theta_k, \eta_{kji}),
              \qquad \eta_{kji} \text{ drawn afresh}

    over its individuals i, each as the first of its species to be seen: of use to compare calibrations on the same
    data. The effect of the species is common to all of them: their observations may all lie in one half of their
    intervals, and `coverage` far from 90 % is not an alarm by itself. The alarm is raised by exposure: the area under
    the mean course (mean of the observations at each time, linear trapezoidal rule) is computed for the data and for
    replicates of all the individuals of the species, and its rank among them is uniform where the model and its
    priors hold, whatever the number of individuals. One sample from each animal is enough.

    Parameters
    ----------
    calibration : Calibration
        With a `Species` part.
    study : Study
    population_draws, individuals : int
        K and J above: draws of the population, and new individuals for each of them and each left-out individual.
    random_seed : int
    **sampling
        As `Calibration.fit` takes them: ``draws``, ``tune``, ``chains``, ``target_accept``, ...

    Returns
    -------
    LeftOutSpecies

    Raises
    ------
    CalibrationError
        Without a `Species` part, or with data of fewer than two species.

    References
    ----------
    Vehtari A, Ojanen J (2012) Statistics Surveys 6:142-228 (predictive assessment, log score). Bailer AJ (1988)
    J Pharmacokinet Biopharm 16:303-309 (area under a mean course).
    """
    part = next((part for part in calibration.individual if isinstance(part, Species)), None)
    if part is None:
        raise CalibrationError(
            "leave_one_species_out needs to know the species: add Species(covariate, on=..., codes={...}) to "
            "individual=[...]."
        )
    of_subject = part.of_subjects(study)
    present = [name for name in part.codes if name in of_subject]
    if len(present) < 2:
        raise CalibrationError(
            f"leave_one_species_out: the study has data of {', '.join(present)} only, and nothing to predict it from."
        )
    seeds = np.random.SeedSequence(random_seed).generate_state(2 * len(present)).tolist()
    labels = np.array(study.subjects)
    rows: dict[tuple[str, str], dict[str, float]] = {}
    observations = []
    for name in present:
        left, rest = labels[of_subject == name], labels[of_subject != name]
        fit = calibration.fit(
            study.subset(rest), random_seed=seeds.pop(), **{"progressbar": False, **sampling}
        )
        found = Predicted.of(calibration, fit, study.subset(left), population_draws, individuals, seeds.pop())
        rows |= {(name, output): found.row(output) for output in calibration.error}
        observations += [found.observations(output).assign(species=name) for output in calibration.error]
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["species", "output"])
    units = {"time": study.units.time, **{name: study.units.outputs[name] for name in calibration.error}}
    return LeftOutSpecies(table, pd.concat(observations, ignore_index=True), units)


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


def at_least(probability: float, smallest: float = 0.001) -> str:
    """Print a probability, no smaller than replicates can tell.

    Examples
    --------
    >>> at_least(0.023), at_least(0.0)
    ('0.023', 'below 0.001')
    """
    return f"{probability:.2g}" if probability >= smallest else f"below {smallest:g}"
