"""Twenty TMDD calibrations of simulated sparse studies, each truth drawn from the prior: intervals cover what they say.

``make test-slow PYTEST_ARGS="tests/calibration/test_tmdd_coverage.py -s"`` prints the figures.
"""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

from qsp_bayes.calibration import IIV, Calibration, Combined, Prior
from qsp_bayes.data import read_nonmem
from qsp_bayes.models import tmdd

pytestmark = pytest.mark.slow

REPEATS = range(1, 21)
SAMPLING = {"draws": 500, "tune": 700, "chains": 2, "target_accept": 0.9, "progressbar": False}
DOSES = (30.0, 100.0, 300.0)  # nmol, about 0.06 to 0.6 mg/kg of an antibody
SUBJECTS_PER_DOSE = 4
TIMES = {"Cc": (0.04, 1, 3, 7, 14, 28), "Rtot": (0, 3, 14, 28)}  # day
RANKS, BINS = 99, 10
MEDIANS = {
    "TVCL": (0.3, 0.4), "TVVc": (3.0, 0.3), "TVkon": (3.0, 1.0), "TVKD": (0.5, 1.0),
    "TVR0": (5.0, 0.7), "TVkdeg": (0.3, 0.5), "TVkint": (0.15, 0.5),
}  # fmt: skip
SCALES = {
    "omega_CL": 0.3, "omega_Vc": 0.2, "omega_R0": 0.4,
    "sigma_prop_Cc": 0.2, "sigma_add_Cc": 0.2, "sigma_prop_Rtot": 0.2, "sigma_add_Rtot": 0.5,
}  # fmt: skip


def calibration():
    system = tmdd(compartments=2, binding="KD").fix(Q=0.5, Vp=3.0)
    units = {f"TV{name}": unit for name, unit in system.parameters.items()}
    units |= {name: "nmol/L" if "add" in name else "" for name in SCALES}
    source = "simulation study"
    priors = {
        name: Prior(median=median, sd_log=sd, unit=units[name], source=source)
        for name, (median, sd) in MEDIANS.items()
    } | {
        name: Prior(distribution="HalfNormal", sigma=sigma, unit=units[name], source=source)
        for name, sigma in SCALES.items()
    }
    return Calibration(
        system,
        priors,
        individual=[IIV("CL", "Vc", "R0")],
        error={"Cc": Combined(), "Rtot": Combined()},
    )


def study_of(values):
    """The design, with values by output in the order of its rows."""
    rows = []
    for subject in range(SUBJECTS_PER_DOSE * len(DOSES)):
        dose = DOSES[subject % len(DOSES)]
        own = [(t, 0, 0.0, code) for code, name in ((1, "Cc"), (2, "Rtot")) for t in TIMES[name]]
        own = sorted([*own, (0.0, 1, dose, 0)], key=lambda row: (row[0], row[1]))
        rows += [(subject + 1, *row) for row in own]
    table = pd.DataFrame(rows, columns=["ID", "TIME", "EVID", "AMT", "DVID"]).assign(CMT=1, DV=1.0)
    for code, name in ((1, "Cc"), (2, "Rtot")):
        if name in values:
            table.loc[table["DVID"] == code, "DV"] = values[name]
    units = {"TIME": "day", "AMT": "nmol", "DV": {"Cc": "nmol/L", "Rtot": "nmol/L"}}
    return read_nonmem(table, units=units, compartments={1: "central"}, outputs={1: "Cc", 2: "Rtot"})


def drawn(repeat):
    """A truth drawn from the prior, and a study simulated with it."""
    with calibration().build(study_of({})):
        draw = pm.sample_prior_predictive(1, random_seed=repeat)
    truth = {name: float(draw["prior"][name].item()) for name in (*MEDIANS, *SCALES)}
    return truth, study_of({name: draw["prior_predictive"][f"DV_{name}"].values.ravel() for name in TIMES})


def repeat_of(seed):
    """Truth, 5, 50 and 95 % of the posterior, rank of the truth, and contraction, by variable."""
    truth, study = drawn(seed)
    posterior = calibration().fit(study, random_seed=seed, **SAMPLING)["posterior"]
    rows = {}
    for name, true in truth.items():
        draws = posterior[name].values.ravel()
        thinned = draws[np.linspace(0, draws.size - 1, RANKS).round().astype(int)]
        spread = np.std(np.log(draws)) / MEDIANS[name][1] if name in MEDIANS else np.nan
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        rows[name] = (seed, true, low, middle, high, int((thinned < true).sum()), spread)
    columns = ["seed", "truth", "low", "median", "high", "rank", "spread"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def test_intervals_of_a_sparse_tmdd_study_cover_the_truth():
    parts = []
    for seed in REPEATS:
        parts.append(repeat_of(seed))
        print(parts[-1].round(3).to_string(), flush=True)
    found = pd.concat(parts)
    assert len(found) == len(REPEATS) * (len(MEDIANS) + len(SCALES)), "no repeat is dropped"
    covered = ((found["low"] <= found["truth"]) & (found["truth"] <= found["high"])).groupby(level=0).sum()
    counts = np.histogram(found["rank"], np.linspace(0, RANKS + 1, BINS + 1))[0]
    p = stats.chisquare(counts).pvalue
    # How much of the prior's spread is left. The first sample, an hour after the dose, tells something of kon where
    # binding is slow, and nothing where it is fast.
    left = found["spread"].groupby(level=0).median()
    print(covered.to_string(), counts, f"p = {p:.3f}", left.round(2).to_string(), sep="\n")
    assert covered.min() >= 14
    assert p > 0.01
    assert left.idxmax() == "TVkon"
    assert left["TVkon"] > 2 * left["TVKD"]
