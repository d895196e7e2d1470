"""Twenty studies in animals, each truth drawn from the prior: the clearance of humans, unseen, is covered.

``make test-slow PYTEST_ARGS="tests/calibration/test_species_coverage.py -s"`` prints the figures.
"""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from cross_species import HUMAN, SIZE, SPECIES, calibration, study_of
from scipy import stats

from qsp_bayes.calibration import IIV, load_priors, typical_values

pytestmark = pytest.mark.slow

REPEATS = range(1, 21)
SAMPLING = {"draws": 500, "tune": 500, "chains": 2, "target_accept": 0.9, "progressbar": False}
POPULATION = ("TVCL", "TVVc", "e_wt_cl", "e_wt_vc", "omega_CL", "omega_Vc", "sigma_log_Cc")
RANKS, BINS = 99, 10


def human_log_clearance_of_the_prior(n=100_000):
    """log TVCL + omega_species eta: the exponent does not enter at the reference weight."""
    priors, rng = load_priors("cross_species"), np.random.default_rng(1)
    typical = rng.normal(*priors["TVCL"].parameters.values(), n)
    spread = abs(rng.normal(0, priors["omega_species_CL"].parameters["sigma"], n))
    return typical + spread * rng.normal(size=n)


def drawn(seed):
    """A truth drawn from the prior, the effect on humans included, and a study in animals simulated with it."""
    with calibration([SIZE, SPECIES, IIV("CL", "Vc")]).build(study_of()):
        draw = pm.sample_prior_predictive(1, random_seed=seed)
    prior = draw["prior"].to_dataset().isel(chain=0, draw=0)
    effect = prior["omega_species_CL"] * prior["eta_species_CL"].sel(species="human")
    truth = {name: float(prior[name]) for name in POPULATION}
    truth["log CL of humans"] = float(np.log(prior["TVCL"]) + effect)
    return truth, study_of(draw["prior_predictive"]["DV_Cc"].values)


def repeat_of(seed):
    """Truth, 5, 50 and 95 % of the posterior, and rank of the truth, by quantity."""
    truth, study = drawn(seed)
    fit = calibration().fit(study, random_seed=seed, **SAMPLING)
    draws = {name: fit["posterior"][name].values.ravel() for name in POPULATION}
    draws["log CL of humans"] = np.log(typical_values(calibration(), fit, HUMAN)["CL"].values.ravel())
    rows = {}
    for name, true in truth.items():
        thinned = draws[name][np.linspace(0, draws[name].size - 1, RANKS).round().astype(int)]
        low, middle, high = np.quantile(draws[name], [0.05, 0.5, 0.95])
        rows[name] = (seed, true, low, middle, high, int((thinned < true).sum()))
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["seed", "truth", "low", "median", "high", "rank"]
    )


def test_the_clearance_of_humans_is_covered_and_learned():
    parts = []
    for seed in REPEATS:
        parts.append(repeat_of(seed))
        print(parts[-1].round(3).to_string(), flush=True)
    found = pd.concat(parts)
    assert len(found) == len(REPEATS) * (len(POPULATION) + 1), "no repeat is dropped"
    covered = ((found["low"] <= found["truth"]) & (found["truth"] <= found["high"])).groupby(level=0).sum()
    counts = np.histogram(found["rank"], np.linspace(0, RANKS + 1, BINS + 1))[0]
    p = stats.chisquare(counts).pvalue
    human = found.loc["log CL of humans"]
    width = float((human["high"] - human["low"]).median())
    of_prior = float(np.subtract(*np.quantile(human_log_clearance_of_the_prior(), [0.95, 0.05])))
    print(covered.to_string(), counts, f"p = {p:.3f}", f"width {width:.2f} of {of_prior:.2f}", sep="\n")
    assert covered.min() >= 14
    assert p > 0.01
    assert width <= 0.5 * of_prior
