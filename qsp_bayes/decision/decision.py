"""Decision: the regimens compared, the one chosen, and how sure the choice is."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from qsp_bayes.errors import DecisionError

NOISE_LIMIT = 0.1
CREDIBLE_RIVAL = 0.01


@dataclass(frozen=True, repr=False)
class Decision:
    """A choice among regimens, as made by :func:`choose`.

    Attributes
    ----------
    data : Dataset
        ``utility`` (chain, draw, regimen), and by regimen the columns of `table`.
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
    def best(self) -> str:
        """Label of the regimen with the highest expected utility."""
        return str(self.data["expected_utility"].idxmax("regimen").item())

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen, in the order given.

        ``expected_utility`` with its Monte Carlo standard error ``mcse``; ``q05`` and ``q95`` of U(d, theta)
        over the draws; ``p_best`` and ``expected_regret`` over the draws, with their ``_mcse``;
        ``difference`` to the best regimen, whose ``_mcse`` is small where the common draws and individuals
        cancel; ``share_best_served``, the share of individuals whom this regimen serves best;
        ``individual_noise``, the share of the draw-to-draw variance of the difference that only reflects the
        finite number of individuals.
        """
        by_regimen = [name for name, values in self.data.data_vars.items() if values.dims == ("regimen",)]
        return self.data[by_regimen].to_dataframe()[by_regimen]

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the simulation cannot tell, in words; empty where nothing stands in the way."""
        found = []
        rivals = self.table.drop(index=self.best)
        near = rivals[-rivals["difference"] <= 2 * rivals["difference_mcse"]]
        if len(near):
            found.append(
                f"The simulation does not separate {self.best} from {', '.join(near.index)} "
                "(difference within two Monte Carlo standard errors): simulate more draws and more "
                "individuals, or choose among them on other grounds."
            )
        noisy = rivals[(rivals["individual_noise"] > NOISE_LIMIT) & (rivals["p_best"] > CREDIBLE_RIVAL)]
        if len(noisy):
            worst = noisy["individual_noise"].max()
            found.append(
                f"With {self.metadata['n_subjects']} individuals, up to {100 * worst:.0f} % of the "
                f"draw-to-draw variance of the differences to {self.best} is noise between individuals, "
                "which blurs the probabilities of being best and inflates the regrets: simulate more "
                "individuals."
            )
        if self.metadata.get("residual"):
            found.append(
                "The utility was computed on observations with residual error, not on the outputs themselves."
            )
        return tuple(found)

    def summary(self) -> str:
        """Sentences that state the choice and how sure it is."""
        best, chosen = self.best, self.table.loc[self.best]
        rivals = self.table.drop(index=best)
        sentences = [
            f"{best} has the highest expected utility, {chosen['expected_utility']:.3g} "
            f"(Monte Carlo standard error {chosen['mcse']:.1g}; 90 % interval over the uncertainty of the "
            f"population parameters {chosen['q05']:.3g} to {chosen['q95']:.3g}).",
            f"It is the best of the {len(self.table)} regimens with probability "
            f"{self.probability(chosen['p_best'])}, and its expected regret is "
            f"{chosen['expected_regret']:.2g}.",
        ]
        if len(rivals):
            second = rivals["expected_utility"].idxmax()
            difference = rivals.loc[second]
            sentences.append(
                f"Next is {second}, lower by {-difference['difference']:.2g} "
                f"(Monte Carlo standard error {difference['difference_mcse']:.1g})."
            )
            sentences.append(f"{best} serves {100 * chosen['share_best_served']:.0f} % of individuals best.")
        return " ".join([*sentences, *self.cautions])

    def probability(self, value: float) -> str:
        """Print a probability no more precisely than the number of draws allows."""
        n_draws = self.utility.sizes["chain"] * self.utility.sizes["draw"]
        if value in (0.0, 1.0):
            return f"{value:.0f} (in {'all' if value else 'none'} of {n_draws} draws)"
        return f"{value:.3g}"

    def _repr_html_(self) -> str:
        columns = {
            "expected_utility": "expected utility",
            "mcse": "MCSE",
            "p_best": "P(best)",
            "expected_regret": "expected regret",
            "share_best_served": "share best served",
        }
        head = "".join(f"<th>{label}</th>" for label in ("regimen", *columns.values()))
        rows = "".join(
            f"<tr{' style="font-weight:bold"' if label == self.best else ''}>"
            f"<td>{html.escape(str(label))}</td>"
            + "".join(f"<td>{row[name]:.3g}</td>" for name in columns)
            + "</tr>"
            for label, row in self.table.iterrows()
        )
        return (
            f"<p>Utility: {html.escape(self.description)}</p><table><tr>{head}</tr>{rows}</table>"
            f"<p>{html.escape(self.summary())}</p>"
        )

    def __repr__(self) -> str:
        shown = self.table[["expected_utility", "mcse", "p_best", "expected_regret", "share_best_served"]]
        return f"{self.summary()}\n\n{shown.to_string(float_format=lambda value: f'{value:.3g}')}"
