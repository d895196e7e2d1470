"""Leave-one-out cross-validation by Pareto-smoothed importance sampling, for every output."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import arviz_stats
import numpy as np
import xarray as xr

from qsp_bayes.formatting import count, fixed, significant
from qsp_bayes.report.blocks import Block, Column, Section, Table, Text
from qsp_bayes.report.contents import LIKELIHOOD, SAMPLE, observations, variables

SHOWN = 10


@dataclass(frozen=True)
class CrossValidation:
    """Leave-one-out cross-validation of one output.

    Attributes
    ----------
    output : str
    elpd, se, p_loo : float
        Expected log pointwise predictive density, its standard error, and the effective number of parameters.
    pareto_k : array (obs)
    good_k : float
        Limit up to which the estimate of an observation can be trusted.
    weights : array (sample, obs)
        Weights of the posterior draws that stand for the posterior without the observation.
    """

    output: str
    elpd: float
    se: float
    p_loo: float
    pareto_k: np.ndarray
    good_k: float
    weights: np.ndarray

    @property
    def n_unreliable(self) -> int:
        """Number of observations with a Pareto k beyond the limit, or with none that could be estimated."""
        return int(np.sum(~(self.pareto_k <= self.good_k)))

    @property
    def worst(self) -> float:
        """The largest Pareto k that could be estimated."""
        return float(np.nanmax(self.pareto_k))

    @property
    def verdict(self) -> str:
        """Whether the estimate can be trusted."""
        if not self.n_unreliable:
            return (
                f"All Pareto k of {self.output} are at most {self.good_k:.2f}: the estimate can be trusted."
            )
        return (
            f"{count(self.n_unreliable, 'observation')} of {self.output} (of {self.pareto_k.size}) with "
            f"Pareto k above {self.good_k:.2f}: the posterior leans on each of these alone, as it will "
            "where a subject has few observations. elpd is too optimistic there; look at these "
            "observations, and compare models by leaving them out in turn."
        )


def cross_validate(fit: xr.DataTree, output: str) -> CrossValidation | None:
    """Leave out each observation of an output in turn; None where the fit holds no log-likelihood of it.

    References
    ----------
    Vehtari A, Gelman A, Gabry J. Practical Bayesian model evaluation using leave-one-out cross-validation and
    WAIC. Statistics and Computing 27 (2017) 1413-1432.
    """
    if LIKELIHOOD + output not in variables(fit, "log_likelihood"):
        return None
    with warnings.catch_warnings():
        # The number of unreliable observations is reported in words.
        warnings.simplefilter("ignore", UserWarning)
        found = arviz_stats.loo(fit, var_name=LIKELIHOOD + output, pointwise=True)
    weights = np.exp(found.log_weights.stack(sample=SAMPLE).transpose("sample", ...).values)
    return CrossValidation(
        output=output,
        elpd=found.elpd,
        se=found.se,
        p_loo=found.p,
        pareto_k=found.pareto_k.values,
        good_k=float(found.good_k),
        weights=weights / weights.sum(axis=0),
    )


def section(fit: xr.DataTree, left_out: Mapping[str, CrossValidation | None]) -> Section:
    """Print the estimates, and the observations they rest on too much."""
    blocks: list[Block] = []
    results = []
    for output, found in left_out.items():
        if found is None:
            blocks.append(
                Text(f"Cross-validation of {output} is not shown: the fit holds no log_likelihood.", "absent")
            )
        else:
            results.append(found)
    if results:
        blocks += [
            *(Text(found.verdict, "caution" if found.n_unreliable else "good") for found in results),
            Table(
                "Leave-one-observation-out cross-validation (PSIS-LOO)",
                [Column("Output"), *(Column(title, True) for title in
                 ("elpd", "Standard error", "p_loo", "Observations", "Largest k", "k beyond limit"))],
                [
                    (
                        found.output, fixed(found.elpd, 1), fixed(found.se, 1), fixed(found.p_loo, 1),
                        str(found.pareto_k.size), fixed(found.worst, 2), str(found.n_unreliable),
                    )
                    for found in results
                ],
                note="elpd: expected log pointwise predictive density, larger is better, of use only in "
                "comparison with another model of the same data. p_loo: effective number of parameters. "
                "k: Pareto shape; beyond the limit, importance sampling cannot stand in for a new fit.",
            ),
            *(influential(fit, found) for found in results if found.n_unreliable),
        ]  # fmt: skip
    return Section("cross-validation", "Cross-validation", blocks)


def influential(fit: xr.DataTree, found: CrossValidation) -> Table:
    """List the observations with the largest Pareto k."""
    data = observations(fit, found.output)
    rows = np.argsort(-np.nan_to_num(found.pareto_k, nan=np.inf), kind="stable")[
        : min(SHOWN, found.n_unreliable)
    ]
    return Table(
        f"Observations of {found.output} with the largest Pareto k",
        [
            Column("Subject"),
            Column(data.time_label, True),
            Column(data.value_label, True),
            Column("Pareto k", True),
        ],
        [
            (
                str(data.subject[row]),
                significant(data.time[row]),
                significant(data.value[row]),
                fixed(found.pareto_k[row], 2),
            )
            for row in rows
        ],
    )
