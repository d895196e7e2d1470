"""Fits made of synthetic draws, without sampling: log-normal typical values around stated medians."""

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration import IIV, Calibration, Prior, Proportional
from qsp_bayes.calibration.metadata import as_attribute
from qsp_bayes.data import Subjects

TYPICAL = {"CL": 3.0, "Vc": 30.0, "KA": 1.5, "Q": 4.0, "Vp": 40.0, "Vmax": 30.0, "Km": 8.0, "tlag": 0.7}


def calibration_of(system, vary=("CL", "Vc", "KA", "Vmax", "tlag"), solver=None):
    priors = {
        f"TV{name}": Prior(median=TYPICAL[name], cv=0.3, unit=unit, source="a test")
        for name, unit in system.parameters.items()
    }
    vary = [name for name in system.parameters if name in vary]
    spread = Prior(distribution="HalfNormal", sigma=0.5, unit="", source="a test")
    priors |= {f"omega_{name}": spread for name in vary} | {"sigma_prop_Cc": spread}
    return Calibration(system, priors, [IIV(*vary)] if vary else [], {"Cc": Proportional()}, solver=solver)


def fit_of(calibration, *, chains=2, draws=6, uncertain=0.1, between=0.25, seed=1):
    rng = np.random.default_rng(seed)
    shape = (chains, draws)
    posterior = {}
    for name in calibration.variables:
        noise = np.exp(uncertain * rng.normal(size=shape))
        if name.startswith("TV"):
            posterior[name] = TYPICAL[name.removeprefix("TV")] * noise
        else:
            posterior[name] = (between if name.startswith("omega") else 0.1) * noise
    dataset = xr.Dataset(
        {name: (("chain", "draw"), values) for name, values in posterior.items()},
        {"chain": range(chains), "draw": range(draws)},
    )
    fit = xr.DataTree.from_dict({"posterior": dataset})
    fit.attrs = as_attribute(
        {
            "system": calibration.system.describe(),
            "calibration": calibration.describe(),
            "study": {"checksum": "fabricated"},
        }
    )
    return fit


def people(n, **covariates):
    table = pd.DataFrame(
        {name: np.resize(values, n) for name, values in {"WT": [60.0, 80.0], **covariates}.items()},
        index=[f"person {k}" for k in range(n)],
    )
    return Subjects(table, {"WT": "kg"}, "made up for a test")
