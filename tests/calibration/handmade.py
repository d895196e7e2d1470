"""A calibration whose posterior is made by hand: every population parameter is known, and no sampling is needed."""

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration import IIV, Allometry, Calibration, Prior, Proportional
from qsp_bayes.calibration.metadata import as_attribute, describe_fit
from qsp_bayes.data import Regimen, StudyUnits, Subjects, planned_study
from qsp_bayes.models import one_compartment

TYPICAL = {"TVKA": 1.2, "TVCL": 3.0, "TVVc": 30.0}
OMEGA = {"omega_CL": 0.3, "omega_Vc": 0.2}
UNCERTAIN = 0.1
CHAINS = 2


def prior(unit, **specification):
    return Prior(unit=unit, source="made for a test", **specification)


def calibration():
    system = one_compartment(absorption="first-order")
    priors = {name: prior(system.parameters[name[2:]], median=x, sd_log=0.5) for name, x in TYPICAL.items()}
    priors |= {name: prior("", distribution="HalfNormal", sigma=0.5) for name in (*OMEGA, "sigma_prop_Cc")}
    parts = [Allometry("WT", CL=0.75, Vc=1.0, reference=70), IIV("CL", "Vc")]
    return Calibration(system, priors, parts, {"Cc": Proportional()})


def people(n, weights=None):
    drawn = np.random.default_rng(8).normal(70, 12, n).clip(40, 110) if weights is None else weights
    table = pd.DataFrame({"WT": drawn}, index=[f"new {i}" for i in range(1, n + 1)])
    return Subjects(table, {"WT": "kg"}, "made for a test")


def fit(made, draws, *, uncertain=UNCERTAIN, omega_uncertain=0.0, times=(1.0,)):
    """A fit whose typical values are log-normal; `times` are those of the study it is said to come from."""
    rng = np.random.default_rng(4)
    size, dims = (CHAINS, draws // CHAINS), ("chain", "draw")
    values = {name: (dims, x * np.exp(uncertain * rng.normal(size=size))) for name, x in TYPICAL.items()}
    values |= {name: (dims, x * np.exp(omega_uncertain * rng.normal(size=size))) for name, x in OMEGA.items()}
    values["sigma_prop_Cc"] = (dims, np.full(size, 0.1))
    coords = {"chain": range(size[0]), "draw": range(size[1])}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(values, coords)})
    units = StudyUnits("h", "mg", {"Cc": "mg/L"}, {"WT": "kg"})
    study = planned_study(Regimen(100), people(2), times, units=units)
    tree.attrs = as_attribute(describe_fit(made, study, 1, {}))
    return tree
