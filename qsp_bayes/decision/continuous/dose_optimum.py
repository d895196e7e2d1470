"""DoseOptimum: the dose of highest expected utility, how flat the utility is around it, and how well it is known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.decision.continuous.free_dose import FreeRegimen
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result


@dataclass(frozen=True, repr=False)
class DoseOptimum(Result):
    """The values of what is free at which expected utility is highest, as found by :func:`optimise_dose`.

    Attributes
    ----------
    data : Dataset
        ``utility`` (chain, draw), the mean over individuals at the optimum; ``expected_utility`` and its Monte Carlo
        standard error ``mcse``; by ``variable`` the columns of `table`; ``curvature`` (variable, other), the second
        derivatives of expected utility where both variables are interior; by ``constraint`` the columns of
        `constraints`.
    free : FreeRegimen
        The regimen, and what of it was free between which bounds.
    trace : DataFrame
        Every evaluation of the search, in order.
    """

    data: xr.Dataset
    free: FreeRegimen
    trace: pd.DataFrame

    @property
    def values(self) -> dict[str, float]:
        """The optimum, by name."""
        return {str(name): float(x) for name, x in self.data["value"].to_series().items()}

    @property
    def regimen(self) -> Regimen:
        """The regimen with these values."""
        return self.free.at(list(self.values.values()))

    @property
    def expected_utility(self) -> float:
        """Expected utility at the optimum."""
        return float(self.data["expected_utility"])

    @property
    def metadata(self) -> dict[str, Any]:
        """Utility in words, method and why, seed, draws, number of individuals, and how the search ended."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def is_finished(self) -> bool:
        """Whether the search ended of itself."""
        return bool(self.metadata["finished"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each variable.

        ``value`` and ``unit``; ``mcse``, its Monte Carlo standard error; ``position`` (interior, at a bound, or at a
        kink, where the number of doses changes); ``low``, ``high`` the bounds and ``given`` the value of the regimen
        as it was given; ``slope``, the derivative of expected utility.
        """
        columns = ["value", "unit", "value_mcse", "position", "low", "high", "given", "slope"]
        return self.data[columns].to_dataframe()[columns].rename(columns={"value_mcse": "mcse"})

    @property
    def constraints(self) -> pd.DataFrame:
        """One row for each constraint.

        ``value``, the mean over draws and individuals, with its Monte Carlo standard error ``mcse``; ``side`` and
        ``limit``, what was asked; ``binds``, whether the limit is reached; ``price``, the expected utility that a limit
        further out by one unit would add (NaN after a search by grid).
        """
        columns = ["value", "mcse", "side", "limit", "binds", "price"]
        if "constraint" not in self.data.dims:
            return pd.DataFrame(columns=columns)
        named = {f"constraint_{name}": name for name in columns}
        return self.data[[*named]].to_dataframe()[[*named]].rename(columns=named)

    def near(self, tolerance: float = 0.01, *, loss: float | None = None) -> pd.DataFrame:
        r"""How far each variable can move before expected utility falls by a share of itself.

        To second order expected utility falls by :math:`\tfrac12 \delta^\top (-H) \delta`, at a bound by the slope
        times the distance. A variable moves `alone` where the others stay, by :math:`\sqrt{2 l / -H_{jj}}`, or
        `together` where the others follow to their best, by :math:`\sqrt{2 l\, (-H)^{-1}_{jj}}`, with l the loss.

        Parameters
        ----------
        tolerance : float
            The loss as a share of the absolute value of expected utility.
        loss : float, optional
            The loss in the unit of utility, instead; the share means little where expected utility is near 0.

        Returns
        -------
        DataFrame
            By variable ``value``, ``alone_low``, ``alone_high``, ``together_low``, ``together_high``, within the
            bounds; NaN at a kink.

        Raises
        ------
        DecisionError
            If the search had no derivatives, a constraint binds, or the loss is not positive.
        """
        lost = tolerance * abs(self.expected_utility) if loss is None else loss
        if not lost > 0:
            raise DecisionError(
                f"near: the loss is {lost:g}; give a positive tolerance, or loss= in units of utility."
            )
        if self.metadata["method"] != "gradient":
            raise DecisionError(
                "near: the search was by grid and has no second derivatives; look at `trace`, or simulate "
                "`practical` regimens and compare them with choose."
            )
        table = self.table
        if self.constraints["binds"].any():
            held = ", ".join(self.constraints.index[self.constraints["binds"].astype(bool)])
            raise DecisionError(
                f"near: the optimum is held by the limit on {held}, on one side of which expected utility would rise. "
                "Compare `practical` regimens by choose with the same constraints."
            )
        alone, together = (self.reach(lost, others_follow=follow) for follow in (False, True))
        value = table["value"].to_numpy()
        ends = {
            f"{name}_{side}": np.clip(value + sign * reach, table["low"], table["high"])
            for name, reach in (("alone", alone), ("together", together))
            for side, sign in (("low", -1), ("high", 1))
        }
        return pd.DataFrame({"value": value, **ends}, index=table.index)

    def reach(self, lost: float, *, others_follow: bool) -> np.ndarray:
        """Give the distance at which so much utility is lost."""
        interior = (self.data["position"] == "interior").to_numpy()
        second = -self.data["curvature"].to_numpy()[np.ix_(interior, interior)]
        inverse = np.diag(np.linalg.inv(second)) if others_follow else 1.0 / np.diag(second)
        slope = np.abs(self.data["slope"].to_numpy())
        with np.errstate(divide="ignore", invalid="ignore"):
            found = lost / slope
            found[interior] = np.sqrt(2 * lost * inverse)
        found[(self.data["position"] == "kink").to_numpy()] = np.nan
        return found

    def practical(self, steps: Mapping[str, float | Sequence[float]]) -> dict[str, Regimen]:
        """Regimens around the optimum that can be given: the nearest practical values below and above.

        Parameters
        ----------
        steps : mapping of str to float or sequence of float
            For each variable a step, of which the values are multiples, or the values themselves:
            ``{"dose": 25, "interval": [6, 8, 12]}``. A variable that is left out keeps its optimum.

        Returns
        -------
        dict of str to Regimen
            For `Calibration.simulate`, whose result `choose` compares.

        Raises
        ------
        DecisionError
            For a variable that was not free, and one without a practical value within its bounds.
        """
        if unknown := [name for name in steps if name not in self.values]:
            raise DecisionError(
                f"practical: {', '.join(unknown)} was not free; free were {', '.join(self.values)}."
            )
        choices = []
        for name, value in self.values.items():
            if name not in steps:
                choices.append([value])
                continue
            bounds, allowed = (
                self.free.free[name],
                np.sort(np.atleast_1d(np.asarray(steps[name], dtype=float))),
            )
            if np.ndim(steps[name]) == 0:
                allowed = np.unique([np.floor(value / allowed), np.ceil(value / allowed)]) * allowed
            rounding = 1e-9 * bounds.high
            allowed = allowed[(allowed >= bounds.low - rounding) & (allowed <= bounds.high + rounding)]
            if not allowed.size:
                raise DecisionError(
                    f"practical: no value of {name} lies within its bounds, {bounds.low:g} to {bounds.high:g}."
                )
            below, above = allowed[allowed <= value][-1:], allowed[allowed >= value][:1]
            choices.append(np.unique(np.concatenate([below, above])).tolist())
        return {
            ", ".join(f"{name} {x:g}" for name, x in zip(self.values, point, strict=True)): self.free.at(
                list(point)
            )
            for point in itertools.product(*choices)
        }

    @property
    def cautions(self) -> tuple[str, ...]:
        """What stands in the way of trusting the optimum, in words."""
        facts, found = self.metadata, list(self.metadata["cautions"])
        if not self.is_finished:
            found.insert(0, "The search was interrupted: this is the best so far.")
        if facts["message"]:
            found.append(f"The search did not converge everywhere: {facts['message']}.")
        for name, row in self.table.iterrows():
            if row["position"] == "kink":
                found.append(
                    f"At {name} = {rounded(row['value'], 4)} the number of doses changes: expected utility has a "
                    "kink or a jump there, so that flatness and error of the optimum are not known."
                )
        unknown = self.data["value_mcse"].isnull() & (self.data["position"] == "interior")
        if facts["method"] == "gradient" and unknown.any():
            found.append(
                "Expected utility does not curve down in all directions here, at this number of individuals: the error "
                "of the optimum is not known. More individuals or draws smooth it; or the utility is flat."
            )
        return tuple(found)

    @property
    def title(self) -> str:
        """The utility, in words."""
        return f"Utility: {self.metadata['utility']}"

    def summary(self) -> str:
        """Sentences that state the optimum and how well it is known."""
        facts = self.metadata
        values = []
        for name, row in self.table.iterrows():
            error = f" (Monte Carlo standard error {rounded(row['mcse'], 1)})" if row["mcse"] > 0 else ""
            at = f", at its {row['position']}" if "bound" in row["position"] else ""
            values.append(f"{name} {rounded(row['value'], 4)} {row['unit']}{error}{at}")
        how = {
            "gradient": "by gradients of the solved system",
            "grid": "by grids refined around the best point, without gradients",
        }[facts["method"]]
        sentences = [
            f"Expected utility is highest at {'; '.join(values)}: {rounded(self.expected_utility, 4)} (Monte Carlo "
            f"standard error {rounded(float(self.data['mcse']), 1)}).",
            f"Found {how}, in {len(self.trace)} evaluations.",
        ]
        for name, row in self.constraints.iterrows():
            reached = "which binds" if row["binds"] else "which does not bind"
            sentences.append(
                f"{name} is {row['value']:.4g} (Monte Carlo standard error {row['mcse']:.1g}), asked {row['side']} "
                f"{row['limit']:g}, {reached}."
            )
        if facts["reason"]:
            sentences.append(f"Gradients could not be used: {facts['reason']}.")
        return " ".join([*sentences, *self.cautions])
