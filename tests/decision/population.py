"""A population that is known: fits made by hand, whose draws come from stated distributions.

Lowering clearance to next to nothing makes a bolus stay: a level is then dose over volume, and everything about a
person whose volume is log-normal, with a log-normal error, is a normal distribution in closed form.
"""

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration import IIV, IOV, Allometry, Calibration, LogNormal, Prior
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.data import Regimen, planned_study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.models import one_compartment

CHAINS, DRAWS = 4, 1000
UNITS = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"})


def prior(unit, median=1.0):
    return Prior(median=median, sd_log=0.5, unit=unit, source="a test")


def half_normal():
    return Prior(distribution="HalfNormal", sigma=0.5, unit="", source="a test")


PRIORS = {
    "TVCL": prior("L/h"),
    "TVVc": prior("L"),
    **{name: half_normal() for name in ("omega_CL", "omega_Vc", "pi_Vc", "pi_CL")},
    **{f"sigma_{kind}_Cc": half_normal() for kind in ("log", "prop")},
    "sigma_add_Cc": Prior(distribution="HalfNormal", sigma=0.5, unit="mg/L", source="a test"),
    "nu_Cc": Prior(distribution="Gamma", mu=20.0, sigma=14.0, unit="", source="a test"),
}


def calibrate(*individual, error=None, **fix):
    return Calibration(one_compartment(), PRIORS, list(individual), {"Cc": error or LogNormal()}, fix=fix)


def fitted(calibration, posterior):
    """A fit with these draws, {name: (chain, draw, ...)}."""
    study = planned_study(Regimen(1, unit="mg", into="central"), weights(2), [1.0], units=UNITS)
    data = {}
    for name, values in posterior.items():
        more = [f"{name}_dim_{k}" for k in range(np.ndim(values) - 2)]
        data[name] = (("chain", "draw", *more), values)
    shape = np.shape(next(iter(posterior.values())))
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(data, coords)})
    tree.attrs = as_attribute(describe_fit(calibration, study, 1, {}))
    return tree


def constant(**values):
    return {name: np.full((CHAINS, DRAWS), value) for name, value in values.items()}


def weights(n, value=70.0):
    return pd.DataFrame({"WT": np.full(n, value)}, index=[f"P{k}" for k in range(n)])


def person(doses, times, levels, *, occasions=None, censored=None, limit=None, weight=70.0):
    """Records of one person: boluses {time: amount}, and levels at times."""
    regimen = None
    for time, amount in doses.items():
        one = Regimen(amount, unit="mg", start=time, into="central")
        regimen = one if regimen is None else regimen + one
    plan = planned_study(regimen, weights(1, weight), times, units=UNITS)
    table = plan.table.copy()
    rows = plan.rows["Cc"]
    table.loc[rows, "DV"] = levels
    if censored is not None:
        table.loc[rows, "CENS"] = censored
    if occasions is not None:
        table["OCC"] = np.searchsorted(occasions, table["TIME"], side="right") + 1
    return type(plan)(
        name="one person",
        title="made for a test",
        table=table,
        units=plan.units,
        compartments=plan.compartments,
        outputs=plan.outputs,
        covariates=plan.covariates,
    )


# Next to no elimination: a level is the amount over the volume.
STAY = {"CL": 1e-9}
KEEP = IIV("Vc")
OMEGA, SIGMA, PI = 0.3, 0.1, 0.2
MEAN, SPREAD = np.log(20.0), 0.2


def staying(*individual, **fix):
    return calibrate(*(individual or (KEEP,)), **{**STAY, "omega_Vc": OMEGA, "sigma_log_Cc": SIGMA, **fix})


def staying_fit(calibration, seed=0, chains=CHAINS, draws=DRAWS, spread=SPREAD):
    rng = np.random.default_rng(seed)
    return fitted(calibration, {"TVVc": np.exp(rng.normal(MEAN, spread, (chains, draws)))})


def normal_posterior(matrix, noise, observed, mean, covariance):
    """Posterior of x ~ N(mean, covariance) after observed = matrix x + N(0, noise^2)."""
    matrix = np.atleast_2d(matrix)
    precision = np.linalg.inv(covariance) + matrix.T @ matrix / noise**2
    found = np.linalg.inv(precision)
    return found @ (np.linalg.solve(covariance, mean) + matrix.T @ observed / noise**2), found


ALLOMETRY = Allometry("WT", CL=0.75, Vc=1.0, reference=70)
OCCASIONS = IOV("Vc")
