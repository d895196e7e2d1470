"""Sensitivity of a decision: the same choice under other priors, models, groups, solvers and utilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice import choose
from qsp_bayes.decision.covariate_groups import covariate_groups
from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.decision_sensitivity import DecisionSensitivity
from qsp_bayes.decision.model_average import stacking_weights
from qsp_bayes.decision.power_weights import POWERS, power_weights
from qsp_bayes.decision.simulation_error import SAMPLE
from qsp_bayes.decision.utility import Utility, utility
from qsp_bayes.decision.variation import Variation, from_decision, from_draws
from qsp_bayes.errors import DecisionError

HERE = "this fit"
Choice = Callable[[xr.DataTree, Utility], Decision]


def decision_sensitivity(
    future: xr.DataTree,
    utility_function: Utility | Callable[[xr.Dataset], Any],
    fit: xr.DataTree | None = None,
    *,
    powers: Sequence[float] = POWERS,
    calibrations: Mapping[str, xr.DataTree | Decision] | None = None,
    fits: Mapping[str, xr.DataTree] | None = None,
    groups: Sequence[str] = (),
    tighter: xr.DataTree | None = None,
    utilities: Mapping[str, Utility | Callable[[xr.Dataset], Any]] | None = None,
    matters: float | None = None,
    choice: Choice = choose,
) -> DecisionSensitivity:
    r"""Ask whether the recommended regimen moves when one assumption changes.

    Only what is given is examined, and the result says what was not:

    - **priors and data** (`fit`): all priors, each prior, and the data are raised to `powers`; the draws of the
      simulation are reweighted and the Pareto k shown (Kallioinen et al. 2024);
    - **other calibrations** (`calibrations`), such as another error model: simulations of the same regimens from
      other fits, or decisions made with them;
    - **their average** (`calibrations` and `fits`): the mixture of all fits with stacking weights, by how each
      predicts left-out subjects (see `stacking_weights`);
    - **covariate groups** (`groups`): the choice for the individuals of each third of a covariate, or each category;
    - **the solver** (`tighter`): the same draws and individuals simulated again by a solver of a tighter tolerance;
    - **the utility** (`utilities`): other weights or thresholds.

    For each, with :math:`d_0` the recommended regimen and :math:`EU'` the expected utility under the variation, the
    regret of keeping it is :math:`\max_d EU'(d) - EU'(d_0)`. It is told from zero, either way, where the difference
    exceeds two Monte Carlo standard errors on common draws and individuals: the recommendation then ``stays best`` or
    has ``moved``. Otherwise, or where the Pareto k is beyond its limit, the regimens are ``not told apart``.

    Parameters
    ----------
    future : DataTree
        From `Calibration.simulate`.
    utility_function : Utility or callable
        As for `choose`.
    fit : DataTree, optional
        The fit that `future` was simulated from.
    powers : sequence of float
        Below 1 weakens a part, above 1 strengthens it.
    calibrations : mapping of str to DataTree or Decision, optional
        By label.
    fits : mapping of str to DataTree, optional
        The fits behind simulations in `calibrations`, under the same labels, for the average.
    groups : sequence of str
        Covariates of the simulated individuals.
    tighter : DataTree, optional
        ``replace(calibration, solver=...).simulate(fit, ...)`` with the same seed, where ``replace`` is that of
        ``dataclasses``. A linear system is solved exactly and needs none.
    utilities : mapping of str to Utility or callable, optional
        By label.
    matters : float, optional
        The smallest difference in utility that matters; drawn, and used in words.
    choice : callable
        How to choose, where it is not plain `choose`: ``partial(choose, constraints=...)``.

    Returns
    -------
    DecisionSensitivity

    Raises
    ------
    DecisionError
        If what is given does not fit together.

    Notes
    -----
    Weights reach only posteriors that the draws cover. A conclusion that hangs on a prior far from the one used needs
    another fit, to be given in `calibrations`.

    References
    ----------
    Kallioinen N, Paananen T, Bürkner PC, Vehtari A (2024). Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling. Stat Comput 34:57. Yao Y, Vehtari A, Simpson D, Gelman A (2018). Using stacking to average
    Bayesian predictive distributions. Bayesian Anal 13:917-1007.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> weight = np.linspace(50, 100, 60)
    >>> clearance = weight / 70 * rng.lognormal(0, 0.2, (4, 50, 1)) * np.ones((4, 50, 60))
    >>> dose = xr.DataArray([1.0, 1.4], dims="regimen", coords={"regimen": ["low", "high"]})
    >>> level = dose / xr.DataArray(clearance, dims=("chain", "draw", "subject"))
    >>> future = xr.DataTree.from_dict({
    ...     "predictions": level.expand_dims(time=[0.0, 1.0], axis=-1).to_dataset(name="Cc"),
    ...     "constant_data": xr.Dataset({"WT": ("subject", weight)}),
    ... })
    >>> found = decision_sensitivity(future, lambda x: -abs(np.log(x["Cc"].max("time"))), groups=["WT"])
    >>> found.recommended, found.table["verdict"].tolist()
    ('low', ['stays best', 'stays best', 'moved'])
    """
    measured = as_utility(utility_function)
    decision = choice(future, measured)
    kept = decision.best
    if len(decision.table) < 2:
        raise DecisionError(f"{kept} is the only regimen: there is no other that could be better.")
    individual = measured(future)
    calibrations, fits, utilities = dict(calibrations or {}), dict(fits or {}), dict(utilities or {})
    variations: list[Variation] = []
    skipped: dict[str, str] = {}
    weights: dict[str, float] = {}
    weighable = is_plain(decision, individual)
    if fit is None:
        skipped["priors and data"] = "give the fit"
    elif not weighable:
        skipped["priors and data"] = "choose by expected utility: a measure of risk is not reweighted"
    else:
        variations += under_powers(kept, admissible(decision, individual), fit, powers)
    for label, other in calibrations.items():
        variations.append(under_calibration(kept, decision, label, other, measured, choice))
    if not calibrations:
        skipped["other calibrations"] = (
            "simulate the regimens from another fit, and give calibrations={label: future}"
        )
    if fits and fit is not None and weighable:
        average, weights = under_average(
            kept, individual, measured, {HERE: fit, **fits}, calibrations, decision
        )
        variations.append(average)
    else:
        skipped["model average"] = "give the fit and fits={label: fit}, for the labels of calibrations"
    for name in groups:
        variations += under_groups(kept, future, name, measured, individual, choice)
    if not groups:
        skipped["covariate groups"] = "give groups=[covariate]"
    if tighter is not None:
        variations.append(under_solver(kept, future, tighter, measured, decision, choice))
    else:
        skipped["solver tolerance"] = "simulate again with a tighter solver, and give tighter=future"
    for label, function in utilities.items():
        variations.append(
            from_decision("utility", label, kept, choice(future, as_utility(function)), "unit of its own")
        )
    if not utilities:
        skipped["other utilities"] = "give utilities={label: utility}"
    return DecisionSensitivity.of(
        kept,
        variations,
        utility=decision.description,
        unit="" if decision.unit in (None, "1") else str(decision.unit),
        regret=float(decision.table["expected_regret"][kept]),
        matters=matters,
        weights=weights,
        not_examined=skipped,
    )


def as_utility(function: Utility | Callable[[xr.Dataset], Any]) -> Utility:
    """Make a utility of a function, and leave one as it is."""
    return function if isinstance(function, Utility) else utility(function)


def is_plain(decision: Decision, individual: xr.DataArray) -> bool:
    """Tell whether the choice was by the mean over individuals and draws, which weights can be applied to."""
    mean = individual.mean((*SAMPLE, "subject"))
    scale = float(np.abs(individual).max())
    return bool(np.allclose(mean, decision.data["expected_utility"], rtol=0, atol=1e-9 * scale))


def admissible(decision: Decision, individual: xr.DataArray) -> xr.DataArray:
    """Leave out the regimens that break a constraint."""
    return individual.sel(regimen=decision.admissible)


def under_powers(
    kept: str, individual: xr.DataArray, fit: xr.DataTree, powers: Sequence[float]
) -> Iterator[Variation]:
    """Raise priors and data to powers."""
    if individual.sizes["regimen"] < 2:
        return
    for part in power_weights(fit, individual, powers):
        note = "" if part.pareto_k <= part.limit else f"Pareto k above {part.limit:.2f}: fit again"
        yield from_draws(
            part.kind,
            part.label,
            kept,
            [(individual, part.weights)],
            pareto_k=part.pareto_k,
            limit=part.limit,
            note=note,
        )


def under_calibration(
    kept: str,
    decision: Decision,
    label: str,
    other: xr.DataTree | Decision,
    measured: Utility,
    choice: Choice,
) -> Variation:
    """Choose with another calibration."""
    made = other if isinstance(other, Decision) else choice(other, measured)
    require_same_regimens(decision, made, label)
    return from_decision("calibration", label, kept, made)


def require_same_regimens(decision: Decision, other: Decision, label: str) -> None:
    """Require that both decisions are among the same regimens."""
    ours, theirs = set(decision.table.index), set(other.table.index)
    if ours != theirs:
        raise DecisionError(
            f"{label!r} compares other regimens: {', '.join(sorted(map(str, ours ^ theirs)))} "
            "stand on one side only. Simulate the same regimens."
        )


def under_average(
    kept: str,
    individual: xr.DataArray,
    measured: Utility,
    fits: Mapping[str, xr.DataTree],
    calibrations: Mapping[str, xr.DataTree | Decision],
    decision: Decision,
) -> tuple[Variation, dict[str, float]]:
    """Choose under the mixture of several fits."""
    values = {HERE: admissible(decision, individual)}
    for label in fits:
        if label == HERE:
            continue
        other = calibrations.get(label)
        if not isinstance(other, xr.DataTree):
            raise DecisionError(
                f"The average needs a simulation from the fit {label!r}: give calibrations={{{label!r}: future}}, "
                "on the same regimens and individuals."
            )
        values[label] = measured(other).sel(regimen=values[HERE]["regimen"])
        if any(values[label].sizes[dim] != individual.sizes[dim] for dim in SAMPLE):
            raise DecisionError(
                f"The simulation {label!r} has {dict(values[label].sizes)} as its sizes, this one "
                f"{dict(individual.sizes)}. Simulate both with the same number of chains and draws."
            )
        if not np.array_equal(values[label]["subject"], individual["subject"]):
            raise DecisionError(
                f"The simulation {label!r} is of other individuals. Simulate the same subjects."
            )
    table = stacking_weights(fits)
    parts = []
    for label, utilities in values.items():
        uniform = xr.ones_like(utilities.isel(regimen=0, subject=0, drop=True))
        parts.append((utilities, uniform * (table["weight"][label] / uniform.size)))
    worst, limit = float(table["pareto_k"].max()), float(table["limit"].min())
    note = "" if worst <= limit else f"a subject has Pareto k {worst:.2f}: the weights are uncertain"
    return (
        from_draws("average", "average of the fits", kept, parts, note=note),
        {label: float(weight) for label, weight in table["weight"].items()},
    )


def under_groups(
    kept: str,
    future: xr.DataTree,
    name: str,
    measured: Utility,
    individual: xr.DataArray,
    choice: Choice,
) -> Iterator[Variation]:
    """Choose for the individuals of each group."""
    labels = individual["subject"].to_numpy()
    for label, inside in covariate_groups(future, name, labels):
        part = future.map_over_datasets(lambda group, chosen=labels[inside]: of_subjects(group, chosen))
        part.attrs = dict(future.attrs)
        count = int(inside.sum())
        note = "one individual" if count == 1 else f"{count} individuals"
        yield from_decision("group", label, kept, choice(part, measured), note)


def of_subjects(group: xr.Dataset, labels: np.ndarray) -> xr.Dataset:
    """Take some individuals of a group of a simulation."""
    return group.sel(subject=labels) if "subject" in group.dims else group


def under_solver(
    kept: str,
    future: xr.DataTree,
    tighter: xr.DataTree,
    measured: Utility,
    decision: Decision,
    choice: Choice,
) -> Variation:
    """Choose with the same draws and individuals, solved more tightly."""
    seeds = [json.loads(tree.attrs.get("qsp_bayes", "{}")).get("random_seed") for tree in (future, tighter)]
    again = choice(tighter, measured)
    require_same_regimens(decision, again, "tighter")
    same = all(np.array_equal(decision.utility[dim], again.utility[dim]) for dim in SAMPLE)
    if seeds[0] != seeds[1] or not same:
        raise DecisionError(
            "`tighter` is of other draws or another random seed, so that a difference would not be the solver's. "
            "Simulate with the same fit, draws, subjects and random_seed."
        )
    change = float(np.abs(again.data["expected_utility"] - decision.data["expected_utility"]).max())
    note = f"expected utilities change by at most {change:.1g}"
    return from_decision("solver", "tighter solver", kept, again, note)
