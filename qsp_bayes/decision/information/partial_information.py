"""Partial information: what knowing some parameters exactly would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from arviz_stats import mcse
from rich.progress import track

from qsp_bayes.calibration.entries import SAMPLE, entries
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.information.conditional_mean import ConditionalMeans
from qsp_bayes.decision.information.value_of_information import ValueOfInformation, differences, gain
from qsp_bayes.errors import DecisionError
from qsp_bayes.identifiability.expected_information import INDIVIDUAL

MOST_DRAWS = 2000
REPLICATES = 100
FLOOR = 0.95
KNOWN_AS = {"corr_eta_canonical": "corr_eta"}


def evppi(
    decision: Decision,
    parameters: xr.Dataset | xr.DataTree,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    random_seed: int = 0,
    progressbar: bool = True,
) -> ValueOfInformation:
    r"""Work out what knowing each parameter of the population, or some together, would be worth.

    .. math:: EVPPI(\phi) = E_\phi \max_d E[U(d, \theta) \mid \phi] - \max_d E[U(d, \theta)]

    The inner expectation is a regression of the utilities, as differences to the regimen chosen now, on :math:`\phi`
    over the draws of the posterior that the decision was made on: nothing is simulated again, and correlations between
    parameters are respected. What knowing a parameter also tells of others counts for it; values of several parameters
    do not add up to that of all.

    Parameters
    ----------
    decision : Decision
    parameters : Dataset or DataTree
        Draws of the population's parameters, with the coordinates chain and draw of the decision among theirs:
        ``fit["posterior"].to_dataset()[["TVCL", "TVVc"]]``. Of a whole fit, all free variables of the population are
        taken. Elements of arrays count one by one, as ``name[label]``.
    groups : mapping of str to sequence of str, optional
        Parameters to be known together, by a name for the group; each is then valued beside the single ones.
    random_seed : int
    progressbar : bool

    Returns
    -------
    ValueOfInformation
        With ``bias``, estimated by a bootstrap of the residuals, ``noise_floor``, the 95 % quantile of the value when
        the utilities are shuffled against the parameters, and ``freedom``, the largest effective degrees of freedom
        that the regression used. The Monte Carlo error joins that of the mean over draws with that of the regression.

    Raises
    ------
    DecisionError
        For draws that are not those of the decision, parameters of individuals, and groups of unknown names.

    Notes
    -----
    The regression is a Gaussian process (`ConditionalMean`), for one parameter as for several. Strong and colleagues
    use splines for few and a Gaussian process for several parameters. Beyond 2000 draws, 2000 are taken evenly. Draws
    that stand for few effective ones make the regression look better determined than it is: thin the chains. Shuffled
    utilities are regressed with the smoothness of the true ones, so that the floor is a little low: of parameters
    without any bearing about one in ten exceeds it, not one in twenty (150 repetitions, 200 draws).

    References
    ----------
    Strong M, Oakley JE, Brennan A. Estimating multiparameter partial expected value of perfect information from a
    probabilistic sensitivity analysis sample: a nonparametric regression approach. Med Decis Making 2014;34:311-326.

    Examples
    --------
    >>> from qsp_bayes.decision import choose
    >>> rng = np.random.default_rng(1)
    >>> theta = xr.Dataset({name: (("chain", "draw"), rng.normal(size=(4, 100))) for name in ("benefit", "harm")})
    >>> dose = xr.DataArray([0.0, 1.0], dims="regimen", coords={"regimen": ["none", "100 mg"]})
    >>> values = (dose * (2.0 * theta["benefit"] - 0.2 * theta["harm"])).expand_dims(subject=[0], time=[0.0])
    >>> future = xr.DataTree.from_dict({"predictions": values.to_dataset(name="net")})
    >>> found = evppi(choose(future, lambda x: x["net"].isel(time=0)), theta, progressbar=False)
    >>> found.best
    'benefit'
    >>> bool(found.table.loc["benefit", "share"] > 0.9)
    True
    """
    responses = differences(decision)
    columns = named_columns(decision, parameters)
    wanted = {name: (name,) for name in columns} | named_groups(groups or {}, columns)
    step = -(-len(responses) // MOST_DRAWS)
    rng = np.random.default_rng(random_seed)
    rows = []
    for members in track(wanted.values(), "value of parameters", disable=not progressbar, transient=True):
        inputs = np.stack([columns[name] for name in members], axis=1)
        varies = np.ptp(inputs, axis=0) > 0
        rows.append(valued(inputs[::step, varies], responses[::step], rng) if varies.any() else NOTHING)
    chain_of = {"value": 0, "mcse": 1, "bias": 2, "noise_floor": 3, "freedom": 4}
    return ValueOfInformation.made(
        "partial", decision, list(wanted), {name: [row[k] for row in rows] for name, k in chain_of.items()}
    )


NOTHING = (0.0, 0.0, 0.0, 0.0, 0.0)


def valued(
    inputs: np.ndarray, responses: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Give value, Monte Carlo error, bias, noise floor and degrees of freedom of knowing inputs (draw, input)."""
    regression = ConditionalMeans.of(inputs, responses, rng)
    gains = gain(regression.values)
    value = float(gains.mean())
    residuals = regression.residuals
    # Rows of residuals are drawn whole, so that utilities stay correlated as they are.
    drawn = residuals[rng.integers(len(gains), size=(REPLICATES, len(gains)))]
    again = gain(regression.again(regression.fitted + drawn)).mean(axis=-1)
    shuffled = np.stack([rng.permutation(regression.scores) for _ in range(REPLICATES)])
    of_nothing = gain(regression.again(shuffled)).mean(axis=-1)
    of_draws = float(mcse(gains[None])) if np.ptp(gains) > 0 else 0.0
    return (
        value,
        float(np.hypot(of_draws, np.std(again))),
        float(np.mean(again) - value),
        float(np.quantile(of_nothing, FLOOR)),
        max((mean.freedom for mean in regression.means), default=0.0),
    )


def named_columns(decision: Decision, parameters: xr.Dataset | xr.DataTree) -> dict[str, np.ndarray]:
    """Give the draws of every scalar parameter, in the order of the draws of the decision."""
    if isinstance(parameters, xr.DataTree):
        parameters = population_of(parameters)
    of_individuals = [
        str(name) for name, values in parameters.data_vars.items() if INDIVIDUAL.intersection(values.dims)
    ]
    if of_individuals or not len(parameters.data_vars):
        raise DecisionError(
            f"parameters: {', '.join(of_individuals) or 'none given'}. Give parameters of the population, without the "
            "dimension subject or occasion: fit['posterior'].to_dataset()[['TVCL', ...]], or the whole fit."
        )
    try:
        same = parameters.sel(chain=decision.utility["chain"], draw=decision.utility["draw"])
    except KeyError as error:
        raise DecisionError(
            "parameters: their chains and draws do not hold those of the decision. Give the posterior of the fit "
            "that was simulated from."
        ) from error
    found = {name: values.transpose(*SAMPLE).to_numpy().ravel() for name, values in entries(same).items()}
    if wrong := [name for name, flat in found.items() if not np.isfinite(flat).all()]:
        raise DecisionError(f"parameters: {', '.join(wrong)} not finite at some draw. Leave them out.")
    return found


def population_of(fit: xr.DataTree) -> xr.Dataset:
    """Give the draws of the free variables of the population."""
    if not {"posterior", "log_prior"} <= set(fit.children):
        raise DecisionError(
            f"Expected a fit with the groups posterior and log_prior, received {sorted(fit.children)}. "
            "Give the result of Calibration.fit, or a dataset of draws."
        )
    posterior = fit["posterior"].to_dataset()
    # The sampler moves in canonical partial correlations; what a reader knows are the correlations.
    free = [KNOWN_AS.get(str(name), str(name)) for name in fit["log_prior"].to_dataset().data_vars]
    return posterior[
        [name for name in free if name in posterior and not INDIVIDUAL.intersection(posterior[name].dims)]
    ]


def named_groups(
    groups: Mapping[str, Sequence[str]], columns: Mapping[str, np.ndarray]
) -> dict[str, tuple[str, ...]]:
    """Resolve the members of groups; the name of an array stands for all its elements."""
    found = {}
    for label, members in groups.items():
        if isinstance(members, str) or not members or label in columns:
            raise DecisionError(f"groups: {label!r} needs a name of its own and a list of parameters.")
        resolved = []
        for member in members:
            own = [name for name in columns if name == member or name.startswith(f"{member}[")]
            if not own:
                raise DecisionError(
                    f"groups: {label!r} names {member!r}, which is none of {', '.join(columns)}. Correct the name."
                )
            resolved += own
        found[str(label)] = tuple(dict.fromkeys(resolved))
    return found
