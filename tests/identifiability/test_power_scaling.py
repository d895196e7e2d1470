"""Power scaling against exact posteriors of normal models."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import qsp_bayes as qb
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.power_scaling import overlap

Y = np.array([1.0, 2.0, 6.0])
OMEGA, SIGMA, PRIOR_SD = 1.0, 0.5, 4.0


def dataset(**arrays):
    return xr.Dataset({name: (("chain", "draw", *dims), values) for name, (dims, values) in arrays.items()})


def normal_fit(draws=40000, prior_sd=PRIOR_SD, seed=1):
    """Exact draws of y_i = mu + omega eta_i + sigma e_i, mu ~ N(0, prior_sd^2), eta_i ~ N(0, 1)."""
    n = len(Y)
    design = np.column_stack([np.ones(n), OMEGA * np.eye(n)])
    precision = np.diag([prior_sd**-2.0, *np.ones(n)]) + design.T @ design / SIGMA**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ design.T @ Y / SIGMA**2
    z = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=(4, draws // 4))
    mu, eta = z[..., 0], z[..., 1:]
    prediction = mu[..., None] + OMEGA * eta
    rng = np.random.default_rng(seed + 1)
    coordinates = {"subject": ["a", "b", "c"]}
    return xr.DataTree.from_dict(
        {
            "posterior": dataset(TVB=((), mu)),
            "prior": dataset(TVB=((), prior_sd * rng.normal(size=(1, 2000)))),
            "log_prior": dataset(
                TVB=((), norm(0, prior_sd).logpdf(mu)), eta_B=(("subject",), norm.logpdf(eta))
            ).assign_coords(coordinates),
            "log_likelihood": dataset(DV_R=(("obs_R",), norm(prediction, SIGMA).logpdf(Y))),
            "constant_data": xr.Dataset({"subject_R": ("obs_R", np.arange(n))}, coordinates),
        }
    )


def test_pulls_are_the_derivatives_of_the_exact_posterior_mean():
    """Subject i raised to a power has its marginal precision, 1 / (omega^2 + sigma^2), multiplied by it."""
    found = qb.power_scaling(normal_fit())
    weight = 1 / (OMEGA**2 + SIGMA**2)

    def mean(powers, prior_power=1.0):
        precision = weight * np.asarray(powers)
        return (precision * Y).sum() / (precision.sum() + prior_power / PRIOR_SD**2)

    sd = (3 * weight + PRIOR_SD**-2) ** -0.5
    h = 1e-5
    expected = [(mean(1 + h * way) - mean(1 - h * way)) / (2 * h * sd) for way in np.eye(3)]
    np.testing.assert_allclose(found.pull_of_subject.sel(variable="TVB"), expected, atol=0.04)
    assert found.pull_of_subject.values[0, 2] > 1.0 > 0 > found.pull_of_subject.values[0, 0]
    assert found.diagnosis.item() == "the data decide"


def test_a_tight_prior_far_from_the_data_shows():
    wide, tight = (qb.power_scaling(normal_fit(prior_sd=sd)) for sd in (20.0, 0.3))
    assert wide.prior.item() < 0.02
    assert tight.prior.item() > 0.2
    assert tight.diagnosis.item() != "the data decide"
    assert wide.overlap.item() < 0.3 < tight.overlap.item()


def test_the_subject_far_from_the_others_informs_most():
    found = qb.power_scaling(normal_fit())
    assert found.by_subject.idxmax("subject").item() == "c"
    assert found.by_output.dims == ("variable", "output")
    assert found["output"].values.tolist() == ["R"]


def test_overlap_is_that_of_two_normal_densities():
    """Of equal variances, at a distance d: 2 Phi(-d / 2)."""
    rng = np.random.default_rng(3)
    one, other = (
        xr.DataArray(rng.normal(shift, 1, size=(1, 20000)), dims=("chain", "draw")) for shift in (0, 1.5)
    )
    assert overlap(one, other) == pytest.approx(2 * norm.cdf(-0.75), abs=0.02)
    assert overlap(one, one) == pytest.approx(1.0, abs=0.01)
    assert overlap(np.exp(one), np.exp(other)) == pytest.approx(overlap(one, other), abs=0.01)


def test_a_fit_without_the_groups_is_refused():
    fit = normal_fit(400)
    del fit["log_prior"]
    with pytest.raises(CalibrationError, match="there is no log_prior"):
        qb.power_scaling(fit)


@pytest.mark.slow
def test_a_real_fit_has_a_row_for_every_variable():
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        qb.load_priors("theophylline"),
        individual=[qb.IIV("CL", "Vc", "KA", correlated=True)],
        error={"Cc": qb.Combined()},
    )
    fit = calibration.fit(
        qb.load_dataset("theophylline"), draws=300, tune=300, chains=2, random_seed=1, progressbar=False
    )
    found = qb.power_scaling(fit)
    assert "corr_eta_canonical[Vc, CL]" in found["variable"]
    assert found.sizes["variable"] == 11
    assert found.sizes["subject"] == 12
    assert np.isfinite(found.by_subject).all()
