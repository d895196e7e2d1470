"""Population parameters: priors with their provenance against posteriors, and estimates with their units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.errors import CalibrationError
from qsp_bayes.report.blocks import Block, Column, Figure, Key, Section, Table, Text
from qsp_bayes.report.contents import SAMPLE, metadata, population, scalars, variables
from qsp_bayes.report.formatting import alike, fixed, join, percent, significant
from qsp_bayes.report.style import BLUE, GREY, SMALL, NotebookFigure, Panel, arrange, picture

BOUNDS = (0.05, 0.5, 0.95)
SENSITIVE = 0.05
NO_UNIT = "–"
KEY = (Key("prior", "line", GREY), Key("posterior", "band", BLUE))
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
        """How much of the prior variance the data took away, 1 - var(posterior) / var(prior).

        On the logarithm of what can only be positive.
        """
        if self.before is None:
            return np.nan
        before, after = self.before, self.after
        if before.min() > 0 and after.min() > 0:
            before, after = np.log(before), np.log(after)
        return float(1 - after.var() / before.var())


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
    before = scalars(population(variables(fit, "prior")))
    found = [
        Parameter(
            name=label,
            unit=unit_of(label, posterior, content),
            prior=priors.get("corr_eta" if label.startswith("corr(") else label.split("[")[0]),
            before=before[label].values.ravel() if label in before else None,
            after=values.values.ravel(),
        )
        for label, values in scalars(posterior.drop_vars(repeated)).items()
    ]
    order = [kind for kind, _, _ in KINDS]
    return sorted(found, key=lambda parameter: order.index(parameter.kind))


def unit_of(label: str, posterior: xr.Dataset, content: dict[str, Any]) -> str:
    """Find the unit of a population parameter: that of its prior, of the system's parameter, or its own."""
    name = label.split("[")[0]
    units = {f"TV{name}": unit for name, unit in content.get("system", {}).get("parameters", {}).items()}
    units |= {entry["name"]: entry.get("unit") or "" for entry in content.get("priors", [])}
    return str(units.get(name, posterior[name].attrs.get("units", "") if name in posterior else ""))


def plot_prior_posterior(fit: xr.DataTree) -> NotebookFigure:
    """Draw the prior and posterior densities of the population parameters.

    Parameters
    ----------
    fit : DataTree

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CalibrationError
        If the fit holds no prior draws.
    """
    shown = panels(parameters(fit))
    if not shown:
        raise CalibrationError(
            "The fit holds no prior draws: expected a group 'prior'. Fit with Calibration.fit, which adds it."
        )
    return arrange(shown, 4, KEY)


def panels(found: list[Parameter]) -> list[Panel]:
    """Give one panel for each parameter that has draws of its prior."""
    return [
        Panel(
            parameter.name,
            f"Prior and posterior density of {parameter.name}; posterior median "
            f"{significant(parameter.posterior[1])} {parameter.unit}.",
            partial(draw_densities, before=parameter.before, after=parameter.after, unit=parameter.unit),
            SMALL,
        )
        for parameter in found
        if parameter.before is not None
    ]


def draw_densities(axes: Axes, before: np.ndarray, after: np.ndarray, unit: str) -> None:
    """Draw both densities over the range where either has weight."""
    positive = before.min() >= 0
    low = min(after.min(), before.min() if positive else np.quantile(before, 0.02))
    high = max(after.max(), np.quantile(before, 0.98))
    for draws, is_posterior in ((before, False), (after, True)):
        inside = draws[(draws >= low) & (draws <= high)]
        kde = arviz_stats.kde(xr.DataArray(inside[None, :], dims=("chain", "draw")))
        grid, density = kde.sel(plot_axis="x").values[::4], kde.sel(plot_axis="y").values[::4]
        density = density * inside.size / draws.size
        if is_posterior:
            axes.fill_between(grid, density, color=BLUE, alpha=0.25)
        axes.plot(grid, density, color=BLUE if is_posterior else GREY)
    axes.set(xlabel=unit, xlim=(0 if positive and low < 0.3 * high else low, high))
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def sensitivity(fit: xr.DataTree, names: list[str]) -> dict[str, tuple[float, float]]:
    """Give the power-scaling sensitivity to the population priors and to the likelihood, where computable.

    References
    ----------
    Kallioinen N, Paananen T, Bürkner PC, Vehtari A. Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling. Statistics and Computing 34 (2024) 57.
    """
    log_prior = population(variables(fit, "log_prior"))
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


def priors_section(fit: xr.DataTree) -> Section:
    """Print where each prior comes from, and what the data changed."""
    found = [parameter for parameter in parameters(fit) if parameter.prior or parameter.before is not None]
    if not found:
        return Section(
            "priors",
            "Priors and posteriors",
            [Text("Priors are not shown: the fit holds neither their table nor draws.", "absent")],
        )
    blocks: list[Block] = [
        Table(
            "Priors and where they come from",
            [*(Column(title) for title in ("Parameter", "Unit", "Prior")),
             *(Column(title, True) for title in ("Median", "5 %", "95 %")), Column("Source")],
            [
                (
                    parameter.name,
                    parameter.unit or NO_UNIT,
                    (parameter.prior or {}).get("distribution", "–"),
                    *alike(parameter.prior_quantiles[[1, 0, 2]]),
                    source_of(parameter.prior or {}),
                )
                for parameter in found
            ],
        )
    ]  # fmt: skip
    weights = sensitivity(fit, [p.name for p in found if p.name in variables(fit, "posterior")])
    leaning = [name for name, (prior, _) in weights.items() if prior >= SENSITIVE]
    if leaning:
        blocks.append(
            Text(
                f"The posterior of {join(leaning)} depends noticeably on the priors (sensitivity "
                f"{SENSITIVE} or more): the source of these priors matters for the conclusions.",
                "caution",
            )
        )
    elif weights:
        blocks.append(
            Text(f"No posterior depends noticeably on the priors (sensitivity below {SENSITIVE}).", "good")
        )
    else:
        blocks.append(
            Text(
                "Sensitivity to the priors is not shown: the fit holds no log_prior or no log_likelihood.",
                "absent",
            )
        )
    blocks.append(
        Table(
            "What the data changed",
            [Column("Parameter"), Column("Unit"),
             *(Column(title, True) for title in ("Prior median", "Posterior median", "5 %", "95 %",
                                                 "Contraction", "Sensitivity to priors", "to data"))],
            [
                (
                    parameter.name,
                    parameter.unit or NO_UNIT,
                    significant(parameter.prior_quantiles[1]),
                    *alike(parameter.posterior[[1, 0, 2]]),
                    percent(max(0.0, parameter.contraction)),
                    *(fixed(value, 2) for value in weights.get(parameter.name, (np.nan, np.nan))),
                )
                for parameter in found
            ],
            note="Contraction: share of the prior variance that the data took away, on the log scale where "
            "positive. Sensitivity: change of the posterior when the population priors, or the likelihood, "
            "are raised to a power near one; below 0.05 it hardly changes.",
        )
    )  # fmt: skip
    shown = panels(found)
    if shown:
        blocks.append(Figure("Prior and posterior densities", list(map(picture, shown)), KEY, "small"))
    else:
        blocks.append(Text("Densities are not drawn: the fit holds no prior draws (group prior).", "absent"))
    return Section("priors", "Priors and posteriors", blocks)


def source_of(prior: dict[str, Any]) -> str:
    """Print the source of a prior, and whether it is informative."""
    source = str(prior.get("source") or "not stated")
    return f"{source} (informative)" if prior.get("informative") else source


def estimates_section(fit: xr.DataTree) -> Section:
    """Print the population estimates by role."""
    found = parameters(fit)
    blocks: list[Block] = []
    for kind, caption, _ in KINDS:
        of_kind = [parameter for parameter in found if parameter.kind == kind]
        if of_kind:
            blocks.append(
                variability_table(fit, of_kind, caption)
                if kind == "variability"
                else estimate_table(of_kind, caption)
            )
    return Section("estimates", "Population estimates", blocks)


def estimate_table(found: list[Parameter], caption: str) -> Table:
    """Print medians and 90 % intervals."""
    return Table(
        caption,
        [
            Column("Parameter"),
            Column("Unit"),
            *(Column(title, True) for title in ("Median", "5 %", "95 %", "Relative sd")),
        ],
        [
            (
                parameter.name,
                parameter.unit or NO_UNIT,
                *alike(parameter.posterior[[1, 0, 2]]),
                percent(parameter.relative_sd),
            )
            for parameter in found
        ],
    )


def variability_table(fit: xr.DataTree, found: list[Parameter], caption: str) -> Table:
    """Print standard deviations on the scale of the random effects, and as coefficients of variation."""
    scales = metadata(fit).get("system", {}).get("scales", {})
    rows = []
    for parameter in found:
        varying = parameter.name.split("_", 1)[1]
        scale = scales.get(varying, "log")
        quantiles = parameter.posterior[[1, 0, 2]]
        variation = np.sqrt(np.expm1(quantiles**2)) if scale == "log" else np.full(3, np.nan)
        rows.append(
            (
                parameter.name,
                scale,
                *alike(quantiles),
                *map(percent, variation),
                percent(shrinkage(fit, parameter.name)),
            )
        )
    numbers = ("sd, median", "5 %", "95 %", "CV, median", "5 %", "95 %", "Shrinkage")
    return Table(
        caption,
        [Column("Parameter"), Column("Scale"), *(Column(title, True) for title in numbers)],
        rows,
        note="sd: standard deviation of the random effects on the scale of the parameter. CV: coefficient of "
        "variation of a log-normal parameter, √(exp(sd²) − 1). Shrinkage: how far the individual estimates "
        "are drawn to the population, 0 % where each subject is known exactly.",
    )
