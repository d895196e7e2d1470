"""Decision: the regimens compared, the one chosen, and how sure the choice is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.wording import cautions_of, summary_of
from qsp_bayes.errors import DecisionError
from qsp_bayes.result import Result

COLUMNS = (
    "expected_utility", "mcse", "q05", "q95", "p_best", "p_best_mcse", "expected_regret", "expected_regret_mcse",
    "difference", "difference_mcse", "share_best_served", "individual_noise", "admissible",
)  # fmt: skip
"""Columns of every table; constraints and targets have others."""
SHOWN = ("expected_utility", "mcse", "p_best", "expected_regret", "share_best_served", "admissible")
"""Columns that a reader looks at first."""


@dataclass(frozen=True, repr=False)
class Decision(Result):
    """A choice among regimens, as made by :func:`choose`.

    Attributes
    ----------
    data : Dataset
        ``utility`` (chain, draw, regimen), and by regimen the columns of `table`; ``difference_variance`` (component,
        regimen), what draws and individuals contribute to the squared error of the difference; by constraint, target
        and attribute of a clinical utility index, where there are any, what they were found to be.
    """

    data: xr.Dataset

    @classmethod
    def from_datatree(cls, tree: xr.DataTree) -> Decision:
        """Read the group ``decision`` of a tree or file.

        Raises
        ------
        DecisionError
            If there is none.
        """
        if "decision" not in tree.children:
            raise DecisionError(
                f"There is no group 'decision' here, only {sorted(tree.children)}. Call choose first."
            )
        return cls(tree.children["decision"].to_dataset(inherit=False).load())

    def to_datatree(self) -> xr.DataTree:
        """Give a tree with one group, ``decision``."""
        return xr.DataTree.from_dict({"decision": self.data})

    @property
    def utility(self) -> xr.DataArray:
        """Mean utility over individuals, U(d, theta), dimensions (chain, draw, regimen)."""
        return self.data["utility"]

    @property
    def description(self) -> str:
        """What the utility is, in words."""
        return self.metadata["utility"]

    @property
    def metadata(self) -> dict[str, Any]:
        """Description of the utility, number of individuals, and what the simulation says of itself."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def is_for_one(self) -> bool:
        """Whether it is for one individual, all of whose parameters are in the draws, rather than a population."""
        return self.metadata.get("n_subjects") == 1

    @property
    def unit(self) -> str | None:
        """Unit of the utility: "1" for a pure number, None where it is not known (`metadata` says why)."""
        return self.metadata.get("unit")

    @property
    def admissible(self) -> list[str]:
        """Labels of the regimens that all constraints admit: all regimens where there is no constraint."""
        labels = self.data["regimen"].values
        if "admissible" in self.data:
            labels = labels[self.data["admissible"].values.astype(bool)]
        return [str(label) for label in labels]

    @property
    def best(self) -> str:
        """Label of the admissible regimen with the highest expected utility."""
        return str(self.data["expected_utility"].sel(regimen=self.admissible).idxmax("regimen").item())

    @property
    def unconstrained_best(self) -> str:
        """Label of the regimen with the highest expected utility, admissible or not."""
        return str(self.data["expected_utility"].idxmax("regimen").item())

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen, in the order given.

        ``expected_utility`` with its Monte Carlo standard error ``mcse``; ``q05`` and ``q95`` of U(d, theta)
        over the draws; ``p_best`` and ``expected_regret`` over the draws, with their ``_mcse``;
        ``difference`` to the best regimen, whose ``_mcse`` is small where the common draws and individuals
        cancel; ``share_best_served``, the share of individuals whom this regimen serves best;
        ``individual_noise``, the share of the draw-to-draw variance of the difference that only reflects the
        finite number of individuals. With constraints, ``admissible`` and for each constraint its figure, the
        ``_mcse`` of that, and where a certainty is asked the ``_certainty``; ``p_best``, ``expected_regret`` and
        ``share_best_served`` are among the admissible regimens and have no value for others. For each target the
        probability that it is attained, with its ``_mcse``.
        """
        names = [name for name, values in self.data.data_vars.items() if values.dims == ("regimen",)]
        columns = {name: self.data[name].to_series() for name in names}
        for fact in self.metadata.get("constraints", []):
            found = self.data.sel(constraint=fact["name"])
            columns[fact["name"]] = found["constraint_value"].to_series()
            columns[f"{fact['name']}_mcse"] = found["constraint_mcse"].to_series()
            if fact["certainty"] is not None:
                columns[f"{fact['name']}_certainty"] = found["constraint_certainty"].to_series()
        for target in self.data["target"].values if "target" in self.data else ():
            found = self.data.sel(target=target)
            columns[str(target)] = found["target_probability"].to_series()
            columns[f"{target}_mcse"] = found["target_mcse"].to_series()
        frame = pd.DataFrame(columns)
        if "admissible" in frame:
            frame["admissible"] = frame["admissible"].astype(bool)
        frame.attrs["unit"] = self.unit or ""
        return frame

    @property
    def attributes(self) -> pd.DataFrame:
        """What each attribute of a clinical utility index adds: one row for each regimen and attribute.

        Raises
        ------
        DecisionError
            If the utility is no `ClinicalUtilityIndex`.
        """
        if "attribute" not in self.data.dims:
            raise DecisionError(
                f"The utility ({self.description}) has no attributes: it is no clinical utility index. "
                "Choose with a ClinicalUtilityIndex to see what each attribute adds."
            )
        names = [str(name) for name in self.data.data_vars if str(name).startswith("attribute_")]
        frame = self.data[names].to_dataframe(dim_order=["regimen", "attribute"])
        return frame[names].rename(columns={name: name.removeprefix("attribute_") for name in names})

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the simulation cannot tell, in words; empty where nothing stands in the way."""
        return cautions_of(self)

    @property
    def title(self) -> str:
        """The utility, in words."""
        return f"Utility: {self.description}{f' ({self.unit})' if self.unit not in (None, '1') else ''}"

    @property
    def column_units(self) -> dict[str, str]:
        """Unit of the utility, in the heads of its columns."""
        unit = "" if self.unit in (None, "1") else str(self.unit)
        return dict.fromkeys(("expected_utility", "mcse", "expected_regret"), unit)

    @property
    def marked(self) -> list[str]:
        """The regimen chosen."""
        return [self.best]

    def summary(self) -> str:
        """Sentences that state the choice and how sure it is."""
        return summary_of(self)

    def probability(self, value: float) -> str:
        """Print a probability no more precisely than the number of draws allows."""
        n_draws = self.utility.sizes["chain"] * self.utility.sizes["draw"]
        if value in (0.0, 1.0):
            return f"{value:.0f} (in {'all' if value else 'none'} of {n_draws} draws)"
        return f"{value:.3g}"

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of `table` that a reader looks at first."""
        table = self.table
        figures = [
            str(name)
            for kind in ("constraint", "target")
            if kind in self.data
            for name in self.data[kind].values
        ]
        # Of one individual, the share best served would be P(best) again.
        names = [
            name for name in SHOWN if name in table and not (self.is_for_one and name == "share_best_served")
        ]
        return table[names + figures]
