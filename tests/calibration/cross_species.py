"""A simulated study in mouse, rat and dog, and the calibration that predicts humans from it."""

import numpy as np
import pandas as pd
import pymc as pm

from qsp_bayes.calibration import IIV, Allometry, Calibration, LogNormal, Species, load_priors
from qsp_bayes.data import Subjects, read_nonmem
from qsp_bayes.models import one_compartment

CODES = {"mouse": 1, "rat": 2, "dog": 3, "human": 4}
WEIGHTS = {"mouse": 0.02, "rat": 0.25, "dog": 10.0, "human": 70.0}
ANIMALS = 5
TIMES = np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0])  # h, of a rat; physiological time is W^0.25
SPECIES = Species("SPECIES", on=("CL", "Vc"), codes=CODES)
SIZE = Allometry("WT", CL="estimated", Vc="estimated", reference=70)
HUMAN = Subjects(
    pd.DataFrame({"WT": [70.0], "SPECIES": [4.0]}, index=["human"]), {"WT": "kg"}, "a 70 kg human"
)
TYPICAL = {
    "TVCL": 12.0, "TVVc": 40.0, "e_wt_cl": 0.75, "e_wt_vc": 1.0, "omega_species_CL": 0.2, "omega_species_Vc": 0.1,
    "eta_species_CL": np.array([0.5, -1.0, 0.5, 1.0]), "eta_species_Vc": np.array([-0.5, 1.0, -0.5, 0.0]),
    "omega_CL": 0.2, "omega_Vc": 0.1, "sigma_log_Cc": 0.1,
}  # fmt: skip


def calibration(individual=None, system=None, **options):
    parts = [SIZE, SPECIES, IIV("CL", "Vc", centred=True)] if individual is None else individual
    return Calibration(
        system or one_compartment(), load_priors("cross_species"), parts, {"Cc": LogNormal()}, **options
    )


def study_of(values=None, species=("mouse", "rat", "dog"), animals=ANIMALS):
    """The design: one intravenous dose of 1 mg/kg and eight samples, with values in the order of the rows."""
    rows = []
    for name in species:
        weight = WEIGHTS[name]
        for animal in range(animals):
            who = {"ID": f"{name} {animal + 1}", "WT": weight, "SPECIES": CODES[name]}
            rows.append({**who, "TIME": 0.0, "EVID": 1, "AMT": weight, "DV": "."})
            times = TIMES * (weight / WEIGHTS["rat"]) ** 0.25
            rows += [{**who, "TIME": time, "EVID": 0, "AMT": 0.0, "DV": 1.0} for time in times]
    table = pd.DataFrame(rows).assign(CMT=1)
    if values is not None:
        table.loc[table["EVID"] == 0, "DV"] = np.ravel(values)
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"}
    return read_nonmem(table, units=units, compartments={1: "central"}, outputs={1: "Cc"})


def simulated(truth, random_seed, **design):
    """A study simulated with values of the population; individuals are drawn."""
    part = [SIZE, SPECIES, IIV("CL", "Vc")]
    with pm.do(calibration(part).build(study_of(**design)), truth):
        draw = pm.sample_prior_predictive(1, var_names=["DV_Cc"], random_seed=random_seed)
    return study_of(draw["prior_predictive"]["DV_Cc"].values, **design)
