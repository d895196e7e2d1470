"""Events: probabilities that a hazard gives, and soft indicators."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.decision.measures.exposure import auc, value_at
from qsp_bayes.decision.measures.path import Path
from qsp_bayes.errors import DecisionError


def cumulative_hazard(hazard: xr.DataArray | Path) -> xr.DataArray:
    r"""Integral of a hazard over the time span, :math:`H = \int_{t_0}^{t_1} h(t) \, dt`, no unit.

    The average hazard is ``average(x["hazard"])``, in one over time. Where the system accumulates H itself (as
    `time_to_event` does), ``value_at(x["cumulative_hazard"])`` is exact, this one exact up to the grid.

    Parameters
    ----------
    hazard : DataArray
        Path with dimension ``time``, in one over the unit of time.

    Examples
    --------
    >>> hazard = xr.DataArray([0.0, 0.2, 0.2], dims="time", coords={"time": [0.0, 1.0, 3.0]})
    >>> round(float(cumulative_hazard(hazard)), 6)
    0.5
    """
    return auc(hazard)


def event_probability(
    *,
    hazard: xr.DataArray | Path | None = None,
    cumulative: xr.DataArray | Path | None = None,
    time: float | None = None,
) -> xr.DataArray:
    r"""Probability that the event happens, given an individual's hazard.

    .. math:: P = 1 - \exp(-H), \qquad H = \int_{t_0}^{t_1} h(s) \, ds \quad\text{or}\quad H(t)

    Parameters
    ----------
    hazard : DataArray
        Hazard h, in one over the unit of time; the event is in the simulated time span.
    cumulative : DataArray
        Instead of `hazard`, cumulative hazard H, no unit, that starts at 0, such as output ``cumulative_hazard`` of
        `time_to_event`; the event is before `time`.
    time : float, optional
        With `cumulative` alone; by default the last time of the grid.

    Returns
    -------
    DataArray
        Between 0 and 1, no unit.

    Raises
    ------
    DecisionError
        If not exactly one of the two is given, or `time` with a hazard.

    References
    ----------
    Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley, 2002.

    Examples
    --------
    >>> hazard = xr.DataArray([0.1, 0.1], dims="time", coords={"time": [0.0, 10.0]})
    >>> round(float(event_probability(hazard=hazard)), 4)
    0.6321
    """
    if (hazard is None) == (cumulative is None):
        raise DecisionError(
            "event_probability: give hazard=x['hazard'] or cumulative=x['cumulative_hazard'], one of them."
        )
    if cumulative is not None:
        return probability_of(value_at(cumulative, time))
    if time is not None:
        raise DecisionError(
            "event_probability: a hazard is integrated over the whole simulated time; give the cumulative hazard "
            f"to ask for time {time:g}, or simulate until then."
        )
    return probability_of(auc(hazard))  # type: ignore[arg-type]


def probability_of(cumulative: Any) -> Any:
    """Probability of the event, given its cumulative hazard."""
    return 1 - np.exp(-cumulative)


def smooth_indicator(value: Any, threshold: float, width: float) -> Any:
    r"""Indicator of a value above a threshold, made smooth so that its derivatives say which way to go.

    .. math:: \frac{1}{1 + \exp\bigl(-(value - threshold) / width\bigr)}

    It tends to :math:`1\{value > threshold\}` as `width` goes to 0; it is 0.27 and 0.73 one width below and above.

    Parameters
    ----------
    value : DataArray or term
        A measure of each individual.
    threshold, width : float
        In the unit of `value`; the width positive.

    Returns
    -------
    DataArray or term
        Between 0 and 1, no unit.

    Raises
    ------
    DecisionError
        If the width is not positive.

    Examples
    --------
    >>> float(smooth_indicator(xr.DataArray(20.0), 20, 1)), round(float(smooth_indicator(xr.DataArray(25.0), 20, 1)), 3)
    (0.5, 0.993)
    """
    if not width > 0:
        raise DecisionError(
            f"smooth_indicator: width is {width}; it must be positive, in the unit of the value."
        )
    # The same logistic function, which exp would let overflow.
    return 0.5 * (1 + np.tanh((value - threshold) / (2 * width)))
