"""Observations against their predictive draws, for new individuals and for the individuals observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import binom, kstest, norm

from qsp_bayes.formatting import percent
from qsp_bayes.report.contents import (
    LIKELIHOOD,
    Observations,
    draws,
    observations,
)
from qsp_bayes.report.cross_validation import CrossValidation
from qsp_bayes.report.integral_transform import probability_integral_transform

BAND = 0.95
PREDICTIVE = {"population_predictive": "population", "posterior_predictive": "individual"}


@dataclass(frozen=True)
class Fitted:
    """Observations with the predictive draws of one kind.

    Attributes
    ----------
    kind : {"population", "individual"}
        For new individuals, or for the individuals observed.
    data : Observations
    prediction : array (obs)
        Median of the predictive draws.
    pit : array (obs)
        Randomised probability integral transform.
    left_out : bool
        Whether each observation is judged by the posterior without it.
    """

    kind: str
    data: Observations
    prediction: np.ndarray
    pit: np.ndarray
    left_out: bool = False

    @property
    def residual(self) -> np.ndarray:
        """Quantile residuals: the probability integral transform on the scale of a standard normal."""
        return norm.ppf(self.pit)

    @property
    def coverage(self) -> float:
        """Share of the observations within their central 90 % predictive interval."""
        return float(np.mean((self.pit >= 0.05) & (self.pit <= 0.95)))

    @property
    def caution(self) -> str:
        """What to bear in mind when reading the residuals."""
        if self.kind == "population":
            return (
                "Observations of one subject rise and fall together, so that the band of the calibration is "
                "narrower than it should be."
            )
        if self.left_out:
            return "Residuals and calibration judge each observation by the posterior without it (PSIS-LOO)."
        return (
            "The same observations served to fit: residuals look smaller than those of new data would "
            "(the fit holds no log_likelihood to leave each out in turn)."
        )

    @property
    def is_adequate(self) -> bool:
        """Whether the interval holds as many observations as it should.

        Asked of individual predictions alone: observations of one subject stand or fall together under those
        for new individuals, which the visual predictive check judges.
        """
        number = self.data.value.size
        return self.kind == "population" or self.coverage * number >= binom.ppf(0.005, number, 0.9)

    @property
    def is_calibrated(self) -> bool:
        """Whether the transform is uniform by the test of Kolmogorov, asked of individual predictions alone."""
        return self.kind == "population" or kstest(self.pit, "uniform").pvalue > 1 - BAND

    @property
    def verdict(self) -> str:
        """How many observations their predictive interval holds, and what speaks against the error model."""
        whose = {"population": "for new individuals", "individual": "of their own individual"}[self.kind]
        sentence = (
            f"{percent(self.coverage)} of the {self.data.value.size} observations of {self.data.output} lie "
            f"within the 90 % predictive intervals {whose}."
        )
        if not self.is_adequate:
            return (
                f"{sentence} These are too few: curves or error model do not fit the individuals; look where."
            )
        if not self.is_calibrated:
            return (
                f"{sentence} Their residuals are not distributed as the error model says: look for trends "
                "below, and compare with another error model, such as Student-t."
            )
        return sentence


def fitted(fit: xr.DataTree, output: str, left_out: CrossValidation | None) -> list[Fitted]:
    """Give the predictive checks that the fit allows, population first.

    Individual predictions are judged by the posterior without the observation, where that is known.
    """
    data = observations(fit, output)
    found = []
    for group, kind in PREDICTIVE.items():
        predictive = draws(fit, group, LIKELIHOOD + output)
        if predictive is not None:
            without = left_out if kind == "individual" else None
            pit = probability_integral_transform(data, predictive, without.weights if without else None)
            found.append(Fitted(kind, data, np.median(predictive, axis=0), pit, without is not None))
    return found
