"""ParetoFront: the regimens that no other one beats in both efficacy and toxicity."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.choice.simulation_error import SAMPLE, standard_error
from qsp_bayes.decision.utilities.utility import Utility, as_utility
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

OF_ONE = ("efficacy", "toxicity")


@dataclass(frozen=True, repr=False)
class ParetoFront(Result):
    """Regimens by what they do and what they cost in harm, as made by :func:`pareto`.

    Attributes
    ----------
    data : Dataset
        ``efficacy`` and ``toxicity`` (chain, draw, regimen), means over individuals; by regimen the columns of `table`;
        ``dominates`` (other, regimen).
    """

    data: xr.Dataset

    @property
    def metadata(self) -> dict[str, Any]:
        """Descriptions and units of efficacy and toxicity, and the number of individuals."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen, in the order given.

        ``expected_efficacy`` and ``expected_toxicity`` with their Monte Carlo standard errors ``_mcse``; ``on_front``,
        by these expectations; ``p_on_front``, the probability over the draws of the population that no other regimen
        dominates this one, with its ``_mcse``.
        """
        names = [name for name, values in self.data.data_vars.items() if values.dims == ("regimen",)]
        frame = self.data[names].to_dataframe()[names]
        return frame.astype({"on_front": bool})

    @property
    def front(self) -> list[str]:
        """Labels of the regimens on the front, from the least toxic to the most."""
        table = self.table
        return [str(label) for label in table[table["on_front"]].sort_values("expected_toxicity").index]

    @property
    def dominated_by(self) -> dict[str, list[str]]:
        """For each regimen, those at least as good in both expectations and better in one."""
        by_regimen = self.data["dominates"]
        return {
            str(label): [
                str(other)
                for other in by_regimen["other"].values[by_regimen.sel(regimen=label).values.astype(bool)]
            ]
            for label in by_regimen["regimen"].values
        }

    @property
    def marked(self) -> list[str]:
        """The front."""
        return self.front

    def summary(self) -> str:
        """Sentences that name the front, what lies behind it, and what is not certain."""
        table, facts = self.table, self.metadata
        sentences = [
            f"On the front between {facts['efficacy']} and {facts['toxicity']} lie {', '.join(self.front)}: no other "
            "regimen is better in one and at least as good in the other."
        ]
        sentences += [
            f"{label} is dominated by {', '.join(others)}."
            for label, others in self.dominated_by.items()
            if others
        ]
        unsure = table[(table["p_on_front"] > 0.05) & (table["p_on_front"] < 0.95)]
        if len(unsure):
            named = ", ".join(
                f"{label} ({rounded(row['p_on_front'], 2)})" for label, row in unsure.iterrows()
            )
            sentences.append(
                f"What is not known of the population leaves open whether these are on it (probability): {named}."
            )
        return " ".join(sentences)


def pareto(
    future: xr.DataTree,
    efficacy: Utility | Callable[[xr.Dataset], Any],
    toxicity: Utility | Callable[[xr.Dataset], Any],
) -> ParetoFront:
    r"""Compare regimens by efficacy and toxicity without weighing one against the other.

    With the means over individuals :math:`E(d, \theta)` (larger is better) and :math:`T(d, \theta)` (smaller is
    better), d' dominates d where :math:`E(d') \ge E(d)` and :math:`T(d') \le T(d)`, one of them strictly. The front
    holds the regimens that none dominates: for any utility that rises in E and falls in T, the best is on it.

    Parameters
    ----------
    future : DataTree
        Result of `Calibration.simulate`.
    efficacy, toxicity : Utility or callable
        Of the simulated dataset, as for a utility. True and false give probabilities.

    Returns
    -------
    ParetoFront

    Raises
    ------
    DecisionError, UnitsError
        As for a utility.

    References
    ----------
    Keeney RL, Raiffa H. Decisions with Multiple Objectives: Preferences and Value Tradeoffs. Wiley, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from qsp_bayes.decision import cmax, time_above
    >>> rng = np.random.default_rng(1)
    >>> clearance = xr.DataArray(rng.lognormal(0, 0.3, (4, 50, 20)), dims=("chain", "draw", "subject"))
    >>> dose = xr.DataArray([1.0, 3.0, 9.0], dims="regimen", coords={"regimen": ["low", "middle", "high"]})
    >>> course = (dose / clearance).expand_dims(time=[0.0, 24.0], axis=-1)
    >>> future = xr.DataTree.from_dict({"predictions": course.to_dataset(name="Cc")})
    >>> found = pareto(future, lambda x: time_above(x["Cc"], 0.1), lambda x: cmax(x["Cc"]))
    >>> found.front, found.dominated_by["high"]
    (['low'], ['low', 'middle'])
    """
    measured = {
        name: as_utility(function) for name, function in zip(OF_ONE, (efficacy, toxicity), strict=True)
    }
    units = {name: function.check_units(future).unit for name, function in measured.items()}
    individual = {name: function(future) for name, function in measured.items()}
    population = {name: values.mean("subject") for name, values in individual.items()}
    expected = {name: values.mean(SAMPLE) for name, values in population.items()}
    on_front = ~dominates(population["efficacy"], population["toxicity"]).any("other")
    pairs = dominates(expected["efficacy"], expected["toxicity"])
    data = xr.Dataset(
        {
            **population,
            "expected_efficacy": expected["efficacy"],
            "expected_efficacy_mcse": standard_error(individual["efficacy"]),
            "expected_toxicity": expected["toxicity"],
            "expected_toxicity_mcse": standard_error(individual["toxicity"]),
            "on_front": ~pairs.any("other"),
            "p_on_front": on_front.mean(SAMPLE),
            "p_on_front_mcse": mcse(on_front.astype(float)),
            "dominates": pairs,
        }
    )
    facts = {
        **{name: function.description for name, function in measured.items()},
        **{f"{name}_unit": unit for name, unit in units.items()},
        "n_subjects": individual["efficacy"].sizes["subject"],
    }
    return ParetoFront(data.assign_attrs(qsp_bayes=json.dumps(facts)))


def dominates(efficacy: xr.DataArray, toxicity: xr.DataArray) -> xr.DataArray:
    """Whether the regimen ``other`` dominates ``regimen``; differences within rounding count as none.

    Examples
    --------
    >>> efficacy = xr.DataArray([1.0, 2.0], dims="regimen", coords={"regimen": ["a", "b"]})
    >>> dominates(efficacy, xr.zeros_like(efficacy)).sel(other="b", regimen="a").item()
    True
    """
    better, worse = differences(efficacy), differences(toxicity)
    as_good = (better >= 0) & (worse <= 0)
    return as_good & ((better > 0) | (worse < 0))


def differences(values: xr.DataArray) -> xr.DataArray:
    """Difference of every other regimen to each, 0 where it is within rounding."""
    found = values.rename(regimen="other") - values
    return found.where(abs(found) > 1e-9 * float(abs(values).max()), 0.0)
