"""Bins of time: actual times return to the nominal times they were planned for."""

from __future__ import annotations

import numpy as np

LOWEST_PER_BIN = 5
FEWEST_BINS, MOST_BINS = 6, 15


def time_bins(time: np.ndarray, subject: np.ndarray) -> np.ndarray:
    r"""Bin times at their natural clusters: actual times return to the nominal times they were planned for.

    The partition of the ordered times into k intervals of at least five observations with the smallest sum of
    squares around the interval means of :math:`\sqrt t`, found exactly by dynamic programming. Early times,
    which are planned closer together, count more on that scale. k is the median number of observations of a
    subject, at least 6 and at most 15, as far as the number of observations and of distinct times allows.

    Returns
    -------
    array of int
        Bin of each observation, numbered by time.

    References
    ----------
    Fisher WD. On grouping for maximum homogeneity. JASA 53 (1958) 789-798. Lavielle M, Bleakley K. Automatic
    data binning for improved visual diagnosis of pharmacometric models. J Pharmacokinet Pharmacodyn 38 (2011)
    861-871.

    Examples
    --------
    >>> planned, late = np.tile([1.0, 4.0, 24.0], 5), np.linspace(0.0, 0.5, 15)
    >>> time_bins(planned + late, np.repeat(list("abcde"), 3))
    array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    """
    distinct, inverse, size = np.unique(time, return_inverse=True, return_counts=True)
    typical = int(np.median(np.unique(subject, return_counts=True)[1]))
    wanted = max(1, min(max(typical, FEWEST_BINS), MOST_BINS, len(distinct), len(time) // LOWEST_PER_BIN))
    lowest = min(LOWEST_PER_BIN, len(time))
    scale = np.sqrt(distinct - distinct[0])
    total, first, second = (np.r_[0.0, np.cumsum(size * scale**power)] for power in (0, 1, 2))

    def costs(best: np.ndarray, end: int) -> np.ndarray:
        """Give the cost of the best partition of the times before `end` by the start of its last bin."""
        number = total[end] - total[:end]
        spread = second[end] - second[:end] - (first[end] - first[:end]) ** 2 / number
        return best[:end] + np.where(number >= lowest, spread, np.inf)

    ends = range(1, len(distinct) + 1)
    best = np.r_[0.0, np.full(len(distinct), np.inf)]
    cuts, feasible = [], 0
    for number in range(1, wanted + 1):
        found = [costs(best, end) for end in ends]
        cuts.append([0, *(int(cost.argmin()) for cost in found)])
        best = np.r_[np.inf, [cost.min() for cost in found]]
        feasible = number if np.isfinite(best[-1]) else feasible
    starts = [len(distinct)]
    for cut in reversed(cuts[:feasible]):
        starts.append(cut[starts[-1]])
    return np.searchsorted(starts[:0:-1], inverse, side="right") - 1
