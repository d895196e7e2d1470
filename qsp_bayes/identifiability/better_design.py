"""Better designs: which further samples, or which other doses, would tell most of the population."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import rounded
from qsp_bayes.identifiability.design_options import (
    Choice,
    DoseOptions,
    Options,
    SampleOptions,
    with_candidates,
)
from qsp_bayes.identifiability.expected_information import STEP, Population, standard_errors
from qsp_bayes.identifiability.joint_density import PRIOR_DRAWS
from qsp_bayes.result import Result

Quantity = Callable[[Mapping[str, Any]], float]
"""A function of the values of the population by name."""

EXCHANGES = 50
LEAST_GAIN = 1e-9
FAINT = 1e-6
"""Weight of the priors where they shall not count: only so much that every design has a criterion."""


@dataclass(frozen=True, eq=False, repr=False)
class BetterDesign(Result):
    """A design, and the steps that lead to it.

    Attributes
    ----------
    study : Study
        The design with all that was chosen; its observations are still to be made.
    steps : xarray.Dataset
        By ``step``, 0 being the design as it was: ``arm``, ``choice``, ``criterion`` and its ``gain``; by ``step`` and
        ``variable``: ``standard_error`` of maximum likelihood and ``posterior_sd`` (medians over draws, unconstrained
        scale).
    """

    study: Study
    steps: xr.Dataset

    @property
    def table(self) -> pd.DataFrame:
        """One row for each step: ``arm``, ``choice``, ``criterion`` and its ``gain``."""
        columns = ["arm", "choice", "criterion", "gain"]
        return self.steps[columns].to_dataframe()[columns]

    def summary(self) -> str:
        """Sentences that name what was chosen, and by which criterion."""
        chosen = [f"{row.choice} for {row.arm}" for row in self.table.iloc[1:].itertuples()]
        return f"Chosen by {self.steps.attrs['criterion']}: {'; '.join(chosen) or 'nothing'}."

    @property
    def notes(self) -> list[str]:
        """The posterior standard deviations before and after."""
        found = zip(self.steps["variable"].values, *self.steps.posterior_sd.values[[0, -1]], strict=True)
        changes = [f"{name} {rounded(before)} to {rounded(after)}" for name, before, after in found]
        return [f"Posterior standard deviations: {', '.join(changes)}."]


def improve_design(
    calibration: Calibration,
    study: Study,
    candidates: Iterable[float] | Mapping[str, Regimen],
    number: int,
    *,
    criterion: str | Sequence[str] | Quantity = "D",
    arms: Mapping[str, Sequence[str]] | None = None,
    outputs: Sequence[str] | None = None,
    priors: bool = True,
    draws: int = 20,
    at: Mapping[str, float] | None = None,
    random_seed: int = 0,
) -> BetterDesign:
    r"""Choose further sampling times, or other doses, that tell most of the population.

    With the expected information :math:`M` of `expected_information` and the precisions :math:`\Lambda` of the priors,
    the criteria, averaged over draws of the prior, are

    .. math::

        D: \tfrac1p \log\det(M + \Lambda), \qquad
        A: -\log \tfrac1p \operatorname{tr}\,(M + \Lambda)^{-1}, \qquad
        \text{names}: -\log \operatorname{mean}_k\,[(M + \Lambda)^{-1}]_{kk}, \qquad
        \text{a quantity } q: -\log\,\nabla q^T (M + \Lambda)^{-1} \nabla q .

    A gain of 0.1 is about 10 % more information on each variable. Candidates are added one by one, each the best there
    is; then chosen ones are exchanged for others for as long as that helps.

    Parameters
    ----------
    calibration : Calibration
    study : Study
        Observed or planned: only its design is used.
    candidates : iterable of float, or mapping of str to Regimen
        Times at which all subjects of an arm may be sampled; or regimens that an arm may have instead of its doses.
    number : int
        How many times to add, or how many arms may change their doses.
    criterion : {"D", "A"}, sequence of str, or callable
        Or the variables of the population that matter; or the quantity that a decision turns on, as a function of the
        values of the population by name: ``lambda v: 100 / v["TVCL"]``, the area under the curve of the typical
        individual, or by how much one regimen is better than another.
    arms : mapping of str to sequence of str, optional
        Labels of the subjects that are treated alike; all subjects are one arm where left out.
    outputs : sequence of str, optional
        What is measured in an additional sample; all outputs with an error model where left out.
    priors : bool
        Whether the precision of the priors counts.
    draws, at, random_seed
        As in `expected_information`.

    Returns
    -------
    BetterDesign

    Raises
    ------
    CalibrationError
        For arms, variables or numbers that do not fit.

    Notes
    -----
    Information adds over subjects. Within a subject it does not, because samples of one individual share its effects:
    the information of each subject is worked out for each set of samples, from derivatives at all candidate times that
    are found once. What holds of `expected_information` holds here.

    References
    ----------
    Atkinson AC, Donev AN, Tobias RD (2007). Optimum Experimental Designs, with SAS. Oxford University Press.

    Mentré F, Mallet A, Baccar D (1997). Optimal design in random-effects regression models. Biometrika 84:429-442.

    Examples
    --------
    >>> from qsp_bayes.calibration import Combined, IIV, load_priors
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> calibration = Calibration(
    ...     one_compartment(absorption="first-order"), load_priors("theophylline"), individual=[IIV("CL", "Vc", "KA")],
    ...     error={"Cc": Combined()},
    ... )
    >>> better = improve_design(calibration, load_dataset("theophylline"), [36.0, 48.0], 1, criterion=["TVCL"], draws=3)
    >>> better.study.n_observations
    132
    >>> bool(better.steps.gain[1] > 0)
    True
    """
    groups = (
        {"all": study.subjects}
        if arms is None
        else {name: tuple(map(str, ids)) for name, ids in arms.items()}
    )
    check_arms(study, groups)
    measured = list(calibration.error) if outputs is None else list(outputs)
    regimens = dict(candidates) if isinstance(candidates, Mapping) else None
    times = [] if isinstance(candidates, Mapping) else sorted({float(time) for time in candidates})
    full = study if regimens is not None else with_candidates(study, times, measured)
    population = Population.of(calibration, full)
    wanted = None if callable(criterion) else check_criterion(criterion, population.names)
    prior = population.prior_draws(PRIOR_DRAWS, random_seed)
    points = prior[:draws] if at is None else population.unconstrained(at)[None]
    precision = prior.std(axis=0) ** -2.0
    slopes = slopes_of(criterion, population, points) if callable(criterion) else None
    judge = Judge(wanted, np.diag(precision * (1.0 if priors else FAINT)), slopes)
    options: Options
    if regimens is not None:
        options = DoseOptions.of(calibration, population, study, regimens, groups, points)
    else:
        observed = list(calibration.error)
        options = SampleOptions.of(population, full, study, times, measured, groups, points, observed)
    if not 1 <= number <= options.most:
        raise CalibrationError(
            f"number is {number}; with these candidates it is between 1 and {options.most}."
        )
    chosen = exchange(options, judge, greedy(options, judge, number))
    order = ordered(options, judge, chosen)
    return BetterDesign(
        options.design(order),
        tabulate(options, judge, order, population.names, precision, criterion),
    )


@dataclass(frozen=True)
class Judge:
    """The criterion: which variables matter (all jointly where None), and the precision of the priors.

    With `slopes`, derivatives of a quantity at each draw, (draw, variable), its variance is all that matters.
    """

    wanted: np.ndarray | None
    precision: np.ndarray
    slopes: np.ndarray | None = None

    def __call__(self, informations: np.ndarray) -> float:
        """Give the criterion of a design, larger being better, from its information at each draw."""
        posterior = informations + self.precision
        if self.slopes is not None:
            variance = np.einsum("dp,dpq,dq->d", self.slopes, np.linalg.inv(posterior), self.slopes)
            return -float(np.log(variance).mean())
        if self.wanted is None:
            return float(np.linalg.slogdet(posterior)[1].mean()) / posterior.shape[1]
        variances = np.diagonal(np.linalg.inv(posterior), axis1=1, axis2=2)[:, self.wanted]
        return -float(np.log(variances.mean(axis=1)).mean())


def greedy(options: Options, judge: Judge, number: int) -> list[Choice]:
    """Choose the best one by one; stop where nothing helps."""
    chosen: list[Choice] = []
    reached = judge(options.informations(chosen))
    for _ in range(number):
        scores = {c: judge(options.informations([*chosen, c])) for c in options.open_choices(chosen)}
        best = max(scores, key=lambda choice: scores[choice])
        if scores[best] <= reached + LEAST_GAIN:
            break
        chosen.append(best)
        reached = scores[best]
    return chosen


def exchange(options: Options, judge: Judge, chosen: list[Choice]) -> list[Choice]:
    """Exchange one choice for another for as long as that helps, each time the pair that helps most."""
    reached = judge(options.informations(chosen))
    for _ in range(EXCHANGES):
        scores = {}
        for position in range(len(chosen)):
            others = [*chosen[:position], *chosen[position + 1 :]]
            for choice in options.open_choices(others):
                if choice not in chosen:
                    scores[position, choice] = judge(options.informations([*others, choice]))
        if not scores:
            break
        best = max(scores, key=lambda pair: scores[pair])
        if scores[best] <= reached + LEAST_GAIN:
            break
        chosen = [best[1] if k == best[0] else choice for k, choice in enumerate(chosen)]
        reached = scores[best]
    return chosen


def ordered(options: Options, judge: Judge, chosen: list[Choice]) -> list[Choice]:
    """Put what is chosen in the order in which each helps most."""
    order: list[Choice] = []
    while left := [choice for choice in chosen if choice not in order]:
        order.append(max(left, key=lambda choice: judge(options.informations([*order, choice]))))
    return order


def tabulate(
    options: Options,
    judge: Judge,
    order: list[Choice],
    names: list[str],
    precision: np.ndarray,
    criterion: str | Sequence[str] | Quantity,
) -> xr.Dataset:
    """Tell what every step brings."""
    informations = [options.informations(order[:k]) for k in range(len(order) + 1)]
    scores = np.array([judge(m) for m in informations])
    posterior = [np.linalg.inv(m + np.diag(precision)) for m in informations]
    return xr.Dataset(
        {
            "arm": ("step", ["", *(arm for arm, _ in order)]),
            "choice": ("step", ["", *(words(option) for _, option in order)]),
            "criterion": ("step", scores),
            "gain": ("step", np.diff(scores, prepend=scores[0])),
            "standard_error": (
                ("step", "variable"),
                [np.median([standard_errors(one) for one in m], axis=0) for m in informations],
            ),
            "posterior_sd": (
                ("step", "variable"),
                [np.median(np.sqrt(np.diagonal(p, axis1=1, axis2=2)), axis=0) for p in posterior],
            ),
        },
        {"step": np.arange(len(order) + 1), "variable": names},
        {"criterion": name_of(criterion)},
    )


def name_of(criterion: str | Sequence[str] | Quantity) -> str:
    """Name a criterion."""
    if callable(criterion):
        return f"the variance of {getattr(criterion, '__name__', 'a quantity')}"
    return criterion if isinstance(criterion, str) else ", ".join(criterion)


def slopes_of(quantity: Quantity, population: Population, points: np.ndarray) -> np.ndarray:
    """Differentiate a quantity by the unconstrained variables of the population, (draw, variable)."""
    rows = []
    for point in points:
        ends = [
            [float(quantity(population.natural(point + sign * step))) for sign in (1, -1)]
            for step in STEP * np.eye(point.size)
        ]
        rows.append([(ahead - back) / (2 * STEP) for ahead, back in ends])
    slopes = np.array(rows)
    if not np.isfinite(slopes).all() or not np.abs(slopes).sum(axis=1).all():
        raise CalibrationError(
            "criterion: the quantity is not finite, or does not depend on the population, at some draw of the prior. "
            f"It gets the values of {', '.join(population.names)} by name."
        )
    return slopes


def words(option: Any) -> str:
    """Say what is chosen."""
    return option if isinstance(option, str) else f"sample at {option:g}"


def check_arms(study: Study, groups: Mapping[str, Sequence[str]]) -> None:
    """Require arms of subjects of the study, none of them in two."""
    labels = [label for ids in groups.values() for label in ids]
    unknown = sorted(set(labels).difference(study.subjects))
    if unknown or len(set(labels)) < len(labels) or not all(groups.values()) or "" in groups:
        problem = (
            f"{', '.join(unknown)} not in the study" if unknown else "a subject twice, or an arm without any"
        )
        raise CalibrationError(
            f"arms: {problem}. Give each arm a name and its own subjects, among {', '.join(study.subjects[:8])}."
        )


def check_criterion(criterion: str | Sequence[str], names: list[str]) -> np.ndarray | None:
    """Give the positions of the variables that matter; None for the determinant of all."""
    if criterion == "D":
        return None
    chosen = names if criterion == "A" else [criterion] if isinstance(criterion, str) else list(criterion)
    if unknown := [name for name in chosen if name not in names]:
        raise CalibrationError(
            f"criterion: {', '.join(unknown)} is none. Use 'D', 'A', or variables among {', '.join(names)}."
        )
    return np.array([names.index(name) for name in chosen])
