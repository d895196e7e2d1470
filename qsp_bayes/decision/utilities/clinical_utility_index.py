"""ClinicalUtilityIndex: attributes of a regimen, each a desirability, weighed into one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice.simulation_error import SAMPLE, standard_error
from qsp_bayes.decision.utilities.quantity import Quantity
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError

ROUNDING = 1e-9


@dataclass(frozen=True)
class ClinicalUtilityIndex:
    r"""Weighted mean of desirabilities, a utility for `choose`.

    .. math:: u = \sum_k w_k d_k \qquad\text{or}\qquad u = \prod_k d_k^{w_k}, \qquad \sum_k w_k = 1

    The arithmetic mean lets one attribute make up for another; under the geometric mean an attribute of no use makes
    the whole of no use.

    Parameters
    ----------
    attributes : mapping of str to callable
        Each gives a number between 0 and 1 for every individual: ``larger_is_better``, ``smaller_is_better`` or
        ``target_is_best`` of a measure, a probability, or true and false.
    weights : mapping of str to float
        Positive, one for each attribute. They are divided by their sum.
    mean : {"arithmetic", "geometric"}

    Raises
    ------
    DecisionError
        If weights and attributes do not fit, a weight is not positive, or an attribute leaves the range 0 to 1.

    References
    ----------
    Ouellet D et al. The use of a clinical utility index to compare insomnia compounds: a quantitative basis for
    benefit-risk assessment. Clin Pharmacol Ther 2009;85:277-282. Derringer G, Suich R. J Qual Technol 1980;12:214-219.

    Examples
    --------
    >>> from qsp_bayes.decision import auc, cmax, larger_is_better, smaller_is_better
    >>> index = ClinicalUtilityIndex(
    ...     {
    ...         "exposure": lambda x: larger_is_better(auc(x["Cc"]), 200, 600),
    ...         "peak": lambda x: smaller_is_better(cmax(x["Cc"]), 20, 40),
    ...     },
    ...     weights={"exposure": 3, "peak": 1},
    ... )
    >>> print(index)
    0.75 exposure + 0.25 peak
    >>> x = xr.DataArray([[30.0, 20.0]], dims=("subject", "time"), coords={"time": [0.0, 16.0]}).to_dataset(name="Cc")
    >>> index(x).values.tolist()
    [0.5]
    """

    attributes: Mapping[str, Callable[[xr.Dataset], Any]]
    weights: Mapping[str, float]
    mean: Literal["arithmetic", "geometric"] = "arithmetic"

    def __post_init__(self) -> None:
        if not self.attributes or set(self.attributes) != set(self.weights):
            raise DecisionError(
                f"Each attribute needs a weight: attributes are {', '.join(self.attributes) or 'none'}, "
                f"weights are given to {', '.join(self.weights) or 'none'}."
            )
        for name, weight in self.weights.items():
            if not (weight > 0 and math.isfinite(weight)):
                raise DecisionError(
                    f"Attribute {name}: weight is {weight}; it must be positive. Leave out what does not count."
                )
        if self.mean not in ("arithmetic", "geometric"):
            raise DecisionError(f"mean is {self.mean!r}; use 'arithmetic' or 'geometric'.")
        total = sum(self.weights.values())
        object.__setattr__(self, "weights", {name: self.weights[name] / total for name in self.attributes})

    @property
    def description(self) -> str:
        """What reports print."""
        return f"clinical utility index: {self}"

    def __call__(self, x: Any) -> Any:
        """Give the index of each individual; `x` is the simulated dataset."""
        parts = {name: desirability(name, function(x)) for name, function in self.attributes.items()}
        if self.mean == "arithmetic":
            return sum(self.weights[name] * part for name, part in parts.items())
        result: Any = 1
        for name, part in parts.items():
            result = result * part ** self.weights[name]
        return result

    def by_attribute(self, future: xr.DataTree) -> xr.Dataset:
        """Mean of each attribute under each regimen, and what it adds to an arithmetic index.

        Returns
        -------
        Dataset
            By attribute and regimen: ``desirability`` with ``desirability_mcse``, ``contribution`` (the weight times
            the desirability; for an arithmetic mean they add up to the expected index), and by attribute ``weight``.
        """
        found = [Utility(function, name)(future) for name, function in self.attributes.items()]
        individual = xr.concat(found, dim="attribute").assign_coords(attribute=list(self.attributes))
        weight = xr.DataArray(list(self.weights.values()), dims="attribute")
        expected = individual.mean((*SAMPLE, "subject"))
        result = {"desirability": expected, "desirability_mcse": standard_error(individual), "weight": weight}
        if self.mean == "arithmetic":
            result["contribution"] = weight * expected
        return xr.Dataset(result)

    def __str__(self) -> str:
        if self.mean == "arithmetic":
            return " + ".join(f"{weight:.3g} {name}" for name, weight in self.weights.items())
        return " x ".join(f"{name}^{weight:.3g}" for name, weight in self.weights.items())


def desirability(name: str, value: Any) -> Any:
    """Require a desirability: a number between 0 and 1."""
    if isinstance(value, Quantity):
        return value.as_number(f"attribute {name}")
    if isinstance(value, xr.DataArray):
        value = value.astype(float)
        low, high = float(np.min(value)), float(np.max(value))
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise DecisionError(
                f"Attribute {name} must lie between 0 and 1; it goes from {low:.3g} to {high:.3g}. Make it a "
                "desirability by larger_is_better, smaller_is_better or target_is_best."
            )
    return value
