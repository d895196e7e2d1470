"""Next cohort: new individuals who could be studied before the regimen is chosen, and what that would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.metadata import read_facts
from qsp_bayes.calibration.simulation.simulate import check_fit
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.information.preposterior import (
    LEAST_ESS,
    Method,
    SampleValue,
    as_rows,
    by_either,
    by_regression,
    cautions_of,
    check_method,
)
from qsp_bayes.decision.information.study_data import CohortData
from qsp_bayes.decision.information.value_of_information import ValueOfInformation, differences
from qsp_bayes.errors import DecisionError

DATA_SETS = 200


@dataclass(frozen=True, eq=False)
class ProposedStudy:
    """A design: who is dosed how, and when samples are taken.

    Parameters
    ----------
    regimen : Regimen
    subjects : Subjects
        Their covariates; see `new_subjects`.
    times : sequence of float
        Sampling times of every subject, in the unit of time of the system.
    outputs : sequence of str, optional
        What is measured; all outputs with an error model where left out.

    Examples
    --------
    >>> import pandas as pd
    >>> four = Subjects(pd.DataFrame({"WT": [60.0, 70.0, 80.0, 90.0]}), {"WT": "kg"}, "a plan")
    >>> print(ProposedStudy(Regimen(100, unit="mg"), four, times=[1, 8, 24]))
    4 subjects, 100 mg into depot at 0, sampled at 1, 8, 24
    """

    regimen: Regimen
    subjects: Subjects
    times: Sequence[float]
    outputs: Sequence[str] | None = None

    def __str__(self) -> str:
        times = ", ".join(f"{time:g}" for time in self.times)
        return f"{len(self.subjects)} subjects, {self.regimen}, sampled at {times}"


def evsi(
    decision: Decision,
    calibration: Calibration,
    fit: xr.DataTree,
    designs: ProposedStudy | Mapping[str, ProposedStudy],
    *,
    sizes: Sequence[int] | None = None,
    method: Method = "automatic",
    individuals: int = 200,
    random_seed: int = 0,
    progressbar: bool = True,
) -> ValueOfInformation:
    r"""Work out what a cohort of new individuals would be worth, studied before the regimen is chosen.

    .. math:: EVSI = E_y \max_d E[U(d, \theta) \mid y] - \max_d E[U(d, \theta)]

    Data y of the cohort are simulated from the draws of the population that the decision was made on, each with
    individuals of its own and residual error. The inner expectation is found

    - by *weights*: all draws weighted by the likelihood of the data, :math:`\prod_j \frac{1}{K} \sum_k p(y_j \mid
      \theta_s, \eta_k)`, with random effects :math:`\eta_k` that all draws share;
    - by *regression* of the utilities on summaries of the data: for each output and time the mean over subjects and the
      logarithm of the standard deviation (of logarithms where all data are positive), as principal components.

    Weights tend to the exact value with more draws and individuals. They degenerate where the data tell much: if fewer
    than ten draws, or individuals, carry the weight of a typical data set, ``"automatic"`` goes over to regression and
    the result says so.

    Parameters
    ----------
    decision : Decision
        Made on simulations of `fit`.
    calibration : Calibration
    fit : DataTree
        From `Calibration.fit`.
    designs : ProposedStudy, or mapping of str to ProposedStudy
    sizes : sequence of int, optional
        Numbers of subjects to value: the first n of each cohort, on the same simulated data. All where left out.
    method : {"automatic", "weights", "regression"}
    individuals : int
        K, individuals over whom the likelihood is averaged, for each row of covariates.
    random_seed : int
    progressbar : bool

    Returns
    -------
    ValueOfInformation
        One row for each design and size. ``subjects``; ``ess``, the median effective number of draws, and
        ``ess_individuals`` of individuals, behind the weights of a data set. See `net_benefit` for costs.

    Raises
    ------
    DecisionError
        For sizes beyond the cohort, draws that are not of the fit, and predictions that are not finite.
    CalibrationError
        If the fit is not of this calibration, or a design does not fit the system.

    Notes
    -----
    Data are valued as they would be used: by a Bayesian update of this model with these priors. Limits of
    quantification, drop-out and missed samples are not counted. Values of several sizes rest on the same draws and data
    and rise together: their differences are better known than their errors say.

    With a fit and a decision at hand, what eight or sixteen further subjects are worth, and which number pays::

        people = qb.new_subjects(study, 16, random_seed=2)
        cohort = qb.ProposedStudy(qb.Regimen(320, unit="mg"), people, times=[1, 4, 12])
        found = qb.evsi(decision, calibration, fit, cohort, sizes=[8, 16], random_seed=1)
        qb.plot_value_of_information(found)
        qb.net_benefit(found, treated=1000, fixed=50, each=2).best

    References
    ----------
    Ades AE, Lu G, Claxton K. Expected value of sample information calculations in medical decision modeling. Med Decis
    Making 2004;24:207-227.

    Strong M, Oakley JE, Brennan A, Breeze P. Estimating the expected value of sample information using the
    probabilistic sensitivity analysis sample: a fast, nonparametric regression-based method. Med Decis Making
    2015;35:570-583.
    """
    check_method(method)
    check_fit(calibration, read_facts(fit))
    named = {"proposed study": designs} if isinstance(designs, ProposedStudy) else dict(designs)
    behind = differences(decision)
    population = population_of(decision, fit)
    labels: list[str] = []
    found: list[SampleValue] = []
    numbers: list[int] = []
    effective: list[float] = []
    for label, cohort in named.items():
        wanted = check_sizes(label, cohort, sizes)
        data = CohortData.simulated(calibration, population, cohort, random_seed)
        source = np.unique(np.linspace(0, len(behind) - 1, DATA_SETS).round().astype(int))
        densities = None
        if method != "regression":
            densities, ess = data.log_likelihoods(source, individuals, random_seed, progressbar)
        for n in wanted:
            rng = np.random.default_rng(random_seed)
            summaries = data.summaries(n)
            if densities is None:
                one, of_individuals = by_regression(behind, summaries, rng), np.nan
            else:
                of_individuals = float(np.median(ess[:, :n]))
                one = by_either(
                    behind, densities[:, :n].sum(axis=1), source, summaries, method, rng, of_individuals
                )
            found.append(one)
            effective.append(of_individuals)
            numbers.append(n)
            labels.append(label if sizes is None else f"{label}, n = {n}")
    columns = as_rows(found) | {"ess_individuals": effective, "subjects": numbers}
    cautions = cautions_of(labels, found)
    few = [
        label
        for label, one, number in zip(labels, found, effective, strict=True)
        if one.method == "weights" and number < LEAST_ESS
    ]
    if few:
        cautions.append(
            f"The likelihood of an individual's data rests on fewer than {LEAST_ESS:.0f} of {individuals} individuals "
            f"for {', '.join(few)}: give more, or use method='regression'."
        )
    return ValueOfInformation.made("sample", decision, labels, columns, cautions)


def population_of(decision: Decision, fit: xr.DataTree) -> xr.Dataset:
    """Give the draws of the posterior that the decision was made on."""
    try:
        return (
            fit["posterior"].to_dataset().sel(chain=decision.utility["chain"], draw=decision.utility["draw"])
        )
    except KeyError as error:
        raise DecisionError(
            "The posterior of the fit does not hold the chains and draws of the decision. Give the fit that was "
            "simulated from."
        ) from error


def check_sizes(label: str, cohort: ProposedStudy, sizes: Sequence[int] | None) -> list[int]:
    """Give the numbers of subjects to value."""
    most = len(cohort.subjects)
    wanted = [most] if sizes is None else sorted({int(n) for n in sizes})
    if not wanted or wanted[0] < 1 or wanted[-1] > most:
        raise DecisionError(
            f"sizes: {list(sizes or [])} for {label}, which has {most} subjects. Give 1 to {most}."
        )
    return wanted
