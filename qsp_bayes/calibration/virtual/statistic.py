"""Statistic: what is known of a population, as a target for virtual patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsp_bayes.errors import CalibrationError


class Target(NamedTuple):
    """A value of each individual whose weighted mean is to be a number."""

    label: str
    values: np.ndarray
    mean: float


@dataclass(frozen=True, eq=False)
class Statistic:
    """Statistics of one quantity that virtual patients shall have.

    Parameters
    ----------
    of : str or xarray.DataArray
        A parameter or covariate by its name, or a value of each individual, (chain, draw, subject), such as the
        baseline of a biomarker, taken from a simulation. Of a logarithm, give the logarithms.
    mean, sd : float, optional
        In the unit of the quantity; `sd` needs `mean`.
    quantiles : mapping of float to float
        By the probability: ``{0.5: 70, 0.9: 95}``.
    proportions : mapping of (float, float) to float
        Shares of individuals between two bounds, both included: ``{(5, np.inf): 0.3}``.
    name : str
        For messages; where left out, that of the quantity.

    Raises
    ------
    CalibrationError
        If the statistics contradict each other, or there is none.

    Examples
    --------
    >>> Statistic("WT", mean=72, sd=11, proportions={(100, np.inf): 0.05})
    Statistic(WT: mean 72, sd 11, share from 100 to inf 0.05)
    """

    of: str | xr.DataArray
    mean: float | None = None
    sd: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)
    proportions: Mapping[tuple[float, float], float] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        label = self.name or (self.of if isinstance(self.of, str) else str(self.of.name or "measured values"))
        object.__setattr__(self, "name", label)
        if self.mean is None and self.sd is None and not self.quantiles and not self.proportions:
            self.refuse("there is none", "mean, sd, quantiles or proportions")
        for given in (self.mean, self.sd, *self.quantiles.values()):
            if given is not None and not np.isfinite(given):
                self.refuse(f"{given} is not a number", "finite values")
        if self.sd is not None and (self.mean is None or self.sd <= 0):
            self.refuse(f"sd {self.sd:g} with mean {self.mean}", "a mean, and a positive sd around it")
        for probability in (*self.quantiles, *self.proportions.values()):
            if not 0 < probability < 1:
                self.refuse(f"{probability} is no probability", "numbers above 0 and below 1")
        if any(np.diff([self.quantiles[p] for p in sorted(self.quantiles)]) <= 0):
            self.refuse(f"the quantiles {dict(self.quantiles)} do not increase", "quantiles in order")
        for low, high in self.proportions:
            if not low < high:
                self.refuse(f"bounds {low:g} to {high:g}", "the lower bound first")

    def refuse(self, problem: str, expected: str) -> None:
        """Raise the error that names this statistic."""
        raise CalibrationError(f"Statistic of {self.name}: {problem}. Expected: {expected}.")

    def targets(self, values: np.ndarray) -> Iterator[Target]:
        r"""Write the statistics as means: of x, of :math:`(x - m)^2`, of :math:`1\{x \le q\}` and the like."""
        if self.mean is not None:
            yield Target(f"mean of {self.name}", values, self.mean)
            if self.sd is not None:
                yield Target(f"variance of {self.name}", (values - self.mean) ** 2, self.sd**2)
        for probability, quantile in self.quantiles.items():
            below = (values <= quantile).astype(float)
            yield Target(f"share of {self.name} up to {quantile:g}", below, probability)
        for (low, high), share in self.proportions.items():
            inside = ((values >= low) & (values <= high)).astype(float)
            yield Target(f"share of {self.name} from {low:g} to {high:g}", inside, share)

    def __repr__(self) -> str:
        words = [
            f"{name} {value:g}" for name, value in (("mean", self.mean), ("sd", self.sd)) if value is not None
        ]
        words += [f"quantile {p:g} {q:g}" for p, q in self.quantiles.items()]
        words += [f"share from {low:g} to {high:g} {p:g}" for (low, high), p in self.proportions.items()]
        return f"Statistic({self.name}: {', '.join(words)})"
