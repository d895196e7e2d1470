"""Exposure: what a path does over time, as one number for each individual.

Every measure takes a DataArray with a dimension ``time``, removes that dimension and keeps all others; or a
`Path`, which answers for itself.
Between two grid times the path is taken as the straight line. The measures are then exact; what they miss is
the curvature of the true path within a step of the grid (an error of order step squared where the path is
smooth) and, at an intravenous bolus, the jump: the value at the time of a dose is the trough before it, and
the rise is spread over the step that follows. Choose the grid accordingly.

A threshold may be given with its unit, ``time_above(x["Cc"], 20, unit="mg/L")``, which is then checked against the
attribute ``units`` of the path: a unit equal with factor 1 matches, any other is an error that states the factor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from qsp_bayes.decision.measures.path import Path
from qsp_bayes.decision.measures.straight_lines import duration_within
from qsp_bayes.errors import DecisionError
from qsp_bayes.units import require_same_unit


def time_within(x: xr.DataArray | Path, low: float, high: float, unit: str | None = None) -> xr.DataArray:
    r"""Time that the path spends between two bounds.

    .. math:: \int_{t_0}^{t_1} 1\{low \le x(t) \le high\} \, dt

    Crossing times are interpolated on the grid, so that the answer is exact for a piecewise linear path.

    Parameters
    ----------
    x : DataArray
        Path with dimension ``time``.
    low, high : float
        Bounds, in the unit of `x`; ``-inf`` and ``inf`` are allowed.
    unit : str, optional
        Unit of the bounds, to be checked against that of `x`.

    Returns
    -------
    DataArray
        In the unit of time, without the dimension ``time``.

    Raises
    ------
    DecisionError
        If the bounds are not in order, or `x` has no usable time grid.
    UnitsError
        If `unit` is not that of `x`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_within(x, 5, 10))
    1.0
    """
    if not low < high:
        raise DecisionError(f"time_within: low = {low} must be below high = {high}.")
    require_unit_of_path(x, unit)
    if isinstance(x, Path):
        return x.time_within(low, high)
    return over_time(x, lambda values, time: duration_within(values, time, low, high))


def time_above(x: xr.DataArray | Path, threshold: float, unit: str | None = None) -> xr.DataArray:
    r"""Time that the path spends above a threshold: :math:`\int 1\{x(t) > threshold\} \, dt`.

    Same parameters, unit, errors and exactness as :func:`time_within`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_above(x, 15))
    1.0
    """
    return duration(x) - time_within(x, -np.inf, threshold, unit)


def time_below(x: xr.DataArray | Path, threshold: float, unit: str | None = None) -> xr.DataArray:
    r"""Time that the path spends below a threshold: :math:`\int 1\{x(t) < threshold\} \, dt`.

    Same parameters, unit, errors and exactness as :func:`time_within`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(time_below(x, 15))
    3.0
    """
    return duration(x) - time_within(x, threshold, np.inf, unit)


def fraction_within(x: xr.DataArray | Path, low: float, high: float, unit: str | None = None) -> xr.DataArray:
    """Share of the time span that the path spends between two bounds: `time_within` over `duration`, no unit.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(fraction_within(x, 5, 10))
    0.25
    """
    return time_within(x, low, high, unit) / duration(x)


def fraction_above(x: xr.DataArray | Path, threshold: float, unit: str | None = None) -> xr.DataArray:
    r"""Share of the time span that the path spends at or above a threshold, no unit.

    .. math:: \frac{1}{t_1 - t_0} \int_{t_0}^{t_1} 1\{x(t) \ge threshold\} \, dt

    Of an occupancy, ``fraction_above(x["occupancy"], 0.9)``, it is the share of the time with the receptor covered;
    the average occupancy is ``average(x["occupancy"])``. Same parameters and errors as :func:`time_within`.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 0.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(fraction_above(x, 15))
    0.25
    """
    return time_within(x, threshold, np.inf, unit) / duration(x)


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
    return over_time(x, lambda values, time: values @ trapezoid_weights(time))


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
    r"""Value just before a dose, :math:`x(time)`, in the unit of `x`: `value_at`, by the name it has then.

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
    return interpolated(x, time, "trough")


def value_at(x: xr.DataArray | Path, time: float | None = None) -> xr.DataArray:
    r"""Value at a time, :math:`x(time)`, in the unit of `x`; at a dose, the value before it.

    Parameters
    ----------
    x : DataArray
        Path with dimension ``time``: a concentration, a response, a biomarker.
    time : float, optional
        In the unit of time; by default the last time of the grid. Between two grid times it is interpolated.

    Raises
    ------
    DecisionError
        If `time` lies outside the grid.

    Examples
    --------
    >>> x = xr.DataArray([0.0, 20.0, 4.0], dims="time", coords={"time": [0.0, 2.0, 4.0]})
    >>> float(value_at(x, 1.0))
    10.0
    """
    return interpolated(x, time, "value_at")


def interpolated(x: xr.DataArray | Path, time: float | None, measure: str) -> xr.DataArray:
    """Value at a time, or the error of the measure that asked."""
    if isinstance(x, Path):
        return x.value_at(time)
    grid = time_grid(x)
    at = grid[-1] if time is None else float(time)
    if not grid[0] <= at <= grid[-1]:
        raise DecisionError(
            f"{measure}: time {at:g} lies outside the simulated times, {grid[0]:g} to {grid[-1]:g}."
        )
    right = int(np.clip(np.searchsorted(grid, at), 1, len(grid) - 1))
    weight = (at - grid[right - 1]) / (grid[right] - grid[right - 1])
    return over_time(x, lambda values, _: (1 - weight) * values[..., right - 1] + weight * values[..., right])


def trapezoid_weights(time: np.ndarray) -> np.ndarray:
    """Weights of the linear trapezoidal rule: an area is then one product of matrix and vector.

    Examples
    --------
    >>> trapezoid_weights(np.array([0.0, 2.0, 3.0])).tolist()
    [1.0, 1.5, 0.5]
    """
    half = np.diff(time) / 2
    return np.append(half, 0.0) + np.append(0.0, half)


def require_unit_of_path(x: xr.DataArray | Path, unit: str | None) -> None:
    """Require the unit that a threshold is given in, where it is given."""
    if unit is None:
        return
    if isinstance(x, Path):
        x.require_unit(unit, "threshold")
        return
    time_grid(x)
    if "units" not in x.attrs:
        raise DecisionError(
            f"The threshold is in {unit!r}, but the path{f' {x.name}' if x.name else ''} has no attribute 'units' to "
            "check it against. Set it, x.assign_attrs(units=...), or leave unit out."
        )
    require_same_unit(unit, x.attrs["units"], f"threshold of {x.name or 'the path'}")


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
    # The attributes stay behind: an area is not in the unit of its path.
    return xr.apply_ufunc(
        lambda values: kernel(values, grid), x, input_core_dims=[["time"]], keep_attrs=False
    )
