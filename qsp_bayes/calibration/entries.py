"""Entries: the numbers that variables are made of, each by a label of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

SAMPLE = ("chain", "draw")


def entries(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Split variables into their scalar entries.

    Of a correlation matrix, a variable whose name starts with ``corr`` and whose two dimensions have the same length,
    the entries above the diagonal are given: the others are the same numbers again, or 1.

    Parameters
    ----------
    data : Dataset
        Variables with dimensions (chain, draw, ...), such as the posterior of a fit.

    Returns
    -------
    dict of str to DataArray
        Each (chain, draw), by a label such as ``TVCL``, ``e_race_cl[2]``, ``eta_CL[S07]`` or ``corr_eta[CL, Vc]``: the
        name of the variable with the labels of the entry along its other dimensions, or with its position along those
        without labels.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> data = xr.Dataset(
    ...     {
    ...         "TVCL": (("chain", "draw"), rng.normal(size=(2, 5))),
    ...         "eta_CL": (("chain", "draw", "subject"), rng.normal(size=(2, 5, 2))),
    ...         "corr_eta": (("chain", "draw", "parameter", "other"), rng.normal(size=(2, 5, 2, 2))),
    ...     },
    ...     coords={"subject": ["a", "b"], "parameter": ["CL", "Vc"], "other": ["CL", "Vc"]},
    ... )
    >>> list(entries(data))
    ['TVCL', 'eta_CL[a]', 'eta_CL[b]', 'corr_eta[CL, Vc]']
    """
    found = {}
    for name, values in data.data_vars.items():
        inner = [str(dim) for dim in values.dims if dim not in SAMPLE]
        sizes = [values.sizes[dim] for dim in inner]
        symmetric = str(name).startswith("corr") and len(sizes) == 2 and sizes[0] == sizes[1]
        # The second dimension of a correlation matrix may have no labels of its own.
        labelled = [inner[0]] * 2 if symmetric else inner
        axes = [[written(label) for label in values[dim].values] for dim in labelled]
        for position in np.ndindex(*sizes):
            if symmetric and position[0] >= position[1]:
                continue
            labels = [axis[k] for axis, k in zip(axes, position, strict=True)]
            entry = values[dict(zip(inner, position, strict=True))]
            label = f"{name}[{', '.join(labels)}]" if labels else str(name)
            found[label] = entry.drop_vars([c for c in entry.coords if c not in SAMPLE])
    return found


def variable_of(label: str) -> str:
    """Give the name of the variable that an entry belongs to.

    Examples
    --------
    >>> variable_of("corr_eta[CL, Vc]"), variable_of("TVCL")
    ('corr_eta', 'TVCL')
    """
    return label.partition("[")[0]


def written(label: Any) -> str:
    """Write the label of an entry; codes of categories are numbers."""
    return f"{label:g}" if isinstance(label, float | np.floating) else str(label)
