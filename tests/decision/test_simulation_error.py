"""The Monte Carlo standard error against brute-force replication of whole simulations."""

import numpy as np
import pytest
import xarray as xr
from arviz_stats import mcse
from scipy.signal import lfilter

from qsp_bayes.decision import standard_error

REPLICATES, CHAINS, DRAWS, SUBJECTS = 400, 4, 50, 25


def simulate(rng, *, persistent, fresh, autocorrelation=0.0):
    """One simulation: u = 0.3 a_s + persistent b_i + fresh e_si, the draws a_s being an AR(1) chain."""
    innovations = rng.normal(size=(CHAINS, DRAWS)) * np.sqrt(1 - autocorrelation**2)
    innovations[:, 0] = rng.normal(size=CHAINS)
    draws = lfilter([1.0], [1.0, -autocorrelation], innovations, axis=1)
    individuals = persistent * rng.normal(size=SUBJECTS) + fresh * rng.normal(size=(CHAINS, DRAWS, SUBJECTS))
    return xr.DataArray(0.3 * draws[..., None] + individuals, dims=("chain", "draw", "subject"))


def replicate(error, **design):
    """Ratio of the stated error (root mean square) to the standard deviation of replicated means."""
    rng = np.random.default_rng(11)
    simulations = [simulate(rng, **design) for _ in range(REPLICATES)]
    means = [float(values.mean()) for values in simulations]
    return np.sqrt(np.mean([float(error(values)) ** 2 for values in simulations])) / np.std(means, ddof=1)


# 400 replicates know a standard deviation to 3.5 %; the effective sample size of short chains adds a little.
DESIGNS = {
    "individuals fresh in every draw": {"persistent": 0.0, "fresh": 1.0},
    "individuals shared by all draws": {"persistent": 1.0, "fresh": 0.0},
    "shared covariates, fresh random effects": {"persistent": 0.3, "fresh": 1.0},
    "correlated draws": {"persistent": 0.3, "fresh": 0.5, "autocorrelation": 0.7},
}


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS.keys())
def test_stated_error_is_the_spread_of_replicates(design):
    assert 0.87 < replicate(standard_error, **design) < 1.15


def test_ignoring_individuals_shared_by_all_draws_is_wrong():
    """The error of the draws' means alone is far too small where the draws share their individuals."""
    assert (
        replicate(lambda values: mcse(values.mean("subject")), **DESIGNS["individuals shared by all draws"])
        < 0.3
    )


def test_ignoring_correlation_between_draws_is_wrong():
    def independent(values):
        return values.mean("subject").std() / np.sqrt(CHAINS * DRAWS)

    assert replicate(independent, **DESIGNS["correlated draws"]) < 0.7


def test_one_subject_has_the_error_of_its_draws():
    values = simulate(np.random.default_rng(0), persistent=1.0, fresh=1.0).isel(subject=[0])
    assert standard_error(values) == mcse(values.isel(subject=0))
