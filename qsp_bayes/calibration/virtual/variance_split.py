"""The variance of individual parameters, split into what is not known and how individuals differ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logit

LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log,
    "logit": logit,
    "identity": np.asarray,
}
"""From a parameter to the scale on which it varies."""


def split_table(parameters: xr.Dataset) -> pd.DataFrame:
    """Split the variance of every parameter; `VirtualPatients.table` documents the columns."""
    rows = {str(name): row_of(values) for name, values in parameters.data_vars.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def row_of(values: xr.DataArray) -> dict[str, object]:
    """Give the row of one parameter."""
    array = values.to_numpy()
    scale = values.attrs.get("scale", "identity")
    z = LINKS[scale](array.reshape(array.shape[0] * array.shape[1], -1))
    uncertainty, within = split(z)
    spread = np.sqrt(within)
    total = uncertainty + within.mean()
    low, middle, high = np.quantile(array, [0.05, 0.5, 0.95])
    return {
        "unit": values.attrs.get("units", ""),
        "scale": scale,
        "median": middle,
        "q05": low,
        "q95": high,
        "spread": spread.mean(),
        "spread_q05": np.quantile(spread, 0.05),
        "spread_q95": np.quantile(spread, 0.95),
        "uncertainty": uncertainty,
        "variability": within.mean(),
        "share_uncertain": uncertainty / total if total > 0 else 0.0,
    }


def split(z: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Estimate the variance between draws, and that between the individuals of each draw.

    The means of the draws vary more than what they estimate: the finite number n of individuals adds
    :math:`\sigma_e^2 / n`, :math:`\sigma_e^2` being what is neither kept by a draw nor by an individual (whose
    covariates are the same in every draw). This is taken off, not below zero.

    Parameters
    ----------
    z : array (draw, subject)

    Returns
    -------
    float, array (draw)

    References
    ----------
    Searle SR, Casella G, McCulloch CE. Variance Components. Wiley, 1992, chapter 4.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> between, within = split(rng.normal(0, 1, (2000, 1)) + rng.normal(0, 2, (2000, 50)))
    >>> round(between, 1), round(within.mean(), 1)
    (1.0, np.float64(4.0))
    """
    n_draws, n_subjects = z.shape
    means = z.mean(axis=1)
    between = means.var(ddof=1) if n_draws > 1 else 0.0
    if n_subjects == 1:
        return float(between), np.zeros(n_draws)
    within = z.var(axis=1, ddof=1)
    if n_draws == 1:
        return 0.0, within
    rest = z - means[:, None] - z.mean(axis=0) + z.mean()
    noise = (rest**2).sum() / ((n_draws - 1) * (n_subjects - 1)) / n_subjects
    return max(0.0, float(between - noise)), within
