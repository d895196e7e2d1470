"""Censored: observations known only to lie beyond a limit of quantification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.calibration.error import Additive, Combined, LogNormal, Noise, Proportional
from qsp_bayes.calibration.normal import log_cdf, log_interval
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.errors import CalibrationError


@dataclass(frozen=True)
class Censored:
    r"""An error model with limits of quantification (Beal's M3).

    A record with CENS 1 holds the lower limit in DV and contributes :math:`\log P(y < \mathrm{DV})`; CENS -1 holds the
    upper limit and contributes :math:`\log P(y > \mathrm{DV})`. Where LIMIT states the other bound, the contribution is
    that of the interval between the two: with CENS 1 and LIMIT 0 the probability that a positive concentration is below
    the limit. All other records contribute their density.

    Replicated observations pass the same limits: below the lower limit they are reported as the limit. The lowest limit
    among the censored records of an output (the highest upper one) is taken for the records that were not censored.

    Parameters
    ----------
    error : Additive, Proportional, Combined or LogNormal
        The error of what is measured.

    References
    ----------
    Beal SL (2001) Ways to fit a PK model with some data below the quantification limit. J Pharmacokinet Pharmacodyn
    28:481-504.

    Examples
    --------
    >>> print(Censored(Combined()))
    combined (additive and proportional), limits of quantification by M3
    """

    error: Additive | Proportional | Combined | LogNormal

    def __post_init__(self) -> None:
        if not isinstance(self.error, Additive | Proportional | Combined | LogNormal):
            raise CalibrationError(
                f"Censored takes Additive(), Proportional(), Combined() or LogNormal(); got {self.error!r}."
            )

    @property
    def needs_positive(self) -> bool:
        """Whether predictions must be positive."""
        return self.error.needs_positive

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return self.error.variables(output, unit)

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law before censoring."""
        return self.error.noise(output, prediction, variables)

    def observe(
        self, name: str, noise: Noise, marks: Any, limits: Any, observed: TensorVariable, dims: str
    ) -> TensorVariable:
        """Create the observed variable in the current model.

        Parameters
        ----------
        name : str
        noise : Noise
            The law before censoring.
        marks, limits : array
            CENS and LIMIT of each observation (NaN where there is no limit).
        observed : TensorVariable
        dims : str
        """
        marks = np.asarray(marks)
        limits = np.where(np.isnan(limits), np.where(marks == -1, np.inf, -np.inf), limits)
        bounded = bool(np.isfinite(limits).any())
        mark = pm.Data(f"censoring_{dims}", marks.astype(float), dims=dims)
        limit = pm.Data(f"limit_{dims}", limits, dims=dims)
        lower = bound(mark, observed, 1.0, pt.min, np.inf)
        upper = bound(mark, observed, -1.0, pt.max, -np.inf)
        logarithmic = noise.distribution is pm.LogNormal

        def standardise(value: Any, mu: Any, sigma: Any) -> Any:
            return ((pt.log(value) if logarithmic else value) - mu) / sigma

        def log_probability(
            value: Any, mu: Any, sigma: Any, lower: Any, upper: Any, mark: Any, limit: Any
        ) -> Any:
            density = pm.logp(noise.distribution.dist(mu=mu, sigma=sigma), value)  # type: ignore[attr-defined]
            z = standardise(value, mu, sigma)
            # CENS 1 and -1 are mirror images: P(y > DV) is the normal distribution function at -z.
            beyond = log_cdf(pt.switch(pt.lt(mark, 0), -z, z))
            if bounded:
                finite = pt.isfinite(limit)
                other = standardise(pt.switch(finite, pt.maximum(limit, tiny(logarithmic)), value), mu, sigma)
                other = pt.switch(finite, other, z - mark - pt.eq(mark, 0))
                between = log_interval(pt.minimum(z, other), pt.maximum(z, other))
                beyond = pt.switch(finite, between, beyond)
            return pt.switch(pt.eq(mark, 0), density, beyond)

        def replicate(mu: Any, sigma: Any, lower: Any, upper: Any, mark: Any, limit: Any, size: Any) -> Any:
            draws = noise.distribution.dist(mu=mu, sigma=sigma, size=size)  # type: ignore[attr-defined]
            return pt.clip(draws, lower, upper)

        return pm.CustomDist(
            name,
            noise.parameters["mu"],
            noise.parameters["sigma"],
            lower,
            upper,
            mark,
            limit,
            logp=log_probability,
            dist=replicate,
            observed=observed,
            dims=dims,
        )

    def __str__(self) -> str:
        return f"{self.error}, limits of quantification by M3"


def tiny(logarithmic: bool) -> float:
    """Give the lowest LIMIT that can be used: a logarithm needs a positive number."""
    return float(np.finfo(float).tiny) if logarithmic else -np.inf


def bound(mark: Any, observed: Any, sign: float, extreme: Any, empty: float) -> Any:
    """Give the limit that replicates of each record pass: its own where censored, the study's extreme elsewhere."""
    censored = pt.eq(mark, sign)
    common = extreme(pt.switch(censored, observed, empty))
    common = pt.switch(pt.eq(common, empty), -empty, common)
    return pt.switch(censored, observed, common)
