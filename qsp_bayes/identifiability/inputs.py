"""Inputs of a sensitivity analysis: independent quantities, each with its distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from qsp_bayes.errors import CalibrationError

CORRELATED = 0.3
"""Rank correlation of posterior draws from which a warning is due."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What varies: names, the quantile function of each, and the joint draws if they come from a posterior.

    Attributes
    ----------
    names : tuple of str
    quantiles : tuple of callable
        From probabilities to values.
    joint : array or None, (draw, input)
        Draws that may be correlated; None where inputs are independent.

    Examples
    --------
    >>> from scipy.stats import norm, uniform
    >>> inputs = Inputs.of({"a": uniform(0, 10), "b": norm(1, 2)})
    >>> inputs.values(np.array([[0.5, 0.5]]))
    array([[5., 1.]])
    """

    names: tuple[str, ...]
    quantiles: tuple[Callable[[np.ndarray], np.ndarray], ...]
    joint: np.ndarray | None = None

    @classmethod
    def of(
        cls, source: Mapping[str, Any] | xr.DataTree, names: Sequence[str] | None = None, prefix: str = ""
    ) -> Inputs:
        """Take inputs from priors, from scipy distributions, or from the posterior of a fit.

        Parameters
        ----------
        source : mapping of str to Prior or scipy distribution, or DataTree
            By name, with the prefix.
        names : sequence of str, optional
            Which; all of a mapping where left out.
        prefix : str
            What the names in the source begin with, such as ``"TV"``.

        Raises
        ------
        CalibrationError
            If the source has no distribution for a name.
        """
        if isinstance(source, xr.DataTree):
            return cls.of_posterior(source, names or (), prefix)
        chosen = tuple(source if names is None else names)
        if missing := [name for name in chosen if f"{prefix}{name}" not in source]:
            raise no_distribution(missing, prefix, source)
        return cls(chosen, tuple(quantile_function(f"{prefix}{n}", source[f"{prefix}{n}"]) for n in chosen))

    @classmethod
    def of_posterior(cls, fit: xr.DataTree, names: Sequence[str], prefix: str) -> Inputs:
        """Take inputs from posterior draws: their marginals, and the joint draws."""
        posterior = fit["posterior"].to_dataset()
        if missing := [name for name in names if f"{prefix}{name}" not in posterior]:
            raise no_distribution(missing, prefix, posterior)
        joint = np.stack([posterior[f"{prefix}{name}"].values.ravel() for name in names], axis=1)
        quantiles = tuple(lambda p, draws=column: np.quantile(draws, p) for column in joint.T)
        return cls(tuple(names), quantiles, joint)

    def values(self, probabilities: np.ndarray) -> np.ndarray:
        """Give the values at probabilities, (sample, input)."""
        columns = [quantile(p) for quantile, p in zip(self.quantiles, probabilities.T, strict=True)]
        return np.stack(columns, axis=1)

    @property
    def warning(self) -> str:
        """What a reader has to know where joint draws are treated as independent; empty where nothing."""
        if self.joint is None or len(self.names) < 2:
            return ""
        size = np.abs(np.corrcoef(rankdata(self.joint, axis=0), rowvar=False)) - np.eye(len(self.names))
        first, second = np.unravel_index(int(np.argmax(size)), size.shape)
        if size[first, second] < CORRELATED:
            return ""
        return (
            f"{self.names[first]} and {self.names[second]} have a rank correlation of {size[first, second]:.2f} in "
            "the posterior. The indices take the inputs as independent, with the posterior's marginals: they include "
            "combinations that the data exclude, and the output varies more than the posterior allows. "
            "method='rank' keeps the joint draws."
        )


def no_distribution(missing: Sequence[str], prefix: str, source: Any) -> CalibrationError:
    """Say that inputs have no distribution."""
    names = ", ".join(f"{prefix}{name}" for name in missing)
    return CalibrationError(
        f"no distribution for {names}; there are {', '.join(map(str, source)) or 'none'}. Add a prior, or give a "
        "number with fix={...}."
    )


def quantile_function(name: str, law: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Find the quantile function of a prior or of a scipy distribution."""
    found = getattr(law, "quantile", None) or getattr(law, "ppf", None)
    if found is None:
        raise CalibrationError(f"{name}: expected a Prior or a scipy distribution with ppf; got {law!r}.")
    return lambda probabilities: np.asarray(found(probabilities), float)
