"""Profile likelihood: how far the data let each variable of the population move, the others following."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from rich.progress import Progress
from scipy.stats import chi2

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.expected_information import standard_errors
from qsp_bayes.identifiability.marginal_likelihood import MarginalLikelihood
from qsp_bayes.identifiability.maximum_likelihood import (
    FAR,
    NOISE,
    Optimum,
    approximation,
    maximise,
    observed_information,
    rough_inverse,
    search,
)

STEPS_TO_LIMIT = 5
"""Points that a parabola would get between the maximum and either limit."""
MOST_STEPS = 40
REFINEMENTS = 12
DEVIANCE_ERROR = 1e-4
STEEPEST = 1e-3
"""Slope that is left at points of a profile: its square, over the curvature, is what the deviance is wrong by."""
BETTER = 1e-2
"""How much more likely a point of a profile must be to take the place of the maximum."""
RESTARTS = 5
NEAR = 6.0
"""How far profiles go, in standard deviations of the prior."""


def profile_likelihood(
    calibration: Calibration,
    study: Study,
    variables: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    simultaneous: bool = False,
    penalised: bool = False,
    progressbar: bool = True,
) -> xr.Dataset:
    r"""Profile the log-likelihood of variables of the population.

    .. math::

        D(u_k) = 2\,\Bigl(\log p(y \mid \hat u) - \max_{u_j,\ j \ne k} \log p(y \mid u)\Bigr)

    The interval of :math:`u_k` is where :math:`D` stays below the quantile of :math:`\chi^2_1` (`simultaneous`: of
    :math:`\chi^2_p`, for all p variables at once). Unlike Wald's it need not be symmetric, does not depend on the scale
    of the variable, and can be open: then the data set no limit on that side, whatever the others have to become.

    Parameters
    ----------
    calibration : Calibration
    study : Study
    variables : sequence of str, optional
        Which; all where left out. An element of a vector is ``"corr_eta_canonical[0]"``.
    level : float
        Of the intervals.
    simultaneous : bool
        Whether the intervals shall hold for all variables together.
    penalised : bool
        Whether the priors of the population count, in the variables' own units: profiles of the posterior density.
    progressbar : bool

    Returns
    -------
    xarray.Dataset
        By ``variable``: ``estimate``, ``lower``, ``upper`` (infinite, 0 or the end of the range where open), in its own
        unit; ``standard_error`` on the unconstrained scale; ``verdict``, in words. By ``variable`` and ``point``, NaN
        where there are fewer: ``value``, ``deviance``, and ``parabola``, the deviance that the standard error stands
        for. By ``variable``, ``point`` and ``variable_bis``: ``path``, where the others went. Attributes ``threshold``,
        ``level``, ``log_likelihood``, ``approximation``.

    Raises
    ------
    CalibrationError
        For a name that is no variable of the population, and where the likelihood is not finite at the start.

    Notes
    -----
    With random effects the likelihood is Laplace's approximation (`MarginalLikelihood`). A profile is followed for six
    standard deviations of the prior on the unconstrained scale (more where the curvature at the maximum says that the
    limit is further away, twelve at most); a side on which the deviance stays below the threshold until there is called
    open, and flat where it moves by less than a hundredth of the threshold. If a profile meets a more likely point, the
    maximum moves there and the profiles begin again. Correlations of effects are there as ``corr_eta_canonical``,
    (1 + r) / 2 of partial correlations r.

    The steps of a nonlinear system's solver change with the parameters, and leave noise of about 0.001 in Laplace's
    approximation; where that matters, give the calibration a solver with a tighter tolerance.

    Interrupting (Ctrl-C) keeps the profiles that are finished; the others can be asked for later.

    References
    ----------
    Venzon DJ, Moolgavkar SH (1988). A method for computing profile-likelihood-based confidence intervals. Appl Stat
    37:87-94.

    Raue A et al (2009). Structural and practical identifiability analysis of partially observed dynamical models by
    exploiting the profile likelihood. Bioinformatics 25:1923-1929.

    Examples
    --------
    >>> from qsp_bayes.calibration import Additive, Calibration, load_priors
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> calibration = Calibration(
    ...     one_compartment(absorption="first-order"), load_priors("theophylline"), error={"Cc": Additive()}
    ... )
    >>> found = profile_likelihood(calibration, load_dataset("theophylline"), ["TVCL"], progressbar=False)
    >>> found.verdict.item()
    'limits on both sides'
    """
    likelihood = MarginalLikelihood.of(calibration, study, penalised=penalised)
    chosen = list(likelihood.names) if variables is None else list(variables)
    if unknown := [name for name in chosen if name not in likelihood.names]:
        raise CalibrationError(
            f"{', '.join(unknown)}: no variable of the population, which has {', '.join(likelihood.names)}."
        )
    threshold = float(chi2(len(likelihood.names) if simultaneous else 1).ppf(level))
    profiles: dict[str, Profile] = {}
    top = None
    with Progress(disable=not progressbar, transient=True) as progress:
        task = progress.add_task("finding the maximum", total=len(chosen))
        try:
            top = Top.of(likelihood, maximise(likelihood))
            for _ in range(RESTARTS):
                profiles, higher = {}, None
                for name in chosen:
                    progress.update(task, description=f"profile of {name}", completed=len(profiles))
                    profile = follow(top, likelihood.names.index(name), threshold)
                    higher = profile.higher
                    if higher is not None:
                        break
                    profiles[name] = profile
                if higher is None:
                    break
                top = Top.of(likelihood, maximise(likelihood, higher.population))
        except KeyboardInterrupt:
            if top is None:
                raise
            warnings.warn(
                f"Profiles were interrupted: those of {', '.join(profiles) or 'no variable'} are kept, those of "
                f"{', '.join(name for name in chosen if name not in profiles)} are missing.",
                stacklevel=2,
            )
    dataset = tabulate(top, profiles, threshold)
    return dataset.assign_attrs(
        threshold=threshold,
        level=level,
        log_likelihood=top.best.value,
        approximation=approximation(likelihood),
    )


@dataclass(frozen=True, eq=False)
class Top:
    """The maximum, and the information there."""

    likelihood: MarginalLikelihood
    best: Optimum
    information: np.ndarray
    standard_error: np.ndarray

    @classmethod
    def of(cls, likelihood: MarginalLikelihood, best: Optimum) -> Top:
        """Work out the information at a maximum."""
        information = observed_information(likelihood, best)
        return cls(likelihood, best, information, standard_errors(information, NOISE))

    def given(self, k: int, value: float, close: Optimum) -> Optimum:
        """Maximise over all variables but one, from a point close by."""
        free = np.delete(np.arange(len(self.best.population)), k)
        start = close.population.copy()
        start[k] = value
        inverse = rough_inverse(self.information[np.ix_(free, free)])
        return search(self.likelihood, start, free, inverse, close.effects, steepest=STEEPEST)

    def deviance(self, at: Optimum) -> float:
        """Twice the log-likelihood that is lost."""
        return 2 * (self.best.value - at.value)


@dataclass(frozen=True, eq=False)
class Walk:
    """One side of a profile: its points, where it crosses the threshold (None: nowhere), and how high it goes."""

    points: list[Optimum]
    limit: float | None
    rise: float


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of one variable: the maximum, and what lies to either side (-1, 1) of it."""

    k: int
    top: Optimum
    sides: dict[int, Walk]

    @property
    def points(self) -> list[Optimum]:
        """All points, by the value of the variable."""
        every = [self.top, *(point for side in self.sides.values() for point in side.points)]
        return sorted(every, key=lambda point: point.population[self.k])

    @property
    def higher(self) -> Optimum | None:
        """The most likely point, if it is more likely than the maximum."""
        best = max(self.points, key=lambda point: point.value)
        return best if best.value > self.top.value + BETTER else None


def follow(top: Top, k: int, threshold: float) -> Profile:
    """Follow the profile of one variable to both sides."""
    return Profile(k, top.best, {side: walk(top, k, side, threshold) for side in (-1, 1)})


def walk(top: Top, k: int, side: int, threshold: float) -> Walk:
    """Walk to one side until the deviance is above the threshold, or as far as profiles go.

    The root of the deviance grows about evenly with distance: steps aim at equal steps of it.
    """
    error, sd = top.standard_error[k], top.likelihood.prior_sd[k]
    centre = top.best.population[k]
    reach = min(max(NEAR * sd, 8 * error), FAR * sd)
    aim = np.sqrt(threshold) / STEPS_TO_LIMIT
    step = min(error * aim, reach / 4)
    trail = [top.best]
    for _ in range(MOST_STEPS):
        before = trail[-1]
        distance = min(abs(before.population[k] - centre) + step, reach)
        value = centre + side * distance
        trail.append(top.given(k, value, ahead(trail, k, value)))
        grown = root(top.deviance(trail[-1])) - root(top.deviance(before))
        is_higher = trail[-1].value > top.best.value + BETTER
        if top.deviance(trail[-1]) > threshold or is_higher or distance >= reach:
            break
        step *= float(np.clip(aim / max(grown, 1e-12), 0.5, 2.0))
    rise = max(top.deviance(point) for point in trail)
    limit = cross(top, k, trail, threshold) if top.deviance(trail[-1]) > threshold else None
    return Walk(trail[1:], limit, rise)


def root(deviance: float) -> float:
    """Give the root of a deviance, which rounding may make a little negative."""
    return float(np.sqrt(max(deviance, 0.0)))


def ahead(trail: list[Optimum], k: int, value: float) -> Optimum:
    """Guess the next point of a profile on the line through the last two."""
    last = trail[-1]
    if len(trail) < 2 or not np.isfinite(last.value):
        return last
    change = last.population - trail[-2].population
    if change[k] == 0:
        return last
    guess = last.population + change * (value - last.population[k]) / change[k]
    return last._replace(population=guess)


def cross(top: Top, k: int, trail: list[Optimum], threshold: float) -> float:
    """Find where the profile crosses the threshold, between the last two points; all tried points join the trail.

    False position on the root of the deviance, with halving where it is slow.
    """
    inside, outside = trail[-2], trail[-1]
    aim = np.sqrt(threshold)
    value = outside.population[k]
    for turn in range(REFINEMENTS):
        low, high = root(top.deviance(inside)), root(top.deviance(outside))
        share = (aim - low) / (high - low) if np.isfinite(high) and turn % 3 < 2 else 0.5
        value = inside.population[k] + share * (outside.population[k] - inside.population[k])
        found = top.given(k, value, inside)
        trail.append(found)
        miss = top.deviance(found) - threshold
        if abs(miss) < DEVIANCE_ERROR * threshold:
            break
        inside, outside = (found, outside) if miss < 0 else (inside, found)
    return float(value)


def tabulate(top: Top, profiles: dict[str, Profile], threshold: float) -> xr.Dataset:
    """Arrange profiles by variable and point, in the variables' own units."""
    likelihood = top.likelihood
    longest = max((len(profile.points) for profile in profiles.values()), default=0)
    value, deviance, parabola = (np.full((len(profiles), longest), np.nan) for _ in range(3))
    path = np.full((len(profiles), longest, len(likelihood.names)), np.nan)
    lower, upper = np.full((2, len(profiles)), np.nan)
    for row, profile in enumerate(profiles.values()):
        for column, point in enumerate(profile.points):
            path[row, column] = likelihood.natural(point.population)
            deviance[row, column] = top.deviance(point)
            away = point.population[profile.k] - top.best.population[profile.k]
            parabola[row, column] = (away / top.standard_error[profile.k]) ** 2
        value[row] = path[row, :, profile.k]
        lower[row], upper[row] = (limit_in_units(top, profile, side) for side in (-1, 1))
    positions = [profile.k for profile in profiles.values()]
    return xr.Dataset(
        {
            "estimate": ("variable", likelihood.natural(top.best.population)[positions]),
            "lower": ("variable", lower),
            "upper": ("variable", upper),
            "standard_error": ("variable", top.standard_error[positions]),
            "verdict": ("variable", [verdict(profile, threshold) for profile in profiles.values()]),
            "value": (("variable", "point"), value),
            "deviance": (("variable", "point"), deviance),
            "parabola": (("variable", "point"), parabola),
            "path": (("variable", "point", "variable_bis"), path),
        },
        {"variable": list(profiles), "variable_bis": likelihood.names},
    )


def limit_in_units(top: Top, profile: Profile, side: int) -> float:
    """Give a limit in the variable's own unit; the end of its range where the profile is open."""
    point = top.best.population.copy()
    limit = profile.sides[side].limit
    point[profile.k] = side * np.inf if limit is None else limit
    with np.errstate(all="ignore"):
        return float(top.likelihood.natural(point)[profile.k])


def verdict(profile: Profile, threshold: float) -> str:
    """Say in words what a profile shows."""
    is_open = {side for side, found in profile.sides.items() if found.limit is None}
    if not is_open:
        return "limits on both sides"
    is_flat = all(profile.sides[side].rise < threshold / 100 for side in is_open)
    if len(is_open) == 2:
        return "flat: not identifiable" if is_flat else "open to both sides: no limit"
    side = {-1: "below: no lower limit", 1: "above: no upper limit"}[is_open.pop()]
    return f"{'flat' if is_flat else 'open'} {side}"
