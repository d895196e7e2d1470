"""Population parameters: what was known of each before, and what is known now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr

from qsp_bayes.calibration.entries import variable_of
from qsp_bayes.identifiability.knowledge import of_draws, of_law
from qsp_bayes.report.contents import SAMPLE, metadata, population, variables, varying_entries, with_internal

BOUNDS = (0.05, 0.5, 0.95)
NO_UNIT = "–"
KINDS = (
    ("typical", "Typical values", ("TV",)),
    ("variability", "Variability between individuals and occasions", ("omega_", "pi_")),
    ("covariate", "Covariate effects", ("e_",)),
    ("correlation", "Correlations of the random effects", ("corr",)),
    ("residual", "Residual error", ("sigma_", "nu_")),
    ("derived", "Derived quantities", ("",)),
)


@dataclass(frozen=True)
class Parameter:
    """A population parameter with what was known before and what is known now.

    Attributes
    ----------
    name, unit : str
    prior : dict or None
        The entry of the fit's prior table: distribution, source, median, q05, q95, informative.
    before, after : array or None, array
        Draws of the prior and of the posterior.
    """

    name: str
    unit: str
    prior: dict[str, Any] | None
    before: np.ndarray | None
    after: np.ndarray

    @property
    def kind(self) -> str:
        """What role the name gives it: typical, variability, covariate, correlation, residual, or derived."""
        return next(kind for kind, _, prefixes in KINDS if self.name.startswith(prefixes))

    @property
    def posterior(self) -> np.ndarray:
        """Posterior 5 %, median and 95 %."""
        return np.quantile(self.after, BOUNDS)

    @property
    def prior_quantiles(self) -> np.ndarray:
        """Prior 5 %, median and 95 %: exact where the prior states them, from draws otherwise."""
        if self.prior and self.prior.get("median") is not None:
            return np.array([self.prior["q05"], self.prior["median"], self.prior["q95"]], float)
        return np.full(3, np.nan) if self.before is None else np.quantile(self.before, BOUNDS)

    @property
    def relative_sd(self) -> float:
        """Posterior standard deviation relative to the mean; NaN where the sign is not certain."""
        low, _, high = self.posterior
        return float(self.after.std() / abs(self.after.mean())) if low * high > 0 else np.nan

    @property
    def contraction(self) -> float:
        """How much of the prior variance the data took away (see `contraction`); NaN where no prior is known."""
        if self.prior and self.prior.get("family") and self.kind != "correlation":
            before = of_law(self.prior["family"], self.prior["parameters"])
        elif self.before is not None:
            before = of_draws(self.before)
        else:
            return np.nan
        return 1 - (of_draws(self.after, before.scale).sd / before.sd) ** 2


def parameters(fit: xr.DataTree) -> list[Parameter]:
    """Give the population parameters of a fit, in the order of the roles and then of the fit.

    A parameter that does not vary between individuals is there once, as its typical value; the factor of a
    correlation matrix is not there. Derived quantities are those of the group ``derived`` and whatever else
    describes the population.
    """
    content = metadata(fit)
    priors = {entry["name"]: entry for entry in content.get("priors", [])}
    posterior = population(xr.merge([variables(fit, "posterior"), variables(fit, "derived")]))
    repeated = [name for name in posterior if f"TV{name}" in posterior or "cholesky" in str(name)]
    before = varying_entries(population(variables(fit, "prior")))
    found = [
        Parameter(
            name=label,
            unit=unit_of(label, posterior, content),
            prior=priors.get(variable_of(label)),
            before=before[label].values.ravel() if label in before else None,
            after=values.values.ravel(),
        )
        for label, values in varying_entries(posterior.drop_vars(repeated)).items()
    ]
    order = [kind for kind, _, _ in KINDS]
    return sorted(found, key=lambda parameter: order.index(parameter.kind))


def unit_of(label: str, posterior: xr.Dataset, content: dict[str, Any]) -> str:
    """Find the unit of a population parameter: that of its prior, of the system's parameter, or its own."""
    name = variable_of(label)
    units = {f"TV{name}": unit for name, unit in content.get("system", {}).get("parameters", {}).items()}
    units |= {entry["name"]: entry.get("unit") or "" for entry in content.get("priors", [])}
    return str(units.get(name, posterior[name].attrs.get("units", "") if name in posterior else ""))


def sensitivity(fit: xr.DataTree, names: list[str]) -> dict[str, tuple[float, float]]:
    """Give the power-scaling sensitivity to the population priors and to the likelihood, where computable.

    References
    ----------
    Kallioinen N, Paananen T, Bürkner PC, Vehtari A. Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling. Statistics and Computing 34 (2024) 57.
    """
    log_prior = population(with_internal(fit, "log_prior"))
    if not len(log_prior) or not len(variables(fit, "log_likelihood")):
        return {}
    prior = arviz_stats.psense(fit, var_names=names, group="prior", group_var_names=list(log_prior))
    likelihood = arviz_stats.psense(fit, var_names=names, group="likelihood")
    return {name: (float(prior[name]), float(likelihood[name])) for name in names if prior[name].ndim == 0}


def shrinkage(fit: xr.DataTree, name: str) -> float:
    r"""Give the shrinkage of the random effects of a parameter towards the population.

    .. math:: 1 - \sqrt{\frac{b}{b + w}}, \quad b = \operatorname{var}_i(\operatorname{E}[\eta_i]), \;
              w = \operatorname{mean}_i(\operatorname{var}[\eta_i]),

    which is the same for centred and non-centred effects. NaN where the fit holds no such effects.
    """
    effects = variables(fit, "posterior").get(f"eta_{name.removeprefix('omega_')}")
    if effects is None or "subject" not in effects.dims:
        return np.nan
    between = float(effects.mean(SAMPLE).var())
    within = float(effects.var(SAMPLE).mean())
    return 1 - float(np.sqrt(between / (between + within)))
