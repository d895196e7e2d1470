"""Covariate groups: the simulated individuals, parted by a covariate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from qsp_bayes.errors import DecisionError

CATEGORIES = 5
"""A covariate with at most so many values is taken to be categorical."""


def covariate_groups(
    future: xr.DataTree, name: str, labels: np.ndarray, parts: int = 3
) -> Iterator[tuple[str, np.ndarray]]:
    """Part the individuals into categories, or into groups of equal size by the size of the covariate.

    Parameters
    ----------
    future : DataTree
        From `Calibration.simulate`, whose group ``constant_data`` holds the covariates.
    name : str
    labels : array
        The individuals to part.
    parts : int
        Number of groups of a continuous covariate: terciles by default.

    Yields
    ------
    (str, array of bool)
        What the group is, in words, and who belongs to it.

    Raises
    ------
    DecisionError
        For an unknown covariate, or one that does not differ.

    Examples
    --------
    >>> weight = xr.Dataset({"WT": ("subject", [50.0, 60, 70, 80, 90, 100])}, {"subject": list("abcdef")})
    >>> future = xr.DataTree.from_dict({"constant_data": weight})
    >>> [label for label, _ in covariate_groups(future, "WT", np.array(list("abcdef")))]
    ['WT 50 to 60', 'WT 70 to 80', 'WT 90 to 100']
    """
    covariates = future["constant_data"].to_dataset() if "constant_data" in future.children else xr.Dataset()
    possible = [str(key) for key, column in covariates.data_vars.items() if column.dims == ("subject",)]
    if name not in possible:
        raise DecisionError(
            f"The simulated individuals have no covariate {name!r}; choose from {', '.join(possible) or 'none'}."
        )
    column = covariates[name].sel(subject=labels)
    values, unit = column.to_numpy().astype(float), str(column.attrs.get("units", ""))
    distinct = np.unique(values)
    if len(distinct) < 2:
        raise DecisionError(
            f"Covariate {name} is {values[0]:g} in every simulated individual: there are no groups to compare. "
            "Simulate subjects who differ in it, or leave it out."
        )
    ending = f" {unit}" if unit else ""
    if len(distinct) <= CATEGORIES:
        for value in distinct:
            yield f"{name} {value:g}{ending}", values == value
        return
    edges = np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1])
    place = np.searchsorted(edges, values, side="left")
    for position in np.unique(place):
        inside = place == position
        low, high = values[inside].min(), values[inside].max()
        yield f"{name} {low:.3g} to {high:.3g}{ending}", inside
