"""Choice among regimens by expected utility."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.simulation_error import SAMPLE, individual_noise, standard_error
from qsp_bayes.decision.utility import Utility, utility
from qsp_bayes.errors import DecisionError


def choose(future: xr.DataTree, utility_function: Utility | Callable[[xr.Dataset], Any]) -> Decision:
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

    Parameters
    ----------
    future : DataTree
        Result of `Calibration.simulate`: the same draws and individuals under every candidate regimen.
    utility_function : Utility or callable
        See :func:`utility`. It sees the outputs without residual error, unless the simulation added it.

    Returns
    -------
    Decision

    Raises
    ------
    DecisionError
        If the simulation or the utility does not fit, or there are fewer than four draws in a chain.

    References
    ----------
    Berger JO. Statistical Decision Theory and Bayesian Analysis. 2nd ed. Springer, 1985.

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
    measured = utility_function if isinstance(utility_function, Utility) else utility(utility_function)
    individual = measured(future)
    if individual.sizes["draw"] < 4:
        raise DecisionError(
            f"The simulation holds {individual.sizes['draw']} draws in each chain; at least 4 are needed to "
            "know the Monte Carlo error, and some hundred to know a probability. Simulate with more draws."
        )
    population = individual.mean("subject")
    expected = population.mean(SAMPLE)
    best = expected.idxmax("regimen")
    best_at_draw = individual.isel(regimen=population.argmax("regimen")).drop_vars("regimen")
    behind = individual - individual.sel(regimen=best).drop_vars("regimen")
    wins = shared_wins(population)
    data = xr.Dataset(
        {
            "utility": population,
            "expected_utility": expected,
            "mcse": standard_error(individual),
            "q05": population.quantile(0.05, SAMPLE).drop_vars("quantile"),
            "q95": population.quantile(0.95, SAMPLE).drop_vars("quantile"),
            "p_best": wins.mean(SAMPLE),
            "p_best_mcse": mcse(wins),
            "expected_regret": (population.max("regimen") - population).mean(SAMPLE),
            "expected_regret_mcse": standard_error(best_at_draw - individual),
            "difference": behind.mean((*SAMPLE, "subject")),
            "difference_mcse": standard_error(behind),
            "share_best_served": shared_wins(individual).mean((*SAMPLE, "subject")),
            "individual_noise": individual_noise(behind),
        }
    )
    simulated = json.loads(future.attrs.get("qsp_bayes", "{}"))
    described = {"utility": measured.description, "n_subjects": individual.sizes["subject"]}
    return Decision(data.assign_attrs(qsp_bayes=json.dumps({**simulated, **described})))


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
