r"""Desirability: a measure of each individual made a number between 0 (of no use) and 1 (as good as can be).

Two shapes for each aim. ``shape="linear"`` is that of Derringer and Suich, a power of a straight line between the two
bounds; its derivative is zero outside them. ``shape="logistic"`` is smooth, 0.05 at one bound and 0.95 at the other.

References
----------
Derringer G, Suich R. Simultaneous optimization of several response variables. J Qual Technol 1980;12:214-219.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import numpy as np
import xarray as xr

from qsp_bayes.decision.utilities.quantity import Quantity
from qsp_bayes.errors import DecisionError
from qsp_bayes.units import require_same_unit

Shape = Literal["linear", "logistic"]
# tanh(z) of the logistic function with values 0.05 and 0.95 at the bounds: z = log(19) / 2.
STEEPNESS = math.log(19.0) / 2


def larger_is_better(
    value: Any,
    low: float,
    high: float,
    *,
    power: float = 1.0,
    shape: Shape = "linear",
    unit: str | None = None,
) -> Any:
    r"""Desirability that rises from `low` to `high`.

    .. math:: d = \min\left(1, \max\left(0, \frac{v - low}{high - low}\right)\right)^{power}
              \qquad\text{or}\qquad d = \frac{1}{1 + \exp\left(-2 \log(19) \frac{v - (low + high)/2}{high - low}\right)}

    Parameters
    ----------
    value : DataArray or term
        A measure v of each individual, such as ``auc(x["Cc"])``.
    low, high : float
        Bounds, in the unit of `value`.
    power : float
        Of the linear shape: above 1, only values near `high` are of use.
    shape : {"linear", "logistic"}
    unit : str, optional
        Unit of the bounds, checked where the unit of `value` is known: always when the units of a utility are checked.

    Returns
    -------
    DataArray or term
        Between 0 and 1, no unit.

    Raises
    ------
    DecisionError
        If the bounds are not in order, the power is not positive or the shape is unknown.
    UnitsError
        If `unit` is not that of the value.

    Examples
    --------
    >>> larger_is_better(xr.DataArray([100.0, 300.0, 700.0]), 200, 600).values.tolist()
    [0.0, 0.25, 1.0]
    >>> larger_is_better(xr.DataArray([200.0, 400.0, 600.0]), 200, 600, shape="logistic").round(2).values.tolist()
    [0.05, 0.5, 0.95]
    """
    check_bounds("larger_is_better", (low, high), power, shape)
    require_unit_of_value(value, unit)
    return rising(value, low, high, power, shape)


def smaller_is_better(
    value: Any,
    low: float,
    high: float,
    *,
    power: float = 1.0,
    shape: Shape = "linear",
    unit: str | None = None,
) -> Any:
    r"""Desirability that falls from 1 at `low` to 0 at `high`; otherwise as :func:`larger_is_better`.

    .. math:: d = \min\left(1, \max\left(0, \frac{high - v}{high - low}\right)\right)^{power}

    Examples
    --------
    >>> smaller_is_better(xr.DataArray([10.0, 35.0, 60.0]), 20, 40).values.tolist()
    [1.0, 0.25, 0.0]
    """
    check_bounds("smaller_is_better", (low, high), power, shape)
    require_unit_of_value(value, unit)
    return falling(value, low, high, power, shape)


def target_is_best(
    value: Any,
    low: float,
    target: float,
    high: float,
    *,
    power: float = 1.0,
    shape: Shape = "linear",
    unit: str | None = None,
) -> Any:
    r"""Desirability that rises from `low` to the target and falls from there to `high`.

    .. math:: d = \left(\frac{v - low}{target - low}\right)^{power} \text{ below the target},\quad
              \left(\frac{high - v}{high - target}\right)^{power} \text{ above it},\quad 0 \text{ outside the bounds}

    The logistic shape is the product of a rising and a falling one, 0.9 at the target. Otherwise as
    :func:`larger_is_better`.

    Examples
    --------
    >>> target_is_best(xr.DataArray([5.0, 10.0, 15.0, 20.0]), 5, 15, 25).values.tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    check_bounds("target_is_best", (low, target, high), power, shape)
    require_unit_of_value(value, unit)
    # Each side is 1 on the other, so that their product is the one or the other.
    return rising(value, low, target, power, shape) * falling(value, target, high, power, shape)


def rising(value: Any, low: float, high: float, power: float, shape: Shape) -> Any:
    """Rise from one bound to the other."""
    if shape == "logistic":
        return 0.5 * (1 + np.tanh((value - (low + high) / 2) / (high - low) * (2 * STEEPNESS)))
    return cut((value - low) / (high - low)) ** power


def falling(value: Any, low: float, high: float, power: float, shape: Shape) -> Any:
    """Fall from one bound to the other."""
    if shape == "logistic":
        return 0.5 * (1 - np.tanh((value - (low + high) / 2) / (high - low) * (2 * STEEPNESS)))
    return cut((high - value) / (high - low)) ** power


def cut(share: Any) -> Any:
    """Cut at 0 and 1, by operations that graphs and units know too."""
    if isinstance(share, Quantity):
        share = share.as_number("the desirability")
    missing = 1 - (share + abs(share)) / 2
    # Exactly 0 and 1 outside the bounds: a power of less than 0 would be no number.
    return 1 - (missing + abs(missing)) / 2


def check_bounds(name: str, bounds: tuple[float, ...], power: float, shape: str) -> None:
    """Require bounds in order, a positive power and a known shape."""
    if not all(first < second for first, second in itertools.pairwise(bounds)):
        raise DecisionError(f"{name}: the bounds {', '.join(f'{b:g}' for b in bounds)} must increase.")
    if not power > 0:
        raise DecisionError(f"{name}: power is {power}; it must be positive.")
    if shape not in ("linear", "logistic"):
        raise DecisionError(f"{name}: shape is {shape!r}; use 'linear' or 'logistic'.")
    if shape == "logistic" and power != 1:
        raise DecisionError(f"{name}: power belongs to the linear shape; leave it out with shape='logistic'.")


def require_unit_of_value(value: Any, unit: str | None) -> None:
    """Require the unit of the bounds where that of the value is known."""
    if unit is None:
        return
    if isinstance(value, Quantity):
        require_same_unit(unit, value.spelled, value.text)
    elif isinstance(value, xr.DataArray) and "units" in value.attrs:
        require_same_unit(unit, value.attrs["units"], str(value.name or "value"))
