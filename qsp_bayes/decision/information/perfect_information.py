"""Perfect information: what knowing the population exactly would be worth."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.information.maximum_bias import bias_of_maximum
from qsp_bayes.decision.information.value_of_information import ValueOfInformation


def evpi(
    decision: Decision, utilities: xr.DataArray | None = None, *, random_seed: int = 0
) -> ValueOfInformation:
    r"""Work out the expected value of perfect information on the population.

    .. math:: EVPI = E_\theta \max_d U(d, \theta) - \max_d E_\theta U(d, \theta)

    It is the expected regret of the regimen chosen now, and a bound for every study: one that costs more, in units of
    utility over all individuals to be treated, need not be thought of.

    Parameters
    ----------
    decision : Decision
    utilities : DataArray, optional
        Utility of every individual, (chain, draw, regimen, subject), as ``utility(f)(future)`` gives it. With it the
        bias is measured: that which too few individuals add (the maximum of noisy means is too high) and that which
        too few draws take away (the regimen chosen now is the best on the very draws that judge it).
    random_seed : int
        For the halves in which the bias is measured.

    Returns
    -------
    ValueOfInformation
        One row; ``bias`` is NaN without `utilities`.

    Raises
    ------
    DecisionError
        If `utilities` are not those of the decision.

    References
    ----------
    Raiffa H, Schlaifer R. Applied Statistical Decision Theory. Harvard University, 1961.

    Examples
    --------
    >>> from qsp_bayes.decision import choose
    >>> effect = np.random.default_rng(1).normal(0.5, 1.0, (4, 250, 1, 1))
    >>> values = xr.DataArray(
    ...     np.concatenate([np.zeros_like(effect), effect], axis=2), dims=("chain", "draw", "regimen", "subject"),
    ...     coords={"regimen": ["none", "100 mg"]},
    ... )
    >>> future = xr.DataTree.from_dict({"predictions": values.expand_dims(time=[0.0]).to_dataset(name="benefit")})
    >>> found = evpi(choose(future, lambda x: x["benefit"].isel(time=0)))
    >>> bool(abs(found.table["value"].item() - 0.198) < 3 * found.table["mcse"].item())  # exact: 0.1978
    True
    """
    chosen = decision.table.loc[decision.best]
    bias = np.nan
    if utilities is not None:
        bias = bias_of_maximum(utilities, decision, random_seed=random_seed).total("EVPI")
    return ValueOfInformation.made(
        "perfect",
        decision,
        ["everything of the population"],
        {
            "value": [float(chosen["expected_regret"])],
            "mcse": [float(chosen["expected_regret_mcse"])],
            "bias": [bias],
        },
    )
