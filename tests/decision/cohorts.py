"""A fabricated fit of one compartment, and the choice of a dose on it, without sampling."""

import numpy as np
import pandas as pd
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.calibration.simulation.simulate import plan

CHAINS, DRAWS = 4, 50
VOLUME, OMEGA, SIGMA = 20.0, 0.3, 0.15
MEAN_LOG, SD_LOG = np.log(2.0), 0.35  # of the typical clearance, as known now
TARGET, INTERVAL = 2.0, 12.0
DOSES = (60.0, 80.0, 100.0, 130.0, 170.0, 220.0)


def into_central(dose):
    return qb.Regimen(dose, unit="mg", into="central")


def calibration_of(**changes):
    parts = {
        "individual": [qb.IIV("CL")],
        "error": {"Cc": qb.LogNormal()},
        "fix": {"Vc": VOLUME, "omega_CL": OMEGA, "sigma_log_Cc": SIGMA},
    }
    return qb.Calibration(
        qb.one_compartment(),
        {"TVCL": qb.Prior(median=2.0, sd_log=SD_LOG, unit="L/h", source="a test")},
        **{**parts, **changes},
    )


def alike(n):
    """Subjects of whom nothing is known."""
    return qb.Subjects(pd.DataFrame(index=range(n)), {}, "a test")


def fit_of(calibration, seed=1, draws=DRAWS):
    rng = np.random.default_rng(seed)
    clearance = rng.lognormal(MEAN_LOG, SD_LOG, (CHAINS, draws))
    posterior = xr.Dataset(
        {"TVCL": (("chain", "draw"), clearance)}, {"chain": range(CHAINS), "draw": range(draws)}
    )
    fit = xr.DataTree.from_dict({"posterior": posterior, "log_prior": posterior})
    study = plan(calibration, into_central(100.0), alike(2), np.array([1.0, 8.0]), ["Cc"])
    fit.attrs = as_attribute(describe_fit(calibration, study, seed, {}))
    return fit


def trough_on_target(x):
    """Squared logarithmic distance of the trough from its target, negative."""
    return -(np.log(x["Cc"].isel(time=-1) / TARGET) ** 2)


def decision_of(calibration, fit, subjects=50):
    future = calibration.simulate(
        fit,
        {f"{dose:g} mg": into_central(dose) for dose in DOSES},
        alike(subjects),
        times=[0.0, INTERVAL],
        draws=fit["posterior"].sizes["chain"] * fit["posterior"].sizes["draw"],
        random_seed=2,
    )
    return qb.choose(future, trough_on_target)
