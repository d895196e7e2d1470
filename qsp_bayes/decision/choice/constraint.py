"""Constraint: what a regimen must keep to before its utility counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.choice.simulation_error import SAMPLE, standard_error
from qsp_bayes.decision.utilities.utility import Utility, describe
from qsp_bayes.errors import DecisionError


@dataclass(frozen=True)
class Constraint:
    r"""A limit on the probability of an event, or on the mean of a measure.

    With :math:`c_{sid}` the function's value for individual i at population draw :math:`\theta_s`, a regimen is
    admissible where

    .. math:: \operatorname{mean}_{s,i} c_{sid} < L \qquad\text{or, with a certainty } \gamma, \qquad
              \operatorname{mean}_s 1\{\operatorname{mean}_i c_{sid} < L\} \ge \gamma.

    The first is over individuals and what is not known alike: the probability for one new individual. The second asks
    that the share of individuals be below the limit, with probability :math:`\gamma` over what is not known; with few
    individuals their noise blurs it, towards a half.

    No event in n individuals has a Monte Carlo error of 0, which does not prove the event impossible: its probability
    is below 3 / n with 95 % confidence.

    Parameters
    ----------
    function : callable or Utility
        Of the simulated dataset, as for a utility. A boolean result is an event: ``lambda x: cmax(x["Cc"]) > 20``.
    below, above : float
        The limit, one of the two: of a probability, or in the unit of the measure.
    name : str, optional
        By default the function's description.
    certainty : float, optional
        :math:`\gamma`, above 0 and at most 1.
    unit : str, optional
        Unit of the limit, checked against that of the measure where it can be followed.

    Raises
    ------
    DecisionError
        If not exactly one limit is given, or the certainty is none.

    References
    ----------
    Neuenschwander B, Branson M, Gsponer T. Critical aspects of the Bayesian approach to phase I cancer trials. Stat Med
    2008;27:2420-2439 (probabilities of probabilities of an event).

    Examples
    --------
    >>> from qsp_bayes.decision import cmax
    >>> print(Constraint(lambda x: cmax(x["Cc"]) > 20, below=0.1, name="toxicity", certainty=0.9))
    toxicity below 0.1 with certainty 0.9
    """

    function: Callable[[xr.Dataset], Any] | Utility
    below: float | None = None
    above: float | None = None
    name: str = ""
    certainty: float | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise DecisionError(
                f"A constraint is made of a function of the predictions; received {type(self.function).__name__}."
            )
        if not self.name:
            stated = (
                self.function.description if isinstance(self.function, Utility) else describe(self.function)
            )
            object.__setattr__(self, "name", stated)
        if (self.below is None) == (self.above is None) or not np.isfinite(self.limit):
            raise DecisionError(f"{self.name}: give one finite limit, below=... or above=....")
        if self.certainty is not None and not 0 < self.certainty <= 1:
            raise DecisionError(f"{self.name}: certainty is {self.certainty}; it is a probability above 0.")

    @property
    def limit(self) -> float:
        """The limit, below or above."""
        return float(self.below if self.below is not None else self.above)  # type: ignore[arg-type]

    def keeps(self, values: Any) -> Any:
        """Whether values keep to the limit."""
        return values < self.limit if self.below is not None else values > self.limit

    def judge(self, future: xr.DataTree) -> xr.Dataset:
        """Judge every regimen.

        Returns
        -------
        Dataset
            By regimen: ``value``, the mean over individuals and draws, with ``mcse``; ``certainty``, the probability
            over the draws that the mean over individuals keeps to the limit, with ``certainty_mcse``; ``admits``.

        Raises
        ------
        DecisionError, UnitsError
            As for a utility.
        """
        function = self.function
        measured = function if isinstance(function, Utility) else Utility(function, self.name, self.unit)
        measured.check_units(future)
        individual = measured(future)
        value = individual.mean((*SAMPLE, "subject"))
        kept = self.keeps(individual.mean("subject"))
        certainty = kept.mean(SAMPLE)
        admits = self.keeps(value) if self.certainty is None else certainty >= self.certainty
        return xr.Dataset(
            {
                "value": value,
                "mcse": standard_error(individual),
                "certainty": certainty,
                "certainty_mcse": mcse(kept.astype(float)),
                "admits": admits,
            }
        )

    def facts(self) -> dict[str, Any]:
        """Describe the constraint as plain values, for metadata."""
        return {
            "name": self.name,
            "text": str(self),
            "limit": self.limit,
            "certainty": self.certainty,
        }

    def __str__(self) -> str:
        text = f"{self.name} {'below' if self.below is not None else 'above'} {self.limit:g}"
        unit = f" {self.unit}" if self.unit else ""
        certain = "" if self.certainty is None else f" with certainty {self.certainty:g}"
        return f"{text}{unit}{certain}"


def judge_all(constraints: Sequence[Constraint], future: xr.DataTree) -> xr.Dataset:
    """Judge every regimen by every constraint, and which regimens all admit.

    Returns
    -------
    Dataset
        Variables of `Constraint.judge`, named ``constraint_...``, by constraint and regimen; and ``admissible`` by
        regimen.

    Raises
    ------
    DecisionError
        If no regimen is admissible: with each regimen's figures against its limits.
    """
    judged = xr.concat([constraint.judge(future) for constraint in constraints], dim="constraint")
    judged = judged.assign_coords(constraint=[constraint.name for constraint in constraints])
    admissible = judged["admits"].all("constraint")
    if not admissible.any():
        raise DecisionError(none_admissible(constraints, judged))
    named = judged.rename({name: f"constraint_{name}" for name in judged.data_vars})
    return named.assign(admissible=admissible)


def none_admissible(constraints: Sequence[Constraint], judged: xr.Dataset) -> str:
    """Say of each regimen which constraints rule it out, and by what figures."""
    lines = []
    for label in judged["regimen"].values:
        figures = []
        for constraint in constraints:
            found = judged.sel(regimen=label, constraint=constraint.name)
            if not found["admits"]:
                certain = f", certainty {float(found['certainty']):.3g}" if constraint.certainty else ""
                figures.append(
                    f"{constraint.name} {float(found['value']):.3g} (MCSE {float(found['mcse']):.1g}){certain}"
                )
        lines.append(f"{label}: {'; '.join(figures)}")
    asked = " and ".join(map(str, constraints))
    return (
        f"No regimen is admissible; asked is {asked}. " + ". ".join(lines) + ". "
        "Simulate other regimens, such as lower doses, or relax a limit."
    )
