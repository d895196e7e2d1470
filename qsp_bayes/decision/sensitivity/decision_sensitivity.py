"""DecisionSensitivity: whether the recommended regimen moves with what was assumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.sensitivity.variation import Variation
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

COLUMNS = ("kind", "best", "rival", "difference", "regret", "mcse", "p_best", "verdict", "pareto_k", "note")


@dataclass(frozen=True, repr=False)
class DecisionSensitivity(Result):
    """What becomes of a recommended regimen under other assumptions, as made by :func:`decision_sensitivity`.

    Attributes
    ----------
    data : Dataset
        By ``variation``, the columns of `table`; the attribute ``qsp_bayes`` is a JSON text with the recommended
        regimen, the description of the utility, what matters, the weights of the fits, and what was not examined.
    """

    data: xr.Dataset

    @classmethod
    def of(
        cls,
        recommended: str,
        variations: Sequence[Variation],
        *,
        utility: str,
        unit: str = "",
        regret: float,
        matters: float | None,
        weights: Mapping[str, float],
        not_examined: Mapping[str, str],
    ) -> DecisionSensitivity:
        """Collect variations."""
        labels = [variation.label for variation in variations]
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise DecisionError(f"Two variations are called {twice!r}: give each a name of its own.")
        columns = {
            name: ("variation", np.array([getattr(variation, name) for variation in variations]))
            for name in COLUMNS
        }
        facts = {
            "recommended": recommended,
            "utility": utility,
            "unit": unit,
            "expected_regret": regret,
            "matters": matters,
            "weights": dict(weights),
            "not_examined": dict(not_examined),
        }
        return cls(xr.Dataset(columns, {"variation": labels}, {"qsp_bayes": json.dumps(facts)}))

    @classmethod
    def from_datatree(cls, tree: xr.DataTree) -> DecisionSensitivity:
        """Read the group ``decision_sensitivity`` of a tree or file.

        Raises
        ------
        DecisionError
            If there is none.
        """
        if "decision_sensitivity" not in tree.children:
            raise DecisionError(
                f"There is no group 'decision_sensitivity' here, only {sorted(tree.children)}. "
                "Call decision_sensitivity first."
            )
        return cls(tree.children["decision_sensitivity"].to_dataset(inherit=False).load())

    def to_datatree(self) -> xr.DataTree:
        """Give a tree with one group, ``decision_sensitivity``."""
        return xr.DataTree.from_dict({"decision_sensitivity": self.data})

    @property
    def metadata(self) -> dict[str, Any]:
        """What was recommended, by which utility, what matters, and what was not examined."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def recommended(self) -> str:
        """Label of the regimen that was recommended."""
        return self.metadata["recommended"]

    @property
    def not_examined(self) -> dict[str, str]:
        """What was not varied, and what it takes to do so."""
        return self.metadata["not_examined"]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each variation.

        ``best``, the regimen with the highest expected utility under it; ``rival``, the best of the others than the
        recommended one; ``difference`` of the recommended regimen to it, with ``mcse``; ``regret`` of keeping the
        recommended regimen, ``max(0, -difference)``; ``p_best`` of the recommended regimen; ``verdict``; ``pareto_k``
        of the weights, NaN where there are none; ``note``.
        """
        return self.data[list(COLUMNS)].to_dataframe()[list(COLUMNS)]

    @property
    def cautions(self) -> tuple[str, ...]:
        """What cannot be told, in words."""
        unreliable = [label for label, note in self.table["note"].items() if "fit again" in note]
        if not unreliable:
            return ()
        return (
            f"The draws do not cover {', '.join(unreliable)} (Pareto k beyond its limit): to know, fit again with "
            "that prior or with other data.",
        )

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of `table` that a reader looks at first."""
        columns = ["best", "difference", "regret", "mcse", "p_best", "verdict", "pareto_k", "note"]
        return self.table[columns]

    @property
    def marked(self) -> list[str]:
        """The variations that move the recommendation."""
        table = self.table
        return [str(label) for label in table.index[table["verdict"] == "moved"]]

    @property
    def column_units(self) -> dict[str, str]:
        """Unit of the utility, in the heads of its columns."""
        return dict.fromkeys(("difference", "regret", "mcse"), self.metadata["unit"])

    def summary(self) -> str:
        """Sentences that say what moves the recommendation, what does not, and what was not examined."""
        table, kept, facts = self.table, self.recommended, self.metadata
        unit = f" {facts['unit']}" if facts["unit"] else ""
        if table.empty:
            sentences = [f"Nothing was varied: how {kept} depends on what was assumed is not known."]
        else:
            stays = int((table["verdict"] == "stays best").sum())
            sentences = [
                f"{kept} stays the best regimen under {'all ' if stays == len(table) else f'{stays} of '}"
                f"{len(table)} variations examined."
            ]
        for label, row in table[table["verdict"] == "moved"].iterrows():
            lost = (
                "it cannot be kept, as it breaks a constraint"
                if np.isinf(row["regret"])
                else f"keeping {kept} loses {rounded(row['regret'], 2)}{unit} (Monte Carlo standard error "
                f"{rounded(row['mcse'], 1)})"
            )
            small = facts["matters"] is not None and row["regret"] < facts["matters"]
            less = f", less than the {facts['matters']:g} that matters" if small else ""
            sentences.append(f"{label}: {row['best']} is better; {lost}{less}.")
        unsure = table.index[table["verdict"] == "not told apart"]
        if len(unsure):
            sentences.append(f"Not told apart from another regimen: {', '.join(unsure)}.")
        if facts["weights"]:
            shares = ", ".join(f"{name} {100 * weight:.0f} %" for name, weight in facts["weights"].items())
            sentences.append(f"Stacking weights of the fits: {shares}.")
        if facts["not_examined"]:
            sentences.append(f"Not examined: {', '.join(facts['not_examined'])}.")
        return " ".join([*sentences, *self.cautions])
