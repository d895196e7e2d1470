"""Value of information: by how much better choices would be, were something learned before choosing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

INTERVAL = 1.96
KINDS = {
    "perfect": "Expected value of perfect information",
    "partial": "Expected value of perfect information on parameters",
    "sample": "Expected value of sample information",
}
PER_INDIVIDUAL = "in units of the utility, for each individual treated, provided that the utility is right"


@dataclass(frozen=True, repr=False)
class ValueOfInformation(Result):
    r"""What is gained, on average, by learning something before the regimen is chosen.

    .. math:: VOI(X) = E_X \max_d E[U(d, \theta) \mid X] - \max_d E[U(d, \theta)]

    With X all of :math:`\theta` this is the value of perfect information (EVPI), with some parameters that of partial
    perfect information (EVPPI), with data still to be collected that of sample information (EVSI). No information is
    worth less than nothing or more than EVPI. The unit is that of the utility; the value counts once for each
    individual who will be treated according to the choice. A utility that is wrong makes it wrong, too.

    Attributes
    ----------
    data : Dataset
        By ``information``: ``value``, its Monte Carlo standard error ``mcse``, and what else `table` shows.
    """

    data: xr.Dataset

    @classmethod
    def made(
        cls,
        kind: str,
        decision: Decision,
        labels: Sequence[str],
        columns: Mapping[str, Any],
        cautions: Sequence[str] = (),
    ) -> ValueOfInformation:
        """Put columns by label together with what the decision says of itself."""
        described = {
            "kind": kind,
            "utility": decision.description,
            "unit": unit_of(decision),
            "best": decision.best,
            "evpi": float(decision.table.loc[decision.best, "expected_regret"]),
            "evpi_mcse": float(decision.table.loc[decision.best, "expected_regret_mcse"]),
            "cautions": list(cautions),
        }
        data = xr.Dataset(
            {name: ("information", np.asarray(values)) for name, values in columns.items()},
            {"information": list(labels)},
            {"qsp_bayes": json.dumps(described)},
        )
        return cls(data)

    @property
    def metadata(self) -> dict[str, Any]:
        """Kind, utility, its unit, the regimen chosen now, EVPI with its error, and cautions."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each piece of information, the most valuable first.

        ``value`` with its Monte Carlo standard error ``mcse``; ``low`` and ``high``, a 95 % interval for that error
        alone, cut at 0; ``share``, the part of EVPI (NaN where that is 0); and the columns of the kind:

        - ``bias``: what of `value` comes from taking the maximum of noisy means, as far as it was measured. It has not
          been taken away.
        - EVPPI: ``noise_floor``, the 95 % quantile of what a parameter without any bearing would seem to be worth.
        - EVSI: ``method``, ``ess`` (see :func:`evsi`), ``held_out``, the value of acting on the data as judged by other
          draws; the true value tends to lie between `held_out` and `value`.
        """
        columns = self.data.to_dataframe()
        half = INTERVAL * columns["mcse"]
        columns.insert(2, "low", np.maximum(columns["value"] - half, 0.0))
        columns.insert(3, "high", columns["value"] + half)
        evpi = self.metadata["evpi"]
        columns.insert(4, "share", columns["value"] / evpi if evpi > 0 else np.nan)
        if self.metadata["kind"] == "sample":
            return columns
        return columns.sort_values("value", ascending=False, kind="stable")

    @property
    def best(self) -> str:
        """Label of what is most valuable to learn."""
        return str(self.data["value"].idxmax("information").item())

    @property
    def cautions(self) -> tuple[str, ...]:
        """What stands in the way of reading the values as they are, in words."""
        found = list(self.metadata["cautions"])
        table = self.table
        if "noise_floor" in table:
            lost = table.index[table["value"] <= table["noise_floor"]]
            if len(lost):
                found.append(
                    f"Not told from nothing: {', '.join(map(str, lost))} (shuffled against the draws, utilities make a "
                    "parameter seem to be worth as much in more than one of twenty cases)."
                )
        if "bias" in table:
            biased = table.index[table["bias"] > np.maximum(table["mcse"], 0.1 * table["value"])]
            if len(biased):
                found.append(
                    f"Bias beyond the Monte Carlo error: {', '.join(map(str, biased))}. Simulate more draws and more "
                    "individuals, or subtract the column `bias`."
                )
        return tuple(found)

    @property
    def title(self) -> str:
        """The utility, in words."""
        return f"Utility: {self.metadata['utility']}"

    @property
    def marked(self) -> list[str]:
        """What is most valuable to learn."""
        return [self.best]

    @property
    def column_units(self) -> dict[str, str]:
        """Unit of the utility, in the heads of its columns."""
        return dict.fromkeys(
            ("value", "mcse", "low", "high", "bias", "noise_floor", "held_out"), self.metadata["unit"]
        )

    def summary(self) -> str:
        """Sentences that state what is worth learning, and how sure that is."""
        about, table = self.metadata, self.table
        first = table.loc[self.best]
        unit = f" {about['unit']}" if about["unit"] else ""
        sentences = [
            f"{KINDS[about['kind']]}, {PER_INDIVIDUAL}: {self.best} is worth {rounded(first['value'])}{unit} "
            f"(Monte Carlo standard error {rounded(first['mcse'], 1)}).",
        ]
        if about["kind"] != "perfect":
            sentences.append(
                f"No study whatever could be worth more than {rounded(about['evpi'])}{unit} "
                f"(Monte Carlo standard error {rounded(about['evpi_mcse'], 1)}); {about['best']} is chosen now."
            )
        else:
            sentences.append(f"It is the expected regret of {about['best']}, which is chosen now.")
        return " ".join([*sentences, *self.cautions])


def gain(means: np.ndarray) -> np.ndarray:
    """Give what a free choice gains over the regimen chosen now.

    Parameters
    ----------
    means : array
        Expected utilities less that of the regimen chosen now, regimens along the last axis.

    Examples
    --------
    >>> gain(np.array([[0.0, 2.0, -1.0], [0.0, -2.0, -1.0]]))
    array([2., 0.])
    """
    return np.maximum(means.max(axis=-1), 0.0)


def unit_of(decision: Decision) -> str:
    """Give the unit of the utility, empty where it has none or it is not known."""
    unit = decision.metadata.get("unit")
    return "" if unit in (None, "1") else str(unit)


def differences(decision: Decision) -> np.ndarray:
    """Give the mean utilities less that of the regimen chosen now, (draw, regimen), draws of all chains in order.

    The common draws cancel, and what is left is all that a choice turns on: among the admissible regimens, for no
    information on utility makes another one so.
    """
    utility = decision.utility.sel(regimen=list(decision.admissible))
    behind = utility - utility.sel(regimen=decision.best, drop=True)
    return behind.transpose("chain", "draw", "regimen").to_numpy().reshape(-1, behind.sizes["regimen"])
