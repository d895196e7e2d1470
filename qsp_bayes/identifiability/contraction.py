"""Contraction: how much of what was not known of each variable the data took away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.entries import entries
from qsp_bayes.calibration.metadata import read_facts
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.knowledge import INVERSES, Array, Knowledge, of_draws, of_law
from qsp_bayes.result import Result

INFORMED, NOT_INFORMED, STILL = 0.8, 0.2, 0.5
BINS = 20
COLUMNS = ("unit", "scale", "prior", "prior_median", "prior_sd", "posterior_median", "posterior_sd")


@dataclass(frozen=True, eq=False, repr=False)
class Contraction(Result):
    """What the data made of the prior of each population variable.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each variable; see `contraction` for its columns.
    intervals : pandas.DataFrame
        5 %, median and 95 % of prior and posterior on the scale of the variable, in prior standard deviations from the
        mean of the prior: what `plot_contraction` draws.
    """

    table: pd.DataFrame
    intervals: pd.DataFrame

    def named(self, word: str) -> list[str]:
        """Return the variables of one verdict: "informed", "partly", or "not informed"."""
        return list(self.table.index[self.table["verdict"] == word])

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of `table` that a reader looks at first."""
        return self.table[["prior_sd", "posterior_sd", "contraction", "shift", "overlap", "verdict"]]

    def summary(self) -> str:
        """Return the verdicts as sentences."""
        said = [
            f"{text}: {', '.join(names)}."
            for word, text in (
                ("informed", "The data inform"),
                ("partly", "They inform in part"),
                ("not informed", "They leave as the prior has it"),
            )
            if (names := self.named(word))
        ]
        return " ".join(said)


def contraction(fit: xr.DataTree) -> Contraction:
    r"""Compare the posterior of every population variable with its prior.

    On the scale g of the variable (log where it is positive, logit between 0 and 1, identity otherwise),

    .. math::

        \text{contraction} = 1 - \frac{\operatorname{var}_{post}[g(\theta)]}{\operatorname{var}_{prior}[g(\theta)]},
        \qquad \text{shift} = \frac{\operatorname{med}_{post}[g(\theta)] - \operatorname{med}_{prior}[g(\theta)]}
                                   {\operatorname{sd}_{prior}[g(\theta)]},
        \qquad \text{overlap} = \int \min(p_{post}, p_{prior}).

    The prior's moments are computed from its law, which the fit's metadata hold; from the fit's prior draws where the
    prior is an object of another kind, or a correlation matrix (``prior`` says "law" or "draws"). The overlap is that
    of two histograms with edges at every twentieth of the posterior.

    ============ ================================================================= =====================================
    verdict      when                                                              what it means
    ============ ================================================================= =====================================
    informed     contraction of 0.8 or more                                        posterior sd below 45 % of prior's
    not informed contraction below 0.2, and shift within half a prior sd           the prior speaks, the data hardly
    partly       otherwise                                                         both speak
    ============ ================================================================= =====================================

    Parameters
    ----------
    fit : xarray.DataTree
        From `Calibration.fit`.

    Returns
    -------
    Contraction
        Its ``table`` has a row for each variable, entry by entry where it is a vector, and the columns unit, scale,
        prior ("law" or "draws"), prior_median, prior_sd, posterior_median, posterior_sd (medians in the variable's
        unit, standard deviations on its scale), contraction, shift, overlap, verdict.

    Raises
    ------
    CalibrationError
        If the tree is not a fit, or neither law nor draws of a prior are in it.

    Notes
    -----
    It holds for the priors that were given: a wider prior makes more contraction of the same data. It looks at one
    variable at a time, so that a product or a ratio may be known where neither of its parts is; contraction near 0 of
    both is then the sign to look for. With an effective sample of n draws contraction is uncertain by
    :math:`\sqrt{2 / n}` of the ratio of the variances, 0.07 where n is 400, so that values a little below 0 are 0.

    Contraction tells what this study has told under this model. A variable may be structurally identifiable and yet not
    be informed, and a variable that nothing identifies may contract because another one's prior was narrow.

    References
    ----------
    Schad DJ, Betancourt M, Vasishth S (2021). Toward a principled Bayesian workflow in cognitive science. Psychol
    Methods 26:103-126.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> draws = np.exp(0.1 * rng.normal(size=(2, 500)))
    >>> fit = xr.DataTree.from_dict({"posterior": xr.Dataset({"TVCL": (("chain", "draw"), draws)})})
    >>> import json
    >>> prior = {"name": "TVCL", "unit": "L/h", "family": "LogNormal", "parameters": {"mu": 0.0, "sigma": 1.0}}
    >>> fit.attrs["qsp_bayes"] = json.dumps({"priors": [prior]})
    >>> found = contraction(fit)
    >>> print(found.summary())
    The data inform: TVCL.
    >>> round(float(found.table.at["TVCL", "contraction"]), 2)
    0.99
    """
    rows, intervals = {}, {}
    priors = {row["name"]: row for row in read_facts(fit)["priors"]}
    if "posterior" not in fit.children:
        raise CalibrationError("The fit holds no posterior draws: expected a group 'posterior'.")
    for name, row in priors.items():
        if name not in fit["posterior"].data_vars:
            continue
        for label, draws in draws_of(fit, "posterior", name).items():
            before = known_before(fit, row, label)
            after = of_draws(draws, before.scale)
            rows[label] = {**describe(row, before, after, draws), **compare(before, after)}
            intervals[label] = standardised(before, after)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("variable")
    return Contraction(table, pd.DataFrame.from_dict(intervals, orient="index").rename_axis("variable"))


def draws_of(fit: xr.DataTree, group: str, name: str) -> dict[str, Array]:
    """Return the draws of every entry of a variable by its label."""
    found = entries(fit[group].to_dataset()[[name]])
    return {label: values.to_numpy().astype(float).ravel() for label, values in found.items()}


def known_before(fit: xr.DataTree, row: dict[str, Any], label: str) -> Knowledge:
    """Return the prior of an entry: by its law where that is told, from draws otherwise."""
    name = row["name"]
    if row.get("family") and not name.startswith("corr_"):
        return of_law(row["family"], row["parameters"])
    if "prior" in fit.children and name in fit["prior"].data_vars:
        return of_draws(draws_of(fit, "prior", name)[label])
    raise CalibrationError(
        f"The fit tells neither the law of the prior of {name} nor draws of it. Fit again with Calibration.fit, which "
        "stores both."
    )


def describe(row: dict[str, Any], before: Knowledge, after: Knowledge, draws: Array) -> dict[str, Any]:
    """Return what was known and what is known."""
    numbers = (INVERSES[before.scale](before.median), before.sd, np.median(draws), after.sd)
    told = (row["unit"], before.scale, "law" if before.exact else "draws", *map(float, numbers))
    return dict(zip(COLUMNS, told, strict=True))


def compare(before: Knowledge, after: Knowledge) -> dict[str, Any]:
    """Return contraction, shift, overlap, and what they come to in a word."""
    contracted = 1 - (after.sd / before.sd) ** 2
    shift = (after.median - before.median) / before.sd
    return {
        "contraction": contracted,
        "shift": shift,
        "overlap": overlap(before, after),
        "verdict": verdict(contracted, shift),
    }


def verdict(contracted: float, shift: float) -> str:
    """Say in a word what the data did.

    Examples
    --------
    >>> verdict(0.9, 0.0), verdict(0.1, 0.1), verdict(0.1, 0.8), verdict(0.5, 0.0)
    ('informed', 'not informed', 'partly', 'partly')
    """
    if contracted >= INFORMED:
        return "informed"
    return "not informed" if contracted < NOT_INFORMED and abs(shift) < STILL else "partly"


def overlap(before: Knowledge, after: Knowledge) -> float:
    """Return the share of probability that prior and posterior have in common."""
    edges = np.quantile(after.quantiles, np.linspace(0, 1, BINS + 1))
    return float(np.minimum(np.diff(before.probability(edges)), 1 / BINS).sum())


def standardised(before: Knowledge, after: Knowledge) -> dict[str, float]:
    """Return 5 %, median and 95 % of both in prior standard deviations from the prior's mean."""
    return {
        f"{when}_{name}": float((np.quantile(known.quantiles, p) - before.mean) / before.sd)
        for when, known in (("prior", before), ("posterior", after))
        for name, p in (("q05", 0.05), ("median", 0.5), ("q95", 0.95))
    }
