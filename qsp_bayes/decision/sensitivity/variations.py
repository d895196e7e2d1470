"""Variations: the same choice under other priors, calibrations, groups of individuals and solvers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.simulation_error import SAMPLE
from qsp_bayes.decision.sensitivity.covariate_groups import covariate_groups
from qsp_bayes.decision.sensitivity.model_average import stacking_weights
from qsp_bayes.decision.sensitivity.power_weights import power_weights
from qsp_bayes.decision.sensitivity.variation import Variation, from_decision, from_draws
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError

HERE = "this fit"
Choice = Callable[[xr.DataTree, Utility], Decision]


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
    values = {HERE: individual.sel(regimen=decision.admissible)}
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
