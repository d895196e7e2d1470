"""Simulations made by hand: an output that is constant in time, so that every measure of it is known."""

import json

import numpy as np
import xarray as xr

DIMS = ("chain", "draw", "regimen", "subject")


def future_of(values, regimens, *, unit="mg/L", hours=(0.0, 24.0), **others):
    """Give a simulation whose output ``Cc`` has these values, dims (chain, draw, regimen, subject), at all times."""
    chains, draws, _, subjects = np.shape(values)
    coords = {
        "chain": range(chains),
        "draw": range(draws),
        "regimen": list(regimens),
        "subject": [f"new {i}" for i in range(subjects)],
    }
    outputs = {
        name: xr.DataArray(array, dims=DIMS, coords=coords).expand_dims(time=list(hours), axis=-1)
        for name, array in {"Cc": values, **others}.items()
    }
    data = xr.Dataset(outputs)
    data["Cc"].attrs["units"] = unit
    data["time"].attrs["units"] = "h"
    future = xr.DataTree.from_dict({"predictions": data})
    future.attrs["qsp_bayes"] = json.dumps({"units": {"time": "h", "Cc": unit}})
    return future
