"""The families a prior may have: one row of facts each, PyMC's class beside the scipy law that describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from scipy import stats


@dataclass(frozen=True)
class Family:
    """One family of priors.

    Attributes
    ----------
    distribution : class
        The PyMC distribution that enters the model.
    parameters : tuple of str
        Names of its parameters, as PyMC spells them.
    law : callable
        The frozen scipy distribution for given parameters: it gives medians, quantiles and plots without compiling.
    scale : tuple of str or None
        Parameters that are multiplied by c when the variable is; None where c times the variable leaves the family.
    log_location : str or None
        Parameter that moves by log(c) when the variable is multiplied by c.
    """

    distribution: type
    parameters: tuple[str, ...]
    law: Callable[..., Any]
    scale: tuple[str, ...] | None = None
    log_location: str | None = None

    def multiplied(self, parameters: Mapping[str, float], factor: float) -> dict[str, float] | None:
        """Give the parameters of `factor` times the variable, or None where that leaves the family."""
        if self.log_location is not None:
            return {**parameters, self.log_location: parameters[self.log_location] + float(np.log(factor))}
        if self.scale is None:
            return None
        return {name: value * factor if name in self.scale else value for name, value in parameters.items()}


class LogitNormalLaw:
    """The logit-normal law, which scipy does not have, with the methods of a frozen distribution we use."""

    def __init__(self, mu: float, sigma: float) -> None:
        self.normal = stats.norm(mu, sigma)

    def ppf(self, probability: Any) -> Any:
        """Quantiles."""
        return 1.0 / (1.0 + np.exp(-self.normal.ppf(probability)))

    def pdf(self, x: Any) -> Any:
        """Density."""
        x = np.asarray(x, dtype=float)
        inside = (x > 0) & (x < 1)
        safe = np.where(inside, x, 0.5)
        return np.where(inside, self.normal.pdf(np.log(safe / (1 - safe))) / (safe * (1 - safe)), 0.0)

    def logpdf(self, x: Any) -> Any:
        """Log density."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(x))


FAMILIES: dict[str, Family] = {
    "LogNormal": Family(
        pm.LogNormal,
        ("mu", "sigma"),
        lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        log_location="mu",
    ),
    "Normal": Family(
        pm.Normal, ("mu", "sigma"), lambda mu, sigma: stats.norm(mu, sigma), scale=("mu", "sigma")
    ),
    "LogitNormal": Family(pm.LogitNormal, ("mu", "sigma"), LogitNormalLaw),
    "HalfNormal": Family(
        pm.HalfNormal, ("sigma",), lambda sigma: stats.halfnorm(scale=sigma), scale=("sigma",)
    ),
    "HalfCauchy": Family(
        pm.HalfCauchy, ("beta",), lambda beta: stats.halfcauchy(scale=beta), scale=("beta",)
    ),
    "Exponential": Family(
        pm.Exponential, ("scale",), lambda scale: stats.expon(scale=scale), scale=("scale",)
    ),
    "Gamma": Family(pm.Gamma, ("mu", "sigma"), lambda mu, sigma: gamma_law(mu, sigma), scale=("mu", "sigma")),
    "InverseGamma": Family(
        pm.InverseGamma,
        ("alpha", "beta"),
        lambda alpha, beta: stats.invgamma(alpha, scale=beta),
        scale=("beta",),
    ),
    "StudentT": Family(
        pm.StudentT,
        ("nu", "mu", "sigma"),
        lambda nu, mu, sigma: stats.t(nu, mu, sigma),
        scale=("mu", "sigma"),
    ),
    # The law of one correlation; with n parameters it is the symmetric beta on (-1, 1) with eta + (n - 2) / 2.
    "LKJCorr": Family(pm.LKJCorr, ("eta",), lambda eta: stats.beta(eta, eta, loc=-1, scale=2)),
    "Beta": Family(pm.Beta, ("alpha", "beta"), lambda alpha, beta: stats.beta(alpha, beta)),
    "Uniform": Family(
        pm.Uniform,
        ("lower", "upper"),
        lambda lower, upper: stats.uniform(lower, upper - lower),
        scale=("lower", "upper"),
    ),
    "TruncatedNormal": Family(
        pm.TruncatedNormal,
        ("mu", "sigma", "lower", "upper"),
        lambda mu, sigma, lower, upper: stats.truncnorm(
            (lower - mu) / sigma, (upper - mu) / sigma, mu, sigma
        ),
        scale=("mu", "sigma", "lower", "upper"),
    ),
}


def gamma_law(mu: float, sigma: float) -> Any:
    """Give the gamma law of mean `mu` and standard deviation `sigma`."""
    return stats.gamma((mu / sigma) ** 2, scale=sigma**2 / mu)
