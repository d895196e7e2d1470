"""Exposure: what a path does over time, as one number for each individual.

Every measure takes a DataArray with a dimension ``time``, removes that dimension and keeps all others; or a
`Path`, which answers for itself.
Between two grid times the path is taken as the straight line. The measures are then exact; what they miss is
the curvature of the true path within a step of the grid (an error of order step squared where the path is
smooth) and, at an intravenous bolus, the jump: the value at the time of a dose is the trough before it, and
the rise is spread over the step that follows. Choose the grid accordingly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from qsp_bayes.decision.path import Path
from qsp_bayes.errors import DecisionError


def time_within(x: xr.DataArray | Path, low: float, high: float) -> xr.DataArray:
    r"""Time that the path spends between two bounds.

    .. math:: \int_{t_0}^{t_1} 1\{low \le x(t) \le high\} \, dt

    Crossing times are interpolated on the grid, so that the answer is exact for a piecewise linear path.

    Parameters
    ----------
    x : DataArray
        Path with dimension ``time``.
    low, high : float
        Bounds, in the unit of `x`; ``-inf`` and ``inf`` are allowed.

    Returns
    -------
    DataArray
        In the unit of time, without the dimension ``time``.

    Raises
    ------
    DecisionError
        If the bounds are not in order, or `x` has no usable time grid.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_within(x, 5, 10))
    1.0
    """
    if not low < high:
        raise DecisionError(f"time_within: low = {low} must be below high = {high}.")
    if isinstance(x, Path):
        return x.time_within(low, high)
    return over_time(x, lambda values, time: duration_within(values, time, low, high))


def time_above(x: xr.DataArray | Path, threshold: float) -> xr.DataArray:
    r"""Time that the path spends above a threshold: :math:`\int 1\{x(t) > threshold\} \, dt`.

    Same parameters, unit, errors and exactness as :func:`time_within`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_above(x, 15))
    1.0
    """
    return duration(x) - time_within(x, -np.inf, threshold)


def time_below(x: xr.DataArray | Path, threshold: float) -> xr.DataArray:
    r"""Time that the path spends below a threshold: :math:`\int 1\{x(t) < threshold\} \, dt`.

    Same parameters, unit, errors and exactness as :func:`time_within`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_below(x, 15))
    3.0
    """
    return duration(x) - time_within(x, threshold, np.inf)


def fraction_within(x: xr.DataArray | Path, low: float, high: float) -> xr.DataArray:
    """Share of the time span that the path spends between two bounds: `time_within` over `duration`, no unit.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(fraction_within(x, 5, 10))
    0.25
    """
    return time_within(x, low, high) / duration(x)


def duration(x: xr.DataArray | Path) -> float:
    """Span of the time grid, last time minus first, in the unit of time.

    Examples
    --------
    >>> duration(xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]}))
    4.0
    """
    if isinstance(x, Path):
        return x.duration()
    time = time_grid(x)
    return float(time[-1] - time[0])


def auc(x: xr.DataArray | Path) -> xr.DataArray:
    r"""Area under the path, :math:`\int_{t_0}^{t_1} x(t) \, dt`, by the linear trapezoidal rule.

    Returns
    -------
    DataArray
        In the unit of `x` times the unit of time.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(auc(x))
    40.0
    """
    if isinstance(x, Path):
        return x.auc()
    return over_time(x, lambda values, time: np.trapezoid(values, time, axis=-1))


def average(x: xr.DataArray | Path) -> xr.DataArray:
    r"""Average over time, `auc` over `duration`, in the unit of `x`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(average(x))
    10.0
    """
    return auc(x) / duration(x)


def cmax(x: xr.DataArray | Path) -> xr.DataArray:
    r"""Largest value on the grid, :math:`\max_t x(t)`, in the unit of `x`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(cmax(x))
    20.0
    """
    if isinstance(x, Path):
        return x.cmax()
    return over_time(x, lambda values, time: values.max(axis=-1))


def cmin(x: xr.DataArray | Path) -> xr.DataArray:
    r"""Smallest value on the grid, :math:`\min_t x(t)`, in the unit of `x`.

    Examples
    --------
    >>> x = xr.DataArray([5.0, 20.0, 4.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(cmin(x))
    4.0
    """
    if isinstance(x, Path):
        return x.cmin()
    return over_time(x, lambda values, time: values.min(axis=-1))


def trough(x: xr.DataArray | Path, time: float | None = None) -> xr.DataArray:
    r"""Value just before a dose, :math:`x(time)`, in the unit of `x`.

    Parameters
    ----------
    x : DataArray
        Path with dimension ``time``.
    time : float, optional
        When the next dose would be given: by default the last time of the grid, which is the trough of the
        last interval where the grid ends there. A time between two grid times is interpolated.

    Raises
    ------
    DecisionError
        If `time` lies outside the grid.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 4.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(trough(x)), float(trough(x, 3.0))
    (4.0, 12.0)
    """
    if isinstance(x, Path):
        return x.value_at(time)
    grid = time_grid(x)
    at = grid[-1] if time is None else float(time)
    if not grid[0] <= at <= grid[-1]:
        raise DecisionError(
            f"trough: time {at:g} lies outside the simulated times, {grid[0]:g} to {grid[-1]:g}."
        )
    right = int(np.clip(np.searchsorted(grid, at), 1, len(grid) - 1))
    weight = (at - grid[right - 1]) / (grid[right] - grid[right - 1])
    return over_time(x, lambda values, _: (1 - weight) * values[..., right - 1] + weight * values[..., right])


def duration_within(values: np.ndarray, time: np.ndarray, low: float, high: float) -> np.ndarray:
    """Time within two bounds along the last axis, each step of the grid being a straight line."""
    start, end = values[..., :-1], values[..., 1:]
    rise = np.abs(end - start)
    inside = np.abs(np.clip(end, low, high) - np.clip(start, low, high))
    level = (start >= low) & (start <= high)
    share = np.where(rise > 0, inside / np.where(rise > 0, rise, 1.0), level)
    return np.where(np.isnan(rise), np.nan, share) @ np.diff(time)


def time_grid(x: xr.DataArray) -> np.ndarray:
    """Times of a path, or the error that says what a path is."""
    if not isinstance(x, xr.DataArray) or "time" not in x.dims or "time" not in x.coords:
        raise DecisionError(
            "Expected a path, a DataArray with dimension and coordinate 'time', such as x['Cc']; "
            f"received {f'dimensions {tuple(x.dims)}' if isinstance(x, xr.DataArray) else type(x).__name__}."
        )
    grid = x["time"].to_numpy().astype(float)
    if len(grid) < 2 or np.any(np.diff(grid) <= 0):
        raise DecisionError(
            f"The simulated times must increase and be at least two; received {grid.tolist()}."
        )
    return grid


def over_time(x: xr.DataArray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> xr.DataArray:
    """Apply ``kernel(values, time)`` along the dimension ``time``, which it removes."""
    grid = time_grid(x)
    return xr.apply_ufunc(lambda values: kernel(values, grid), x, input_core_dims=[["time"]])
