"""Time that a path of straight lines spends between two bounds, one pass over each path and no temporaries."""

from __future__ import annotations

import numpy as np
from numba import njit


def duration_within(values: np.ndarray, time: np.ndarray, low: float, high: float) -> np.ndarray:
    """Time within two bounds along the last axis, each step of the grid being a straight line.

    Parameters
    ----------
    values : array
        Any dimensions, the last being time.
    time : array
        Increasing.
    low, high : float
        Bounds, which may be infinite.

    Returns
    -------
    array
        Without the last dimension; not a number where the path is not.

    Examples
    --------
    >>> duration_within(np.array([[0.0, 20.0, 0.0]]), np.array([0.0, 2.0, 4.0]), 5.0, 10.0)
    array([1.])
    """
    rows = np.ascontiguousarray(values, dtype=float).reshape(-1, values.shape[-1])
    result = np.empty(len(rows))
    sum_durations(rows, np.diff(time), float(low), float(high), result)
    return result.reshape(values.shape[:-1])


# Without the interpreter's lock, so that blocks of a simulation can be measured by several threads.
@njit(cache=True, nogil=True, error_model="numpy")
def sum_durations(rows, steps, low, high, result):  # type: ignore[no-untyped-def]
    """Sum over the steps of each row; most steps lie within or outside as a whole and need no division."""
    for row in range(rows.shape[0]):
        total = 0.0
        start = rows[row, 0]
        for step in range(steps.size):
            end = rows[row, step + 1]
            if low <= start <= high and low <= end <= high:
                total += steps[step]
            elif (start < low and end < low) or (start > high and end > high):
                pass
            else:  # a crossing, or not a number, which then spreads to the total
                inside = min(max(end, low), high) - min(max(start, low), high)
                total += steps[step] * abs(inside) / abs(end - start)
            start = end
        result[row] = total
