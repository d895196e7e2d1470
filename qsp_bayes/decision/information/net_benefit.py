"""Net benefit: what a study is worth to all who will be treated, less what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qsp_bayes.decision.information.value_of_information import ValueOfInformation
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result


@dataclass(frozen=True, repr=False)
class NetBenefit(Result):
    """Expected net benefit of sampling, by design; see `net_benefit`.

    Attributes
    ----------
    table : pandas.DataFrame
        By design: ``subjects`` where known, ``value`` for each individual, ``benefit`` for all treated, ``cost``,
        ``net_benefit`` with its Monte Carlo standard error ``mcse``.
    treated : float
        How many individuals will be treated according to the choice.
    """

    table: pd.DataFrame
    treated: float

    @property
    def best(self) -> str | None:
        """Label of the design of the largest net benefit; None where no study is worth its cost."""
        label = self.table["net_benefit"].idxmax()
        return str(label) if self.table.loc[label, "net_benefit"] > 0 else None

    @property
    def marked(self) -> list[str]:
        """The best design, if any is worth its cost."""
        return [] if self.best is None else [self.best]

    def summary(self) -> str:
        """Sentences that state which study to do, if any."""
        top = self.table.loc[self.table["net_benefit"].idxmax()]
        if self.best is None:
            return (
                f"No study is worth its cost if {self.treated:g} individuals are treated: {top.name} comes closest, "
                f"with {rounded(top['benefit'])} against a cost of {rounded(top['cost'])}. Choose now."
            )
        return (
            f"{top.name} has the largest expected net benefit, {rounded(top['net_benefit'])} over {self.treated:g} "
            f"individuals (Monte Carlo standard error {rounded(top['mcse'], 1)}, most of it common to all designs); "
            f"it costs {rounded(top['cost'])}."
        )


def net_benefit(
    found: ValueOfInformation,
    *,
    treated: float,
    fixed: float = 0.0,
    each: float = 0.0,
    costs: Mapping[str, float] | None = None,
) -> NetBenefit:
    r"""Set the value of data against their cost.

    .. math:: ENBS = N \cdot EVSI - c_0 - c_1 n - c_\mathrm{design}

    Parameters
    ----------
    found : ValueOfInformation
        From `evsi`, `evsi_from_predictions` or `evsi_from_likelihood`.
    treated : float
        N, the individuals who will be treated according to the choice, after the study; 1 for the next dose of one
        patient.
    fixed, each : float
        Cost of doing a study at all, and of each subject in it, in the unit of the utility of one individual: a cost of
        5 is as bad as losing 5 units in one individual.
    costs : mapping of str to float, optional
        Further cost of each design by its label, such as that of a blood sample.

    Returns
    -------
    NetBenefit

    Raises
    ------
    DecisionError
        For values that are not of data, negative numbers, unknown labels, and a cost of each subject where the number
        of subjects is not known.

    Notes
    -----
    Monte Carlo errors of designs are strongly correlated, since all rest on the same draws: differences between them
    are better known than `mcse` says.

    References
    ----------
    Willan AR, Pinto EM. The value of information and optimal clinical trial design. Stat Med 2005;24:1791-1806.

    Examples
    --------
    >>> import xarray as xr
    >>> columns = {"value": [0.05, 0.08, 0.09], "mcse": [0.01, 0.01, 0.01], "subjects": [5, 20, 80]}
    >>> data = xr.Dataset(
    ...     {name: ("information", column) for name, column in columns.items()},
    ...     {"information": ["5", "20", "80"]}, {"qsp_bayes": '{"kind": "sample"}'},
    ... )
    >>> net_benefit(ValueOfInformation(data), treated=1000, fixed=10, each=1).best
    '20'
    """
    if found.metadata["kind"] != "sample":
        raise DecisionError(
            f"net_benefit: received a value of {found.metadata['kind']} information; only data have a cost. "
            "Give the result of evsi."
        )
    if not treated > 0 or fixed < 0 or each < 0:
        raise DecisionError(
            f"net_benefit: treated is {treated:g}, fixed {fixed:g} and each {each:g}; treated must be positive, "
            "costs 0 or more."
        )
    labels = [str(label) for label in found.data["information"].values]
    if unknown := set(costs or {}).difference(labels):
        raise DecisionError(f"costs: {', '.join(sorted(unknown))} is no design. Use {', '.join(labels)}.")
    columns = {name: found.data[name].to_numpy() for name in ("value", "mcse")}
    cost = fixed + np.array([float((costs or {}).get(label, 0.0)) for label in labels])
    if "subjects" in found.data:
        columns = {"subjects": found.data["subjects"].to_numpy(), **columns}
        cost = cost + each * columns["subjects"]
    elif each:
        raise DecisionError("each: the designs have no number of subjects. Give costs by label instead.")
    table = pd.DataFrame(columns, index=pd.Index(labels, name="information"))
    table["mcse"] *= treated
    table["benefit"] = treated * table["value"]
    table["cost"] = cost
    table["net_benefit"] = table["benefit"] - table["cost"]
    order = ["benefit", "cost", "net_benefit", "mcse"]
    return NetBenefit(table[[*(name for name in columns if name != "mcse"), *order]], treated)
