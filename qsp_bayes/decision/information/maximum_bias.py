"""Bias of the maximum: how much too good the best looks, for want of individuals and of draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.utilities.utility import DIMS
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

BLOCKS = 16
SPLITS = 32
BEST, MAXIMUM, EVPI = "expected utility of the best", "expected maximum", "EVPI"


@dataclass(frozen=True, repr=False)
class BiasOfMaximum(Result):
    """What of the expected utility of the best and of EVPI is owed to the finite simulation; see `bias_of_maximum`.

    Attributes
    ----------
    table : pandas.DataFrame
        By ``quantity`` and ``source`` (individuals, draws): ``size``, how many there are; ``halves``, the mean value
        with half of them; ``whole``, the value with all; ``bias`` of the whole, with its standard error ``bias_se``
        (jackknife over blocks); ``extrapolated``, the value without it.
    """

    table: pd.DataFrame

    def total(self, quantity: str) -> float:
        """Give the bias of a quantity from all sources together."""
        return float(self.table.xs(quantity, level="quantity")["bias"].sum())

    @property
    def cautions(self) -> tuple[str, ...]:
        """What biases are beyond their own error and a tenth of EVPI, in words."""
        evpi = float(self.table.xs(EVPI, level="quantity")["whole"].iloc[0])
        found = []
        for (quantity, source), row in self.table.iterrows():
            if quantity == MAXIMUM or abs(row["bias"]) <= max(2 * row["bias_se"], 0.1 * evpi):
                continue
            found.append(
                f"With {row['size']:.0f} {source} the {quantity} is too {'high' if row['bias'] > 0 else 'low'} by "
                f"about {rounded(abs(row['bias']), 2)}: simulate more {source}, or read {rounded(row['extrapolated'])}."
            )
        return tuple(found)

    def summary(self) -> str:
        """Sentences that state the bias."""
        evpi = self.table.xs(EVPI, level="quantity")
        parts = [f"{row['bias']:+.2g} from {row['size']:.0f} {source}" for source, row in evpi.iterrows()]
        total = evpi["whole"].iloc[0] - self.total(EVPI)
        first = f"EVPI is {rounded(evpi['whole'].iloc[0])}, of which {', '.join(parts)}; without it {rounded(total)}."
        return " ".join([first, *self.cautions])


def bias_of_maximum(
    utilities: xr.DataArray, decision: Decision | None = None, *, random_seed: int = 0
) -> BiasOfMaximum:
    r"""Measure the bias of expected maxima by halving the individuals, and the draws.

    A maximum of noisy means is too high on average. Where differences vary smoothly the excess falls with one over the
    number averaged, so that with the value :math:`V_n` of all and the mean :math:`V_m` over random parts of size m

    .. math:: \operatorname{bias}(V_n) = \frac{V_m - V_n}{n / m - 1}.

    - *Individuals*: :math:`E_s \max_d U(d, \theta_s)` is too high because each U is a mean over few individuals, and
      with it EVPI and every regret.
    - *Draws*: :math:`\max_d E_s U(d, \theta_s)` is too high because the best is found on the draws that judge it; EVPI
      is too low by as much. Draws are cut into blocks of consecutive ones, which keeps their autocorrelation.

    Parameters
    ----------
    utilities : DataArray
        Utility of every individual, (chain, draw, regimen, subject), as ``utility(f)(future)`` gives it. A single
        subject is taken to be the very person decided for, whose number is not halved.
    decision : Decision, optional
        What was chosen on these utilities; checked against them. Only admissible regimens then count.
    random_seed : int

    Returns
    -------
    BiasOfMaximum

    Raises
    ------
    DecisionError
        For other dimensions, fewer than four draws, or utilities of another decision.

    Notes
    -----
    Where two regimens are equally good whatever the population, the excess falls with the root of the number instead;
    the extrapolation then takes away about two fifths of it only.

    References
    ----------
    Oakley JE, Brennan A, Tappenden P, Chilcott J. Simulation sample sizes for Monte Carlo partial EVPI calculations.
    J Health Econ 2010;29:468-477.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> difference = rng.normal(0.2, 0.5, (4, 250, 1)) + rng.normal(0.0, 2.0, (4, 250, 20))
    >>> utilities = xr.DataArray(np.stack([0 * difference, difference], axis=2), dims=DIMS)
    >>> bool(bias_of_maximum(utilities).total("EVPI") > 0.02)  # exact: 0.035
    True
    """
    values = check_utilities(utilities, decision)
    rng = np.random.default_rng(random_seed)
    rows: dict[tuple[str, str], dict[str, float]] = {}
    n_subjects = values.shape[-1]
    if n_subjects > 1:
        order = rng.permutation(n_subjects)
        parts = np.array_split(order, min(BLOCKS, n_subjects))
        blocks = np.stack([values[..., part].sum(axis=-1).reshape(-1, values.shape[2]) for part in parts])
        weights = np.array([len(part) for part in parts], dtype=float)
        for quantity, statistic in STATISTICS.items():
            rows[quantity, "individuals"] = halved(blocks, weights, statistic, rng, n_subjects)
    population = values.mean(axis=-1)
    n_draws = population.shape[0] * population.shape[1]
    segments = [
        segment
        for chain in population
        for segment in np.array_split(chain, min(max(2, BLOCKS // len(population)), len(chain)))
    ]
    # A statistic that is linear in the draws has no bias from them; that of the others is one and the same.
    linear = float(population.max(axis=-1).mean())
    blocks = np.stack([segment.sum(axis=0)[None] for segment in segments])
    weights = np.array([len(segment) for segment in segments], dtype=float)
    best = halved(blocks, weights, STATISTICS[BEST], rng, n_draws)
    rows[BEST, "draws"] = best
    rows[EVPI, "draws"] = {
        **{name: linear - best[name] for name in ("halves", "whole", "extrapolated")},
        "size": n_draws,
        "bias": -best["bias"],
        "bias_se": best["bias_se"],
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["quantity", "source"])
    return BiasOfMaximum(table[["size", "halves", "whole", "bias", "bias_se", "extrapolated"]])


Statistic = Callable[[np.ndarray], float]
STATISTICS: dict[str, Statistic] = {
    BEST: lambda means: float(means.mean(axis=0).max()),
    MAXIMUM: lambda means: float(means.max(axis=-1).mean()),
    EVPI: lambda means: float(means.max(axis=-1).mean() - means.mean(axis=0).max()),
}


def halved(
    blocks: np.ndarray, weights: np.ndarray, statistic: Statistic, rng: np.random.Generator, size: int
) -> dict[str, float]:
    """Compare a statistic of the mean over all blocks with those over halves of them.

    Parameters
    ----------
    blocks : array
        Sums within each block, (block, draw, regimen).
    weights : array
        How many values each block adds up.
    statistic : callable
        From means (draw, regimen) to a number.
    rng : Generator
    size : int
        How many values there are in all.
    """
    splits = [rng.permutation(len(blocks)) for _ in range(SPLITS)]
    measure = partial(excess, blocks, weights, statistic)
    halves, whole = measure(splits)
    bias = halves - whole
    # Leave out one block at a time: what is left is split as before.
    without = [measure([split[split != block] for split in splits]) for block in range(len(blocks))]
    jackknife = np.array([one - other for one, other in without])
    spread = np.sqrt((len(blocks) - 1) * jackknife.var())
    return {
        "size": size,
        "halves": halves,
        "whole": whole,
        "bias": bias,
        "bias_se": float(spread) if len(blocks) > 2 else np.nan,
        "extrapolated": whole - bias,
    }


def excess(
    blocks: np.ndarray, weights: np.ndarray, statistic: Statistic, splits: list[np.ndarray]
) -> tuple[float, float]:
    """Give the mean of a statistic over halves, carried to exactly half the size, and its value on the whole."""
    kept = splits[0]
    total, everything = blocks[kept].sum(axis=0), weights[kept].sum()
    whole = statistic(total / everything)
    found = []
    for split in splits:
        half = split[: max(1, len(split) // 2)]
        part, some = blocks[half].sum(axis=0), weights[half].sum()
        rest, others = total - part, everything - some
        # An uneven split: each part has an excess of its own size, n / m - 1 times that of the whole.
        pair = (statistic(part / some) - whole, statistic(rest / others) - whole)
        scale = (everything / some - 1) + (everything / others - 1)
        found.append(sum(pair) / scale)
    return whole + float(np.mean(found)), whole


def check_utilities(utilities: xr.DataArray, decision: Decision | None) -> np.ndarray:
    """Give the utilities as (chain, draw, regimen, subject), checked."""
    if not isinstance(utilities, xr.DataArray) or set(utilities.dims) != set(DIMS):
        received = utilities.dims if isinstance(utilities, xr.DataArray) else type(utilities).__name__
        raise DecisionError(
            f"utilities: expected a DataArray with dimensions {DIMS}, received {received}. Give what "
            "utility(function)(future) returns: one value for each individual."
        )
    values = utilities.transpose(*DIMS).to_numpy()
    if values.shape[0] * values.shape[1] < 4 or not np.isfinite(values).all():
        raise DecisionError(
            "utilities: expected at least four draws, all values finite. Simulate more draws."
        )
    if decision is not None:
        chosen = decision.utility.transpose("chain", "draw", "regimen").to_numpy()
        if chosen.shape != values.shape[:3] or not np.allclose(values.mean(axis=-1), chosen):
            raise DecisionError(
                "utilities: their means over individuals are not those of the decision. Give the utilities on which "
                "choose was called: the same simulation, the same function."
            )
        values = values[:, :, np.isin(utilities["regimen"], decision.admissible)]
    return values
