"""Weights: virtual patients weighed to have given statistics, and how many effective patients that leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.virtual.statistic import Statistic, Target
from qsp_bayes.calibration.virtual.tilting import Unattainable, tilt
from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Weights(Result):
    """Weights of virtual patients, as `VirtualPatients.match` finds them.

    Attributes
    ----------
    values : xarray.DataArray
        (chain, draw, subject), summing to 1.
    table : pandas.DataFrame
        One row for each target: ``target``, the weighted mean ``before``, with equal weights, and ``after``.
    across : str
        "subjects", where each draw was weighed for itself, or "draws".
    """

    values: xr.DataArray
    table: pd.DataFrame
    across: str

    @property
    def description(self) -> str:
        """The targets in words."""
        return ", ".join(f"{label} {rounded(row['target'], 4)}" for label, row in self.table.iterrows())

    @property
    def by_draw(self) -> xr.DataArray:
        """Probability of each draw, (chain, draw): equal, unless draws were weighed too."""
        return self.values.sum("subject")

    @property
    def ess(self) -> float:
        r"""Effective number of patients, all draws together: :math:`1 / \sum w^2`."""
        return float(1 / (self.values**2).sum())

    @property
    def ess_by_draw(self) -> xr.DataArray:
        """Effective number of patients within each draw, (chain, draw)."""
        return self.by_draw**2 / (self.values**2).sum("subject")

    def mean(self, values: xr.DataArray) -> xr.DataArray:
        """Weighted mean over the individuals of each draw; other dims, such as regimen, are kept."""
        return (self.values / self.by_draw * values).sum("subject", skipna=False)

    def summary(self) -> str:
        """Sentences that say what was matched, and at what price."""
        n = self.values.sizes["subject"]
        within = self.ess_by_draw
        sentences = [
            f"Weights with {self.description}.",
            f"Of {n} patients in each draw, {float(within.min()):.0f} to {float(within.max()):.0f} are effective "
            f"(median {float(within.median()):.0f}); of {self.values.size} in all draws, {self.ess:.0f}.",
        ]
        if self.across == "draws":
            draws = 1 / float((self.by_draw**2).sum())
            sentences.append(
                f"Draws of the population were weighed too, {draws:.0f} of {self.by_draw.size} are effective: the "
                "uncertainty of the population's parameters is no longer that of the posterior."
            )
        else:
            sentences.append("Every draw of the population stays as probable as the posterior makes it.")
        return " ".join(sentences)


def match(
    values_of: Callable[[str | xr.DataArray], xr.DataArray],
    statistics: Sequence[Statistic],
    *,
    across: str,
    lowest_ess: float,
) -> Weights:
    """Find weights; `VirtualPatients.match` documents it."""
    if across not in ("subjects", "draws"):
        raise CalibrationError(
            f"across is {across!r}; it must be 'subjects' (within draws) or 'draws' (all together)."
        )
    if not statistics or not all(isinstance(statistic, Statistic) for statistic in statistics):
        raise CalibrationError('Give the statistics as a list: [Statistic("CL", mean=3.1, sd=0.8)].')
    if not 0 < lowest_ess < 1:
        raise CalibrationError(f"lowest_ess is {lowest_ess}; it is a share, above 0 and below 1.")
    known = [(statistic, values_of(statistic.of)) for statistic in statistics]
    like = known[0][1]
    targets = [target for statistic, values in known for target in statistic.targets(values.to_numpy())]
    chains, draws, n = like.shape
    columns = np.stack([target.values for target in targets], axis=-1)
    groups = (
        columns.reshape(chains * draws, n, -1)
        if across == "subjects"
        else columns.reshape(1, -1, len(targets))
    )
    names = [f"chain {chain}, draw {draw}" for chain in like["chain"].values for draw in like["draw"].values]
    weights = np.empty(groups.shape[:2])
    for number, group in enumerate(groups):
        where = names[number] if across == "subjects" else "all draws"
        weights[number] = weigh(group, targets, where, lowest_ess)
    values = xr.DataArray((weights / len(groups)).reshape(like.shape), like.coords, like.dims)
    after = (values.to_numpy()[..., None] * columns).sum(axis=(0, 1, 2))
    table = pd.DataFrame(
        {
            "target": [target.mean for target in targets],
            "before": columns.mean(axis=(0, 1, 2)),
            "after": after,
        },
        index=pd.Index([target.label for target in targets], name="statistic"),
    )
    return Weights(values, table, across)


def weigh(group: np.ndarray, targets: Sequence[Target], where: str, lowest_ess: float) -> np.ndarray:
    """Weigh one group of patients, (patient, target), or say why it cannot be done."""
    advice = (
        "Draw more patients, from wider covariates, or look for what sets the model and the population apart."
    )
    try:
        weights = tilt(group, np.array([target.mean for target in targets]))
    except Unattainable as error:
        if error.which is None:
            labels = ", ".join(target.label for target in targets)
            raise CalibrationError(
                f"No weights of the {len(group)} patients of {where} have all targets together ({labels}), though each "
                f"could be had alone. {advice}"
            ) from error
        target, column = targets[error.which], group[:, error.which]
        raise CalibrationError(
            f"No weights of the {len(group)} patients of {where} have a {target.label} of "
            f"{rounded(target.mean, 4)}: it lies "
            f"outside of what these patients have, {rounded(column.min(), 4)} to {rounded(column.max(), 4)}. {advice}"
        ) from error
    ess = 1 / (weights**2).sum()
    if ess < lowest_ess * len(group):
        raise CalibrationError(
            f"The targets leave {ess:.1f} effective patients of {len(group)} in {where}, "
            f"{100 * ess / len(group):.1f} %, less than lowest_ess allows ({100 * lowest_ess:g} %): a few patients "
            f"would stand for all. {advice}"
        )
    return weights


def resample(weights: Weights, n: int, random_seed: int, replacement: bool) -> np.ndarray:
    """Draw patients by their weights, giving their positions, (chain, draw, n)."""
    if weights.across == "draws":
        raise CalibrationError(
            "These weights are across draws: equally weighted patients would need draws of the population to be "
            "left out or repeated, which would change what is known of it. Use the weights as they are, or match "
            "within draws."
        )
    if n != int(n) or n < 1:
        raise CalibrationError(f"n is {n!r}; it must be a whole number of at least 1.")
    chains, draws, size = weights.values.shape
    within = (weights.values / weights.by_draw).to_numpy().reshape(-1, size)
    rng = np.random.default_rng(random_seed)
    choose = systematic if replacement else accepted
    chosen = [choose(row, int(n), rng) for row in within]
    fewest = min(len(rows) for rows in chosen)
    if fewest < n:
        raise CalibrationError(
            f"Only {fewest} of {size} patients of a draw are accepted, and {n} are wanted. Draw more patients, take "
            "fewer, or let them be drawn with replacement."
        )
    return np.stack(chosen).reshape(chains, draws, int(n))


def systematic(weights: np.ndarray, n: int, rng: np.random.Generator) -> Any:
    """Draw n positions with replacement, each n w times, rounded up or down.

    Examples
    --------
    >>> sorted(systematic(np.array([0.5, 0.25, 0.25]), 8, np.random.default_rng(1)).tolist())
    [0, 0, 0, 0, 1, 1, 2, 2]
    """
    places = (rng.random() + np.arange(n)) / n
    positions = np.searchsorted(np.cumsum(weights), places, side="right").clip(max=len(weights) - 1)
    return rng.permutation(positions)


def accepted(weights: np.ndarray, n: int, rng: np.random.Generator) -> Any:
    """Accept each position with a probability in proportion to its weight, and keep at most n, in random order."""
    return rng.permutation(np.flatnonzero(rng.random(len(weights)) < weights / weights.max()))[:n]
