"""Response: how far a path moves from where it began, as one number for each individual."""

from __future__ import annotations

import xarray as xr

from qsp_bayes.decision.measures.exposure import cmax, cmin, value_at
from qsp_bayes.decision.measures.path import Path


def change_from_baseline(
    x: xr.DataArray | Path, time: float | None = None, *, baseline: float = 0.0, relative: bool = False
) -> xr.DataArray:
    r"""Change of a response since its baseline.

    .. math:: x(t) - x(t_0) \qquad\text{or, relative,}\qquad \frac{x(t) - x(t_0)}{x(t_0)}

    Parameters
    ----------
    x : DataArray
        Path with dimension ``time``.
    time : float, optional
        t; by default the last time of the grid.
    baseline : float
        t_0, 0 by default, in the unit of time.
    relative : bool
        Whether to divide by the baseline: -0.3 is then a fall by 30 %.

    Returns
    -------
    DataArray
        In the unit of `x`, or without unit.

    Raises
    ------
    DecisionError
        If a time lies outside the grid.

    Examples
    --------
    >>> x = xr.DataArray([10.0, 4.0, 7.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(change_from_baseline(x)), float(change_from_baseline(x, 2.0, relative=True))
    (-3.0, -0.6)
    """
    return against(value_at(x, time), x, baseline, relative)


def largest_increase(
    x: xr.DataArray | Path, *, baseline: float = 0.0, relative: bool = False
) -> xr.DataArray:
    r"""Largest response above its baseline, :math:`\max_t x(t) - x(t_0)`, the maximum being over the whole grid.

    Same parameters, unit and errors as :func:`change_from_baseline`.

    Examples
    --------
    >>> x = xr.DataArray([10.0, 14.0, 7.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(largest_increase(x)), float(largest_increase(x, relative=True))
    (4.0, 0.4)
    """
    return against(cmax(x), x, baseline, relative)


def largest_decrease(
    x: xr.DataArray | Path, *, baseline: float = 0.0, relative: bool = False
) -> xr.DataArray:
    r"""Depth of the nadir below the baseline, :math:`x(t_0) - \min_t x(t)`, positive for a fall.

    Same parameters, unit and errors as :func:`change_from_baseline`.

    Examples
    --------
    >>> neutrophils = xr.DataArray([5.0, 1.0, 4.0], dims="time", coords={"time": [0.0, 10.0, 21.0]})
    >>> float(largest_decrease(neutrophils)), float(largest_decrease(neutrophils, relative=True))
    (4.0, 0.8)
    """
    return -against(cmin(x), x, baseline, relative)


def against(value: xr.DataArray, x: xr.DataArray | Path, baseline: float, relative: bool) -> xr.DataArray:
    """Compare a value with the path at its baseline."""
    start = value_at(x, baseline)
    change = value - start
    return change / start if relative else change
