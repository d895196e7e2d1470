"""Leave one species out: does a calibration without a species predict that species?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qsp_bayes.calibration.left_out_predictions import Predicted
from qsp_bayes.calibration.species import Species
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.result import Result

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

SURPRISING = 0.05
"""Tail probability of a species' exposure below which the species is called out."""


@dataclass(frozen=True, eq=False, repr=False)
class LeftOutSpecies(Result):
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

    def summary(self) -> str:
        """The verdict."""
        return self.verdict

    @property
    def marked(self) -> list[str]:
        """The species that do not follow from the others."""
        return self.surprising


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

    Notes
    -----
    A species that does not follow also tilts the line by which the others are predicted, and widens their intervals.
    Where several are called out, judge the one of the smallest tail probability first, and leave it out before judging
    the next. Among twenty species that do follow, one is called out by chance.

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


def at_least(probability: float, smallest: float = 0.001) -> str:
    """Print a probability, no smaller than replicates can tell.

    Examples
    --------
    >>> at_least(0.023), at_least(0.0)
    ('0.023', 'below 0.001')
    """
    return f"{probability:.2g}" if probability >= smallest else f"below {smallest:g}"
