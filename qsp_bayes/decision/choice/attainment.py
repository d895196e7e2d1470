"""Attainment: the probability that a new individual reaches a target, by regimen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.decision.choice.simulation_error import SAMPLE, standard_error
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result


@dataclass(frozen=True, repr=False)
class Attainment(Result):
    """Probabilities of target attainment, as made by :func:`attainment`.

    Attributes
    ----------
    data : Dataset
        ``attained`` (chain, draw, target, regimen), the share of individuals who reach the target at each draw of the
        population; by target and regimen, the columns of `table`.
    """

    data: xr.Dataset

    @property
    def metadata(self) -> dict[str, Any]:
        """Number of individuals."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen and target.

        ``probability`` that a new individual reaches the target, with its Monte Carlo standard error ``mcse``; ``q05``
        and ``q95`` over what is not known of the population. For one individual each draw reaches the target or does
        not: the probability says it all.
        """
        names = ["probability", "mcse", "q05", "q95"]
        order = [(r, t) for r in self.data["regimen"].values for t in self.data["target"].values]
        return self.data[names].to_dataframe().reorder_levels(["regimen", "target"]).loc[order, names]

    def summary(self) -> str:
        """Sentences: for each target the regimen that reaches it most often."""
        sentences = []
        for target in self.data["target"].values:
            found = self.data.sel(target=target)
            best = found["probability"].idxmax("regimen").item()
            chosen = found.sel(regimen=best)
            if self.metadata["n_subjects"] == 1:
                sentences.append(
                    f"{target} is reached most probably under {best}: with probability "
                    f"{rounded(float(chosen['probability']))} (Monte Carlo standard error "
                    f"{rounded(float(chosen['mcse']), 1)})."
                )
                continue
            sentences.append(
                f"{target} is reached most often under {best}: by {rounded(100 * float(chosen['probability']))} % "
                f"of new individuals (Monte Carlo standard error {rounded(100 * float(chosen['mcse']), 1)} %; 90 % "
                f"interval over the uncertainty of the population {rounded(100 * float(chosen['q05']))} to "
                f"{rounded(100 * float(chosen['q95']))} %)."
            )
        return " ".join(sentences)


def attainment(
    future: xr.DataTree, targets: Mapping[str, Callable[[xr.Dataset], Any] | Utility]
) -> Attainment:
    r"""Find the probability of target attainment (PTA) of every regimen.

    .. math:: P(d) = \operatorname{mean}_s \operatorname{mean}_i 1\{\text{target reached}\}_{sid}

    The interval is that of the share of individuals, :math:`\operatorname{mean}_i`, over the draws of the population.

    Parameters
    ----------
    future : DataTree
        Result of `Calibration.simulate`.
    targets : mapping of str to callable
        Each gives true or false for every individual: ``{"trough above 10": lambda x: trough(x["Cc"]) > 10}``.

    Returns
    -------
    Attainment

    Raises
    ------
    DecisionError
        If there is no target, or one gives anything but true and false.

    References
    ----------
    Mouton JW, Dudley MN, Cars O, Derendorf H, Drusano GL. Standardization of pharmacokinetic/pharmacodynamic (PK/PD)
    terminology for anti-infective drugs: an update. J Antimicrob Chemother 2005;55:601-607.

    Examples
    --------
    >>> from qsp_bayes.decision import cmax
    >>> rng = np.random.default_rng(1)
    >>> clearance = xr.DataArray(rng.lognormal(0, 0.3, (4, 50, 20)), dims=("chain", "draw", "subject"))
    >>> dose = xr.DataArray([1.0, 3.0], dims="regimen", coords={"regimen": ["low", "high"]})
    >>> course = (dose / clearance).expand_dims(time=[0.0, 1.0], axis=-1)
    >>> future = xr.DataTree.from_dict({"predictions": course.to_dataset(name="Cc")})
    >>> found = attainment(future, {"peak above 2": lambda x: cmax(x["Cc"]) > 2})
    >>> found.table["probability"].round(2).tolist()
    [0.01, 0.91]
    """
    if not targets:
        raise DecisionError("Give at least one target, {'trough above 10': lambda x: trough(x['Cc']) > 10}.")
    reached = {name: of_target(future, name, function) for name, function in targets.items()}
    individual = xr.concat(reached.values(), dim=pd.Index(list(reached), name="target"))
    share = individual.mean("subject").transpose(*SAMPLE, "target", "regimen")
    data = xr.Dataset(
        {
            "attained": share,
            "probability": share.mean(SAMPLE),
            "mcse": standard_error(individual),
            "q05": share.quantile(0.05, SAMPLE).drop_vars("quantile"),
            "q95": share.quantile(0.95, SAMPLE).drop_vars("quantile"),
        }
    )
    return Attainment(data.assign_attrs(qsp_bayes=json.dumps({"n_subjects": individual.sizes["subject"]})))


def of_target(
    future: xr.DataTree, name: str, function: Callable[[xr.Dataset], Any] | Utility
) -> xr.DataArray:
    """Evaluate a target and require true or false."""
    measured = function if isinstance(function, Utility) else Utility(function, name)
    measured.check_units(future)
    values = measured(future)
    if not np.isin(values.to_numpy(), (0.0, 1.0)).all():
        raise DecisionError(
            f"Target {name!r} must be true or false for each individual, such as trough(x['Cc']) > 10; it gives "
            f"numbers from {rounded(float(values.min()))} to {rounded(float(values.max()))}."
        )
    return values
