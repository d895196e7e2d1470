"""Decisions made of arrays of utilities, and the closed form of the normal loss."""

import numpy as np
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision import choose

CHAINS = 4


def utilities_of(values):
    """Utilities (draw, regimen) of one person, or (draw, regimen, subject), the draws in four chains."""
    values = values[..., None] if values.ndim == 2 else values
    per_chain = len(values) // CHAINS
    return xr.DataArray(
        values.reshape(CHAINS, per_chain, *values.shape[1:]),
        dims=("chain", "draw", "regimen", "subject"),
        coords={
            "chain": range(CHAINS),
            "draw": range(per_chain),
            "regimen": [f"regimen {k}" for k in range(values.shape[1])],
        },
    )


def decision_on(values, **options):
    """Choose by these utilities; `options` are those of `choose`."""
    utilities = utilities_of(values)
    future = xr.DataTree.from_dict(
        {"predictions": utilities.expand_dims(time=[0.0]).to_dataset(name="worth")}
    )
    return choose(future, lambda x: x["worth"].isel(time=0), **options)


def draws_of(**columns):
    """Parameters (draw,) as a dataset on the draws of `decision_on`."""
    return xr.Dataset(
        {name: (("chain", "draw"), column.reshape(CHAINS, -1)) for name, column in columns.items()},
        {"chain": range(CHAINS), "draw": range(len(next(iter(columns.values()))) // CHAINS)},
    )


def normal_gain(mean, sd):
    """E max(0, D) - max(0, E D) for D ~ Normal(mean, sd): what choosing between 0 and D gains from knowing D."""
    return mean * norm.cdf(mean / sd) + sd * norm.pdf(mean / sd) - np.maximum(mean, 0)
