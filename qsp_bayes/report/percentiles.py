"""Percentiles of the data against those of replicates of the study with new individuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.contents import (
    LIKELIHOOD,
    Observations,
    draws,
    observations,
    require_output,
)
from qsp_bayes.report.time_bins import time_bins

PERCENTILES = (5, 50, 95)
ADEQUATE = 0.75


@dataclass(frozen=True)
class PredictiveCheck:
    """Binned percentiles of the data and of replicates.

    Attributes
    ----------
    data : Observations
        With the values that are drawn, prediction-corrected where asked.
    bins : array of int
        Bin of each observation, numbered by time.
    time : array (bin)
        Median time of the observations of the bin.
    observed : array (percentile, bin)
    simulated : array (percentile, bound, bin)
        5th, 50th and 95th percentile over replicates of each percentile.
    below : array (bin), below_simulated : array (bound, bin)
        Share of observations below the lower limit of quantification, observed and simulated.
    """

    data: Observations
    bins: np.ndarray
    time: np.ndarray
    observed: np.ndarray
    simulated: np.ndarray
    below: np.ndarray
    below_simulated: np.ndarray

    @property
    def share_within(self) -> float:
        """Share of the observed percentiles within the 90 % interval of their replicates."""
        low, _, high = np.moveaxis(self.simulated, 1, 0)
        return float(np.mean((low <= self.observed) & (self.observed <= high)))

    @property
    def median_outside(self) -> tuple[float, float]:
        """Share of the bins where the observed median lies below, and where it lies above, the interval."""
        low, _, high = self.simulated[1]
        return float(np.mean(self.observed[1] < low)), float(np.mean(self.observed[1] > high))

    @property
    def is_adequate(self) -> bool:
        """Whether three in four of all percentiles, and of the medians, lie within their intervals."""
        return self.share_within >= ADEQUATE and sum(self.median_outside) <= 1 - ADEQUATE

    @property
    def verdict(self) -> str:
        """How the data compare with the replicates, in words."""
        inside, total = round(self.share_within * self.observed.size), self.observed.size
        low, high = self.median_outside
        if self.is_adequate:
            meaning = "The model reproduces the typical course and the spread of the data."
        elif low + high > 1 - ADEQUATE:
            side = "below" if low > high else "above"
            meaning = f"The observed median runs {side} the model's in part of the study: look where."
        else:
            meaning = (
                "The model does not reproduce the spread of the data: look at variability and error model."
            )
        return (
            f"{inside} of {total} observed percentiles lie within the 90 % intervals of replicates. {meaning}"
        )


def predictive_check(
    fit: xr.DataTree, output: str | None = None, prediction_corrected: bool = False
) -> PredictiveCheck:
    r"""Compare percentiles of the data with those of replicates of the study.

    Replicates have the study's design and new individuals for every posterior draw (group
    ``population_predictive``). Times are binned at their natural clusters (see :func:`time_bins`). What lies
    beyond a limit of quantification is set at that limit in the data and in the replicates. With prediction
    correction

    .. math:: y_i^{pc} = y_i \, \frac{\operatorname{median}_{j \in bin(i)} \hat y_j}{\hat y_i},

    where :math:`\hat y_i` is the median of the replicates of observation i: doses, covariates and times that
    differ within a bin no longer widen the bands.

    Parameters
    ----------
    fit : DataTree
    output : str, optional
        By default the first.
    prediction_corrected : bool

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    CalibrationError
        If the fit holds no population predictions, or some are not positive where they are to be corrected.

    References
    ----------
    Bergstrand M, Hooker AC, Wallin JE, Karlsson MO. Prediction-corrected visual predictive checks for
    diagnosing nonlinear mixed-effects models. AAPS J 13 (2011) 143-151.
    """
    output = require_output(fit, output)
    data = observations(fit, output)
    replicates = draws(fit, "population_predictive", LIKELIHOOD + output)
    if replicates is None:
        raise CalibrationError(
            f"The fit holds no population predictions of {output!r}: expected the group "
            "'population_predictive', replicates of the study with new individuals. Fit with "
            "Calibration.fit, which adds it."
        )
    bins = time_bins(data.time, data.subject)
    lower = data.limits[0]
    below = np.isfinite(lower) & (data.censoring == 1)
    below_simulated = np.isfinite(lower) & (replicates <= lower)
    value, replicates = data.quantified(data.value), data.quantified(replicates)
    if prediction_corrected:
        factor = correction(np.median(replicates, axis=0), bins, output)
        value, replicates = value * factor, replicates * factor
    members = [np.flatnonzero(bins == number) for number in range(bins.max() + 1)]
    percentiles = np.stack(
        [np.percentile(replicates[:, rows], PERCENTILES, axis=1) for rows in members], axis=-1
    )
    shares = np.stack([below_simulated[:, rows].mean(axis=1) for rows in members], axis=-1)
    return PredictiveCheck(
        data=Observations(output, data.unit, data.time_unit, data.subject, data.time, value, data.censoring),
        bins=bins,
        time=np.array([np.median(data.time[rows]) for rows in members]),
        observed=np.stack([np.percentile(value[rows], PERCENTILES) for rows in members], axis=-1),
        simulated=np.percentile(percentiles, PERCENTILES, axis=1).swapaxes(0, 1),
        below=np.array([below[rows].mean() for rows in members]),
        below_simulated=np.percentile(shares, PERCENTILES, axis=0),
    )


def correction(prediction: np.ndarray, bins: np.ndarray, output: str) -> np.ndarray:
    """Give the factor that moves each observation to the median prediction of its bin."""
    if not (prediction > 0).all():
        raise CalibrationError(
            f"Prediction correction divides by the median prediction of {output!r}, and "
            f"{np.sum(prediction <= 0)} of {len(prediction)} are not positive. Draw the check without "
            "correction."
        )
    centre = np.array([np.median(prediction[bins == number]) for number in range(bins.max() + 1)])
    return centre[bins] / prediction
