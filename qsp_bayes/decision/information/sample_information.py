"""Sample information: what data still to be collected would be worth, from arrays of predictions or likelihoods."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.information.preposterior import (
    Method,
    as_rows,
    by_either,
    by_weights,
    cautions_of,
    check_method,
)
from qsp_bayes.decision.information.value_of_information import ValueOfInformation, differences
from qsp_bayes.errors import DecisionError


def evsi_from_predictions(
    decision: Decision,
    predictions: Mapping[str, xr.DataArray],
    sd: xr.DataArray | float | Mapping[str, xr.DataArray],
    *,
    logarithmic: bool = False,
    method: Method = "automatic",
    random_seed: int = 0,
) -> ValueOfInformation:
    r"""Value observations that are normal around predictions, such as the next samples of one patient.

    .. math:: y_o \mid \theta \sim N(f_o(\theta), \sigma_o(\theta)^2) \quad \text{independently, or } \log y_o \text{
              around } \log f_o

    One data set is simulated from each draw; all draws are then weighted by its likelihood, or the utilities regressed
    on the data where the weights rest on fewer than ten effective draws.

    Parameters
    ----------
    decision : Decision
        Made on the draws of that patient: what is known of its individual parameters now.
    predictions : mapping of str to DataArray
        For each design, such as ``"sample at 12 h"``, the predictions at its observations: (chain, draw) for one,
        (chain, draw, observation) for several, on the draws of the decision.
    sd : DataArray, float, or mapping of str to DataArray
        Standard deviation of the residual error, of the logarithms with `logarithmic`; may depend on the draw.
    logarithmic : bool
        Whether errors are log-normal.
    method : {"automatic", "weights", "regression"}
    random_seed : int
        All designs are simulated with the same random numbers.

    Returns
    -------
    ValueOfInformation
        One row for each design, in the order given.

    Raises
    ------
    DecisionError
        For predictions on other draws, or not finite; standard deviations that are not positive.

    References
    ----------
    Ades AE, Lu G, Claxton K. Expected value of sample information calculations in medical decision modeling. Med Decis
    Making 2004;24:207-227.

    Examples
    --------
    >>> from qsp_bayes.decision import choose
    >>> k = xr.DataArray(np.random.default_rng(1).lognormal(-1.5, 0.4, (4, 100)), dims=("chain", "draw"),
    ...     coords={"chain": range(4), "draw": range(100)})
    >>> dose = xr.DataArray([50.0, 100.0], dims="regimen", coords={"regimen": ["half", "full"]})
    >>> trough = (dose * np.exp(-8 * k)).expand_dims(subject=[0], time=[8.0])
    >>> decision = choose(xr.DataTree.from_dict({"predictions": trough.to_dataset(name="Cc")}),
    ...     lambda x: -abs(x["Cc"].isel(time=0) - 15.0))
    >>> found = evsi_from_predictions(
    ...     decision, {f"sample at {t} h": 100 * np.exp(-t * k) for t in (1, 4, 8)}, sd=5.0)
    >>> found.best
    'sample at 4 h'
    """
    if not predictions:
        raise DecisionError("predictions: none given. Give at least one design.")
    densities, simulated = {}, {}
    for label, values in predictions.items():
        mean = on_draws_of(decision, values, f"predictions[{label!r}]")
        spread = sd[label] if isinstance(sd, Mapping) else sd
        width = on_draws_of(decision, spread + 0.0 * values, f"sd of {label!r}")
        if not (width > 0).all():
            raise DecisionError(f"sd of {label!r}: must be positive; the smallest is {width.min():g}.")
        if logarithmic:
            if not (mean > 0).all():
                raise DecisionError(f"predictions[{label!r}]: a log-normal error needs positive predictions.")
            mean = np.log(mean)
        data = mean + width * np.random.default_rng(random_seed).standard_normal(mean.shape)
        simulated[label] = data
        densities[label] = sum(
            norm.logpdf(data[:, None, o], mean[None, :, o], width[None, :, o]) for o in range(data.shape[1])
        )
    return evsi_from_likelihood(decision, densities, simulated, method=method, random_seed=random_seed)


def evsi_from_likelihood(
    decision: Decision,
    log_likelihoods: Mapping[str, np.ndarray],
    summaries: Mapping[str, np.ndarray] | None = None,
    *,
    method: Method = "automatic",
    random_seed: int = 0,
) -> ValueOfInformation:
    r"""Value data of any kind from their likelihood: counts, responses, times of events.

    Parameters
    ----------
    decision : Decision
    log_likelihoods : mapping of str to array
        For each design, :math:`\log p(y_m \mid \theta_s)` of the data set simulated from draw m given draw s, (draw,
        draw), draws in the order of the decision, chain by chain.
    summaries : mapping of str to array, optional
        For each design, what sums the data sets up, (draw, summary): needed for regression, to which "automatic" goes
        over where weights rest on fewer than ten effective draws; without them it stays with weights and says so.
    method : {"automatic", "weights", "regression"}
    random_seed : int

    Returns
    -------
    ValueOfInformation
        One row for each design, in the order given.

    Raises
    ------
    DecisionError
        For arrays of another shape, or data that are impossible at every draw.

    Examples
    --------
    >>> from scipy.stats import binom
    >>> from qsp_bayes.decision import choose
    >>> rng = np.random.default_rng(1)
    >>> response = xr.DataArray(rng.beta(3, 4, (4, 100)), dims=("chain", "draw"))
    >>> drug = xr.DataArray([0.0, 1.0], dims="regimen", coords={"regimen": ["none", "drug"]})
    >>> worth = (drug * (response - 0.45)).expand_dims(subject=[0], time=[0.0])
    >>> decision = choose(
    ...     xr.DataTree.from_dict({"predictions": worth.to_dataset(name="net")}), lambda x: x["net"].isel(time=0))
    >>> theta = response.values.ravel()
    >>> seen = rng.binomial(20, theta)
    >>> found = evsi_from_likelihood(decision, {"20 patients": binom.logpmf(seen[:, None], 20, theta)})
    >>> bool(0.02 < found.table["value"].item() < found.metadata["evpi"])
    True
    """
    check_method(method)
    behind = differences(decision)
    found = []
    for label, density in log_likelihoods.items():
        array = np.asarray(density, dtype=float)
        if array.shape != (len(behind), len(behind)):
            raise DecisionError(
                f"log_likelihoods[{label!r}]: shape {array.shape}; expected {(len(behind), len(behind))}, a data set "
                "simulated from each draw by all draws."
            )
        rng, source = np.random.default_rng(random_seed), np.arange(len(behind))
        if summaries is None:
            if method == "regression":
                raise DecisionError(
                    "method='regression' needs summaries of the data: give summaries={design: array}."
                )
            found.append(by_weights(behind, array, source))
        else:
            found.append(by_either(behind, array, source, np.asarray(summaries[label]), method, rng))
    labels = list(map(str, log_likelihoods))
    return ValueOfInformation.made("sample", decision, labels, as_rows(found), cautions_of(labels, found))


def on_draws_of(decision: Decision, values: xr.DataArray, what: str) -> np.ndarray:
    """Give values on the draws of the decision, (draw, observation)."""
    if not isinstance(values, xr.DataArray) or not {"chain", "draw"} <= set(values.dims):
        raise DecisionError(f"{what}: expected a DataArray with dimensions chain and draw, and observations.")
    try:
        same = values.sel(chain=decision.utility["chain"], draw=decision.utility["draw"])
    except KeyError as error:
        raise DecisionError(
            f"{what}: its chains and draws do not hold those of the decision. "
            "Predict with the fit that was simulated from."
        ) from error
    array = same.transpose("chain", "draw", ...).to_numpy()
    array = array.reshape(array.shape[0] * array.shape[1], -1)
    if not np.isfinite(array).all():
        raise DecisionError(f"{what}: not finite at some draw. Look at the parameters of that draw.")
    return array
