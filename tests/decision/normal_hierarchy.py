"""A normal hierarchy: exact posterior draws, and the predictive density of each left-out subject."""

import numpy as np
import xarray as xr
from scipy.stats import multivariate_normal, norm

CHAINS, DRAWS, PER_SUBJECT = 4, 1000, 6
PRIOR_SD, BETWEEN, ERROR = 2.0, 1.0, 0.4


def observed(n_subjects=8, seed=3):
    rng = np.random.default_rng(seed)
    own = 1.0 + BETWEEN * rng.normal(size=n_subjects)
    return own[:, None] + ERROR * rng.normal(size=(n_subjects, PER_SUBJECT))


def hierarchy(values, between=BETWEEN, error=ERROR, seed=1, occasions=False):
    """Exact posterior draws of y_ij = mu + between eta_i + error e_ij, and the groups that a fit holds."""
    n, m = values.shape
    # Unknowns mu, eta_1 .. eta_n; all normal, so that the posterior is one linear solve.
    design = np.column_stack([np.ones(n * m), between * np.repeat(np.eye(n), m, axis=0)])
    precision = np.diag([1 / PRIOR_SD**2, *np.ones(n)]) + design.T @ design / error**2
    mean = np.linalg.solve(precision, design.T @ values.ravel() / error**2)
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(mean, np.linalg.inv(precision), (CHAINS, DRAWS))
    mu, eta = drawn[..., 0], drawn[..., 1:]
    level = mu[..., None] + between * eta
    labels = [f"S{i}" for i in range(n)]
    dim, names = ("occasion", [f"{label}/1" for label in labels]) if occasions else ("subject", labels)
    coords = {"chain": range(CHAINS), "draw": range(DRAWS)}
    sample = ("chain", "draw")
    log_likelihood = norm.logpdf(values.ravel(), np.repeat(level, m, axis=-1), error)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"TVB": (sample, mu), "eta_B": ((*sample, dim), eta)}, {**coords, dim: names}),
            "log_prior": xr.Dataset(
                {"TVB": (sample, norm.logpdf(mu, 0, PRIOR_SD)), "eta_B": ((*sample, dim), norm.logpdf(eta))},
                {**coords, dim: names},
            ),
            "log_likelihood": xr.Dataset({"DV_R": ((*sample, "obs_R"), log_likelihood)}, coords),
            "constant_data": xr.Dataset({"subject_R": ("obs_R", np.repeat(np.arange(n), m))}, {"subject": labels}),
        }
    )  # fmt: skip
    tree.attrs["qsp_bayes"] = '{"study": {"checksum": "abc"}}'
    return tree


def exact_log_density(values, between=BETWEEN, error=ERROR):
    """log p(y_i | y_-i) as the difference of two multivariate normal densities."""
    n, m = values.shape

    def marginal(rows):
        size = len(rows) * m
        covariance = PRIOR_SD**2 + np.kron(np.eye(len(rows)), np.full((m, m), between**2))
        return multivariate_normal(np.zeros(size), covariance + error**2 * np.eye(size)).logpdf(
            values[rows].ravel()
        )

    every = list(range(n))
    return np.array([marginal(every) - marginal([j for j in every if j != i]) for i in every])
