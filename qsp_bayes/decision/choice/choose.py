"""Choice among regimens by expected utility."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.choice.attainment import attainment
from qsp_bayes.decision.choice.constraint import Constraint, judge_all
from qsp_bayes.decision.choice.decision import COLUMNS, Decision
from qsp_bayes.decision.choice.risk import Functional, Mean, over_draws, over_individuals
from qsp_bayes.decision.choice.simulation_error import (
    SAMPLE,
    error_components,
    individual_noise,
    standard_error,
)
from qsp_bayes.decision.utilities.clinical_utility_index import ClinicalUtilityIndex
from qsp_bayes.decision.utilities.utility import Utility, as_utility
from qsp_bayes.errors import DecisionError

AVERAGE = Mean()


def choose(
    future: xr.DataTree,
    utility_function: Utility | Callable[[xr.Dataset], Any],
    *,
    individuals: Functional = AVERAGE,
    uncertainty: Functional = AVERAGE,
    constraints: Sequence[Constraint] = (),
    targets: Mapping[str, Callable[[xr.Dataset], Any]] | None = None,
) -> Decision:
    r"""Choose the regimen with the highest expected utility.

    With :math:`u_{sid}` the utility of new individual :math:`i` at population draw :math:`\theta_s` under
    regimen :math:`d`, and :math:`U(d, \theta_s) = \operatorname{mean}_i u_{sid}`:

    .. math::
        EU(d) &= \operatorname{mean}_s U(d, \theta_s), \qquad d^* = \operatorname{argmax}_d EU(d) \\
        P_\mathrm{best}(d) &= \operatorname{mean}_s 1\{U(d, \theta_s) = \max_{d'} U(d', \theta_s)\} \\
        \mathrm{regret}(d) &= \operatorname{mean}_s \bigl[\max_{d'} U(d', \theta_s) - U(d, \theta_s)\bigr]

    Probability and regret are over what is not known of the population, never over individuals; which share
    of individuals each regimen serves best is reported apart. The regret of :math:`d^*` is the expected value
    of perfect information on :math:`\theta`: no study could be worth more. Tied regimens share a draw
    equally.

    **Risk.** `individuals` takes the place of the mean over i, `uncertainty` that of the mean over s in EU:
    ``CVaR(0.1)`` is the mean of the worst tenth, ``Quantile(0.1)`` what nine of ten reach. Probability and regret stay
    over the draws of U, whatever the uncertainty is averaged by.

    **Constraints.** The best is taken among the regimens that every constraint admits; so are probability, regret and
    the share best served, which have no value for the others.

    **Optimism.** The largest of several noisy means is too large: with finitely many draws and individuals, the
    expected utility of :math:`d^*`, its regret and the value of information are biased upwards, by at most the Monte
    Carlo error of the differences times a factor that grows slowly with the number of regimens. Regret and P(best)
    use the maximum at every draw, over means of finitely many individuals; ``individual_noise`` is the share of the
    variance between draws that is only their noise. More individuals are the cure.

    Parameters
    ----------
    future : DataTree
        Result of `Calibration.simulate`: the same draws and individuals under every candidate regimen.
    utility_function : Utility or callable
        See :func:`utility`. It sees the outputs without residual error, unless the simulation added it. A
        `ClinicalUtilityIndex` is one.
    individuals, uncertainty : Mean, CVaR or Quantile
        What is made of the individuals at one draw, and of the draws.
    constraints : sequence of Constraint
    targets : mapping of str to callable, optional
        Targets whose attainment the decision shows beside the utility; see :func:`attainment`.

    Returns
    -------
    Decision

    Raises
    ------
    DecisionError
        If the simulation or the utility does not fit, there are fewer than four draws in a chain, or no regimen is
        admissible: with each regimen's figure against its limit.
    UnitsError
        If a threshold is given in another unit than that of its path.

    References
    ----------
    Berger JO. Statistical Decision Theory and Bayesian Analysis. 2nd ed. Springer, 1985. Smith JE, Winkler RL. The
    optimizer's curse: skepticism and postdecision surprise in decision analysis. Manage Sci 2006;52:311-322.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clearance = xr.DataArray(rng.lognormal(0, 0.1, (4, 50, 20)), dims=("chain", "draw", "subject"))
    >>> dose = xr.DataArray([1.0, 4.0], dims="regimen", coords={"regimen": ["low", "high"]})
    >>> exposure = (dose / clearance).expand_dims(time=[0.0, 1.0], axis=-1)
    >>> future = xr.DataTree.from_dict({"predictions": exposure.to_dataset(name="Cc")})
    >>> decision = choose(future, lambda x: -abs(np.log(x["Cc"].max("time"))))
    >>> decision.best
    'low'
    >>> decision.table.loc["high", "p_best"].item()
    0.0
    """
    measured = as_utility(utility_function)
    require_names(constraints, targets or {})
    units = measured.check_units(future)
    individual = measured(future)
    if individual.sizes["draw"] < 4:
        raise DecisionError(
            f"The simulation holds {individual.sizes['draw']} draws in each chain; at least 4 are needed to "
            "know the Monte Carlo error, and some hundred to know a probability. Simulate with more draws."
        )
    judged = judge_all(constraints, future) if constraints else xr.Dataset()
    data = compare(individual, individuals, uncertainty, judged.get("admissible"))
    data = data.merge(judged)
    if targets:
        attained = attainment(future, targets).data
        data = data.merge(attained.rename({name: f"target_{name}" for name in attained.data_vars}))
    if isinstance(measured.function, ClinicalUtilityIndex):
        attributes = measured.function.by_attribute(future)
        data = data.merge(attributes.rename({name: f"attribute_{name}" for name in attributes.data_vars}))
    simulated = json.loads(future.attrs.get("qsp_bayes", "{}"))
    described = {
        "utility": measured.description,
        "unit": units.unit,
        "unit_note": units.note,
        "n_subjects": individual.sizes["subject"],
        "individuals": str(individuals),
        "uncertainty": str(uncertainty),
        "individuals_counted": individuals.counted(individual.sizes["subject"]),
        "draws_counted": uncertainty.counted(individual.sizes["chain"] * individual.sizes["draw"]),
        "constraints": [constraint.facts() for constraint in constraints],
    }
    return Decision(data.assign_attrs(qsp_bayes=json.dumps({**simulated, **described})))


def compare(
    individual: xr.DataArray,
    individuals: Functional,
    uncertainty: Functional,
    admissible: xr.DataArray | None,
) -> xr.Dataset:
    """Compare the regimens by the utilities of individuals, dimensions chain, draw, regimen, subject."""
    values = over_individuals(individual, individuals)
    population = values.mean("subject")
    worth = over_draws(values, uncertainty)
    expected = worth.mean((*SAMPLE, "subject"))
    allowed = expected["regimen"] if admissible is None else expected["regimen"][admissible.to_numpy()]
    best = expected.sel(regimen=allowed).idxmax("regimen")
    candidates, candidate_values = population.sel(regimen=allowed), values.sel(regimen=allowed)
    best_at_draw = candidate_values.isel(regimen=candidates.argmax("regimen")).drop_vars("regimen")
    behind = values - values.sel(regimen=best).drop_vars("regimen")
    ahead = behind if worth is values else worth - worth.sel(regimen=best).drop_vars("regimen")
    wins = shared_wins(candidates)
    variance = error_components(ahead).to_array("component")
    among_allowed = xr.Dataset(
        {
            "p_best": wins.mean(SAMPLE),
            "p_best_mcse": mcse(wins),
            "expected_regret": (candidates.max("regimen") - candidates).mean(SAMPLE),
            "expected_regret_mcse": standard_error(best_at_draw - candidate_values),
        }
    ).reindex(regimen=expected["regimen"])
    served = shared_wins(individual.sel(regimen=allowed)).mean((*SAMPLE, "subject"))
    return xr.Dataset(
        {
            "utility": population,
            "expected_utility": expected,
            "mcse": standard_error(worth),
            "q05": population.quantile(0.05, SAMPLE).drop_vars("quantile"),
            "q95": population.quantile(0.95, SAMPLE).drop_vars("quantile"),
            **among_allowed.data_vars,
            "difference": ahead.mean((*SAMPLE, "subject")),
            "difference_mcse": variance.sum("component") ** 0.5,
            "difference_variance": variance,
            "share_best_served": served.reindex(regimen=expected["regimen"]),
            "individual_noise": individual_noise(behind),
        }
    )


def require_names(constraints: Sequence[Constraint], targets: Mapping[str, Any]) -> None:
    """Require different names of constraints and targets, none being a column of the table."""
    names = [*(constraint.name for constraint in constraints), *targets]
    for position, name in enumerate(names):
        if name in COLUMNS or name in names[:position]:
            raise DecisionError(
                f"The name {name!r} is given twice, or is a column of the decision's table. Give each constraint "
                "(name='...') and target a name of its own."
            )


def shared_wins(values: xr.DataArray) -> xr.DataArray:
    """Mark the best regimen with 1, or the k tied ones with 1/k each.

    Values count as tied within 1e-9 of the largest magnitude, which is the rounding of the simulation.

    Examples
    --------
    >>> shared_wins(xr.DataArray([3.0, 1.0, 3.0], dims="regimen")).values.tolist()
    [0.5, 0.0, 0.5]
    """
    rounding = 1e-9 * float(np.abs(values).max())
    wins = values >= values.max("regimen") - rounding
    return wins / wins.sum("regimen")
