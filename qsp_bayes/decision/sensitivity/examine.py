"""Sensitivity of a decision: the same choice under other priors, models, groups, solvers and utilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice.choose import choose
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.simulation_error import SAMPLE
from qsp_bayes.decision.sensitivity.decision_sensitivity import DecisionSensitivity
from qsp_bayes.decision.sensitivity.power_weights import POWERS
from qsp_bayes.decision.sensitivity.variation import Variation, from_decision
from qsp_bayes.decision.sensitivity.variations import (
    HERE,
    Choice,
    under_average,
    under_calibration,
    under_groups,
    under_powers,
    under_solver,
)
from qsp_bayes.decision.utilities.utility import Utility, as_utility
from qsp_bayes.errors import DecisionError


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
        raise DecisionError(
            f"{kept} is the only regimen: there is no other that could be better. Simulate several."
        )
    individual = measured(future)
    calibrations, fits, utilities = dict(calibrations or {}), dict(fits or {}), dict(utilities or {})
    plain = is_plain(decision, individual)
    variations: list[Variation] = []
    weights: dict[str, float] = {}
    if fit is not None:
        require_own_fit(future, fit)
    if fit is not None and plain:
        variations += under_powers(kept, individual.sel(regimen=decision.admissible), fit, powers)
    for label, other in calibrations.items():
        variations.append(under_calibration(kept, decision, label, other, measured, choice))
    if fit is not None and plain and fits:
        average, weights = under_average(
            kept, individual, measured, {HERE: fit, **fits}, calibrations, decision
        )
        variations.append(average)
    for name in groups:
        variations += under_groups(kept, future, name, measured, individual, choice)
    if tighter is not None:
        variations.append(under_solver(kept, future, tighter, measured, decision, choice))
    for label, function in utilities.items():
        other_choice = choice(future, as_utility(function))
        variations.append(from_decision("utility", label, kept, other_choice, "unit of its own"))
    kinds = {variation.kind for variation in variations}
    return DecisionSensitivity.of(
        kept,
        variations,
        utility=decision.description,
        unit="" if decision.unit in (None, "1") else str(decision.unit),
        regret=float(decision.table["expected_regret"][kept]),
        matters=matters,
        weights=weights,
        not_examined={what: hint for kind, (what, hint) in hints(plain).items() if kind not in kinds},
    )


def hints(plain: bool) -> dict[str, tuple[str, str]]:
    """Say, by kind of variation, what it examines and what it takes."""
    mean_only = "" if plain else ", and choose by expected utility: a measure of risk is not reweighted"
    return {
        "priors": ("priors and data", f"give the fit{mean_only}"),
        "calibration": (
            "other calibrations",
            "simulate from another fit, and give calibrations={label: future}",
        ),
        "average": ("model average", f"give the fit, calibrations and fits={{label: fit}}{mean_only}"),
        "group": ("covariate groups", "give groups=[covariate]"),
        "solver": ("solver tolerance", "simulate again with a tighter solver, and give tighter=future"),
        "utility": ("other utilities", "give utilities={label: utility}"),
    }


def require_own_fit(future: xr.DataTree, fit: xr.DataTree) -> None:
    """Require that the draws of the simulation are draws of the fit."""
    simulated, fitted = (json.loads(tree.attrs.get("qsp_bayes", "{}")) for tree in (future, fit))
    if "how" in simulated:
        raise DecisionError(
            "The simulation is of one patient, whose draws are weighted by the patient's own levels: they are not "
            "those of the fit. Leave fit= out."
        )
    records = fitted.get("study", {}).get("checksum")
    if "study" in simulated and records is not None and simulated["study"] != records:
        raise DecisionError(
            "The simulation was made from another fit: the records differ. Pass the fit that was given to "
            "Calibration.simulate."
        )


def is_plain(decision: Decision, individual: xr.DataArray) -> bool:
    """Tell whether the choice was by the mean over individuals and draws, which weights can be applied to."""
    mean = individual.mean((*SAMPLE, "subject"))
    scale = float(np.abs(individual).max())
    return bool(np.allclose(mean, decision.data["expected_utility"], rtol=0, atol=1e-9 * scale))
