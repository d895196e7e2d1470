"""First doses: candidates in humans against their limits, the highest allowed, and the one of highest utility."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.errors import DecisionError
from qsp_bayes.result import Result

ANY = "any limit"


@dataclass(frozen=True, repr=False)
class FirstInHuman(Result):
    """Candidate doses against their limits, as made by :func:`first_in_human`.

    Attributes
    ----------
    data : xarray.Dataset
        ``share`` (chain, draw, limit, regimen): the share of individuals who pass the limit at each draw of the
        population. By limit and regimen, the columns of `table`. ``dose`` by regimen. The last limit is "any limit".
    decision : Decision
        The choice among the doses by expected utility.
    """

    data: xr.Dataset
    decision: Decision

    @property
    def settings(self) -> dict[str, Any]:
        """Tolerated share of individuals, probability ``alpha``, loss, unit of the doses, levels of the limits."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen and limit.

        ``dose``; ``probability`` (over the population draws) that more than the tolerated share of individuals pass
        the limit, with its Monte Carlo standard error ``probability_mcse``; ``expected_share``, the share of
        individuals who pass it averaged over the draws, which is the probability for one new individual;
        ``share_q95``, its 95 % quantile over the draws; ``margin``, the level of the limit over the exposure: the
        median over the draws of the median individual's.
        """
        names = ["dose", "probability", "probability_mcse", "expected_share", "share_q95", "margin"]
        columns = [self.data[name].broadcast_like(self.data["probability"]) for name in names]
        frame = xr.Dataset(dict(zip(names, columns, strict=True))).to_dataframe()
        order = [(r, m) for r in self.data["regimen"].values for m in self.data["limit"].values]
        return frame.reorder_levels(["regimen", "limit"]).loc[order, names]

    def highest(self, limit: str = ANY) -> str | None:
        """Give the highest dose that keeps below a limit, as all lower ones do; None where not even the lowest does."""
        if limit not in self.data["limit"].values:
            raise DecisionError(
                f"There is no limit {limit!r}. Use one of {', '.join(self.data['limit'].values)}."
            )
        by_dose = self.data.sortby("dose")
        kept = (by_dose["probability"].sel(limit=limit) <= self.settings["alpha"]).to_numpy()
        n = int(np.cumprod(kept).sum())
        return str(by_dose["regimen"].values[n - 1]) if n else None

    @property
    def best(self) -> str:
        """The dose of highest expected utility."""
        return self.decision.best

    @property
    def binding(self) -> str | None:
        """The limit that is most probably passed at the dose next to the highest allowed one; None without a next."""
        by_dose = self.data.sortby("dose")
        labels = [str(label) for label in by_dose["regimen"].values]
        highest = self.highest()
        following = 0 if highest is None else labels.index(highest) + 1
        if following == len(labels):
            return None
        single = by_dose["probability"].drop_sel(limit=ANY).isel(regimen=following)
        return str(single.idxmax("limit").item())

    @property
    def shown(self) -> pd.DataFrame:
        """The probability of each limit by dose, and the expected utility."""
        return self.probabilities

    def summary(self) -> str:
        """Sentences that state the doses, the limit that binds, and what was asked."""
        settings = self.settings
        asked = (
            f"with probability at least {1 - settings['alpha']:.0%} over the uncertainty of the population, at most "
            f"{settings['tolerated']:.0%} of individuals pass a limit"
        )
        highest = self.highest()
        sentences = [
            f"The highest dose is {highest}: {asked}."
            if highest
            else f"No candidate is low enough: not even for the lowest, {asked}. Simulate lower doses."
        ]
        if self.binding is None:
            sentences.append(
                "It is the highest of the candidates; simulate higher ones to find the limit that binds."
            )
        else:
            each = ", ".join(
                f"{name} {self.highest(str(name)) or 'none'}"
                for name in self.data["limit"].values
                if name != ANY
            )
            sentences.append(f"{self.binding} binds (highest dose by each limit alone: {each}).")
        sentences.append(
            f"{self.best} has the highest expected utility, where passing a limit costs {settings['loss']:g} times "
            "what an e-fold higher dose is worth."
            if settings["benefit"] is None
            else f"{self.best} has the highest expected utility ({settings['benefit']}, less {settings['loss']:g} for "
            "passing a limit)."
        )
        return " ".join(sentences)

    @property
    def probabilities(self) -> pd.DataFrame:
        """The probability of each limit by dose, and the expected utility."""
        wide = self.data["probability"].to_pandas().T[[*self.data["limit"].values]]
        return wide.assign(**{"expected utility": self.decision.table["expected_utility"]})
