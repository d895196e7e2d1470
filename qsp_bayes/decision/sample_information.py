"""Sample information: what data still to be collected would be worth, from arrays of utilities and densities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import norm

from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.partial_information import valued
from qsp_bayes.decision.value_of_information import ValueOfInformation, differences, gain
from qsp_bayes.errors import DecisionError

Method = Literal["automatic", "weights", "regression"]
METHODS = ("automatic", "weights", "regression")
LEAST_ESS = 10.0
BLOCKS, SPLITS = 20, 10


@dataclass(frozen=True)
class SampleValue:
    """The value of one set of data.

    Attributes
    ----------
    value, mcse : float
    bias : float
        Estimate by the bootstrap of the regression; NaN with weights, for which `held_out` tells of it.
    held_out : float
        Value of the choices that half of the draws make on the data, as judged by the other half; NaN with regression.
    ess : float
        Median over data sets of the effective number of draws behind the weights; NaN where none were computed.
    method : str
    """

    value: float
    mcse: float
    bias: float
    held_out: float
    ess: float
    method: str


def by_weights(behind: np.ndarray, log_likelihood: np.ndarray, source: np.ndarray) -> SampleValue:
    r"""Value data by weighting all draws with the likelihood of each simulated data set.

    With data sets :math:`y_m` simulated from draws :math:`\theta_{s(m)}`, and weights :math:`w_{ms} \propto p(y_m \mid
    \theta_s)` that add up to 1,

    .. math:: EVSI = \operatorname{mean}_m \max_d \sum_s w_{ms} [U(d, \theta_s) - U(d^*, \theta_s)].

    The draws stand for the distribution before the data. Where few carry the weight (ESS below about 10), the draw that
    made the data is recognised by them, and the value comes out too high. `SampleValue.held_out` is too low instead,
    since it pays for choices made on half of the draws. How the expected regret of :math:`d^*` fares over the data sets
    serves as a control variate. The Monte Carlo error is a jackknife over blocks of consecutive
    draws together with the data sets they made.

    Parameters
    ----------
    behind : array
        Utilities less that of the regimen chosen now, (draw, regimen).
    log_likelihood : array
        Of each data set given each draw, (data set, draw).
    source : array
        The draw that each data set was simulated from, (data set,).

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> theta = rng.normal(size=400)
    >>> data = theta + rng.normal(size=400)  # the posterior mean has sd sqrt(1/2)
    >>> behind = np.stack([0 * theta, theta], axis=1)
    >>> found = by_weights(behind, norm.logpdf(data[:, None], theta), np.arange(400))
    >>> bool(abs(found.value - np.sqrt(0.5) * norm.pdf(0)) < 3 * found.mcse)
    True
    """
    n_draws = len(behind)
    blocks = np.array_split(np.arange(n_draws), min(BLOCKS, n_draws))
    ceiling = log_likelihood.max(axis=1, keepdims=True)
    if not np.isfinite(ceiling).all():
        raise DecisionError(
            f"The likelihood of {int((~np.isfinite(ceiling)).sum())} of {len(ceiling)} simulated data sets is zero, or "
            "not finite, at every draw. Check predictions and error model; more individuals may be needed."
        )
    relative = np.exp(log_likelihood - ceiling)
    ess = relative.sum(axis=1) ** 2 / (relative**2).sum(axis=1)
    # All that follows needs only sums within blocks; the last column is the regret of the regimen chosen now.
    columns = np.column_stack([behind, behind.max(axis=1)])
    mass = np.stack([logsumexp(log_likelihood[:, block], axis=1) for block in blocks])
    means = np.stack([weighted_mean(log_likelihood[:, block], columns[block]) for block in blocks])
    value, excess = controlled(combined(mass, means), columns[:, -1].mean())
    without = []
    for position, block in enumerate(blocks):
        kept, others = np.arange(len(blocks)) != position, ~np.isin(source, block)
        regret = np.delete(columns[:, -1], block).mean()
        without.append(controlled(combined(mass[kept][:, others], means[kept][:, others]), regret)[0])
    error = float(np.sqrt((len(blocks) - 1) * np.var(without)))
    judged = held_out(mass, means[..., :-1]) - excess
    return SampleValue(value, error, np.nan, judged, float(np.median(ess)), "weights")


def controlled(means: np.ndarray, regret: float) -> tuple[float, float]:
    """Give the mean gain, less what the chance of the simulated data sets adds to it, and that excess.

    The expected regret of the regimen chosen now is, on average over data sets, what it is now. By how much it is not
    tells how far these data sets are from typical: a control variate.

    Parameters
    ----------
    means : array
        Means by the weights of each data set, (data set, regimen and regret).
    regret : float
        The regret now.
    """
    gains, control = gain(means[:, :-1]), means[:, -1] - regret
    spread = float(np.var(control))
    slope = float(np.cov(gains, control, bias=True)[0, 1]) / spread if spread > 0 else 0.0
    excess = slope * float(control.mean())
    return float(gains.mean()) - excess, excess


def weighted_mean(log_weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give means of values (draw, column) by log weights (data set, draw); 0 where all weights vanish."""
    top = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=1, keepdims=True)
    return (weights @ values) / np.where(total > 0, total, 1.0)


def combined(mass: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Give the means over some blocks, (data set, regimen), from their log masses and means."""
    top = mass.max(axis=0)
    weights = np.exp(mass - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=0)
    return np.einsum("bm,bmd->md", weights, means) / np.where(total > 0, total, 1.0)[:, None]


def held_out(mass: np.ndarray, means: np.ndarray) -> float:
    """Value the choices that one half of the blocks makes by the other half."""
    rng, n_blocks = np.random.default_rng(0), len(mass)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(n_blocks)
        halves = order[: n_blocks // 2], order[n_blocks // 2 :]
        for chosen_on, judged_on in (halves, halves[::-1]):
            choice = combined(mass[chosen_on], means[chosen_on]).argmax(axis=1)
            judged = combined(mass[judged_on], means[judged_on])
            found.append(judged[np.arange(len(choice)), choice].mean())
    return float(np.mean(found))


def by_regression(behind: np.ndarray, summaries: np.ndarray, rng: np.random.Generator) -> SampleValue:
    r"""Value data by regressing the utilities on summaries of data simulated from each draw.

    .. math:: EVSI = E_y \max_d E[U(d, \theta) - U(d^*, \theta) \mid T(y)]

    It needs no likelihood, and loses what the summaries T miss.

    Parameters
    ----------
    behind : array
        Utilities less that of the regimen chosen now, (draw, regimen).
    summaries : array
        Of one data set for each draw, (draw, summary).
    rng : Generator

    References
    ----------
    Strong M, Oakley JE, Brennan A, Breeze P. Estimating the expected value of sample information using the
    probabilistic sensitivity analysis sample: a fast, nonparametric regression-based method. Med Decis Making
    2015;35:570-583.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> theta = rng.normal(size=400)
    >>> found = by_regression(np.stack([0 * theta, theta], axis=1), theta[:, None] + rng.normal(size=(400, 1)), rng)
    >>> bool(abs(found.value - np.sqrt(0.5) * norm.pdf(0)) < 3 * found.mcse)
    True
    """
    varies = np.ptp(summaries, axis=0) > 0
    if not varies.any():
        return SampleValue(0.0, 0.0, 0.0, np.nan, np.nan, "regression")
    value, error, bias, _, _ = valued(summaries[:, varies], behind, rng)
    return SampleValue(value, error, bias, np.nan, np.nan, "regression")


def as_rows(found: list[SampleValue]) -> dict[str, list]:
    """Give the columns of the table."""
    names = ("value", "mcse", "bias", "held_out", "ess", "method")
    return {name: [getattr(one, name) for one in found] for name in names}


def cautions_of(labels: list[str], found: list[SampleValue]) -> list[str]:
    """Say where the weights degenerate, or where they did and regression took over."""
    said = []
    pairs = list(zip(labels, found, strict=True))
    switched = [label for label, one in pairs if one.method == "regression" and np.isfinite(one.ess)]
    if switched:
        said.append(
            f"Weights rest on fewer than {LEAST_ESS:.0f} effective draws or individuals for {', '.join(switched)}: "
            "valued by regression on summaries of the data instead."
        )
    few = [label for label, one in pairs if one.method == "weights" and one.ess < LEAST_ESS]
    if few:
        said.append(
            f"Weights rest on fewer than {LEAST_ESS:.0f} effective draws for {', '.join(few)}: the value is too high. "
            "Simulate more draws, or use method='regression'."
        )
    return said


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
                raise DecisionError("method='regression' needs summaries of the data.")
            found.append(by_weights(behind, array, source))
        else:
            found.append(by_either(behind, array, source, np.asarray(summaries[label]), method, rng))
    labels = list(map(str, log_likelihoods))
    return ValueOfInformation.made("sample", decision, labels, as_rows(found), cautions_of(labels, found))


def by_either(
    behind: np.ndarray,
    log_likelihood: np.ndarray,
    source: np.ndarray,
    summaries: np.ndarray,
    method: Method,
    rng: np.random.Generator,
    ess_individuals: float = np.inf,
) -> SampleValue:
    """Value data by weights, or by regression where that was asked for or the weights degenerate."""
    if method != "regression":
        weighted = by_weights(behind, log_likelihood, source)
        if method == "weights" or min(weighted.ess, ess_individuals) >= LEAST_ESS:
            return weighted
    regressed = by_regression(behind, summaries, rng)
    if method == "regression":
        return regressed
    return SampleValue(
        regressed.value, regressed.mcse, regressed.bias, weighted.held_out, weighted.ess, regressed.method
    )


def check_method(method: str) -> None:
    """Require a known method."""
    if method not in METHODS:
        raise DecisionError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")


def on_draws_of(decision: Decision, values: xr.DataArray, what: str) -> np.ndarray:
    """Give values on the draws of the decision, (draw, observation)."""
    if not isinstance(values, xr.DataArray) or not {"chain", "draw"} <= set(values.dims):
        raise DecisionError(f"{what}: expected a DataArray with dimensions chain and draw, and observations.")
    try:
        same = values.sel(chain=decision.utility["chain"], draw=decision.utility["draw"])
    except KeyError as error:
        raise DecisionError(f"{what}: its chains and draws do not hold those of the decision.") from error
    array = same.transpose("chain", "draw", ...).to_numpy()
    array = array.reshape(array.shape[0] * array.shape[1], -1)
    if not np.isfinite(array).all():
        raise DecisionError(f"{what}: not finite at some draw.")
    return array
